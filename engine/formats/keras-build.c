/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The tools of the layer builders: nodes with shapes inferred on the spot,
 * constants, layouts and activations. */
#include "formats/keras.h"

#include <math.h>
#include <string.h>

gboolean
keras_error (const KerasBuilder *builder, const KerasLayer *layer,
    GError **error, int code, const char *format, ...)
{
  va_list args;
  va_start (args, format);
  g_autofree char *text = g_strdup_vprintf (format, args);
  va_end (args);
  g_set_error (error, FORGE_ERROR, code, "%s: layer '%s' (%s): %s",
      builder->name, layer->name, layer->class_name, text);
  return FALSE;
}

ForgeValue *
keras_emit (KerasBuilder *builder, const KerasLayer *layer, const char *type,
    ForgeAttrs *attrs, ForgeValue *const *inputs, guint n_inputs,
    GError **error)
{
  const ForgeOp *op = forge_op_find (type, "");
  for (guint i = 0; i < n_inputs; i++)
    if (inputs[i] == NULL)
      op = NULL;
  if (!op) {
    g_clear_pointer (&attrs, forge_attrs_free);
    keras_error (builder, layer, error, FORGE_ERROR_UNSUPPORTED,
        "needs the operator %s, which this version does not have", type);
    return NULL;
  }
  ForgeGraph *graph = builder->graph;
  g_autofree char *name =
      g_strdup_printf ("%s/%s.%u", layer->name, type, graph->nodes->len);
  ForgeValue *out = forge_graph_value (graph, name);
  ForgeNode *node =
      forge_graph_add_node (graph, op, name, attrs, inputs, n_inputs, &out, 1);
  if (!op->infer (node, error)) {
    g_prefix_error (error, "%s: ", builder->name);
    return NULL;
  }
  return out;
}

ForgeValue *
keras_emit1 (KerasBuilder *builder, const KerasLayer *layer, const char *type,
    ForgeAttrs *attrs, ForgeValue *input, GError **error)
{
  return keras_emit (builder, layer, type, attrs, &input, 1, error);
}

ForgeValue *
keras_emit2 (KerasBuilder *builder, const KerasLayer *layer, const char *type,
    ForgeValue *a, ForgeValue *b, GError **error)
{
  ForgeValue *inputs[] = { a, b };
  return keras_emit (builder, layer, type, NULL, inputs, 2, error);
}

ForgeValue *
keras_constant (KerasBuilder *builder, ForgeTensor *tensor)
{
  return forge_graph_add_constant (builder->graph, NULL, tensor);
}

ForgeValue *
keras_scalar (KerasBuilder *builder, float value)
{
  ForgeShape shape = forge_shape (0);
  g_autoptr (ForgeTensor) tensor =
      forge_tensor_new (FORGE_FLOAT32, &shape, NULL);
  if (!tensor)
    return NULL;
  *(float *) tensor->data = value;
  return keras_constant (builder, tensor);
}

ForgeValue *
keras_int64s (KerasBuilder *builder, const int64_t *values, guint n_values)
{
  ForgeShape shape = forge_shape (1, (int) n_values);
  g_autoptr (ForgeTensor) tensor = forge_tensor_new (FORGE_INT64, &shape, NULL);
  if (!tensor)
    return NULL;
  memcpy (tensor->data, values, n_values * sizeof *values);
  return keras_constant (builder, tensor);
}

static gboolean
transpose (KerasBuilder *builder, const KerasLayer *layer, KerasTensor *tensor,
    gboolean nchw, GError **error)
{
  static const int64_t to_nchw[] = { 0, 3, 1, 2 };
  static const int64_t to_nhwc[] = { 0, 2, 3, 1 };
  if (tensor->nchw == nchw || tensor->value->shape.rank != 4)
    return TRUE;
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_ints (attrs, "perm", nchw ? to_nchw : to_nhwc, 4);
  ForgeValue *value =
      keras_emit1 (builder, layer, "Transpose", attrs, tensor->value, error);
  if (!value)
    return FALSE;
  *tensor = (KerasTensor) { .value = value, .nchw = nchw };
  return TRUE;
}

gboolean
keras_to_nchw (KerasBuilder *builder, const KerasLayer *layer,
    KerasTensor *tensor, GError **error)
{
  return transpose (builder, layer, tensor, TRUE, error);
}

