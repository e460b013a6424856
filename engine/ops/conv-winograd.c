/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Winograd's F(6x6, 3x3), F(4x4, 3x3) and F(2x2, 3x3), whichever costs least:
 * a larger tile has fewer products, a smaller one fewer weights to fetch and
 * less waste at the edge of small maps. Each task transforms a chunk of tiles,
 * of one image or of several, into 64, 36 or 16 matrices [tiles, C],
 * multiplies them with the matrices [C, O] that the weights became, and
 * transforms back, all within a scratch that is meant to stay in L2. A lane is
 * one thread's scratch, and what a task computes does not depend on its lane.
 * fp32 stays within 1e-4 of the direct sum (about 1e-6 in practice, 1e-5 with
 * 6x6).
 * Source: kernels/winograd.h. */
#include "ops/conv-winograd.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "kernels/kernels.h"
#include "ops/ahead.h"
#include "ops/op-util.h"
#include "ops/tuning.h"

/* Points lie a line apart from a power of two, or they meet in one set. */
#define PAD 16
#define MAX_MR 32
#define MAX_NR 32
#define PACK_CHANNELS 8
/* Transformed inputs and products of one task. */
#define CHUNK_BYTES (768 * 1024)
/* In training: with many tiles, weights are read from L3 less often. */
#define TRAINING_CHUNK_BYTES (3 * 1024 * 1024)
/* Panels of one point that stay in L1. */
#define NEAR_PANEL_FLOATS (4 * 1024)
/* Weights that may be read again for every chunk, from L2. */
#define SHARED_WEIGHT_BYTES (1024 * 1024)
#define MIN_TILES 4
#define MIN_CHANNELS 16
/* Tasks for two threads or more come in multiples of four, which costs nothing
 * as long as each has some rows of igemm_f32, else of two. */
#define SHARED_ROUND 4
#define FEW_TASKS 2
#define TASK_UNITS 2
/* Whole rows of igemm_f32 from so many a chunk on: one more or less is little,
 * and a part of one takes as long as a whole one. */
#define MIN_UNITS 8

/* What a transform of one channel of a tile costs, in products. */
#define TRANSFORM_2_PRODUCTS 300
#define TRANSFORM_4_PRODUCTS 1000
#define TRANSFORM_6_PRODUCTS 2200
/* What a float of packed weights costs beyond those that stay in L2, in
 * products, where a vector has eight: the wider, the more are lost while it
 * comes. */
#define WEIGHT_PRODUCTS 26
#define WEIGHT_NR 16
#define NEAR_WEIGHT_FLOATS (64 * 1024)

static int64_t
divide_up (int64_t a, int64_t b)
{
  return (a + b - 1) / b;
}

static void
set_side (const ForgeConv *conv, int64_t side, ForgeWinograd *w)
{
  w->side = side;
  w->points = (side + 2) * (side + 2);
  w->tiles_y = divide_up (conv->window.oh, side);
  w->tiles_x = divide_up (conv->window.ow, side);
  w->tiles = w->tiles_y * w->tiles_x;
}

/* Of @n_floats packed weights, in products. */
static int64_t
weight_cost (int64_t n_floats)
{
  int64_t each =
      WEIGHT_PRODUCTS * (int64_t) forge_kernels ()->igemm_nr / WEIGHT_NR;
  return MAX (n_floats - NEAR_WEIGHT_FLOATS, 0) * each;
}

/* In products, of one image. */
static int64_t
cost (const ForgeConv *conv, const ForgeWinograd *w)
{
  int64_t transform = w->side == 2   ? TRANSFORM_2_PRODUCTS
                      : w->side == 4 ? TRANSFORM_4_PRODUCTS
                                     : TRANSFORM_6_PRODUCTS;
  int64_t n_floats = w->points * conv->c * conv->o;
  return w->tiles * n_floats + weight_cost (n_floats) +
         w->tiles * transform * (conv->c + conv->o);
}

static int64_t
direct_cost (const ForgeConv *conv)
{
  int64_t n_floats = 9 * conv->c * conv->o;
  return conv->out_pixels * n_floats + weight_cost (n_floats);
}

