/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Passes one by one: constants, identities, affine maps and layout. What
 * fuses nodes is in test-passes-fuse.c. */
#include "pass-cases.h"

static void
build_constant_chain (ForgeGraph *graph)
{
  toy_input (graph, "x", 2, 3, 0, 0);
  toy_constant (graph, "a", 1, 0, 1, 3, 0, 0, 0);
  toy_constant (graph, "b", 2, 0, 1, 3, 0, 0, 0);
  toy_onnx_node (graph, "Mul", "a, b", "ab", NULL);
  toy_onnx_node (graph, "Sigmoid", "ab", "gate", NULL);
  toy_onnx_node (graph, "Mul", "x, gate", "y", NULL);
}

static void
build_identities (ForgeGraph *graph)
{
  toy_input (graph, "x", 2, 3, 0, 0);
  toy_onnx_node (graph, "Identity", "x", "a", NULL);
  toy_onnx_node (graph, "Dropout", "a", "b", NULL);
  toy_onnx_node (graph, "Cast", "b", "c", pass_int_attr ("to", FORGE_FLOAT32));
  toy_onnx_node (
      graph, "Transpose", "c", "d", toy_attrs_ints (NULL, "perm", 2, 0, 1));
  toy_onnx_node (graph, "Concat", "d", "e", pass_int_attr ("axis", 1));
  toy_onnx_node (
      graph, "Pad", "e", "f", toy_attrs_ints (NULL, "pads", 4, 0, 0, 0, 0));
  toy_onnx_node (graph, "Relu", "f", "y", NULL);
}

static void
build_rescale (ForgeGraph *graph)
{
  pass_image_input (graph, FORGE_UINT8, 2, 5, 4, 3);
  toy_onnx_node (graph, "Cast", "x", "f", pass_int_attr ("to", FORGE_FLOAT32));
  toy_scalar (graph, "k", 1 / 255.0f);
  toy_constant (graph, "mean", 3, 0, 1, 1, 1, 1, 3);
  toy_onnx_node (graph, "Mul", "k, f", "m", NULL);
  toy_onnx_node (graph, "Sub", "m, mean", "y", NULL);
}

static void
build_rescale_only (ForgeGraph *graph)
{
  pass_image_input (graph, FORGE_UINT8, 2, 5, 4, 3);
  toy_onnx_node (graph, "Cast", "x", "f", pass_int_attr ("to", FORGE_FLOAT32));
  toy_constant (graph, "k", 3, -1, 2, 3, 0, 0, 0);
  toy_onnx_node (graph, "Mul", "f, k", "y", NULL);
}

/* The factor runs along rows, not channels: must be left alone. */
static void
build_rescale_rows (ForgeGraph *graph)
{
  pass_image_input (graph, FORGE_UINT8, 2, 3, 4, 3);
  toy_onnx_node (graph, "Cast", "x", "f", pass_int_attr ("to", FORGE_FLOAT32));
  toy_constant (graph, "k", 3, -1, 2, 3, 1, 1, 0);
  toy_onnx_node (graph, "Mul", "f, k", "y", NULL);
}

static void
add_norm (ForgeGraph *graph, const char *in, int channels)
{
  toy_constant (graph, "scale", 11, 0.5f, 1, channels, 0, 0, 0);
  toy_constant (graph, "shift", 12, -1, 2, channels, 0, 0, 0);
  toy_constant (graph, "mean", 13, -1, 2, channels, 0, 0, 0);
  toy_constant (graph, "variance", 14, 0.1f, 2, channels, 0, 0, 0);
  g_autofree char *inputs =
      g_strconcat (in, ", scale, shift, mean, variance", NULL);
  toy_onnx_node (graph, "BatchNormalization", inputs, "y", NULL);
}

static void
build_conv_norm (ForgeGraph *graph)
{
  pass_image_input (graph, FORGE_FLOAT32, 1, 3, 5, 5);
  toy_constant (graph, "w", 1, -1, 2, 4, 3, 3, 3);
  toy_onnx_node (graph, "Conv", "x, w", "c", NULL);
  add_norm (graph, "c", 4);
}

