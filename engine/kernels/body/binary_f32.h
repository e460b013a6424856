/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Arithmetic of two arrays. A repeated operand is one splat vector, read
 * before anything is written; other steps than 0 and 1 are left to ref. */
#include "kernels/simd/simd.h"

static ALWAYS_INLINE vf
apply (const ForgeBinary op, vf a, vf b)
{
  switch (op) {
  case FORGE_BINARY_ADD:
    return vf_add (a, b);
  case FORGE_BINARY_SUB:
    return vf_sub (a, b);
  case FORGE_BINARY_MUL:
    return vf_mul (a, b);
  case FORGE_BINARY_DIV:
    break;
  }
  return vf_div (a, b);
}

static ALWAYS_INLINE void
run (const ForgeBinary op, size_t n, const float *a, size_t a_step,
    const float *b, size_t b_step, float *out)
{
  const vf a0 = vf_splat (a[0]);
  const vf b0 = vf_splat (b[0]);
  size_t i = 0;
  for (; i + VF_WIDTH <= n; i += VF_WIDTH)
    vf_store (out + i, apply (op, a_step ? vf_load (a + i) : a0,
                           b_step ? vf_load (b + i) : b0));
  const size_t left = n - i;
  if (left > 0)
    vf_store_n (out + i, left,
        apply (op, a_step ? vf_load_n (a + i, left, 1) : a0,
            b_step ? vf_load_n (b + i, left, 1) : b0));
}

static ALWAYS_INLINE void
run_steps (const ForgeBinary op, size_t n, const float *a, size_t a_step,
    const float *b, size_t b_step, float *out)
{
  if (a_step && b_step)
    run (op, n, a, 1, b, 1, out);
  else
    run (op, n, a, a_step, b, b_step, out);
}

void
FORGE_VARIANT (binary_f32) (ForgeBinary op, size_t n, const float *a,
    size_t a_step_elems, const float *b, size_t b_step_elems, float *out)
{
  if (n == 0)
    return;
  if (a_step_elems > 1 || b_step_elems > 1) {
    forge_binary_f32_ref (op, n, a, a_step_elems, b, b_step_elems, out);
    return;
  }
  switch (op) {
  case FORGE_BINARY_ADD:
    run_steps (FORGE_BINARY_ADD, n, a, a_step_elems, b, b_step_elems, out);
    return;
  case FORGE_BINARY_SUB:
    run_steps (FORGE_BINARY_SUB, n, a, a_step_elems, b, b_step_elems, out);
    return;
  case FORGE_BINARY_MUL:
    run_steps (FORGE_BINARY_MUL, n, a, a_step_elems, b, b_step_elems, out);
    return;
  case FORGE_BINARY_DIV:
    run_steps (FORGE_BINARY_DIV, n, a, a_step_elems, b, b_step_elems, out);
    return;
  }
}
