/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Concat without copies (engine/graph/slices.c): the values that should lie in
 * the whole do, and a plan with them gives the bits of one that keeps every
 * value apart. */
#include <string.h>

#include "base/rng.h"
#include "run/steps.h"
#include "toy-graph.h"

static ForgeAttrs *
axis (int64_t value)
{
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_int (attrs, "axis", value);
  return attrs;
}

static void
concat (ForgeGraph *graph, const char *inputs, const char *out)
{
  toy_onnx_node (graph, "Concat", inputs, out, axis (1));
}

/* kernel_shape of @size, padded to keep the image's size. */
static ForgeAttrs *
window (int size, int pad)
{
  ForgeAttrs *attrs = toy_attrs_ints (NULL, "pads", 4, pad, pad, pad, pad);
  return toy_attrs_ints (attrs, "kernel_shape", 2, size, size);
}

static void
pool (ForgeGraph *graph, const char *type, const char *in, const char *out)
{
  toy_onnx_node (graph, type, in, out, window (3, 1));
}

/* Weights [to, from / groups, size, size], from a seed that @out gives. */
static void
grouped_conv (ForgeGraph *graph, const char *in, const char *out, int from,
    int to, int size, int pad, int groups)
{
  g_autofree char *weights = g_strconcat (out, "_w", NULL);
  g_autofree char *bias = g_strconcat (out, "_b", NULL);
  g_autofree char *inputs = g_strjoin (", ", in, weights, bias, NULL);
  toy_constant (graph, weights, g_str_hash (out), -0.2f, 0.4f, to,
      from / groups, size, size);
  toy_constant (graph, bias, g_str_hash (bias), -0.2f, 0.4f, to, 0, 0, 0);
  ForgeAttrs *attrs = window (size, pad);
  forge_attrs_set_int (attrs, "group", groups);
  toy_onnx_node (graph, "Conv", inputs, out, attrs);
}

static void
conv (ForgeGraph *graph, const char *in, const char *out, int from, int to,
    int size)
{
  grouped_conv (graph, in, out, from, to, size, size / 2, 1);
}

static void
batch_norm (ForgeGraph *graph, const char *in, const char *out, int channels)
{
  static const char *const parts[] = { "scale", "shift", "mean", "variance" };
  GString *inputs = g_string_new (in);
  for (guint i = 0; i < G_N_ELEMENTS (parts); i++) {
    g_autofree char *name = g_strjoin ("_", out, parts[i], NULL);
    toy_constant (graph, name, g_str_hash (name), 0.5f, 1, channels, 0, 0, 0);
    g_string_append_printf (inputs, ", %s", name);
  }
  toy_onnx_node (graph, "BatchNormalization", inputs->str, out, NULL);
  g_string_free (inputs, TRUE);
}

/* SqueezeNet's module; wide enough for Winograd. */
static void
build_fire (ForgeGraph *graph)
{
  conv (graph, "x", "squeeze", 5, 48, 1);
  toy_onnx_node (graph, "Relu", "squeeze", "s", NULL);
  conv (graph, "s", "e1", 48, 17, 1);
  conv (graph, "s", "e3", 48, 47, 3);
  toy_onnx_node (graph, "Relu", "e1", "r1", NULL);
  toy_onnx_node (graph, "Relu", "e3", "r3", NULL);
  concat (graph, "r1, r3", "both");
  conv (graph, "both", "y", 64, 7, 3);
}

/* Activations that a kernel does not clamp itself, odd channels. */
static void
build_late (ForgeGraph *graph)
{
  conv (graph, "x", "a", 5, 3, 1);
  grouped_conv (graph, "x", "b", 5, 5, 3, 1, 5);
  conv (graph, "x", "wide", 5, 48, 1);
  conv (graph, "wide", "c", 48, 49, 3);
  toy_onnx_node (graph, "LeakyRelu", "a", "la", NULL);
  toy_onnx_node (graph, "Sigmoid", "b", "lb", NULL);
  toy_onnx_node (graph, "Tanh", "c", "lc", NULL);
  concat (graph, "la, lb, lc", "all");
  toy_onnx_node (graph, "GlobalAveragePool", "all", "y", NULL);
}

