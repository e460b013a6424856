/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What TensorFlow Lite does to whole tensors without a look at the elements:
 * RESHAPE and its kind, TRANSPOSE, paddings, TILE, BROADCAST_TO, SHAPE, and
 * the exchange of pixels with channels or with the batch. Any type. */
#include "formats/tflite.h"

static ForgeValue *
input (TfliteBuilder *builder, const TfliteNode *node, GError **error)
{
  return tflite_value (builder, node, tflite_in (builder, node, 0), error);
}

/* The target from the constant, the options or, where the file computes it
 * from a SHAPE, from the extents the file gives to the output. */
static gboolean
reshape_target (const TfliteBuilder *builder, const TfliteNode *node,
    int64_t target[FORGE_MAX_DIMS * 2], int *n_target, GError **error)
{
  const TfliteTensor *shape = tflite_in (builder, node, 1);
  const TfliteTensor *in = tflite_in (builder, node, 0);
  const TfliteTensor *out = tflite_out (builder, node);
  TfliteVector option = tflite_vector (node->options, 0, 4);
  gboolean known = shape && (shape->value ? shape->value->constant != NULL
                                          : shape->data.count > 0);
  if (known) {
    if (!tflite_int_constant (builder, node, shape, target, n_target, error))
      return FALSE;
  } else if (!shape && option.count > 0 && option.count <= FORGE_MAX_DIMS) {
    *n_target = (int) option.count;
    for (uint32_t i = 0; i < option.count; i++)
      target[i] = tflite_vector_i32 (option, i);
  } else {
    *n_target = out->shape.rank;
    for (int i = 0; i < out->shape.rank; i++)
      target[i] = out->shape.dims[i];
  }
  /* One picture in the constant, any number in the file's input. */
  gboolean is_open = in && in->value && in->value->shape.rank > 0 &&
                     in->value->shape.dims[0] < 0;
  gboolean has_open = FALSE;
  for (int i = 0; i < *n_target; i++)
    has_open |= target[i] < 0;
  if (is_open && !has_open && *n_target > 1 && target[0] == 1)
    target[0] = -1;
  return TRUE;
}

gboolean
tflite_build_reshape (
    TfliteBuilder *builder, const TfliteNode *node, GError **error)
{
  int64_t target[FORGE_MAX_DIMS * 2];
  int n_target;
  ForgeValue *value = input (builder, node, error);
  return value && reshape_target (builder, node, target, &n_target, error) &&
         tflite_set (builder, node, 0,
             tflite_reshape (
                 builder, node, value, target, (guint) n_target, error));
}

gboolean
tflite_build_squeeze (
    TfliteBuilder *builder, const TfliteNode *node, GError **error)
{
  ForgeValue *value = input (builder, node, error);
  TfliteVector dims = tflite_vector (node->options, 0, 4);
  int64_t axes[FORGE_MAX_DIMS];
  int n_axes = 0;
  if (!value || dims.count > FORGE_MAX_DIMS)
    return value && tflite_fail (builder, node, error, FORGE_ERROR_FORMAT,
                        "too many axes");
  for (uint32_t i = 0; i < dims.count; i++)
    axes[n_axes++] = tflite_vector_i32 (dims, i);
  for (int i = 0; i < value->shape.rank && dims.count == 0; i++)
    if (value->shape.dims[i] == 1)
      axes[n_axes++] = i;
  ForgeValue *inputs[] = { value, tflite_ints (builder, axes, (guint) n_axes) };
  return tflite_set (builder, node, 0,
      tflite_emit (builder, node, "Squeeze", "", NULL, inputs, 2, error));
}

gboolean
tflite_build_expand_dims (
    TfliteBuilder *builder, const TfliteNode *node, GError **error)
{
  int64_t axis[FORGE_MAX_DIMS * 2];
  int n_axes;
  ForgeValue *value = input (builder, node, error);
  if (!value || !tflite_int_constant (builder, node,
                    tflite_in (builder, node, 1), axis, &n_axes, error))
    return FALSE;
  ForgeValue *inputs[] = { value, tflite_ints (builder, axis, 1) };
  return tflite_set (builder, node, 0,
      tflite_emit (builder, node, "Unsqueeze", "", NULL, inputs, 2, error));
}

static ForgeValue *
transpose (TfliteBuilder *builder, const TfliteNode *node, ForgeValue *value,
    const int64_t *perm, int n_perm, GError **error)
{
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_ints (attrs, "perm", perm, (gsize) n_perm);
  if (value)
    return tflite_emit (
        builder, node, "Transpose", "", attrs, &value, 1, error);
  forge_attrs_free (attrs);
  return NULL;
}

gboolean
tflite_build_transpose (
    TfliteBuilder *builder, const TfliteNode *node, GError **error)
{
  int64_t perm[FORGE_MAX_DIMS * 2];
  int n_perm;
  ForgeValue *value = input (builder, node, error);
  return value &&
         tflite_int_constant (builder, node, tflite_in (builder, node, 1), perm,
             &n_perm, error) &&
         tflite_set (builder, node, 0,
             transpose (builder, node, value, perm, n_perm, error));
}

