/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The way forward and back through a whole graph, against finite differences
 * of its own forward: values with several readers, weights shared by nodes,
 * views, and a layout that the passes changed. */
#include "run/executor.h"

#include <math.h>
#include <string.h>

#include "toy-graph.h"

#define BATCH 2

static ForgeAttrs *
pads (int n)
{
  return toy_attrs_ints (NULL, "pads", 4, n, n, n, n);
}

/* Smooth everywhere, so that differences mean something. */
static void
build_plain (ForgeGraph *graph)
{
  toy_input (graph, "x", -1, 2, 4, 4);
  toy_constant (graph, "w", 1, -0.5f, 1, 3, 2, 3, 3);
  toy_constant (graph, "b", 2, -0.5f, 1, 3, 0, 0, 0);
  toy_onnx_node (graph, "Conv", "x, w, b", "c", pads (1));
  toy_onnx_node (graph, "Sigmoid", "c", "s", NULL);
  toy_onnx_node (graph, "Flatten", "s", "f", NULL);
  toy_constant (graph, "dense", 3, -0.3f, 0.6f, 48, 3, 0, 0);
  toy_constant (graph, "bias", 4, -0.3f, 0.6f, 3, 0, 0, 0);
  toy_onnx_node (graph, "Gemm", "f, dense, bias", "y", NULL);
}

/* s is read three times, once through a view; w by two nodes. */
static void
build_shared (ForgeGraph *graph)
{
  toy_input (graph, "x", -1, 3, 4, 4);
  toy_constant (graph, "w", 1, -0.3f, 0.6f, 3, 3, 3, 3);
  toy_onnx_node (graph, "Conv", "x, w", "c", pads (1));
  toy_onnx_node (graph, "Sigmoid", "c", "s", NULL);
  toy_onnx_node (graph, "Conv", "s, w", "d", pads (1));
  toy_onnx_node (graph, "Add", "s, d", "sum", NULL);
  toy_onnx_node (graph, "Mul", "sum, s", "m", NULL);
  toy_onnx_node (graph, "Mul", "m, m", "square", NULL);
  toy_onnx_node (graph, "Flatten", "square", "f", NULL);
  toy_constant (graph, "dense", 3, -0.3f, 0.6f, 48, 3, 0, 0);
  toy_onnx_node (graph, "MatMul", "f, dense", "y", NULL);
}

/* The bias that an exporter wrote as an Add; a product that nobody reads. */
static void
build_loose_ends (ForgeGraph *graph)
{
  toy_input (graph, "x", -1, 4, 0, 0);
  toy_constant (graph, "w", 1, -1, 2, 4, 3, 0, 0);
  toy_constant (graph, "b", 2, -1, 2, 3, 0, 0, 0);
  toy_constant (graph, "unread", 2, -1, 2, 4, 3, 0, 0);
  toy_onnx_node (graph, "MatMul", "x, w", "p", NULL);
  toy_onnx_node (graph, "MatMul", "x, unread", "q", NULL);
  toy_onnx_node (graph, "Add", "b, p", "a", NULL);
  toy_onnx_node (graph, "Tanh", "a", "y", NULL);
}

typedef struct {
  const char *name;
  void (*build) (ForgeGraph *graph);
  guint n_parameters;
} Row;

static const Row rows[] = {
  { "plain", build_plain, 4 },
  { "shared", build_shared, 2 },
  { "loose_ends", build_loose_ends, 2 },
};

static ForgeGraph *
build (const Row *row)
{
  g_autoptr (GError) error = NULL;
  ForgeGraph *graph = forge_graph_new (row->name);
  graph->opset = 14;
  row->build (graph);
  toy_output (graph, "y");
  forge_graph_sort (graph, &error);
  g_assert_no_error (error);
  forge_graph_infer (graph, &error);
  g_assert_no_error (error);
  return graph;
}

static ForgeExecutor *
open_executor (const ForgeGraph *graph, int threads, gboolean training)
{
  g_autoptr (GError) error = NULL;
  ForgeExecutor *executor =
      forge_executor_new (graph, BATCH, threads, training, &error);
  g_assert_no_error (error);
  toy_fill (forge_executor_get_input (executor, 0), 77);
  return executor;
}

/* sum (output * direction); direction as toy_fill draws it from seed 5. */
static double
loss (ForgeExecutor *executor)
{
  const ForgeTensor *output = forge_executor_get_output (executor, 0);
  g_autoptr (ForgeTensor) direction = forge_tensor_copy (output, NULL);
  toy_fill (direction, 5);
  g_assert_true (forge_executor_forward (executor, 1, NULL));
  const float *y = output->data, *d = direction->data;
  double sum = 0;
  for (int64_t i = 0; i < forge_tensor_get_count (output); i++)
    sum += (double) y[i] * d[i];
  return sum;
}

static void
step_back (ForgeExecutor *executor)
{
  g_assert_true (forge_executor_forward (executor, 1, NULL));
  toy_fill (forge_executor_get_output_gradient (executor, 0), 5);
  forge_executor_backward (executor);
}

