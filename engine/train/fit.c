/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The training loop. An epoch: for each whole batch, made meanwhile by
 * prefetch.c, forward, loss, backward, update; then validate, keep the weights
 * if they are the best, write log and checkpoint. What does not fill a last
 * batch sits an epoch out; the shuffle decides which pictures. */
#include <cblas.h>
#include <math.h>

#include "base/pool.h"
#include "train/features.h"
#include "train/precise-bn.h"

typedef struct {
  ForgeTrainer *trainer;
  ForgeTrainFunc func;
  gpointer user_data;
  ForgeLossRule loss;
  ForgeSchedule schedule;
  float *targets;          /* of the batch */
  float *losses, *factors; /* [batch] where easy pictures are left out */
  ForgeTrainProgress progress;
  gint64 begin_us, start_us, epoch_us; /* of all, the phase, the epoch */
  gboolean has_files;                  /* the checkpoint is this phase's */
  gboolean stopped_early;
  uint64_t first_step; /* of this process; 0 unless resumed */
  double train_seconds, wait_seconds, epoch_wait_s;
  uint64_t n_images;
  guint n_norm_images; /* that batch norms were measured with */
} Fit;

static double
seconds_since (gint64 start_us)
{
  return (double) (g_get_monotonic_time () - start_us) / 1e6;
}

static gboolean
diverged (Fit *fit, GError **error)
{
  const char *layer = forge_executor_find_non_finite (fit->trainer->learner);
  g_set_error (error, FORGE_ERROR, FORGE_ERROR_NUMERIC,
      "training diverged in epoch %u, step %u of %u: %s%s%s is NaN or "
      "infinite; try a smaller learning rate than %g",
      fit->progress.epoch, fit->progress.step, fit->progress.steps,
      layer ? "the output of layer '" : "the loss", layer ? layer : "",
      layer ? "'" : "", fit->progress.learning_rate);
  return FALSE;
}

/* Draws what epoch @epoch of all leaves out, and so how many steps it has.
 * NULL = nothing. */
static const uint8_t *
prune_epoch (ForgeTrainer *trainer, uint64_t epoch)
{
  const ForgeTrainParams *params = trainer->params;
  ForgePrune *prune = trainer->prune;
  trainer->epoch_steps = trainer->n_steps;
  if (!prune)
    return NULL;
  gboolean prunes = forge_trainer_prunes (trainer, trainer->state.epoch);
  forge_prune_begin (prune, prunes ? params->prune_easy : 0,
      forge_stream_seed (params->seed, FORGE_STREAM_PRUNE, epoch),
      trainer->batch);
  trainer->epoch_steps =
      (trainer->train->n_items - prune->n_left_out) / trainer->batch;
  return prune->left_out;
}

/* The batches of the epoch that is next are begun before it is. */
static void
begin_batches (Fit *fit)
{
  ForgeTrainer *trainer = fit->trainer;
  uint64_t epoch = trainer->epochs_before + trainer->state.epoch;
  const ForgeBatchRule rule = forge_trainer_batch_rule (trainer, epoch);
  const uint8_t *left_out = prune_epoch (trainer, epoch);
  forge_prefetch_begin (trainer->prefetch, &rule,
      forge_stream_seed (trainer->params->seed, FORGE_STREAM_SHUFFLE, epoch),
      left_out, trainer->epoch_steps);
}

/* The items of the batch that is being trained on. */
static const uint32_t *
batch_items (const Fit *fit)
{
  const ForgeTrainer *trainer = fit->trainer;
  return trainer->train->order +
         (gsize) (fit->progress.step - 1) * trainer->batch;
}

/* The loss of each image is what later epochs go by. */
static void
compute_loss (Fit *fit, ForgeLoss *sum)
{
  ForgeTrainer *trainer = fit->trainer;
  ForgePrune *prune = trainer->prune;
  for (guint i = 0; prune && i < trainer->batch; i++)
    fit->factors[i] = prune->factors[batch_items (fit)[i]];
  forge_loss (&fit->loss, forge_executor_get_output (trainer->learner, 0)->data,
      fit->targets, trainer->batch, trainer->n_targets,
      forge_executor_get_output_gradient (trainer->learner, 0)->data, sum);
  if (prune)
    forge_prune_record (prune, batch_items (fit), trainer->batch, fit->losses);
}

