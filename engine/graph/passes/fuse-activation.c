/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Moves an activation into the node before it, which then applies it to
 * values that are still in registers or in cache. */
#include "graph/pass-util.h"

gboolean forge_pass_fuse_activation (ForgeGraph *, ForgePassSet, GError **);

/* The operators that apply node->activation. */
static gboolean
takes_activation (const ForgeNode *node)
{
  static const char *const types[] = { "Conv", "Gemm", "MatMul",
    "BatchNormalization", "Add", NULL };
  return node->activation.kind == -1 &&
         g_strv_contains (types, node->op->type) &&
         forge_node_out (node, 0)->dtype == FORGE_FLOAT32;
}

gboolean
forge_pass_fuse_activation (ForgeGraph *graph, ForgePassSet set, GError **error)
{
  for (guint n = 0; n < graph->nodes->len; n++) {
    const ForgeNode *node = graph->nodes->pdata[n];
    ForgeActivation activation;
    const ForgeValue *in = forge_node_in (node, 0);
    if (!in || !in->producer || !takes_activation (in->producer) ||
        !forge_node_activation (node, &activation) ||
        !forge_graph_only_reader (graph, in, node))
      continue;
    in->producer->activation = activation;
    forge_graph_replace_value (
        graph, forge_node_out (node, 0), forge_node_in (node, 0));
  }
  return TRUE;
}
