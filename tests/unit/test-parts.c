/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Large batches in parts (engine/run/parts.c): only where a network keeps
 * pictures apart, only where it pays, and with the bits of each picture alone.
 */
#include <string.h>

#include "forge/session.h"
#include "graph/pictures.h"
#include "run/model.h"
#include "run/parts.h"
#include "tensor/tensor.h"
#include "toy-graph.h"

enum { BATCH = 4 };

static ForgeAttrs *
one_int (const char *name, int64_t value)
{
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_int (attrs, name, value);
  return attrs;
}

static void
conv (ForgeGraph *graph, const char *in, const char *out, int from, int to)
{
  g_autofree char *weights = g_strconcat (out, "_w", NULL);
  g_autofree char *inputs = g_strjoin (", ", in, weights, NULL);
  toy_constant (graph, weights, g_str_hash (out), -0.2f, 0.4f, to, from, 1, 1);
  toy_onnx_node (graph, "Conv", inputs, out, NULL);
}

/* All of these read x [N, 6, 4, 4] and write y. */
static void
build_classifier (ForgeGraph *graph)
{
  conv (graph, "x", "a", 6, 8);
  toy_onnx_node (graph, "Relu", "a", "b", NULL);
  toy_onnx_node (graph, "Sigmoid", "b", "c", NULL);
  toy_onnx_node (graph, "Mul", "b, c", "d", NULL);
  toy_onnx_node (graph, "GlobalAveragePool", "d", "e", NULL);
  toy_onnx_node (graph, "Flatten", "e", "f", NULL);
  toy_constant (graph, "w", 5, -1, 2, 8, 3, 0, 0);
  toy_constant (graph, "v", 6, -1, 2, 3, 0, 0, 0);
  toy_onnx_node (graph, "Gemm", "f, w, v", "g", NULL);
  toy_onnx_node (graph, "Softmax", "g", "y", NULL);
}

/* Four of one value beside four of each picture, and attention between. */
static void
build_token (ForgeGraph *graph)
{
  static const int64_t shape[] = { 0, 6, 16 }, zero = 0, six = 6, four = 4;
  toy_ints (graph, "to", shape, 3);
  toy_onnx_node (graph, "Reshape", "x, to", "r", NULL);
  toy_onnx_node (graph, "Shape", "r", "s", NULL);
  toy_ints (graph, "zero", &zero, 1);
  toy_ints (graph, "six", &six, 1);
  toy_ints (graph, "four", &four, 1);
  toy_onnx_node (graph, "Gather", "s, zero", "n", NULL);
  toy_onnx_node (graph, "Gather", "s, zero", "m", NULL);
  toy_constant (graph, "token", 3, -1, 2, 1, 1, 16, 0);
  static const int64_t sixteen = 16, one = 1;
  toy_ints (graph, "sixteen", &sixteen, 1);
  toy_ints (graph, "one", &one, 1);
  toy_onnx_node (graph, "Concat", "n, one, sixteen", "t", one_int ("axis", 0));
  toy_onnx_node (graph, "Expand", "token, t", "k", NULL);
  toy_onnx_node (graph, "Concat", "k, r", "q", one_int ("axis", 1));
  toy_onnx_node (
      graph, "Transpose", "q", "p", toy_attrs_ints (NULL, "perm", 3, 0, 2, 1));
  toy_onnx_node (graph, "MatMul", "q, p", "o", NULL);
  toy_onnx_node (graph, "Softmax", "o", "y", one_int ("axis", -1));
}

static void
build_joined_channels (ForgeGraph *graph)
{
  toy_onnx_node (graph, "Concat", "x, x", "y", one_int ("axis", 1));
}

static void
build_joined_pictures (ForgeGraph *graph)
{
  toy_onnx_node (graph, "Concat", "x, x", "y", one_int ("axis", 0));
}

static void
build_softmax_over_pictures (ForgeGraph *graph)
{
  toy_onnx_node (graph, "Softmax", "x", "y", one_int ("axis", 0));
}

static void
build_softmax_from_the_end (ForgeGraph *graph)
{
  toy_onnx_node (graph, "Softmax", "x", "y", one_int ("axis", -4));
}

