/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Winograd's input transform, see kernels.h and winograd.h: B^T d B. */
#include "kernels/ref/ref.h"

#include "kernels/winograd.h"

enum { N = FORGE_WINOGRAD_MAX_N };

/* x^0, x^1 ... of the product of (x - point) but for one. */
static void
write_row (const double *points, size_t n_points, size_t without, float row[N])
{
  double c[N + 1] = { 1 };
  size_t degree = 0;
  for (size_t j = 0; j < n_points; j++) {
    if (j == without)
      continue;
    degree++;
    for (size_t q = degree; q > 0; q--)
      c[q] = c[q - 1] - points[j] * c[q];
    c[0] *= -points[j];
  }
  for (size_t q = 0; q < N; q++)
    row[q] = q <= degree ? (float) c[q] : 0;
}

void
forge_winograd_in_f32_ref (size_t side, size_t n_channels,
    const float *const *rows, ptrdiff_t offset_elems, const float *zero,
    float *out, ptrdiff_t out_stride_elems)
{
  const size_t n = side + 2;
  float b[N][N];
  for (size_t i = 0; i < n; i++)
    write_row (forge_winograd_points (side), n - 1, i, b[i]);
  for (size_t c = 0; c < n_channels; c++) {
    float half[N][N] = { { 0 } };
    for (size_t i = 0; i < n * n; i++)
      for (size_t y = 0; y < n; y++)
        half[y][i % n] += b[y][i / n] * row_at (rows[i], zero, offset_elems)[c];
    for (size_t i = 0; i < n * n; i++) {
      float sum = 0;
      for (size_t x = 0; x < n; x++)
        sum += half[i / n][x] * b[i % n][x];
      out[(ptrdiff_t) i * out_stride_elems + (ptrdiff_t) c] = sum;
    }
  }
}
