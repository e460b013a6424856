/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Sets a training run up: checks the parameters, brings the pictures into
 * memory, builds the network and two executors over the same weights: one
 * that learns and one that validates. Both end in the logits; softmax is part
 * of the loss. */
#include "train/trainer.h"

#include <unistd.h>

#include <glib/gstdio.h>

uint64_t
forge_stream_seed (uint64_t seed, ForgeStream stream, uint64_t index)
{
  ForgeRng rng;
  forge_rng_seed_at (&rng, seed, stream);
  forge_rng_seed_at (&rng, forge_rng_u64 (&rng), index);
  return forge_rng_u64 (&rng);
}

/* It would be sad to find out after an hour. */
static gboolean
check_writable (const char *path, GError **error)
{
  g_autofree char *folder = g_path_get_dirname (path);
  if (g_access (folder, W_OK) == 0 && !g_file_test (path, G_FILE_TEST_IS_DIR))
    return TRUE;
  g_set_error (error, FORGE_ERROR, FORGE_ERROR_IO,
      "%s: cannot be written: no such folder, or no permission", path);
  return FALSE;
}

/* Brings one part into memory. @hash is nullable. */
static ForgeLoader *
load_part (ForgeTrainer *trainer, ForgeSplit split, char **hash, GError **error)
{
  const ForgeTrainParams *params = trainer->params;
  g_autoptr (ForgeDataset) dataset =
      forge_dataset_open (params->data, split, params->seed, error);
  if (!dataset)
    return NULL;
  if (!trainer->labels) {
    trainer->labels = g_strdupv ((char **) forge_dataset_get_labels (dataset));
    trainer->n_classes = forge_dataset_get_n_classes (dataset);
  }
  ForgeLoader *loader =
      forge_loader_new (dataset, &trainer->preprocess, params->threads, error);
  if (loader && hash)
    *hash = g_strdup (forge_dataset_get_hash (dataset));
  return loader;
}

static gboolean
set_class_weights (ForgeTrainer *trainer, GError **error)
{
  g_autofree guint *counts = g_new0 (guint, trainer->n_classes);
  for (guint i = 0; i < trainer->train->n_items; i++)
    counts[trainer->train->classes[i]]++;
  return forge_params_class_weights (trainer->params, counts,
      trainer->n_classes, &trainer->class_weights, error);
}

static gboolean
load_data (ForgeTrainer *trainer, GError **error)
{
  const ForgeTrainParams *params = trainer->params;
  trainer->preprocess = (ForgePreprocess) FORGE_PREPROCESS_DEFAULT;
  trainer->preprocess.width = forge_arch_size (&trainer->arch);
  trainer->preprocess.height = forge_arch_size (&trainer->arch);
  trainer->train =
      load_part (trainer, FORGE_SPLIT_TRAIN, &trainer->data_hash, error);
  if (!trainer->train)
    return FALSE;
  trainer->val = load_part (trainer, FORGE_SPLIT_VALIDATION, NULL, error);
  if (!trainer->val)
    return FALSE;
  gboolean one =
      trainer->words.loss == FORGE_LOSS_SIGMOID && trainer->n_classes == 2;
  trainer->n_targets = one ? 1 : trainer->n_classes;
  trainer->train->n_targets = trainer->val->n_targets = trainer->n_targets;
  trainer->batch = MIN (params->batch, trainer->train->n_items);
  trainer->n_steps = trainer->train->n_items / trainer->batch;
  trainer->prefetch =
      forge_prefetch_new (trainer->train, trainer->batch, params->threads);
  return set_class_weights (trainer, error);
}

/* The network without its last node, Softmax or Sigmoid; the constants are
 * shared. */
static ForgeGraph *
copy_to_logits (const ForgeGraph *graph)
{
  ForgeGraph *copy = forge_graph_copy (graph);
  ForgeValue *probabilities = g_ptr_array_index (copy->outputs, 0);
  ForgeNode *softmax = probabilities->producer;
  ForgeValue *logits = forge_node_in (softmax, 0);
  g_ptr_array_set_size (copy->outputs, 0);
  forge_graph_remove_node (copy, softmax);
  forge_graph_add_output (copy, logits);
  forge_graph_sweep (copy);
  return copy;
}

static gboolean
make_learner (ForgeTrainer *trainer, GError **error)
{
  g_clear_pointer (&trainer->learner, forge_executor_free);
  trainer->learner = forge_executor_new (
      trainer->logits, trainer->batch, trainer->params->threads, TRUE, error);
  if (!trainer->learner)
    return FALSE;
  forge_slots_bind (trainer);
  return TRUE;
}

static gboolean
build_network (ForgeTrainer *trainer, GError **error)
{
  const ForgeTrainParams *params = trainer->params;
  const ForgeLoader *train = trainer->train;
  ForgeArchParams arch = { .n_outputs = trainer->n_targets,
    .sigmoid = trainer->words.loss == FORGE_LOSS_SIGMOID,
    .dropout = params->dropout,
    .seed = forge_stream_seed (params->seed, FORGE_STREAM_WEIGHTS, 0),
    .options = trainer->arch.options,
    .pictures = {
        train->pixels, train->n_items, train->width, train->height } };
  trainer->graph = trainer->arch.arch->build (&arch, error);
  if (!trainer->graph)
    return FALSE;
  trainer->logits = copy_to_logits (trainer->graph);
  if (!forge_slots_new (trainer, error) || !make_learner (trainer, error))
    return FALSE;
  trainer->validator = forge_executor_new (trainer->logits,
      MIN (trainer->batch, trainer->val->n_items), params->threads, FALSE,
      error);
  return trainer->validator != NULL;
}

gboolean
forge_trainer_begin_epoch (ForgeTrainer *trainer, GError **error)
{
  return !forge_slots_freeze_due (trainer) || make_learner (trainer, error);
}

ForgeTrainer *
forge_trainer_new (const ForgeTrainParams *params, GError **error)
{
  g_autoptr (ForgeTrainer) trainer = g_new0 (ForgeTrainer, 1);
  trainer->params = params;
  if (!forge_params_check (params, &trainer->words, error) ||
      !check_writable (params->out, error) ||
      (params->checkpoint && !check_writable (params->checkpoint, error)) ||
      (params->log && !check_writable (params->log, error)) ||
      !forge_arch_choose (params->arch, &trainer->arch, error) ||
      !load_data (trainer, error) || !build_network (trainer, error))
    return NULL;
  trainer->settings = forge_trainer_describe (trainer);
  return g_steal_pointer (&trainer);
}

void
forge_trainer_free (ForgeTrainer *trainer)
{
  if (!trainer)
    return;
  forge_prefetch_free (trainer->prefetch);
  forge_slots_free (trainer);
  forge_executor_free (trainer->learner);
  forge_executor_free (trainer->validator);
  g_clear_pointer (&trainer->logits, forge_graph_free);
  g_clear_pointer (&trainer->graph, forge_graph_free);
  forge_loader_free (trainer->train);
  forge_loader_free (trainer->val);
  g_strfreev (trainer->labels);
  g_free (trainer->class_weights);
  g_free (trainer->data_hash);
  g_free (trainer->settings);
  g_free (trainer);
}
