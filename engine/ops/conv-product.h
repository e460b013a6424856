/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The direct forward, an indirect matrix product. Private to ops/conv*.c. */
#pragma once

#include "ops/conv.h"

/* How it is computed; from its sizes alone. */
typedef struct {
  /* What the kernel takes for taps and channels. Taps that lie side by side in
   * a row of the image are one tap of more channels: fewer pointers to follow
   * for the same sum. */
  int64_t n_taps, n_channels;
  int64_t row_pixels; /* of the input, with padding where a copy has it */
  gboolean is_folded, is_padded;
  size_t group_count;  /* packed floats of one group */
  size_t packed_count; /* of all */
  size_t padded_count; /* floats of the padded copy; 0 without one */
  size_t gated_count;  /* floats of the gated weights; 0 without a gate */
  size_t n_pointers;   /* that forge_product_bind writes */
} ForgeProduct;

typedef struct {
  const ForgeConv *conv;
  const ForgeProduct *plan;
  const float *const *rows; /* as forge_product_bind left them */
  ptrdiff_t row_stride_elems;
  const float *zero, *packed;
  const float *in;       /* [N, H, W, C] */
  float *padded;         /* padded_count floats */
  const float *residual; /* as out; may be NULL */
  const float *gate;     /* [N, C], factors of the input; may be NULL */
  float *gated;          /* gated_count floats */
  float *out;
  ptrdiff_t in_stride_elems, out_stride_elems; /* from pixel to pixel */
  float min, max;
  const ForgeActivation *activation; /* what the clamp leaves to do */
} ForgeProductJob;

void forge_product_plan (const ForgeConv *conv, ForgeProduct *plan);
/* Weights [O, C / group, KH, KW] into panels; @bias may be NULL. */
void forge_product_pack (const ForgeConv *conv, const ForgeProduct *plan,
    const float *weights, const float *bias, float *packed);
/* Pointers into the first image @in: the padded copy, where there is one, of
 * which @row_stride_elems is the step from pixel to pixel. */
void forge_product_bind (const ForgeConv *conv, const ForgeProduct *plan,
    const float *in, ptrdiff_t row_stride_elems, const float *zero,
    const float **rows);
void forge_product_run (int threads, const ForgeProductJob *job);
