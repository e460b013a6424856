/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Making a model's confidence mean what it says, and writing down what is
 * normal for it: temperature scaling and the drift baseline. */
#pragma once

#include "forge/baseline.h"
#include "forge/evaluate.h"

G_BEGIN_DECLS

/**
 * ForgeCalibrateParams:
 * @threads: 0 = all the process may use
 * @preprocess: (nullable): %NULL = the model's
 * @n_most: pictures, spread over the data evenly; 0 = all
 * @seed: of the cut into halves and of the corruptions
 * @n_margin: pictures of the second half for each of 75 corruptions, from
 *   which @accuracy_margin comes; 0 = it is not measured
 * @data, @split: (nullable): recorded
 *
 * How to calibrate.
 *
 * Since: 0.1
 */
typedef struct {
  int threads;
  const ForgePreprocess *preprocess;
  guint n_most;
  uint64_t seed;
  guint n_margin;
  const char *data, *split;
} ForgeCalibrateParams;

#define FORGE_CALIBRATE_PARAMS_DEFAULT \
  {                                    \
    .seed = 1, .n_margin = 500         \
  }

/**
 * ForgeCalibration:
 * @baseline: what goes into the model file
 * @before, @after: reliability of the second half at temperature 1 and at the
 *   fitted one
 *
 * The outcome.
 *
 * Since: 0.1
 */
typedef struct {
  ForgeBaseline *baseline;
  ForgeReliabilityBin before[FORGE_N_CALIBRATION_BINS];
  ForgeReliabilityBin after[FORGE_N_CALIBRATION_BINS];
} ForgeCalibration;

/**
 * forge_calibrate:
 * @model: the model; a temperature that it has already is not looked at
 * @dataset: pictures with their true classes, none of which it was trained on
 * @params: (nullable): %NULL = defaults
 * @progress: (nullable) (scope call): called now and then
 * @user_data: for @progress
 * @error: return location
 *
 * Cuts the pictures into two halves, stratified, by the seed; fits temperature,
 * ATC threshold and embedding on the first; measures the rest of the baseline
 * on the second.
 *
 * Errors: those of forge_evaluate(); %FORGE_ERROR_ARGUMENT when there are fewer
 * than 40 pictures, or when they are the very ones of `forge.data_hash`;
 * %FORGE_ERROR_UNSUPPORTED for several Sigmoids, which softmax does not fit.
 *
 * Thread safety: one thread at a time per data set. The result does not depend
 * on the number of threads.
 * Returns: (transfer full) (nullable): the outcome
 * Since: 0.1
 */
ForgeCalibration *forge_calibrate (ForgeModel *model, ForgeDataset *dataset,
    const ForgeCalibrateParams *params, ForgeProgressFunc progress,
    gpointer user_data, GError **error);

/**
 * forge_calibration_save:
 * @model: the model that it is of
 * @baseline: from forge_calibrate()
 * @out: (nullable): the file to write; %NULL = where the model is
 * @written: (out) (transfer full) (optional): the path that was written
 * @error: return location
 *
 * Writes `forge.calibration` (the temperature), `forge.baseline` and
 * `forge.drift` where forge_model_load() finds them. An ONNX file, whoever
 * made it, gets them as metadata, and every other bit of it stays. A Keras or
 * TensorFlow Lite file cannot hold them: it gets a `.modelinfo` beside it
 * (what that says already stays), or with @out becomes an ONNX file.
 *
 * Errors: %FORGE_ERROR_ARGUMENT for the built-in model without @out,
 * %FORGE_ERROR_IO, those of forge_model_load() for @out (external data that
 * is not there), those of forge_model_save_onnx().
 *
 * Returns: %TRUE on success
 * Since: 0.1
 */
gboolean forge_calibration_save (const ForgeModel *model,
    const ForgeBaseline *baseline, const char *out, char **written,
    GError **error);

/**
 * forge_calibration_free:
 * @calibration: (transfer full) (nullable): the outcome
 *
 * Frees it.
 *
 * Since: 0.1
 */
void forge_calibration_free (ForgeCalibration *calibration);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ForgeCalibration, forge_calibration_free)

G_END_DECLS
