/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * How good a model is, class by class: a single accuracy number is never
 * trusted. */
#pragma once

#include "forge/classifier.h"
#include "forge/dataset.h"

G_BEGIN_DECLS

/* One class, or an average. Names as scikit-learn's classification_report. */
typedef struct {
  double precision, recall, f1_score; /* 0 where the ratio is 0/0 */
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

typedef struct {
  int threads;                       /* 0 = all the process may use */
  const ForgePreprocess *preprocess; /* NULL = the model's */
  guint n_most; /* pictures, spread over the data evenly; 0 = all */
} ForgeEvaluateParams;

/* @params: NULL = as zeros.
 * Errors: FORGE_ERROR_ARGUMENT when the classes of model and data differ in
 * number, FORGE_ERROR_CANCELLED, FORGE_ERROR_FORMAT when nothing decoded. */
ForgeEvaluation *forge_evaluate (ForgeModel *model, ForgeDataset *dataset,
    const ForgeEvaluateParams *params, ForgeProgressFunc progress,
    gpointer user_data, GError **error);
/* From pairs already at hand; @confusion as above. */
ForgeEvaluation *forge_evaluation_new_from_confusion (
    const char *const *labels, const uint64_t *confusion, guint n_classes);
void forge_evaluation_free (ForgeEvaluation *evaluation);
/* The class with the least F1 among those with support. */
guint forge_evaluation_worst_class (const ForgeEvaluation *evaluation);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ForgeEvaluation, forge_evaluation_free)

G_END_DECLS
