/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * An evaluation in pictures, each a PNG file. */
#pragma once

#include "forge/calibrate.h"

/* confusion-matrix.png: rows are the truth, colour is the share of the row. */
gboolean plot_confusion_write (const ForgeEvaluation *evaluation,
    const char *title, const char *path, GError **error);
/* class-f1.png: the worst class first, with the floor. */
gboolean plot_classes_write (const ForgeEvaluation *evaluation, double min_f1,
    const char *title, const char *path, GError **error);
/* reliability.png: accuracy against confidence, [15] bins; with @after two
 * panels, before and after calibration. */
gboolean plot_reliability_write (const ForgeReliabilityBin *before,
    const ForgeReliabilityBin *after, const char *title, const char *path,
    GError **error);
/* mistakes.png: the most confident ones, with the pictures. */
gboolean plot_mistakes_write (const ForgeEvaluation *evaluation,
    const ForgeDataset *dataset, const char *title, const char *path,
    GError **error);
/* corruptions.png: accuracy over severity, a panel for each group of kinds.
 * @clean: accuracy at severity 0; @rows: [@n_kinds * 5]. */
gboolean plot_corruptions_write (double clean,
    const ForgeCorruptedFigures *rows, guint n_kinds, const char *title,
    const char *path, GError **error);
/* corruption-sheet.png: one picture of the data under all kinds and
 * severities. */
gboolean plot_sheet_write (const ForgeDataset *dataset, guint item,
    uint64_t seed, const char *path, GError **error);
