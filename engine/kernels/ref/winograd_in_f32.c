/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Winograd's input transform, see kernels.h: B^T d B with the matrix written
 * out. */
#include "kernels/ref/ref.h"

void
forge_winograd_in_f32_ref (size_t n_channels, const float *const *rows,
    ptrdiff_t offset_elems, const float *zero, float *out,
    ptrdiff_t out_stride_elems)
{
  /* the points 0, p, -p, q, -q and infinity */
  const float p = 0.625f, q = 1.5f, p2 = p * p, q2 = q * q;
  const float b[6][6] = {
    { p2 * q2, 0, -p2 - q2, 0, 1, 0 },
    { 0, -p * q2, -q2, p, 1, 0 },
    { 0, p * q2, -q2, -p, 1, 0 },
    { 0, -q * p2, -p2, q, 1, 0 },
    { 0, q * p2, -p2, -q, 1, 0 },
    { 0, p2 * q2, 0, -p2 - q2, 0, 1 },
  };
  for (size_t c = 0; c < n_channels; c++) {
    float half[6][6] = { { 0 } };
    for (size_t i = 0; i < 36; i++)
      for (size_t y = 0; y < 6; y++)
        half[y][i % 6] += b[y][i / 6] * row_at (rows[i], zero, offset_elems)[c];
    for (size_t i = 0; i < 36; i++) {
      float sum = 0;
      for (size_t x = 0; x < 6; x++)
        sum += half[i / 6][x] * b[i % 6][x];
      out[(ptrdiff_t) i * out_stride_elems + (ptrdiff_t) c] = sum;
    }
  }
}
