/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Source: scikit-learn 1.x, sklearn.metrics.classification_report, whose
 * column widths and digits are kept. */
#include "evaluation-report.h"

#include <string.h>

#define MAX_MATRIX_CLASSES 20

static double
images_per_s (const ForgeEvaluation *evaluation)
{
  return evaluation->seconds > 0 ? evaluation->n_items / evaluation->seconds
                                 : 0;
}

static void
print_row (
    FILE *out, int width, const char *name, const ForgeClassMetrics *metrics)
{
  fprintf (out, "%*s  %9.2f %9.2f %9.2f %9" G_GUINT64_FORMAT "\n", width, name,
      metrics->precision, metrics->recall, metrics->f1_score, metrics->support);
}

static void
print_classes (FILE *out, const ForgeEvaluation *evaluation)
{
  int width = strlen ("weighted avg");
  for (guint c = 0; c < evaluation->n_classes; c++)
    width = MAX (width, (int) strlen (evaluation->labels[c]));
  fprintf (out, "%*s  %9s %9s %9s %9s\n\n", width, "", "precision", "recall",
      "f1-score", "support");
  for (guint c = 0; c < evaluation->n_classes; c++)
    print_row (out, width, evaluation->labels[c], &evaluation->classes[c]);
  fputc ('\n', out);
  if (evaluation->is_multi_label)
    print_row (out, width, "micro avg", &evaluation->micro_avg);
  else
    fprintf (out, "%*s  %9s %9s %9.2f %9" G_GUINT64_FORMAT "\n", width,
        "accuracy", "", "", evaluation->accuracy, evaluation->n_items);
  print_row (out, width, "macro avg", &evaluation->macro_avg);
  print_row (out, width, "weighted avg", &evaluation->weighted_avg);
  if (evaluation->is_multi_label)
    print_row (out, width, "samples avg", &evaluation->samples_avg);
}

static void
print_confusion (FILE *out, const ForgeEvaluation *evaluation)
{
  guint n_classes = evaluation->n_classes;
  if (n_classes > MAX_MATRIX_CLASSES || evaluation->is_multi_label)
    return;
  fputs ("\nConfusion matrix (row: truth, column: prediction)\n", out);
  for (guint truth = 0; truth < n_classes; truth++) {
    fprintf (out, "%12.12s", evaluation->labels[truth]);
    for (guint guess = 0; guess < n_classes; guess++)
      fprintf (out, " %6" G_GUINT64_FORMAT,
          evaluation->confusion[truth * n_classes + guess]);
    fputc ('\n', out);
  }
}

void
evaluation_report_print (FILE *out, const ForgeEvaluation *evaluation)
{
  print_classes (out, evaluation);
  print_confusion (out, evaluation);
  if (evaluation->is_multi_label)
    fprintf (out,
        "\nright in every class (subset accuracy) %.4f, hamming loss %.4f, "
        "mean confidence %.4f, nll %.4f, ece %.4f, brier %.4f\n",
        evaluation->accuracy, evaluation->hamming_loss,
        evaluation->mean_confidence, evaluation->nll, evaluation->ece,
        evaluation->brier);
  else
    fprintf (out,
        "\naccuracy %.4f, top-5 %.4f, mean confidence %.4f, nll %.4f, "
        "ece %.4f, brier %.4f\n",
        evaluation->accuracy, evaluation->top5_accuracy,
        evaluation->mean_confidence, evaluation->nll, evaluation->ece,
        evaluation->brier);
  if (evaluation->n_latency > 0)
    fprintf (out,
        "one picture at a time: %.3f ms (median), %.3f ms (95 %%), %.3f ms (99 "
        "%%)\n",
        evaluation->latency_ms[0], evaluation->latency_ms[1],
        evaluation->latency_ms[2]);
  fprintf (out,
      "%" G_GUINT64_FORMAT " pictures, %" G_GUINT64_FORMAT
      " skipped, %.0f images/s\n",
      evaluation->n_items, evaluation->n_skipped, images_per_s (evaluation));
}

static void
add_metrics (JsonBuilder *builder, const ForgeClassMetrics *metrics)
{
  output_add_double (builder, "precision", metrics->precision);
  output_add_double (builder, "recall", metrics->recall);
  output_add_double (builder, "f1-score", metrics->f1_score);
  output_add_int (builder, "support", metrics->support);
}

static void
add_named_metrics (
    JsonBuilder *builder, const char *name, const ForgeClassMetrics *metrics)
{
  json_builder_set_member_name (builder, name);
  json_builder_begin_object (builder);
  add_metrics (builder, metrics);
  json_builder_end_object (builder);
}

static void
add_classes (JsonBuilder *builder, const ForgeEvaluation *evaluation)
{
  for (guint c = 0; c < evaluation->n_classes; c++) {
    g_autofree char *label = g_utf8_make_valid (evaluation->labels[c], -1);
    add_named_metrics (builder, label, &evaluation->classes[c]);
  }
  json_builder_set_member_name (builder, "per_class");
  json_builder_begin_array (builder);
  for (guint c = 0; c < evaluation->n_classes; c++) {
    json_builder_begin_object (builder);
    output_add_string (builder, "label", evaluation->labels[c]);
    add_metrics (builder, &evaluation->classes[c]);
    json_builder_end_object (builder);
  }
  json_builder_end_array (builder);
}

