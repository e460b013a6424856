/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * TensorProto to tensor. Values come as little-endian raw bytes, as one of
 * the typed fields, or from a file beside the model (onnx-external.c). Memory
 * is taken only after the values have been counted, so a shape alone never
 * makes us allocate.
 * Source: onnx.proto, TensorProto ("float16 values are bit-wise converted to
 * uint16 and stored in int32_data"). */
#include "formats/onnx.h"

#include <string.h>

#include "tensor/tensor.h"

G_STATIC_ASSERT (G_BYTE_ORDER == G_LITTLE_ENDIAN);

/* A typed field: its values widened to int64, or copied as they are. */
typedef struct {
  const char *name;
  size_t n_values;
  const void *values;
} Field;

static const char *
display_name (const ForgeOnnx__Tensor *proto)
{
  return proto->name && *proto->name ? proto->name : "(unnamed)";
}

static Field
typed_field (const ForgeOnnx__Tensor *proto, ForgeDtype dtype)
{
  switch (dtype) {
  case FORGE_FLOAT32:
    return (Field) { "float_data", proto->n_float_data, proto->float_data };
  case FORGE_FLOAT64:
    return (Field) { "double_data", proto->n_double_data, proto->double_data };
  case FORGE_INT64:
    return (Field) { "int64_data", proto->n_int64_data, proto->int64_data };
  case FORGE_UINT32:
  case FORGE_UINT64:
    return (Field) { "uint64_data", proto->n_uint64_data, proto->uint64_data };
  default:
    return (Field) { "int32_data", proto->n_int32_data, proto->int32_data };
  }
}

/* Stores one value of int32_data; FALSE when it does not fit. */
static gboolean
store_narrow (ForgeDtype dtype, void *data, size_t i, int32_t value)
{
  switch (dtype) {
  case FORGE_INT32:
    ((int32_t *) data)[i] = value;
    return TRUE;
  case FORGE_INT16:
    ((int16_t *) data)[i] = (int16_t) value;
    return value >= INT16_MIN && value <= INT16_MAX;
  case FORGE_INT8:
    ((int8_t *) data)[i] = (int8_t) value;
    return value >= INT8_MIN && value <= INT8_MAX;
  case FORGE_UINT8:
    ((uint8_t *) data)[i] = (uint8_t) value;
    return value >= 0 && value <= UINT8_MAX;
  case FORGE_BOOL:
    ((uint8_t *) data)[i] = value != 0;
    return TRUE;
  default: /* uint16, float16, bfloat16 */
    ((uint16_t *) data)[i] = (uint16_t) value;
    return value >= 0 && value <= UINT16_MAX;
  }
}

static gboolean
store_field (ForgeTensor *tensor, const Field *field)
{
  if (tensor->dtype == FORGE_UINT32) {
    const uint64_t *values = field->values;
    for (size_t i = 0; i < field->n_values; i++) {
      if (values[i] > UINT32_MAX)
        return FALSE;
      ((uint32_t *) tensor->data)[i] = (uint32_t) values[i];
    }
    return TRUE;
  }
  if (strcmp (field->name, "int32_data") == 0) {
    const int32_t *values = field->values;
    for (size_t i = 0; i < field->n_values; i++)
      if (!store_narrow (tensor->dtype, tensor->data, i, values[i]))
        return FALSE;
    return TRUE;
  }
  memcpy (tensor->data, field->values, tensor->size_bytes);
  return TRUE;
}

static ForgeTensor *
read_typed (ForgeOnnxReader *reader, const ForgeOnnx__Tensor *proto,
    const ForgeShape *shape, GError **error)
{
  ForgeDtype dtype = (ForgeDtype) proto->data_type;
  Field field = typed_field (proto, dtype);
  int64_t count = forge_shape_count (shape);
  if (field.n_values != (size_t) count) {
    g_autofree char *text = forge_shape_to_string (shape);
    forge_onnx_fail (reader->source, error, FORGE_ERROR_FORMAT,
        "tensor '%s': expected %" G_GINT64_FORMAT
        " values for %s of shape %s, found %zu in %s",
        display_name (proto), count, forge_dtype_name (dtype), text,
        field.n_values, field.name);
    return NULL;
  }
  g_autoptr (ForgeTensor) tensor = forge_tensor_new (dtype, shape, error);
  if (!tensor)
    return NULL;
  if (count > 0 && !store_field (tensor, &field)) {
    forge_onnx_fail (reader->source, error, FORGE_ERROR_FORMAT,
        "tensor '%s': a value in %s is out of the range of %s",
        display_name (proto), field.name, forge_dtype_name (dtype));
    return NULL;
  }
  return g_steal_pointer (&tensor);
}

static gboolean
check_raw (const ForgeOnnxReader *reader, const ForgeOnnx__Tensor *proto,
    const ForgeShape *shape, size_t size_bytes, GError **error)
{
  if (proto->raw_data.len == size_bytes)
    return TRUE;
  g_autofree char *text = forge_shape_to_string (shape);
  return forge_onnx_fail (reader->source, error, FORGE_ERROR_FORMAT,
      "tensor '%s': expected %zu bytes for %s of shape %s, found %zu",
      display_name (proto), size_bytes,
      forge_dtype_name ((ForgeDtype) proto->data_type), text,
      proto->raw_data.len);
}

/* @taken: the same as @proto where its values may leave it, else NULL. */
static ForgeTensor *
read_raw (ForgeOnnxReader *reader, const ForgeOnnx__Tensor *proto,
    ForgeOnnx__Tensor *taken, const ForgeShape *shape, size_t size_bytes,
    GError **error)
{
  ForgeDtype dtype = (ForgeDtype) proto->data_type;
  if (!check_raw (reader, proto, shape, size_bytes, error))
    return NULL;
  if (taken && size_bytes >= FORGE_ONNX_BLOCK_BYTES) {
    void *data = taken->raw_data.data;
    taken->raw_data = (ProtobufCBinaryData) { 0, NULL };
    return forge_tensor_new_taken (dtype, shape, data);
  }
  ForgeTensor *tensor = forge_tensor_new (dtype, shape, error);
  if (tensor && size_bytes > 0)
    memcpy (tensor->data, proto->raw_data.data, size_bytes);
  return tensor;
}

static gboolean
read_shape (const ForgeOnnxReader *reader, const ForgeOnnx__Tensor *proto,
    ForgeShape *shape, size_t *size_bytes, GError **error)
{
  const char *name = display_name (proto);
  if (proto->n_dims > FORGE_MAX_DIMS)
    return forge_onnx_fail (reader->source, error, FORGE_ERROR_UNSUPPORTED,
        "tensor '%s' has %zu dimensions; at most %d are supported", name,
        proto->n_dims, FORGE_MAX_DIMS);
  *shape = (ForgeShape) { .rank = (int) proto->n_dims };
  for (size_t i = 0; i < proto->n_dims; i++) {
    shape->dims[i] = proto->dims[i];
    if (proto->dims[i] < 0)
      return forge_onnx_fail (reader->source, error, FORGE_ERROR_FORMAT,
          "tensor '%s': dimension %zu is negative (%" G_GINT64_FORMAT ")", name,
          i, proto->dims[i]);
  }
  if (forge_dtype_size_bytes ((ForgeDtype) proto->data_type) == 0)
    return forge_onnx_fail (reader->source, error, FORGE_ERROR_UNSUPPORTED,
        "tensor '%s' has ONNX data type %d, which is not supported", name,
        proto->data_type);
  if (!forge_shape_size_bytes (
          shape, (ForgeDtype) proto->data_type, size_bytes)) {
    g_autofree char *text = forge_shape_to_string (shape);
    return forge_onnx_fail (reader->source, error, FORGE_ERROR_FORMAT,
        "tensor '%s': the size of shape %s overflows", name, text);
  }
  return TRUE;
}

/* Any byte but 0 is true; kernels count on 1. */
static void
normalise_bool (ForgeTensor *tensor)
{
  uint8_t *data = tensor->data;
  for (size_t i = 0; i < tensor->size_bytes; i++)
    data[i] = data[i] != 0;
}

static ForgeTensor *
read_tensor (ForgeOnnxReader *reader, const ForgeOnnx__Tensor *proto,
    ForgeOnnx__Tensor *taken, GError **error)
{
  ForgeShape shape;
  size_t size_bytes;
  if (!forge_onnx_check_text (
          reader->source, "a tensor's name", proto->name, error) ||
      !read_shape (reader, proto, &shape, &size_bytes, error))
    return NULL;
  if (proto->has_segment) {
    forge_onnx_fail (reader->source, error, FORGE_ERROR_UNSUPPORTED,
        "tensor '%s' is stored in segments, which is not supported",
        display_name (proto));
    return NULL;
  }
  /* a body is read once for every call of it */
  if (reader->scope && reader->scope->depth > 0 &&
      !forge_onnx_spend (reader, size_bytes, error))
    return NULL;
  ForgeTensor *tensor;
  if (proto->data_location == FORGE_ONNX_EXTERNAL)
    tensor =
        forge_onnx_read_external (reader, proto, &shape, size_bytes, error);
  else if (proto->has_raw_data)
    tensor = read_raw (reader, proto, taken, &shape, size_bytes, error);
  else
    tensor = read_typed (reader, proto, &shape, error);
  if (tensor && tensor->dtype == FORGE_BOOL)
    normalise_bool (tensor);
  return tensor;
}

ForgeTensor *
forge_onnx_read_tensor (
    ForgeOnnxReader *reader, const ForgeOnnx__Tensor *proto, GError **error)
{
  return read_tensor (reader, proto, NULL, error);
}

ForgeTensor *
forge_onnx_take_tensor (
    ForgeOnnxReader *reader, ForgeOnnx__Tensor *proto, GError **error)
{
  return read_tensor (reader, proto, proto, error);
}

ForgeTensor *
forge_onnx_parse_tensor (const uint8_t *bytes, size_t size_bytes,
    const ForgeSource *source, GError **error)
{
  ForgeOnnx__Tensor *proto =
      forge_onnx_unpack_tensor (bytes, size_bytes, source, error);
  if (!proto)
    return NULL;
  ForgeOnnxReader reader = { .source = source };
  ForgeTensor *tensor = forge_onnx_read_tensor (&reader, proto, error);
  forge_onnx__tensor__free_unpacked (proto, NULL);
  return tensor;
}
