/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Sparse initializers, filled up with zeros: our kernels are dense. A few bytes
 * can ask for any size here, so the result is bounded.
 * Source: onnx.proto, SparseTensorProto. */
#include <string.h>

#include "formats/onnx.h"
#include "tensor/tensor.h"

/* Of all sparse tensors of a model. */
#define MAX_BYTES ((uint64_t) 256 << 20)

static gboolean
fail (const ForgeOnnxReader *reader, const ForgeOnnx__SparseTensor *proto,
    GError **error, const char *text)
{
  return forge_onnx_fail (reader->source, error, FORGE_ERROR_FORMAT,
      "sparse initializer '%s': %s", proto->values->name, text);
}

static gboolean
read_dense_shape (ForgeOnnxReader *reader, const ForgeOnnx__SparseTensor *proto,
    ForgeShape *shape, GError **error)
{
  size_t size_bytes;
  if (proto->n_dims < 1 || proto->n_dims > FORGE_MAX_DIMS)
    return fail (reader, proto, error, "the number of dimensions is off");
  *shape = (ForgeShape) { .rank = (int) proto->n_dims };
  for (int i = 0; i < shape->rank; i++)
    shape->dims[i] = proto->dims[i];
  for (int i = 0; i < shape->rank; i++)
    if (shape->dims[i] < 0)
      return fail (reader, proto, error, "a dimension is negative");
  if (!forge_shape_size_bytes (
          shape, (ForgeDtype) proto->values->data_type, &size_bytes) ||
      size_bytes > MAX_BYTES - reader->sparse_bytes)
    return fail (
        reader, proto, error, "more than 256 MiB when the zeros are filled in");
  reader->sparse_bytes += size_bytes;
  return TRUE;
}

/* Indices are either places in the flat tensor, [n], or coordinates, [n,
 * rank]. */
static gboolean
flat_index (const ForgeShape *shape, const ForgeTensor *indices, size_t i,
    int64_t *flat)
{
  const int64_t *data = indices->data;
  if (indices->shape.rank == 1) {
    *flat = data[i];
    return *flat >= 0 && *flat < forge_shape_count (shape);
  }
  *flat = 0;
  for (int d = 0; d < shape->rank; d++) {
    int64_t at = data[i * (size_t) shape->rank + (size_t) d];
    if (at < 0 || at >= shape->dims[d])
      return FALSE;
    *flat = *flat * shape->dims[d] + at;
  }
  return TRUE;
}

static gboolean
check_parts (const ForgeOnnxReader *reader,
    const ForgeOnnx__SparseTensor *proto, const ForgeShape *shape,
    const ForgeTensor *values, const ForgeTensor *indices, GError **error)
{
  const ForgeShape *at = &indices->shape;
  gboolean fits =
      indices->dtype == FORGE_INT64 && values->shape.rank == 1 &&
      (at->rank == 1 || (at->rank == 2 && at->dims[1] == shape->rank)) &&
      at->dims[0] == values->shape.dims[0];
  return fits ||
         fail (reader, proto, error, "values and indices do not fit together");
}

ForgeTensor *
forge_onnx_read_sparse (ForgeOnnxReader *reader,
    const ForgeOnnx__SparseTensor *proto, GError **error)
{
  if (!proto->values || !proto->indices || !proto->values->name ||
      !*proto->values->name) {
    forge_onnx_fail (reader->source, error, FORGE_ERROR_FORMAT,
        "a sparse initializer without a name, values or indices");
    return NULL;
  }
  g_autoptr (ForgeTensor) values =
      forge_onnx_read_tensor (reader, proto->values, error);
  g_autoptr (ForgeTensor) indices =
      values ? forge_onnx_read_tensor (reader, proto->indices, error) : NULL;
  ForgeShape shape;
  if (!indices || !read_dense_shape (reader, proto, &shape, error) ||
      !check_parts (reader, proto, &shape, values, indices, error))
    return NULL;
  g_autoptr (ForgeTensor) dense =
      forge_tensor_new (values->dtype, &shape, error);
  if (!dense)
    return NULL;
  size_t element_bytes = forge_dtype_size_bytes (values->dtype);
  for (size_t i = 0; i < (size_t) values->shape.dims[0]; i++) {
    int64_t flat;
    if (!flat_index (&shape, indices, i, &flat)) {
      fail (reader, proto, error, "an index lies outside of it");
      return NULL;
    }
    memcpy ((uint8_t *) dense->data + (size_t) flat * element_bytes,
        (const uint8_t *) values->data + i * element_bytes, element_bytes);
  }
  return g_steal_pointer (&dense);
}
