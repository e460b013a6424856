/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The table of Keras layers, and the builders of those without kernels.
 * Source: keras.io/api/layers. */
#include "formats/keras.h"

#include <math.h>

static const struct {
  const char *class_name;
  KerasBuildFunc build;
} layers[] = {
  { "Conv2D", keras_build_conv },
  { "DepthwiseConv2D", keras_build_depthwise },
  { "SeparableConv2D", keras_build_separable },
  { "Conv2DTranspose", keras_build_conv_transpose },
  { "Dense", keras_build_dense },
  { "BatchNormalization", keras_build_batch_norm },
  { "LayerNormalization", keras_build_layer_norm },
  { "MaxPooling2D", keras_build_pool },
  { "AveragePooling2D", keras_build_pool },
  { "GlobalAveragePooling2D", keras_build_global_pool },
  { "GlobalMaxPooling2D", keras_build_global_pool },
  { "Activation", keras_build_activation },
  { "ReLU", keras_build_activation },
  { "LeakyReLU", keras_build_activation },
  { "PReLU", keras_build_activation },
  { "ELU", keras_build_activation },
  { "Softmax", keras_build_activation },
  { "Add", keras_build_merge },
  { "Subtract", keras_build_merge },
  { "Multiply", keras_build_merge },
  { "Average", keras_build_merge },
  { "Maximum", keras_build_merge },
  { "Minimum", keras_build_merge },
  { "Concatenate", keras_build_concatenate },
  { "Flatten", keras_build_flatten },
  { "Reshape", keras_build_reshape },
  { "Permute", keras_build_permute },
  { "ZeroPadding2D", keras_build_zero_padding },
  { "Cropping2D", keras_build_cropping },
  { "CenterCrop", keras_build_cropping },
  { "UpSampling2D", keras_build_up_sampling },
  { "Rescaling", keras_build_rescaling },
  { "Normalization", keras_build_normalization },
  { "Resizing", keras_build_resizing },
  /* These change nothing at inference. */
  { "Dropout", keras_build_identity },
  { "SpatialDropout2D", keras_build_identity },
  { "AlphaDropout", keras_build_identity },
  { "GaussianDropout", keras_build_identity },
  { "GaussianNoise", keras_build_identity },
  { "ActivityRegularization", keras_build_identity },
  { "RandomFlip", keras_build_identity },
  { "RandomRotation", keras_build_identity },
  { "RandomTranslation", keras_build_identity },
  { "RandomZoom", keras_build_identity },
  { "RandomContrast", keras_build_identity },
  { "RandomBrightness", keras_build_identity },
  { "RandomHeight", keras_build_identity },
  { "RandomWidth", keras_build_identity },
  { "Identity", keras_build_identity },
};

KerasBuildFunc
keras_layer_find (const char *class_name)
{
  for (gsize i = 0; i < G_N_ELEMENTS (layers); i++)
    if (g_str_equal (layers[i].class_name, class_name))
      return layers[i].build;
  return NULL;
}

gboolean
keras_build_identity (KerasBuilder *builder, const KerasLayer *layer,
    KerasTensor *inputs, guint n_inputs, KerasTensor *out, GError **error)
{
  *out = inputs[0];
  return TRUE;
}

gboolean
keras_build_pool (KerasBuilder *builder, const KerasLayer *layer,
    KerasTensor *inputs, guint n_inputs, KerasTensor *out, GError **error)
{
  int64_t size[2], strides[2];
  gboolean ok = keras_pair (layer->config, "pool_size", 2, size);
  strides[0] = size[0];
  strides[1] = size[1];
  JsonNode *given = json_object_get_member (layer->config, "strides");
  if (given && !JSON_NODE_HOLDS_NULL (given))
    ok = ok && keras_pair (layer->config, "strides", 1, strides);
  if (!ok)
    return keras_error (builder, layer, error, FORGE_ERROR_FORMAT,
        "expected pool_size and strides of two positive numbers");
  *out = inputs[0];
  if (!keras_to_nchw (builder, layer, out, error))
    return FALSE;
  const char *padding = forge_json_string (layer->config, "padding");
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_ints (attrs, "kernel_shape", size, 2);
  forge_attrs_set_ints (attrs, "strides", strides, 2);
  forge_attrs_set_string (attrs, "auto_pad",
      g_strcmp0 (padding, "same") == 0 ? "SAME_UPPER" : "VALID");
  gboolean is_max = g_str_equal (layer->class_name, "MaxPooling2D");
  out->value = keras_emit1 (builder, layer, is_max ? "MaxPool" : "AveragePool",
      attrs, out->value, error);
  return out->value != NULL;
}

