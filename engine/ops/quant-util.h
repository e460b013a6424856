/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the integer operators share: scales and zero points, rounding to even,
 * saturation. q = saturate (round (x / scale) + zero), x = (q - zero) scale.
 * Private to ops/. */
#pragma once

#include "ops/op-util.h"

/* Smallest and largest value of an integer type. */
void forge_quant_range (ForgeDtype dtype, int32_t *min, int32_t *max);
/* TRUE for uint8 and int8. */
gboolean forge_quant_is_byte (ForgeDtype dtype);
/* Errors unless in[index] is there and uint8 or int8. */
gboolean forge_quant_need_byte (
    const ForgeNode *node, guint index, GError **error);
/* Errors unless scale in[scale] is float32 and zero point in[zero] (may be
 * left out) is of @dtype, each of one element or, where @n_channels >= 0, of
 * so many. */
gboolean forge_quant_check (const ForgeNode *node, guint scale, guint zero,
    ForgeDtype dtype, int64_t n_channels, GError **error);

/* Element @channel of a scale or zero point that may have one for all.
 * @zero NULL is 0. */
float forge_quant_scale (const ForgeTensor *scale, int64_t channel);
int32_t forge_quant_zero (const ForgeTensor *zero, int64_t channel);
/* The tensor of an optional input of a step, or NULL. */
const ForgeTensor *forge_step_in (const ForgeStep *step, guint index);

/* dst = src - zero, n bytes of type @dtype. */
void forge_quant_widen (ForgeDtype dtype, const void *src, int64_t src_step,
    int64_t n, int32_t zero, int16_t *dst);

/* Rounds to the nearest integer, ties to even; |x| < 2^22. */
static inline int32_t
forge_round_even (float x)
{
  return (int32_t) ((x + 12582912.0f) - 12582912.0f);
}

/* x clamped to [min, max]; NaN gives min. */
static inline float
forge_clamp_float (float x, float min, float max)
{
  x = x > min ? x : min;
  return x < max ? x : max;
}

/* One integer element of @dtype. */
static inline int32_t
forge_quant_load (ForgeDtype dtype, const void *data, int64_t index)
{
  return dtype == FORGE_UINT8    ? ((const uint8_t *) data)[index]
         : dtype == FORGE_INT8   ? ((const int8_t *) data)[index]
         : dtype == FORGE_UINT16 ? ((const uint16_t *) data)[index]
         : dtype == FORGE_INT16  ? ((const int16_t *) data)[index]
                                 : ((const int32_t *) data)[index];
}

static inline void
forge_quant_store (ForgeDtype dtype, void *data, int64_t index, int32_t value)
{
  if (dtype == FORGE_UINT8 || dtype == FORGE_INT8)
    ((uint8_t *) data)[index] = (uint8_t) value;
  else if (dtype == FORGE_UINT16 || dtype == FORGE_INT16)
    ((uint16_t *) data)[index] = (uint16_t) value;
  else
    ((int32_t *) data)[index] = value;
}
