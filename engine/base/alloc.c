/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/alloc.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

size_t
forge_align_up (size_t size_bytes)
{
  return (size_bytes + FORGE_ALIGNMENT_BYTES - 1) &
         ~(size_t) (FORGE_ALIGNMENT_BYTES - 1);
}

void *
forge_aligned_alloc (size_t size_bytes)
{
  if (size_bytes > PTRDIFF_MAX - 2 * FORGE_ALIGNMENT_BYTES)
    return NULL;
  return aligned_alloc (FORGE_ALIGNMENT_BYTES,
      forge_align_up (size_bytes) + FORGE_ALIGNMENT_BYTES);
}

void *
forge_aligned_alloc0 (size_t size_bytes)
{
  void *block = forge_aligned_alloc (size_bytes);
  if (block)
    memset (block, 0, forge_align_up (size_bytes) + FORGE_ALIGNMENT_BYTES);
  return block;
}

void
forge_aligned_free (void *block)
{
  free (block);
}
