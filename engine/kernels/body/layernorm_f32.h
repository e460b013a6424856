/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Normalisation of one row by its own mean and variance. The mean is taken
 * twice, the second time of what the first leaves over, so that a mean far
 * from 0 costs no digits; sums run a block at a time and go on in double, so
 * that long rows cost none either. */
#include <math.h>

#include "kernels/simd/simd.h"

enum { BLOCK = 64 * VF_WIDTH };

static ALWAYS_INLINE vf
load (const float *x, size_t n, float fill)
{
  return n < VF_WIDTH ? vf_load_n (x, n, fill) : vf_load (x);
}

static double
sum_of (size_t n, const float *x)
{
  double sum = 0;
  for (size_t first = 0; first < n; first += BLOCK) {
    const size_t end = n - first < BLOCK ? n : first + BLOCK;
    vf part[2] = { vf_splat (0), vf_splat (0) };
    for (size_t i = first; i < end; i += VF_WIDTH)
      part[i / VF_WIDTH % 2] =
          vf_add (part[i / VF_WIDTH % 2], load (x + i, end - i, 0));
    sum += (double) vf_reduce_add (vf_add (part[0], part[1]));
  }
  return sum;
}

/* Sums of x - centre and of its squares. */
static void
sums_of_differences (size_t n, const float *x, float centre, double sums[2])
{
  const vf middle = vf_splat (centre);
  for (size_t first = 0; first < n; first += BLOCK) {
    const size_t end = n - first < BLOCK ? n : first + BLOCK;
    vf sum = vf_splat (0), squares = vf_splat (0);
    for (size_t i = first; i < end; i += VF_WIDTH) {
      const vf d = vf_sub (load (x + i, end - i, centre), middle);
      sum = vf_add (sum, d);
      squares = vf_fmadd (d, d, squares);
    }
    sums[0] += (double) vf_reduce_add (sum);
    sums[1] += (double) vf_reduce_add (squares);
  }
}

void
FORGE_VARIANT (layernorm_f32) (size_t n, const float *x, float epsilon,
    const float *scale, const float *bias, float *out, float moments[2])
{
  const double count = (double) n;
  const float centre = (float) (sum_of (n, x) / count);
  double sums[2] = { 0, 0 };
  sums_of_differences (n, x, centre, sums);
  const double rest = sums[0] / count;
  const double variance = sums[1] / count - rest * rest;
  const double inverse = 1 / sqrt (fmax (variance, 0) + (double) epsilon);
  const vf slope = vf_splat ((float) inverse);
  const vf middle = vf_splat (centre), shift = vf_splat ((float) rest);
  for (size_t i = 0; i < n; i += VF_WIDTH) {
    const size_t left = n - i;
    const vf d = vf_sub (vf_sub (load (x + i, left, 0), middle), shift);
    vf y = vf_mul (vf_mul (d, slope), load (scale + i, left, 0));
    if (bias)
      y = vf_add (y, load (bias + i, left, 0));
    if (left < VF_WIDTH)
      vf_store_n (out + i, left, y);
    else
      vf_store (out + i, y);
  }
  moments[0] = (float) ((double) centre + rest);
  moments[1] = (float) inverse;
}
