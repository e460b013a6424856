/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Weights that a file keeps as int8: each is within half a step of its
 * channel, a second rounding changes nothing, every runtime computes the same
 * with them, what does not fit is something else, and networks whose
 * activations are quantised too are read as ever. */
#include <float.h>
#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

#include "forge/error.h"
#include "formats/format.h"
#include "graph/stored-weights.h"
#include "narrow.h"
#include "tensor/tensor.h"

static char *folder;

static char *
save (const ForgeModel *model, ForgeWeights weights, const char *name)
{
  return narrow_save (model, weights, folder, name);
}

/* @before has the numbers that @after was made of. */
static void
assert_nearest_levels (const ForgeTensor *before, const ForgeValue *after)
{
  const float *x = before->data, *y = after->constant->data;
  const float *scales = after->scale->data;
  int64_t n_channels = after->shape.dims[after->scale_axis];
  g_assert_cmpint (forge_tensor_get_count (after->scale), ==, n_channels);
  g_autofree int *highest = g_new0 (int, n_channels);
  for (int64_t i = 0; i < forge_tensor_get_count (before); i++) {
    int64_t c = narrow_channel_of (after, i);
    double level = (double) y[i] / scales[c];
    g_assert_cmpfloat (level, ==, rint (level));
    g_assert_cmpfloat (fabs (level), <=, 127);
    g_assert_cmpfloat (fabs ((double) x[i] - y[i]), <=, scales[c] / 2.0);
    highest[c] = MAX (highest[c], (int) fabs (level));
  }
  for (int64_t c = 0; c < n_channels; c++) {
    int exponent;
    double bits = ldexp (frexp (scales[c], &exponent), 12);
    g_assert_cmpfloat (bits, ==, rint (bits));
    g_assert_true (highest[c] == 127 || (highest[c] == 0 && scales[c] == 1));
  }
}

static void
every_matrix_is_rounded_by_its_channels (gconstpointer name)
{
  g_autofree char *path = narrow_find_file (name);
  if (!path)
    return;
  g_autoptr (ForgeModel) before = narrow_load (path);
  g_autofree char *wide = save (before, FORGE_WEIGHTS_FLOAT32, "wide.onnx");
  g_autofree char *narrow = save (before, FORGE_WEIGHTS_INT8, "int8.onnx");
  g_autoptr (ForgeModel) reference = narrow_load (wide);
  g_autoptr (ForgeModel) after = narrow_load (narrow);
  narrow_assert_constants (forge_model_get_graph (reference),
      forge_model_get_graph (after), forge_value_is_int8,
      assert_nearest_levels);
  g_auto (ForgeWeightsReport) report = { 0 };
  forge_model_report_weights (after, &report);
  g_assert_cmpuint (report.n_int8, ==, report.n_matrices);
  g_assert_cmpuint (report.n_half, ==, 0);
  g_assert_null (report.unfit);
  /* the node and the names of a matrix are all that is added */
  gsize saved = report.computed_bytes - report.stored_bytes;
  g_assert_cmpuint (narrow_size_of (narrow), <=,
      narrow_size_of (wide) - saved + 240 * (gsize) report.n_int8);
  g_assert_cmpint (forge_model_count_parameters (after), ==,
      forge_model_count_parameters (before));
  g_assert_cmpstr (forge_model_get_precision (after), ==, "int8-weights");
  g_remove (wide);
  g_remove (narrow);
}

static void
files_of_both_kinds_run_alike (gconstpointer name)
{
  narrow_assert_run_alike (name, FORGE_WEIGHTS_INT8, folder);
}

static void
onnx_runtime_computes_the_same (gconstpointer name)
{
  g_autofree char *path = narrow_find_file (name);
  if (!path)
    return;
  g_autoptr (ForgeModel) before = narrow_load (path);
  g_autofree char *narrow = save (before, FORGE_WEIGHTS_INT8, "int8.onnx");
  g_autoptr (ForgeModel) int8 = narrow_load (narrow);
  narrow_assert_runtime_agrees (int8, narrow);
  g_remove (narrow);
}

/* One product of x and w, w on the side @index. */
static ForgeGraph *
product_graph (const char *type, ForgeAttrs *attrs, guint index, ForgeTensor *w)
{
  ForgeGraph *graph = forge_graph_new ("product");
  graph->opset = 13;
  ForgeShape open = forge_shape (2, -1, 4);
  ForgeValue *inputs[2];
  inputs[1 - index] = forge_graph_add_input (graph, "x", FORGE_FLOAT32, &open);
  inputs[index] = forge_graph_add_constant (graph, "w", w);
  ForgeValue *out = forge_graph_value (graph, "y");
  forge_graph_add_node (
      graph, forge_op_find (type, ""), "p", attrs, inputs, 2, &out, 1);
  forge_graph_add_output (graph, out);
  return graph;
}

