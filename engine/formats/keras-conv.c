/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Keras layers with kernels: convolutions and Dense. Keras keeps convolution
 * kernels as [KH, KW, C, O], ONNX wants [O, C, KH, KW]. `padding="same"` is
 * ONNX's SAME_UPPER: with stride 2 the odd row of padding goes to the bottom
 * and right. Source: keras.io/api/layers. */
#include "formats/keras.h"

/* out[permuted index] = in[index]; perm as ONNX Transpose, rank 4. */
static ForgeTensor *
permute4 (const ForgeTensor *in, const int perm[4], GError **error)
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

/* Attributes that all convolutions share. NULL with an error. */
static ForgeAttrs *
conv_attrs (KerasBuilder *builder, const KerasLayer *layer, GError **error)
{
  int64_t strides[2], dilations[2];
  const char *padding = forge_json_string (layer->config, "padding");
  const char *data_format = forge_json_string (layer->config, "data_format");
  if (!keras_pair (layer->config, "strides", 1, strides) ||
      !keras_pair (layer->config, "dilation_rate", 1, dilations)) {
    keras_error (builder, layer, error, FORGE_ERROR_FORMAT,
        "expected strides and dilation_rate of two positive numbers");
    return NULL;
  }
  if (g_strcmp0 (data_format, "channels_first") == 0) {
    keras_error (builder, layer, error, FORGE_ERROR_UNSUPPORTED,
        "data_format channels_first; only channels_last is read");
    return NULL;
  }
  gboolean same = g_strcmp0 (padding, "same") == 0;
  if (!same && padding && !g_str_equal (padding, "valid")) {
    keras_error (builder, layer, error, FORGE_ERROR_UNSUPPORTED, "padding '%s'",
        padding);
    return NULL;
  }
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_ints (attrs, "strides", strides, 2);
  forge_attrs_set_ints (attrs, "dilations", dilations, 2);
  forge_attrs_set_string (attrs, "auto_pad", same ? "SAME_UPPER" : "VALID");
  return attrs;
}

/* Takes @attrs. @kernel is in ONNX order. */
static gboolean
emit_conv (KerasBuilder *builder, const KerasLayer *layer, const char *type,
    ForgeAttrs *attrs, ForgeTensor *kernel, ForgeTensor *bias,
    KerasTensor *tensor, GError **error)
{
  int64_t kernel_shape[] = { kernel->shape.dims[2], kernel->shape.dims[3] };
  forge_attrs_set_ints (attrs, "kernel_shape", kernel_shape, 2);
  if (!keras_to_nchw (builder, layer, tensor, error)) {
    forge_attrs_free (attrs);
    return FALSE;
  }
  ForgeValue *inputs[] = { tensor->value, keras_constant (builder, kernel),
    bias ? keras_constant (builder, bias) : NULL };
  ForgeValue *value =
      keras_emit (builder, layer, type, attrs, inputs, bias ? 3 : 2, error);
  if (!value)
    return FALSE;
  *tensor = (KerasTensor) { .value = value, .nchw = TRUE };
  return TRUE;
}

static gboolean
read_bias (KerasBuilder *builder, const KerasLayer *layer, guint index,
    ForgeTensor **bias, GError **error)
{
  *bias = NULL;
  if (!forge_json_bool (layer->config, "use_bias", TRUE))
    return TRUE;
  *bias = keras_weights_read (
      builder->weights, layer->group, layer->name, "bias", index, 1, error);
  return *bias != NULL;
}

gboolean
keras_build_conv (KerasBuilder *builder, const KerasLayer *layer,
    KerasTensor *inputs, guint n_inputs, KerasTensor *out, GError **error)
{
  static const int hwio_to_oihw[] = { 3, 2, 0, 1 };
  g_autoptr (ForgeTensor) bias = NULL;
  g_autoptr (ForgeTensor) stored = keras_weights_read (
      builder->weights, layer->group, layer->name, "kernel", 0, 4, error);
  if (!stored || !read_bias (builder, layer, 1, &bias, error))
    return FALSE;
  g_autoptr (ForgeTensor) kernel = permute4 (stored, hwio_to_oihw, error);
  ForgeAttrs *attrs = kernel ? conv_attrs (builder, layer, error) : NULL;
  if (!attrs)
    return FALSE;
  forge_attrs_set_int (
      attrs, "group", forge_json_int (layer->config, "groups", 1));
  *out = inputs[0];
  return emit_conv (builder, layer, "Conv", attrs, kernel, bias, out, error) &&
         keras_activate (builder, layer,
             keras_activation_name (layer->config, "activation"), out, error);
}

/* [KH, KW, C, M] -> [C * M, 1, KH, KW]; output channel c * M + m. */
static ForgeTensor *
depthwise_kernel (const ForgeTensor *stored, GError **error)
{
  static const int hwcm_to_cmhw[] = { 2, 3, 0, 1 };
  ForgeTensor *kernel = permute4 (stored, hwcm_to_cmhw, error);
  if (kernel) {
    kernel->shape.dims[0] *= kernel->shape.dims[1];
    kernel->shape.dims[1] = 1;
  }
  return kernel;
}

