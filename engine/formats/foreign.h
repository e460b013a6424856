/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Naming files that are no models we read, so that a person learns at once
 * what they have in hand. */
#pragma once

#include <glib.h>
#include <stdint.h>

typedef struct {
  const char *what; /* "a Git LFS pointer" */
  const char *hint; /* what to do about it; may be "" */
} ForgeForeign;

/* Always an answer: at worst "a file of unknown type". @name is the file's, for
 * bytes that tell nothing. */
ForgeForeign forge_foreign_identify (
    const char *name, const uint8_t *bytes, size_t size_bytes);
/* Protocol buffers that begin as ONNX files do, and are none. */
gboolean forge_foreign_identify_message (
    const uint8_t *bytes, size_t size_bytes, ForgeForeign *foreign);
/* NULL when the folder is nothing we can name. */
const ForgeForeign *forge_foreign_identify_folder (const char *path);
