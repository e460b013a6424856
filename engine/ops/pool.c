/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * MaxPool and AveragePool over [N, H, W, C], through tables of pointers as in
 * Conv. A node in NCHW order is transposed into workspace and back.
 * Source: ONNX operator specification, MaxPool-12 and AveragePool-19.
 * count_include_pad counts the declared padding, never the overhang of
 * ceil_mode. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "kernels/kernels.h"
#include "ops/op-util.h"
#include "ops/window.h"

#define BLOCK_PIXELS 32

typedef struct {
  ForgeWindow window;
  gboolean average, include_pad;
  int64_t taps, in_pixels, out_pixels;
  size_t in_at, out_at; /* offsets into workspace, floats */
} Pool;

typedef struct {
  const float **rows; /* [out_pixels][taps] */
  float *zero;        /* [C] */
  float *scale;       /* [out_pixels]; AveragePool */
} Bound;

static gboolean
parse (const ForgeNode *node, Pool *pool, GError **error)
{
  memset (pool, 0, sizeof *pool);
  if (!forge_op_need_float (node, 0, error) ||
      !forge_window_parse (node, FORGE_WINDOW_POOL, 0, 0, &pool->window, error))
    return FALSE;
  pool->average = strcmp (node->op->type, "AveragePool") == 0;
  pool->include_pad = forge_attrs_int (node->attrs, "count_include_pad", 0);
  pool->taps = pool->window.kh * pool->window.kw;
  pool->in_pixels = pool->window.ih * pool->window.iw;
  pool->out_pixels = pool->window.oh * pool->window.ow;
  return TRUE;
}

static gboolean
infer (ForgeNode *node, GError **error)
{
  Pool pool;
  if (!parse (node, &pool, error))
    return FALSE;
  if (forge_node_out (node, 1))
    return forge_node_error (node, error, FORGE_ERROR_UNSUPPORTED,
        "the output Indices is not supported");
  ForgeShape out = forge_window_out_shape (node, &pool.window, pool.window.c);
  return forge_op_set_out (node, 0, FORGE_FLOAT32, &out, error);
}

static gboolean
prepare (const ForgeNode *node, ForgePrepared *prepared, GError **error)
{
  g_autofree Pool *pool = g_new0 (Pool, 1);
  if (!parse (node, pool, error))
    return FALSE;
  if (!node->nhwc) {
    int64_t nc = pool->window.n * pool->window.c;
    size_t in_bytes = forge_align_up ((size_t) (nc * pool->in_pixels) * 4);
    pool->out_at = in_bytes / sizeof (float);
    size_t out_bytes = forge_align_up ((size_t) (nc * pool->out_pixels) * 4);
    prepared->workspace_bytes = in_bytes + out_bytes;
    /* x, dx, dy and y */
    prepared->backward_workspace_bytes = 2 * in_bytes + 2 * out_bytes;
  }
  prepared->algorithm = "window";
  prepared->free = g_free;
  prepared->data = g_steal_pointer (&pool);
  return TRUE;
}

static void
bound_free (gpointer data)
{
  Bound *bound = data;
  forge_aligned_free (bound->rows);
  forge_aligned_free (bound->zero);
  forge_aligned_free (bound->scale);
  g_free (bound);
}

/* The number of taps that an average divides by. */
static int64_t
divisor (const Pool *pool, int64_t oy, int64_t ox)
{
  const ForgeWindow *w = &pool->window;
  int64_t count = 0;
  for (int64_t k = 0; k < pool->taps; k++) {
    int64_t y = oy * w->sh - w->pad_top + k / w->kw * w->dh;
    int64_t x = ox * w->sw - w->pad_left + k % w->kw * w->dw;
    if (pool->include_pad)
      count += y < w->ih + w->pad_bottom && x < w->iw + w->pad_right;
    else
      count += y >= 0 && y < w->ih && x >= 0 && x < w->iw;
  }
  return count;
}

/* Padding reads zeros in an average, and once more a pixel of the window in
 * a maximum. */
static void
write_pixel (const Pool *pool, const float *in, ptrdiff_t in_stride_elems,
    int64_t p, Bound *bound)
{
  const ForgeWindow *w = &pool->window;
  const float **row = bound->rows + p * pool->taps;
  int64_t oy = p / w->ow, ox = p % w->ow, any = -1;
  for (int64_t k = 0; k < pool->taps && any < 0; k++)
    any = forge_window_pixel (w, oy, ox, k);
  for (int64_t k = 0; k < pool->taps; k++) {
    int64_t at = forge_window_pixel (w, oy, ox, k);
    if (at < 0 && !pool->average)
      at = any;
    row[k] = at < 0 ? bound->zero : in + at * in_stride_elems;
  }
  bound->scale[p] = pool->average ? 1.0f / (float) divisor (pool, oy, ox) : 1;
}

