/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Texts of a registry come from many hands: control characters, which could
 * command a terminal, are shown as '?'. */
#include "registry-output.h"

#include <string.h>

RegistryTable *
registry_table_new (guint n_columns)
{
  RegistryTable *table = g_new0 (RegistryTable, 1);
  table->n_columns = n_columns;
  table->cells = g_ptr_array_new_with_free_func (g_free);
  return table;
}

static char *
printable (const char *text)
{
  g_autofree char *valid = g_utf8_make_valid (text ? text : "", -1);
  GString *safe = g_string_new (NULL);
  for (const char *c = valid; *c; c = g_utf8_next_char (c)) {
    gunichar letter = g_utf8_get_char (c);
    g_string_append_unichar (safe, g_unichar_iscntrl (letter) ? '?' : letter);
  }
  return g_string_free (safe, FALSE);
}

void
registry_table_add (RegistryTable *table, char *text)
{
  g_ptr_array_add (table->cells, printable (text));
  g_free (text);
}

static glong
column_width (const RegistryTable *table, guint column)
{
  glong width = 0;
  for (guint i = column; i < table->cells->len; i += table->n_columns)
    width = MAX (width, g_utf8_strlen (table->cells->pdata[i], -1));
  return width;
}

void
registry_table_print (FILE *out, RegistryTable *table)
{
  g_autofree glong *widths = g_new (glong, table->n_columns);
  for (guint c = 0; c < table->n_columns; c++)
    widths[c] = column_width (table, c);
  for (guint i = 0; i < table->cells->len; i++) {
    const char *text = table->cells->pdata[i];
    gboolean last = i % table->n_columns == table->n_columns - 1;
    int n_blanks =
        (int) (widths[i % table->n_columns] - g_utf8_strlen (text, -1) + 2);
    fprintf (out, "%s%*s", text, last ? 0 : n_blanks, "");
    if (last)
      fputc ('\n', out);
  }
  g_ptr_array_unref (table->cells);
  g_free (table);
}

char *
registry_format_time (gint64 time_ms)
{
  g_autoptr (GDateTime) time = g_date_time_new_from_unix_utc (time_ms / 1000);
  return time ? g_date_time_format (time, "%Y-%m-%d %H:%M:%S UTC")
              : g_strdup ("?");
}

char *
registry_format_figure (double value)
{
  return isnan (value) ? g_strdup ("-") : g_strdup_printf ("%.4f", value);
}

char *
registry_format_version (const ForgeModelVersion *version)
{
  return g_strdup_printf (
      "%s/%" G_GINT64_FORMAT, version->name, version->version);
}

char *
registry_format_list (char **texts)
{
  return *texts ? g_strjoinv (", ", texts) : g_strdup ("-");
}

void
registry_print_field (FILE *out, const char *name, const char *text)
{
  g_autofree char *safe = printable (text);
  if (*safe)
    fprintf (out, "%-20s %s\n", name, safe);
}

static void
print_figure (FILE *out, const char *name, double value)
{
  g_autofree char *text = registry_format_figure (value);
  if (!isnan (value))
    registry_print_field (out, name, text);
}

static void
print_metrics (FILE *out, const ForgeModelMetrics *metrics)
{
  print_figure (out, "val accuracy", metrics->val_accuracy);
  print_figure (out, "test accuracy", metrics->test_accuracy);
  print_figure (out, "macro F1", metrics->macro_f1);
  g_autofree char *least = registry_format_figure (metrics->min_class_f1);
  g_autofree char *text =
      metrics->worst_class
          ? g_strdup_printf ("%s (%s)", least, metrics->worst_class)
          : NULL;
  registry_print_field (out, "min class F1", text);
  registry_print_field (out, "class F1", metrics->class_f1);
}

