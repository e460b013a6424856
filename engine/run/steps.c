/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * All memory that running needs is taken here, once; afterwards pointers
 * stay where they are, and forge_steps_run only computes. */
#include "run/steps.h"

#include "base/alloc.h"

static gboolean
take_block (void **block, size_t size_bytes, const char *what, GError **error)
{
  *block = forge_aligned_alloc0 (size_bytes);
  if (!*block)
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_MEMORY,
        "out of memory: %zu bytes for %s", size_bytes, what);
  return *block != NULL;
}

static gboolean
take_memory (ForgeSteps *steps, GError **error)
{
  const ForgePlan *plan = steps->plan;
  return take_block (
             &steps->arena, plan->memory->arena_bytes, "activations", error) &&
         take_block (
             &steps->workspace, plan->workspace_bytes, "a workspace", error) &&
         (plan->kind != FORGE_PLAN_TRAINING ||
             take_block (&steps->backward_workspace,
                 plan->backward_workspace_bytes, "a backward workspace",
                 error));
}

/* Views of constants point into the constant; all else lies in the arena. */
static void
make_tensor (ForgeSteps *steps, const ForgeValue *value)
{
  size_t offset_bytes;
  ForgeTensor *tensor;
  if (value->constant) {
    tensor = forge_tensor_ref (value->constant);
  } else if (forge_memory_plan_find (
                 steps->plan->memory, value, &offset_bytes)) {
    tensor = forge_tensor_new_borrowed (
        value->dtype, &value->shape, (uint8_t *) steps->arena + offset_bytes);
    tensor->slice_stride_elems =
        forge_memory_plan_slice_stride (steps->plan->memory, value);
  } else {
    const ForgeValue *source = forge_node_in (value->producer, 0);
    tensor = forge_tensor_new_borrowed (
        value->dtype, &value->shape, forge_steps_tensor (steps, source)->data);
  }
  g_hash_table_insert (steps->tensors, (gpointer) value, tensor);
}

/* In running order, so that the source of a view comes before the view. */
static void
make_tensors (ForgeSteps *steps)
{
  const ForgeGraph *graph = steps->plan->graph;
  for (guint i = 0; i < graph->values->len; i++) {
    const ForgeValue *value = graph->values->pdata[i];
    if (value->constant)
      make_tensor (steps, value);
  }
  for (guint i = 0; i < graph->inputs->len; i++)
    if (!forge_steps_tensor (steps, graph->inputs->pdata[i]))
      make_tensor (steps, graph->inputs->pdata[i]);
  for (guint n = 0; n < graph->nodes->len; n++) {
    const ForgeNode *node = graph->nodes->pdata[n];
    for (guint i = 0; i < node->outputs->len; i++)
      if (node->outputs->pdata[i])
        make_tensor (steps, node->outputs->pdata[i]);
  }
}

static ForgeTensor **
tensor_list (const ForgeSteps *steps, const GPtrArray *values)
{
  ForgeTensor **list = g_new0 (ForgeTensor *, values->len + 1);
  for (guint i = 0; i < values->len; i++)
    if (values->pdata[i])
      list[i] = forge_steps_tensor (steps, values->pdata[i]);
  return list;
}

static gboolean
make_step (ForgeSteps *steps, guint index, int threads, GError **error)
{
  const ForgeNode *node = steps->plan->graph->nodes->pdata[index];
  ForgeStep *step = &steps->steps[index];
  step->node = node;
  step->prepared = &steps->plan->prepared[index];
  step->n_in = node->inputs->len;
  step->n_out = node->outputs->len;
  step->in = tensor_list (steps, node->inputs);
  step->out = tensor_list (steps, node->outputs);
  step->workspace = steps->workspace;
  step->backward_workspace = steps->backward_workspace;
  step->threads = threads;
  step->training = steps->plan->kind == FORGE_PLAN_TRAINING;
  return forge_steps_bind_again (steps, index, error);
}

ForgeSteps *
forge_steps_new (ForgePlan *plan, int threads, GError **error)
{
  g_autoptr (ForgeSteps) steps = g_new0 (ForgeSteps, 1);
  steps->plan = forge_plan_ref (plan);
  steps->tensors = g_hash_table_new_full (
      NULL, NULL, NULL, (GDestroyNotify) forge_tensor_unref);
  if (!take_memory (steps, error))
    return NULL;
  make_tensors (steps);
  steps->n_steps = plan->graph->nodes->len;
  steps->steps = g_new0 (ForgeStep, steps->n_steps);
  for (guint n = 0; n < steps->n_steps; n++)
    if (!make_step (steps, n, forge_pool_threads (threads), error))
      return NULL;
  return g_steal_pointer (&steps);
}

static void
bound_clear (ForgeBound *bound)
{
  if (bound->free)
    bound->free (bound->data);
  *bound = (ForgeBound) { 0 };
}

void
forge_steps_free (ForgeSteps *steps)
{
  if (!steps)
    return;
  for (guint n = 0; n < steps->n_steps; n++) {
    bound_clear (&steps->steps[n].bound);
    g_free (steps->steps[n].in);
    g_free (steps->steps[n].out);
  }
  g_free (steps->steps);
  g_hash_table_unref (steps->tensors);
  forge_aligned_free (steps->arena);
  forge_aligned_free (steps->workspace);
  forge_aligned_free (steps->backward_workspace);
  forge_plan_unref (steps->plan);
  g_free (steps);
}

ForgeTensor *
forge_steps_tensor (const ForgeSteps *steps, const ForgeValue *value)
{
  return g_hash_table_lookup (steps->tensors, value);
}

void
forge_steps_run (const ForgeSteps *steps, guint index)
{
  const ForgeStep *step = &steps->steps[index];
  if (!step->node->op->is_view)
    step->node->op->run (step);
}

gboolean
forge_steps_bind_again (ForgeSteps *steps, guint index, GError **error)
{
  ForgeStep *step = &steps->steps[index];
  bound_clear (&step->bound);
  const ForgeOp *op = step->node->op;
  return !op->bind || op->is_view || op->bind (step, error);
}