static gboolean
run_step (Fit *fit, ForgeLoss *sum, GError **error)
{
  ForgeTrainer *trainer = fit->trainer;
  ForgeExecutor *learner = trainer->learner;
  fit->epoch_wait_s += forge_prefetch_take (trainer->prefetch,
      forge_executor_get_input (learner, 0)->data, fit->targets);
  uint64_t seed = forge_stream_seed (
      trainer->params->seed, FORGE_STREAM_DROPOUT, trainer->state.step);
  if (!forge_executor_forward (learner, seed, error))
    return FALSE;
  compute_loss (fit, sum);
  if (!isfinite (sum->loss))
    return diverged (fit, error);
  forge_executor_backward (learner);
  double rate = fit->progress.learning_rate;
  forge_trainer_update (trainer, rate, rate / fit->schedule.rate,
      forge_trainer_place (trainer, trainer->state.epoch, fit->progress.step,
          fit->progress.steps));
  return TRUE;
}

/* Steps to come, where later epochs leave out as much as this one. */
static double
count_steps_left (const Fit *fit)
{
  const ForgeTrainer *trainer = fit->trainer;
  const ForgeTrainProgress *progress = &fit->progress;
  double n = progress->steps - progress->step;
  for (guint epoch = progress->epoch - trainer->epochs_before;
       epoch < trainer->epochs; epoch++)
    n += forge_trainer_prunes (trainer, epoch) ? progress->steps
                                               : trainer->n_steps;
  return n;
}

static gboolean
report (Fit *fit, GError **error)
{
  ForgeTrainProgress *progress = &fit->progress;
  uint64_t done = fit->trainer->state.step - fit->first_step;
  progress->eta_s =
      seconds_since (fit->start_us) / (double) done * count_steps_left (fit);
  if (!fit->func || fit->func (progress, fit->user_data))
    return TRUE;
  g_set_error (error, FORGE_ERROR, FORGE_ERROR_CANCELLED,
      "training stopped in epoch %u of %u", progress->epoch, progress->epochs);
  return FALSE;
}

static gboolean
train_epoch (Fit *fit, GError **error)
{
  ForgeTrainer *trainer = fit->trainer;
  ForgeTrainProgress *progress = &fit->progress;
  ForgeLoss sum = { 0 };
  gint64 start_us = g_get_monotonic_time ();
  fit->epoch_wait_s = 0;
  progress->val_loss = progress->val_accuracy = NAN;
  progress->best = FALSE;
  progress->steps = trainer->epoch_steps;
  progress->n_images = progress->steps * trainer->batch;
  progress->n_left_out = trainer->prune ? trainer->prune->n_left_out : 0;
  for (guint step = 1; step <= progress->steps; step++) {
    progress->step = step;
    progress->learning_rate = forge_schedule_rate (
        &fit->schedule, forge_trainer_place (trainer, trainer->state.epoch,
                            step - 1, progress->steps));
    if (!run_step (fit, &sum, error))
      return FALSE;
    double n = (double) step * trainer->batch;
    progress->loss = sum.loss / sum.images;
    progress->accuracy = sum.hits / sum.images;
    double seconds = MAX (seconds_since (start_us), 1e-9);
    progress->images_per_s = n / seconds;
    progress->data_wait = fit->epoch_wait_s / seconds;
    /* The last step is reported with the validation. */
    if (step < progress->steps && !report (fit, error))
      return FALSE;
  }
  fit->train_seconds += seconds_since (start_us);
  fit->wait_seconds += fit->epoch_wait_s;
  fit->n_images += progress->n_images;
  return TRUE;
}

/* Of plain losses: neither smoothed nor weighted. */
static gboolean
validate (Fit *fit, GError **error)
{
  ForgeTrainer *trainer = fit->trainer;
  ForgeTensor *input = forge_executor_get_input (trainer->validator, 0);
  guint batch = (guint) input->shape.dims[0], n = trainer->val->n_items;
  const ForgeLossRule rule = { .kind = trainer->words.loss,
    .multi_label = trainer->is_multi_label };
  ForgeLoss sum = { 0 };
  for (guint first = 0; first < n; first += batch) {
    forge_loader_get (trainer->val, first, batch, NULL,
        trainer->params->threads, input->data, fit->targets);
    if (!forge_executor_forward (trainer->validator, 0, error))
      return FALSE;
    forge_loss (&rule, forge_executor_get_output (trainer->validator, 0)->data,
        fit->targets, MIN (batch, n - first), trainer->n_targets, NULL, &sum);
  }
  fit->progress.val_loss = sum.loss / n;
  fit->progress.val_accuracy = sum.hits / n;
  return isfinite (sum.loss) || diverged (fit, error);
}

