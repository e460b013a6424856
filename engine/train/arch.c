/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The layers that architectures are put together from, as ONNX operators
 * (opset 13) with the names that `inspect` shows. First weights:
 * He et al., "Delving Deep into Rectifiers" (2015); Glorot and Bengio,
 * "Understanding the difficulty of training deep feedforward neural networks"
 * (2010). Biases begin at zero. */
#include "train/arch.h"

#include <math.h>
#include <string.h>

#define OPSET 13

static void
add_node (ForgeArchBuilder *builder, const char *type, const char *name,
    ForgeAttrs *attrs, ForgeValue *const *inputs, guint n_inputs)
{
  const ForgeOp *op = forge_op_find (type, "");
  g_assert (op);
  g_autofree char *out_name = g_strconcat (name, "_out", NULL);
  ForgeValue *out = forge_graph_value (builder->graph, out_name);
  ForgeNode *node = forge_graph_add_node (
      builder->graph, op, name, attrs, inputs, n_inputs, &out, 1);
  node->opset = OPSET;
  builder->last = out;
}

void
forge_arch_plain (ForgeArchBuilder *builder, const char *type, const char *name,
    ForgeAttrs *attrs)
{
  if (builder->error)
    forge_attrs_free (attrs);
  else
    add_node (builder, type, name, attrs, &builder->last, 1);
}

/* A constant called "<layer>.<part>", or NULL after a failure. */
static ForgeValue *
add_constant (ForgeArchBuilder *builder, const char *layer, const char *part,
    ForgeShape shape, float **data)
{
  if (builder->error)
    return NULL;
  g_autoptr (ForgeTensor) tensor =
      forge_tensor_new (FORGE_FLOAT32, &shape, &builder->error);
  if (!tensor)
    return NULL;
  *data = tensor->data;
  g_autofree char *name = g_strconcat (layer, ".", part, NULL);
  return forge_graph_add_constant (builder->graph, name, tensor);
}

/* byte * scale + bias; @bias NULL = none. @rank 0 = one number for all. */
static void
add_rescale (
    ForgeArchBuilder *builder, int rank, const float *scale, const float *bias)
{
  const float *const parts[] = { scale, bias };
  static const char *const names[] = { "scale", "bias" };
  static const char *const types[] = { "Mul", "Add" };
  static const char *const nodes[] = { "rescale", "rescale_bias" };
  for (int i = 0; i < 2 && parts[i]; i++) {
    ForgeShape shape = { .rank = rank, .dims = { 3 } };
    float *data;
    ForgeValue *constant =
        add_constant (builder, "rescale", names[i], shape, &data);
    if (!constant)
      return;
    memcpy (data, parts[i], (rank ? 3 : 1) * sizeof *data);
    ForgeValue *inputs[] = { builder->last, constant };
    add_node (builder, types[i], nodes[i], NULL, inputs, 2);
  }
}

static void
add_input (ForgeArchBuilder *builder, const char *name, int width, int height,
    int rank, const float *scale, const float *bias)
{
  static const int64_t to_nchw[] = { 0, 3, 1, 2 };
  ForgeShape shape = forge_shape (4, -1, height, width, 3);
  builder->graph->opset = OPSET;
  builder->last =
      forge_graph_add_input (builder->graph, name, FORGE_UINT8, &shape);
  ForgeAttrs *cast = forge_attrs_new ();
  forge_attrs_set_int (cast, "to", FORGE_FLOAT32);
  forge_arch_plain (builder, "Cast", "cast", cast);
  add_rescale (builder, rank, scale, bias);
  ForgeAttrs *transpose = forge_attrs_new ();
  forge_attrs_set_ints (transpose, "perm", to_nchw, 4);
  forge_arch_plain (builder, "Transpose", "to_nchw", transpose);
}

void
forge_arch_input (
    ForgeArchBuilder *builder, const char *name, int width, int height)
{
  static const float scale = 1.0f / 255.0f;
  add_input (builder, name, width, height, 0, &scale, NULL);
}

void
forge_arch_input_scaled (ForgeArchBuilder *builder, const char *name, int width,
    int height, const float *scale, const float *bias)
{
  add_input (builder, name, width, height, 1, scale, bias);
}

/* Uniform in [-limit, limit], whose variance is limit^2 / 3. Every parameter
 * draws from its own stream. */
static void
fill_uniform (
    ForgeArchBuilder *builder, float *data, int64_t count, double variance)
{
  ForgeRng rng;
  forge_rng_seed_at (&rng, builder->seed, builder->n_parameters++);
  float limit = (float) sqrt (3 * variance);
  for (int64_t i = 0; i < count; i++)
    data[i] = limit * (2 * forge_rng_float (&rng) - 1);
}

