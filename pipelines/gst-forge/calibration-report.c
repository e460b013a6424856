/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * All figures are those of the half that nothing was fitted on. */
#include "calibration-report.h"

void
calibration_report_print (
    FILE *out, const ForgeCalibration *calibration, const char *written)
{
  const ForgeBaseline *b = calibration->baseline;
  fprintf (out,
      "\nCalibration: fitted on %" G_GUINT64_FORMAT
      " pictures, measured on %" G_GUINT64_FORMAT " others\n",
      b->n_fit, b->n_val);
  fprintf (out,
      "  temperature %.4f\n"
      "  ece  %.4f -> %.4f\n"
      "  nll  %.4f -> %.4f\n"
      "  accuracy %.4f, mean confidence %.4f\n",
      b->temperature, b->ece_before, b->ece_after, b->nll_before, b->nll_after,
      b->val_accuracy, b->mean_confidence);
  if (b->n_conditions > 0)
    fprintf (out,
        "  accuracy can be estimated without labels to within %.1f points (90 "
        "%% of %u\n  corruptions)\n",
        100 * b->accuracy_margin, b->n_conditions);
  if (b->embedding.n_features > 0)
    fprintf (out, "  embedding: %u features, %u components\n",
        b->embedding.n_features, b->embedding.n_dims);
  fprintf (out, "written to %s\n", written);
}

void
calibration_report_add_json (JsonBuilder *builder,
    const ForgeCalibration *calibration, const char *written)
{
  const ForgeBaseline *b = calibration->baseline;
  json_builder_set_member_name (builder, "calibration");
  json_builder_begin_object (builder);
  output_add_string (builder, "written", written);
  output_add_int (builder, "n_fit", (gint64) b->n_fit);
  output_add_int (builder, "n_val", (gint64) b->n_val);
  output_add_double (builder, "temperature", b->temperature);
  output_add_double (builder, "ece_before", b->ece_before);
  output_add_double (builder, "ece_after", b->ece_after);
  output_add_double (builder, "nll_before", b->nll_before);
  output_add_double (builder, "nll_after", b->nll_after);
  output_add_double (builder, "val_accuracy", b->val_accuracy);
  output_add_double (builder, "mean_confidence", b->mean_confidence);
  output_add_double (builder, "std_confidence", b->std_confidence);
  output_add_double (builder, "atc_threshold", b->atc_threshold);
  output_add_double (builder, "accuracy_margin", b->accuracy_margin);
  output_add_int (builder, "n_conditions", b->n_conditions);
  output_add_int (builder, "n_features", b->embedding.n_features);
  output_add_int (builder, "n_components", b->embedding.n_dims);
  output_add_string (builder, "preprocess_hash", b->preprocess_hash);
  json_builder_end_object (builder);
}
