/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Operators that look for the largest or smallest elements along an axis:
 * ArgMax, ArgMin, Hardmax (1 at the first maximum, 0 elsewhere) and TopK.
 * Source: ONNX operator specification; Hardmax before opset 13 takes
 * everything from its axis on as one line, TopK took k as an attribute before
 * opset 10. */
#include <math.h>
#include <string.h>

#include "ops/element.h"
#include "ops/op-util.h"

static gboolean
check_type (const ForgeNode *node, GError **error)
{
  ForgeDtype dtype = forge_node_in (node, 0)->dtype;
  if (!forge_dtype_size_bytes (dtype) || dtype == FORGE_UINT64)
    return forge_node_error (node, error, FORGE_ERROR_UNSUPPORTED,
        "input 0 is %s, which has no order here", forge_dtype_name (dtype));
  return TRUE;
}

/* Is element @a before @b in the order asked for? NaN is the largest. */
static gboolean
comes_before (const ForgeTensor *in, int64_t a, int64_t b, gboolean largest)
{
  if (forge_element_is_float (in->dtype)) {
    double x = forge_element_load_float (in->dtype, in->data, (size_t) a);
    double y = forge_element_load_float (in->dtype, in->data, (size_t) b);
    if (isnan (x) || isnan (y))
      return largest ? isnan (x) && !isnan (y) : !isnan (x) && isnan (y);
    return largest ? x > y : x < y;
  }
  int64_t x = forge_element_load_int (in->dtype, in->data, (size_t) a);
  int64_t y = forge_element_load_int (in->dtype, in->data, (size_t) b);
  return largest ? x > y : x < y;
}

/* Index of the extreme of a line. */
static int64_t
find_extreme (const ForgeTensor *in, const ForgeLines *lines, int64_t at,
    gboolean largest, gboolean last)
{
  int64_t best = 0;
  for (int64_t i = 1; i < lines->n; i++) {
    int64_t here = at + i * lines->inner, there = at + best * lines->inner;
    if (comes_before (in, here, there, largest) ||
        (last && !comes_before (in, there, here, largest)))
      best = i;
  }
  return best;
}

static gboolean
infer_arg (ForgeNode *node, GError **error)
{
  ForgeShape out = forge_node_in (node, 0)->shape;
  gboolean keep = forge_attrs_int (node->attrs, "keepdims", 1) != 0;
  int axis;
  if (!check_type (node, error) ||
      !forge_op_axis (node, forge_attrs_int (node->attrs, "axis", 0), out.rank,
          &axis, error))
    return FALSE;
  if (out.dims[axis] == 0)
    return forge_node_error (
        node, error, FORGE_ERROR_SHAPE, "axis %d has no elements", axis);
  out.dims[axis] = 1;
  if (!keep) {
    for (int i = axis; i + 1 < out.rank; i++)
      out.dims[i] = out.dims[i + 1];
    out.rank--;
  }
  return forge_op_set_out (node, 0, FORGE_INT64, &out, error);
}

static void
run_arg (const ForgeStep *step)
{
  const ForgeNode *node = step->node;
  const ForgeTensor *in = step->in[0];
  gboolean largest = strcmp (node->op->type, "ArgMax") == 0;
  gboolean last = forge_attrs_int (node->attrs, "select_last_index", 0) != 0;
  int64_t *out = step->out[0]->data;
  int axis = 0;
  forge_op_axis (node, forge_attrs_int (node->attrs, "axis", 0), in->shape.rank,
      &axis, NULL);
  ForgeLines lines = forge_op_lines (&in->shape, axis);
  for (int64_t i = 0; i < lines.outer * lines.inner; i++)
    out[i] =
        find_extreme (in, &lines, forge_op_line_at (&lines, i), largest, last);
}

/* Before opset 13 the axis may also be the rank, for lines of 1. */
static gboolean
hardmax_lines (const ForgeNode *node, ForgeLines *lines, GError **error)
{
  const ForgeShape *shape = &forge_node_in (node, 0)->shape;
  gboolean flat = node->opset < 13;
  int64_t value = forge_attrs_int (node->attrs, "axis", flat ? 1 : -1);
  int axis = shape->rank;
  if (!(flat && value == shape->rank) &&
      !forge_op_axis (node, value, shape->rank, &axis, error))
    return FALSE;
  lines->outer = forge_op_volume (shape, 0, axis);
  lines->n = forge_op_volume (shape, axis, flat ? shape->rank : axis + 1);
  lines->inner = flat ? 1 : forge_op_volume (shape, axis + 1, shape->rank);
  return TRUE;
}

static gboolean
infer_hardmax (ForgeNode *node, GError **error)
{
  ForgeLines lines;
  return forge_op_need_float (node, 0, error) &&
         forge_op_set_out (
             node, 0, FORGE_FLOAT32, &forge_node_in (node, 0)->shape, error) &&
         hardmax_lines (node, &lines, error);
}

static void
run_hardmax (const ForgeStep *step)
{
  ForgeLines lines;
  float *out = step->out[0]->data;
  memset (out, 0, step->out[0]->size_bytes);
  if (!hardmax_lines (step->node, &lines, NULL) || lines.n == 0)
    return;
  for (int64_t i = 0; i < lines.outer * lines.inner; i++) {
    int64_t at = forge_op_line_at (&lines, i);
    int64_t best = find_extreme (step->in[0], &lines, at, TRUE, FALSE);
    out[at + best * lines.inner] = 1;
  }
}

