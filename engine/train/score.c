/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Metrics from predictions, with scikit-learn's definitions: classification_
 * report over all classes with zero_division=0, log_loss, top_k_accuracy_
 * score. Expected calibration error: Guo, Pleiss, Sun and Weinberger, "On
 * Calibration of Modern Neural Networks" (2017), 15 bins (lo, hi]. */
#include "train/score.h"

#include <float.h>
#include <math.h>

#define N_BINS FORGE_N_CALIBRATION_BINS
#define TOP 5

void
forge_score (ForgeScore *score, const float *probabilities, guint n_classes,
    uint32_t truth)
{
  uint32_t top = 0, rank = 0;
  float sum_squares = 0;
  for (uint32_t c = 0; c < n_classes; c++) {
    sum_squares += probabilities[c] * probabilities[c];
    if (probabilities[c] > probabilities[top])
      top = c;
    if (probabilities[c] > probabilities[truth] ||
        (probabilities[c] == probabilities[truth] && c < truth))
      rank++;
  }
  *score = (ForgeScore) { .truth = truth,
    .top = top,
    .rank = rank,
    .confidence = probabilities[top],
    .p_truth = probabilities[truth],
    .sum_squares = sum_squares,
    .seen = TRUE };
}

static double
ratio (double part, double whole)
{
  return whole > 0 ? part / whole : 0;
}

static double
harmonic (double a, double b)
{
  return ratio (2 * a * b, a + b);
}

static void
measure_class (ForgeEvaluation *evaluation, guint class_id)
{
  guint n = evaluation->n_classes;
  uint64_t hits = evaluation->confusion[(gsize) class_id * n + class_id];
  uint64_t support = 0, predicted = 0;
  for (guint c = 0; c < n; c++) {
    support += evaluation->confusion[(gsize) class_id * n + c];
    predicted += evaluation->confusion[(gsize) c * n + class_id];
  }
  ForgeClassMetrics *metrics = &evaluation->classes[class_id];
  metrics->support = support;
  metrics->precision = ratio ((double) hits, (double) predicted);
  metrics->recall = ratio ((double) hits, (double) support);
  metrics->f1_score = harmonic (metrics->precision, metrics->recall);
}

static void
add_weighted (
    ForgeClassMetrics *average, const ForgeClassMetrics *metrics, double weight)
{
  average->precision += weight * metrics->precision;
  average->recall += weight * metrics->recall;
  average->f1_score += weight * metrics->f1_score;
}

ForgeEvaluation *
forge_evaluation_new_from_confusion (
    const char *const *labels, const uint64_t *confusion, guint n_classes)
{
  g_return_val_if_fail (n_classes > 0, NULL);
  ForgeEvaluation *evaluation = g_new0 (ForgeEvaluation, 1);
  gsize n_cells = (gsize) n_classes * n_classes;
  evaluation->n_classes = n_classes;
  evaluation->labels = g_strdupv ((char **) labels);
  evaluation->confusion =
      g_memdup2 (confusion, n_cells * sizeof *evaluation->confusion);
  evaluation->classes = g_new0 (ForgeClassMetrics, n_classes);
  uint64_t hits = 0;
  for (guint c = 0; c < n_classes; c++) {
    measure_class (evaluation, c);
    evaluation->n_items += evaluation->classes[c].support;
    hits += confusion[(gsize) c * n_classes + c];
  }
  double n_items = (double) evaluation->n_items;
  evaluation->accuracy = ratio ((double) hits, n_items);
  for (guint c = 0; c < n_classes; c++) {
    const ForgeClassMetrics *metrics = &evaluation->classes[c];
    add_weighted (&evaluation->macro_avg, metrics, 1.0 / n_classes);
    add_weighted (&evaluation->weighted_avg, metrics,
        ratio ((double) metrics->support, n_items));
  }
  evaluation->macro_avg.support = evaluation->n_items;
  evaluation->weighted_avg.support = evaluation->n_items;
  return evaluation;
}

static int
bin_of (double confidence)
{
  return CLAMP ((int) ceil (confidence * N_BINS) - 1, 0, N_BINS - 1);
}

