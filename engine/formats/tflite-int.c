/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Operators of TensorFlow Lite on bytes, as operators of domain forge that
 * compute what the reference kernels do. The real factors become fixed point
 * here, in the precision in which the runtime computes them: legacy per-tensor
 * products of scales in float, per-channel ones in double.
 * Source: tensorflow/lite/kernels/kernel_util.cc, add.cc, mul.cc, reduce.cc. */
#include <math.h>

#include "formats/tflite.h"
#include "ops/tflite-math.h"

/* Functions of one byte, as a table. */
typedef double (*Function) (double x, double alpha);

static gboolean
need_scale (const TfliteBuilder *builder, const TfliteNode *node,
    const TfliteTensor *tensor, GError **error)
{
  float scale = tensor ? tflite_scale (tensor) : 0;
  if (scale > 0 && isfinite (scale))
    return TRUE;
  return tflite_fail (builder, node, error, FORGE_ERROR_FORMAT,
      "tensor '%s' has no scale above 0",
      tensor && tensor->name ? tensor->name : "");
}

/* x / scale + zero, halves away from zero, within the type. */
static int32_t
quantise (const TfliteTensor *tensor, double x)
{
  int32_t low, high;
  forge_quant_range (tensor->dtype, &low, &high);
  double q = round (x / tflite_scale (tensor)) + tflite_zero (tensor);
  return q > low ? (q < high ? (int32_t) q : high) : low;
}

/* Sets y_zero, min and max from the output and the fused activation. */
static gboolean
set_output (const TfliteBuilder *builder, const TfliteNode *node,
    int activation, ForgeAttrs *attrs, GError **error)
{
  const TfliteTensor *out = tflite_out (builder, node);
  int32_t min, max;
  if (activation > TFLITE_ACT_RELU6)
    return tflite_fail (builder, node, error, FORGE_ERROR_UNSUPPORTED,
        "fused activation %d", activation);
  forge_quant_range (out->dtype, &min, &max);
  if (activation == TFLITE_ACT_RELU || activation == TFLITE_ACT_RELU6)
    min = quantise (out, 0);
  if (activation == TFLITE_ACT_RELU6)
    max = quantise (out, 6);
  if (activation == TFLITE_ACT_RELU_N1_TO_1) {
    min = quantise (out, -1);
    max = quantise (out, 1);
  }
  forge_attrs_set_int (attrs, "y_zero", tflite_zero (out));
  forge_attrs_set_int (attrs, "min", min);
  forge_attrs_set_int (attrs, "max", max);
  return TRUE;
}

/* Multipliers and shifts of @n channels as two constants. */
static gboolean
add_factors (TfliteBuilder *builder, const TfliteNode *node, int64_t n,
    ForgeValue **multipliers, ForgeValue **shifts, GError **error)
{
  const TfliteTensor *in = tflite_in (builder, node, 0);
  const TfliteTensor *filter = tflite_in (builder, node, 1);
  const TfliteTensor *out = tflite_out (builder, node);
  gboolean each = filter->scales.count > 1;
  ForgeShape shape = { 1, { n } };
  if (each && filter->scales.count != n)
    return tflite_fail (builder, node, error, FORGE_ERROR_FORMAT,
        "%u scales for %" G_GINT64_FORMAT " channels", filter->scales.count, n);
  g_autoptr (ForgeTensor) m = forge_tensor_new (FORGE_INT32, &shape, error);
  g_autoptr (ForgeTensor) s =
      m ? forge_tensor_new (FORGE_INT32, &shape, error) : NULL;
  if (!s)
    return FALSE;
  float in_scale = tflite_scale (in), out_scale = tflite_scale (out);
  for (int64_t o = 0; o < n; o++) {
    float scale = tflite_vector_f32 (filter->scales, each ? (uint32_t) o : 0);
    double product = (double) in_scale * scale;
    /* per channel in double, legacy and fully connected in float */
    if (in->dtype == FORGE_UINT8 || node->code == TFLITE_FULLY_CONNECTED)
      product = each ? product : (double) (in_scale * scale);
    ForgeTfliteFactor factor = forge_tflite_factor (product / out_scale);
    ((int32_t *) m->data)[o] = factor.multiplier;
    ((int32_t *) s->data)[o] = factor.shift;
  }
  *multipliers = tflite_add_constant (builder, m);
  *shifts = tflite_add_constant (builder, s);
  return TRUE;
}