char *
forge_winograd_shape (const ForgeConv *conv)
{
  const ForgeWindow *window = &conv->window;
  return g_strdup_printf ("c%" G_GINT64_FORMAT " %" G_GINT64_FORMAT
                          "x%" G_GINT64_FORMAT " o%" G_GINT64_FORMAT
                          " %" G_GINT64_FORMAT "x%" G_GINT64_FORMAT
                          " pad %" G_GINT64_FORMAT ",%" G_GINT64_FORMAT,
      conv->c, window->ih, window->iw, conv->o, window->oh, window->ow,
      window->pad_top, window->pad_left);
}

/* The side of a tile that has been measured to be the fastest, 0 for the
 * direct way, -1 where nothing is known. */
static int64_t
tuned_side (const ForgeConv *conv)
{
  g_autofree char *shape = forge_winograd_shape (conv);
  const char *algorithm = forge_tuning_find (shape);
  if (!algorithm || !*algorithm)
    return -1;
  return g_str_has_prefix (algorithm, "winograd")
             ? algorithm[strlen ("winograd")] - '0'
             : 0;
}

/* FALSE where the direct way is faster. */
static gboolean
choose_side (const ForgeConv *conv, ForgeWinograd *w)
{
  int64_t tuned = tuned_side (conv);
  if (tuned > 0) {
    set_side (conv, tuned, w);
    if (w->tiles >= MIN_TILES)
      return TRUE;
  }
  if (tuned == 0)
    return FALSE;
  int64_t least = direct_cost (conv), chosen = 0;
  for (int64_t side = 2; side <= FORGE_WINOGRAD_MAX_SIDE; side += 2) {
    set_side (conv, side, w);
    if (w->tiles < MIN_TILES || cost (conv, w) >= least)
      continue;
    least = cost (conv, w);
    chosen = side;
  }
  if (chosen)
    set_side (conv, chosen, w);
  return chosen != 0;
}

/* The weights are transformed anew at each step, and shared by all images. */
static gboolean
trains_faster (const ForgeConv *conv, ForgeWinograd *w)
{
  set_side (conv, FORGE_WINOGRAD_SIDE, w);
  int64_t direct = 9 * conv->out_pixels * conv->c * conv->o;
  int64_t winograd = w->tiles * (w->points * conv->c * conv->o +
                                    TRANSFORM_4_PRODUCTS * (conv->c + conv->o));
  return conv->n * w->tiles >= MIN_TILES && winograd < direct;
}

static int
count_tasks (const ForgeWinogradCut *cut)
{
  return (int) (cut->n_chunks * cut->out_blocks);
}

/* Tasks in whole rounds of @round, or of FEW_TASKS. Too few tiles for that, or
 * few and many weights, are cut by outputs instead. */
static ForgeWinogradCut
cut (const ForgeConv *conv, const ForgeWinograd *w, int64_t chunk_bytes,
    int64_t round)
{
  int64_t mr = (int64_t) forge_kernels ()->igemm_mr;
  int64_t nr = (int64_t) forge_kernels ()->igemm_nr;
  int64_t fit = chunk_bytes / (w->points * 4 * (conv->c + conv->o));
  int64_t all = conv->n * w->tiles;
  if (all < round * TASK_UNITS * mr)
    round = MIN (round, FEW_TASKS);
  ForgeWinogradCut cut = { .block_out = conv->o, .unit = 1 };
  cut.n_chunks = divide_up (all, MAX (fit / mr, 2) * mr);
  if (cut.n_chunks == 1 &&
      (all < TASK_UNITS * mr ||
          w->points * 4 * conv->c * conv->o > SHARED_WEIGHT_BYTES))
    cut.block_out = divide_up (divide_up (conv->o, round), nr) * nr;
  else
    cut.n_chunks = MIN (divide_up (cut.n_chunks, round) * round, all);
  if (all >= cut.n_chunks * MIN_UNITS * mr)
    cut.unit = mr;
  cut.chunk_tiles =
      divide_up (divide_up (all, cut.unit), cut.n_chunks) * cut.unit;
  cut.out_blocks = divide_up (conv->o, cut.block_out);
  cut.lane_count =
      (size_t) w->points * (size_t) (cut.chunk_tiles * conv->c + PAD +
                                     cut.chunk_tiles * cut.block_out + PAD);
  cut.n_lanes = MIN (count_tasks (&cut), forge_pool_threads (0));
  return cut;
}

