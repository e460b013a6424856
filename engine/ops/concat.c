/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Concat: the inputs one after another along an axis, of any type.
 * Source: ONNX operator specification, Concat-13. */
#include <string.h>

#include "ops/op-util.h"

static gboolean
find_axis (const ForgeNode *node, int *axis, GError **error)
{
  return forge_op_axis (node, forge_attrs_int (node->attrs, "axis", 1),
      forge_node_in (node, 0)->shape.rank, axis, error);
}

/* The extents other than @axis of one more input, merged into @out. */
static gboolean
merge (const ForgeNode *node, guint index, int axis, ForgeShape *out,
    GError **error)
{
  const ForgeValue *in = forge_node_in (node, index);
  const ForgeValue *first = forge_node_in (node, 0);
  if (!in || in->dtype != first->dtype || in->shape.rank != out->rank)
    return forge_node_error (node, error, FORGE_ERROR_SHAPE,
        "input %u differs from the first in type or in dimensions", index);
  for (int i = 0; i < out->rank; i++) {
    int64_t extent = in->shape.dims[i];
    if (i == axis)
      out->dims[i] =
          extent < 0 || out->dims[i] < 0 ? -1 : out->dims[i] + extent;
    else if (out->dims[i] < 0)
      out->dims[i] = extent;
    else if (extent >= 0 && extent != out->dims[i]) {
      g_autofree char *text = forge_shape_to_string (&in->shape);
      return forge_node_error (node, error, FORGE_ERROR_SHAPE,
          "input %u has shape %s; expected %" G_GINT64_FORMAT
          " elements along axis %d",
          index, text, out->dims[i], i);
    }
  }
  return TRUE;
}

static gboolean
infer (ForgeNode *node, GError **error)
{
  int axis;
  if (!forge_node_in (node, 0))
    return forge_node_error (
        node, error, FORGE_ERROR_SHAPE, "input 0 is missing");
  ForgeShape out = forge_node_in (node, 0)->shape;
  if (!find_axis (node, &axis, error))
    return FALSE;
  for (guint i = 1; i < node->inputs->len; i++)
    if (!merge (node, i, axis, &out, error))
      return FALSE;
  return forge_op_set_out (
      node, 0, forge_node_in (node, 0)->dtype, &out, error);
}

typedef struct {
  ForgeTensor *const *parts, *whole;
  size_t part_bytes[FORGE_MAX_NODE_IO]; /* of one row */
  size_t row_bytes;
  guint n_parts;
  gboolean join;
} Copy;

static void
copy_rows (void *data, size_t begin, size_t end)
{
  const Copy *copy = data;
  for (size_t row = begin; row < end; row++) {
    char *place = (char *) copy->whole->data + row * copy->row_bytes;
    for (guint i = 0; i < copy->n_parts; i++) {
      size_t bytes = copy->part_bytes[i];
      if (copy->parts[i] && bytes > 0) {
        char *part = (char *) copy->parts[i]->data + row * bytes;
        memcpy (copy->join ? place : part, copy->join ? part : place, bytes);
      }
      place += bytes;
    }
  }
}

/* Copies between the whole and its parts, in either direction. */
static void
copy_parts (const ForgeStep *step, ForgeTensor *const *parts,
    ForgeTensor *whole, gboolean join)
{
  int axis = 0;
  find_axis (step->node, &axis, NULL);
  const ForgeShape *shape = &step->out[0]->shape;
  size_t size = forge_dtype_size_bytes (whole->dtype);
  size_t inner = (size_t) forge_op_volume (shape, axis + 1, shape->rank) * size;
  Copy copy = { .parts = parts,
    .whole = whole,
    .row_bytes = (size_t) shape->dims[axis] * inner,
    .n_parts = step->n_in,
    .join = join };
  for (guint i = 0; i < step->n_in; i++)
    copy.part_bytes[i] = (size_t) step->in[i]->shape.dims[axis] * inner;
  size_t grain = FORGE_OP_GRAIN * sizeof (float) / MAX (copy.row_bytes, 1);
  forge_op_ranges (step->threads, (size_t) forge_op_volume (shape, 0, axis),
      MAX (grain, 1), copy_rows, &copy);
}

static void
run (const ForgeStep *step)
{
  copy_parts (step, step->in, step->out[0], TRUE);
}

static void
backward (const ForgeStep *step, const ForgeGradients *gradients)
{
  copy_parts (step, gradients->d_in, gradients->d_out[0], FALSE);
}

const ForgeOp forge_op_Concat = { .type = "Concat",
  .domain = "",
  .min_inputs = 1,
  .max_inputs = -1,
  .min_outputs = 1,
  .max_outputs = 1,
  .infer = infer,
  .run = run,
  .backward = backward };
