/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Activations, one loop for each so that the switch stays outside. */
#include "kernels/simd/simd.h"

#include "kernels/simd/exp.h"

static ALWAYS_INLINE vf
apply (const ForgeUnary op, vf x, vf alpha, vf beta)
{
  const vf zero = vf_splat (0);
  const vf one = vf_splat (1);
  switch (op) {
  case FORGE_UNARY_CLAMP:
    return vf_clamp (x, alpha, beta);
  case FORGE_UNARY_LEAKY:
    return vf_select_less (x, zero, vf_mul (alpha, x), x);
  case FORGE_UNARY_SIGMOID:
    return vf_sigmoid (x);
  case FORGE_UNARY_SILU:
    return vf_div (x, vf_sigmoid_divisor (x));
  case FORGE_UNARY_HARD_SIGMOID:
    return vf_clamp (vf_add (vf_mul (alpha, x), beta), zero, one);
  case FORGE_UNARY_HARD_SWISH: {
    const vf sixth = vf_splat (1.0f / 6);
    const vf gate = vf_fmadd (x, sixth, vf_splat (0.5f));
    return vf_mul (x, vf_clamp (gate, zero, one));
  }
  case FORGE_UNARY_TANH:
    return vf_tanh (x);
  case FORGE_UNARY_GELU:
    return vf_gelu (x);
  case FORGE_UNARY_GELU_TANH:
    return vf_gelu_tanh (x);
  case FORGE_UNARY_EXP:
    break;
  }
  return vf_exp (x);
}

static ALWAYS_INLINE void
run (const ForgeUnary op, size_t n, const float *x, float alpha, float beta,
    float *out)
{
  const vf a = vf_splat (alpha);
  const vf b = vf_splat (beta);
  size_t i = 0;
  for (; i + VF_WIDTH <= n; i += VF_WIDTH)
    vf_store (out + i, apply (op, vf_load (x + i), a, b));
  if (i < n)
    vf_store_n (out + i, n - i, apply (op, vf_load_n (x + i, n - i, 0), a, b));
}

void
FORGE_VARIANT (unary_f32) (ForgeUnary op, size_t n, const float *x, float alpha,
    float beta, float *out)
{
#define CASE(op)                      \
  case op:                            \
    run (op, n, x, alpha, beta, out); \
    return;
  switch (op) {
    CASE (FORGE_UNARY_CLAMP)
    CASE (FORGE_UNARY_LEAKY)
    CASE (FORGE_UNARY_SIGMOID)
    CASE (FORGE_UNARY_SILU)
    CASE (FORGE_UNARY_HARD_SIGMOID)
    CASE (FORGE_UNARY_HARD_SWISH)
    CASE (FORGE_UNARY_TANH)
    CASE (FORGE_UNARY_EXP)
    CASE (FORGE_UNARY_GELU)
    CASE (FORGE_UNARY_GELU_TANH)
  }
#undef CASE
}
