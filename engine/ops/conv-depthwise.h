/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The forward of one channel a group. Private to ops/conv*.c. */
#pragma once

#include "ops/conv.h"

/* How it is computed; from its sizes alone. */
typedef struct {
  gboolean slides;     /* by dwslide_f32, else by dwconv_f32 */
  int64_t groups;      /* of neighbours, in a row of outputs */
  int64_t columns;     /* that a group takes of a row of inputs */
  int64_t task_pixels; /* whole rows where it slides */
  size_t n_pointers;   /* that forge_depthwise_bind writes */
} ForgeDepthwise;

typedef struct {
  const ForgeConv *conv;
  const ForgeDepthwise *plan;
  const float *const *rows; /* as forge_depthwise_bind left them */
  const uint32_t *pixels;   /* likewise; NULL where it does not slide */
  const float *zero, *weights;
  const ForgeActivation *activation; /* what the clamp leaves to do */
  float min, max;
  float *out;
  ptrdiff_t in_stride_elems, out_stride_elems; /* from pixel to pixel */
} ForgeDepthwiseJob;

void forge_depthwise_plan (const ForgeConv *conv, ForgeDepthwise *plan);
/* Pointers into the first image @in. @pixels: first pixels of a row's groups.
 */
void forge_depthwise_bind (const ForgeConv *conv, const ForgeDepthwise *plan,
    const float *in, ptrdiff_t in_stride_elems, const float *zero,
    const float **rows, uint32_t *pixels);
void forge_depthwise_run (int threads, const ForgeDepthwiseJob *job);