static gboolean
infer_top_k (ForgeNode *node, GError **error)
{
  const ForgeValue *in = forge_node_in (node, 0);
  ForgeShape out = in->shape;
  int64_t k[FORGE_OP_MAX_INTS] = { 0 };
  int axis, n_values = 1;
  if (!check_type (node, error) ||
      !forge_op_axis (node, forge_attrs_int (node->attrs, "axis", -1), out.rank,
          &axis, error))
    return FALSE;
  if (forge_op_has_in (node, 1) &&
      !forge_op_ints (node, NULL, 1, k, &n_values, error))
    return FALSE;
  if (!forge_op_has_in (node, 1))
    k[0] = forge_attrs_int (node->attrs, "k", -1);
  if (n_values != 1 || k[0] < 0 ||
      (out.dims[axis] >= 0 && k[0] > out.dims[axis]))
    return forge_node_error (node, error, FORGE_ERROR_SHAPE,
        "k is %" G_GINT64_FORMAT " along an axis of %" G_GINT64_FORMAT, k[0],
        out.dims[axis]);
  out.dims[axis] = k[0];
  return forge_op_set_out (node, 0, in->dtype, &out, error) &&
         (!forge_node_out (node, 1) ||
             forge_op_set_out (node, 1, FORGE_INT64, &out, error));
}

/* Restores the heap property (the last in order on top) from @at down. */
static void
sift_down (const ForgeTensor *in, int64_t *heap, int64_t n, int64_t at,
    gboolean largest)
{
  for (;;) {
    int64_t child = 2 * at + 1;
    if (child >= n)
      return;
    for (int64_t other = child + 1; other < MIN (n, 2 * at + 3); other++)
      if (comes_before (in, heap[child], heap[other], largest) ||
          (!comes_before (in, heap[other], heap[child], largest) &&
              heap[other] > heap[child]))
        child = other;
    if (comes_before (in, heap[child], heap[at], largest) ||
        (!comes_before (in, heap[at], heap[child], largest) &&
            heap[child] < heap[at]))
      return;
    int64_t moved = heap[at];
    heap[at] = heap[child];
    heap[child] = moved;
    at = child;
  }
}

/* A heap sort of the whole line; equal elements by index. */
static void
sort_line (const ForgeTensor *in, int64_t *heap, int64_t n, gboolean largest)
{
  for (int64_t i = n / 2; i-- > 0;)
    sift_down (in, heap, n, i, largest);
  for (int64_t end = n - 1; end > 0; end--) {
    int64_t top = heap[0];
    heap[0] = heap[end];
    heap[end] = top;
    sift_down (in, heap, end, 0, largest);
  }
}

static void
run_top_k (const ForgeStep *step)
{
  const ForgeTensor *in = step->in[0];
  ForgeTensor *values = step->out[0];
  int64_t *heap = step->workspace;
  gboolean largest = forge_attrs_int (step->node->attrs, "largest", 1) != 0;
  size_t size = forge_dtype_size_bytes (in->dtype);
  int axis = 0;
  forge_op_axis (step->node, forge_attrs_int (step->node->attrs, "axis", -1),
      in->shape.rank, &axis, NULL);
  ForgeLines lines = forge_op_lines (&in->shape, axis);
  ForgeLines to = forge_op_lines (&values->shape, axis);
  for (int64_t line = 0; line < lines.outer * lines.inner; line++) {
    int64_t at = forge_op_line_at (&lines, line);
    int64_t to_at = forge_op_line_at (&to, line);
    for (int64_t i = 0; i < lines.n; i++)
      heap[i] = at + i * lines.inner;
    sort_line (in, heap, lines.n, largest);
    for (int64_t i = 0; i < to.n; i++) {
      size_t place = (size_t) (to_at + i * to.inner);
      memcpy ((char *) values->data + place * size,
          (const char *) in->data + (size_t) heap[i] * size, size);
      if (step->n_out > 1 && step->out[1])
        ((int64_t *) step->out[1]->data)[place] = (heap[i] - at) / lines.inner;
    }
  }
}

static gboolean
prepare_top_k (const ForgeNode *node, ForgePrepared *prepared, GError **error)
{
  const ForgeShape *in = &forge_node_in (node, 0)->shape;
  int axis;
  if (!forge_op_axis (node, forge_attrs_int (node->attrs, "axis", -1), in->rank,
          &axis, error))
    return FALSE;
  prepared->workspace_bytes = (size_t) in->dims[axis] * sizeof (int64_t);
  return TRUE;
}

const ForgeOp forge_op_ArgMax = { .type = "ArgMax",
  .domain = "",
  .min_inputs = 1,
  .max_inputs = 1,
  .min_outputs = 1,
  .max_outputs = 1,
  .infer = infer_arg,
  .run = run_arg };

const ForgeOp forge_op_ArgMin = { .type = "ArgMin",
  .domain = "",
  .min_inputs = 1,
  .max_inputs = 1,
  .min_outputs = 1,
  .max_outputs = 1,
  .infer = infer_arg,
  .run = run_arg };

const ForgeOp forge_op_Hardmax = { .type = "Hardmax",
  .domain = "",
  .min_inputs = 1,
  .max_inputs = 1,
  .min_outputs = 1,
  .max_outputs = 1,
  .infer = infer_hardmax,
  .run = run_hardmax };

const ForgeOp forge_op_TopK = { .type = "TopK",
  .domain = "",
  .min_inputs = 1,
  .max_inputs = 2,
  .min_outputs = 1,
  .max_outputs = 2,
  .infer = infer_top_k,
  .prepare = prepare_top_k,
  .run = run_top_k };
