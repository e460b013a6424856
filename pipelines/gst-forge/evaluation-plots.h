/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * All pictures of one evaluation in one folder. */
#pragma once

#include "plot-evaluation.h"

typedef struct {
  const char *title; /* the model's name */
  const ForgeDataset *dataset;
  const ForgeEvaluation *evaluation;
  double min_f1;
  const ForgeCalibration *calibration;      /* nullable */
  const ForgeCorruptedFigures *corruptions; /* nullable: [@n_kinds * 5] */
  guint n_kinds;
  uint64_t seed;
} EvaluationPlots;

/* Makes the folder where there is none, and writes confusion-matrix.png,
 * class-f1.png, reliability.png, mistakes.png and, of corruptions,
 * corruptions.png and corruption-sheet.png. */
gboolean evaluation_plots_write (
    const EvaluationPlots *plots, const char *folder, GError **error);
