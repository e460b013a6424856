/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Operators of TensorFlow Lite on float32, as ONNX operators. Weights are
 * OHWI there, OIHW here; those stored as float16 or as bytes are widened.
 * Source: tensorflow/lite/schema/schema.fbs; the kernels' documentation. */
#include <math.h>

#include "formats/tflite.h"

/* The activation that an operator's options carry. */
static ForgeValue *
activate (TfliteBuilder *builder, const TfliteNode *node, int activation,
    ForgeValue *value, GError **error)
{
  if (!value || activation == TFLITE_ACT_NONE)
    return value;
  if (activation == TFLITE_ACT_RELU)
    return tflite_emit (builder, node, "Relu", "", NULL, &value, 1, error);
  if (activation != TFLITE_ACT_RELU6 && activation != TFLITE_ACT_RELU_N1_TO_1) {
    tflite_fail (builder, node, error, FORGE_ERROR_UNSUPPORTED,
        "fused activation %d", activation);
    return NULL;
  }
  gboolean six = activation == TFLITE_ACT_RELU6;
  ForgeValue *inputs[] = { value, tflite_scalar (builder, six ? 0 : -1),
    tflite_scalar (builder, six ? 6 : 1) };
  return tflite_emit (builder, node, "Clip", "", NULL, inputs, 3, error);
}

/* @value is NCHW: the output's second form. */
static gboolean
set_nchw (TfliteBuilder *builder, const TfliteNode *node, ForgeValue *value,
    GError **error)
{
  static const int64_t perm[] = { 0, 2, 3, 1 };
  TfliteTensor *out = tflite_out (builder, node);
  if (!value)
    return FALSE;
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_ints (attrs, "perm", perm, 4);
  out->nchw = value;
  out->value =
      tflite_emit (builder, node, "Transpose", "", attrs, &value, 1, error);
  return out->value != NULL;
}

static gboolean
build_conv (TfliteBuilder *builder, const TfliteNode *node, GError **error)
{
  static const int ohwi_to_oihw[] = { 0, 3, 1, 2 };
  static const int ihwo_to_oihw[] = { 3, 0, 1, 2 };
  gboolean depthwise = node->code == TFLITE_DEPTHWISE_CONV_2D;
  TfliteTensor *filter = tflite_in (builder, node, 1);
  TfliteTensor *bias = tflite_in (builder, node, 2);
  ForgeValue *in =
      tflite_nchw (builder, node, tflite_in (builder, node, 0), error);
  if (!in)
    return FALSE;
  if (!filter || filter->shape.rank != 4)
    return tflite_fail (builder, node, error, FORGE_ERROR_SHAPE,
        "expected weights of 4 dimensions");
  g_autoptr (ForgeTensor) stored =
      tflite_float_constant (builder, node, filter, error);
  g_autoptr (ForgeTensor) weights =
      stored ? tflite_permute (
                   stored, depthwise ? ihwo_to_oihw : ohwi_to_oihw, error)
             : NULL;
  ForgeValue *bias_value = NULL;
  if (!weights)
    return FALSE;
  if (bias) {
    g_autoptr (ForgeTensor) made =
        tflite_float_constant (builder, node, bias, error);
    if (!made)
      return FALSE;
    bias_value = tflite_add_constant (builder, made);
  }
  ForgeAttrs *attrs = tflite_window (
      node, depthwise, FALSE, weights->shape.dims[2], weights->shape.dims[3]);
  int64_t in_channels = in->shape.dims[1], group_c = weights->shape.dims[1];
  forge_attrs_set_int (attrs, "group",
      depthwise     ? in_channels
      : group_c > 0 ? in_channels / group_c
                    : 1);
  ForgeValue *inputs[] = { in, tflite_add_constant (builder, weights),
    bias_value };
  ForgeValue *value = tflite_emit (
      builder, node, "Conv", "", attrs, inputs, bias ? 3 : 2, error);
  value = activate (builder, node,
      tflite_u8 (node->options, depthwise ? 4 : 3, 0), value, error);
  return set_nchw (builder, node, value, error);
}

