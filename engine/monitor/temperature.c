/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Temperature scaling. With b = 1 / T, the mean of -ln softmax (b z)[y] has
 * derivative mean (E z - z_y) and second derivative mean (Var z), expectation
 * and variance under softmax (b z): it is convex, its derivative grows. */
#include "forge/baseline.h"

#include <math.h>

#define LEAST 0.01 /* of b, and of T */
#define MOST 100.0
#define MAX_STEPS 100

typedef struct {
  double slope, curvature;
} Derivatives;

static Derivatives
differentiate (const ForgeBaselineData *data, double b)
{
  Derivatives d = { 0 };
  for (guint i = 0; i < data->n_items; i++) {
    const float *z = data->logits + (gsize) i * data->n_classes;
    double most = (double) z[0], sum = 0, first = 0, second = 0;
    for (guint c = 1; c < data->n_classes; c++)
      most = MAX (most, (double) z[c]);
    for (guint c = 0; c < data->n_classes; c++) {
      double below = (double) z[c] - most, weight = exp (b * below);
      sum += weight;
      first += weight * below;
      second += weight * below * below;
    }
    double mean = first / sum;
    d.slope += (mean - ((double) z[data->classes[i]] - most)) / data->n_items;
    d.curvature += (second / sum - mean * mean) / data->n_items;
  }
  return d;
}

double
forge_fit_temperature (const ForgeBaselineData *data)
{
  g_return_val_if_fail (data && data->n_items > 0, 1);
  double low = LEAST, high = MOST, b = 1;
  if (!(differentiate (data, high).slope > 0))
    return 1 / high; /* without a mistake, the more certain the better */
  if (!(differentiate (data, low).slope < 0))
    return 1 / low; /* worse than guessing */
  for (int i = 0; i < MAX_STEPS; i++) {
    Derivatives d = differentiate (data, b);
    if (d.slope > 0)
      high = b;
    else
      low = b;
    double next = d.curvature > 0 ? b - d.slope / d.curvature : -1;
    if (!(next > low && next < high))
      next = sqrt (low * high);
    double step = fabs (next - b);
    b = next;
    if (step < 1e-9 * b)
      break;
  }
  return 1 / b;
}

void
forge_temper (
    const float *logits, guint n, double temperature, float *probabilities)
{
  double most = (double) logits[0], sum = 0;
  for (guint c = 1; c < n; c++)
    most = MAX (most, (double) logits[c]);
  for (guint c = 0; c < n; c++)
    sum += exp (((double) logits[c] - most) / temperature);
  for (guint c = 0; c < n; c++)
    probabilities[c] =
        (float) (exp (((double) logits[c] - most) / temperature) / sum);
}

double
forge_negative_entropy (const float *probabilities, guint n)
{
  double sum = 0;
  for (guint c = 0; c < n; c++)
    if (probabilities[c] > 0)
      sum += (double) probabilities[c] * log ((double) probabilities[c]);
  return sum;
}