static void
build_inception (ForgeGraph *graph)
{
  conv (graph, "x", "s", 5, 9, 1);
  conv (graph, "s", "a", 9, 4, 1);
  conv (graph, "s", "b", 9, 7, 5);
  pool (graph, "MaxPool", "s", "m");
  pool (graph, "AveragePool", "s", "v");
  grouped_conv (graph, "s", "g", 9, 6, 3, 1, 3);
  concat (graph, "a, b, m, v, g", "all");
  pool (graph, "MaxPool", "all", "y");
}

/* Each Concat takes the one before: everything lies in the last. */
static void
build_nested (ForgeGraph *graph)
{
  conv (graph, "x", "s", 5, 6, 1);
  pool (graph, "MaxPool", "s", "c0");
  for (int i = 0; i < 3; i++) {
    g_autofree char *all = g_strdup_printf ("c%d", i);
    g_autofree char *norm = g_strdup_printf ("n%d", i);
    g_autofree char *part = g_strdup_printf ("p%d", i);
    g_autofree char *both = g_strjoin (", ", all, part, NULL);
    g_autofree char *next = g_strdup_printf ("c%d", i + 1);
    batch_norm (graph, all, norm, 6 + 5 * i);
    g_autofree char *active = g_strconcat (norm, "r", NULL);
    toy_onnx_node (graph, "Relu", norm, active, NULL);
    conv (graph, active, part, 6 + 5 * i, 5, 3);
    concat (graph, both, next);
  }
  batch_norm (graph, "c3", "y", 21);
}

/* As torchvision writes DenseNet: each Concat takes all parts anew. */
static void
build_prefixes (ForgeGraph *graph)
{
  conv (graph, "x", "a", 5, 6, 1);
  batch_norm (graph, "a", "na", 6);
  toy_onnx_node (graph, "Relu", "na", "ra", NULL);
  conv (graph, "ra", "b", 6, 5, 3);
  concat (graph, "a, b", "ab");
  batch_norm (graph, "ab", "nab", 11);
  toy_onnx_node (graph, "Relu", "nab", "rab", NULL);
  conv (graph, "rab", "c", 11, 5, 3);
  concat (graph, "a, b, c", "abc");
  batch_norm (graph, "abc", "nabc", 16);
  toy_onnx_node (graph, "Relu", "nabc", "rabc", NULL);
  conv (graph, "rabc", "d", 16, 5, 3);
  concat (graph, "a, b, c, d", "abcd");
  concat (graph, "b, c", "bc");
  toy_onnx_node (graph, "GlobalMaxPool", "bc", "z", NULL);
  toy_onnx_node (graph, "GlobalAveragePool", "abcd", "y", NULL);
  toy_output (graph, "z");
}

/* a is read by what can skip gaps, b and c by what cannot. */
static void
build_read_elsewhere (ForgeGraph *graph)
{
  conv (graph, "x", "a", 5, 48, 1);
  conv (graph, "x", "b", 5, 7, 1);
  conv (graph, "x", "c", 5, 8, 1);
  conv (graph, "a", "a1", 48, 3, 1);
  conv (graph, "a", "a3", 48, 49, 3);
  grouped_conv (graph, "a", "ad", 48, 48, 3, 1, 48);
  toy_onnx_node (graph, "Exp", "b", "e", NULL);
  concat (graph, "a, b, c, a1, a3, ad", "all");
  conv (graph, "all", "y", 163, 4, 1);
  toy_output (graph, "e");
  toy_output (graph, "c");
}

/* The last to read a is an operator that may write over what it reads. */
static void
build_late_reader (ForgeGraph *graph)
{
  conv (graph, "x", "a", 5, 6, 1);
  conv (graph, "x", "b", 5, 7, 1);
  concat (graph, "a, b", "ab");
  conv (graph, "ab", "y", 13, 4, 1);
  batch_norm (graph, "a", "z", 6);
  toy_output (graph, "z");
}

/* Without padding, a row of taps reads pixels side by side. */
static void
build_folded_reader (ForgeGraph *graph)
{
  conv (graph, "x", "a", 5, 6, 1);
  conv (graph, "x", "b", 5, 4, 1);
  grouped_conv (graph, "a", "z", 6, 3, 3, 0, 1);
  concat (graph, "a, b", "y");
  toy_output (graph, "z");
}

static void
build_inputs_and_constants (ForgeGraph *graph)
{
  conv (graph, "x", "a", 5, 6, 1);
  conv (graph, "x", "b", 5, 3, 3);
  toy_constant (graph, "k", 3, -1, 2, 3, 2, 9, 11);
  concat (graph, "x, a, k, b", "all");
  conv (graph, "all", "y", 16, 4, 1);
}

