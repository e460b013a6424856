/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Softmax of one row in three passes: largest value, exponentials and their
 * sum, division. NaN and +inf reach every output through the sum. */
#include <math.h>

#include "kernels/simd/simd.h"

#include "kernels/simd/exp.h"

static float
largest (size_t n, const float *x)
{
  vf best = vf_splat (-INFINITY);
  size_t i = 0;
  for (; i + VF_WIDTH <= n; i += VF_WIDTH)
    best = vf_max_number (best, vf_load (x + i));
  if (i < n)
    best = vf_max_number (best, vf_load_n (x + i, n - i, -INFINITY));
  return vf_reduce_max (best);
}

void
FORGE_VARIANT (softmax_f32) (size_t n, const float *x, float *out)
{
  const vf max = vf_splat (largest (n, x));
  vf sum = vf_splat (0);
  size_t i = 0;
  for (; i + VF_WIDTH <= n; i += VF_WIDTH) {
    const vf e = vf_exp (vf_sub (vf_load (x + i), max));
    vf_store (out + i, e);
    sum = vf_add (sum, e);
  }
  const size_t left = n - i;
  if (left > 0) {
    const vf e = vf_exp (vf_sub (vf_load_n (x + i, left, 0), max));
    vf_store_n (out + i, left, e);
    sum = vf_add (sum, vf_keep_n (e, left));
  }
  const vf scale = vf_splat (1 / vf_reduce_add (sum));
  for (i = 0; i + VF_WIDTH <= n; i += VF_WIDTH)
    vf_store (out + i, vf_mul (vf_load (out + i), scale));
  if (left > 0)
    vf_store_n (out + i, left, vf_mul (vf_load_n (out + i, left, 0), scale));
}
