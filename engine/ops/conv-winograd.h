/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * 3x3 convolution at stride 1 with a quarter of the products. Private to
 * ops/conv*.c. */
#pragma once

#include "kernels/winograd.h"
#include "ops/conv.h"

/* Of the tile of training, F(4x4, 3x3). */
enum { FORGE_WINOGRAD_SIDE = 4, FORGE_WINOGRAD_POINTS = 36 };

/* Tasks: chunks of tiles, of all images, that differ by one unit at most, by
 * blocks of output channels. */
typedef struct {
  int64_t unit;                  /* tiles */
  int64_t n_chunks, chunk_tiles; /* tiles of the largest */
  int64_t out_blocks, block_out; /* outputs of the largest */
  size_t lane_count;             /* scratch floats of one thread */
  int n_lanes;
} ForgeWinogradCut;

/* How one convolution is done; from its sizes alone. */
typedef struct {
  int64_t side, points;            /* outputs and products each way: 4, 36 */
  int64_t tiles_y, tiles_x, tiles; /* of side x side outputs, of one image */
  size_t point_count;              /* packed floats of one point */
  size_t packed_count;             /* of all points, and the bias behind them */
  ForgeWinogradCut alone, shared;  /* for one thread, and for more */
  size_t lanes_count;              /* scratch floats of all threads */
} ForgeWinograd;

/* 3x3 weights: tap k of (o, c) is data[o * o_stride + c * c_stride + k], or
 * 8 - k where they are turned round, for the gradient of the input. */
typedef struct {
  const float *data;
  int64_t o_stride_elems, c_stride_elems;
  gboolean is_turned;
} ForgeWinogradWeights;

typedef struct {
  const ForgeConv *conv;
  const ForgeWinograd *winograd;
  const float *const *rows; /* as forge_winograd_write_rows left them */
  const float *zero, *packed, *bias;
  const float *residual; /* as out; may be NULL */
  float *out;
  ptrdiff_t in_stride_elems, out_stride_elems; /* from pixel to pixel */
  float min, max;
  const ForgeActivation *activation; /* what the clamp leaves to do */
  float *lanes;                      /* lanes_count floats */
} ForgeWinogradJob;

/* TRUE where forge_tuning_find() may say how, by what forge_winograd_shape()
 * (transfer full) makes of it. */
gboolean forge_winograd_has_choice (const ForgeConv *conv);
char *forge_winograd_shape (const ForgeConv *conv);
/* FALSE when the direct way is faster or the only one. In inference the
 * answer does not look at the batch: an image has the same bits alone and
 * among others. In training small images share the weights. */
gboolean forge_winograd_plan (
    const ForgeConv *conv, gboolean training, ForgeWinograd *winograd);
/* "winograd2x2", "winograd4x4" or "winograd6x6". */
const char *forge_winograd_name (const ForgeWinograd *winograd);
/* The matrix G of the weights' transform G g G^T: side + 2 rows. */
void forge_winograd_g (int64_t side, double g[FORGE_WINOGRAD_MAX_N][3]);
/* @bias may be NULL; @packed: packed_count floats. */
void forge_winograd_pack (int threads, const ForgeConv *conv,
    const ForgeWinograd *winograd, const ForgeWinogradWeights *weights,
    const float *bias, float *packed);
/* `points` pointers a tile, of the first image. */
void forge_winograd_write_rows (const ForgeConv *conv,
    const ForgeWinograd *winograd, const float *in, ptrdiff_t in_stride_elems,
    const float *zero, const float **rows);
void forge_winograd_run (int threads, const ForgeWinogradJob *job);
