/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Activations, see kernels.h. */
#include <math.h>

#include "kernels/ref/ref.h"

static float
apply (ForgeUnary op, float x, float alpha, float beta)
{
  switch (op) {
  case FORGE_UNARY_CLAMP:
    return clamp_f32 (x, alpha, beta);
  case FORGE_UNARY_LEAKY:
    return x < 0 ? alpha * x : x;
  case FORGE_UNARY_SIGMOID:
    return 1 / (1 + expf (-x));
  case FORGE_UNARY_SILU:
    return x * (1 / (1 + expf (-x)));
  case FORGE_UNARY_HARD_SIGMOID:
    return clamp_f32 (alpha * x + beta, 0, 1);
  case FORGE_UNARY_HARD_SWISH:
    return x * clamp_f32 (x * (1.0f / 6) + 0.5f, 0, 1);
  case FORGE_UNARY_TANH:
    return tanhf (x);
  case FORGE_UNARY_EXP:
    break;
  }
  return expf (x);
}

void
forge_unary_f32_ref (ForgeUnary op, size_t n, const float *x, float alpha,
    float beta, float *out)
{
  for (size_t i = 0; i < n; i++)
    out[i] = apply (op, x[i], alpha, beta);
}
