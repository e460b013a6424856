/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * `gst-forge registry compare`: versions side by side, class by class, with
 * what the others gain or lose against the first. */
#include <string.h>

#include "registry-command.h"
#include "registry-output.h"

static double
get_member (JsonObject *object, const char *key)
{
  JsonNode *node = object ? json_object_get_member (object, key) : NULL;
  return node && JSON_NODE_HOLDS_VALUE (node) &&
                 json_node_get_value_type (node) == G_TYPE_DOUBLE
             ? json_node_get_double (node)
         : node && JSON_NODE_HOLDS_VALUE (node) &&
                 json_node_get_value_type (node) == G_TYPE_INT64
             ? (double) json_node_get_int (node)
             : (double) NAN;
}

/* Of the class F1 of one version; NULL where it has none. */
static JsonParser *
parse_classes (const ForgeModelVersion *version)
{
  g_autoptr (JsonParser) parser = json_parser_new ();
  const char *text = version->metrics.class_f1;
  if (!text || !json_parser_load_from_data (parser, text, -1, NULL) ||
      !JSON_NODE_HOLDS_OBJECT (json_parser_get_root (parser)))
    return NULL;
  return g_steal_pointer (&parser);
}

static JsonObject *
classes_of (JsonParser *parser)
{
  return parser ? json_node_get_object (json_parser_get_root (parser)) : NULL;
}

/* "0.8126 (+0.0126)" */
static char *
format_change (double value, double first, gboolean is_first)
{
  if (is_first || isnan (value) || isnan (first))
    return registry_format_figure (value);
  return g_strdup_printf ("%.4f (%+.4f)", value, value - first);
}

static void
add_figures (RegistryTable *table, const char *name, const GArray *values)
{
  registry_table_add (table, g_strdup (name));
  double first = g_array_index (values, double, 0);
  for (guint i = 0; i < values->len; i++)
    registry_table_add (table,
        format_change (g_array_index (values, double, i), first, i == 0));
}

static void
add_metric_rows (RegistryTable *table, const GPtrArray *versions)
{
  static const struct {
    const char *name;
    gsize offset;
  } rows[] = {
    { "val accuracy", G_STRUCT_OFFSET (ForgeModelMetrics, val_accuracy) },
    { "test accuracy", G_STRUCT_OFFSET (ForgeModelMetrics, test_accuracy) },
    { "macro F1", G_STRUCT_OFFSET (ForgeModelMetrics, macro_f1) },
    { "min class F1", G_STRUCT_OFFSET (ForgeModelMetrics, min_class_f1) },
  };
  for (guint r = 0; r < G_N_ELEMENTS (rows); r++) {
    g_autoptr (GArray) values = g_array_new (FALSE, FALSE, sizeof (double));
    for (guint i = 0; i < versions->len; i++) {
      const ForgeModelVersion *version = versions->pdata[i];
      double value =
          G_STRUCT_MEMBER (double, &version->metrics, rows[r].offset);
      g_array_append_val (values, value);
    }
    add_figures (table, rows[r].name, values);
  }
}

/* The labels of the first version that has any. */
static void
add_class_rows (RegistryTable *table, const GPtrArray *versions)
{
  g_autoptr (GPtrArray) parsers =
      g_ptr_array_new_with_free_func (g_object_unref);
  JsonObject *labels = NULL;
  for (guint i = 0; i < versions->len; i++) {
    JsonParser *parser = parse_classes (versions->pdata[i]);
    g_ptr_array_add (parsers, parser ? parser : json_parser_new ());
    if (parser && !labels)
      labels = classes_of (parser);
  }
  g_autoptr (GList) names = labels ? json_object_get_members (labels) : NULL;
  for (GList *name = names; name; name = name->next) {
    g_autoptr (GArray) values = g_array_new (FALSE, FALSE, sizeof (double));
    for (guint i = 0; i < versions->len; i++) {
      JsonNode *root = json_parser_get_root (parsers->pdata[i]);
      double value =
          root ? get_member (classes_of (parsers->pdata[i]), name->data)
               : (double) NAN;
      g_array_append_val (values, value);
    }
    g_autofree char *text =
        g_strdup_printf ("F1 of '%s'", (const char *) name->data);
    add_figures (table, text, values);
  }
}

