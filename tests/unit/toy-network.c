/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Random but sensible convolutional networks for toy-graph.h. */
#include "base/rng.h"
#include "toy-graph.h"

typedef struct {
  ForgeGraph *graph;
  ForgeRng rng;
  int n_values;
  char *last;   /* the value to go on from, NCHW */
  int channels; /* its channels */
  int size;     /* its height and width */
} Builder;

static gboolean
chance (Builder *builder, uint32_t one_in)
{
  return forge_rng_below (&builder->rng, one_in) == 0;
}

/* A value name that nobody has. */
static char *
new_name (Builder *builder)
{
  return g_strdup_printf ("v%d", builder->n_values++);
}

/* Appends a node that reads the last value and @more, and goes on from it. */
static void
layer (Builder *builder, const char *type, const char *more, ForgeAttrs *attrs)
{
  char *out = new_name (builder);
  g_autofree char *inputs = g_strconcat (builder->last, more, NULL);
  const ForgeOp *op = forge_op_find (type, "");
  toy_node (builder->graph, op, inputs, out, attrs);
  g_free (builder->last);
  builder->last = out;
}

static char *
constant (Builder *builder, float low, float span, int a, int b, int c, int d)
{
  g_autofree char *name = new_name (builder);
  toy_constant (builder->graph, name, forge_rng_u64 (&builder->rng), low, span,
      a, b, c, d);
  return g_strconcat (", ", name, NULL);
}

static void
conv (Builder *builder, int channels, int kernel)
{
  g_autofree char *weights = constant (
      builder, -0.3f, 0.6f, channels, builder->channels, kernel, kernel);
  g_autofree char *bias = constant (builder, -0.1f, 0.2f, channels, 0, 0, 0);
  g_autofree char *more = g_strconcat (weights, bias, NULL);
  int pad = kernel / 2;
  layer (builder, "Conv", chance (builder, 3) ? weights : more,
      toy_attrs_ints (NULL, "pads", 4, pad, pad, pad, pad));
  builder->channels = channels;
}

static void
batch_norm (Builder *builder)
{
  int c = builder->channels;
  g_autofree char *scale = constant (builder, 0.5f, 1, c, 0, 0, 0);
  g_autofree char *shift = constant (builder, -0.5f, 1, c, 0, 0, 0);
  g_autofree char *mean = constant (builder, -0.5f, 1, c, 0, 0, 0);
  g_autofree char *variance = constant (builder, 0.5f, 1, c, 0, 0, 0);
  g_autofree char *more = g_strconcat (scale, shift, mean, variance, NULL);
  layer (builder, "BatchNormalization", more, NULL);
}

static void
activation (Builder *builder)
{
  static const char *const types[] = { "Relu", "LeakyRelu", "Sigmoid",
    "HardSwish", "Clip", "Elu", "Gelu" };
  const char *type =
      types[forge_rng_below (&builder->rng, G_N_ELEMENTS (types))];
  if (g_str_equal (type, "Clip")) {
    g_autofree char *low = constant (builder, 0, 0, 0, 0, 0, 0);
    g_autofree char *high = constant (builder, 6, 0, 0, 0, 0, 0);
    g_autofree char *more = g_strconcat (low, high, NULL);
    layer (builder, type, more, NULL);
  } else {
    layer (builder, type, NULL, NULL);
  }
}

static void
pool (Builder *builder)
{
  if (builder->size < 4)
    return;
  ForgeAttrs *attrs = toy_attrs_ints (NULL, "kernel_shape", 2, 2, 2);
  layer (builder, chance (builder, 2) ? "MaxPool" : "AveragePool", NULL,
      toy_attrs_ints (attrs, "strides", 2, 2, 2));
  builder->size /= 2;
}

/* y = x + f (x), or y = f (x) concatenated to x. */
static void
branch (Builder *builder)
{
  g_autofree char *before = g_strconcat (", ", builder->last, NULL);
  int channels = builder->channels;
  if (chance (builder, 2)) {
    conv (builder, channels, 3);
    activation (builder);
    layer (builder, "Add", before, NULL);
  } else {
    conv (builder, 3, 1);
    ForgeAttrs *attrs = forge_attrs_new ();
    forge_attrs_set_int (attrs, "axis", chance (builder, 2) ? 1 : -3);
    layer (builder, "Concat", before, attrs);
    builder->channels += channels;
  }
}

