/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What `gst-forge inspect` prints: the nodes of the file with shapes for one
 * image, and how many trained numbers there are. */
#include "run/executor.h"
#include "run/model.h"

/* Elements of input @index when it is trained (or measured in training); a
 * single number is a rescale, not a layer. */
static int64_t
count_input (const ForgeNode *node, guint index)
{
  if (forge_node_input_role (node, index) == FORGE_ROLE_NONE)
    return 0;
  int64_t count = forge_shape_count (&forge_node_in (node, index)->shape);
  return count > 1 ? count : 0;
}

static void
fill_row (const ForgeNode *node, ForgeLayerInfo *row)
{
  row->name = g_strdup (node->name);
  row->type = g_strdup (node->op->type);
  const ForgeValue *out = forge_node_out (node, 0);
  if (out)
    row->output_shape = out->shape;
  for (guint i = 0; i < node->inputs->len; i++)
    row->n_parameters += count_input (node, i);
  if (node->op->flops && forge_shape_count (&row->output_shape) >= 0)
    row->n_flops = node->op->flops (node);
}

ForgeLayerInfo *
forge_model_summarise (const ForgeModel *model, gsize *n_layers)
{
  g_autoptr (ForgeGraph) graph =
      forge_graph_copy (forge_model_get_graph (model));
  /* Where one image does not bind, the shapes stay as the file has them. */
  g_autoptr (ForgeGraph) bound = forge_graph_copy (graph);
  const ForgeGraph *shown =
      forge_graph_bind_batch (bound, 1, NULL) ? bound : graph;
  *n_layers = shown->nodes->len;
  ForgeLayerInfo *rows = g_new0 (ForgeLayerInfo, *n_layers + 1);
  for (gsize n = 0; n < *n_layers; n++)
    fill_row (shown->nodes->pdata[n], &rows[n]);
  return rows;
}

void
forge_layer_info_free (ForgeLayerInfo *layers, gsize n_layers)
{
  for (gsize n = 0; layers && n < n_layers; n++) {
    g_free (layers[n].name);
    g_free (layers[n].type);
  }
  g_free (layers);
}

int64_t
forge_model_count_parameters (const ForgeModel *model)
{
  const ForgeGraph *graph = forge_model_get_graph (model);
  g_autoptr (GHashTable) seen = g_hash_table_new (NULL, NULL);
  int64_t total = 0;
  for (guint n = 0; n < graph->nodes->len; n++) {
    const ForgeNode *node = graph->nodes->pdata[n];
    for (guint i = 0; i < node->inputs->len; i++) {
      int64_t count = count_input (node, i);
      if (count && g_hash_table_add (seen, node->inputs->pdata[i]))
        total += count;
    }
  }
  return total;
}
