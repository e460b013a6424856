/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Vertical pass of the resize: two rows of bytes at a time into exact int32
 * sums of products. Two vectors of a row stay in registers while the taps
 * run. The last vector overlaps the one before it, so nothing past the row is
 * read; rows shorter than a vector go to ref. */
#include "kernels/simd/pixels.h"

static ALWAYS_INLINE void
columns (const size_t n_vectors, size_t n_taps, const uint8_t *const *rows,
    const int16_t *weights, size_t i, int16_t *out)
{
  vsum sum[2];
#pragma GCC unroll 2
  for (size_t v = 0; v < n_vectors; v++)
    sum[v] = vsum_splat (64);
  size_t t = 0;
  for (; t + 2 <= n_taps; t += 2) {
    const vs_pair pair = vs_weights (weights[t], weights[t + 1]);
#pragma GCC unroll 2
    for (size_t v = 0; v < n_vectors; v++)
      sum[v] = vsum_madd2 (sum[v], vs_load (rows[t] + i + v * VS_WIDTH),
          vs_load (rows[t + 1] + i + v * VS_WIDTH), pair);
  }
  if (t < n_taps) {
    const vs_pair pair = vs_weights (weights[t], 0);
#pragma GCC unroll 2
    for (size_t v = 0; v < n_vectors; v++)
      sum[v] = vsum_madd2 (
          sum[v], vs_load (rows[t] + i + v * VS_WIDTH), vs_zero (), pair);
  }
#pragma GCC unroll 2
  for (size_t v = 0; v < n_vectors; v++)
    vsum_store_shifted7 (out + i + v * VS_WIDTH, sum[v]);
}

void
FORGE_VARIANT (resize_v_u8) (size_t n_bytes, size_t n_taps,
    const uint8_t *const *rows, const int16_t *weights, int16_t *out)
{
  if (n_bytes < VS_WIDTH) {
    forge_resize_v_u8_ref (n_bytes, n_taps, rows, weights, out);
    return;
  }
  size_t i = 0;
  for (; i + 2 * VS_WIDTH <= n_bytes; i += 2 * VS_WIDTH)
    columns (2, n_taps, rows, weights, i, out);
  for (; i + VS_WIDTH <= n_bytes; i += VS_WIDTH)
    columns (1, n_taps, rows, weights, i, out);
  if (i < n_bytes)
    columns (1, n_taps, rows, weights, n_bytes - VS_WIDTH, out);
}
