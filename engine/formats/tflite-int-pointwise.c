/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Functions of elements of TensorFlow Lite on bytes. A function of one byte
 * is a table of 256, computed here as the runtime computes it: in fixed point
 * for the ReLUs, HARD_SWISH, ABS and changes of scale, in float for those
 * that the runtime itself keeps as a table.
 * Source: tensorflow/lite/kernels/activations.cc, elementwise.cc, add.cc,
 * mul.cc; internal/common.h, reference/leaky_relu.h, hard_swish.h, prelu.h,
 * concatenation.h, requantize.h. */
#include <math.h>

#include "formats/tflite.h"
#include "ops/tflite-math.h"

int32_t
tflite_quantise (const TfliteTensor *tensor, double x)
{
  int32_t low, high;
  forge_quant_range (tensor->dtype, &low, &high);
  float q =
      roundf ((float) x / tflite_scale (tensor)) + (float) tflite_zero (tensor);
  return q > (float) low ? (q < (float) high ? (int32_t) q : high) : low;
}

gboolean
tflite_set_output (const TfliteBuilder *builder, const TfliteNode *node,
    int activation, ForgeAttrs *attrs, GError **error)
{
  const TfliteTensor *out = tflite_out (builder, node);
  int32_t min, max;
  if (activation > TFLITE_ACT_RELU6)
    return tflite_fail (builder, node, error, FORGE_ERROR_UNSUPPORTED,
        "fused activation %d", activation);
  forge_quant_range (out->dtype, &min, &max);
  if (activation == TFLITE_ACT_RELU || activation == TFLITE_ACT_RELU6)
    min = tflite_quantise (out, 0);
  if (activation == TFLITE_ACT_RELU6)
    max = tflite_quantise (out, 6);
  if (activation == TFLITE_ACT_RELU_N1_TO_1) {
    min = tflite_quantise (out, -1);
    max = tflite_quantise (out, 1);
  }
  forge_attrs_set_int (attrs, "y_zero", tflite_zero (out));
  forge_attrs_set_float (attrs, "y_scale", tflite_scale (out));
  forge_attrs_set_int (attrs, "min", min);
  forge_attrs_set_int (attrs, "max", max);
  return TRUE;
}

static gboolean
need_scales (
    const TfliteBuilder *builder, const TfliteNode *node, GError **error)
{
  return tflite_need_scale (
             builder, node, tflite_in (builder, node, 0), error) &&
         tflite_need_scale (
             builder, node, tflite_in (builder, node, 1), error) &&
         tflite_need_scale (builder, node, tflite_out (builder, node), error);
}

/* Both operands and the output share scale and zero point. */
static gboolean
same_scale (const TfliteBuilder *builder, const TfliteNode *node, guint n)
{
  const TfliteTensor *out = tflite_out (builder, node);
  for (guint i = 0; i < n; i++) {
    const TfliteTensor *in = tflite_in (builder, node, i);
    if (!in || tflite_scale (in) != tflite_scale (out) ||
        tflite_zero (in) != tflite_zero (out))
      return FALSE;
  }
  return TRUE;
}

/* Takes @attrs. */
static gboolean
set_binary (TfliteBuilder *builder, const TfliteNode *node, const char *type,
    int activation, ForgeAttrs *attrs, GError **error)
{
  ForgeValue *inputs[2] = { NULL };
  for (guint i = 0; i < 2; i++) {
    TfliteTensor *in = tflite_in (builder, node, i);
    inputs[i] = tflite_value (builder, node, in, error);
    if (!inputs[i])
      break;
    forge_attrs_set_int (attrs, i ? "b_zero" : "a_zero", tflite_zero (in));
  }
  if (inputs[0] && inputs[1] &&
      tflite_set_output (builder, node, activation, attrs, error))
    return tflite_set (builder, node, 0,
        tflite_emit (builder, node, type, "forge", attrs, inputs, 2, error));
  forge_attrs_free (attrs);
  return FALSE;
}

