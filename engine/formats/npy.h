/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * NumPy's array files as bytes; forge/tensor.h has the public calls. */
#pragma once

#include "forge/tensor.h"

/* @name stands for the file in messages. Errors: FORGE_ERROR_FORMAT,
 * FORGE_ERROR_UNSUPPORTED, FORGE_ERROR_MEMORY. (transfer full) */
ForgeTensor *forge_npy_parse (
    const void *bytes, size_t size_bytes, const char *name, GError **error);
/* Format version 1.0, header padded to 64 bytes as NumPy does. NULL with
 * FORGE_ERROR_UNSUPPORTED for bfloat16, which NumPy has no name for. */
GBytes *forge_npy_serialise (const ForgeTensor *tensor, GError **error);
