/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Weights are normal with the variance that keeps activations of order one
 * (He et al., 2015), from one stream of a fixed seed: the same file every
 * time. */
#include "net.h"

#include <math.h>
#include <string.h>

#include "tensor/tensor.h"

#define OPSET 17 /* the first with LayerNormalization */
#define SEED 1

ForgeValue *
net_node (Net *net, const char *type, ForgeAttrs *attrs,
    ForgeValue *const *inputs, guint n_inputs)
{
  g_autofree char *name = g_strdup_printf ("%s_%u", type, net->n_nodes++);
  g_autofree char *out_name = g_strconcat (name, "_out", NULL);
  ForgeValue *out = forge_graph_value (net->graph, out_name);
  ForgeNode *made = forge_graph_add_node (net->graph, forge_op_find (type, ""),
      name, attrs, inputs, n_inputs, &out, 1);
  made->opset = OPSET;
  return out;
}

static Map
node (Net *net, const char *type, ForgeAttrs *attrs, ForgeValue *const *inputs,
    guint n_inputs, Map shape)
{
  shape.value = net_node (net, type, attrs, inputs, n_inputs);
  return shape;
}

ForgeValue *
net_ints (Net *net, const int64_t *values, int n_values)
{
  ForgeShape shape = forge_shape (1, n_values);
  g_autoptr (ForgeTensor) tensor = forge_tensor_new (FORGE_INT64, &shape, NULL);
  g_assert (tensor);
  memcpy (tensor->data, values, (gsize) n_values * sizeof *values);
  g_autofree char *name = g_strdup_printf ("c_%u", net->n_nodes++);
  return forge_graph_add_constant (net->graph, name, tensor);
}

ForgeValue *
net_constant (Net *net, ForgeShape shape, float mean, double deviation)
{
  g_autoptr (ForgeTensor) tensor =
      forge_tensor_new (FORGE_FLOAT32, &shape, NULL);
  g_assert (tensor);
  float *data = tensor->data;
  for (int64_t i = 0; i < forge_shape_count (&shape); i++)
    data[i] =
        mean +
        (deviation > 0 ? (float) deviation * forge_rng_normal (&net->rng) : 0);
  g_autofree char *name = g_strdup_printf ("c_%u", net->n_nodes++);
  return forge_graph_add_constant (net->graph, name, tensor);
}

Map
net_begin (Net *net, const char *name, int64_t batch, int side)
{
  ForgeShape shape = forge_shape (4, (int) batch, 3, side, side);
  net->graph = forge_graph_new (name);
  net->graph->opset = OPSET;
  net->n_nodes = 0;
  forge_rng_seed (&net->rng, SEED);
  return (Map) {
    forge_graph_add_input (net->graph, "input", FORGE_FLOAT32, &shape), 3, side
  };
}

Map
net_activate (Net *net, Map in, Act act)
{
  if (act == RELU)
    return node (net, "Relu", NULL, &in.value, 1, in);
  if (act == HARD_SWISH)
    return node (net, "HardSwish", NULL, &in.value, 1, in);
  if (act == RELU6) {
    ForgeValue *inputs[] = { in.value,
      net_constant (net, forge_shape (0), 0, 0),
      net_constant (net, forge_shape (0), 6, 0) };
    return node (net, "Clip", NULL, inputs, 3, in);
  }
  if (act == SILU) {
    Map gate = node (net, "Sigmoid", NULL, &in.value, 1, in);
    ForgeValue *inputs[] = { in.value, gate.value };
    return node (net, "Mul", NULL, inputs, 2, in);
  }
  return in;
}

static ForgeAttrs *
window (int kernel, int stride, int pad)
{
  int64_t kernels[] = { kernel, kernel }, strides[] = { stride, stride };
  int64_t pads[] = { pad, pad, pad, pad };
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_ints (attrs, "kernel_shape", kernels, 2);
  forge_attrs_set_ints (attrs, "strides", strides, 2);
  forge_attrs_set_ints (attrs, "pads", pads, 4);
  return attrs;
}

static Map
conv (Net *net, Map in, Map out, int groups, ForgeAttrs *attrs, int kernel,
    Act act, gboolean biased)
{
  int fan_in = in.channels / groups * kernel * kernel;
  forge_attrs_set_int (attrs, "group", groups);
  ForgeValue *inputs[] = { in.value,
    net_constant (net,
        forge_shape (4, out.channels, in.channels / groups, kernel, kernel), 0,
        sqrt ((act == PLAIN ? 1.0 : 2.0) / fan_in)),
    biased ? net_constant (net, forge_shape (1, out.channels), 0, 0.02)
           : NULL };
  return net_activate (
      net, node (net, "Conv", attrs, inputs, biased ? 3 : 2, out), act);
}

Map
net_conv (Net *net, Map in, int n_out, int kernel, int stride, int pad, Act act)
{
  Map out = { NULL, n_out, (in.side + 2 * pad - kernel) / stride + 1 };
  return conv (
      net, in, out, 1, window (kernel, stride, pad), kernel, act, TRUE);
}

