/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Operators that rename the same bytes: Reshape, Flatten, Squeeze, Unsqueeze,
 * Identity. The memory plan lets their output share the input's place; run
 * copies only where it could not.
 * Source: ONNX operator specification; Squeeze and Unsqueeze took axes as an
 * attribute before opset 13, Reshape its shape before opset 5. */
#include "ops/op-util.h"

#include <string.h>

/* The one extent of -1, from the others. */
static gboolean
solve_wildcard (const ForgeNode *node, const ForgeShape *in, ForgeShape *out,
    GError **error)
{
  int64_t known = 1, count = forge_shape_count (in);
  int wildcard = -1;
  for (int i = 0; i < out->rank; i++)
    if (out->dims[i] == -1)
      wildcard = i;
    else if (__builtin_mul_overflow (known, out->dims[i], &known) ||
             known > FORGE_OP_MAX_ELEMS)
      return forge_node_error (node, error, FORGE_ERROR_SHAPE,
          "the new shape has more than %d elements", FORGE_OP_MAX_ELEMS);
  if (count < 0)
    return TRUE;
  if (wildcard >= 0 && known > 0 && count % known == 0)
    out->dims[wildcard] = count / known;
  if (forge_shape_count (out) == count)
    return TRUE;
  g_autofree char *from = forge_shape_to_string (in);
  g_autofree char *to = forge_shape_to_string (out);
  return forge_node_error (
      node, error, FORGE_ERROR_SHAPE, "cannot reshape %s into %s", from, to);
}

/* With an unknown batch in front: "keep dim 0" or "-1 first" both mean the
 * batch, if the rest fits. */
static void
solve_unknown (const ForgeShape *in, ForgeShape *out, int wildcard)
{
  if (wildcard <= 0 || in->rank == 0 || in->dims[0] != -1 || out->dims[0] != -1)
    return;
  int64_t rest = 1, known = 1;
  for (int i = 1; i < in->rank; i++) {
    if (in->dims[i] < 0 || __builtin_mul_overflow (rest, in->dims[i], &rest))
      return;
  }
  for (int i = 1; i < out->rank; i++)
    if (i != wildcard && __builtin_mul_overflow (known, out->dims[i], &known))
      return;
  if (known > 0 && rest % known == 0)
    out->dims[wildcard] = rest / known;
}

static gboolean
resolve_shape (const ForgeNode *node, const int64_t *values, int n_values,
    ForgeShape *out, GError **error)
{
  const ForgeShape *in = &forge_node_in (node, 0)->shape;
  gboolean keep_zero = forge_attrs_int (node->attrs, "allowzero", 0) != 0;
  gboolean unknown_copy = FALSE;
  int wildcard = -1;
  out->rank = n_values;
  for (int i = 0; i < n_values; i++) {
    out->dims[i] = values[i];
    if (values[i] < -1 || (values[i] == -1 && wildcard >= 0) ||
        (values[i] == 0 && !keep_zero && i >= in->rank))
      return forge_node_error (node, error, FORGE_ERROR_SHAPE,
          "extent %d of the new shape is %" G_GINT64_FORMAT
          ", which has no meaning here",
          i, values[i]);
    if (values[i] == -1)
      wildcard = i;
    if (values[i] == 0 && !keep_zero) {
      out->dims[i] = in->dims[i];
      unknown_copy |= in->dims[i] < 0;
    }
  }
  if (unknown_copy) {
    solve_unknown (in, out, wildcard);
    return TRUE;
  }
  return solve_wildcard (node, in, out, error);
}

static gboolean
infer_reshape (ForgeNode *node, GError **error)
{
  const ForgeValue *in = forge_node_in (node, 0);
  const ForgeValue *shape = forge_node_in (node, 1);
  int64_t values[FORGE_OP_MAX_INTS];
  int n_values;
  ForgeShape out = { 0 };
  if (shape && !shape->constant && shape->shape.rank == 1 &&
      shape->shape.dims[0] >= 0 && shape->shape.dims[0] <= FORGE_MAX_DIMS) {
    /* computed from another shape: known once the batch is bound */
    out.rank = (int) shape->shape.dims[0];
    for (int i = 0; i < out.rank; i++)
      out.dims[i] = -1;
    return forge_op_set_out (node, 0, in->dtype, &out, error);
  }
  if (!forge_op_ints (node, "shape", 1, values, &n_values, error))
    return FALSE;
  if (n_values < 0)
    return forge_node_error (
        node, error, FORGE_ERROR_SHAPE, "the new shape is missing");
  if (n_values > FORGE_MAX_DIMS)
    return forge_node_error (node, error, FORGE_ERROR_UNSUPPORTED,
        "%d dimensions; at most %d are supported", n_values, FORGE_MAX_DIMS);
  return resolve_shape (node, values, n_values, &out, error) &&
         forge_op_set_out (node, 0, in->dtype, &out, error);
}

/* Product over [from, to), -1 when one of them is unknown. */
static int64_t
product (const ForgeShape *shape, int from, int to)
{
  ForgeShape part = { .rank = to - from };
  memcpy (
      part.dims, shape->dims + from, (size_t) part.rank * sizeof part.dims[0]);
  return forge_shape_count (&part);
}

