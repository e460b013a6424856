/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * QuantizeLinear, DequantizeLinear, per tensor or along an axis, and
 * DynamicQuantizeLinear, whose scale comes from the values themselves:
 *   q = saturate (round_even (x / scale) + zero),  x = (q - zero) * scale
 * Blocks (opset 21) and floating-point formats of 8 bits are refused.
 * Source: ONNX operator specification, QuantizeLinear-21,
 * DynamicQuantizeLinear-11. */
#include "ops/quant-util.h"

/* The axis of scales and zero points: extents before, along and after it. A
 * single scale has outer = channels = 1. */
typedef struct {
  int64_t outer, channels, inner;
} Split;

static gboolean
find_axis (const ForgeNode *node, int *axis, GError **error)
{
  const ForgeShape *scale = &forge_node_in (node, 1)->shape;
  *axis = -1;
  if (forge_attrs_int (node->attrs, "block_size", 0) != 0 || scale->rank > 1)
    return forge_node_error (node, error, FORGE_ERROR_UNSUPPORTED,
        "scales in blocks are not supported");
  if (forge_shape_count (scale) == 1)
    return TRUE;
  return forge_op_axis (node, forge_attrs_int (node->attrs, "axis", 1),
      forge_node_in (node, 0)->shape.rank, axis, error);
}

static gboolean
check_parameters (const ForgeNode *node, ForgeDtype dtype, GError **error)
{
  const ForgeShape *shape = &forge_node_in (node, 0)->shape;
  int axis;
  if (!forge_node_in (node, 1))
    return forge_node_error (
        node, error, FORGE_ERROR_SHAPE, "input 1, the scale, is missing");
  return find_axis (node, &axis, error) &&
         forge_quant_check (
             node, 1, 2, dtype, axis < 0 ? -1 : shape->dims[axis], error);
}

static Split
split_of (const ForgeStep *step)
{
  const ForgeShape *shape = &step->in[0]->shape;
  int axis = -1;
  find_axis (step->node, &axis, NULL);
  if (axis < 0)
    return (Split) { 1, 1, forge_shape_count (shape) };
  return (Split) { forge_op_volume (shape, 0, axis), shape->dims[axis],
    forge_op_volume (shape, axis + 1, shape->rank) };
}

static gboolean
infer_quantize (ForgeNode *node, GError **error)
{
  const ForgeValue *in = forge_node_in (node, 0);
  const ForgeValue *zero = forge_node_in (node, 2);
  int64_t wanted = forge_attrs_int (node->attrs, "output_dtype", 0);
  ForgeDtype dtype = zero     ? zero->dtype
                     : wanted ? (ForgeDtype) wanted
                              : FORGE_UINT8;
  if (!in)
    return forge_node_error (
        node, error, FORGE_ERROR_SHAPE, "input 0 is missing");
  if (in->dtype != FORGE_FLOAT32 && in->dtype != FORGE_INT32)
    return forge_node_error (node, error, FORGE_ERROR_UNSUPPORTED,
        "input 0 ('%s') is %s; expected float32 or int32", in->name,
        forge_dtype_name (in->dtype));
  if (!forge_quant_is_byte (dtype) && dtype != FORGE_UINT16 &&
      dtype != FORGE_INT16)
    return forge_node_error (node, error, FORGE_ERROR_UNSUPPORTED,
        "quantises to type %d; only 8 and 16 bit integers are supported",
        (int) dtype);
  return check_parameters (node, dtype, error) &&
         forge_op_set_out (node, 0, dtype, &in->shape, error);
}

/* A run of elements that share scale and zero point. */
typedef struct {
  ForgeDtype dtype;
  const void *in;
  void *out;
  float scale;
  int32_t zero;
  gboolean from_int;
} Job;

static void
quantize_range (void *data, size_t begin, size_t end)
{
  const Job *job = data;
  int32_t low, high, zero = job->zero;
  forge_quant_range (job->dtype, &low, &high);
  float min = (float) (low - zero), max = (float) (high - zero);
  const float *x = job->in;
  const int32_t *whole = job->in;
  uint8_t *bytes = job->out;
  if (forge_quant_is_byte (job->dtype) && !job->from_int)
    for (size_t i = begin; i < end; i++)
      bytes[i] = (uint8_t) (forge_round_even (forge_clamp_float (
                                x[i] / job->scale, min, max)) +
                            zero);
  else
    for (size_t i = begin; i < end; i++) {
      float value = job->from_int ? (float) whole[i] : x[i];
      forge_quant_store (job->dtype, job->out, (int64_t) i,
          forge_round_even (forge_clamp_float (value / job->scale, min, max)) +
              zero);
    }
}

