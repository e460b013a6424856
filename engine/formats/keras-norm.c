/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Keras layers that scale: normalisations and the preprocessing that a model
 * carries inside. Source: keras.io/api/layers. */
#include "formats/keras.h"

#include <math.h>

static ForgeTensor *
filled (int64_t n_values, float value)
{
  ForgeShape shape = forge_shape (1, (int) n_values);
  ForgeTensor *tensor = forge_tensor_new (FORGE_FLOAT32, &shape, NULL);
  for (int64_t i = 0; tensor && i < n_values; i++)
    ((float *) tensor->data)[i] = value;
  return tensor;
}

/* TRUE when the layer's axis is the last, written as -1, 3 or [3]. */
static gboolean
is_last_axis (JsonObject *config, int rank)
{
  gint64 axis = forge_json_int (config, "axis", -1);
  JsonArray *list = forge_json_array (config, "axis");
  if (list && json_array_get_length (list) != 1)
    return FALSE;
  if (list)
    axis = forge_json_int_at (list, 0, -1);
  return axis == -1 || axis == rank - 1;
}

gboolean
keras_build_batch_norm (KerasBuilder *builder, const KerasLayer *layer,
    KerasTensor *inputs, guint n_inputs, KerasTensor *out, GError **error)
{
  static const char *const names[] = { "gamma", "beta", "moving_mean",
    "moving_variance" };
  *out = inputs[0];
  int rank = out->value->shape.rank;
  if ((rank != 2 && rank != 4) || !is_last_axis (layer->config, rank))
    return keras_error (builder, layer, error, FORGE_ERROR_UNSUPPORTED,
        "batch normalisation over another axis than the channels");
  gboolean present[] = { forge_json_bool (layer->config, "scale", TRUE),
    forge_json_bool (layer->config, "center", TRUE), TRUE, TRUE };
  ForgeTensor *read[4] = { NULL };
  gboolean ok = keras_to_nchw (builder, layer, out, error);
  for (guint i = 0, index = 0; ok && i < 4; i++) {
    if (present[i])
      read[i] = keras_weights_read (builder->weights, layer->group, layer->name,
          names[i], index++, 1, error);
    ok = read[i] || !present[i];
  }
  ForgeValue *values[5] = { out->value };
  for (guint i = 0; ok && i < 4; i++) {
    if (!read[i])
      read[i] = filled (read[2]->shape.dims[0], i == 0 ? 1 : 0);
    values[i + 1] = keras_constant (builder, read[i]);
  }
  for (guint i = 0; i < 4; i++)
    forge_tensor_unref (read[i]);
  if (!ok)
    return FALSE;
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_float (attrs, "epsilon",
      (float) forge_json_double (layer->config, "epsilon", 1e-3));
  out->value = keras_emit (
      builder, layer, "BatchNormalization", attrs, values, 5, error);
  return out->value != NULL;
}

gboolean
keras_build_layer_norm (KerasBuilder *builder, const KerasLayer *layer,
    KerasTensor *inputs, guint n_inputs, KerasTensor *out, GError **error)
{
  *out = inputs[0];
  if (!keras_to_nhwc (builder, layer, out, error))
    return FALSE;
  if (!is_last_axis (layer->config, out->value->shape.rank) ||
      !forge_json_bool (layer->config, "scale", TRUE) ||
      !forge_json_bool (layer->config, "center", TRUE))
    return keras_error (builder, layer, error, FORGE_ERROR_UNSUPPORTED,
        "layer normalisation without scale or centre, or over another axis "
        "than the last");
  g_autoptr (ForgeTensor) gamma = keras_weights_read (
      builder->weights, layer->group, layer->name, "gamma", 0, 1, error);
  g_autoptr (ForgeTensor) beta =
      gamma ? keras_weights_read (builder->weights, layer->group, layer->name,
                  "beta", 1, 1, error)
            : NULL;
  if (!beta)
    return FALSE;
  ForgeValue *values[] = { out->value, keras_constant (builder, gamma),
    keras_constant (builder, beta) };
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_int (attrs, "axis", -1);
  forge_attrs_set_float (attrs, "epsilon",
      (float) forge_json_double (layer->config, "epsilon", 1e-3));
  out->value = keras_emit (
      builder, layer, "LayerNormalization", attrs, values, 3, error);
  return out->value != NULL;
}

