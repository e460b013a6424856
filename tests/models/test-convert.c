/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Models of all formats written as ONNX: read again they give the same bits,
 * onnx.checker accepts them, ONNX Runtime agrees, and what nobody has said
 * about the input stays unsaid. */
#include "forge/convert.h"

#include <glib/gstdio.h>
#include <string.h>

#include "compare.h"
#include "forge/error.h"
#include "ort.h"
#include "run/model.h"
#include "tensor/tensor.h"

#define PYTHON "/usr/bin/python3"

static char *folder;

/* A file of the corpus, which is always there, or of the test data. */
static char *
find_file (const char *name)
{
  if (!g_str_has_prefix (name, "corpus/"))
    return find_data (name);
  return g_build_filename (
      g_getenv ("FORGE_SOURCE_ROOT"), "tests", "fuzz", name, NULL);
}

static ForgeModel *
load (const char *path)
{
  g_autoptr (GError) error = NULL;
  ForgeModel *model = forge_model_load (path, &error);
  g_assert_no_error (error);
  return model;
}

/* (transfer full): the path of the written file. */
static char *
convert (ForgeModel *model, const ForgeStatedPreprocess *stated)
{
  g_autoptr (GError) error = NULL;
  char *path = g_build_filename (folder, "out.onnx", NULL);
  forge_model_save_onnx (model, stated, FORGE_WEIGHTS_AS_READ, path, &error);
  g_assert_no_error (error);
  return path;
}

/* FALSE where there is no onnx module to ask, or only an older one. */
static gboolean
check_with_onnx (const char *path)
{
  static const char script[] =
      "import sys\n"
      "try:\n"
      "  import onnx\n"
      "except ImportError:\n"
      "  sys.exit(77)\n"
      "model = onnx.load(sys.argv[1])\n"
      "if model.opset_import[0].version > onnx.defs.onnx_opset_version():\n"
      "  sys.exit(77)\n"
      "onnx.checker.check_model(model, full_check=True)\n";
  const char *argv[] = { PYTHON, "-c", script, path, NULL };
  g_autofree char *text = NULL;
  int status;
  if (!g_spawn_sync (NULL, (char **) argv, NULL, G_SPAWN_STDOUT_TO_DEV_NULL,
          NULL, NULL, NULL, &text, &status, NULL))
    return FALSE;
  if (g_spawn_check_wait_status (status, NULL))
    return TRUE;
  if (status >> 8 != 77)
    g_error ("onnx.checker: %s", text);
  return FALSE;
}

static void
written_file_gives_the_same_bits (gconstpointer name)
{
  g_autofree char *path = find_file (name);
  if (!path)
    return;
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeModel) before = load (path);
  g_autofree char *written = convert (before, NULL);
  g_autoptr (ForgeModel) after = load (written);
  g_autoptr (ForgeTensor) input = draw_input (before, 11);
  g_autoptr (ForgeSession) a = run_model (before, &input, 1, &error);
  g_assert_no_error (error);
  g_autoptr (ForgeSession) b = run_model (after, &input, 1, &error);
  g_assert_no_error (error);
  const ForgeTensor *expected = forge_session_get_output (a, 0);
  const ForgeTensor *found = forge_session_get_output (b, 0);
  g_assert_cmpmem (
      found->data, found->size_bytes, expected->data, expected->size_bytes);
  g_assert_cmpstr (
      forge_model_get_name (after), ==, forge_model_get_name (before));
  g_assert_cmpstr (forge_model_get_assumptions (after), ==,
      forge_model_get_assumptions (before));
  const ForgePreprocess *p = forge_model_get_preprocess (before);
  const ForgePreprocess *q = forge_model_get_preprocess (after);
  g_assert_cmpmem (q, sizeof *q, p, sizeof *p);
  if (!check_with_onnx (written))
    g_test_message ("no onnx module for it: not checked by onnx.checker");
  g_remove (written);
}

static void
onnx_runtime_agrees (gconstpointer name)
{
  g_autofree char *path = find_file (name);
  g_autoptr (Ort) ort = path ? ort_open () : NULL;
  if (!ort)
    return;
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeModel) model = load (path);
  g_autofree char *written = convert (model, NULL);
  g_autoptr (ForgeTensor) input = draw_input (model, 11);
  g_autoptr (ForgeSession) session = run_model (model, &input, 1, &error);
  g_assert_no_error (error);
  ForgeTensor *found = forge_session_get_output (session, 0);
  g_autoptr (ForgeTensor) expected = forge_tensor_copy (found, NULL);
  ort_run (ort, written, NULL, 0, forge_model_get_input (model, 0).name, input,
      forge_model_get_output (model, 0).name, expected);
  g_autofree char *difference =
      compare_tensors (found, expected, ONNX_RTOL, 1e-5);
  g_assert_cmpstr (difference, ==, NULL);
  g_remove (written);
}

