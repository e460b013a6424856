/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Operators around truth values: Where (x where the condition holds, else y,
 * of any type, with NumPy broadcasting), Not, IsNaN, IsInf, and NonZero, which
 * needs a constant, since its result's extent depends on the values.
 * Source: ONNX operator specification. */
#include <math.h>
#include <string.h>

#include "ops/broadcast.h"
#include "ops/element.h"
#include "ops/op-util.h"

static gboolean
infer_where (ForgeNode *node, GError **error)
{
  const ForgeValue *condition = forge_node_in (node, 0);
  const ForgeValue *x = forge_node_in (node, 1), *y = forge_node_in (node, 2);
  ForgeShape out;
  if (condition->dtype != FORGE_BOOL || x->dtype != y->dtype ||
      !forge_dtype_size_bytes (x->dtype))
    return forge_node_error (node, error, FORGE_ERROR_UNSUPPORTED,
        "inputs are %s, %s and %s; expected bool and two of one type",
        forge_dtype_name (condition->dtype), forge_dtype_name (x->dtype),
        forge_dtype_name (y->dtype));
  if (!forge_shape_broadcast (&x->shape, &y->shape, &out) ||
      !forge_shape_broadcast (&out, &condition->shape, &out))
    return forge_node_error (node, error, FORGE_ERROR_SHAPE,
        "the shapes of condition, x and y do not broadcast");
  return forge_op_set_out (node, 0, x->dtype, &out, error);
}

/* Copies what @wanted says out of @from into the result. */
static void
choose (const ForgeStep *step, const ForgeTensor *from, gboolean wanted)
{
  ForgeTensor *out = step->out[0];
  const uint8_t *condition = step->in[0]->data;
  size_t size = forge_dtype_size_bytes (out->dtype);
  ForgeBroadcast bc;
  forge_broadcast_init (&bc, &step->in[0]->shape, &from->shape, &out->shape);
  for (int64_t row = 0; row < bc.n_rows; row++) {
    int64_t at, source;
    char *to = (char *) out->data + (size_t) (row * bc.row) * size;
    forge_broadcast_row (&bc, row, &at, &source);
    for (size_t i = 0; i < (size_t) bc.row; i++)
      if ((condition[(size_t) at + i * bc.a_step] != 0) == wanted)
        memcpy (to + i * size,
            (const char *) from->data +
                ((size_t) source + i * bc.b_step) * size,
            size);
  }
}

static void
run_where (const ForgeStep *step)
{
  if (forge_tensor_get_count (step->out[0]) == 0)
    return;
  choose (step, step->in[1], TRUE);
  choose (step, step->in[2], FALSE);
}

static gboolean
infer_not (ForgeNode *node, GError **error)
{
  const ForgeValue *in = forge_node_in (node, 0);
  if (in->dtype != FORGE_BOOL)
    return forge_node_error (node, error, FORGE_ERROR_UNSUPPORTED,
        "input 0 is %s; expected bool", forge_dtype_name (in->dtype));
  return forge_op_set_out (node, 0, FORGE_BOOL, &in->shape, error);
}

static void
run_not (const ForgeStep *step)
{
  const uint8_t *x = step->in[0]->data;
  uint8_t *y = step->out[0]->data;
  int64_t count = forge_tensor_get_count (step->out[0]);
  for (int64_t i = 0; i < count; i++)
    y[i] = x[i] == 0;
}

static gboolean
infer_is (ForgeNode *node, GError **error)
{
  const ForgeValue *in = forge_node_in (node, 0);
  if (!forge_element_is_float (in->dtype))
    return forge_node_error (node, error, FORGE_ERROR_UNSUPPORTED,
        "input 0 is %s; expected floats", forge_dtype_name (in->dtype));
  return forge_op_set_out (node, 0, FORGE_BOOL, &in->shape, error);
}

static void
run_is_nan (const ForgeStep *step)
{
  const ForgeTensor *in = step->in[0];
  uint8_t *y = step->out[0]->data;
  size_t count = (size_t) forge_tensor_get_count (in);
  for (size_t i = 0; i < count; i++)
    y[i] = isnan (forge_element_load_float (in->dtype, in->data, i)) != 0;
}

static void
run_is_inf (const ForgeStep *step)
{
  const ForgeTensor *in = step->in[0];
  uint8_t *y = step->out[0]->data;
  size_t count = (size_t) forge_tensor_get_count (in);
  gboolean below =
      forge_attrs_int (step->node->attrs, "detect_negative", 1) != 0;
  gboolean above =
      forge_attrs_int (step->node->attrs, "detect_positive", 1) != 0;
  for (size_t i = 0; i < count; i++) {
    double value = forge_element_load_float (in->dtype, in->data, i);
    y[i] = isinf (value) && (value < 0 ? below : above);
  }
}

static gboolean
is_set (const ForgeTensor *tensor, size_t i)
{
  return forge_element_is_float (tensor->dtype)
             ? forge_element_load_float (tensor->dtype, tensor->data, i) != 0
             : forge_element_load_int (tensor->dtype, tensor->data, i) != 0;
}

static gboolean
infer_non_zero (ForgeNode *node, GError **error)
{
  const ForgeValue *in = forge_node_in (node, 0);
  ForgeShape out = { 2, { in->shape.rank, -1 } };
  if (!forge_dtype_size_bytes (in->dtype))
    return forge_node_error (node, error, FORGE_ERROR_UNSUPPORTED,
        "input 0 is %s", forge_dtype_name (in->dtype));
  if (in->constant) {
    size_t count = (size_t) forge_tensor_get_count (in->constant);
    out.dims[1] = 0;
    for (size_t i = 0; i < count; i++)
      out.dims[1] += is_set (in->constant, i);
  }
  return forge_op_set_out (node, 0, FORGE_INT64, &out, error);
}

static void
run_non_zero (const ForgeStep *step)
{
  const ForgeTensor *in = step->in[0];
  const ForgeShape *shape = &in->shape;
  int64_t *out = step->out[0]->data;
  int64_t found = step->out[0]->shape.dims[1], next = 0;
  int64_t count = forge_tensor_get_count (in);
  for (int64_t i = 0; i < count && next < found; i++) {
    int64_t rest = i;
    if (!is_set (in, (size_t) i))
      continue;
    for (int d = shape->rank - 1; d >= 0; d--) {
      out[d * found + next] = rest % shape->dims[d];
      rest /= shape->dims[d];
    }
    next++;
  }
}

#define WHERE_OP(name, n_inputs, infer_func, run_func) \
  const ForgeOp forge_op_##name = { .type = #name,     \
    .domain = "",                                      \
    .min_inputs = n_inputs,                            \
    .max_inputs = n_inputs,                            \
    .min_outputs = 1,                                  \
    .max_outputs = 1,                                  \
    .infer = infer_func,                               \
    .run = run_func }

WHERE_OP (Where, 3, infer_where, run_where);
WHERE_OP (Not, 1, infer_not, run_not);
WHERE_OP (IsNaN, 1, infer_is, run_is_nan);
WHERE_OP (IsInf, 1, infer_is, run_is_inf);
WHERE_OP (NonZero, 1, infer_non_zero, run_non_zero);