static double
variance_of (ForgeInit init, int64_t fan_in, int64_t fan_out)
{
  if (init == FORGE_INIT_HE)
    return 2.0 / (double) fan_in;
  if (init == FORGE_INIT_GLOROT)
    return 2.0 / (double) (fan_in + fan_out);
  return 1.0 / (3.0 * (double) fan_in);
}

/* A layer with weight and, it may be, bias. Takes @attrs. */
static ForgeValue *
add_weighted (ForgeArchBuilder *builder, const char *type, const char *name,
    ForgeAttrs *attrs, ForgeShape shape, double variance, gboolean has_bias)
{
  float *weight = NULL, *bias = NULL;
  ForgeValue *w = add_constant (builder, name, "weight", shape, &weight);
  ForgeValue *b = NULL;
  if (has_bias)
    b = add_constant (
        builder, name, "bias", forge_shape (1, (int) shape.dims[0]), &bias);
  if (builder->error) {
    forge_attrs_free (attrs);
    return NULL;
  }
  fill_uniform (builder, weight, forge_shape_count (&shape), variance);
  ForgeValue *inputs[] = { builder->last, w, b };
  add_node (builder, type, name, attrs, inputs, has_bias ? 3 : 2);
  return w;
}

/* [O, C, K, K]: filter o of the first C has a one in the middle of channel o.
 */
static void
fill_dirac (ForgeValue *weights)
{
  const ForgeShape *shape = &weights->shape;
  float *data = weights->constant->data;
  int64_t n_in = shape->dims[1], taps = shape->dims[2] * shape->dims[3];
  int64_t n_filters = MIN (shape->dims[0], n_in);
  memset (data, 0, (size_t) (n_filters * n_in * taps) * sizeof *data);
  for (int64_t o = 0; o < n_filters; o++)
    data[(o * n_in + o) * taps + taps / 2] = 1;
}

ForgeValue *
forge_arch_add_conv (ForgeArchBuilder *builder, const ForgeArchConv *conv)
{
  int64_t groups = MAX (conv->groups, 1), stride = MAX (conv->stride, 1);
  int64_t kernel[] = { conv->side, conv->side };
  int64_t strides[] = { stride, stride };
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_ints (attrs, "kernel_shape", kernel, 2);
  forge_attrs_set_ints (attrs, "strides", strides, 2);
  forge_attrs_set_ints (attrs, "pads", conv->pads, 4);
  forge_attrs_set_int (attrs, "group", groups);
  int64_t group_in = conv->n_in / groups;
  int64_t taps = conv->side * conv->side;
  ForgeShape shape = forge_shape (
      4, (int) conv->n_out, (int) group_in, (int) conv->side, (int) conv->side);
  ForgeValue *weights = add_weighted (builder, "Conv", conv->name, attrs, shape,
      variance_of (conv->init, group_in * taps, conv->n_out * taps),
      conv->has_bias);
  if (weights && conv->init == FORGE_INIT_DIRAC)
    fill_dirac (weights);
  return weights;
}

void
forge_arch_conv (ForgeArchBuilder *builder, const char *name, int64_t n_in,
    int64_t n_out, int64_t side)
{
  int64_t kernel[] = { side, side };
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_ints (attrs, "kernel_shape", kernel, 2);
  add_weighted (builder, "Conv", name, attrs,
      forge_shape (4, (int) n_out, (int) n_in, (int) side, (int) side),
      variance_of (FORGE_INIT_HE, n_in * side * side, 0), TRUE);
}

static void
add_dense (ForgeArchBuilder *builder, const char *name, int64_t n_in,
    int64_t n_out, ForgeInit init, gboolean has_bias)
{
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_int (attrs, "transB", 1);
  add_weighted (builder, "Gemm", name, attrs,
      forge_shape (2, (int) n_out, (int) n_in), variance_of (init, n_in, n_out),
      has_bias);
}

void
forge_arch_dense (ForgeArchBuilder *builder, const char *name, int64_t n_in,
    int64_t n_out, ForgeInit init)
{
  add_dense (builder, name, n_in, n_out, init, TRUE);
}

void
forge_arch_dense_plain (ForgeArchBuilder *builder, const char *name,
    int64_t n_in, int64_t n_out, ForgeInit init)
{
  add_dense (builder, name, n_in, n_out, init, FALSE);
}

