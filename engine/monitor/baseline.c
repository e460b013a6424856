/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See forge/baseline.h. Two halves of the validation pictures: what is fitted
 * is fitted on one, what is reported is measured on the other, so that no
 * figure flatters itself. Expected calibration error as train/score.c has it:
 * 15 bins (lo, hi]. */
#include "forge/baseline.h"

#include <float.h>
#include <math.h>
#include <stdlib.h>

#include "forge/stats.h"
#include "monitor/embedding.h"

#define N_BINS 15
/* Logits that are logarithms of probabilities already have ln sum exp = 0. */
#define NORMALISED 1e-3

typedef struct {
  double ece, nll, mean_confidence, std_confidence;
} Calibration;

static guint
top_of (const float *values, guint n)
{
  guint top = 0;
  for (guint c = 1; c < n; c++)
    if (values[c] > values[top])
      top = c;
  return top;
}

static Calibration
measure (const ForgeBaselineData *data, double temperature)
{
  double gap[N_BINS] = { 0 }, nll = 0, ece = 0;
  ForgeMoments moments = { 0 };
  g_autofree float *p = g_new (float, data->n_classes);
  for (guint i = 0; i < data->n_items; i++) {
    forge_temper (data->logits + (gsize) i * data->n_classes, data->n_classes,
        temperature, p);
    guint top = top_of (p, data->n_classes);
    double confidence = (double) p[top];
    int bin = CLAMP ((int) ceil (confidence * N_BINS) - 1, 0, N_BINS - 1);
    gap[bin] += (top == data->classes[i]) - confidence;
    nll -= log (CLAMP ((double) p[data->classes[i]], DBL_EPSILON, 1.0));
    forge_moments_add (&moments, confidence);
  }
  for (int bin = 0; bin < N_BINS; bin++)
    ece += fabs (gap[bin]);
  return (Calibration) { ece / data->n_items, nll / data->n_items, moments.mean,
    sqrt (forge_moments_variance (&moments)) };
}

static int
compare_doubles (const void *a, const void *b)
{
  double x = *(const double *) a, y = *(const double *) b;
  return (x > y) - (x < y);
}

/* Midway between the last score that counts as an error and the next. */
static double
find_atc_threshold (const ForgeBaselineData *fit, double temperature)
{
  g_autofree double *scores = g_new (double, fit->n_items);
  g_autofree float *p = g_new (float, fit->n_classes);
  guint n_errors = 0, n = fit->n_items;
  for (guint i = 0; i < n; i++) {
    forge_temper (fit->logits + (gsize) i * fit->n_classes, fit->n_classes,
        temperature, p);
    scores[i] = forge_negative_entropy (p, fit->n_classes);
    n_errors += top_of (p, fit->n_classes) != fit->classes[i];
  }
  qsort (scores, n, sizeof *scores, compare_doubles);
  if (n_errors == 0)
    return scores[0];
  double below = scores[n_errors - 1];
  return n_errors == n ? 0.0 : below + (scores[n_errors] - below) / 2;
}

static void
count_classes (ForgeBaseline *baseline, const ForgeBaselineData *held)
{
  guint n = held->n_classes;
  uint64_t n_hits = 0;
  for (guint i = 0; i < held->n_items; i++) {
    guint top = top_of (held->logits + (gsize) i * n, n);
    baseline->confusion[(gsize) held->classes[i] * n + top]++;
    baseline->class_prior[top] += 1.0 / held->n_items;
    n_hits += top == held->classes[i];
  }
  baseline->val_accuracy = (double) n_hits / held->n_items;
  for (guint c = 0; c < n; c++) {
    double hits = baseline->confusion[(gsize) c * n + c];
    double predicted = 0, support = 0;
    for (guint k = 0; k < n; k++) {
      predicted += baseline->confusion[(gsize) k * n + c];
      support += baseline->confusion[(gsize) c * n + k];
    }
    baseline->precision[c] = predicted > 0 ? hits / predicted : 0;
    baseline->recall[c] = support > 0 ? hits / support : 0;
    baseline->f1[c] =
        predicted + support > 0 ? 2 * hits / (predicted + support) : 0;
  }
}

/* @values: [n_items], sorted here. */
static void
write_quantiles (double *values, guint n_items, float *quantiles)
{
  qsort (values, n_items, sizeof *values, compare_doubles);
  for (guint i = 0; i < FORGE_N_QUANTILES; i++) {
    double at = (double) i / (FORGE_N_QUANTILES - 1) * (n_items - 1);
    guint below = (guint) at;
    guint above = MIN (below + 1, n_items - 1);
    quantiles[i] = (float) (values[below] +
                            (at - below) * (values[above] - values[below]));
  }
}

