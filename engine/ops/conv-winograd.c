/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Winograd's F(4x4, 3x3). Each task transforms a chunk of tiles into 36
 * matrices [tiles, C], multiplies them with the 36 matrices [C, O] that the
 * weights became at load, and transforms back, all within a scratch that is
 * meant to stay in L2. A lane is one thread's scratch; lanes take tasks from
 * a counter, and what a task computes does not depend on its lane.
 * fp32 stays within 1e-4 of the direct sum (about 1e-6 in practice).
 * Source: Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks"
 * (2015). */
#include "ops/conv-winograd.h"

#include <math.h>
#include <stdatomic.h>

#include "base/alloc.h"
#include "kernels/kernels.h"
#include "ops/op-util.h"

enum { SIDE = FORGE_WINOGRAD_SIDE, POINTS = FORGE_WINOGRAD_POINTS };

/* Points lie a line apart from a power of two, or they meet in one set. */
#define PAD 16
#define MAX_MR 32
/* Transformed inputs and products of one task. */
#define CHUNK_BYTES (768 * 1024)
/* Weights that may be read again for every chunk, from L2. */
#define SHARED_WEIGHT_BYTES (1024 * 1024)
#define MIN_TILES 8
#define MIN_CHANNELS 24
/* Tasks that a small image is cut into, for two threads or more. */
#define MIN_TASKS 2

/* The transforms cost about as much as this many products a channel. */
#define TRANSFORM_PRODUCTS 1000

static int64_t
divide_up (int64_t a, int64_t b)
{
  return (a + b - 1) / b;
}

/* Products of both ways, a tile and channel. */
static gboolean
is_faster (const ForgeConv *conv, int64_t tiles)
{
  int64_t direct = 9 * conv->out_pixels * conv->c * conv->o;
  int64_t winograd = tiles * (POINTS * conv->c * conv->o +
                                 TRANSFORM_PRODUCTS * (conv->c + conv->o));
  return winograd < direct;
}

static void
cut (const ForgeConv *conv, ForgeWinograd *w)
{
  int64_t mr = (int64_t) forge_kernels ()->igemm_mr;
  int64_t nr = (int64_t) forge_kernels ()->igemm_nr;
  int64_t fit = CHUNK_BYTES / (POINTS * 4 * (conv->c + conv->o));
  w->chunk_tiles = MIN (MAX (fit / mr, 2) * mr, w->tiles);
  w->block_out = conv->o;
  if (divide_up (w->tiles, w->chunk_tiles) < MIN_TASKS) {
    if (POINTS * 4 * conv->c * conv->o > SHARED_WEIGHT_BYTES)
      w->block_out = divide_up (divide_up (conv->o, MIN_TASKS), nr) * nr;
    else
      w->chunk_tiles = divide_up (w->tiles, MIN_TASKS);
  }
  w->n_chunks = divide_up (w->tiles, w->chunk_tiles);
  w->out_blocks = divide_up (conv->o, w->block_out);
}

gboolean
forge_winograd_plan (const ForgeConv *conv, ForgeWinograd *w)
{
  const ForgeWindow *window = &conv->window;
  if (window->kh != 3 || window->kw != 3 || window->sh != 1 ||
      window->sw != 1 || window->dh != 1 || window->dw != 1 ||
      conv->groups != 1 || conv->c < MIN_CHANNELS || conv->o < MIN_CHANNELS ||
      forge_kernels ()->igemm_mr > MAX_MR)
    return FALSE;
  w->tiles_y = divide_up (window->oh, SIDE);
  w->tiles_x = divide_up (window->ow, SIDE);
  w->tiles = w->tiles_y * w->tiles_x;
  if (w->tiles < MIN_TILES || !is_faster (conv, w->tiles))
    return FALSE;
  cut (conv, w);
  w->point_count = forge_pack_igemm_f32_count (
      (size_t) conv->o, 1, (size_t) conv->c, forge_kernels ()->igemm_nr);
  w->lane_count = POINTS * (size_t) (w->chunk_tiles * conv->c + PAD +
                                     w->chunk_tiles * w->block_out + PAD);
  w->n_lanes =
      (int) MIN (conv->n * w->n_chunks * w->out_blocks, forge_pool_threads (0));
  return TRUE;
}

