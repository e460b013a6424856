/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * BatchNormalization: y = (x - mean) / sqrt (var + epsilon) scale + bias, per
 * channel. In training mean and variance are those of the batch, and the
 * running ones (in[3], in[4]) are moved: running = running momentum +
 * batch (1 - momentum), the variance being the population's.
 * Source: ONNX operator specification, BatchNormalization-15; S. Ioffe and
 * C. Szegedy, Batch Normalization, 2015. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "kernels/kernels.h"
#include "ops/op-util.h"

/* Sums are taken in parts of the batch, which its size alone decides, and
 * added in order; within a part, rows in blocks that float32 can hold. */
#define MAX_PARTS 16
#define BLOCK_ROWS 64

/* [outer, C, inner]: NCHW is [N, C, H*W], NHWC [N*H*W, C, 1]. */
typedef struct {
  int64_t outer, c, inner;
  float epsilon, momentum;
} Norm;

/* Of one session: what run found, for backward. [C] each. */
typedef struct {
  float *mean, *inverse;  /* of the batch: mean, 1 / sqrt (var + epsilon) */
  float *term, *factor;   /* y = x factor + term; one behind the other */
  float *shift;           /* near the mean: what sums are taken from */
  float *dy_mean, *slope; /* of backward: mean (dy), mean (dy x_hat) inverse */
  double *sums;           /* [MAX_PARTS][2][C]; training */
} Bound;

static int
channel_axis (const ForgeNode *node)
{
  int rank = forge_node_in (node, 0)->shape.rank;
  return node->nhwc ? rank - 1 : 1;
}

static gboolean
infer (ForgeNode *node, GError **error)
{
  if (!forge_op_need_float (node, 0, error))
    return FALSE;
  const ForgeShape *in = &forge_node_in (node, 0)->shape;
  if (in->rank < 2)
    return forge_op_need_rank (node, 0, 4, error);
  int64_t c = in->dims[channel_axis (node)];
  for (guint i = 1; i < 5; i++) {
    if (!forge_op_need_float (node, i, error) ||
        !forge_op_need_rank (node, i, 1, error))
      return FALSE;
    int64_t count = forge_node_in (node, i)->shape.dims[0];
    if (c >= 0 && count >= 0 && count != c)
      return forge_node_error (node, error, FORGE_ERROR_SHAPE,
          "input %u has %" G_GINT64_FORMAT " elements for %" G_GINT64_FORMAT
          " channels",
          i, count, c);
  }
  if (node->outputs->len > 1 && forge_node_out (node, 1))
    return forge_node_error (node, error, FORGE_ERROR_UNSUPPORTED,
        "outputs of training mode are not supported");
  return forge_op_set_out (node, 0, FORGE_FLOAT32, in, error);
}

static Norm
norm_of (const ForgeStep *step)
{
  const ForgeShape *in = &step->in[0]->shape;
  int axis = channel_axis (step->node);
  return (Norm) { .outer = forge_op_volume (in, 0, axis),
    .c = in->dims[axis],
    .inner = forge_op_volume (in, axis + 1, in->rank),
    .epsilon = forge_attrs_float (step->node->attrs, "epsilon", 1e-5f),
    .momentum = forge_attrs_float (step->node->attrs, "momentum", 0.9f) };
}

static void
bound_free (gpointer data)
{
  Bound *bound = data;
  forge_aligned_free (bound->mean);
  g_free (bound);
}

static gboolean
bind (ForgeStep *step, GError **error)
{
  size_t c = (size_t) norm_of (step).c;
  size_t sums = step->training ? 2 * MAX_PARTS * c * sizeof (double) : 0;
  Bound *bound = g_new0 (Bound, 1);
  step->bound.data = bound;
  step->bound.free = bound_free;
  bound->mean = forge_aligned_alloc0 (8 * c * sizeof (float) + sums);
  if (!bound->mean) {
    g_clear_pointer (&step->bound.data, bound_free);
    return forge_node_error (
        step->node, error, FORGE_ERROR_MEMORY, "out of memory");
  }
  bound->inverse = bound->mean + c;
  bound->term = bound->mean + 2 * c;
  bound->factor = bound->mean + 3 * c;
  bound->shift = bound->mean + 4 * c;
  bound->dy_mean = bound->mean + 5 * c;
  bound->slope = bound->mean + 6 * c;
  bound->sums = (double *) (void *) (bound->mean + 8 * c);
  return TRUE;
}

