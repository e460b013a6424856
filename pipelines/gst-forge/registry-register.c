/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * `gst-forge registry register MODEL --name NAME`: what the trainer wrote
 * into the file becomes columns; figures of `evaluate --json` win over it. */
#include <string.h>

#include "forge/error.h"
#include "registry-command.h"
#include "registry-output.h"

typedef struct {
  RegistryOptions common;
  char *name, *metrics, *description, *run_command, *precision;
  char **aliases, **tags;
  gint64 parent;
} RegisterOptions;

static void
register_options_clear (RegisterOptions *options)
{
  registry_options_clear (&options->common);
  char *texts[] = { options->name, options->metrics, options->description,
    options->run_command, options->precision };
  for (gsize i = 0; i < G_N_ELEMENTS (texts); i++)
    g_free (texts[i]);
  g_strfreev (options->aliases);
  g_strfreev (options->tags);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (RegisterOptions, register_options_clear)

static GBytes *
read_registered (
    const RegisterOptions *options, const char *reference, GError **error)
{
  g_autoptr (ForgeRegistry) registry =
      registry_open (&options->common, FORGE_REGISTRY_EXISTING, error);
  g_autoptr (ForgeModelVersion) version =
      registry ? forge_registry_find (registry, reference, error) : NULL;
  return version ? forge_registry_read_artifact (registry, version, error)
                 : NULL;
}

/* The registry keeps one file a version: what lies beside it would be lost. */
static GBytes *
read_model (const RegisterOptions *options, const char *path, GError **error)
{
  if (g_str_has_prefix (path, FORGE_REGISTRY_PREFIX))
    return read_registered (options, path, error);
  g_autofree char *beside = g_strconcat (path, ".modelinfo", NULL);
  if (g_file_test (beside, G_FILE_TEST_EXISTS)) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_UNSUPPORTED,
        "%s: part of what the model needs is in %s: 'gst-forge convert %s "
        "OUT.onnx' makes one file of both, which can be registered",
        path, beside, path);
    return NULL;
  }
  char *text;
  gsize size_bytes;
  if (g_file_test (path, G_FILE_TEST_EXISTS) &&
      !g_file_test (path, G_FILE_TEST_IS_REGULAR)) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_IO,
        "%s: expected a model file, found a folder, pipe or device", path);
    return NULL;
  }
  return g_file_get_contents (path, &text, &size_bytes, error)
             ? g_bytes_new_take (text, size_bytes)
             : NULL;
}

/* Half floats of other formats become floats when a file is read, so its
 * length must tell. */
static const char *
guess_precision (const ForgeModel *model, gsize size_bytes)
{
  const char *word = forge_model_get_precision (model);
  if (strcmp (word, "fp16") == 0)
    return "float16";
  if (strcmp (word, "int8-weights") == 0)
    return word;
  gsize n_layers;
  ForgeLayerInfo *layers = forge_model_summarise (model, &n_layers);
  gboolean in_integers = FALSE;
  for (gsize i = 0; i < n_layers && !in_integers; i++)
    in_integers = strstr (layers[i].type, "Quantize") ||
                  strstr (layers[i].type, "QLinear") ||
                  strstr (layers[i].type, "Integer") ||
                  g_str_has_prefix (layers[i].type, "QGemm") ||
                  g_str_has_prefix (layers[i].type, "Tflite");
  forge_layer_info_free (layers, n_layers);
  gint64 n_parameters = forge_model_count_parameters (model);
  if (in_integers)
    return "int8";
  return (gint64) size_bytes < 3 * n_parameters ? "float16" : "float32";
}

static gboolean
read_metadata_metrics (
    ForgeModelMetrics *metrics, const ForgeModel *model, GError **error)
{
  static const char *const keys[] = { "forge.training", "forge.drift",
    "forge.evaluation" };
  for (gsize i = 0; i < G_N_ELEMENTS (keys); i++) {
    const char *text = forge_model_get_metadata (model, keys[i]);
    if (text && !forge_model_metrics_read (metrics, text, keys[i], error))
      return FALSE;
  }
  return TRUE;
}

static gboolean
read_metrics (ForgeModelMetrics *metrics, const ForgeModel *model,
    const char *path, GError **error)
{
  if (!read_metadata_metrics (metrics, model, error))
    return FALSE;
  g_autofree char *text = NULL;
  if (!path)
    return TRUE;
  return g_file_get_contents (path, &text, NULL, error) &&
         forge_model_metrics_read (metrics, text, path, error);
}

