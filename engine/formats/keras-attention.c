/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * MultiHeadAttention over sequences [N, T, D]:
 *   softmax (Q K^T / sqrt (key_dim)) V for each head, then projected.
 * The projections are EinsumDense layers inside the layer; Keras 3 files have
 * them under query_dense or _query_dense, as the version had it. Source:
 * keras/src/layers/attention/multi_head_attention.py. */
#include "formats/keras.h"

#include <math.h>

#define MAX_EXTENT 65536

typedef struct {
  int64_t heads, key_dim, value_dim;
  gboolean use_bias;
} Attention;

/* x @ kernel + bias, the kernel's axes merged to two: @in_shape and @out_shape
 * are those of the file. */
static ForgeValue *
project (KerasBuilder *builder, const KerasLayer *layer, const char *part,
    ForgeValue *x, const ForgeShape *in, const ForgeShape *out,
    gboolean use_bias, GError **error)
{
  g_autofree char *group = g_strdup_printf ("%s/%s_dense", layer->group, part);
  if (!keras_weights_has_group (builder->weights, group)) {
    g_free (group);
    group = g_strdup_printf ("%s/_%s_dense", layer->group, part);
  }
  gboolean is_output = g_str_equal (part, "output");
  const char *name = is_output ? "attention_output" : part;
  g_autofree char *kernel_name = g_strconcat (name, "/kernel", NULL);
  g_autofree char *bias_name = g_strconcat (name, "/bias", NULL);
  KerasLayer inner = *layer;
  if (!keras_weights_are_named (builder->weights))
    inner.group = group;
  KerasWeight kernel = { kernel_name, 0, { .rank = in->rank + out->rank } };
  for (int i = 0; i < in->rank; i++)
    kernel.shape.dims[i] = in->dims[i];
  for (int i = 0; i < out->rank; i++)
    kernel.shape.dims[in->rank + i] = out->dims[i];
  int64_t n_out = forge_shape_count (out);
  kernel.view = (ForgeShape) { 2, { forge_shape_count (in), n_out } };
  const KerasWeight bias = { bias_name, 1, *out, NULL, { 1, { n_out } } };
  ForgeValue *w = keras_weight (builder, &inner, &kernel, error);
  ForgeValue *y =
      w ? keras_emit2 (builder, layer, "MatMul", x, w, error) : NULL;
  ForgeValue *b =
      y && use_bias ? keras_weight (builder, &inner, &bias, error) : NULL;
  if (!use_bias)
    return y;
  return b ? keras_emit2 (builder, layer, "Add", y, b, error) : NULL;
}

/* [N, T, heads * d] to [N, heads, T, d], or for keys [N, heads, d, T]. */
static ForgeValue *
split_heads (KerasBuilder *builder, const KerasLayer *layer, ForgeValue *x,
    int64_t heads, int64_t d, gboolean transposed, GError **error)
{
  static const int64_t plain[] = { 0, 2, 1, 3 }, turned[] = { 0, 2, 3, 1 };
  const int64_t dims[] = { 0, 0, heads, d };
  ForgeValue *y = x ? keras_reshape (builder, layer, x, dims, 4, error) : NULL;
  return y ? keras_transpose (
                 builder, layer, y, transposed ? turned : plain, 4, error)
           : NULL;
}

static ForgeValue *
head (KerasBuilder *builder, const KerasLayer *layer, const Attention *a,
    const char *part, ForgeValue *x, int64_t d, GError **error)
{
  const ForgeShape in = { 1, { x->shape.dims[2] } };
  const ForgeShape out = { 2, { a->heads, d } };
  ForgeValue *y =
      project (builder, layer, part, x, &in, &out, a->use_bias, error);
  return split_heads (
      builder, layer, y, a->heads, d, g_str_equal (part, "key"), error);
}

