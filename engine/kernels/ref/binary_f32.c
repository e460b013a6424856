/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Arithmetic of two arrays, see kernels.h. A repeated operand is read before
 * anything is written, so that out may equal it. */
#include "kernels/ref/ref.h"

static inline float
apply (ForgeBinary op, float a, float b)
{
  switch (op) {
  case FORGE_BINARY_ADD:
    return a + b;
  case FORGE_BINARY_SUB:
    return a - b;
  case FORGE_BINARY_MUL:
    return a * b;
  case FORGE_BINARY_DIV:
    break;
  }
  return a / b;
}

void
forge_binary_f32_ref (ForgeBinary op, size_t n, const float *a,
    size_t a_step_elems, const float *b, size_t b_step_elems, float *out)
{
  if (n == 0)
    return;
  const float a0 = a[0];
  const float b0 = b[0];
  for (size_t i = 0; i < n; i++)
    out[i] = apply (op, a_step_elems ? a[i * a_step_elems] : a0,
        b_step_elems ? b[i * b_step_elems] : b0);
}
