/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Shapes and types through the graph, first with the batch unknown, then with
 * the batch a session asks for. */
#include "graph/evaluate.h"

static gboolean
check_outputs (const ForgeNode *node, GError **error)
{
  for (guint i = 0; i < node->outputs->len; i++) {
    const ForgeValue *out = node->outputs->pdata[i];
    if (!out)
      continue;
    if (out->dtype == FORGE_DTYPE_UNKNOWN)
      return forge_node_error (node, error, FORGE_ERROR_UNSUPPORTED,
          "the element type of output %u, '%s', is unknown", i, out->name);
    gboolean unknown = FALSE;
    for (int d = 0; d < out->shape.rank; d++)
      unknown |= out->shape.dims[d] < 0;
    size_t size_bytes;
    if (!unknown &&
        !forge_shape_size_bytes (&out->shape, out->dtype, &size_bytes)) {
      g_autofree char *text = forge_shape_to_string (&out->shape);
      return forge_node_error (node, error, FORGE_ERROR_SHAPE,
          "output %u of shape %s is too large", i, text);
    }
  }
  return TRUE;
}

gboolean
forge_graph_infer (ForgeGraph *graph, GError **error)
{
  for (guint n = 0; n < graph->nodes->len; n++) {
    ForgeNode *node = graph->nodes->pdata[n];
    if (!node->op->infer (node, error) || !check_outputs (node, error))
      return FALSE;
    if (forge_node_is_extents (node) && !forge_node_evaluate (node, error))
      return FALSE;
  }
  return TRUE;
}

gboolean
forge_graph_bind_batch (ForgeGraph *graph, int64_t batch, GError **error)
{
  g_return_val_if_fail (batch >= 1, FALSE);
  for (guint i = 0; i < graph->inputs->len; i++) {
    ForgeValue *input = graph->inputs->pdata[i];
    if (input->shape.rank > 0 && input->shape.dims[0] < 0)
      input->shape.dims[0] = batch;
    size_t size_bytes;
    if (!forge_shape_size_bytes (&input->shape, input->dtype, &size_bytes)) {
      g_autofree char *text = forge_shape_to_string (&input->shape);
      g_set_error (error, FORGE_ERROR, FORGE_ERROR_SHAPE,
          "input '%s' has shape %s: only the leading extent may be unknown, "
          "and the size must fit memory",
          input->name, text);
      return FALSE;
    }
  }
  return forge_graph_infer (graph, error);
}
