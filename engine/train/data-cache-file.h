/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * One cache file: reading and making it, whatever folder it is in. */
#pragma once

#include "train/data-cache.h"

/* FORGE_ERROR_FORMAT where it is not a good file of that key. */
ForgeCacheMap *forge_cache_map_file (
    const char *path, const char *key, GError **error);
/* NULL when the disk refuses. */
ForgeCacheBuilder *forge_cache_builder_open (
    const char *folder, const char *key, gsize pixels_bytes);
/* Writes all that belongs to the file and renames it to @path. */
gboolean forge_cache_builder_complete (ForgeCacheBuilder *builder,
    const char *path, gsize pixels_bytes, const void *notes, gsize notes_bytes);
/* Writes the checksums that the bytes should have; FALSE when their lengths
 * make no sense. */
gboolean forge_cache_seal (uint8_t *bytes, gsize size_bytes);