typedef struct {
  Norm norm;
  const Bound *bound;
  const ForgeStep *step;
  const float *x, *dy; /* dy NULL: the sums of x itself */
  float *out;
  ptrdiff_t x_stride_elems, out_stride_elems; /* of rows; of run */
} Job;

/* sum += f, dot += f (x - shift), f being dy or x - shift; one row of C. */
static void
sum_row (const float *restrict x, const float *restrict dy,
    const float *restrict shift, int64_t n, float *restrict sum,
    float *restrict dot)
{
  for (int64_t c = 0; c < n; c++) {
    float from = x[c] - shift[c], f = dy ? dy[c] : from;
    sum[c] += f;
    dot[c] += f * from;
  }
}

/* The same over the inner elements of one channel. */
static void
sum_line (const float *x, const float *dy, float shift, int64_t n, float *sum,
    float *dot)
{
  for (int64_t p = 0; p < n; p++) {
    float from = x[p] - shift, f = dy ? dy[p] : from;
    *sum += f;
    *dot += f * from;
  }
}

/* Rows [first, end) of [outer, C, inner], at most BLOCK_ROWS. */
static void
sum_block (const Job *job, int64_t first, int64_t end, float *sum, float *dot)
{
  const Norm *norm = &job->norm;
  const float *shift = job->bound->shift;
  int64_t row = norm->c * norm->inner;
  for (int64_t n = first; n < end; n++) {
    const float *x = job->x + n * row, *dy = job->dy ? job->dy + n * row : NULL;
    if (norm->inner == 1) {
      sum_row (x, dy, shift, norm->c, sum, dot);
      continue;
    }
    for (int64_t c = 0; c < norm->c; c++)
      sum_line (x + c * norm->inner, dy ? dy + c * norm->inner : NULL, shift[c],
          norm->inner, &sum[c], &dot[c]);
  }
}

static void
sum_part (void *data, int part)
{
  const Job *job = data;
  const Norm *norm = &job->norm;
  double *sums = job->bound->sums + (int64_t) part * 2 * norm->c;
  float *block = g_new (float, 2 * norm->c);
  int64_t end = norm->outer * (part + 1) / MAX_PARTS;
  memset (sums, 0, (size_t) (2 * norm->c) * sizeof *sums);
  for (int64_t n = norm->outer * part / MAX_PARTS; n < end; n += BLOCK_ROWS) {
    memset (block, 0, (size_t) (2 * norm->c) * sizeof *block);
    sum_block (job, n, MIN (n + BLOCK_ROWS, end), block, block + norm->c);
    for (int64_t c = 0; c < 2 * norm->c; c++)
      sums[c] += block[c];
  }
  g_free (block);
}

/* Leaves the mean of f in sums[c], that of f (x - shift) in sums[C + c]. */
static void
take_sums (const Job *job)
{
  const Norm *norm = &job->norm;
  double *sums = job->bound->sums;
  double count = (double) (norm->outer * norm->inner);
  forge_pool_run (job->step->threads, MAX_PARTS, sum_part, (void *) job);
  for (int64_t c = 0; c < 2 * norm->c; c++) {
    for (int64_t part = 1; part < MAX_PARTS; part++)
      sums[c] += sums[part * 2 * norm->c + c];
    sums[c] /= count;
  }
}

