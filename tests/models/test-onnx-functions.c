/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Functions that an ONNX file brings along: their bodies take the place of
 * calls, and a file cannot make that endless. */
#include <string.h>

#include "onnx-builder.h"
#include "tensor/tensor.h"

/* A node in the domain of the functions. */
static ForgeOnnx__Node *
call (OnnxBuilder *b, const char *type, const char *inputs, const char *outputs)
{
  ForgeOnnx__Node *node = onnx_builder_node (b, type, inputs, outputs);
  node->domain = onnx_builder_text (b, "own");
  return node;
}

/* Leak (x) = LeakyRelu (x, slope = the call's, or the default 0.25), and
 * Twice (x) = Leak (Leak (x)) with slopes of 0.5 and of the default. */
static OnnxBuilder *
leaky_model (void)
{
  OnnxBuilder *b = onnx_builder_new ();
  onnx_builder_opset (b, "own", 1);
  ForgeOnnx__Function *leak = onnx_builder_function (b, "Leak", "x", "y");
  onnx_builder_node (b, "LeakyRelu", "x", "y");
  ForgeOnnx__Node *node = onnx_builder_move_node (b, leak);
  onnx_builder_attribute (b, node, "alpha", FORGE_ONNX_FLOAT)->ref_attr_name =
      onnx_builder_text (b, "slope");
  ForgeOnnx__Node defaults = FORGE_ONNX__NODE__INIT;
  ForgeOnnx__Attribute *slope =
      onnx_builder_attribute (b, &defaults, "slope", FORGE_ONNX_FLOAT);
  slope->has_f = TRUE;
  slope->f = 0.25f;
  leak->default_attribute = defaults.attribute;
  leak->n_default_attribute = 1;

  ForgeOnnx__Function *twice = onnx_builder_function (b, "Twice", "x", "y");
  ForgeOnnx__Attribute *given = onnx_builder_attribute (
      b, call (b, "Leak", "x", "inner"), "slope", FORGE_ONNX_FLOAT);
  given->has_f = TRUE;
  given->f = 0.5f;
  onnx_builder_move_node (b, twice);
  call (b, "Leak", "inner", "y");
  onnx_builder_move_node (b, twice);
  onnx_builder_input (b, "x", FORGE_FLOAT32, DIMS (1, 2));
  return b;
}

static void
assert_refused (OnnxBuilder *builder, int code, const char *text)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeGraph) graph = onnx_builder_read (builder, NULL, &error);
  g_assert_null (graph);
  g_test_message ("%s", error->message);
  g_assert_error (error, FORGE_ERROR, code);
  g_assert_nonnull (strstr (error->message, text));
}

/* "inner" of two calls, and of the graph, are three values. */
static void
bodies_take_the_place_of_calls (void)
{
  static const float slopes[] = { 0.5f, 0.25f, 0.5f, 0.25f };
  g_autoptr (OnnxBuilder) b = leaky_model ();
  call (b, "Twice", "x", "inner");
  call (b, "Twice", "inner", "y");
  onnx_builder_output (b, "y");
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeGraph) graph = onnx_builder_read (b, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (graph->nodes->len, ==, G_N_ELEMENTS (slopes));
  const ForgeValue *value = graph->inputs->pdata[0];
  for (guint i = 0; i < graph->nodes->len; i++) {
    const ForgeNode *node = graph->nodes->pdata[i];
    g_assert_cmpstr (node->op->type, ==, "LeakyRelu");
    g_assert_cmpint (node->opset, ==, 13);
    g_assert_true (forge_node_in (node, 0) == value);
    g_assert_cmpfloat (
        forge_attrs_float (node->attrs, "alpha", 0), ==, slopes[i]);
    value = forge_node_out (node, 0);
  }
  g_assert_true (value == graph->outputs->pdata[0]);
}

/* A file may say how an operator is made of others; ours is faster. */
static void
an_operator_of_ours_stays_a_node (void)
{
  g_autoptr (OnnxBuilder) b = leaky_model ();
  ForgeOnnx__Function *mine = onnx_builder_function (b, "Relu", "x", "y");
  mine->domain = onnx_builder_text (b, "ai.onnx");
  onnx_builder_node (b, "Neg", "x", "y");
  onnx_builder_move_node (b, mine);
  onnx_builder_node (b, "Relu", "x", "y");
  onnx_builder_output (b, "y");
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeGraph) graph = onnx_builder_read (b, NULL, &error);
  g_assert_no_error (error);
  const ForgeNode *node = graph->nodes->pdata[0];
  g_assert_cmpstr (node->op->type, ==, "Relu");
}