/* The constants of a convolution: weights, biases, factors. */
static gboolean
conv_inputs (TfliteBuilder *builder, const TfliteNode *node,
    ForgeTensor *weights, int64_t n_out, ForgeValue *inputs[5], GError **error)
{
  TfliteTensor *bias = tflite_in (builder, node, 2);
  inputs[1] = tflite_add_constant (builder, weights);
  inputs[2] = NULL;
  if (bias) {
    g_autoptr (ForgeTensor) made = tflite_constant (builder, node, bias, error);
    if (!made)
      return FALSE;
    inputs[2] = tflite_add_constant (builder, made);
  }
  return add_factors (builder, node, n_out, &inputs[3], &inputs[4], error);
}

static ForgeTensor *
read_weights (
    TfliteBuilder *builder, const TfliteNode *node, int rank, GError **error)
{
  const TfliteTensor *filter = tflite_in (builder, node, 1);
  if (!need_scale (builder, node, tflite_in (builder, node, 0), error) ||
      !need_scale (builder, node, filter, error) ||
      !need_scale (builder, node, tflite_out (builder, node), error))
    return NULL;
  if (filter->shape.rank != rank ||
      filter->dtype != tflite_in (builder, node, 0)->dtype ||
      filter->dtype != tflite_out (builder, node)->dtype) {
    tflite_fail (builder, node, error, FORGE_ERROR_UNSUPPORTED,
        "expected weights of %d dimensions and input, weights and output of "
        "one type",
        rank);
    return NULL;
  }
  return tflite_constant (builder, node, filter, error);
}

/* Takes @attrs. */
static ForgeValue *
emit_conv (TfliteBuilder *builder, const TfliteNode *node, int activation,
    ForgeAttrs *attrs, ForgeValue *const inputs[5], GError **error)
{
  const TfliteTensor *filter = tflite_in (builder, node, 1);
  forge_attrs_set_int (
      attrs, "x_zero", tflite_zero (tflite_in (builder, node, 0)));
  forge_attrs_set_int (attrs, "w_zero", tflite_zero (filter));
  if (set_output (builder, node, activation, attrs, error))
    return tflite_emit (
        builder, node, "TfliteConv", "forge", attrs, inputs, 5, error);
  forge_attrs_free (attrs);
  return NULL;
}

static ForgeValue *
build_conv (TfliteBuilder *builder, const TfliteNode *node, ForgeValue *in,
    GError **error)
{
  gboolean depthwise = node->code == TFLITE_DEPTHWISE_CONV_2D;
  g_autoptr (ForgeTensor) weights = read_weights (builder, node, 4, error);
  ForgeValue *inputs[5] = { in };
  if (!weights || !conv_inputs (builder, node, weights,
                      weights->shape.dims[depthwise ? 3 : 0], inputs, error))
    return NULL;
  ForgeAttrs *attrs = tflite_window (
      node, depthwise, FALSE, weights->shape.dims[1], weights->shape.dims[2]);
  forge_attrs_set_int (attrs, "depthwise", depthwise);
  return emit_conv (builder, node,
      tflite_u8 (node->options, depthwise ? 4 : 3, 0), attrs, inputs, error);
}

/* A convolution of 1 x 1 over pictures of one pixel. */
static ForgeValue *
build_dense (TfliteBuilder *builder, const TfliteNode *node, ForgeValue *in,
    GError **error)
{
  g_autoptr (ForgeTensor) weights = read_weights (builder, node, 2, error);
  ForgeValue *inputs[5];
  if (!weights)
    return NULL;
  if (tflite_u8 (node->options, 1, 0) || tflite_u8 (node->options, 2, 0)) {
    tflite_fail (builder, node, error, FORGE_ERROR_UNSUPPORTED,
        "weights in another order, or keep_num_dims");
    return NULL;
  }
  int64_t n_out = weights->shape.dims[0], depth = weights->shape.dims[1];
  const int64_t pixels[] = { -1, 1, 1, depth }, rows[] = { -1, n_out };
  weights->shape = (ForgeShape) { 4, { n_out, 1, 1, depth } };
  ForgeValue *view[] = { in, tflite_ints (builder, pixels, 4) };
  inputs[0] = tflite_emit (builder, node, "Reshape", "", NULL, view, 2, error);
  if (!inputs[0] || !conv_inputs (builder, node, weights, n_out, inputs, error))
    return NULL;
  ForgeValue *flat[] = { emit_conv (builder, node,
                             tflite_u8 (node->options, 0, 0),
                             forge_attrs_new (), inputs, error),
    tflite_ints (builder, rows, 2) };
  return flat[0]
             ? tflite_emit (builder, node, "Reshape", "", NULL, flat, 2, error)
             : NULL;
}

