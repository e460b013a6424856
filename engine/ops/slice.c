/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Operators that pick or repeat elements at fixed strides, of any type:
 * Slice, Split and Expand.
 * Source: ONNX operator specification; Slice took its limits as attributes
 * before opset 10, Split its sizes before 13. */
#include <string.h>

#include "ops/op-util.h"

/* A view of the source: dst[i, j, ..] = src[offset + i s0 + j s1 ..]. */
typedef struct {
  ForgeShape shape;
  int64_t offset, strides[FORGE_MAX_DIMS]; /* elements */
} View;

static void
copy_view (const ForgeTensor *src, const View *view, ForgeTensor *dst)
{
  int64_t at[FORGE_MAX_DIMS] = { 0 }, from = view->offset;
  size_t size = forge_dtype_size_bytes (src->dtype);
  int64_t count = forge_tensor_get_count (dst);
  int last = view->shape.rank - 1;
  int64_t run =
      last >= 0 && view->strides[last] == 1 ? view->shape.dims[last] : 1;
  for (int64_t i = 0; i < count; i += run) {
    memcpy ((char *) dst->data + (size_t) i * size,
        (const char *) src->data + (size_t) from * size, (size_t) run * size);
    for (int d = run > 1 ? last - 1 : last; d >= 0; d--) {
      from += view->strides[d];
      if (++at[d] < view->shape.dims[d])
        break;
      from -= at[d] * view->strides[d];
      at[d] = 0;
    }
  }
}

/* One axis: from @start towards @end by @step, held within the extent. */
static gboolean
slice_axis (const ForgeNode *node, int64_t extent, int64_t *start, int64_t end,
    int64_t step, int64_t *count, GError **error)
{
  if (step == 0 || step == INT64_MIN)
    return forge_node_error (
        node, error, FORGE_ERROR_SHAPE, "a step of 0 or without a negative");
  if (extent < 0) {
    *count = -1;
    return TRUE;
  }
  if (*start < 0)
    *start = *start < -extent ? 0 : *start + extent;
  if (end < 0)
    end = end < -extent ? -1 : end + extent;
  if (step > 0) {
    *start = MIN (*start, extent);
    end = CLAMP (end, 0, extent);
    *count = end > *start ? (end - *start - 1) / step + 1 : 0;
  } else {
    *start = MIN (*start, extent - 1);
    end = CLAMP (end, -1, extent - 1);
    *count = *start > end ? (*start - end - 1) / -step + 1 : 0;
  }
  return TRUE;
}

static gboolean
slice_view (const ForgeNode *node, View *view, GError **error)
{
  const ForgeShape *in = &forge_node_in (node, 0)->shape;
  int64_t starts[FORGE_OP_MAX_INTS], ends[FORGE_OP_MAX_INTS];
  int64_t axes[FORGE_OP_MAX_INTS], steps[FORGE_OP_MAX_INTS];
  int n_starts, n_ends, n_axes, n_steps, axis;
  if (!forge_op_ints (node, "starts", 1, starts, &n_starts, error) ||
      !forge_op_ints (node, "ends", 2, ends, &n_ends, error) ||
      !forge_op_ints (node, "axes", 3, axes, &n_axes, error) ||
      !forge_op_ints (node, "steps", 4, steps, &n_steps, error))
    return FALSE;
  if (n_starts < 0 || n_ends != n_starts ||
      (n_axes >= 0 && n_axes != n_starts) ||
      (n_steps >= 0 && n_steps != n_starts))
    return forge_node_error (node, error, FORGE_ERROR_SHAPE,
        "%d starts, %d ends, %d axes and %d steps do not fit", n_starts, n_ends,
        n_axes, n_steps);
  view->shape = *in;
  view->offset = 0;
  forge_shape_strides (in, view->strides);
  for (int i = 0; i < n_starts; i++) {
    int64_t step = n_steps >= 0 ? steps[i] : 1, start = starts[i];
    if (!forge_op_axis (
            node, n_axes >= 0 ? axes[i] : i, in->rank, &axis, error) ||
        !slice_axis (node, in->dims[axis], &start, ends[i], step,
            &view->shape.dims[axis], error))
      return FALSE;
    if (view->shape.dims[axis] > 0)
      view->offset += start * view->strides[axis];
    /* a lone element needs no stride, which could overflow */
    view->strides[axis] =
        view->shape.dims[axis] > 1 ? view->strides[axis] * step : 0;
  }
  return TRUE;
}