static void
inputs_and_outputs_may_be_left_out (void)
{
  g_autoptr (OnnxBuilder) b = leaky_model ();
  ForgeOnnx__Function *clip =
      onnx_builder_function (b, "Cut", "x,low,high", "y,more");
  onnx_builder_node (b, "Clip", "x,low,high", "y");
  onnx_builder_move_node (b, clip);
  onnx_builder_node (b, "Relu", "y", "more");
  onnx_builder_move_node (b, clip);
  call (b, "Cut", "x", "y");
  onnx_builder_output (b, "y");
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeGraph) graph = onnx_builder_read (b, NULL, &error);
  g_assert_no_error (error);
  const ForgeNode *node = graph->nodes->pdata[0];
  g_assert_cmpstr (node->op->type, ==, "Clip");
  g_assert_null (forge_node_in (node, 1));
}

static void
missing_operators_of_bodies_are_named (void)
{
  g_autoptr (OnnxBuilder) b = leaky_model ();
  ForgeOnnx__Function *odd = onnx_builder_function (b, "Odd", "x", "y");
  onnx_builder_node (b, "Sorcery", "x", "y");
  onnx_builder_move_node (b, odd);
  call (b, "Odd", "x", "y");
  onnx_builder_output (b, "y");
  assert_refused (b, FORGE_ERROR_UNSUPPORTED, "Sorcery (domain ai.onnx");
}

static void
calls_without_end_are_refused (void)
{
  g_autoptr (OnnxBuilder) b = leaky_model ();
  ForgeOnnx__Function *circle = onnx_builder_function (b, "Circle", "x", "y");
  call (b, "Circle", "x", "y");
  onnx_builder_move_node (b, circle);
  call (b, "Circle", "x", "y");
  onnx_builder_output (b, "y");
  assert_refused (b, FORGE_ERROR_FORMAT, "in a circle");
}

/* Each level calls the one below ten times: 10^12 nodes from a small file. */
static void
calls_cannot_multiply_without_end (void)
{
  g_autoptr (OnnxBuilder) b = leaky_model ();
  for (int level = 0; level < 12; level++) {
    g_autofree char *name = g_strdup_printf ("Level%d", level);
    g_autofree char *below = g_strdup_printf ("Level%d", level - 1);
    ForgeOnnx__Function *function = onnx_builder_function (b, name, "x", "y");
    for (int i = 0; i < 10; i++) {
      g_autofree char *out = g_strdup_printf ("t%d", i);
      call (b, level > 0 ? below : "Leak", "x", i < 9 ? out : "y");
      onnx_builder_move_node (b, function);
    }
  }
  call (b, "Level11", "x", "y");
  onnx_builder_output (b, "y");
  assert_refused (b, FORGE_ERROR_UNSUPPORTED, "more than 100000 nodes");
}

static void
calls_that_do_not_fit_are_refused (void)
{
  g_autoptr (OnnxBuilder) b = leaky_model ();
  call (b, "Leak", "x,x", "y");
  onnx_builder_output (b, "y");
  assert_refused (b, FORGE_ERROR_FORMAT, "2 inputs and 1 outputs; it has 1");
  g_autoptr (OnnxBuilder) twins = leaky_model ();
  onnx_builder_function (twins, "Leak", "x", "y");
  call (twins, "Leak", "x", "y");
  onnx_builder_output (twins, "y");
  assert_refused (twins, FORGE_ERROR_FORMAT, "two have the same name");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/onnx/functions/bodies", bodies_take_the_place_of_calls);
  g_test_add_func ("/onnx/functions/ours", an_operator_of_ours_stays_a_node);
  g_test_add_func (
      "/onnx/functions/left-out", inputs_and_outputs_may_be_left_out);
  g_test_add_func (
      "/onnx/functions/missing", missing_operators_of_bodies_are_named);
  g_test_add_func ("/onnx/functions/circle", calls_without_end_are_refused);
  g_test_add_func ("/onnx/functions/bomb", calls_cannot_multiply_without_end);
  g_test_add_func (
      "/onnx/functions/misfits", calls_that_do_not_fit_are_refused);
  return g_test_run ();
}