static ForgeValue *
build_binary (TfliteBuilder *builder, const TfliteNode *node, ForgeValue *in,
    GError **error)
{
  TfliteTensor *a = tflite_in (builder, node, 0);
  TfliteTensor *b = tflite_in (builder, node, 1);
  TfliteTensor *out = tflite_out (builder, node);
  ForgeValue *inputs[] = { in, tflite_value (builder, node, b, error) };
  if (!inputs[1] || !need_scale (builder, node, a, error) ||
      !need_scale (builder, node, b, error) ||
      !need_scale (builder, node, out, error))
    return NULL;
  gboolean multiply = node->code == TFLITE_MUL;
  float a_scale = tflite_scale (a), b_scale = tflite_scale (b);
  double twice = 2 * (double) MAX (a_scale, b_scale);
  double real = twice / ((1 << 20) * (double) tflite_scale (out));
  if (multiply)
    real = (double) (a_scale * b_scale / tflite_scale (out));
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_int (attrs, "a_zero", tflite_zero (a));
  forge_attrs_set_int (attrs, "b_zero", tflite_zero (b));
  forge_tflite_set_attr (
      attrs, "a_factor", forge_tflite_factor (a_scale / twice));
  forge_tflite_set_attr (
      attrs, "b_factor", forge_tflite_factor (b_scale / twice));
  forge_tflite_set_attr (attrs, "y_factor", forge_tflite_factor (real));
  if (set_output (builder, node, tflite_u8 (node->options, 0, 0), attrs, error))
    return tflite_emit (builder, node,
        multiply                   ? "TfliteMul"
        : node->code == TFLITE_ADD ? "TfliteAdd"
                                   : "TfliteSub",
        "forge", attrs, inputs, 2, error);
  forge_attrs_free (attrs);
  return NULL;
}

static ForgeValue *
build_pool (TfliteBuilder *builder, const TfliteNode *node, ForgeValue *in,
    GError **error)
{
  if (!need_scale (builder, node, tflite_out (builder, node), error))
    return NULL;
  ForgeAttrs *attrs = tflite_window (node, FALSE, TRUE,
      tflite_i32 (node->options, 4, 0), tflite_i32 (node->options, 3, 0));
  if (set_output (builder, node, tflite_u8 (node->options, 5, 0), attrs, error))
    return tflite_emit (builder, node,
        node->code == TFLITE_MAX_POOL_2D ? "TfliteMaxPool"
                                         : "TfliteAveragePool",
        "forge", attrs, &in, 1, error);
  forge_attrs_free (attrs);
  return NULL;
}

static ForgeValue *
build_mean (TfliteBuilder *builder, const TfliteNode *node, ForgeValue *in,
    GError **error)
{
  const TfliteTensor *x = tflite_in (builder, node, 0);
  const TfliteTensor *y = tflite_out (builder, node);
  int64_t axes[FORGE_MAX_DIMS * 2];
  int n_axes;
  if (!need_scale (builder, node, x, error) ||
      !need_scale (builder, node, y, error) ||
      !tflite_int_constant (
          builder, node, tflite_in (builder, node, 1), axes, &n_axes, error))
    return NULL;
  if (in->shape.rank != 4 || n_axes != 2 ||
      !((axes[0] == 1 && axes[1] == 2) || (axes[0] == 2 && axes[1] == 1))) {
    tflite_fail (builder, node, error, FORGE_ERROR_UNSUPPORTED,
        "on bytes only the mean over height and width is supported");
    return NULL;
  }
  gboolean is_signed = x->dtype == FORGE_INT8;
  double ratio = (double) tflite_scale (x) / tflite_scale (y);
  int64_t area = in->shape.dims[1] * in->shape.dims[2];
  float moved = (float) tflite_zero (x) * tflite_scale (x) / tflite_scale (y);
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_int (attrs, "keepdims", tflite_u8 (node->options, 0, 0));
  forge_attrs_set_int (attrs, "divide", is_signed);
  forge_attrs_set_int (attrs, "x_zero", is_signed ? tflite_zero (x) : 0);
  forge_attrs_set_int (attrs, "y_offset",
      tflite_zero (y) - (is_signed ? 0 : (int64_t) CLAMP (moved, -1e6f, 1e6f)));
  forge_tflite_set_attr (attrs, "y_factor",
      forge_tflite_factor (is_signed ? ratio : ratio / (double) MAX (area, 1)));
  return tflite_emit (
      builder, node, "TfliteMean", "forge", attrs, &in, 1, error);
}

