/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Elements by index, of any type: GatherElements, GatherND, ScatterElements
 * (once called Scatter) and ScatterND. A negative index counts from the end;
 * one beyond the data is held to it, since a run cannot fail.
 * Source: ONNX operator specification. */
#include <string.h>

#include "ops/element.h"
#include "ops/op-util.h"

typedef enum { REPLACE, ADD, MULTIPLY, MAXIMUM, MINIMUM } Reduction;

static gboolean
check_indices (const ForgeNode *node, guint index, GError **error)
{
  ForgeDtype dtype = forge_node_in (node, index)->dtype;
  if (dtype == FORGE_INT64 || dtype == FORGE_INT32)
    return TRUE;
  return forge_node_error (node, error, FORGE_ERROR_UNSUPPORTED,
      "the indices are %s; expected int64 or int32", forge_dtype_name (dtype));
}

static int64_t
index_at (const ForgeTensor *indices, int64_t i, int64_t extent)
{
  int64_t at =
      forge_element_load_int (indices->dtype, indices->data, (size_t) i);
  return CLAMP (at < 0 ? at + extent : at, 0, extent - 1);
}

static gboolean
read_reduction (const ForgeNode *node, Reduction *reduction, GError **error)
{
  static const char *const names[] = { "none", "add", "mul", "max", "min" };
  const char *name = forge_attrs_string (node->attrs, "reduction", "none");
  for (gsize i = 0; i < G_N_ELEMENTS (names); i++)
    if (g_str_equal (name, names[i])) {
      *reduction = (Reduction) i;
      return TRUE;
    }
  return forge_node_error (node, error, FORGE_ERROR_UNSUPPORTED,
      "reduction is '%s', which is not supported", name);
}

/* Indices have as many axes as the data, and are nowhere longer but along
 * @axis. */
static gboolean
check_elements (const ForgeNode *node, int *axis, GError **error)
{
  const ForgeShape *data = &forge_node_in (node, 0)->shape;
  const ForgeShape *indices = &forge_node_in (node, 1)->shape;
  if (!check_indices (node, 1, error) ||
      !forge_op_axis (node, forge_attrs_int (node->attrs, "axis", 0),
          data->rank, axis, error) ||
      !forge_op_need_rank (node, 1, data->rank, error))
    return FALSE;
  for (int i = 0; i < data->rank; i++)
    if (data->dims[i] >= 0 &&
        (i == *axis ? data->dims[i] == 0 : indices->dims[i] > data->dims[i]))
      return forge_node_error (node, error, FORGE_ERROR_SHAPE,
          "%" G_GINT64_FORMAT " indices along axis %d of %" G_GINT64_FORMAT
          " elements",
          indices->dims[i], i, data->dims[i]);
  return TRUE;
}

/* Where index element @i points in the data. */
static size_t
element_at (
    const ForgeTensor *data, const ForgeTensor *indices, int axis, int64_t i)
{
  int64_t strides[FORGE_MAX_DIMS], at = 0, rest = i;
  forge_shape_strides (&data->shape, strides);
  for (int d = data->shape.rank - 1; d >= 0; d--) {
    int64_t place = rest % indices->shape.dims[d];
    rest /= indices->shape.dims[d];
    if (d == axis)
      place = index_at (indices, i, data->shape.dims[d]);
    at += place * strides[d];
  }
  return (size_t) at;
}

static gboolean
infer_gather_elements (ForgeNode *node, GError **error)
{
  int axis;
  return check_elements (node, &axis, error) &&
         forge_op_set_out (node, 0, forge_node_in (node, 0)->dtype,
             &forge_node_in (node, 1)->shape, error);
}

static void
run_gather_elements (const ForgeStep *step)
{
  const ForgeTensor *data = step->in[0], *indices = step->in[1];
  size_t size = forge_dtype_size_bytes (data->dtype);
  int64_t count = forge_tensor_get_count (indices);
  int axis = 0;
  forge_op_axis (step->node, forge_attrs_int (step->node->attrs, "axis", 0),
      data->shape.rank, &axis, NULL);
  for (int64_t i = 0; i < count; i++)
    memcpy ((char *) step->out[0]->data + (size_t) i * size,
        (const char *) data->data + element_at (data, indices, axis, i) * size,
        size);
}

static gboolean
infer_scatter (ForgeNode *node, GError **error)
{
  const ForgeValue *data = forge_node_in (node, 0);
  const ForgeValue *updates = forge_node_in (node, 2);
  Reduction reduction;
  if (!forge_dtype_size_bytes (data->dtype) || updates->dtype != data->dtype)
    return forge_node_error (node, error, FORGE_ERROR_UNSUPPORTED,
        "data and updates are %s and %s; expected one type",
        forge_dtype_name (data->dtype), forge_dtype_name (updates->dtype));
  return read_reduction (node, &reduction, error) &&
         forge_op_set_out (node, 0, data->dtype, &data->shape, error);
}

