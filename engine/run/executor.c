/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Forward and backward over the steps of a plan. Who writes a gradient first
 * and who adds to it is the same in every step of training, so it is decided
 * once: the first writer (in reverse order) writes in place, later ones into
 * scratch that is then added. */
#include "run/executor.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "kernels/kernels.h"
#include "run/steps.h"

/* The way back through one node. */
typedef struct {
  gboolean active; /* a gradient arrives and somebody wants it passed on */
  ForgeGradients gradients;
  ForgeTensor **sums; /* [n_in]: where d_in is added to; NULL = already there */
} BackStep;

struct _ForgeExecutor {
  ForgeSteps *steps;
  GArray *parameters;    /* ForgeParameter */
  GHashTable *gradients; /* ForgeValue* -> ForgeTensor*, owned */
  GPtrArray *zeroed;     /* ForgeTensor*: outputs that no reader writes to */
  GPtrArray *borrowed;   /* ForgeTensor*, owned: views of scratch */
  BackStep *back;
  void *scratch;
};

/* While the way back is laid out. */
typedef struct {
  ForgeExecutor *executor;
  GHashTable *wanted;  /* values whose gradient leads to a parameter */
  GHashTable *written; /* values whose gradient has its first writer */
} Layout;

static const ForgeGraph *
graph_of (const ForgeExecutor *executor)
{
  return executor->steps->plan->graph;
}

static ForgeTensor *
gradient_of (ForgeExecutor *executor, const ForgeValue *value, GError **error)
{
  ForgeTensor *gradient = g_hash_table_lookup (executor->gradients, value);
  if (gradient)
    return gradient;
  gradient = forge_tensor_new (FORGE_FLOAT32, &value->shape, error);
  if (gradient)
    g_hash_table_insert (executor->gradients, (gpointer) value, gradient);
  return gradient;
}

static gboolean
add_parameter (ForgeExecutor *executor, const ForgeNode *node,
    const ForgeValue *value, GError **error)
{
  ForgeParameter parameter = { .name = value->name,
    .node_name = node->name,
    .value = value->constant,
    .gradient = gradient_of (executor, value, error) };
  g_array_append_val (executor->parameters, parameter);
  return parameter.gradient != NULL;
}

/* Parameters, and every float value that depends on one. */
static gboolean
find_wanted (Layout *layout, GError **error)
{
  const ForgeGraph *graph = graph_of (layout->executor);
  for (guint n = 0; n < graph->nodes->len; n++) {
    const ForgeNode *node = graph->nodes->pdata[n];
    gboolean depends = FALSE;
    for (guint i = 0; i < node->inputs->len; i++) {
      ForgeValue *in = node->inputs->pdata[i];
      gboolean trained =
          forge_node_input_role (node, i) == FORGE_ROLE_TRAINED &&
          in->dtype == FORGE_FLOAT32;
      if (trained && g_hash_table_add (layout->wanted, in) &&
          !add_parameter (layout->executor, node, in, error))
        return FALSE;
      depends |= in && g_hash_table_contains (layout->wanted, in);
    }
    for (guint i = 0; depends && i < node->outputs->len; i++) {
      ForgeValue *out = node->outputs->pdata[i];
      if (out && out->dtype == FORGE_FLOAT32)
        g_hash_table_add (layout->wanted, out);
    }
  }
  return TRUE;
}

static gboolean
contains_any (GHashTable *set, const GPtrArray *values)
{
  for (guint i = 0; i < values->len; i++)
    if (values->pdata[i] && g_hash_table_contains (set, values->pdata[i]))
      return TRUE;
  return FALSE;
}

static gboolean
lay_outputs (
    Layout *layout, const ForgeNode *node, BackStep *back, GError **error)
{
  for (guint i = 0; i < node->outputs->len; i++) {
    ForgeValue *out = node->outputs->pdata[i];
    if (!out || !g_hash_table_contains (layout->wanted, out))
      continue;
    ForgeTensor *gradient = gradient_of (layout->executor, out, error);
    if (!gradient)
      return FALSE;
    back->gradients.d_out[i] = gradient;
    if (!g_hash_table_contains (layout->written, out))
      g_ptr_array_add (layout->executor->zeroed, gradient);
  }
  return TRUE;
}

/* Scratch is only measured here (*scratch_bytes); attach_scratch gives the
 * second writers their tensors. */
static gboolean
lay_inputs (Layout *layout, const ForgeNode *node, BackStep *back,
    size_t *scratch_bytes, GError **error)
{
  for (guint i = 0; i < node->inputs->len; i++) {
    ForgeValue *in = node->inputs->pdata[i];
    if (!in || !g_hash_table_contains (layout->wanted, in))
      continue;
    ForgeTensor *gradient = gradient_of (layout->executor, in, error);
    if (!gradient)
      return FALSE;
    if (g_hash_table_add (layout->written, in)) {
      back->gradients.d_in[i] = gradient;
    } else {
      back->sums[i] = gradient;
      *scratch_bytes += forge_align_up (gradient->size_bytes);
    }
  }
  return TRUE;
}

