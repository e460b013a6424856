/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Keras activations: as the word or the object in a layer's `activation`, and
 * as layers of their own with parameters. Formulas: keras.io/api/layers,
 * keras/src/activations/activations.py. */
#include "formats/keras.h"

#include <math.h>

/* Activations that are one ONNX operator. */
static const struct {
  const char *keras, *onnx;
  float alpha; /* NAN = no attribute */
} direct[] = {
  { "relu", "Relu", NAN },
  { "sigmoid", "Sigmoid", NAN },
  { "tanh", "Tanh", NAN },
  { "hard_swish", "HardSwish", NAN },
  { "hard_silu", "HardSwish", NAN },
  { "elu", "Elu", 1 },
  { "celu", "Celu", 1 },
  { "selu", "Selu", NAN },
  { "softplus", "Softplus", NAN },
  { "softsign", "Softsign", NAN },
  { "exponential", "Exp", NAN },
  { "leaky_relu", "LeakyRelu", 0.2f },
};

ForgeValue *
keras_clamp (KerasBuilder *builder, const KerasLayer *layer, ForgeValue *value,
    float min, float max, GError **error)
{
  ForgeValue *inputs[] = { value, keras_scalar (builder, min),
    keras_scalar (builder, max) };
  return keras_emit (builder, layer, "Clip", NULL, inputs, 3, error);
}

static ForgeValue *
with_alpha (KerasBuilder *builder, const KerasLayer *layer, const char *type,
    float alpha, ForgeValue *value, GError **error)
{
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_float (attrs, "alpha", alpha);
  return keras_emit1 (builder, layer, type, attrs, value, error);
}

static ForgeValue *
by_scalar (KerasBuilder *builder, const KerasLayer *layer, const char *type,
    ForgeValue *value, float scalar, GError **error)
{
  return value ? keras_emit2 (builder, layer, type, value,
                     keras_scalar (builder, scalar), error)
               : NULL;
}

/* Keras 2: clip (0.2 x + 0.5); Keras 3: relu6 (x + 3) / 6. */
static ForgeValue *
hard_sigmoid (KerasBuilder *builder, const KerasLayer *layer, ForgeValue *x,
    GError **error)
{
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_float (
      attrs, "alpha", builder->keras2 ? 0.2f : (float) (1.0 / 6));
  forge_attrs_set_float (attrs, "beta", 0.5f);
  return keras_emit1 (builder, layer, "HardSigmoid", attrs, x, error);
}

/* x * function (x) */
static ForgeValue *
gated (KerasBuilder *builder, const KerasLayer *layer, const char *function,
    ForgeValue *x, GError **error)
{
  ForgeValue *gate = keras_emit1 (builder, layer, function, NULL, x, error);
  return gate ? keras_emit2 (builder, layer, "Mul", x, gate, error) : NULL;
}

/* x * tanh (softplus (x)): opset 17 has no Mish. */
static ForgeValue *
mish (KerasBuilder *builder, const KerasLayer *layer, ForgeValue *x,
    GError **error)
{
  ForgeValue *y = keras_emit1 (builder, layer, "Softplus", NULL, x, error);
  if (y)
    y = keras_emit1 (builder, layer, "Tanh", NULL, y, error);
  return y ? keras_emit2 (builder, layer, "Mul", x, y, error) : NULL;
}

/* x / 2 * (1 + erf (x / sqrt 2)): opset 17 has no Gelu. */
static ForgeValue *
gelu (KerasBuilder *builder, const KerasLayer *layer, ForgeValue *x,
    GError **error)
{
  ForgeValue *y =
      by_scalar (builder, layer, "Mul", x, (float) M_SQRT1_2, error);
  if (y)
    y = keras_emit1 (builder, layer, "Erf", NULL, y, error);
  y = by_scalar (builder, layer, "Add", y, 1, error);
  if (y)
    y = keras_emit2 (builder, layer, "Mul", x, y, error);
  return by_scalar (builder, layer, "Mul", y, 0.5f, error);
}

/* log (sigmoid (x)) = -softplus (-x) */
static ForgeValue *
log_sigmoid (KerasBuilder *builder, const KerasLayer *layer, ForgeValue *x,
    GError **error)
{
  ForgeValue *y = keras_emit1 (builder, layer, "Neg", NULL, x, error);
  if (y)
    y = keras_emit1 (builder, layer, "Softplus", NULL, y, error);
  return y ? keras_emit1 (builder, layer, "Neg", NULL, y, error) : NULL;
}

static ForgeValue *
relu6 (KerasBuilder *builder, const KerasLayer *layer, ForgeValue *x,
    GError **error)
{
  return keras_clamp (builder, layer, x, 0, 6, error);
}

static ForgeValue *
hard_tanh (KerasBuilder *builder, const KerasLayer *layer, ForgeValue *x,
    GError **error)
{
  return keras_clamp (builder, layer, x, -1, 1, error);
}

