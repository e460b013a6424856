/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * TfliteAdd, TfliteSub, TfliteMul and TflitePrelu (domain forge) on bytes,
 * with broadcasting:
 *   y = clamp (scale (a' op b', y_factor) + y_zero, min, max)
 * For sums a' = scale ((a - a_zero) 2^20, a_factor), b' likewise; for the
 * product a' = a - a_zero, and so for TflitePrelu where a' < 0: elsewhere its
 * result is scale (a', a_factor).
 * Source: tensorflow/lite/kernels/internal/reference/integer_ops/add.h, mul.h,
 * reference/sub.h and prelu.h. */
#include <string.h>

#include "ops/broadcast.h"
#include "ops/tflite-math.h"

#define LEFT_SHIFT 20

static gboolean
infer (ForgeNode *node, GError **error)
{
  const ForgeValue *a = forge_node_in (node, 0), *b = forge_node_in (node, 1);
  ForgeShape out;
  if (!forge_quant_need_byte (node, 0, error) ||
      !forge_quant_need_byte (node, 1, error))
    return FALSE;
  if (a->dtype != b->dtype ||
      !forge_shape_broadcast (&a->shape, &b->shape, &out)) {
    g_autofree char *sa = forge_shape_to_string (&a->shape);
    g_autofree char *sb = forge_shape_to_string (&b->shape);
    return forge_node_error (node, error, FORGE_ERROR_SHAPE,
        "operands %s %s and %s %s do not go together",
        forge_dtype_name (a->dtype), sa, forge_dtype_name (b->dtype), sb);
  }
  return forge_op_set_out (node, 0, a->dtype, &out, error);
}

typedef struct {
  ForgeBroadcast bc;
  const uint8_t *a, *b;
  uint8_t *out;
  gboolean multiply, prelu;
  int32_t a_value[256], b_value[256]; /* by the byte's unsigned value */
  ForgeTfliteFactor factor, positive;
  int32_t y_zero, min, max;
} Job;

static gboolean
multiplies (const ForgeNode *node)
{
  return strcmp (node->op->type, "TfliteMul") == 0 ||
         strcmp (node->op->type, "TflitePrelu") == 0;
}

static void
fill (const ForgeStep *step, guint index, const char *zero_name,
    const char *factor_name, int32_t values[256])
{
  const ForgeNode *node = step->node;
  gboolean multiply = multiplies (node);
  int32_t zero = (int32_t) forge_attrs_int (node->attrs, zero_name, 0);
  ForgeTfliteFactor factor = forge_tflite_attr (node, factor_name);
  for (int i = 0; i < 256; i++) {
    int32_t q = step->in[index]->dtype == FORGE_UINT8 ? i : (int8_t) i;
    int32_t shifted = (int32_t) ((uint32_t) (q - zero) << LEFT_SHIFT);
    values[i] = multiply ? q - zero : forge_tflite_scale (shifted, factor);
  }
}

static void
run_rows (void *data, size_t begin, size_t end)
{
  const Job *job = data;
  int64_t n = job->bc.row;
  for (size_t row = begin; row < end; row++) {
    int64_t a_at, b_at;
    forge_broadcast_row (&job->bc, (int64_t) row, &a_at, &b_at);
    uint8_t *out = job->out + (int64_t) row * n;
    for (int64_t i = 0; i < n; i++) {
      int32_t a = job->a_value[job->a[a_at + i * (int64_t) job->bc.a_step]];
      int32_t b = job->b_value[job->b[b_at + i * (int64_t) job->bc.b_step]];
      int32_t value = job->multiply ? a * b : a + b;
      gboolean positive = job->prelu && a >= 0;
      int64_t scaled = forge_tflite_scale (
          positive ? a : value, positive ? job->positive : job->factor);
      scaled += job->y_zero;
      out[i] = (uint8_t) CLAMP (scaled, job->min, job->max);
    }
  }
}

static void
run (const ForgeStep *step)
{
  const ForgeAttrs *attrs = step->node->attrs;
  Job job = { .a = step->in[0]->data,
    .b = step->in[1]->data,
    .out = step->out[0]->data,
    .multiply = multiplies (step->node),
    .prelu = strcmp (step->node->op->type, "TflitePrelu") == 0,
    .factor = forge_tflite_attr (step->node, "y_factor"),
    .positive = forge_tflite_attr (step->node, "a_factor"),
    .y_zero = (int32_t) forge_attrs_int (attrs, "y_zero", 0),
    .min = (int32_t) forge_attrs_int (attrs, "min", 0),
    .max = (int32_t) forge_attrs_int (attrs, "max", 0) };
  fill (step, 0, "a_zero", "a_factor", job.a_value);
  fill (step, 1, "b_zero", "b_factor", job.b_value);
  for (int i = 0; i < 256 && strcmp (step->node->op->type, "TfliteSub") == 0;
       i++)
    job.b_value[i] = -job.b_value[i];
  forge_broadcast_init (
      &job.bc, &step->in[0]->shape, &step->in[1]->shape, &step->out[0]->shape);
  if (forge_shape_count (&step->out[0]->shape) > 0)
    forge_op_ranges (step->threads, (size_t) job.bc.n_rows,
        (size_t) (FORGE_OP_GRAIN / job.bc.row + 1), run_rows, &job);
}

#define BINARY_OP(name)                            \
  const ForgeOp forge_op_##name = { .type = #name, \
    .domain = "forge",                             \
    .min_inputs = 2,                               \
    .max_inputs = 2,                               \
    .min_outputs = 1,                              \
    .max_outputs = 1,                              \
    .infer = infer,                                \
    .run = run }

BINARY_OP (TfliteAdd);
BINARY_OP (TfliteSub);
BINARY_OP (TfliteMul);
BINARY_OP (TflitePrelu);