static gboolean
lay_node (Layout *layout, guint index, size_t *scratch_bytes, GError **error)
{
  const ForgeNode *node = graph_of (layout->executor)->nodes->pdata[index];
  BackStep *back = &layout->executor->back[index];
  back->active = contains_any (layout->written, node->outputs) &&
                 contains_any (layout->wanted, node->inputs);
  back->gradients.d_out = g_new0 (ForgeTensor *, node->outputs->len + 1);
  back->gradients.d_in = g_new0 (ForgeTensor *, node->inputs->len + 1);
  back->sums = g_new0 (ForgeTensor *, node->inputs->len + 1);
  if (!back->active)
    return TRUE;
  if (!node->op->backward && !node->op->is_view)
    return forge_node_error (node, error, FORGE_ERROR_UNSUPPORTED,
        "training needs a backward that this operator does not have");
  size_t bytes = 0;
  gboolean ok = lay_outputs (layout, node, back, error) &&
                lay_inputs (layout, node, back, &bytes, error);
  *scratch_bytes = MAX (*scratch_bytes, bytes);
  return ok;
}

static gboolean
attach_scratch (ForgeExecutor *executor, size_t scratch_bytes, GError **error)
{
  executor->scratch = forge_aligned_alloc0 (scratch_bytes);
  if (!executor->scratch) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_MEMORY,
        "out of memory: %zu bytes for gradients", scratch_bytes);
    return FALSE;
  }
  for (guint n = 0; n < executor->steps->n_steps; n++) {
    BackStep *back = &executor->back[n];
    uint8_t *next = executor->scratch;
    for (guint i = 0; i < executor->steps->steps[n].n_in; i++) {
      const ForgeTensor *sum = back->sums[i];
      if (!sum)
        continue;
      ForgeTensor *part =
          forge_tensor_new_borrowed (FORGE_FLOAT32, &sum->shape, next);
      g_ptr_array_add (executor->borrowed, part);
      back->gradients.d_in[i] = part;
      next += forge_align_up (sum->size_bytes);
    }
  }
  return TRUE;
}

static gboolean
lay_way_back (ForgeExecutor *executor, GError **error)
{
  g_autoptr (GHashTable) wanted = g_hash_table_new (NULL, NULL);
  g_autoptr (GHashTable) written = g_hash_table_new (NULL, NULL);
  Layout layout = { executor, wanted, written };
  const ForgeGraph *graph = graph_of (executor);
  executor->back = g_new0 (BackStep, executor->steps->n_steps);
  if (!find_wanted (&layout, error))
    return FALSE;
  for (guint i = 0; i < graph->outputs->len; i++) {
    if (!gradient_of (executor, graph->outputs->pdata[i], error))
      return FALSE;
    g_hash_table_add (written, graph->outputs->pdata[i]);
  }
  size_t scratch_bytes = 0;
  for (guint n = executor->steps->n_steps; n > 0; n--)
    if (!lay_node (&layout, n - 1, &scratch_bytes, error))
      return FALSE;
  return attach_scratch (executor, scratch_bytes, error);
}

ForgeExecutor *
forge_executor_new (const ForgeGraph *graph, int64_t batch, int threads,
    gboolean training, GError **error)
{
  g_return_val_if_fail (graph && batch >= 1, NULL);
  g_autoptr (ForgePlan) plan = forge_plan_new (graph,
      training ? FORGE_PLAN_TRAINING : FORGE_PLAN_VALIDATION, batch, error);
  if (!plan)
    return NULL;
  ForgeSteps *steps = forge_steps_new (plan, threads, error);
  if (!steps)
    return NULL;
  g_autoptr (ForgeExecutor) executor = g_new0 (ForgeExecutor, 1);
  executor->steps = steps;
  executor->parameters = g_array_new (FALSE, FALSE, sizeof (ForgeParameter));
  executor->gradients = g_hash_table_new_full (
      NULL, NULL, NULL, (GDestroyNotify) forge_tensor_unref);
  executor->zeroed = g_ptr_array_new ();
  executor->borrowed =
      g_ptr_array_new_with_free_func ((GDestroyNotify) forge_tensor_unref);
  if (training && !lay_way_back (executor, error))
    return NULL;
  return g_steal_pointer (&executor);
}