static ForgeValue *
attend (KerasBuilder *builder, const KerasLayer *layer, const Attention *a,
    ForgeValue *const x[3], int64_t n_out, GError **error)
{
  static const int64_t back[] = { 0, 2, 1, 3 };
  ForgeValue *q = head (builder, layer, a, "query", x[0], a->key_dim, error);
  ForgeValue *k =
      q ? head (builder, layer, a, "key", x[2], a->key_dim, error) : NULL;
  ForgeValue *v =
      k ? head (builder, layer, a, "value", x[1], a->value_dim, error) : NULL;
  if (!v)
    return NULL;
  float scale = (float) (1 / sqrt ((double) a->key_dim));
  ForgeValue *y = keras_emit2 (
      builder, layer, "Mul", q, keras_scalar (builder, scale), error);
  if (y)
    y = keras_emit2 (builder, layer, "MatMul", y, k, error);
  if (y)
    y = keras_activation (builder, layer, "softmax", y, 3, error);
  if (y)
    y = keras_emit2 (builder, layer, "MatMul", y, v, error);
  if (y)
    y = keras_transpose (builder, layer, y, back, 4, error);
  const int64_t dims[] = { 0, 0, a->heads * a->value_dim };
  if (y)
    y = keras_reshape (builder, layer, y, dims, 3, error);
  const ForgeShape in = { 2, { a->heads, a->value_dim } };
  const ForgeShape out = { 1, { n_out } };
  return y ? project (
                 builder, layer, "output", y, &in, &out, a->use_bias, error)
           : NULL;
}

static gboolean
read_attention (KerasBuilder *builder, const KerasLayer *layer, Attention *a,
    int64_t *n_out, GError **error)
{
  JsonObject *config = layer->config;
  JsonArray *axes = forge_json_array (config, "attention_axes");
  JsonArray *shape = forge_json_array (config, "output_shape");
  a->heads = forge_json_int (config, "num_heads", 0);
  a->key_dim = forge_json_int (config, "key_dim", 0);
  a->value_dim = forge_json_int (config, "value_dim", a->key_dim);
  a->use_bias = forge_json_bool (config, "use_bias", TRUE);
  *n_out = shape ? forge_json_int_at (shape, 0, 0)
                 : forge_json_int (config, "output_shape", *n_out);
  if (a->heads < 1 || a->heads > MAX_EXTENT || a->key_dim < 1 ||
      a->key_dim > MAX_EXTENT || a->value_dim < 1 ||
      a->value_dim > MAX_EXTENT || *n_out < 1 || *n_out > MAX_EXTENT)
    return keras_error (builder, layer, error, FORGE_ERROR_FORMAT,
        "expected num_heads, key_dim, value_dim and output extents in 1..%d",
        MAX_EXTENT);
  gboolean plain_axes = !axes || (json_array_get_length (axes) == 1 &&
                                     forge_json_int_at (axes, 0, 0) == 1);
  if (!plain_axes || (shape && json_array_get_length (shape) != 1))
    return keras_error (builder, layer, error, FORGE_ERROR_UNSUPPORTED,
        "attention over other axes than the sequence's, or several output "
        "axes");
  return TRUE;
}

static gboolean
is_true (const KerasArgument *argument)
{
  return argument && argument->constant &&
         JSON_NODE_HOLDS_VALUE (argument->constant) &&
         json_node_get_boolean (argument->constant);
}

gboolean
keras_build_attention (KerasBuilder *builder, const KerasLayer *layer,
    KerasTensor *inputs, guint n_inputs, KerasTensor *out, GError **error)
{
  static const char *const names[] = { "query", "value", "key" };
  const KerasArgument *mask = keras_argument (layer, "attention_mask", 3);
  ForgeValue *x[3];
  Attention a;
  if ((mask && mask->n_tensors > 0) ||
      is_true (keras_argument (layer, "use_causal_mask", 6)) ||
      is_true (keras_argument (layer, "return_attention_scores", 4)))
    return keras_error (builder, layer, error, FORGE_ERROR_UNSUPPORTED,
        "attention with a mask, or whose scores are an output");
  for (guint i = 0; i < 3; i++) {
    const KerasArgument *argument = keras_argument (layer, names[i], i);
    gboolean given = argument && argument->n_tensors > 0;
    if (!given && i < 2)
      return keras_error (builder, layer, error, FORGE_ERROR_FORMAT,
          "is called without the input '%s'", names[i]);
    x[i] = given ? inputs[argument->first].value : x[1];
    if (x[i]->shape.rank != 3 || x[i]->shape.dims[2] < 1)
      return keras_error (builder, layer, error, FORGE_ERROR_UNSUPPORTED,
          "the input '%s' is not a sequence [N, T, D]", names[i]);
  }
  int64_t n_out = x[0]->shape.dims[2];
  if (!read_attention (builder, layer, &a, &n_out, error))
    return FALSE;
  *out =
      (KerasTensor) { .value = attend (builder, layer, &a, x, n_out, error) };
  return out->value != NULL;
}
