/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See forge/tune.h. Each candidate is a model of its own, made of the same
 * graph while its algorithm is forced, and lives only as long as its turn: a
 * network's packed weights may be large. */
#include "forge/tune.h"

#include <math.h>
#include <string.h>

#include "forge/session.h"
#include "ops/tuning.h"
#include "run/model.h"

#define N_ROUNDS 3
#define WARM_UP_RUNS 2
#define WORTH_IT 0.97

/* The first is the cost model's own choice. */
static const char *const candidates[] = { NULL, "igemm", "winograd2x2",
  "winograd4x4", "winograd6x6" };
enum { N_CANDIDATES = G_N_ELEMENTS (candidates) };

/* A shape, and the least time each candidate took for it; infinite where the
 * candidate turned out as something else. */
typedef struct {
  char *shape;
  const char *chosen;
  double least_us[N_CANDIDATES];
} Layer;

static void
layer_free (gpointer data)
{
  Layer *layer = data;
  g_free (layer->shape);
  g_free (layer);
}

void
forge_tuned_layer_free (ForgeTunedLayer *layer)
{
  if (layer)
    g_free (layer->shape);
  g_free (layer);
}

char *
forge_tune_file (void)
{
  return forge_tuning_path ();
}

static Layer *
find_layer (GPtrArray *layers, const char *shape)
{
  for (guint i = 0; i < layers->len; i++) {
    Layer *layer = layers->pdata[i];
    if (strcmp (layer->shape, shape) == 0)
      return layer;
  }
  Layer *layer = g_new0 (Layer, 1);
  layer->shape = g_strdup (shape);
  for (int i = 0; i < N_CANDIDATES; i++)
    layer->least_us[i] = INFINITY;
  g_ptr_array_add (layers, layer);
  return layer;
}

/* What the rows of @after took more than those of @before. */
static void
take_times (GPtrArray *layers, const ForgeNodeProfile *before,
    const ForgeNodeProfile *after, gsize n_rows, int candidate)
{
  for (gsize n = 0; n < n_rows; n++) {
    uint64_t n_runs = after[n].n_runs - before[n].n_runs;
    if (!after[n].tuned_shape || n_runs == 0)
      continue;
    Layer *layer = find_layer (layers, after[n].tuned_shape);
    if (candidate == 0)
      layer->chosen = after[n].algorithm;
    else if (strcmp (after[n].algorithm, candidates[candidate]) != 0)
      continue;
    double us = (double) (after[n].total_ns - before[n].total_ns) /
                (double) n_runs / 1e3;
    layer->least_us[candidate] = MIN (layer->least_us[candidate], us);
  }
}

static ForgeSession *
new_session (const ForgeModel *model, int candidate,
    const ForgeSessionParams *params, GError **error)
{
  ForgeGraph *graph = forge_graph_copy (forge_model_get_graph (model));
  g_autoptr (ForgeModel) copy =
      forge_model_new_from_graph (graph, forge_model_get_name (model), error);
  if (!copy)
    return NULL;
  forge_tuning_force (candidate > 0 ? candidates[candidate] : "");
  ForgeSession *session = forge_session_new (copy, params, error);
  forge_tuning_force (NULL);
  return session;
}

static gboolean
take_turn (GPtrArray *layers, const ForgeModel *model, int candidate,
    const ForgeSessionParams *params, double seconds, GError **error)
{
  g_autoptr (ForgeSession) session =
      new_session (model, candidate, params, error);
  if (!session)
    return FALSE;
  for (int run = 0; run < WARM_UP_RUNS; run++)
    forge_session_run (session);
  gsize n_rows;
  g_autofree ForgeNodeProfile *before =
      forge_session_get_profile (session, &n_rows);
  const gint64 end_us = g_get_monotonic_time () + (gint64) (seconds * 1e6);
  do
    forge_session_run (session);
  while (g_get_monotonic_time () < end_us);
  g_autofree ForgeNodeProfile *after =
      forge_session_get_profile (session, &n_rows);
  take_times (layers, before, after, n_rows, candidate);
  return TRUE;
}

static ForgeTunedLayer *
conclude (const Layer *layer)
{
  ForgeTunedLayer *tuned = g_new0 (ForgeTunedLayer, 1);
  *tuned = (ForgeTunedLayer) { g_strdup (layer->shape), layer->chosen,
    layer->chosen, layer->least_us[0], layer->least_us[0] };
  for (int i = 1; i < N_CANDIDATES; i++)
    if (layer->least_us[i] < WORTH_IT * tuned->chosen_us &&
        layer->least_us[i] < tuned->fastest_us) {
      tuned->fastest = candidates[i];
      tuned->fastest_us = layer->least_us[i];
    }
  return tuned;
}

static gboolean
save (GPtrArray *tuned, GError **error)
{
  g_autoptr (GHashTable) choices = g_hash_table_new (g_str_hash, g_str_equal);
  for (guint i = 0; i < tuned->len; i++) {
    const ForgeTunedLayer *layer = tuned->pdata[i];
    g_hash_table_insert (choices, layer->shape, (gpointer) layer->fastest);
  }
  return forge_tuning_save (choices, error);
}

GPtrArray *
forge_tune (
    ForgeModel *model, int threads, int batch, double seconds, GError **error)
{
  const ForgeSessionParams params = {
    .threads = threads, .batch = batch, .profile = TRUE
  };
  g_autoptr (GPtrArray) layers = g_ptr_array_new_with_free_func (layer_free);
  for (int turn = 0; turn < N_ROUNDS * N_CANDIDATES; turn++)
    if (!take_turn (layers, model, turn % N_CANDIDATES, &params,
            seconds / (N_ROUNDS * N_CANDIDATES), error))
      return NULL;
  GPtrArray *tuned =
      g_ptr_array_new_with_free_func ((GDestroyNotify) forge_tuned_layer_free);
  for (guint i = 0; i < layers->len; i++)
    g_ptr_array_add (tuned, conclude (layers->pdata[i]));
  if (!save (tuned, error))
    g_clear_pointer (&tuned, g_ptr_array_unref);
  return tuned;
}
