/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Aligned allocation that may fail. Sizes that come out of files end here, so
 * nothing aborts: the caller gets NULL and reports it. */
#pragma once

#include <glib.h>
#include <stddef.h>

#define FORGE_ALIGNMENT_BYTES 64

/* Zeroed, 64-byte aligned, with 64 readable bytes behind the end so that a
 * vector load of the last element never leaves the block. NULL when memory
 * cannot be had. A size of 0 gives a valid block. */
void *forge_aligned_alloc0 (size_t size_bytes);
/* As above, contents undefined. */
void *forge_aligned_alloc (size_t size_bytes);
void forge_aligned_free (void *block);
size_t forge_align_up (size_t size_bytes);
