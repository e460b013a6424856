/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * One file out of a zip archive that lies at the end of other bytes, as
 * TensorFlow Lite appends its labels. */
#pragma once

#include <glib.h>
#include <stddef.h>
#include <stdint.h>

/**
 * forge_zip_extract:
 * @bytes: anything that ends in a zip archive
 * @name: of the file in it
 * @max_bytes: that it may have when unpacked
 * @length_bytes: (out): its length; the result ends in a 0 that is not counted
 *
 * Stored and deflated files are read; archives over 4 GiB, encrypted ones and
 * those in several parts are not.
 *
 * Returns: (transfer full): NULL without an error where there is no archive or
 * no such file in it; NULL with %FORGE_ERROR_FORMAT where it is damaged
 */
char *forge_zip_extract (const uint8_t *bytes, size_t size_bytes,
    const char *name, size_t max_bytes, size_t *length_bytes, GError **error);
