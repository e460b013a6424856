/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Softmax of one row, see kernels.h. The largest value is taken off first, so
 * that no exponential overflows. */
#include <math.h>

#include "kernels/ref/ref.h"

void
forge_softmax_f32_ref (size_t n, const float *x, float *out)
{
  float max = -INFINITY;
  for (size_t i = 0; i < n; i++)
    if (x[i] > max)
      max = x[i];
  float sum = 0;
  for (size_t i = 0; i < n; i++) {
    out[i] = expf (x[i] - max);
    sum += out[i];
  }
  const float scale = 1 / sum;
  for (size_t i = 0; i < n; i++)
    out[i] *= scale;
}
