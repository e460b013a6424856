/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Operations between layers: what Keras 3 writes for keras.ops and for `x * y`
 * (class_name "Multiply" of keras.src.ops), and Keras 2 for TensorFlow's
 * functions (class_name "TFOpLambda", function "math.multiply"). Their
 * arguments may be numbers. Source: keras/src/ops/numpy.py, nn.py. */
#include "formats/keras.h"

#define MAX_NUMBERS 65536

typedef enum { BINARY, UNARY, ACTIVATION, REDUCTION, RESHAPE, SAME } Kind;

static const struct {
  const char *keras; /* class of keras.ops; "" = none */
  const char *tf;    /* functions, separated by blanks */
  Kind kind;
  const char *type; /* of ONNX, or an activation */
} operations[] = {
  { "Add", "__operators__.add math.add", BINARY, "Add" },
  { "Subtract", "math.subtract", BINARY, "Sub" },
  { "Multiply", "math.multiply", BINARY, "Mul" },
  { "Divide", "math.divide", BINARY, "Div" },
  { "TrueDivide", "math.truediv", BINARY, "Div" },
  { "Maximum", "math.maximum", BINARY, "Max" },
  { "Minimum", "math.minimum", BINARY, "Min" },
  { "Power", "math.pow", BINARY, "Pow" },
  { "Negative", "math.negative", UNARY, "Neg" },
  { "Sqrt", "math.sqrt", UNARY, "Sqrt" },
  { "Exp", "math.exp", UNARY, "Exp" },
  { "Log", "math.log", UNARY, "Log" },
  { "Absolute", "math.abs", UNARY, "Abs" },
  { "Erf", "math.erf", UNARY, "Erf" },
  { "Relu", "nn.relu", ACTIVATION, "relu" },
  { "Relu6", "nn.relu6", ACTIVATION, "relu6" },
  { "Sigmoid", "math.sigmoid nn.sigmoid", ACTIVATION, "sigmoid" },
  { "Tanh", "math.tanh nn.tanh", ACTIVATION, "tanh" },
  { "Silu", "nn.silu nn.swish", ACTIVATION, "silu" },
  { "Elu", "nn.elu", ACTIVATION, "elu" },
  { "Selu", "nn.selu", ACTIVATION, "selu" },
  { "Softplus", "math.softplus nn.softplus", ACTIVATION, "softplus" },
  { "HardSigmoid", "", ACTIVATION, "hard_sigmoid" },
  { "HardSilu", "", ACTIVATION, "hard_silu" },
  { "Softmax", "nn.softmax", ACTIVATION, "softmax" },
  { "Mean", "math.reduce_mean", REDUCTION, "ReduceMean" },
  { "Max", "math.reduce_max", REDUCTION, "ReduceMax" },
  { "Sum", "math.reduce_sum", REDUCTION, "ReduceSum" },
  { "Reshape", "reshape", RESHAPE, "" },
  { "Identity", "identity", SAME, "" },
  { "StopGradient", "stop_gradient", SAME, "" },
};

static int
find (const KerasLayer *layer)
{
  gboolean is_tf = g_str_equal (layer->class_name, "TFOpLambda");
  const char *function = forge_json_string (layer->config, "function");
  if (is_tf && !function)
    return -1;
  for (gsize i = 0; i < G_N_ELEMENTS (operations); i++) {
    g_auto (GStrv) functions = g_strsplit (operations[i].tf, " ", -1);
    if (is_tf ? g_strv_contains ((const char *const *) functions, function)
              : g_str_equal (operations[i].keras, layer->class_name))
      return (int) i;
  }
  return -1;
}

KerasBuildFunc
keras_operation_find (const KerasLayer *layer)
{
  return find (layer) >= 0 ? keras_build_operation : NULL;
}

/* A parameter of the call, or of the operation's own configuration. */
static JsonNode *
parameter (const KerasLayer *layer, const char *name, guint position)
{
  const KerasArgument *argument = keras_argument (layer, name, position);
  return argument && argument->constant
             ? argument->constant
             : json_object_get_member (layer->config, name);
}

/* A number or a list of them; FALSE when it is neither. */
static gboolean
read_numbers (JsonNode *node, GArray *values)
{
  if (node && JSON_NODE_HOLDS_VALUE (node)) {
    GType type = json_node_get_value_type (node);
    float value = (float) json_node_get_double (node);
    g_array_append_val (values, value);
    return type == G_TYPE_DOUBLE || type == G_TYPE_INT64;
  }
  JsonArray *list =
      node && JSON_NODE_HOLDS_ARRAY (node) ? json_node_get_array (node) : NULL;
  guint n = list ? json_array_get_length (list) : 0;
  gboolean ok = n > 0 && n <= MAX_NUMBERS;
  for (guint i = 0; ok && i < n; i++) {
    JsonNode *element = json_array_get_element (list, i);
    ok = JSON_NODE_HOLDS_VALUE (element) && read_numbers (element, values);
  }
  return ok;
}

/* An operand, a tensor in the user's order or a constant. */
static ForgeValue *
operand (KerasBuilder *builder, const KerasLayer *layer, KerasTensor *inputs,
    const char *const names[2], guint position, GError **error)
{
  const KerasArgument *argument = NULL;
  for (guint i = 0; i < 2 && !argument; i++)
    argument = keras_argument (layer, names[i], position);
  if (argument && argument->n_tensors == 1)
    return keras_to_nhwc (builder, layer, &inputs[argument->first], error)
               ? inputs[argument->first].value
               : NULL;
  g_autoptr (GArray) values = g_array_new (FALSE, FALSE, sizeof (float));
  JsonNode *node = argument ? argument->constant : NULL;
  if (!read_numbers (node, values)) {
    keras_error (builder, layer, error, FORGE_ERROR_UNSUPPORTED,
        "operand %u is neither a tensor nor numbers", position);
    return NULL;
  }
  const float *numbers = (const float *) (void *) values->data;
  return JSON_NODE_HOLDS_VALUE (node)
             ? keras_scalar (builder, numbers[0])
             : keras_floats (builder, numbers, values->len);
}