void
forge_arch_batch_norm (ForgeArchBuilder *builder, const char *name,
    int64_t n_channels, double momentum, gboolean trains_scale)
{
  static const char *const parts[] = { "scale", "shift", "mean", "variance" };
  ForgeValue *inputs[5] = { builder->last };
  for (int i = 0; i < 4; i++) {
    float *data;
    ForgeShape shape = forge_shape (1, (int) n_channels);
    inputs[i + 1] = add_constant (builder, name, parts[i], shape, &data);
    for (int64_t c = 0; inputs[i + 1] && c < n_channels; c++)
      data[c] = i == 0 || i == 3 ? 1 : 0;
  }
  if (builder->error)
    return;
  inputs[1]->frozen = !trains_scale;
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_float (attrs, "momentum", (float) momentum);
  forge_attrs_set_float (attrs, "epsilon", 1e-5f);
  add_node (builder, "BatchNormalization", name, attrs, inputs, 5);
}

static void
add_pair (ForgeArchBuilder *builder, const char *type, const char *name,
    ForgeValue *a, ForgeValue *b)
{
  ForgeValue *inputs[] = { a, b };
  if (!builder->error)
    add_node (builder, type, name, NULL, inputs, 2);
}

void
forge_arch_silu (ForgeArchBuilder *builder, const char *name)
{
  g_autofree char *gate = g_strconcat (name, "_gate", NULL);
  ForgeValue *x = builder->last;
  forge_arch_plain (builder, "Sigmoid", gate, NULL);
  add_pair (builder, "Mul", name, x, builder->last);
}

void
forge_arch_relu6 (ForgeArchBuilder *builder, const char *name)
{
  float *least = NULL, *most = NULL;
  ForgeValue *inputs[3] = { builder->last };
  inputs[1] = add_constant (builder, name, "min", forge_shape (0), &least);
  inputs[2] = add_constant (builder, name, "max", forge_shape (0), &most);
  if (builder->error)
    return;
  *least = 0;
  *most = 6;
  add_node (builder, "Clip", name, NULL, inputs, 3);
}

void
forge_arch_add (ForgeArchBuilder *builder, const char *name, ForgeValue *other)
{
  add_pair (builder, "Add", name, builder->last, other);
}

void
forge_arch_scale (ForgeArchBuilder *builder, const char *name, double factor)
{
  float *data;
  ForgeValue *constant =
      add_constant (builder, name, "factor", forge_shape (0), &data);
  if (!constant)
    return;
  *data = (float) factor;
  add_pair (builder, "Mul", name, builder->last, constant);
}

void
forge_arch_flatten (ForgeArchBuilder *builder, const char *name)
{
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_int (attrs, "axis", 1);
  forge_arch_plain (builder, "Flatten", name, attrs);
}

void
forge_arch_max_pool (ForgeArchBuilder *builder, const char *name, int64_t side)
{
  int64_t extent[] = { side, side };
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_ints (attrs, "kernel_shape", extent, 2);
  forge_attrs_set_ints (attrs, "strides", extent, 2);
  forge_arch_plain (builder, "MaxPool", name, attrs);
}

void
forge_arch_dropout (ForgeArchBuilder *builder, const char *name, double rate)
{
  float *ratio;
  ForgeValue *constant =
      add_constant (builder, name, "ratio", forge_shape (0), &ratio);
  if (!constant)
    return;
  *ratio = (float) rate;
  ForgeValue *inputs[] = { builder->last, constant };
  add_node (builder, "Dropout", name, NULL, inputs, 2);
}

ForgeGraph *
forge_arch_finish (
    ForgeArchBuilder *builder, const ForgeArchParams *params, GError **error)
{
  if (params->sigmoid) {
    forge_arch_plain (builder, "Sigmoid", "sigmoid", NULL);
  } else {
    ForgeAttrs *softmax = forge_attrs_new ();
    forge_attrs_set_int (softmax, "axis", -1);
    forge_arch_plain (builder, "Softmax", "softmax", softmax);
  }
  g_autoptr (ForgeGraph) graph = g_steal_pointer (&builder->graph);
  if (builder->error) {
    g_propagate_error (error, g_steal_pointer (&builder->error));
    return NULL;
  }
  ForgeValue *output = forge_graph_value (graph, "probabilities");
  ForgeValue *last = builder->last;
  ForgeNode *node = last->producer;
  forge_graph_replace_value (graph, last, output);
  g_ptr_array_index (node->outputs, 0) = output;
  output->producer = node;
  last->producer = NULL;
  forge_graph_add_output (graph, output);
  forge_graph_sweep (graph);
  if (!forge_graph_sort (graph, error) || !forge_graph_infer (graph, error))
    return NULL;
  return g_steal_pointer (&graph);
}
