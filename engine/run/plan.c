/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * From a graph to a plan: bind the batch, run the passes, place the
 * activations, prepare the nodes. Everything that can fail for the model's
 * sake fails here, before a session exists. */
#include "run/plan.h"

static void
prepared_clear (ForgePrepared *prepared)
{
  if (prepared->free)
    prepared->free (prepared->data);
  *prepared = (ForgePrepared) { 0 };
}

static gboolean
prepare_node (const ForgeNode *node, ForgePrepared *prepared, GError **error)
{
  if (!node->op->prepare || node->op->is_view)
    return TRUE;
  if (node->op->prepare (node, prepared, error))
    return TRUE;
  prepared_clear (prepared);
  return FALSE;
}

static gboolean
prepare_all (ForgePlan *plan, GError **error)
{
  guint n_nodes = plan->graph->nodes->len;
  plan->prepared = g_new0 (ForgePrepared, n_nodes);
  for (guint n = 0; n < n_nodes; n++) {
    ForgePrepared *prepared = &plan->prepared[n];
    if (!prepare_node (plan->graph->nodes->pdata[n], prepared, error))
      return FALSE;
    plan->workspace_bytes =
        MAX (plan->workspace_bytes, prepared->workspace_bytes);
    plan->backward_workspace_bytes = MAX (
        plan->backward_workspace_bytes, prepared->backward_workspace_bytes);
    plan->packed_bytes += prepared->packed_bytes;
  }
  return TRUE;
}

ForgePlan *
forge_plan_new (
    const ForgeGraph *graph, ForgePlanKind kind, int64_t batch, GError **error)
{
  g_autoptr (ForgePlan) plan = g_new0 (ForgePlan, 1);
  plan->ref_count = 1;
  plan->kind = kind;
  gint64 start_us = g_get_monotonic_time ();
  plan->graph = forge_graph_copy (graph);
  if (!forge_graph_sort (plan->graph, error) ||
      !forge_graph_bind_batch (plan->graph, batch, error) ||
      !forge_graph_run_passes (plan->graph,
          kind == FORGE_PLAN_INFERENCE ? FORGE_PASSES_INFERENCE
                                       : FORGE_PASSES_TRAINING,
          error))
    return NULL;
  plan->memory =
      forge_memory_plan_new (plan->graph, kind == FORGE_PLAN_TRAINING, error);
  gint64 placed_us = g_get_monotonic_time ();
  if (!plan->memory || !prepare_all (plan, error))
    return NULL;
  plan->passes_us = (uint64_t) (placed_us - start_us);
  plan->packing_us = (uint64_t) (g_get_monotonic_time () - placed_us);
  return g_steal_pointer (&plan);
}

ForgePlan *
forge_plan_ref (ForgePlan *plan)
{
  g_atomic_int_inc (&plan->ref_count);
  return plan;
}

void
forge_plan_unref (ForgePlan *plan)
{
  if (!plan || !g_atomic_int_dec_and_test (&plan->ref_count))
    return;
  for (guint n = 0; plan->prepared && n < plan->graph->nodes->len; n++)
    prepared_clear (&plan->prepared[n]);
  g_free (plan->prepared);
  forge_memory_plan_free (plan->memory);
  forge_graph_free (plan->graph);
  g_free (plan);
}

gboolean
forge_plan_prepare_again (ForgePlan *plan, guint index, GError **error)
{
  g_assert (g_atomic_int_get (&plan->ref_count) == 1);
  prepared_clear (&plan->prepared[index]);
  return prepare_node (
      plan->graph->nodes->pdata[index], &plan->prepared[index], error);
}