static ForgeValue *
build_binary (KerasBuilder *builder, const KerasLayer *layer, const char *type,
    KerasTensor *inputs, GError **error)
{
  static const char *const first[] = { "x1", "x" };
  static const char *const second[] = { "x2", "y" };
  ForgeValue *a = operand (builder, layer, inputs, first, 0, error);
  ForgeValue *b = a ? operand (builder, layer, inputs, second, 1, error) : NULL;
  return b ? keras_emit2 (builder, layer, type, a, b, error) : NULL;
}

/* Axes of the user's order, all when none are given. */
static ForgeValue *
build_reduction (KerasBuilder *builder, const KerasLayer *layer,
    const char *type, KerasTensor *x, GError **error)
{
  JsonNode *axis = parameter (layer, "axis", 1);
  JsonNode *keep = parameter (layer, "keepdims", 2);
  g_autoptr (GArray) numbers = g_array_new (FALSE, FALSE, sizeof (float));
  int64_t axes[FORGE_MAX_DIMS];
  guint n = 0;
  if (!read_numbers (axis, numbers) || numbers->len > FORGE_MAX_DIMS) {
    keras_error (builder, layer, error, FORGE_ERROR_UNSUPPORTED,
        "a reduction over all axes, the batch's too");
    return NULL;
  }
  if (!keras_to_nhwc (builder, layer, x, error))
    return NULL;
  for (; n < numbers->len; n++) {
    axes[n] = keras_axis (x, (gint64) g_array_index (numbers, float, n));
    if (axes[n] < 0) {
      keras_error (builder, layer, error, FORGE_ERROR_SHAPE,
          "an axis that its input does not have");
      return NULL;
    }
  }
  gboolean keeps =
      keep && JSON_NODE_HOLDS_VALUE (keep) && json_node_get_boolean (keep);
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_int (attrs, "keepdims", keeps);
  if (g_str_equal (type, "ReduceSum")) /* its axes are an input since 13 */
    return keras_emit (builder, layer, type, attrs,
        (ForgeValue *[]) { x->value, keras_int64s (builder, axes, n) }, 2,
        error);
  forge_attrs_set_ints (attrs, "axes", axes, n);
  return keras_emit1 (builder, layer, type, attrs, x->value, error);
}

/* The batch stays the first extent. */
static ForgeValue *
build_reshape (KerasBuilder *builder, const KerasLayer *layer, KerasTensor *x,
    GError **error)
{
  JsonNode *node = parameter (layer, "newshape", 1);
  if (!node)
    node = parameter (layer, "shape", 1);
  g_autoptr (GArray) numbers = g_array_new (FALSE, FALSE, sizeof (float));
  int64_t dims[FORGE_MAX_DIMS];
  if (!read_numbers (node, numbers) || numbers->len > FORGE_MAX_DIMS ||
      g_array_index (numbers, float, 0) != -1) {
    keras_error (builder, layer, error, FORGE_ERROR_UNSUPPORTED,
        "a shape that does not begin with -1, the batch");
    return NULL;
  }
  dims[0] = 0;
  for (guint i = 1; i < numbers->len; i++) {
    dims[i] = (int64_t) g_array_index (numbers, float, i);
    if (dims[i] < 1) {
      keras_error (builder, layer, error, FORGE_ERROR_UNSUPPORTED,
          "a shape with two unknown extents");
      return NULL;
    }
  }
  if (!keras_to_nhwc (builder, layer, x, error))
    return NULL;
  return keras_reshape (
      builder, layer, x->value, dims, (int) numbers->len, error);
}

static ForgeValue *
build_activation (KerasBuilder *builder, const KerasLayer *layer,
    const char *name, KerasTensor *x, GError **error)
{
  JsonNode *node = parameter (layer, "axis", 1);
  gint64 axis = -1;
  if (node && JSON_NODE_HOLDS_VALUE (node) &&
      json_node_get_value_type (node) == G_TYPE_INT64)
    axis = json_node_get_int (node);
  int at = keras_axis (x, axis);
  if (at >= 0)
    return keras_activation (builder, layer, name, x->value, at, error);
  keras_error (builder, layer, error, FORGE_ERROR_SHAPE,
      "an axis that its input does not have");
  return NULL;
}

gboolean
keras_build_operation (KerasBuilder *builder, const KerasLayer *layer,
    KerasTensor *inputs, guint n_inputs, KerasTensor *out, GError **error)
{
  int at = find (layer);
  const char *type = operations[at].type;
  KerasTensor x = inputs[0];
  switch (operations[at].kind) {
  case BINARY:
    *out = (KerasTensor) { .value = build_binary (
                               builder, layer, type, inputs, error) };
    break;
  case UNARY:
    *out = x;
    out->value = keras_emit1 (builder, layer, type, NULL, x.value, error);
    break;
  case ACTIVATION:
    *out = x;
    out->value = build_activation (builder, layer, type, &x, error);
    break;
  case REDUCTION:
    *out = (KerasTensor) { .value = build_reduction (
                               builder, layer, type, &x, error) };
    break;
  case RESHAPE:
    *out = (KerasTensor) { .value = build_reshape (builder, layer, &x, error) };
    break;
  case SAME:
    *out = x;
    break;
  }
  return out->value != NULL;
}
