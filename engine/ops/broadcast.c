/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Broadcasting, as NumPy defines it: shapes are lined up at their last
 * dimension, an extent of 1 repeats. */
#include "ops/broadcast.h"

#include <string.h>

#include "tensor/tensor.h"

/* Strides over the dimensions of @out, 0 where @shape repeats. */
static void
repeat_strides (const ForgeShape *shape, const ForgeShape *out,
    int64_t strides[FORGE_MAX_DIMS])
{
  int64_t own[FORGE_MAX_DIMS];
  int missing = out->rank - shape->rank;
  forge_shape_strides (shape, own);
  for (int i = 0; i < out->rank; i++) {
    int from = i - missing;
    strides[i] = from < 0 || shape->dims[from] == 1 ? 0 : own[from];
  }
}

void
forge_broadcast_init (ForgeBroadcast *broadcast, const ForgeShape *a,
    const ForgeShape *b, const ForgeShape *out)
{
  ForgeBroadcast *bc = broadcast;
  int64_t sa[FORGE_MAX_DIMS], sb[FORGE_MAX_DIMS];
  repeat_strides (a, out, sa);
  repeat_strides (b, out, sb);
  memset (bc, 0, sizeof *bc);
  for (int i = 0; i < out->rank; i++) {
    int last = bc->rank - 1;
    int64_t extent = out->dims[i];
    if (extent == 1)
      continue;
    if (last >= 0 && bc->a_stride[last] == sa[i] * extent &&
        bc->b_stride[last] == sb[i] * extent) {
      bc->dims[last] *= extent;
      bc->a_stride[last] = sa[i];
      bc->b_stride[last] = sb[i];
      continue;
    }
    bc->dims[bc->rank] = extent;
    bc->a_stride[bc->rank] = sa[i];
    bc->b_stride[bc->rank++] = sb[i];
  }
  bc->row = 1;
  bc->n_rows = 1;
  if (bc->rank > 0) {
    bc->rank--;
    bc->row = bc->dims[bc->rank];
    bc->a_step = (size_t) bc->a_stride[bc->rank];
    bc->b_step = (size_t) bc->b_stride[bc->rank];
  }
  for (int i = 0; i < bc->rank; i++)
    bc->n_rows *= bc->dims[i];
}

void
forge_broadcast_row (const ForgeBroadcast *broadcast, int64_t index,
    int64_t *a_offset, int64_t *b_offset)
{
  *a_offset = *b_offset = 0;
  for (int i = broadcast->rank - 1; i >= 0; i--) {
    int64_t at = index % broadcast->dims[i];
    index /= broadcast->dims[i];
    *a_offset += at * broadcast->a_stride[i];
    *b_offset += at * broadcast->b_stride[i];
  }
}

void
forge_broadcast_reduce (const float *src, const ForgeShape *src_shape,
    float scale, float *dst, const ForgeShape *dst_shape)
{
  ForgeBroadcast bc;
  int64_t n_dst = forge_shape_count (dst_shape), src_at, dst_at;
  forge_broadcast_init (&bc, src_shape, dst_shape, src_shape);
  memset (dst, 0, (size_t) n_dst * sizeof *dst);
  if (forge_shape_count (src_shape) == 0)
    return;
  for (int64_t row = 0; row < bc.n_rows; row++) {
    forge_broadcast_row (&bc, row, &src_at, &dst_at);
    const float *from = src + src_at;
    float *to = dst + dst_at;
    float sum = 0;
    if (bc.b_step)
      for (int64_t i = 0; i < bc.row; i++)
        to[i] += from[i];
    else
      for (int64_t i = 0; i < bc.row; i++)
        sum += from[(size_t) i * bc.a_step];
    to[0] += sum;
  }
  for (int64_t i = 0; i < n_dst; i++)
    dst[i] *= scale;
}