static gboolean
build_pool (TfliteBuilder *builder, const TfliteNode *node, GError **error)
{
  ForgeValue *in =
      tflite_nchw (builder, node, tflite_in (builder, node, 0), error);
  if (!in)
    return FALSE;
  ForgeAttrs *attrs = tflite_window (node, FALSE, TRUE,
      tflite_i32 (node->options, 4, 0), tflite_i32 (node->options, 3, 0));
  ForgeValue *value = tflite_emit (builder, node,
      node->code == TFLITE_MAX_POOL_2D ? "MaxPool" : "AveragePool", "", attrs,
      &in, 1, error);
  value =
      activate (builder, node, tflite_u8 (node->options, 5, 0), value, error);
  return set_nchw (builder, node, value, error);
}

/* Anything before the last K elements is batch. */
static ForgeValue *
flatten (TfliteBuilder *builder, const TfliteNode *node, ForgeValue *value,
    int64_t depth, GError **error)
{
  const int64_t target[] = { -1, depth };
  if (value->shape.rank == 2)
    return value;
  ForgeValue *inputs[] = { value, tflite_ints (builder, target, 2) };
  return tflite_emit (builder, node, "Reshape", "", NULL, inputs, 2, error);
}

static ForgeValue *
build_dense (TfliteBuilder *builder, const TfliteNode *node, ForgeValue *in,
    GError **error)
{
  TfliteTensor *filter = tflite_in (builder, node, 1);
  TfliteTensor *bias = tflite_in (builder, node, 2);
  if (!filter || filter->shape.rank != 2 ||
      tflite_u8 (node->options, 1, 0) != 0 ||
      tflite_u8 (node->options, 2, 0) != 0) {
    tflite_fail (builder, node, error, FORGE_ERROR_UNSUPPORTED,
        "expected weights of 2 dimensions in the default order, and "
        "keep_num_dims off");
    return NULL;
  }
  g_autoptr (ForgeTensor) weights =
      tflite_float_constant (builder, node, filter, error);
  g_autoptr (ForgeTensor) biases =
      weights && bias ? tflite_float_constant (builder, node, bias, error)
                      : NULL;
  ForgeValue *flat =
      weights ? flatten (builder, node, in, weights->shape.dims[1], error)
              : NULL;
  if (!flat || (bias && !biases))
    return NULL;
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_int (attrs, "transB", 1);
  ForgeValue *inputs[] = { flat, tflite_add_constant (builder, weights),
    biases ? tflite_add_constant (builder, biases) : NULL };
  ForgeValue *value = tflite_emit (
      builder, node, "Gemm", "", attrs, inputs, biases ? 3 : 2, error);
  return activate (
      builder, node, tflite_u8 (node->options, 0, 0), value, error);
}

static ForgeValue *
build_softmax (TfliteBuilder *builder, const TfliteNode *node, ForgeValue *in,
    GError **error)
{
  float beta = tflite_f32 (node->options, 0, 1);
  ForgeAttrs *attrs = forge_attrs_new ();
  if (beta != 1) {
    ForgeValue *inputs[] = { in, tflite_scalar (builder, beta) };
    in = tflite_emit (builder, node, "Mul", "", NULL, inputs, 2, error);
  }
  forge_attrs_set_int (attrs, "axis", -1);
  if (in)
    return tflite_emit (builder, node, "Softmax", "", attrs, &in, 1, error);
  forge_attrs_free (attrs);
  return NULL;
}

static ForgeValue *
build_mean (TfliteBuilder *builder, const TfliteNode *node, ForgeValue *in,
    GError **error)
{
  int64_t axes[FORGE_MAX_DIMS * 2];
  int n_axes;
  if (!tflite_int_constant (
          builder, node, tflite_in (builder, node, 1), axes, &n_axes, error))
    return NULL;
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_ints (attrs, "axes", axes, (gsize) n_axes);
  forge_attrs_set_int (attrs, "keepdims", tflite_u8 (node->options, 0, 0));
  return tflite_emit (builder, node, "ReduceMean", "", attrs, &in, 1, error);
}

