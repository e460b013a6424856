/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Whole files in and out, with the engine's own errors. Only regular files
 * are read, so that a pipe or a device never blocks a loader. */
#pragma once

#include <glib.h>
#include <stddef.h>

/**
 * forge_file_read:
 * @path: the file
 * @max_bytes: files longer than this are refused
 * @size_bytes: (out): length
 * @error: return location
 *
 * Reads a file into memory.
 *
 * Errors: %FORGE_ERROR_NOT_FOUND, %FORGE_ERROR_IO (also for folders, pipes
 * and devices), %FORGE_ERROR_FORMAT (longer than @max_bytes),
 * %FORGE_ERROR_MEMORY.
 * Thread safety: any thread.
 * Returns: (transfer full) (nullable): the bytes, one 0 behind them; g_free()
 * Since: 0.1
 */
void *forge_file_read (
    const char *path, size_t max_bytes, size_t *size_bytes, GError **error);
/* Replaces the file atomically: a temporary beside it, fsync, rename. Error:
 * FORGE_ERROR_IO. */
gboolean forge_file_write (
    const char *path, const void *data, size_t size_bytes, GError **error);
