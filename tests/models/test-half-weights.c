/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Weights that a file keeps as float16: each is the nearest half, every
 * runtime computes the same with them, convolutions see constants, what does
 * not fit stays float32, and the rest of the file survives. */
#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

#include "forge/error.h"
#include "formats/format.h"
#include "graph/stored-weights.h"
#include "narrow.h"
#include "onnx-builder.h"
#include "tensor/tensor.h"

static char *folder;

static char *
save (const ForgeModel *model, ForgeWeights weights, const char *name)
{
  return narrow_save (model, weights, folder, name);
}

/* Among all halves: none lies nearer, and of two as near the even one. */
static void
assert_nearest_half (float before, float after)
{
  uint16_t half = forge_float_to_half (after);
  g_assert_cmpfloat (forge_half_to_float (half), ==, after);
  double distance = fabs ((double) before - after);
  for (int step = -1; step <= 1; step += 2) {
    uint16_t other = (uint16_t) (half + step);
    if ((half & 0x7fff) == 0 && step < 0)
      other = half ^ 0x8001;
    if ((other & 0x7fff) >= 0x7c00)
      continue;
    double other_distance =
        fabs ((double) before - forge_half_to_float (other));
    g_assert_cmpfloat (distance, <=, other_distance);
    if (distance == other_distance)
      g_assert_cmpuint (half & 1, ==, 0);
  }
}

static void
assert_nearest_halves (const ForgeTensor *want, const ForgeValue *got)
{
  const float *x = want->data, *y = got->constant->data;
  for (int64_t i = 0; i < forge_tensor_get_count (want); i++)
    assert_nearest_half (x[i], y[i]);
}

static void
every_matrix_is_rounded_to_the_nearest_half (gconstpointer name)
{
  g_autofree char *path = narrow_find_file (name);
  if (!path)
    return;
  g_autoptr (ForgeModel) before = narrow_load (path);
  g_autofree char *wide = save (before, FORGE_WEIGHTS_FLOAT32, "wide.onnx");
  g_autofree char *narrow = save (before, FORGE_WEIGHTS_FLOAT16, "half.onnx");
  g_autoptr (ForgeModel) reference = narrow_load (wide);
  g_autoptr (ForgeModel) after = narrow_load (narrow);
  narrow_assert_constants (forge_model_get_graph (reference),
      forge_model_get_graph (after), forge_value_is_half,
      assert_nearest_halves);
  g_auto (ForgeWeightsReport) report = { 0 };
  forge_model_report_weights (after, &report);
  g_assert_cmpuint (report.n_half, ==, report.n_matrices);
  g_assert_null (report.unfit);
  /* the Cast and the second name of a matrix are all that is added */
  gsize saved = report.computed_bytes - report.stored_bytes;
  g_assert_cmpuint (narrow_size_of (narrow), <=,
      narrow_size_of (wide) - saved + 160 * (gsize) report.n_half);
  g_assert_cmpint (forge_model_count_parameters (after), ==,
      forge_model_count_parameters (before));
  g_assert_cmpstr (forge_model_get_precision (after), ==, "fp16");
  g_assert_cmpstr (forge_model_get_precision (reference), ==, "fp32");
  g_remove (wide);
  g_remove (narrow);
}

static void
files_of_both_kinds_run_alike (gconstpointer name)
{
  narrow_assert_run_alike (name, FORGE_WEIGHTS_FLOAT16, folder);
}

static void
onnx_runtime_computes_the_same (gconstpointer name)
{
  g_autofree char *path = narrow_find_file (name);
  if (!path)
    return;
  g_autoptr (ForgeModel) before = narrow_load (path);
  g_autofree char *narrow = save (before, FORGE_WEIGHTS_FLOAT16, "half.onnx");
  g_autoptr (ForgeModel) half = narrow_load (narrow);
  narrow_assert_runtime_agrees (half, narrow);
  g_remove (narrow);
}

