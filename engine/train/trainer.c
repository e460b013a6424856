/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Sets a training run up: checks the parameters, brings the pictures into
 * memory, builds the network and two executors over the same weights: one
 * that learns and one that validates. Both end in the logits; softmax is part
 * of the loss. */
#include "train/trainer.h"

#include <unistd.h>

#include <glib/gstdio.h>

#include "graph/stored-weights.h"
#include "train/features.h"
#include "train/network.h"

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

/* What learns one class of all cannot learn several. */
static gboolean
check_multi_label (const ForgeTrainer *trainer, GError **error)
{
  const ForgeTrainParams *params = trainer->params;
  if (!trainer->is_multi_label)
    return TRUE;
  if (trainer->words.loss != FORGE_LOSS_SIGMOID)
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_ARGUMENT,
        "data '%s' has pictures of several classes, or of none, and the loss "
        "'%s' is for one class of all: expected the loss 'sigmoid'",
        params->data, params->loss);
  else if (params->class_weights)
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_ARGUMENT,
        "training parameter 'class_weights': expected none, since the pictures "
        "of data '%s' have several classes, or none",
        params->data);
  else
    return TRUE;
  return FALSE;
}

ForgeCut
forge_train_cut (const ForgeTrainParams *params)
{
  return (ForgeCut) { .seed = params->seed,
    .validation = params->validation_split };
}

/* Brings one part into memory. @hash is nullable. */
static ForgeLoader *
load_part (ForgeTrainer *trainer, ForgeSplit split, char **hash, GError **error)
{
  const ForgeTrainParams *params = trainer->params;
  const ForgeCut cut = forge_train_cut (params);
  g_autoptr (ForgeDataset) dataset =
      forge_dataset_open (params->data, split, &cut, error);
  if (!dataset)
    return NULL;
  if (!trainer->labels) {
    trainer->labels = g_strdupv ((char **) forge_dataset_get_labels (dataset));
    trainer->n_classes = forge_dataset_get_n_classes (dataset);
    trainer->is_multi_label = forge_dataset_is_multi_label (dataset);
  }
  if (!check_multi_label (trainer, error))
    return NULL;
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
  for (guint i = 0; !trainer->is_multi_label && i < trainer->train->n_items;
       i++)
    counts[trainer->train->classes[i]]++;
  return forge_params_class_weights (trainer->params, counts,
      trainer->n_classes, &trainer->class_weights, error);
}

/* What every phase derives from its loaders. */
static void
begin_with_loaders (ForgeTrainer *trainer)
{
  const ForgeTrainParams *params = trainer->params;
  trainer->batch = MIN (params->batch, trainer->train->n_items);
  trainer->n_steps = trainer->train->n_items / trainer->batch;
  if (params->prune_easy > 0)
    trainer->prune = forge_prune_new (trainer->train->n_items);
  trainer->prefetch =
      forge_prefetch_new (trainer->train, trainer->batch, params->threads);
}

static gboolean
load_data (ForgeTrainer *trainer, GError **error)
{
  trainer->train =
      load_part (trainer, FORGE_SPLIT_TRAIN, &trainer->data_hash, error);
  if (!trainer->train)
    return FALSE;
  trainer->val = load_part (trainer, FORGE_SPLIT_VALIDATION, NULL, error);
  if (!trainer->val)
    return FALSE;
  gboolean one = trainer->words.loss == FORGE_LOSS_SIGMOID &&
                 trainer->n_classes == 2 && !trainer->is_multi_label;
  trainer->n_targets = one ? 1 : trainer->n_classes;
  trainer->train->n_targets = trainer->val->n_targets = trainer->n_targets;
  begin_with_loaders (trainer);
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

gboolean
forge_trainer_make_learner (
    ForgeTrainer *trainer, const ForgeGraph *graph, GError **error)
{
  g_clear_pointer (&trainer->learner, forge_executor_free);
  trainer->learner = forge_executor_new (
      graph, trainer->batch, trainer->params->threads, TRUE, error);
  if (!trainer->learner)
    return FALSE;
  forge_slots_bind (trainer);
  return TRUE;
}

gboolean
forge_trainer_prepare (ForgeTrainer *trainer, GError **error)
{
  const ForgeTrainParams *params = trainer->params;
  trainer->logits = copy_to_logits (trainer->graph);
  if (!forge_slots_new (trainer, error) ||
      !forge_trainer_make_learner (trainer, trainer->logits, error))
    return FALSE;
  trainer->validator = forge_executor_new (trainer->logits,
      MIN (trainer->batch, trainer->val->n_items), params->threads, FALSE,
      error);
  return trainer->validator != NULL;
}

static gboolean
build_architecture (ForgeTrainer *trainer, GError **error)
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
  return trainer->graph != NULL;
}

/* Cuts the classes of the backbone off and puts ours on. */
static gboolean
replace_head (ForgeTrainer *trainer, GError **error)
{
  const ForgeTrainParams *params = trainer->params;
  ForgeGraph *graph = trainer->graph;
  if (!forge_network_cut_head (graph, &trainer->n_features, error))
    return FALSE;
  if (params->freeze_backbone) {
    if (!forge_network_fold_norms (graph, error))
      return FALSE;
    forge_network_freeze (graph, params->unfreeze);
    const ForgeValue *features = g_ptr_array_index (graph->outputs, 0);
    trainer->features = features->name;
  }
  const ForgeNetworkHead head = { .n_features = trainer->n_features,
    .n_outputs = trainer->n_targets,
    .sigmoid = trainer->words.loss == FORGE_LOSS_SIGMOID,
    .dropout = params->dropout,
    .seed = forge_stream_seed (params->seed, FORGE_STREAM_WEIGHTS, 0) };
  return forge_network_add_head (graph, &head, error);
}

