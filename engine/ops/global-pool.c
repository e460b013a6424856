/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * GlobalAveragePool and GlobalMaxPool: one value a channel. A large image is
 * pooled in parts, by its size alone, so that threads share it and the result
 * does not depend on them.
 * Source: ONNX operator specification, version 1. */
#include <math.h>
#include <string.h>

#include "kernels/kernels.h"
#include "ops/op-util.h"

/* Values of one part, and the most parts of an image. */
#define PART_ELEMS (2 * FORGE_OP_GRAIN)
#define MAX_PARTS 8

/* [N, C, pixels], or [N, pixels, C] when nhwc. */
typedef struct {
  gboolean average, nhwc;
  int64_t n, c, pixels;
  ptrdiff_t x_stride_elems; /* from pixel to pixel, when nhwc */
  const float *x;
  float *y;
  int64_t parts; /* of an image, when nhwc */
  float *pooled; /* [N, parts, C]; y itself when there is one part */
} Pool;

static gboolean
is_average (const ForgeNode *node)
{
  return strcmp (node->op->type, "GlobalAveragePool") == 0;
}

static gboolean
infer (ForgeNode *node, GError **error)
{
  if (!forge_op_need_float (node, 0, error))
    return FALSE;
  ForgeShape out = forge_node_in (node, 0)->shape;
  int first = node->nhwc ? 1 : 2;
  if (out.rank < 3)
    return forge_op_need_rank (node, 0, 4, error);
  for (int i = first; i < first + out.rank - 2; i++) {
    if (out.dims[i] == 0)
      return forge_node_error (
          node, error, FORGE_ERROR_SHAPE, "the input has no pixels");
    out.dims[i] = 1;
  }
  return forge_op_set_out (node, 0, FORGE_FLOAT32, &out, error);
}

static Pool
pool_of (const ForgeNode *node, const ForgeShape *in)
{
  int first = node->nhwc ? 1 : 2;
  Pool pool = { .average = is_average (node),
    .nhwc = node->nhwc,
    .n = in->dims[0],
    .c = in->dims[node->nhwc ? in->rank - 1 : 1],
    .pixels = forge_op_volume (in, first, first + in->rank - 2) };
  int64_t parts = MIN (pool.pixels * pool.c / PART_ELEMS, pool.pixels);
  pool.parts = pool.nhwc ? CLAMP (parts, 1, MAX_PARTS) : 1;
  return pool;
}

static Pool
pool_of_step (const ForgeStep *step)
{
  Pool pool = pool_of (step->node, &step->in[0]->shape);
  pool.x_stride_elems = forge_tensor_row_stride (step->in[0]);
  pool.x = step->in[0]->data;
  pool.y = step->out[0]->data;
  pool.pooled = pool.parts > 1 ? step->workspace : pool.y;
  return pool;
}

static gboolean
prepare (const ForgeNode *node, ForgePrepared *prepared, GError **error)
{
  Pool pool = pool_of (node, &forge_node_in (node, 0)->shape);
  if (pool.parts > 1)
    prepared->workspace_bytes =
        (size_t) (pool.n * pool.parts * pool.c) * sizeof (float);
  return TRUE;
}

/* Of @n_rows of @c values, one every @stride_elems. */
static void
pool_rows (const Pool *pool, int64_t n_rows, const float *x,
    ptrdiff_t stride_elems, float *y)
{
  const ForgeKernels *kernels = forge_kernels ();
  size_t c = (size_t) pool->c;
  memcpy (y, x, c * sizeof *y);
  for (int64_t p = 1; p < n_rows; p++) {
    x += stride_elems;
    if (pool->average)
      kernels->binary_f32 (FORGE_BINARY_ADD, c, y, 1, x, 1, y);
    else
      for (size_t i = 0; i < c; i++)
        y[i] = x[i] > y[i] || isnan (x[i]) ? x[i] : y[i];
  }
}