static void
what_does_not_fit_a_half_stays_float32_and_is_named (void)
{
  static const struct {
    float factor, first; /* of w; its first element */
    const char *unfit;   /* NULL = it fits */
  } rows[] = {
    { 1, 65504, NULL },
    { 1, 65505, "'w' (has values beyond" },
    { 1, -70000, "'w' (has values beyond" },
    { 1, INFINITY, "'w' (has values beyond" },
    { 1, NAN, "'w' (has values beyond" },
    { 1e-4f, 0, NULL },
    { 1e-7f, 0, "'w' (so small" },
    { 1e-30f, 0, "'w' (so small" },
    /* small ones beside large ones lose nothing that counts */
    { 1e-7f, 1, NULL },
    { 0, 0, NULL },
  };
  float w[256], v[256];
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    for (int k = 0; k < 256; k++) {
      v[k] = (float) (k + 1) / 3;
      w[k] = rows[i].factor * v[k];
    }
    w[0] = rows[i].first;
    g_autoptr (ForgeModel) before = narrow_gemm_model (w, v, 13);
    g_autofree char *path = save (before, FORGE_WEIGHTS_FLOAT16, "fit.onnx");
    g_autoptr (ForgeModel) after = narrow_load (path);
    g_auto (ForgeWeightsReport) report = { 0 };
    forge_model_report_weights (after, &report);
    g_assert_cmpuint (report.n_matrices, ==, 2);
    g_assert_cmpuint (report.n_half, ==, rows[i].unfit ? 1 : 2);
    g_assert_cmpuint (report.computed_bytes, ==, 4 * (256 + 256 + 32 + 16));
    g_assert_cmpuint (report.stored_bytes, ==,
        report.computed_bytes - 2 * 256 * (gsize) report.n_half);
    if (rows[i].unfit)
      g_assert_nonnull (strstr (report.unfit, rows[i].unfit));
    else
      g_assert_null (report.unfit);
    const ForgeGraph *graph = forge_model_get_graph (after);
    const ForgeTensor *kept = forge_graph_find (graph, "w")->constant;
    if (rows[i].unfit)
      g_assert_cmpmem (kept->data, kept->size_bytes, w, sizeof w);
    const ForgeTensor *bias = forge_graph_find (graph, "bias")->constant;
    g_assert_cmpfloat (((const float *) bias->data)[0], ==, 1 / 3.0f);
    const ForgeTensor *small = forge_graph_find (graph, "s")->constant;
    g_assert_cmpfloat (((const float *) small->data)[0], ==, 1 / 3.0f);
    g_remove (path);
  }
}