static ForgeValue *
silu (KerasBuilder *builder, const KerasLayer *layer, ForgeValue *x,
    GError **error)
{
  return gated (builder, layer, "Sigmoid", x, error);
}

/* x - tanh (x) */
static ForgeValue *
tanh_shrink (KerasBuilder *builder, const KerasLayer *layer, ForgeValue *x,
    GError **error)
{
  ForgeValue *y = keras_emit1 (builder, layer, "Tanh", NULL, x, error);
  return y ? keras_emit2 (builder, layer, "Sub", x, y, error) : NULL;
}

/* x without the nearest of -1/2..1/2 */
static ForgeValue *
soft_shrink (KerasBuilder *builder, const KerasLayer *layer, ForgeValue *x,
    GError **error)
{
  ForgeValue *y = keras_clamp (builder, layer, x, -0.5f, 0.5f, error);
  return y ? keras_emit2 (builder, layer, "Sub", x, y, error) : NULL;
}

static const struct {
  const char *keras;
  ForgeValue *(*build) (KerasBuilder *builder, const KerasLayer *layer,
      ForgeValue *value, GError **error);
} composed[] = {
  { "relu6", relu6 },
  { "hard_sigmoid", hard_sigmoid },
  { "hard_tanh", hard_tanh },
  { "silu", silu },
  { "swish", silu },
  { "gelu", gelu },
  { "mish", mish },
  { "log_sigmoid", log_sigmoid },
  { "tanh_shrink", tanh_shrink },
  { "soft_shrink", soft_shrink },
};

ForgeValue *
keras_activation (KerasBuilder *builder, const KerasLayer *layer,
    const char *name, ForgeValue *value, int axis, GError **error)
{
  for (gsize i = 0; i < G_N_ELEMENTS (direct); i++)
    if (g_str_equal (name, direct[i].keras))
      return isnan (direct[i].alpha)
                 ? keras_emit1 (
                       builder, layer, direct[i].onnx, NULL, value, error)
                 : with_alpha (builder, layer, direct[i].onnx, direct[i].alpha,
                       value, error);
  for (gsize i = 0; i < G_N_ELEMENTS (composed); i++)
    if (g_str_equal (name, composed[i].keras))
      return composed[i].build (builder, layer, value, error);
  if (g_str_equal (name, "softmax") || g_str_equal (name, "log_softmax")) {
    ForgeAttrs *attrs = forge_attrs_new ();
    forge_attrs_set_int (attrs, "axis", axis);
    return keras_emit1 (builder, layer,
        g_str_equal (name, "softmax") ? "Softmax" : "LogSoftmax", attrs, value,
        error);
  }
  if (g_str_equal (name, "linear"))
    return value;
  keras_error (builder, layer, error, FORGE_ERROR_UNSUPPORTED,
      "this version has no activation '%s'", name);
  return NULL;
}

static gboolean
is_known (const char *name)
{
  for (gsize i = 0; i < G_N_ELEMENTS (direct); i++)
    if (g_str_equal (name, direct[i].keras))
      return TRUE;
  for (gsize i = 0; i < G_N_ELEMENTS (composed); i++)
    if (g_str_equal (name, composed[i].keras))
      return TRUE;
  return g_str_equal (name, "linear") || g_str_equal (name, "softmax") ||
         g_str_equal (name, "log_softmax");
}

/* A layer as an activation: {"class_name": "ReLU", "config": {...}}. */
static gboolean
is_layer (JsonObject *object, KerasLayer *layer)
{
  layer->class_name = forge_json_string (object, "class_name");
  layer->config = forge_json_object (object, "config");
  return layer->class_name && layer->config &&
         !g_str_equal (layer->class_name, "PReLU") &&
         keras_layer_find (layer->class_name) == keras_build_activation;
}

/* "relu", {"class_name": "function", "config": "relu"} (a registered
 * function), or an object of its own class. */
static const char *
activation_name (JsonObject *config)
{
  const char *name = forge_json_string (config, "activation");
  JsonObject *object = forge_json_object (config, "activation");
  if (!name && object) {
    name = forge_json_string (object, "config");
    if (!name)
      name = forge_json_string (object, "class_name");
  }
  return name ? name : "linear";
}

const char *
keras_activation_unknown (JsonObject *config)
{
  KerasLayer layer;
  const char *name = activation_name (config);
  return is_known (name) ||
                 is_layer (forge_json_object (config, "activation"), &layer)
             ? NULL
             : name;
}

gboolean
keras_activate (KerasBuilder *builder, const KerasLayer *layer,
    KerasTensor *tensor, GError **error)
{
  KerasLayer inner = *layer;
  JsonObject *object = forge_json_object (layer->config, "activation");
  if (is_layer (object, &inner)) {
    KerasTensor in = *tensor;
    return keras_build_activation (builder, &inner, &in, 1, tensor, error);
  }
  const char *name = activation_name (layer->config);
  tensor->value = keras_activation (
      builder, layer, name, tensor->value, keras_axis (tensor, -1), error);
  return tensor->value != NULL;
}