size_t
forge_winograd_packed_count (const ForgeConv *conv, const ForgeWinograd *w)
{
  return POINTS * w->point_count + (size_t) conv->o;
}

/* One point of G g G^T for all weights: [C, O]. */
static void
transform_weights (
    const ForgeConv *conv, int point, const float *weights, float *out)
{
  /* the points of winograd_in_f32: 0, p, -p, q, -q and infinity */
  const double p = 0.625, q = 1.5, p2 = p * p, q2 = q * q;
  const double at_p = 1 / (2 * p2 * (p2 - q2)), at_q = 1 / (2 * q2 * (q2 - p2));
  const double g[6][3] = {
    { 1 / (p2 * q2), 0, 0 },
    { at_p, at_p * p, at_p * p2 },
    { at_p, at_p * -p, at_p * p2 },
    { at_q, at_q * q, at_q * q2 },
    { at_q, at_q * -q, at_q * q2 },
    { 0, 0, 1 },
  };
  double factors[9];
  for (int k = 0; k < 9; k++)
    factors[k] = g[point / 6][k / 3] * g[point % 6][k % 3];
  for (int64_t o = 0; o < conv->o; o++)
    for (int64_t c = 0; c < conv->c; c++) {
      const float *w = weights + (o * conv->c + c) * 9;
      double sum = 0;
      for (int k = 0; k < 9; k++)
        sum += factors[k] * w[k];
      out[o * conv->c + c] = (float) sum;
    }
}

gboolean
forge_winograd_pack (const ForgeConv *conv, const ForgeWinograd *w,
    const float *weights, const float *bias, float *packed)
{
  float *point =
      forge_aligned_alloc ((size_t) (conv->o * conv->c) * sizeof (float));
  if (!point)
    return FALSE;
  for (int i = 0; i < POINTS; i++, packed += w->point_count) {
    transform_weights (conv, i, weights, point);
    forge_pack_igemm_f32 ((size_t) conv->o, 1, (size_t) conv->c,
        forge_kernels ()->igemm_nr, point, conv->c, 0, 1, NULL, packed);
  }
  for (int64_t o = 0; o < conv->o; o++)
    packed[o] = bias ? bias[o] : 0;
  forge_aligned_free (point);
  return TRUE;
}

void
forge_winograd_write_rows (const ForgeConv *conv, const ForgeWinograd *w,
    const float *in, const float *zero, const float **rows)
{
  const ForgeWindow *window = &conv->window;
  for (int64_t tile = 0; tile < w->tiles; tile++) {
    int64_t top = tile / w->tiles_x * SIDE - window->pad_top;
    int64_t left = tile % w->tiles_x * SIDE - window->pad_left;
    for (int64_t i = 0; i < POINTS; i++) {
      int64_t y = top + i / 6, x = left + i % 6;
      gboolean inside = y >= 0 && y < window->ih && x >= 0 && x < window->iw;
      *rows++ = inside ? in + (y * window->iw + x) * conv->c : zero;
    }
  }
}

/* products[point][tile][o] of a chunk: rows in equal parts of at most mr. */
static void
multiply (const ForgeWinogradJob *job, int64_t n_tiles, int64_t first_out,
    int64_t n_out, const float *points, ptrdiff_t point_stride, float *products,
    ptrdiff_t product_stride)
{
  const ForgeKernels *kernels = forge_kernels ();
  const ForgeConv *conv = job->conv;
  int64_t parts = divide_up (n_tiles, (int64_t) kernels->igemm_mr);
  int64_t part = divide_up (n_tiles, parts);
  const float *panels = job->packed + first_out / (int64_t) kernels->igemm_nr *
                                          (conv->c + 1) *
                                          (int64_t) kernels->igemm_nr;
  for (int i = 0; i < POINTS; i++, panels += job->winograd->point_count)
    for (int64_t tile = 0; tile < n_tiles; tile += part) {
      const float *rows[MAX_MR];
      int64_t n_rows = MIN (part, n_tiles - tile);
      for (int64_t m = 0; m < n_rows; m++)
        rows[m] = points + (tile + m) * conv->c;
      kernels->igemm_f32 ((size_t) n_rows, (size_t) n_out, (size_t) conv->c, 1,
          rows, i * point_stride, NULL, panels,
          products + i * product_stride + tile * n_out, n_out, NULL, 0,
          -INFINITY, INFINITY);
    }
}

