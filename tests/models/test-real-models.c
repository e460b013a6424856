/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Networks made by others, with the results they published; and files that
 * must be refused. Skipped where the data is absent. */
#include <string.h>

#include "compare.h"
#include "forge/error.h"
#include "tensor/tensor.h"

#define SQUEEZENET "onnx/squeezenet1.1-input-output/squeezenet/test_data_set_0/"

static void
squeezenet_gives_its_published_output (void)
{
  g_autofree char *path =
      find_data ("onnx/squeezenet1.1_openvino_fp32_224gap.onnx");
  g_autofree char *in = find_data (SQUEEZENET "test_data_0_input.pb");
  g_autofree char *out = find_data (SQUEEZENET "test_data_0_output.pb");
  if (!path || !in || !out)
    return;
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeTensor) input = load_tensor_pb (in, &error);
  g_autoptr (ForgeTensor) expected = load_tensor_pb (out, &error);
  g_assert_no_error (error);
  g_autoptr (ForgeModel) model = forge_model_load (path, &error);
  g_assert_no_error (error);
  g_assert_true (forge_model_has_probabilities (model));
  g_autoptr (ForgeSession) session = run_model (model, &input, 1, &error);
  g_assert_no_error (error);
  double difference =
      max_difference (forge_session_get_output (session, 0), expected);
  g_test_message ("largest difference %g", difference);
  /* its weights came through float16 */
  g_assert_cmpfloat (difference, <=, 1.35e-4);
}

static void
known_models_are_described (void)
{
  static const struct {
    const char *file;
    guint n_classes;
    int width, channels;
    gboolean nchw, probabilities;
  } rows[] = {
    { "onnx/mnist-8.onnx", 10, 28, 1, TRUE, FALSE },
    { "onnx/squeezenet1.0_songhan_fp32.onnx", 1000, 227, 3, TRUE, FALSE },
    { "onnx/squeezenet1.1_openvino_fp32_224gap.onnx", 1000, 224, 3, TRUE,
        TRUE },
    { "onnx/external-data/model.onnx", 10, 32, 3, TRUE, FALSE },
  };
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autofree char *path = find_data (rows[i].file);
    g_autoptr (GError) error = NULL;
    if (!path)
      return;
    g_autoptr (ForgeModel) model = forge_model_load (path, &error);
    g_assert_no_error (error);
    const ForgePreprocess *p = forge_model_get_preprocess (model);
    g_test_message (
        "%s: %s", rows[i].file, forge_model_get_assumptions (model));
    g_assert_cmpuint (forge_model_get_n_classes (model), ==, rows[i].n_classes);
    g_assert_cmpint (p->width, ==, rows[i].width);
    g_assert_cmpint (p->channels, ==, rows[i].channels);
    g_assert_cmpint (p->nchw, ==, rows[i].nchw);
    g_assert_cmpint (
        forge_model_has_probabilities (model), ==, rows[i].probabilities);
  }
}

static void
models_with_foreign_operators_are_refused (void)
{
  static const struct {
    const char *file, *text;
  } rows[] = {
    { "onnx/refuse/qonnx_custom_ops.onnx", "BipolarQuant (domain " },
    { "onnx/refuse/convinteger_s8.onnx",
        "is int8; ConvInteger is supported with uint8" },
    { "labels", "a folder" },
  };
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autofree char *path = find_data (rows[i].file);
    g_autoptr (GError) error = NULL;
    if (!path)
      return;
    g_autoptr (ForgeModel) model = forge_model_load (path, &error);
    g_assert_null (model);
    g_test_message ("%s", error->message);
    g_assert_true (g_str_has_prefix (error->message, path));
    g_assert_nonnull (strstr (error->message, rows[i].text));
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func (
      "/real-models/squeezenet", squeezenet_gives_its_published_output);
  g_test_add_func ("/real-models/described", known_models_are_described);
  g_test_add_func (
      "/real-models/refused", models_with_foreign_operators_are_refused);
  return g_test_run ();
}
