/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Small things that every body/ needs, whatever the ISA. */
#pragma once

#include <stddef.h>

#define ALWAYS_INLINE inline __attribute__ ((always_inline))

/* `zero` is shared by all images and groups, anything else is moved. */
static ALWAYS_INLINE const float *
row_at (const float *row, const float *zero, ptrdiff_t offset_elems)
{
  return row == zero ? zero : row + offset_elems;
}