/* Squeeze and excite, or x * sigmoid (x). */
static void
gate (Builder *builder)
{
  g_autofree char *before = g_strconcat (", ", builder->last, NULL);
  if (chance (builder, 2)) {
    int channels = builder->channels;
    layer (builder, "GlobalAveragePool", NULL, NULL);
    conv (builder, 2, 1);
    activation (builder);
    conv (builder, channels, 1);
  }
  layer (builder, "Sigmoid", NULL, NULL);
  layer (builder, "Mul", before, NULL);
}

static void
per_channel (Builder *builder)
{
  g_autofree char *factor =
      constant (builder, 0.5f, 1, builder->channels, 1, 1, 0);
  layer (builder, chance (builder, 2) ? "Mul" : "Add", factor, NULL);
}

static void
pad (Builder *builder)
{
  static const int64_t pads[] = { 0, 0, 1, 0, 0, 0, 1, 2 };
  g_autofree char *name = new_name (builder);
  toy_ints (builder->graph, name, pads, 8);
  g_autofree char *more = g_strconcat (", ", name, NULL);
  layer (builder, "Pad", more, NULL);
  ForgeAttrs *attrs = toy_attrs_ints (NULL, "kernel_shape", 2, 3, 3);
  layer (builder, "MaxPool", NULL, attrs);
}

static void
head (Builder *builder)
{
  int width = builder->channels;
  if (chance (builder, 3)) {
    layer (builder, "GlobalAveragePool", NULL, NULL);
    layer (builder, "Flatten", NULL, NULL);
  } else if (chance (builder, 2)) {
    ForgeAttrs *attrs = toy_attrs_ints (NULL, "axes", 2, 2, 3);
    forge_attrs_set_int (attrs, "keepdims", 0);
    layer (builder, "ReduceMean", NULL, attrs);
  } else {
    layer (builder, "Flatten", NULL, NULL);
    width *= builder->size * builder->size;
  }
  gboolean rows = chance (builder, 2);
  g_autofree char *weights =
      constant (builder, -0.2f, 0.4f, rows ? 5 : width, rows ? width : 5, 0, 0);
  g_autofree char *bias = constant (builder, -0.1f, 0.2f, 5, 0, 0, 0);
  g_autofree char *more = g_strconcat (weights, bias, NULL);
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_int (attrs, "transB", rows);
  layer (builder, "Gemm", more, attrs);
  if (chance (builder, 2))
    layer (builder, "Softmax", NULL, NULL);
}

static void
stem (Builder *builder)
{
  ForgeShape shape = forge_shape (4, -1, builder->size, builder->size, 3);
  forge_graph_add_input (builder->graph, "image", FORGE_UINT8, &shape);
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_int (attrs, "to", FORGE_FLOAT32);
  layer (builder, "Cast", NULL, attrs);
  gboolean scalar = chance (builder, 2);
  g_autofree char *scale =
      constant (builder, 1 / 255.0f, 0.01f, scalar ? 0 : 3, 0, 0, 0);
  layer (builder, "Mul", scale, NULL);
  if (chance (builder, 2)) {
    g_autofree char *mean = constant (builder, 0.4f, 0.2f, 3, 0, 0, 0);
    layer (builder, "Sub", mean, NULL);
  }
  layer (
      builder, "Transpose", NULL, toy_attrs_ints (NULL, "perm", 4, 0, 3, 1, 2));
}

ForgeGraph *
toy_network (uint64_t seed)
{
  static void (*const layers[]) (Builder * builder) = { batch_norm, activation,
    pool, branch, gate, per_channel, pad };
  Builder builder = { .graph = forge_graph_new ("network"),
    .last = g_strdup ("image"),
    .channels = 3,
    .size = 8 };
  builder.graph->opset = 14;
  forge_rng_seed (&builder.rng, seed);
  stem (&builder);
  guint n_layers = 2 + forge_rng_below (&builder.rng, 7);
  for (guint i = 0; i < n_layers; i++) {
    if (chance (&builder, 2))
      conv (&builder, 4 + (int) forge_rng_below (&builder.rng, 5), 3);
    layers[forge_rng_below (&builder.rng, G_N_ELEMENTS (layers))](&builder);
  }
  head (&builder);
  toy_output (builder.graph, builder.last);
  g_free (builder.last);
  g_autoptr (GError) error = NULL;
  forge_graph_sort (builder.graph, &error);
  g_assert_no_error (error);
  forge_graph_infer (builder.graph, &error);
  g_assert_no_error (error);
  return builder.graph;
}
