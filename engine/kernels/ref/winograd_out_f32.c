/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Winograd's output transform, see kernels.h and winograd.h: A^T m A. */
#include "kernels/ref/ref.h"

#include "kernels/winograd.h"

enum { N = FORGE_WINOGRAD_MAX_N, SIDE = FORGE_WINOGRAD_MAX_SIDE };

static void
write_a (size_t side, float a[SIDE][N])
{
  const double *points = forge_winograd_points (side);
  for (size_t i = 0; i <= side; i++) {
    double power = 1;
    for (size_t k = 0; k < side; k++, power *= points[i])
      a[k][i] = (float) power;
  }
  for (size_t k = 0; k < side; k++)
    a[k][side + 1] = k + 1 == side ? 1 : 0;
}

void
forge_winograd_out_f32_ref (size_t side, size_t n_channels, const float *in,
    ptrdiff_t in_stride_elems, const float *bias, size_t n_rows,
    size_t n_columns, float *out, ptrdiff_t out_row_stride_elems,
    ptrdiff_t out_stride_elems, const float *residual, float min, float max)
{
  const size_t n = side + 2;
  float a[SIDE][N];
  write_a (side, a);
  for (size_t c = 0; c < n_channels; c++) {
    float half[SIDE][N] = { { 0 } };
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
