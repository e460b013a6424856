/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Keras layers that move values about: reshapes, padding and crops.
 * Axes are Keras' own, so values are brought to [N, H, W, C] where the order
 * of the elements matters. Source: keras.io/api/layers. */
#include "formats/keras.h"

#define MAX_EXTENT 32768

gboolean
keras_build_flatten (KerasBuilder *builder, const KerasLayer *layer,
    KerasTensor *inputs, guint n_inputs, KerasTensor *out, GError **error)
{
  static const int64_t to_last[] = { 0, 2, 3, 1 };
  *out = inputs[0];
  if (!keras_to_nhwc (builder, layer, out, error))
    return FALSE;
  /* channels_first: Keras moves them to the end, so that weights behind it
   * are the same in both orders */
  if (keras_is_channels_first (layer) && out->value->shape.rank == 4)
    out->value =
        keras_transpose (builder, layer, out->value, to_last, 4, error);
  if (!out->value)
    return FALSE;
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_int (attrs, "axis", 1);
  *out = (KerasTensor) { .value = keras_emit1 (builder, layer, "Flatten", attrs,
                             out->value, error) };
  return out->value != NULL;
}

gboolean
keras_build_reshape (KerasBuilder *builder, const KerasLayer *layer,
    KerasTensor *inputs, guint n_inputs, KerasTensor *out, GError **error)
{
  JsonArray *target = forge_json_array (layer->config, "target_shape");
  guint n_dims = target ? json_array_get_length (target) : 0;
  if (!target || n_dims + 1 > FORGE_MAX_DIMS)
    return keras_error (builder, layer, error, FORGE_ERROR_FORMAT,
        "expected a target_shape of at most %d numbers", FORGE_MAX_DIMS - 1);
  int64_t dims[FORGE_MAX_DIMS] = { 0 }; /* 0: the batch stays */
  for (guint i = 0; i < n_dims; i++) {
    dims[i + 1] = forge_json_int_at (target, i, 0);
    if (dims[i + 1] == 0 || dims[i + 1] < -1)
      return keras_error (builder, layer, error, FORGE_ERROR_FORMAT,
          "target_shape[%u] is not a positive number or -1", i);
  }
  *out = inputs[0];
  if (!keras_to_nhwc (builder, layer, out, error))
    return FALSE;
  out->value =
      keras_reshape (builder, layer, out->value, dims, (int) n_dims + 1, error);
  return out->value != NULL;
}

/* [N, C] to [N, n, C]. */
gboolean
keras_build_repeat_vector (KerasBuilder *builder, const KerasLayer *layer,
    KerasTensor *inputs, guint n_inputs, KerasTensor *out, GError **error)
{
  static const int64_t row[] = { 0, 1, -1 };
  gint64 n = forge_json_int (layer->config, "n", 0);
  *out = inputs[0];
  if (out->value->shape.rank != 2 || n < 1 || n > MAX_EXTENT)
    return keras_error (builder, layer, error, FORGE_ERROR_SHAPE,
        "expected an input of 2 dimensions and n in 1..%d", MAX_EXTENT);
  const int64_t times[] = { 1, n, 1 };
  out->value = keras_reshape (builder, layer, out->value, row, 3, error);
  if (out->value)
    out->value = keras_emit2 (builder, layer, "Tile", out->value,
        keras_int64s (builder, times, 3), error);
  return out->value != NULL;
}