/* Limits computed from the extents of an unbound input: the axes they are for,
 * all unless these are constant, have no known extent yet. */
static gboolean
infer_pending_slice (ForgeNode *node, GError **error)
{
  const ForgeValue *in = forge_node_in (node, 0);
  ForgeShape out = in->shape;
  int64_t axes[FORGE_OP_MAX_INTS];
  int n_axes, axis;
  if (forge_op_is_pending (node, 3) || !forge_op_has_in (node, 3))
    return forge_op_set_pending (node, in->dtype, in->shape.rank, error);
  if (!forge_op_ints (node, "axes", 3, axes, &n_axes, error))
    return FALSE;
  for (int i = 0; i < n_axes; i++) {
    if (!forge_op_axis (node, axes[i], out.rank, &axis, error))
      return FALSE;
    out.dims[axis] = -1;
  }
  return forge_op_set_out (node, 0, in->dtype, &out, error);
}

/* An unknown extent stays unknown only where it is kept whole. */
static gboolean
infer_slice (ForgeNode *node, GError **error)
{
  View view;
  for (guint i = 1; i < 5; i++)
    if (forge_op_is_pending (node, i))
      return infer_pending_slice (node, error);
  return slice_view (node, &view, error) &&
         forge_op_set_out (
             node, 0, forge_node_in (node, 0)->dtype, &view.shape, error);
}

static void
run_slice (const ForgeStep *step)
{
  View view;
  if (slice_view (step->node, &view, NULL))
    copy_view (step->in[0], &view, step->out[0]);
}

/* The extents of the parts along the axis. */
static gboolean
split_sizes (const ForgeNode *node, int *axis, int64_t *sizes, GError **error)
{
  const ForgeShape *in = &forge_node_in (node, 0)->shape;
  int n_outputs = (int) node->outputs->len, n_sizes;
  int64_t sum = 0;
  if (!forge_op_axis (node, forge_attrs_int (node->attrs, "axis", 0), in->rank,
          axis, error))
    return FALSE;
  int64_t extent = in->dims[*axis];
  if (n_outputs > FORGE_OP_MAX_INTS)
    return forge_node_error (node, error, FORGE_ERROR_UNSUPPORTED,
        "%d parts; at most %d are supported", n_outputs, FORGE_OP_MAX_INTS);
  if (extent < 0 || forge_op_is_pending (node, 1)) {
    for (int i = 0; i < n_outputs; i++)
      sizes[i] = -1;
    return TRUE;
  }
  if (!forge_op_ints (node, "split", 1, sizes, &n_sizes, error))
    return FALSE;
  int64_t part = extent / n_outputs + (extent % n_outputs != 0), left = extent;
  for (int i = 0; i < n_outputs && n_sizes < 0; i++) {
    sizes[i] = MIN (part, left);
    left -= sizes[i];
  }
  for (int i = 0; i < n_outputs; i++) {
    gboolean fits = sum >= 0 && sizes[i] >= 0 && sizes[i] <= extent - sum;
    sum = fits ? sum + sizes[i] : -1;
  }
  if (sum == extent && (n_sizes < 0 || n_sizes == n_outputs))
    return TRUE;
  return forge_node_error (node, error, FORGE_ERROR_SHAPE,
      "the parts do not add up to the %" G_GINT64_FORMAT " elements of axis %d",
      extent, *axis);
}

