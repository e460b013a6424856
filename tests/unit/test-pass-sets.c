/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * All passes together, as inference and training run them, over random
 * networks; one by one they are in test-passes.c
 * and test-passes-fuse.c. */
#include <math.h>

#include "toy-graph.h"

/* Scores of random networks go to 50, and one that cancels to nearly 0 keeps
 * the rounding of what it was made of. */
static void
assert_close_by_largest (
    const ForgeTensor *got, const ForgeTensor *want, double tolerance)
{
  const float *x = got->data, *y = want->data;
  double largest = 0, worst = 0;
  g_assert_true (forge_shape_equal (&got->shape, &want->shape));
  for (int64_t k = 0; k < forge_tensor_get_count (got); k++) {
    g_assert_true (isfinite (x[k]));
    largest = MAX (largest, fabs (y[k]));
    worst = MAX (worst, fabs (x[k] - y[k]));
  }
  g_assert_cmpfloat (worst, <=, tolerance * (1 + largest));
}

static void
random_networks_keep_results (void)
{
  guint32 first = (guint32) g_test_rand_int ();
  for (guint i = 0; i < 60; i++) {
    for (int set = 0; set < 2; set++) {
      g_test_message ("network %u, set %d", first + i, set);
      g_autoptr (GError) error = NULL;
      g_autoptr (ForgeGraph) graph = toy_network (first + i);
      forge_graph_bind_batch (graph, 1 + i % 3, &error);
      g_assert_no_error (error);
      g_autoptr (GPtrArray) want = toy_run (graph, i);
      forge_graph_run_passes (graph, (ForgePassSet) set, &error);
      g_assert_no_error (error);
      g_autoptr (GPtrArray) got = toy_run (graph, i);
      assert_close_by_largest (got->pdata[0], want->pdata[0], 1e-5);
      if (set == FORGE_PASSES_INFERENCE)
        g_assert_cmpuint (toy_count (graph, "Transpose"), ==, 0);
    }
  }
}

static void
training_keeps_every_parameter (void)
{
  for (uint64_t seed = 0; seed < 40; seed++) {
    g_autoptr (GError) error = NULL;
    g_autoptr (ForgeGraph) graph = toy_network (seed);
    g_autoptr (ForgeGraph) trained = forge_graph_copy (graph);
    forge_graph_bind_batch (trained, 2, &error);
    forge_graph_run_passes (trained, FORGE_PASSES_TRAINING, &error);
    g_assert_no_error (error);
    for (guint n = 0; n < graph->nodes->len; n++) {
      const ForgeNode *node = graph->nodes->pdata[n];
      const ForgeValue *weights = forge_node_in (node, 1);
      if (!g_str_equal (node->op->type, "Conv") &&
          !g_str_equal (node->op->type, "Gemm"))
        continue;
      const ForgeValue *same = forge_graph_find (trained, weights->name);
      g_assert_true (same && same->constant == weights->constant);
    }
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func (
      "/pass-sets/random_networks_keep_results", random_networks_keep_results);
  g_test_add_func ("/pass-sets/training_keeps_every_parameter",
      training_keeps_every_parameter);
  return g_test_run ();
}
