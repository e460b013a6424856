/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The tools of the layer builders: nodes with shapes inferred on the spot,
 * constants, weights and layouts. */
#include "formats/keras.h"

#include <string.h>

/* For what a file says in words: sizes, scales, clamps. */
#define SPARE_CONSTANT_BYTES ((size_t) 64 << 20)

gboolean
keras_error (const KerasBuilder *builder, const KerasLayer *layer,
    GError **error, int code, const char *format, ...)
{
  va_list args;
  va_start (args, format);
  g_autofree char *text = g_strdup_vprintf (format, args);
  va_end (args);
  g_set_error (error, FORGE_ERROR, code, "%s: layer '%s' (%s): %s",
      builder->name, layer->name, layer->class_name, text);
  return FALSE;
}

ForgeValue *
keras_emit (KerasBuilder *builder, const KerasLayer *layer, const char *type,
    ForgeAttrs *attrs, ForgeValue *const *inputs, guint n_inputs,
    GError **error)
{
  const ForgeOp *op = forge_op_find (type, "");
  gboolean has_inputs = TRUE;
  for (guint i = 0; i < n_inputs; i++)
    has_inputs = has_inputs && inputs[i] != NULL;
  if (!op || !has_inputs) {
    g_clear_pointer (&attrs, forge_attrs_free);
    keras_error (builder, layer, error,
        op ? FORGE_ERROR_MEMORY : FORGE_ERROR_UNSUPPORTED,
        op ? "no memory for the constants of %s, or absurd ones"
           : "needs the operator %s, which this version does not have",
        type);
    return NULL;
  }
  ForgeGraph *graph = builder->graph;
  g_autofree char *name =
      g_strdup_printf ("%s/%s.%u", layer->name, type, graph->nodes->len);
  ForgeValue *out = forge_graph_value (graph, name);
  ForgeNode *node =
      forge_graph_add_node (graph, op, name, attrs, inputs, n_inputs, &out, 1);
  if (!op->infer (node, error)) {
    g_prefix_error (error, "%s: layer '%s' (%s): ", builder->name, layer->name,
        layer->class_name);
    return NULL;
  }
  return out;
}

ForgeValue *
keras_emit1 (KerasBuilder *builder, const KerasLayer *layer, const char *type,
    ForgeAttrs *attrs, ForgeValue *input, GError **error)
{
  return keras_emit (builder, layer, type, attrs, &input, 1, error);
}

ForgeValue *
keras_emit2 (KerasBuilder *builder, const KerasLayer *layer, const char *type,
    ForgeValue *a, ForgeValue *b, GError **error)
{
  ForgeValue *inputs[] = { a, b };
  return keras_emit (builder, layer, type, NULL, inputs, 2, error);
}

ForgeValue *
keras_constant (KerasBuilder *builder, ForgeTensor *tensor)
{
  size_t most_bytes =
      4 * keras_weights_get_size (builder->weights) + SPARE_CONSTANT_BYTES;
  if (!tensor || tensor->size_bytes > most_bytes - builder->constant_bytes)
    return NULL;
  builder->constant_bytes += tensor->size_bytes;
  return forge_graph_add_constant (builder->graph, NULL, tensor);
}

static ForgeValue *
copy_constant (KerasBuilder *builder, ForgeDtype dtype, const ForgeShape *shape,
    const void *values)
{
  g_autoptr (ForgeTensor) tensor = forge_tensor_new (dtype, shape, NULL);
  if (tensor && tensor->size_bytes > 0)
    memcpy (tensor->data, values, tensor->size_bytes);
  return keras_constant (builder, tensor);
}

ForgeValue *
keras_scalar (KerasBuilder *builder, float value)
{
  ForgeShape shape = forge_shape (0);
  return copy_constant (builder, FORGE_FLOAT32, &shape, &value);
}

ForgeValue *
keras_int64s (KerasBuilder *builder, const int64_t *values, guint n_values)
{
  ForgeShape shape = forge_shape (1, (int) n_values);
  return copy_constant (builder, FORGE_INT64, &shape, values);
}

ForgeValue *
keras_floats (KerasBuilder *builder, const float *values, guint n_values)
{
  ForgeShape shape = forge_shape (1, (int) n_values);
  return copy_constant (builder, FORGE_FLOAT32, &shape, values);
}

/* out[permuted index] = in[index]; perm as ONNX Transpose, rank 4. */
static ForgeTensor *
permute (const ForgeTensor *in, const int perm[4], GError **error)
{
  ForgeShape shape = { .rank = 4 };
  int64_t strides_elems[FORGE_MAX_DIMS];
  forge_shape_strides (&in->shape, strides_elems);
  for (int i = 0; i < 4; i++)
    shape.dims[i] = in->shape.dims[perm[i]];
  ForgeTensor *out = forge_tensor_new (FORGE_FLOAT32, &shape, error);
  if (!out)
    return NULL;
  const float *from = in->data;
  float *to = out->data;
  for (int64_t a = 0; a < shape.dims[0]; a++)
    for (int64_t b = 0; b < shape.dims[1]; b++)
      for (int64_t c = 0; c < shape.dims[2]; c++)
        for (int64_t d = 0; d < shape.dims[3]; d++)
          *to++ = from[a * strides_elems[perm[0]] + b * strides_elems[perm[1]] +
                       c * strides_elems[perm[2]] + d * strides_elems[perm[3]]];
  return out;
}