static gboolean
is_best (const Fit *fit)
{
  const ForgeTrainer *trainer = fit->trainer;
  const ForgeTrainState *state = &trainer->state;
  double loss = fit->progress.val_loss, accuracy = fit->progress.val_accuracy;
  if (state->best_epoch == 0)
    return TRUE;
  if (trainer->words.best_by_accuracy && accuracy != state->best_val_accuracy)
    return accuracy > state->best_val_accuracy;
  return loss < state->best_val_loss;
}

/* What is judged and kept is the average of the weights where there is one. */
static gboolean
judge_epoch (Fit *fit, GError **error)
{
  ForgeTrainer *trainer = fit->trainer;
  ForgeTrainState *state = &trainer->state;
  forge_slots_swap_average (trainer);
  gboolean ok = validate (fit, error);
  fit->progress.best = ok && is_best (fit);
  if (fit->progress.best) {
    state->best_epoch = trainer->epochs_before + state->epoch;
    state->best_val_loss = fit->progress.val_loss;
    state->best_val_accuracy = fit->progress.val_accuracy;
    forge_slots_keep_best (trainer);
  }
  forge_slots_swap_average (trainer);
  return ok;
}

static gboolean
finish_epoch (Fit *fit, GError **error)
{
  ForgeTrainer *trainer = fit->trainer;
  const ForgeTrainParams *params = trainer->params;
  ForgeTrainProgress *progress = &fit->progress;
  trainer->state.epoch++;
  begin_batches (fit);
  if (!judge_epoch (fit, error))
    return FALSE;
  if (params->log && !forge_train_log_append (params->log, progress,
                         seconds_since (fit->epoch_us), error))
    return FALSE;
  if (fit->has_files && params->checkpoint &&
      !forge_checkpoint_write (trainer, params->checkpoint, error))
    return FALSE;
  return report (fit, error);
}

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
  Fit *fit = user_data;
  ForgeTrainProgress progress = fit->progress;
  double seconds = MAX (seconds_since (fit->epoch_us), 1e-9);
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
measure_norms (Fit *fit, GError **error)
{
  ForgeTrainState *state = &fit->trainer->state;
  fit->epoch_us = g_get_monotonic_time ();
  if (!forge_trainer_precise_bn (fit->trainer, fit->targets, report_norms, fit,
          &fit->n_norm_images, error))
    return FALSE;
  if (fit->n_norm_images == 0)
    return TRUE;
  if (!validate (fit, error))
    return FALSE;
  state->best_val_loss = fit->progress.val_loss;
  state->best_val_accuracy = fit->progress.val_accuracy;
  return TRUE;
}

static gboolean
run_epochs (Fit *fit, GError **error)
{
  ForgeTrainer *trainer = fit->trainer;
  fit->progress.epochs = trainer->epochs_before + trainer->epochs;
  fit->progress.n_classes = trainer->n_classes;
  fit->first_step = trainer->state.step;
  fit->start_us = g_get_monotonic_time ();
  begin_batches (fit);
  while (trainer->state.epoch < trainer->epochs && !out_of_patience (trainer)) {
    fit->progress.epoch =
        trainer->epochs_before + (guint) trainer->state.epoch + 1;
    fit->epoch_us = g_get_monotonic_time ();
    if (!forge_trainer_begin_epoch (trainer, error) ||
        !train_epoch (fit, error) || !finish_epoch (fit, error))
      return FALSE;
  }
  fit->stopped_early = trainer->state.epoch < trainer->epochs;
  forge_slots_restore_best (trainer);
  return measure_norms (fit, error);
}

/* One phase: all of a network, or its new layer. */
static gboolean
run_phase (Fit *fit, ForgeTrainer *trainer, GError **error)
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
run_head (Fit *fit, ForgeTrainer *whole, GError **error)
{
  g_autoptr (ForgeTrainer) head = forge_trainer_new_head (whole, error);
  fit->has_files = whole->params->unfreeze == 0;
  gboolean trained = head && (!fit->has_files || resume (head, error)) &&
                     run_phase (fit, head, error);
  fit->has_files = TRUE;
  return trained && forge_trainer_take_over (whole, head, error);
}

static gboolean
run_all (Fit *fit, ForgeTrainer *trainer, GError **error)
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
    const Fit *fit, const ForgeTrainer *trainer, ForgeTrainResult *result)
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
    .seconds = seconds_since (fit->begin_us),
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
  Fit fit = { .func = func,
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
