/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "narrow.h"

#include <glib/gstdio.h>
#include <string.h>

#include "formats/format.h"
#include "graph/stored-weights.h"
#include "ort.h"
#include "tensor/tensor.h"

#define SEED 5

char *
narrow_find_file (const char *name)
{
  if (!g_str_has_prefix (name, "corpus/"))
    return find_data (name);
  return g_build_filename (
      g_getenv ("FORGE_SOURCE_ROOT"), "tests", "fuzz", name, NULL);
}

ForgeModel *
narrow_load (const char *path)
{
  g_autoptr (GError) error = NULL;
  ForgeModel *model = forge_model_load (path, &error);
  g_assert_no_error (error);
  return model;
}

char *
narrow_save (const ForgeModel *model, ForgeWeights weights, const char *folder,
    const char *name)
{
  g_autoptr (GError) error = NULL;
  char *path = g_build_filename (folder, name, NULL);
  forge_model_save_onnx (model, NULL, weights, path, &error);
  g_assert_no_error (error);
  return path;
}

gsize
narrow_size_of (const char *path)
{
  GStatBuf info;
  g_assert_cmpint (g_stat (path, &info), ==, 0);
  return (gsize) info.st_size;
}

int64_t
narrow_channel_of (const ForgeValue *value, int64_t i)
{
  int64_t inner = 1;
  for (int d = value->shape.rank - 1; d > value->scale_axis; d--)
    inner *= value->shape.dims[d];
  return i / inner % value->shape.dims[value->scale_axis];
}

void
narrow_assert_constants (const ForgeGraph *before, const ForgeGraph *after,
    gboolean (*is_narrow) (const ForgeValue *value),
    void (*assert_near) (const ForgeTensor *want, const ForgeValue *got))
{
  g_autoptr (GArray) matrices = forge_graph_list_matrices (after);
  g_autoptr (GArray) originals = forge_graph_list_matrices (before);
  g_assert_cmpuint (matrices->len, ==, originals->len);
  g_assert_cmpuint (matrices->len, >, 0);
  for (guint m = 0; m < matrices->len; m++) {
    const ForgeValue *a = g_array_index (originals, ForgeMatrix, m).value;
    const ForgeValue *b = g_array_index (matrices, ForgeMatrix, m).value;
    g_assert_cmpstr (a->name, ==, b->name);
    g_assert_true (forge_shape_equal (&a->shape, &b->shape));
    g_assert_true (is_narrow (b));
    assert_near (a->constant, b);
  }
  for (guint i = 0; i < after->values->len; i++) {
    const ForgeValue *b = after->values->pdata[i];
    if (!b->constant || is_narrow (b))
      continue;
    const ForgeValue *a = forge_graph_find (before, b->name);
    g_assert_cmpmem (a->constant->data, a->constant->size_bytes,
        b->constant->data, b->constant->size_bytes);
  }
  g_assert_cmpuint (before->nodes->len, ==, after->nodes->len);
}

void
narrow_assert_same_file (const char *a, const char *b)
{
  g_autofree char *x = NULL;
  g_autofree char *y = NULL;
  gsize nx, ny;
  g_assert_true (g_file_get_contents (a, &x, &nx, NULL));
  g_assert_true (g_file_get_contents (b, &y, &ny, NULL));
  g_assert_cmpmem (x, nx, y, ny);
}

void
narrow_assert_same_algorithms (const ForgeSession *a, const ForgeSession *b)
{
  gsize n_a, n_b;
  g_autofree ForgeNodeProfile *x = forge_session_get_profile (a, &n_a);
  g_autofree ForgeNodeProfile *y = forge_session_get_profile (b, &n_b);
  g_assert_cmpuint (n_a, ==, n_b);
  for (gsize i = 0; i < n_a; i++) {
    g_assert_cmpstr (x[i].type, ==, y[i].type);
    g_assert_cmpstr (x[i].algorithm, ==, y[i].algorithm);
  }
}

void
narrow_assert_runtime_agrees (ForgeModel *model, const char *path)
{
  g_autoptr (Ort) ort = ort_open ();
  if (!ort)
    return;
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeTensor) input = draw_input (model, SEED);
  g_autoptr (ForgeSession) session = run_model (model, &input, 1, &error);
  g_assert_no_error (error);
  ForgeTensor *found = forge_session_get_output (session, 0);
  g_autoptr (ForgeTensor) theirs = forge_tensor_copy (found, NULL);
  memset (theirs->data, 0, theirs->size_bytes);
  ort_run (ort, path, NULL, 0, forge_model_get_input (model, 0).name, input,
      forge_model_get_output (model, 0).name, theirs);
  g_autofree char *difference =
      compare_tensors (found, theirs, ONNX_RTOL, 1e-5);
  g_assert_cmpstr (difference, ==, NULL);
}

