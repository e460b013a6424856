/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Runs the passes of passes.def in their order and holds each to the rules:
 * what it leaves behind must sort and infer. */
#include "graph/pass-util.h"

/* Passes look for readers along the node list, which is quadratic. */
#define MAX_NODES 20000

#define PASS(name, file, set) \
  gboolean forge_pass_##name (ForgeGraph *, ForgePassSet, GError **);
#include "graph/passes.def"
#undef PASS

typedef enum { BOTH, INFERENCE } Sets;

static const struct {
  const char *name;
  ForgePass run;
  Sets sets;
} passes[] = {
#define PASS(name, file, set) { #name, forge_pass_##name, set },
#include "graph/passes.def"
#undef PASS
};

/* Inference may have found a node's output to be constant (Constant, Shape):
 * the value then needs no producer. */
static void
drop_constant_producers (ForgeGraph *graph)
{
  for (guint n = graph->nodes->len; n > 0; n--) {
    ForgeNode *node = graph->nodes->pdata[n - 1];
    gboolean constant = TRUE;
    for (guint i = 0; i < node->outputs->len; i++) {
      const ForgeValue *out = node->outputs->pdata[i];
      constant &= !out || out->constant;
    }
    if (constant)
      forge_graph_remove_node (graph, node);
  }
}

static gboolean
tidy (ForgeGraph *graph, GError **error)
{
  drop_constant_producers (graph);
  if (!forge_graph_sort (graph, error))
    return FALSE;
  forge_graph_drop_dead (graph);
  return forge_graph_infer (graph, error);
}

gboolean
forge_graph_run_pass (
    ForgeGraph *graph, const char *name, ForgePassSet set, GError **error)
{
  for (guint i = 0; i < G_N_ELEMENTS (passes); i++)
    if (g_str_equal (passes[i].name, name))
      return tidy (graph, error) && passes[i].run (graph, set, error) &&
             tidy (graph, error);
  g_set_error (
      error, FORGE_ERROR, FORGE_ERROR_NOT_FOUND, "there is no pass '%s'", name);
  return FALSE;
}

gboolean
forge_graph_run_passes (ForgeGraph *graph, ForgePassSet set, GError **error)
{
  if (graph->nodes->len > MAX_NODES) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_UNSUPPORTED,
        "graph '%s' has %u nodes, expected at most %d", graph->name,
        graph->nodes->len, MAX_NODES);
    return FALSE;
  }
  if (!tidy (graph, error))
    return FALSE;
  for (guint i = 0; i < G_N_ELEMENTS (passes); i++) {
    if (set == FORGE_PASSES_TRAINING && passes[i].sets != BOTH)
      continue;
    if (!passes[i].run (graph, set, error) || !tidy (graph, error)) {
      g_prefix_error (error, "pass %s: ", passes[i].name);
      return FALSE;
    }
  }
  return TRUE;
}
