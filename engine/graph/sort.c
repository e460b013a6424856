/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Is the graph sound, and in which order can it run? Files come from
 * anywhere, so everything is checked here, and the depth-first search keeps
 * its own stack: a chain of a million nodes must not exhaust ours. A list
 * that is in order already stays as it is. */
#include "graph/graph.h"

static gboolean
check_count (const ForgeNode *node, const char *what, guint found, int min,
    int max, GError **error)
{
  if (found >= (guint) min && (max < 0 || found <= (guint) max))
    return TRUE;
  g_autofree char *limit =
      max < 0 ? g_strdup ("any number") : g_strdup_printf ("%d", max);
  return forge_node_error (node, error, FORGE_ERROR_FORMAT,
      "expected %d to %s %s, found %u", min, limit, what, found);
}

static gboolean
check_arity (const ForgeNode *node, GError **error)
{
  const ForgeOp *op = node->op;
  if (node->inputs->len > FORGE_MAX_NODE_IO ||
      node->outputs->len > FORGE_MAX_NODE_IO)
    return forge_node_error (node, error, FORGE_ERROR_UNSUPPORTED,
        "expected at most %d inputs and outputs, found %u and %u",
        FORGE_MAX_NODE_IO, node->inputs->len, node->outputs->len);
  if (!check_count (node, "inputs", node->inputs->len, op->min_inputs,
          op->max_inputs, error) ||
      !check_count (node, "outputs", node->outputs->len, op->min_outputs,
          op->max_outputs, error))
    return FALSE;
  for (guint i = 0; i < (guint) op->min_inputs; i++)
    if (!node->inputs->pdata[i])
      return forge_node_error (
          node, error, FORGE_ERROR_FORMAT, "input %u must not be left out", i);
  for (guint i = 0; i < (guint) op->min_outputs; i++)
    if (!node->outputs->pdata[i])
      return forge_node_error (
          node, error, FORGE_ERROR_FORMAT, "output %u must not be left out", i);
  return TRUE;
}

/* @given: graph inputs. Each value has exactly one origin. */
static gboolean
check_node (const ForgeNode *node, GHashTable *given, GError **error)
{
  if (!check_arity (node, error))
    return FALSE;
  for (guint i = 0; i < node->inputs->len; i++) {
    const ForgeValue *in = node->inputs->pdata[i];
    if (in && !in->producer && !in->constant &&
        !g_hash_table_contains (given, in))
      return forge_node_error (node, error, FORGE_ERROR_FORMAT,
          "input %u, value '%s', is produced by no node and is neither a "
          "graph input nor an initializer",
          i, in->name);
  }
  for (guint i = 0; i < node->outputs->len; i++) {
    const ForgeValue *out = node->outputs->pdata[i];
    if (!out)
      continue;
    gboolean twice = FALSE;
    for (guint j = 0; j < i; j++)
      twice |= node->outputs->pdata[j] == out;
    if (twice || out->producer != node)
      return forge_node_error (node, error, FORGE_ERROR_FORMAT,
          "value '%s' is already produced by node '%s'", out->name,
          out->producer ? out->producer->name : "?");
    if ((out->constant && !out->folded) || g_hash_table_contains (given, out))
      return forge_node_error (node, error, FORGE_ERROR_FORMAT,
          "value '%s' is already a graph input or an initializer", out->name);
  }
  return TRUE;
}

static gboolean
check_graph (const ForgeGraph *graph, GError **error)
{
  g_autoptr (GHashTable) given = g_hash_table_new (NULL, NULL);
  for (guint i = 0; i < graph->inputs->len; i++) {
    const ForgeValue *input = graph->inputs->pdata[i];
    if (!g_hash_table_add (given, (gpointer) input)) {
      g_set_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT,
          "graph '%s': input '%s' is listed twice", graph->name, input->name);
      return FALSE;
    }
  }
  for (guint n = 0; n < graph->nodes->len; n++)
    if (!check_node (graph->nodes->pdata[n], given, error))
      return FALSE;
  for (guint i = 0; i < graph->outputs->len; i++) {
    const ForgeValue *output = graph->outputs->pdata[i];
    if (!output->producer && !output->constant &&
        !g_hash_table_contains (given, output)) {
      g_set_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT,
          "graph '%s': output '%s' is produced by no node", graph->name,
          output->name);
      return FALSE;
    }
  }
  return TRUE;
}

enum { UNSEEN, OPEN, DONE };

typedef struct {
  ForgeNode *node;
  guint next_input;
} Frame;

typedef struct {
  GArray *stack;     /* Frame: the path being followed */
  GHashTable *state; /* ForgeNode* -> OPEN or DONE */
  GPtrArray *order;
} Search;

static void
open_node (Search *search, ForgeNode *node)
{
  Frame frame = { .node = node };
  g_array_append_val (search->stack, frame);
  g_hash_table_insert (search->state, node, GINT_TO_POINTER (OPEN));
}

/* Follows one edge from the top of the stack, or closes it. */
static gboolean
step (Search *search, GError **error)
{
  Frame *top = &g_array_index (search->stack, Frame, search->stack->len - 1);
  if (top->next_input == top->node->inputs->len) {
    g_hash_table_insert (search->state, top->node, GINT_TO_POINTER (DONE));
    g_ptr_array_add (search->order, top->node);
    g_array_set_size (search->stack, search->stack->len - 1);
    return TRUE;
  }
  const ForgeValue *in = top->node->inputs->pdata[top->next_input++];
  ForgeNode *source = in ? in->producer : NULL;
  if (!source)
    return TRUE;
  int state = GPOINTER_TO_INT (g_hash_table_lookup (search->state, source));
  if (state == OPEN)
    return forge_node_error (top->node, error, FORGE_ERROR_FORMAT,
        "the graph has a cycle through value '%s'", in->name);
  if (state == UNSEEN)
    open_node (search, source);
  return TRUE;
}

gboolean
forge_graph_sort (ForgeGraph *graph, GError **error)
{
  if (!check_graph (graph, error))
    return FALSE;
  g_autoptr (GArray) stack = g_array_new (FALSE, FALSE, sizeof (Frame));
  g_autoptr (GHashTable) states = g_hash_table_new (NULL, NULL);
  g_autoptr (GPtrArray) order = g_ptr_array_new ();
  Search search = { stack, states, order };
  for (guint n = 0; n < graph->nodes->len; n++) {
    if (g_hash_table_contains (states, graph->nodes->pdata[n]))
      continue;
    open_node (&search, graph->nodes->pdata[n]);
    while (stack->len > 0)
      if (!step (&search, error))
        return FALSE;
  }
  for (guint n = 0; n < order->len; n++)
    graph->nodes->pdata[n] = order->pdata[n];
  return TRUE;
}
