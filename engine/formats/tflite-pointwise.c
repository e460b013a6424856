/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Functions of elements, reductions and normalisations of TensorFlow Lite on
 * float32, and on the integers that ONNX's operators take too.
 * Source: tensorflow/lite/schema/schema.fbs; the kernels' documentation. */
#include <math.h>

#include "formats/tflite.h"

/* (in) -> @type -> value. Takes @attrs. */
static ForgeValue *
emit1 (TfliteBuilder *builder, const TfliteNode *node, const char *type,
    ForgeAttrs *attrs, ForgeValue *in, GError **error)
{
  if (in)
    return tflite_emit (builder, node, type, "", attrs, &in, 1, error);
  forge_attrs_free (attrs);
  return NULL;
}

static ForgeValue *
emit2 (TfliteBuilder *builder, const TfliteNode *node, const char *type,
    ForgeValue *a, ForgeValue *b, GError **error)
{
  ForgeValue *inputs[] = { a, b };
  return a && b ? tflite_emit (builder, node, type, "", NULL, inputs, 2, error)
                : NULL;
}

static ForgeValue *
input (
    TfliteBuilder *builder, const TfliteNode *node, guint index, GError **error)
{
  return tflite_real (builder, node, tflite_in (builder, node, index), error);
}

/* The first two inputs; FALSE with one error. */
static gboolean
read_pair (TfliteBuilder *builder, const TfliteNode *node, ForgeValue *pair[2],
    GError **error)
{
  pair[0] = input (builder, node, 0, error);
  pair[1] = pair[0] ? input (builder, node, 1, error) : NULL;
  return pair[1] != NULL;
}

gboolean
tflite_build_binary (
    TfliteBuilder *builder, const TfliteNode *node, GError **error)
{
  static const struct {
    int code;
    const char *type;
    gboolean activates;
  } rows[] = {
    { TFLITE_ADD, "Add", TRUE },
    { TFLITE_SUB, "Sub", TRUE },
    { TFLITE_MUL, "Mul", TRUE },
    { TFLITE_DIV, "Div", TRUE },
    { TFLITE_POW, "Pow", FALSE },
    { TFLITE_MAXIMUM, "Max", FALSE },
    { TFLITE_MINIMUM, "Min", FALSE },
    { TFLITE_SQUARED_DIFFERENCE, "Sub", FALSE },
  };
  guint row = 0;
  while (row + 1 < G_N_ELEMENTS (rows) && rows[row].code != node->code)
    row++;
  ForgeValue *pair[2];
  if (!read_pair (builder, node, pair, error))
    return FALSE;
  ForgeValue *value =
      emit2 (builder, node, rows[row].type, pair[0], pair[1], error);
  if (node->code == TFLITE_SQUARED_DIFFERENCE)
    value = emit2 (builder, node, "Mul", value, value, error);
  if (rows[row].activates)
    value = tflite_activate (
        builder, node, tflite_u8 (node->options, 0, 0), value, error);
  return tflite_set_real (builder, node, value, error);
}

static gboolean
read_inputs (TfliteBuilder *builder, const TfliteNode *node,
    ForgeValue *inputs[FORGE_MAX_NODE_IO], GError **error)
{
  if (node->inputs.count > FORGE_MAX_NODE_IO)
    return tflite_fail (builder, node, error, FORGE_ERROR_UNSUPPORTED,
        "more than %d inputs", FORGE_MAX_NODE_IO);
  for (uint32_t i = 0; i < node->inputs.count; i++) {
    inputs[i] = input (builder, node, i, error);
    if (!inputs[i])
      return FALSE;
  }
  return TRUE;
}

gboolean
tflite_build_sum (
    TfliteBuilder *builder, const TfliteNode *node, GError **error)
{
  ForgeValue *inputs[FORGE_MAX_NODE_IO];
  return read_inputs (builder, node, inputs, error) &&
         tflite_set_real (builder, node,
             tflite_emit (builder, node, "Sum", "", NULL, inputs,
                 node->inputs.count, error),
             error);
}

gboolean
tflite_build_concat (
    TfliteBuilder *builder, const TfliteNode *node, GError **error)
{
  ForgeValue *inputs[FORGE_MAX_NODE_IO];
  if (!read_inputs (builder, node, inputs, error))
    return FALSE;
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_int (attrs, "axis", tflite_i32 (node->options, 0, 0));
  ForgeValue *value = tflite_emit (
      builder, node, "Concat", "", attrs, inputs, node->inputs.count, error);
  value = tflite_activate (
      builder, node, tflite_u8 (node->options, 1, 0), value, error);
  return tflite_set_real (builder, node, value, error);
}