static gboolean
infer_flatten (ForgeNode *node, GError **error)
{
  const ForgeValue *in = forge_node_in (node, 0);
  int64_t axis = forge_attrs_int (node->attrs, "axis", 1);
  int rank = in->shape.rank;
  if (axis < -rank || axis > rank)
    return forge_node_error (node, error, FORGE_ERROR_SHAPE,
        "axis %" G_GINT64_FORMAT " is outside of a tensor of %d dimensions",
        axis, rank);
  int at = (int) (axis < 0 ? axis + rank : axis);
  ForgeShape out = { 2,
    { product (&in->shape, 0, at), product (&in->shape, at, rank) } };
  return forge_op_set_out (node, 0, in->dtype, &out, error);
}

/* Marks the axes named by attribute or input; *given FALSE when neither. */
static gboolean
read_axes (const ForgeNode *node, int rank, gboolean marks[FORGE_MAX_DIMS],
    gboolean *given, GError **error)
{
  int64_t values[FORGE_OP_MAX_INTS];
  int n_values, axis;
  memset (marks, 0, FORGE_MAX_DIMS * sizeof marks[0]);
  if (!forge_op_ints (node, "axes", 1, values, &n_values, error))
    return FALSE;
  *given = n_values >= 0;
  for (int i = 0; i < n_values; i++) {
    if (!forge_op_axis (node, values[i], rank, &axis, error))
      return FALSE;
    if (marks[axis])
      return forge_node_error (
          node, error, FORGE_ERROR_SHAPE, "axis %d is given twice", axis);
    marks[axis] = TRUE;
  }
  return TRUE;
}

static gboolean
infer_squeeze (ForgeNode *node, GError **error)
{
  const ForgeValue *in = forge_node_in (node, 0);
  gboolean marks[FORGE_MAX_DIMS], given;
  ForgeShape out = { 0 };
  if (!read_axes (node, in->shape.rank, marks, &given, error))
    return FALSE;
  for (int i = 0; i < in->shape.rank; i++) {
    int64_t extent = in->shape.dims[i];
    if (given && marks[i] && extent != 1 && extent != -1)
      return forge_node_error (node, error, FORGE_ERROR_SHAPE,
          "axis %d has %" G_GINT64_FORMAT " elements and cannot be dropped", i,
          extent);
    if (given ? !marks[i] : extent != 1)
      out.dims[out.rank++] = extent;
  }
  return forge_op_set_out (node, 0, in->dtype, &out, error);
}

static gboolean
infer_unsqueeze (ForgeNode *node, GError **error)
{
  const ForgeValue *in = forge_node_in (node, 0);
  gboolean marks[FORGE_MAX_DIMS], given;
  int64_t values[FORGE_OP_MAX_INTS];
  int n_values, from = 0;
  ForgeShape out = { 0 };
  if (!forge_op_ints (node, "axes", 1, values, &n_values, error))
    return FALSE;
  out.rank = in->shape.rank + MAX (n_values, 0);
  if (out.rank > FORGE_MAX_DIMS)
    return forge_node_error (node, error, FORGE_ERROR_UNSUPPORTED,
        "%d dimensions; at most %d are supported", out.rank, FORGE_MAX_DIMS);
  if (!read_axes (node, out.rank, marks, &given, error))
    return FALSE;
  if (!given)
    return forge_node_error (
        node, error, FORGE_ERROR_SHAPE, "the axes are missing");
  for (int i = 0; i < out.rank; i++)
    out.dims[i] = marks[i] ? 1 : in->shape.dims[from++];
  return forge_op_set_out (node, 0, in->dtype, &out, error);
}

static gboolean
infer_identity (ForgeNode *node, GError **error)
{
  const ForgeValue *in = forge_node_in (node, 0);
  return forge_op_set_out (node, 0, in->dtype, &in->shape, error);
}

static void
run (const ForgeStep *step)
{
  if (step->out[0]->data != step->in[0]->data)
    memcpy (step->out[0]->data, step->in[0]->data, step->out[0]->size_bytes);
}

static void
backward (const ForgeStep *step, const ForgeGradients *gradients)
{
  ForgeTensor *dx = gradients->d_in[0], *dy = gradients->d_out[0];
  if (dx && dx->data != dy->data)
    memcpy (dx->data, dy->data, dx->size_bytes);
}

#define VIEW_OP(name, n_inputs, infer_func)        \
  const ForgeOp forge_op_##name = { .type = #name, \
    .domain = "",                                  \
    .min_inputs = 1,                               \
    .max_inputs = n_inputs,                        \
    .min_outputs = 1,                              \
    .max_outputs = 1,                              \
    .infer = infer_func,                           \
    .run = run,                                    \
    .backward = backward,                          \
    .in_place = TRUE,                              \
    .is_view = TRUE }

VIEW_OP (Reshape, 2, infer_reshape);
VIEW_OP (Flatten, 1, infer_flatten);
VIEW_OP (Squeeze, 2, infer_squeeze);
VIEW_OP (Unsqueeze, 2, infer_unsqueeze);
VIEW_OP (Identity, 1, infer_identity);
