/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The settings of a training run as JSON: in checkpoints, to tell whether a
 * run goes on as it began, and in the model file. A setting that has no
 * effect in a run is left out. */
#include "train/trainer.h"

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

static void
add_bool (JsonBuilder *builder, const char *name, gboolean value)
{
  json_builder_set_member_name (builder, name);
  json_builder_add_boolean_value (builder, value);
}

static void
add_positive (JsonBuilder *builder, const char *name, double value)
{
  if (value > 0)
    add_double (builder, name, value);
}

static void
add_schedule (JsonBuilder *builder, const ForgeTrainer *trainer)
{
  const ForgeTrainParams *params = trainer->params;
  add_double (builder, "learning_rate", params->learning_rate);
  add_int (builder, "rate_batch", params->rate_batch);
  add_string (builder, "schedule", params->schedule);
  add_positive (builder, "warmup_epochs", params->warmup_epochs);
  if (trainer->words.schedule == FORGE_SCHEDULE_COSINE) {
    add_double (builder, "final_learning_rate", params->final_learning_rate);
  } else if (trainer->words.schedule == FORGE_SCHEDULE_ONE_CYCLE) {
    add_double (builder, "cycle_start", params->cycle_start);
    add_double (builder, "cycle_peak", params->cycle_peak);
    add_double (builder, "cycle_end", params->cycle_end);
  } else if (trainer->words.schedule == FORGE_SCHEDULE_STEP) {
    add_int (builder, "step_epochs", params->step_epochs);
    add_double (builder, "step_factor", params->step_factor);
  }
}

static void
add_optimiser (JsonBuilder *builder, const ForgeTrainer *trainer)
{
  const ForgeTrainParams *params = trainer->params;
  add_string (builder, "optimiser", params->optimiser);
  gboolean is_muon = trainer->words.optimiser == FORGE_OPTIMISER_MUON;
  if (trainer->words.optimiser == FORGE_OPTIMISER_SGD || is_muon) {
    add_double (builder, "momentum", params->momentum);
    add_bool (builder, "nesterov", params->nesterov);
  }
  if (is_muon) {
    add_double (builder, "muon_rate", params->muon_rate);
    add_double (builder, "muon_momentum", params->muon_momentum);
    add_int (builder, "muon_steps", params->muon_steps);
    add_bool (builder, "muon_normalise", params->muon_normalise);
  }
  add_double (builder, "weight_decay", params->weight_decay);
  add_bool (builder, "decay_all", params->decay_all);
  add_double (builder, "bias_rate", params->bias_rate);
  add_double (builder, "shift_rate", params->shift_rate);
  add_positive (builder, "clip_norm", params->clip_norm);
  add_positive (builder, "ema_decay", params->ema_decay);
  if (params->lookahead > 0)
    add_int (builder, "lookahead", params->lookahead);
  if (params->freeze)
    add_string (builder, "freeze", params->freeze);
}

static void
add_source (JsonBuilder *builder, const ForgeTrainParams *params)
{
  if (!params->backbone && !params->init)
    add_string (builder, "arch", params->arch);
  if (params->init)
    add_string (builder, "init", params->init);
  if (!params->backbone)
    return;
  add_string (builder, "backbone", params->backbone);
  add_bool (builder, "freeze_backbone", params->freeze_backbone);
  if (!params->freeze_backbone)
    return;
  add_int (builder, "feature_variants", params->feature_variants);
  add_int (builder, "unfreeze", params->unfreeze);
  if (params->unfreeze > 0) {
    add_double (builder, "rate_scale", params->rate_scale);
    add_int (builder, "tuning_epochs", params->tuning_epochs);
  }
}

void
forge_trainer_add_settings (JsonBuilder *builder, const ForgeTrainer *trainer)
{
  const ForgeTrainParams *params = trainer->params;
  add_source (builder, params);
  add_int (builder, "seed", params->seed);
  add_positive (builder, "validation_split", params->validation_split);
  add_int (builder, "epochs", params->epochs);
  add_int (builder, "batch", trainer->batch);
  add_optimiser (builder, trainer);
  add_schedule (builder, trainer);
  add_string (builder, "loss", params->loss);
  add_positive (builder, "label_smoothing", params->label_smoothing);
  if (params->class_weights)
    add_string (builder, "class_weights", params->class_weights);
  if (params->prune_easy > 0) {
    add_double (builder, "prune_easy", params->prune_easy);
    add_double (builder, "prune_until", params->prune_until);
  }
  add_double (builder, "dropout", params->dropout);
  add_int (builder, "patience", params->patience);
  add_string (builder, "best_by", params->best_by);
}

void
forge_trainer_add_augmentation (
    JsonBuilder *builder, const ForgeTrainer *trainer)
{
  const ForgeTrainParams *params = trainer->params;
  add_string (builder, "flip", params->flip);
  add_int (builder, "shift", params->shift);
  add_string (builder, "border", params->border);
  add_positive (builder, "rotation", params->rotation);
  add_positive (builder, "zoom", params->zoom);
  add_positive (builder, "brightness", params->brightness);
  add_positive (builder, "contrast", params->contrast);
  add_positive (builder, "saturation", params->saturation);
  add_positive (builder, "hue", params->hue);
  if (params->cutout > 0)
    add_int (builder, "cutout", params->cutout);
  add_positive (builder, "erase", params->erase);
  add_positive (builder, "mixup", params->mixup);
}

char *
forge_trainer_describe (const ForgeTrainer *trainer)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  json_builder_begin_object (builder);
  forge_trainer_add_settings (builder, trainer);
  forge_trainer_add_augmentation (builder, trainer);
  add_string (builder, "data_hash", trainer->data_hash);
  json_builder_end_object (builder);
  g_autoptr (JsonNode) root = json_builder_get_root (builder);
  return json_to_string (root, FALSE);
}
