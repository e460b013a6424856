/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Tensors that are mostly made up: ConstantOfShape (one value), Range (an
 * arithmetic series), Tile (repeats of the input), Trilu (a triangle of the
 * input, 0 elsewhere), EyeLike, Size (the number of elements).
 * Source: ONNX operator specification. */
#include <math.h>
#include <string.h>

#include "ops/element.h"
#include "ops/op-util.h"

static gboolean
infer_constant_of_shape (ForgeNode *node, GError **error)
{
  const ForgeValue *in = forge_node_in (node, 0);
  const ForgeAttr *value = forge_attrs_get (node->attrs, "value");
  ForgeDtype dtype = FORGE_FLOAT32;
  int64_t extents[FORGE_OP_MAX_INTS];
  int n_extents;
  ForgeShape out = { 0 };
  if (value && (value->type != FORGE_ATTR_TENSOR ||
                   forge_tensor_get_count (value->tensor) != 1))
    return forge_node_error (node, error, FORGE_ERROR_SHAPE,
        "the attribute value must be a tensor of one element");
  if (value)
    dtype = value->tensor->dtype;
  if (forge_op_is_pending (node, 0) && in->shape.rank == 1)
    return forge_op_set_pending (node, dtype, in->shape.dims[0], error);
  if (!forge_op_ints (node, NULL, 0, extents, &n_extents, error))
    return FALSE;
  if (n_extents > FORGE_MAX_DIMS)
    return forge_op_set_pending (node, dtype, n_extents, error);
  for (; out.rank < n_extents; out.rank++) {
    if (extents[out.rank] < 0)
      return forge_node_error (
          node, error, FORGE_ERROR_SHAPE, "a negative extent");
    out.dims[out.rank] = extents[out.rank];
  }
  return forge_op_set_out (node, 0, dtype, &out, error);
}

static void
run_constant_of_shape (const ForgeStep *step)
{
  const ForgeAttr *value = forge_attrs_get (step->node->attrs, "value");
  ForgeTensor *out = step->out[0];
  size_t size = forge_dtype_size_bytes (out->dtype);
  size_t count = (size_t) forge_tensor_get_count (out);
  if (!value)
    memset (out->data, 0, out->size_bytes);
  else
    for (size_t i = 0; i < count; i++)
      memcpy ((char *) out->data + i * size, value->tensor->data, size);
}

/* Elements of start, start + delta, .. before limit; -1 = no such series. */
static int64_t
count_range (ForgeDtype dtype, const ForgeTensor *start,
    const ForgeTensor *limit, const ForgeTensor *delta)
{
  double count;
  if (forge_element_is_float (dtype)) {
    double from = forge_element_load_float (dtype, start->data, 0);
    double to = forge_element_load_float (dtype, limit->data, 0);
    count =
        ceil ((to - from) / forge_element_load_float (dtype, delta->data, 0));
  } else {
    int64_t from = forge_element_load_int (dtype, start->data, 0);
    int64_t to = forge_element_load_int (dtype, limit->data, 0);
    int64_t by = forge_element_load_int (dtype, delta->data, 0);
    if (by == 0)
      return -1;
    count = ceil (((double) to - (double) from) / (double) by);
  }
  if (isnan (count) || count > FORGE_OP_MAX_ELEMS)
    return -1;
  return count < 0 ? 0 : (int64_t) count;
}

static gboolean
infer_range (ForgeNode *node, GError **error)
{
  const ForgeValue *start = forge_node_in (node, 0);
  ForgeShape out = { 1, { -1 } };
  gboolean known = TRUE;
  for (guint i = 0; i < 3; i++) {
    const ForgeValue *in = forge_node_in (node, i);
    int64_t count = forge_shape_count (&in->shape);
    if (in->dtype != start->dtype || !forge_dtype_size_bytes (in->dtype) ||
        count == 0 || count > 1)
      return forge_node_error (node, error, FORGE_ERROR_SHAPE,
          "input %u must be one number of type %s", i,
          forge_dtype_name (start->dtype));
    known &= in->constant != NULL;
  }
  if (known) {
    out.dims[0] = count_range (start->dtype, start->constant,
        forge_node_in (node, 1)->constant, forge_node_in (node, 2)->constant);
    if (out.dims[0] < 0)
      return forge_node_error (node, error, FORGE_ERROR_SHAPE,
          "start, limit and delta give no series of at most %d elements",
          FORGE_OP_MAX_ELEMS);
  }
  return forge_op_set_out (node, 0, start->dtype, &out, error);
}