gboolean
keras_to_nhwc (KerasBuilder *builder, const KerasLayer *layer,
    KerasTensor *tensor, GError **error)
{
  return transpose (builder, layer, tensor, FALSE, error);
}

const char *
keras_activation_name (JsonObject *config, const char *key)
{
  const char *name = forge_json_string (config, key);
  JsonObject *object = forge_json_object (config, key);
  if (!name && object) {
    /* A registered function: {"class_name": "function", "config": "relu"} */
    name = forge_json_string (object, "config");
    if (!name)
      name = forge_json_string (object, "class_name");
  }
  return name ? name : "linear";
}

static ForgeValue *
hard_sigmoid (KerasBuilder *builder, const KerasLayer *layer, ForgeValue *x,
    GError **error)
{
  /* Keras 2: clip (0.2 x + 0.5); Keras 3: relu6 (x + 3) / 6. */
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_float (
      attrs, "alpha", builder->keras2 ? 0.2f : (float) (1.0 / 6));
  forge_attrs_set_float (attrs, "beta", 0.5f);
  return keras_emit1 (builder, layer, "HardSigmoid", attrs, x, error);
}

static ForgeValue *
softmax (KerasBuilder *builder, const KerasLayer *layer,
    const KerasTensor *tensor, GError **error)
{
  ForgeAttrs *attrs = forge_attrs_new ();
  gboolean channels_second = tensor->nchw && tensor->value->shape.rank == 4;
  forge_attrs_set_int (attrs, "axis", channels_second ? 1 : -1);
  return keras_emit1 (builder, layer, "Softmax", attrs, tensor->value, error);
}

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
  { "selu", "Selu", NAN },
  { "gelu", "Gelu", NAN },
  { "mish", "Mish", NAN },
  { "softplus", "Softplus", NAN },
  { "exponential", "Exp", NAN },
  { "leaky_relu", "LeakyRelu", 0.2f },
};

static ForgeValue *
clamp (KerasBuilder *builder, const KerasLayer *layer, ForgeValue *x, float min,
    float max, GError **error)
{
  ForgeValue *inputs[] = { x, keras_scalar (builder, min),
    keras_scalar (builder, max) };
  return keras_emit (builder, layer, "Clip", NULL, inputs, 3, error);
}

static ForgeValue *
activate (KerasBuilder *builder, const KerasLayer *layer, const char *name,
    const KerasTensor *tensor, GError **error)
{
  ForgeValue *x = tensor->value;
  for (gsize i = 0; i < G_N_ELEMENTS (direct); i++) {
    if (!g_str_equal (name, direct[i].keras))
      continue;
    ForgeAttrs *attrs = forge_attrs_new ();
    if (!isnan (direct[i].alpha))
      forge_attrs_set_float (attrs, "alpha", direct[i].alpha);
    return keras_emit1 (builder, layer, direct[i].onnx, attrs, x, error);
  }
  if (g_str_equal (name, "softmax"))
    return softmax (builder, layer, tensor, error);
  if (g_str_equal (name, "relu6"))
    return clamp (builder, layer, x, 0, 6, error);
  if (g_str_equal (name, "hard_sigmoid"))
    return hard_sigmoid (builder, layer, x, error);
  if (g_str_equal (name, "silu") || g_str_equal (name, "swish")) {
    ForgeValue *gate = keras_emit1 (builder, layer, "Sigmoid", NULL, x, error);
    return gate ? keras_emit2 (builder, layer, "Mul", x, gate, error) : NULL;
  }
  keras_error (builder, layer, error, FORGE_ERROR_UNSUPPORTED,
      "activation '%s' is not implemented", name);
  return NULL;
}

gboolean
keras_activate (KerasBuilder *builder, const KerasLayer *layer,
    const char *activation, KerasTensor *tensor, GError **error)
{
  if (g_str_equal (activation, "linear"))
    return TRUE;
  tensor->value = activate (builder, layer, activation, tensor, error);
  return tensor->value != NULL;
}

gboolean
keras_pair (
    JsonObject *config, const char *key, gint64 fallback, int64_t pair[2])
{
  JsonArray *array = forge_json_array (config, key);
  for (guint i = 0; i < 2; i++) {
    pair[i] = array ? forge_json_int_at (array, i, -1)
                    : forge_json_int (config, key, fallback);
    if (pair[i] < 1 || pair[i] > 32768)
      return FALSE;
  }
  return !array || json_array_get_length (array) == 2;
}
