/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The end of a training run: evaluates the finished network by the path the
 * element will use, and writes it with everything that travels with it
 * (forge.* metadata, JSON values, each with a version).
 *   forge.training      settings, seed, command, epochs run, and how many
 *                       pictures there were and could not be read
 *   forge.augmentation  what was done to the pictures
 *   forge.data_hash     SHA-256 of the training part
 *   forge.evaluation    on the test part, where the data has one
 *   forge.drift         confidence on the validation part: what the monitor
 *                       takes for normal */
#include <json-glib/json-glib.h>
#include <string.h>

#include "formats/format.h"
#include "graph/stored-weights.h"
#include "train/trainer.h"

/* Takes @builder's object. */
static char *
to_json (JsonBuilder *builder)
{
  g_autoptr (JsonNode) root = json_builder_get_root (builder);
  return json_to_string (root, FALSE);
}

static void
set_metadata (ForgeGraph *graph, const char *key, char *value)
{
  g_hash_table_insert (graph->metadata, g_strdup (key), value);
}

static void
add_string (JsonBuilder *builder, const char *name, const char *value)
{
  json_builder_set_member_name (builder, name);
  json_builder_add_string_value (builder, value);
}

static void
add_int (JsonBuilder *builder, const char *name, uint64_t value)
{
  json_builder_set_member_name (builder, name);
  json_builder_add_int_value (builder, (gint64) value);
}

static void
add_double (JsonBuilder *builder, const char *name, double value)
{
  json_builder_set_member_name (builder, name);
  json_builder_add_double_value (builder, value);
}

static char *
training_json (const ForgeTrainer *trainer)
{
  const ForgeTrainParams *params = trainer->params;
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  json_builder_begin_object (builder);
  add_int (builder, "version", 1);
  if (params->command)
    add_string (builder, "command", params->command);
  add_string (builder, "data", params->data);
  forge_trainer_add_settings (builder, trainer);
  if (trainer->words.weights != FORGE_WEIGHTS_FLOAT32)
    add_string (builder, "weights", params->weights);
  if (params->precise_bn > 0)
    add_int (builder, "precise_bn", params->precise_bn);
  add_int (builder, "n_train", trainer->train->n_items);
  add_int (builder, "n_train_skipped", trainer->train->n_skipped);
  add_int (builder, "n_val", trainer->val->n_items);
  add_int (builder, "n_val_skipped", trainer->val->n_skipped);
  add_int (
      builder, "epochs_run", trainer->epochs_before + trainer->state.epoch);
  add_int (builder, "best_epoch", trainer->state.best_epoch);
  add_double (builder, "val_loss", trainer->state.best_val_loss);
  add_double (builder, "val_accuracy", trainer->state.best_val_accuracy);
  json_builder_end_object (builder);
  return to_json (builder);
}

static char *
augmentation_json (const ForgeTrainer *trainer)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  json_builder_begin_object (builder);
  add_int (builder, "version", 1);
  forge_trainer_add_augmentation (builder, trainer);
  json_builder_end_object (builder);
  return to_json (builder);
}

static char *
evaluation_json (const ForgeEvaluation *evaluation)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  json_builder_begin_object (builder);
  add_int (builder, "version", 1);
  add_int (builder, "n_items", evaluation->n_items);
  add_int (builder, "n_skipped", evaluation->n_skipped);
  add_double (builder, "accuracy", evaluation->accuracy);
  add_double (builder, "nll", evaluation->nll);
  add_double (builder, "ece", evaluation->ece);
  add_double (builder, "macro_f1", evaluation->macro_avg.f1_score);
  if (evaluation->is_multi_label) {
    add_double (builder, "micro_f1", evaluation->micro_avg.f1_score);
    add_double (builder, "samples_f1", evaluation->samples_avg.f1_score);
  }
  json_builder_set_member_name (builder, "f1");
  json_builder_begin_object (builder);
  for (guint c = 0; c < evaluation->n_classes; c++)
    add_double (
        builder, evaluation->labels[c], evaluation->classes[c].f1_score);
  json_builder_end_object (builder);
  json_builder_end_object (builder);
  return to_json (builder);
}

static char *
drift_json (const ForgeEvaluation *evaluation)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  json_builder_begin_object (builder);
  add_int (builder, "version", 1);
  add_int (builder, "n_val", evaluation->n_items);
  add_double (builder, "val_accuracy", evaluation->accuracy);
  add_double (builder, "mean_confidence", evaluation->mean_confidence);
  add_double (builder, "nll", evaluation->nll);
  add_double (builder, "ece", evaluation->ece);
  json_builder_end_object (builder);
  return to_json (builder);
}

static void
describe_model (ForgeTrainer *trainer)
{
  const ForgeTrainParams *params = trainer->params;
  gboolean has_arch = !params->backbone && !params->init;
  const char *own = has_arch ? params->arch : trainer->graph->name;
  ForgeModelInfo info = { .name = (char *) (params->name ? params->name : own),
    .version = (char *) (params->version ? params->version : ""),
    .labels = trainer->labels,
    .preprocess = trainer->preprocess,
    .has_probabilities = TRUE,
    .n_classes = trainer->n_classes };
  ForgeGraph *graph = trainer->graph;
  forge_model_info_write (&info, graph);
  set_metadata (graph, "forge.training", training_json (trainer));
  set_metadata (graph, "forge.augmentation", augmentation_json (trainer));
  set_metadata (graph, "forge.data_hash", g_strdup (trainer->data_hash));
}

/* What the model as it will be read back does on one part of the data. */
static ForgeEvaluation *
evaluate_part (const ForgeTrainer *trainer, ForgeModel *model, ForgeSplit split,
    GError **error)
{
  const ForgeCut cut = forge_train_cut (trainer->params);
  g_autoptr (ForgeDataset) dataset =
      forge_dataset_open (trainer->params->data, split, &cut, error);
  if (!dataset)
    return NULL;
  const ForgeEvaluateParams params = { .threads = trainer->params->threads };
  return forge_evaluate (model, dataset, &params, NULL, NULL, error);
}

gboolean
forge_trainer_export (ForgeTrainer *trainer, GError **error)
{
  if (!forge_graph_store_weights (
          trainer->graph, trainer->words.weights, error))
    return FALSE;
  describe_model (trainer);
  g_autoptr (GBytes) bytes = forge_onnx_serialise (trainer->graph, error);
  if (!bytes)
    return FALSE;
  g_autoptr (ForgeModel) model =
      forge_model_load_bytes (g_bytes_get_data (bytes, NULL),
          g_bytes_get_size (bytes), trainer->params->out, error);
  if (!model)
    return FALSE;
  g_autoptr (ForgeEvaluation) val =
      evaluate_part (trainer, model, FORGE_SPLIT_VALIDATION, error);
  if (!val)
    return FALSE;
  set_metadata (trainer->graph, "forge.drift", drift_json (val));

  g_autoptr (GError) test_error = NULL;
  g_autoptr (ForgeEvaluation) test =
      evaluate_part (trainer, model, FORGE_SPLIT_TEST, &test_error);
  if (test)
    set_metadata (trainer->graph, "forge.evaluation", evaluation_json (test));
  else if (!g_error_matches (test_error, FORGE_ERROR, FORGE_ERROR_NOT_FOUND)) {
    g_propagate_error (error, g_steal_pointer (&test_error));
    return FALSE;
  }
  return forge_onnx_write (trainer->graph, trainer->params->out, error);
}
