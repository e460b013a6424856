/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The mean error over all kinds and severities is what papers on CIFAR-10-C
 * call mCE: not divided by the errors of another network. */
#include "corruption-report.h"

#include "forge/error.h"

gboolean
corruption_list_parse (
    const char *text, ForgeCorruption *kinds, guint *n_kinds, GError **error)
{
  *n_kinds = 0;
  if (!text || !*text) {
    for (guint i = 0; i < FORGE_N_CORRUPTIONS; i++)
      kinds[(*n_kinds)++] = i;
    return TRUE;
  }
  g_auto (GStrv) words = g_strsplit (text, ",", -1);
  for (char **word = words; *word; word++) {
    ForgeCorruption kind;
    gboolean known = forge_corruption_parse (g_strstrip (*word), &kind);
    for (guint i = 0; known && i < *n_kinds; i++)
      known = kinds[i] != kind;
    if (!known) {
      g_autoptr (GString) list = g_string_new (NULL);
      for (guint i = 0; i < FORGE_N_CORRUPTIONS; i++)
        g_string_append_printf (
            list, "%s%s", i ? ", " : "", forge_corruption_name (i));
      g_set_error (error, FORGE_ERROR, FORGE_ERROR_ARGUMENT,
          "--corruptions takes each of these at most once: %s; found '%s'",
          list->str, *word);
      return FALSE;
    }
    kinds[(*n_kinds)++] = kind;
  }
  return TRUE;
}

double
corruption_mean_error (const ForgeCorruptedFigures *rows, guint n_kinds)
{
  double sum = 0;
  for (guint i = 0; i < n_kinds * FORGE_N_SEVERITIES; i++)
    sum += 1 - rows[i].accuracy;
  return sum / (n_kinds * FORGE_N_SEVERITIES);
}

void
corruption_report_print (
    FILE *out, const ForgeCorruptedFigures *rows, guint n_kinds)
{
  fprintf (out, "\n%-18s %31s %7s %11s %7s\n", "Corruption",
      "accuracy at severity 1 to 5", "mean", "confidence", "ece");
  for (guint k = 0; k < n_kinds; k++) {
    const ForgeCorruptedFigures *row = rows + k * FORGE_N_SEVERITIES;
    double accuracy = 0, confidence = 0, ece = 0;
    fprintf (out, "%-18s", forge_corruption_name (row->kind));
    for (guint s = 0; s < FORGE_N_SEVERITIES; s++) {
      fprintf (out, " %5.1f", 100 * row[s].accuracy);
      accuracy += row[s].accuracy / FORGE_N_SEVERITIES;
      confidence += row[s].mean_confidence / FORGE_N_SEVERITIES;
      ece += row[s].ece / FORGE_N_SEVERITIES;
    }
    fprintf (out, "  %5.1f %%  %9.4f %7.4f\n", 100 * accuracy, confidence, ece);
  }
  fprintf (out, "mean corruption error %.2f %%\n",
      100 * corruption_mean_error (rows, n_kinds));
}

void
corruption_report_add_json (
    JsonBuilder *builder, const ForgeCorruptedFigures *rows, guint n_kinds)
{
  json_builder_set_member_name (builder, "corruptions");
  json_builder_begin_array (builder);
  for (guint i = 0; i < n_kinds * FORGE_N_SEVERITIES; i++) {
    json_builder_begin_object (builder);
    output_add_string (builder, "kind", forge_corruption_name (rows[i].kind));
    output_add_int (builder, "severity", rows[i].severity);
    output_add_double (builder, "accuracy", rows[i].accuracy);
    output_add_double (builder, "mean_confidence", rows[i].mean_confidence);
    output_add_double (builder, "ece", rows[i].ece);
    json_builder_end_object (builder);
  }
  json_builder_end_array (builder);
  double mean_error = corruption_mean_error (rows, n_kinds);
  output_add_double (builder, "mean_corruption_accuracy", 1 - mean_error);
  output_add_double (builder, "mean_corruption_error", mean_error);
}
