/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Dense arrays of numbers: what goes into a session and what comes out, and
 * what a .npy file holds. Always contiguous and row-major. */
#pragma once

#include <glib.h>
#include <stdint.h>

G_BEGIN_DECLS

#define FORGE_MAX_DIMS 8

/* The values are those of ONNX TensorProto.DataType. */
typedef enum {
  FORGE_DTYPE_UNKNOWN = 0,
  FORGE_FLOAT32 = 1,
  FORGE_UINT8 = 2,
  FORGE_INT8 = 3,
  FORGE_UINT16 = 4,
  FORGE_INT16 = 5,
  FORGE_INT32 = 6,
  FORGE_INT64 = 7,
  FORGE_BOOL = 9,
  FORGE_FLOAT16 = 10,
  FORGE_FLOAT64 = 11,
  FORGE_UINT32 = 12,
  FORGE_UINT64 = 13,
  FORGE_BFLOAT16 = 16,
} ForgeDtype;

/**
 * ForgeShape:
 * @rank: number of dimensions, 0..%FORGE_MAX_DIMS; 0 is a scalar
 * @dims: extents, outermost first; -1 is "not known yet" (a batch, say)
 *
 * The extents of a tensor.
 *
 * Since: 0.1
 */
typedef struct {
  int rank;
  int64_t dims[FORGE_MAX_DIMS];
} ForgeShape;

typedef struct _ForgeTensor ForgeTensor;

/**
 * forge_tensor_new:
 * @dtype: element type
 * @shape: extents, all >= 0
 * @error: return location
 *
 * Allocates a zeroed tensor whose data is 64-byte aligned.
 *
 * Errors: %FORGE_ERROR_MEMORY when the size overflows or cannot be had,
 * %FORGE_ERROR_SHAPE when an extent is negative.
 *
 * Returns: (transfer full) (nullable): the tensor
 * Since: 0.1
 */
ForgeTensor *forge_tensor_new (
    ForgeDtype dtype, const ForgeShape *shape, GError **error);

/**
 * forge_tensor_ref:
 * @tensor: the tensor
 *
 * Takes a reference.
 *
 * Thread safety: any thread.
 * Returns: (transfer full): @tensor
 * Since: 0.1
 */
ForgeTensor *forge_tensor_ref (ForgeTensor *tensor);

/**
 * forge_tensor_unref:
 * @tensor: (transfer full) (nullable): the tensor
 *
 * Drops a reference; the last one frees the tensor.
 *
 * Thread safety: any thread.
 * Since: 0.1
 */
void forge_tensor_unref (ForgeTensor *tensor);

/**
 * forge_tensor_get_dtype:
 * @tensor: the tensor
 *
 * The type of its elements.
 *
 * Returns: the type
 * Since: 0.1
 */
ForgeDtype forge_tensor_get_dtype (const ForgeTensor *tensor);

/**
 * forge_tensor_get_shape:
 * @tensor: the tensor
 *
 * Its extents.
 *
 * Returns: (transfer none): the shape
 * Since: 0.1
 */
const ForgeShape *forge_tensor_get_shape (const ForgeTensor *tensor);

/**
 * forge_tensor_get_data:
 * @tensor: the tensor
 *
 * Its elements, row-major.
 *
 * Returns: (transfer none): the first, 64-byte aligned where the tensor owns
 * its memory; never %NULL for a live tensor
 * Since: 0.1
 */
void *forge_tensor_get_data (const ForgeTensor *tensor);

/**
 * forge_tensor_get_size_bytes:
 * @tensor: the tensor
 *
 * The length of its data.
 *
 * Returns: bytes
 * Since: 0.1
 */
size_t forge_tensor_get_size_bytes (const ForgeTensor *tensor);

/**
 * forge_tensor_get_count:
 * @tensor: the tensor
 *
 * The number of its elements.
 *
 * Returns: product of the extents
 * Since: 0.1
 */
int64_t forge_tensor_get_count (const ForgeTensor *tensor);

/**
 * forge_dtype_name:
 * @dtype: a type
 *
 * The name that NumPy and ONNX use: "float32", "uint8" and so on.
 *
 * Returns: (transfer none): the name
 * Since: 0.1
 */
