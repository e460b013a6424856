/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Looking at and rewiring a graph, for the passes. */
#include "graph/pass-util.h"

#include <string.h>

gboolean
forge_node_is (const ForgeNode *node, const char *type)
{
  return strcmp (node->op->type, type) == 0;
}

ForgeNode *
forge_node_source (const ForgeNode *node, guint index, const char *type)
{
  const ForgeValue *in = forge_node_in (node, index);
  return in && in->producer && forge_node_is (in->producer, type) ? in->producer
                                                                  : NULL;
}

const float *
forge_node_floats (const ForgeNode *node, guint index, int64_t count)
{
  const ForgeValue *in = forge_node_in (node, index);
  if (!in || !in->constant || in->dtype != FORGE_FLOAT32 ||
      forge_shape_count (&in->shape) != count)
    return NULL;
  return in->constant->data;
}

gsize
forge_node_ints (const ForgeNode *node, const char *name, guint index,
    const int64_t **values)
{
  gsize n_values = forge_attrs_ints (node->attrs, name, values);
  const ForgeValue *in = forge_node_in (node, index);
  if (n_values > 0 || !in || !in->constant || in->dtype != FORGE_INT64)
    return n_values;
  *values = in->constant->data;
  return (gsize) forge_shape_count (&in->shape);
}

gboolean
forge_graph_only_reader (
    const ForgeGraph *graph, const ForgeValue *value, const ForgeNode *node)
{
  guint times = 0;
  for (guint i = 0; i < node->inputs->len; i++)
    times += node->inputs->pdata[i] == value;
  return times == 1 && forge_graph_count_readers (graph, value) == 1;
}

void
forge_node_set_in (ForgeNode *node, guint index, ForgeValue *value)
{
  while (node->inputs->len <= index)
    g_ptr_array_add (node->inputs, NULL);
  node->inputs->pdata[index] = value;
}

ForgeNode *
forge_graph_insert (ForgeGraph *graph, const ForgeOp *op, const char *name,
    ForgeAttrs *attrs, ForgeValue *const *inputs, guint n_inputs)
{
  ForgeValue *out = forge_graph_value (graph, NULL);
  ForgeNode *node =
      forge_graph_add_node (graph, op, name, attrs, inputs, n_inputs, &out, 1);
  node->opset = MAX (node->opset, FORGE_PASS_OPSET);
  return node;
}

void
forge_node_swap_out (ForgeNode *node, ForgeValue *value)
{
  ForgeValue *old = node->outputs->pdata[0];
  if (old->producer == node)
    old->producer = NULL;
  node->outputs->pdata[0] = value;
  value->producer = node;
}

ForgeValue *
forge_graph_new_floats (
    ForgeGraph *graph, const ForgeShape *shape, float **data, GError **error)
{
  g_autoptr (ForgeTensor) tensor =
      forge_tensor_new (FORGE_FLOAT32, shape, error);
  if (!tensor)
    return NULL;
  *data = tensor->data;
  return forge_graph_add_constant (graph, NULL, tensor);
}

ForgeValue *
forge_graph_new_shape (
    ForgeGraph *graph, const ForgeShape *shape, GError **error)
{
  ForgeShape length = forge_shape (1, shape->rank);
  g_autoptr (ForgeTensor) tensor =
      forge_tensor_new (FORGE_INT64, &length, error);
  if (!tensor)
    return NULL;
  memcpy (tensor->data, shape->dims, (size_t) shape->rank * sizeof (int64_t));
  return forge_graph_add_constant (graph, NULL, tensor);
}

static gboolean
is_live (const ForgeNode *node, GHashTable *needed)
{
  for (guint i = 0; i < node->outputs->len; i++)
    if (node->outputs->pdata[i] &&
        g_hash_table_contains (needed, node->outputs->pdata[i]))
      return TRUE;
  return FALSE;
}

void
forge_graph_drop_dead (ForgeGraph *graph)
{
  g_autoptr (GHashTable) needed = g_hash_table_new (NULL, NULL);
  for (guint i = 0; i < graph->outputs->len; i++)
    g_hash_table_add (needed, graph->outputs->pdata[i]);
  for (guint n = graph->nodes->len; n > 0; n--) {
    ForgeNode *node = graph->nodes->pdata[n - 1];
    if (!is_live (node, needed)) {
      forge_graph_remove_node (graph, node);
      continue;
    }
    for (guint i = 0; i < node->inputs->len; i++)
      if (node->inputs->pdata[i])
        g_hash_table_add (needed, node->inputs->pdata[i]);
  }
  forge_graph_sweep (graph);
}
