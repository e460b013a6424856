/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See optimiser.h. Everything that is the same for all elements is folded into
 * scalars first, so that the loops are short enough for the compiler to
 * vectorise; they are plain arithmetic in a fixed order, the same on every
 * machine and however the elements are cut into ranges. */
#include "train/optimiser.h"

#include <math.h>

static void
adam_step (const ForgeOptimiser *optimiser, uint64_t step, float scale,
    size_t n, float *restrict value, const float *restrict gradient,
    float *restrict m, float *restrict v)
{
  const gboolean decoupled = optimiser->kind == FORGE_OPTIMISER_ADAMW;
  const float beta1 = (float) optimiser->beta1;
  const float beta2 = (float) optimiser->beta2;
  const float rest1 = (float) (1 - optimiser->beta1);
  const float rest2 = (float) (1 - optimiser->beta2);
  const float rate = (float) optimiser->learning_rate;
  const float epsilon = (float) optimiser->epsilon;
  const float decay = decoupled ? (float) optimiser->weight_decay : 0;
  const float coupled = decoupled ? 0 : (float) optimiser->weight_decay;
  const float scale_m =
      (float) (1 / (1 - pow (optimiser->beta1, (double) step)));
  const float scale_v =
      (float) (1 / (1 - pow (optimiser->beta2, (double) step)));
  for (size_t i = 0; i < n; i++) {
    float g = scale * gradient[i] + coupled * value[i];
    m[i] = beta1 * m[i] + rest1 * g;
    v[i] = beta2 * v[i] + rest2 * g * g;
    float direction = scale_m * m[i] / (sqrtf (scale_v * v[i]) + epsilon);
    value[i] -= rate * (direction + decay * value[i]);
  }
}

static void
sgd_step (const ForgeOptimiser *optimiser, float scale, size_t n,
    float *restrict value, const float *restrict gradient, float *restrict m)
{
  const float momentum = (float) optimiser->momentum;
  const float decay = (float) optimiser->weight_decay;
  const float rate = (float) optimiser->learning_rate;
  /* g + momentum m with Nesterov, else m alone. */
  const float of_g = optimiser->nesterov ? 1 : 0;
  const float of_m = optimiser->nesterov ? momentum : 1;
  for (size_t i = 0; i < n; i++) {
    float g = scale * gradient[i] + decay * value[i];
    m[i] = momentum * m[i] + g;
    value[i] -= rate * (of_g * g + of_m * m[i]);
  }
}

void
forge_optimiser_step (const ForgeOptimiser *optimiser, uint64_t step,
    float scale, size_t n, float *value, const float *gradient, float *m,
    float *v)
{
  if (optimiser->kind == FORGE_OPTIMISER_SGD ||
      optimiser->kind == FORGE_OPTIMISER_MUON)
    sgd_step (optimiser, scale, n, value, gradient, m);
  else
    adam_step (optimiser, step, scale, n, value, gradient, m, v);
}

static double
cosine_rate (const ForgeSchedule *schedule, double step)
{
  double first = schedule->rate, last = schedule->last;
  if (last < 0 || schedule->n_steps <= schedule->warmup)
    return first;
  double warmup = (double) schedule->warmup;
  double n_steps = (double) (schedule->n_steps - schedule->warmup);
  double turn = CLAMP (step - warmup, 0, n_steps) / n_steps;
  return last + (first - last) * 0.5 * (1 + cos (G_PI * turn));
}

static double
one_cycle_rate (const ForgeSchedule *schedule, double step)
{
  double n_steps = (double) schedule->n_steps;
  double at = MIN (step, n_steps);
  double top = floor (schedule->peak * n_steps);
  double from = schedule->start, to = 1, part;
  if (at < top) {
    part = at / top;
  } else {
    from = 1;
    to = schedule->end;
    part = n_steps > top ? (at - top) / (n_steps - top) : 0;
  }
  return schedule->rate * (from + (to - from) * part);
}

double
forge_schedule_rate (const ForgeSchedule *schedule, double step)
{
  double rate = schedule->rate;
  if (schedule->kind == FORGE_SCHEDULE_COSINE)
    rate = cosine_rate (schedule, step);
  else if (schedule->kind == FORGE_SCHEDULE_ONE_CYCLE)
    rate = one_cycle_rate (schedule, step);
  else if (schedule->kind == FORGE_SCHEDULE_STEP && schedule->every > 0)
    rate *= pow (schedule->factor, floor (step / (double) schedule->every));
  if (step < (double) schedule->warmup)
    rate *= (step + 1) / (double) (schedule->warmup + 1);
  return rate;
}
