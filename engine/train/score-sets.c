/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Metrics of multi-label data: each class of each picture is a question of its
 * own, answered with yes where the probability is over 0.5. With
 * scikit-learn's definitions: classification_report on indicator matrices with
 * zero_division=0, accuracy_score (subset accuracy), hamming_loss,
 * multilabel_confusion_matrix. */
#include <float.h>
#include <math.h>

#include "train/score.h"

#define N_BINS FORGE_N_CALIBRATION_BINS

/* Counts of one class, or over a picture's classes. */
typedef struct {
  uint64_t hits, predicted, true_ones;
} Counts;

typedef struct {
  ForgeEvaluation *evaluation;
  Counts *classes; /* [n_classes] */
  double confidence[N_BINS], truths[N_BINS];
  double sum_confidence, sum_nll, sum_brier;
  uint64_t n_exact, n_wrong;
} Sums;

static double
ratio (double part, double whole)
{
  return whole > 0 ? part / whole : 0;
}

static void
fill_metrics (ForgeClassMetrics *metrics, const Counts *counts)
{
  double hits = (double) counts->hits, predicted = (double) counts->predicted;
  double true_ones = (double) counts->true_ones;
  metrics->precision = ratio (hits, predicted);
  metrics->recall = ratio (hits, true_ones);
  metrics->f1_score = ratio (2 * hits, predicted + true_ones);
  metrics->support = counts->true_ones;
}

static void
add_weighted (
    ForgeClassMetrics *average, const ForgeClassMetrics *metrics, double weight)
{
  average->precision += weight * metrics->precision;
  average->recall += weight * metrics->recall;
  average->f1_score += weight * metrics->f1_score;
}

static void
add_answer (Sums *sums, double p, gboolean truth)
{
  int bin = CLAMP ((int) ceil (p * N_BINS) - 1, 0, N_BINS - 1);
  double right = CLAMP (truth ? p : 1 - p, DBL_EPSILON, 1.0);
  sums->evaluation->bins[bin].n_items++;
  sums->confidence[bin] += p;
  sums->truths[bin] += truth;
  sums->sum_confidence += MAX (p, 1 - p);
  sums->sum_nll -= log (right);
  sums->sum_brier += (p - truth) * (p - truth);
}

/* @truth: its classes, ascending. */
static void
add_picture (Sums *sums, const float *p, const uint32_t *truth, guint n_truth)
{
  ForgeEvaluation *evaluation = sums->evaluation;
  Counts own = { 0 };
  uint64_t n_wrong = 0;
  guint next = 0;
  for (guint c = 0; c < evaluation->n_classes; c++) {
    gboolean is = next < n_truth && truth[next] == c, said = p[c] > 0.5f;
    Counts *counts = &sums->classes[c];
    next += is;
    counts->hits += is && said;
    counts->predicted += said;
    counts->true_ones += is;
    own.hits += is && said;
    own.predicted += said;
    n_wrong += is != said;
    add_answer (sums, (double) p[c], is);
  }
  own.true_ones = n_truth;
  ForgeClassMetrics metrics;
  fill_metrics (&metrics, &own);
  add_weighted (&evaluation->samples_avg, &metrics, 1);
  sums->n_exact += n_wrong == 0;
  sums->n_wrong += n_wrong;
  evaluation->n_items++;
}

static void
sum_classes (ForgeEvaluation *evaluation, const Counts *classes)
{
  Counts all = { 0 };
  for (guint c = 0; c < evaluation->n_classes; c++) {
    all.hits += classes[c].hits;
    all.predicted += classes[c].predicted;
    all.true_ones += classes[c].true_ones;
  }
  fill_metrics (&evaluation->micro_avg, &all);
  for (guint c = 0; c < evaluation->n_classes; c++) {
    ForgeClassMetrics *metrics = &evaluation->classes[c];
    fill_metrics (metrics, &classes[c]);
    add_weighted (&evaluation->macro_avg, metrics, 1.0 / evaluation->n_classes);
    add_weighted (&evaluation->weighted_avg, metrics,
        ratio ((double) metrics->support, (double) all.true_ones));
    uint64_t *cell = evaluation->multilabel_confusion + 4 * (gsize) c;
    cell[3] = classes[c].hits;
    cell[2] = classes[c].true_ones - classes[c].hits;
    cell[1] = classes[c].predicted - classes[c].hits;
    cell[0] = evaluation->n_items - cell[1] - cell[2] - cell[3];
  }
  evaluation->macro_avg.support = evaluation->weighted_avg.support =
      evaluation->samples_avg.support = all.true_ones;
}

static void
finish (Sums *sums)
{
  ForgeEvaluation *evaluation = sums->evaluation;
  double n = (double) evaluation->n_items, gap = 0;
  double n_answers = n * evaluation->n_classes;
  ForgeClassMetrics *samples = &evaluation->samples_avg;
  samples->precision = ratio (samples->precision, n);
  samples->recall = ratio (samples->recall, n);
  samples->f1_score = ratio (samples->f1_score, n);
  for (int bin = 0; bin < N_BINS; bin++) {
    ForgeReliabilityBin *out = &evaluation->bins[bin];
    gap += fabs (sums->truths[bin] - sums->confidence[bin]);
    out->confidence = ratio (sums->confidence[bin], (double) out->n_items);
    out->accuracy = ratio (sums->truths[bin], (double) out->n_items);
  }
  evaluation->accuracy = ratio ((double) sums->n_exact, n);
  evaluation->hamming_loss = ratio ((double) sums->n_wrong, n_answers);
  evaluation->ece = ratio (gap, n_answers);
  evaluation->mean_confidence = ratio (sums->sum_confidence, n_answers);
  evaluation->nll = ratio (sums->sum_nll, n);
  evaluation->brier = ratio (sums->sum_brier, n);
}

ForgeEvaluation *
forge_evaluation_new_from_sets (const ForgeDataset *dataset,
    const ForgeScore *scores, size_t n_scores, const float *probabilities)
{
  ForgeEvaluation *evaluation = g_new0 (ForgeEvaluation, 1);
  guint n_classes = forge_dataset_get_n_classes (dataset);
  evaluation->is_multi_label = TRUE;
  evaluation->n_classes = n_classes;
  evaluation->labels = g_strdupv ((char **) forge_dataset_get_labels (dataset));
  evaluation->classes = g_new0 (ForgeClassMetrics, n_classes);
  evaluation->multilabel_confusion = g_new0 (uint64_t, 4 * (gsize) n_classes);
  g_autofree Counts *classes = g_new0 (Counts, n_classes);
  Sums sums = { .evaluation = evaluation, .classes = classes };
  for (size_t i = 0; i < n_scores; i++) {
    guint n_truth;
    if (!scores[i].seen) {
      evaluation->n_skipped++;
      continue;
    }
    const uint32_t *truth =
        forge_dataset_get_classes (dataset, scores[i].item, &n_truth);
    add_picture (&sums, probabilities + i * n_classes, truth, n_truth);
  }
  sum_classes (evaluation, classes);
  finish (&sums);
  return evaluation;
}
