/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Real factors as TensorFlow Lite writes them.
 * Source: tensorflow/lite/kernels/internal/quantization_util.cc,
 * QuantizeMultiplier, PreprocessSoftmaxScaling, CalculateInputRadius. */
#include "ops/tflite-math.h"

#include <math.h>

#define SOFTMAX_INTEGER_BITS 5

ForgeTfliteFactor
forge_tflite_factor (double real)
{
  ForgeTfliteFactor factor = { 0, 0 };
  int shift = 0;
  if (!(real > 0) || !isfinite (real))
    return factor;
  int64_t fixed = llround (frexp (real, &shift) * 2147483648.0);
  if (fixed == (int64_t) 1 << 31) {
    fixed /= 2;
    shift++;
  }
  if (shift < -31)
    return factor;
  if (shift > 30) {
    shift = 30;
    fixed = INT32_MAX;
  }
  factor.multiplier = (int32_t) fixed;
  factor.shift = shift;
  return factor;
}

ForgeTfliteFactor
forge_tflite_attr (const ForgeNode *node, const char *name)
{
  const int64_t *values;
  gsize n_values = forge_attrs_ints (node->attrs, name, &values);
  if (n_values != 2)
    return (ForgeTfliteFactor) { 0, 0 };
  return (ForgeTfliteFactor) { (int32_t) CLAMP (values[0], 0, INT32_MAX),
    (int) CLAMP (values[1], -31, 30) };
}

void
forge_tflite_set_attr (
    ForgeAttrs *attrs, const char *name, ForgeTfliteFactor factor)
{
  const int64_t values[] = { factor.multiplier, factor.shift };
  forge_attrs_set_ints (attrs, name, values, 2);
}

ForgeTfliteSoftmax
forge_tflite_softmax (double beta_times_scale)
{
  double real = beta_times_scale * (1 << (31 - SOFTMAX_INTEGER_BITS));
  ForgeTfliteSoftmax softmax = { .beta = forge_tflite_factor (
                                     MIN (real, 2147483647.0)) };
  double radius = ((1 << SOFTMAX_INTEGER_BITS) - 1) *
                  (double) ((int64_t) 1 << (31 - SOFTMAX_INTEGER_BITS)) /
                  (double) ((int64_t) 1 << MAX (softmax.beta.shift, 0));
  softmax.diff_min = -(int32_t) floor (radius);
  return softmax;
}
