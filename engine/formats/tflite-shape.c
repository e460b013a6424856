/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * RESHAPE, SQUEEZE, TRANSPOSE, PAD and PADV2 of TensorFlow Lite, which do not
 * care about the type of the elements. */
#include "formats/tflite.h"

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
  if (shape && shape->data.count > 0) {
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

static ForgeValue *
build_reshape (TfliteBuilder *builder, const TfliteNode *node,
    ForgeValue *value, GError **error)
{
  int64_t target[FORGE_MAX_DIMS * 2];
  int n_target;
  if (!reshape_target (builder, node, target, &n_target, error))
    return NULL;
  ForgeValue *inputs[] = { value,
    tflite_ints (builder, target, (guint) n_target) };
  return tflite_emit (builder, node, "Reshape", "", NULL, inputs, 2, error);
}

static ForgeValue *
build_squeeze (TfliteBuilder *builder, const TfliteNode *node,
    ForgeValue *value, GError **error)
{
  TfliteVector dims = tflite_vector (node->options, 0, 4);
  int64_t axes[FORGE_MAX_DIMS];
  int n_axes = 0;
  if (dims.count > FORGE_MAX_DIMS) {
    tflite_fail (builder, node, error, FORGE_ERROR_FORMAT, "too many axes");
    return NULL;
  }
  for (uint32_t i = 0; i < dims.count; i++)
    axes[n_axes++] = tflite_vector_i32 (dims, i);
  for (int i = 0; i < value->shape.rank && dims.count == 0; i++)
    if (value->shape.dims[i] == 1)
      axes[n_axes++] = i;
  ForgeValue *inputs[] = { value, tflite_ints (builder, axes, (guint) n_axes) };
  return tflite_emit (builder, node, "Squeeze", "", NULL, inputs, 2, error);
}

static ForgeValue *
build_transpose (TfliteBuilder *builder, const TfliteNode *node,
    ForgeValue *value, GError **error)
{
  int64_t perm[FORGE_MAX_DIMS * 2];
  int n_perm;
  if (!tflite_int_constant (
          builder, node, tflite_in (builder, node, 1), perm, &n_perm, error))
    return NULL;
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_ints (attrs, "perm", perm, (gsize) n_perm);
  return tflite_emit (builder, node, "Transpose", "", attrs, &value, 1, error);
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

static ForgeValue *
build_pad (TfliteBuilder *builder, const TfliteNode *node, ForgeValue *value,
    GError **error)
{
  int64_t pairs[FORGE_MAX_DIMS * 2], pads[FORGE_MAX_DIMS * 2];
  int n_pairs;
  if (!tflite_int_constant (
          builder, node, tflite_in (builder, node, 1), pairs, &n_pairs, error))
    return NULL;
  for (int i = 0; i < n_pairs / 2; i++) {
    pads[i] = pairs[2 * i];
    pads[n_pairs / 2 + i] = pairs[2 * i + 1];
  }
  ForgeValue *inputs[] = { value,
    tflite_ints (builder, pads, (guint) (n_pairs / 2 * 2)),
    pad_value (builder, node, error) };
  return inputs[2]
             ? tflite_emit (builder, node, "Pad", "", NULL, inputs, 3, error)
             : NULL;
}

gboolean
tflite_build_shape (
    TfliteBuilder *builder, const TfliteNode *node, GError **error)
{
  TfliteTensor *out = tflite_out (builder, node);
  ForgeValue *value =
      tflite_value (builder, node, tflite_in (builder, node, 0), error);
  if (!value)
    return FALSE;
  switch (node->code) {
  case TFLITE_RESHAPE:
    out->value = build_reshape (builder, node, value, error);
    break;
  case TFLITE_SQUEEZE:
    out->value = build_squeeze (builder, node, value, error);
    break;
  case TFLITE_TRANSPOSE:
    out->value = build_transpose (builder, node, value, error);
    break;
  default:
    out->value = build_pad (builder, node, value, error);
  }
  return out->value != NULL;
}
