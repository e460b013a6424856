/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Shared by the plain C kernels. They are the fallback on any CPU and the
 * oracle of the checker, so they say what is meant and leave speed to the
 * compiler. */
#pragma once

#include "kernels/variant.h"

/* NaN stays NaN. */
static inline float
clamp_f32 (float x, float min, float max)
{
  if (x < min)
    return min;
  return x > max ? max : x;
}

/* A row pointer as the kernels take it: `zero` is shared by all images and
 * groups, anything else is moved. */
static inline const float *
row_at (const float *row, const float *zero, ptrdiff_t offset_elems)
{
  return row == zero ? zero : row + offset_elems;
}