static void
what_is_stated_is_kept_and_what_is_assumed_is_not (void)
{
  const ForgeStatedPreprocess stated = { .mean = "0.5,0.25,0.125",
    .order = "bgr" };
  g_autofree char *path = find_file ("corpus/onnx/padded.onnx");
  g_autoptr (ForgeModel) before = load (path);
  g_autofree char *written = convert (before, &stated);
  g_autoptr (ForgeModel) after = load (written);
  const ForgePreprocess *preprocess = forge_model_get_preprocess (after);
  g_assert_true (preprocess->bgr);
  g_assert_cmpfloat (preprocess->bias[1], ==, -0.25f);
  g_assert_cmpfloat (preprocess->scale[2], ==, 1 / 255.0f);
  g_assert_cmpstr (forge_model_get_assumptions (after), ==,
      "resized by centre-crop, resize filter antialias");
  g_remove (written);
}

/* How far an integer network's outputs may be from what its ONNX form gives,
 * in steps of their scales: ONNX rounds a real product to even, TensorFlow
 * Lite one in fixed point away from zero. One operator is one step away at
 * most; a chain of them goes further, since what is rounded the other way is
 * taken further: 19 steps of 256 at most were measured on random input. */
typedef struct {
  const char *name;
  double ours;    /* exact kernels against our run of the written file */
  double runtime; /* our run against ONNX Runtime's */
} Bound;

/* The scale of bytes that leave as float32; else 0. */
static double
step_of (const ForgeModel *model, guint output)
{
  const ForgeValue *value =
      forge_model_get_graph (model)->outputs->pdata[output];
  const ForgeNode *node = value->producer;
  if (!node || strcmp (node->op->type, "DequantizeLinear") != 0)
    return 0;
  return *(const float *) forge_node_in (node, 1)->constant->data;
}

static void
check_distance (const char *what, const ForgeTensor *a, const ForgeTensor *b,
    double step, double most, guint output)
{
  double distance = max_difference (a, b);
  if (step > 0)
    distance /= step;
  else
    most = 1e-5;
  if (distance > most + 1e-3) {
    g_test_message (
        "output %u: %s, %g apart; at most %g", output, what, distance, most);
    g_test_fail ();
  }
}

static void
integers_become_quantised_onnx (gconstpointer user_data)
{
  const Bound *bound = user_data;
  g_autofree char *path = find_file (bound->name);
  if (!path)
    return;
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeModel) before = load (path);
  g_autofree char *written = convert (before, NULL);
  g_autoptr (ForgeModel) after = load (written);
  g_autoptr (ForgeTensor) input = draw_input (before, 11);
  g_autoptr (ForgeSession) a = run_model (before, &input, 1, &error);
  g_assert_no_error (error);
  g_autoptr (ForgeSession) b = run_model (after, &input, 1, &error);
  g_assert_no_error (error);
  g_autofree char *problem = NULL;
  /* nothing fused: without VNNI its fused kernels for int8 saturate sums of two
   * products at 16 bits, as its documentation warns */
  const OrtParams params = { .optimise = FALSE };
  g_autoptr (Ort) ort = ort_open_with (&params, &problem);
  if (!check_with_onnx (written))
    g_test_message ("no onnx module for it: not checked by onnx.checker");
  for (guint k = 0; k < forge_model_get_n_outputs (before); k++) {
    double step = step_of (before, k);
    ForgeTensor *found = forge_session_get_output (b, k);
    check_distance ("exact and written", forge_session_get_output (a, k), found,
        step, bound->ours, k);
    if (!ort)
      continue;
    g_autoptr (ForgeTensor) theirs = forge_tensor_copy (found, NULL);
    ort_run (ort, written, NULL, 0, forge_model_get_input (after, 0).name,
        input, forge_model_get_output (after, k).name, theirs);
    check_distance (
        "ours and ONNX Runtime's", found, theirs, step, bound->runtime, k);
  }
  if (!ort)
    g_test_message ("not run by ONNX Runtime: %s", problem);
  g_remove (written);
}

/* A graph of ours that comes from no file. */
static void
operators_that_onnx_lacks_are_listed (void)
{
  g_autofree char *written = g_build_filename (folder, "no.onnx", NULL);
  g_autoptr (GError) error = NULL;
  ForgeGraph *graph = forge_graph_new ("own");
  ForgeShape shape = forge_shape (2, 1, 4);
  ForgeValue *in = forge_graph_add_input (graph, "x", FORGE_FLOAT32, &shape);
  ForgeValue *out = forge_graph_value (graph, "y");
  forge_graph_add_node (graph, forge_op_find ("TfliteQuantize", "forge"),
      "bytes", NULL, &in, 1, &out, 1);
  forge_graph_add_output (graph, out);
  g_assert_true (forge_graph_sort (graph, &error));
  g_assert_true (forge_graph_infer (graph, &error));
  g_autoptr (ForgeModel) model =
      forge_model_new_from_graph (graph, "own", &error);
  g_assert_no_error (error);
  g_assert_false (forge_model_save_onnx (
      model, NULL, FORGE_WEIGHTS_AS_READ, written, &error));
  g_assert_error (error, FORGE_ERROR, FORGE_ERROR_UNSUPPORTED);
  g_assert_nonnull (strstr (error->message, "'bytes' (TfliteQuantize)"));
  g_assert_false (g_file_test (written, G_FILE_TEST_EXISTS));
}

