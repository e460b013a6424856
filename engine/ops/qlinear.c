/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Bytes to bytes without weights, of domain com.microsoft:
 *   QLinearAdd, QLinearMul  y = q ((a - a_zero) a_scale op (b - b_zero)
 * b_scale) QLinearGlobalAveragePool y = q (sum (x - x_zero) x_scale / (H W))
 * with q (v) = saturate (round_even (v / y_scale) + y_zero).
 * Source: ONNX Runtime, docs/ContribOperators.md. */
#include <string.h>

#include "ops/broadcast.h"
#include "ops/quant-util.h"
#include "ops/requantise.h"

static gboolean
infer_binary (ForgeNode *node, GError **error)
{
  const ForgeValue *a = forge_node_in (node, 0), *b = forge_node_in (node, 3);
  ForgeShape out;
  if (!forge_quant_need_byte (node, 0, error) ||
      !forge_quant_need_byte (node, 3, error) ||
      !forge_quant_check (node, 1, 2, a->dtype, -1, error) ||
      !forge_quant_check (node, 4, 5, b->dtype, -1, error) ||
      !forge_quant_check (node, 6, 7, a->dtype, -1, error))
    return FALSE;
  if (a->dtype != b->dtype)
    return forge_node_error (node, error, FORGE_ERROR_UNSUPPORTED,
        "operands are %s and %s; both must be the same",
        forge_dtype_name (a->dtype), forge_dtype_name (b->dtype));
  if (!forge_shape_broadcast (&a->shape, &b->shape, &out)) {
    g_autofree char *sa = forge_shape_to_string (&a->shape);
    g_autofree char *sb = forge_shape_to_string (&b->shape);
    return forge_node_error (node, error, FORGE_ERROR_SHAPE,
        "shapes %s and %s do not broadcast", sa, sb);
  }
  return forge_op_set_out (node, 0, a->dtype, &out, error);
}

/* What every byte stands for, by its unsigned value; and the way back. */
typedef struct {
  ForgeBroadcast bc;
  const uint8_t *a, *b;
  uint8_t *out;
  gboolean multiply;
  float a_value[256], b_value[256];
  float y_scale, min, max;
  int32_t y_zero;
} Binary;

static void
fill_values (const ForgeStep *step, guint index, float values[256])
{
  int32_t zero = forge_quant_zero (forge_step_in (step, index + 2), 0);
  float scale = forge_quant_scale (step->in[index + 1], 0);
  for (int i = 0; i < 256; i++) {
    int32_t q = step->in[index]->dtype == FORGE_UINT8 ? i : (int8_t) i;
    values[i] = (float) (q - zero) * scale;
  }
}

static void
binary_rows (void *data, size_t begin, size_t end)
{
  const Binary *job = data;
  int64_t n = job->bc.row;
  for (size_t row = begin; row < end; row++) {
    int64_t a_at, b_at;
    forge_broadcast_row (&job->bc, (int64_t) row, &a_at, &b_at);
    uint8_t *out = job->out + (int64_t) row * n;
    for (int64_t i = 0; i < n; i++) {
      float a = job->a_value[job->a[a_at + i * (int64_t) job->bc.a_step]];
      float b = job->b_value[job->b[b_at + i * (int64_t) job->bc.b_step]];
      float value = (job->multiply ? a * b : a + b) / job->y_scale;
      out[i] = (uint8_t) (forge_round_even (
                              forge_clamp_float (value, job->min, job->max)) +
                          job->y_zero);
    }
  }
}

static void
run_binary (const ForgeStep *step)
{
  int32_t low, high;
  Binary job = { .a = step->in[0]->data,
    .b = step->in[3]->data,
    .out = step->out[0]->data,
    .multiply = strcmp (step->node->op->type, "QLinearMul") == 0,
    .y_scale = forge_quant_scale (step->in[6], 0),
    .y_zero = forge_quant_zero (forge_step_in (step, 7), 0) };
  forge_quant_range (step->out[0]->dtype, &low, &high);
  job.min = (float) (low - job.y_zero);
  job.max = (float) (high - job.y_zero);
  fill_values (step, 0, job.a_value);
  fill_values (step, 3, job.b_value);
  forge_broadcast_init (
      &job.bc, &step->in[0]->shape, &step->in[3]->shape, &step->out[0]->shape);
  if (forge_shape_count (&step->out[0]->shape) > 0)
    forge_op_ranges (step->threads, (size_t) job.bc.n_rows,
        (size_t) (FORGE_OP_GRAIN / job.bc.row + 1), binary_rows, &job);
}

