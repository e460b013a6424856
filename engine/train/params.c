/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What ForgeTrainParams may hold, and what it comes to: words become
 * enumerations, rates a schedule, class weights numbers. */
#include <math.h>
#include <string.h>

#include "train/trainer.h"

#define MAX_SHIFT 64
#define MAX_CUTOUT 4096
#define MAX_MUON_STEPS 20
#define MAX_PRUNE 0.95
#define MAX_PRECISE_BN 1000000000

static const char *const optimisers[] = { "adam", "adamw", "sgd", "muon",
  NULL };
static const char *const schedules[] = { "cosine", "one-cycle", "step",
  "constant", NULL };
static const char *const losses[] = { "softmax", "sigmoid", NULL };
static const char *const flips[] = { "never", "random", "alternating", NULL };
static const char *const borders[] = { "edge", "reflect", "zero", NULL };
/* as ForgeWeights from FLOAT32 on */
static const char *const weight_types[] = { "float32", "float16", "int8",
  NULL };
static const char *const bests[] = { "loss", "accuracy", NULL };

static gboolean
check (gboolean good, const char *name, const char *expected, GError **error)
{
  if (!good)
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_ARGUMENT,
        "training parameter '%s': expected %s", name, expected);
  return good;
}

static gboolean
within (
    double value, double least, double most, const char *name, GError **error)
{
  if (value >= least && value <= most)
    return TRUE;
  g_set_error (error, FORGE_ERROR, FORGE_ERROR_ARGUMENT,
      "training parameter '%s': expected %g to %g, found %g", name, least, most,
      value);
  return FALSE;
}

/* The place of @word in the list; -1 after an error. */
static int
find_word (const char *const *words, const char *word, const char *name,
    GError **error)
{
  for (int i = 0; words[i]; i++)
    if (word && strcmp (word, words[i]) == 0)
      return i;
  g_autofree char *list = g_strjoinv (", ", (char **) words);
  g_set_error (error, FORGE_ERROR, FORGE_ERROR_ARGUMENT,
      "training parameter '%s': expected one of %s, found '%s'", name, list,
      word ? word : "");
  return -1;
}

static gboolean
check_words (
    const ForgeTrainParams *params, ForgeTrainWords *words, GError **error)
{
  int optimiser, schedule, loss, flip, border, best, stored;
  if ((optimiser = find_word (
           optimisers, params->optimiser, "optimiser", error)) < 0 ||
      (schedule = find_word (schedules, params->schedule, "schedule", error)) <
          0 ||
      (loss = find_word (losses, params->loss, "loss", error)) < 0 ||
      (flip = find_word (flips, params->flip, "flip", error)) < 0 ||
      (border = find_word (borders, params->border, "border", error)) < 0 ||
      (stored = find_word (weight_types, params->weights, "weights", error)) <
          0 ||
      (best = find_word (bests, params->best_by, "best_by", error)) < 0)
    return FALSE;
  *words = (ForgeTrainWords) { .optimiser = (ForgeOptimiserKind) optimiser,
    .schedule = (ForgeScheduleKind) schedule,
    .loss = (ForgeLossKind) loss,
    .flip = (ForgeFlip) flip,
    .border = (ForgeBorder) border,
    .best_by_accuracy = best == 1,
    .weights = (ForgeWeights) (FORGE_WEIGHTS_FLOAT32 + stored) };
  return TRUE;
}

static gboolean
check_run (const ForgeTrainParams *params, GError **error)
{
  return check (params->data != NULL, "data", "a data set", error) &&
         check (params->arch != NULL, "arch", "an architecture", error) &&
         check (params->out != NULL, "out", "a file to write", error) &&
         check (params->epochs >= 1, "epochs", "1 or more", error) &&
         check (params->precise_bn <= MAX_PRECISE_BN, "precise_bn",
             "0 to 1000000000 pictures", error) &&
         check (params->batch >= 1 && params->batch <= 65536, "batch",
             "1 to 65536 images", error) &&
         check (params->threads >= 0, "threads", "0 (all) or more", error) &&
         check (params->checkpoint || !params->resume, "resume",
             "a checkpoint to resume from", error);
}