static void
build_twice (ForgeGraph *graph)
{
  conv (graph, "x", "a", 5, 6, 1);
  conv (graph, "x", "b", 5, 3, 1);
  concat (graph, "a, b, a", "aba");
  concat (graph, "aba, b", "abab");
  conv (graph, "abab", "y", 18, 4, 1);
}

static void
build_other_axis (ForgeGraph *graph)
{
  conv (graph, "x", "a", 5, 6, 1);
  conv (graph, "x", "b", 5, 6, 1);
  toy_onnx_node (graph, "Concat", "a, b", "rows", axis (2));
  toy_onnx_node (graph, "Concat", "rows, rows", "all", axis (-1));
  conv (graph, "all", "y", 6, 4, 1);
}

static void
build_outputs (ForgeGraph *graph)
{
  conv (graph, "x", "a", 5, 6, 1);
  conv (graph, "x", "b", 5, 3, 1);
  conv (graph, "x", "c", 5, 4, 1);
  conv (graph, "x", "d", 5, 7, 1);
  concat (graph, "a, b", "ab");
  concat (graph, "ab, c, d", "y");
  toy_onnx_node (graph, "Transpose", "c", "nhwc",
      toy_attrs_ints (NULL, "perm", 4, 0, 2, 3, 1));
  toy_output (graph, "ab");
  toy_output (graph, "nhwc");
}

/* The sum is fused into b, whose residual lies as b does. */
static void
build_residual (ForgeGraph *graph)
{
  conv (graph, "x", "a", 5, 24, 1);
  conv (graph, "a", "b", 24, 24, 3);
  toy_onnx_node (graph, "Add", "b, a", "sum", NULL);
  conv (graph, "sum", "c", 24, 5, 1);
  concat (graph, "a, sum, c", "y");
}

typedef struct {
  const char *name;
  void (*build) (ForgeGraph *graph);
  guint n_slices; /* in inference */
  gboolean has_winograd;
} Case;

static const Case cases[] = {
  { "fire", build_fire, 2, TRUE },
  { "late", build_late, 3, TRUE },
  { "inception", build_inception, 5 },
  { "nested", build_nested, 6 },
  { "prefixes", build_prefixes, 7 },
  { "read-elsewhere", build_read_elsewhere, 4, TRUE },
  { "late-reader", build_late_reader, 2 },
  { "folded-reader", build_folded_reader, 1 },
  { "inputs-and-constants", build_inputs_and_constants, 2 },
  { "twice", build_twice, 3 },
  { "other-axis", build_other_axis, 0 },
  { "outputs", build_outputs, 3 },
  { "residual", build_residual, 1 },
};

static ForgePlan *
new_plan (const ForgeGraph *graph, ForgePlanKind kind, int batch)
{
  g_autoptr (GError) error = NULL;
  ForgePlan *plan = forge_plan_new (graph, kind, batch, &error);
  g_assert_no_error (error);
  return plan;
}

/* The same plan, every value by itself. */
static ForgePlan *
new_copying_plan (const ForgeGraph *graph, ForgePlanKind kind, int batch)
{
  ForgePlan *plan = new_plan (graph, kind, batch);
  forge_memory_plan_free (plan->memory);
  plan->memory = forge_memory_plan_new (plan->graph, TRUE, NULL);
  g_assert_nonnull (plan->memory);
  return plan;
}

static ForgeSteps *
run_plan (ForgePlan *plan, int threads)
{
  g_autoptr (GError) error = NULL;
  ForgeSteps *steps = forge_steps_new (plan, threads, &error);
  g_assert_no_error (error);
  /* Twice, the second time over what the first has left. */
  for (uint64_t seed = 2; seed > 0; seed--) {
    for (guint i = 0; i < plan->graph->inputs->len; i++)
      toy_fill (
          forge_steps_tensor (steps, plan->graph->inputs->pdata[i]), seed + i);
    for (guint n = 0; n < steps->n_steps; n++)
      forge_steps_run (steps, n);
  }
  return steps;
}

static void
assert_same_bits (const ForgeSteps *a, const ForgeSteps *b)
{
  const GPtrArray *outputs = a->plan->graph->outputs;
  for (guint i = 0; i < outputs->len; i++) {
    const ForgeTensor *x = forge_steps_tensor (a, outputs->pdata[i]);
    const ForgeTensor *y =
        forge_steps_tensor (b, b->plan->graph->outputs->pdata[i]);
    g_assert_cmpint (x->slice_stride_elems, ==, 0);
    g_assert_cmpmem (x->data, x->size_bytes, y->data, y->size_bytes);
  }
}

