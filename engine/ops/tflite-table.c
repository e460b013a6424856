/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Domain forge: TfliteTable, out = table[byte], whatever function of one byte
 * the reader put into the table (activations, a change of scale; attribute
 * function says which, for people); and
 * TfliteQuantize, out = saturate (round (x / scale) + zero), halves away from
 * zero, which is where it differs from ONNX.
 * Source: tensorflow/lite/kernels/internal/reference/quantize.h. */
#include <math.h>

#include "ops/tflite-math.h"

static gboolean
infer_table (ForgeNode *node, GError **error)
{
  if (!forge_quant_need_byte (node, 0, error) ||
      !forge_quant_need_byte (node, 1, error))
    return FALSE;
  const ForgeValue *table = forge_node_in (node, 1);
  if (forge_shape_count (&table->shape) != 256)
    return forge_node_error (
        node, error, FORGE_ERROR_SHAPE, "expected a table of 256 elements");
  return forge_op_set_out (
      node, 0, table->dtype, &forge_node_in (node, 0)->shape, error);
}

typedef struct {
  const uint8_t *in, *table;
  const float *x;
  uint8_t *out;
  float scale, min, max;
  int32_t zero;
} Job;

static void
look_up (void *data, size_t begin, size_t end)
{
  const Job *job = data;
  for (size_t i = begin; i < end; i++)
    job->out[i] = job->table[job->in[i]];
}

static void
run_table (const ForgeStep *step)
{
  Job job = { .in = step->in[0]->data,
    .table = step->in[1]->data,
    .out = step->out[0]->data };
  forge_op_ranges (
      step->threads, step->in[0]->size_bytes, FORGE_OP_GRAIN, look_up, &job);
}

static gboolean
infer_quantize (ForgeNode *node, GError **error)
{
  int64_t dtype = forge_attrs_int (node->attrs, "to", FORGE_UINT8);
  if (!forge_op_need_float (node, 0, error))
    return FALSE;
  if (dtype != FORGE_UINT8 && dtype != FORGE_INT8)
    return forge_node_error (node, error, FORGE_ERROR_UNSUPPORTED,
        "to type %" G_GINT64_FORMAT "; expected uint8 or int8", dtype);
  return forge_op_set_out (
      node, 0, (ForgeDtype) dtype, &forge_node_in (node, 0)->shape, error);
}

static void
quantise (void *data, size_t begin, size_t end)
{
  const Job *job = data;
  for (size_t i = begin; i < end; i++)
    job->out[i] =
        (uint8_t) ((int32_t) forge_clamp_float (
                       roundf (job->x[i] / job->scale), job->min, job->max) +
                   job->zero);
}

static void
run_quantize (const ForgeStep *step)
{
  int32_t low, high;
  Job job = { .x = step->in[0]->data,
    .out = step->out[0]->data,
    .scale = forge_attrs_float (step->node->attrs, "scale", 1),
    .zero = (int32_t) forge_attrs_int (step->node->attrs, "zero", 0) };
  forge_quant_range (step->out[0]->dtype, &low, &high);
  job.min = (float) (low - job.zero);
  job.max = (float) (high - job.zero);
  forge_op_ranges (
      step->threads, step->out[0]->size_bytes, FORGE_OP_GRAIN, quantise, &job);
}

const ForgeOp forge_op_TfliteTable = { .type = "TfliteTable",
  .domain = "forge",
  .min_inputs = 2,
  .max_inputs = 2,
  .min_outputs = 1,
  .max_outputs = 1,
  .infer = infer_table,
  .run = run_table };

const ForgeOp forge_op_TfliteQuantize = { .type = "TfliteQuantize",
  .domain = "forge",
  .min_inputs = 1,
  .max_inputs = 1,
  .min_outputs = 1,
  .max_outputs = 1,
  .infer = infer_quantize,
  .run = run_quantize };