/* The mask has the order of the file, so the values keep it too. */
static void
build_conv_dropout_mask (ForgeGraph *graph)
{
  pass_image_input (graph, FORGE_FLOAT32, 1, 3, 5, 6);
  toy_constant (graph, "w", 1, -1, 2, 4, 3, 3, 3);
  toy_onnx_node (graph, "Conv", "x, w", "c", NULL);
  toy_onnx_node (graph, "Dropout", "c", "d, mask", NULL);
  toy_onnx_node (
      graph, "Cast", "mask", "kept", pass_int_attr ("to", FORGE_FLOAT32));
  toy_onnx_node (graph, "Mul", "d, kept", "y", NULL);
}

static void
build_gemm_norm (ForgeGraph *graph)
{
  toy_input (graph, "x", 2, 3, 0, 0);
  toy_constant (graph, "w", 1, -1, 2, 3, 4, 0, 0);
  toy_constant (graph, "b", 2, -1, 2, 4, 0, 0, 0);
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_float (attrs, "beta", 0.5f);
  forge_attrs_set_float (attrs, "alpha", 2);
  toy_onnx_node (graph, "Gemm", "x, w, b", "g", attrs);
  add_norm (graph, "g", 4);
}

static void
build_norm_alone (ForgeGraph *graph)
{
  pass_image_input (graph, FORGE_FLOAT32, 1, 3, 5, 5);
  add_norm (graph, "x", 3);
}

/* Somebody else reads the convolution. */
static void
build_conv_norm_shared (ForgeGraph *graph)
{
  build_conv_norm (graph);
  toy_output (graph, "c");
}

static void
build_conv_chain_of_affines (ForgeGraph *graph)
{
  pass_image_input (graph, FORGE_FLOAT32, 1, 3, 5, 5);
  toy_constant (graph, "w", 1, -1, 2, 4, 3, 3, 3);
  toy_constant (graph, "b", 5, -1, 2, 4, 0, 0, 0);
  toy_constant (graph, "k", 2, 0.5f, 1, 4, 1, 1, 0);
  toy_constant (graph, "a", 3, -1, 2, 1, 4, 1, 1);
  toy_scalar (graph, "s", 0.25f);
  toy_onnx_node (graph, "Conv", "x, w, b", "c", NULL);
  toy_onnx_node (graph, "Mul", "k, c", "m", NULL);
  toy_onnx_node (graph, "Add", "m, a", "n", NULL);
  toy_onnx_node (graph, "Sub", "n, s", "o", NULL);
  add_norm (graph, "o", 4);
}

/* The constant minus the layer: not what the pass may fold. */
static void
build_conv_from_constant (ForgeGraph *graph)
{
  pass_image_input (graph, FORGE_FLOAT32, 1, 3, 5, 5);
  toy_constant (graph, "w", 1, -1, 2, 4, 3, 3, 3);
  toy_scalar (graph, "s", 0.25f);
  toy_onnx_node (graph, "Conv", "x, w", "c", NULL);
  toy_onnx_node (graph, "Sub", "s, c", "y", NULL);
}

/* As many numbers as channels, but along the rows of the picture. */
static void
build_conv_add_rows (ForgeGraph *graph)
{
  pass_image_input (graph, FORGE_FLOAT32, 1, 3, 6, 6);
  toy_constant (graph, "w", 1, -1, 2, 4, 3, 3, 3);
  toy_constant (graph, "a", 3, -1, 2, 4, 1, 0, 0);
  toy_onnx_node (graph, "Conv", "x, w", "c", NULL);
  toy_onnx_node (graph, "Add", "c, a", "y", NULL);
}

static void
build_matmul_add (ForgeGraph *graph)
{
  toy_input (graph, "x", 2, 3, 0, 0);
  toy_constant (graph, "w", 1, -1, 2, 3, 4, 0, 0);
  toy_constant (graph, "b", 2, -1, 2, 4, 0, 0, 0);
  toy_constant (graph, "d", 2, 1, 2, 1, 4, 0, 0);
  toy_onnx_node (graph, "MatMul", "x, w", "p", NULL);
  toy_onnx_node (graph, "Add", "b, p", "q", NULL);
  toy_onnx_node (graph, "Div", "q, d", "y", NULL);
}

/* A row for every token, as exporters write a linear layer. */
static void
build_tokens_matmul_add (ForgeGraph *graph)
{
  toy_input (graph, "x", 2, 5, 3, 0);
  toy_constant (graph, "w", 1, -1, 2, 3, 4, 0, 0);
  toy_constant (graph, "b", 2, -1, 2, 4, 0, 0, 0);
  toy_onnx_node (graph, "MatMul", "x, w", "p", NULL);
  toy_onnx_node (graph, "Add", "b, p", "y", NULL);
}

