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

/* Keeps a loaded vector in its register: compilers like to load it again for
 * each use, as if memory operands cost nothing. */
static ALWAYS_INLINE vf
vf_pin (vf x)
{
  __asm__("" : "+" FORGE_VECTOR_REGISTER (x));
  return x;
}