gboolean
tflite_build_int_binary (
    TfliteBuilder *builder, const TfliteNode *node, GError **error)
{
  if (!need_scales (builder, node, error))
    return FALSE;
  gboolean multiply = node->code == TFLITE_MUL;
  float a_scale = tflite_scale (tflite_in (builder, node, 0));
  float b_scale = tflite_scale (tflite_in (builder, node, 1));
  float y_scale = tflite_scale (tflite_out (builder, node));
  double twice = 2 * (double) MAX (a_scale, b_scale);
  double real = twice / ((1 << 20) * (double) y_scale);
  if (multiply)
    real = (double) (a_scale * b_scale / y_scale);
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_tflite_set_attr (
      attrs, "a_factor", forge_tflite_factor (a_scale / twice));
  forge_tflite_set_attr (
      attrs, "b_factor", forge_tflite_factor (b_scale / twice));
  forge_tflite_set_attr (attrs, "y_factor", forge_tflite_factor (real));
  return set_binary (builder, node,
      multiply                   ? "TfliteMul"
      : node->code == TFLITE_ADD ? "TfliteAdd"
                                 : "TfliteSub",
      tflite_u8 (node->options, 0, 0), attrs, error);
}

gboolean
tflite_build_int_prelu (
    TfliteBuilder *builder, const TfliteNode *node, GError **error)
{
  if (!need_scales (builder, node, error))
    return FALSE;
  float x_scale = tflite_scale (tflite_in (builder, node, 0));
  float slope_scale = tflite_scale (tflite_in (builder, node, 1));
  float y_scale = tflite_scale (tflite_out (builder, node));
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_tflite_set_attr (
      attrs, "a_factor", forge_tflite_factor ((double) (x_scale / y_scale)));
  forge_tflite_set_attr (attrs, "y_factor",
      forge_tflite_factor ((double) (x_scale * slope_scale / y_scale)));
  return set_binary (
      builder, node, "TflitePrelu", TFLITE_ACT_NONE, attrs, error);
}

/* Bytes of one scale are ordered as what they stand for. */
gboolean
tflite_build_int_order (
    TfliteBuilder *builder, const TfliteNode *node, GError **error)
{
  if (!same_scale (builder, node, 2))
    return tflite_build_real (builder, node, error);
  ForgeValue *inputs[2];
  for (guint i = 0; i < 2; i++) {
    inputs[i] =
        tflite_value (builder, node, tflite_in (builder, node, i), error);
    if (!inputs[i])
      return FALSE;
  }
  return tflite_set (builder, node, 0,
      tflite_emit (builder, node, node->code == TFLITE_MAXIMUM ? "Max" : "Min",
          "", NULL, inputs, 2, error));
}

gboolean
tflite_build_int_same (
    TfliteBuilder *builder, const TfliteNode *node, GError **error)
{
  int64_t axes[FORGE_MAX_DIMS * 2];
  int n_axes;
  if (!same_scale (builder, node, 1))
    return tflite_build_real (builder, node, error);
  ForgeValue *in =
      tflite_value (builder, node, tflite_in (builder, node, 0), error);
  if (!in || !tflite_int_constant (builder, node, tflite_in (builder, node, 1),
                 axes, &n_axes, error))
    return FALSE;
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_ints (attrs, "axes", axes, (gsize) n_axes);
  forge_attrs_set_int (attrs, "keepdims", tflite_u8 (node->options, 0, 0));
  return tflite_set (builder, node, 0,
      tflite_emit (builder, node,
          node->code == TFLITE_REDUCE_MAX ? "ReduceMax" : "ReduceMin", "",
          attrs, &in, 1, error));
}

/* A real function; FALSE when the operator is none of those. */
static gboolean
apply (int code, gboolean approximate, float x, float *y)
{
  switch (code) {
  case TFLITE_LOGISTIC:
    *y = 1 / (1 + expf (-x));
    return TRUE;
  case TFLITE_TANH:
    *y = tanhf (x);
    return TRUE;
  case TFLITE_ELU:
    *y = x < 0 ? expm1f (x) : x;
    return TRUE;
  case TFLITE_EXP:
    *y = expf (x);
    return TRUE;
  case TFLITE_LOG:
    *y = logf (x);
    return TRUE;
  case TFLITE_GELU:
    *y = approximate ? 0.5f * x *
                           (1 + tanhf ((float) (M_2_SQRTPI * M_SQRT1_2) *
                                       (x + 0.044715f * x * x * x)))
                     : 0.5f * x * (1 + erff (x * (float) M_SQRT1_2));
    return TRUE;
  default:
    return FALSE;
  }
}

