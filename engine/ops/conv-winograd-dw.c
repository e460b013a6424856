/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Conv's weight gradient through Winograd's F(4x4, 3x3). The output being
 * A^T [(G g G^T) (B^T d B)] A, the gradient of U = G g G^T is the sum over all
 * tiles of (A dy A^T) (B^T d B), point by point, and that of g is G^T dU G:
 * 36 products a tile and pair of channels instead of 144.
 * The tiles of all images go through a scratch chunk by chunk. Where dU is
 * small, they are cut into parts, each with a dU of its own and one thread,
 * and the parts are added in order; where it is large, all threads work on one
 * chunk: on some of its tiles, then on some of the points, so that one dU and
 * one scratch are all that the cache has to hold. Parts and chunks depend on
 * sizes alone, so the result does not depend on threads. */
#include <string.h>

#include "base/alloc.h"
#include "kernels/kernels.h"
#include "ops/conv-backward.h"
#include "ops/conv-winograd.h"
#include "ops/op-util.h"

enum { SIDE = FORGE_WINOGRAD_SIDE, POINTS = FORGE_WINOGRAD_POINTS };
enum { PIXELS = SIDE * SIDE };

/* Rows lie a line apart from a power of two, or they meet in one set. */
#define PAD 16
#define MIN_CHUNK_TILES 24
#define MAX_CHUNK_TILES 192
#define MAX_PARTS 8
/* A dU of more is shared by all threads. */
#define MAX_PART_BYTES ((size_t) 1 << 20)
/* Its chunk's scratch, which a larger L2 keeps in part. */
#define SHARED_CHUNK_BYTES ((int64_t) 3 << 20)
/* Tiles and outputs of a task there. */
#define TASK_TILES 8
#define TASK_OUTPUTS 64
/* Channels that the last transform takes together. */
#define BLOCK_CHANNELS 64

typedef struct {
  ForgeWinograd w;
  int64_t all_tiles, chunk_tiles;
  gboolean is_shared; /* all threads work on one chunk */
  int64_t n_parts;
  int64_t x_row, dy_row; /* floats from tile to tile */
  size_t part_count, lane_count;
  int n_lanes;
  size_t lanes_at, zero_at, x_rows_at, dy_rows_at, total;
} Plan;

static size_t
pointers (int64_t n)
{
  return forge_conv_align ((size_t) n * sizeof (float *) / sizeof (float));
}

/* The scratch of a tile. */
static int64_t
tile_bytes (const Plan *plan)
{
  return POINTS * (plan->x_row + plan->dy_row) * (int64_t) sizeof (float);
}

static void
cut (const ForgeConv *conv, Plan *plan)
{
  plan->part_count = forge_conv_align ((size_t) (POINTS * conv->o * conv->c));
  plan->is_shared = plan->part_count * sizeof (float) > MAX_PART_BYTES;
  plan->n_parts = plan->n_lanes = 1;
  if (plan->is_shared) {
    plan->chunk_tiles = CLAMP (SHARED_CHUNK_BYTES / tile_bytes (plan),
        MIN_CHUNK_TILES, MAX_CHUNK_TILES);
    return;
  }
  /* As many floats as a part has: both are written and read once a chunk. */
  plan->chunk_tiles = CLAMP (conv->c * conv->o / (conv->c + conv->o),
      MIN_CHUNK_TILES, MAX_CHUNK_TILES);
  plan->n_parts = MAX_PARTS;
  while (
      plan->n_parts > 1 && plan->n_parts * plan->chunk_tiles > plan->all_tiles)
    plan->n_parts /= 2;
  plan->n_lanes = (int) MIN (plan->n_parts, forge_pool_threads (0));
}

static gboolean
make_plan (const ForgeConv *conv, Plan *plan)
{
  *plan = (Plan) { .x_row = conv->c + PAD, .dy_row = conv->o + PAD };
  if (!forge_winograd_plan (conv, TRUE, &plan->w))
    return FALSE;
  plan->all_tiles = conv->n * plan->w.tiles;
  cut (conv, plan);
  plan->lane_count =
      (size_t) (plan->chunk_tiles * tile_bytes (plan)) / sizeof (float);
  plan->lanes_at = (size_t) plan->n_parts * plan->part_count;
  plan->zero_at = plan->lanes_at + (size_t) plan->n_lanes * plan->lane_count;
  plan->x_rows_at =
      plan->zero_at + forge_conv_align ((size_t) MAX (conv->c, conv->o));
  plan->dy_rows_at = plan->x_rows_at + pointers (plan->w.tiles * POINTS);
  plan->total = plan->dy_rows_at + pointers (plan->w.tiles * PIXELS);
  return TRUE;
}

