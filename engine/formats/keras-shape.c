/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Keras layers that move pixels about: reshapes, padding, crops and resizes.
 * Axes are Keras' own, so values are brought to [N, H, W, C] where the order
 * of the elements matters. Source: keras.io/api/layers. */
#include "formats/keras.h"

#include <math.h>
#include <string.h>

#define MAX_EXTENT 32768

gboolean
keras_build_flatten (KerasBuilder *builder, const KerasLayer *layer,
    KerasTensor *inputs, guint n_inputs, KerasTensor *out, GError **error)
{
  *out = inputs[0];
  if (!keras_to_nhwc (builder, layer, out, error))
    return FALSE;
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_int (attrs, "axis", 1);
  out->value =
      keras_emit1 (builder, layer, "Flatten", attrs, out->value, error);
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
  out->value = keras_emit2 (builder, layer, "Reshape", out->value,
      keras_int64s (builder, dims, n_dims + 1), error);
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
  for (int i = 1; i < rank; i++)
    perm[i] = forge_json_int_at (dims, (guint) i - 1, -1);
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_ints (attrs, "perm", perm, (gsize) rank);
  out->value =
      keras_emit1 (builder, layer, "Transpose", attrs, out->value, error);
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
  if (!keras_to_nchw (builder, layer, out, error))
    return FALSE;
  const int64_t pads[] = { 0, 0, m[0][0], m[1][0], 0, 0, m[0][1], m[1][1] };
  out->value = keras_emit2 (builder, layer, "Pad", out->value,
      keras_int64s (builder, pads, 8), error);
  return out->value != NULL;
}

/* Rows [y0, y1) and columns [x0, x1) of an NCHW image. */
static gboolean
slice (KerasBuilder *builder, const KerasLayer *layer, int64_t y0, int64_t y1,
    int64_t x0, int64_t x1, KerasTensor *out, GError **error)
{
  const int64_t starts[] = { y0, x0 }, ends[] = { y1, x1 }, axes[] = { 2, 3 };
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
  if (!keras_to_nchw (builder, layer, out, error))
    return FALSE;
  int64_t height = out->value->shape.dims[2];
  int64_t width = out->value->shape.dims[3];
  if (g_str_equal (layer->class_name, "CenterCrop")) {
    int64_t h = forge_json_int (layer->config, "height", 0);
    int64_t w = forge_json_int (layer->config, "width", 0);
    if (h < 1 || w < 1 || h > height || w > width)
      return keras_error (builder, layer, error, FORGE_ERROR_UNSUPPORTED,
          "a crop to %dx%d out of %dx%d (Keras would enlarge first)", (int) w,
          (int) h, (int) width, (int) height);
    int64_t y = (height - h) / 2, x = (width - w) / 2;
    return slice (builder, layer, y, y + h, x, x + w, out, error);
  }
  int64_t m[2][2];
  if (!read_margins (layer->config, "cropping", m) || height < 0 || width < 0 ||
      m[0][0] + m[0][1] >= height || m[1][0] + m[1][1] >= width)
    return keras_error (builder, layer, error, FORGE_ERROR_FORMAT,
        "expected a cropping smaller than the %dx%d input", (int) width,
        (int) height);
  return slice (builder, layer, m[0][0], height - m[0][1], m[1][0],
      width - m[1][1], out, error);
}

/* To @height x @width by ONNX Resize with half-pixel centres. */
static gboolean
resize (KerasBuilder *builder, const KerasLayer *layer, int64_t height,
    int64_t width, KerasTensor *out, GError **error)
{
  const char *name = forge_json_string (layer->config, "interpolation");
  gboolean nearest = g_strcmp0 (name, "nearest") == 0;
  if (!keras_to_nchw (builder, layer, out, error))
    return FALSE;
  if (!nearest && g_strcmp0 (name, "bilinear") != 0)
    return keras_error (builder, layer, error, FORGE_ERROR_UNSUPPORTED,
        "interpolation '%s'", name ? name : "none");
  const ForgeShape *shape = &out->value->shape;
  if (height < 1 || width < 1 || height > MAX_EXTENT || width > MAX_EXTENT ||
      shape->dims[1] < 1)
    return keras_error (builder, layer, error, FORGE_ERROR_SHAPE,
        "cannot resize to %dx%d", (int) width, (int) height);
  ForgeShape two = forge_shape (1, 4);
  g_autoptr (ForgeTensor) scales =
      forge_tensor_new (FORGE_FLOAT32, &two, error);
  if (!scales)
    return FALSE;
  const float factors[] = { 1, 1, (float) height / (float) shape->dims[2],
    (float) width / (float) shape->dims[3] };
  memcpy (scales->data, factors, sizeof factors);
  ForgeShape none = forge_shape (1, 0);
  g_autoptr (ForgeTensor) roi = forge_tensor_new (FORGE_FLOAT32, &none, error);
  if (!roi)
    return FALSE;
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_string (attrs, "mode", nearest ? "nearest" : "linear");
  forge_attrs_set_string (
      attrs, "coordinate_transformation_mode", "half_pixel");
  if (nearest)
    forge_attrs_set_string (attrs, "nearest_mode", "round_prefer_floor");
  ForgeValue *values[] = { out->value, keras_constant (builder, roi),
    keras_constant (builder, scales) };
  out->value = keras_emit (builder, layer, "Resize", attrs, values, 3, error);
  return out->value != NULL;
}

gboolean
keras_build_up_sampling (KerasBuilder *builder, const KerasLayer *layer,
    KerasTensor *inputs, guint n_inputs, KerasTensor *out, GError **error)
{
  int64_t size[2];
  *out = inputs[0];
  if (!keras_pair (layer->config, "size", 2, size))
    return keras_error (builder, layer, error, FORGE_ERROR_FORMAT,
        "expected a size of two positive numbers");
  if (!keras_to_nchw (builder, layer, out, error))
    return FALSE;
  return resize (builder, layer, out->value->shape.dims[2] * size[0],
      out->value->shape.dims[3] * size[1], out, error);
}

gboolean
keras_build_resizing (KerasBuilder *builder, const KerasLayer *layer,
    KerasTensor *inputs, guint n_inputs, KerasTensor *out, GError **error)
{
  *out = inputs[0];
  if (forge_json_bool (layer->config, "crop_to_aspect_ratio", FALSE) ||
      forge_json_bool (layer->config, "pad_to_aspect_ratio", FALSE))
    return keras_error (builder, layer, error, FORGE_ERROR_UNSUPPORTED,
        "resizing that keeps the aspect ratio");
  return resize (builder, layer, forge_json_int (layer->config, "height", 0),
      forge_json_int (layer->config, "width", 0), out, error);
}