/* How many slices there are; none in the plan that is compared with. */
static guint
compare_plans (
    const ForgeGraph *graph, ForgePlanKind kind, int batch, int threads)
{
  g_autoptr (ForgePlan) plan = new_plan (graph, kind, batch);
  g_autoptr (ForgePlan) copying = new_copying_plan (graph, kind, batch);
  g_autoptr (ForgeSteps) got = run_plan (plan, threads);
  g_autoptr (ForgeSteps) want = run_plan (copying, 1);
  assert_same_bits (got, want);
  return g_hash_table_size (plan->memory->slices);
}

static ForgeGraph *
new_graph (const Case *row, int batch)
{
  g_autoptr (GError) error = NULL;
  ForgeGraph *graph = forge_graph_new (row->name);
  toy_input (graph, "x", batch, 5, 9, 11);
  row->build (graph);
  toy_output (graph, "y");
  forge_graph_sort (graph, &error);
  g_assert_no_error (error);
  return graph;
}

static void
slices_give_the_bits_of_copies (gconstpointer data)
{
  const Case *row = data;
  for (int batch = 1; batch <= 3; batch += 2)
    for (int threads = 1; threads <= 2; threads++) {
      if (row->build == build_inputs_and_constants && batch == 1)
        continue; /* its constant has three images */
      g_autoptr (ForgeGraph) graph = new_graph (row, batch);
      g_assert_cmpuint (
          compare_plans (graph, FORGE_PLAN_INFERENCE, batch, threads), ==,
          row->n_slices);
      compare_plans (graph, FORGE_PLAN_VALIDATION, batch, threads);
    }
}

/* Of an image of that many channels, or of all values, one at random. */
typedef struct {
  ForgeGraph *graph;
  ForgeRng rng;
  int channels[64];
  int n_values; /* v0 to v(n - 1) */
} Builder;

static int
below (Builder *builder, int n)
{
  return (int) forge_rng_below (&builder->rng, (uint32_t) n);
}

static void
random_concat (Builder *builder, const char *out)
{
  g_autoptr (GString) inputs = g_string_new (NULL);
  int n_inputs = 1 + below (builder, 4), channels = 0;
  int first = below (builder, builder->n_values);
  gboolean in_order = below (builder, 2) == 0;
  for (int i = 0; i < n_inputs; i++) {
    int from = in_order ? MIN (first + i, builder->n_values - 1)
                        : below (builder, builder->n_values);
    g_string_append_printf (inputs, "%sv%d", i ? ", " : "", from);
    channels += builder->channels[from];
  }
  concat (builder->graph, inputs->str, out);
  builder->channels[builder->n_values] = channels;
}

static void
random_node (Builder *builder)
{
  static const char *const types[] = { "MaxPool", "AveragePool", "Relu",
    "HardSwish" };
  ForgeGraph *graph = builder->graph;
  int from = below (builder, builder->n_values);
  int channels = builder->channels[from];
  int to = 1 + below (builder, 40), kind = below (builder, 12);
  g_autofree char *in = g_strdup_printf ("v%d", from);
  g_autofree char *out = g_strdup_printf ("v%d", builder->n_values);
  builder->channels[builder->n_values] = channels;
  if (kind < 4) {
    random_concat (builder, out);
  } else if (kind < 6) {
    conv (graph, in, out, channels, to, 1 + 2 * below (builder, 3));
    builder->channels[builder->n_values] = to;
  } else if (kind < 7) {
    grouped_conv (graph, in, out, channels, channels, 3, 1, channels);
  } else if (kind < 8) {
    batch_norm (graph, in, out, channels);
  } else if (kind < 10) {
    pool (graph, types[kind - 8], in, out);
  } else {
    toy_onnx_node (graph, types[kind - 8], in, out, NULL);
  }
  if (below (builder, 10) == 0)
    toy_output (graph, out);
  builder->n_values++;
}