static void
dequantize_range (void *data, size_t begin, size_t end)
{
  const Job *job = data;
  float *out = job->out;
  float scale = job->scale;
  int32_t zero = job->zero;
  const uint8_t *u = job->in;
  const int8_t *s = job->in;
  if (job->dtype == FORGE_UINT8)
    for (size_t i = begin; i < end; i++)
      out[i] = (float) (u[i] - zero) * scale;
  else if (job->dtype == FORGE_INT8)
    for (size_t i = begin; i < end; i++)
      out[i] = (float) (s[i] - zero) * scale;
  else
    for (size_t i = begin; i < end; i++)
      out[i] =
          (float) ((int64_t) forge_quant_load (job->dtype, u, (int64_t) i) -
                   zero) *
          scale;
}

/* Calls @func for every run of elements with one scale. */
static void
run_split (const ForgeStep *step, Job *job, ForgeRangeFunc func)
{
  Split split = split_of (step);
  const ForgeTensor *in = step->in[0], *zero = forge_step_in (step, 2);
  const ForgeTensor *out = step->out[0];
  size_t in_size = forge_dtype_size_bytes (in->dtype);
  size_t out_size = forge_dtype_size_bytes (out->dtype);
  for (int64_t n = 0; n < split.outer; n++)
    for (int64_t c = 0; c < split.channels; c++) {
      size_t at = (size_t) ((n * split.channels + c) * split.inner);
      job->in = (const char *) in->data + at * in_size;
      job->out = (char *) out->data + at * out_size;
      job->scale = forge_quant_scale (step->in[1], c);
      job->zero = forge_quant_zero (zero, c);
      forge_op_ranges (
          step->threads, (size_t) split.inner, FORGE_OP_GRAIN, func, job);
    }
}

static void
run_quantize (const ForgeStep *step)
{
  Job job = { .dtype = step->out[0]->dtype,
    .from_int = step->in[0]->dtype == FORGE_INT32 };
  run_split (step, &job, quantize_range);
}

static gboolean
infer_dequantize (ForgeNode *node, GError **error)
{
  const ForgeValue *in = forge_node_in (node, 0);
  if (!in)
    return forge_node_error (
        node, error, FORGE_ERROR_SHAPE, "input 0 is missing");
  if (!forge_quant_is_byte (in->dtype) && in->dtype != FORGE_UINT16 &&
      in->dtype != FORGE_INT16 && in->dtype != FORGE_INT32)
    return forge_node_error (node, error, FORGE_ERROR_UNSUPPORTED,
        "input 0 ('%s') is %s; expected an integer of 8, 16 or 32 bits",
        in->name, forge_dtype_name (in->dtype));
  return check_parameters (node, in->dtype, error) &&
         forge_op_set_out (node, 0, FORGE_FLOAT32, &in->shape, error);
}

static void
run_dequantize (const ForgeStep *step)
{
  Job job = { .dtype = step->in[0]->dtype };
  run_split (step, &job, dequantize_range);
}

static gboolean
infer_dynamic (ForgeNode *node, GError **error)
{
  ForgeShape scalar = forge_shape (0);
  return forge_op_need_float (node, 0, error) &&
         forge_op_set_out (
             node, 0, FORGE_UINT8, &forge_node_in (node, 0)->shape, error) &&
         forge_op_set_out (node, 1, FORGE_FLOAT32, &scalar, error) &&
         forge_op_set_out (node, 2, FORGE_UINT8, &scalar, error);
}

static void
run_dynamic (const ForgeStep *step)
{
  const float *x = step->in[0]->data;
  int64_t count = forge_shape_count (&step->in[0]->shape);
  float min = 0, max = 0;
  for (int64_t i = 0; i < count; i++) {
    min = x[i] < min ? x[i] : min;
    max = x[i] > max ? x[i] : max;
  }
  float scale = max == min ? 1 : (max - min) / 255;
  int32_t zero = forge_round_even (forge_clamp_float (-min / scale, 0, 255));
  *(float *) step->out[1]->data = scale;
  *(uint8_t *) step->out[2]->data = (uint8_t) zero;
  Job job = { .dtype = FORGE_UINT8,
    .in = x,
    .out = step->out[0]->data,
    .scale = scale,
    .zero = zero };
  forge_op_ranges (
      step->threads, (size_t) count, FORGE_OP_GRAIN, quantize_range, &job);
}

const ForgeOp forge_op_QuantizeLinear = { .type = "QuantizeLinear",
  .domain = "",
  .min_inputs = 2,
  .max_inputs = 3,
  .min_outputs = 1,
  .max_outputs = 1,
  .infer = infer_quantize,
  .run = run_quantize };

const ForgeOp forge_op_DequantizeLinear = { .type = "DequantizeLinear",
  .domain = "",
  .min_inputs = 2,
  .max_inputs = 3,
  .min_outputs = 1,
  .max_outputs = 1,
  .infer = infer_dequantize,
  .run = run_dequantize };

const ForgeOp forge_op_DynamicQuantizeLinear = { .type =
                                                     "DynamicQuantizeLinear",
  .domain = "",
  .min_inputs = 1,
  .max_inputs = 1,
  .min_outputs = 3,
  .max_outputs = 3,
  .infer = infer_dynamic,
  .run = run_dynamic };
