/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The gradient of x sigmoid (x): with s = sigmoid (x), s + x s (1 - s). */
#include "kernels/simd/simd.h"

#include "kernels/simd/exp.h"

static ALWAYS_INLINE vf
slope (vf x)
{
  const vf s = vf_sigmoid (x);
  return vf_fmadd (vf_mul (x, s), vf_sub (vf_splat (1), s), s);
}

void
FORGE_VARIANT (silu_grad_f32) (
    size_t n, const float *x, const float *dy, float *out)
{
  size_t i = 0;
  for (; i + VF_WIDTH <= n; i += VF_WIDTH)
    vf_store (out + i, vf_mul (vf_load (dy + i), slope (vf_load (x + i))));
  if (i < n)
    vf_store_n (out + i, n - i,
        vf_mul (
            vf_load_n (dy + i, n - i, 0), slope (vf_load_n (x + i, n - i, 0))));
}