gboolean
keras_build_global_pool (KerasBuilder *builder, const KerasLayer *layer,
    KerasTensor *inputs, guint n_inputs, KerasTensor *out, GError **error)
{
  gboolean is_max = g_str_equal (layer->class_name, "GlobalMaxPooling2D");
  *out = inputs[0];
  if (!keras_to_nchw (builder, layer, out, error))
    return FALSE;
  out->value = keras_emit1 (builder, layer,
      is_max ? "GlobalMaxPool" : "GlobalAveragePool", NULL, out->value, error);
  if (!out->value || forge_json_bool (layer->config, "keepdims", FALSE))
    return out->value != NULL;
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_int (attrs, "axis", 1);
  *out = (KerasTensor) { .value = keras_emit1 (builder, layer, "Flatten", attrs,
                             out->value, error) };
  return out->value != NULL;
}

/* ReLU with its three parameters: max_value, negative_slope, threshold. */
static gboolean
build_relu (KerasBuilder *builder, const KerasLayer *layer, KerasTensor *out,
    GError **error)
{
  double max = forge_json_double (layer->config, "max_value", INFINITY);
  double slope = forge_json_double (layer->config, "negative_slope", 0);
  if (forge_json_double (layer->config, "threshold", 0) != 0 ||
      (slope != 0 && isfinite (max)))
    return keras_error (builder, layer, error, FORGE_ERROR_UNSUPPORTED,
        "a threshold, or a negative slope together with a maximum");
  if (isfinite (max)) {
    ForgeValue *clip[] = { out->value, keras_scalar (builder, 0),
      keras_scalar (builder, (float) max) };
    out->value = keras_emit (builder, layer, "Clip", NULL, clip, 3, error);
  } else if (slope != 0) {
    ForgeAttrs *attrs = forge_attrs_new ();
    forge_attrs_set_float (attrs, "alpha", (float) slope);
    out->value =
        keras_emit1 (builder, layer, "LeakyRelu", attrs, out->value, error);
  } else {
    out->value = keras_emit1 (builder, layer, "Relu", NULL, out->value, error);
  }
  return out->value != NULL;
}

static gboolean
build_prelu (KerasBuilder *builder, const KerasLayer *layer, KerasTensor *out,
    GError **error)
{
  /* alpha has the input's shape without the batch; shared axes are 1. */
  if (!keras_to_nhwc (builder, layer, out, error))
    return FALSE;
  g_autoptr (ForgeTensor) alpha = keras_weights_read (builder->weights,
      layer->group, layer->name, "alpha", 0, out->value->shape.rank - 1, error);
  if (!alpha)
    return FALSE;
  out->value = keras_emit2 (builder, layer, "PRelu", out->value,
      keras_constant (builder, alpha), error);
  return out->value != NULL;
}

static gboolean
build_alpha (KerasBuilder *builder, const KerasLayer *layer, const char *type,
    float alpha, KerasTensor *out, GError **error)
{
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_float (attrs, "alpha", alpha);
  out->value = keras_emit1 (builder, layer, type, attrs, out->value, error);
  return out->value != NULL;
}

