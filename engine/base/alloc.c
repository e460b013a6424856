/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/alloc.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

/* Blocks of many pages that are read in strides cost a walk of the page table
 * a line, so large ones lie on huge pages where the system gives them. */
#define HUGE_PAGE_BYTES ((size_t) 2 << 20)
#define MIN_HUGE_BYTES (2 * HUGE_PAGE_BYTES)

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
  size_t bytes = forge_align_up (size_bytes) + FORGE_ALIGNMENT_BYTES;
  if (bytes < MIN_HUGE_BYTES)
    return aligned_alloc (FORGE_ALIGNMENT_BYTES, bytes);
  void *block;
  if (posix_memalign (&block, HUGE_PAGE_BYTES, bytes) != 0)
    return NULL;
#ifdef MADV_HUGEPAGE
  /* Whole pages only, so that none is more than what was asked for. Without
   * them it works too, so the answer does not matter. */
  (void) madvise (
      block, bytes / HUGE_PAGE_BYTES * HUGE_PAGE_BYTES, MADV_HUGEPAGE);
#endif
  return block;
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
