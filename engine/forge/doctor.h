/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The preprocessing check: a network fed with pixels in another range or
 * order than it was trained on still answers, confidently and wrongly.
 * Labelled pictures tell which preprocessing it was trained on. */
#pragma once

#include "forge/evaluate.h"
#include "forge/preprocess.h"

G_BEGIN_DECLS

typedef struct {
  int threads;  /* 0 = all the process may use */
  guint n_most; /* pictures, spread over the data evenly; 0 = all */
  const ForgeStatedPreprocess *stated; /* what the pipeline would be told */
} ForgeDoctorParams;

/* One preprocessing and how well the network does with it. */
typedef struct {
  char *name;    /* "-1..1, RGB" */
  char *options; /* what states it on the command line; "" = as it is */
  ForgePreprocess preprocess;
  gboolean is_current; /* what the file, or the default, or the user says */
  uint64_t n_hits;
  double accuracy, mean_confidence;
} ForgeDoctorRow;

typedef enum {
  FORGE_DOCTOR_FITS,    /* the current one is the best, or not clearly worse */
  FORGE_DOCTOR_MISFIT,  /* the current one is clearly worse than the best */
  FORGE_DOCTOR_NO_CURE, /* not even the best is better than guessing */
} ForgeDoctorVerdict;

/**
 * ForgeDiagnosis:
 * @rows: best first; of equals the current one, then the more usual
 * @current: index of the current one
 * @baked_in: the network takes bytes: only the order of the colours is open
 * @assumptions: (nullable): what of the current one is assumed, in words
 * @values_assumed: the range of the values is among it
 * @p_value: how probable it is that the current one is as good as the best
 *   and came out behind by chance: the sign test (exact binomial, one-sided)
 *   on the pictures that only one of the two gets right; 1 when it is the
 *   best. "Clearly" is under 0.01 / (n_rows - 1)
 * @guess_p_value: the same for the best one against guessing among the
 *   classes
 *
 * Since: 0.1
 */
typedef struct {
  ForgeDoctorRow *rows;
  guint n_rows, current;
  uint64_t n_items, n_skipped;
  gboolean baked_in, values_assumed;
  char *assumptions;
  double p_value, guess_p_value;
  ForgeDoctorVerdict verdict;
} ForgeDiagnosis;

/**
 * forge_doctor_examine:
 * @model: an image classifier
 * @dataset: labelled pictures of its classes, in its order
 * @params: (nullable): %NULL = as zeros
 * @progress: (nullable): counts pictures of all rows together
 * @user_data: of @progress
 * @error: return location
 *
 * Evaluates the network under 0..1, -1..1, 0..255, ImageNet's mean and
 * deviation, and Caffe's mean, each RGB and BGR, and as it would be used now.
 *
 * Errors: those of forge_evaluate() and forge_model_state_preprocess().
 * Thread safety: any thread; takes as long as that many evaluations.
 * Returns: (transfer full) (nullable): the diagnosis
 * Since: 0.1
 */
ForgeDiagnosis *forge_doctor_examine (ForgeModel *model, ForgeDataset *dataset,
    const ForgeDoctorParams *params, ForgeProgressFunc progress,
    gpointer user_data, GError **error);
void forge_diagnosis_free (ForgeDiagnosis *diagnosis);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ForgeDiagnosis, forge_diagnosis_free)

G_END_DECLS
