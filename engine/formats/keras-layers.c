/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The table of Keras layers (engine/README.md has it for users), pools, and
 * layers that do nothing at inference.
 * Source: keras.io/api/layers. */
#include "formats/keras.h"

static const struct {
  const char *class_name;
  KerasBuildFunc build;
} layers[] = {
  { "Conv2D", keras_build_conv },
  { "DepthwiseConv2D", keras_build_depthwise },
  { "SeparableConv2D", keras_build_separable },
  { "Conv2DTranspose", keras_build_conv_transpose },
  { "Dense", keras_build_dense },
  { "MultiHeadAttention", keras_build_attention },
  { "BatchNormalization", keras_build_batch_norm },
  { "SyncBatchNormalization", keras_build_batch_norm },
  { "LayerNormalization", keras_build_layer_norm },
  { "GroupNormalization", keras_build_group_norm },
  { "UnitNormalization", keras_build_unit_norm },
  { "LayerScale", keras_build_layer_scale },
  { "MaxPooling2D", keras_build_pool },
  { "AveragePooling2D", keras_build_pool },
  { "GlobalAveragePooling2D", keras_build_global_pool },
  { "GlobalMaxPooling2D", keras_build_global_pool },
  { "GlobalAveragePooling1D", keras_build_global_pool1d },
  { "GlobalMaxPooling1D", keras_build_global_pool1d },
  { "Activation", keras_build_activation },
  { "ReLU", keras_build_activation },
  { "ThresholdedReLU", keras_build_activation },
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
  { "Dot", keras_build_dot },
  { "CustomScaleLayer", keras_build_custom_scale },
  { "Flatten", keras_build_flatten },
  { "Reshape", keras_build_reshape },
  { "Permute", keras_build_permute },
  { "RepeatVector", keras_build_repeat_vector },
  { "ZeroPadding2D", keras_build_zero_padding },
  { "Cropping2D", keras_build_cropping },
  { "UpSampling2D", keras_build_up_sampling },
  { "Rescaling", keras_build_rescaling },
  { "Normalization", keras_build_normalization },
  { "Resizing", keras_build_resizing },
  { "CenterCrop", keras_build_center_crop },
  { "RandomCrop", keras_build_center_crop },
  /* These change nothing at inference. */
  { "Identity", keras_build_identity },
  { "Dropout", keras_build_identity },
  { "SpatialDropout1D", keras_build_identity },
  { "SpatialDropout2D", keras_build_identity },
  { "AlphaDropout", keras_build_identity },
  { "GaussianDropout", keras_build_identity },
  { "GaussianNoise", keras_build_identity },
  { "StochasticDepth", keras_build_identity },
  { "ActivityRegularization", keras_build_identity },
  { "RandomFlip", keras_build_identity },
  { "RandomRotation", keras_build_identity },
  { "RandomTranslation", keras_build_identity },
  { "RandomZoom", keras_build_identity },
  { "RandomShear", keras_build_identity },
  { "RandomPerspective", keras_build_identity },
  { "RandomElasticTransform", keras_build_identity },
  { "RandomHeight", keras_build_identity },
  { "RandomWidth", keras_build_identity },
  { "RandomContrast", keras_build_identity },
  { "RandomBrightness", keras_build_identity },
  { "RandomHue", keras_build_identity },
  { "RandomSaturation", keras_build_identity },
  { "RandomSharpness", keras_build_identity },
  { "RandomGrayscale", keras_build_identity },
  { "RandomColorJitter", keras_build_identity },
  { "RandomColorDegeneration", keras_build_identity },
  { "RandomPosterization", keras_build_identity },
  { "RandomInvert", keras_build_identity },
  { "RandomErasing", keras_build_identity },
  { "RandomGaussianBlur", keras_build_identity },
  { "Solarization", keras_build_identity },
  { "RandAugment", keras_build_identity },
  { "AugMix", keras_build_identity },
  { "CutMix", keras_build_identity },
  { "MixUp", keras_build_identity },
};

KerasBuildFunc
keras_layer_find (const char *class_name)
{
  for (gsize i = 0; i < G_N_ELEMENTS (layers); i++)
    if (g_str_equal (layers[i].class_name, class_name))
      return layers[i].build;
  return NULL;
}

const char **
keras_layer_list (void)
{
  const char **names = g_new0 (const char *, G_N_ELEMENTS (layers) + 1);
  for (gsize i = 0; i < G_N_ELEMENTS (layers); i++)
    names[i] = layers[i].class_name;
  return names;
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
  if (!keras_to_images (builder, layer, out, error))
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
  if (!keras_to_images (builder, layer, out, error))
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

/* [N, T, C] over T. */
gboolean
keras_build_global_pool1d (KerasBuilder *builder, const KerasLayer *layer,
    KerasTensor *inputs, guint n_inputs, KerasTensor *out, GError **error)
{
  gboolean is_max = g_str_equal (layer->class_name, "GlobalMaxPooling1D");
  const int64_t axis = keras_is_channels_first (layer) ? 2 : 1;
  *out = inputs[0];
  if (out->value->shape.rank != 3)
    return keras_error (builder, layer, error, FORGE_ERROR_SHAPE,
        "expected a sequence of 3 dimensions, found %d",
        out->value->shape.rank);
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_ints (attrs, "axes", &axis, 1);
  forge_attrs_set_int (
      attrs, "keepdims", forge_json_bool (layer->config, "keepdims", FALSE));
  out->value = keras_emit1 (builder, layer, is_max ? "ReduceMax" : "ReduceMean",
      attrs, out->value, error);
  return out->value != NULL;
}
