/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * `gst-forge inspect MODEL`: what a model file holds. Inputs, outputs,
 * preprocessing in words, labels, every layer with its output shape,
 * parameters and work, and the metadata that travels with it. */
#include <string.h>

#include "command.h"
#include "model-graph.h"
#include "output.h"

/* Metadata values (a drift baseline, say) can be long; text shows the start
 * and the JSON document everything. */
#define MAX_VALUE_CHARS 60

typedef struct {
  const char *json, *dot, *svg; /* files, or NULL */
} InspectOptions;

static char *
describe_preprocess (const ForgePreprocess *preprocess)
{
  if (preprocess->channels < 1)
    return g_strdup ("none: the network takes no pictures");
  GString *text = g_string_new (NULL);
  g_string_append_printf (text, "%s to %dx%d, %s filter, ",
      forge_resize_policy_name (preprocess->policy), preprocess->width,
      preprocess->height, forge_resize_filter_name (preprocess->filter));
  const char *colours = preprocess->channels == 1 ? "grey"
                        : preprocess->bgr         ? "BGR"
                                                  : "RGB";
  g_string_append_printf (text, "%s, %s, %s", colours,
      preprocess->nchw ? "channels first" : "channels last",
      forge_dtype_name (preprocess->dtype));
  if (preprocess->dtype == FORGE_UINT8) {
    g_string_append (text, " as they are");
    return g_string_free (text, FALSE);
  }
  g_string_append (text, " = byte *");
  for (int c = 0; c < preprocess->channels; c++)
    g_string_append_printf (text, " %g", preprocess->scale[c]);
  g_string_append (text, " +");
  for (int c = 0; c < preprocess->channels; c++)
    g_string_append_printf (text, " %g", preprocess->bias[c]);
  return g_string_free (text, FALSE);
}

static void
print_port (FILE *out, const char *title, ForgePort port)
{
  g_autofree char *shape = forge_shape_to_string (&port.shape);
  fprintf (out, "%-12s %s: %s %s\n", title, port.name,
      forge_dtype_name (port.dtype), shape);
}

static void
print_header (FILE *out, const ForgeModel *model)
{
  const char *version = forge_model_get_version (model);
  fprintf (out, "%-12s %s%s%s\n", "Model", forge_model_get_name (model),
      *version ? ", version " : "", version);
  fprintf (out, "%-12s %s\n", "File", forge_model_get_path (model));
  for (guint i = 0; i < forge_model_get_n_inputs (model); i++)
    print_port (out, i ? "" : "Inputs", forge_model_get_input (model, i));
  for (guint i = 0; i < forge_model_get_n_outputs (model); i++)
    print_port (out, i ? "" : "Outputs", forge_model_get_output (model, i));
  g_autofree char *preprocess =
      describe_preprocess (forge_model_get_preprocess (model));
  fprintf (out, "%-12s %s\n", "Preprocess", preprocess);
  const char *const *labels = forge_model_get_labels (model);
  g_autofree char *list = g_strjoinv (", ", (char **) labels);
  fprintf (out, "%-12s %u: %s\n", "Classes", forge_model_get_n_classes (model),
      *labels ? list : "without labels");
  output_print_weights (out, model);
  fputc ('\n', out);
}

static void
print_row (FILE *out, int name_width, const char *name, int type_width,
    const char *type, const char *const cells[6])
{
  fprintf (out, "%-*s  %-*s  %-20s %-26s %12s %16s %13s %13s\n", name_width,
      name, type_width, type, cells[0], cells[1], cells[2], cells[3], cells[4],
      cells[5]);
}

/* "float32"; "int8 0.0235, zero -4" where a scale is known. */
static char *
describe_elements (const ForgeLayerInfo *layer)
{
  char scale[G_ASCII_DTOSTR_BUF_SIZE];
  const char *name = forge_dtype_name (layer->output_dtype);
  if (!(layer->output_scale > 0))
    return g_strdup (name);
  g_ascii_formatd (scale, sizeof scale, "%.5g", (double) layer->output_scale);
  return g_strdup_printf ("%s %s, zero %d", name, scale, layer->output_zero);
}

