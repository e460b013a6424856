/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The network as a mutable graph: values by name, nodes in a list, every
 * value with at most one producer. Builders (formats/, train/) and passes
 * edit it here; sort.c says whether what they made is sound. */
#include "graph/graph.h"

static void
value_free (ForgeValue *value)
{
  forge_tensor_unref (value->constant);
  forge_tensor_unref (value->scale);
  g_free (value->name);
  g_free (value);
}

static void
node_free (ForgeNode *node)
{
  g_ptr_array_unref (node->inputs);
  g_ptr_array_unref (node->outputs);
  forge_attrs_free (node->attrs);
  g_free (node->name);
  g_free (node);
}

ForgeGraph *
forge_graph_new (const char *name)
{
  ForgeGraph *graph = g_new0 (ForgeGraph, 1);
  graph->name = g_strdup (name ? name : "");
  graph->nodes = g_ptr_array_new_with_free_func ((GDestroyNotify) node_free);
  graph->values = g_ptr_array_new_with_free_func ((GDestroyNotify) value_free);
  graph->inputs = g_ptr_array_new ();
  graph->outputs = g_ptr_array_new ();
  graph->metadata =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
  graph->by_name = g_hash_table_new (g_str_hash, g_str_equal);
  return graph;
}

void
forge_graph_free (ForgeGraph *graph)
{
  if (!graph)
    return;
  g_hash_table_unref (graph->by_name);
  g_hash_table_unref (graph->metadata);
  g_ptr_array_unref (graph->nodes);
  g_ptr_array_unref (graph->inputs);
  g_ptr_array_unref (graph->outputs);
  g_ptr_array_unref (graph->values);
  g_free (graph->name);
  g_free (graph);
}

ForgeValue *
forge_graph_find (const ForgeGraph *graph, const char *name)
{
  return g_hash_table_lookup (graph->by_name, name);
}

static char *
fresh_name (ForgeGraph *graph)
{
  char *name = NULL;
  do {
    g_free (name);
    name = g_strdup_printf ("forge.%u", graph->next_id++);
  } while (forge_graph_find (graph, name));
  return name;
}

ForgeValue *
forge_graph_value (ForgeGraph *graph, const char *name)
{
  gboolean named = name && *name;
  ForgeValue *value = named ? forge_graph_find (graph, name) : NULL;
  if (value)
    return value;
  value = g_new0 (ForgeValue, 1);
  value->name = named ? g_strdup (name) : fresh_name (graph);
  g_ptr_array_add (graph->values, value);
  g_hash_table_insert (graph->by_name, value->name, value);
  return value;
}

gboolean
forge_graph_rename (ForgeGraph *graph, ForgeValue *value, const char *name)
{
  if (!name || !*name || forge_graph_find (graph, name))
    return FALSE;
  g_hash_table_remove (graph->by_name, value->name);
  g_free (value->name);
  value->name = g_strdup (name);
  g_hash_table_insert (graph->by_name, value->name, value);
  return TRUE;
}

ForgeValue *
forge_graph_add_input (ForgeGraph *graph, const char *name, ForgeDtype dtype,
    const ForgeShape *shape)
{
  ForgeValue *value = forge_graph_value (graph, name);
  value->dtype = dtype;
  value->shape = *shape;
  g_ptr_array_add (graph->inputs, value);
  return value;
}

ForgeValue *
forge_graph_add_constant (
    ForgeGraph *graph, const char *name, ForgeTensor *tensor)
{
  ForgeValue *value = forge_graph_value (graph, name);
  forge_value_set_constant (value, tensor);
  return value;
}

void
forge_value_set_stored (
    ForgeValue *value, ForgeDtype dtype, ForgeTensor *scale, int scale_axis)
{
  ForgeTensor *kept = scale ? forge_tensor_ref (scale) : NULL;
  forge_tensor_unref (value->scale);
  value->scale = kept;
  value->scale_axis = scale_axis;
  value->stored = dtype;
}