static ForgeValue *
build_binary (TfliteBuilder *builder, const TfliteNode *node, ForgeValue *in,
    GError **error)
{
  ForgeValue *inputs[] = { in,
    tflite_value (builder, node, tflite_in (builder, node, 1), error) };
  const char *type = node->code == TFLITE_ADD   ? "Add"
                     : node->code == TFLITE_SUB ? "Sub"
                                                : "Mul";
  ForgeValue *value =
      inputs[1] ? tflite_emit (builder, node, type, "", NULL, inputs, 2, error)
                : NULL;
  return activate (
      builder, node, tflite_u8 (node->options, 0, 0), value, error);
}

static ForgeValue *
build_concat (TfliteBuilder *builder, const TfliteNode *node, GError **error)
{
  ForgeValue *inputs[FORGE_MAX_NODE_IO];
  if (node->inputs.count > FORGE_MAX_NODE_IO) {
    tflite_fail (builder, node, error, FORGE_ERROR_UNSUPPORTED,
        "more than %d inputs", FORGE_MAX_NODE_IO);
    return NULL;
  }
  for (uint32_t i = 0; i < node->inputs.count; i++) {
    inputs[i] =
        tflite_value (builder, node, tflite_in (builder, node, i), error);
    if (!inputs[i])
      return NULL;
  }
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_int (attrs, "axis", tflite_i32 (node->options, 0, 0));
  ForgeValue *value = tflite_emit (
      builder, node, "Concat", "", attrs, inputs, node->inputs.count, error);
  return activate (
      builder, node, tflite_u8 (node->options, 1, 0), value, error);
}

static ForgeValue *
build_unary (TfliteBuilder *builder, const TfliteNode *node, ForgeValue *in,
    GError **error)
{
  ForgeAttrs *attrs = NULL;
  const char *type = "LeakyRelu";
  switch (node->code) {
  case TFLITE_RELU:
    return activate (builder, node, TFLITE_ACT_RELU, in, error);
  case TFLITE_RELU6:
    return activate (builder, node, TFLITE_ACT_RELU6, in, error);
  case TFLITE_RELU_N1_TO_1:
    return activate (builder, node, TFLITE_ACT_RELU_N1_TO_1, in, error);
  case TFLITE_LOGISTIC:
    type = "Sigmoid";
    break;
  case TFLITE_TANH:
    type = "Tanh";
    break;
  case TFLITE_HARD_SWISH:
    type = "HardSwish";
    break;
  case TFLITE_LEAKY_RELU:
    attrs = forge_attrs_new ();
    forge_attrs_set_float (attrs, "alpha", tflite_f32 (node->options, 0, 0));
    break;
  default:
    tflite_fail (builder, node, error, FORGE_ERROR_UNSUPPORTED,
        "not on tensors of type %s",
        forge_dtype_name (tflite_out (builder, node)->dtype));
    return NULL;
  }
  return tflite_emit (builder, node, type, "", attrs, &in, 1, error);
}

gboolean
tflite_build_float (
    TfliteBuilder *builder, const TfliteNode *node, GError **error)
{
  TfliteTensor *out = tflite_out (builder, node);
  if (node->code == TFLITE_CONV_2D || node->code == TFLITE_DEPTHWISE_CONV_2D)
    return build_conv (builder, node, error);
  if (node->code == TFLITE_AVERAGE_POOL_2D || node->code == TFLITE_MAX_POOL_2D)
    return build_pool (builder, node, error);
  ForgeValue *in =
      tflite_value (builder, node, tflite_in (builder, node, 0), error);
  if (!in)
    return FALSE;
  switch (node->code) {
  case TFLITE_FULLY_CONNECTED:
    out->value = build_dense (builder, node, in, error);
    break;
  case TFLITE_SOFTMAX:
    out->value = build_softmax (builder, node, in, error);
    break;
  case TFLITE_MEAN:
    out->value = build_mean (builder, node, in, error);
    break;
  case TFLITE_ADD:
  case TFLITE_SUB:
  case TFLITE_MUL:
    out->value = build_binary (builder, node, in, error);
    break;
  case TFLITE_CONCATENATION:
    out->value = build_concat (builder, node, error);
    break;
  default:
    out->value = build_unary (builder, node, in, error);
  }
  return out->value != NULL;
}