static void
print_layers (FILE *out, const ForgeModel *model, const ForgeLayerInfo *layers,
    gsize n_layers)
{
  int name_width = 5, type_width = 4;
  gint64 n_flops = 0, weight_bytes = 0, output_bytes = 0;
  for (gsize i = 0; i < n_layers; i++) {
    name_width = MAX (name_width, (int) strlen (layers[i].name));
    type_width = MAX (type_width, (int) strlen (layers[i].type));
    n_flops += layers[i].n_flops;
    weight_bytes += layers[i].weight_bytes;
    output_bytes += layers[i].output_bytes;
  }
  print_row (out, name_width, "Layer", type_width, "Type",
      (const char *[]) { "Output shape", "Elements", "Parameters", "FLOPs",
          "Weight bytes", "Output bytes" });
  for (gsize i = 0; i < n_layers; i++) {
    g_autofree char *shape = forge_shape_to_string (&layers[i].output_shape);
    g_autofree char *elements = describe_elements (&layers[i]);
    g_autofree char *parameters = output_thousands (layers[i].n_parameters);
    g_autofree char *flops = output_thousands (layers[i].n_flops);
    g_autofree char *weights = output_thousands (layers[i].weight_bytes);
    g_autofree char *output = output_thousands (layers[i].output_bytes);
    print_row (out, name_width, layers[i].name, type_width, layers[i].type,
        (const char *[]) {
            shape, elements, parameters, flops, weights, output });
  }
  g_autofree char *parameters =
      output_thousands (forge_model_count_parameters (model));
  g_autofree char *flops = output_thousands (n_flops);
  g_autofree char *weights = output_thousands (weight_bytes);
  g_autofree char *output = output_thousands (output_bytes);
  print_row (out, name_width, "Total", type_width, "",
      (const char *[]) { "", "", parameters, flops, weights, output });
  fprintf (out, "\n%s parameters, %s floating-point operations an image\n",
      parameters, flops);
}

static void
print_metadata (FILE *out, const ForgeModel *model)
{
  g_autofree const char **keys = forge_model_list_metadata (model);
  if (keys[0])
    fputs ("\nMetadata\n", out);
  for (const char **key = keys; *key; key++) {
    const char *value = forge_model_get_metadata (model, *key);
    gboolean is_long = strlen (value) > MAX_VALUE_CHARS;
    fprintf (out, "  %-24s %.*s%s\n", *key, MAX_VALUE_CHARS, value,
        is_long ? "..." : "");
  }
}

static void
add_port (JsonBuilder *builder, ForgePort port)
{
  json_builder_begin_object (builder);
  output_add_string (builder, "name", port.name);
  output_add_string (builder, "dtype", forge_dtype_name (port.dtype));
  output_add_shape (builder, "shape", &port.shape);
  json_builder_end_object (builder);
}

static void
add_ports (JsonBuilder *builder, const ForgeModel *model)
{
  json_builder_set_member_name (builder, "inputs");
  json_builder_begin_array (builder);
  for (guint i = 0; i < forge_model_get_n_inputs (model); i++)
    add_port (builder, forge_model_get_input (model, i));
  json_builder_end_array (builder);
  json_builder_set_member_name (builder, "outputs");
  json_builder_begin_array (builder);
  for (guint i = 0; i < forge_model_get_n_outputs (model); i++)
    add_port (builder, forge_model_get_output (model, i));
  json_builder_end_array (builder);
}

static void
add_floats (JsonBuilder *builder, const char *name, const float *values, int n)
{
  json_builder_set_member_name (builder, name);
  json_builder_begin_array (builder);
  for (int i = 0; i < n; i++)
    json_builder_add_double_value (builder, values[i]);
  json_builder_end_array (builder);
}

static void
add_preprocess (JsonBuilder *builder, const ForgePreprocess *preprocess)
{
  json_builder_set_member_name (builder, "preprocess");
  json_builder_begin_object (builder);
  output_add_int (builder, "width", preprocess->width);
  output_add_int (builder, "height", preprocess->height);
  output_add_int (builder, "channels", preprocess->channels);
  output_add_string (
      builder, "policy", forge_resize_policy_name (preprocess->policy));
  output_add_string (
      builder, "filter", forge_resize_filter_name (preprocess->filter));
  output_add_bool (builder, "bgr", preprocess->bgr);
  output_add_bool (builder, "nchw", preprocess->nchw);
  output_add_string (builder, "dtype", forge_dtype_name (preprocess->dtype));
  add_floats (builder, "scale", preprocess->scale, preprocess->channels);
  add_floats (builder, "bias", preprocess->bias, preprocess->channels);
  json_builder_end_object (builder);
}

static void
add_layers (JsonBuilder *builder, const ForgeLayerInfo *layers, gsize n_layers)
{
  gint64 n_flops = 0;
  json_builder_set_member_name (builder, "layers");
  json_builder_begin_array (builder);
  for (gsize i = 0; i < n_layers; i++) {
    json_builder_begin_object (builder);
    output_add_string (builder, "name", layers[i].name);
    output_add_string (builder, "type", layers[i].type);
    output_add_shape (builder, "output_shape", &layers[i].output_shape);
    output_add_string (
        builder, "output_dtype", forge_dtype_name (layers[i].output_dtype));
    if (layers[i].output_scale > 0) {
      json_builder_set_member_name (builder, "output_scale");
      json_builder_add_double_value (builder, layers[i].output_scale);
      output_add_int (builder, "output_zero_point", layers[i].output_zero);
    }
    output_add_int (builder, "n_parameters", layers[i].n_parameters);
    output_add_int (builder, "n_flops", layers[i].n_flops);
    output_add_int (builder, "weight_bytes", layers[i].weight_bytes);
    output_add_int (builder, "output_bytes", layers[i].output_bytes);
    json_builder_end_object (builder);
    n_flops += layers[i].n_flops;
  }
  json_builder_end_array (builder);
  output_add_int (builder, "total_flops", n_flops);
}

