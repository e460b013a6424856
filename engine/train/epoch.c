/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * An epoch: for each whole batch, made meanwhile by prefetch.c, forward, loss,
 * backward, update; then validate, keep the weights if they are the best, write
 * log and checkpoint. What does not fill a last batch sits an epoch out; the
 * shuffle decides which pictures. */
#include <math.h>

#include "train/features.h"
#include "train/fit.h"

double
forge_fit_seconds (gint64 start_us)
{
  return (double) (g_get_monotonic_time () - start_us) / 1e6;
}

static gboolean
diverged (ForgeFit *fit, GError **error)
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

void
forge_fit_begin_batches (ForgeFit *fit)
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
batch_items (const ForgeFit *fit)
{
  const ForgeTrainer *trainer = fit->trainer;
  return trainer->train->order +
         (gsize) (fit->progress.step - 1) * trainer->batch;
}

/* The loss of each image is what later epochs go by. */
static void
compute_loss (ForgeFit *fit, ForgeLoss *sum)
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
run_step (ForgeFit *fit, ForgeLoss *sum, GError **error)
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
count_steps_left (const ForgeFit *fit)
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
report (ForgeFit *fit, GError **error)
{
  ForgeTrainProgress *progress = &fit->progress;
  uint64_t done = fit->trainer->state.step - fit->first_step;
  progress->eta_s = forge_fit_seconds (fit->start_us) / (double) done *
                    count_steps_left (fit);
  if (!fit->func || fit->func (progress, fit->user_data))
    return TRUE;
  g_set_error (error, FORGE_ERROR, FORGE_ERROR_CANCELLED,
      "training stopped in epoch %u of %u", progress->epoch, progress->epochs);
  return FALSE;
}

static gboolean
train_epoch (ForgeFit *fit, GError **error)
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
    double seconds = MAX (forge_fit_seconds (start_us), 1e-9);
    progress->images_per_s = n / seconds;
    progress->data_wait = fit->epoch_wait_s / seconds;
    /* The last step is reported with the validation. */
    if (step < progress->steps && !report (fit, error))
      return FALSE;
  }
  fit->train_seconds += forge_fit_seconds (start_us);
  fit->wait_seconds += fit->epoch_wait_s;
  fit->n_images += progress->n_images;
  return TRUE;
}

gboolean
forge_fit_validate (ForgeFit *fit, GError **error)
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
is_best (const ForgeFit *fit)
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
judge_epoch (ForgeFit *fit, GError **error)
{
  ForgeTrainer *trainer = fit->trainer;
  ForgeTrainState *state = &trainer->state;
  forge_slots_swap_average (trainer);
  gboolean ok = forge_fit_validate (fit, error);
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
finish_epoch (ForgeFit *fit, GError **error)
{
  ForgeTrainer *trainer = fit->trainer;
  const ForgeTrainParams *params = trainer->params;
  ForgeTrainProgress *progress = &fit->progress;
  trainer->state.epoch++;
  forge_fit_begin_batches (fit);
  if (!judge_epoch (fit, error))
    return FALSE;
  if (params->log && !forge_train_log_append (params->log, progress,
                         forge_fit_seconds (fit->epoch_us), error))
    return FALSE;
  if (fit->has_files && params->checkpoint &&
      !forge_checkpoint_write (trainer, params->checkpoint, error))
    return FALSE;
  return report (fit, error);
}

gboolean
forge_fit_run_epoch (ForgeFit *fit, GError **error)
{
  ForgeTrainer *trainer = fit->trainer;
  fit->progress.epoch =
      trainer->epochs_before + (guint) trainer->state.epoch + 1;
  fit->epoch_us = g_get_monotonic_time ();
  return forge_trainer_begin_epoch (trainer, error) &&
         train_epoch (fit, error) && finish_epoch (fit, error);
}
