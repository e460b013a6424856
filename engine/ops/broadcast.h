/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * NumPy broadcasting of two operands: which elements meet, and the sum that
 * goes the other way in a backward pass. */
#pragma once

#include "ops/op.h"

/* Two operands over the dimensions of the result, neighbouring dimensions
 * merged where both operands allow it. The last one is the row: its steps are
 * 0 or 1. */
typedef struct {
  int rank; /* of the dimensions before the row */
  int64_t dims[FORGE_MAX_DIMS], a_stride[FORGE_MAX_DIMS],
      b_stride[FORGE_MAX_DIMS]; /* elements */
  int64_t n_rows, row;
  size_t a_step, b_step;
} ForgeBroadcast;

void forge_broadcast_init (ForgeBroadcast *broadcast, const ForgeShape *a,
    const ForgeShape *b, const ForgeShape *out);
/* Where row @index begins in both operands. */
void forge_broadcast_row (const ForgeBroadcast *broadcast, int64_t index,
    int64_t *a_offset, int64_t *b_offset);
/* dst = scale times the sum of @src over everything that broadcasting
 * repeated. The order of the sum is fixed. */
void forge_broadcast_reduce (const float *src, const ForgeShape *src_shape,
    float scale, float *dst, const ForgeShape *dst_shape);