static JsonBuilder *
build_json (
    const ForgeModel *model, const ForgeLayerInfo *layers, gsize n_layers)
{
  JsonBuilder *builder = json_builder_new ();
  json_builder_begin_object (builder);
  output_add_model (builder, model);
  add_ports (builder, model);
  add_preprocess (builder, forge_model_get_preprocess (model));
  output_add_string (
      builder, "assumptions", forge_model_get_assumptions (model));
  output_add_int (builder, "n_classes", forge_model_get_n_classes (model));
  output_add_strings (builder, "labels", forge_model_get_labels (model));
  output_add_bool (
      builder, "has_probabilities", forge_model_has_probabilities (model));
  add_layers (builder, layers, n_layers);
  output_add_int (
      builder, "total_parameters", forge_model_count_parameters (model));
  output_add_weights (builder, model);
  json_builder_set_member_name (builder, "metadata");
  json_builder_begin_object (builder);
  g_autofree const char **keys = forge_model_list_metadata (model);
  for (const char **key = keys; *key; key++)
    output_add_string (builder, *key, forge_model_get_metadata (model, *key));
  json_builder_end_object (builder);
  return builder;
}

static gboolean
write_drawings (const ForgeModel *model, const ForgeLayerInfo *layers,
    gsize n_layers, const InspectOptions *options, GError **error)
{
  if (options->svg &&
      !model_graph_write_svg (model, layers, n_layers, options->svg, error))
    return FALSE;
  if (!options->dot)
    return TRUE;
  g_autofree char *text = model_graph_to_dot (model, layers, n_layers);
  if (strcmp (options->dot, "-") != 0)
    return g_file_set_contents (options->dot, text, -1, error);
  fputs (text, stdout);
  return TRUE;
}

static int
inspect (const char *path, const InspectOptions *options)
{
  const char *json = options->json;
  g_autoptr (ForgeModel) model = command_load_model (path);
  if (!model)
    return COMMAND_FAILED;
  gsize n_layers = 0;
  ForgeLayerInfo *layers = forge_model_summarise (model, &n_layers);
  gboolean dot_out = g_strcmp0 (options->dot, "-") == 0;
  FILE *out = output_text_stream (dot_out ? options->dot : json);
  print_header (out, model);
  print_layers (out, model, layers, n_layers);
  print_metadata (out, model);
  g_autoptr (JsonBuilder) builder = build_json (model, layers, n_layers);
  g_autoptr (GError) error = NULL;
  gboolean drawn = write_drawings (model, layers, n_layers, options, &error);
  forge_layer_info_free (layers, n_layers);
  if (!drawn || !output_write_json (builder, json, &error))
    return command_error ("%s", error->message);
  return COMMAND_OK;
}

int
cmd_inspect (int argc, char **argv)
{
  g_autofree char *json = NULL;
  g_autofree char *dot = NULL;
  g_autofree char *svg = NULL;
  g_auto (GStrv) rest = NULL;
  const GOptionEntry entries[] = {
    { "dot", 0, 0, G_OPTION_ARG_FILENAME, &dot,
        "write the graph for Graphviz; - is standard output", "FILE" },
    { "svg", 0, 0, G_OPTION_ARG_FILENAME, &svg,
        "draw the graph, top down in running order", "FILE" },
    { "json", 0, 0, G_OPTION_ARG_FILENAME, &json,
        "write a JSON document too; - is standard output", "FILE" },
    { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &rest, NULL,
        "MODEL" },
    { NULL },
  };
  int status = command_parse ("inspect",
      "Show inputs, preprocessing, labels, layers and metadata of a model.",
      entries, &argc, &argv);
  if (status >= 0)
    return status;
  if (!rest || g_strv_length (rest) != 1)
    return command_usage_error ("inspect", "exactly one MODEL is needed");
  if (g_strcmp0 (json, "-") == 0 && g_strcmp0 (dot, "-") == 0)
    return command_usage_error (
        "inspect", "--json and --dot cannot both be standard output");
  const InspectOptions options = { json, dot, svg };
  return inspect (rest[0], &options);
}
