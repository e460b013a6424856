/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Normalisation of one row by its own mean and variance, see kernels.h. */
#include <math.h>

#include "kernels/ref/ref.h"

void
forge_layernorm_f32_ref (size_t n, const float *x, float epsilon,
    const float *scale, const float *bias, float *out, float moments[2])
{
  double sum = 0, squares = 0;
  for (size_t i = 0; i < n; i++)
    sum += (double) x[i];
  const double mean = sum / (double) n;
  for (size_t i = 0; i < n; i++)
    squares += ((double) x[i] - mean) * ((double) x[i] - mean);
  const double inverse = 1 / sqrt (squares / (double) n + (double) epsilon);
  for (size_t i = 0; i < n; i++)
    out[i] = (float) (((double) x[i] - mean) * inverse) * scale[i] +
             (bias ? bias[i] : 0);
  moments[0] = (float) mean;
  moments[1] = (float) inverse;
}
