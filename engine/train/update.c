/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a step does to the weights, in spans over the pool: gradient norm, the
 * optimiser, the exponential average, the slow weights. Matrices that go by
 * Muon are taken one by one, each by the whole pool. How the work is split
 * depends on the network alone, so the bits do not depend on the threads. */
#include <math.h>

#include "base/pool.h"
#include "train/trainer.h"

typedef struct {
  ForgeTrainer *trainer;
  double learning_rate;
  double height;   /* part of the highest rate */
  float scale;     /* of the gradients */
  float keep;      /* of the average */
  float keep_slow; /* of the slow weights; < 0 = no such step */
} Update;

static const ForgeSpan *
span_at (const ForgeTrainer *trainer, int task)
{
  return &g_array_index (trainer->spans, ForgeSpan, task);
}

static void
square_span (void *user_data, int task)
{
  const Update *update = user_data;
  const ForgeSpan *span = span_at (update->trainer, task);
  const float *gradient = update->trainer->slots[span->slot].gradient;
  double sum = 0;
  for (size_t i = span->begin; gradient && i < span->end; i++)
    sum += (double) gradient[i] * gradient[i];
  update->trainer->partials[task] = sum;
}

/* to = keep to + (1 - keep) from */
static void
move_towards (
    float keep, size_t begin, size_t end, const float *from, float *to)
{
  const float rest = 1 - keep;
  for (size_t i = begin; i < end; i++)
    to[i] = keep * to[i] + rest * from[i];
}

static void
optimise_span (
    const Update *update, const ForgeSlot *slot, const ForgeSpan *span)
{
  const ForgeTrainParams *params = update->trainer->params;
  ForgeOptimiser optimiser = FORGE_OPTIMISER_DEFAULT;
  optimiser.kind = update->trainer->words.optimiser;
  optimiser.learning_rate = update->learning_rate * slot->rate;
  optimiser.weight_decay = slot->decay;
  optimiser.momentum = params->momentum;
  optimiser.nesterov = params->nesterov;
  float *value = slot->value->data;
  forge_optimiser_step (&optimiser, update->trainer->state.step, update->scale,
      span->end - span->begin, value + span->begin,
      slot->gradient + span->begin, slot->m + span->begin,
      slot->v ? slot->v + span->begin : NULL);
}

static void
update_span (void *user_data, int task)
{
  const Update *update = user_data;
  const ForgeSpan *span = span_at (update->trainer, task);
  const ForgeSlot *slot = &update->trainer->slots[span->slot];
  float *value = slot->value->data;
  if (slot->gradient && slot->muon.n_rows == 0)
    optimise_span (update, slot, span);
  if (slot->slow && update->keep_slow >= 0) {
    move_towards (update->keep_slow, span->begin, span->end, value, slot->slow);
    for (size_t i = span->begin; i < span->end; i++)
      value[i] = slot->slow[i];
  }
  if (slot->average)
    move_towards (update->keep, span->begin, span->end, value, slot->average);
}

static void
optimise_matrices (const Update *update)
{
  ForgeTrainer *trainer = update->trainer;
  const ForgeTrainParams *params = trainer->params;
  for (guint i = 0; i < trainer->n_slots; i++) {
    const ForgeSlot *slot = &trainer->slots[i];
    if (!slot->gradient || slot->muon.n_rows == 0)
      continue;
    const ForgeMuonRule rule = {
      .learning_rate = params->muon_rate * trainer->rate_scale * update->height,
      .momentum = params->muon_momentum,
      .nesterov = params->nesterov,
      .n_steps = params->muon_steps,
      .normalises = params->muon_normalise,
      .weight_decay = slot->decay
    };
    forge_muon_step (trainer->muon, &rule, &slot->muon, update->scale,
        slot->value->data, slot->gradient, slot->m);
  }
}

static float
clip_scale (const Update *update)
{
  ForgeTrainer *trainer = update->trainer;
  double most = trainer->params->clip_norm, sum = 0;
  if (most <= 0)
    return 1;
  forge_pool_run (trainer->params->threads, (int) trainer->spans->len,
      square_span, (void *) update);
  for (guint i = 0; i < trainer->spans->len; i++)
    sum += trainer->partials[i];
  double norm = sqrt (sum);
  return norm > most ? (float) (most / norm) : 1;
}

double
forge_lookahead_decay (double step, double n_steps)
{
  if (step >= n_steps)
    return 1;
  return pow (0.95, 5) * pow (step / n_steps, 3);
}

void
forge_trainer_update (
    ForgeTrainer *trainer, double learning_rate, double height, double place)
{
  const ForgeTrainParams *params = trainer->params;
  uint64_t step = ++trainer->state.step;
  double n_steps = (double) trainer->epochs * trainer->n_steps;
  Update update = { .trainer = trainer,
    .learning_rate = learning_rate,
    .height = height,
    .keep_slow = -1 };
  update.scale = clip_scale (&update);
  update.keep = (float) MIN (
      params->ema_decay, (double) (1 + step) / (double) (10 + step));
  if (params->lookahead > 0 &&
      (step % params->lookahead == 0 || place >= n_steps))
    update.keep_slow = (float) forge_lookahead_decay (place, n_steps);
  optimise_matrices (&update);
  forge_pool_run (
      params->threads, (int) trainer->spans->len, update_span, &update);
}
