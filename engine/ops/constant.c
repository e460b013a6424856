/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Values known without any data: Constant (an attribute) and Shape (the
 * extents of its input). The pass that folds constants runs them once.
 * Source: ONNX operator specification, Constant-13 and Shape-15. */
#include <string.h>

#include "ops/op-util.h"

/* The attribute that a Constant carries, and what it looks like. */
static const ForgeAttr *
find_value (const ForgeNode *node, ForgeDtype *dtype, ForgeShape *shape)
{
  static const char *const names[] = { "value", "value_int", "value_ints",
    "value_float", "value_floats" };
  const ForgeAttr *attr = NULL;
  for (gsize i = 0; i < G_N_ELEMENTS (names) && !attr; i++)
    attr = forge_attrs_get (node->attrs, names[i]);
  if (!attr)
    return NULL;
  *shape = (ForgeShape) { 0 };
  *dtype = FORGE_INT64;
  switch (attr->type) {
  case FORGE_ATTR_TENSOR:
    *dtype = attr->tensor->dtype;
    *shape = attr->tensor->shape;
    return attr;
  case FORGE_ATTR_INT:
    return attr;
  case FORGE_ATTR_INTS:
    *shape = (ForgeShape) { 1, { attr->ints->len } };
    return attr;
  case FORGE_ATTR_FLOAT:
    *dtype = FORGE_FLOAT32;
    return attr;
  case FORGE_ATTR_FLOATS:
    *dtype = FORGE_FLOAT32;
    *shape = (ForgeShape) { 1, { attr->floats->len } };
    return attr;
  case FORGE_ATTR_STRING:
    return NULL;
  }
  return NULL;
}

static gboolean
infer_constant (ForgeNode *node, GError **error)
{
  ForgeDtype dtype;
  ForgeShape shape;
  if (!find_value (node, &dtype, &shape))
    return forge_node_error (node, error, FORGE_ERROR_UNSUPPORTED,
        "no value of a supported kind (tensor, ints, floats)");
  return forge_op_set_out (node, 0, dtype, &shape, error);
}

static void
run_constant (const ForgeStep *step)
{
  ForgeDtype dtype;
  ForgeShape shape;
  const ForgeAttr *attr = find_value (step->node, &dtype, &shape);
  const void *from = attr->type == FORGE_ATTR_TENSOR  ? attr->tensor->data
                     : attr->type == FORGE_ATTR_INT   ? (void *) &attr->i
                     : attr->type == FORGE_ATTR_INTS  ? attr->ints->data
                     : attr->type == FORGE_ATTR_FLOAT ? (void *) &attr->f
                                                      : attr->floats->data;
  if (step->out[0]->size_bytes > 0)
    memcpy (step->out[0]->data, from, step->out[0]->size_bytes);
}

/* The dimensions [begin, end) that Shape lists. */
static void
shape_range (const ForgeNode *node, int rank, int64_t *begin, int64_t *end)
{
  *begin = forge_attrs_int (node->attrs, "start", 0);
  *end = forge_attrs_int (node->attrs, "end", rank);
  *begin = CLAMP (*begin < 0 ? *begin + rank : *begin, 0, rank);
  *end = CLAMP (*end < 0 ? *end + rank : *end, *begin, rank);
}

static gboolean
infer_shape (ForgeNode *node, GError **error)
{
  int64_t begin, end;
  shape_range (node, forge_node_in (node, 0)->shape.rank, &begin, &end);
  ForgeShape out = { 1, { end - begin } };
  return forge_op_set_out (node, 0, FORGE_INT64, &out, error);
}

static void
run_shape (const ForgeStep *step)
{
  int64_t begin, end;
  const ForgeShape *in = &step->in[0]->shape;
  shape_range (step->node, in->rank, &begin, &end);
  memcpy (step->out[0]->data, in->dims + begin,
      (size_t) (end - begin) * sizeof (int64_t));
}

const ForgeOp forge_op_Constant = { .type = "Constant",
  .domain = "",
  .min_inputs = 0,
  .max_inputs = 0,
  .min_outputs = 1,
  .max_outputs = 1,
  .infer = infer_constant,
  .run = run_constant };

const ForgeOp forge_op_Shape = { .type = "Shape",
  .domain = "",
  .min_inputs = 1,
  .max_inputs = 1,
  .min_outputs = 1,
  .max_outputs = 1,
  .infer = infer_shape,
  .run = run_shape };
