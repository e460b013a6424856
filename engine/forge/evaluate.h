/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * How good a model is, class by class: a single accuracy number is never
 * trusted. */
#pragma once

#include "forge/classifier.h"
#include "forge/dataset.h"

G_BEGIN_DECLS

/**
 * ForgeClassMetrics:
 * @precision: right ones among those named so, 0..1
 * @recall: found ones among those that are so, 0..1
 * @f1_score: harmonic mean of the two
 * @support: pictures of the class
 *
 * One class, or an average over classes; 0 where a ratio is 0/0. The names are
 * those of scikit-learn's classification_report.
 *
 * Since: 0.1
 */
typedef struct {
  double precision, recall, f1_score;
  uint64_t support;
} ForgeClassMetrics;

typedef struct {
  guint n_classes;
  char **labels;              /* NULL-terminated */
  uint64_t *confusion;        /* [n_classes][n_classes], row = truth */
  ForgeClassMetrics *classes; /* [n_classes] */
  ForgeClassMetrics macro_avg, weighted_avg;
  uint64_t n_items, n_skipped; /* skipped: pictures that did not decode */
  double accuracy, top5_accuracy;
  double mean_confidence, nll;
  double ece; /* expected calibration error, 15 equal-width bins */
  double seconds;
} ForgeEvaluation;

/* @done of @total pictures; return FALSE to stop. */
typedef gboolean (*ForgeProgressFunc) (
    uint64_t done, uint64_t total, gpointer user_data);

/**
 * ForgeEvaluateParams:
 * @threads: 0 = all the process may use
 * @preprocess: (nullable): %NULL = the model's
 * @n_most: pictures, spread over the data evenly; 0 = all
 *
 * How to evaluate.
 *
 * Since: 0.1
 */
typedef struct {
  int threads;
  const ForgePreprocess *preprocess;
  guint n_most;
} ForgeEvaluateParams;

/**
 * forge_evaluate:
 * @model: the model
 * @dataset: pictures with their true classes
 * @params: (nullable): %NULL = as zeros
 * @progress: (nullable) (scope call): called now and then
 * @user_data: for @progress
 * @error: return location
 *
 * Classifies every picture and compares. Pictures that do not decode are
 * skipped and counted.
 *
 * Errors: %FORGE_ERROR_ARGUMENT when the classes of model and data differ in
 * number, %FORGE_ERROR_CANCELLED, %FORGE_ERROR_FORMAT when nothing decoded.
 *
 * Thread safety: one thread at a time per data set.
 * Returns: (transfer full) (nullable): the figures
 * Since: 0.1
 */
ForgeEvaluation *forge_evaluate (ForgeModel *model, ForgeDataset *dataset,
    const ForgeEvaluateParams *params, ForgeProgressFunc progress,
    gpointer user_data, GError **error);

/**
 * forge_evaluation_new_from_confusion:
 * @labels: %NULL-terminated, @n_classes of them
 * @confusion: counts, `[n_classes][n_classes]`, row = truth
 * @n_classes: >= 1
 *
 * Works the metrics out from pairs already at hand:
 * precision = tp / (tp + fp), recall = tp / (tp + fn),
 * f1 = 2 * precision * recall / (precision + recall).
 *
 * Returns: (transfer full): the figures
 * Since: 0.1
 */
ForgeEvaluation *forge_evaluation_new_from_confusion (
    const char *const *labels, const uint64_t *confusion, guint n_classes);

/**
 * forge_evaluation_free:
 * @evaluation: (transfer full) (nullable): the figures
 *
 * Frees them.
 *
 * Since: 0.1
 */
void forge_evaluation_free (ForgeEvaluation *evaluation);

/**
 * forge_evaluation_worst_class:
 * @evaluation: the figures
 *
 * The class to look at first.
 *
 * Returns: the class with the least F1 among those with support
 * Since: 0.1
 */
guint forge_evaluation_worst_class (const ForgeEvaluation *evaluation);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ForgeEvaluation, forge_evaluation_free)

G_END_DECLS
