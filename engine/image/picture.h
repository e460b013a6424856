/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the picture decoders share: the result and its bounds. */
#pragma once

#include "forge/image.h"

/* Bounds of a picture; a header may claim anything. */
#define FORGE_PICTURE_MAX_SIDE 32768
#define FORGE_PICTURE_MAX_PIXELS ((uint64_t) 1 << 28)

/* %FORGE_ERROR_UNSUPPORTED beyond the bounds. */
gboolean forge_picture_check_size (
    uint64_t width, uint64_t height, const char *name, GError **error);
/* Undefined pixels; a size that was checked. %FORGE_ERROR_MEMORY. */
ForgePicture *forge_picture_new (
    uint64_t width, uint64_t height, const char *name, GError **error);

/* Decoders of one file format. They see bytes that begin with the format's
 * signature. */
ForgePicture *forge_picture_load_png (
    const uint8_t *bytes, size_t size_bytes, const char *name, GError **error);
ForgePicture *forge_picture_load_jpeg (
    const uint8_t *bytes, size_t size_bytes, const char *name, GError **error);
ForgePicture *forge_picture_load_webp (
    const uint8_t *bytes, size_t size_bytes, const char *name, GError **error);
/* uint8 [n_pixels, 4] to [n_pixels, 3]. */
void forge_picture_blend_over_black (
    const uint8_t *rgba, size_t n_pixels, uint8_t *rgb);