/* x * scale + offset; a number, or a list of one number a channel. */
static gboolean
scale_and_offset (KerasBuilder *builder, const KerasLayer *layer,
    ForgeTensor *scale, ForgeTensor *offset, KerasTensor *out, GError **error)
{
  if (!out->value->producer)
    builder->scales_input = TRUE;
  /* [C] broadcasts along the last axis. */
  if (!keras_to_nhwc (builder, layer, out, error))
    return FALSE;
  out->value = keras_emit2 (builder, layer, "Mul", out->value,
      keras_constant (builder, scale), error);
  if (out->value)
    out->value = keras_emit2 (builder, layer, "Add", out->value,
        keras_constant (builder, offset), error);
  return out->value != NULL;
}

/* A number, a list, or a list in lists (Normalization writes [[[m, m, m]]]);
 * NULL when it is none. */
static ForgeTensor *
read_numbers (JsonObject *config, const char *key, double fallback)
{
  JsonArray *array = forge_json_array (config, key);
  if (!array) {
    ForgeShape scalar = forge_shape (0);
    ForgeTensor *tensor = forge_tensor_new (FORGE_FLOAT32, &scalar, NULL);
    if (tensor)
      *(float *) tensor->data =
          (float) forge_json_double (config, key, fallback);
    return tensor;
  }
  while (json_array_get_length (array) == 1 && forge_json_array_at (array, 0))
    array = forge_json_array_at (array, 0);
  guint n_values = json_array_get_length (array);
  ForgeTensor *tensor =
      n_values >= 1 && n_values <= 4096 ? filled (n_values, 0) : NULL;
  for (guint i = 0; tensor && i < n_values; i++) {
    JsonNode *node = json_array_get_element (array, i);
    if (!JSON_NODE_HOLDS_VALUE (node))
      g_clear_pointer (&tensor, forge_tensor_unref);
    else
      ((float *) tensor->data)[i] = (float) json_node_get_double (node);
  }
  return tensor;
}

gboolean
keras_build_rescaling (KerasBuilder *builder, const KerasLayer *layer,
    KerasTensor *inputs, guint n_inputs, KerasTensor *out, GError **error)
{
  g_autoptr (ForgeTensor) scale = read_numbers (layer->config, "scale", 1);
  g_autoptr (ForgeTensor) offset = read_numbers (layer->config, "offset", 0);
  *out = inputs[0];
  if (!scale || !offset)
    return keras_error (builder, layer, error, FORGE_ERROR_FORMAT,
        "expected numbers as scale and offset");
  return scale_and_offset (builder, layer, scale, offset, out, error);
}

static ForgeTensor *
read_statistic (KerasBuilder *builder, const KerasLayer *layer, const char *key,
    guint index, GError **error)
{
  JsonNode *node = json_object_get_member (layer->config, key);
  if (node && !JSON_NODE_HOLDS_NULL (node))
    return read_numbers (layer->config, key, 0);
  return keras_weights_read (
      builder->weights, layer->group, layer->name, key, index, 1, error);
}

gboolean
keras_build_normalization (KerasBuilder *builder, const KerasLayer *layer,
    KerasTensor *inputs, guint n_inputs, KerasTensor *out, GError **error)
{
  g_autoptr (GError) reason = NULL;
  g_autoptr (ForgeTensor) mean =
      read_statistic (builder, layer, "mean", 0, &reason);
  g_autoptr (ForgeTensor) variance =
      mean ? read_statistic (builder, layer, "variance", 1, &reason) : NULL;
  *out = inputs[0];
  if (!mean || !variance || !forge_shape_equal (&mean->shape, &variance->shape))
    return keras_error (builder, layer, error, FORGE_ERROR_FORMAT,
        "expected mean and variance of one shape: %s",
        reason ? reason->message : "their shapes differ");
  float *m = mean->data, *v = variance->data;
  gboolean invert = forge_json_bool (layer->config, "invert", FALSE);
  for (int64_t i = 0; i < forge_shape_count (&mean->shape); i++) {
    float deviation = fmaxf (sqrtf (v[i]), 1e-7f);
    v[i] = invert ? deviation : 1 / deviation;
    m[i] = invert ? m[i] : -m[i] / deviation;
  }
  return scale_and_offset (builder, layer, variance, mean, out, error);
}
