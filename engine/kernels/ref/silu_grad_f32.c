/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The gradient of x sigmoid (x), see kernels.h. */
#include <math.h>

#include "kernels/ref/ref.h"

void
forge_silu_grad_f32_ref (size_t n, const float *x, const float *dy, float *out)
{
  for (size_t i = 0; i < n; i++) {
    float s = 1 / (1 + expf (-x[i]));
    out[i] = dy[i] * (s + x[i] * s * (1 - s));
  }
}