static ForgeValue *
build_softmax (TfliteBuilder *builder, const TfliteNode *node, ForgeValue *in,
    GError **error)
{
  const TfliteTensor *x = tflite_in (builder, node, 0);
  if (!need_scale (builder, node, x, error))
    return NULL;
  ForgeTfliteSoftmax softmax = forge_tflite_softmax (
      (double) tflite_f32 (node->options, 0, 1) * tflite_scale (x));
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_tflite_set_attr (attrs, "beta", softmax.beta);
  forge_attrs_set_int (attrs, "diff_min", softmax.diff_min);
  return tflite_emit (
      builder, node, "TfliteSoftmax", "forge", attrs, &in, 1, error);
}

static double
clamp_low (double x, double alpha)
{
  return x < 0 ? alpha * x : x;
}

static double
logistic (double x, double alpha)
{
  return 1 / (1 + exp (-x));
}

static double
hyperbolic (double x, double alpha)
{
  return tanh (x);
}

static double
hard_swish (double x, double alpha)
{
  return x * CLAMP (x + 3, 0, 6) / 6;
}

/* What one byte of @x becomes: a change of scale in fixed point, clamped for
 * the ReLUs; other functions in double. */
static int32_t
table_entry (const TfliteNode *node, const TfliteTensor *x,
    const TfliteTensor *y, Function function, int32_t q)
{
  if (function)
    return quantise (
        y, function ((double) tflite_scale (x) * (q - tflite_zero (x)),
               tflite_f32 (node->options, 0, 0)));
  int32_t low, high;
  forge_quant_range (y->dtype, &low, &high);
  if (node->code == TFLITE_RELU || node->code == TFLITE_RELU6)
    low = quantise (y, 0);
  if (node->code == TFLITE_RELU6)
    high = quantise (y, 6);
  if (node->code == TFLITE_RELU_N1_TO_1) {
    low = quantise (y, -1);
    high = quantise (y, 1);
  }
  ForgeTfliteFactor factor =
      forge_tflite_factor ((double) tflite_scale (x) / tflite_scale (y));
  int32_t value =
      forge_tflite_scale (q - tflite_zero (x), factor) + tflite_zero (y);
  return CLAMP (value, low, high);
}

static ForgeValue *
emit_table (TfliteBuilder *builder, const TfliteNode *node,
    const TfliteTensor *x, Function function, ForgeValue *in, GError **error)
{
  const TfliteTensor *y = tflite_out (builder, node);
  ForgeShape shape = forge_shape (1, 256);
  if (!need_scale (builder, node, x, error) ||
      !need_scale (builder, node, y, error))
    return NULL;
  g_autoptr (ForgeTensor) table = forge_tensor_new (y->dtype, &shape, error);
  if (!table)
    return NULL;
  for (int i = 0; i < 256; i++)
    ((uint8_t *) table->data)[i] = (uint8_t) table_entry (
        node, x, y, function, x->dtype == FORGE_INT8 ? (int8_t) i : i);
  ForgeValue *inputs[] = { in, tflite_add_constant (builder, table) };
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_string (attrs, "function", node->name);
  return tflite_emit (
      builder, node, "TfliteTable", "forge", attrs, inputs, 2, error);
}

static ForgeValue *
build_concat (TfliteBuilder *builder, const TfliteNode *node, GError **error)
{
  ForgeValue *inputs[FORGE_MAX_NODE_IO];
  const TfliteTensor *out = tflite_out (builder, node);
  if (node->inputs.count > FORGE_MAX_NODE_IO ||
      tflite_u8 (node->options, 1, 0) != TFLITE_ACT_NONE) {
    tflite_fail (builder, node, error, FORGE_ERROR_UNSUPPORTED,
        "more than %d inputs, or a fused activation", FORGE_MAX_NODE_IO);
    return NULL;
  }
  for (uint32_t i = 0; i < node->inputs.count; i++) {
    TfliteTensor *in = tflite_in (builder, node, i);
    inputs[i] = tflite_value (builder, node, in, error);
    if (inputs[i] && (tflite_scale (in) != tflite_scale (out) ||
                         tflite_zero (in) != tflite_zero (out)))
      inputs[i] = emit_table (builder, node, in, NULL, inputs[i], error);
    if (!inputs[i])
      return NULL;
  }
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_int (attrs, "axis", tflite_i32 (node->options, 0, 0));
  return tflite_emit (
      builder, node, "Concat", "", attrs, inputs, node->inputs.count, error);
}