/* -T ln sum exp (z / T) */
static double
energy_of (const float *logits, guint n, double temperature)
{
  double most = (double) logits[top_of (logits, n)], sum = 0;
  for (guint c = 0; c < n; c++)
    sum += exp (((double) logits[c] - most) / temperature);
  return -most - temperature * log (sum);
}

static void
find_quantiles (ForgeBaseline *baseline, const ForgeBaselineData *held)
{
  guint n = held->n_items, n_classes = held->n_classes;
  g_autofree double *values = g_new (double, (gsize) n * 4);
  double *confidence = values, *entropy = values + n;
  double *energy = values + (gsize) n * 2, *distance = values + (gsize) n * 3;
  g_autofree float *p = g_new (float, n_classes);
  for (guint i = 0; i < n; i++) {
    const float *logits = held->logits + (gsize) i * n_classes;
    forge_temper (logits, n_classes, baseline->temperature, p);
    confidence[i] = (double) p[top_of (p, n_classes)];
    entropy[i] = -forge_negative_entropy (p, n_classes);
    energy[i] = energy_of (logits, n_classes, baseline->temperature);
    baseline->has_energy |=
        fabs (energy_of (logits, n_classes, 1)) > NORMALISED;
    distance[i] = baseline->embedding.n_features
                      ? forge_baseline_distance (baseline,
                            held->features + (gsize) i * held->n_features)
                      : 0;
  }
  write_quantiles (confidence, n, baseline->confidence);
  write_quantiles (entropy, n, baseline->entropy);
  write_quantiles (distance, n, baseline->distance);
  if (baseline->has_energy)
    write_quantiles (energy, n, baseline->energy);
}

ForgeBaseline *
forge_baseline_new (const ForgeBaselineData *fit, const ForgeBaselineData *held)
{
  g_return_val_if_fail (fit && held && fit->n_items > 0 && held->n_items > 0 &&
                            fit->n_classes == held->n_classes &&
                            fit->n_features == held->n_features,
      NULL);
  guint n = fit->n_classes;
  ForgeBaseline *baseline = g_new0 (ForgeBaseline, 1);
  baseline->n_val = held->n_items;
  baseline->n_fit = fit->n_items;
  baseline->n_classes = n;
  baseline->accuracy_margin = -1;
  baseline->class_prior = g_new0 (double, n);
  baseline->precision = g_new0 (double, n);
  baseline->recall = g_new0 (double, n);
  baseline->f1 = g_new0 (double, n);
  baseline->confusion = g_new0 (uint32_t, (gsize) n * n);
  baseline->temperature = forge_fit_temperature (fit);
  Calibration before = measure (held, 1);
  Calibration after = measure (held, baseline->temperature);
  baseline->ece_before = before.ece;
  baseline->ece_after = after.ece;
  baseline->nll_before = before.nll;
  baseline->nll_after = after.nll;
  baseline->mean_confidence = after.mean_confidence;
  baseline->std_confidence = after.std_confidence;
  baseline->atc_threshold = find_atc_threshold (fit, baseline->temperature);
  count_classes (baseline, held);
  forge_embedding_fit (&baseline->embedding, fit);
  find_quantiles (baseline, held);
  for (guint i = 0; i < FORGE_N_QUANTILES; i++)
    baseline->distance[i] = MIN (baseline->distance[i], FLT_MAX);
  return baseline;
}

double
forge_baseline_distance (const ForgeBaseline *baseline, const float *features)
{
  g_return_val_if_fail (baseline->embedding.n_features > 0, 0);
  return forge_embedding_distance (
      &baseline->embedding, baseline->n_classes, features);
}

double
forge_baseline_percentile (const float *quantiles, double value)
{
  guint low = 0, high = FORGE_N_QUANTILES - 1;
  if (!(value > (double) quantiles[0]))
    return 0;
  if (value >= (double) quantiles[high])
    return 1;
  while (high - low > 1) {
    guint middle = (low + high) / 2;
    if (value >= (double) quantiles[middle])
      low = middle;
    else
      high = middle;
  }
  double width = (double) quantiles[high] - (double) quantiles[low];
  double part = width > 0 ? (value - (double) quantiles[low]) / width : 0;
  return (low + part) / (FORGE_N_QUANTILES - 1);
}

void
forge_baseline_free (ForgeBaseline *baseline)
{
  if (!baseline)
    return;
  forge_embedding_clear (&baseline->embedding);
  g_free (baseline->class_prior);
  g_free (baseline->precision);
  g_free (baseline->recall);
  g_free (baseline->f1);
  g_free (baseline->confusion);
  g_free (baseline->data);
  g_free (baseline->split);
  g_free (baseline->data_hash);
  g_free (baseline->preprocess_hash);
  g_free (baseline->precision_name);
  g_free (baseline);
}