/* A mark that no longer holds must not round behind anybody's back. */
static void
a_value_that_is_no_half_is_never_written_as_one (void)
{
  g_autoptr (GError) error = NULL;
  ForgeGraph *graph = forge_graph_new ("stale");
  ForgeShape shape = forge_shape (2, 8, 8), in_shape = forge_shape (2, -1, 8);
  g_autoptr (ForgeTensor) tensor =
      forge_tensor_new (FORGE_FLOAT32, &shape, NULL);
  ((float *) tensor->data)[5] = 1 / 3.0f;
  ForgeValue *inputs[] = { forge_graph_add_input (
                               graph, "x", FORGE_FLOAT32, &in_shape),
    forge_graph_add_constant (graph, "w", tensor) };
  inputs[1]->stored = FORGE_FLOAT16;
  /* a name that the half would have */
  g_autoptr (ForgeTensor) other =
      forge_tensor_new (FORGE_FLOAT32, &shape, NULL);
  ForgeValue *taken = forge_graph_add_constant (graph, "v_float16", other);
  ForgeValue *v = forge_graph_add_constant (graph, "v", other);
  v->stored = FORGE_FLOAT16;
  ForgeValue *m = forge_graph_value (graph, "m");
  ForgeValue *y = forge_graph_value (graph, "y");
  ForgeValue *z = forge_graph_value (graph, "z");
  const ForgeOp *product = forge_op_find ("MatMul", "");
  forge_graph_add_node (graph, product, "m", NULL, inputs, 2, &m, 1);
  forge_graph_add_node (
      graph, product, "y", NULL, (ForgeValue *[]) { m, v }, 2, &y, 1);
  forge_graph_add_node (
      graph, product, "z", NULL, (ForgeValue *[]) { y, taken }, 2, &z, 1);
  forge_graph_add_output (graph, z);
  g_assert_true (forge_graph_sort (graph, &error));
  g_assert_true (forge_graph_infer (graph, &error));
  g_autofree char *path = g_build_filename (folder, "stale.onnx", NULL);
  g_assert_true (forge_onnx_write (graph, path, &error));
  forge_graph_free (graph);
  g_autoptr (ForgeGraph) again = forge_format_read_file (path, &error);
  g_assert_no_error (error);
  const ForgeValue *w = forge_graph_find (again, "w");
  g_assert_cmpfloat (((const float *) w->constant->data)[5], ==, 1 / 3.0f);
  g_assert_false (forge_value_is_half (w));
  g_assert_true (forge_value_is_half (forge_graph_find (again, "v")));
  g_assert_false (forge_value_is_half (forge_graph_find (again, "v_float16")));
  g_remove (path);
}

/* One half read by many Casts is unpacked once; a Cast that is the graph's
 * output, or goes to another type, stays. */
static void
casts_of_others_are_taken_in (void)
{
  static const uint16_t halves[] = { 0x3c00, 0xc000, 0x0001, 0x7bff };
  g_autoptr (OnnxBuilder) b = onnx_builder_new ();
  onnx_builder_input (b, "x", FORGE_FLOAT32, DIMS (-1, 2));
  ForgeOnnx__Tensor *w =
      onnx_builder_tensor (b, "w", FORGE_FLOAT16, DIMS (2, 2));
  onnx_builder_set_raw (w, halves, sizeof halves);
  onnx_builder_initializer (b, w);
  static const struct {
    const char *out;
    int to;
  } casts[] = { { "a", FORGE_FLOAT32 }, { "b", FORGE_FLOAT32 },
    { "c", FORGE_FLOAT32 }, { "d", FORGE_FLOAT64 } };
  for (gsize i = 0; i < G_N_ELEMENTS (casts); i++) {
    ForgeOnnx__Node *node = onnx_builder_node (b, "Cast", "w", casts[i].out);
    onnx_builder_attribute (b, node, "to", FORGE_ONNX_INT)->i = casts[i].to;
    node->attribute[0]->has_i = TRUE;
  }
  onnx_builder_node (b, "MatMul", "x,a", "m");
  onnx_builder_node (b, "MatMul", "m,b", "y");
  onnx_builder_output (b, "y");
  onnx_builder_output (b, "c");
  onnx_builder_output (b, "d");
  g_autoptr (GBytes) bytes = onnx_builder_finish (b);
  const ForgeSource source = { .name = "casts" };
  g_autoptr (GError) error = NULL;
  gsize size_bytes;
  const void *data = g_bytes_get_data (bytes, &size_bytes);
  g_autoptr (ForgeGraph) graph =
      forge_format_read_bytes (data, size_bytes, &source, &error);
  g_assert_no_error (error);
  const ForgeValue *first = forge_graph_find (graph, "a");
  const ForgeValue *second = forge_graph_find (graph, "b");
  g_assert_true (forge_value_is_half (first));
  g_assert_true (first->constant == second->constant);
  const float expected[] = { 1, -2, 0x1p-24f, 65504 };
  g_assert_cmpmem (first->constant->data, first->constant->size_bytes, expected,
      sizeof expected);
  g_assert_nonnull (forge_graph_find (graph, "c")->producer);
  g_assert_nonnull (forge_graph_find (graph, "d")->producer);
  g_assert_cmpuint (graph->nodes->len, ==, 4);
}