static gboolean
infer_scatter_elements (ForgeNode *node, GError **error)
{
  const ForgeShape *indices = &forge_node_in (node, 1)->shape;
  const ForgeShape *updates = &forge_node_in (node, 2)->shape;
  int axis;
  if (!check_elements (node, &axis, error))
    return FALSE;
  if (forge_shape_count (indices) >= 0 && forge_shape_count (updates) >= 0 &&
      !forge_shape_equal (indices, updates))
    return forge_node_error (
        node, error, FORGE_ERROR_SHAPE, "indices and updates differ in shape");
  return infer_scatter (node, error);
}

static double
reduce_float (Reduction reduction, double old, double value)
{
  switch (reduction) {
  case REPLACE:
    return value;
  case ADD:
    return old + value;
  case MULTIPLY:
    return old * value;
  case MAXIMUM:
    return MAX (old, value);
  case MINIMUM:
    return MIN (old, value);
  }
  return value;
}

static int64_t
reduce_int (Reduction reduction, int64_t old, int64_t value)
{
  switch (reduction) {
  case REPLACE:
    return value;
  case ADD:
    return (int64_t) ((uint64_t) old + (uint64_t) value);
  case MULTIPLY:
    return (int64_t) ((uint64_t) old * (uint64_t) value);
  case MAXIMUM:
    return MAX (old, value);
  case MINIMUM:
    return MIN (old, value);
  }
  return value;
}

/* Element @from of the updates goes to element @to of the result. */
static void
update (const ForgeStep *step, Reduction reduction, size_t from, size_t to)
{
  ForgeTensor *out = step->out[0];
  ForgeDtype dtype = out->dtype;
  const void *updates = step->in[2]->data;
  if (forge_element_is_float (dtype))
    forge_element_store_float (dtype, out->data, to,
        reduce_float (reduction,
            forge_element_load_float (dtype, out->data, to),
            forge_element_load_float (dtype, updates, from)));
  else
    forge_element_store_int (dtype, out->data, to,
        reduce_int (reduction, forge_element_load_int (dtype, out->data, to),
            forge_element_load_int (dtype, updates, from)));
}

static void
run_scatter_elements (const ForgeStep *step)
{
  const ForgeTensor *data = step->in[0], *indices = step->in[1];
  int64_t count = forge_tensor_get_count (indices);
  Reduction reduction = REPLACE;
  int axis = 0;
  read_reduction (step->node, &reduction, NULL);
  forge_op_axis (step->node, forge_attrs_int (step->node->attrs, "axis", 0),
      data->shape.rank, &axis, NULL);
  memcpy (step->out[0]->data, data->data, data->size_bytes);
  for (int64_t i = 0; i < count; i++)
    update (step, reduction, (size_t) i, element_at (data, indices, axis, i));
}

/* Indices [..., K] point at slices of the data behind @batch axes. */
static gboolean
check_nd (const ForgeNode *node, int *batch, int *depth, GError **error)
{
  const ForgeShape *data = &forge_node_in (node, 0)->shape;
  const ForgeShape *indices = &forge_node_in (node, 1)->shape;
  int64_t given = forge_attrs_int (node->attrs, "batch_dims", 0);
  int64_t last = indices->rank > 0 ? indices->dims[indices->rank - 1] : -1;
  if (!check_indices (node, 1, error))
    return FALSE;
  if (given < 0 || given >= indices->rank || given >= data->rank || last < 0 ||
      last > data->rank - given)
    return forge_node_error (node, error, FORGE_ERROR_SHAPE,
        "indices of %" G_GINT64_FORMAT " numbers behind %" G_GINT64_FORMAT
        " batch axes do not fit data of %d dimensions",
        last, given, data->rank);
  *batch = (int) given;
  *depth = (int) last;
  for (int i = 0; i < *batch; i++)
    if (data->dims[i] != indices->dims[i])
      return forge_node_error (node, error, FORGE_ERROR_SHAPE,
          "data and indices differ along batch axis %d", i);
  for (int i = *batch; i < *batch + *depth; i++)
    if (data->dims[i] == 0)
      return forge_node_error (
          node, error, FORGE_ERROR_SHAPE, "axis %d has no elements", i);
  return TRUE;
}

