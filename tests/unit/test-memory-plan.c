/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The memory plan: nothing alive is ever written over, and memory is reused. */
#include <string.h>

#include "base/rng.h"
#include "toy-graph.h"

/* A random chain with side branches, views and in-place operators. */
static ForgeGraph *
random_graph (ForgeRng *rng)
{
  ForgeGraph *graph = forge_graph_new ("random");
  const ForgeOp *const ops[] = { &toy_op, &toy_op, &toy_in_place_op,
    &toy_view_op };
  guint n_nodes = 1 + forge_rng_below (rng, 40);
  toy_input (graph, "v0", 1 + (int) forge_rng_below (rng, 50), 0, 0, 0);
  toy_input (graph, "v1", 1 + (int) forge_rng_below (rng, 50), 0, 0, 0);
  for (guint n = 2; n < n_nodes + 2; n++) {
    const ForgeOp *op = ops[forge_rng_below (rng, G_N_ELEMENTS (ops))];
    guint reach = 1 + forge_rng_below (rng, MIN (n, 6));
    g_autofree char *out = g_strdup_printf ("v%u", n);
    g_autofree char *in = op->max_inputs == 1
                              ? g_strdup_printf ("v%u", n - reach)
                              : g_strdup_printf ("v%u, v%u", n - reach,
                                    n - 1 - forge_rng_below (rng, reach));
    ForgeNode *node = toy_node (graph, op, in, out, NULL);
    /* Sizes differ where the operator does not tie them together. */
    node->op->infer (node, NULL);
    ForgeValue *made = forge_graph_find (graph, out);
    if (op == &toy_op)
      made->shape.dims[0] = 1 + (int) forge_rng_below (rng, 100);
    if (n == n_nodes + 1 || forge_rng_below (rng, 12) == 0)
      toy_output (graph, out);
  }
  return graph;
}

/* Every value holds its own number; a node checks its inputs, then writes its
 * outputs. Views pass numbers on. */
typedef struct {
  const ForgeMemoryPlan *plan;
  uint8_t *arena;
  GHashTable *number; /* ForgeValue* -> what its bytes must be */
} Machine;

static void
check_value (const Machine *machine, const ForgeValue *value)
{
  size_t offset_bytes, size_bytes;
  g_assert_true (forge_memory_plan_find (machine->plan, value, &offset_bytes));
  g_assert_true (
      forge_shape_size_bytes (&value->shape, value->dtype, &size_bytes));
  g_assert_cmpuint (offset_bytes % 64, ==, 0);
  g_assert_cmpuint (offset_bytes + size_bytes, <=, machine->plan->arena_bytes);
  int want = GPOINTER_TO_INT (g_hash_table_lookup (machine->number, value));
  for (size_t i = 0; i < size_bytes; i++)
    g_assert_cmpint (machine->arena[offset_bytes + i], ==, want);
}

static void
write_value (Machine *machine, ForgeValue *value, int number)
{
  size_t offset_bytes, size_bytes;
  forge_memory_plan_find (machine->plan, value, &offset_bytes);
  forge_shape_size_bytes (&value->shape, value->dtype, &size_bytes);
  memset (machine->arena + offset_bytes, number, size_bytes);
  g_hash_table_insert (machine->number, value, GINT_TO_POINTER (number));
}

static void
run_machine (const ForgeGraph *graph, Machine *machine)
{
  int next = 1;
  for (guint i = 0; i < graph->inputs->len; i++)
    write_value (machine, graph->inputs->pdata[i], next++);
  for (guint n = 0; n < graph->nodes->len; n++) {
    const ForgeNode *node = graph->nodes->pdata[n];
    for (guint i = 0; i < node->inputs->len; i++)
      check_value (machine, node->inputs->pdata[i]);
    ForgeValue *out = node->outputs->pdata[0];
    if (node->op->is_view)
      g_hash_table_insert (machine->number, out,
          g_hash_table_lookup (machine->number, node->inputs->pdata[0]));
    else
      write_value (machine, out, next++);
  }
  for (guint i = 0; i < graph->outputs->len; i++)
    check_value (machine, graph->outputs->pdata[i]);
  for (guint i = 0; i < graph->inputs->len; i++)
    check_value (machine, graph->inputs->pdata[i]);
}