static gboolean
build_depthwise (KerasBuilder *builder, const KerasLayer *layer,
    const char *variable, ForgeTensor *bias, KerasTensor *tensor,
    GError **error)
{
  g_autoptr (ForgeTensor) stored = keras_weights_read (
      builder->weights, layer->group, layer->name, variable, 0, 4, error);
  g_autoptr (ForgeTensor) kernel =
      stored ? depthwise_kernel (stored, error) : NULL;
  ForgeAttrs *attrs = kernel ? conv_attrs (builder, layer, error) : NULL;
  if (!attrs)
    return FALSE;
  forge_attrs_set_int (attrs, "group", stored->shape.dims[2]);
  return emit_conv (builder, layer, "Conv", attrs, kernel, bias, tensor, error);
}

gboolean
keras_build_depthwise (KerasBuilder *builder, const KerasLayer *layer,
    KerasTensor *inputs, guint n_inputs, KerasTensor *out, GError **error)
{
  g_autoptr (ForgeTensor) bias = NULL;
  /* Keras 3 calls the weight "kernel", Keras 2 "depthwise_kernel". */
  g_autoptr (ForgeTensor) probe = keras_weights_read (builder->weights,
      layer->group, layer->name, "depthwise_kernel", 0, 4, NULL);
  *out = inputs[0];
  return read_bias (builder, layer, 1, &bias, error) &&
         build_depthwise (builder, layer, probe ? "depthwise_kernel" : "kernel",
             bias, out, error) &&
         keras_activate (builder, layer,
             keras_activation_name (layer->config, "activation"), out, error);
}

gboolean
keras_build_separable (KerasBuilder *builder, const KerasLayer *layer,
    KerasTensor *inputs, guint n_inputs, KerasTensor *out, GError **error)
{
  static const int hwio_to_oihw[] = { 3, 2, 0, 1 };
  g_autoptr (ForgeTensor) bias = NULL;
  *out = inputs[0];
  if (!build_depthwise (builder, layer, "depthwise_kernel", NULL, out, error) ||
      !read_bias (builder, layer, 2, &bias, error))
    return FALSE;
  g_autoptr (ForgeTensor) stored = keras_weights_read (builder->weights,
      layer->group, layer->name, "pointwise_kernel", 1, 4, error);
  g_autoptr (ForgeTensor) kernel =
      stored ? permute4 (stored, hwio_to_oihw, error) : NULL;
  if (!kernel)
    return FALSE;
  return emit_conv (builder, layer, "Conv", forge_attrs_new (), kernel, bias,
             out, error) &&
         keras_activate (builder, layer,
             keras_activation_name (layer->config, "activation"), out, error);
}

gboolean
keras_build_conv_transpose (KerasBuilder *builder, const KerasLayer *layer,
    KerasTensor *inputs, guint n_inputs, KerasTensor *out, GError **error)
{
  static const int hwoi_to_iohw[] = { 3, 2, 0, 1 };
  g_autoptr (ForgeTensor) bias = NULL;
  g_autoptr (ForgeTensor) stored = keras_weights_read (
      builder->weights, layer->group, layer->name, "kernel", 0, 4, error);
  if (!stored || !read_bias (builder, layer, 1, &bias, error))
    return FALSE;
  g_autoptr (ForgeTensor) kernel = permute4 (stored, hwoi_to_iohw, error);
  ForgeAttrs *attrs = kernel ? conv_attrs (builder, layer, error) : NULL;
  if (!attrs)
    return FALSE;
  *out = inputs[0];
  return emit_conv (builder, layer, "ConvTranspose", attrs, kernel, bias, out,
             error) &&
         keras_activate (builder, layer,
             keras_activation_name (layer->config, "activation"), out, error);
}

gboolean
keras_build_dense (KerasBuilder *builder, const KerasLayer *layer,
    KerasTensor *inputs, guint n_inputs, KerasTensor *out, GError **error)
{
  g_autoptr (ForgeTensor) bias = NULL;
  g_autoptr (ForgeTensor) kernel = keras_weights_read (
      builder->weights, layer->group, layer->name, "kernel", 0, 2, error);
  if (!kernel || !read_bias (builder, layer, 1, &bias, error))
    return FALSE;
  *out = inputs[0];
  if (!keras_to_nhwc (builder, layer, out, error))
    return FALSE;
  ForgeValue *w = keras_constant (builder, kernel);
  ForgeValue *b = bias ? keras_constant (builder, bias) : NULL;
  if (out->value->shape.rank == 2) {
    ForgeValue *gemm_inputs[] = { out->value, w, b };
    out->value = keras_emit (
        builder, layer, "Gemm", NULL, gemm_inputs, b ? 3 : 2, error);
  } else {
    out->value = keras_emit2 (builder, layer, "MatMul", out->value, w, error);
    if (out->value && b)
      out->value = keras_emit2 (builder, layer, "Add", out->value, b, error);
  }
  return out->value &&
         keras_activate (builder, layer,
             keras_activation_name (layer->config, "activation"), out, error);
}
