/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The inside of ForgeTensor, for the engine's own rooms. */
#pragma once

#include "forge/error.h"
#include "forge/tensor.h"

struct _ForgeTensor {
  ForgeDtype dtype;
  ForgeShape shape;
  void *data; /* 64-byte aligned when we own it */
  size_t size_bytes;
  gint ref_count;
  gboolean owns_data;
  /* From one row (of the last axis) to the next, in a slice of a Concat's
   * output. 0 = they follow one another, as in everything that leaves the
   * engine. */
  int64_t slice_stride_elems;
};

/* From one row of the last axis to the next, slice or not; rank >= 1. */
int64_t forge_tensor_row_stride (const ForgeTensor *tensor);

/* A view of memory that outlives the tensor (an arena, say). */
ForgeTensor *forge_tensor_new_borrowed (
    ForgeDtype dtype, const ForgeShape *shape, void *data);
/* Takes @data, which forge_aligned_alloc() gave, with what lies behind the
 * values set to zero. The size is known not to overflow. */
ForgeTensor *forge_tensor_new_taken (
    ForgeDtype dtype, const ForgeShape *shape, void *data);
ForgeTensor *forge_tensor_copy (const ForgeTensor *src, GError **error);

/* Builds a shape from a list: forge_shape (4, 1, 32, 32, 3). int64 not
 * needed for literals: the variadic arguments are int. */
ForgeShape forge_shape (int rank, ...);
/* Bytes of a tensor of that type and shape; FALSE on overflow or an unknown
 * extent. */
gboolean forge_shape_size_bytes (
    const ForgeShape *shape, ForgeDtype dtype, size_t *size_bytes);
/* NumPy broadcasting of two shapes; unknown extents (-1) stay unknown unless
 * the other side is > 1. FALSE when they do not broadcast. */
gboolean forge_shape_broadcast (
    const ForgeShape *a, const ForgeShape *b, ForgeShape *out);
/* Row-major strides in elements. */
void forge_shape_strides (
    const ForgeShape *shape, int64_t strides_elems[FORGE_MAX_DIMS]);
/* IEEE binary16 and bfloat16 to float32. */
float forge_half_to_float (uint16_t half);
uint16_t forge_float_to_half (float value);
float forge_bfloat16_to_float (uint16_t bits);