static gboolean
check_rates (const ForgeTrainParams *params, GError **error)
{
  double rate = params->learning_rate, last = params->final_learning_rate;
  double warmup = params->warmup_epochs;
  return check (isfinite (rate) && rate > 0, "learning_rate",
             "a number above 0", error) &&
         check (isfinite (last), "final_learning_rate",
             "a number, below 0 for a constant rate", error) &&
         within (params->cycle_start, 0, 1, "cycle_start", error) &&
         within (params->cycle_peak, 0, 1, "cycle_peak", error) &&
         within (params->cycle_end, 0, 1, "cycle_end", error) &&
         check (params->step_epochs >= 1, "step_epochs", "1 or more", error) &&
         within (params->step_factor, 0, 1, "step_factor", error) &&
         check (warmup >= 0 && warmup <= params->epochs, "warmup_epochs",
             "0 to the number of epochs", error);
}

static gboolean
check_data (const ForgeTrainParams *params, GError **error)
{
  return within (params->validation_split, 0, FORGE_MAX_VALIDATION,
      "validation_split", error);
}

static gboolean
check_optimiser (const ForgeTrainParams *params, GError **error)
{
  return check (params->momentum >= 0 && params->momentum < 1, "momentum",
             "0 to below 1", error) &&
         check (isfinite (params->weight_decay) && params->weight_decay >= 0,
             "weight_decay", "0 or more", error) &&
         within (params->bias_rate, 1e-6, 1e6, "bias_rate", error) &&
         within (params->shift_rate, 1e-6, 1e6, "shift_rate", error) &&
         check (isfinite (params->clip_norm) && params->clip_norm >= 0,
             "clip_norm", "0 or more", error) &&
         check (params->ema_decay >= 0 && params->ema_decay < 1, "ema_decay",
             "0 to below 1", error) &&
         check (params->dropout >= 0 && params->dropout < 1, "dropout",
             "0 to below 1", error) &&
         within (params->label_smoothing, 0, 0.9, "label_smoothing", error) &&
         within (params->mixup, 0, 100, "mixup", error) &&
         within (params->prune_easy, 0, MAX_PRUNE, "prune_easy", error) &&
         within (params->prune_until, 0, 1, "prune_until", error);
}

static gboolean
check_muon (const ForgeTrainParams *params, GError **error)
{
  return check (isfinite (params->muon_rate) && params->muon_rate > 0,
             "muon_rate", "a number above 0", error) &&
         check (params->muon_momentum >= 0 && params->muon_momentum < 1,
             "muon_momentum", "0 to below 1", error) &&
         within (params->muon_steps, 1, MAX_MUON_STEPS, "muon_steps", error);
}

static gboolean
check_augmentation (const ForgeTrainParams *params, GError **error)
{
  return check (params->shift <= MAX_SHIFT, "shift", "0 to 64 pixels", error) &&
         check (params->cutout <= MAX_CUTOUT, "cutout", "0 to 4096 pixels",
             error) &&
         within (params->rotation, 0, 180, "rotation", error) &&
         within (params->zoom, 0, 0.9, "zoom", error) &&
         within (params->brightness, 0, 1, "brightness", error) &&
         within (params->contrast, 0, 1, "contrast", error) &&
         within (params->saturation, 0, 1, "saturation", error) &&
         within (params->hue, 0, 180, "hue", error) &&
         within (params->erase, 0, 1, "erase", error);
}

static gboolean
check_transfer (const ForgeTrainParams *params, GError **error)
{
  gboolean frozen = params->freeze_backbone;
  return check (!params->init || !params->backbone, "init",
             "no backbone beside it", error) &&
         check (params->backbone || !frozen, "freeze_backbone",
             "a backbone to freeze", error) &&
         check (frozen || params->unfreeze == 0, "unfreeze",
             "a frozen backbone", error) &&
         check (!frozen || params->mixup == 0, "mixup",
             "0, as features are not blended", error) &&
         check (
             params->feature_variants >= 1 && params->feature_variants <= 1024,
             "feature_variants", "1 to 1024", error) &&
         within (params->rate_scale, 1e-9, 1e3, "rate_scale", error) &&
         check (
             params->tuning_epochs >= 1, "tuning_epochs", "1 or more", error);
}

