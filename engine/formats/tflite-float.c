/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Layers of TensorFlow Lite on float32, as ONNX operators: convolutions,
 * matrix products, pools, resizing. Weights are OHWI there, OIHW here; those
 * stored as float16 are widened. Weights of int8 meet float32 activations in
 * TfliteHybrid, which quantises these on the spot as the runtime does.
 * Source: tensorflow/lite/schema/schema.fbs; the kernels' documentation. */
#include <math.h>

#include "formats/tflite.h"

static const int ohwi_to_oihw[] = { 0, 3, 1, 2 };
static const int ihwo_to_oihw[] = { 3, 0, 1, 2 };
static const int ohwi_to_iohw[] = { 3, 0, 1, 2 };

static gboolean
is_hybrid (const TfliteBuilder *builder, const TfliteNode *node)
{
  const TfliteTensor *filter = tflite_in (builder, node, 1);
  return !builder->portable && filter->dtype == FORGE_INT8 &&
         !filter->is_widened && filter->data.count > 0 &&
         tflite_out (builder, node)->dtype == FORGE_FLOAT32;
}

/* One scale for each of @n_out channels. */
static ForgeValue *
hybrid_scales (TfliteBuilder *builder, const TfliteNode *node,
    const TfliteTensor *filter, int64_t n_out, GError **error)
{
  ForgeShape shape = { 1, { n_out } };
  uint32_t n_scales = filter->scales.count;
  if (!tflite_need_scale (builder, node, filter, error))
    return NULL;
  if (n_scales > 1 && n_scales != n_out) {
    tflite_fail (builder, node, error, FORGE_ERROR_FORMAT,
        "%u scales for %" G_GINT64_FORMAT " channels", n_scales, n_out);
    return NULL;
  }
  g_autoptr (ForgeTensor) made =
      forge_tensor_new (FORGE_FLOAT32, &shape, error);
  for (int64_t o = 0; made && o < n_out; o++)
    ((float *) made->data)[o] =
        tflite_vector_f32 (filter->scales, n_scales > 1 ? (uint32_t) o : 0);
  return made ? tflite_add_constant (builder, made) : NULL;
}

/* Takes @attrs. @weights are 4-dimensional, NHWC as @in. */
static ForgeValue *
emit_hybrid (TfliteBuilder *builder, const TfliteNode *node, ForgeValue *in,
    ForgeTensor *weights, int64_t n_out, gboolean symmetric, ForgeAttrs *attrs,
    GError **error)
{
  const TfliteTensor *filter = tflite_in (builder, node, 1);
  gboolean has_bias = tflite_in (builder, node, 2) != NULL;
  ForgeValue *inputs[] = { in, tflite_add_constant (builder, weights),
    hybrid_scales (builder, node, filter, n_out, error), NULL };
  if (inputs[2] && has_bias)
    inputs[3] = tflite_bias (builder, node, error);
  forge_attrs_set_int (attrs, "symmetric", symmetric);
  if (inputs[2] && (inputs[3] || !has_bias))
    return tflite_emit (builder, node, "TfliteHybrid", "forge", attrs, inputs,
        has_bias ? 4 : 3, error);
  forge_attrs_free (attrs);
  return NULL;
}

static ForgeValue *
hybrid_conv (TfliteBuilder *builder, const TfliteNode *node, GError **error)
{
  gboolean depthwise = node->code == TFLITE_DEPTHWISE_CONV_2D;
  const TfliteTensor *filter = tflite_in (builder, node, 1);
  ForgeValue *in =
      tflite_value (builder, node, tflite_in (builder, node, 0), error);
  g_autoptr (ForgeTensor) weights =
      in ? tflite_constant (builder, node, filter, error) : NULL;
  if (!weights)
    return NULL;
  int64_t n_out = weights->shape.dims[depthwise ? 3 : 0];
  ForgeAttrs *attrs = tflite_window (builder, node, depthwise, FALSE,
      weights->shape.dims[1], weights->shape.dims[2]);
  forge_attrs_set_int (attrs, "depthwise", depthwise);
  return emit_hybrid (builder, node, in, weights, n_out,
      !depthwise && filter->scales.count != n_out, attrs, error);
}