/* From one channel to the next the numbers grow tenfold: by other scales than
 * theirs all but the last would be lost. */
static void
scales_go_by_the_channels_that_come_out (void)
{
  static const struct {
    const char *type, *attribute;
    int value;
    guint index;
    ForgeShape shape;
    int axis;
  } rows[] = {
    { "Conv", NULL, 0, 1, { 4, { 6, 4, 3, 3 } }, 0 },
    { "ConvTranspose", NULL, 0, 1, { 4, { 5, 6, 3, 3 } }, 1 },
    { "ConvTranspose", "group", 6, 1, { 4, { 6, 1, 5, 3 } }, 0 },
    { "Gemm", NULL, 0, 1, { 2, { 16, 6 } }, 1 },
    { "Gemm", "transB", 1, 1, { 2, { 6, 16 } }, 0 },
    { "Gemm", "transA", 1, 0, { 2, { 16, 6 } }, 1 },
    { "Gemm", NULL, 0, 0, { 2, { 6, 16 } }, 0 },
    { "MatMul", NULL, 0, 1, { 2, { 16, 6 } }, 1 },
    { "MatMul", NULL, 0, 1, { 3, { 2, 16, 6 } }, 2 },
    { "MatMul", NULL, 0, 0, { 2, { 6, 16 } }, 0 },
    { "MatMul", NULL, 0, 0, { 3, { 2, 6, 16 } }, 1 },
  };
  for (gsize r = 0; r < G_N_ELEMENTS (rows); r++) {
    g_autoptr (GError) error = NULL;
    g_autoptr (ForgeTensor) w =
        forge_tensor_new (FORGE_FLOAT32, &rows[r].shape, NULL);
    const ForgeValue place = { .shape = rows[r].shape,
      .scale_axis = rows[r].axis };
    for (int64_t i = 0; i < forge_tensor_get_count (w); i++)
      ((float *) w->data)[i] =
          (float) (pow (10, (double) narrow_channel_of (&place, i)) *
                   sin ((double) i + 1));
    ForgeAttrs *attrs = forge_attrs_new ();
    if (rows[r].attribute)
      forge_attrs_set_int (attrs, rows[r].attribute, rows[r].value);
    g_autoptr (ForgeGraph) graph =
        product_graph (rows[r].type, attrs, rows[r].index, w);
    g_assert_true (
        forge_graph_store_weights (graph, FORGE_WEIGHTS_INT8, &error));
    const ForgeValue *value = forge_graph_find (graph, "w");
    g_assert_true (forge_value_is_int8 (value));
    g_assert_cmpint (value->scale_axis, ==, rows[r].axis);
    assert_nearest_levels (w, value);
    g_assert_true (value->constant != w);
  }
}

static void
what_does_not_fit_an_int8_is_named (void)
{
  static const struct {
    float factor, first; /* of w; its first element */
    const char *unfit;   /* NULL = it fits */
  } rows[] = {
    { 1, 1, NULL },
    { 1, 1e6f, NULL },
    { 1, 3e38f, NULL },
    { 1, FLT_MAX, "'w' (has values that are not finite, or too large)" },
    { 1, INFINITY, "'w' (has values that are not finite, or too large)" },
    { 1, -INFINITY, "'w' (has values that are not finite, or too large)" },
    { 1, NAN, "'w' (has values that are not finite, or too large)" },
    { 1e-30f, 0, NULL },
    { 1e-38f, 0, "'w' (would lose more than" },
    { 1e-42f, 0, "'w' (would lose more than" },
    /* a channel that is next to nothing beside others */
    { 1, 1e-40f, NULL },
    { 0, 0, NULL },
  };
  float w[256], v[256];
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    for (int k = 0; k < 256; k++) {
      v[k] = (float) (k + 1) / 3;
      w[k] = rows[i].factor * v[k];
    }
    w[0] = rows[i].first;
    for (int k = 16; k < 256 && rows[i].first == 1e-40f; k += 16)
      w[k] = 0;
    g_autoptr (ForgeModel) before = narrow_gemm_model (w, v, 13);
    g_autofree char *path = save (before, FORGE_WEIGHTS_INT8, "fit.onnx");
    g_autoptr (ForgeModel) after = narrow_load (path);
    g_auto (ForgeWeightsReport) report = { 0 };
    forge_model_report_weights (after, &report);
    g_assert_cmpuint (report.n_int8, ==, rows[i].unfit ? 1 : 2);
    g_assert_cmpuint (report.n_half, ==, 0);
    g_assert_cmpuint (report.stored_bytes, ==,
        report.computed_bytes - (3 * 256 - 4 * 16) * (gsize) report.n_int8);
    if (rows[i].unfit)
      g_assert_nonnull (strstr (report.unfit, rows[i].unfit));
    else
      g_assert_null (report.unfit);
    const ForgeTensor *kept =
        forge_graph_find (forge_model_get_graph (after), "w")->constant;
    if (rows[i].unfit)
      g_assert_cmpmem (kept->data, kept->size_bytes, w, sizeof w);
    g_remove (path);
  }
}

