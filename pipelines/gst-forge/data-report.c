/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See data-report.h: tables for people, members for programs. */
#include "data-report.h"

#include <string.h>

#define MAX_LISTED 8
#define BAR_WIDTH 40

static const char *const part_names[] = { "train", "validation", "test" };

static int
label_width (const ForgeDataReport *report)
{
  glong width = 5;
  for (guint c = 0; c < report->n_classes; c++)
    width = MAX (width, g_utf8_strlen (report->labels[c], -1));
  return (int) MIN (width, 40);
}

/* printf counts bytes where a terminal counts characters. */
static void
print_padded (FILE *out, const char *text, int width)
{
  int left = width - (int) g_utf8_strlen (text, -1);
  fprintf (out, "%s%*s", text, MAX (left, 0), "");
}

static void
print_counts (FILE *out, const ForgeDataReport *report)
{
  int width = label_width (report);
  print_padded (out, "class", width);
  for (int s = 0; s < FORGE_N_SPLITS; s++)
    if (report->parts[s].present)
      fprintf (out, "  %10s", part_names[s]);
  fputc ('\n', out);
  for (guint c = 0; c < report->n_classes; c++) {
    print_padded (out, report->labels[c], width);
    for (int s = 0; s < FORGE_N_SPLITS; s++)
      if (report->parts[s].present)
        fprintf (out, "  %10" G_GUINT64_FORMAT, report->parts[s].counts[c]);
    fputc ('\n', out);
  }
  print_padded (out, "all", width);
  for (int s = 0; s < FORGE_N_SPLITS; s++)
    if (report->parts[s].present)
      fprintf (out, "  %10" G_GUINT64_FORMAT, report->parts[s].n_items);
  fputs ("\n\n", out);
  if (report->is_multi_label)
    fprintf (out,
        "multi-label: %.2f classes a picture, %" G_GUINT64_FORMAT
        " pictures without any\n\n",
        (double) report->n_class_marks / (double) MAX (report->n_items, 1),
        report->n_without_class);
}

static void
print_list (FILE *out, const char *name, const GArray *counts)
{
  fprintf (out, "%-11s", name);
  for (guint i = 0; i < counts->len && i < MAX_LISTED; i++) {
    const ForgeDataCount *count = &g_array_index (counts, ForgeDataCount, i);
    fprintf (out, "%s%s (%" G_GUINT64_FORMAT ")", i ? ", " : "", count->name,
        count->n);
  }
  if (counts->len > MAX_LISTED)
    fprintf (out, ", and %u more", counts->len - MAX_LISTED);
  fputc ('\n', out);
}

static void
print_pictures (FILE *out, const ForgeDataReport *report)
{
  print_list (out, "sizes", report->sizes);
  if (report->sizes->len > 1)
    fprintf (out,
        "%-11swidth %d to %d, median %d; height %d to %d, median %d\n", "",
        report->min_width, report->max_width, report->median_width,
        report->min_height, report->max_height, report->median_height);
  print_list (out, "modes", report->modes);
  fprintf (out, "%-11s%" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT "\n", "grey",
      report->n_grey, report->n_items - report->n_unreadable);
  fprintf (out, "%-11smean %.4f %.4f %.4f, standard deviation %.4f %.4f %.4f\n",
      "colours", report->mean[0], report->mean[1], report->mean[2],
      report->std[0], report->std[1], report->std[2]);
  uint64_t most = 1;
  for (int b = 0; b < FORGE_BRIGHTNESS_BINS; b++)
    most = MAX (most, report->brightness[b]);
  fputs ("\npictures by mean brightness, 0 to 255\n", out);
  for (int b = 0; b < FORGE_BRIGHTNESS_BINS; b++) {
    int step = 256 / FORGE_BRIGHTNESS_BINS;
    int length = (int) (report->brightness[b] * BAR_WIDTH / most);
    char bar[BAR_WIDTH + 1] = { 0 };
    memset (bar, '#', (gsize) length);
    fprintf (out, "%3d..%3d %8" G_GUINT64_FORMAT " %s\n", b * step,
        b * step + step - 1, report->brightness[b], bar);
  }
  fputc ('\n', out);
}

static void
print_label_checks (FILE *out, const ForgeDataReport *report)
{
  for (int s = 0; s < FORGE_N_SPLITS; s++) {
    const ForgeLabelCheck *check = &report->parts[s].label_check;
    if (!report->parts[s].present)
      continue;
    if (check->n_items == 0)
      fprintf (out, "labels of %s: too few pictures to judge\n", part_names[s]);
    else
      fprintf (out,
          "labels of %s: neighbours are right in %.1f %% (%" G_GUINT64_FORMAT
          " pictures); with shuffled labels %.1f %%, 1 time in 100 over %.1f "
          "%%;"
          " p = %.3f\n",
          part_names[s], 100 * check->accuracy, check->n_items,
          100 * check->chance, 100 * check->chance_99, check->p_value);
  }
}

