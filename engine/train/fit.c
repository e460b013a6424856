/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The training loop. An epoch: shuffle; for each whole batch augment, forward,
 * loss, backward, Adam; then validate, keep the weights if they are the best,
 * write log and checkpoint. What does not fill a last batch sits an epoch
 * out; the shuffle decides which pictures. */
#include <cblas.h>
#include <math.h>

#include "base/pool.h"
#include "train/loss.h"
#include "train/trainer.h"

typedef struct {
  ForgeTrainer *trainer;
  ForgeTrainFunc func;
  gpointer user_data;
  uint32_t *classes; /* of the batch */
  ForgeTrainProgress progress;
  gint64 start_us, epoch_us;
  uint64_t first_step; /* of this process; 0 unless resumed */
  double train_seconds;
  uint64_t n_images;
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

typedef struct {
  ForgeTrainer *trainer;
  ForgeAdam adam;
} Update;

/* Decay is for weights; it would pull biases (rank 1) away from the data. */
static void
update_slot (void *user_data, int task)
{
  const Update *update = user_data;
  const ForgeSlot *slot = &update->trainer->slots[task];
  const ForgeParameter *parameter = slot->parameter;
  ForgeAdam adam = update->adam;
  if (parameter->value->shape.rank < 2)
    adam.weight_decay = 0;
  forge_adam_step (&adam, update->trainer->state.step, slot->n,
      parameter->value->data, parameter->gradient->data, slot->m, slot->v);
}

static gboolean
run_step (Fit *fit, ForgeLoss *sum, GError **error)
{
  ForgeTrainer *trainer = fit->trainer;
  const ForgeTrainParams *params = trainer->params;
  ForgeExecutor *learner = trainer->learner;
  ForgeAugment augment = { params->flip, params->shift };
  ForgeTrainState *state = &trainer->state;
  forge_loader_get (trainer->train, (fit->progress.step - 1) * trainer->batch,
      trainer->batch, &augment,
      forge_stream_seed (params->seed, FORGE_STREAM_AUGMENT, state->epoch),
      forge_executor_get_input (learner, 0)->data, fit->classes);
  uint64_t seed =
      forge_stream_seed (params->seed, FORGE_STREAM_DROPOUT, state->step);
  if (!forge_executor_forward (learner, seed, error))
    return FALSE;
  forge_softmax_loss (forge_executor_get_output (learner, 0)->data,
      fit->classes, trainer->batch, trainer->n_classes,
      forge_executor_get_output_gradient (learner, 0)->data, sum);
  if (!isfinite (sum->loss))
    return diverged (fit, error);
  forge_executor_backward (learner);

  Update update = { .trainer = trainer, .adam = FORGE_ADAM_DEFAULT };
  update.adam.learning_rate = fit->progress.learning_rate;
  update.adam.weight_decay = params->weight_decay;
  state->step++;
  forge_pool_run (
      params->threads, (int) trainer->n_slots, update_slot, &update);
  return TRUE;
}

static gboolean
report (Fit *fit, GError **error)
{
  ForgeTrainProgress *progress = &fit->progress;
  const ForgeTrainState *state = &fit->trainer->state;
  uint64_t all = (uint64_t) progress->epochs * progress->steps;
  uint64_t done = state->step - fit->first_step;
  progress->eta_s = seconds_since (fit->start_us) / (double) done *
                    (double) (all - state->step);
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
  const ForgeTrainParams *params = trainer->params;
  ForgeTrainProgress *progress = &fit->progress;
  ForgeLoss sum = { 0 };
  gint64 start_us = g_get_monotonic_time ();
  forge_loader_shuffle (
      trainer->train, forge_stream_seed (params->seed, FORGE_STREAM_SHUFFLE,
                          trainer->state.epoch));
  progress->val_loss = progress->val_accuracy = NAN;
  progress->best = FALSE;
  for (guint step = 1; step <= trainer->n_steps; step++) {
    progress->step = step;
    progress->learning_rate =
        forge_cosine_rate (params->learning_rate, params->final_learning_rate,
            trainer->state.step, (uint64_t) params->epochs * trainer->n_steps);
    if (!run_step (fit, &sum, error))
      return FALSE;
    double n = (double) step * trainer->batch;
    progress->loss = sum.loss / n;
    progress->accuracy = sum.hits / n;
    progress->images_per_s = n / MAX (seconds_since (start_us), 1e-9);
    /* The last step is reported with the validation. */
    if (step < trainer->n_steps && !report (fit, error))
      return FALSE;
  }
  fit->train_seconds += seconds_since (start_us);
  fit->n_images += (uint64_t) trainer->n_steps * trainer->batch;
  return TRUE;
}

static gboolean
validate (Fit *fit, GError **error)
{
  ForgeTrainer *trainer = fit->trainer;
  ForgeTensor *input = forge_executor_get_input (trainer->validator, 0);
  guint batch = (guint) input->shape.dims[0], n = trainer->val->n_items;
  ForgeLoss sum = { 0 };
  for (guint first = 0; first < n; first += batch) {
    forge_loader_get (
        trainer->val, first, batch, NULL, 0, input->data, fit->classes);
    if (!forge_executor_forward (trainer->validator, 0, error))
      return FALSE;
    forge_softmax_loss (forge_executor_get_output (trainer->validator, 0)->data,
        fit->classes, MIN (batch, n - first), trainer->n_classes, NULL, &sum);
  }
  fit->progress.val_loss = sum.loss / n;
  fit->progress.val_accuracy = (double) sum.hits / n;
  return isfinite (sum.loss) || diverged (fit, error);
}

static gboolean
finish_epoch (Fit *fit, GError **error)
{
  ForgeTrainer *trainer = fit->trainer;
  const ForgeTrainParams *params = trainer->params;
  ForgeTrainProgress *progress = &fit->progress;
  ForgeTrainState *state = &trainer->state;
  if (!validate (fit, error))
    return FALSE;
  state->epoch++;
  progress->best =
      state->best_epoch == 0 || progress->val_loss < state->best_val_loss;
  if (progress->best) {
    state->best_epoch = state->epoch;
    state->best_val_loss = progress->val_loss;
    state->best_val_accuracy = progress->val_accuracy;
    forge_trainer_keep_best (trainer);
  }
  if (params->log && !forge_train_log_append (params->log, progress,
                         seconds_since (fit->epoch_us), error))
    return FALSE;
  if (params->checkpoint &&
      !forge_checkpoint_write (trainer, params->checkpoint, error))
    return FALSE;
  return report (fit, error);
}

static gboolean
out_of_patience (const ForgeTrainer *trainer)
{
  guint patience = trainer->params->patience;
  const ForgeTrainState *state = &trainer->state;
  return patience > 0 && state->epoch - state->best_epoch >= patience;
}

static gboolean
run_epochs (Fit *fit, GError **error)
{
  ForgeTrainer *trainer = fit->trainer;
  const ForgeTrainParams *params = trainer->params;
  fit->progress.epochs = params->epochs;
  fit->progress.steps = trainer->n_steps;
  fit->first_step = trainer->state.step;
  while (trainer->state.epoch < params->epochs && !out_of_patience (trainer)) {
    fit->progress.epoch = (guint) trainer->state.epoch + 1;
    fit->epoch_us = g_get_monotonic_time ();
    if (!train_epoch (fit, error) || !finish_epoch (fit, error))
      return FALSE;
  }
  return TRUE;
}

static void
fill_result (const Fit *fit, ForgeTrainResult *result)
{
  const ForgeTrainState *state = &fit->trainer->state;
  *result = (ForgeTrainResult) { .epochs_run = (guint) state->epoch,
    .best_epoch = (guint) state->best_epoch,
    .val_loss = state->best_val_loss,
    .val_accuracy = state->best_val_accuracy,
    .seconds = seconds_since (fit->start_us),
    .images_per_s = (double) fit->n_images / MAX (fit->train_seconds, 1e-9),
    .stopped_early = state->epoch < fit->trainer->params->epochs };
}

gboolean
forge_train (const ForgeTrainParams *params, ForgeTrainFunc func,
    gpointer user_data, ForgeTrainResult *result, GError **error)
{
  g_return_val_if_fail (params, FALSE);
  g_autoptr (ForgeTrainer) trainer = forge_trainer_new (params, error);
  if (!trainer)
    return FALSE;
  if (params->resume && g_file_test (params->checkpoint, G_FILE_TEST_EXISTS) &&
      !forge_checkpoint_read (trainer, params->checkpoint, error))
    return FALSE;
  Fit fit = { .trainer = trainer,
    .func = func,
    .user_data = user_data,
    .start_us = g_get_monotonic_time () };
  fit.classes = g_new (uint32_t, MAX (trainer->batch, trainer->val->n_items));
  /* The pool's threads work on different images; OpenBLAS's own would fight
   * with them. */
  int blas_threads = openblas_get_num_threads ();
  openblas_set_num_threads (1);
  gboolean trained = run_epochs (&fit, error);
  openblas_set_num_threads (blas_threads);
  g_free (fit.classes);
  if (!trained)
    return FALSE;
  forge_trainer_restore_best (trainer);
  if (result)
    fill_result (&fit, result);
  return forge_trainer_export (trainer, error);
}