static gboolean
infer_split (ForgeNode *node, GError **error)
{
  const ForgeValue *in = forge_node_in (node, 0);
  int64_t sizes[FORGE_OP_MAX_INTS] = { 0 };
  ForgeShape out = in->shape;
  int axis;
  if (!split_sizes (node, &axis, sizes, error))
    return FALSE;
  for (guint i = 0; i < node->outputs->len; i++) {
    out.dims[axis] = sizes[i];
    if (forge_node_out (node, i) &&
        !forge_op_set_out (node, i, in->dtype, &out, error))
      return FALSE;
  }
  return TRUE;
}

static void
run_split (const ForgeStep *step)
{
  const ForgeShape *in = &step->in[0]->shape;
  int64_t sizes[FORGE_OP_MAX_INTS] = { 0 };
  View view = { .shape = *in };
  int axis;
  if (!split_sizes (step->node, &axis, sizes, NULL))
    return;
  forge_shape_strides (in, view.strides);
  for (guint i = 0; i < step->n_out; i++) {
    view.shape.dims[axis] = sizes[i];
    if (step->out[i])
      copy_view (step->in[0], &view, step->out[i]);
    view.offset += sizes[i] * view.strides[axis];
  }
}

static gboolean
infer_expand (ForgeNode *node, GError **error)
{
  const ForgeValue *in = forge_node_in (node, 0);
  int64_t values[FORGE_OP_MAX_INTS];
  int n_values;
  ForgeShape target = { 0 }, out;
  if (forge_op_is_pending (node, 1)) {
    const ForgeShape *shape = &forge_node_in (node, 1)->shape;
    if (shape->rank != 1)
      return forge_op_need_rank (node, 1, 1, error);
    return forge_op_set_pending (
        node, in->dtype, MAX (in->shape.rank, shape->dims[0]), error);
  }
  if (!forge_op_ints (node, NULL, 1, values, &n_values, error))
    return FALSE;
  if (n_values < 0 || n_values > FORGE_MAX_DIMS)
    return forge_node_error (node, error, FORGE_ERROR_UNSUPPORTED,
        "%d dimensions; at most %d are supported", n_values, FORGE_MAX_DIMS);
  target.rank = n_values;
  for (int i = 0; i < n_values; i++) {
    target.dims[i] = values[i];
    if (values[i] < 0)
      return forge_node_error (
          node, error, FORGE_ERROR_SHAPE, "a negative extent");
  }
  if (!forge_shape_broadcast (&in->shape, &target, &out))
    return forge_node_error (node, error, FORGE_ERROR_SHAPE,
        "the input does not broadcast to the shape asked for");
  return forge_op_set_out (node, 0, in->dtype, &out, error);
}

static void
run_expand (const ForgeStep *step)
{
  const ForgeShape *in = &step->in[0]->shape;
  int64_t own[FORGE_MAX_DIMS];
  View view = { .shape = step->out[0]->shape };
  int missing = view.shape.rank - in->rank;
  forge_shape_strides (in, own);
  for (int i = 0; i < in->rank; i++)
    view.strides[i + missing] = in->dims[i] == 1 ? 0 : own[i];
  copy_view (step->in[0], &view, step->out[0]);
}

const ForgeOp forge_op_Slice = { .type = "Slice",
  .domain = "",
  .min_inputs = 1,
  .max_inputs = 5,
  .min_outputs = 1,
  .max_outputs = 1,
  .infer = infer_slice,
  .run = run_slice };

const ForgeOp forge_op_Split = { .type = "Split",
  .domain = "",
  .min_inputs = 1,
  .max_inputs = 2,
  .min_outputs = 1,
  .max_outputs = FORGE_OP_MAX_INTS,
  .infer = infer_split,
  .run = run_split };

const ForgeOp forge_op_Expand = { .type = "Expand",
  .domain = "",
  .min_inputs = 2,
  .max_inputs = 2,
  .min_outputs = 1,
  .max_outputs = 1,
  .infer = infer_expand,
  .run = run_expand };
