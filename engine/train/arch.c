/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The list of architectures and the layers they are put together from, as
 * ONNX operators (opset 13) with the names that `inspect` shows. First weights:
 * He et al., "Delving Deep into Rectifiers" (2015); Glorot and Bengio,
 * "Understanding the difficulty of training deep feedforward neural networks"
 * (2010). Biases begin at zero. */
#include "train/arch.h"

#include <math.h>
#include <string.h>

#include "forge/train.h"

#define OPSET 13

static const ForgeArch *const architectures[] = { &forge_arch_cnn };

const char *const *
forge_train_list_architectures (void)
{
  static const char *names[G_N_ELEMENTS (architectures) + 1];
  static gsize once;
  if (g_once_init_enter (&once)) {
    for (guint i = 0; i < G_N_ELEMENTS (architectures); i++)
      names[i] = architectures[i]->name;
    g_once_init_leave (&once, 1);
  }
  return names;
}

const ForgeArch *
forge_arch_find (const char *name, GError **error)
{
  for (guint i = 0; i < G_N_ELEMENTS (architectures); i++)
    if (strcmp (architectures[i]->name, name) == 0)
      return architectures[i];
  g_autofree char *names =
      g_strjoinv (", ", (char **) forge_train_list_architectures ());
  g_set_error (error, FORGE_ERROR, FORGE_ERROR_ARGUMENT,
      "unknown architecture '%s', expected one of: %s", name, names);
  return NULL;
}

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

void
forge_arch_input (
    ForgeArchBuilder *builder, const char *name, int width, int height)
{
  static const int64_t to_nchw[] = { 0, 3, 1, 2 };
  ForgeShape shape = forge_shape (4, -1, height, width, 3);
  builder->graph->opset = OPSET;
  builder->last =
      forge_graph_add_input (builder->graph, name, FORGE_UINT8, &shape);

  ForgeAttrs *cast = forge_attrs_new ();
  forge_attrs_set_int (cast, "to", FORGE_FLOAT32);
  forge_arch_plain (builder, "Cast", "cast", cast);

  float *scale;
  ForgeValue *constant =
      add_constant (builder, "rescale", "scale", forge_shape (0), &scale);
  if (!constant)
    return;
  *scale = 1.0f / 255.0f;
  ForgeValue *inputs[] = { builder->last, constant };
  add_node (builder, "Mul", "rescale", NULL, inputs, 2);

  ForgeAttrs *transpose = forge_attrs_new ();
  forge_attrs_set_ints (transpose, "perm", to_nchw, 4);
  forge_arch_plain (builder, "Transpose", "to_nchw", transpose);
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

/* A layer with weight and bias. */
static void
add_weighted (ForgeArchBuilder *builder, const char *type, const char *name,
    ForgeAttrs *attrs, ForgeShape shape, double variance)
{
  float *weight = NULL, *bias = NULL;
  ForgeValue *w = add_constant (builder, name, "weight", shape, &weight);
  ForgeValue *b = add_constant (
      builder, name, "bias", forge_shape (1, (int) shape.dims[0]), &bias);
  if (!b) {
    forge_attrs_free (attrs);
    return;
  }
  fill_uniform (builder, weight, forge_shape_count (&shape), variance);
  ForgeValue *inputs[] = { builder->last, w, b };
  add_node (builder, type, name, attrs, inputs, 3);
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
      2.0 / (double) (n_in * side * side));
}

void
forge_arch_dense (ForgeArchBuilder *builder, const char *name, int64_t n_in,
    int64_t n_out, ForgeInit init)
{
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_int (attrs, "transB", 1);
  double fan = init == FORGE_INIT_HE ? (double) n_in : (double) (n_in + n_out);
  add_weighted (builder, "Gemm", name, attrs,
      forge_shape (2, (int) n_out, (int) n_in), 2 / fan);
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
    ForgeArchBuilder *builder, const char *output_name, GError **error)
{
  g_autoptr (ForgeGraph) graph = g_steal_pointer (&builder->graph);
  if (builder->error) {
    g_propagate_error (error, g_steal_pointer (&builder->error));
    return NULL;
  }
  ForgeValue *output = forge_graph_value (graph, output_name);
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