void
registry_print_version (FILE *out, const ForgeModelVersion *version)
{
  g_autofree char *name = registry_format_version (version);
  g_autofree char *created = registry_format_time (version->creation_time_ms);
  g_autofree char *size = output_thousands (version->artifact_size_bytes);
  g_autofree char *bytes = g_strconcat (size, " bytes", NULL);
  g_autofree char *aliases = g_strjoinv (", ", version->aliases);
  g_autofree char *parent =
      version->parent_version
          ? g_strdup_printf ("%" G_GINT64_FORMAT, version->parent_version)
          : NULL;
  registry_print_field (out, "version", name);
  registry_print_field (out, "aliases", aliases);
  registry_print_field (out, "description", version->description);
  registry_print_field (out, "registered", created);
  registry_print_field (out, "by", version->user);
  print_metrics (out, &version->metrics);
  registry_print_field (out, "precision", version->precision);
  registry_print_field (out, "parent version", parent);
  registry_print_field (out, "artifact SHA-256", version->artifact_sha256);
  registry_print_field (out, "artifact size", bytes);
  registry_print_field (out, "source", version->source);
  registry_print_field (out, "data hash", version->data_hash);
  registry_print_field (out, "augmentation", version->augmentation_config);
  registry_print_field (out, "run command", version->run_command);
  for (guint i = 0; version->tag_keys[i]; i++) {
    g_autofree char *tag = g_strdup_printf (
        "%s = %s", version->tag_keys[i], version->tag_values[i]);
    registry_print_field (out, i ? "" : "tags", tag);
  }
}

static void
add_tags (JsonBuilder *builder, char **keys, char **values)
{
  json_builder_set_member_name (builder, "tags");
  json_builder_begin_object (builder);
  for (guint i = 0; keys[i]; i++)
    output_add_string (builder, keys[i], values[i]);
  json_builder_end_object (builder);
}

/* What was stored as JSON text is JSON in the document as well. */
static void
add_json (JsonBuilder *builder, const char *name, const char *text)
{
  g_autoptr (JsonParser) parser = json_parser_new ();
  if (text && json_parser_load_from_data (parser, text, -1, NULL)) {
    json_builder_set_member_name (builder, name);
    json_builder_add_value (builder, json_parser_steal_root (parser));
  } else {
    output_add_string (builder, name, text);
  }
}

static void
add_metrics (JsonBuilder *builder, const ForgeModelMetrics *metrics)
{
  output_add_double (builder, "val_accuracy", metrics->val_accuracy);
  output_add_double (builder, "test_accuracy", metrics->test_accuracy);
  output_add_double (builder, "macro_f1", metrics->macro_f1);
  output_add_double (builder, "min_class_f1", metrics->min_class_f1);
  output_add_string (builder, "worst_class", metrics->worst_class);
  add_json (builder, "class_f1", metrics->class_f1);
}

void
registry_add_version (JsonBuilder *builder, const ForgeModelVersion *version)
{
  json_builder_begin_object (builder);
  output_add_string (builder, "name", version->name);
  output_add_int (builder, "version", version->version);
  output_add_strings (
      builder, "aliases", (const char *const *) version->aliases);
  add_tags (builder, version->tag_keys, version->tag_values);
  output_add_string (builder, "description", version->description);
  output_add_int (builder, "creation_timestamp", version->creation_time_ms);
  output_add_int (
      builder, "last_updated_timestamp", version->last_updated_time_ms);
  output_add_string (builder, "user_id", version->user);
  output_add_string (builder, "source", version->source);
  output_add_string (builder, "run_command", version->run_command);
  output_add_string (builder, "data_hash", version->data_hash);
  add_json (builder, "augmentation_config", version->augmentation_config);
  output_add_string (builder, "precision", version->precision);
  if (version->parent_version)
    output_add_int (builder, "parent_version", version->parent_version);
  output_add_string (builder, "artifact_sha256", version->artifact_sha256);
  output_add_int (builder, "artifact_size", version->artifact_size_bytes);
  add_metrics (builder, &version->metrics);
  json_builder_end_object (builder);
}

void
registry_add_model (JsonBuilder *builder, const ForgeRegisteredModel *model)
{
  json_builder_begin_object (builder);
  output_add_string (builder, "name", model->name);
  output_add_string (builder, "description", model->description);
  output_add_int (builder, "creation_timestamp", model->creation_time_ms);
  output_add_int (
      builder, "last_updated_timestamp", model->last_updated_time_ms);
  output_add_int (builder, "n_versions", model->n_versions);
  output_add_int (builder, "latest_version", model->latest_version);
  json_builder_set_member_name (builder, "aliases");
  json_builder_begin_object (builder);
  for (guint i = 0; model->aliases[i]; i++)
    output_add_int (builder, model->aliases[i], model->alias_versions[i]);
  json_builder_end_object (builder);
  add_tags (builder, model->tag_keys, model->tag_values);
  json_builder_end_object (builder);
}