/* By the opset's default, and out of range of the one axis there is. */
static void
build_norm_over_pictures (ForgeGraph *graph)
{
  static const int64_t shape[] = { 0 };
  toy_onnx_node (graph, "GlobalAveragePool", "x", "p", NULL);
  toy_constant (graph, "w", 5, -1, 2, 6, 1, 0, 0);
  toy_onnx_node (graph, "Flatten", "p", "f", NULL);
  toy_onnx_node (graph, "MatMul", "f, w", "m", NULL);
  toy_ints (graph, "to", shape, 1);
  toy_onnx_node (graph, "Reshape", "m, to", "r", NULL);
  toy_constant (graph, "scale", 6, 0, 1, BATCH, 0, 0, 0);
  ForgeNode *node =
      toy_onnx_node (graph, "LayerNormalization", "r, scale", "y", NULL);
  node->opset = 11;
}

static void
build_pictures_moved (ForgeGraph *graph)
{
  toy_onnx_node (graph, "Transpose", "x", "y",
      toy_attrs_ints (NULL, "perm", 4, 1, 0, 2, 3));
}

static void
build_reversed_axes (ForgeGraph *graph)
{
  toy_onnx_node (graph, "Transpose", "x", "y", NULL);
}

static void
build_channels_last (ForgeGraph *graph)
{
  toy_onnx_node (graph, "Transpose", "x", "y",
      toy_attrs_ints (NULL, "perm", 4, 0, 2, 3, 1));
}

static void
build_constant_for_all (ForgeGraph *graph)
{
  toy_constant (graph, "c", 3, -1, 2, 1, 6, 1, 1);
  toy_constant (graph, "d", 4, -1, 2, 6, 4, 4, 0);
  toy_scalar (graph, "e", 3);
  toy_onnx_node (graph, "Add", "x, c", "a", NULL);
  toy_onnx_node (graph, "Mul", "d, a", "b", NULL);
  toy_onnx_node (graph, "Div", "b, e", "y", NULL);
}

static void
build_constant_for_each (ForgeGraph *graph)
{
  toy_constant (graph, "c", 3, -1, 2, BATCH, 6, 4, 4);
  toy_onnx_node (graph, "Add", "x, c", "y", NULL);
}

static void
build_rows_of_channels (ForgeGraph *graph)
{
  static const int64_t shape[] = { -1, 16 };
  toy_ints (graph, "to", shape, 2);
  toy_onnx_node (graph, "Reshape", "x, to", "y", NULL);
}

static void
build_turned_product (ForgeGraph *graph)
{
  toy_onnx_node (graph, "Flatten", "x", "f", NULL);
  toy_constant (graph, "w", 5, -1, 2, BATCH, BATCH, 0, 0);
  toy_onnx_node (graph, "Gemm", "f, w", "y", one_int ("transA", 1));
}

/* Each picture divided by how many there are. */
static void
build_share_of_the_batch (ForgeGraph *graph)
{
  static const int64_t zero = 0;
  toy_ints (graph, "zero", &zero, 1);
  toy_onnx_node (graph, "Shape", "x", "s", NULL);
  toy_onnx_node (graph, "Gather", "s, zero", "n", NULL);
  toy_onnx_node (graph, "Cast", "n", "f", one_int ("to", 1));
  toy_onnx_node (graph, "Div", "x, f", "y", NULL);
}

/* An operator without a rule. */
static void
build_sums (ForgeGraph *graph)
{
  static const int64_t axis = 0;
  ForgeValue *value = toy_ints (graph, "axis", &axis, 1);
  value->shape.rank = 0;
  value->constant->shape.rank = 0;
  toy_onnx_node (graph, "CumSum", "x, axis", "y", NULL);
}

static const struct {
  const char *name;
  void (*build) (ForgeGraph *graph);
  gboolean keeps;
} rows[] = {
  { "classifier", build_classifier, TRUE },
  { "token", build_token, TRUE },
  { "joined channels", build_joined_channels, TRUE },
  { "channels last", build_channels_last, TRUE },
  { "constant for all", build_constant_for_all, TRUE },
  { "joined pictures", build_joined_pictures, FALSE },
  { "softmax over pictures", build_softmax_over_pictures, FALSE },
  { "softmax from the end", build_softmax_from_the_end, FALSE },
  { "norm over pictures", build_norm_over_pictures, FALSE },
  { "pictures moved", build_pictures_moved, FALSE },
  { "reversed axes", build_reversed_axes, FALSE },
  { "constant for each", build_constant_for_each, FALSE },
  { "rows of channels", build_rows_of_channels, FALSE },
  { "turned product", build_turned_product, FALSE },
  { "share of the batch", build_share_of_the_batch, FALSE },
  { "sums along pictures", build_sums, FALSE },
};

