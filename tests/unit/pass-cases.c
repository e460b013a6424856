/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "pass-cases.h"

#include <math.h>

ForgeAttrs *
pass_int_attr (const char *name, int64_t value)
{
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_int (attrs, name, value);
  return attrs;
}

void
pass_image_input (
    ForgeGraph *graph, ForgeDtype dtype, int a, int b, int c, int d)
{
  ForgeShape shape = forge_shape (4, a, b, c, d);
  forge_graph_add_input (graph, "x", dtype, &shape);
}

static void
assert_close (const GPtrArray *got, const GPtrArray *want, double tolerance)
{
  g_assert_cmpuint (got->len, ==, want->len);
  for (guint i = 0; i < got->len; i++) {
    const ForgeTensor *a = got->pdata[i], *b = want->pdata[i];
    g_assert_true (forge_shape_equal (&a->shape, &b->shape));
    g_assert_cmpint (a->dtype, ==, FORGE_FLOAT32);
    const float *x = a->data, *y = b->data;
    for (int64_t k = 0; k < forge_tensor_get_count (a); k++)
      g_assert_cmpfloat (fabs (x[k] - y[k]), <=, tolerance * (1 + fabs (y[k])));
  }
}

static void
pass_keeps_results_and_does_its_work (gconstpointer data)
{
  const PassCase *row = data;
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeGraph) graph = forge_graph_new ("t");
  graph->opset = 14;
  row->build (graph);
  toy_output (graph, "y");
  forge_graph_sort (graph, &error);
  g_assert_no_error (error);
  forge_graph_infer (graph, &error);
  g_assert_no_error (error);
  g_autoptr (GPtrArray) want = toy_run (graph, 5);
  forge_graph_run_pass (graph, row->pass, FORGE_PASSES_INFERENCE, &error);
  g_assert_no_error (error);
  for (guint i = 0; i < 3 && row->after[i].type; i++) {
    g_test_message ("%s", row->after[i].type);
    g_assert_cmpuint (
        toy_count (graph, row->after[i].type), ==, row->after[i].count);
  }
  g_autoptr (GPtrArray) got = toy_run (graph, 5);
  assert_close (got, want, row->tolerance);
}

void
pass_cases_add (const PassCase *cases, gsize n_cases)
{
  for (gsize i = 0; i < n_cases; i++) {
    g_autofree char *path = g_strdup_printf (
        "/passes/%s/%s_keeps_results", cases[i].pass, cases[i].name);
    g_test_add_data_func (
        path, &cases[i], pass_keeps_results_and_does_its_work);
  }
}
