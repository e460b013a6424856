/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The same model and the same input in ONNX Runtime and in our engine: files
 * that we wrote, the built-in model, and other people's networks. */
#include <glib/gstdio.h>
#include <string.h>

#include "base/rng.h"
#include "compare.h"
#include "forge/error.h"
#include "formats/format.h"
#include "ort.h"
#include "tensor/tensor.h"

#define SEED 7

static ForgeTensor *
random_input (const ForgeModel *model, int64_t batch)
{
  ForgePort port = forge_model_get_input (model, 0);
  if (port.shape.dims[0] < 0)
    port.shape.dims[0] = batch;
  ForgeTensor *tensor = forge_tensor_new (port.dtype, &port.shape, NULL);
  ForgeRng rng;
  forge_rng_seed (&rng, SEED);
  int64_t count = forge_tensor_get_count (tensor);
  for (int64_t i = 0; i < count; i++)
    if (port.dtype == FORGE_UINT8)
      ((uint8_t *) tensor->data)[i] = (uint8_t) forge_rng_below (&rng, 256);
    else
      ((float *) tensor->data)[i] = forge_rng_normal (&rng);
  return tensor;
}

/* @path NULL: the built-in model. */
static void
compare_model (
    Ort *ort, const char *path, int64_t batch, double rtol, double atol)
{
  const uint8_t *bytes = NULL;
  size_t size_bytes = 0;
  g_autoptr (GError) error = NULL;
  if (!path)
    forge_embedded_model (&bytes, &size_bytes);
  g_autoptr (ForgeModel) model =
      forge_model_load (path ? path : FORGE_MODEL_EMBEDDED, &error);
  if (g_error_matches (error, FORGE_ERROR, FORGE_ERROR_UNSUPPORTED)) {
    g_test_skip (error->message);
    return;
  }
  g_assert_no_error (error);
  g_autoptr (ForgeTensor) input = random_input (model, batch);
  g_autoptr (ForgeSession) session = run_model (model, &input, 1, &error);
  g_assert_no_error (error);
  ForgeTensor *found = forge_session_get_output (session, 0);
  g_autoptr (ForgeTensor) expected = forge_tensor_copy (found, NULL);
  ort_run (ort, path, bytes, size_bytes, forge_model_get_input (model, 0).name,
      input, forge_model_get_output (model, 0).name, expected);
  g_test_message (
      "seed %d, largest difference %g", SEED, max_difference (found, expected));
  g_autofree char *difference = compare_tensors (found, expected, rtol, atol);
  g_assert_cmpstr (difference, ==, NULL);
}

/* Models we make: read, written by us, run by both. */
static void
files_we_write_run_alike (void)
{
  g_autoptr (Ort) ort = ort_open ();
  static const char *const names[] = { "cnn", "depthwise", "branches",
    "padded" };
  g_autofree char *folder = g_dir_make_tmp ("forge-ort-XXXXXX", NULL);
  g_autofree char *written = g_build_filename (folder, "m.onnx", NULL);
  for (gsize i = 0; ort && i < G_N_ELEMENTS (names); i++) {
    g_autofree char *file = g_strconcat (names[i], ".onnx", NULL);
    g_autofree char *path = g_build_filename (g_getenv ("FORGE_SOURCE_ROOT"),
        "tests", "fuzz", "corpus", "onnx", file, NULL);
    g_autoptr (GError) error = NULL;
    g_autoptr (ForgeGraph) graph = forge_format_read_file (path, &error);
    g_assert_no_error (error);
    g_assert_true (forge_onnx_write (graph, written, &error));
    g_test_message ("%s", names[i]);
    compare_model (ort, written, 3, 0, 1e-4);
    g_remove (written);
  }
  g_rmdir (folder);
}

/* See test-exported.c. */
static void
networks_as_torch_writes_them_run_alike (void)
{
  static const char *const names[] = { "convnext-17", "shufflenet-13",
    "swin-13", "swin-17", "vit-13", "vit-17" };
  g_autoptr (Ort) ort = ort_open ();
  for (gsize i = 0; ort && i < G_N_ELEMENTS (names); i++) {
    g_autofree char *file = g_strconcat (names[i], ".onnx", NULL);
    g_autofree char *path = g_build_filename (g_getenv ("FORGE_SOURCE_ROOT"),
        "tests", "models", "exported", file, NULL);
    g_test_message ("%s", names[i]);
    compare_model (ort, path, 3, 0, 1e-4);
  }
}

static void
the_built_in_model_gives_the_same_probabilities (void)
{
  const uint8_t *bytes;
  size_t size_bytes;
  forge_embedded_model (&bytes, &size_bytes);
  if (!bytes) {
    g_test_skip ("this build has no built-in model");
    return;
  }
  g_autoptr (Ort) ort = ort_open ();
  if (ort)
    compare_model (ort, NULL, 4, 0, 1e-4);
}

/* A rounding that falls the other way moves a fake-quantised activation by a
 * whole step, and some of the scores with it. */
typedef struct {
  const char *name;
  double atol;
} Foreign;

static void
a_foreign_network_gives_the_same_scores (gconstpointer user_data)
{
  const Foreign *row = user_data;
  g_autofree char *path = find_data (row->name);
  g_autoptr (Ort) ort = path ? ort_open () : NULL;
  if (ort)
    compare_model (ort, path, 2, ONNX_RTOL, row->atol);
}

int
main (int argc, char **argv)
{
  static const Foreign foreign[] = {
    { "onnx/resnet20_cifar10_fp32.onnx", 1e-4 },
    { "onnx/resnet56_cifar10_fp32.onnx", 1e-4 },
    { "onnx/mnist-8.onnx", 1e-4 },
    { "onnx/external-data/model.onnx", 1e-4 },
    { "onnx/squeezenet1.0_songhan_fp32.onnx", 1e-4 },
    { "onnx/squeezenet1.1_openvino_fp32_224gap.onnx", 1e-4 },
    { "onnx/mobilenet_v2_qoperator.onnx", 0 },
    { "onnx/mobilenet_v2_qdq_s8_perchannel.onnx", 0.17 },
    { "onnx/mobilenet_v2_dynamic_u8.onnx", 0.1 },
  };
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/onnxruntime/ours", files_we_write_run_alike);
  g_test_add_func (
      "/onnxruntime/exported", networks_as_torch_writes_them_run_alike);
  g_test_add_func (
      "/onnxruntime/built-in", the_built_in_model_gives_the_same_probabilities);
  for (gsize i = 0; i < G_N_ELEMENTS (foreign); i++) {
    g_autofree char *path =
        g_strconcat ("/onnxruntime/", foreign[i].name, NULL);
    g_test_add_data_func (
        path, &foreign[i], a_foreign_network_gives_the_same_scores);
  }
  return g_test_run ();
}
