/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Each task gathers a few pixels' windows into rows of int16, zero point taken
 * off, and multiplies them with rows of weights: plain loops that compilers
 * turn into multiply-add of pairs. Depthwise sums run along the channels
 * instead. The split into tasks depends on sizes alone. */
#include "ops/int-conv.h"

#include <string.h>

#include "base/alloc.h"
#include "ops/quant-util.h"

/* Each task has its own scratch: rows of inputs, then of sums. */
#define MAX_TASKS 16
#define TILE 8
/* |in - zero| and |w - zero| are at most 255, so this many products of theirs
 * fit int32. Longer sums wrap round, as ONNX allows. */
#define MAX_TERMS 32768

void
forge_int_conv_finish (ForgeIntConv *conv)
{
  conv->taps = conv->window.kh * conv->window.kw;
  conv->group_o = conv->o / conv->groups;
  conv->depthwise =
      conv->groups > 1 && conv->group_c == 1 && conv->group_o == 1;
}

void
forge_int_conv_from_matrix (ForgeIntConv *conv, int64_t batch, int64_t rows,
    int64_t depth, int64_t n_out)
{
  *conv = (ForgeIntConv) { .window = { .n = batch,
                               .c = depth,
                               .ih = 1,
                               .iw = rows,
                               .oh = 1,
                               .ow = rows,
                               .kh = 1,
                               .kw = 1,
                               .sh = 1,
                               .sw = 1,
                               .dh = 1,
                               .dw = 1 },
    .groups = 1,
    .group_c = depth,
    .o = n_out,
    .nhwc = TRUE };
  forge_int_conv_finish (conv);
}

static size_t
row_elems (const ForgeIntConv *conv)
{
  return (size_t) (conv->depthwise ? conv->o : conv->taps * conv->group_c);
}

static size_t
task_bytes (const ForgeIntConv *conv)
{
  return forge_align_up (TILE * row_elems (conv) * sizeof (int16_t)) +
         forge_align_up (TILE * (size_t) conv->o * sizeof (int32_t));
}

size_t
forge_int_conv_packed_bytes (const ForgeIntConv *conv)
{
  return (size_t) (conv->o * conv->taps * conv->group_c) * sizeof (int16_t);
}

size_t
forge_int_conv_scratch_bytes (const ForgeIntConv *conv)
{
  return MAX_TASKS * task_bytes (conv);
}

void
forge_int_conv_pack (const ForgeIntConv *conv, const ForgeTensor *weights,
    int64_t offset, int64_t stride_o, int64_t stride_k, int64_t stride_c,
    const ForgeTensor *zero, int16_t *packed)
{
  for (int64_t o = 0; o < conv->o; o++) {
    int32_t zero_o = forge_quant_zero (zero, o);
    for (int64_t k = 0; k < conv->taps; k++)
      for (int64_t c = 0; c < conv->group_c; c++) {
        int32_t value = forge_quant_load (weights->dtype, weights->data,
            offset + o * stride_o + k * stride_k + c * stride_c);
        int64_t to = conv->depthwise ? k * conv->o + o
                                     : (o * conv->taps + k) * conv->group_c + c;
        packed[to] = (int16_t) (value - zero_o);
      }
  }
}

/* @n channels from @c on of one input pixel; zeros in the padding. */
static void
gather (const ForgeIntSum *sum, int64_t n, int64_t pixel, int64_t c,
    int64_t n_channels, int16_t *row)
{
  const ForgeWindow *w = &sum->conv->window;
  if (pixel < 0) {
    memset (row, 0, (size_t) n_channels * sizeof *row);
    return;
  }
  int64_t area = w->ih * w->iw;
  int64_t at = sum->conv->nhwc ? (n * area + pixel) * w->c + c
                               : (n * w->c + c) * area + pixel;
  forge_quant_widen (sum->dtype, (const uint8_t *) sum->in + at,
      sum->conv->nhwc ? 1 : area, n_channels, sum->zero, row);
}

static int32_t
dot (const int16_t *restrict a, const int16_t *restrict b, size_t n)
{
  uint32_t total = 0;
  for (size_t first = 0; first < n; first += MAX_TERMS) {
    size_t end = MIN (first + MAX_TERMS, n);
    int32_t acc = 0;
    for (size_t i = first; i < end; i++)
      acc += (int32_t) a[i] * b[i];
    total += (uint32_t) acc;
  }
  return (int32_t) total;
}

static int32_t
wrapping_add (int32_t a, int32_t b)
{
  return (int32_t) ((uint32_t) a + (uint32_t) b);
}