static void
pictures_are_followed (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autoptr (ForgeGraph) graph = forge_graph_new ("parts");
    g_autoptr (GError) error = NULL;
    toy_input (graph, "x", -1, 6, 4, 4);
    rows[i].build (graph);
    toy_output (graph, "y");
    g_assert_true (forge_graph_sort (graph, &error));
    forge_graph_bind_batch (graph, BATCH, &error);
    g_assert_no_error (error);
    if (forge_graph_keeps_pictures (graph, BATCH) != rows[i].keeps)
      g_error (
          "%s: keeps pictures apart is not %d", rows[i].name, rows[i].keeps);
  }
}

/* A second output of as many columns as there are pictures. */
static void
add_square (ForgeGraph *graph)
{
  static const int64_t zero = 0;
  toy_ints (graph, "zero", &zero, 1);
  toy_constant (graph, "dot", 3, -1, 2, 1, 1, 0, 0);
  toy_onnx_node (graph, "Shape", "x", "s", NULL);
  toy_onnx_node (graph, "Gather", "s, zero", "n", NULL);
  toy_onnx_node (graph, "Concat", "n, n", "nn", one_int ("axis", 0));
  toy_onnx_node (graph, "Expand", "dot, nn", "square", NULL);
  toy_output (graph, "square");
  g_assert_true (forge_graph_sort (graph, NULL));
  g_assert_true (forge_graph_infer (graph, NULL));
}

/* x [batch, 32, 96, 96], 1.2 MB a picture, through two layers of 32. */
static ForgeGraph *
large_network (int batch)
{
  ForgeGraph *graph = forge_graph_new ("parts");
  toy_input (graph, "x", batch, 32, 96, 96);
  conv (graph, "x", "a", 32, 32);
  toy_onnx_node (graph, "Relu", "a", "b", NULL);
  conv (graph, "b", "c", 32, 32);
  toy_onnx_node (graph, "Add", "b, c", "d", NULL);
  toy_onnx_node (graph, "GlobalAveragePool", "d", "e", NULL);
  toy_onnx_node (graph, "Flatten", "e", "y", NULL);
  toy_output (graph, "y");
  g_assert_true (forge_graph_sort (graph, NULL));
  g_assert_true (forge_graph_infer (graph, NULL));
  return graph;
}

static ForgeSession *
open_session (ForgeModel *model, int batch, gboolean profile)
{
  g_autoptr (GError) error = NULL;
  const ForgeSessionParams params = {
    .batch = batch, .threads = 2, .profile = profile
  };
  ForgeSession *session = forge_session_new (model, &params, &error);
  g_assert_no_error (error);
  return session;
}

static ForgeModel *
large_model (int batch)
{
  g_autoptr (GError) error = NULL;
  ForgeModel *model =
      forge_model_new_from_graph (large_network (batch), "large", &error);
  g_assert_no_error (error);
  return model;
}

/* Picture by picture, in a session of its own. */
static void
assert_each_alone (ForgeSession *whole, int batch)
{
  g_autoptr (ForgeModel) model = large_model (-1);
  g_autoptr (ForgeSession) alone = open_session (model, 1, FALSE);
  const ForgeTensor *in = forge_session_get_input (whole, 0);
  const ForgeTensor *out = forge_session_get_output (whole, 0);
  ForgeTensor *one_in = forge_session_get_input (alone, 0);
  ForgeTensor *one_out = forge_session_get_output (alone, 0);
  g_assert_cmpint (in->shape.dims[0], ==, batch);
  g_assert_cmpint (out->shape.dims[0], ==, batch);
  for (int i = 0; i < batch; i++) {
    memcpy (one_in->data, (char *) in->data + i * one_in->size_bytes,
        one_in->size_bytes);
    forge_session_run (alone);
    g_assert_cmpmem (one_out->data, one_out->size_bytes,
        (char *) out->data + i * one_out->size_bytes, one_out->size_bytes);
  }
}

