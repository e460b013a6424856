/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * TfliteMean and TfliteSum (domain forge) of bytes over any axes,
 *   y = clamp (scale (sum (x - x_zero), factor) + y_zero)
 * where the mean's factor is divided by the number of elements in fixed
 * point: that quotient is cut off, not rounded, as the runtime has it since
 * version 2.9.
 * Source: tensorflow/lite/kernels/internal/reference/reduce.h,
 * QuantizedMeanOrSum. */
#include <string.h>

#include "ops/broadcast.h"
#include "ops/reduce.h"
#include "ops/tflite-math.h"

/* The sum of so many bytes fits 32 bits. */
#define MAX_SUMMED ((int64_t) 1 << 22)

static gboolean
infer (ForgeNode *node, GError **error)
{
  gboolean marks[FORGE_MAX_DIMS];
  ForgeShape kept;
  if (!forge_quant_need_byte (node, 0, error) ||
      !forge_reduce_shape (node, &kept, marks, error))
    return FALSE;
  const ForgeValue *in = forge_node_in (node, 0);
  int64_t count = 1;
  for (int i = 0; i < kept.rank; i++) {
    int64_t extent = marks[i] ? MAX (in->shape.dims[i], 1) : 1;
    if (extent > MAX_SUMMED || count * extent > MAX_SUMMED)
      return forge_node_error (node, error, FORGE_ERROR_SHAPE,
          "a sum of more than %" G_GINT64_FORMAT " bytes", MAX_SUMMED);
    count *= extent;
  }
  return forge_reduce_infer (node, in->dtype, error);
}

static gboolean
prepare (const ForgeNode *node, ForgePrepared *prepared, GError **error)
{
  int64_t n_out = forge_shape_count (&forge_node_out (node, 0)->shape);
  prepared->workspace_bytes = (size_t) n_out * sizeof (int32_t);
  return TRUE;
}

/* The runtime's division of a factor by a whole number. */
static ForgeTfliteFactor
divide (ForgeTfliteFactor factor, int64_t count)
{
  int shift = 63 - __builtin_clzll ((unsigned long long) count);
  shift = MIN (MIN (shift, 32), 31 + factor.shift);
  factor.multiplier =
      (int32_t) (((int64_t) factor.multiplier << shift) / count);
  factor.shift -= shift;
  return factor;
}

static void
add_up (const ForgeStep *step, const ForgeShape *kept, int32_t *sums)
{
  const ForgeTensor *in = step->in[0];
  int32_t zero = (int32_t) forge_attrs_int (step->node->attrs, "x_zero", 0);
  ForgeBroadcast bc;
  forge_broadcast_init (&bc, &in->shape, kept, &in->shape);
  for (int64_t row = 0; row < bc.n_rows; row++) {
    int64_t from, to;
    forge_broadcast_row (&bc, row, &from, &to);
    for (int64_t i = 0; i < bc.row; i++)
      sums[to + i * (int64_t) bc.b_step] +=
          forge_quant_load (
              in->dtype, in->data, from + i * (int64_t) bc.a_step) -
          zero;
  }
}

static void
run (const ForgeStep *step)
{
  gboolean marks[FORGE_MAX_DIMS];
  ForgeShape kept;
  int32_t *sums = step->workspace, low, high;
  int32_t y_zero = (int32_t) forge_attrs_int (step->node->attrs, "y_zero", 0);
  int64_t n_out = forge_tensor_get_count (step->out[0]);
  int64_t n_in = forge_tensor_get_count (step->in[0]);
  ForgeTfliteFactor factor = forge_tflite_attr (step->node, "y_factor");
  if (n_out < 1 || n_in < 1 ||
      !forge_reduce_shape (step->node, &kept, marks, NULL))
    return;
  if (strcmp (step->node->op->type, "TfliteMean") == 0)
    factor = divide (factor, n_in / n_out);
  memset (sums, 0, (size_t) n_out * sizeof *sums);
  add_up (step, &kept, sums);
  forge_quant_range (step->out[0]->dtype, &low, &high);
  for (int64_t i = 0; i < n_out; i++) {
    int64_t value = (int64_t) forge_tflite_scale (sums[i], factor) + y_zero;
    forge_quant_store (step->out[0]->dtype, step->out[0]->data, i,
        (int32_t) CLAMP (value, low, high));
  }
}

#define REDUCE_OP(name)                            \
  const ForgeOp forge_op_##name = { .type = #name, \
    .domain = "forge",                             \
    .min_inputs = 1,                               \
    .max_inputs = 1,                               \
    .min_outputs = 1,                              \
    .max_outputs = 1,                              \
    .infer = infer,                                \
    .prepare = prepare,                            \
    .run = run }

REDUCE_OP (TfliteMean);
REDUCE_OP (TfliteSum);