static void
random_networks_give_the_bits_of_copies (void)
{
  uint64_t seed = (uint64_t) g_test_rand_int ();
  g_test_message ("seed %" G_GUINT64_FORMAT, seed);
  guint n_slices = 0;
  for (int round = 0; round < 40; round++) {
    g_autoptr (GError) error = NULL;
    g_autoptr (ForgeGraph) graph = forge_graph_new ("random");
    Builder builder = { .graph = graph, .channels = { 3 }, .n_values = 1 };
    forge_rng_seed (&builder.rng, seed + (uint64_t) round);
    toy_input (graph, "v0", 2, 3, 7, 9);
    int n_nodes = 5 + below (&builder, 20);
    while (n_nodes-- > 0 && builder.channels[builder.n_values - 1] < 400)
      random_node (&builder);
    g_autofree char *last = g_strdup_printf ("v%d", builder.n_values - 1);
    toy_output (graph, last);
    g_assert_true (forge_graph_sort (graph, &error));
    n_slices += compare_plans (graph, FORGE_PLAN_INFERENCE, 2, 2);
    n_slices += compare_plans (graph, FORGE_PLAN_VALIDATION, 2, 2);
  }
  g_assert_cmpuint (n_slices, >, 0);
}

static gboolean
has_winograd (const ForgePlan *plan)
{
  for (guint n = 0; n < plan->graph->nodes->len; n++) {
    const char *algorithm = plan->prepared[n].algorithm;
    if (algorithm && g_str_has_prefix (algorithm, "winograd"))
      return TRUE;
  }
  return FALSE;
}

static void
cases_are_what_they_say (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (ForgeGraph) graph = new_graph (&cases[i], 3);
    g_autoptr (ForgePlan) plan = new_plan (graph, FORGE_PLAN_INFERENCE, 3);
    g_assert_cmpint (has_winograd (plan), ==, cases[i].has_winograd);
  }
}

/* Of the first node of a type: where its output begins and ends. */
static void
find_output (const ForgePlan *plan, const char *type, size_t *at, size_t *end)
{
  for (guint n = 0; n < plan->graph->nodes->len; n++) {
    const ForgeNode *node = plan->graph->nodes->pdata[n];
    if (!g_str_equal (node->op->type, type))
      continue;
    const ForgeValue *out = forge_node_out (node, 0);
    g_assert_true (forge_memory_plan_find (plan->memory, out, at));
    g_assert_true (forge_shape_size_bytes (&out->shape, out->dtype, end));
    *end += *at;
    return;
  }
  g_assert_not_reached ();
}

static void
slices_are_not_written_over_in_place (void)
{
  const Case row = { "late-reader", build_late_reader, 2 };
  g_autoptr (ForgeGraph) graph = new_graph (&row, 1);
  g_autoptr (ForgePlan) plan = new_plan (graph, FORGE_PLAN_INFERENCE, 1);
  size_t whole_at, whole_end, at, end;
  find_output (plan, "Concat", &whole_at, &whole_end);
  find_output (plan, "BatchNormalization", &at, &end);
  g_assert_true (end <= whole_at || at >= whole_end);
}

/* A slice has no block of its own: the parts and the whole are one. */
static void
slices_take_no_memory (void)
{
  g_autoptr (ForgeGraph) graph = new_graph (&cases[0], 1);
  g_autoptr (ForgePlan) plan = new_plan (graph, FORGE_PLAN_INFERENCE, 1);
  size_t part_at, whole_at;
  GHashTableIter iter;
  gpointer value, data;
  g_hash_table_iter_init (&iter, plan->memory->slices);
  while (g_hash_table_iter_next (&iter, &value, &data)) {
    const ForgeSlice *slice = data;
    g_assert_cmpint (slice->stride_elems, ==, 64);
    g_assert_true (forge_memory_plan_find (plan->memory, value, &part_at));
    g_assert_true (
        forge_memory_plan_find (plan->memory, slice->whole, &whole_at));
    g_assert_cmpuint (
        part_at, ==, whole_at + (size_t) slice->first * sizeof (float));
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree char *path = g_strconcat (
        "/slices/slices_give_the_bits_of_copies/", cases[i].name, NULL);
    g_test_add_data_func (path, &cases[i], slices_give_the_bits_of_copies);
  }
  g_test_add_func ("/slices/random_networks_give_the_bits_of_copies",
      random_networks_give_the_bits_of_copies);
  g_test_add_func ("/slices/cases_are_what_they_say", cases_are_what_they_say);
  g_test_add_func ("/slices/slices_are_not_written_over_in_place",
      slices_are_not_written_over_in_place);
  g_test_add_func ("/slices/slices_take_no_memory", slices_take_no_memory);
  return g_test_run ();
}