void
forge_value_set_constant (ForgeValue *value, ForgeTensor *tensor)
{
  forge_tensor_ref (tensor);
  forge_tensor_unref (value->constant);
  value->constant = tensor;
  forge_value_set_stored (value, FORGE_DTYPE_UNKNOWN, NULL, -1);
  value->dtype = tensor->dtype;
  value->shape = tensor->shape;
}

void
forge_graph_add_output (ForgeGraph *graph, ForgeValue *value)
{
  g_ptr_array_add (graph->outputs, value);
}

static void
attach_outputs (ForgeNode *node, ForgeValue *const *outputs, guint n_outputs)
{
  for (guint i = 0; i < n_outputs; i++) {
    g_ptr_array_add (node->outputs, outputs[i]);
    /* A second producer is left to forge_graph_sort to report. */
    if (outputs[i] && !outputs[i]->producer)
      outputs[i]->producer = node;
  }
}

ForgeNode *
forge_graph_add_node (ForgeGraph *graph, const ForgeOp *op, const char *name,
    ForgeAttrs *attrs, ForgeValue *const *inputs, guint n_inputs,
    ForgeValue *const *outputs, guint n_outputs)
{
  ForgeNode *node = g_new0 (ForgeNode, 1);
  node->name = name && *name
                   ? g_strdup (name)
                   : g_strdup_printf ("%s.%u", op->type, graph->next_id++);
  node->op = op;
  node->opset = graph->opset;
  node->attrs = attrs ? attrs : forge_attrs_new ();
  node->activation = (ForgeActivation) FORGE_ACTIVATION_NONE;
  node->inputs = g_ptr_array_sized_new (n_inputs);
  for (guint i = 0; i < n_inputs; i++)
    g_ptr_array_add (node->inputs, inputs[i]);
  node->outputs = g_ptr_array_sized_new (n_outputs);
  attach_outputs (node, outputs, n_outputs);
  g_ptr_array_add (graph->nodes, node);
  return node;
}

static void
detach_outputs (const ForgeNode *node)
{
  for (guint i = 0; i < node->outputs->len; i++) {
    ForgeValue *out = node->outputs->pdata[i];
    if (!out || out->producer != node)
      continue;
    out->producer = NULL;
    out->folded = FALSE;
  }
}

void
forge_graph_remove_node (ForgeGraph *graph, ForgeNode *node)
{
  detach_outputs (node);
  g_ptr_array_remove (graph->nodes, node);
}

void
forge_graph_remove_nodes (ForgeGraph *graph, GHashTable *nodes)
{
  guint kept = 0;
  for (guint n = 0; n < graph->nodes->len; n++) {
    ForgeNode *node = graph->nodes->pdata[n];
    if (!g_hash_table_contains (nodes, node)) {
      graph->nodes->pdata[kept++] = node;
      continue;
    }
    detach_outputs (node);
    node_free (node);
  }
  g_ptr_array_set_free_func (graph->nodes, NULL);
  g_ptr_array_set_size (graph->nodes, (int) kept);
  g_ptr_array_set_free_func (graph->nodes, (GDestroyNotify) node_free);
}

void
forge_graph_replace_value (ForgeGraph *graph, ForgeValue *from, ForgeValue *to)
{
  for (guint n = 0; n < graph->nodes->len; n++) {
    ForgeNode *node = graph->nodes->pdata[n];
    for (guint i = 0; i < node->inputs->len; i++)
      if (node->inputs->pdata[i] == from)
        node->inputs->pdata[i] = to;
  }
  for (guint i = 0; i < graph->outputs->len; i++)
    if (graph->outputs->pdata[i] == from)
      graph->outputs->pdata[i] = to;
}

guint
forge_graph_count_readers (const ForgeGraph *graph, const ForgeValue *value)
{
  guint count = g_ptr_array_find (graph->outputs, value, NULL);
  for (guint n = 0; n < graph->nodes->len; n++) {
    const ForgeNode *node = graph->nodes->pdata[n];
    count += g_ptr_array_find (node->inputs, value, NULL);
  }
  return count;
}