typedef char *(*Describe) (const ForgeModelVersion *version);

static char *
describe_precision (const ForgeModelVersion *version)
{
  return g_strdup (version->precision ? version->precision : "-");
}

static char *
describe_size (const ForgeModelVersion *version)
{
  return output_thousands (version->artifact_size_bytes);
}

static char *
describe_time (const ForgeModelVersion *version)
{
  return registry_format_time (version->creation_time_ms);
}

static char *
describe_aliases (const ForgeModelVersion *version)
{
  return registry_format_list (version->aliases);
}

static char *
describe_data (const ForgeModelVersion *version)
{
  return version->data_hash ? g_strndup (version->data_hash, 12)
                            : g_strdup ("-");
}

static char *
describe_worst (const ForgeModelVersion *version)
{
  const char *worst = version->metrics.worst_class;
  return g_strdup (worst ? worst : "-");
}

static char *
describe_augmentation (const ForgeModelVersion *version)
{
  const char *text = version->augmentation_config;
  return g_strdup (text ? text : "-");
}

static void
print_comparison (FILE *out, const GPtrArray *versions)
{
  static const struct {
    const char *name;
    Describe describe;
  } rows[] = { { "worst class", describe_worst },
    { "precision", describe_precision }, { "bytes", describe_size },
    { "registered", describe_time }, { "aliases", describe_aliases },
    { "data hash", describe_data }, { "augmentation", describe_augmentation } };
  RegistryTable *table = registry_table_new (versions->len + 1);
  registry_table_add (table, NULL);
  for (guint i = 0; i < versions->len; i++)
    registry_table_add (table, registry_format_version (versions->pdata[i]));
  add_metric_rows (table, versions);
  for (guint r = 0; r < G_N_ELEMENTS (rows); r++) {
    registry_table_add (table, g_strdup (rows[r].name));
    for (guint i = 0; i < versions->len; i++)
      registry_table_add (table, rows[r].describe (versions->pdata[i]));
  }
  add_class_rows (table, versions);
  registry_table_print (out, table);
}

/* NAME V V... when the first word is a bare name, else references. */
static GPtrArray *
find_all (
    ForgeRegistry *registry, const RegistryOptions *options, GError **error)
{
  g_autoptr (GPtrArray) versions = g_ptr_array_new_with_free_func (
      (GDestroyNotify) forge_model_version_free);
  const char *name = options->rest[0];
  gboolean bare = !strpbrk (name, "/@");
  for (guint i = bare ? 1 : 0; options->rest[i]; i++) {
    g_autofree char *reference =
        bare ? registry_make_reference (name, options->rest[i])
             : g_strdup (options->rest[i]);
    ForgeModelVersion *version =
        forge_registry_find (registry, reference, error);
    if (!version)
      return NULL;
    g_ptr_array_add (versions, version);
  }
  return g_steal_pointer (&versions);
}

int
registry_compare (int argc, char **argv)
{
  g_auto (RegistryOptions) options = { 0 };
  int status = registry_parse ("compare",
      "Show versions beside each other: NAME with versions or aliases of it, or"
      " references.\nDifferences are against the first.",
      "NAME V V… | REFERENCE REFERENCE…", NULL, &options, &argc, &argv);
  if (status >= 0)
    return status;
  guint n = registry_count (&options);
  if (n < 2 || (n < 3 && !strpbrk (options.rest[0], "/@")))
    return command_usage_error (
        "registry compare", "two versions or more are needed");
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeRegistry) registry =
      registry_open (&options, FORGE_REGISTRY_EXISTING, &error);
  g_autoptr (GPtrArray) versions =
      registry ? find_all (registry, &options, &error) : NULL;
  if (!versions)
    return registry_fail ("compare", error);
  print_comparison (output_text_stream (options.json), versions);
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  json_builder_begin_object (builder);
  json_builder_set_member_name (builder, "versions");
  json_builder_begin_array (builder);
  for (guint i = 0; i < versions->len; i++)
    registry_add_version (builder, versions->pdata[i]);
  json_builder_end_array (builder);
  if (!output_write_json (builder, options.json, &error))
    return registry_fail ("compare", error);
  return COMMAND_OK;
}
