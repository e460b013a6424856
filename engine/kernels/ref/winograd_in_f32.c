/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Winograd's input transform, see kernels.h: B^T d B with the matrices written
 * out. */
#include <string.h>

#include "kernels/ref/ref.h"

/* B^T at [i][x], zeros behind its side. */
static void
write_b (size_t side, float b[6][6])
{
  /* the points 0, p, -p, q, -q and infinity; 0, 1, -1 and infinity */
  const float p = 0.625f, q = 1.5f, p2 = p * p, q2 = q * q;
  const float four[6][6] = {
    { p2 * q2, 0, -p2 - q2, 0, 1, 0 },
    { 0, -p * q2, -q2, p, 1, 0 },
    { 0, p * q2, -q2, -p, 1, 0 },
    { 0, -q * p2, -p2, q, 1, 0 },
    { 0, q * p2, -p2, -q, 1, 0 },
    { 0, p2 * q2, 0, -p2 - q2, 0, 1 },
  };
  const float two[6][6] = {
    { 1, 0, -1, 0 },
    { 0, 1, 1, 0 },
    { 0, -1, 1, 0 },
    { 0, -1, 0, 1 },
  };
  memcpy (b, side == 2 ? two : four, sizeof two);
}

void
forge_winograd_in_f32_ref (size_t side, size_t n_channels,
    const float *const *rows, ptrdiff_t offset_elems, const float *zero,
    float *out, ptrdiff_t out_stride_elems)
{
  const size_t n = side + 2;
  float b[6][6];
  write_b (side, b);
  for (size_t c = 0; c < n_channels; c++) {
    float half[6][6] = { { 0 } };
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
