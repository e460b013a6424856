/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Gather: slices of the data at the places that an integer tensor names. A
 * negative index counts from the end; one beyond the data is held to it,
 * since a run cannot fail.
 * Source: ONNX operator specification, Gather-13. */
#include <string.h>

#include "ops/element.h"
#include "ops/op-util.h"

static gboolean
infer (ForgeNode *node, GError **error)
{
  const ForgeValue *data = forge_node_in (node, 0);
  const ForgeValue *indices = forge_node_in (node, 1);
  ForgeShape out = { 0 };
  int axis;
  if (!indices ||
      (indices->dtype != FORGE_INT64 && indices->dtype != FORGE_INT32))
    return forge_node_error (node, error, FORGE_ERROR_UNSUPPORTED,
        "the indices must be int64 or int32");
  if (!forge_op_axis (node, forge_attrs_int (node->attrs, "axis", 0),
          data->shape.rank, &axis, error))
    return FALSE;
  if (data->shape.rank + indices->shape.rank - 1 > FORGE_MAX_DIMS ||
      data->shape.dims[axis] == 0)
    return forge_node_error (node, error, FORGE_ERROR_UNSUPPORTED,
        "axis %d is empty or the result has more than %d dimensions", axis,
        FORGE_MAX_DIMS);
  for (int i = 0; i < axis; i++)
    out.dims[out.rank++] = data->shape.dims[i];
  for (int i = 0; i < indices->shape.rank; i++)
    out.dims[out.rank++] = indices->shape.dims[i];
  for (int i = axis + 1; i < data->shape.rank; i++)
    out.dims[out.rank++] = data->shape.dims[i];
  return forge_op_set_out (node, 0, data->dtype, &out, error);
}

static void
run (const ForgeStep *step)
{
  const ForgeTensor *data = step->in[0], *indices = step->in[1];
  int axis = 0;
  forge_op_axis (step->node, forge_attrs_int (step->node->attrs, "axis", 0),
      data->shape.rank, &axis, NULL);
  int64_t outer = forge_op_volume (&data->shape, 0, axis);
  int64_t extent = data->shape.dims[axis];
  size_t bytes =
      (size_t) forge_op_volume (&data->shape, axis + 1, data->shape.rank) *
      forge_dtype_size_bytes (data->dtype);
  size_t count = (size_t) forge_tensor_get_count (indices);
  char *to = step->out[0]->data;
  for (int64_t n = 0; n < outer; n++)
    for (size_t i = 0; i < count; i++, to += bytes) {
      int64_t at = forge_element_load_int (indices->dtype, indices->data, i);
      at = CLAMP (at < 0 ? at + extent : at, 0, extent - 1);
      memcpy (to,
          (const char *) data->data + (size_t) (n * extent + at) * bytes,
          bytes);
    }
}

const ForgeOp forge_op_Gather = { .type = "Gather",
  .domain = "",
  .min_inputs = 2,
  .max_inputs = 2,
  .min_outputs = 1,
  .max_outputs = 1,
  .infer = infer,
  .run = run };