const char *forge_dtype_name (ForgeDtype dtype);

/**
 * forge_dtype_size_bytes:
 * @dtype: a type
 *
 * The size of one element.
 *
 * Returns: bytes; 0 for %FORGE_DTYPE_UNKNOWN
 * Since: 0.1
 */
size_t forge_dtype_size_bytes (ForgeDtype dtype);

/**
 * forge_shape_to_string:
 * @shape: a shape
 *
 * Writes "[1, 32, 32, 3]", unknown extents as "?".
 *
 * Returns: (transfer full): the text
 * Since: 0.1
 */
char *forge_shape_to_string (const ForgeShape *shape);

/**
 * forge_shape_equal:
 * @a: a shape
 * @b: another
 *
 * Compares rank and extents; unknown equals unknown.
 *
 * Returns: %TRUE when they are the same
 * Since: 0.1
 */
gboolean forge_shape_equal (const ForgeShape *a, const ForgeShape *b);

/**
 * forge_shape_count:
 * @shape: a shape
 *
 * Multiplies the extents.
 *
 * Returns: the product; -1 when an extent is unknown or it overflows
 * Since: 0.1
 */
int64_t forge_shape_count (const ForgeShape *shape);

/**
 * forge_tensor_to_float32:
 * @tensor: a tensor of float16, bfloat16 or float64
 * @error: return location
 *
 * The same values as float32, rounded to nearest where they do not fit.
 *
 * Errors: %FORGE_ERROR_ARGUMENT for another type, %FORGE_ERROR_MEMORY.
 * Returns: (transfer full) (nullable): a new tensor
 * Since: 0.1
 */
ForgeTensor *forge_tensor_to_float32 (
    const ForgeTensor *tensor, GError **error);

/**
 * forge_tensor_load_npy:
 * @path: a NumPy .npy file, format version 1 to 3, C order
 * @error: return location
 *
 * Reads an array written by `numpy.save`.
 *
 * Errors: %FORGE_ERROR_NOT_FOUND, %FORGE_ERROR_IO, %FORGE_ERROR_FORMAT,
 * %FORGE_ERROR_UNSUPPORTED (Fortran order, object or structured types).
 *
 * Returns: (transfer full) (nullable): the tensor
 * Source: NEP 1, "A Simple File Format for NumPy Arrays".
 * Since: 0.1
 */
ForgeTensor *forge_tensor_load_npy (const char *path, GError **error);

/**
 * forge_tensor_save_npy:
 * @tensor: the tensor
 * @path: file to write, replaced whole
 * @error: return location
 *
 * Writes what `numpy.load` reads.
 *
 * Errors: %FORGE_ERROR_IO, %FORGE_ERROR_UNSUPPORTED for types NumPy lacks.
 *
 * Returns: %TRUE on success
 * Since: 0.1
 */
gboolean forge_tensor_save_npy (
    const ForgeTensor *tensor, const char *path, GError **error);

/**
 * forge_tensor_load_pb:
 * @path: a serialised ONNX TensorProto, such as the input_0.pb of a test case
 * @error: return location
 *
 * Reads one tensor.
 *
 * Errors: %FORGE_ERROR_NOT_FOUND, %FORGE_ERROR_IO, %FORGE_ERROR_FORMAT,
 * %FORGE_ERROR_UNSUPPORTED (an element type that is not read).
 *
 * Returns: (transfer full) (nullable): the tensor
 * Source: onnx.proto, TensorProto
 * Since: 0.1
 */
ForgeTensor *forge_tensor_load_pb (const char *path, GError **error);

/**
 * forge_tensor_save_pb:
 * @tensor: the tensor
 * @path: file to write, replaced whole
 * @error: return location
 *
 * Writes what `onnx.load_tensor` reads.
 *
 * Errors: %FORGE_ERROR_IO, %FORGE_ERROR_MEMORY (also over 2 GiB).
 *
 * Returns: %TRUE on success
 * Since: 0.1
 */
gboolean forge_tensor_save_pb (
    const ForgeTensor *tensor, const char *path, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ForgeTensor, forge_tensor_unref)

G_END_DECLS