gboolean
tflite_build_reduce (
    TfliteBuilder *builder, const TfliteNode *node, GError **error)
{
  const char *type = node->code == TFLITE_MEAN          ? "ReduceMean"
                     : node->code == TFLITE_SUM         ? "ReduceSum"
                     : node->code == TFLITE_REDUCE_PROD ? "ReduceProd"
                     : node->code == TFLITE_REDUCE_MAX  ? "ReduceMax"
                                                        : "ReduceMin";
  int64_t axes[FORGE_MAX_DIMS * 2];
  int n_axes;
  ForgeValue *inputs[] = { input (builder, node, 0, error), NULL };
  if (!inputs[0] || !tflite_int_constant (builder, node,
                        tflite_in (builder, node, 1), axes, &n_axes, error))
    return FALSE;
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_int (attrs, "keepdims", tflite_u8 (node->options, 0, 0));
  /* until opset 18 only a sum has its axes as an input */
  gboolean as_input = node->code == TFLITE_SUM;
  if (as_input)
    inputs[1] = tflite_ints (builder, axes, (guint) n_axes);
  else
    forge_attrs_set_ints (attrs, "axes", axes, (gsize) n_axes);
  return tflite_set_real (builder, node,
      tflite_emit (
          builder, node, type, "", attrs, inputs, as_input ? 2 : 1, error),
      error);
}

gboolean
tflite_build_softmax (
    TfliteBuilder *builder, const TfliteNode *node, GError **error)
{
  float beta = tflite_f32 (node->options, 0, 1);
  ForgeValue *in = input (builder, node, 0, error);
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_int (attrs, "axis", -1);
  if (beta != 1)
    in = emit2 (builder, node, "Mul", in, tflite_scalar (builder, beta), error);
  return tflite_set_real (
      builder, node, emit1 (builder, node, "Softmax", attrs, in, error), error);
}

gboolean
tflite_build_log_softmax (
    TfliteBuilder *builder, const TfliteNode *node, GError **error)
{
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_int (attrs, "axis", -1);
  return tflite_set_real (builder, node,
      emit1 (builder, node, "LogSoftmax", attrs,
          input (builder, node, 0, error), error),
      error);
}

gboolean
tflite_build_l2_norm (
    TfliteBuilder *builder, const TfliteNode *node, GError **error)
{
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_int (attrs, "axis", -1);
  forge_attrs_set_int (attrs, "p", 2);
  ForgeValue *value = emit1 (builder, node, "LpNormalization", attrs,
      input (builder, node, 0, error), error);
  value = tflite_activate (
      builder, node, tflite_u8 (node->options, 0, 0), value, error);
  return tflite_set_real (builder, node, value, error);
}

/* The slopes broadcast against the file's NHWC. */
gboolean
tflite_build_prelu (
    TfliteBuilder *builder, const TfliteNode *node, GError **error)
{
  ForgeValue *pair[2];
  return read_pair (builder, node, pair, error) &&
         tflite_set_real (builder, node,
             emit2 (builder, node, "PRelu", pair[0], pair[1], error), error);
}

/* Half of x (1 + f (x)), f the error function or a tanh near it: for files
 * of an opset that has no Gelu. */
static ForgeValue *
emit_gelu (TfliteBuilder *builder, const TfliteNode *node, ForgeValue *x,
    gboolean approximate, GError **error)
{
  const char *type = approximate ? "Tanh" : "Erf";
  ForgeValue *inner = x;
  double factor = M_SQRT1_2;
  if (approximate) {
    factor = M_2_SQRTPI * M_SQRT1_2;
    inner = emit2 (builder, node, "Mul", x, x, error);
    inner = emit2 (builder, node, "Mul", inner, x, error);
    inner = emit2 (
        builder, node, "Mul", inner, tflite_scalar (builder, 0.044715f), error);
    inner = emit2 (builder, node, "Add", inner, x, error);
  }
  inner = emit2 (builder, node, "Mul", inner,
      tflite_scalar (builder, (float) factor), error);
  inner = emit1 (builder, node, type, NULL, inner, error);
  inner =
      emit2 (builder, node, "Add", inner, tflite_scalar (builder, 1), error);
  inner = emit2 (builder, node, "Mul", inner, x, error);
  return emit2 (
      builder, node, "Mul", inner, tflite_scalar (builder, 0.5f), error);
}

