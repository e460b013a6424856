/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Keras layers that resize images, as TensorFlow's image.resize does without
 * antialiasing: pixel centres at halves; nearest takes pixel
 * floor ((i + 1/2) in / out). Source: keras.io/api/layers,
 * keras/src/layers/preprocessing/image_preprocessing. */
#include "formats/keras.h"

#include <math.h>
#include <string.h>

#define MAX_EXTENT 32768

/* Height and width of an NCHW image, known. */
typedef struct {
  int64_t height, width;
} Size;

static gboolean
read_size (KerasBuilder *builder, const KerasLayer *layer,
    const KerasTensor *tensor, Size *in, GError **error)
{
  *in = (Size) { tensor->value->shape.dims[2], tensor->value->shape.dims[3] };
  return (in->height > 0 && in->width > 0) ||
         keras_error (builder, layer, error, FORGE_ERROR_SHAPE,
             "the size of its input is not known");
}

/* Rows or columns by an index each, which no rounding of a scale can move. */
static ForgeValue *
gather (KerasBuilder *builder, const KerasLayer *layer, ForgeValue *value,
    int axis, int64_t in, int64_t out, GError **error)
{
  g_autofree int64_t *indices = g_new (int64_t, (gsize) out);
  float scale = (float) in / (float) out;
  for (int64_t i = 0; i < out; i++)
    indices[i] = MIN ((int64_t) floorf (((float) i + 0.5f) * scale), in - 1);
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_int (attrs, "axis", axis);
  ForgeValue *inputs[] = { value,
    keras_int64s (builder, indices, (guint) out) };
  return keras_emit (builder, layer, "Gather", attrs, inputs, 2, error);
}

/* The least scale by which @in gives @out, ONNX rounding down. */
static float
scale_for (int64_t in, int64_t out)
{
  float scale = (float) out / (float) in;
  while ((int64_t) floorf ((float) in * scale) < out ||
         (int64_t) floor ((double) in * (double) scale) < out)
    scale = nextafterf (scale, INFINITY);
  return scale;
}

static gboolean
resize_smoothly (KerasBuilder *builder, const KerasLayer *layer, Size in,
    Size size, gboolean cubic, KerasTensor *out, GError **error)
{
  const float factors[] = { 1, 1, scale_for (in.height, size.height),
    scale_for (in.width, size.width) };
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_string (attrs, "mode", cubic ? "cubic" : "linear");
  forge_attrs_set_string (
      attrs, "coordinate_transformation_mode", "half_pixel");
  if (cubic) {
    forge_attrs_set_float (attrs, "cubic_coeff_a", -0.5f);
    forge_attrs_set_int (attrs, "exclude_outside", 1);
  }
  ForgeValue *values[] = { out->value, keras_floats (builder, NULL, 0),
    keras_floats (builder, factors, 4) };
  out->value = keras_emit (builder, layer, "Resize", attrs, values, 3, error);
  return out->value != NULL;
}

static gboolean
resize (KerasBuilder *builder, const KerasLayer *layer, Size size,
    const char *interpolation, KerasTensor *out, GError **error)
{
  Size in = { 0, 0 };
  if (!read_size (builder, layer, out, &in, error))
    return FALSE;
  if (size.height < 1 || size.width < 1 || size.height > MAX_EXTENT ||
      size.width > MAX_EXTENT)
    return keras_error (builder, layer, error, FORGE_ERROR_SHAPE,
        "expected a size in 1..%d", MAX_EXTENT);
  if (in.height == size.height && in.width == size.width)
    return TRUE;
  gboolean cubic = g_str_equal (interpolation, "bicubic");
  if (cubic || g_str_equal (interpolation, "bilinear"))
    return resize_smoothly (builder, layer, in, size, cubic, out, error);
  if (!g_str_equal (interpolation, "nearest"))
    return keras_error (builder, layer, error, FORGE_ERROR_UNSUPPORTED,
        "interpolation '%s'", interpolation);
  out->value =
      gather (builder, layer, out->value, 2, in.height, size.height, error);
  if (out->value)
    out->value =
        gather (builder, layer, out->value, 3, in.width, size.width, error);
  return out->value != NULL;
}

static const char *
read_interpolation (const KerasLayer *layer, const char *fallback)
{
  const char *name = forge_json_string (layer->config, "interpolation");
  return name ? name : fallback;
}

