/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * One stream's own activations over a plan that all sessions of the model
 * share. A run is a walk along the steps. */
#include "forge/session.h"

#include <string.h>

#include "run/model.h"
#include "run/steps.h"

typedef struct {
  uint64_t n_runs, total_ns;
} Timing;

struct _ForgeSession {
  ForgeModel *model;
  ForgeSteps *steps;
  Timing *timings; /* one per step; NULL without profile */
  /* Where the batch is run in parts: the whole of inputs and outputs, and how
   * many runs of the steps make one of the session. */
  GPtrArray *inputs, *outputs; /* ForgeTensor* */
  guint n_parts;
};

/* How many pictures a run of the session takes, by its first input. */
static int64_t
whole_batch (const ForgeModel *model, int batch)
{
  const ForgeGraph *graph = forge_model_get_graph (model);
  if (graph->inputs->len == 0)
    return batch;
  const ForgeValue *input = graph->inputs->pdata[0];
  return input->shape.rank > 0 && input->shape.dims[0] > 0
             ? input->shape.dims[0]
             : batch;
}

static guint
count_parts (const ForgeModel *model, int batch, const ForgePlan *plan)
{
  const GPtrArray *inputs = plan->graph->inputs;
  const ForgeValue *input = inputs->len > 0 ? inputs->pdata[0] : NULL;
  return input && input->shape.rank > 0 && input->shape.dims[0] > 0
             ? (guint) (whole_batch (model, batch) / input->shape.dims[0])
             : 1;
}

/* Tensors of the whole batch for @values, which are a part's. */
static GPtrArray *
whole_tensors (const GPtrArray *values, guint n_parts, GError **error)
{
  g_autoptr (GPtrArray) tensors =
      g_ptr_array_new_with_free_func ((GDestroyNotify) forge_tensor_unref);
  for (guint i = 0; i < values->len; i++) {
    const ForgeValue *value = values->pdata[i];
    ForgeShape shape = value->shape;
    shape.dims[0] *= n_parts;
    ForgeTensor *tensor = forge_tensor_new (value->dtype, &shape, error);
    if (!tensor)
      return NULL;
    g_ptr_array_add (tensors, tensor);
  }
  return g_steal_pointer (&tensors);
}

static gboolean
make_whole (ForgeSession *session, GError **error)
{
  const ForgeGraph *graph = session->steps->plan->graph;
  if (session->n_parts == 1)
    return TRUE;
  session->inputs = whole_tensors (graph->inputs, session->n_parts, error);
  if (session->inputs)
    session->outputs = whole_tensors (graph->outputs, session->n_parts, error);
  return session->outputs != NULL;
}

ForgeSession *
forge_session_new (
    ForgeModel *model, const ForgeSessionParams *params, GError **error)
{
  g_return_val_if_fail (model, NULL);
  const ForgeSessionParams defaults = FORGE_SESSION_PARAMS_DEFAULT;
  if (!params)
    params = &defaults;
  if (params->batch < 1 || params->threads < 0) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_ARGUMENT,
        "session: expected batch >= 1 and threads >= 0, found %d and %d",
        params->batch, params->threads);
    return NULL;
  }
  g_autoptr (ForgePlan) plan = forge_model_plan_for (
      model, params->batch, params->shapes, params->features, error);
  if (!plan)
    return NULL;
  ForgeSteps *steps = forge_steps_new (plan, params->threads, error);
  if (!steps)
    return NULL;
  ForgeSession *session = g_new0 (ForgeSession, 1);
  session->model = forge_model_ref (model);
  session->steps = steps;
  session->n_parts = count_parts (model, params->batch, plan);
  if (params->profile)
    session->timings = g_new0 (Timing, steps->n_steps);
  if (!make_whole (session, error))
    g_clear_pointer (&session, forge_session_free);
  return session;
}

void
forge_session_free (ForgeSession *session)
{
  if (!session)
    return;
  forge_steps_free (session->steps);
  forge_model_unref (session->model);
  g_clear_pointer (&session->inputs, g_ptr_array_unref);
  g_clear_pointer (&session->outputs, g_ptr_array_unref);
  g_free (session->timings);
  g_free (session);
}

ForgeModel *
forge_session_get_model (const ForgeSession *session)
{
  return session->model;
}

/* @whole: of the whole batch, where it is run in parts. */
static ForgeTensor *
port (const ForgeSession *session, const GPtrArray *values,
    const GPtrArray *whole, guint index)
{
  g_return_val_if_fail (index < values->len, NULL);
  return whole ? whole->pdata[index]
               : forge_steps_tensor (session->steps, values->pdata[index]);
}

ForgeTensor *
forge_session_get_input (ForgeSession *session, guint index)
{
  return port (
      session, session->steps->plan->graph->inputs, session->inputs, index);
}

ForgeTensor *
forge_session_get_output (ForgeSession *session, guint index)
{
  return port (
      session, session->steps->plan->graph->outputs, session->outputs, index);
}

/* Output @index behind the network's own, which only features ask for. */
static ForgeTensor *
extra_output (ForgeSession *session, guint index)
{
  const GPtrArray *outputs = session->steps->plan->graph->outputs;
  index += forge_model_get_n_outputs (session->model);
  return index < outputs->len ? port (session, outputs, session->outputs, index)
                              : NULL;
}

ForgeTensor *
forge_session_get_features (ForgeSession *session)
{
  return extra_output (session, 0);
}

ForgeTensor *
forge_session_get_logits (ForgeSession *session)
{
  return extra_output (session, 1);
}

static uint64_t
now_ns (void)
{
  struct timespec time;
  clock_gettime (CLOCK_MONOTONIC, &time);
  return (uint64_t) time.tv_sec * 1000000000u + (uint64_t) time.tv_nsec;
}

