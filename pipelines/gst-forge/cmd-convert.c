/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * `gst-forge convert IN OUT.onnx`: any model that can be read, as ONNX, with
 * its labels and what is known of its preprocessing in the file. */
#include "command.h"
#include "forge/convert.h"
#include "output.h"

static int
convert (const char *in, const char *out, const PreprocessOptions *options)
{
  g_autoptr (GError) error = NULL;
  ForgePreprocess preprocess;
  const ForgeStatedPreprocess stated = preprocess_options_get (options);
  g_autoptr (ForgeModel) model =
      command_load_stated_model (in, options, &preprocess);
  if (!model)
    return COMMAND_FAILED;
  if (!forge_model_save_onnx (model, &stated, out, &error))
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
  return COMMAND_OK;
}

int
cmd_convert (int argc, char **argv)
{
  g_auto (PreprocessOptions) preprocess = { 0 };
  g_auto (GStrv) rest = NULL;
  const GOptionEntry entries[] = {
    { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &rest, NULL,
        "MODEL OUT.onnx" },
    { NULL },
  };
  int status = command_parse_with_group ("convert",
      "Write a model of any format as ONNX. The network stays as it was read;"
      " labels and\nwhat is known of the preprocessing, what you state"
      " included, go into the file.\nInteger networks of TensorFlow Lite are"
      " written with QuantizeLinear and\nDequantizeLinear: each layer may then"
      " differ by one step of its scale.",
      entries, preprocess_options_group (&preprocess), &argc, &argv);
  if (status >= 0)
    return status;
  if (!rest || g_strv_length (rest) != 2)
    return command_usage_error ("convert", "a MODEL and OUT.onnx are needed");
  if (!g_str_has_suffix (rest[1], ".onnx"))
    return command_usage_error (
        "convert", "expected a name that ends in .onnx, found '%s'", rest[1]);
  return convert (rest[0], rest[1], &preprocess);
}