gboolean
forge_winograd_has_choice (const ForgeConv *conv)
{
  const ForgeWindow *window = &conv->window;
  return window->kh == 3 && window->kw == 3 && window->sh == 1 &&
         window->sw == 1 && window->dh == 1 && window->dw == 1 &&
         window->pad_top >= 0 && window->pad_left >= 0 && conv->n >= 1 &&
         conv->groups == 1 && conv->c >= MIN_CHANNELS &&
         conv->o >= MIN_CHANNELS && forge_kernels ()->igemm_mr <= MAX_MR;
}

gboolean
forge_winograd_plan (const ForgeConv *conv, gboolean training, ForgeWinograd *w)
{
  if (!forge_winograd_has_choice (conv))
    return FALSE;
  if (!(training ? trains_faster (conv, w) : choose_side (conv, w)))
    return FALSE;
  int64_t chunk_bytes = training ? TRAINING_CHUNK_BYTES : CHUNK_BYTES;
  w->alone = cut (conv, w, chunk_bytes, 1);
  w->shared = cut (conv, w, chunk_bytes, SHARED_ROUND);
  w->point_count = forge_pack_igemm_f32_count (
      (size_t) conv->o, 1, (size_t) conv->c, forge_kernels ()->igemm_nr);
  w->packed_count =
      forge_conv_align ((size_t) w->points * w->point_count + (size_t) conv->o);
  w->lanes_count = MAX (
      w->alone.lane_count, (size_t) w->shared.n_lanes * w->shared.lane_count);
  return TRUE;
}

const char *
forge_winograd_name (const ForgeWinograd *winograd)
{
  return winograd->side == 2   ? "winograd2x2"
         : winograd->side == 4 ? "winograd4x4"
                               : "winograd6x6";
}

void
forge_winograd_g (int64_t side, double g[FORGE_WINOGRAD_MAX_N][3])
{
  const double *points = forge_winograd_points ((size_t) side);
  for (int64_t i = 0; i <= side; i++) {
    double slope = 1;
    for (int64_t j = 0; j <= side; j++)
      slope *= j == i ? 1 : points[i] - points[j];
    for (int k = 0; k < 3; k++)
      g[i][k] = pow (points[i], k) / slope;
  }
  memcpy (g[side + 1], (double[]) { 0, 0, 1 }, sizeof g[0]);
}

typedef struct {
  const ForgeConv *conv;
  const ForgeWinograd *w;
  const ForgeWinogradWeights *weights;
  float *packed;
  float g[FORGE_WINOGRAD_MAX_N][3];
} Packing;

/* The nine taps of @n outputs from o, of one input channel. */
static void
load_taps (const ForgeWinogradWeights *from, int64_t o, int64_t c, int64_t n,
    float taps[9][MAX_NR])
{
  for (int64_t i = 0; i < n; i++) {
    const float *w =
        from->data + (o + i) * from->o_stride_elems + c * from->c_stride_elems;
    for (int k = 0; k < 9; k++)
      taps[k][i] = w[from->is_turned ? 8 - k : k];
  }
}

/* out[i] = sum over k of factors[k] in[k * step][i] */
static void
combine (const float factors[3], const float *in, size_t step_elems, int64_t n,
    float *out)
{
  for (int64_t i = 0; i < n; i++)
    out[i] = factors[0] * in[i] + factors[1] * in[step_elems + i] +
             factors[2] * in[2 * step_elems + i];
}

/* G g G^T of one panel, into the same row of all points' panels. */
static void
transform_taps (
    const Packing *packing, float taps[9][MAX_NR], int64_t nr, float *out)
{
  float half[FORGE_WINOGRAD_MAX_N][3][MAX_NR];
  int n = (int) packing->w->side + 2;
  for (int i = 0; i < n; i++)
    for (int k = 0; k < 3; k++)
      combine (packing->g[i], taps[k], 3 * MAX_NR, nr, half[i][k]);
  for (int i = 0; i < n * n; i++, out += packing->w->point_count)
    combine (packing->g[i % n], half[i / n][0], MAX_NR, nr, out);
}

/* Input channels begin to end of all points, [C, O] in the panels of
 * igemm_f32, whose bias is zero. */