/* One large number and thousands of half a step of it: a float16 keeps them. */
static void
what_would_lose_too_much_is_float16 (void)
{
  ForgeShape shape = forge_shape (2, 4096, 4);
  g_autoptr (ForgeTensor) w = forge_tensor_new (FORGE_FLOAT32, &shape, NULL);
  float *values = w->data;
  for (int i = 0; i < 4 * 4096; i++)
    values[i] = i < 4 ? 1 : 0.4f / 127;
  g_autoptr (GError) error = NULL;
  ForgeGraph *graph = product_graph ("MatMul", NULL, 1, w);
  ((ForgeValue *) graph->inputs->pdata[0])->shape.dims[1] = 4096;
  g_assert_true (forge_graph_store_weights (graph, FORGE_WEIGHTS_INT8, &error));
  g_assert_true (forge_value_is_half (forge_graph_find (graph, "w")));
  g_assert_true (
      forge_graph_sort (graph, &error) && forge_graph_infer (graph, &error));
  g_autoptr (ForgeModel) model =
      forge_model_new_from_graph (graph, "losing", &error);
  g_assert_no_error (error);
  g_auto (ForgeWeightsReport) report = { 0 };
  forge_model_report_weights (model, &report);
  g_assert_cmpuint (report.n_half, ==, 1);
  g_assert_cmpuint (report.n_int8, ==, 0);
}

static void
expect_refusal (ForgeModel *model, const char *text)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *path = g_build_filename (folder, "refused.onnx", NULL);
  g_assert_false (
      forge_model_save_onnx (model, NULL, FORGE_WEIGHTS_INT8, path, &error));
  g_assert_error (error, FORGE_ERROR, FORGE_ERROR_UNSUPPORTED);
  g_assert_nonnull (strstr (error->message, text));
  g_assert_false (g_file_test (path, G_FILE_TEST_EXISTS));
}

static void
opsets_without_an_axis_are_refused (void)
{
  float w[256];
  for (int k = 0; k < 256; k++)
    w[k] = (float) k;
  for (int opset = 11; opset <= 14; opset++) {
    g_autoptr (ForgeModel) model = narrow_gemm_model (w, w, opset);
    if (opset < 13) {
      expect_refusal (model, opset == 11 ? "opset 11" : "opset 12");
      continue;
    }
    g_autofree char *path = save (model, FORGE_WEIGHTS_INT8, "opset.onnx");
    g_remove (path);
  }
}

/* A mark that no longer holds must not round behind anybody's back; names that
 * the two initializers would have are taken. */