ForgeModel *
narrow_gemm_model (const float *w, const float *v, int opset)
{
  static const float small[32] = { 1 / 3.0f };
  static const float bias[16] = { 1 / 3.0f };
  g_autoptr (GError) error = NULL;
  ForgeGraph *graph = forge_graph_new ("gemms");
  graph->opset = opset;
  ForgeShape in = forge_shape (2, -1, 16), square = forge_shape (2, 16, 16);
  ForgeShape narrow = forge_shape (2, 16, 2), row = forge_shape (2, 1, 16);
  ForgeValue *x = forge_graph_add_input (graph, "x", FORGE_FLOAT32, &in);
  const struct {
    const char *name, *out;
    const ForgeShape *shape;
    const float *data;
  } layers[] = { { "w", "a", &square, w }, { "v", "b", &square, v },
    { "s", "y", &narrow, small } };
  g_autoptr (ForgeTensor) shift = forge_tensor_new (FORGE_FLOAT32, &row, NULL);
  memcpy (shift->data, bias, sizeof bias);
  ForgeValue *c = forge_graph_add_constant (graph, "bias", shift);
  for (gsize i = 0; i < G_N_ELEMENTS (layers); i++) {
    g_autoptr (ForgeTensor) tensor =
        forge_tensor_new (FORGE_FLOAT32, layers[i].shape, NULL);
    memcpy (tensor->data, layers[i].data, tensor->size_bytes);
    ForgeValue *inputs[] = { x,
      forge_graph_add_constant (graph, layers[i].name, tensor), c };
    ForgeValue *out = forge_graph_value (graph, layers[i].out);
    forge_graph_add_node (graph, forge_op_find ("Gemm", ""), layers[i].out,
        NULL, inputs, i < 2 ? 3 : 2, &out, 1);
    x = out;
  }
  forge_graph_add_output (graph, x);
  g_assert_true (forge_graph_sort (graph, &error));
  g_assert_true (forge_graph_infer (graph, &error));
  ForgeModel *model = forge_model_new_from_graph (graph, "gemms", &error);
  g_assert_no_error (error);
  return model;
}

void
narrow_assert_run_alike (
    const char *name, ForgeWeights weights, const char *folder)
{
  g_autofree char *path = narrow_find_file (name);
  if (!path)
    return;
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeModel) before = narrow_load (path);
  g_autofree char *narrow =
      narrow_save (before, weights, folder, "narrow.onnx");
  g_autoptr (ForgeModel) small = narrow_load (narrow);
  g_autofree char *wide =
      narrow_save (small, FORGE_WEIGHTS_FLOAT32, folder, "wide.onnx");
  g_autofree char *again =
      narrow_save (small, FORGE_WEIGHTS_AS_READ, folder, "again.onnx");
  g_autofree char *twice = narrow_save (small, weights, folder, "twice.onnx");
  g_autoptr (ForgeModel) rounded = narrow_load (wide);
  g_autofree char *back = narrow_save (rounded, weights, folder, "back.onnx");
  g_assert_cmpstr (forge_model_get_precision (rounded), ==, "fp32");
  narrow_assert_same_file (narrow, again);
  narrow_assert_same_file (narrow, twice);
  narrow_assert_same_file (narrow, back);
  g_autoptr (ForgeTensor) input = draw_input (before, SEED);
  g_autoptr (ForgeSession) a = run_model (small, &input, 1, &error);
  g_assert_no_error (error);
  g_autoptr (ForgeSession) b = run_model (rounded, &input, 1, &error);
  g_assert_no_error (error);
  const ForgeTensor *found = forge_session_get_output (a, 0);
  const ForgeTensor *expected = forge_session_get_output (b, 0);
  g_assert_cmpmem (
      found->data, found->size_bytes, expected->data, expected->size_bytes);
  narrow_assert_same_algorithms (a, b);
  const char *const files[] = { narrow, wide, again, twice, back };
  for (gsize i = 0; i < G_N_ELEMENTS (files); i++)
    g_remove (files[i]);
}