/* One number for every token: along the wrong axis. */
static void
build_tokens_matmul_add_tokens (ForgeGraph *graph)
{
  toy_input (graph, "x", 2, 4, 3, 0);
  toy_constant (graph, "w", 1, -1, 2, 3, 4, 0, 0);
  toy_constant (graph, "b", 2, -1, 2, 4, 1, 0, 0);
  toy_onnx_node (graph, "MatMul", "x, w", "p", NULL);
  toy_onnx_node (graph, "Add", "p, b", "y", NULL);
}

/* NHWC in, NHWC out: nothing is left to transpose. */
static void
build_conv_chain (ForgeGraph *graph)
{
  pass_image_input (graph, FORGE_FLOAT32, 2, 8, 8, 3);
  toy_onnx_node (graph, "Transpose", "x", "t",
      toy_attrs_ints (NULL, "perm", 4, 0, 3, 1, 2));
  toy_constant (graph, "w", 1, -1, 2, 4, 3, 3, 3);
  toy_onnx_node (graph, "Conv", "t, w", "c", NULL);
  toy_onnx_node (graph, "Relu", "c", "r", NULL);
  ForgeAttrs *attrs = toy_attrs_ints (NULL, "kernel_shape", 2, 2, 2);
  toy_onnx_node (
      graph, "MaxPool", "r", "p", toy_attrs_ints (attrs, "strides", 2, 2, 2));
  toy_constant (graph, "k", 2, 0, 1, 4, 1, 1, 0);
  toy_onnx_node (graph, "Mul", "p, k", "m", NULL);
  toy_onnx_node (graph, "Concat", "m, p", "cat", pass_int_attr ("axis", 1));
  toy_onnx_node (graph, "Transpose", "cat", "y",
      toy_attrs_ints (NULL, "perm", 4, 0, 2, 3, 1));
}

static void
build_flatten_gemm (ForgeGraph *graph)
{
  pass_image_input (graph, FORGE_FLOAT32, 2, 4, 4, 3);
  toy_onnx_node (graph, "Transpose", "x", "t",
      toy_attrs_ints (NULL, "perm", 4, 0, 3, 1, 2));
  toy_onnx_node (graph, "Relu", "t", "r", NULL);
  toy_onnx_node (graph, "Flatten", "r", "f", NULL);
  toy_constant (graph, "w", 1, -1, 2, 48, 5, 0, 0);
  toy_onnx_node (graph, "MatMul", "f, w", "y", NULL);
}

/* A pooled image is a vector: its Transposes cost nothing. */
static void
build_pooled (ForgeGraph *graph)
{
  pass_image_input (graph, FORGE_FLOAT32, 2, 4, 4, 3);
  toy_onnx_node (graph, "Transpose", "x", "t",
      toy_attrs_ints (NULL, "perm", 4, 0, 3, 1, 2));
  toy_onnx_node (graph, "GlobalAveragePool", "t", "y", NULL);
}

