/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Sets a training run up: checks the parameters, brings the pictures into
 * memory, builds the network and two executors over the same weights: one
 * that learns and one that validates. Both end in the logits; softmax is part
 * of the loss. */
#include "train/trainer.h"

#include <math.h>
#include <string.h>
#include <unistd.h>

#include <glib/gstdio.h>

#define MAX_SHIFT 64

uint64_t
forge_stream_seed (uint64_t seed, ForgeStream stream, uint64_t index)
{
  ForgeRng rng;
  forge_rng_seed_at (&rng, seed, stream);
  forge_rng_seed_at (&rng, forge_rng_u64 (&rng), index);
  return forge_rng_u64 (&rng);
}

static gboolean
check (gboolean good, const char *name, const char *expected, GError **error)
{
  if (!good)
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_ARGUMENT,
        "training parameter '%s': expected %s", name, expected);
  return good;
}

static gboolean
check_params (const ForgeTrainParams *params, GError **error)
{
  double rate = params->learning_rate, last = params->final_learning_rate;
  return check (params->data != NULL, "data", "a data set", error) &&
         check (params->arch != NULL, "arch", "an architecture", error) &&
         check (params->out != NULL, "out", "a file to write", error) &&
         check (params->epochs >= 1, "epochs", "1 or more", error) &&
         check (params->batch >= 1 && params->batch <= 65536, "batch",
             "1 to 65536 images", error) &&
         check (isfinite (rate) && rate > 0, "learning_rate",
             "a number above 0", error) &&
         check (isfinite (last), "final_learning_rate",
             "a number, below 0 for a constant rate", error) &&
         check (isfinite (params->weight_decay) && params->weight_decay >= 0,
             "weight_decay", "0 or more", error) &&
         check (params->dropout >= 0 && params->dropout < 1, "dropout",
             "0 to below 1", error) &&
         check (params->shift <= MAX_SHIFT, "shift", "0 to 64 pixels", error) &&
         check (params->threads >= 0, "threads", "0 (all) or more", error) &&
         check (params->checkpoint || !params->resume, "resume",
             "a checkpoint to resume from", error);
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
load_data (ForgeTrainer *trainer, GError **error)
{
  const ForgeTrainParams *params = trainer->params;
  trainer->preprocess = (ForgePreprocess) FORGE_PREPROCESS_DEFAULT;
  trainer->preprocess.width = trainer->arch->width;
  trainer->preprocess.height = trainer->arch->height;
  trainer->train =
      load_part (trainer, FORGE_SPLIT_TRAIN, &trainer->data_hash, error);
  if (!trainer->train)
    return FALSE;
  trainer->val = load_part (trainer, FORGE_SPLIT_VALIDATION, NULL, error);
  if (!trainer->val)
    return FALSE;
  trainer->batch = MIN (params->batch, trainer->train->n_items);
  trainer->n_steps = trainer->train->n_items / trainer->batch;
  return TRUE;
}

/* The network without its last node; the constants are shared. */
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

static void
make_slots (ForgeTrainer *trainer)
{
  trainer->n_slots = forge_executor_get_n_parameters (trainer->learner);
  trainer->slots = g_new0 (ForgeSlot, trainer->n_slots);
  for (guint i = 0; i < trainer->n_slots; i++) {
    ForgeSlot *slot = &trainer->slots[i];
    slot->parameter = forge_executor_get_parameter (trainer->learner, i);
    slot->n = (size_t) forge_shape_count (&slot->parameter->value->shape);
    slot->m = g_new0 (float, slot->n);
    slot->v = g_new0 (float, slot->n);
    slot->best = g_new0 (float, slot->n);
  }
}

static gboolean
build_network (ForgeTrainer *trainer, GError **error)
{
  const ForgeTrainParams *params = trainer->params;
  ForgeArchParams arch = { .n_classes = trainer->n_classes,
    .dropout = params->dropout,
    .seed = forge_stream_seed (params->seed, FORGE_STREAM_WEIGHTS, 0) };
  trainer->graph = trainer->arch->build (&arch, error);
  if (!trainer->graph)
    return FALSE;
  g_autoptr (ForgeGraph) logits = copy_to_logits (trainer->graph);
  trainer->learner =
      forge_executor_new (logits, trainer->batch, params->threads, TRUE, error);
  if (!trainer->learner)
    return FALSE;
  trainer->validator =
      forge_executor_new (logits, MIN (trainer->batch, trainer->val->n_items),
          params->threads, FALSE, error);
  if (!trainer->validator)
    return FALSE;
  make_slots (trainer);
  return TRUE;
}

ForgeTrainer *
forge_trainer_new (const ForgeTrainParams *params, GError **error)
{
  if (!check_params (params, error) || !check_writable (params->out, error) ||
      (params->checkpoint && !check_writable (params->checkpoint, error)) ||
      (params->log && !check_writable (params->log, error)))
    return NULL;
  g_autoptr (ForgeTrainer) trainer = g_new0 (ForgeTrainer, 1);
  trainer->params = params;
  trainer->arch = forge_arch_find (params->arch, error);
  if (!trainer->arch || !load_data (trainer, error) ||
      !build_network (trainer, error))
    return NULL;
  trainer->settings = forge_trainer_describe (trainer);
  return g_steal_pointer (&trainer);
}

void
forge_trainer_free (ForgeTrainer *trainer)
{
  if (!trainer)
    return;
  for (guint i = 0; i < trainer->n_slots; i++) {
    g_free (trainer->slots[i].m);
    g_free (trainer->slots[i].v);
    g_free (trainer->slots[i].best);
  }
  g_free (trainer->slots);
  forge_executor_free (trainer->learner);
  forge_executor_free (trainer->validator);
  forge_graph_free (trainer->graph);
  forge_loader_free (trainer->train);
  forge_loader_free (trainer->val);
  g_strfreev (trainer->labels);
  g_free (trainer->data_hash);
  g_free (trainer->settings);
  g_free (trainer);
}

void
forge_trainer_keep_best (ForgeTrainer *trainer)
{
  for (guint i = 0; i < trainer->n_slots; i++) {
    ForgeSlot *slot = &trainer->slots[i];
    memcpy (
        slot->best, slot->parameter->value->data, slot->n * sizeof *slot->best);
  }
}

void
forge_trainer_restore_best (ForgeTrainer *trainer)
{
  for (guint i = 0; i < trainer->n_slots; i++) {
    ForgeSlot *slot = &trainer->slots[i];
    memcpy (
        slot->parameter->value->data, slot->best, slot->n * sizeof *slot->best);
  }
}