static void
gradients_match_differences (gconstpointer data)
{
  const Row *row = data;
  g_autoptr (ForgeGraph) graph = build (row);
  g_autoptr (ForgeExecutor) learner = open_executor (graph, 1, TRUE);
  g_autoptr (ForgeExecutor) judge = open_executor (graph, 1, FALSE);
  g_assert_cmpuint (
      forge_executor_get_n_parameters (learner), ==, row->n_parameters);
  /* Twice: what the first left behind must not count. */
  step_back (learner);
  step_back (learner);
  const float step = 1e-2f;
  for (guint p = 0; p < row->n_parameters; p++) {
    const ForgeParameter *parameter = forge_executor_get_parameter (learner, p);
    float *value = parameter->value->data;
    const float *gradient = parameter->gradient->data;
    int64_t count = forge_tensor_get_count (parameter->value);
    for (int64_t i = 0; i < count; i += 1 + count / 40) {
      float kept = value[i];
      value[i] = kept + step;
      double high = loss (judge);
      value[i] = kept - step;
      double low = loss (judge);
      value[i] = kept;
      double want = (high - low) / (2 * step);
      g_assert_cmpfloat (
          fabs (gradient[i] - want), <=, 5e-3 * (1 + fabs (want)));
    }
  }
}

static void
gradients_do_not_depend_on_threads (gconstpointer data)
{
  g_autoptr (ForgeGraph) graph = build (data);
  g_autoptr (ForgeExecutor) one = open_executor (graph, 1, TRUE);
  g_autoptr (ForgeExecutor) two = open_executor (graph, 2, TRUE);
  step_back (one);
  step_back (two);
  for (guint p = 0; p < forge_executor_get_n_parameters (one); p++) {
    const ForgeTensor *a = forge_executor_get_parameter (one, p)->gradient;
    const ForgeTensor *b = forge_executor_get_parameter (two, p)->gradient;
    g_assert_cmpmem (a->data, a->size_bytes, b->data, b->size_bytes);
  }
}

static void
operator_without_backward_is_named (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeGraph) graph = forge_graph_new ("t");
  graph->opset = 14;
  toy_input (graph, "x", -1, 3, 0, 0);
  toy_constant (graph, "w", 1, -1, 2, 3, 3, 0, 0);
  toy_onnx_node (graph, "MatMul", "x, w", "p", NULL);
  toy_node (graph, &toy_op, "p", "y", NULL);
  toy_output (graph, "y");
  g_assert_null (forge_executor_new (graph, BATCH, 1, TRUE, &error));
  g_assert_error (error, FORGE_ERROR, FORGE_ERROR_UNSUPPORTED);
  g_assert_nonnull (strstr (error->message, "(Toy)"));
}

static void
first_non_finite_node_is_named (void)
{
  g_autoptr (ForgeGraph) graph = build (&rows[0]);
  g_autoptr (ForgeExecutor) executor = open_executor (graph, 1, TRUE);
  step_back (executor);
  g_assert_null (forge_executor_find_non_finite (executor));
  float *bias = forge_graph_find (graph, "b")->constant->data;
  bias[1] = NAN;
  step_back (executor);
  const ForgeNode *conv = forge_graph_find (graph, "c")->producer;
  g_assert_cmpstr (forge_executor_find_non_finite (executor), ==, conv->name);
}

static void
batch_norm_statistics_are_no_parameters (void)
{
  g_autoptr (ForgeGraph) graph = forge_graph_new ("t");
  toy_input (graph, "x", 1, 3, 2, 2);
  toy_constant (graph, "scale", 1, 0, 1, 3, 0, 0, 0);
  ForgeNode *node = toy_onnx_node (
      graph, "BatchNormalization", "x, scale, scale, scale, scale", "y", NULL);
  static const ForgeRole want[] = { FORGE_ROLE_NONE, FORGE_ROLE_TRAINED,
    FORGE_ROLE_TRAINED, FORGE_ROLE_STATISTIC, FORGE_ROLE_STATISTIC,
    FORGE_ROLE_NONE };
  for (guint i = 0; i < G_N_ELEMENTS (want); i++)
    g_assert_cmpint (forge_node_input_role (node, i), ==, want[i]);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autofree char *path = g_strdup_printf (
        "/executor/%s/gradients_match_differences", rows[i].name);
    g_test_add_data_func (path, &rows[i], gradients_match_differences);
    g_autofree char *threads = g_strdup_printf (
        "/executor/%s/gradients_do_not_depend_on_threads", rows[i].name);
    g_test_add_data_func (
        threads, &rows[i], gradients_do_not_depend_on_threads);
  }
  g_test_add_func ("/executor/operator_without_backward_is_named",
      operator_without_backward_is_named);
  g_test_add_func ("/executor/first_non_finite_node_is_named",
      first_non_finite_node_is_named);
  g_test_add_func ("/executor/batch_norm_statistics_are_no_parameters",
      batch_norm_statistics_are_no_parameters);
  return g_test_run ();
}