/* The shape that index lists and the slices they point at make together. */
static gboolean
slices_shape (const ForgeNode *node, int batch, int depth, ForgeShape *shape,
    GError **error)
{
  const ForgeShape *data = &forge_node_in (node, 0)->shape;
  const ForgeShape *indices = &forge_node_in (node, 1)->shape;
  int rest = data->rank - batch - depth;
  if (indices->rank - 1 + rest > FORGE_MAX_DIMS)
    return forge_node_error (node, error, FORGE_ERROR_UNSUPPORTED,
        "%d dimensions; at most %d are supported", indices->rank - 1 + rest,
        FORGE_MAX_DIMS);
  *shape = (ForgeShape) { .rank = indices->rank - 1 + rest };
  for (int i = 0; i < indices->rank - 1; i++)
    shape->dims[i] = indices->dims[i];
  for (int i = 0; i < rest; i++)
    shape->dims[indices->rank - 1 + i] = data->dims[batch + depth + i];
  return TRUE;
}

static gboolean
infer_gather_nd (ForgeNode *node, GError **error)
{
  ForgeShape out;
  int batch, depth;
  return check_nd (node, &batch, &depth, error) &&
         slices_shape (node, batch, depth, &out, error) &&
         forge_op_set_out (
             node, 0, forge_node_in (node, 0)->dtype, &out, error);
}

/* First element of the slice that index list @list points at. */
static int64_t
slice_at (const ForgeTensor *data, const ForgeTensor *indices, int batch,
    int depth, int64_t list)
{
  const ForgeShape *shape = &data->shape;
  int64_t strides[FORGE_MAX_DIMS], at = 0;
  int64_t per_batch =
      forge_op_volume (&indices->shape, batch, indices->shape.rank - 1);
  forge_shape_strides (shape, strides);
  if (batch > 0)
    at = list / per_batch * strides[batch - 1];
  for (int i = 0; i < depth; i++)
    at += index_at (indices, list * depth + i, shape->dims[batch + i]) *
          strides[batch + i];
  return at;
}

static void
run_gather_nd (const ForgeStep *step)
{
  const ForgeTensor *data = step->in[0], *indices = step->in[1];
  size_t size = forge_dtype_size_bytes (data->dtype);
  int batch, depth;
  if (!check_nd (step->node, &batch, &depth, NULL))
    return;
  int64_t slice =
      forge_op_volume (&data->shape, batch + depth, data->shape.rank);
  int64_t n_lists =
      forge_op_volume (&indices->shape, 0, indices->shape.rank - 1);
  for (int64_t i = 0; i < n_lists; i++)
    memcpy ((char *) step->out[0]->data + (size_t) (i * slice) * size,
        (const char *) data->data +
            (size_t) slice_at (data, indices, batch, depth, i) * size,
        (size_t) slice * size);
}

static gboolean
infer_scatter_nd (ForgeNode *node, GError **error)
{
  const ForgeShape *updates = &forge_node_in (node, 2)->shape;
  ForgeShape expected;
  int batch, depth;
  if (!check_nd (node, &batch, &depth, error) ||
      !slices_shape (node, batch, depth, &expected, error))
    return FALSE;
  if (forge_shape_count (&expected) >= 0 && forge_shape_count (updates) >= 0 &&
      !forge_shape_equal (&expected, updates)) {
    g_autofree char *text = forge_shape_to_string (&expected);
    return forge_node_error (
        node, error, FORGE_ERROR_SHAPE, "the updates must have shape %s", text);
  }
  return infer_scatter (node, error);
}

static void
run_scatter_nd (const ForgeStep *step)
{
  const ForgeTensor *data = step->in[0], *indices = step->in[1];
  Reduction reduction = REPLACE;
  int batch, depth;
  if (!check_nd (step->node, &batch, &depth, NULL) ||
      !read_reduction (step->node, &reduction, NULL))
    return;
  int64_t slice =
      forge_op_volume (&data->shape, batch + depth, data->shape.rank);
  int64_t n_lists =
      forge_op_volume (&indices->shape, 0, indices->shape.rank - 1);
  memcpy (step->out[0]->data, data->data, data->size_bytes);
  for (int64_t i = 0; i < n_lists; i++) {
    int64_t at = slice_at (data, indices, batch, depth, i);
    for (int64_t k = 0; k < slice; k++)
      update (step, reduction, (size_t) (i * slice + k), (size_t) (at + k));
  }
}

#define INDEX_OP(name, n_inputs, infer_func, run_func) \
  const ForgeOp forge_op_##name = { .type = #name,     \
    .domain = "",                                      \
    .min_inputs = n_inputs,                            \
    .max_inputs = n_inputs,                            \
    .min_outputs = 1,                                  \
    .max_outputs = 1,                                  \
    .infer = infer_func,                               \
    .run = run_func }

INDEX_OP (GatherElements, 2, infer_gather_elements, run_gather_elements);
INDEX_OP (GatherND, 2, infer_gather_nd, run_gather_nd);
INDEX_OP (Scatter, 3, infer_scatter_elements, run_scatter_elements);
INDEX_OP (ScatterElements, 3, infer_scatter_elements, run_scatter_elements);
INDEX_OP (ScatterND, 3, infer_scatter_nd, run_scatter_nd);