static gboolean
need_filter (const TfliteBuilder *builder, const TfliteNode *node, int rank,
    GError **error)
{
  const TfliteTensor *filter = tflite_in (builder, node, 1);
  if (filter && filter->shape.rank == rank)
    return TRUE;
  return tflite_fail (builder, node, error, FORGE_ERROR_SHAPE,
      "expected weights of %d dimensions", rank);
}

gboolean
tflite_build_conv (
    TfliteBuilder *builder, const TfliteNode *node, GError **error)
{
  gboolean depthwise = node->code == TFLITE_DEPTHWISE_CONV_2D;
  int activation = tflite_u8 (node->options, depthwise ? 4 : 3, 0);
  if (!need_filter (builder, node, 4, error))
    return FALSE;
  const TfliteTensor *filter = tflite_in (builder, node, 1);
  if (is_hybrid (builder, node))
    return tflite_set (builder, node, 0,
        tflite_activate (builder, node, activation,
            hybrid_conv (builder, node, error), error));
  gboolean has_bias = tflite_in (builder, node, 2) != NULL;
  ForgeValue *inputs[] = {
    tflite_nchw (builder, node, tflite_in (builder, node, 0), error), NULL, NULL
  };
  if (inputs[0])
    inputs[1] = tflite_weights (builder, node, filter,
        depthwise ? ihwo_to_oihw : ohwi_to_oihw, 0, error);
  if (inputs[1] && has_bias)
    inputs[2] = tflite_bias (builder, node, error);
  if (!inputs[1] || (has_bias && !inputs[2]))
    return FALSE;
  const int64_t *w = inputs[1]->shape.dims;
  ForgeAttrs *attrs =
      tflite_window (builder, node, depthwise, FALSE, w[2], w[3]);
  int64_t in_channels = inputs[0]->shape.dims[1];
  forge_attrs_set_int (attrs, "group",
      depthwise  ? in_channels
      : w[1] > 0 ? in_channels / w[1]
                 : 1);
  ForgeValue *value = tflite_emit (
      builder, node, "Conv", "", attrs, inputs, has_bias ? 3 : 2, error);
  return tflite_set_nchw (builder, node,
      tflite_activate (builder, node, activation, value, error), error);
}

/* Padding of the convolution whose transpose it is: pads and, where the
 * output has more than the taps reach, output_padding. */
static gboolean
set_transposed_extent (ForgeAttrs *attrs, const TfliteNode *node,
    const int64_t in[2], const int64_t kernel[2], const int64_t wanted[2])
{
  int64_t pads[4], extra[2];
  int64_t strides[] = { tflite_i32 (node->options, 2, 0),
    tflite_i32 (node->options, 1, 0) };
  gboolean same = tflite_u8 (node->options, 0, 0) == 0;
  for (int i = 0; i < 2; i++) {
    if (strides[i] < 1 || strides[i] > INT16_MAX || wanted[i] < 1 ||
        in[i] < 1 || in[i] > INT32_MAX || kernel[i] < 1)
      return FALSE;
    int64_t steps = (wanted[i] + strides[i] - 1) / strides[i];
    int64_t total = same ? (steps - 1) * strides[i] + kernel[i] - wanted[i] : 0;
    pads[i] = MAX (total, 0) / 2;
    int64_t after = (in[i] - 1) * strides[i] + kernel[i] - pads[i] - wanted[i];
    pads[2 + i] = MAX (after, 0);
    extra[i] = MAX (-after, 0);
  }
  forge_attrs_set_ints (attrs, "strides", strides, 2);
  forge_attrs_set_ints (attrs, "pads", pads, 4);
  forge_attrs_set_ints (attrs, "output_padding", extra, 2);
  return TRUE;
}

