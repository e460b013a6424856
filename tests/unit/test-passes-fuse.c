/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Passes one by one: those that move a node into another. */
#include "kernels/kernels.h"
#include "pass-cases.h"

/* x, e = Erf (x / sqrt 2), and g = 1 + e. */
static void
begin_gelu (ForgeGraph *graph)
{
  toy_input (graph, "x", 3, 7, 0, 0);
  toy_scalar (graph, "one", 1);
  toy_scalar (graph, "half", 0.5f);
  toy_scalar (graph, "root", 1.41421356f);
  toy_onnx_node (graph, "Div", "x, root", "s", NULL);
  toy_onnx_node (graph, "Erf", "s", "e", NULL);
  toy_onnx_node (graph, "Add", "e, one", "g", NULL);
}

static void
build_gelu (ForgeGraph *graph)
{
  begin_gelu (graph);
  toy_onnx_node (graph, "Mul", "x, g", "p", NULL);
  toy_onnx_node (graph, "Mul", "p, half", "y", NULL);
}

static void
build_gelu_of_half (ForgeGraph *graph)
{
  begin_gelu (graph);
  toy_onnx_node (graph, "Mul", "half, x", "h", NULL);
  toy_onnx_node (graph, "Mul", "h, g", "y", NULL);
}

static void
build_gelu_of_half_gate (ForgeGraph *graph)
{
  toy_input (graph, "x", 3, 7, 0, 0);
  toy_scalar (graph, "one", 1);
  toy_scalar (graph, "half", 0.5f);
  toy_scalar (graph, "root", 0.70710678f);
  toy_onnx_node (graph, "Mul", "root, x", "s", NULL);
  toy_onnx_node (graph, "Erf", "s", "e", NULL);
  toy_onnx_node (graph, "Add", "one, e", "g", NULL);
  toy_onnx_node (graph, "Mul", "g, half", "p", NULL);
  toy_onnx_node (graph, "Mul", "x, p", "y", NULL);
}

/* The gate of x on something else. */
static void
build_gelu_of_another (ForgeGraph *graph)
{
  begin_gelu (graph);
  toy_onnx_node (graph, "Relu", "x", "z", NULL);
  toy_onnx_node (graph, "Mul", "z, g", "p", NULL);
  toy_onnx_node (graph, "Mul", "p, half", "y", NULL);
}

/* Its gate has a second reader. */
static void
build_gelu_shared (ForgeGraph *graph)
{
  build_gelu (graph);
  toy_output (graph, "g");
}

/* Zeros at two sides around what a Conv with pads of its own reads, which
 * @before and @value may spoil. */
static void
build_padded_conv (ForgeGraph *graph, int64_t before, float value)
{
  const int64_t pads[] = { 0, before, 0, 1, 0, 0, 2, 1 };
  pass_image_input (graph, FORGE_FLOAT32, 2, 3, 5, 6);
  toy_ints (graph, "pads", pads, 8);
  toy_scalar (graph, "value", value);
  toy_constant (graph, "w", 1, -1, 2, 4, 3 + (int) before, 3, 3);
  toy_onnx_node (graph, "Pad", "x, pads, value", "p", NULL);
  toy_onnx_node (
      graph, "Conv", "p, w", "c", toy_attrs_ints (NULL, "pads", 4, 1, 0, 0, 1));
  toy_onnx_node (graph, "Relu", "c", "y", NULL);
}

static void
build_pad (ForgeGraph *graph)
{
  build_padded_conv (graph, 0, 0);
}

/* As Keras writes it. */
static void
build_pad_of_valid (ForgeGraph *graph)
{
  const int64_t pads[] = { 0, 0, 0, 0, 0, 0, 1, 1 };
  ForgeAttrs *attrs = toy_attrs_ints (NULL, "strides", 2, 2, 2);
  forge_attrs_set_string (attrs, "auto_pad", "VALID");
  pass_image_input (graph, FORGE_FLOAT32, 2, 3, 6, 6);
  toy_ints (graph, "pads", pads, 8);
  toy_constant (graph, "w", 1, -1, 2, 4, 3, 3, 3);
  toy_onnx_node (graph, "Pad", "x, pads", "p", NULL);
  toy_onnx_node (graph, "Conv", "p, w", "y", attrs);
}

/* Its pads depend on its input's size. */
static void
build_pad_of_same (ForgeGraph *graph)
{
  const int64_t pads[] = { 0, 0, 0, 0, 0, 0, 1, 1 };
  ForgeAttrs *attrs = toy_attrs_ints (NULL, "strides", 2, 2, 2);
  forge_attrs_set_string (attrs, "auto_pad", "SAME_UPPER");
  pass_image_input (graph, FORGE_FLOAT32, 2, 3, 6, 6);
  toy_ints (graph, "pads", pads, 8);
  toy_constant (graph, "w", 1, -1, 2, 4, 3, 3, 3);
  toy_onnx_node (graph, "Pad", "x, pads", "p", NULL);
  toy_onnx_node (graph, "Conv", "p, w", "y", attrs);
}

