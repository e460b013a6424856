/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Pad: more (or, with negative pads, fewer) elements at both ends of any
 * axis, of any type: a constant, the edge, a reflection, or the other end.
 * Source: ONNX operator specification; pads and value were attributes before
 * opset 11 and are inputs since, axes since 18. */
#include <string.h>

#include "ops/op-util.h"

#define MAX_PAD (1 << 20)

typedef enum { PAD_CONSTANT, PAD_EDGE, PAD_REFLECT, PAD_WRAP } PadMode;

static gboolean
read_mode (const ForgeNode *node, PadMode *mode, GError **error)
{
  const char *name = forge_attrs_string (node->attrs, "mode", "constant");
  static const char *const names[] = { "constant", "edge", "reflect", "wrap" };
  for (int i = 0; i < (int) G_N_ELEMENTS (names); i++)
    if (strcmp (name, names[i]) == 0) {
      *mode = (PadMode) i;
      return TRUE;
    }
  return forge_node_error (node, error, FORGE_ERROR_UNSUPPORTED,
      "mode is '%s'; expected constant, edge, reflect or wrap", name);
}

/* Elements added before and after every axis. */
static gboolean
read_pads (const ForgeNode *node, int rank, int64_t before[FORGE_MAX_DIMS],
    int64_t after[FORGE_MAX_DIMS], GError **error)
{
  int64_t pads[FORGE_OP_MAX_INTS], axes[FORGE_OP_MAX_INTS];
  int n_pads, n_axes, axis;
  memset (before, 0, FORGE_MAX_DIMS * sizeof *before);
  memset (after, 0, FORGE_MAX_DIMS * sizeof *after);
  if (!forge_op_ints (node, "pads", 1, pads, &n_pads, error) ||
      !forge_op_ints (node, NULL, 3, axes, &n_axes, error))
    return FALSE;
  if (n_axes < 0)
    for (n_axes = 0; n_axes < rank; n_axes++)
      axes[n_axes] = n_axes;
  if (n_pads != 2 * n_axes)
    return forge_node_error (
        node, error, FORGE_ERROR_SHAPE, "%d pads for %d axes", n_pads, n_axes);
  for (int i = 0; i < n_axes; i++) {
    if (!forge_op_axis (node, axes[i], rank, &axis, error))
      return FALSE;
    before[axis] = pads[i];
    after[axis] = pads[n_axes + i];
    if (ABS (CLAMP (pads[i], -INT32_MAX, INT32_MAX)) > MAX_PAD ||
        ABS (CLAMP (after[axis], -INT32_MAX, INT32_MAX)) > MAX_PAD)
      return forge_node_error (node, error, FORGE_ERROR_SHAPE,
          "a pad on axis %d is beyond %d", axis, MAX_PAD);
  }
  return TRUE;
}

static gboolean
infer (ForgeNode *node, GError **error)
{
  const ForgeValue *in = forge_node_in (node, 0);
  const ForgeValue *value = forge_node_in (node, 2);
  int64_t before[FORGE_MAX_DIMS], after[FORGE_MAX_DIMS];
  ForgeShape out = in->shape;
  PadMode mode = PAD_CONSTANT;
  if (!read_mode (node, &mode, error))
    return FALSE;
  if (forge_op_is_pending (node, 1) || forge_op_is_pending (node, 3))
    return forge_op_set_pending (node, in->dtype, out.rank, error);
  if (!read_pads (node, out.rank, before, after, error))
    return FALSE;
  if (value &&
      (value->dtype != in->dtype || forge_shape_count (&value->shape) != 1))
    return forge_node_error (node, error, FORGE_ERROR_SHAPE,
        "the value to pad with must be one %s", forge_dtype_name (in->dtype));
  for (int i = 0; i < out.rank; i++) {
    int64_t extent = out.dims[i], limit = MAX (before[i], after[i]);
    if (extent < 0)
      continue;
    out.dims[i] = extent + before[i] + after[i];
    if (out.dims[i] < 0 || (mode == PAD_REFLECT && limit >= MAX (extent, 1)) ||
        ((mode == PAD_EDGE || mode == PAD_WRAP) && extent == 0))
      return forge_node_error (node, error, FORGE_ERROR_SHAPE,
          "axis %d of %" G_GINT64_FORMAT
          " elements cannot be padded by %" G_GINT64_FORMAT
          " and %" G_GINT64_FORMAT,
          i, extent, before[i], after[i]);
  }
  return forge_op_set_out (node, 0, in->dtype, &out, error);
}

