/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * `gst-forge registry list` and `show`. */
#include <string.h>

#include "registry-command.h"
#include "registry-output.h"

static void
add_row (RegistryTable *table, char *const *cells)
{
  for (guint c = 0; c < table->n_columns; c++)
    registry_table_add (table, cells[c]);
}

static void
add_heading (RegistryTable *table, const char *const *names)
{
  for (guint c = 0; c < table->n_columns; c++)
    registry_table_add (table, g_strdup (names[c]));
}

static char *
number (gint64 value)
{
  return value ? g_strdup_printf ("%" G_GINT64_FORMAT, value) : g_strdup ("-");
}

static void
print_models (FILE *out, const GPtrArray *models)
{
  static const char *const names[] = { "NAME", "VERSIONS", "LATEST", "ALIASES",
    "UPDATED", "DESCRIPTION" };
  RegistryTable *table = registry_table_new (G_N_ELEMENTS (names));
  add_heading (table, names);
  for (guint i = 0; i < models->len; i++) {
    const ForgeRegisteredModel *model = models->pdata[i];
    GString *aliases = g_string_new (NULL);
    for (guint k = 0; model->aliases[k]; k++)
      g_string_append_printf (aliases, "%s%s=%" G_GINT64_FORMAT, k ? ", " : "",
          model->aliases[k], model->alias_versions[k]);
    add_row (table,
        (char *const[]) { g_strdup (model->name), number (model->n_versions),
            number (model->latest_version), g_string_free (aliases, FALSE),
            registry_format_time (model->last_updated_time_ms),
            g_strdup (model->description) });
  }
  registry_table_print (out, table);
}

static void
print_versions (FILE *out, const GPtrArray *versions)
{
  static const char *const names[] = { "VERSION", "REGISTERED", "BY", "VAL ACC",
    "TEST ACC", "MACRO F1", "MIN F1", "WORST CLASS", "PRECISION", "BYTES",
    "ALIASES" };
  RegistryTable *table = registry_table_new (G_N_ELEMENTS (names));
  add_heading (table, names);
  for (guint i = 0; i < versions->len; i++) {
    const ForgeModelVersion *version = versions->pdata[i];
    const ForgeModelMetrics *metrics = &version->metrics;
    add_row (
        table, (char *const[]) { number (version->version),
                   registry_format_time (version->creation_time_ms),
                   g_strdup (version->user),
                   registry_format_figure (metrics->val_accuracy),
                   registry_format_figure (metrics->test_accuracy),
                   registry_format_figure (metrics->macro_f1),
                   registry_format_figure (metrics->min_class_f1),
                   g_strdup (metrics->worst_class ? metrics->worst_class : "-"),
                   g_strdup (version->precision ? version->precision : "-"),
                   output_thousands (version->artifact_size_bytes),
                   registry_format_list (version->aliases) });
  }
  registry_table_print (out, table);
}

static void
add_versions (JsonBuilder *builder, const GPtrArray *versions)
{
  json_builder_set_member_name (builder, "versions");
  json_builder_begin_array (builder);
  for (guint i = 0; i < versions->len; i++)
    registry_add_version (builder, versions->pdata[i]);
  json_builder_end_array (builder);
}

static gboolean
list_models (
    ForgeRegistry *registry, FILE *out, JsonBuilder *builder, GError **error)
{
  g_autoptr (GPtrArray) models = forge_registry_list_models (registry, error);
  if (!models)
    return FALSE;
  print_models (out, models);
  json_builder_set_member_name (builder, "models");
  json_builder_begin_array (builder);
  for (guint i = 0; i < models->len; i++)
    registry_add_model (builder, models->pdata[i]);
  json_builder_end_array (builder);
  return TRUE;
}

static gboolean
list_versions (ForgeRegistry *registry, const char *name, FILE *out,
    JsonBuilder *builder, GError **error)
{
  g_autoptr (GPtrArray) versions =
      forge_registry_list_versions (registry, name, error);
  if (!versions)
    return FALSE;
  print_versions (out, versions);
  output_add_string (builder, "name", name);
  add_versions (builder, versions);
  return TRUE;
}

int
registry_list (int argc, char **argv)
{
  g_auto (RegistryOptions) options = { 0 };
  int status =
      registry_parse ("list", "List all models, or the versions of one.",
          "[NAME]", NULL, &options, &argc, &argv);
  if (status >= 0)
    return status;
  guint n = registry_count (&options);
  if (n > 1)
    return command_usage_error ("registry list", "at most one NAME is needed");
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeRegistry) registry =
      registry_open (&options, FORGE_REGISTRY_EXISTING, &error);
  if (!registry)
    return registry_fail ("list", error);
  FILE *out = output_text_stream (options.json);
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  json_builder_begin_object (builder);
  output_add_string (
      builder, "registry", forge_registry_get_location (registry));
  gboolean done =
      n == 0 ? list_models (registry, out, builder, &error)
             : list_versions (registry, options.rest[0], out, builder, &error);
  if (!done || !output_write_json (builder, options.json, &error))
    return registry_fail ("list", error);
  return COMMAND_OK;
}