static void
write_tile (const ForgeWinogradJob *job, int64_t n, int64_t tile,
    int64_t first_out, int64_t n_out, const float *products,
    ptrdiff_t product_stride)
{
  const ForgeConv *conv = job->conv;
  const ForgeWindow *window = &conv->window;
  int64_t y = tile / job->winograd->tiles_x * SIDE;
  int64_t x = tile % job->winograd->tiles_x * SIDE;
  int64_t n_rows = MIN (SIDE, window->oh - y);
  int64_t n_columns = MIN (SIDE, window->ow - x);
  ptrdiff_t at =
      (n * conv->out_pixels + y * window->ow + x) * conv->o + first_out;
  forge_kernels ()->winograd_out_f32 ((size_t) n_out, products, product_stride,
      job->bias + first_out, (size_t) n_rows, (size_t) n_columns, job->out + at,
      window->ow * conv->o, conv->o, job->residual ? job->residual + at : NULL,
      job->min, job->max);
  if (!forge_op_activates_late (job->activation))
    return;
  for (int64_t i = 0; i < n_rows * n_columns; i++)
    forge_op_activate (job->activation, (size_t) n_out,
        job->out + at + (i / n_columns * window->ow + i % n_columns) * conv->o);
}

static void
run_task (const ForgeWinogradJob *job, int64_t task, float *scratch)
{
  const ForgeConv *conv = job->conv;
  const ForgeWinograd *w = job->winograd;
  int64_t first_out = task % w->out_blocks * w->block_out;
  int64_t chunk = task / w->out_blocks % w->n_chunks;
  int64_t n = task / w->out_blocks / w->n_chunks;
  int64_t n_out = MIN (w->block_out, conv->o - first_out);
  int64_t first = chunk * w->chunk_tiles;
  int64_t n_tiles = MIN (w->chunk_tiles, w->tiles - first);
  ptrdiff_t point_stride = w->chunk_tiles * conv->c + PAD;
  ptrdiff_t product_stride = w->chunk_tiles * w->block_out + PAD;
  float *products = scratch + POINTS * point_stride;
  for (int64_t t = 0; t < n_tiles; t++)
    forge_kernels ()->winograd_in_f32 ((size_t) conv->c,
        job->rows + (first + t) * POINTS, n * conv->in_pixels * conv->c,
        job->zero, scratch + t * conv->c, point_stride);
  multiply (job, n_tiles, first_out, n_out, scratch, point_stride, products,
      product_stride);
  for (int64_t t = 0; t < n_tiles; t++)
    write_tile (job, n, first + t, first_out, n_out, products + t * n_out,
        product_stride);
}

typedef struct {
  const ForgeWinogradJob *job;
  int n_tasks;
  atomic_int next_task;
} Lanes;

static void
run_lane (void *data, int lane)
{
  Lanes *lanes = data;
  float *scratch =
      lanes->job->lanes + (size_t) lane * lanes->job->winograd->lane_count;
  int task;
  while ((task = atomic_fetch_add_explicit (
              &lanes->next_task, 1, memory_order_relaxed)) < lanes->n_tasks)
    run_task (lanes->job, task, scratch);
}

void
forge_winograd_run (int threads, const ForgeWinogradJob *job)
{
  const ForgeWinograd *w = job->winograd;
  Lanes lanes = { .job = job,
    .n_tasks = (int) (job->conv->n * w->n_chunks * w->out_blocks) };
  forge_pool_run (threads, MIN (w->n_lanes, threads), run_lane, &lanes);
}