static void
pack_channels (void *data, size_t begin, size_t end)
{
  const Packing *packing = data;
  const ForgeConv *conv = packing->conv;
  int64_t nr = (int64_t) forge_kernels ()->igemm_nr;
  float taps[9][MAX_NR] = { { 0 } };
  for (int64_t o = 0; o < conv->o; o += nr) {
    float *panel = packing->packed + o * (conv->c + 1);
    int64_t n = MIN (nr, conv->o - o);
    if (n < nr)
      memset (taps, 0, sizeof taps);
    if (begin == 0)
      for (int64_t i = 0; i < packing->w->points; i++)
        memset (panel + (size_t) i * packing->w->point_count, 0,
            (size_t) nr * sizeof *panel);
    for (int64_t c = (int64_t) begin; c < (int64_t) end; c++) {
      load_taps (packing->weights, o, c, n, taps);
      transform_taps (packing, taps, nr, panel + (c + 1) * nr);
    }
  }
}

void
forge_winograd_pack (int threads, const ForgeConv *conv, const ForgeWinograd *w,
    const ForgeWinogradWeights *weights, const float *bias, float *packed)
{
  Packing packing = { conv, w, weights, packed, { { 0 } } };
  double g[FORGE_WINOGRAD_MAX_N][3];
  forge_winograd_g (w->side, g);
  for (int64_t i = 0; i < (w->side + 2) * 3; i++)
    packing.g[i / 3][i % 3] = (float) g[i / 3][i % 3];
  forge_op_ranges (
      threads, (size_t) conv->c, PACK_CHANNELS, pack_channels, &packing);
  float *out = packed + (size_t) w->points * w->point_count;
  for (int64_t o = 0; o < conv->o; o++)
    out[o] = bias ? bias[o] : 0;
}

void
forge_winograd_write_rows (const ForgeConv *conv, const ForgeWinograd *w,
    const float *in, ptrdiff_t in_stride_elems, const float *zero,
    const float **rows)
{
  const ForgeWindow *window = &conv->window;
  for (int64_t tile = 0; tile < w->tiles; tile++) {
    int64_t top = tile / w->tiles_x * w->side - window->pad_top;
    int64_t left = tile % w->tiles_x * w->side - window->pad_left;
    for (int64_t i = 0; i < w->points; i++) {
      int64_t y = top + i / (w->side + 2), x = left + i % (w->side + 2);
      gboolean inside = y >= 0 && y < window->ih && x >= 0 && x < window->iw;
      *rows++ = inside ? in + (y * window->iw + x) * in_stride_elems : zero;
    }
  }
}

/* So many panels of one point that L1 holds them, and all calls have alike. */
static int64_t
near_panels (int64_t n_panels, int64_t panel_floats)
{
  int64_t calls = divide_up (n_panels * panel_floats, NEAR_PANEL_FLOATS);
  return divide_up (n_panels, calls);
}

/* Products of one point and the panels of @n_out outputs: rows in parts of at
 * most mr that differ by one at most. A panel, or as many as L1 holds, stays
 * there while the rows run past it from L2. */
static void
multiply_point (const ForgeConv *conv, int64_t n_tiles, int64_t n_out,
    const float *points, const float *panel, float *products)
{
  const ForgeKernels *kernels = forge_kernels ();
  int64_t nr = (int64_t) kernels->igemm_nr;
  int64_t parts = divide_up (n_tiles, (int64_t) kernels->igemm_mr);
  int64_t panel_floats = nr * (conv->c + 1);
  int64_t n_panels = near_panels (divide_up (n_out, nr), panel_floats);
  int64_t block_floats = n_panels * panel_floats, block_out = n_panels * nr;
  for (int64_t o = 0; o < n_out; o += block_out, panel += block_floats)
    for (int64_t part = 0; part < parts; part++) {
      const float *rows[MAX_MR];
      int64_t tile = n_tiles * part / parts;
      int64_t n_rows = n_tiles * (part + 1) / parts - tile;
      ForgeAhead ahead = forge_ahead_share (
          panel + block_floats, block_floats, nr, part, parts);
      for (int64_t m = 0; m < n_rows; m++)
        rows[m] = points + (tile + m) * conv->c;
      kernels->igemm_f32 ((size_t) n_rows, (size_t) MIN (block_out, n_out - o),
          (size_t) conv->c, 1, rows, 0, NULL, panel,
          products + tile * n_out + o, n_out, NULL, 0, -INFINITY, INFINITY,
          ahead);
    }
}

