/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See precise-bn.h. A copy of the learner whose batch norms forget at once
 * leaves each batch's own statistics in the constants, where they are added
 * up: mean, and variance + mean^2. */
#include "train/precise-bn.h"

#include "graph/pass-util.h"
#include "train/features.h"

/* One batch norm: where its statistics are, and sums over the batches. */
typedef struct {
  float *mean, *variance; /* [n] */
  double *sums, *squares; /* [n] */
  int64_t n;
} Norm;

static void
norm_clear (gpointer data)
{
  Norm *norm = data;
  g_free (norm->sums);
  g_free (norm->squares);
}

/* The batch norms of @graph, which keep nothing of the batches before; but for
 * those whose statistics the network computes itself. */
static GArray *
forgetful_norms (ForgeGraph *graph)
{
  GArray *norms = g_array_new (FALSE, FALSE, sizeof (Norm));
  g_array_set_clear_func (norms, norm_clear);
  for (guint i = 0; i < graph->nodes->len; i++) {
    ForgeNode *node = graph->nodes->pdata[i];
    if (!forge_node_is (node, "BatchNormalization"))
      continue;
    int64_t n = forge_node_in (node, 3)->shape.dims[0];
    if (!forge_node_floats (node, 3, n) || !forge_node_floats (node, 4, n))
      continue;
    forge_attrs_set_float (node->attrs, "momentum", 0);
    const Norm norm = { .mean = forge_node_in (node, 3)->constant->data,
      .variance = forge_node_in (node, 4)->constant->data,
      .sums = g_new0 (double, n),
      .squares = g_new0 (double, n),
      .n = n };
    g_array_append_val (norms, norm);
  }
  return norms;
}

static void
add_batch (const GArray *norms)
{
  for (guint i = 0; i < norms->len; i++) {
    const Norm *norm = &g_array_index (norms, Norm, i);
    for (int64_t c = 0; c < norm->n; c++) {
      double mean = norm->mean[c];
      norm->sums[c] += mean;
      norm->squares[c] += norm->variance[c] + mean * mean;
    }
  }
}

static void
store_statistics (const GArray *norms, guint n_batches)
{
  for (guint i = 0; i < norms->len; i++) {
    const Norm *norm = &g_array_index (norms, Norm, i);
    for (int64_t c = 0; c < norm->n; c++) {
      double mean = norm->sums[c] / n_batches;
      double variance = norm->squares[c] / n_batches - mean * mean;
      norm->mean[c] = (float) mean;
      norm->variance[c] = (float) MAX (variance, 0);
    }
  }
}

/* Batches as of the epoch that would be next, with all pictures. */
static void
begin_batches (ForgeTrainer *trainer, guint n_batches)
{
  const ForgeTrainParams *params = trainer->params;
  uint64_t epoch = trainer->epochs_before + trainer->state.epoch;
  const ForgeBatchRule rule = forge_trainer_batch_rule (trainer, epoch);
  forge_prefetch_free (trainer->prefetch);
  trainer->prefetch =
      forge_prefetch_new (trainer->train, trainer->batch, params->threads);
  forge_prefetch_begin (trainer->prefetch, &rule,
      forge_stream_seed (params->seed, FORGE_STREAM_SHUFFLE, epoch), NULL,
      n_batches);
}

static gboolean
run_batch (ForgeTrainer *trainer, guint index, const GArray *norms,
    float *targets, GError **error)
{
  ForgeTensor *input = forge_executor_get_input (trainer->learner, 0);
  uint64_t seed = forge_stream_seed (
      trainer->params->seed, FORGE_STREAM_DROPOUT, trainer->state.step + index);
  forge_prefetch_take (trainer->prefetch, input->data, targets);
  if (!forge_executor_forward (trainer->learner, seed, error))
    return FALSE;
  add_batch (norms);
  return TRUE;
}

gboolean
forge_trainer_precise_bn (ForgeTrainer *trainer, float *targets,
    ForgePreciseFunc func, gpointer user_data, guint *n_pictures,
    GError **error)
{
  *n_pictures = 0;
  if (trainer->params->precise_bn == 0)
    return TRUE;
  g_autoptr (ForgeGraph) graph = forge_graph_copy (trainer->logits);
  g_autoptr (GArray) norms = forgetful_norms (graph);
  if (norms->len == 0)
    return TRUE;
  guint wanted = (trainer->params->precise_bn - 1) / trainer->batch + 1;
  guint n_batches = MIN (wanted, trainer->n_steps);
  if (!forge_trainer_make_learner (trainer, graph, error))
    return FALSE;
  begin_batches (trainer, n_batches);
  for (guint i = 0; i < n_batches; i++)
    if (!run_batch (trainer, i, norms, targets, error) ||
        !func (i + 1, n_batches, user_data, error))
      return FALSE;
  store_statistics (norms, n_batches);
  *n_pictures = n_batches * trainer->batch;
  return TRUE;
}