static ForgeValue *
build_quantize (TfliteBuilder *builder, const TfliteNode *node, ForgeValue *in,
    GError **error)
{
  const TfliteTensor *x = tflite_in (builder, node, 0);
  const TfliteTensor *y = tflite_out (builder, node);
  if (in->dtype != FORGE_FLOAT32)
    return emit_table (builder, node, x, NULL, in, error);
  if (!need_scale (builder, node, y, error))
    return NULL;
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_float (attrs, "scale", tflite_scale (y));
  forge_attrs_set_int (attrs, "zero", tflite_zero (y));
  forge_attrs_set_int (attrs, "to", y->dtype);
  return tflite_emit (
      builder, node, "TfliteQuantize", "forge", attrs, &in, 1, error);
}

ForgeValue *
tflite_dequantise (TfliteBuilder *builder, const TfliteNode *node,
    TfliteTensor *x, GError **error)
{
  ForgeValue *in = tflite_value (builder, node, x, error);
  ForgeShape scalar = forge_shape (0);
  if (!in || !need_scale (builder, node, x, error))
    return NULL;
  if (in->dtype != FORGE_UINT8 && in->dtype != FORGE_INT8) {
    tflite_fail (builder, node, error, FORGE_ERROR_UNSUPPORTED,
        "from %s; expected bytes", forge_dtype_name (in->dtype));
    return NULL;
  }
  g_autoptr (ForgeTensor) zero = forge_tensor_new (in->dtype, &scalar, error);
  if (!zero)
    return NULL;
  *(uint8_t *) zero->data = (uint8_t) tflite_zero (x);
  ForgeValue *inputs[] = { in, tflite_scalar (builder, tflite_scale (x)),
    tflite_add_constant (builder, zero) };
  return tflite_emit (
      builder, node, "DequantizeLinear", "", NULL, inputs, 3, error);
}

/* Constants (weights kept as float16 or bytes) are widened where they are
 * used. */
static gboolean
build_dequantize (
    TfliteBuilder *builder, const TfliteNode *node, GError **error)
{
  TfliteTensor *x = tflite_in (builder, node, 0);
  TfliteTensor *y = tflite_out (builder, node);
  if (x && !x->value && x->data.count > 0) {
    y->data = x->data;
    y->dtype = x->dtype;
    y->shape = x->shape;
    y->scales = x->scales;
    y->zeros = x->zeros;
    y->axis = x->axis;
    y->is_widened = TRUE;
    return TRUE;
  }
  y->value = tflite_dequantise (builder, node, x, error);
  return y->value != NULL;
}

static ForgeValue *
build_unary (TfliteBuilder *builder, const TfliteNode *node, ForgeValue *in,
    GError **error)
{
  const TfliteTensor *x = tflite_in (builder, node, 0);
  Function function = NULL;
  switch (node->code) {
  case TFLITE_LOGISTIC:
    function = logistic;
    break;
  case TFLITE_TANH:
    function = hyperbolic;
    break;
  case TFLITE_HARD_SWISH:
    function = hard_swish;
    break;
  case TFLITE_LEAKY_RELU:
    function = clamp_low;
    break;
  default:
    break;
  }
  return emit_table (builder, node, x, function, in, error);
}

gboolean
tflite_build_int (
    TfliteBuilder *builder, const TfliteNode *node, GError **error)
{
  TfliteTensor *out = tflite_out (builder, node);
  if (node->code == TFLITE_DEQUANTIZE)
    return build_dequantize (builder, node, error);
  ForgeValue *in =
      tflite_value (builder, node, tflite_in (builder, node, 0), error);
  if (!in)
    return FALSE;
  switch (node->code) {
  case TFLITE_CONV_2D:
  case TFLITE_DEPTHWISE_CONV_2D:
    out->value = build_conv (builder, node, in, error);
    break;
  case TFLITE_FULLY_CONNECTED:
    out->value = build_dense (builder, node, in, error);
    break;
  case TFLITE_ADD:
  case TFLITE_SUB:
  case TFLITE_MUL:
    out->value = build_binary (builder, node, in, error);
    break;
  case TFLITE_AVERAGE_POOL_2D:
  case TFLITE_MAX_POOL_2D:
    out->value = build_pool (builder, node, in, error);
    break;
  case TFLITE_MEAN:
    out->value = build_mean (builder, node, in, error);
    break;
  case TFLITE_SOFTMAX:
    out->value = build_softmax (builder, node, in, error);
    break;
  case TFLITE_CONCATENATION:
    out->value = build_concat (builder, node, error);
    break;
  case TFLITE_QUANTIZE:
    out->value = build_quantize (builder, node, in, error);
    break;
  default:
    out->value = build_unary (builder, node, in, error);
  }
  return out->value != NULL;
}
