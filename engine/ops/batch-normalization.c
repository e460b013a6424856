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
#include "ops/op-util.h"

#define BLOCK_CHANNELS 16

/* [outer, C, inner]: NCHW is [N, C, H*W], NHWC [N*H*W, C, 1]. */
typedef struct {
  int64_t outer, c, inner;
  float epsilon, momentum;
} Norm;

/* Of one session: what run found, for backward. */
typedef struct {
  float *mean, *inverse; /* of the batch: mean, 1 / sqrt (var + epsilon) */
  float *factor, *term;  /* y = x factor + term */
  float *sums;           /* [2][C] of backward: dy, dy x_hat */
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
  Bound *bound = g_new0 (Bound, 1);
  step->bound.data = bound;
  step->bound.free = bound_free;
  bound->mean = forge_aligned_alloc0 (6 * c * sizeof (float));
  if (!bound->mean) {
    g_clear_pointer (&step->bound.data, bound_free);
    return forge_node_error (
        step->node, error, FORGE_ERROR_MEMORY, "out of memory");
  }
  bound->inverse = bound->mean + c;
  bound->factor = bound->mean + 2 * c;
  bound->term = bound->mean + 3 * c;
  bound->sums = bound->mean + 4 * c;
  return TRUE;
}

typedef struct {
  Norm norm;
  const Bound *bound;
  const ForgeStep *step;
  const float *x, *dy;
  float *out;
} Job;

/* Sums of f (x) for channels [c, end): f is x (mean NULL) or (x - mean)^2. */
static void
sum_channels (
    const Job *job, int64_t c, int64_t end, const double *mean, double *sums)
{
  const Norm *norm = &job->norm;
  memset (sums, 0, BLOCK_CHANNELS * sizeof *sums);
  for (int64_t n = 0; n < norm->outer; n++)
    for (int64_t i = c; i < end; i++) {
      const float *x = job->x + (n * norm->c + i) * norm->inner;
      for (int64_t p = 0; p < norm->inner; p++) {
        double value = mean ? x[p] - mean[i - c] : x[p];
        sums[i - c] += mean ? value * value : value;
      }
    }
}

static void
batch_statistics (void *data, int block)
{
  const Job *job = data;
  const Norm *norm = &job->norm;
  double mean[BLOCK_CHANNELS], variance[BLOCK_CHANNELS];
  int64_t c = (int64_t) block * BLOCK_CHANNELS;
  int64_t end = MIN (c + BLOCK_CHANNELS, norm->c);
  double count = (double) (norm->outer * norm->inner);
  float *running_mean = job->step->in[3]->data;
  float *running_var = job->step->in[4]->data;
  float keep = norm->momentum;
  sum_channels (job, c, end, NULL, mean);
  for (int i = 0; i < BLOCK_CHANNELS; i++)
    mean[i] /= count;
  sum_channels (job, c, end, mean, variance);
  for (int64_t i = c; i < end; i++) {
    float var = (float) (variance[i - c] / count);
    job->bound->mean[i] = (float) mean[i - c];
    job->bound->inverse[i] = 1 / sqrtf (var + norm->epsilon);
    running_mean[i] = running_mean[i] * keep + job->bound->mean[i] * (1 - keep);
    running_var[i] = running_var[i] * keep + var * (1 - keep);
  }
}

