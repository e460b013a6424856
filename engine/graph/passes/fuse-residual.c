/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Moves the Add of a residual block into the convolution before it, which
 * reads the other operand as its input 3 while its sums are in registers:
 * act (conv (x) + y) in one pass over memory instead of two. Runs after
 * layout and fuse-activation, so the Add may carry an activation. */
#include "graph/pass-util.h"

gboolean forge_pass_fuse_residual (ForgeGraph *, ForgePassSet, GError **);

/* The convolution that can take the rest of @add, by its input @index. */
static ForgeNode *
conv_behind (const ForgeGraph *graph, const ForgeNode *add, guint index)
{
  const ForgeValue *in = forge_node_in (add, index);
  const ForgeValue *other = forge_node_in (add, 1 - index);
  ForgeNode *conv = in ? forge_node_source (add, index, "Conv") : NULL;
  if (!conv || !conv->nhwc || conv->activation.kind != -1 ||
      conv->inputs->len > 3 || !other || other->constant ||
      forge_attrs_int (conv->attrs, "group", 1) != 1 ||
      !forge_graph_only_reader (graph, in, add) ||
      !forge_shape_equal (&in->shape, &other->shape))
    return NULL;
  return conv;
}

/* The one that is computed last: its other operand is there by then. */
static guint
later_input (const ForgeGraph *graph, const ForgeNode *add)
{
  guint place[2] = { 0, 0 };
  for (guint i = 0; i < 2; i++) {
    const ForgeValue *in = forge_node_in (add, i);
    if (in && in->producer)
      g_ptr_array_find (graph->nodes, in->producer, &place[i]);
  }
  return place[1] > place[0] ? 1 : 0;
}

gboolean
forge_pass_fuse_residual (ForgeGraph *graph, ForgePassSet set, GError **error)
{
  for (guint n = 0; n < graph->nodes->len; n++) {
    ForgeNode *add = graph->nodes->pdata[n];
    if (!forge_node_is (add, "Add") ||
        forge_node_out (add, 0)->dtype != FORGE_FLOAT32)
      continue;
    guint index = later_input (graph, add);
    ForgeNode *conv = conv_behind (graph, add, index);
    if (!conv) {
      index = 1 - index;
      conv = conv_behind (graph, add, index);
    }
    if (!conv)
      continue;
    if (conv->inputs->len == 2)
      forge_node_set_in (conv, 2, NULL);
    forge_node_set_in (conv, 3, forge_node_in (add, 1 - index));
    conv->activation = add->activation;
    forge_graph_replace_value (
        graph, forge_node_out (add, 0), forge_node_out (conv, 0));
  }
  return TRUE;
}