gboolean
keras_build_permute (KerasBuilder *builder, const KerasLayer *layer,
    KerasTensor *inputs, guint n_inputs, KerasTensor *out, GError **error)
{
  JsonArray *dims = forge_json_array (layer->config, "dims");
  *out = inputs[0];
  if (!keras_to_nhwc (builder, layer, out, error))
    return FALSE;
  int rank = out->value->shape.rank;
  if (!dims || (int) json_array_get_length (dims) != rank - 1)
    return keras_error (builder, layer, error, FORGE_ERROR_FORMAT,
        "expected dims of %d numbers", rank - 1);
  int64_t perm[FORGE_MAX_DIMS] = { 0 };
  guint seen = 1;
  for (int i = 1; i < rank; i++) {
    perm[i] = forge_json_int_at (dims, (guint) i - 1, -1);
    if (perm[i] < 1 || perm[i] >= rank || (seen & (1u << perm[i])))
      return keras_error (builder, layer, error, FORGE_ERROR_FORMAT,
          "expected dims to name each of 1..%d once", rank - 1);
    seen |= 1u << perm[i];
  }
  out->value = keras_transpose (builder, layer, out->value, perm, rank, error);
  return out->value != NULL;
}

/* n, [y, x] or [[top, bottom], [left, right]]. */
static gboolean
read_margins (JsonObject *config, const char *key, int64_t margins[2][2])
{
  JsonArray *outer = forge_json_array (config, key);
  for (guint axis = 0; axis < 2; axis++) {
    JsonArray *pair = forge_json_array_at (outer, axis);
    for (guint side = 0; side < 2; side++) {
      int64_t value = pair    ? forge_json_int_at (pair, side, -1)
                      : outer ? forge_json_int_at (outer, axis, -1)
                              : forge_json_int (config, key, -1);
      if (value < 0 || value > MAX_EXTENT)
        return FALSE;
      margins[axis][side] = value;
    }
  }
  return TRUE;
}

gboolean
keras_build_zero_padding (KerasBuilder *builder, const KerasLayer *layer,
    KerasTensor *inputs, guint n_inputs, KerasTensor *out, GError **error)
{
  int64_t m[2][2];
  if (!read_margins (layer->config, "padding", m))
    return keras_error (builder, layer, error, FORGE_ERROR_FORMAT,
        "expected a padding of numbers in 0..%d", MAX_EXTENT);
  *out = inputs[0];
  if (!keras_to_images (builder, layer, out, error))
    return FALSE;
  const int64_t pads[] = { 0, 0, m[0][0], m[1][0], 0, 0, m[0][1], m[1][1] };
  out->value = keras_emit2 (builder, layer, "Pad", out->value,
      keras_int64s (builder, pads, 8), error);
  return out->value != NULL;
}

/* Rows [y, y + height) and columns [x, x + width) of an NCHW image. */
gboolean
keras_slice (KerasBuilder *builder, const KerasLayer *layer, int64_t y,
    int64_t height, int64_t x, int64_t width, KerasTensor *out, GError **error)
{
  const int64_t starts[] = { y, x }, ends[] = { y + height, x + width };
  const int64_t axes[] = { 2, 3 };
  ForgeValue *values[] = { out->value, keras_int64s (builder, starts, 2),
    keras_int64s (builder, ends, 2), keras_int64s (builder, axes, 2) };
  out->value = keras_emit (builder, layer, "Slice", NULL, values, 4, error);
  return out->value != NULL;
}

gboolean
keras_build_cropping (KerasBuilder *builder, const KerasLayer *layer,
    KerasTensor *inputs, guint n_inputs, KerasTensor *out, GError **error)
{
  *out = inputs[0];
  if (!keras_to_images (builder, layer, out, error))
    return FALSE;
  int64_t height = out->value->shape.dims[2];
  int64_t width = out->value->shape.dims[3];
  int64_t m[2][2];
  if (!read_margins (layer->config, "cropping", m) ||
      m[0][0] + m[0][1] >= height || m[1][0] + m[1][1] >= width)
    return keras_error (builder, layer, error, FORGE_ERROR_FORMAT,
        "expected a cropping smaller than the %dx%d input", (int) width,
        (int) height);
  return keras_slice (builder, layer, m[0][0], height - m[0][0] - m[0][1],
      m[1][0], width - m[1][0] - m[1][1], out, error);
}