/* From pixel to pixel of @tensor in NHWC. */
static ptrdiff_t
stride_of (const ForgeStep *step, const ForgeTensor *tensor)
{
  const Pool *pool = step->prepared->data;
  return step->node->nhwc ? forge_tensor_row_stride (tensor) : pool->window.c;
}

static gboolean
bind (ForgeStep *step, GError **error)
{
  const Pool *pool = step->prepared->data;
  size_t pixels = (size_t) pool->out_pixels;
  size_t n_rows = pixels * (size_t) pool->taps;
  const float *in =
      step->node->nhwc ? step->in[0]->data : (float *) step->workspace;
  Bound *bound = g_new0 (Bound, 1);
  step->bound.data = bound;
  step->bound.free = bound_free;
  bound->rows = forge_aligned_alloc (n_rows * sizeof (float *));
  bound->zero = forge_aligned_alloc0 ((size_t) pool->window.c * sizeof (float));
  bound->scale = forge_aligned_alloc (pixels * sizeof (float));
  if (!bound->rows || !bound->zero || !bound->scale) {
    g_clear_pointer (&step->bound.data, bound_free);
    return forge_node_error (step->node, error, FORGE_ERROR_MEMORY,
        "out of memory: %zu pointers", n_rows);
  }
  for (int64_t p = 0; p < pool->out_pixels; p++)
    write_pixel (pool, in, stride_of (step, step->in[0]), p, bound);
  return TRUE;
}

typedef struct {
  const Pool *pool;
  const Bound *bound;
  float *out;
  ptrdiff_t in_stride_elems, out_stride_elems; /* from pixel to pixel */
  int64_t blocks;                              /* of pixels, per image */
} Job;

static void
run_block (void *data, int task)
{
  const Job *job = data;
  const Pool *pool = job->pool;
  const ForgeKernels *kernels = forge_kernels ();
  int64_t n = task / job->blocks, first = task % job->blocks * BLOCK_PIXELS;
  size_t pixels = (size_t) MIN (BLOCK_PIXELS, pool->out_pixels - first);
  size_t channels = (size_t) pool->window.c, taps = (size_t) pool->taps;
  ptrdiff_t offset = n * pool->in_pixels * job->in_stride_elems;
  const float *const *rows = job->bound->rows + first * pool->taps;
  float *out =
      job->out + (n * pool->out_pixels + first) * job->out_stride_elems;
  if (pool->average)
    kernels->avgpool_f32 (pixels, channels, taps, rows, offset,
        job->bound->zero, job->bound->scale + first, out,
        job->out_stride_elems);
  else
    kernels->maxpool_f32 (
        pixels, channels, taps, rows, offset, out, job->out_stride_elems);
}

static void
run (const ForgeStep *step)
{
  const Pool *pool = step->prepared->data;
  const ForgeWindow *w = &pool->window;
  gboolean nhwc = step->node->nhwc;
  float *workspace = step->workspace;
  Job job = { .pool = pool,
    .bound = step->bound.data,
    .out = nhwc ? step->out[0]->data : workspace + pool->out_at,
    .in_stride_elems = stride_of (step, step->in[0]),
    .out_stride_elems = stride_of (step, step->out[0]),
    .blocks = (pool->out_pixels + BLOCK_PIXELS - 1) / BLOCK_PIXELS };
  if (!nhwc)
    forge_op_swap_inner (step->threads, w->n, w->c, pool->in_pixels,
        step->in[0]->data, workspace);
  forge_pool_run (step->threads, (int) (w->n * job.blocks), run_block, &job);
  if (!nhwc)
    forge_op_swap_inner (step->threads, w->n, pool->out_pixels, w->c, job.out,
        step->out[0]->data);
}

/* Where NHWC data of one image lies during backward. */
typedef struct {
  const Pool *pool;
  const float *scale;
  const float *x, *y, *dy;
  float *dx;
} Backward;

#define MAX_BLOCK 64

/* Gives dy to the elements of one tap that equal the largest, unless a tap
 * before has taken it (open 0). Without branches, for the vectoriser. */
static void
give (const float *restrict x, const float *restrict largest,
    const float *restrict dy, float *restrict open, float *restrict dx,
    int64_t n)
{
  for (int64_t c = 0; c < n; c++) {
    float is_open = open[c];
    float mine = x[c] == largest[c] ? is_open : 0;
    dx[c] += mine * dy[c];
    open[c] = is_open - mine;
  }
}