static void
run_range (const ForgeStep *step)
{
  ForgeTensor *out = step->out[0];
  size_t count = (size_t) forge_tensor_get_count (out);
  for (size_t i = 0; i < count; i++)
    if (forge_element_is_float (out->dtype)) {
      double from = forge_element_load_float (out->dtype, step->in[0]->data, 0);
      double by = forge_element_load_float (out->dtype, step->in[2]->data, 0);
      forge_element_store_float (
          out->dtype, out->data, i, from + (double) i * by);
    } else {
      int64_t from = forge_element_load_int (out->dtype, step->in[0]->data, 0);
      int64_t by = forge_element_load_int (out->dtype, step->in[2]->data, 0);
      forge_element_store_int (out->dtype, out->data, i,
          (int64_t) ((uint64_t) from + (uint64_t) i * (uint64_t) by));
    }
}

static gboolean
infer_tile (ForgeNode *node, GError **error)
{
  const ForgeValue *in = forge_node_in (node, 0);
  int64_t repeats[FORGE_OP_MAX_INTS];
  int n_repeats;
  ForgeShape out = in->shape;
  if (forge_op_is_pending (node, 1))
    return forge_op_set_pending (node, in->dtype, out.rank, error);
  if (!forge_op_ints (node, NULL, 1, repeats, &n_repeats, error))
    return FALSE;
  if (n_repeats != out.rank)
    return forge_node_error (node, error, FORGE_ERROR_SHAPE,
        "%d repeats for %d dimensions", n_repeats, out.rank);
  for (int i = 0; i < out.rank; i++) {
    if (repeats[i] < 0 || repeats[i] > FORGE_OP_MAX_ELEMS)
      return forge_node_error (node, error, FORGE_ERROR_SHAPE,
          "axis %d is repeated %" G_GINT64_FORMAT " times", i, repeats[i]);
    if (out.dims[i] >= 0 &&
        __builtin_mul_overflow (out.dims[i], repeats[i], &out.dims[i]))
      return forge_node_error (
          node, error, FORGE_ERROR_SHAPE, "axis %d is too long", i);
  }
  return forge_op_set_out (node, 0, in->dtype, &out, error);
}

static void
run_tile (const ForgeStep *step)
{
  const ForgeShape *in = &step->in[0]->shape, *shape = &step->out[0]->shape;
  ForgeTensor *out = step->out[0];
  size_t size = forge_dtype_size_bytes (out->dtype);
  int64_t strides[FORGE_MAX_DIMS], count = forge_tensor_get_count (out);
  forge_shape_strides (in, strides);
  for (int64_t i = 0; i < count; i++) {
    int64_t rest = i, from = 0;
    for (int d = in->rank - 1; d >= 0; d--) {
      from += rest % shape->dims[d] % in->dims[d] * strides[d];
      rest /= shape->dims[d];
    }
    memcpy ((char *) out->data + (size_t) i * size,
        (const char *) step->in[0]->data + (size_t) from * size, size);
  }
}

