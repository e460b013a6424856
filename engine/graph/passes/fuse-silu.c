/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * x * Sigmoid (x) becomes Silu, x * HardSigmoid (x) with slope 1/6 and shift
 * 1/2 becomes HardSwish: one pass over memory, and something that
 * fuse-activation can move into the layer before. */
#include <math.h>

#include "graph/pass-util.h"

gboolean forge_pass_fuse_silu (ForgeGraph *, ForgePassSet, GError **);

static gboolean
is_swish_gate (const ForgeNode *node)
{
  float alpha = forge_attrs_float (node->attrs, "alpha", 0.2f);
  float beta = forge_attrs_float (node->attrs, "beta", 0.5f);
  return forge_node_is (node, "HardSigmoid") &&
         fabsf (alpha - 1.0f / 6) < 1e-7f && beta == 0.5f;
}

/* The operator that does the work of a gate and its product; or NULL. */
static const ForgeOp *
fused_op (const ForgeNode *gate)
{
  if (forge_node_is (gate, "Sigmoid"))
    return forge_op_find ("Silu", "forge");
  return is_swish_gate (gate) ? forge_op_find ("HardSwish", "") : NULL;
}

static gboolean
try_fuse (ForgeGraph *graph, ForgeNode *mul, guint index)
{
  ForgeValue *gated = forge_node_in (mul, index);
  ForgeValue *x = forge_node_in (mul, 1 - index);
  const ForgeNode *gate = gated->producer;
  if (!gate || forge_node_in (gate, 0) != x ||
      !forge_graph_only_reader (graph, gated, mul))
    return FALSE;
  const ForgeOp *op = fused_op (gate);
  if (!op)
    return FALSE;
  ForgeNode *fused = forge_graph_insert (graph, op, mul->name, NULL, &x, 1);
  forge_graph_replace_value (
      graph, forge_node_out (mul, 0), forge_node_out (fused, 0));
  return TRUE;
}

gboolean
forge_pass_fuse_silu (ForgeGraph *graph, ForgePassSet set, GError **error)
{
  guint n_nodes = graph->nodes->len;
  for (guint n = 0; n < n_nodes; n++) {
    ForgeNode *node = graph->nodes->pdata[n];
    if (forge_node_is (node, "Mul") && !try_fuse (graph, node, 0))
      try_fuse (graph, node, 1);
  }
  return TRUE;
}