gboolean
tflite_build_transpose_conv (
    TfliteBuilder *builder, const TfliteNode *node, GError **error)
{
  int64_t size[FORGE_MAX_DIMS * 2];
  int n_size;
  gboolean has_bias = tflite_in (builder, node, 3) != NULL;
  if (!need_filter (builder, node, 4, error) ||
      !tflite_int_constant (
          builder, node, tflite_in (builder, node, 0), size, &n_size, error))
    return FALSE;
  ForgeValue *inputs[] = {
    tflite_nchw (builder, node, tflite_in (builder, node, 2), error), NULL, NULL
  };
  if (inputs[0])
    inputs[1] = tflite_weights (
        builder, node, tflite_in (builder, node, 1), ohwi_to_iohw, 1, error);
  if (inputs[1] && has_bias)
    inputs[2] = tflite_bias (builder, node, error);
  if (!inputs[1] || (has_bias && !inputs[2]))
    return FALSE;
  ForgeAttrs *attrs = forge_attrs_new ();
  if (n_size != 4 ||
      !set_transposed_extent (attrs, node, inputs[0]->shape.dims + 2,
          inputs[1]->shape.dims + 2, size + 1)) {
    forge_attrs_free (attrs);
    return tflite_fail (builder, node, error, FORGE_ERROR_SHAPE,
        "strides, weights and output shape do not go together");
  }
  ForgeValue *value = tflite_emit (builder, node, "ConvTranspose", "", attrs,
      inputs, has_bias ? 3 : 2, error);
  value = tflite_activate (
      builder, node, tflite_u8 (node->options, 3, 0), value, error);
  return tflite_set_nchw (builder, node, value, error);
}

gboolean
tflite_build_pool (
    TfliteBuilder *builder, const TfliteNode *node, GError **error)
{
  ForgeValue *in =
      tflite_nchw (builder, node, tflite_in (builder, node, 0), error);
  if (!in)
    return FALSE;
  ForgeAttrs *attrs = tflite_window (builder, node, FALSE, TRUE,
      tflite_i32 (node->options, 4, 0), tflite_i32 (node->options, 3, 0));
  ForgeValue *value = tflite_emit (builder, node,
      node->code == TFLITE_MAX_POOL_2D ? "MaxPool" : "AveragePool", "", attrs,
      &in, 1, error);
  value = tflite_activate (
      builder, node, tflite_u8 (node->options, 5, 0), value, error);
  return tflite_set_nchw (builder, node, value, error);
}

ForgeValue *
tflite_reshape (TfliteBuilder *builder, const TfliteNode *node,
    ForgeValue *value, const int64_t *target, guint n_target, GError **error)
{
  ForgeValue *inputs[] = { value, tflite_ints (builder, target, n_target) };
  return tflite_emit (builder, node, "Reshape", "", NULL, inputs, 2, error);
}

ForgeValue *
tflite_keep_num_dims (TfliteBuilder *builder, const TfliteNode *node,
    const ForgeValue *in, ForgeValue *value, GError **error)
{
  int64_t target[FORGE_MAX_DIMS];
  int rank = in->shape.rank;
  if (!value || rank == 2 || rank < 1 || !tflite_u8 (node->options, 2, 0))
    return value;
  for (int i = 0; i < rank - 1; i++)
    target[i] = in->shape.dims[i];
  target[rank - 1] = value->shape.dims[1];
  return tflite_reshape (builder, node, value, target, (guint) rank, error);
}

static ForgeValue *
hybrid_dense (TfliteBuilder *builder, const TfliteNode *node, ForgeValue *in,
    GError **error)
{
  const TfliteTensor *filter = tflite_in (builder, node, 1);
  int64_t n_out = filter->shape.dims[0], depth = filter->shape.dims[1];
  const int64_t pixels[] = { -1, 1, 1, depth }, rows[] = { -1, n_out };
  g_autoptr (ForgeTensor) weights =
      tflite_constant (builder, node, filter, error);
  if (!weights)
    return NULL;
  weights->shape = (ForgeShape) { 4, { n_out, 1, 1, depth } };
  in = tflite_reshape (builder, node, in, pixels, 4, error);
  if (!in)
    return NULL;
  ForgeValue *value = emit_hybrid (builder, node, in, weights, n_out,
      !tflite_u8 (node->options, 3, 0), forge_attrs_new (), error);
  return value ? tflite_reshape (builder, node, value, rows, 2, error) : NULL;
}