static void
build_pad_of_channels (ForgeGraph *graph)
{
  build_padded_conv (graph, 1, 0);
}

static void
build_pad_of_ones (ForgeGraph *graph)
{
  build_padded_conv (graph, 0, 1);
}

static void
build_pad_shared (ForgeGraph *graph)
{
  build_pad (graph);
  toy_onnx_node (graph, "Relu", "p", "z", NULL);
  toy_output (graph, "z");
}

static void
build_silu (ForgeGraph *graph)
{
  toy_input (graph, "x", 2, 3, 0, 0);
  toy_onnx_node (graph, "Sigmoid", "x", "s", NULL);
  toy_onnx_node (graph, "Mul", "s, x", "y", NULL);
}

static void
build_gate_of_another (ForgeGraph *graph)
{
  toy_input (graph, "x", 2, 3, 0, 0);
  toy_onnx_node (graph, "Relu", "x", "r", NULL);
  toy_onnx_node (graph, "Sigmoid", "r", "s", NULL);
  toy_onnx_node (graph, "Mul", "s, x", "y", NULL);
}

static void
build_conv_relu (ForgeGraph *graph)
{
  pass_image_input (graph, FORGE_FLOAT32, 1, 3, 5, 5);
  toy_constant (graph, "w", 1, -1, 2, 4, 3, 3, 3);
  toy_onnx_node (graph, "Conv", "x, w", "c", NULL);
  toy_onnx_node (graph, "Relu", "c", "y", NULL);
}

static void
build_conv_relu_shared (ForgeGraph *graph)
{
  build_conv_relu (graph);
  toy_output (graph, "c");
}

/* As the layout pass leaves it: images in NHWC. */
static void
build_residual (ForgeGraph *graph)
{
  pass_image_input (graph, FORGE_FLOAT32, 2, 7, 9, 3);
  toy_constant (graph, "w", 1, -1, 2, 3, 3, 1, 1);
  toy_onnx_node (graph, "Conv", "x, w", "c", NULL)->nhwc = TRUE;
  ForgeNode *add = toy_onnx_node (graph, "Add", "x, c", "y", NULL);
  add->activation = (ForgeActivation) { FORGE_UNARY_CLAMP, 0, 6 };
}

/* Two convolutions: one takes the other in. */
static void
build_residual_of_two (ForgeGraph *graph)
{
  pass_image_input (graph, FORGE_FLOAT32, 1, 6, 6, 4);
  toy_constant (graph, "v", 1, -1, 2, 5, 4, 1, 1);
  toy_constant (graph, "w", 2, -1, 2, 5, 4, 1, 1);
  toy_constant (graph, "b", 3, -1, 2, 5, 0, 0, 0);
  toy_onnx_node (graph, "Conv", "x, v, b", "c", NULL)->nhwc = TRUE;
  toy_onnx_node (graph, "Conv", "x, w", "d", NULL)->nhwc = TRUE;
  toy_onnx_node (graph, "Add", "c, d", "y", NULL);
}

static void
build_residual_shared (ForgeGraph *graph)
{
  build_residual (graph);
  toy_output (graph, "c");
}

/* The other operand is a row for every pixel, not an image. */
static void
build_residual_broadcast (ForgeGraph *graph)
{
  build_residual (graph);
  ForgeValue *row = toy_input (graph, "r", 3, 0, 0, 0);
  ForgeNode *add = forge_graph_find (graph, "y")->producer;
  add->inputs->pdata[0] = row;
}

/* As the layout pass leaves squeeze-and-excite: a Sigmoid of the pooled map
 * is the gate of the map. */
static void
build_gate_of (ForgeGraph *graph, int n, int side, int outputs)
{
  pass_image_input (graph, FORGE_FLOAT32, n, side, side, 6);
  toy_onnx_node (graph, "GlobalAveragePool", "x", "p", NULL)->nhwc = TRUE;
  toy_onnx_node (graph, "Sigmoid", "p", "g", NULL);
  toy_onnx_node (graph, "Mul", "x, g", "m", NULL);
  toy_constant (graph, "w", 1, -1, 2, outputs, 6, 1, 1);
  toy_constant (graph, "b", 2, -1, 2, outputs, 0, 0, 0);
  toy_onnx_node (graph, "Conv", "m, w, b", "y", NULL)->nhwc = TRUE;
}

static void
build_gate (ForgeGraph *graph)
{
  build_gate_of (graph, 3, 9, 37);
}

/* The gate comes first, and a residual is there already. */
static void
build_gate_turned (ForgeGraph *graph)
{
  build_gate_of (graph, 2, 5, 6);
  ForgeNode *mul = forge_graph_find (graph, "m")->producer;
  ForgeNode *conv = forge_graph_find (graph, "y")->producer;
  g_ptr_array_set_size (mul->inputs, 0);
  g_ptr_array_add (mul->inputs, forge_graph_find (graph, "g"));
  g_ptr_array_add (mul->inputs, forge_graph_find (graph, "x"));
  g_ptr_array_add (conv->inputs, forge_graph_find (graph, "x"));
  conv->activation = (ForgeActivation) { FORGE_UNARY_CLAMP, 0, 6 };
}