static void
values_alive_together_never_overlap (void)
{
  ForgeRng rng;
  uint64_t seed = (uint64_t) g_test_rand_int ();
  g_test_message ("seed %" G_GUINT64_FORMAT, seed);
  forge_rng_seed (&rng, seed);
  for (int round = 0; round < 300; round++) {
    g_autoptr (ForgeGraph) graph = random_graph (&rng);
    g_autoptr (GError) error = NULL;
    forge_graph_sort (graph, &error);
    g_assert_no_error (error);
    for (int keep_all = 0; keep_all < 2; keep_all++) {
      g_autoptr (ForgeMemoryPlan) plan =
          forge_memory_plan_new (graph, keep_all, NULL);
      g_autofree uint8_t *arena = g_malloc0 (plan->arena_bytes);
      g_autoptr (GHashTable) number = g_hash_table_new (NULL, NULL);
      Machine machine = { plan, arena, number };
      run_machine (graph, &machine);
      if (!keep_all)
        continue;
      /* Nothing at all was written over. */
      for (guint i = 0; i < graph->values->len; i++)
        check_value (&machine, graph->values->pdata[i]);
    }
  }
}

static ForgeGraph *
chain (const ForgeOp *op, int length)
{
  ForgeGraph *graph = forge_graph_new ("chain");
  toy_input (graph, "v0", 1000, 0, 0, 0);
  for (int i = 1; i <= length; i++) {
    g_autofree char *in = g_strdup_printf ("v%d", i - 1);
    g_autofree char *out = g_strdup_printf ("v%d", i);
    toy_node (graph, op, in, out, NULL);
  }
  g_autofree char *last = g_strdup_printf ("v%d", length);
  toy_output (graph, last);
  g_assert_true (forge_graph_infer (graph, NULL));
  return graph;
}

static void
chain_reuses_memory (void)
{
  const size_t one = 4032; /* 1000 floats, rounded up to 64 bytes */
  static const struct {
    const ForgeOp *op;
    gboolean keep_all;
    size_t blocks;
  } rows[] = {
    { &toy_op, FALSE, 3 }, /* the input stays, two take turns */
    { &toy_op, TRUE, 11 },
    { &toy_in_place_op, FALSE, 2 }, /* the input must not be written over */
    { &toy_in_place_op, TRUE, 11 },
    { &toy_view_op, FALSE, 1 },
    { &toy_view_op, TRUE, 1 },
  };
  for (guint i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autoptr (ForgeGraph) graph = chain (rows[i].op, 10);
    g_autoptr (ForgeMemoryPlan) plan =
        forge_memory_plan_new (graph, rows[i].keep_all, NULL);
    g_assert_cmpuint (plan->arena_bytes, ==, rows[i].blocks * one);
  }
}

static void
view_of_a_constant_has_no_place (void)
{
  g_autoptr (ForgeGraph) graph = forge_graph_new ("t");
  toy_constant (graph, "k", 1, 0, 1, 4, 0, 0, 0);
  toy_node (graph, &toy_view_op, "k", "view", NULL);
  toy_node (graph, &toy_in_place_op, "view", "y", NULL);
  toy_output (graph, "y");
  g_assert_true (forge_graph_infer (graph, NULL));
  g_autoptr (ForgeMemoryPlan) plan = forge_memory_plan_new (graph, FALSE, NULL);
  size_t offset_bytes;
  g_assert_false (forge_memory_plan_find (
      plan, forge_graph_find (graph, "view"), &offset_bytes));
  g_assert_true (forge_memory_plan_find (
      plan, forge_graph_find (graph, "y"), &offset_bytes));
}

static void
impossible_sizes_are_errors (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeGraph) unknown = forge_graph_new ("t");
  toy_input (unknown, "x", -1, 4, 0, 0);
  g_assert_null (forge_memory_plan_new (unknown, FALSE, &error));
  g_assert_error (error, FORGE_ERROR, FORGE_ERROR_SHAPE);
  g_clear_error (&error);
  g_autoptr (ForgeGraph) huge = forge_graph_new ("t");
  toy_input (huge, "x", INT32_MAX, INT32_MAX / 4, 0, 0);
  toy_input (huge, "y", INT32_MAX, INT32_MAX / 4, 0, 0);
  g_assert_null (forge_memory_plan_new (huge, FALSE, &error));
  g_assert_error (error, FORGE_ERROR, FORGE_ERROR_MEMORY);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/memory-plan/values_alive_together_never_overlap",
      values_alive_together_never_overlap);
  g_test_add_func ("/memory-plan/chain_reuses_memory", chain_reuses_memory);
  g_test_add_func ("/memory-plan/view_of_a_constant_has_no_place",
      view_of_a_constant_has_no_place);
  g_test_add_func (
      "/memory-plan/impossible_sizes_are_errors", impossible_sizes_are_errors);
  return g_test_run ();
}
