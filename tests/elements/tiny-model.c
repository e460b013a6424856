/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * uint8 [N, 8, 8, 3] -> Cast -> Transpose -> GlobalAveragePool -> Flatten ->
 * Gemm (gain / 255 on the diagonal) -> Softmax, written by our own writer. */
#include "tiny-model.h"

#include <glib/gstdio.h>

#include "formats/format.h"

static ForgeValue *
append (ForgeGraph *graph, const char *type, ForgeAttrs *attrs, ForgeValue *a,
    ForgeValue *b)
{
  const ForgeOp *op = forge_op_find (type, "");
  g_assert_nonnull (op);
  g_autofree char *name = g_ascii_strdown (type, -1);
  ForgeValue *inputs[] = { a, b };
  ForgeValue *outputs[] = { forge_graph_value (graph, name) };
  forge_graph_add_node (graph, op, name, attrs, inputs, b ? 2 : 1, outputs, 1);
  return outputs[0];
}

static ForgeGraph *
build (float gain)
{
  static const int64_t nchw[] = { 0, 3, 1, 2 };
  ForgeGraph *graph = forge_graph_new (TINY_MODEL_NAME);
  ForgeShape image = forge_shape (4, -1, TINY_MODEL_SIZE, TINY_MODEL_SIZE, 3);
  ForgeShape square = forge_shape (2, 3, 3);
  g_autoptr (ForgeTensor) weights =
      forge_tensor_new (FORGE_FLOAT32, &square, NULL);
  for (int c = 0; c < 3; c++)
    ((float *) forge_tensor_get_data (weights))[c * 3 + c] = gain / 255;

  ForgeAttrs *to_float = forge_attrs_new ();
  forge_attrs_set_int (to_float, "to", FORGE_FLOAT32);
  ForgeAttrs *perm = forge_attrs_new ();
  forge_attrs_set_ints (perm, "perm", nchw, 4);

  graph->opset = 13;
  ForgeValue *value =
      forge_graph_add_input (graph, "image", FORGE_UINT8, &image);
  value = append (graph, "Cast", to_float, value, NULL);
  value = append (graph, "Transpose", perm, value, NULL);
  value = append (graph, "GlobalAveragePool", NULL, value, NULL);
  value = append (graph, "Flatten", NULL, value, NULL);
  value = append (graph, "Gemm", NULL, value,
      forge_graph_add_constant (graph, "weights", weights));
  value = append (graph, "Softmax", NULL, value, NULL);
  forge_graph_add_output (graph, value);
  return graph;
}

char *
tiny_model_write (float gain)
{
  char *labels[] = { (char *) "red", (char *) "green", (char *) "blue", NULL };
  GError *error = NULL;
  g_autoptr (ForgeGraph) graph = build (gain);
  ForgeModelInfo info = {
    .name = (char *) TINY_MODEL_NAME,
    .version = (char *) TINY_MODEL_VERSION,
    .labels = labels,
    .preprocess = FORGE_PREPROCESS_DEFAULT,
    .has_probabilities = TRUE,
    .n_classes = 3,
  };
  info.preprocess.width = info.preprocess.height = TINY_MODEL_SIZE;
  info.preprocess.policy = FORGE_RESIZE_STRETCH;
  g_assert_true (forge_graph_infer (graph, &error));
  g_assert_no_error (error);
  forge_model_info_write (&info, graph);
  g_hash_table_insert (graph->metadata, g_strdup ("forge.drift"),
      g_strdup ("{\"version\":1,\"mean_confidence\":0.75}"));

  g_autofree char *folder = g_dir_make_tmp ("forge-tiny-XXXXXX", &error);
  g_assert_no_error (error);
  char *path = g_build_filename (folder, "tiny.onnx", NULL);
  g_assert_true (forge_onnx_write (graph, path, &error));
  g_assert_no_error (error);
  return path;
}

void
tiny_model_remove (char *path)
{
  g_autofree char *folder = g_path_get_dirname (path);
  g_unlink (path);
  g_rmdir (folder);
  g_free (path);
}
