/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Sums to bytes. The order of the float operations is that of ONNX Runtime
 * (MlasRequantizeOutput), so that results agree to the last bit.
 * Source: ONNX operator specification, QLinearConv-10. */
#include "ops/requantise.h"

void
forge_requantise_multipliers (const ForgeTensor *x_scale,
    const ForgeTensor *w_scale, const ForgeTensor *y_scale, int64_t n_out,
    float *multipliers)
{
  for (int64_t o = 0; o < n_out; o++) {
    float product =
        forge_quant_scale (x_scale, 0) * forge_quant_scale (w_scale, o);
    multipliers[o] =
        y_scale ? product / forge_quant_scale (y_scale, 0) : product;
  }
}

void
forge_requantise_row (const void *data, const int32_t *acc, int64_t first,
    int64_t n_out, int64_t out_at, int64_t out_step)
{
  const ForgeRequantise *to = data;
  const float *multipliers = to->multipliers + first;
  int32_t low, high;
  if (to->dtype == FORGE_FLOAT32) {
    for (int64_t i = 0; i < n_out; i++)
      ((float *) to->out)[out_at + i * out_step] =
          (float) acc[i] * multipliers[i];
    return;
  }
  forge_quant_range (to->dtype, &low, &high);
  float min = (float) (low - to->zero), max = (float) (high - to->zero);
  uint8_t *out = (uint8_t *) to->out + out_at;
  for (int64_t i = 0; i < n_out; i++)
    out[i * out_step] =
        (uint8_t) (forge_round_even (forge_clamp_float (
                       (float) acc[i] * multipliers[i], min, max)) +
                   to->zero);
}

void
forge_requantise_store (const void *data, const int32_t *acc, int64_t first,
    int64_t n_out, int64_t out_at, int64_t out_step)
{
  int32_t *out = (int32_t *) data + out_at;
  for (int64_t i = 0; i < n_out; i++)
    out[i * out_step] = acc[i];
}
