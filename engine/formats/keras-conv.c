/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Keras layers with kernels: convolutions and Dense. Keras keeps convolution
 * kernels as [KH, KW, C, O], ONNX wants [O, C, KH, KW]. `padding="same"` is
 * ONNX's SAME_UPPER: with stride 2 the odd row of padding goes to the bottom
 * and right. Source: keras.io/api/layers. */
#include "formats/keras.h"

typedef struct {
  int64_t kernel[2], strides[2], dilations[2];
  gboolean same;
} Window;

static gboolean
read_window (KerasBuilder *builder, const KerasLayer *layer, Window *window,
    GError **error)
{
  const char *padding = forge_json_string (layer->config, "padding");
  if (!keras_pair (layer->config, "kernel_size", 0, window->kernel) ||
      !keras_pair (layer->config, "strides", 1, window->strides) ||
      !keras_pair (layer->config, "dilation_rate", 1, window->dilations))
    return keras_error (builder, layer, error, FORGE_ERROR_FORMAT,
        "expected kernel_size, strides and dilation_rate of two numbers in "
        "1..32768");
  window->same = g_strcmp0 (padding, "same") == 0;
  if (!window->same && padding && !g_str_equal (padding, "valid"))
    return keras_error (
        builder, layer, error, FORGE_ERROR_FORMAT, "padding '%s'", padding);
  return TRUE;
}

/* The images in ONNX's order and their channels, which must be known. */
static gboolean
take_images (KerasBuilder *builder, const KerasLayer *layer,
    KerasTensor *tensor, int64_t *channels, GError **error)
{
  if (!keras_to_images (builder, layer, tensor, error))
    return FALSE;
  *channels = tensor->value->shape.dims[1];
  return *channels > 0 || keras_error (builder, layer, error, FORGE_ERROR_SHAPE,
                              "the number of input channels is not known");
}

/* -1 when the file does not say it. */
static int64_t
read_count (const KerasLayer *layer, const char *key)
{
  gint64 count = forge_json_int (layer->config, key, -1);
  return count >= 0 && count <= G_MAXINT32 ? count : -1;
}

/* *bias is NULL where the layer has none. */
static gboolean
read_bias (KerasBuilder *builder, const KerasLayer *layer, guint index,
    int64_t n_values, ForgeValue **bias, GError **error)
{
  const KerasWeight weight = { "bias", index, { 1, { n_values } } };
  *bias = NULL;
  if (!forge_json_bool (layer->config, "use_bias", TRUE))
    return TRUE;
  *bias = keras_weight (builder, layer, &weight, error);
  return *bias != NULL;
}

static ForgeAttrs *
window_attrs (const Window *window)
{
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_ints (attrs, "kernel_shape", window->kernel, 2);
  forge_attrs_set_ints (attrs, "strides", window->strides, 2);
  forge_attrs_set_ints (attrs, "dilations", window->dilations, 2);
  return attrs;
}

/* Takes @attrs. @bias may be NULL. */
static gboolean
emit_conv (KerasBuilder *builder, const KerasLayer *layer, const char *type,
    ForgeAttrs *attrs, ForgeValue *kernel, ForgeValue *bias,
    KerasTensor *tensor, GError **error)
{
  ForgeValue *inputs[] = { tensor->value, kernel, bias };
  tensor->value =
      keras_emit (builder, layer, type, attrs, inputs, bias ? 3 : 2, error);
  return tensor->value != NULL;
}

static gboolean
emit_window_conv (KerasBuilder *builder, const KerasLayer *layer,
    const Window *window, int64_t groups, ForgeValue *kernel, ForgeValue *bias,
    KerasTensor *tensor, GError **error)
{
  ForgeAttrs *attrs = window_attrs (window);
  forge_attrs_set_string (
      attrs, "auto_pad", window->same ? "SAME_UPPER" : "VALID");
  forge_attrs_set_int (attrs, "group", groups);
  return emit_conv (builder, layer, "Conv", attrs, kernel, bias, tensor, error);
}