static void
run_steps (ForgeSession *session)
{
  const ForgeSteps *steps = session->steps;
  if (!session->timings) {
    for (guint n = 0; n < steps->n_steps; n++)
      forge_steps_run (steps, n);
    return;
  }
  for (guint n = 0; n < steps->n_steps; n++) {
    uint64_t start_ns = now_ns ();
    forge_steps_run (steps, n);
    session->timings[n].total_ns += now_ns () - start_ns;
    session->timings[n].n_runs++;
  }
}

/* Between the tensors of the whole and those of part @part. */
static void
copy_part (ForgeSession *session, const GPtrArray *values,
    const GPtrArray *whole, guint part, gboolean is_in)
{
  for (guint i = 0; i < values->len; i++) {
    ForgeTensor *all = whole->pdata[i];
    ForgeTensor *own = forge_steps_tensor (session->steps, values->pdata[i]);
    char *at = (char *) all->data + part * own->size_bytes;
    if (is_in)
      memcpy (own->data, at, own->size_bytes);
    else
      memcpy (at, own->data, own->size_bytes);
  }
}

void
forge_session_run (ForgeSession *session)
{
  const ForgeGraph *graph = session->steps->plan->graph;
  if (session->n_parts == 1) {
    run_steps (session);
    return;
  }
  for (guint part = 0; part < session->n_parts; part++) {
    copy_part (session, graph->inputs, session->inputs, part, TRUE);
    run_steps (session);
    copy_part (session, graph->outputs, session->outputs, part, FALSE);
  }
}

size_t
forge_session_get_arena_bytes (const ForgeSession *session)
{
  return session->steps->plan->memory->arena_bytes;
}

size_t
forge_session_get_packed_bytes (const ForgeSession *session)
{
  return session->steps->plan->packed_bytes;
}

/* Bytes of the graph's constants that are not in @seen yet. */
static size_t
count_weights (const ForgeGraph *graph, GHashTable *seen)
{
  size_t size_bytes = 0;
  for (guint i = 0; i < graph->values->len; i++) {
    const ForgeValue *value = graph->values->pdata[i];
    if (value->constant && g_hash_table_add (seen, value->constant->data))
      size_bytes += value->constant->size_bytes;
  }
  return size_bytes;
}

/* Of the tensors of a whole batch, where it is run in parts. */
static size_t
count_whole (const GPtrArray *tensors)
{
  size_t size_bytes = 0;
  for (guint i = 0; tensors && i < tensors->len; i++)
    size_bytes += ((const ForgeTensor *) tensors->pdata[i])->size_bytes;
  return size_bytes;
}

ForgeSessionCosts
forge_session_get_costs (const ForgeSession *session)
{
  const ForgePlan *plan = session->steps->plan;
  GHashTable *seen = g_hash_table_new (NULL, NULL);
  ForgeSessionCosts costs = {
    .read_us = forge_model_get_read_us (session->model),
    .passes_us = plan->passes_us,
    .packing_us = plan->packing_us,
    .weight_bytes =
        count_weights (forge_model_get_graph (session->model), seen),
    .packed_bytes = plan->packed_bytes,
    .arena_bytes = plan->memory->arena_bytes + count_whole (session->inputs) +
                   count_whole (session->outputs),
    .workspace_bytes = plan->workspace_bytes,
  };
  costs.weight_bytes += count_weights (plan->graph, seen);
  g_hash_table_unref (seen);
  return costs;
}

static gboolean
is_concat (const ForgeStep *step)
{
  return g_str_equal (step->node->op->type, "Concat");
}

/* Nothing to run. */
static gboolean
is_view (const ForgeStep *step)
{
  return step->node->op->is_view ||
         (is_concat (step) && forge_concat_copied_bytes (step) == 0);
}

/* What has to move at least once. A node that packed its weights reads the
 * packed ones; constants beside them (a bias) are too few to tell apart. */
static int64_t
count_bytes (const ForgeStep *step)
{
  size_t size_bytes = step->prepared->packed_bytes;
  gboolean packed = size_bytes > 0;
  if (is_concat (step))
    return 2 * (int64_t) forge_concat_copied_bytes (step);
  for (guint i = 0; i < step->n_in; i++) {
    const ForgeValue *value = step->node->inputs->pdata[i];
    if (step->in[i] && !(packed && value->constant))
      size_bytes += step->in[i]->size_bytes;
  }
  for (guint i = 0; i < step->n_out; i++)
    if (step->out[i])
      size_bytes += step->out[i]->size_bytes;
  return (int64_t) size_bytes;
}

ForgeNodeProfile *
forge_session_get_profile (const ForgeSession *session, gsize *n_nodes)
{
  const ForgeSteps *steps = session->steps;
  ForgeNodeProfile *rows = g_new0 (ForgeNodeProfile, MAX (steps->n_steps, 1));
  for (guint n = 0; n < steps->n_steps; n++) {
    const ForgeStep *step = &steps->steps[n];
    const ForgeOp *op = step->node->op;
    rows[n].name = step->node->name;
    rows[n].type = op->type;
    rows[n].algorithm = is_view (step)              ? "view"
                        : step->prepared->algorithm ? step->prepared->algorithm
                                                    : "";
    rows[n].tuned_shape = op->is_view ? NULL : step->prepared->tuned_shape;
    rows[n].n_flops = op->flops ? session->n_parts * op->flops (step->node) : 0;
    rows[n].bytes_moved =
        is_view (step) ? 0 : session->n_parts * count_bytes (step);
    if (session->timings) {
      rows[n].n_runs = session->timings[n].n_runs / session->n_parts;
      rows[n].total_ns = session->timings[n].total_ns;
    }
  }
  *n_nodes = steps->n_steps;
  return rows;
}