gboolean
forge_winograd_dw_plan (const ForgeConv *conv, size_t *count)
{
  Plan plan;
  if (!make_plan (conv, &plan))
    return FALSE;
  *count = plan.total;
  return TRUE;
}

typedef struct {
  const ForgeConvGradient *gradient;
  const Plan *plan;
  const float **x_rows, **dy_rows; /* a tile's pixels, of the first image */
  const float *zero;
  float *parts; /* [parts][36][O][C] */
  float *lanes;
} Job;

static void
write_dy_rows (const Job *job)
{
  const ForgeConv *conv = job->gradient->conv;
  const ForgeWindow *window = &conv->window;
  const float **row = job->dy_rows;
  for (int64_t tile = 0; tile < job->plan->w.tiles; tile++)
    for (int64_t i = 0; i < PIXELS; i++) {
      int64_t y = tile / job->plan->w.tiles_x * SIDE + i / SIDE;
      int64_t x = tile % job->plan->w.tiles_x * SIDE + i % SIDE;
      gboolean inside = y < window->oh && x < window->ow;
      *row++ = inside ? job->gradient->dy + (y * window->ow + x) * conv->o
                      : job->zero;
    }
}

/* The transformed tiles [first, first + n) of all images. */
typedef struct {
  const Job *job;
  int64_t first, n;
  float *x, *dy; /* [36][chunk][C], [36][chunk][O] */
  float *sum;    /* [36][O][C], added to */
} Chunk;

static Chunk
chunk_of (
    const Job *job, int64_t first, int64_t end, float *scratch, float *sum)
{
  const Plan *plan = job->plan;
  return (Chunk) { .job = job,
    .first = first,
    .n = MIN (plan->chunk_tiles, end - first),
    .x = scratch,
    .dy = scratch + POINTS * plan->chunk_tiles * plan->x_row,
    .sum = sum };
}

/* Tiles begin to end of a chunk. */
static void
transform_tiles (void *data, size_t begin, size_t end)
{
  const Chunk *chunk = data;
  const Job *job = chunk->job;
  const ForgeConv *conv = job->gradient->conv;
  const Plan *plan = job->plan;
  const ForgeKernels *kernels = forge_kernels ();
  for (int64_t t = (int64_t) begin; t < (int64_t) end; t++) {
    int64_t image = (chunk->first + t) / plan->w.tiles;
    int64_t tile = (chunk->first + t) % plan->w.tiles;
    kernels->winograd_in_f32 (SIDE, (size_t) conv->c,
        job->x_rows + tile * POINTS, image * conv->in_pixels * conv->c,
        job->zero, chunk->x + t * plan->x_row, plan->chunk_tiles * plan->x_row);
    kernels->winograd_grad_f32 ((size_t) conv->o, job->dy_rows + tile * PIXELS,
        image * conv->out_pixels * conv->o, job->zero,
        chunk->dy + t * plan->dy_row, plan->chunk_tiles * plan->dy_row);
  }
}

static int64_t
output_blocks (const ForgeConv *conv)
{
  return (conv->o + TASK_OUTPUTS - 1) / TASK_OUTPUTS;
}

/* Some outputs of a point at a time: x comes from L2 for all but the first. */
static void
add_products (void *data, size_t begin, size_t end)
{
  const Chunk *chunk = data;
  const ForgeConv *conv = chunk->job->gradient->conv;
  const Plan *plan = chunk->job->plan;
  const float *rows[MAX_CHUNK_TILES];
  for (int64_t t = 0; t < chunk->n; t++)
    rows[t] = chunk->x + t * plan->x_row;
  for (size_t task = begin; task < end; task++) {
    int64_t i = (int64_t) task / output_blocks (conv);
    int64_t o = (int64_t) task % output_blocks (conv) * TASK_OUTPUTS;
    forge_kernels ()->outer_f32 ((size_t) MIN (TASK_OUTPUTS, conv->o - o),
        (size_t) conv->c, (size_t) chunk->n,
        chunk->dy + i * plan->chunk_tiles * plan->dy_row + o, plan->dy_row,
        rows, i * plan->chunk_tiles * plan->x_row, NULL,
        chunk->sum + (i * conv->o + o) * conv->c, conv->c);
  }
}

static size_t
product_tasks (const ForgeConv *conv)
{
  return (size_t) (POINTS * output_blocks (conv));
}

