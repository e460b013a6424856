/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * engine/graph: building, checking, sorting and editing. */
#include "toy-graph.h"

static guint
position (const ForgeGraph *graph, const char *output)
{
  guint index = 0;
  ForgeValue *value = forge_graph_find (graph, output);
  g_assert_true (g_ptr_array_find (graph->nodes, value->producer, &index));
  return index;
}

static void
sort_orders_by_dependency (void)
{
  g_autoptr (ForgeGraph) graph = forge_graph_new ("t");
  toy_node (graph, &toy_op, "b, a", "c", NULL);
  toy_node (graph, &toy_op, "a", "b", NULL);
  toy_node (graph, &toy_op, "x, , x", "a", NULL);
  toy_input (graph, "x", 1, 2, 0, 0);
  toy_output (graph, "c");
  g_autoptr (GError) error = NULL;
  g_assert_true (forge_graph_sort (graph, &error));
  g_assert_no_error (error);
  g_assert_cmpuint (position (graph, "a"), ==, 0);
  g_assert_cmpuint (position (graph, "b"), ==, 1);
  g_assert_cmpuint (position (graph, "c"), ==, 2);
}

static void
sort_keeps_a_sound_order (void)
{
  g_autoptr (ForgeGraph) graph = forge_graph_new ("t");
  toy_input (graph, "x", 1, 2, 0, 0);
  toy_node (graph, &toy_op, "x", "a", NULL);
  toy_node (graph, &toy_op, "x", "b", NULL);
  toy_node (graph, &toy_op, "a", "c", NULL);
  toy_node (graph, &toy_op, "c, b", "d", NULL);
  toy_output (graph, "d");
  g_assert_true (forge_graph_sort (graph, NULL));
  const char *names[] = { "a", "b", "c", "d" };
  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    g_assert_cmpuint (position (graph, names[i]), ==, i);
}

static void
sort_survives_a_very_long_chain (void)
{
  g_autoptr (ForgeGraph) graph = forge_graph_new ("t");
  const guint length = 200000;
  for (guint i = length; i > 0; i--) {
    g_autofree char *in = g_strdup_printf ("v%u", i - 1);
    g_autofree char *out = g_strdup_printf ("v%u", i);
    toy_node (graph, &toy_op, in, out, NULL);
  }
  toy_input (graph, "v0", 1, 0, 0, 0);
  g_assert_true (forge_graph_sort (graph, NULL));
  g_assert_cmpuint (position (graph, "v1"), ==, 0);
  g_assert_cmpuint (position (graph, "v200000"), ==, length - 1);
}

static void
cycle_edges (ForgeGraph *graph)
{
  toy_node (graph, &toy_op, "x, c", "a", NULL);
  toy_node (graph, &toy_op, "a", "b", NULL);
  toy_node (graph, &toy_op, "b", "c", NULL);
}

static void
self_edge (ForgeGraph *graph)
{
  toy_node (graph, &toy_op, "a", "a", NULL);
}

static void
missing_value (ForgeGraph *graph)
{
  toy_node (graph, &toy_op, "x, nowhere", "a", NULL);
}

static void
two_producers (ForgeGraph *graph)
{
  toy_node (graph, &toy_op, "x", "a", NULL);
  toy_node (graph, &toy_op, "x", "a", NULL);
}

static void
same_output_twice (ForgeGraph *graph)
{
  toy_node (graph, &toy_op, "x", "a, a", NULL);
}

static void
produced_input (ForgeGraph *graph)
{
  toy_node (graph, &toy_op, "x", "x", NULL);
}

static void
produced_constant (ForgeGraph *graph)
{
  toy_scalar (graph, "k", 1);
  toy_node (graph, &toy_op, "x", "k", NULL);
}

static void
too_many_outputs (ForgeGraph *graph)
{
  toy_node (graph, &toy_op, "x", "a, b, c, d, e", NULL);
}

static void
left_out_input (ForgeGraph *graph)
{
  toy_node (graph, &toy_op, ", x", "a", NULL);
}

static void
left_out_output (ForgeGraph *graph)
{
  toy_node (graph, &toy_op, "x", " ", NULL);
}

static void
unproduced_output (ForgeGraph *graph)
{
  toy_output (graph, "nobody");
}

static void
input_twice (ForgeGraph *graph)
{
  toy_input (graph, "x", 1, 0, 0, 0);
}

static void
sort_reports_unsound_graphs (void)
{
  static const struct {
    const char *name, *message;
    void (*build) (ForgeGraph *graph);
  } rows[] = {
    { "cycle", "*cycle through value '*'", cycle_edges },
    { "self", "*cycle through value 'a'", self_edge },
    { "missing", "*'nowhere'*produced by no node*", missing_value },
    { "two producers", "*'a' is already produced by*", two_producers },
    { "output twice", "*'a' is already produced by*", same_output_twice },
    { "input", "*'x' is already a graph input*", produced_input },
    { "constant", "*'k' is already a graph input*", produced_constant },
    { "arity", "*1 to 4 outputs, found 5", too_many_outputs },
    { "no input", "*input 0 must not be left out", left_out_input },
    { "no output", "*output 0 must not be left out", left_out_output },
    { "unproduced", "*'nobody' is produced by no node", unproduced_output },
    { "input twice", "*input 'x' is listed twice", input_twice },
  };
  for (guint i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_test_message ("%s", rows[i].name);
    g_autoptr (ForgeGraph) graph = forge_graph_new ("t");
    toy_input (graph, "x", 1, 2, 0, 0);
    rows[i].build (graph);
    g_autoptr (GError) error = NULL;
    g_assert_false (forge_graph_sort (graph, &error));
    g_assert_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT);
    g_test_message ("%s", error->message);
    g_assert_true (g_pattern_match_simple (rows[i].message, error->message));
  }
}

