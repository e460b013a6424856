/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Preprocessing that a Keras model carries inside: Rescaling and
 * Normalization. Source: keras.io/api/layers/preprocessing_layers. */
#include "formats/keras.h"

#include <math.h>
#include <string.h>

#define MAX_NUMBERS 65536

/* x * scale + offset, both with the user's axes. */
static gboolean
scale_and_offset (KerasBuilder *builder, const KerasLayer *layer,
    ForgeTensor *scale, ForgeTensor *offset, KerasTensor *out, GError **error)
{
  keras_see_scaling (builder, out->value, scale, offset);
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
  while (array && json_array_get_length (array) == 1 &&
         forge_json_array_at (array, 0))
    array = forge_json_array_at (array, 0);
  guint n_values = array ? json_array_get_length (array) : 1;
  ForgeShape shape = { .rank = array ? 1 : 0, .dims = { n_values } };
  ForgeTensor *tensor = n_values >= 1 && n_values <= MAX_NUMBERS
                            ? forge_tensor_new (FORGE_FLOAT32, &shape, NULL)
                            : NULL;
  float *values = tensor ? tensor->data : NULL;
  if (values && !array)
    values[0] = (float) forge_json_double (config, key, fallback);
  for (guint i = 0; values && array && i < n_values; i++) {
    JsonNode *node = json_array_get_element (array, i);
    values[i] = JSON_NODE_HOLDS_VALUE (node)
                    ? (float) json_node_get_double (node)
                    : NAN;
    if (isnan (values[i])) {
      forge_tensor_unref (tensor);
      return NULL;
    }
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

/* From the configuration, else from the weights. */
static ForgeTensor *
read_statistic (KerasBuilder *builder, const KerasLayer *layer, const char *key,
    guint index, const ForgeShape *shape, GError **error)
{
  JsonNode *node = json_object_get_member (layer->config, key);
  if (node && !JSON_NODE_HOLDS_NULL (node))
    return read_numbers (layer->config, key, 0);
  return keras_weights_read (builder->weights, layer, key, index, shape, error);
}

/* The axes that have their own mean, in order: their extents in *shape, and in
 * *broadcast with 1 for the others. */
static gboolean
read_axes (KerasBuilder *builder, const KerasLayer *layer, const ForgeShape *in,
    ForgeShape *shape, ForgeShape *broadcast, GError **error)
{
  JsonNode *node = json_object_get_member (layer->config, "axis");
  JsonArray *list = forge_json_array (layer->config, "axis");
  guint n_axes = list ? json_array_get_length (list)
                 : node && JSON_NODE_HOLDS_NULL (node) ? 0
                                                       : 1;
  *shape = (ForgeShape) { 0 };
  *broadcast = (ForgeShape) { .rank = in->rank };
  for (int i = 0; i < in->rank; i++)
    broadcast->dims[i] = 1;
  int last = 0;
  for (guint i = 0; i < n_axes; i++) {
    gint64 axis = list ? forge_json_int_at (list, i, 99)
                       : forge_json_int (layer->config, "axis", -1);
    axis += axis < 0 ? in->rank : 0;
    if (axis <= last || axis >= in->rank || in->dims[axis] < 1)
      return keras_error (builder, layer, error, FORGE_ERROR_FORMAT,
          "expected axes of the input in rising order, not the batch's");
    last = (int) axis;
    shape->dims[shape->rank++] = broadcast->dims[axis] = in->dims[axis];
  }
  /* leading ones go without saying */
  int n_ones = 0;
  while (n_ones < broadcast->rank && broadcast->dims[n_ones] == 1)
    n_ones++;
  broadcast->rank -= n_ones;
  memmove (broadcast->dims, broadcast->dims + n_ones,
      (size_t) broadcast->rank * sizeof broadcast->dims[0]);
  return TRUE;
}

/* (x - mean) / max (sqrt (variance), 1e-7), or back again. */
gboolean
keras_build_normalization (KerasBuilder *builder, const KerasLayer *layer,
    KerasTensor *inputs, guint n_inputs, KerasTensor *out, GError **error)
{
  g_autoptr (GError) reason = NULL;
  ForgeShape shape, broadcast;
  *out = inputs[0];
  if (!keras_to_nhwc (builder, layer, out, error) ||
      !read_axes (
          builder, layer, &out->value->shape, &shape, &broadcast, error))
    return FALSE;
  g_autoptr (ForgeTensor) mean =
      read_statistic (builder, layer, "mean", 0, &shape, &reason);
  g_autoptr (ForgeTensor) variance =
      mean ? read_statistic (builder, layer, "variance", 1, &shape, &reason)
           : NULL;
  int64_t n_mean = mean ? forge_tensor_get_count (mean) : -1;
  int64_t n_variance = variance ? forge_tensor_get_count (variance) : -1;
  int64_t n = forge_shape_count (&shape);
  if (n < 1 || (n_mean != n && n_mean != 1) ||
      (n_variance != n && n_variance != 1))
    return keras_error (builder, layer, error, FORGE_ERROR_FORMAT,
        "expected %d numbers as mean and variance: %s", (int) n,
        reason ? reason->message : "found other numbers of them");
  g_autoptr (ForgeTensor) scale =
      forge_tensor_new (FORGE_FLOAT32, &broadcast, error);
  g_autoptr (ForgeTensor) offset =
      scale ? forge_tensor_new (FORGE_FLOAT32, &broadcast, error) : NULL;
  if (!offset)
    return FALSE;
  gboolean invert = forge_json_bool (layer->config, "invert", FALSE);
  for (int64_t i = 0; i < n; i++) {
    float m = ((float *) mean->data)[n_mean == 1 ? 0 : i];
    float v = ((float *) variance->data)[n_variance == 1 ? 0 : i];
    float deviation = fmaxf (sqrtf (v), 1e-7f);
    ((float *) scale->data)[i] = invert ? deviation : 1 / deviation;
    ((float *) offset->data)[i] = invert ? m : -m / deviation;
  }
  return scale_and_offset (builder, layer, scale, offset, out, error);
}