/* The running mean is near the batch's, so the variance loses nothing. */
static void
batch_statistics (const Job *job)
{
  const Norm *norm = &job->norm;
  const Bound *bound = job->bound;
  float *running_mean = job->step->in[3]->data;
  float *running_var = job->step->in[4]->data;
  float keep = norm->momentum;
  memcpy (bound->shift, running_mean, (size_t) norm->c * sizeof (float));
  take_sums (job);
  for (int64_t c = 0; c < norm->c; c++) {
    double from = bound->sums[c];
    float var = (float) MAX (bound->sums[norm->c + c] - from * from, 0);
    bound->mean[c] = (float) (bound->shift[c] + from);
    bound->inverse[c] = 1 / sqrtf (var + norm->epsilon);
    running_mean[c] = running_mean[c] * keep + bound->mean[c] * (1 - keep);
    running_var[c] = running_var[c] * keep + var * (1 - keep);
  }
}

/* Channels last: a depthwise convolution of one tap. */
static void
scale_pixels (void *data, size_t begin, size_t end)
{
  const Job *job = data;
  const ForgeActivation *activation = &job->step->node->activation;
  const size_t c = (size_t) job->norm.c;
  float min, max;
  forge_op_clamp (activation, &min, &max);
  for (size_t first = begin; first < end; first += BLOCK_ROWS) {
    const size_t n = MIN (end - first, BLOCK_ROWS);
    const float *rows[BLOCK_ROWS];
    float *out = job->out + (ptrdiff_t) first * job->out_stride_elems;
    for (size_t i = 0; i < n; i++)
      rows[i] = job->x + (ptrdiff_t) (first + i) * job->x_stride_elems;
    forge_kernels ()->dwconv_f32 (n, c, 1, rows, 0, NULL, job->bound->term, out,
        job->out_stride_elems, min, max);
    forge_op_activate_rows (activation, n, c, out, job->out_stride_elems);
  }
}

/* Images of whole channels, dense. */
static void
scale_planes (void *data, size_t begin, size_t end)
{
  const Job *job = data;
  const Norm *norm = &job->norm;
  const Bound *bound = job->bound;
  const size_t image = (size_t) (norm->c * norm->inner);
  for (size_t n = begin; n < end; n++) {
    const float *x = job->x + n * image;
    float *y = job->out + n * image;
    for (int64_t c = 0; c < norm->c; c++)
      for (int64_t p = c * norm->inner; p < (c + 1) * norm->inner; p++)
        y[p] = x[p] * bound->factor[c] + bound->term[c];
    forge_op_activate (&job->step->node->activation, image, y);
  }
}

static ptrdiff_t
row_stride (const Norm *norm, const ForgeTensor *tensor)
{
  return tensor->slice_stride_elems ? tensor->slice_stride_elems
                                    : norm->c * norm->inner;
}

static size_t
grain_of (const Norm *norm)
{
  return (size_t) (FORGE_OP_GRAIN / MAX (norm->c * norm->inner, 1) + 1);
}

static void
run (const ForgeStep *step)
{
  const Bound *bound = step->bound.data;
  const float *scale = step->in[1]->data, *bias = step->in[2]->data;
  const float *mean = step->in[3]->data, *var = step->in[4]->data;
  Job job = { .norm = norm_of (step),
    .bound = bound,
    .step = step,
    .x = step->in[0]->data,
    .out = step->out[0]->data };
  int64_t c = job.norm.c;
  if (forge_tensor_get_count (step->in[0]) == 0)
    return;
  job.x_stride_elems = row_stride (&job.norm, step->in[0]);
  job.out_stride_elems = row_stride (&job.norm, step->out[0]);
  if (step->training)
    batch_statistics (&job);
  for (int64_t i = 0; i < c; i++) {
    if (!step->training) {
      bound->mean[i] = mean[i];
      bound->inverse[i] = 1 / sqrtf (var[i] + job.norm.epsilon);
    }
    bound->factor[i] = scale[i] * bound->inverse[i];
    bound->term[i] = bias[i] - bound->mean[i] * bound->factor[i];
  }
  forge_op_ranges (step->threads, (size_t) job.norm.outer, grain_of (&job.norm),
      job.norm.inner == 1 ? scale_pixels : scale_planes, &job);
}

