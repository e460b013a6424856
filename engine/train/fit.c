/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The training run: its phases, from checkpoint or beginning to the file. */
#include "train/fit.h"

#include <cblas.h>
#include <math.h>

#include "base/pool.h"
#include "train/precise-bn.h"

/* Epochs of this phase alone count. */
static gboolean
out_of_patience (const ForgeTrainer *trainer)
{
  guint patience = trainer->params->patience;
  uint64_t now = trainer->epochs_before + trainer->state.epoch;
  uint64_t since = MAX (trainer->state.best_epoch, trainer->epochs_before);
  return patience > 0 && now - since >= patience;
}

/* As of an epoch's steps, but the last, behind which no validation is told. */
static gboolean
report_norms (guint step, guint steps, gpointer user_data, GError **error)
{
  ForgeFit *fit = user_data;
  ForgeTrainProgress progress = fit->progress;
  double seconds = MAX (forge_fit_seconds (fit->epoch_us), 1e-9);
  progress.measures_norms = TRUE;
  progress.step = step;
  progress.steps = steps;
  progress.n_images = steps * fit->trainer->batch;
  progress.images_per_s = (double) step * fit->trainer->batch / seconds;
  progress.eta_s = seconds / step * (steps - step);
  progress.val_loss = progress.val_accuracy = NAN;
  progress.best = FALSE;
  if (step == steps || !fit->func || fit->func (&progress, fit->user_data))
    return TRUE;
  g_set_error (error, FORGE_ERROR, FORGE_ERROR_CANCELLED,
      "training stopped while batch normalisation was measured");
  return FALSE;
}

/* The figures of the best epoch become those of what is written. */
static gboolean
measure_norms (ForgeFit *fit, GError **error)
{
  ForgeTrainState *state = &fit->trainer->state;
  fit->epoch_us = g_get_monotonic_time ();
  if (!forge_trainer_precise_bn (fit->trainer, fit->targets, report_norms, fit,
          &fit->n_norm_images, error))
    return FALSE;
  if (fit->n_norm_images == 0)
    return TRUE;
  if (!forge_fit_validate (fit, error))
    return FALSE;
  state->best_val_loss = fit->progress.val_loss;
  state->best_val_accuracy = fit->progress.val_accuracy;
  return TRUE;
}

static gboolean
run_epochs (ForgeFit *fit, GError **error)
{
  ForgeTrainer *trainer = fit->trainer;
  fit->progress.epochs = trainer->epochs_before + trainer->epochs;
  fit->progress.n_classes = trainer->n_classes;
  fit->first_step = trainer->state.step;
  fit->start_us = g_get_monotonic_time ();
  forge_fit_begin_batches (fit);
  while (trainer->state.epoch < trainer->epochs && !out_of_patience (trainer))
    if (!forge_fit_run_epoch (fit, error))
      return FALSE;
  fit->stopped_early = trainer->state.epoch < trainer->epochs;
  forge_slots_restore_best (trainer);
  return measure_norms (fit, error);
}

/* One phase: all of a network, or its new layer. */
static gboolean
run_phase (ForgeFit *fit, ForgeTrainer *trainer, GError **error)
{
  fit->trainer = trainer;
  fit->loss = (ForgeLossRule) { .kind = trainer->words.loss,
    .smoothing = trainer->params->label_smoothing,
    .weights = trainer->class_weights,
    .multi_label = trainer->is_multi_label };
  fit->schedule = forge_params_schedule (trainer);
  fit->targets = g_new (float, (gsize) trainer->batch * trainer->n_targets);
  if (trainer->prune) {
    fit->loss.losses = fit->losses = g_new (float, trainer->batch);
    fit->loss.factors = fit->factors = g_new (float, trainer->batch);
  }
  /* The pool's threads work on different images; OpenBLAS's own would fight
   * with them. */
  int blas_threads = openblas_get_num_threads ();
  openblas_set_num_threads (1);
  gboolean trained = run_epochs (fit, error);
  openblas_set_num_threads (blas_threads);
  g_clear_pointer (&fit->targets, g_free);
  g_clear_pointer (&fit->losses, g_free);
  g_clear_pointer (&fit->factors, g_free);
  return trained;
}

static gboolean
resume (ForgeTrainer *trainer, GError **error)
{
  const ForgeTrainParams *params = trainer->params;
  return !params->resume ||
         !g_file_test (params->checkpoint, G_FILE_TEST_EXISTS) ||
         forge_checkpoint_read (trainer, params->checkpoint, error);
}

/* The new layer first: that takes seconds, so a run that is resumed while it
 * is fine-tuned does it again, with the same result. */
static gboolean
run_head (ForgeFit *fit, ForgeTrainer *whole, GError **error)
{
  g_autoptr (ForgeTrainer) head = forge_trainer_new_head (whole, error);
  fit->has_files = whole->params->unfreeze == 0;
  gboolean trained = head && (!fit->has_files || resume (head, error)) &&
                     run_phase (fit, head, error);
  fit->has_files = TRUE;
  return trained && forge_trainer_take_over (whole, head, error);
}

static gboolean
run_all (ForgeFit *fit, ForgeTrainer *trainer, GError **error)
{
  if (trainer->features && !run_head (fit, trainer, error))
    return FALSE;
  if (trainer->features && trainer->params->unfreeze == 0)
    return TRUE;
  return (trainer->features || forge_trainer_prepare (trainer, error)) &&
         resume (trainer, error) && run_phase (fit, trainer, error);
}

static void
fill_result (
    const ForgeFit *fit, const ForgeTrainer *trainer, ForgeTrainResult *result)
{
  const ForgeTrainState *state = &trainer->state;
  *result = (ForgeTrainResult) { .epochs_run = trainer->epochs_before +
                                               (guint) state->epoch,
    .best_epoch = (guint) state->best_epoch,
    .n_train = trainer->train->n_items,
    .n_train_skipped = trainer->train->n_skipped,
    .n_val = trainer->val->n_items,
    .n_val_skipped = trainer->val->n_skipped,
    .val_loss = state->best_val_loss,
    .val_accuracy = state->best_val_accuracy,
    .seconds = forge_fit_seconds (fit->begin_us),
    .images_per_s = (double) fit->n_images / MAX (fit->train_seconds, 1e-9),
    .data_wait = fit->wait_seconds / MAX (fit->train_seconds, 1e-9),
    .n_norm_images = fit->n_norm_images,
    .stopped_early = fit->stopped_early };
}

gboolean
forge_train (const ForgeTrainParams *params, ForgeTrainFunc func,
    gpointer user_data, ForgeTrainResult *result, GError **error)
{
  g_return_val_if_fail (params, FALSE);
  ForgeFit fit = { .func = func,
    .user_data = user_data,
    .has_files = TRUE,
    .begin_us = g_get_monotonic_time () };
  g_autoptr (ForgeTrainer) trainer = forge_trainer_new (params, error);
  if (!trainer)
    return FALSE;
  fit.progress.n_skipped = trainer->train->n_skipped + trainer->val->n_skipped;
  if (!run_all (&fit, trainer, error))
    return FALSE;
  if (result)
    fill_result (&fit, trainer, result);
  return forge_trainer_export (trainer, error);
}
