/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The drift baseline in a model file. */
#include "formats/format.h"
#include "forge/model.h"

/* A network that gives back its input, with that metadata. */
static ForgeModel *
make_model (const char *drift)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeGraph) graph = forge_graph_new ("echo");
  ForgeShape shape = forge_shape (4, -1, 3, 1, 1);
  graph->opset = 13;
  ForgeValue *in = forge_graph_add_input (graph, "in", FORGE_FLOAT32, &shape);
  ForgeValue *out = forge_graph_value (graph, "out");
  forge_graph_add_node (
      graph, forge_op_find ("Flatten", ""), "f", NULL, &in, 1, &out, 1);
  forge_graph_add_output (graph, out);
  if (drift)
    g_hash_table_insert (
        graph->metadata, g_strdup ("forge.drift"), g_strdup (drift));
  g_assert_true (forge_graph_infer (graph, &error));
  g_autoptr (GBytes) bytes = forge_onnx_serialise (graph, &error);
  g_assert_no_error (error);
  ForgeModel *model = forge_model_load_bytes (
      g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes), "echo", &error);
  g_assert_no_error (error);
  return model;
}

static void
baseline_is_read_or_zero (void)
{
  static const struct {
    const char *drift;
    double baseline;
  } rows[] = { { "{\"version\":1,\"mean_confidence\":0.875}", 0.875 },
    { "{\"mean_confidence\":1}", 1 }, { NULL, 0 }, { "", 0 }, { "{}", 0 },
    { "{\"mean_confidence\":1.5}", 0 }, { "{\"mean_confidence\":-0.5}", 0 },
    { "{\"mean_confidence\":\"high\"}", 0 }, { "[0.9]", 0 },
    { "{\"mean_confidence\":", 0 } };
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autoptr (ForgeModel) model = make_model (rows[i].drift);
    g_assert_cmpfloat (
        forge_model_get_baseline_confidence (model), ==, rows[i].baseline);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func (
      "/model-drift/baseline_is_read_or_zero", baseline_is_read_or_zero);
  return g_test_run ();
}
