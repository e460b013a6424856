/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Concat: the inputs one after another along an axis, of any type. An input
 * that the memory plan has put where it belongs (graph/slices.c) is left there.
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

static gboolean
takes_slice (const ForgeNode *node, int index)
{
  int axis;
  return find_axis (node, &axis, NULL) &&
         axis == forge_node_in (node, 0)->shape.rank - 1;
}

typedef struct {
  char *data;
  size_t row_bytes, stride_bytes;
  char *place; /* in the first row of the whole */
} Part;

typedef struct {
  Part parts[FORGE_MAX_NODE_IO];
  guint n_parts;
  size_t n_rows, row_bytes; /* of the parts together */
  size_t stride_bytes;      /* of the whole */
  gboolean join;
} Copy;

static void
copy_rows (void *data, size_t begin, size_t end)
{
  const Copy *copy = data;
  for (size_t row = begin; row < end; row++)
    for (guint i = 0; i < copy->n_parts; i++) {
      const Part *part = &copy->parts[i];
      char *place = part->place + row * copy->stride_bytes;
      char *at = part->data + row * part->stride_bytes;
      memcpy (
          copy->join ? place : at, copy->join ? at : place, part->row_bytes);
    }
}

/* Rows of a slice lie apart; all others follow one another. */
static size_t
stride_of (const ForgeTensor *tensor, size_t row_bytes)
{
  return tensor->slice_stride_elems ? (size_t) tensor->slice_stride_elems *
                                          forge_dtype_size_bytes (tensor->dtype)
                                    : row_bytes;
}

/* All but the parts that are in place. */
static void
list_parts (const ForgeStep *step, ForgeTensor *const *parts,
    const ForgeTensor *whole, Copy *copy)
{
  int axis = 0;
  find_axis (step->node, &axis, NULL);
  const ForgeShape *shape = &whole->shape;
  size_t size = forge_dtype_size_bytes (whole->dtype);
  size_t inner = (size_t) forge_op_volume (shape, axis + 1, shape->rank) * size;
  char *place = whole->data;
  copy->n_rows = (size_t) forge_op_volume (shape, 0, axis);
  copy->stride_bytes = stride_of (whole, (size_t) shape->dims[axis] * inner);
  for (guint i = 0; i < step->n_in; i++) {
    size_t row_bytes = (size_t) step->in[i]->shape.dims[axis] * inner;
    if (parts[i] && row_bytes > 0 && parts[i]->data != place) {
      copy->parts[copy->n_parts++] = (Part) { parts[i]->data, row_bytes,
        stride_of (parts[i], row_bytes), place };
      copy->row_bytes += row_bytes;
    }
    place += row_bytes;
  }
}

/* Copies between the whole and its parts, in either direction. */
static void
copy_parts (const ForgeStep *step, ForgeTensor *const *parts,
    const ForgeTensor *whole, gboolean join)
{
  Copy copy = { .join = join };
  list_parts (step, parts, whole, &copy);
  if (copy.n_parts == 0)
    return;
  size_t grain = FORGE_OP_GRAIN * sizeof (float) / copy.row_bytes;
  forge_op_ranges (
      step->threads, copy.n_rows, MAX (grain, 1), copy_rows, &copy);
}

size_t
forge_concat_copied_bytes (const ForgeStep *step)
{
  Copy copy = { 0 };
  list_parts (step, step->in, step->out[0], &copy);
  return copy.n_rows * copy.row_bytes;
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
  .backward = backward,
  .takes_slice = takes_slice };