static void
finish_row (const ForgeIntSum *sum, const int32_t *acc, int64_t first,
    int64_t n_out, int64_t n, int64_t pixel)
{
  const ForgeIntConv *conv = sum->conv;
  int64_t area = conv->window.oh * conv->window.ow;
  int64_t at = conv->nhwc ? (n * area + pixel) * conv->o + first
                          : (n * conv->o + first) * area + pixel;
  sum->finish (sum->finish_data, acc, first, n_out, at, conv->nhwc ? 1 : area);
}

/* One tile of pixels of one image, one group. */
static void
run_tile (const ForgeIntSum *sum, int64_t n, int64_t first, int64_t n_pixels,
    int64_t group, int16_t *rows, int32_t *acc)
{
  const ForgeIntConv *conv = sum->conv;
  const ForgeWindow *w = &conv->window;
  size_t depth = row_elems (conv);
  int64_t first_o = group * conv->group_o;
  for (int64_t m = 0; m < n_pixels; m++)
    for (int64_t k = 0; k < conv->taps; k++)
      gather (sum, n,
          forge_window_pixel (w, (first + m) / w->ow, (first + m) % w->ow, k),
          group * conv->group_c, conv->group_c,
          rows + (size_t) m * depth + k * conv->group_c);
  for (int64_t o = 0; o < conv->group_o; o++) {
    const int16_t *weights = sum->weights + (size_t) (first_o + o) * depth;
    int32_t bias = sum->bias ? sum->bias[first_o + o] : 0;
    for (int64_t m = 0; m < n_pixels; m++)
      acc[m * conv->group_o + o] =
          wrapping_add (bias, dot (rows + (size_t) m * depth, weights, depth));
  }
  for (int64_t m = 0; m < n_pixels; m++)
    finish_row (
        sum, acc + m * conv->group_o, first_o, conv->group_o, n, first + m);
}

static void
run_depthwise_pixel (
    const ForgeIntSum *sum, int64_t n, int64_t p, int16_t *row, int32_t *acc)
{
  const ForgeIntConv *conv = sum->conv;
  const ForgeWindow *w = &conv->window;
  for (int64_t o = 0; o < conv->o; o++)
    acc[o] = sum->bias ? sum->bias[o] : 0;
  for (int64_t k = 0; k < conv->taps; k++) {
    int64_t pixel = forge_window_pixel (w, p / w->ow, p % w->ow, k);
    const int16_t *weights = sum->weights + k * conv->o;
    if (pixel < 0)
      continue;
    gather (sum, n, pixel, 0, conv->o, row);
    for (int64_t o = 0; o < conv->o; o++)
      acc[o] = wrapping_add (acc[o], (int32_t) row[o] * weights[o]);
  }
  finish_row (sum, acc, 0, conv->o, n, p);
}

typedef struct {
  const ForgeIntSum *sum;
  int64_t n_tiles, tiles_per_image;
  int n_tasks;
} Job;

/* Every n_tasks-th tile. */
static void
run_task (void *data, int task)
{
  const Job *job = data;
  const ForgeIntSum *sum = job->sum;
  const ForgeIntConv *conv = sum->conv;
  int64_t area = conv->window.oh * conv->window.ow;
  char *scratch = (char *) sum->scratch + (size_t) task * task_bytes (conv);
  int16_t *rows = (int16_t *) scratch;
  int32_t *acc =
      (int32_t *) (scratch +
                   forge_align_up (TILE * row_elems (conv) * sizeof (int16_t)));
  for (int64_t tile = task; tile < job->n_tiles; tile += job->n_tasks) {
    int64_t n = tile / job->tiles_per_image;
    int64_t first = tile % job->tiles_per_image * TILE;
    int64_t n_pixels = MIN (TILE, area - first);
    if (conv->depthwise)
      for (int64_t m = 0; m < n_pixels; m++)
        run_depthwise_pixel (sum, n, first + m, rows, acc);
    else
      for (int64_t g = 0; g < conv->groups; g++)
        run_tile (sum, n, first, n_pixels, g, rows, acc);
  }
}

void
forge_int_conv_run (const ForgeIntSum *sum, int threads)
{
  const ForgeIntConv *conv = sum->conv;
  int64_t area = conv->window.oh * conv->window.ow;
  Job job = { .sum = sum, .tiles_per_image = (area + TILE - 1) / TILE };
  job.n_tiles = conv->window.n * job.tiles_per_image;
  job.n_tasks = (int) MIN (job.n_tiles, MAX_TASKS);
  if (job.n_tasks > 0 && conv->o > 0)
    forge_pool_run (threads, job.n_tasks, run_task, &job);
}