gboolean
keras_build_activation (KerasBuilder *builder, const KerasLayer *layer,
    KerasTensor *inputs, guint n_inputs, KerasTensor *out, GError **error)
{
  const char *name = layer->class_name;
  JsonObject *config = layer->config;
  *out = inputs[0];
  if (g_str_equal (name, "ReLU"))
    return build_relu (builder, layer, out, error);
  if (g_str_equal (name, "PReLU"))
    return build_prelu (builder, layer, out, error);
  if (g_str_equal (name, "ELU"))
    return build_alpha (builder, layer, "Elu",
        (float) forge_json_double (config, "alpha", 1), out, error);
  if (g_str_equal (name, "LeakyReLU")) {
    /* Keras 2 says alpha, Keras 3 negative_slope; 0.3 either way. */
    double alpha = forge_json_double (config, "alpha", 0.3);
    return build_alpha (builder, layer, "LeakyRelu",
        (float) forge_json_double (config, "negative_slope", alpha), out,
        error);
  }
  if (g_str_equal (name, "Softmax")) {
    if (forge_json_int (config, "axis", -1) != -1)
      return keras_error (builder, layer, error, FORGE_ERROR_UNSUPPORTED,
          "softmax over another axis than the last");
    return keras_activate (builder, layer, "softmax", out, error);
  }
  return keras_activate (
      builder, layer, keras_activation_name (config, "activation"), out, error);
}

/* All inputs in one layout: images as ONNX has them, else as Keras has. */
static gboolean
unify (KerasBuilder *builder, const KerasLayer *layer, KerasTensor *inputs,
    guint n_inputs, gboolean *nchw, GError **error)
{
  *nchw = TRUE;
  for (guint i = 0; i < n_inputs; i++)
    *nchw = *nchw && inputs[i].value->shape.rank == 4;
  for (guint i = 0; i < n_inputs; i++)
    if (!(*nchw ? keras_to_nchw (builder, layer, &inputs[i], error)
                : keras_to_nhwc (builder, layer, &inputs[i], error)))
      return FALSE;
  return TRUE;
}

static const struct {
  const char *class_name, *type;
} merges[] = {
  { "Add", "Add" },
  { "Average", "Add" },
  { "Subtract", "Sub" },
  { "Multiply", "Mul" },
  { "Maximum", "Max" },
  { "Minimum", "Min" },
};

gboolean
keras_build_merge (KerasBuilder *builder, const KerasLayer *layer,
    KerasTensor *inputs, guint n_inputs, KerasTensor *out, GError **error)
{
  const char *type = NULL;
  for (gsize i = 0; i < G_N_ELEMENTS (merges); i++)
    if (g_str_equal (layer->class_name, merges[i].class_name))
      type = merges[i].type;
  gboolean nchw;
  if (n_inputs < 2)
    return keras_error (builder, layer, error, FORGE_ERROR_FORMAT,
        "expected two inputs or more, found %u", n_inputs);
  if (!unify (builder, layer, inputs, n_inputs, &nchw, error))
    return FALSE;
  *out = (KerasTensor) { .value = inputs[0].value, .nchw = nchw };
  for (guint i = 1; i < n_inputs && out->value; i++)
    out->value =
        keras_emit2 (builder, layer, type, out->value, inputs[i].value, error);
  if (out->value && g_str_equal (layer->class_name, "Average"))
    out->value = keras_emit2 (builder, layer, "Mul", out->value,
        keras_scalar (builder, 1.0f / (float) n_inputs), error);
  return out->value != NULL;
}

gboolean
keras_build_concatenate (KerasBuilder *builder, const KerasLayer *layer,
    KerasTensor *inputs, guint n_inputs, KerasTensor *out, GError **error)
{
  static const int nhwc_axis_to_nchw[] = { 0, 2, 3, 1 };
  gboolean nchw;
  if (!unify (builder, layer, inputs, n_inputs, &nchw, error))
    return FALSE;
  int rank = inputs[0].value->shape.rank;
  gint64 axis = forge_json_int (layer->config, "axis", -1);
  if (axis < 0)
    axis += rank;
  if (axis < 0 || axis >= rank)
    return keras_error (builder, layer, error, FORGE_ERROR_SHAPE,
        "axis outside the %d dimensions of the input", rank);
  g_autofree ForgeValue **values = g_new (ForgeValue *, n_inputs);
  for (guint i = 0; i < n_inputs; i++)
    values[i] = inputs[i].value;
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_int (attrs, "axis", nchw ? nhwc_axis_to_nchw[axis] : axis);
  *out = (KerasTensor) { .nchw = nchw };
  out->value =
      keras_emit (builder, layer, "Concat", attrs, values, n_inputs, error);
  return out->value != NULL;
}
