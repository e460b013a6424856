/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * From a tensor of a TensorFlow Lite file to what a builder wants of it, and
 * back: bytes to float32, the file's NHWC to NCHW, weights in ONNX's order.
 * Each form of an activation is made once. A portable graph keeps weights as
 * the bytes they are, before a DequantizeLinear. */
#include <math.h>
#include <string.h>

#include "formats/tflite.h"
#include "ops/tflite-math.h"

gboolean
tflite_need_scale (const TfliteBuilder *builder, const TfliteNode *node,
    const TfliteTensor *tensor, GError **error)
{
  float scale = tensor ? tflite_scale (tensor) : 0;
  if (scale > 0 && isfinite (scale))
    return TRUE;
  return tflite_fail (builder, node, error, FORGE_ERROR_FORMAT,
      "tensor '%s' has no scale above 0",
      tensor && tensor->name ? tensor->name : "");
}

/* DequantizeLinear or QuantizeLinear by the scale of @tensor. */
static ForgeValue *
emit_linear (TfliteBuilder *builder, const TfliteNode *node, const char *type,
    const TfliteTensor *tensor, ForgeDtype dtype, int32_t zero, ForgeValue *in,
    GError **error)
{
  ForgeShape scalar = forge_shape (0);
  g_autoptr (ForgeTensor) point = forge_tensor_new (dtype, &scalar, error);
  if (!point)
    return NULL;
  *(uint8_t *) point->data = (uint8_t) zero;
  ForgeValue *inputs[] = { in, tflite_scalar (builder, tflite_scale (tensor)),
    tflite_add_constant (builder, point) };
  return tflite_emit (builder, node, type, "", NULL, inputs, 3, error);
}

ForgeValue *
tflite_dequantise (TfliteBuilder *builder, const TfliteNode *node,
    TfliteTensor *x, GError **error)
{
  ForgeValue *in = tflite_value (builder, node, x, error);
  if (!in || x->real)
    return in ? x->real : NULL;
  if (!tflite_need_scale (builder, node, x, error))
    return NULL;
  if (in->dtype != FORGE_UINT8 && in->dtype != FORGE_INT8) {
    tflite_fail (builder, node, error, FORGE_ERROR_UNSUPPORTED,
        "from %s; expected bytes", forge_dtype_name (in->dtype));
    return NULL;
  }
  x->real = emit_linear (builder, node, "DequantizeLinear", x, in->dtype,
      tflite_zero (x), in, error);
  return x->real;
}

gboolean
tflite_shift_portable (TfliteBuilder *builder, const TfliteNode *node,
    TfliteTensor *tensor, GError **error)
{
  if (!tflite_need_scale (builder, node, tensor, error))
    return FALSE;
  int32_t zero = tflite_zero (tensor);
  tensor->real = emit_linear (builder, node, "DequantizeLinear", tensor,
      FORGE_UINT8, zero + 128, tensor->value, error);
  tensor->value = tensor->real
                      ? emit_linear (builder, node, "QuantizeLinear", tensor,
                            FORGE_INT8, zero, tensor->real, error)
                      : NULL;
  return tensor->value != NULL;
}

ForgeValue *
tflite_real (TfliteBuilder *builder, const TfliteNode *node,
    TfliteTensor *tensor, GError **error)
{
  if (!tflite_is_bytes (tensor))
    return tflite_value (builder, node, tensor, error);
  if (tensor->value || tensor->data.count == 0)
    return tflite_dequantise (builder, node, tensor, error);
  if (tensor->real)
    return tensor->real;
  g_autoptr (ForgeTensor) made =
      tflite_float_constant (builder, node, tensor, error);
  tensor->real = made ? tflite_add_constant (builder, made) : NULL;
  return tensor->real;
}

ForgeValue *
tflite_nchw (TfliteBuilder *builder, const TfliteNode *node,
    TfliteTensor *tensor, GError **error)
{
  static const int64_t perm[] = { 0, 3, 1, 2 };
  ForgeValue *value = tflite_real (builder, node, tensor, error);
  if (!value || tensor->nchw)
    return value ? tensor->nchw : NULL;
  if (value->shape.rank != 4) {
    tflite_fail (builder, node, error, FORGE_ERROR_SHAPE,
        "its input has %d dimensions; expected [N, H, W, C]",
        value->shape.rank);
    return NULL;
  }
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_ints (attrs, "perm", perm, 4);
  tensor->nchw =
      tflite_emit (builder, node, "Transpose", "", attrs, &value, 1, error);
  return tensor->nchw;
}

/* @permuted, of bytes or int32, before a DequantizeLinear by @n scales. */
static ForgeValue *
dequantise_constant (TfliteBuilder *builder, const TfliteNode *node,
    ForgeTensor *permuted, const float *scales, uint32_t n_scales, int axis,
    int32_t zero, GError **error)
{
  ForgeShape shape = { n_scales > 1, { n_scales } };
  g_autoptr (ForgeTensor) s = forge_tensor_new (FORGE_FLOAT32, &shape, error);
  g_autoptr (ForgeTensor) z =
      s ? forge_tensor_new (permuted->dtype, &shape, error) : NULL;
  if (!z)
    return NULL;
  memcpy (s->data, scales, n_scales * sizeof *scales);
  memset (z->data, zero, z->size_bytes);
  ForgeAttrs *attrs = forge_attrs_new ();
  if (n_scales > 1)
    forge_attrs_set_int (attrs, "axis", axis);
  ForgeValue *inputs[] = { tflite_add_constant (builder, permuted),
    tflite_add_constant (builder, s), tflite_add_constant (builder, z) };
  return tflite_emit (
      builder, node, "DequantizeLinear", "", attrs, inputs, 3, error);
}