/* Part @index of all images. */
static void
pool_part (const Pool *pool, int64_t index)
{
  int64_t n = index / pool->parts, part = index % pool->parts;
  int64_t begin = pool->pixels * part / pool->parts;
  int64_t end = pool->pixels * (part + 1) / pool->parts;
  pool_rows (pool, end - begin,
      pool->x + (n * pool->pixels + begin) * pool->x_stride_elems,
      pool->x_stride_elems, pool->pooled + index * pool->c);
}

static void
pool_parts_of_image (const Pool *pool, int64_t n)
{
  float *y = pool->y + n * pool->c;
  float scale = 1.0f / (float) pool->pixels;
  if (pool->parts > 1)
    pool_rows (pool, pool->parts, pool->pooled + n * pool->parts * pool->c,
        pool->c, y);
  if (pool->average)
    forge_kernels ()->binary_f32 (
        FORGE_BINARY_MUL, (size_t) pool->c, y, 1, &scale, 0, y);
}

static void
image_nchw (const Pool *pool, int64_t n)
{
  const float *x = pool->x + n * pool->pixels * pool->c;
  for (int64_t c = 0; c < pool->c; c++, x += pool->pixels) {
    double value = x[0];
    for (int64_t p = 1; p < pool->pixels; p++)
      if (pool->average)
        value += x[p];
      else if (x[p] > value || isnan (x[p]))
        value = x[p];
    pool->y[n * pool->c + c] =
        (float) (pool->average ? value / (double) pool->pixels : value);
  }
}

static void
run_parts (void *data, size_t begin, size_t end)
{
  const Pool *pool = data;
  for (size_t i = begin; i < end; i++)
    if (pool->nhwc)
      pool_part (pool, (int64_t) i);
    else
      image_nchw (pool, (int64_t) i);
}

static void
run (const ForgeStep *step)
{
  Pool pool = pool_of_step (step);
  forge_op_ranges (
      step->threads, (size_t) (pool.n * pool.parts), 1, run_parts, &pool);
  for (int64_t n = 0; pool.nhwc && n < pool.n; n++)
    pool_parts_of_image (&pool, n);
}

/* An average spreads its gradient, a maximum hands it to the first largest. */
static void
channel_backward (
    const Pool *pool, const float *x, float dy, int64_t step, float *dx)
{
  int64_t best = 0;
  for (int64_t p = 0; p < pool->pixels; p++) {
    dx[p * step] = pool->average ? dy / (float) pool->pixels : 0;
    if (x[p * step] > x[best * step])
      best = p;
  }
  if (!pool->average)
    dx[best * step] = dy;
}

static void
backward (const ForgeStep *step, const ForgeGradients *gradients)
{
  if (!gradients->d_in[0])
    return;
  Pool pool = pool_of_step (step);
  float *dx = gradients->d_in[0]->data;
  const float *dy = gradients->d_out[0]->data;
  for (int64_t n = 0; n < pool.n; n++)
    for (int64_t c = 0; c < pool.c; c++) {
      int64_t at = n * pool.c * pool.pixels + (pool.nhwc ? c : c * pool.pixels);
      channel_backward (&pool, pool.x + at, dy[n * pool.c + c],
          pool.nhwc ? pool.c : 1, dx + at);
    }
}

static gboolean
takes_slice (const ForgeNode *node, int index)
{
  return node->nhwc && index == 0;
}

static int64_t
flops (const ForgeNode *node)
{
  return MAX (0, forge_shape_count (&forge_node_in (node, 0)->shape));
}

const ForgeOp forge_op_GlobalAveragePool = { .type = "GlobalAveragePool",
  .domain = "",
  .min_inputs = 1,
  .max_inputs = 1,
  .min_outputs = 1,
  .max_outputs = 1,
  .infer = infer,
  .prepare = prepare,
  .run = run,
  .backward = backward,
  .flops = flops,
  .takes_slice = takes_slice };

const ForgeOp forge_op_GlobalMaxPool = { .type = "GlobalMaxPool",
  .domain = "",
  .min_inputs = 1,
  .max_inputs = 1,
  .min_outputs = 1,
  .max_outputs = 1,
  .infer = infer,
  .prepare = prepare,
  .run = run,
  .backward = backward,
  .flops = flops,
  .takes_slice = takes_slice };