static void
run_shared (Job *job, int threads)
{
  const Plan *plan = job->plan;
  memset (job->parts, 0, plan->part_count * sizeof *job->parts);
  for (int64_t first = 0; first < plan->all_tiles; first += plan->chunk_tiles) {
    Chunk chunk =
        chunk_of (job, first, plan->all_tiles, job->lanes, job->parts);
    forge_op_ranges (
        threads, (size_t) chunk.n, TASK_TILES, transform_tiles, &chunk);
    forge_op_ranges (
        threads, product_tasks (job->gradient->conv), 1, add_products, &chunk);
  }
}

static void
run_part (void *data, int part, int lane)
{
  Job *job = data;
  const Plan *plan = job->plan;
  float *scratch = job->lanes + (size_t) lane * plan->lane_count;
  float *sum = job->parts + (size_t) part * plan->part_count;
  memset (sum, 0, plan->part_count * sizeof *sum);
  int64_t end = plan->all_tiles * (part + 1) / plan->n_parts;
  int64_t first = plan->all_tiles * part / plan->n_parts;
  for (; first < end; first += plan->chunk_tiles) {
    Chunk chunk = chunk_of (job, first, end, scratch, sum);
    transform_tiles (&chunk, 0, (size_t) chunk.n);
    add_products (&chunk, 0, product_tasks (job->gradient->conv));
  }
}

/* The parts' sum at one point, for n channels. */
static void
add_parts (const Plan *plan, const float *from, int64_t n, float *sum)
{
  memcpy (sum, from, (size_t) n * sizeof *sum);
  for (int64_t part = 1; part < plan->n_parts; part++) {
    const float *more = from + (size_t) part * plan->part_count;
    for (int64_t c = 0; c < n; c++)
      sum[c] += more[c];
  }
}

/* G^T dU G of one output and up to BLOCK_CHANNELS inputs. */
static void
turn_back (const Job *job, const double g[6][3], int64_t o, int64_t c)
{
  const ForgeConv *conv = job->gradient->conv;
  int64_t n = MIN (BLOCK_CHANNELS, conv->c - c);
  float half[3][6][BLOCK_CHANNELS] = { { { 0 } } }, u[BLOCK_CHANNELS];
  for (int64_t i = 0; i < POINTS; i++) {
    add_parts (job->plan, job->parts + (i * conv->o + o) * conv->c + c, n, u);
    for (int k = 0; k < 3; k++)
      for (int64_t j = 0; j < n; j++)
        half[k][i % 6][j] += (float) g[i / 6][k] * u[j];
  }
  float *dw = job->gradient->dw + (o * conv->c + c) * 9;
  for (int64_t j = 0; j < n; j++)
    for (int k = 0; k < 9; k++) {
      float sum = 0;
      for (int i = 0; i < 6; i++)
        sum += half[k / 3][i][j] * (float) g[i][k % 3];
      dw[j * 9 + k] = sum;
    }
}

static void
turn_outputs (void *data, size_t begin, size_t end)
{
  const Job *job = data;
  double g[FORGE_WINOGRAD_MAX_N][3];
  forge_winograd_g (SIDE, g);
  for (size_t o = begin; o < end; o++)
    for (int64_t c = 0; c < job->gradient->conv->c; c += BLOCK_CHANNELS)
      turn_back (job, g, (int64_t) o, c);
}

void
forge_winograd_dw (const ForgeConvGradient *gradient)
{
  const ForgeConv *conv = gradient->conv;
  Plan plan;
  if (!make_plan (conv, &plan))
    return;
  float *scratch = gradient->scratch, *zero = scratch + plan.zero_at;
  Job job = { .gradient = gradient,
    .plan = &plan,
    .zero = zero,
    .parts = scratch,
    .lanes = scratch + plan.lanes_at,
    .x_rows = (const float **) (void *) (scratch + plan.x_rows_at),
    .dy_rows = (const float **) (void *) (scratch + plan.dy_rows_at) };
  memset (zero, 0, (size_t) MAX (conv->c, conv->o) * sizeof *zero);
  forge_winograd_write_rows (
      conv, &plan.w, gradient->x, conv->c, zero, job.x_rows);
  write_dy_rows (&job);
  if (plan.is_shared)
    run_shared (&job, gradient->threads);
  else
    forge_pool_run_lanes (MIN (plan.n_lanes, gradient->threads),
        (int) plan.n_parts, run_part, &job);
  forge_op_ranges (gradient->threads, (size_t) conv->o, 1, turn_outputs, &job);
}