static ForgeValue *
emit_unary (TfliteBuilder *builder, const TfliteNode *node, ForgeValue *in,
    GError **error)
{
  static const struct {
    int code;
    const char *type;
  } rows[] = { { TFLITE_LOGISTIC, "Sigmoid" }, { TFLITE_TANH, "Tanh" },
    { TFLITE_LEAKY_RELU, "LeakyRelu" }, { TFLITE_ELU, "Elu" },
    { TFLITE_HARD_SWISH, "HardSwish" }, { TFLITE_GELU, "Gelu" },
    { TFLITE_EXP, "Exp" }, { TFLITE_LOG, "Log" }, { TFLITE_SQRT, "Sqrt" },
    { TFLITE_RSQRT, "Sqrt" }, { TFLITE_NEG, "Neg" }, { TFLITE_ABS, "Abs" },
    { TFLITE_SIN, "Sin" }, { TFLITE_COS, "Cos" }, { TFLITE_FLOOR, "Floor" },
    { TFLITE_CEIL, "Ceil" }, { TFLITE_ROUND, "Round" },
    { TFLITE_SIGN, "Sign" } };
  ForgeAttrs *attrs = NULL;
  guint row = 0;
  gboolean approximate = tflite_u8 (node->options, 0, 0) != 0;
  while (row + 1 < G_N_ELEMENTS (rows) && rows[row].code != node->code)
    row++;
  if (node->code == TFLITE_GELU && builder->portable)
    return emit_gelu (builder, node, in, approximate, error);
  if (node->code == TFLITE_LEAKY_RELU) {
    attrs = forge_attrs_new ();
    forge_attrs_set_float (attrs, "alpha", tflite_f32 (node->options, 0, 0));
  } else if (node->code == TFLITE_GELU) {
    attrs = forge_attrs_new ();
    forge_attrs_set_string (
        attrs, "approximate", approximate ? "tanh" : "none");
  }
  in = emit1 (builder, node, rows[row].type, attrs, in, error);
  return node->code == TFLITE_RSQRT
             ? emit1 (builder, node, "Reciprocal", NULL, in, error)
             : in;
}

gboolean
tflite_build_unary (
    TfliteBuilder *builder, const TfliteNode *node, GError **error)
{
  ForgeValue *in = input (builder, node, 0, error), *value = NULL;
  if (!in)
    return FALSE;
  switch (node->code) {
  case TFLITE_RELU:
    value = tflite_activate (builder, node, TFLITE_ACT_RELU, in, error);
    break;
  case TFLITE_RELU6:
    value = tflite_activate (builder, node, TFLITE_ACT_RELU6, in, error);
    break;
  case TFLITE_RELU_N1_TO_1:
    value = tflite_activate (builder, node, TFLITE_ACT_RELU_N1_TO_1, in, error);
    break;
  case TFLITE_RELU_0_TO_1:
    value = emit2 (builder, node, "Max", in, tflite_scalar (builder, 0), error);
    value =
        emit2 (builder, node, "Min", value, tflite_scalar (builder, 1), error);
    break;
  case TFLITE_SQUARE:
    value = emit2 (builder, node, "Mul", in, in, error);
    break;
  default:
    value = emit_unary (builder, node, in, error);
  }
  return tflite_set_real (builder, node, value, error);
}

/* The whole answer is an index, int32 where the file wants it so. */
gboolean
tflite_build_arg (
    TfliteBuilder *builder, const TfliteNode *node, GError **error)
{
  const TfliteTensor *out = tflite_out (builder, node);
  ForgeValue *in =
      tflite_value (builder, node, tflite_in (builder, node, 0), error);
  int64_t axis[FORGE_MAX_DIMS * 2];
  int n_axes;
  if (!in || !tflite_int_constant (builder, node, tflite_in (builder, node, 1),
                 axis, &n_axes, error))
    return FALSE;
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_int (attrs, "axis", axis[0]);
  forge_attrs_set_int (attrs, "keepdims", 0);
  in = emit1 (builder, node, node->code == TFLITE_ARG_MAX ? "ArgMax" : "ArgMin",
      attrs, in, error);
  if (in && out->dtype == FORGE_INT32) {
    attrs = forge_attrs_new ();
    forge_attrs_set_int (attrs, "to", FORGE_INT32);
    in = emit1 (builder, node, "Cast", attrs, in, error);
  }
  return tflite_set (builder, node, 0, in);
}

/* Of the stored numbers, whatever they stand for. */
gboolean
tflite_build_cast (
    TfliteBuilder *builder, const TfliteNode *node, GError **error)
{
  const TfliteTensor *out = tflite_out (builder, node);
  ForgeValue *in =
      tflite_value (builder, node, tflite_in (builder, node, 0), error);
  if (in && out->dtype == FORGE_DTYPE_UNKNOWN)
    return tflite_fail (builder, node, error, FORGE_ERROR_UNSUPPORTED,
        "to a type that is not supported");
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_int (attrs, "to", out->dtype);
  return tflite_set (
      builder, node, 0, emit1 (builder, node, "Cast", attrs, in, error));
}
