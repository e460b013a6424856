/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * JSON members and numbers as people read them. */
#include "output.h"

#include <math.h>
#include <string.h>

#include "forge/error.h"

FILE *
output_text_stream (const char *json_path)
{
  return g_strcmp0 (json_path, "-") == 0 ? stderr : stdout;
}

gboolean
output_write_json (JsonBuilder *builder, const char *json_path, GError **error)
{
  if (!json_path)
    return TRUE;
  json_builder_end_object (builder);
  g_autoptr (JsonGenerator) generator = json_generator_new ();
  g_autoptr (JsonNode) root = json_builder_get_root (builder);
  json_generator_set_root (generator, root);
  json_generator_set_pretty (generator, TRUE);
  g_autofree char *text = json_generator_to_data (generator, NULL);
  g_autofree char *line = g_strconcat (text, "\n", NULL);
  if (strcmp (json_path, "-") != 0)
    return g_file_set_contents (json_path, line, -1, error);
  fputs (line, stdout);
  if (fflush (stdout) == 0)
    return TRUE;
  g_set_error (error, FORGE_ERROR, FORGE_ERROR_IO,
      "standard output: cannot write the JSON document");
  return FALSE;
}

void
output_add_double (JsonBuilder *builder, const char *name, double value)
{
  json_builder_set_member_name (builder, name);
  if (isfinite (value))
    json_builder_add_double_value (builder, value);
  else
    json_builder_add_null_value (builder);
}

void
output_add_int (JsonBuilder *builder, const char *name, gint64 value)
{
  json_builder_set_member_name (builder, name);
  json_builder_add_int_value (builder, value);
}

/* File names and labels are bytes; JSON is UTF-8. */
static void
add_text (JsonBuilder *builder, const char *value)
{
  g_autofree char *text = value ? g_utf8_make_valid (value, -1) : NULL;
  json_builder_add_string_value (builder, text);
}

void
output_add_string (JsonBuilder *builder, const char *name, const char *value)
{
  json_builder_set_member_name (builder, name);
  add_text (builder, value);
}

void
output_add_bool (JsonBuilder *builder, const char *name, gboolean value)
{
  json_builder_set_member_name (builder, name);
  json_builder_add_boolean_value (builder, value);
}

void
output_add_shape (
    JsonBuilder *builder, const char *name, const ForgeShape *shape)
{
  json_builder_set_member_name (builder, name);
  json_builder_begin_array (builder);
  for (int i = 0; i < shape->rank; i++)
    if (shape->dims[i] >= 0)
      json_builder_add_int_value (builder, shape->dims[i]);
    else
      json_builder_add_null_value (builder);
  json_builder_end_array (builder);
}

void
output_add_strings (
    JsonBuilder *builder, const char *name, const char *const *values)
{
  json_builder_set_member_name (builder, name);
  json_builder_begin_array (builder);
  for (; *values; values++)
    add_text (builder, *values);
  json_builder_end_array (builder);
}

void
output_add_model (JsonBuilder *builder, const ForgeModel *model)
{
  json_builder_set_member_name (builder, "model");
  json_builder_begin_object (builder);
  output_add_string (builder, "name", forge_model_get_name (model));
  output_add_string (builder, "version", forge_model_get_version (model));
  output_add_string (builder, "path", forge_model_get_path (model));
  output_add_string (builder, "precision", forge_model_get_precision (model));
  output_add_string (builder, "data_hash",
      forge_model_get_metadata (model, "forge.data_hash"));
  json_builder_end_object (builder);
}

void
output_add_weights (JsonBuilder *builder, const ForgeModel *model)
{
  g_auto (ForgeWeightsReport) report = { 0 };
  forge_model_report_weights (model, &report);
  json_builder_set_member_name (builder, "weights");
  json_builder_begin_object (builder);
  output_add_int (builder, "matrices", report.n_matrices);
  output_add_int (builder, "float16", report.n_half);
  output_add_int (builder, "int8", report.n_int8);
  output_add_int (builder, "bytes", (gint64) report.stored_bytes);
  output_add_int (builder, "float32_bytes", (gint64) report.computed_bytes);
  output_add_string (builder, "unfit", report.unfit);
  json_builder_end_object (builder);
}

void
output_print_weights (FILE *out, const ForgeModel *model)
{
  g_auto (ForgeWeightsReport) report = { 0 };
  forge_model_report_weights (model, &report);
  g_autofree char *stored = output_thousands ((gint64) report.stored_bytes);
  g_autofree char *computed = output_thousands ((gint64) report.computed_bytes);
  fprintf (out, "%-12s ", "Weights");
  if (report.n_half + report.n_int8 == 0) {
    fprintf (out, "%s bytes\n", stored);
    return;
  }
  if (report.n_int8 > 0)
    fprintf (out, "int8: %u%s", report.n_int8, report.n_half ? ", " : "");
  if (report.n_half > 0)
    fprintf (out, "float16: %u", report.n_half);
  fprintf (out, " of %u matrices; %s bytes, %s as float32\n", report.n_matrices,
      stored, computed);
  if (report.unfit)
    fprintf (out, "%-12s %s: %s\n", "",
        report.n_int8 > 0 ? "cannot be int8" : "stays float32", report.unfit);
}

char *
output_thousands (gint64 value)
{
  g_autofree char *digits = g_strdup_printf ("%" G_GINT64_FORMAT, value);
  GString *text = g_string_new (NULL);
  gsize n_digits = strlen (digits);
  for (gsize i = 0; i < n_digits; i++) {
    if (i > 0 && (n_digits - i) % 3 == 0 && digits[i - 1] != '-')
      g_string_append_c (text, ',');
    g_string_append_c (text, digits[i]);
  }
  return g_string_free (text, FALSE);
}