static void
what_travels_with_a_model_survives (void)
{
  static const char *const kept[] = { "forge.calibration", "forge.baseline",
    "forge.training", "forge.data_hash", "forge.augmentation",
    "forge.evaluation", "forge.drift", "other.key" };
  g_autofree char *path = narrow_find_file ("corpus/onnx/cnn.onnx");
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeGraph) graph = forge_format_read_file (path, &error);
  g_assert_no_error (error);
  const char *const added[][2] = { { "forge.calibration",
                                       "{\"version\":1,\"temperature\":1.75}" },
    { "forge.training", "{\"version\":1,\"seed\":3}" },
    { "other.key", "unchanged" } };
  for (gsize i = 0; i < G_N_ELEMENTS (added); i++)
    g_hash_table_insert (
        graph->metadata, g_strdup (added[i][0]), g_strdup (added[i][1]));
  g_autofree char *full = g_build_filename (folder, "full.onnx", NULL);
  g_assert_true (forge_onnx_write (graph, full, &error));
  g_autoptr (ForgeModel) before = narrow_load (full);
  g_autofree char *narrow = save (before, FORGE_WEIGHTS_FLOAT16, "half.onnx");
  g_autoptr (ForgeModel) after = narrow_load (narrow);
  for (gsize i = 0; i < G_N_ELEMENTS (kept); i++)
    g_assert_cmpstr (forge_model_get_metadata (after, kept[i]), ==,
        forge_model_get_metadata (before, kept[i]));
  g_assert_cmpstr (
      forge_model_get_metadata (after, "other.key"), ==, "unchanged");
  g_assert_true (g_strv_equal (
      forge_model_get_labels (after), forge_model_get_labels (before)));
  g_assert_cmpfloat (forge_model_get_temperature (after), ==, 1.75);
  g_assert_cmpstr (
      forge_model_get_name (after), ==, forge_model_get_name (before));
  g_assert_cmpmem (forge_model_get_preprocess (after), sizeof (ForgePreprocess),
      forge_model_get_preprocess (before), sizeof (ForgePreprocess));
  g_remove (full);
  g_remove (narrow);
}

int
main (int argc, char **argv)
{
  static const char *const names[] = { "corpus/onnx/cnn.onnx",
    "corpus/tflite/network-float.tflite", "keras/cifar10_cnn_bn.keras",
    "keras/mlperf_resnet8_cifar10.h5",
    "tflite/mlperf_resnet8_cifar10_float.tflite",
    "onnx/resnet20_cifar10_fp32.onnx",
    "onnx/squeezenet1.1_openvino_fp32_224gap.onnx" };
  g_test_init (&argc, &argv, NULL);
  folder = g_dir_make_tmp ("forge-half-XXXXXX", NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (names); i++) {
    g_autofree char *round = g_strconcat ("/half/nearest/", names[i], NULL);
    g_autofree char *alike = g_strconcat ("/half/alike/", names[i], NULL);
    g_autofree char *ort = g_strconcat ("/half/runtime/", names[i], NULL);
    g_test_add_data_func (
        round, names[i], every_matrix_is_rounded_to_the_nearest_half);
    g_test_add_data_func (alike, names[i], files_of_both_kinds_run_alike);
    g_test_add_data_func (ort, names[i], onnx_runtime_computes_the_same);
  }
#define ADD(test) g_test_add_func ("/half/" #test, test)
  ADD (what_does_not_fit_a_half_stays_float32_and_is_named);
  ADD (a_value_that_is_no_half_is_never_written_as_one);
  ADD (casts_of_others_are_taken_in);
  ADD (what_travels_with_a_model_survives);
  int status = g_test_run ();
  g_rmdir (folder);
  g_free (folder);
  return status;
}