static void
measure_calibration (
    ForgeEvaluation *evaluation, const ForgeScore *scores, size_t n_scores)
{
  double confidence[N_BINS] = { 0 }, hits[N_BINS] = { 0 };
  double sum_confidence = 0, sum_nll = 0, sum_brier = 0, n_top = 0;
  for (size_t i = 0; i < n_scores; i++) {
    const ForgeScore *score = &scores[i];
    if (!score->seen)
      continue;
    int bin = bin_of (score->confidence);
    evaluation->bins[bin].n_items++;
    confidence[bin] += score->confidence;
    hits[bin] += score->rank == 0;
    sum_confidence += score->confidence;
    sum_nll -= log (CLAMP ((double) score->p_truth, DBL_EPSILON, 1.0));
    sum_brier += (double) score->sum_squares - 2 * (double) score->p_truth + 1;
    n_top += score->rank < TOP;
  }
  double n_items = (double) evaluation->n_items, gap = 0;
  for (int bin = 0; bin < N_BINS; bin++) {
    ForgeReliabilityBin *out = &evaluation->bins[bin];
    gap += fabs (hits[bin] - confidence[bin]);
    out->confidence = ratio (confidence[bin], (double) out->n_items);
    out->accuracy = ratio (hits[bin], (double) out->n_items);
  }
  evaluation->ece = ratio (gap, n_items);
  evaluation->mean_confidence = ratio (sum_confidence, n_items);
  evaluation->nll = ratio (sum_nll, n_items);
  evaluation->brier = ratio (sum_brier, n_items);
  evaluation->top5_accuracy = ratio (n_top, n_items);
}

/* Insertion into a short sorted list; of equals the first picture leads. */
static void
keep_mistakes (
    ForgeEvaluation *evaluation, const ForgeScore *scores, size_t n_scores)
{
  ForgeMistake *list = evaluation->mistakes;
  for (size_t i = 0; i < n_scores; i++) {
    const ForgeScore *score = &scores[i];
    guint n = evaluation->n_mistakes;
    if (!score->seen || score->top == score->truth ||
        (n == FORGE_MAX_MISTAKES &&
            score->confidence <= list[n - 1].confidence))
      continue;
    guint at = n < FORGE_MAX_MISTAKES ? evaluation->n_mistakes++ : n - 1;
    for (; at > 0 && list[at - 1].confidence < score->confidence; at--)
      list[at] = list[at - 1];
    list[at] = (ForgeMistake) { score->item, score->truth, score->top,
      score->confidence };
  }
}

ForgeEvaluation *
forge_evaluation_new_from_scores (const char *const *labels, guint n_classes,
    const ForgeScore *scores, size_t n_scores)
{
  g_autofree uint64_t *confusion =
      g_new0 (uint64_t, (gsize) n_classes * n_classes);
  uint64_t n_skipped = 0;
  for (size_t i = 0; i < n_scores; i++) {
    if (scores[i].seen)
      confusion[(gsize) scores[i].truth * n_classes + scores[i].top]++;
    else
      n_skipped++;
  }
  ForgeEvaluation *evaluation =
      forge_evaluation_new_from_confusion (labels, confusion, n_classes);
  evaluation->n_skipped = n_skipped;
  measure_calibration (evaluation, scores, n_scores);
  keep_mistakes (evaluation, scores, n_scores);
  return evaluation;
}

void
forge_evaluation_free (ForgeEvaluation *evaluation)
{
  if (!evaluation)
    return;
  g_strfreev (evaluation->labels);
  g_free (evaluation->confusion);
  g_free (evaluation->multilabel_confusion);
  g_free (evaluation->classes);
  g_free (evaluation);
}

guint
forge_evaluation_worst_class (const ForgeEvaluation *evaluation)
{
  guint worst = 0;
  double least = INFINITY;
  for (guint c = 0; c < evaluation->n_classes; c++) {
    const ForgeClassMetrics *metrics = &evaluation->classes[c];
    if (metrics->support > 0 && metrics->f1_score < least) {
      least = metrics->f1_score;
      worst = c;
    }
  }
  return worst;
}
