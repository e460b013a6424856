/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See optimiser.h. The bias corrections are folded into two scalars, so that
 * the loop over the elements is short enough for the compiler to vectorise;
 * it is plain arithmetic in a fixed order, the same on every machine. */
#include "train/optimiser.h"

#include <math.h>

void
forge_adam_step (const ForgeAdam *adam, uint64_t step, size_t n, float *value,
    const float *gradient, float *m, float *v)
{
  const float beta1 = (float) adam->beta1, beta2 = (float) adam->beta2;
  const float rest1 = (float) (1 - adam->beta1);
  const float rest2 = (float) (1 - adam->beta2);
  const float rate = (float) adam->learning_rate;
  const float epsilon = (float) adam->epsilon;
  const float decay = (float) adam->weight_decay;
  const float scale_m = (float) (1 / (1 - pow (adam->beta1, (double) step)));
  const float scale_v = (float) (1 / (1 - pow (adam->beta2, (double) step)));
  for (size_t i = 0; i < n; i++) {
    m[i] = beta1 * m[i] + rest1 * gradient[i];
    v[i] = beta2 * v[i] + rest2 * gradient[i] * gradient[i];
    float direction = scale_m * m[i] / (sqrtf (scale_v * v[i]) + epsilon);
    value[i] -= rate * (direction + decay * value[i]);
  }
}

double
forge_cosine_rate (double first, double last, uint64_t step, uint64_t n_steps)
{
  if (last < 0 || n_steps == 0)
    return first;
  double turn = (double) MIN (step, n_steps) / (double) n_steps;
  return last + (first - last) * 0.5 * (1 + cos (G_PI * turn));
}