void
forge_executor_free (ForgeExecutor *executor)
{
  if (!executor)
    return;
  for (guint n = 0; executor->back && n < executor->steps->n_steps; n++) {
    g_free (executor->back[n].gradients.d_out);
    g_free (executor->back[n].gradients.d_in);
    g_free (executor->back[n].sums);
  }
  g_free (executor->back);
  g_array_unref (executor->parameters);
  g_hash_table_unref (executor->gradients);
  g_ptr_array_unref (executor->zeroed);
  g_ptr_array_unref (executor->borrowed);
  forge_aligned_free (executor->scratch);
  forge_steps_free (executor->steps);
  g_free (executor);
}

ForgeTensor *
forge_executor_get_input (ForgeExecutor *executor, guint index)
{
  const GPtrArray *inputs = graph_of (executor)->inputs;
  g_return_val_if_fail (index < inputs->len, NULL);
  return forge_steps_tensor (executor->steps, inputs->pdata[index]);
}

ForgeTensor *
forge_executor_get_output (ForgeExecutor *executor, guint index)
{
  const GPtrArray *outputs = graph_of (executor)->outputs;
  g_return_val_if_fail (index < outputs->len, NULL);
  return forge_steps_tensor (executor->steps, outputs->pdata[index]);
}

ForgeTensor *
forge_executor_get_output_gradient (ForgeExecutor *executor, guint index)
{
  const GPtrArray *outputs = graph_of (executor)->outputs;
  g_return_val_if_fail (index < outputs->len && executor->back, NULL);
  return g_hash_table_lookup (executor->gradients, outputs->pdata[index]);
}

guint
forge_executor_get_n_parameters (const ForgeExecutor *executor)
{
  return executor->parameters->len;
}

const ForgeParameter *
forge_executor_get_parameter (const ForgeExecutor *executor, guint index)
{
  g_return_val_if_fail (index < executor->parameters->len, NULL);
  return &g_array_index (executor->parameters, ForgeParameter, index);
}

/* Operators pack inside run when they train; otherwise it is done here. */
static gboolean
pack_again (ForgeExecutor *executor, guint index, GError **error)
{
  const ForgeNode *node = executor->steps->steps[index].node;
  gboolean packs = FALSE;
  for (guint i = 0; i < node->inputs->len; i++)
    packs |= forge_node_input_role (node, i) != FORGE_ROLE_NONE;
  return !packs ||
         (forge_plan_prepare_again (executor->steps->plan, index, error) &&
             forge_steps_bind_again (executor->steps, index, error));
}

gboolean
forge_executor_forward (ForgeExecutor *executor, uint64_t seed, GError **error)
{
  ForgeSteps *steps = executor->steps;
  for (guint n = 0; n < steps->n_steps; n++) {
    if (!executor->back && !pack_again (executor, n, error))
      return FALSE;
    /* Two dropout layers must not draw alike. */
    steps->steps[n].seed = seed + (n + 1) * UINT64_C (0x9e3779b97f4a7c15);
    forge_steps_run (steps, n);
  }
  return TRUE;
}

static void
back_through (const ForgeStep *step, const BackStep *back)
{
  if (step->node->op->is_view)
    memcpy (back->gradients.d_in[0]->data, back->gradients.d_out[0]->data,
        back->gradients.d_out[0]->size_bytes);
  else
    step->node->op->backward (step, &back->gradients);
  for (guint i = 0; i < step->n_in; i++) {
    if (!back->sums[i])
      continue;
    float *sum = back->sums[i]->data;
    forge_kernels ()->binary_f32 (FORGE_BINARY_ADD,
        back->sums[i]->size_bytes / sizeof (float), sum, 1,
        back->gradients.d_in[i]->data, 1, sum);
  }
}

void
forge_executor_backward (ForgeExecutor *executor)
{
  g_return_if_fail (executor->back);
  for (guint i = 0; i < executor->zeroed->len; i++) {
    ForgeTensor *gradient = executor->zeroed->pdata[i];
    memset (gradient->data, 0, gradient->size_bytes);
  }
  for (guint n = executor->steps->n_steps; n > 0; n--)
    if (executor->back[n - 1].active)
      back_through (&executor->steps->steps[n - 1], &executor->back[n - 1]);
}

static gboolean
is_finite (const ForgeTensor *tensor)
{
  if (!tensor || tensor->dtype != FORGE_FLOAT32)
    return TRUE;
  const float *data = tensor->data;
  for (size_t i = 0; i < tensor->size_bytes / sizeof (float); i++)
    if (!isfinite (data[i]))
      return FALSE;
  return TRUE;
}

const char *
forge_executor_find_non_finite (const ForgeExecutor *executor)
{
  for (guint n = 0; n < executor->steps->n_steps; n++) {
    const ForgeStep *step = &executor->steps->steps[n];
    for (guint i = 0; i < step->n_out; i++)
      if (!is_finite (step->out[i]))
        return step->node->name;
  }
  return NULL;
}