/* More weights than the map has values. */
static void
build_gate_of_small_map (ForgeGraph *graph)
{
  build_gate_of (graph, 1, 2, 16);
}

static void
build_gate_shared (ForgeGraph *graph)
{
  build_gate (graph);
  toy_output (graph, "m");
}

/* A factor for every pixel, not for every channel. */
static void
build_gate_of_pixels (ForgeGraph *graph)
{
  build_gate (graph);
  ForgeNode *mul = forge_graph_find (graph, "m")->producer;
  mul->inputs->pdata[1] = toy_input (graph, "q", 3, 9, 9, 1);
}

/* Nine times the weights: not what the operator scales. */
static void
build_gate_of_taps (ForgeGraph *graph)
{
  pass_image_input (graph, FORGE_FLOAT32, 1, 9, 9, 6);
  toy_input (graph, "g", 1, 1, 1, 6);
  toy_onnx_node (graph, "Mul", "x, g", "m", NULL);
  toy_constant (graph, "w", 1, -1, 2, 4, 6, 3, 3);
  toy_onnx_node (graph, "Conv", "m, w", "y", NULL)->nhwc = TRUE;
}

static const PassCase cases[] = {
  { "gelu", "fuse_gelu", build_gelu,
      { { "Gelu", 1 }, { "Mul", 0 }, { "Erf", 0 } }, 1e-6 },
  { "gelu of half", "fuse_gelu", build_gelu_of_half,
      { { "Gelu", 1 }, { "Mul", 0 }, { "Erf", 0 } }, 1e-6 },
  { "gelu of half a gate", "fuse_gelu", build_gelu_of_half_gate,
      { { "Gelu", 1 }, { "Mul", 0 }, { "Erf", 0 } }, 1e-6 },
  { "gelu of another", "fuse_gelu", build_gelu_of_another,
      { { "Gelu", 0 }, { "Mul", 2 } }, 0 },
  { "gelu of shared", "fuse_gelu", build_gelu_shared,
      { { "Gelu", 0 }, { "Mul", 2 } }, 0 },
  { "pad", "fuse_pad", build_pad, { { "Pad", 0 }, { "Conv", 1 } }, 0 },
  { "pad of valid", "fuse_pad", build_pad_of_valid, { { "Pad", 0 } }, 0 },
  { "pad of same", "fuse_pad", build_pad_of_same, { { "Pad", 1 } }, 0 },
  { "pad of channels", "fuse_pad", build_pad_of_channels, { { "Pad", 1 } }, 0 },
  { "pad of ones", "fuse_pad", build_pad_of_ones, { { "Pad", 1 } }, 0 },
  { "pad of shared", "fuse_pad", build_pad_shared, { { "Pad", 1 } }, 0 },
  { "silu", "fuse_silu", build_silu,
      { { "Silu", 1 }, { "Mul", 0 }, { "Sigmoid", 0 } }, 1e-6 },
  { "gate of another", "fuse_silu", build_gate_of_another,
      { { "Silu", 0 }, { "Mul", 1 } }, 0 },
  { "conv, relu", "fuse_activation", build_conv_relu,
      { { "Relu", 0 }, { "Conv", 1 } }, 0 },
  { "conv, relu of shared", "fuse_activation", build_conv_relu_shared,
      { { "Relu", 1 }, { "Conv", 1 } }, 0 },
  { "residual", "fuse_residual", build_residual,
      { { "Add", 0 }, { "Conv", 1 } }, 1e-5 },
  { "residual of two", "fuse_residual", build_residual_of_two,
      { { "Add", 0 }, { "Conv", 2 } }, 1e-5 },
  { "residual of shared", "fuse_residual", build_residual_shared,
      { { "Add", 1 }, { "Conv", 1 } }, 0 },
  { "residual of a row", "fuse_residual", build_residual_broadcast,
      { { "Add", 1 }, { "Conv", 1 } }, 0 },
  { "gate", "fuse_gate", build_gate, { { "Mul", 0 }, { "Conv", 1 } }, 1e-5 },
  { "gate turned", "fuse_gate", build_gate_turned,
      { { "Mul", 0 }, { "Conv", 1 } }, 1e-5 },
  { "gate of a small map", "fuse_gate", build_gate_of_small_map,
      { { "Mul", 1 } }, 0 },
  { "gate of shared", "fuse_gate", build_gate_shared, { { "Mul", 1 } }, 0 },
  { "gate of pixels", "fuse_gate", build_gate_of_pixels, { { "Mul", 1 } }, 0 },
  { "gate of taps", "fuse_gate", build_gate_of_taps, { { "Mul", 1 } }, 0 },
};

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  pass_cases_add (cases, G_N_ELEMENTS (cases));
  return g_test_run ();
}