static gboolean
infer_matrix (ForgeNode *node, GError **error)
{
  const ForgeValue *in = forge_node_in (node, 0);
  int64_t type = forge_attrs_int (node->attrs, "dtype", in->dtype);
  gboolean eye = strcmp (node->op->type, "EyeLike") == 0;
  ForgeDtype dtype = eye && type > 0 && type <= FORGE_BFLOAT16
                         ? (ForgeDtype) type
                         : (eye ? FORGE_DTYPE_UNKNOWN : in->dtype);
  if (in->shape.rank < 2 || (eye && in->shape.rank != 2))
    return forge_op_need_rank (node, 0, 2, error);
  if (!forge_dtype_size_bytes (dtype))
    return forge_node_error (node, error, FORGE_ERROR_UNSUPPORTED,
        "element type %" G_GINT64_FORMAT " is not supported", type);
  if (!eye && forge_op_has_in (node, 1) &&
      (forge_node_in (node, 1)->dtype != FORGE_INT64 ||
          forge_shape_count (&forge_node_in (node, 1)->shape) != 1))
    return forge_node_error (
        node, error, FORGE_ERROR_SHAPE, "k must be one int64");
  return forge_op_set_out (node, 0, dtype, &in->shape, error);
}

static void
run_trilu (const ForgeStep *step)
{
  const ForgeShape *shape = &step->in[0]->shape;
  size_t size = forge_dtype_size_bytes (step->in[0]->dtype);
  int64_t columns = shape->dims[shape->rank - 1];
  int64_t rows = shape->dims[shape->rank - 2];
  int64_t count = forge_tensor_get_count (step->in[0]);
  int64_t k =
      step->n_in > 1 && step->in[1] ? *(const int64_t *) step->in[1]->data : 0;
  gboolean upper = forge_attrs_int (step->node->attrs, "upper", 1) != 0;
  k = CLAMP (k, -FORGE_OP_MAX_ELEMS, FORGE_OP_MAX_ELEMS);
  memset (step->out[0]->data, 0, step->out[0]->size_bytes);
  for (int64_t i = 0; i < count; i++) {
    int64_t above = i % columns - i / columns % rows;
    if (upper ? above >= k : above <= k)
      memcpy ((char *) step->out[0]->data + (size_t) i * size,
          (const char *) step->in[0]->data + (size_t) i * size, size);
  }
}

static void
run_eye (const ForgeStep *step)
{
  ForgeTensor *out = step->out[0];
  int64_t rows = out->shape.dims[0], columns = out->shape.dims[1];
  int64_t k = forge_attrs_int (step->node->attrs, "k", 0);
  k = CLAMP (k, -FORGE_OP_MAX_ELEMS, FORGE_OP_MAX_ELEMS);
  memset (out->data, 0, out->size_bytes);
  for (int64_t y = 0; y < rows; y++) {
    size_t at = (size_t) (y * columns + y + k);
    if (y + k < 0 || y + k >= columns)
      continue;
    if (forge_element_is_float (out->dtype))
      forge_element_store_float (out->dtype, out->data, at, 1);
    else
      forge_element_store_int (out->dtype, out->data, at, 1);
  }
}

static gboolean
infer_size (ForgeNode *node, GError **error)
{
  ForgeShape scalar = { 0 };
  return forge_op_set_out (node, 0, FORGE_INT64, &scalar, error);
}

static void
run_size (const ForgeStep *step)
{
  *(int64_t *) step->out[0]->data = forge_tensor_get_count (step->in[0]);
}

#define FILL_OP(name, least, most, infer_func, run_func) \
  const ForgeOp forge_op_##name = { .type = #name,       \
    .domain = "",                                        \
    .min_inputs = least,                                 \
    .max_inputs = most,                                  \
    .min_outputs = 1,                                    \
    .max_outputs = 1,                                    \
    .infer = infer_func,                                 \
    .run = run_func }

FILL_OP (ConstantOfShape, 1, 1, infer_constant_of_shape, run_constant_of_shape);
FILL_OP (Range, 3, 3, infer_range, run_range);
FILL_OP (Tile, 2, 2, infer_tile, run_tile);
FILL_OP (Trilu, 1, 2, infer_matrix, run_trilu);
FILL_OP (EyeLike, 1, 1, infer_matrix, run_eye);
FILL_OP (Size, 1, 1, infer_size, run_size);