/* What PAD fills with: the value given, else zero, which for bytes is the
 * zero point. */
static ForgeValue *
pad_value (TfliteBuilder *builder, const TfliteNode *node, GError **error)
{
  TfliteTensor *given = tflite_in (builder, node, 2);
  const TfliteTensor *in = tflite_in (builder, node, 0);
  if (node->code == TFLITE_PADV2 && given)
    return tflite_value (builder, node, given, error);
  ForgeShape scalar = forge_shape (0);
  g_autoptr (ForgeTensor) zero =
      forge_tensor_new (in->value->dtype, &scalar, error);
  if (!zero)
    return NULL;
  if (in->value->dtype == FORGE_UINT8 || in->value->dtype == FORGE_INT8)
    *(uint8_t *) zero->data = (uint8_t) tflite_zero (in);
  return tflite_add_constant (builder, zero);
}

/* @pairs: before and after, of every axis. */
static ForgeValue *
pad (TfliteBuilder *builder, const TfliteNode *node, ForgeValue *value,
    const int64_t *pairs, int n_pairs, GError **error)
{
  int64_t pads[FORGE_MAX_DIMS * 2];
  for (int i = 0; i < n_pairs; i++) {
    pads[i] = pairs[2 * i];
    pads[n_pairs + i] = pairs[2 * i + 1];
  }
  ForgeValue *inputs[] = { value,
    tflite_ints (builder, pads, (guint) n_pairs * 2),
    pad_value (builder, node, error) };
  return inputs[2]
             ? tflite_emit (builder, node, "Pad", "", NULL, inputs, 3, error)
             : NULL;
}

gboolean
tflite_build_pad (
    TfliteBuilder *builder, const TfliteNode *node, GError **error)
{
  int64_t pairs[FORGE_MAX_DIMS * 2];
  int n_pairs;
  ForgeValue *value = input (builder, node, error);
  return value &&
         tflite_int_constant (builder, node, tflite_in (builder, node, 1),
             pairs, &n_pairs, error) &&
         tflite_set (builder, node, 0,
             pad (builder, node, value, pairs, n_pairs / 2, error));
}

gboolean
tflite_build_tile (
    TfliteBuilder *builder, const TfliteNode *node, GError **error)
{
  int64_t times[FORGE_MAX_DIMS * 2];
  int n_times;
  ForgeValue *value = input (builder, node, error);
  if (!value || !tflite_int_constant (builder, node,
                    tflite_in (builder, node, 1), times, &n_times, error))
    return FALSE;
  ForgeValue *inputs[] = { value,
    tflite_ints (builder, times, (guint) n_times) };
  return tflite_set (builder, node, 0,
      tflite_emit (builder, node, "Tile", "", NULL, inputs, 2, error));
}

gboolean
tflite_build_broadcast_to (
    TfliteBuilder *builder, const TfliteNode *node, GError **error)
{
  int64_t shape[FORGE_MAX_DIMS * 2];
  int n_shape;
  ForgeValue *value = input (builder, node, error);
  if (!value || !tflite_int_constant (builder, node,
                    tflite_in (builder, node, 1), shape, &n_shape, error))
    return FALSE;
  ForgeValue *inputs[] = { value,
    tflite_ints (builder, shape, (guint) n_shape) };
  return tflite_set (builder, node, 0,
      tflite_emit (builder, node, "Expand", "", NULL, inputs, 2, error));
}

gboolean
tflite_build_shape (
    TfliteBuilder *builder, const TfliteNode *node, GError **error)
{
  ForgeValue *value = input (builder, node, error);
  if (value)
    value = tflite_emit (builder, node, "Shape", "", NULL, &value, 1, error);
  if (value && tflite_out (builder, node)->dtype == FORGE_INT32) {
    ForgeAttrs *attrs = forge_attrs_new ();
    forge_attrs_set_int (attrs, "to", FORGE_INT32);
    value = tflite_emit (builder, node, "Cast", "", attrs, &value, 1, error);
  }
  return tflite_set (builder, node, 0, value);
}

/* TensorFlow Lite has the pixels of a block before the channels, as ONNX,
 * whose runtimes know it of floats. */
