/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Winograd's output transform, see kernels.h: A^T m A with the matrices
 * written out. */
#include <string.h>

#include "kernels/ref/ref.h"

/* A^T at [y][i], zeros behind its side. */
static void
write_a (size_t side, float a[4][6])
{
  const float p = 0.625f, q = 1.5f; /* as winograd_in_f32 */
  const float four[4][6] = {
    { 1, 1, 1, 1, 1, 0 },
    { 0, p, -p, q, -q, 0 },
    { 0, p * p, p * p, q * q, q * q, 0 },
    { 0, p * p * p, -p * p * p, q * q * q, -q * q * q, 1 },
  };
  const float two[4][6] = { { 1, 1, 1, 0 }, { 0, 1, -1, 1 } };
  memcpy (a, side == 2 ? two : four, sizeof two);
}

void
forge_winograd_out_f32_ref (size_t side, size_t n_channels, const float *in,
    ptrdiff_t in_stride_elems, const float *bias, size_t n_rows,
    size_t n_columns, float *out, ptrdiff_t out_row_stride_elems,
    ptrdiff_t out_stride_elems, const float *residual, float min, float max)
{
  const size_t n = side + 2;
  float a[4][6];
  write_a (side, a);
  for (size_t c = 0; c < n_channels; c++) {
    float half[4][6] = { { 0 } };
    for (size_t i = 0; i < n * n; i++)
      for (size_t y = 0; y < side; y++)
        half[y][i % n] +=
            a[y][i / n] * in[(ptrdiff_t) i * in_stride_elems + (ptrdiff_t) c];
    for (size_t y = 0; y < n_rows; y++)
      for (size_t x = 0; x < n_columns; x++) {
        ptrdiff_t at = (ptrdiff_t) y * out_row_stride_elems +
                       (ptrdiff_t) x * out_stride_elems + (ptrdiff_t) c;
        float sum = 0;
        for (size_t i = 0; i < n; i++)
          sum += half[y][i] * a[x][i];
        sum += bias[c];
        if (residual)
          sum += residual[at];
        out[at] = clamp_f32 (sum, min, max);
      }
  }
}
