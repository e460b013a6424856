/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Activations, see kernels.h. */
#include <math.h>

#include "kernels/ref/ref.h"

/* max (x, 0) less what lies behind |x|, which is 0 from 16 on. */
static float
gelu (float x)
{
  const float size = clamp_f32 (fabsf (x), 0, 16);
  const float tail = 0.5f * erfcf (size * (float) M_SQRT1_2);
  return (x < 0 ? 0 : x) - size * tail;
}

static float
gelu_tanh (float x)
{
  const float cube = 0.044715f * x * x * x;
  return x / (1 + expf (-1.5957691216f * (x + cube)));
}

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
  case FORGE_UNARY_GELU:
    return gelu (x);
  case FORGE_UNARY_GELU_TANH:
    return gelu_tanh (x);
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