/* [[true negatives, false positives], [false negatives, true positives]] */
static void
add_multilabel_confusion (
    JsonBuilder *builder, const ForgeEvaluation *evaluation)
{
  const uint64_t *cell = evaluation->multilabel_confusion;
  json_builder_set_member_name (builder, "multilabel_confusion_matrix");
  json_builder_begin_array (builder);
  for (guint c = 0; c < evaluation->n_classes; c++) {
    json_builder_begin_array (builder);
    for (guint truth = 0; truth < 2; truth++, cell += 2) {
      json_builder_begin_array (builder);
      json_builder_add_int_value (builder, (gint64) cell[0]);
      json_builder_add_int_value (builder, (gint64) cell[1]);
      json_builder_end_array (builder);
    }
    json_builder_end_array (builder);
  }
  json_builder_end_array (builder);
}

static void
add_confusion (JsonBuilder *builder, const ForgeEvaluation *evaluation)
{
  guint n_classes = evaluation->n_classes;
  if (evaluation->is_multi_label) {
    add_multilabel_confusion (builder, evaluation);
    return;
  }
  json_builder_set_member_name (builder, "confusion_matrix");
  json_builder_begin_array (builder);
  for (guint truth = 0; truth < n_classes; truth++) {
    json_builder_begin_array (builder);
    for (guint guess = 0; guess < n_classes; guess++)
      json_builder_add_int_value (
          builder, evaluation->confusion[truth * n_classes + guess]);
    json_builder_end_array (builder);
  }
  json_builder_end_array (builder);
}

static void
add_reliability (JsonBuilder *builder, const ForgeReliabilityBin *bins)
{
  json_builder_set_member_name (builder, "reliability");
  json_builder_begin_array (builder);
  for (guint i = 0; i < FORGE_N_CALIBRATION_BINS; i++) {
    json_builder_begin_object (builder);
    output_add_int (builder, "n_items", bins[i].n_items);
    output_add_double (builder, "confidence", bins[i].confidence);
    output_add_double (builder, "accuracy", bins[i].accuracy);
    json_builder_end_object (builder);
  }
  json_builder_end_array (builder);
}

static void
add_latency (JsonBuilder *builder, const ForgeEvaluation *evaluation)
{
  if (evaluation->n_latency == 0)
    return;
  json_builder_set_member_name (builder, "latency_ms");
  json_builder_begin_object (builder);
  output_add_double (builder, "p50", evaluation->latency_ms[0]);
  output_add_double (builder, "p95", evaluation->latency_ms[1]);
  output_add_double (builder, "p99", evaluation->latency_ms[2]);
  output_add_int (builder, "n", evaluation->n_latency);
  json_builder_end_object (builder);
}

void
evaluation_report_add_mistakes (JsonBuilder *builder,
    const ForgeEvaluation *evaluation, const ForgeDataset *dataset)
{
  json_builder_set_member_name (builder, "mistakes");
  json_builder_begin_array (builder);
  for (guint i = 0; i < evaluation->n_mistakes; i++) {
    const ForgeMistake *mistake = &evaluation->mistakes[i];
    g_autofree char *item =
        forge_dataset_describe_item (dataset, mistake->item);
    json_builder_begin_object (builder);
    output_add_string (builder, "item", item);
    output_add_string (builder, "truth", evaluation->labels[mistake->truth]);
    output_add_string (
        builder, "predicted", evaluation->labels[mistake->predicted]);
    output_add_double (builder, "confidence", mistake->confidence);
    json_builder_end_object (builder);
  }
  json_builder_end_array (builder);
}

void
evaluation_report_add_json (
    JsonBuilder *builder, const ForgeEvaluation *evaluation)
{
  add_classes (builder, evaluation);
  output_add_double (builder, "accuracy", evaluation->accuracy);
  add_named_metrics (builder, "macro avg", &evaluation->macro_avg);
  add_named_metrics (builder, "weighted avg", &evaluation->weighted_avg);
  if (evaluation->is_multi_label) {
    add_named_metrics (builder, "micro avg", &evaluation->micro_avg);
    add_named_metrics (builder, "samples avg", &evaluation->samples_avg);
    output_add_double (builder, "hamming_loss", evaluation->hamming_loss);
  }
  output_add_strings (
      builder, "labels", (const char *const *) evaluation->labels);
  add_confusion (builder, evaluation);
  if (!evaluation->is_multi_label)
    output_add_double (builder, "top_5_accuracy", evaluation->top5_accuracy);
  output_add_double (builder, "mean_confidence", evaluation->mean_confidence);
  output_add_double (builder, "nll", evaluation->nll);
  output_add_double (builder, "ece", evaluation->ece);
  output_add_double (builder, "brier", evaluation->brier);
  add_reliability (builder, evaluation->bins);
  add_latency (builder, evaluation);
  output_add_int (builder, "n_items", evaluation->n_items);
  output_add_int (builder, "n_skipped", evaluation->n_skipped);
  output_add_double (builder, "seconds", evaluation->seconds);
  output_add_double (builder, "images_per_s", images_per_s (evaluation));
}
