/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The output gradient's transform, see kernels.h: A dy A^T with the matrix
 * written out. */
#include "kernels/ref/ref.h"

void
forge_winograd_grad_f32_ref (size_t n_channels, const float *const *rows,
    ptrdiff_t offset_elems, const float *zero, float *out,
    ptrdiff_t out_stride_elems)
{
  const float p = 0.625f, q = 1.5f; /* as winograd_in_f32 */
  const float a[6][4] = {
    { 1, 0, 0, 0 },
    { 1, p, p * p, p * p * p },
    { 1, -p, p * p, -p * p * p },
    { 1, q, q * q, q * q * q },
    { 1, -q, q * q, -q * q * q },
    { 0, 0, 0, 1 },
  };
  for (size_t c = 0; c < n_channels; c++) {
    float half[6][4] = { { 0 } };
    for (size_t i = 0; i < 16; i++) {
      float dy = row_at (rows[i], zero, offset_elems)[c];
      for (size_t y = 0; y < 6; y++)
        half[y][i % 4] += a[y][i / 4] * dy;
    }
    for (size_t i = 0; i < 36; i++) {
      float sum = 0;
      for (size_t x = 0; x < 4; x++)
        sum += half[i / 6][x] * a[i % 6][x];
      out[(ptrdiff_t) i * out_stride_elems + (ptrdiff_t) c] = sum;
    }
  }
}