static void
a_value_off_its_scale_is_never_written_as_int8 (void)
{
  g_autoptr (GError) error = NULL;
  ForgeShape shape = forge_shape (2, 8, 8);
  g_autoptr (ForgeTensor) w = forge_tensor_new (FORGE_FLOAT32, &shape, NULL);
  for (int i = 0; i < 64; i++)
    ((float *) w->data)[i] = (float) i;
  g_autoptr (ForgeGraph) graph = product_graph ("MatMul", NULL, 1, w);
  ((ForgeValue *) graph->inputs->pdata[0])->shape.dims[1] = 8;
  ForgeValue *out = graph->outputs->pdata[0];
  static const char *const names[] = { "w_int8", "w_scale", "w_scale_" };
  for (gsize i = 0; i < G_N_ELEMENTS (names); i++) {
    ForgeValue *inputs[] = { out,
      forge_graph_add_constant (graph, names[i], w) };
    out = forge_graph_value (graph, i == 2 ? "z" : NULL);
    forge_graph_add_node (
        graph, forge_op_find ("MatMul", ""), NULL, NULL, inputs, 2, &out, 1);
  }
  g_ptr_array_set_size (graph->outputs, 0);
  forge_graph_add_output (graph, out);
  g_assert_true (forge_graph_sort (graph, &error));
  g_assert_true (forge_graph_infer (graph, &error));
  g_assert_true (forge_graph_store_weights (graph, FORGE_WEIGHTS_INT8, &error));
  ForgeValue *stale = forge_graph_find (graph, "w_int8");
  g_assert_true (forge_value_is_int8 (stale));
  ((float *) stale->constant->data)[5] = 1 / 3.0f;
  g_autofree char *path = g_build_filename (folder, "stale.onnx", NULL);
  g_assert_true (forge_onnx_write (graph, path, &error));
  g_autoptr (ForgeGraph) again = forge_format_read_file (path, &error);
  g_assert_no_error (error);
  const ForgeValue *kept = forge_graph_find (again, "w_int8");
  g_assert_cmpfloat (((const float *) kept->constant->data)[5], ==, 1 / 3.0f);
  g_assert_false (forge_value_is_int8 (kept));
  for (gsize i = 0; i < 4; i++) {
    const char *name = i < 3 ? names[i] : "w";
    const ForgeValue *a = forge_graph_find (graph, name);
    const ForgeValue *b = forge_graph_find (again, name);
    g_assert_true (forge_value_is_int8 (b) == (i != 0));
    g_assert_cmpmem (a->constant->data, 256, b->constant->data, 256);
  }
  g_remove (path);
}

/* Their DequantizeLinear nodes belong to the arithmetic. */
static void
quantised_networks_are_read_as_ever (gconstpointer name)
{
  g_autofree char *path = narrow_find_file (name);
  if (!path)
    return;
  g_autoptr (ForgeModel) model = narrow_load (path);
  const ForgeGraph *graph = forge_model_get_graph (model);
  guint n_weights = 0;
  for (guint n = 0; n < graph->nodes->len; n++) {
    const ForgeNode *node = graph->nodes->pdata[n];
    n_weights += strcmp (node->op->type, "DequantizeLinear") == 0 &&
                 forge_node_in (node, 0)->constant;
  }
  g_assert_cmpuint (n_weights, >, 20);
  for (guint v = 0; v < graph->values->len; v++)
    g_assert_false (forge_value_is_int8 (graph->values->pdata[v]));
  g_assert_cmpstr (forge_model_get_precision (model), ==, "int8");
  expect_refusal (model, "quantised already");
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
  static const char *const quantised[] = {
    "onnx/resnet20_cifar10_bnfolded_qdq_s8s8_perchannel.onnx",
    "onnx/resnet20_cifar10_bnfolded_qdq_u8s8_pertensor.onnx",
    "onnx/mobilenet_v2_qdq_s8_perchannel.onnx"
  };
  g_test_init (&argc, &argv, NULL);
  folder = g_dir_make_tmp ("forge-int8-XXXXXX", NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (names); i++) {
    g_autofree char *round = g_strconcat ("/int8/nearest/", names[i], NULL);
    g_autofree char *alike = g_strconcat ("/int8/alike/", names[i], NULL);
    g_autofree char *ort = g_strconcat ("/int8/runtime/", names[i], NULL);
    g_test_add_data_func (
        round, names[i], every_matrix_is_rounded_by_its_channels);
    g_test_add_data_func (alike, names[i], files_of_both_kinds_run_alike);
    g_test_add_data_func (ort, names[i], onnx_runtime_computes_the_same);
  }
  for (gsize i = 0; i < G_N_ELEMENTS (quantised); i++) {
    g_autofree char *test =
        g_strconcat ("/int8/quantised/", quantised[i], NULL);
    g_test_add_data_func (
        test, quantised[i], quantised_networks_are_read_as_ever);
  }
#define ADD(test) g_test_add_func ("/int8/" #test, test)
  ADD (scales_go_by_the_channels_that_come_out);
  ADD (what_does_not_fit_an_int8_is_named);
  ADD (what_would_lose_too_much_is_float16);
  ADD (opsets_without_an_axis_are_refused);
  ADD (a_value_off_its_scale_is_never_written_as_int8);
  int status = g_test_run ();
  g_rmdir (folder);
  g_free (folder);
  return status;
}
