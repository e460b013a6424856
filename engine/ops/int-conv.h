/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The integer sum under every quantised convolution and matrix product:
 *   acc[n, p, o] = bias[o] + sum over taps and channels of
 *                  (in[n, q, c] - zero) * (w[o, k, c] - w_zero[o])
 * in int32, padding counting as zero. What becomes of a row of sums is the
 * caller's: ONNX rounds a float product, TFLite a fixed-point one. Private to
 * ops/. */
#pragma once

#include "ops/window.h"

/* Geometry, known once shapes are. */
typedef struct {
  ForgeWindow window;
  int64_t groups, group_c, group_o, o, taps;
  gboolean nhwc;      /* of the activations, in and out */
  gboolean depthwise; /* one channel in and out a group */
} ForgeIntConv;

/* Sums of @n_out channels from @first on, of one pixel. Element i of the
 * result goes to index out_at + i * out_step. */
typedef void (*ForgeIntFinish) (const void *data, const int32_t *acc,
    int64_t first, int64_t n_out, int64_t out_at, int64_t out_step);

typedef struct {
  const ForgeIntConv *conv;
  ForgeDtype dtype; /* uint8 or int8 */
  const void *in;
  int32_t zero;
  const int16_t *weights; /* as packed below */
  const int32_t *bias;    /* [O] or NULL */
  void *scratch;          /* forge_int_conv_scratch_bytes */
  ForgeIntFinish finish;
  const void *finish_data;
} ForgeIntSum;

/* The sum as a convolution of 1 x 1: @rows rows of @depth values in @batch
 * matrices against @n_out columns. */
void forge_int_conv_from_matrix (ForgeIntConv *conv, int64_t batch,
    int64_t rows, int64_t depth, int64_t n_out);
/* Fills in what follows from window, groups, group_c and o. */
void forge_int_conv_finish (ForgeIntConv *conv);
/* Bytes of packed weights, and of scratch for one run on any threads. */
size_t forge_int_conv_packed_bytes (const ForgeIntConv *conv);
size_t forge_int_conv_scratch_bytes (const ForgeIntConv *conv);
/* Weights w[o * stride_o + k * stride_k + c * stride_c] minus the zero point
 * (NULL is 0) into [O][taps][group_c], depthwise into [taps][C]. */
void forge_int_conv_pack (const ForgeIntConv *conv, const ForgeTensor *weights,
    int64_t offset, int64_t stride_o, int64_t stride_k, int64_t stride_c,
    const ForgeTensor *zero, int16_t *packed);
void forge_int_conv_run (const ForgeIntSum *sum, int threads);