static void
scale_rows (void *data, size_t begin, size_t end)
{
  const Job *job = data;
  const Norm *norm = &job->norm;
  const Bound *bound = job->bound;
  size_t row = (size_t) (norm->c * norm->inner);
  for (size_t n = begin; n < end; n++) {
    const float *x = job->x + n * row;
    float *y = job->out + n * row;
    if (norm->inner == 1)
      for (int64_t c = 0; c < norm->c; c++)
        y[c] = x[c] * bound->factor[c] + bound->term[c];
    else
      for (int64_t c = 0; c < norm->c; c++)
        for (int64_t p = c * norm->inner; p < (c + 1) * norm->inner; p++)
          y[p] = x[p] * bound->factor[c] + bound->term[c];
    forge_op_activate (&job->step->node->activation, row, y);
  }
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
  if (step->training)
    forge_pool_run (step->threads,
        (int) ((c + BLOCK_CHANNELS - 1) / BLOCK_CHANNELS), batch_statistics,
        &job);
  for (int64_t i = 0; i < c; i++) {
    if (!step->training) {
      bound->mean[i] = mean[i];
      bound->inverse[i] = 1 / sqrtf (var[i] + job.norm.epsilon);
    }
    bound->factor[i] = scale[i] * bound->inverse[i];
    bound->term[i] = bias[i] - bound->mean[i] * bound->factor[i];
  }
  forge_op_ranges (step->threads, (size_t) job.norm.outer, grain_of (&job.norm),
      scale_rows, &job);
}

/* Sums of dy and of dy x_hat. */
static void
gradient_sums (void *data, int block)
{
  const Job *job = data;
  const Norm *norm = &job->norm;
  const Bound *bound = job->bound;
  int64_t first = (int64_t) block * BLOCK_CHANNELS;
  int64_t end = MIN (first + BLOCK_CHANNELS, norm->c);
  double sum[BLOCK_CHANNELS] = { 0 }, dot[BLOCK_CHANNELS] = { 0 };
  for (int64_t n = 0; n < norm->outer; n++)
    for (int64_t c = first; c < end; c++) {
      int64_t at = (n * norm->c + c) * norm->inner;
      for (int64_t p = at; p < at + norm->inner; p++) {
        sum[c - first] += job->dy[p];
        dot[c - first] +=
            job->dy[p] * (job->x[p] - bound->mean[c]) * bound->inverse[c];
      }
    }
  for (int64_t c = first; c < end; c++) {
    bound->sums[c] = (float) sum[c - first];
    bound->sums[norm->c + c] = (float) dot[c - first];
  }
}

/* dx = factor (dy - mean (dy) - x_hat mean (dy x_hat)) */
static void
gradient_rows (void *data, size_t begin, size_t end)
{
  const Job *job = data;
  const Norm *norm = &job->norm;
  const Bound *bound = job->bound;
  float count = (float) (norm->outer * norm->inner);
  for (size_t n = begin; n < end; n++)
    for (int64_t c = 0; c < norm->c; c++) {
      int64_t at = ((int64_t) n * norm->c + c) * norm->inner;
      float mean = bound->sums[c] / count;
      float slope = bound->sums[norm->c + c] / count * bound->inverse[c];
      for (int64_t p = at; p < at + norm->inner; p++)
        job->out[p] =
            bound->factor[c] *
            (job->dy[p] - mean - (job->x[p] - bound->mean[c]) * slope);
    }
}

static void
backward (const ForgeStep *step, const ForgeGradients *gradients)
{
  const Bound *bound = step->bound.data;
  ForgeTensor **d_in = gradients->d_in;
  Job job = { .norm = norm_of (step),
    .bound = bound,
    .step = step,
    .x = step->in[0]->data,
    .dy = gradients->d_out[0]->data };
  size_t bytes = (size_t) job.norm.c * sizeof (float);
  forge_pool_run (step->threads,
      (int) ((job.norm.c + BLOCK_CHANNELS - 1) / BLOCK_CHANNELS), gradient_sums,
      &job);
  if (d_in[1])
    memcpy (d_in[1]->data, bound->sums + job.norm.c, bytes);
  if (d_in[2])
    memcpy (d_in[2]->data, bound->sums, bytes);
  for (int i = 3; i < 5; i++)
    if (d_in[i])
      memset (d_in[i]->data, 0, bytes);
  if (!d_in[0])
    return;
  job.out = d_in[0]->data;
  forge_op_ranges (step->threads, (size_t) job.norm.outer, grain_of (&job.norm),
      gradient_rows, &job);
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
  .in_place = TRUE };