static ForgeValue *
float_dense (TfliteBuilder *builder, const TfliteNode *node, ForgeValue *in,
    GError **error)
{
  const TfliteTensor *filter = tflite_in (builder, node, 1);
  gboolean has_bias = tflite_in (builder, node, 2) != NULL;
  ForgeValue *inputs[] = { in,
    tflite_weights (builder, node, filter, NULL, 0, error), NULL };
  if (inputs[1] && has_bias)
    inputs[2] = tflite_bias (builder, node, error);
  if (!inputs[1] || (has_bias && !inputs[2]))
    return NULL;
  /* anything before the last elements is batch */
  const int64_t target[] = { -1, filter->shape.dims[1] };
  if (in->shape.rank != 2)
    inputs[0] = tflite_reshape (builder, node, in, target, 2, error);
  if (!inputs[0])
    return NULL;
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_int (attrs, "transB", 1);
  return tflite_emit (
      builder, node, "Gemm", "", attrs, inputs, has_bias ? 3 : 2, error);
}

gboolean
tflite_build_dense (
    TfliteBuilder *builder, const TfliteNode *node, GError **error)
{
  if (!need_filter (builder, node, 2, error))
    return FALSE;
  if (tflite_u8 (node->options, 1, 0) != 0)
    return tflite_fail (builder, node, error, FORGE_ERROR_UNSUPPORTED,
        "weights in a shuffled order");
  ForgeValue *in =
      tflite_real (builder, node, tflite_in (builder, node, 0), error);
  if (!in)
    return FALSE;
  ForgeValue *value = is_hybrid (builder, node)
                          ? hybrid_dense (builder, node, in, error)
                          : float_dense (builder, node, in, error);
  value = tflite_activate (
      builder, node, tflite_u8 (node->options, 0, 0), value, error);
  value = tflite_keep_num_dims (builder, node, in, value, error);
  return tflite_set_real (builder, node, value, error);
}

/* The last two extents exchanged. */
ForgeValue *
tflite_adjoint (TfliteBuilder *builder, const TfliteNode *node,
    ForgeValue *value, GError **error)
{
  int64_t perm[FORGE_MAX_DIMS];
  int rank = value->shape.rank;
  for (int i = 0; i < rank; i++)
    perm[i] = i;
  if (rank >= 2) {
    perm[rank - 2] = rank - 1;
    perm[rank - 1] = rank - 2;
  }
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_ints (attrs, "perm", perm, (gsize) rank);
  return tflite_emit (builder, node, "Transpose", "", attrs, &value, 1, error);
}

gboolean
tflite_build_matmul (
    TfliteBuilder *builder, const TfliteNode *node, GError **error)
{
  ForgeValue *inputs[2];
  for (guint i = 0; i < 2; i++) {
    inputs[i] =
        tflite_real (builder, node, tflite_in (builder, node, i), error);
    if (inputs[i] && tflite_u8 (node->options, (int) i, 0))
      inputs[i] = tflite_adjoint (builder, node, inputs[i], error);
    if (!inputs[i])
      return FALSE;
  }
  return tflite_set_real (builder, node,
      tflite_emit (builder, node, "MatMul", "", NULL, inputs, 2, error), error);
}