/* dx = factor (dy - mean (dy) - x_hat mean (dy x_hat)), for one row of C. */
static void
gradient_row (const Bound *bound, const float *restrict x,
    const float *restrict dy, int64_t n, float *restrict dx)
{
  const float *restrict factor = bound->factor, *restrict mean = bound->mean;
  const float *restrict dy_mean = bound->dy_mean;
  const float *restrict slope = bound->slope;
  for (int64_t c = 0; c < n; c++)
    dx[c] = factor[c] * (dy[c] - dy_mean[c] - (x[c] - mean[c]) * slope[c]);
}

static void
gradient_rows (void *data, size_t begin, size_t end)
{
  const Job *job = data;
  const Norm *norm = &job->norm;
  const Bound *bound = job->bound;
  int64_t row = norm->c * norm->inner;
  for (int64_t n = (int64_t) begin; n < (int64_t) end; n++) {
    const float *x = job->x + n * row, *dy = job->dy + n * row;
    float *dx = job->out + n * row;
    if (norm->inner == 1) {
      gradient_row (bound, x, dy, norm->c, dx);
      continue;
    }
    for (int64_t i = 0; i < row; i++) {
      int64_t c = i / norm->inner;
      dx[i] = bound->factor[c] * (dy[i] - bound->dy_mean[c] -
                                     (x[i] - bound->mean[c]) * bound->slope[c]);
    }
  }
}

/* d_in[1] and d_in[2]: sums of dy x_hat and of dy. */
static void
parameter_gradients (const Job *job, ForgeTensor *const *d_in)
{
  const Norm *norm = &job->norm;
  const Bound *bound = job->bound;
  double count = (double) (norm->outer * norm->inner);
  memcpy (bound->shift, bound->mean, (size_t) norm->c * sizeof (float));
  take_sums (job);
  for (int64_t c = 0; c < norm->c; c++) {
    double dy = bound->sums[c];
    double dy_x_hat = bound->sums[norm->c + c] * bound->inverse[c];
    bound->dy_mean[c] = (float) dy;
    bound->slope[c] = (float) (dy_x_hat * bound->inverse[c]);
    if (d_in[1])
      ((float *) d_in[1]->data)[c] = (float) (dy_x_hat * count);
    if (d_in[2])
      ((float *) d_in[2]->data)[c] = (float) (dy * count);
  }
}

static void
backward (const ForgeStep *step, const ForgeGradients *gradients)
{
  ForgeTensor **d_in = gradients->d_in;
  Job job = { .norm = norm_of (step),
    .bound = step->bound.data,
    .step = step,
    .x = step->in[0]->data,
    .dy = gradients->d_out[0]->data };
  parameter_gradients (&job, d_in);
  for (int i = 3; i < 5; i++)
    if (d_in[i])
      memset (d_in[i]->data, 0, d_in[i]->size_bytes);
  if (!d_in[0])
    return;
  job.out = d_in[0]->data;
  forge_op_ranges (step->threads, (size_t) job.norm.outer, grain_of (&job.norm),
      gradient_rows, &job);
}

static gboolean
takes_slice (const ForgeNode *node, int index)
{
  return node->nhwc && index <= 0;
}

static int64_t
flops (const ForgeNode *node)
{
  return forge_flops (forge_shape_count (&forge_node_out (node, 0)->shape), 2);
}

const ForgeOp forge_op_BatchNormalization = { .type = "BatchNormalization",
  .domain = "",
  .min_inputs = 5,
  .max_inputs = 5,
  .min_outputs = 1,
  .max_outputs = 5,
  .infer = infer,
  .bind = bind,
  .run = run,
  .backward = backward,
  .flops = flops,
  .in_place = TRUE,
  .takes_slice = takes_slice };