static void
replace_moves_every_reader (void)
{
  g_autoptr (ForgeGraph) graph = forge_graph_new ("t");
  ForgeValue *x = toy_input (graph, "x", 1, 2, 0, 0);
  ForgeNode *middle = toy_node (graph, &toy_op, "x", "a", NULL);
  ForgeNode *reader = toy_node (graph, &toy_op, "a, x, a", "b", NULL);
  toy_output (graph, "a");
  ForgeValue *a = forge_graph_find (graph, "a");
  g_assert_cmpuint (forge_graph_count_readers (graph, a), ==, 2);
  forge_graph_replace_value (graph, a, x);
  g_assert_cmpuint (forge_graph_count_readers (graph, a), ==, 0);
  g_assert_true (reader->inputs->pdata[2] == x);
  g_assert_true (graph->outputs->pdata[0] == x);
  forge_graph_remove_node (graph, middle);
  g_assert_null (a->producer);
  forge_graph_sweep (graph);
  g_assert_null (forge_graph_find (graph, "a"));
  g_assert_cmpuint (graph->values->len, ==, 2);
  g_assert_true (forge_graph_sort (graph, NULL));
}

static void
copy_is_deep_but_shares_constants (void)
{
  g_autoptr (ForgeGraph) graph = forge_graph_new ("t");
  graph->opset = 13;
  toy_input (graph, "x", 1, 2, 0, 0);
  ForgeValue *weight = toy_constant (graph, "w", 1, 0, 1, 2, 2, 0, 0);
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_int (attrs, "axis", 3);
  ForgeNode *node = toy_node (graph, &toy_op, "x, , w", "y", attrs);
  node->activation.kind = 2;
  toy_output (graph, "y");
  g_hash_table_insert (graph->metadata, g_strdup ("k"), g_strdup ("v"));
  ForgeGraph *copy = forge_graph_copy (graph);
  g_assert_true (forge_graph_find (copy, "w")->constant == weight->constant);
  ForgeNode *twin = copy->nodes->pdata[0];
  g_assert_true (twin != node && twin->op == node->op);
  g_assert_cmpstr (twin->name, ==, node->name);
  g_assert_null (twin->inputs->pdata[1]);
  g_assert_cmpint (twin->activation.kind, ==, 2);
  g_assert_cmpint (twin->opset, ==, 13);
  forge_attrs_set_int (node->attrs, "axis", 4);
  g_assert_cmpint (forge_attrs_int (twin->attrs, "axis", 0), ==, 3);
  g_assert_true (forge_graph_find (copy, "y")->producer == twin);
  g_assert_cmpstr (g_hash_table_lookup (copy->metadata, "k"), ==, "v");
  forge_graph_free (copy);
  g_assert_cmpint (weight->constant->ref_count, ==, 1);
}

static void
fresh_names_never_collide (void)
{
  g_autoptr (ForgeGraph) graph = forge_graph_new ("t");
  forge_graph_value (graph, "forge.0");
  ForgeValue *a = forge_graph_value (graph, NULL);
  ForgeValue *b = forge_graph_value (graph, "");
  g_assert_cmpstr (a->name, !=, "forge.0");
  g_assert_cmpstr (a->name, !=, b->name);
  g_assert_true (forge_graph_find (graph, a->name) == a);
}

static void
bind_batch_replaces_only_the_leading_extent (void)
{
  g_autoptr (ForgeGraph) graph = forge_graph_new ("t");
  ForgeValue *x = toy_input (graph, "x", -1, 3, 0, 0);
  toy_node (graph, &toy_op, "x", "y", NULL);
  toy_output (graph, "y");
  g_autoptr (GError) error = NULL;
  g_assert_true (forge_graph_infer (graph, &error));
  g_assert_cmpint (forge_graph_find (graph, "y")->shape.dims[0], ==, -1);
  g_assert_true (forge_graph_bind_batch (graph, 5, &error));
  g_assert_cmpint (forge_graph_find (graph, "y")->shape.dims[0], ==, 5);
  x->shape.dims[1] = -1;
  g_assert_false (forge_graph_bind_batch (graph, 5, &error));
  g_assert_error (error, FORGE_ERROR, FORGE_ERROR_SHAPE);
  g_assert_nonnull (strstr (error->message, "'x'"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  static const struct {
    const char *name;
    GTestFunc func;
  } tests[] = {
    { "sort_orders_by_dependency", sort_orders_by_dependency },
    { "sort_keeps_a_sound_order", sort_keeps_a_sound_order },
    { "sort_survives_a_very_long_chain", sort_survives_a_very_long_chain },
    { "sort_reports_unsound_graphs", sort_reports_unsound_graphs },
    { "replace_moves_every_reader", replace_moves_every_reader },
    { "copy_is_deep_but_shares_constants", copy_is_deep_but_shares_constants },
    { "fresh_names_never_collide", fresh_names_never_collide },
    { "bind_batch_replaces_only_the_leading_extent",
        bind_batch_replaces_only_the_leading_extent },
  };
  for (guint i = 0; i < G_N_ELEMENTS (tests); i++) {
    g_autofree char *path = g_strdup_printf ("/graph/%s", tests[i].name);
    g_test_add_func (path, tests[i].func);
  }
  return g_test_run ();
}
