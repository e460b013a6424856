/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The two halves of Conv's way back, each in the ways there are to compute
 * it. Private to ops/conv*.c. */
#pragma once

#include "ops/conv.h"

/* Activations and their gradients as [N, H, W, C]. */
typedef struct {
  const ForgeConv *conv;
  int threads;
  const float *x, *dy;
  const float *weights; /* [O, C / groups, KH, KW] */
  float *dx;
  float *dw; /* as weights */
  float *scratch;
} ForgeConvGradient;

/* dw[o, c, k] = sum over pixels of dy[p, o] x[pixel (p, k), c]. The count is
 * that of scratch, in floats; it and all sums depend on sizes alone. */
size_t forge_conv_dw_count (const ForgeConv *conv);
void forge_conv_dw (const ForgeConvGradient *gradient);

/* dx[pixel, c] = sum over taps and outputs of dy[p, o] w[o, c, k], p being
 * the output that reads the pixel through tap k. */
size_t forge_conv_dx_count (const ForgeConv *conv);
void forge_conv_dx (const ForgeConvGradient *gradient);

/* The same sums with a quarter of the products. FALSE where that is slower or
 * not possible. */
gboolean forge_winograd_dw_plan (const ForgeConv *conv, size_t *count);
void forge_winograd_dw (const ForgeConvGradient *gradient);
gboolean forge_winograd_dx_plan (const ForgeConv *conv, size_t *count);
void forge_winograd_dx (const ForgeConvGradient *gradient);

/* Depthwise: dw, dx, or both; either may be NULL. */
size_t forge_depthwise_backward_count (const ForgeConv *conv);
void forge_depthwise_backward (const ForgeConvGradient *gradient);