/* Place of the source along one axis; -1 = the constant. */
static int64_t
source_of (PadMode mode, int64_t at, int64_t extent)
{
  if (at >= 0 && at < extent)
    return at;
  if (mode == PAD_CONSTANT)
    return -1;
  if (mode == PAD_EDGE)
    return at < 0 ? 0 : extent - 1;
  if (mode == PAD_WRAP)
    return (at % extent + extent) % extent;
  return at < 0 ? -at : 2 * (extent - 1) - at;
}

static void
fill_value (const ForgeStep *step, void *value)
{
  const ForgeTensor *given = step->n_in > 2 ? step->in[2] : NULL;
  float attribute = forge_attrs_float (step->node->attrs, "value", 0);
  memset (value, 0, 8);
  if (given)
    memcpy (value, given->data, forge_dtype_size_bytes (given->dtype));
  else if (step->in[0]->dtype == FORGE_FLOAT32)
    memcpy (value, &attribute, sizeof attribute);
}

/* The last axis of one place of the others: what lies inside is copied as a
 * whole. */
static void
pad_row (const ForgeStep *step, PadMode mode, int64_t before, const char *src,
    const char *value, char *dst)
{
  int last = step->in[0]->shape.rank - 1;
  int64_t extent = step->in[0]->shape.dims[last];
  int64_t row = step->out[0]->shape.dims[last];
  size_t size = forge_dtype_size_bytes (step->in[0]->dtype);
  int64_t first = CLAMP (before, 0, row);
  int64_t end = CLAMP (before + extent, first, row);
  for (int64_t i = 0; i < row; i++) {
    if (src && i == first && end > first) {
      memcpy (dst + (size_t) first * size,
          src + (size_t) (first - before) * size,
          (size_t) (end - first) * size);
      i = end - 1;
      continue;
    }
    int64_t at = src ? source_of (mode, i - before, extent) : -1;
    memcpy (dst + (size_t) i * size, at < 0 ? value : src + (size_t) at * size,
        size);
  }
}

static void
run (const ForgeStep *step)
{
  const ForgeTensor *in = step->in[0], *out = step->out[0];
  int64_t before[FORGE_MAX_DIMS], after[FORGE_MAX_DIMS];
  int64_t strides[FORGE_MAX_DIMS];
  int last = in->shape.rank - 1;
  size_t size = forge_dtype_size_bytes (in->dtype);
  int64_t count = forge_tensor_get_count (out);
  PadMode mode = PAD_CONSTANT;
  char value[8];
  read_mode (step->node, &mode, NULL);
  read_pads (step->node, in->shape.rank, before, after, NULL);
  fill_value (step, value);
  forge_shape_strides (&in->shape, strides);
  if (last < 0) {
    memcpy (out->data, in->data, out->size_bytes);
    return;
  }
  for (int64_t i = 0; i < count; i += out->shape.dims[last]) {
    int64_t rest = i / out->shape.dims[last], from = 0;
    gboolean inside = TRUE;
    for (int d = last - 1; d >= 0; d--) {
      int64_t at = source_of (
          mode, rest % out->shape.dims[d] - before[d], in->shape.dims[d]);
      rest /= out->shape.dims[d];
      inside &= at >= 0;
      from += at * strides[d];
    }
    pad_row (step, mode, before[last],
        inside ? (const char *) in->data + (size_t) from * size : NULL, value,
        (char *) out->data + (size_t) i * size);
  }
}

const ForgeOp forge_op_Pad = { .type = "Pad",
  .domain = "",
  .min_inputs = 1,
  .max_inputs = 4,
  .min_outputs = 1,
  .max_outputs = 1,
  .infer = infer,
  .run = run };
