/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * ReduceMean over any set of axes, and the shapes of all reductions.
 * Source: ONNX operator specification; axes was an attribute before opset 18
 * and is input 1 since. */
#include "ops/reduce.h"

#include <string.h>

#include "ops/broadcast.h"
#include "ops/op-util.h"

/* The input's shape with 1 at every reduced axis. */
gboolean
forge_reduce_shape (const ForgeNode *node, ForgeShape *kept,
    gboolean marks[FORGE_MAX_DIMS], GError **error)
{
  int64_t axes[FORGE_OP_MAX_INTS];
  int n_axes, axis;
  *kept = forge_node_in (node, 0)->shape;
  memset (marks, 0, FORGE_MAX_DIMS * sizeof *marks);
  if (!forge_op_ints (node, "axes", 1, axes, &n_axes, error))
    return FALSE;
  if (n_axes <= 0 && !forge_attrs_int (node->attrs, "noop_with_empty_axes", 0))
    for (n_axes = 0; n_axes < kept->rank; n_axes++)
      axes[n_axes] = n_axes;
  for (int i = 0; i < n_axes; i++) {
    if (!forge_op_axis (node, axes[i], kept->rank, &axis, error))
      return FALSE;
    marks[axis] = TRUE;
    kept->dims[axis] = 1;
  }
  return TRUE;
}

gboolean
forge_reduce_need_elements (const ForgeNode *node, GError **error)
{
  gboolean marks[FORGE_MAX_DIMS];
  ForgeShape kept;
  if (!forge_reduce_shape (node, &kept, marks, error))
    return FALSE;
  for (int i = 0; i < kept.rank; i++)
    if (marks[i] && forge_node_in (node, 0)->shape.dims[i] == 0)
      return forge_node_error (
          node, error, FORGE_ERROR_SHAPE, "axis %d has no elements", i);
  return TRUE;
}

gboolean
forge_reduce_infer (ForgeNode *node, ForgeDtype dtype, GError **error)
{
  gboolean marks[FORGE_MAX_DIMS];
  ForgeShape kept, out = { 0 };
  if (!forge_reduce_shape (node, &kept, marks, error))
    return FALSE;
  gboolean keep = forge_attrs_int (node->attrs, "keepdims", 1) != 0;
  for (int i = 0; i < kept.rank; i++)
    if (keep || !marks[i])
      out.dims[out.rank++] = kept.dims[i];
  return forge_op_set_out (node, 0, dtype, &out, error);
}

static gboolean
infer (ForgeNode *node, GError **error)
{
  return forge_op_need_float (node, 0, error) &&
         forge_reduce_need_elements (node, error) &&
         forge_reduce_infer (node, FORGE_FLOAT32, error);
}

static float
scale_of (const ForgeStep *step)
{
  int64_t n_in = forge_tensor_get_count (step->in[0]);
  int64_t n_out = forge_tensor_get_count (step->out[0]);
  return n_in > 0 ? (float) n_out / (float) n_in : 0;
}

static void
run (const ForgeStep *step)
{
  gboolean marks[FORGE_MAX_DIMS];
  ForgeShape kept;
  forge_reduce_shape (step->node, &kept, marks, NULL);
  forge_broadcast_reduce (step->in[0]->data, &step->in[0]->shape,
      scale_of (step), step->out[0]->data, &kept);
}

static void
backward (const ForgeStep *step, const ForgeGradients *gradients)
{
  gboolean marks[FORGE_MAX_DIMS];
  ForgeShape kept;
  ForgeBroadcast bc;
  if (!gradients->d_in[0])
    return;
  const float *dy = gradients->d_out[0]->data;
  float *dx = gradients->d_in[0]->data, scale = scale_of (step);
  forge_reduce_shape (step->node, &kept, marks, NULL);
  forge_broadcast_init (&bc, &step->in[0]->shape, &kept, &step->in[0]->shape);
  for (int64_t row = 0; row < bc.n_rows; row++) {
    int64_t to, from;
    forge_broadcast_row (&bc, row, &to, &from);
    for (int64_t i = 0; i < bc.row; i++)
      dx[to + i * (int64_t) bc.a_step] =
          dy[from + i * (int64_t) bc.b_step] * scale;
  }
}

static int64_t
flops (const ForgeNode *node)
{
  return MAX (0, forge_shape_count (&forge_node_in (node, 0)->shape));
}

const ForgeOp forge_op_ReduceMean = { .type = "ReduceMean",
  .domain = "",
  .min_inputs = 1,
  .max_inputs = 2,
  .min_outputs = 1,
  .max_outputs = 1,
  .infer = infer,
  .run = run,
  .backward = backward,
  .flops = flops };
