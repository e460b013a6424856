/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * An evaluation as people and programs know it: the layout and the key names
 * of scikit-learn's classification_report. */
#pragma once

#include "forge/evaluate.h"
#include "output.h"

/* Class table, averages, confusion matrix (up to 20 classes) and totals. */
void evaluation_report_print (FILE *out, const ForgeEvaluation *evaluation);
/* Members of the object being built: a member for each class by its label,
 * "accuracy", "macro avg", "weighted avg" as scikit-learn's output_dict has
 * them, and ours: per_class (in class order), labels, confusion_matrix,
 * top_5_accuracy, mean_confidence, nll, ece, brier, reliability (15 bins),
 * latency_ms (p50, p95, p99 of n pictures, where measured), n_items,
 * n_skipped, images_per_s. Where a label is one of these words, per_class has
 * it. Multi-label data has "micro avg", "samples avg", hamming_loss and
 * multilabel_confusion_matrix ([[tn, fp], [fn, tp]] of each class) and neither
 * confusion_matrix nor top_5_accuracy; accuracy then is subset accuracy. */
void evaluation_report_add_json (
    JsonBuilder *builder, const ForgeEvaluation *evaluation);
/* Member "mistakes": the most confident ones, { item, truth, predicted,
 * confidence }. */
void evaluation_report_add_mistakes (JsonBuilder *builder,
    const ForgeEvaluation *evaluation, const ForgeDataset *dataset);