static const PassCase cases[] = {
  { "constants", "fold_constants", build_constant_chain,
      { { "Mul", 1 }, { "Sigmoid", 0 } }, 0 },
  { "identities", "drop_identity", build_identities,
      { { "Identity", 0 }, { "Cast", 0 }, { "Transpose", 0 } }, 0 },
  { "dropout and concat", "drop_identity", build_identities,
      { { "Dropout", 0 }, { "Concat", 0 }, { "Relu", 1 } }, 0 },
  { "pad by nothing", "drop_identity", build_identities, { { "Pad", 0 } }, 0 },
  { "rescale", "fuse_rescale", build_rescale,
      { { "Rescale", 1 }, { "Sub", 0 }, { "Cast", 0 } }, 0 },
  { "rescale without sum", "fuse_rescale", build_rescale_only,
      { { "Rescale", 1 }, { "Mul", 0 }, { "Cast", 0 } }, 0 },
  { "rescale by rows", "fuse_rescale", build_rescale_rows,
      { { "Rescale", 0 }, { "Mul", 1 }, { "Cast", 1 } }, 0 },
  { "conv, norm", "fold_affine", build_conv_norm,
      { { "BatchNormalization", 0 }, { "Conv", 1 } }, 1e-5 },
  { "gemm, norm", "fold_affine", build_gemm_norm,
      { { "BatchNormalization", 0 }, { "Gemm", 1 } }, 1e-5 },
  { "norm alone", "fold_affine", build_norm_alone,
      { { "BatchNormalization", 1 } }, 0 },
  { "norm of shared", "fold_affine", build_conv_norm_shared,
      { { "BatchNormalization", 1 } }, 0 },
  { "conv, mul, add, norm", "fold_affine", build_conv_chain_of_affines,
      { { "Conv", 1 }, { "Mul", 0 }, { "BatchNormalization", 0 } }, 1e-5 },
  { "conv, minus", "fold_affine", build_conv_from_constant,
      { { "Conv", 1 }, { "Sub", 1 } }, 0 },
  { "conv, rows", "fold_affine", build_conv_add_rows,
      { { "Conv", 1 }, { "Add", 1 } }, 0 },
  { "matmul, add, div", "fold_affine", build_matmul_add,
      { { "Gemm", 1 }, { "Add", 0 }, { "Div", 0 } }, 1e-5 },
  { "tokens, matmul, add", "fold_affine", build_tokens_matmul_add,
      { { "MatMul", 1 }, { "Add", 0 } }, 1e-5 },
  { "tokens, matmul, tokens", "fold_affine", build_tokens_matmul_add_tokens,
      { { "MatMul", 1 }, { "Add", 1 } }, 0 },
  { "conv chain", "layout", build_conv_chain,
      { { "Transpose", 0 }, { "Concat", 1 }, { "Mul", 1 } }, 1e-5 },
  { "conv, mask", "layout", build_conv_dropout_mask,
      { { "Dropout", 1 }, { "Cast", 1 } }, 1e-5 },
  { "flatten, matmul", "layout", build_flatten_gemm,
      { { "Transpose", 0 }, { "MatMul", 1 } }, 1e-5 },
  { "pooled", "layout", build_pooled, { { "Transpose", 0 }, { "Reshape", 1 } },
      1e-5 },
};

static void
shared_weights_are_copied_before_folding (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeGraph) graph = forge_graph_new ("t");
  graph->opset = 14;
  build_conv_norm (graph);
  toy_output (graph, "y");
  g_assert_true (forge_graph_infer (graph, NULL));
  const ForgeTensor *weights = forge_graph_find (graph, "w")->constant;
  g_autoptr (ForgeTensor) before = forge_tensor_copy (weights, NULL);
  g_autoptr (ForgeGraph) copy = forge_graph_copy (graph);
  forge_graph_run_pass (copy, "fold_affine", FORGE_PASSES_INFERENCE, &error);
  g_assert_no_error (error);
  g_assert_cmpmem (
      before->data, before->size_bytes, weights->data, weights->size_bytes);
}

static void
folding_is_bounded (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeGraph) graph = forge_graph_new ("t");
  graph->opset = 14;
  toy_input (graph, "x", 1, 0, 0, 0);
  toy_constant (graph, "a", 1, 0, 1, 8192, 1, 0, 0);
  toy_constant (graph, "b", 1, 0, 1, 1, 8192, 0, 0);
  toy_onnx_node (graph, "Add", "a, b", "big", NULL);
  toy_onnx_node (graph, "Add", "big, x", "y", NULL);
  toy_output (graph, "y");
  forge_graph_run_pass (
      graph, "fold_constants", FORGE_PASSES_INFERENCE, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (toy_count (graph, "Add"), ==, 2);
}

static void
unknown_pass_is_an_error (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeGraph) graph = forge_graph_new ("t");
  g_assert_false (
      forge_graph_run_pass (graph, "nothing", FORGE_PASSES_INFERENCE, &error));
  g_assert_error (error, FORGE_ERROR, FORGE_ERROR_NOT_FOUND);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  pass_cases_add (cases, G_N_ELEMENTS (cases));
  g_test_add_func ("/passes/shared_weights_are_copied_before_folding",
      shared_weights_are_copied_before_folding);
  g_test_add_func ("/passes/folding_is_bounded", folding_is_bounded);
  g_test_add_func (
      "/passes/unknown_pass_is_an_error", unknown_pass_is_an_error);
  return g_test_run ();
}