/* High half of the doubled product of two numbers of 16 bits, rounded. */
static int32_t
high_mul16 (int32_t a, int32_t b)
{
  int32_t product = a * b;
  return (product + (product >= 0 ? 1 << 14 : 1 - (1 << 14))) / (1 << 15);
}

static int32_t
shift_left16 (int32_t x, int bits)
{
  int64_t wide = (int64_t) x * ((int64_t) 1 << MIN (bits, 30));
  return (int32_t) CLAMP (wide, INT16_MIN, INT16_MAX);
}

static int32_t
halve_factor (ForgeTfliteFactor factor)
{
  int64_t rounded = ((int64_t) factor.multiplier + (1 << 15)) >> 16;
  return (int32_t) MIN (rounded, INT16_MAX);
}

/* x times relu6 (x + 3) / 6 in 16 bits: x on the output's scale but for a
 * shift, and the second factor from a scale where 2^15 stands for 3. */
static int32_t
hard_swish (const TfliteTensor *x, const TfliteTensor *y, int32_t q)
{
  float fine_scale = (1.0f / 128) * tflite_scale (x);
  ForgeTfliteFactor to_y =
      forge_tflite_factor ((double) (fine_scale / tflite_scale (y)));
  ForgeTfliteFactor to_relu =
      forge_tflite_factor ((double) (fine_scale / (3.0f / 32768)));
  int32_t fine = (int16_t) ((q - tflite_zero (x)) * 128);
  int32_t value = high_mul16 (fine, halve_factor (to_y)), relu = fine;
  if (to_relu.shift > 0)
    relu = shift_left16 (relu, to_relu.shift - 1);
  relu = high_mul16 (relu, halve_factor (to_relu));
  if (to_relu.shift > 0)
    relu = shift_left16 (relu, 1);
  if (to_relu.shift < 0)
    relu = forge_tflite_divide_by_pot (relu, -to_relu.shift);
  relu = (relu + (1 << 15)) >> 1;
  value = relu * value / (1 << 15);
  return forge_tflite_divide_by_pot (value, MAX (-to_y.shift, 0)) +
         tflite_zero (y);
}

/* A change of scale by one factor, clamped for the ReLUs. */
static int32_t
rescale (const TfliteNode *node, int code, const TfliteTensor *x,
    const TfliteTensor *y, int32_t q)
{
  float x_scale = tflite_scale (x), y_scale = tflite_scale (y);
  int32_t from = q - tflite_zero (x);
  double real = code == TFLITE_QUANTIZE || code == TFLITE_CONCATENATION
                    ? (double) x_scale / y_scale
                    : (double) (x_scale / y_scale);
  if (code == TFLITE_ABS)
    from = ABS (from);
  if (code == TFLITE_LEAKY_RELU && from < 0) {
    float slope = tflite_f32 (node->options, 0, 0);
    real = (double) (x_scale * slope / y_scale);
  }
  if (real >= 0)
    return forge_tflite_scale (from, forge_tflite_factor (real)) +
           tflite_zero (y);
  return tflite_zero (y) -
         forge_tflite_scale (from, forge_tflite_factor (-real));
}

static void
clamp_of (int code, const TfliteTensor *y, int32_t *low, int32_t *high)
{
  forge_quant_range (y->dtype, low, high);
  if (code == TFLITE_RELU || code == TFLITE_RELU6 || code == TFLITE_RELU_0_TO_1)
    *low = tflite_quantise (y, 0);
  if (code == TFLITE_RELU6)
    *high = tflite_quantise (y, 6);
  if (code == TFLITE_RELU_N1_TO_1)
    *low = tflite_quantise (y, -1);
  if (code == TFLITE_RELU_N1_TO_1 || code == TFLITE_RELU_0_TO_1)
    *high = tflite_quantise (y, 1);
}

