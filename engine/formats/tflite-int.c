/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Layers of TensorFlow Lite on bytes, as operators of domain forge that
 * compute what the reference kernels do. The real factors become fixed point
 * here, in the precision in which the runtime computes them: legacy per-tensor
 * products of scales in float, per-channel ones in double.
 * Source: tensorflow/lite/kernels/kernel_util.cc, reduce.cc, batch_matmul.cc,
 * transpose_conv.cc. */
#include <string.h>

#include "formats/tflite.h"
#include "ops/tflite-math.h"

/* Where a layer has its activations, and its biases. */
static guint
input_index (const TfliteNode *node)
{
  return node->code == TFLITE_TRANSPOSE_CONV ? 2 : 0;
}

/* Multipliers and shifts of @n channels as two constants. */
static gboolean
add_factors (TfliteBuilder *builder, const TfliteNode *node, int64_t n,
    ForgeValue **multipliers, ForgeValue **shifts, GError **error)
{
  const TfliteTensor *in = tflite_in (builder, node, input_index (node));
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
  TfliteTensor *bias = tflite_in (builder, node, input_index (node) ? 3 : 2);
  inputs[1] = tflite_add_constant (builder, weights);
  ForgeShape shape = { 1, { n_out } };
  g_autoptr (ForgeTensor) made =
      bias ? tflite_constant (builder, node, bias, error)
           : forge_tensor_new (FORGE_INT32, &shape, error);
  if (!made)
    return FALSE;
  if (!bias)
    memset (made->data, 0, made->size_bytes);
  inputs[2] = tflite_add_constant (builder, made);
  return add_factors (builder, node, n_out, &inputs[3], &inputs[4], error);
}