/* products[point][tile][o] of a chunk. */
static void
multiply (const ForgeWinogradJob *job, int64_t n_tiles, int64_t first_out,
    int64_t n_out, const float *points, ptrdiff_t point_stride, float *products,
    ptrdiff_t product_stride)
{
  const ForgeConv *conv = job->conv;
  const float *panels = job->packed + first_out * (conv->c + 1);
  for (int64_t i = 0; i < job->winograd->points; i++)
    multiply_point (conv, n_tiles, n_out, points + i * point_stride,
        panels + (size_t) i * job->winograd->point_count,
        products + i * product_stride);
}

/* Tile @index of all images. */
static void
write_tile (const ForgeWinogradJob *job, int64_t index, int64_t first_out,
    int64_t n_out, const float *products, ptrdiff_t product_stride)
{
  const ForgeConv *conv = job->conv;
  const ForgeWindow *window = &conv->window;
  const ForgeWinograd *w = job->winograd;
  int64_t n = index / w->tiles, tile = index % w->tiles;
  int64_t y = tile / w->tiles_x * w->side, x = tile % w->tiles_x * w->side;
  int64_t n_rows = MIN (w->side, window->oh - y);
  int64_t n_columns = MIN (w->side, window->ow - x);
  ptrdiff_t pixel = job->out_stride_elems;
  ptrdiff_t at =
      (n * conv->out_pixels + y * window->ow + x) * pixel + first_out;
  forge_kernels ()->winograd_out_f32 ((size_t) w->side, (size_t) n_out,
      products, product_stride, job->bias + first_out, (size_t) n_rows,
      (size_t) n_columns, job->out + at, window->ow * pixel, pixel,
      job->residual ? job->residual + at : NULL, job->min, job->max);
  for (int64_t i = 0; i < n_rows; i++)
    forge_op_activate_rows (job->activation, (size_t) n_columns, (size_t) n_out,
        job->out + at + i * window->ow * pixel, pixel);
}

typedef struct {
  const ForgeWinogradJob *job;
  const ForgeWinogradCut *cut;
} Run;

static int64_t
first_tile (const Run *run, int64_t chunk)
{
  const ForgeWinogradCut *cut = run->cut;
  int64_t all = run->job->conv->n * run->job->winograd->tiles;
  int64_t units = divide_up (all, cut->unit);
  return MIN (units * chunk / cut->n_chunks * cut->unit, all);
}

static void
run_task (void *data, int task, int lane)
{
  const Run *run = data;
  const ForgeWinogradJob *job = run->job;
  const ForgeWinogradCut *cut = run->cut;
  const ForgeConv *conv = job->conv;
  const ForgeWinograd *w = job->winograd;
  int64_t first_out = task % cut->out_blocks * cut->block_out;
  int64_t n_out = MIN (cut->block_out, conv->o - first_out);
  int64_t first = first_tile (run, task / cut->out_blocks);
  int64_t n_tiles = first_tile (run, task / cut->out_blocks + 1) - first;
  ptrdiff_t point_stride = cut->chunk_tiles * conv->c + PAD;
  ptrdiff_t product_stride = cut->chunk_tiles * cut->block_out + PAD;
  float *scratch = job->lanes + (size_t) lane * cut->lane_count;
  float *products = scratch + w->points * point_stride;
  for (int64_t t = 0; t < n_tiles; t++)
    forge_kernels ()->winograd_in_f32 ((size_t) w->side, (size_t) conv->c,
        job->rows + (first + t) % w->tiles * w->points,
        (first + t) / w->tiles * conv->in_pixels * job->in_stride_elems,
        job->zero, scratch + t * conv->c, point_stride);
  multiply (job, n_tiles, first_out, n_out, scratch, point_stride, products,
      product_stride);
  for (int64_t t = 0; t < n_tiles; t++)
    write_tile (
        job, first + t, first_out, n_out, products + t * n_out, product_stride);
}

void
forge_winograd_run (int threads, const ForgeWinogradJob *job)
{
  const ForgeWinograd *w = job->winograd;
  Run run = { job, threads == 1 ? &w->alone : &w->shared };
  forge_pool_run_lanes (
      MIN (run.cut->n_lanes, threads), count_tasks (run.cut), run_task, &run);
}