static gboolean
is_channels_last (const ForgeNode *node)
{
  return node->nhwc || forge_attrs_int (node->attrs, "channels_last", 0) != 0;
}

static gboolean
infer_pool (ForgeNode *node, GError **error)
{
  if (!forge_quant_need_byte (node, 0, error))
    return FALSE;
  const ForgeValue *in = forge_node_in (node, 0);
  if (!forge_quant_check (node, 1, 2, in->dtype, -1, error) ||
      !forge_quant_check (node, 3, 4, in->dtype, -1, error))
    return FALSE;
  gboolean last = is_channels_last (node);
  ForgeShape out = in->shape;
  if (out.rank < 3)
    return forge_op_need_rank (node, 0, 4, error);
  for (int i = last ? 1 : 2; i < out.rank - last; i++) {
    if (out.dims[i] == 0)
      return forge_node_error (
          node, error, FORGE_ERROR_SHAPE, "the mean of no pixels has no value");
    out.dims[i] = 1;
  }
  return forge_op_set_out (node, 0, in->dtype, &out, error);
}

/* The sum of one channel, @area pixels @step apart. */
static int32_t
sum_channel (const ForgeTensor *in, int64_t at, int64_t area, int64_t step)
{
  uint32_t sum = 0;
  for (int64_t i = 0; i < area; i++)
    sum += (uint32_t) forge_quant_load (in->dtype, in->data, at + i * step);
  return (int32_t) sum;
}

static void
run_pool (const ForgeStep *step)
{
  const ForgeTensor *in = step->in[0];
  const ForgeShape *shape = &in->shape;
  gboolean last = is_channels_last (step->node);
  int64_t channels = shape->dims[last ? shape->rank - 1 : 1];
  int64_t area = last ? forge_op_volume (shape, 1, shape->rank - 1)
                      : forge_op_volume (shape, 2, shape->rank);
  int32_t zero = forge_quant_zero (forge_step_in (step, 2), 0);
  float multiplier = forge_quant_scale (step->in[1], 0) /
                     (forge_quant_scale (step->in[3], 0) * (float) area);
  ForgeRequantise to = { .multipliers = &multiplier,
    .dtype = step->out[0]->dtype,
    .zero = forge_quant_zero (forge_step_in (step, 4), 0),
    .out = step->out[0]->data };
  for (int64_t n = 0; n < shape->dims[0]; n++)
    for (int64_t c = 0; c < channels; c++) {
      int64_t at = last ? n * area * channels + c : (n * channels + c) * area;
      uint32_t sum = (uint32_t) sum_channel (in, at, area, last ? channels : 1);
      int32_t acc = (int32_t) (sum - (uint32_t) (zero * area));
      forge_requantise_row (&to, &acc, 0, 1, n * channels + c, 1);
    }
}

#define BINARY_OP(name)                            \
  const ForgeOp forge_op_##name = { .type = #name, \
    .domain = "com.microsoft",                     \
    .min_inputs = 7,                               \
    .max_inputs = 8,                               \
    .min_outputs = 1,                              \
    .max_outputs = 1,                              \
    .infer = infer_binary,                         \
    .run = run_binary }

BINARY_OP (QLinearAdd);
BINARY_OP (QLinearMul);

const ForgeOp forge_op_QLinearGlobalAveragePool = {
  .type = "QLinearGlobalAveragePool",
  .domain = "com.microsoft",
  .min_inputs = 4,
  .max_inputs = 5,
  .min_outputs = 1,
  .max_outputs = 1,
  .infer = infer_pool,
  .run = run_pool
};