static ForgeTensor *
read_weights (
    TfliteBuilder *builder, const TfliteNode *node, int rank, GError **error)
{
  const TfliteTensor *in = tflite_in (builder, node, input_index (node));
  const TfliteTensor *filter = tflite_in (builder, node, 1);
  if (!tflite_need_scale (builder, node, in, error) ||
      !tflite_need_scale (builder, node, filter, error) ||
      !tflite_need_scale (builder, node, tflite_out (builder, node), error))
    return NULL;
  if (filter->shape.rank != rank || filter->dtype != in->dtype ||
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
emit_conv (TfliteBuilder *builder, const TfliteNode *node, const char *type,
    int activation, ForgeAttrs *attrs, ForgeValue *const inputs[5],
    GError **error)
{
  const TfliteTensor *filter = tflite_in (builder, node, 1);
  forge_attrs_set_int (attrs, "x_zero",
      tflite_zero (tflite_in (builder, node, input_index (node))));
  forge_attrs_set_int (attrs, "w_zero", tflite_zero (filter));
  if (tflite_set_output (builder, node, activation, attrs, error))
    return tflite_emit (builder, node, type, "forge", attrs, inputs, 5, error);
  forge_attrs_free (attrs);
  return NULL;
}

gboolean
tflite_build_int_conv (
    TfliteBuilder *builder, const TfliteNode *node, GError **error)
{
  gboolean depthwise = node->code == TFLITE_DEPTHWISE_CONV_2D;
  ForgeValue *inputs[5] = { tflite_value (
      builder, node, tflite_in (builder, node, 0), error) };
  g_autoptr (ForgeTensor) weights =
      inputs[0] ? read_weights (builder, node, 4, error) : NULL;
  if (!weights || !conv_inputs (builder, node, weights,
                      weights->shape.dims[depthwise ? 3 : 0], inputs, error))
    return FALSE;
  ForgeAttrs *attrs = tflite_window (builder, node, depthwise, FALSE,
      weights->shape.dims[1], weights->shape.dims[2]);
  forge_attrs_set_int (attrs, "depthwise", depthwise);
  return tflite_set (builder, node, 0,
      emit_conv (builder, node, "TfliteConv",
          tflite_u8 (node->options, depthwise ? 4 : 3, 0), attrs, inputs,
          error));
}

gboolean
tflite_build_int_transpose_conv (
    TfliteBuilder *builder, const TfliteNode *node, GError **error)
{
  int64_t size[FORGE_MAX_DIMS * 2], pads[2];
  int64_t strides[] = { tflite_i32 (node->options, 2, 0),
    tflite_i32 (node->options, 1, 0) };
  int n_size;
  ForgeValue *inputs[5] = { tflite_value (
      builder, node, tflite_in (builder, node, 2), error) };
  if (!inputs[0] || !tflite_int_constant (builder, node,
                        tflite_in (builder, node, 0), size, &n_size, error))
    return FALSE;
  g_autoptr (ForgeTensor) weights = read_weights (builder, node, 4, error);
  if (!weights || !conv_inputs (builder, node, weights, weights->shape.dims[0],
                      inputs, error))
    return FALSE;
  for (int i = 0; i < 2; i++) {
    gboolean same = tflite_u8 (node->options, 0, 0) == 0;
    if (n_size != 4 || size[1 + i] < 1 || strides[i] < 1)
      return tflite_fail (builder, node, error, FORGE_ERROR_SHAPE,
          "an output of %d extents, or no stride", n_size);
    int64_t steps = (size[1 + i] - 1) / strides[i] + 1;
    int64_t total =
        (steps - 1) * strides[i] + weights->shape.dims[1 + i] - size[1 + i];
    pads[i] = same ? MAX (total, 0) / 2 : 0;
  }
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_ints (attrs, "strides", strides, 2);
  forge_attrs_set_ints (attrs, "pads", pads, 2);
  forge_attrs_set_ints (attrs, "size", size + 1, 2);
  return tflite_set (builder, node, 0,
      emit_conv (builder, node, "TfliteConvTranspose",
          tflite_u8 (node->options, 3, 0), attrs, inputs, error));
}

/* A convolution of 1 x 1 over pictures of one pixel. */
gboolean
tflite_build_int_dense (
    TfliteBuilder *builder, const TfliteNode *node, GError **error)
{
  ForgeValue *in =
      tflite_value (builder, node, tflite_in (builder, node, 0), error);
  g_autoptr (ForgeTensor) weights =
      in ? read_weights (builder, node, 2, error) : NULL;
  ForgeValue *inputs[5];
  if (!weights)
    return FALSE;
  if (tflite_u8 (node->options, 1, 0))
    return tflite_fail (builder, node, error, FORGE_ERROR_UNSUPPORTED,
        "weights in a shuffled order");
  int64_t n_out = weights->shape.dims[0], depth = weights->shape.dims[1];
  const int64_t pixels[] = { -1, 1, 1, depth }, rows[] = { -1, n_out };
  weights->shape = (ForgeShape) { 4, { n_out, 1, 1, depth } };
  inputs[0] = tflite_reshape (builder, node, in, pixels, 4, error);
  if (!inputs[0] || !conv_inputs (builder, node, weights, n_out, inputs, error))
    return FALSE;
  ForgeValue *value = emit_conv (builder, node, "TfliteConv",
      tflite_u8 (node->options, 0, 0), forge_attrs_new (), inputs, error);
  if (value)
    value = tflite_reshape (builder, node, value, rows, 2, error);
  return tflite_set (
      builder, node, 0, tflite_keep_num_dims (builder, node, in, value, error));
}

gboolean
tflite_build_int_matmul (
    TfliteBuilder *builder, const TfliteNode *node, GError **error)
{
  static const char *const zeros[] = { "a_zero", "b_zero" };
  const TfliteTensor *out = tflite_out (builder, node);
  ForgeValue *inputs[2];
  float product = 1;
  if (!tflite_need_scale (builder, node, out, error))
    return FALSE;
  ForgeAttrs *attrs = forge_attrs_new ();
  gboolean ok = tflite_set_output (builder, node, 0, attrs, error);
  for (guint i = 0; i < 2 && ok; i++) {
    TfliteTensor *in = tflite_in (builder, node, i);
    inputs[i] = tflite_value (builder, node, in, error);
    if (inputs[i] && tflite_u8 (node->options, (int) i, 0))
      inputs[i] = tflite_adjoint (builder, node, inputs[i], error);
    ok = inputs[i] && tflite_need_scale (builder, node, in, error);
    if (!ok)
      break;
    product *= tflite_scale (in);
    forge_attrs_set_int (attrs, zeros[i], tflite_zero (in));
  }
  forge_tflite_set_attr (attrs, "y_factor",
      forge_tflite_factor ((double) product / tflite_scale (out)));
  if (ok)
    return tflite_set (builder, node, 0,
        tflite_emit (
            builder, node, "TfliteMatMul", "forge", attrs, inputs, 2, error));
  forge_attrs_free (attrs);
  return FALSE;
}

gboolean
tflite_build_int_pool (
    TfliteBuilder *builder, const TfliteNode *node, GError **error)
{
  ForgeValue *in =
      tflite_value (builder, node, tflite_in (builder, node, 0), error);
  if (!in ||
      !tflite_need_scale (builder, node, tflite_out (builder, node), error))
    return FALSE;
  ForgeAttrs *attrs = tflite_window (builder, node, FALSE, TRUE,
      tflite_i32 (node->options, 4, 0), tflite_i32 (node->options, 3, 0));
  if (tflite_set_output (
          builder, node, tflite_u8 (node->options, 5, 0), attrs, error))
    return tflite_set (builder, node, 0,
        tflite_emit (builder, node,
            node->code == TFLITE_MAX_POOL_2D ? "TfliteMaxPool"
                                             : "TfliteAveragePool",
            "forge", attrs, &in, 1, error));
  forge_attrs_free (attrs);
  return FALSE;
}

gboolean
tflite_build_int_mean (
    TfliteBuilder *builder, const TfliteNode *node, GError **error)
{
  TfliteTensor *x = tflite_in (builder, node, 0);
  const TfliteTensor *y = tflite_out (builder, node);
  int64_t axes[FORGE_MAX_DIMS * 2];
  int n_axes;
  ForgeValue *in = tflite_value (builder, node, x, error);
  if (!in || !tflite_need_scale (builder, node, x, error) ||
      !tflite_need_scale (builder, node, y, error) ||
      !tflite_int_constant (
          builder, node, tflite_in (builder, node, 1), axes, &n_axes, error))
    return FALSE;
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_ints (attrs, "axes", axes, (gsize) n_axes);
  forge_attrs_set_int (attrs, "keepdims", tflite_u8 (node->options, 0, 0));
  forge_attrs_set_int (attrs, "x_zero", tflite_zero (x));
  forge_attrs_set_int (attrs, "y_zero", tflite_zero (y));
  forge_attrs_set_float (attrs, "y_scale", tflite_scale (y));
  forge_tflite_set_attr (attrs, "y_factor",
      forge_tflite_factor ((double) tflite_scale (x) / tflite_scale (y)));
  return tflite_set (builder, node, 0,
      tflite_emit (builder, node,
          node->code == TFLITE_MEAN ? "TfliteMean" : "TfliteSum", "forge",
          attrs, &in, 1, error));
}

gboolean
tflite_build_int_softmax (
    TfliteBuilder *builder, const TfliteNode *node, GError **error)
{
  TfliteTensor *x = tflite_in (builder, node, 0);
  const TfliteTensor *y = tflite_out (builder, node);
  ForgeValue *in = tflite_value (builder, node, x, error);
  if (!in || !tflite_need_scale (builder, node, x, error))
    return FALSE;
  ForgeTfliteSoftmax softmax = forge_tflite_softmax (
      (double) tflite_f32 (node->options, 0, 1) * tflite_scale (x));
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_tflite_set_attr (attrs, "beta", softmax.beta);
  forge_attrs_set_int (attrs, "diff_min", softmax.diff_min);
  forge_attrs_set_int (attrs, "y_zero", tflite_zero (y));
  forge_attrs_set_float (attrs, "y_scale", tflite_scale (y));
  return tflite_set (builder, node, 0,
      tflite_emit (
          builder, node, "TfliteSoftmax", "forge", attrs, &in, 1, error));
}

gboolean
tflite_build_int_concat (
    TfliteBuilder *builder, const TfliteNode *node, GError **error)
{
  ForgeValue *inputs[FORGE_MAX_NODE_IO];
  const TfliteTensor *out = tflite_out (builder, node);
  if (node->inputs.count > FORGE_MAX_NODE_IO ||
      tflite_u8 (node->options, 1, 0) != TFLITE_ACT_NONE)
    return tflite_fail (builder, node, error, FORGE_ERROR_UNSUPPORTED,
        "more than %d inputs, or a fused activation", FORGE_MAX_NODE_IO);
  for (uint32_t i = 0; i < node->inputs.count; i++) {
    TfliteTensor *in = tflite_in (builder, node, i);
    inputs[i] = tflite_value (builder, node, in, error);
    if (inputs[i] && (tflite_scale (in) != tflite_scale (out) ||
                         tflite_zero (in) != tflite_zero (out)))
      inputs[i] = tflite_emit_table (
          builder, node, node->code, in, out, inputs[i], error);
    if (!inputs[i])
      return FALSE;
  }
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_int (attrs, "axis", tflite_i32 (node->options, 0, 0));
  return tflite_set (builder, node, 0,
      tflite_emit (builder, node, "Concat", "", attrs, inputs,
          node->inputs.count, error));
}

gboolean
tflite_build_int_resize (
    TfliteBuilder *builder, const TfliteNode *node, GError **error)
{
  int64_t size[FORGE_MAX_DIMS * 2];
  int n_size;
  ForgeValue *in =
      tflite_value (builder, node, tflite_in (builder, node, 0), error);
  if (!in || !tflite_int_constant (builder, node, tflite_in (builder, node, 1),
                 size, &n_size, error))
    return FALSE;
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_ints (attrs, "size", size, (gsize) n_size);
  forge_attrs_set_int (attrs, "align_corners", tflite_u8 (node->options, 2, 0));
  forge_attrs_set_int (attrs, "half_pixel", tflite_u8 (node->options, 3, 0));
  return tflite_set (builder, node, 0,
      tflite_emit (
          builder, node, "TfliteResize", "forge", attrs, &in, 1, error));
}