static gboolean
build_network (ForgeTrainer *trainer, GError **error)
{
  const ForgeTrainParams *params = trainer->params;
  if (params->backbone)
    return replace_head (trainer, error);
  if (params->init)
    return forge_network_end_in_probabilities (trainer->graph,
        trainer->n_targets, trainer->words.loss == FORGE_LOSS_SIGMOID, error);
  return build_architecture (trainer, error);
}

/* The architecture, or the network of a file; and what pictures it takes. */
static gboolean
choose_network (ForgeTrainer *trainer, GError **error)
{
  const ForgeTrainParams *params = trainer->params;
  const char *file = params->backbone ? params->backbone : params->init;
  if (file) {
    trainer->graph =
        forge_network_load (file, params->stated, &trainer->preprocess, error);
    return trainer->graph && forge_graph_can_store (
                                 trainer->graph, trainer->words.weights, error);
  }
  if (!forge_arch_choose (params->arch, &trainer->arch, error))
    return FALSE;
  trainer->preprocess = (ForgePreprocess) FORGE_PREPROCESS_DEFAULT;
  trainer->preprocess.width = forge_arch_size (&trainer->arch);
  trainer->preprocess.height = forge_arch_size (&trainer->arch);
  return TRUE;
}

gboolean
forge_trainer_begin_epoch (ForgeTrainer *trainer, GError **error)
{
  return !forge_slots_freeze_due (trainer) ||
         forge_trainer_make_learner (trainer, trainer->logits, error);
}

ForgeTrainer *
forge_trainer_new (const ForgeTrainParams *params, GError **error)
{
  g_autoptr (ForgeTrainer) trainer = g_new0 (ForgeTrainer, 1);
  trainer->params = params;
  trainer->epochs = params->epochs;
  trainer->rate_scale = 1;
  if (!forge_params_check (params, &trainer->words, error) ||
      !check_writable (params->out, error) ||
      (params->checkpoint && !check_writable (params->checkpoint, error)) ||
      (params->log && !check_writable (params->log, error)) ||
      !choose_network (trainer, error) || !load_data (trainer, error) ||
      !build_network (trainer, error))
    return NULL;
  trainer->settings = forge_trainer_describe (trainer);
  return g_steal_pointer (&trainer);
}

/* Features in, probabilities out, by the weights of @whole. */
static gboolean
build_head (ForgeTrainer *head, const ForgeTrainer *whole, GError **error)
{
  ForgeShape shape = forge_shape (2, -1, (int) whole->n_features);
  const ForgeValue *out = g_ptr_array_index (whole->graph->outputs, 0);
  const ForgeNode *dense = forge_node_in (out->producer, 0)->producer;
  head->graph = forge_graph_new ("head");
  head->graph->opset = whole->graph->opset;
  forge_graph_add_output (
      head->graph, forge_graph_add_input (
                       head->graph, whole->features, FORGE_FLOAT32, &shape));
  const ForgeNetworkHead layer = { .n_features = whole->n_features,
    .n_outputs = whole->n_targets,
    .sigmoid = whole->words.loss == FORGE_LOSS_SIGMOID,
    .dropout = whole->params->dropout,
    .weights = forge_node_in (dense, 1)->constant,
    .bias = forge_node_in (dense, 2)->constant };
  return forge_network_add_head (head->graph, &layer, error);
}

ForgeTrainer *
forge_trainer_new_head (ForgeTrainer *whole, GError **error)
{
  g_autoptr (ForgeTrainer) head = g_new0 (ForgeTrainer, 1);
  const ForgeTrainParams *params = whole->params;
  *head = (ForgeTrainer) { .params = params,
    .words = whole->words,
    .n_classes = whole->n_classes,
    .is_multi_label = whole->is_multi_label,
    .n_targets = whole->n_targets,
    .epochs = params->epochs,
    .rate_scale = 1,
    .settings = g_strdup (whole->settings) };
  if (whole->class_weights)
    head->class_weights =
        g_memdup2 (whole->class_weights, whole->n_classes * sizeof (float));
  if (!forge_features_compute (whole, &head->train, &head->val, error))
    return NULL;
  begin_with_loaders (head);
  if (!build_head (head, whole, error) || !forge_trainer_prepare (head, error))
    return NULL;
  return g_steal_pointer (&head);
}

gboolean
forge_trainer_take_over (
    ForgeTrainer *whole, const ForgeTrainer *head, GError **error)
{
  whole->state = head->state;
  if (whole->params->unfreeze == 0)
    return TRUE;
  whole->epochs = whole->params->tuning_epochs;
  whole->epochs_before = (guint) head->state.epoch;
  whole->rate_scale = whole->params->rate_scale;
  whole->state.epoch = whole->state.step = 0;
  if (!forge_trainer_prepare (whole, error))
    return FALSE;
  forge_slots_keep_best (whole);
  return TRUE;
}

void
forge_trainer_free (ForgeTrainer *trainer)
{
  if (!trainer)
    return;
  forge_prefetch_free (trainer->prefetch);
  forge_prune_free (trainer->prune);
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