gboolean
tflite_build_space_depth (
    TfliteBuilder *builder, const TfliteNode *node, GError **error)
{
  static const int64_t to_nchw[] = { 0, 3, 1, 2 }, to_nhwc[] = { 0, 2, 3, 1 };
  gboolean to_depth = node->code == TFLITE_SPACE_TO_DEPTH;
  TfliteTensor *in = tflite_in (builder, node, 0);
  ForgeValue *value = builder->portable
                          ? tflite_real (builder, node, in, error)
                          : tflite_value (builder, node, in, error);
  value = transpose (builder, node, value, to_nchw, 4, error);
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_int (attrs, "blocksize", tflite_i32 (node->options, 0, 0));
  if (!value) {
    forge_attrs_free (attrs);
    return FALSE;
  }
  value = tflite_emit (builder, node,
      to_depth ? "SpaceToDepth" : "DepthToSpace", "", attrs, &value, 1, error);
  value = transpose (builder, node, value, to_nhwc, 4, error);
  return builder->portable ? tflite_set_real (builder, node, value, error)
                           : tflite_set (builder, node, 0, value);
}

/* block [2] and pads or crops [2, 2]. */
static gboolean
read_block (TfliteBuilder *builder, const TfliteNode *node,
    const ForgeValue *value, int64_t block[FORGE_MAX_DIMS * 2],
    int64_t edges[FORGE_MAX_DIMS * 2], GError **error)
{
  int n_block, n_edges;
  if (!value ||
      !tflite_int_constant (builder, node, tflite_in (builder, node, 1), block,
          &n_block, error) ||
      !tflite_int_constant (
          builder, node, tflite_in (builder, node, 2), edges, &n_edges, error))
    return FALSE;
  if (value->shape.rank == 4 && n_block == 2 && n_edges == 4 && block[0] >= 1 &&
      block[0] <= INT16_MAX && block[1] >= 1 && block[1] <= INT16_MAX &&
      value->shape.dims[1] >= 0 && value->shape.dims[2] >= 0 &&
      value->shape.dims[3] >= 0)
    return TRUE;
  return tflite_fail (builder, node, error, FORGE_ERROR_UNSUPPORTED,
      "expected a picture and blocks of height and width");
}

/* [N, H / b, b, W / b, b, C] to [b, b, N, H / b, W / b, C] */
gboolean
tflite_build_space_to_batch (
    TfliteBuilder *builder, const TfliteNode *node, GError **error)
{
  static const int64_t perm[] = { 2, 4, 0, 1, 3, 5 };
  int64_t b[FORGE_MAX_DIMS * 2], edges[FORGE_MAX_DIMS * 2];
  ForgeValue *value = input (builder, node, error);
  if (!read_block (builder, node, value, b, edges, error))
    return FALSE;
  const int64_t pairs[] = { 0, 0, edges[0], edges[1], edges[2], edges[3], 0,
    0 };
  value = pad (builder, node, value, pairs, 4, error);
  if (!value)
    return FALSE;
  const int64_t *d = value->shape.dims;
  if (d[1] % b[0] != 0 || d[2] % b[1] != 0)
    return tflite_fail (builder, node, error, FORGE_ERROR_SHAPE,
        "%" G_GINT64_FORMAT " x %" G_GINT64_FORMAT
        " padded pixels are no whole number of blocks",
        d[1], d[2]);
  const int64_t apart[] = { -1, d[1] / b[0], b[0], d[2] / b[1], b[1], d[3] };
  const int64_t target[] = { -1, d[1] / b[0], d[2] / b[1], d[3] };
  value = tflite_reshape (builder, node, value, apart, 6, error);
  value = transpose (builder, node, value, perm, 6, error);
  return value && tflite_set (builder, node, 0,
                      tflite_reshape (builder, node, value, target, 4, error));
}

gboolean
tflite_build_batch_to_space (
    TfliteBuilder *builder, const TfliteNode *node, GError **error)
{
  static const int64_t perm[] = { 2, 3, 0, 4, 1, 5 };
  int64_t b[FORGE_MAX_DIMS * 2], crops[FORGE_MAX_DIMS * 2];
  ForgeValue *value = input (builder, node, error);
  if (!read_block (builder, node, value, b, crops, error))
    return FALSE;
  const int64_t *d = value->shape.dims;
  if (d[1] > INT32_MAX || d[2] > INT32_MAX)
    return tflite_fail (
        builder, node, error, FORGE_ERROR_SHAPE, "too many pixels");
  const int64_t apart[] = { b[0], b[1], -1, d[1], d[2], d[3] };
  const int64_t target[] = { -1, d[1] * b[0], d[2] * b[1], d[3] };
  const int64_t starts[] = { crops[0], crops[2] };
  const int64_t ends[] = { target[1] - crops[1], target[2] - crops[3] };
  static const int64_t axes[] = { 1, 2 };
  value = tflite_reshape (builder, node, value, apart, 6, error);
  value = transpose (builder, node, value, perm, 6, error);
  if (value)
    value = tflite_reshape (builder, node, value, target, 4, error);
  if (!value)
    return FALSE;
  ForgeValue *inputs[] = { value, tflite_ints (builder, starts, 2),
    tflite_ints (builder, ends, 2), tflite_ints (builder, axes, 2) };
  return tflite_set (builder, node, 0,
      tflite_emit (builder, node, "Slice", "", NULL, inputs, 4, error));
}