/* input -> @type -> output, of that opset. */
static ForgeModel *
one_node_model (const char *type, const char *other, int opset)
{
  g_autoptr (GError) error = NULL;
  ForgeGraph *graph = forge_graph_new ("one");
  graph->opset = opset;
  ForgeShape shape = forge_shape (2, -1, 4);
  ForgeValue *in = forge_graph_add_input (graph, "x", FORGE_FLOAT32, &shape);
  ForgeValue *middle = forge_graph_value (graph, "m");
  ForgeValue *out = forge_graph_value (graph, "y");
  forge_graph_add_node (
      graph, forge_op_find (type, ""), "first", NULL, &in, 1, &middle, 1);
  forge_graph_add_node (
      graph, forge_op_find (other, ""), "second", NULL, &middle, 1, &out, 1);
  forge_graph_add_output (graph, out);
  g_assert_true (forge_graph_sort (graph, &error));
  g_assert_true (forge_graph_infer (graph, &error));
  ForgeModel *model = forge_model_new_from_graph (graph, "one", &error);
  g_assert_no_error (error);
  return model;
}

static void
young_operators_raise_the_opset (void)
{
  static const struct {
    const char *type, *other;
    int opset, written;
  } rows[] = {
    { "Relu", "Relu", 13, 13 },
    { "HardSwish", "Relu", 13, 14 },
    { "Gelu", "Relu", 17, 20 },
    { "Mish", "ReduceMean", 18, 18 },
    { "Mish", "ReduceMean", 17, 0 },
  };
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autoptr (GError) error = NULL;
    g_autofree char *path = g_build_filename (folder, "young.onnx", NULL);
    g_autoptr (ForgeModel) model =
        one_node_model (rows[i].type, rows[i].other, rows[i].opset);
    gboolean saved = forge_model_save_onnx (
        model, NULL, FORGE_WEIGHTS_AS_READ, path, &error);
    g_assert_cmpint (saved, ==, rows[i].written > 0);
    if (!saved) {
      g_assert_error (error, FORGE_ERROR, FORGE_ERROR_UNSUPPORTED);
      g_assert_nonnull (strstr (error->message, "'second' (ReduceMean)"));
      continue;
    }
    g_autoptr (ForgeModel) after = load (path);
    g_assert_cmpint (forge_model_get_graph (after)->opset, ==, rows[i].written);
    g_remove (path);
  }
}

int
main (int argc, char **argv)
{
  static const char *const names[] = { "corpus/onnx/cnn.onnx",
    "corpus/tflite/network-float.tflite",
    "corpus/tflite/operators-float-layers.tflite", "keras/cifar10_cnn_bn.keras",
    "keras/cifar10_cnn_same.keras", "keras/mlperf_resnet8_cifar10.h5",
    "tflite/mlperf_resnet8_cifar10_float.tflite",
    "onnx/external-data/model.onnx" };
  static const Bound bounds[] = {
    { "corpus/tflite/network-int8.tflite", 12, 12 },
    { "corpus/tflite/network-uint8.tflite", 12, 12 },
    { "corpus/tflite/operators-int8-layers.tflite", 1, 1 },
    { "corpus/tflite/operators-uint8-layers.tflite", 1, 1 },
    { "corpus/tflite/operators-int8-functions.tflite", 1, 1 },
    { "corpus/tflite/operators-uint8-functions.tflite", 1, 1 },
    { "corpus/tflite/operators-int8-moves.tflite", 0, 0 },
    { "corpus/tflite/operators-uint8-moves.tflite", 0, 0 },
    { "corpus/tflite/operators-int8-near.tflite", 1, 1 },
    { "corpus/tflite/operators-uint8-near.tflite", 1, 1 },
    { "tflite/mlperf_resnet8_cifar10_int8.tflite", 32, 32 },
    { "tflite/mobilenet_v1_0.25_128_quant.tflite", 32, 32 },
    { "tflite/tf2_mobilenet_v2_1.0_224_ptq.tflite", 32, 32 },
  };
  g_test_init (&argc, &argv, NULL);
  folder = g_dir_make_tmp ("forge-convert-XXXXXX", NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (names); i++) {
    g_autofree char *same = g_strconcat ("/convert/same/", names[i], NULL);
    g_autofree char *ort = g_strconcat ("/convert/runtime/", names[i], NULL);
    g_test_add_data_func (same, names[i], written_file_gives_the_same_bits);
    g_test_add_data_func (ort, names[i], onnx_runtime_agrees);
  }
  for (gsize i = 0; i < G_N_ELEMENTS (bounds); i++) {
    g_autofree char *path =
        g_strconcat ("/convert/integers/", bounds[i].name, NULL);
    g_test_add_data_func (path, &bounds[i], integers_become_quantised_onnx);
  }
#define ADD(test) g_test_add_func ("/convert/" #test, test)
  ADD (what_is_stated_is_kept_and_what_is_assumed_is_not);
  ADD (operators_that_onnx_lacks_are_listed);
  ADD (young_operators_raise_the_opset);
  int status = g_test_run ();
  g_rmdir (folder);
  g_free (folder);
  return status;
}
