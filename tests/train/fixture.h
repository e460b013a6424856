/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Small data sets on disk, made by the tests that read them. */
#pragma once

#include <glib.h>
#include <stdint.h>

/* A fresh folder; fixture_remove() takes it away with all in it. */
char *fixture_folder (void);
void fixture_remove (char *folder);
/* Writes @folder/@name; sub-folders in @name are made. */
void fixture_write (
    const char *folder, const char *name, const void *bytes, gsize size_bytes);
/* The same as gzip. */
void fixture_write_gz (
    const char *folder, const char *name, const void *bytes, gsize size_bytes);
/* An R'G'B' PNG of uint8 [height, width, 3]. */
void fixture_write_png (const char *folder, const char *name,
    const uint8_t *pixels, int width, int height);
/* Two classes, "dark" and "light", of @n_per_class noisy 32 x 32 pictures
 * each, as class folders below @folder. Their means differ by @contrast: 0
 * leaves nothing to learn, 60 is easy. */
void fixture_write_classes (
    const char *folder, guint n_per_class, guint contrast, uint64_t seed);