static void
print_findings (FILE *out, const ForgeDataReport *report)
{
  guint n[3] = { 0 };
  fputc ('\n', out);
  for (guint i = 0; i < report->findings->len; i++) {
    const ForgeDataFinding *finding = g_ptr_array_index (report->findings, i);
    n[finding->severity]++;
    fprintf (out, "%s: %s (%" G_GUINT64_FORMAT "): %s\n",
        forge_finding_severity_name (finding->severity), finding->kind,
        finding->n, finding->text);
    guint n_examples = g_strv_length (finding->examples);
    for (guint e = 0; e < n_examples; e++) {
      g_autofree char *text = g_utf8_make_valid (finding->examples[e], -1);
      fprintf (out, "    %s\n", text);
    }
    if (n_examples > 0 && finding->n > n_examples)
      fprintf (out, "    ... and %" G_GUINT64_FORMAT " more\n",
          finding->n - n_examples);
  }
  fprintf (out, "%u error%s, %u warning%s (%.1f s)\n", n[FORGE_FINDING_ERROR],
      n[FORGE_FINDING_ERROR] == 1 ? "" : "s", n[FORGE_FINDING_WARNING],
      n[FORGE_FINDING_WARNING] == 1 ? "" : "s", report->seconds);
}

void
data_report_print (FILE *out, const ForgeDataReport *report)
{
  print_counts (out, report);
  print_pictures (out, report);
  if (!report->is_multi_label)
    print_label_checks (out, report);
  print_findings (out, report);
}

static void
add_part (JsonBuilder *builder, const ForgeDataReport *report, int split)
{
  const ForgeDataPart *part = &report->parts[split];
  const ForgeLabelCheck *check = &part->label_check;
  json_builder_set_member_name (builder, part_names[split]);
  json_builder_begin_object (builder);
  output_add_int (builder, "n_items", (gint64) part->n_items);
  output_add_int (builder, "n_unreadable", (gint64) part->n_unreadable);
  json_builder_set_member_name (builder, "counts");
  json_builder_begin_object (builder);
  for (guint c = 0; c < report->n_classes; c++)
    output_add_int (builder, report->labels[c], (gint64) part->counts[c]);
  json_builder_end_object (builder);
  json_builder_set_member_name (builder, "label_check");
  if (check->n_items == 0) {
    json_builder_add_null_value (builder);
  } else {
    json_builder_begin_object (builder);
    output_add_int (builder, "n_items", (gint64) check->n_items);
    output_add_double (builder, "accuracy", check->accuracy);
    output_add_double (builder, "chance", check->chance);
    output_add_double (builder, "chance_99", check->chance_99);
    output_add_double (builder, "p_value", check->p_value);
    json_builder_end_object (builder);
  }
  json_builder_end_object (builder);
}

static void
add_counts (JsonBuilder *builder, const char *name, const GArray *counts)
{
  json_builder_set_member_name (builder, name);
  json_builder_begin_object (builder);
  for (guint i = 0; i < counts->len; i++) {
    const ForgeDataCount *count = &g_array_index (counts, ForgeDataCount, i);
    output_add_int (builder, count->name, (gint64) count->n);
  }
  json_builder_end_object (builder);
}

static void
add_doubles (
    JsonBuilder *builder, const char *name, const double *values, guint n)
{
  json_builder_set_member_name (builder, name);
  json_builder_begin_array (builder);
  for (guint i = 0; i < n; i++)
    json_builder_add_double_value (builder, values[i]);
  json_builder_end_array (builder);
}

static void
add_findings (JsonBuilder *builder, const ForgeDataReport *report)
{
  json_builder_set_member_name (builder, "findings");
  json_builder_begin_array (builder);
  for (guint i = 0; i < report->findings->len; i++) {
    const ForgeDataFinding *finding = g_ptr_array_index (report->findings, i);
    json_builder_begin_object (builder);
    output_add_string (
        builder, "severity", forge_finding_severity_name (finding->severity));
    output_add_string (builder, "kind", finding->kind);
    output_add_int (builder, "n", (gint64) finding->n);
    output_add_string (builder, "text", finding->text);
    output_add_strings (
        builder, "examples", (const char *const *) finding->examples);
    json_builder_end_object (builder);
  }
  json_builder_end_array (builder);
}

void
data_report_add_json (JsonBuilder *builder, const ForgeDataReport *report)
{
  output_add_int (builder, "n_items", (gint64) report->n_items);
  output_add_int (builder, "n_unreadable", (gint64) report->n_unreadable);
  output_add_int (builder, "n_grey", (gint64) report->n_grey);
  output_add_bool (builder, "multi_label", report->is_multi_label);
  if (report->is_multi_label) {
    output_add_int (
        builder, "n_without_class", (gint64) report->n_without_class);
    output_add_int (builder, "n_class_marks", (gint64) report->n_class_marks);
  }
  output_add_strings (builder, "labels", (const char *const *) report->labels);
  json_builder_set_member_name (builder, "parts");
  json_builder_begin_object (builder);
  for (int s = 0; s < FORGE_N_SPLITS; s++)
    if (report->parts[s].present)
      add_part (builder, report, s);
  json_builder_end_object (builder);
  add_counts (builder, "sizes", report->sizes);
  add_counts (builder, "modes", report->modes);
  json_builder_set_member_name (builder, "brightness");
  json_builder_begin_array (builder);
  for (int b = 0; b < FORGE_BRIGHTNESS_BINS; b++)
    json_builder_add_int_value (builder, (gint64) report->brightness[b]);
  json_builder_end_array (builder);
  add_doubles (builder, "mean", report->mean, 3);
  add_doubles (builder, "std", report->std, 3);
  add_findings (builder, report);
  output_add_double (builder, "seconds", report->seconds);
}