static int32_t
table_entry (const TfliteNode *node, int code, const TfliteTensor *x,
    const TfliteTensor *y, int32_t q)
{
  int32_t low, high;
  float real = tflite_scale (x) * (float) (q - tflite_zero (x)), value;
  clamp_of (code, y, &low, &high);
  if (apply (code, tflite_u8 (node->options, 0, 0) != 0, real, &value)) {
    float scaled = roundf (value * (1 / tflite_scale (y)));
    return (int32_t) forge_clamp_float (
        scaled + (float) tflite_zero (y), (float) low, (float) high);
  }
  if (code == TFLITE_CONCATENATION && x->dtype == FORGE_UINT8) {
    float scale = tflite_scale (x) * (1 / tflite_scale (y));
    float bias = (float) -tflite_zero (x) * scale;
    return (int32_t) forge_clamp_float (
        roundf ((float) q * scale + bias) + (float) tflite_zero (y),
        (float) low, (float) high);
  }
  int32_t made = code == TFLITE_HARD_SWISH ? hard_swish (x, y, q)
                                           : rescale (node, code, x, y, q);
  return CLAMP (made, low, high);
}

ForgeValue *
tflite_apply_table (TfliteBuilder *builder, const TfliteNode *node,
    ForgeDtype dtype, const uint8_t table[256], const char *function,
    ForgeValue *in, GError **error)
{
  ForgeShape shape = forge_shape (1, 256);
  g_autoptr (ForgeTensor) made = forge_tensor_new (dtype, &shape, error);
  if (!made)
    return NULL;
  for (int i = 0; i < 256; i++)
    ((uint8_t *) made->data)[i] = table[i];
  ForgeValue *inputs[] = { in, tflite_add_constant (builder, made) };
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_string (attrs, "function", function);
  return tflite_emit (
      builder, node, "TfliteTable", "forge", attrs, inputs, 2, error);
}

ForgeValue *
tflite_emit_table (TfliteBuilder *builder, const TfliteNode *node, int code,
    const TfliteTensor *x, const TfliteTensor *y, ForgeValue *in,
    GError **error)
{
  uint8_t table[256];
  if (!in || !tflite_need_scale (builder, node, x, error) ||
      !tflite_need_scale (builder, node, y, error))
    return NULL;
  if (!tflite_is_bytes (x) || !tflite_is_bytes (y)) {
    tflite_fail (builder, node, error, FORGE_ERROR_UNSUPPORTED,
        "from %s to %s; expected bytes", forge_dtype_name (x->dtype),
        forge_dtype_name (y->dtype));
    return NULL;
  }
  for (int i = 0; i < 256; i++)
    table[i] = (uint8_t) table_entry (
        node, code, x, y, x->dtype == FORGE_INT8 ? (int8_t) i : i);
  ForgeValue *made = tflite_apply_table (
      builder, node, y->dtype, table, node->name, in, error);
  if (made) {
    forge_attrs_set_float (made->producer->attrs, "y_scale", tflite_scale (y));
    forge_attrs_set_int (made->producer->attrs, "y_zero", tflite_zero (y));
  }
  return made;
}

gboolean
tflite_build_int_table (
    TfliteBuilder *builder, const TfliteNode *node, GError **error)
{
  TfliteTensor *x = tflite_in (builder, node, 0);
  return tflite_set (builder, node, 0,
      tflite_emit_table (builder, node, node->code, x,
          tflite_out (builder, node), tflite_value (builder, node, x, error),
          error));
}

/* From float32, or from bytes of another scale. */
gboolean
tflite_build_quantize (
    TfliteBuilder *builder, const TfliteNode *node, GError **error)
{
  TfliteTensor *x = tflite_in (builder, node, 0);
  if (!tflite_is_bytes (tflite_out (builder, node)))
    return tflite_build_none (builder, node, error);
  if (tflite_is_bytes (x) && !builder->portable)
    return tflite_build_int_table (builder, node, error);
  return tflite_set_real (
      builder, node, tflite_real (builder, node, x, error), error);
}

/* Constants (weights kept as float16 or bytes) are widened where they are
 * used. */
gboolean
tflite_build_dequantize (
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
  return tflite_set (
      builder, node, 0, tflite_dequantise (builder, node, x, error));
}