gboolean
forge_params_check (
    const ForgeTrainParams *params, ForgeTrainWords *words, GError **error)
{
  return check_run (params, error) && check_words (params, words, error) &&
         check_data (params, error) && check_rates (params, error) &&
         check_optimiser (params, error) && check_muon (params, error) &&
         check_augmentation (params, error) && check_transfer (params, error);
}

void
forge_train_params_init_transfer (ForgeTrainParams *params)
{
  g_return_if_fail (params);
  *params = (ForgeTrainParams) FORGE_TRAIN_PARAMS_DEFAULT;
  params->optimiser = "adamw";
  params->learning_rate = 3e-3;
  params->final_learning_rate = 0;
  params->weight_decay = 0.1;
  params->feature_variants = 6;
  params->warmup_epochs = 1;
  params->dropout = 0.2;
  params->label_smoothing = 0.1;
  params->epochs = 60;
  params->batch = 32;
  params->patience = 0;
  params->best_by = "accuracy";
  params->shift = 16;
  params->border = "reflect";
  params->zoom = 0.15;
}

ForgeSchedule
forge_params_schedule (const ForgeTrainer *trainer)
{
  const ForgeTrainParams *params = trainer->params;
  guint n_steps = trainer->n_steps;
  double scale = trainer->rate_scale;
  if (params->rate_batch)
    scale *= (double) trainer->batch / (double) params->rate_batch;
  return (ForgeSchedule) { .kind = trainer->words.schedule,
    .rate = params->learning_rate * scale,
    .last = params->final_learning_rate * scale,
    .start = params->cycle_start,
    .peak = params->cycle_peak,
    .end = params->cycle_end,
    .factor = params->step_factor,
    .every = (uint64_t) params->step_epochs * n_steps,
    .warmup =
        (uint64_t) (MIN (params->warmup_epochs, trainer->epochs) * n_steps),
    .n_steps = (uint64_t) trainer->epochs * n_steps };
}

double
forge_trainer_place (
    const ForgeTrainer *trainer, uint64_t epoch, guint step, guint n_steps)
{
  double whole = trainer->n_steps;
  return (double) epoch * whole + step * whole / n_steps;
}

gboolean
forge_trainer_prunes (const ForgeTrainer *trainer, uint64_t epoch)
{
  double until = floor (trainer->params->prune_until * trainer->epochs);
  return trainer->prune && (double) epoch < until;
}

/* count / (classes count[c]): the mean over all pictures is 1. */
static void
balance (const guint *counts, guint n_classes, float *weights)
{
  double all = 0;
  for (guint c = 0; c < n_classes; c++)
    all += counts[c];
  for (guint c = 0; c < n_classes; c++)
    weights[c] = (float) (all / ((double) n_classes * MAX (counts[c], 1)));
}

static gboolean
parse_weights (const char *text, guint n_classes, float *weights)
{
  g_auto (GStrv) parts = g_strsplit (text, ",", -1);
  if (g_strv_length (parts) != n_classes)
    return FALSE;
  for (guint c = 0; c < n_classes; c++) {
    char *end;
    double value = g_ascii_strtod (parts[c], &end);
    if (end == parts[c] || *end || !(value >= 0 && value <= 1e6))
      return FALSE;
    weights[c] = (float) value;
  }
  return TRUE;
}

gboolean
forge_params_class_weights (const ForgeTrainParams *params, const guint *counts,
    guint n_classes, float **weights, GError **error)
{
  *weights = NULL;
  if (!params->class_weights)
    return TRUE;
  g_autofree float *made = g_new (float, n_classes);
  if (strcmp (params->class_weights, "balanced") == 0) {
    balance (counts, n_classes, made);
  } else if (!parse_weights (params->class_weights, n_classes, made)) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_ARGUMENT,
        "training parameter 'class_weights': expected 'balanced' or %u numbers "
        "of 0 to 1e6 separated by commas, found '%s'",
        n_classes, params->class_weights);
    return FALSE;
  }
  *weights = g_steal_pointer (&made);
  return TRUE;
}