/* The whole gradient goes to the first largest element of the window. */
static void
max_window (const Backward *b, const float *x, const float *y, const float *dy,
    float *dx, int64_t oy, int64_t ox)
{
  const ForgeWindow *w = &b->pool->window;
  for (int64_t c = 0; c < w->c; c += MAX_BLOCK) {
    int64_t n = MIN (w->c - c, MAX_BLOCK);
    float open[MAX_BLOCK];
    for (int64_t i = 0; i < n; i++)
      open[i] = 1;
    for (int64_t k = 0; k < b->pool->taps; k++) {
      int64_t at = forge_window_pixel (w, oy, ox, k);
      if (at >= 0)
        give (x + at * w->c + c, y + c, dy + c, open, dx + at * w->c + c, n);
    }
  }
}

static void
average_window (const Backward *b, const float *dy, float scale, float *dx,
    int64_t oy, int64_t ox)
{
  const ForgeWindow *w = &b->pool->window;
  for (int64_t k = 0; k < b->pool->taps; k++) {
    int64_t at = forge_window_pixel (w, oy, ox, k);
    if (at < 0)
      continue;
    for (int64_t c = 0; c < w->c; c++)
      dx[at * w->c + c] += dy[c] * scale;
  }
}

static void
backward_image (void *data, int n)
{
  const Backward *b = data;
  const Pool *pool = b->pool;
  const ForgeWindow *w = &pool->window;
  int64_t in_size = pool->in_pixels * w->c;
  float *dx = b->dx + n * in_size;
  memset (dx, 0, (size_t) in_size * sizeof *dx);
  for (int64_t p = 0; p < pool->out_pixels; p++) {
    int64_t out_at = (n * pool->out_pixels + p) * w->c;
    const float *dy = b->dy + out_at;
    if (pool->average)
      average_window (b, dy, b->scale[p], dx, p / w->ow, p % w->ow);
    else
      max_window (
          b, b->x + n * in_size, b->y + out_at, dy, dx, p / w->ow, p % w->ow);
  }
}

static void
backward (const ForgeStep *step, const ForgeGradients *gradients)
{
  const Pool *pool = step->prepared->data;
  const ForgeWindow *w = &pool->window;
  const Bound *bound = step->bound.data;
  Backward b = { .pool = pool, .scale = bound->scale };
  if (!gradients->d_in[0])
    return;
  if (step->node->nhwc) {
    b.x = step->in[0]->data;
    b.y = step->out[0]->data;
    b.dy = gradients->d_out[0]->data;
    b.dx = gradients->d_in[0]->data;
    forge_pool_run (step->threads, (int) w->n, backward_image, &b);
    return;
  }
  float *x = step->backward_workspace, *dx = x + pool->out_at;
  float *dy = dx + pool->out_at;
  size_t out_bytes = forge_align_up (step->out[0]->size_bytes);
  float *y = dy + out_bytes / sizeof (float);
  forge_op_swap_inner (
      step->threads, w->n, w->c, pool->in_pixels, step->in[0]->data, x);
  forge_op_swap_inner (step->threads, w->n, w->c, pool->out_pixels,
      gradients->d_out[0]->data, dy);
  forge_op_swap_inner (
      step->threads, w->n, w->c, pool->out_pixels, step->out[0]->data, y);
  b.x = x;
  b.y = y;
  b.dy = dy;
  b.dx = dx;
  forge_pool_run (step->threads, (int) w->n, backward_image, &b);
  forge_op_swap_inner (
      step->threads, w->n, pool->in_pixels, w->c, dx, gradients->d_in[0]->data);
}

static gboolean
takes_slice (const ForgeNode *node, int index)
{
  return node->nhwc;
}

static int64_t
flops (const ForgeNode *node)
{
  Pool pool;
  int64_t outputs = forge_shape_count (&forge_node_out (node, 0)->shape);
  return parse (node, &pool, NULL) ? forge_flops (outputs, pool.taps) : 0;
}

const ForgeOp forge_op_MaxPool = { .type = "MaxPool",
  .domain = "",
  .min_inputs = 1,
  .max_inputs = 1,
  .min_outputs = 1,
  .max_outputs = 2,
  .infer = infer,
  .prepare = prepare,
  .bind = bind,
  .run = run,
  .backward = backward,
  .flops = flops,
  .takes_slice = takes_slice };

const ForgeOp forge_op_AveragePool = { .type = "AveragePool",
  .domain = "",
  .min_inputs = 1,
  .max_inputs = 1,
  .min_outputs = 1,
  .max_outputs = 1,
  .infer = infer,
  .prepare = prepare,
  .bind = bind,
  .run = run,
  .backward = backward,
  .flops = flops,
  .takes_slice = takes_slice };