static void
parts_have_the_bits_of_each_picture (void)
{
  enum { WHOLE = 6 };
  for (int fixed = 0; fixed < 2; fixed++) {
    g_autoptr (ForgeModel) model = large_model (fixed ? WHOLE : -1);
    g_autoptr (ForgeSession) session =
        open_session (model, fixed ? 1 : WHOLE, TRUE);
    g_assert_cmpuint (
        forge_session_get_arena_bytes (session), <=, (size_t) 8 << 20);
    for (uint64_t seed = 1; seed <= 2; seed++) {
      toy_fill (forge_session_get_input (session, 0), seed);
      forge_session_run (session);
      assert_each_alone (session, WHOLE);
    }
    const ForgeTensor *in = forge_session_get_input (session, 0);
    g_assert_cmpuint (forge_session_get_costs (session).arena_bytes, >=,
        forge_session_get_arena_bytes (session) + in->size_bytes);
    gsize n_nodes;
    g_autofree ForgeNodeProfile *profile =
        forge_session_get_profile (session, &n_nodes);
    g_assert_cmpuint (profile[0].n_runs, ==, 2);
    int64_t n_flops = 0;
    for (gsize i = 0; i < n_nodes; i++)
      n_flops += profile[i].n_flops;
    g_assert_cmpint (n_flops, >=, (int64_t) WHOLE * 2 * 2 * 32 * 32 * 96 * 96);
  }
}

/* The weights of a part are those of the other sessions with such parts. */
static void
parts_share_their_weights (void)
{
  g_autoptr (ForgeModel) model = large_model (-1);
  g_autoptr (ForgePlan) four = forge_model_plan (model, 4, NULL);
  g_autoptr (ForgePlan) eight = forge_model_plan (model, 8, NULL);
  g_autoptr (ForgePlan) again = forge_model_plan (model, 8, NULL);
  g_assert_true (eight == again);
  const ForgeValue *input = four->graph->inputs->pdata[0];
  g_assert_cmpint (input->shape.dims[0], <, 4);
  g_assert_true (four == eight);
}

/* The same, with a last layer of 15 MB. */
static ForgeGraph *
heavy_network (void)
{
  ForgeGraph *graph = large_network (-1);
  toy_constant (graph, "w", 5, -1, 2, 32, 120000, 0, 0);
  toy_onnx_node (graph, "MatMul", "y, w", "z", NULL);
  toy_output (graph, "z");
  g_assert_true (forge_graph_sort (graph, NULL));
  g_assert_true (forge_graph_infer (graph, NULL));
  return graph;
}

static int64_t
part_of (ForgeGraph *graph, int64_t batch)
{
  g_autoptr (ForgeGraph) owned = graph;
  return forge_choose_part (owned, &batch);
}

static void
parts_are_made_where_they_pay (void)
{
  g_assert_cmpint (part_of (large_network (-1), 1), ==, 1);
  g_assert_cmpint (part_of (large_network (-1), 2), ==, 2); /* all in cache */
  g_assert_cmpint (part_of (large_network (-1), 7), ==, 1); /* a prime */
  g_assert_cmpint (part_of (large_network (-1), 64), <, 8);
  /* weights that are worth leaving the cache for */
  g_assert_cmpint (
      part_of (heavy_network (), 64), ==, 2 * part_of (large_network (-1), 64));
  ForgeGraph *square = large_network (-1);
  add_square (square);
  g_assert_cmpint (part_of (square, 64), ==, 64);
  /* 19 MB of weights for 0.6 MB of activations */
  ForgeGraph *deep = forge_graph_new ("parts");
  toy_input (deep, "x", -1, 512, 4, 4);
  conv (deep, "x", "y", 512, 9216);
  toy_output (deep, "y");
  g_assert_cmpint (part_of (deep, 32), ==, 32);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name) g_test_add_func ("/parts/" #name, name)
  ADD (pictures_are_followed);
  ADD (parts_have_the_bits_of_each_picture);
  ADD (parts_share_their_weights);
  ADD (parts_are_made_where_they_pay);
  return g_test_run ();
}