/* Of NCHW to the two extents of a constant, as the coordinates say. */
static ForgeValue *
emit_resize (TfliteBuilder *builder, const TfliteNode *node, ForgeValue *in,
    const char *mode, const char *coordinates, const char *rounding,
    GError **error)
{
  int64_t size[FORGE_MAX_DIMS * 2];
  int n_size;
  if (!tflite_int_constant (
          builder, node, tflite_in (builder, node, 1), size, &n_size, error))
    return NULL;
  if (n_size != 2 || in->shape.dims[2] < 1 || in->shape.dims[3] < 1) {
    tflite_fail (builder, node, error, FORGE_ERROR_SHAPE,
        "expected the new height and width of a picture of known size");
    return NULL;
  }
  const ForgeShape four = forge_shape (1, 4);
  g_autoptr (ForgeTensor) scales =
      forge_tensor_new (FORGE_FLOAT32, &four, error);
  if (!scales)
    return NULL;
  float *scale = scales->data;
  scale[0] = scale[1] = 1;
  for (int i = 0; i < 2; i++) {
    float extent = (float) in->shape.dims[2 + i];
    scale[2 + i] = (float) size[i] / extent;
    /* the operator rounds the product down */
    if (floorf (extent * scale[2 + i]) < (float) size[i])
      scale[2 + i] = nextafterf (scale[2 + i], INFINITY);
  }
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_string (attrs, "mode", mode);
  forge_attrs_set_string (attrs, "coordinate_transformation_mode", coordinates);
  forge_attrs_set_string (attrs, "nearest_mode", rounding);
  if (in->shape.dims[0] >= 0) {
    const int64_t sizes[] = { in->shape.dims[0], in->shape.dims[1], size[0],
      size[1] };
    ForgeValue *inputs[] = { in, NULL, NULL, tflite_ints (builder, sizes, 4) };
    return tflite_emit (builder, node, "Resize", "", attrs, inputs, 4, error);
  }
  /* with an open batch there is no list of extents to ask for */
  ForgeValue *inputs[] = { in, NULL, tflite_add_constant (builder, scales) };
  return tflite_emit (builder, node, "Resize", "", attrs, inputs, 3, error);
}

gboolean
tflite_build_resize (
    TfliteBuilder *builder, const TfliteNode *node, GError **error)
{
  ForgeValue *in =
      tflite_nchw (builder, node, tflite_in (builder, node, 0), error);
  const char *coordinates = tflite_u8 (node->options, 2, 0)   ? "align_corners"
                            : tflite_u8 (node->options, 3, 0) ? "half_pixel"
                                                              : "asymmetric";
  return in && tflite_set_nchw (builder, node,
                   emit_resize (builder, node, in, "linear", coordinates,
                       "floor", error),
                   error);
}

/* On bytes too: by gathering rows and columns. */
gboolean
tflite_build_resize_nearest (
    TfliteBuilder *builder, const TfliteNode *node, GError **error)
{
  ForgeValue *value =
      tflite_value (builder, node, tflite_in (builder, node, 0), error);
  gboolean align = tflite_u8 (node->options, 0, 0) != 0;
  float offset = tflite_u8 (node->options, 1, 0) ? 0.5f : 0;
  int64_t size[FORGE_MAX_DIMS * 2];
  int n_size;
  if (!value || !tflite_int_constant (builder, node,
                    tflite_in (builder, node, 1), size, &n_size, error))
    return FALSE;
  if (n_size != 2 || value->shape.rank != 4)
    return tflite_fail (builder, node, error, FORGE_ERROR_SHAPE,
        "expected a picture and its new height and width");
  for (int axis = 1; axis <= 2; axis++) {
    int64_t extent = value->shape.dims[axis], wanted = size[axis - 1];
    if (extent < 1 || extent > INT16_MAX || wanted < 1 || wanted > INT16_MAX)
      return tflite_fail (builder, node, error, FORGE_ERROR_SHAPE,
          "from %" G_GINT64_FORMAT " to %" G_GINT64_FORMAT " pixels", extent,
          wanted);
    g_autofree int64_t *from = g_new (int64_t, (gsize) wanted);
    float scale = align && wanted > 1
                      ? (float) (extent - 1) / (float) (wanted - 1)
                      : (float) extent / (float) wanted;
    for (int64_t i = 0; i < wanted; i++) {
      float at = ((float) i + offset) * scale;
      from[i] = MIN ((int64_t) (align ? at + 0.5f : at), extent - 1);
    }
    value =
        tflite_take (builder, node, value, from, (guint) wanted, axis, error);
    if (!value)
      return FALSE;
  }
  return tflite_set (builder, node, 0, value);
}
