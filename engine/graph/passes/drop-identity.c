/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Takes out nodes that change nothing: Identity, Cast to the same type,
 * Concat of one, Transpose in the same order, Pad by nothing, and, where
 * nothing trains, Dropout. */
#include "graph/pass-util.h"

gboolean forge_pass_drop_identity (ForgeGraph *, ForgePassSet, GError **);

static gboolean
keeps_order (const ForgeNode *node)
{
  const int64_t *perm;
  gsize n_perm = forge_attrs_ints (node->attrs, "perm", &perm);
  if (n_perm == 0) /* reverses all axes */
    return forge_node_in (node, 0)->shape.rank < 2;
  for (gsize i = 0; i < n_perm; i++)
    if (perm[i] != (int64_t) i)
      return FALSE;
  return TRUE;
}

/* FALSE where the pads are not known. */
static gboolean
pads_nothing (const ForgeNode *node)
{
  const int64_t *pads;
  gsize n_pads = forge_node_ints (node, "pads", 1, &pads);
  for (gsize i = 0; i < n_pads; i++)
    if (pads[i] != 0)
      return FALSE;
  return n_pads > 0;
}

static gboolean
changes_nothing (const ForgeNode *node, ForgePassSet set)
{
  if (forge_node_is (node, "Identity"))
    return TRUE;
  if (forge_node_is (node, "Dropout"))
    return set == FORGE_PASSES_INFERENCE;
  if (forge_node_is (node, "Cast") || forge_node_is (node, "CastLike"))
    return forge_node_in (node, 0)->dtype == forge_node_out (node, 0)->dtype;
  if (forge_node_is (node, "Pad"))
    return pads_nothing (node);
  if (forge_node_is (node, "Concat"))
    return node->inputs->len == 1;
  return forge_node_is (node, "Transpose") && keeps_order (node);
}

gboolean
forge_pass_drop_identity (ForgeGraph *graph, ForgePassSet set, GError **error)
{
  for (guint n = 0; n < graph->nodes->len; n++) {
    const ForgeNode *node = graph->nodes->pdata[n];
    if (!changes_nothing (node, set))
      continue;
    const ForgeValue *mask = forge_node_out (node, 1);
    if (mask && forge_graph_count_readers (graph, mask) > 0)
      continue;
    forge_graph_replace_value (
        graph, forge_node_out (node, 0), forge_node_in (node, 0));
  }
  return TRUE;
}
