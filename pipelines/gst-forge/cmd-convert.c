/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * `gst-forge convert IN OUT.onnx`: any model that can be read, as ONNX, with
 * its labels and what is known of its preprocessing in the file. */
#include <glib/gstdio.h>
#include <string.h>

#include "command.h"
#include "forge/convert.h"
#include "output.h"

typedef struct {
  PreprocessOptions preprocess;
  char *weights; /* a word, or NULL */
} ConvertOptions;

static void
convert_options_clear (ConvertOptions *options)
{
  preprocess_options_clear (&options->preprocess);
  g_free (options->weights);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (ConvertOptions, convert_options_clear)

static gboolean
parse_weights (const char *word, ForgeWeights *weights)
{
  static const struct {
    const char *word;
    ForgeWeights weights;
  } rows[] = { { "float32", FORGE_WEIGHTS_FLOAT32 },
    { "float16", FORGE_WEIGHTS_FLOAT16 }, { "int8", FORGE_WEIGHTS_INT8 } };
  *weights = FORGE_WEIGHTS_AS_READ;
  for (gsize i = 0; word && i < G_N_ELEMENTS (rows); i++)
    if (strcmp (word, rows[i].word) == 0)
      *weights = rows[i].weights;
  return !word || *weights != FORGE_WEIGHTS_AS_READ;
}

/* A reference into the registry is no file. */
static void
print_sizes (const char *in, const char *out)
{
  GStatBuf before, after;
  if (g_stat (out, &after) != 0)
    return;
  g_autofree char *bytes = output_thousands (after.st_size);
  if (g_stat (in, &before) != 0) {
    g_print ("file: %s bytes\n", bytes);
    return;
  }
  g_autofree char *was = output_thousands (before.st_size);
  g_print ("file: %s bytes, now %s\n", was, bytes);
}

static int
convert (const char *in, const char *out, const ConvertOptions *convert,
    ForgeWeights weights)
{
  const PreprocessOptions *options = &convert->preprocess;
  g_autoptr (GError) error = NULL;
  ForgePreprocess preprocess;
  const ForgeStatedPreprocess stated = preprocess_options_get (options);
  g_autoptr (ForgeModel) model =
      command_load_stated_model (in, options, &preprocess);
  if (!model)
    return COMMAND_FAILED;
  if (!forge_model_save_onnx (model, &stated, weights, out, &error))
    return command_error ("%s", error->message);
  /* integer networks have other nodes there than here */
  g_autoptr (ForgeModel) written = forge_model_load (out, &error);
  if (!written)
    return command_error ("%s", error->message);
  gsize n_layers = 0;
  ForgeLayerInfo *layers = forge_model_summarise (written, &n_layers);
  forge_layer_info_free (layers, n_layers);
  g_autofree char *parameters =
      output_thousands (forge_model_count_parameters (written));
  g_print ("%s: %" G_GSIZE_FORMAT " nodes, %s parameters, %u classes %s\n", out,
      n_layers, parameters, forge_model_get_n_classes (model),
      *forge_model_get_labels (model) ? "with labels" : "without labels");
  output_print_weights (stdout, written);
  print_sizes (in, out);
  return COMMAND_OK;
}

int
cmd_convert (int argc, char **argv)
{
  g_auto (ConvertOptions) options = { { 0 } };
  g_auto (GStrv) rest = NULL;
  ForgeWeights weights;
  const GOptionEntry entries[] = {
    { "weights", 0, 0, G_OPTION_ARG_STRING, &options.weights,
        "float16 or int8: matrices and filters in half or a quarter of the "
        "bytes, rounded; or float32 (as they were read)",
        "TYPE" },
    { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &rest, NULL,
        "MODEL OUT.onnx" },
    { NULL },
  };
  int status = command_parse_with_group ("convert",
      "Write a model of any format as ONNX. The network stays as it was read;"
      " labels and\nwhat is known of the preprocessing, what you state"
      " included, go into the file.\nInteger networks of TensorFlow Lite are"
      " written with QuantizeLinear and\nDequantizeLinear: each layer may then"
      " differ by one step of its scale.\n\nWith --weights float16, what does "
      "not fit a half or would lose over 0.1 % by it stays\nfloat32 and is "
      "named. With --weights int8 each output channel has a scale of its own;"
      "\nwhat would lose over 3 % becomes float16 and is named, and opset 13 "
      "is needed. The\nnetwork computes in float32 either way. 'gst-forge "
      "evaluate --calibrate' renews the\ntemperature and the drift baseline; "
      "the accuracy in the file stays that before rounding.",
      entries, preprocess_options_group (&options.preprocess), &argc, &argv);
  if (status >= 0)
    return status;
  if (!rest || g_strv_length (rest) != 2)
    return command_usage_error ("convert", "a MODEL and OUT.onnx are needed");
  if (!g_str_has_suffix (rest[1], ".onnx"))
    return command_usage_error (
        "convert", "expected a name that ends in .onnx, found '%s'", rest[1]);
  if (!parse_weights (options.weights, &weights))
    return command_usage_error ("convert",
        "--weights: expected float16, int8 or float32, found '%s'",
        options.weights);
  return convert (rest[0], rest[1], &options, weights);
}