gboolean
keras_build_up_sampling (KerasBuilder *builder, const KerasLayer *layer,
    KerasTensor *inputs, guint n_inputs, KerasTensor *out, GError **error)
{
  int64_t factors[2];
  Size in = { 0, 0 };
  const char *interpolation = read_interpolation (layer, "nearest");
  *out = inputs[0];
  if (!keras_pair (layer->config, "size", 2, factors))
    return keras_error (builder, layer, error, FORGE_ERROR_FORMAT,
        "expected a size of two positive numbers");
  if (!keras_to_images (builder, layer, out, error) ||
      !read_size (builder, layer, out, &in, error))
    return FALSE;
  Size size = { in.height * factors[0], in.width * factors[1] };
  if (!g_str_equal (interpolation, "nearest") || size.height > MAX_EXTENT ||
      size.width > MAX_EXTENT)
    return resize (builder, layer, size, interpolation, out, error);
  /* whole factors are exact in every runtime */
  const float scales[] = { 1, 1, (float) factors[0], (float) factors[1] };
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_string (attrs, "mode", "nearest");
  forge_attrs_set_string (
      attrs, "coordinate_transformation_mode", "half_pixel");
  ForgeValue *values[] = { out->value, keras_floats (builder, NULL, 0),
    keras_floats (builder, scales, 4) };
  out->value = keras_emit (builder, layer, "Resize", attrs, values, 3, error);
  return out->value != NULL;
}

/* The largest part of @in with the shape of @size, from its middle. */
static gboolean
crop_to_aspect (KerasBuilder *builder, const KerasLayer *layer, Size in,
    Size size, KerasTensor *out, GError **error)
{
  int64_t height =
      (int64_t) ((float) (in.width * size.height) / (float) size.width);
  int64_t width =
      (int64_t) ((float) (in.height * size.width) / (float) size.height);
  height = CLAMP (height, 1, in.height);
  width = CLAMP (width, 1, in.width);
  return keras_slice (builder, layer, (in.height - height) / 2, height,
      (in.width - width) / 2, width, out, error);
}

static gboolean
pad_to_aspect (KerasBuilder *builder, const KerasLayer *layer, Size in,
    Size size, KerasTensor *out, GError **error)
{
  int64_t height =
      (int64_t) ((float) (in.width * size.height) / (float) size.width);
  int64_t width =
      (int64_t) ((float) (in.height * size.width) / (float) size.height);
  height = MAX (height, in.height) - in.height;
  width = MAX (width, in.width) - in.width;
  if (height > MAX_EXTENT || width > MAX_EXTENT)
    return keras_error (builder, layer, error, FORGE_ERROR_SHAPE,
        "expected a size in 1..%d", MAX_EXTENT);
  const int64_t pads[] = { 0, 0, height / 2, width / 2, 0, 0,
    height - height / 2, width - width / 2 };
  ForgeValue *values[] = { out->value, keras_int64s (builder, pads, 8),
    keras_scalar (
        builder, (float) forge_json_double (layer->config, "fill_value", 0)) };
  out->value = keras_emit (builder, layer, "Pad", NULL, values, 3, error);
  return out->value != NULL;
}

static gboolean
take (KerasBuilder *builder, const KerasLayer *layer, KerasTensor *out,
    Size *in, Size *size, GError **error)
{
  *size = (Size) { forge_json_int (layer->config, "height", 0),
    forge_json_int (layer->config, "width", 0) };
  if (size->height < 1 || size->width < 1 || size->height > MAX_EXTENT ||
      size->width > MAX_EXTENT)
    return keras_error (builder, layer, error, FORGE_ERROR_FORMAT,
        "expected a height and a width in 1..%d", MAX_EXTENT);
  return keras_to_images (builder, layer, out, error) &&
         read_size (builder, layer, out, in, error);
}

gboolean
keras_build_resizing (KerasBuilder *builder, const KerasLayer *layer,
    KerasTensor *inputs, guint n_inputs, KerasTensor *out, GError **error)
{
  JsonObject *config = layer->config;
  Size in = { 0, 0 }, size;
  *out = inputs[0];
  if (!take (builder, layer, out, &in, &size, error))
    return FALSE;
  if (forge_json_bool (config, "antialias", FALSE) &&
      (size.height < in.height || size.width < in.width))
    return keras_error (
        builder, layer, error, FORGE_ERROR_UNSUPPORTED, "antialiased resizing");
  gboolean crops = forge_json_bool (config, "crop_to_aspect_ratio", FALSE);
  gboolean pads = forge_json_bool (config, "pad_to_aspect_ratio", FALSE);
  if ((crops && !crop_to_aspect (builder, layer, in, size, out, error)) ||
      (pads && !pad_to_aspect (builder, layer, in, size, out, error)))
    return FALSE;
  return resize (
      builder, layer, size, read_interpolation (layer, "bilinear"), out, error);
}

/* CenterCrop, and RandomCrop at inference: one takes the middle, the other
 * resizes the largest part of the same shape; what is too small is resized. */
gboolean
keras_build_center_crop (KerasBuilder *builder, const KerasLayer *layer,
    KerasTensor *inputs, guint n_inputs, KerasTensor *out, GError **error)
{
  Size in = { 0, 0 }, size;
  *out = inputs[0];
  if (!take (builder, layer, out, &in, &size, error))
    return FALSE;
  if (g_str_equal (layer->class_name, "CenterCrop") &&
      in.height >= size.height && in.width >= size.width)
    return keras_slice (builder, layer, (in.height - size.height) / 2,
        size.height, (in.width - size.width) / 2, size.width, out, error);
  return crop_to_aspect (builder, layer, in, size, out, error) &&
         resize (builder, layer, size, "bilinear", out, error);
}