static ForgeTensor *
view (const ForgeTensor *in, const ForgeShape *shape, GError **error)
{
  ForgeTensor *out = forge_tensor_new (FORGE_FLOAT32, shape, error);
  if (out)
    memcpy (out->data, in->data, out->size_bytes);
  return out;
}

ForgeValue *
keras_weight (KerasBuilder *builder, const KerasLayer *layer,
    const KerasWeight *weight, GError **error)
{
  /* In a named file all layers of a nested model share one group. */
  g_autofree char *key = g_strjoin ("\n", layer->group,
      layer->parent ? layer->parent : "", layer->name, weight->variable, NULL);
  ForgeValue *value = g_hash_table_lookup (builder->constants, key);
  if (value)
    return value;
  g_autoptr (ForgeTensor) tensor = keras_weights_read (builder->weights, layer,
      weight->variable, weight->index, &weight->shape, error);
  if (tensor && weight->perm) {
    ForgeTensor *permuted = permute (tensor, weight->perm, error);
    forge_tensor_unref (tensor);
    tensor = permuted;
  }
  if (tensor && weight->view.rank > 0) {
    g_assert (
        forge_shape_count (&weight->view) == forge_tensor_get_count (tensor));
    ForgeTensor *viewed = view (tensor, &weight->view, error);
    forge_tensor_unref (tensor);
    tensor = viewed;
  }
  if (!tensor)
    return NULL;
  value = keras_constant (builder, tensor);
  if (value)
    g_hash_table_insert (builder->constants, g_steal_pointer (&key), value);
  else
    keras_error (builder, layer, error, FORGE_ERROR_MEMORY,
        "no room for the weight '%s'", weight->variable);
  return value;
}

ForgeValue *
keras_reshape (KerasBuilder *builder, const KerasLayer *layer,
    ForgeValue *value, const int64_t *dims, int rank, GError **error)
{
  return keras_emit2 (builder, layer, "Reshape", value,
      keras_int64s (builder, dims, (guint) rank), error);
}

ForgeValue *
keras_transpose (KerasBuilder *builder, const KerasLayer *layer,
    ForgeValue *value, const int64_t *perm, int rank, GError **error)
{
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_ints (attrs, "perm", perm, (gsize) rank);
  return keras_emit1 (builder, layer, "Transpose", attrs, value, error);
}

static gboolean
transpose (KerasBuilder *builder, const KerasLayer *layer, KerasTensor *tensor,
    gboolean nchw, GError **error)
{
  static const int64_t to_nchw[] = { 0, 3, 1, 2 };
  static const int64_t to_nhwc[] = { 0, 2, 3, 1 };
  if (tensor->nchw == nchw || tensor->value->shape.rank != 4)
    return TRUE;
  ForgeValue *value = keras_transpose (
      builder, layer, tensor->value, nchw ? to_nchw : to_nhwc, 4, error);
  if (!value)
    return FALSE;
  *tensor = (KerasTensor) { .value = value, .nchw = nchw };
  return TRUE;
}

gboolean
keras_to_nchw (KerasBuilder *builder, const KerasLayer *layer,
    KerasTensor *tensor, GError **error)
{
  return transpose (builder, layer, tensor, TRUE, error);
}

gboolean
keras_to_nhwc (KerasBuilder *builder, const KerasLayer *layer,
    KerasTensor *tensor, GError **error)
{
  return transpose (builder, layer, tensor, FALSE, error);
}

gboolean
keras_is_channels_first (const KerasLayer *layer)
{
  return g_strcmp0 (forge_json_string (layer->config, "data_format"),
             "channels_first") == 0;
}

gboolean
keras_to_images (KerasBuilder *builder, const KerasLayer *layer,
    KerasTensor *tensor, GError **error)
{
  int rank = tensor->value->shape.rank;
  if (rank != 4)
    return keras_error (builder, layer, error, FORGE_ERROR_SHAPE,
        "expected images of 4 dimensions, found %d", rank);
  return transpose (
      builder, layer, tensor, !keras_is_channels_first (layer), error);
}

int
keras_axis (const KerasTensor *tensor, gint64 axis)
{
  static const int nhwc_to_nchw[] = { 0, 2, 3, 1 };
  int rank = tensor->value->shape.rank;
  if (axis < 0)
    axis += rank;
  if (axis < 0 || axis >= rank)
    return -1;
  return tensor->nchw ? nhwc_to_nchw[axis] : (int) axis;
}

gboolean
keras_pair (
    JsonObject *config, const char *key, gint64 fallback, int64_t pair[2])
{
  JsonArray *array = forge_json_array (config, key);
  for (guint i = 0; i < 2; i++) {
    pair[i] = array ? forge_json_int_at (array, i, -1)
                    : forge_json_int (config, key, fallback);
    if (pair[i] < 1 || pair[i] > 32768)
      return FALSE;
  }
  return !array || json_array_get_length (array) == 2;
}
