/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The fixed-point arithmetic of TensorFlow Lite's reference kernels, to the
 * bit: a real factor is a Q31 multiplier and a power of two.
 * Source: gemmlowp, fixedpoint/fixedpoint.h; tensorflow/lite/kernels/internal/
 * common.h and quantization_util.cc (double rounding, the default). */
#pragma once

#include "ops/quant-util.h"

typedef struct {
  int32_t multiplier; /* Q31, 0 or within [2^30, 2^31) */
  int shift;          /* left when positive; -31..30 */
} ForgeTfliteFactor;

/* The factor nearest to a real number >= 0. */
ForgeTfliteFactor forge_tflite_factor (double real);
/* The nth factor of two int32 attributes; shift is clamped to -31..30. */
ForgeTfliteFactor forge_tflite_attr (const ForgeNode *node, const char *name);
void forge_tflite_set_attr (
    ForgeAttrs *attrs, const char *name, ForgeTfliteFactor factor);
/* Rows of quantised logits to probabilities, scale 1 / 256. */
typedef struct {
  ForgeTfliteFactor beta;
  int32_t diff_min; /* logits further below the largest count as nothing */
} ForgeTfliteSoftmax;
ForgeTfliteSoftmax forge_tflite_softmax (double beta_times_scale);

static inline int32_t
forge_tflite_high_mul (int32_t a, int32_t b)
{
  if (a == INT32_MIN && b == INT32_MIN)
    return INT32_MAX;
  int64_t product = (int64_t) a * b;
  int64_t nudge = product >= 0 ? 1 << 30 : 1 - (1 << 30);
  return (int32_t) ((product + nudge) / ((int64_t) 1 << 31));
}

static inline int32_t
forge_tflite_divide_by_pot (int32_t x, int exponent)
{
  int32_t mask = (int32_t) (((int64_t) 1 << exponent) - 1);
  int32_t remainder = x & mask, threshold = (mask >> 1) + (x < 0);
  return (x >> exponent) + (remainder > threshold);
}

static inline int32_t
forge_tflite_scale (int32_t x, ForgeTfliteFactor factor)
{
  int left = factor.shift > 0 ? factor.shift : 0;
  int right = factor.shift > 0 ? 0 : -factor.shift;
  int32_t shifted = (int32_t) ((uint32_t) x << left);
  return forge_tflite_divide_by_pot (
      forge_tflite_high_mul (shifted, factor.multiplier), right);
}