static void
mark (GHashTable *used, const GPtrArray *values)
{
  for (guint i = 0; i < values->len; i++)
    if (values->pdata[i])
      g_hash_table_add (used, values->pdata[i]);
}

void
forge_graph_sweep (ForgeGraph *graph)
{
  g_autoptr (GHashTable) used = g_hash_table_new (NULL, NULL);
  mark (used, graph->inputs);
  mark (used, graph->outputs);
  for (guint n = 0; n < graph->nodes->len; n++) {
    const ForgeNode *node = graph->nodes->pdata[n];
    mark (used, node->inputs);
    mark (used, node->outputs);
  }
  guint kept = 0;
  for (guint i = 0; i < graph->values->len; i++) {
    ForgeValue *value = graph->values->pdata[i];
    if (g_hash_table_contains (used, value)) {
      graph->values->pdata[kept++] = value;
    } else {
      g_hash_table_remove (graph->by_name, value->name);
      value_free (value);
    }
  }
  /* The tail holds pointers that moved or were freed. */
  for (guint i = kept; i < graph->values->len; i++)
    graph->values->pdata[i] = NULL;
  g_ptr_array_set_free_func (graph->values, NULL);
  g_ptr_array_set_size (graph->values, (int) kept);
  g_ptr_array_set_free_func (graph->values, (GDestroyNotify) value_free);
}

/* The copies of @values, by name order of @map. NULL stays NULL. */
static void
copy_list (GHashTable *map, const GPtrArray *values, GPtrArray *out)
{
  for (guint i = 0; i < values->len; i++) {
    gpointer value = values->pdata[i];
    g_ptr_array_add (out, value ? g_hash_table_lookup (map, value) : NULL);
  }
}

static void
copy_node (ForgeGraph *copy, GHashTable *map, const ForgeNode *node)
{
  g_autoptr (GPtrArray) inputs = g_ptr_array_new ();
  g_autoptr (GPtrArray) outputs = g_ptr_array_new ();
  copy_list (map, node->inputs, inputs);
  copy_list (map, node->outputs, outputs);
  ForgeNode *made = forge_graph_add_node (copy, node->op, node->name,
      node->attrs ? forge_attrs_copy (node->attrs) : NULL,
      (ForgeValue **) inputs->pdata, inputs->len,
      (ForgeValue **) outputs->pdata, outputs->len);
  made->opset = node->opset;
  made->nhwc = node->nhwc;
  made->activation = node->activation;
}

ForgeGraph *
forge_graph_copy (const ForgeGraph *graph)
{
  ForgeGraph *copy = forge_graph_new (graph->name);
  copy->opset = graph->opset;
  copy->next_id = graph->next_id;
  g_autoptr (GHashTable) map = g_hash_table_new (NULL, NULL);
  for (guint i = 0; i < graph->values->len; i++) {
    ForgeValue *value = graph->values->pdata[i];
    ForgeValue *made = forge_graph_value (copy, value->name);
    made->dtype = value->dtype;
    made->shape = value->shape;
    if (value->constant)
      forge_value_set_constant (made, value->constant);
    forge_value_set_stored (
        made, value->stored, value->scale, value->scale_axis);
    made->folded = value->folded;
    made->frozen = value->frozen;
    g_hash_table_insert (map, value, made);
  }
  for (guint n = 0; n < graph->nodes->len; n++)
    copy_node (copy, map, graph->nodes->pdata[n]);
  copy_list (map, graph->inputs, copy->inputs);
  copy_list (map, graph->outputs, copy->outputs);
  GHashTableIter iter;
  gpointer key, text;
  g_hash_table_iter_init (&iter, graph->metadata);
  while (g_hash_table_iter_next (&iter, &key, &text))
    g_hash_table_insert (copy->metadata, g_strdup (key), g_strdup (text));
  return copy;
}