Map
net_conv_unbiased (Net *net, Map in, int n_out, int kernel, int pad)
{
  Map out = { NULL, n_out, in.side + 2 * pad - kernel + 1 };
  return conv (net, in, out, 1, window (kernel, 1, pad), kernel, PLAIN, FALSE);
}

Map
net_depthwise (Net *net, Map in, int kernel, int stride, Act act)
{
  Map out = { NULL, in.channels, (in.side - 1) / stride + 1 };
  return conv (net, in, out, in.channels, window (kernel, stride, kernel / 2),
      kernel, act, TRUE);
}

Map
net_batch_norm (Net *net, Map in)
{
  ForgeShape shape = forge_shape (1, in.channels);
  ForgeValue *inputs[] = { in.value, net_constant (net, shape, 1, 0.05),
    net_constant (net, shape, 0, 0.05), net_constant (net, shape, 0, 0.05),
    net_constant (net, shape, 1, 0) };
  return node (net, "BatchNormalization", NULL, inputs, 5, in);
}

Map
net_max_pool (Net *net, Map in, int kernel, int stride, int pad, int ceil)
{
  ForgeAttrs *attrs = window (kernel, stride, pad);
  forge_attrs_set_int (attrs, "ceil_mode", ceil);
  Map out = { NULL, in.channels,
    (in.side + 2 * pad - kernel + (ceil ? stride - 1 : 0)) / stride + 1 };
  return node (net, "MaxPool", attrs, &in.value, 1, out);
}

Map
net_average_pool (Net *net, Map in, int kernel)
{
  Map out = { NULL, in.channels, in.side / kernel };
  return node (
      net, "AveragePool", window (kernel, kernel, 0), &in.value, 1, out);
}

Map
net_global_pool (Net *net, Map in)
{
  return node (net, "GlobalAveragePool", NULL, &in.value, 1,
      (Map) { NULL, in.channels, 1 });
}

Map
net_add (Net *net, Map a, Map b)
{
  ForgeValue *inputs[] = { a.value, b.value };
  return node (net, "Add", NULL, inputs, 2, a);
}

Map
net_concat (Net *net, const Map *maps, guint n_maps)
{
  ForgeValue *inputs[64];
  Map out = maps[0];
  g_assert (n_maps <= G_N_ELEMENTS (inputs));
  out.channels = 0;
  for (guint i = 0; i < n_maps; i++) {
    inputs[i] = maps[i].value;
    out.channels += maps[i].channels;
  }
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_int (attrs, "axis", 1);
  return node (net, "Concat", attrs, inputs, n_maps, out);
}

Map
net_excite (Net *net, Map in, int n_squeezed, Act act, const char *gate)
{
  Map x = net_global_pool (net, in);
  x = net_conv (net, x, n_squeezed, 1, 1, 0, act);
  x = net_conv (net, x, in.channels, 1, 1, 0, PLAIN);
  ForgeAttrs *attrs = NULL;
  if (strcmp (gate, "HardSigmoid") == 0) {
    attrs = forge_attrs_new ();
    forge_attrs_set_float (attrs, "alpha", 1.0f / 6);
  }
  x = node (net, gate, attrs, &x.value, 1, x);
  ForgeValue *inputs[] = { x.value, in.value };
  return node (net, "Mul", NULL, inputs, 2, in);
}

Map
net_scale (Net *net, Map in, float factor)
{
  ForgeValue *inputs[] = { in.value,
    net_constant (net, forge_shape (0), factor, 0) };
  return node (net, "Mul", NULL, inputs, 2, in);
}

Map
net_flatten (Net *net, Map in)
{
  return node (net, "Flatten", NULL, &in.value, 1,
      (Map) { NULL, in.channels * in.side * in.side, 0 });
}

Map
net_dense (Net *net, Map in, int n_out, Act act)
{
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_int (attrs, "transB", 1);
  ForgeValue *inputs[] = { in.value,
    net_constant (net, forge_shape (2, n_out, in.channels), 0,
        sqrt ((act == PLAIN ? 1.0 : 2.0) / in.channels)),
    net_constant (net, forge_shape (1, n_out), 0, 0.02) };
  Map out = { NULL, n_out, 0 };
  return net_activate (net, node (net, "Gemm", attrs, inputs, 3, out), act);
}

Map
net_softmax (Net *net, Map in)
{
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_int (attrs, "axis", 1);
  return node (net, "Softmax", attrs, &in.value, 1, in);
}

ForgeGraph *
net_finish (Net *net, Map last, GError **error)
{
  g_autoptr (ForgeGraph) graph = g_steal_pointer (&net->graph);
  forge_graph_add_output (graph, last.value);
  /* by which GStreamer's onnxinference knows what comes out */
  gboolean softmax = strcmp (last.value->producer->op->type, "Softmax") == 0;
  forge_graph_rename (graph, last.value, "output");
  g_hash_table_insert (graph->metadata, g_strdup ("output"),
      g_strdup (softmax ? "classification-generic-softmaxed-out"
                        : "classification-generic-out"));
  if (!forge_graph_sort (graph, error) || !forge_graph_infer (graph, error))
    return NULL;
  return g_steal_pointer (&graph);
}