/* --- layers --------------------------------------------------------------- */

/* f (x) = max for x >= max, x above the threshold t, slope * (x - t) below. */
static gboolean
build_relu (KerasBuilder *builder, const KerasLayer *layer, KerasTensor *out,
    GError **error)
{
  JsonObject *config = layer->config;
  float max = (float) forge_json_double (config, "max_value", INFINITY);
  float slope = (float) forge_json_double (config, "negative_slope", 0);
  float threshold = (float) forge_json_double (config, "threshold", 0);
  ForgeValue *x = out->value, *y;
  if (g_str_equal (layer->class_name, "ThresholdedReLU"))
    threshold = (float) forge_json_double (config, "theta", 1);
  if (threshold == 0 && slope != 0 && isinf (max)) {
    out->value = with_alpha (builder, layer, "LeakyRelu", slope, x, error);
    return out->value != NULL;
  }
  if (threshold != 0)
    y = with_alpha (builder, layer, "ThresholdedRelu", threshold, x, error);
  else if (isinf (max))
    y = keras_emit1 (builder, layer, "Relu", NULL, x, error);
  else
    y = x;
  if (y && !isinf (max))
    y = keras_clamp (builder, layer, y, 0, max, error);
  if (y && slope != 0) {
    /* plus slope * min (x - t, 0) */
    ForgeValue *below = by_scalar (builder, layer, "Sub", x, threshold, error);
    below = by_scalar (builder, layer, "Min", below, 0, error);
    below = by_scalar (builder, layer, "Mul", below, slope, error);
    y = below ? keras_emit2 (builder, layer, "Add", y, below, error) : NULL;
  }
  out->value = y;
  return y != NULL;
}

/* alpha has the input's shape without the batch; shared axes are 1. */
static gboolean
build_prelu (KerasBuilder *builder, const KerasLayer *layer, KerasTensor *out,
    GError **error)
{
  if (!keras_to_nhwc (builder, layer, out, error))
    return FALSE;
  const ForgeShape *shape = &out->value->shape;
  JsonArray *shared = forge_json_array (layer->config, "shared_axes");
  KerasWeight alpha = { .variable = "alpha",
    .shape = { .rank = shape->rank - 1 } };
  for (int i = 1; i < shape->rank; i++)
    alpha.shape.dims[i - 1] = shape->dims[i];
  for (guint i = 0; shared && i < json_array_get_length (shared); i++) {
    gint64 axis = forge_json_int_at (shared, i, 0);
    if (axis < 1 || axis >= shape->rank)
      return keras_error (builder, layer, error, FORGE_ERROR_FORMAT,
          "shared_axes[%u] is not an axis of the input", i);
    alpha.shape.dims[axis - 1] = 1;
  }
  ForgeValue *slope = keras_weight (builder, layer, &alpha, error);
  if (!slope)
    return FALSE;
  out->value = keras_emit2 (builder, layer, "PRelu", out->value, slope, error);
  return out->value != NULL;
}

static gboolean
build_softmax (KerasBuilder *builder, const KerasLayer *layer, KerasTensor *out,
    GError **error)
{
  JsonArray *list = forge_json_array (layer->config, "axis");
  guint n_axes = list ? json_array_get_length (list) : 1;
  gint64 axis = list ? forge_json_int_at (list, 0, -1)
                     : forge_json_int (layer->config, "axis", -1);
  int at = n_axes == 1 ? keras_axis (out, axis) : -1;
  if (at < 0)
    return keras_error (builder, layer, error, FORGE_ERROR_UNSUPPORTED,
        "softmax over %u axes, or one the input does not have", n_axes);
  out->value =
      keras_activation (builder, layer, "softmax", out->value, at, error);
  return out->value != NULL;
}

gboolean
keras_build_activation (KerasBuilder *builder, const KerasLayer *layer,
    KerasTensor *inputs, guint n_inputs, KerasTensor *out, GError **error)
{
  const char *name = layer->class_name;
  JsonObject *config = layer->config;
  *out = inputs[0];
  if (g_str_equal (name, "ReLU") || g_str_equal (name, "ThresholdedReLU"))
    return build_relu (builder, layer, out, error);
  if (g_str_equal (name, "PReLU"))
    return build_prelu (builder, layer, out, error);
  if (g_str_equal (name, "Softmax"))
    return build_softmax (builder, layer, out, error);
  if (g_str_equal (name, "Activation"))
    return keras_activate (builder, layer, out, error);
  gboolean is_elu = g_str_equal (name, "ELU");
  double alpha = forge_json_double (config, "alpha", is_elu ? 1 : 0.3);
  /* Keras 2 says alpha, Keras 3 negative_slope; 0.3 either way. */
  if (!is_elu)
    alpha = forge_json_double (config, "negative_slope", alpha);
  out->value = with_alpha (builder, layer, is_elu ? "Elu" : "LeakyRelu",
      (float) alpha, out->value, error);
  return out->value != NULL;
}
