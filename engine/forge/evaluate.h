/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * How good a model is, class by class: a single accuracy number is never
 * trusted. */
#pragma once

#include "forge/classifier.h"
#include "forge/corrupt.h"
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

#define FORGE_N_CALIBRATION_BINS 15

/**
 * ForgeReliabilityBin:
 * @n_items: pictures whose confidence lies in (i / 15, (i + 1) / 15]
 * @confidence: their mean
 * @accuracy: the share that is right
 *
 * One bar of a reliability diagram; 0 where it is empty.
 *
 * Since: 0.1
 */
typedef struct {
  uint64_t n_items;
  double confidence, accuracy;
} ForgeReliabilityBin;

/**
 * ForgeMistake:
 * @item: index in the data set
 * @truth: its class
 * @predicted: what it was taken for
 * @confidence: how surely, 0..1
 *
 * One picture that was taken for something else.
 *
 * Since: 0.1
 */
typedef struct {
  guint item, truth, predicted;
  float confidence;
} ForgeMistake;

/* The most that an evaluation keeps, the most confident first. */
#define FORGE_MAX_MISTAKES 24

/**
 * ForgeEvaluation:
 * @is_multi_label: the data was multi-label: each class is a question of its
 *   own, answered with yes where the probability is over 0.5
 * @confusion: of other data; else %NULL
 * @multilabel_confusion: of multi-label data; else %NULL
 * @micro_avg: of multi-label data: over all answers
 * @samples_avg: of multi-label data: mean over pictures
 * @accuracy: right pictures among all; of multi-label data those that are
 *   right in every class (subset accuracy)
 * @hamming_loss: of multi-label data: wrong answers among all
 * @top5_accuracy: 0 for multi-label data, as is @n_mistakes
 * @nll: mean of -ln p of the truth, natural logarithm (log_loss); of
 *   multi-label data the mean over pictures of the sum over classes
 * @ece: expected calibration error: sum over bins of share * |accuracy -
 *   confidence|; of multi-label data over all answers, by their probability
 * @brier: mean over pictures of the sum over classes of (p - truth)^2, 0..2
 * @bins: what @ece is the sum of
 * @mistakes: the most confident ones
 * @latency_ms: percentiles 50, 95 and 99 of one picture alone, preprocessing
 *   and network, decoding excluded; 0 unless asked for
 * @n_latency: pictures they were measured on
 *
 * The figures of one evaluation. The names are scikit-learn's where it has
 * them.
 *
 * Since: 0.1
 */
typedef struct {
  guint n_classes;
  char **labels; /* NULL-terminated */
  gboolean is_multi_label;
  uint64_t *confusion;            /* [n_classes][n_classes], row = truth */
  uint64_t *multilabel_confusion; /* [n_classes][2][2], the same of each */
  ForgeClassMetrics *classes;     /* [n_classes] */
  ForgeClassMetrics macro_avg, weighted_avg, micro_avg, samples_avg;
  uint64_t n_items, n_skipped; /* skipped: pictures that did not decode */
  double accuracy, top5_accuracy, hamming_loss;
  double mean_confidence, nll;
  double ece, brier;
  ForgeReliabilityBin bins[FORGE_N_CALIBRATION_BINS];
  ForgeMistake mistakes[FORGE_MAX_MISTAKES];
  guint n_mistakes;
  double seconds;
  double latency_ms[3];
  guint n_latency;
} ForgeEvaluation;

/* @done of @total pictures; return FALSE to stop. */
typedef gboolean (*ForgeProgressFunc) (
    uint64_t done, uint64_t total, gpointer user_data);

/**
 * ForgeEvaluateParams:
 * @threads: 0 = all the process may use
 * @preprocess: (nullable): %NULL = the model's
 * @n_most: pictures, spread over the data evenly; 0 = all
 * @n_latency: pictures to time one by one afterwards; 0 = none
 * @corruption: what is done to each picture first
 * @severity: of that, 1..5; 0 = nothing is done
 * @seed: of that; picture i gets a stream of its own
 *
 * How to evaluate.
 *
 * Since: 0.1
 */
typedef struct {
  int threads;
  const ForgePreprocess *preprocess;
  guint n_most, n_latency;
  ForgeCorruption corruption;
  guint severity;
  uint64_t seed;
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
 * number, or the data is multi-label and the model is not,
 * %FORGE_ERROR_CANCELLED, %FORGE_ERROR_FORMAT when nothing decoded.
 *
 * Thread safety: one thread at a time per data set.
 * Returns: (transfer full) (nullable): the figures
 * Since: 0.1
 */
ForgeEvaluation *forge_evaluate (ForgeModel *model, ForgeDataset *dataset,
    const ForgeEvaluateParams *params, ForgeProgressFunc progress,
    gpointer user_data, GError **error);

/**
 * ForgeCorruptedFigures:
 *
 * What is left of a model under one corruption.
 *
 * Since: 0.1
 */
typedef struct {
  ForgeCorruption kind;
  guint severity;
  double accuracy, mean_confidence, ece;
} ForgeCorruptedFigures;

/**
 * forge_evaluate_corrupted:
 * @model: the model
 * @dataset: pictures with their true classes
 * @params: (nullable): as forge_evaluate(); corruption and severity are set
 *   here, @n_latency is not looked at
 * @kinds: (array length=n_kinds): which
 * @n_kinds: how many, >= 1
 * @progress: (nullable) (scope call): over all of them
 * @user_data: for @progress
 * @error: return location
 *
 * forge_evaluate() under each kind at severities 1 to 5.
 *
 * Errors: those of forge_evaluate() and forge_corrupt();
 * %FORGE_ERROR_UNSUPPORTED for multi-label data.
 *
 * Thread safety: one thread at a time per data set.
 * Returns: (transfer full) (nullable): [@n_kinds * 5] rows, kind by kind;
 *   g_free()
 * Since: 0.1
 */
ForgeCorruptedFigures *forge_evaluate_corrupted (ForgeModel *model,
    ForgeDataset *dataset, const ForgeEvaluateParams *params,
    const ForgeCorruption *kinds, guint n_kinds, ForgeProgressFunc progress,
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
