/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * 3x3 convolution at stride 1 with a quarter of the products. Private to
 * ops/conv*.c. */
#pragma once

#include "ops/conv.h"

enum { FORGE_WINOGRAD_SIDE = 4, FORGE_WINOGRAD_POINTS = 36 };

/* How one convolution is cut up; from its sizes alone. */
typedef struct {
  int64_t tiles_y, tiles_x, tiles; /* of 4x4 outputs, of one image */
  int64_t chunk_tiles, n_chunks;   /* tiles of one task, per image */
  int64_t block_out, out_blocks;   /* output channels of one task */
  size_t point_count;              /* packed floats of one point */
  size_t lane_count;               /* scratch floats of one thread */
  int n_lanes;
} ForgeWinograd;

typedef struct {
  const ForgeConv *conv;
  const ForgeWinograd *winograd;
  const float *const *rows; /* as forge_winograd_write_rows left them */
  const float *zero, *packed, *bias;
  const float *residual; /* as out; may be NULL */
  float *out;
  float min, max;
  const ForgeActivation *activation; /* what the clamp leaves to do */
  float *lanes;                      /* n_lanes of lane_count */
} ForgeWinogradJob;

/* FALSE when the direct way is faster or the only one. Does not look at the
 * batch: an image has the same bits alone and among others. */
gboolean forge_winograd_plan (const ForgeConv *conv, ForgeWinograd *winograd);
/* Floats of packed weights with the bias behind them. */
size_t forge_winograd_packed_count (
    const ForgeConv *conv, const ForgeWinograd *winograd);
/* FALSE when memory runs out. @bias may be NULL. */
gboolean forge_winograd_pack (const ForgeConv *conv,
    const ForgeWinograd *winograd, const float *weights, const float *bias,
    float *packed);
/* 36 pointers a tile, of the first image. */
void forge_winograd_write_rows (const ForgeConv *conv,
    const ForgeWinograd *winograd, const float *in, const float *zero,
    const float **rows);
void forge_winograd_run (int threads, const ForgeWinogradJob *job);
