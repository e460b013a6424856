/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * From sums of integers back to bytes, as ONNX has it:
 *   y = saturate (round_even (acc * multiplier[o]) + zero)
 * Private to ops/. */
#pragma once

#include "ops/quant-util.h"

typedef struct {
  const float *multipliers; /* [O] */
  ForgeDtype dtype;         /* of out: an integer, or float32 without zero */
  int32_t zero;
  void *out;
} ForgeRequantise;

/* multipliers[o] = x_scale * w_scale[o] / y_scale, in this order; without
 * y_scale (NULL) the product. */
void forge_requantise_multipliers (const ForgeTensor *x_scale,
    const ForgeTensor *w_scale, const ForgeTensor *y_scale, int64_t n_out,
    float *multipliers);
/* A ForgeIntFinish; @data is a ForgeRequantise. */
void forge_requantise_row (const void *data, const int32_t *acc, int64_t first,
    int64_t n_out, int64_t out_at, int64_t out_step);
/* A ForgeIntFinish that stores the sums; @data is int32 [...]. */
void forge_requantise_store (const void *data, const int32_t *acc,
    int64_t first, int64_t n_out, int64_t out_at, int64_t out_step);
