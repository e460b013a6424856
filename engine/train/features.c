/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See features.h. A batch at a time through the plan that a session would
 * have, so the backbone runs as fast as it does when it classifies. */
#include "train/features.h"

#include <math.h>
#include <string.h>

#include "graph/pass-util.h"
#include "run/steps.h"

#define BATCH 16

typedef struct {
  ForgeSteps *steps;
  ForgeTensor *in, *out;
} Backbone;

static ForgeSteps *
make_steps (const ForgeTrainer *trainer, GError **error)
{
  g_autoptr (ForgeGraph) graph = forge_graph_copy (trainer->graph);
  g_ptr_array_set_size (graph->outputs, 0);
  forge_graph_add_output (graph, forge_graph_find (graph, trainer->features));
  if (!forge_graph_sort (graph, error))
    return NULL;
  forge_graph_drop_dead (graph);
  g_autoptr (ForgePlan) plan =
      forge_plan_new (graph, FORGE_PLAN_INFERENCE, BATCH, error);
  return plan ? forge_steps_new (plan, trainer->params->threads, error) : NULL;
}

ForgeBatchRule
forge_trainer_batch_rule (const ForgeTrainer *trainer, uint64_t epoch)
{
  const ForgeTrainParams *params = trainer->params;
  uint64_t seed = params->seed;
  return (ForgeBatchRule) { .augment = { .flip = trainer->words.flip,
                                .shift = params->shift,
                                .border = trainer->words.border,
                                .rotation = (float) params->rotation,
                                .zoom = (float) params->zoom,
                                .brightness = (float) params->brightness,
                                .contrast = (float) params->contrast,
                                .saturation = (float) params->saturation,
                                .hue = (float) params->hue,
                                .cutout = params->cutout,
                                .erase = (float) params->erase },
    .mixup = params->mixup,
    .seed = forge_stream_seed (seed, FORGE_STREAM_AUGMENT, epoch),
    .mixup_seed = forge_stream_seed (seed, FORGE_STREAM_MIXUP, epoch),
    .flip_seed = forge_stream_seed (seed, FORGE_STREAM_FLIP, 0),
    .epoch = epoch };
}

static gboolean
check_finite (const float *features, gsize n, guint first, GError **error)
{
  for (gsize i = 0; i < n; i++)
    if (!isfinite (features[i])) {
      g_set_error (error, FORGE_ERROR, FORGE_ERROR_NUMERIC,
          "the backbone gives NaN or infinity for one of the pictures %u to %u",
          first, first + BATCH - 1);
      return FALSE;
    }
  return TRUE;
}

/* One variant of all pictures, in their own order. */
static gboolean
run_variant (const ForgeTrainer *trainer, const Backbone *backbone,
    const ForgeLoader *pictures, guint variant, ForgeLoader *features,
    GError **error)
{
  const ForgeBatchRule rule = forge_trainer_batch_rule (trainer, variant);
  guint n_items = pictures->n_items;
  g_autofree float *targets =
      g_new (float, (gsize) BATCH * pictures->n_targets);
  for (guint first = 0; first < n_items; first += BATCH) {
    guint n = MIN (BATCH, n_items - first);
    forge_loader_get (pictures, first, BATCH, variant ? &rule : NULL,
        trainer->params->threads, backbone->in->data, targets);
    for (guint i = 0; i < backbone->steps->n_steps; i++)
      forge_steps_run (backbone->steps, i);
    gsize size_bytes = n * features->item_bytes;
    if (!check_finite (
            backbone->out->data, size_bytes / sizeof (float), first, error))
      return FALSE;
    memcpy (features->own_pixels +
                ((gsize) variant * n_items + first) * features->item_bytes,
        backbone->out->data, size_bytes);
  }
  return TRUE;
}

static ForgeLoader *
run_part (const ForgeTrainer *trainer, const Backbone *backbone,
    const ForgeLoader *pictures, guint n_variants, GError **error)
{
  g_autoptr (ForgeLoader) features = forge_loader_new_features (pictures,
      (gsize) trainer->n_features * sizeof (float), n_variants, error);
  for (guint variant = 0; features && variant < n_variants; variant++)
    if (!run_variant (trainer, backbone, pictures, variant, features, error))
      return NULL;
  return g_steal_pointer (&features);
}

gboolean
forge_features_compute (const ForgeTrainer *trainer, ForgeLoader **train,
    ForgeLoader **val, GError **error)
{
  g_autoptr (ForgeSteps) steps = make_steps (trainer, error);
  if (!steps)
    return FALSE;
  const ForgeGraph *graph = steps->plan->graph;
  const Backbone backbone = { steps,
    forge_steps_tensor (steps, g_ptr_array_index (graph->inputs, 0)),
    forge_steps_tensor (steps, g_ptr_array_index (graph->outputs, 0)) };
  *train = run_part (trainer, &backbone, trainer->train,
      trainer->params->feature_variants, error);
  if (!*train)
    return FALSE;
  *val = run_part (trainer, &backbone, trainer->val, 1, error);
  return *val != NULL;
}
