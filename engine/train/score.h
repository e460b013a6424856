/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What one prediction is worth: the step between probabilities and the
 * figures of a ForgeEvaluation. */
#pragma once

#include "forge/evaluate.h"

typedef struct {
  uint32_t item;       /* of the data set */
  uint32_t truth, top; /* classes */
  uint32_t rank;       /* of the truth: 0 = it is the top class */
  float confidence;    /* probability of the top class */
  float p_truth;       /* probability of the truth */
  float sum_squares;   /* of all probabilities */
  gboolean seen;       /* FALSE: the picture did not decode */
} ForgeScore;

/* @probabilities: float32 [n_classes]. Ties go to the lower class. */
void forge_score (ForgeScore *score, const float *probabilities,
    guint n_classes, uint32_t truth);
/* What calibration needs of each picture too, by score. Starts as zeros, but
 * for what is wanted. */
typedef struct {
  gboolean with_features; /* wanted */
  gboolean with_sets;     /* wanted: probabilities, and nothing else. The only
                             way to run over multi-label data */
  const guint *items;     /* wanted: these pictures only; or NULL */
  guint n_items;
  guint n_classes, n_features; /* no features: 0 */
  float *logits;               /* [n_scores][n_classes] */
  float *features;             /* [n_scores][n_features], or NULL */
  float *probabilities;        /* [n_scores][n_classes], or NULL */
} ForgeOutputs;

void forge_outputs_clear (ForgeOutputs *outputs);
/* As forge_evaluate(), one score a picture. (transfer full): [@n_scores] */
ForgeScore *forge_evaluate_scores (ForgeModel *model, ForgeDataset *dataset,
    const ForgeEvaluateParams *params, guint *n_scores,
    ForgeProgressFunc progress, gpointer user_data, GError **error);
/* The same, and fills @outputs. */
ForgeScore *forge_evaluate_outputs (ForgeModel *model, ForgeDataset *dataset,
    const ForgeEvaluateParams *params, ForgeOutputs *outputs, guint *n_scores,
    ForgeProgressFunc progress, gpointer user_data, GError **error);
/* Of multi-label data: of @scores, item and seen count. @probabilities:
 * [n_scores][n_classes]. */
ForgeEvaluation *forge_evaluation_new_from_sets (const ForgeDataset *dataset,
    const ForgeScore *scores, size_t n_scores, const float *probabilities);
ForgeEvaluation *forge_evaluation_new_from_scores (const char *const *labels,
    guint n_classes, const ForgeScore *scores, size_t n_scores);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (ForgeOutputs, forge_outputs_clear)