gboolean
keras_build_conv (KerasBuilder *builder, const KerasLayer *layer,
    KerasTensor *inputs, guint n_inputs, KerasTensor *out, GError **error)
{
  static const int hwio_to_oihw[] = { 3, 2, 0, 1 };
  Window window;
  int64_t channels, filters = read_count (layer, "filters");
  int64_t groups = forge_json_int (layer->config, "groups", 1);
  ForgeValue *bias;
  *out = inputs[0];
  if (!read_window (builder, layer, &window, error) ||
      !take_images (builder, layer, out, &channels, error))
    return FALSE;
  if (groups < 1 || channels % groups != 0)
    return keras_error (builder, layer, error, FORGE_ERROR_SHAPE,
        "%d channels do not divide into %d groups", (int) channels,
        (int) groups);
  const KerasWeight weight = { "kernel", 0,
    { 4, { window.kernel[0], window.kernel[1], channels / groups, filters } },
    hwio_to_oihw };
  ForgeValue *kernel = keras_weight (builder, layer, &weight, error);
  return kernel && read_bias (builder, layer, 1, filters, &bias, error) &&
         emit_window_conv (
             builder, layer, &window, groups, kernel, bias, out, error) &&
         keras_activate (builder, layer, out, error);
}

/* [KH, KW, C, M] -> [C * M, 1, KH, KW]; output channel c * M + m. */
static gboolean
build_depthwise (KerasBuilder *builder, const KerasLayer *layer,
    const char *variable, gboolean has_bias, int64_t *n_out,
    KerasTensor *tensor, GError **error)
{
  static const int hwcm_to_cmhw[] = { 2, 3, 0, 1 };
  Window window;
  int64_t channels;
  gint64 multiplier = forge_json_int (layer->config, "depth_multiplier", 1);
  ForgeValue *bias = NULL;
  if (!read_window (builder, layer, &window, error) ||
      !take_images (builder, layer, tensor, &channels, error))
    return FALSE;
  if (multiplier < 1 || multiplier > 32768)
    return keras_error (builder, layer, error, FORGE_ERROR_FORMAT,
        "a depth_multiplier of %d", (int) multiplier);
  const int64_t *k = window.kernel;
  *n_out = channels * multiplier;
  const KerasWeight weight = { variable, 0,
    { 4, { k[0], k[1], channels, multiplier } }, hwcm_to_cmhw,
    { 4, { *n_out, 1, k[0], k[1] } } };
  ForgeValue *kernel = keras_weight (builder, layer, &weight, error);
  return kernel &&
         (!has_bias || read_bias (builder, layer, 1, *n_out, &bias, error)) &&
         emit_window_conv (
             builder, layer, &window, channels, kernel, bias, tensor, error);
}

gboolean
keras_build_depthwise (KerasBuilder *builder, const KerasLayer *layer,
    KerasTensor *inputs, guint n_inputs, KerasTensor *out, GError **error)
{
  int64_t n_out;
  *out = inputs[0];
  /* Keras 3 calls the weight "kernel", Keras 2 "depthwise_kernel"; where
   * neither name is found, its place is. */
  return build_depthwise (builder, layer,
             builder->keras2 ? "depthwise_kernel" : "kernel", TRUE, &n_out, out,
             error) &&
         keras_activate (builder, layer, out, error);
}

gboolean
keras_build_separable (KerasBuilder *builder, const KerasLayer *layer,
    KerasTensor *inputs, guint n_inputs, KerasTensor *out, GError **error)
{
  static const int hwio_to_oihw[] = { 3, 2, 0, 1 };
  int64_t n_between = 0, filters = read_count (layer, "filters");
  ForgeValue *bias;
  *out = inputs[0];
  if (!build_depthwise (
          builder, layer, "depthwise_kernel", FALSE, &n_between, out, error))
    return FALSE;
  const KerasWeight weight = { "pointwise_kernel", 1,
    { 4, { 1, 1, n_between, filters } }, hwio_to_oihw };
  ForgeValue *kernel = keras_weight (builder, layer, &weight, error);
  return kernel && read_bias (builder, layer, 2, filters, &bias, error) &&
         emit_conv (builder, layer, "Conv", forge_attrs_new (), kernel, bias,
             out, error) &&
         keras_activate (builder, layer, out, error);
}

/* Pads that give the extents Keras gives: for one axis of @in pixels,
 *   valid  (in - 1) s + k, or in s where that is more
 *   same   in s
 *   with output_padding p, (in - 1) s + k + p, less 2 (k / 2) for same
 * with k the dilated kernel. What is cut off is cut half at the start; what is
 * more than the windows cover is added at the end. */
