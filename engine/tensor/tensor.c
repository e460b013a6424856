/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Reference-counted dense arrays. Everything that allocates from a size read
 * in a file passes through forge_tensor_new, which checks for overflow. */
#include "tensor/tensor.h"

#include <stdarg.h>
#include <string.h>

#include "base/alloc.h"

static ForgeTensor *
tensor_alloc (ForgeDtype dtype, const ForgeShape *shape, size_t size_bytes)
{
  ForgeTensor *tensor = g_new0 (ForgeTensor, 1);
  tensor->dtype = dtype;
  tensor->shape = *shape;
  tensor->size_bytes = size_bytes;
  tensor->ref_count = 1;
  return tensor;
}

ForgeTensor *
forge_tensor_new (ForgeDtype dtype, const ForgeShape *shape, GError **error)
{
  size_t size_bytes;
  if (!forge_shape_size_bytes (shape, dtype, &size_bytes)) {
    g_autofree char *text = forge_shape_to_string (shape);
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_SHAPE,
        "cannot make a %s tensor of shape %s: an extent is unknown or the "
        "size overflows",
        forge_dtype_name (dtype), text);
    return NULL;
  }
  void *data = forge_aligned_alloc0 (size_bytes);
  if (!data) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_MEMORY,
        "out of memory: a tensor of %zu bytes", size_bytes);
    return NULL;
  }
  ForgeTensor *tensor = tensor_alloc (dtype, shape, size_bytes);
  tensor->data = data;
  tensor->owns_data = TRUE;
  return tensor;
}

ForgeTensor *
forge_tensor_new_borrowed (
    ForgeDtype dtype, const ForgeShape *shape, void *data)
{
  size_t size_bytes = 0;
  gboolean ok = forge_shape_size_bytes (shape, dtype, &size_bytes);
  g_return_val_if_fail (ok, NULL);
  ForgeTensor *tensor = tensor_alloc (dtype, shape, size_bytes);
  tensor->data = data;
  return tensor;
}

ForgeTensor *
forge_tensor_new_taken (ForgeDtype dtype, const ForgeShape *shape, void *data)
{
  ForgeTensor *tensor = forge_tensor_new_borrowed (dtype, shape, data);
  if (tensor)
    tensor->owns_data = TRUE;
  return tensor;
}

int64_t
forge_tensor_row_stride (const ForgeTensor *tensor)
{
  return tensor->slice_stride_elems
             ? tensor->slice_stride_elems
             : tensor->shape.dims[tensor->shape.rank - 1];
}

ForgeTensor *
forge_tensor_to_float32 (const ForgeTensor *tensor, GError **error)
{
  g_return_val_if_fail (tensor, NULL);
  const uint16_t *halves = tensor->data;
  const double *doubles = tensor->data;
  if (tensor->dtype != FORGE_FLOAT16 && tensor->dtype != FORGE_BFLOAT16 &&
      tensor->dtype != FORGE_FLOAT64) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_ARGUMENT,
        "cannot make float32 of %s: expected float16, bfloat16 or float64",
        forge_dtype_name (tensor->dtype));
    return NULL;
  }
  ForgeTensor *wide = forge_tensor_new (FORGE_FLOAT32, &tensor->shape, error);
  size_t count = wide ? (size_t) forge_shape_count (&tensor->shape) : 0;
  for (size_t i = 0; i < count; i++) {
    float *out = wide->data;
    out[i] = tensor->dtype == FORGE_FLOAT16 ? forge_half_to_float (halves[i])
             : tensor->dtype == FORGE_BFLOAT16
                 ? forge_bfloat16_to_float (halves[i])
                 : (float) doubles[i];
  }
  return wide;
}

ForgeTensor *
forge_tensor_copy (const ForgeTensor *src, GError **error)
{
  ForgeTensor *copy = forge_tensor_new (src->dtype, &src->shape, error);
  if (copy)
    memcpy (copy->data, src->data, src->size_bytes);
  return copy;
}

ForgeTensor *
forge_tensor_ref (ForgeTensor *tensor)
{
  g_return_val_if_fail (tensor, NULL);
  g_atomic_int_inc (&tensor->ref_count);
  return tensor;
}

void
forge_tensor_unref (ForgeTensor *tensor)
{
  if (!tensor || !g_atomic_int_dec_and_test (&tensor->ref_count))
    return;
  if (tensor->owns_data)
    forge_aligned_free (tensor->data);
  g_free (tensor);
}

ForgeDtype
forge_tensor_get_dtype (const ForgeTensor *tensor)
{
  return tensor->dtype;
}

const ForgeShape *
forge_tensor_get_shape (const ForgeTensor *tensor)
{
  return &tensor->shape;
}

void *
forge_tensor_get_data (const ForgeTensor *tensor)
{
  return tensor->data;
}

size_t
forge_tensor_get_size_bytes (const ForgeTensor *tensor)
{
  return tensor->size_bytes;
}

int64_t
forge_tensor_get_count (const ForgeTensor *tensor)
{
  return forge_shape_count (&tensor->shape);
}