static ForgeModelVersion *
add_version (const RegisterOptions *options, const ForgeModel *model,
    GBytes *bytes, const ForgeModelMetrics *metrics, GError **error)
{
  const char *path = options->common.rest[0];
  g_autofree char *source = g_utf8_make_valid (path, -1);
  const ForgeRegisterParams params = {
    .name = options->name,
    .bytes = bytes,
    .description = options->description,
    .source = source,
    .run_command = options->run_command,
    .training = forge_model_get_metadata (model, "forge.training"),
    .data_hash = forge_model_get_metadata (model, "forge.data_hash"),
    .augmentation_config =
        forge_model_get_metadata (model, "forge.augmentation"),
    .precision = options->precision
                     ? options->precision
                     : guess_precision (model, g_bytes_get_size (bytes)),
    .parent_version = options->parent,
    .metrics = metrics,
    .aliases = (const char *const *) options->aliases,
    .tags = (const char *const *) options->tags,
  };
  g_autoptr (ForgeRegistry) registry =
      registry_open (&options->common, FORGE_REGISTRY_CREATE, error);
  return registry ? forge_registry_register (registry, &params, error) : NULL;
}

static int
register_model (const RegisterOptions *options)
{
  g_autoptr (GError) error = NULL;
  const char *path = options->common.rest[0];
  g_autoptr (GBytes) bytes = read_model (options, path, &error);
  if (!bytes)
    return registry_fail ("register", error);
  gsize size_bytes;
  const void *data = g_bytes_get_data (bytes, &size_bytes);
  g_autoptr (ForgeModel) model =
      forge_model_load_bytes (data, size_bytes, path, &error);
  if (!model)
    return registry_fail ("register", error);
  g_auto (ForgeModelMetrics) metrics = FORGE_MODEL_METRICS_DEFAULT;
  if (!read_metrics (&metrics, model, options->metrics, &error))
    return registry_fail ("register", error);
  g_autoptr (ForgeModelVersion) version =
      add_version (options, model, bytes, &metrics, &error);
  if (!version)
    return registry_fail ("register", error);
  registry_print_version (output_text_stream (options->common.json), version);
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  json_builder_begin_object (builder);
  json_builder_set_member_name (builder, "registered");
  registry_add_version (builder, version);
  if (!output_write_json (builder, options->common.json, &error))
    return registry_fail ("register", error);
  return COMMAND_OK;
}

int
registry_register (int argc, char **argv)
{
  g_auto (RegisterOptions) options = { { 0 } };
  const GOptionEntry entries[] = {
    { "name", 'n', 0, G_OPTION_ARG_STRING, &options.name,
        "of the registered model; its first version makes it", "NAME" },
    { "alias", 'a', 0, G_OPTION_ARG_STRING_ARRAY, &options.aliases,
        "point this alias at the version; may be repeated", "ALIAS" },
    { "tag", 0, 0, G_OPTION_ARG_STRING_ARRAY, &options.tags,
        "set this tag of the version; may be repeated", "KEY=VALUE" },
    { "metrics", 'm', 0, G_OPTION_ARG_FILENAME, &options.metrics,
        "figures from 'gst-forge evaluate --json FILE'; they win over those "
        "in the model",
        "FILE" },
    { "description", 'd', 0, G_OPTION_ARG_STRING, &options.description,
        "what is new about this version", "TEXT" },
    { "parent", 0, 0, G_OPTION_ARG_INT64, &options.parent,
        "version it was made from; 0 = none (0)", "VERSION" },
    { "precision", 0, 0, G_OPTION_ARG_STRING, &options.precision,
        "of its weights (as the file has them: float32, float16, "
        "int8-weights, or int8 where the network quantises)",
        "WORD" },
    { "run-command", 0, 0, G_OPTION_ARG_STRING, &options.run_command,
        "what trained it (as the file says)", "TEXT" },
    { NULL },
  };
  int status = registry_parse ("register",
      "Add a model file as the next version of NAME. Evaluation, data hash,"
      " augmentation and\nthe training command are taken from what gst-forge"
      " train wrote into it.",
      "MODEL", entries, &options.common, &argc, &argv);
  if (status >= 0)
    return status;
  if (registry_count (&options.common) != 1)
    return command_usage_error (
        "registry register", "exactly one MODEL is needed");
  if (!options.name)
    return command_usage_error ("registry register", "--name is missing");
  return register_model (&options);
}