static void
transpose_pads (const Window *window, int axis, gint64 output_padding,
    int64_t pads[4], int64_t extra[2])
{
  int64_t s = window->strides[axis];
  int64_t k = (window->kernel[axis] - 1) * window->dilations[axis] + 1;
  int64_t cut; /* (in - 1) s + k - out */
  if (output_padding >= 0)
    cut = (window->same ? 2 * (k / 2) : 0) - output_padding;
  else if (window->same)
    cut = k - s;
  else
    cut = MIN (k - s, 0);
  pads[axis] = MAX (cut, 0) / 2;
  pads[axis + 2] = MAX (cut, 0) - pads[axis];
  extra[axis] = MAX (-cut, 0);
}

gboolean
keras_build_conv_transpose (KerasBuilder *builder, const KerasLayer *layer,
    KerasTensor *inputs, guint n_inputs, KerasTensor *out, GError **error)
{
  static const int hwoi_to_iohw[] = { 3, 2, 0, 1 };
  Window window;
  int64_t channels, filters = read_count (layer, "filters");
  int64_t given[2] = { -1, -1 }, pads[4], extra[2];
  ForgeValue *bias;
  *out = inputs[0];
  if (!read_window (builder, layer, &window, error) ||
      !take_images (builder, layer, out, &channels, error))
    return FALSE;
  JsonArray *list = forge_json_array (layer->config, "output_padding");
  for (guint axis = 0; axis < 2; axis++) {
    given[axis] = list ? forge_json_int_at (list, axis, -1)
                       : forge_json_int (layer->config, "output_padding", -1);
    if (given[axis] >= window.strides[axis])
      return keras_error (builder, layer, error, FORGE_ERROR_FORMAT,
          "an output_padding that is not smaller than the stride");
    transpose_pads (&window, (int) axis, given[axis], pads, extra);
  }
  if (forge_json_int (layer->config, "groups", 1) != 1)
    return keras_error (builder, layer, error, FORGE_ERROR_UNSUPPORTED,
        "a transposed convolution in groups");
  const KerasWeight weight = { "kernel", 0,
    { 4, { window.kernel[0], window.kernel[1], filters, channels } },
    hwoi_to_iohw };
  ForgeValue *kernel = keras_weight (builder, layer, &weight, error);
  if (!kernel || !read_bias (builder, layer, 1, filters, &bias, error))
    return FALSE;
  ForgeAttrs *attrs = window_attrs (&window);
  forge_attrs_set_ints (attrs, "pads", pads, 4);
  forge_attrs_set_ints (attrs, "output_padding", extra, 2);
  return emit_conv (builder, layer, "ConvTranspose", attrs, kernel, bias, out,
             error) &&
         keras_activate (builder, layer, out, error);
}

gboolean
keras_build_dense (KerasBuilder *builder, const KerasLayer *layer,
    KerasTensor *inputs, guint n_inputs, KerasTensor *out, GError **error)
{
  int64_t units = read_count (layer, "units");
  ForgeValue *bias;
  *out = inputs[0];
  if (!keras_to_nhwc (builder, layer, out, error))
    return FALSE;
  int rank = out->value->shape.rank;
  if (rank < 2)
    return keras_error (builder, layer, error, FORGE_ERROR_SHAPE,
        "expected an input of 2 dimensions or more, found %d", rank);
  const KerasWeight weight = { "kernel", 0,
    { 2, { out->value->shape.dims[rank - 1], units } } };
  ForgeValue *kernel = keras_weight (builder, layer, &weight, error);
  if (!kernel || !read_bias (builder, layer, 1, units, &bias, error))
    return FALSE;
  if (rank == 2) {
    ForgeValue *values[] = { out->value, kernel, bias };
    out->value =
        keras_emit (builder, layer, "Gemm", NULL, values, bias ? 3 : 2, error);
  } else {
    out->value =
        keras_emit2 (builder, layer, "MatMul", out->value, kernel, error);
    if (out->value && bias)
      out->value = keras_emit2 (builder, layer, "Add", out->value, bias, error);
  }
  return out->value && keras_activate (builder, layer, out, error);
}