static void
print_history (FILE *out, const GPtrArray *changes)
{
  static const char *const names[] = { "WHEN", "BY", "ACTION", "ALIAS", "FROM",
    "TO" };
  RegistryTable *table = registry_table_new (G_N_ELEMENTS (names));
  add_heading (table, names);
  for (guint i = 0; i < changes->len; i++) {
    const ForgeAliasChange *change = changes->pdata[i];
    add_row (table,
        (char *const[]) { registry_format_time (change->creation_time_ms),
            g_strdup (change->user), g_strdup (change->action),
            g_strdup (change->alias), number (change->previous_version),
            number (change->version) });
  }
  registry_table_print (out, table);
}

static void
add_history (JsonBuilder *builder, const GPtrArray *changes)
{
  json_builder_set_member_name (builder, "alias_history");
  json_builder_begin_array (builder);
  for (guint i = 0; i < changes->len; i++) {
    const ForgeAliasChange *change = changes->pdata[i];
    json_builder_begin_object (builder);
    output_add_string (builder, "alias", change->alias);
    output_add_int (builder, "version", change->version);
    output_add_int (builder, "previous_version", change->previous_version);
    output_add_string (builder, "action", change->action);
    output_add_string (builder, "user_id", change->user);
    output_add_int (builder, "timestamp", change->creation_time_ms);
    json_builder_end_object (builder);
  }
  json_builder_end_array (builder);
}

static const ForgeRegisteredModel *
pick_model (const GPtrArray *models, const char *name)
{
  for (guint i = 0; i < models->len; i++) {
    const ForgeRegisteredModel *model = models->pdata[i];
    if (strcmp (model->name, name) == 0)
      return model;
  }
  return NULL;
}

static gboolean
show_model (ForgeRegistry *registry, const char *name, FILE *out,
    JsonBuilder *builder, GError **error)
{
  g_autoptr (GPtrArray) versions =
      forge_registry_list_versions (registry, name, error);
  g_autoptr (GPtrArray) changes =
      versions ? forge_registry_list_history (registry, name, error) : NULL;
  g_autoptr (GPtrArray) models =
      changes ? forge_registry_list_models (registry, error) : NULL;
  if (!models)
    return FALSE;
  const ForgeRegisteredModel *model = pick_model (models, name);
  if (model) {
    registry_print_field (out, "model", model->name);
    registry_print_field (out, "description", model->description);
    for (guint i = 0; model->tag_keys[i]; i++) {
      g_autofree char *tag =
          g_strdup_printf ("%s = %s", model->tag_keys[i], model->tag_values[i]);
      registry_print_field (out, i ? "" : "tags", tag);
    }
    json_builder_set_member_name (builder, "model");
    registry_add_model (builder, model);
  }
  fputc ('\n', out);
  print_versions (out, versions);
  add_versions (builder, versions);
  if (changes->len > 0) {
    fputs ("\nHistory of the aliases\n", out);
    print_history (out, changes);
  }
  add_history (builder, changes);
  return TRUE;
}

static gboolean
show_version (ForgeRegistry *registry, const char *reference, FILE *out,
    JsonBuilder *builder, GError **error)
{
  g_autoptr (ForgeModelVersion) version =
      forge_registry_find (registry, reference, error);
  if (!version)
    return FALSE;
  registry_print_version (out, version);
  json_builder_set_member_name (builder, "version");
  registry_add_version (builder, version);
  return TRUE;
}

int
registry_show (int argc, char **argv)
{
  g_auto (RegistryOptions) options = { 0 };
  int status = registry_parse ("show",
      "Show all that is known of a version, or of a model: its versions, its"
      " aliases and\nwho moved them when.",
      "NAME | REFERENCE", NULL, &options, &argc, &argv);
  if (status >= 0)
    return status;
  guint n_taken;
  g_autofree char *text = registry_take_reference (&options, 0, &n_taken);
  if (!text)
    return command_usage_error (
        "registry show", "exactly one NAME or REFERENCE is needed");
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeRegistry) registry =
      registry_open (&options, FORGE_REGISTRY_EXISTING, &error);
  if (!registry)
    return registry_fail ("show", error);
  FILE *out = output_text_stream (options.json);
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  json_builder_begin_object (builder);
  gboolean whole = !strpbrk (text, "/@:");
  gboolean done = whole ? show_model (registry, text, out, builder, &error)
                        : show_version (registry, text, out, builder, &error);
  if (!done || !output_write_json (builder, options.json, &error))
    return registry_fail ("show", error);
  return COMMAND_OK;
}