ForgeValue *
tflite_weights (TfliteBuilder *builder, const TfliteNode *node,
    const TfliteTensor *tensor, const int perm[4], int axis, GError **error)
{
  gboolean keep = builder->portable && tflite_is_bytes (tensor);
  if (keep && !tflite_need_scale (builder, node, tensor, error))
    return NULL;
  g_autoptr (ForgeTensor) stored =
      keep ? tflite_constant (builder, node, tensor, error)
           : tflite_float_constant (builder, node, tensor, error);
  g_autoptr (ForgeTensor) made = NULL;
  if (stored)
    made =
        perm ? tflite_permute (stored, perm, error) : forge_tensor_ref (stored);
  if (!made || !keep)
    return made ? tflite_add_constant (builder, made) : NULL;
  uint32_t n_scales = tensor->scales.count;
  if (n_scales > 1 && made->shape.dims[axis] != n_scales) {
    tflite_fail (builder, node, error, FORGE_ERROR_FORMAT,
        "%u scales for %" G_GINT64_FORMAT " channels", n_scales,
        made->shape.dims[axis]);
    return NULL;
  }
  g_autofree float *scales = g_new (float, n_scales);
  for (uint32_t i = 0; i < n_scales; i++)
    scales[i] = tflite_vector_f32 (tensor->scales, i);
  return dequantise_constant (
      builder, node, made, scales, n_scales, axis, tflite_zero (tensor), error);
}

ForgeValue *
tflite_bias (TfliteBuilder *builder, const TfliteNode *node, GError **error)
{
  gboolean transposed = node->code == TFLITE_TRANSPOSE_CONV;
  const TfliteTensor *in = tflite_in (builder, node, transposed ? 2 : 0);
  const TfliteTensor *filter = tflite_in (builder, node, 1);
  const TfliteTensor *bias = tflite_in (builder, node, transposed ? 3 : 2);
  if (!bias || bias->dtype != FORGE_INT32)
    return bias ? tflite_weights (builder, node, bias, NULL, 0, error) : NULL;
  g_autoptr (ForgeTensor) made = tflite_constant (builder, node, bias, error);
  if (!made || !tflite_need_scale (builder, node, in, error) ||
      !tflite_need_scale (builder, node, filter, error))
    return NULL;
  uint32_t n_scales = filter->scales.count;
  if (n_scales > 1 &&
      (made->shape.rank != 1 || made->shape.dims[0] != n_scales)) {
    tflite_fail (builder, node, error, FORGE_ERROR_FORMAT,
        "%u scales for the biases", n_scales);
    return NULL;
  }
  g_autofree float *scales = g_new (float, n_scales);
  for (uint32_t i = 0; i < n_scales; i++)
    scales[i] = tflite_scale (in) * tflite_vector_f32 (filter->scales, i);
  return dequantise_constant (
      builder, node, made, scales, n_scales, 0, 0, error);
}

gboolean
tflite_set (TfliteBuilder *builder, const TfliteNode *node, guint index,
    ForgeValue *value)
{
  TfliteTensor *out = tflite_out_at (builder, node, index);
  out->value = value;
  return value != NULL;
}

gboolean
tflite_set_real (TfliteBuilder *builder, const TfliteNode *node,
    ForgeValue *value, GError **error)
{
  TfliteTensor *out = tflite_out (builder, node);
  if (!value || !tflite_is_bytes (out))
    return tflite_set (builder, node, 0, value);
  if (!tflite_need_scale (builder, node, out, error))
    return FALSE;
  if (builder->portable) {
    out->value = emit_linear (builder, node, "QuantizeLinear", out, out->dtype,
        tflite_zero (out), value, error);
    return out->value != NULL;
  }
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_float (attrs, "scale", tflite_scale (out));
  forge_attrs_set_int (attrs, "zero", tflite_zero (out));
  forge_attrs_set_int (attrs, "to", out->dtype);
  out->value = tflite_emit (
      builder, node, "TfliteQuantize", "forge", attrs, &value, 1, error);
  return out->value != NULL;
}

gboolean
tflite_set_nchw (TfliteBuilder *builder, const TfliteNode *node,
    ForgeValue *value, GError **error)
{
  static const int64_t perm[] = { 0, 2, 3, 1 };
  TfliteTensor *out = tflite_out (builder, node);
  if (!value)
    return FALSE;
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_ints (attrs, "perm", perm, 4);
  if (!tflite_is_bytes (out))
    out->nchw = value;
  value = tflite_emit (builder, node, "Transpose", "", attrs, &value, 1, error);
  return tflite_set_real (builder, node, value, error);
}

ForgeValue *
tflite_activate (TfliteBuilder *builder, const TfliteNode *node, int activation,
    ForgeValue *value, GError **error)
{
  static const float bounds[][2] = {
    [TFLITE_ACT_RELU_N1_TO_1] = { -1, 1 }, [TFLITE_ACT_RELU6] = { 0, 6 }
  };
  if (!value || activation == TFLITE_ACT_NONE)
    return value;
  if (activation == TFLITE_ACT_RELU)
    return tflite_emit (builder, node, "Relu", "", NULL, &value, 1, error);
  if (activation == TFLITE_ACT_TANH)
    return tflite_emit (builder, node, "Tanh", "", NULL, &value, 1, error);
  if (activation != TFLITE_ACT_RELU6 && activation != TFLITE_ACT_RELU_N1_TO_1) {
    tflite_fail (builder, node, error, FORGE_ERROR_UNSUPPORTED,
        "fused activation %d", activation);
    return NULL;
  }
  ForgeValue *inputs[] = { value,
    tflite_scalar (builder, bounds[activation][0]),
    tflite_scalar (builder, bounds[activation][1]) };
  return tflite_emit (builder, node, "Clip", "", NULL, inputs, 3, error);
}
