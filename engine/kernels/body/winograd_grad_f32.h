/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A dy A^T of one tile, a vector of channels at a time: winograd_out_f32
 * turned round, for the gradient of the weights.
 * Source: as winograd_in_f32. */
#include "kernels/simd/simd.h"

enum { SIDE = 6, OUT_SIDE = 4 };

#define A 0.625f
#define B 1.5f

static ALWAYS_INLINE void
transform (const vf y[OUT_SIDE], vf m[SIDE])
{
  const vf even_a = vf_fmadd (vf_splat (A * A), y[2], y[0]);
  const vf odd_a =
      vf_fmadd (vf_splat (A * A * A), y[3], vf_mul (vf_splat (A), y[1]));
  const vf even_b = vf_fmadd (vf_splat (B * B), y[2], y[0]);
  const vf odd_b =
      vf_fmadd (vf_splat (B * B * B), y[3], vf_mul (vf_splat (B), y[1]));
  m[0] = y[0];
  m[1] = vf_add (even_a, odd_a);
  m[2] = vf_sub (even_a, odd_a);
  m[3] = vf_add (even_b, odd_b);
  m[4] = vf_sub (even_b, odd_b);
  m[5] = y[3];
}

/* Channels c to c + n. */
static ALWAYS_INLINE void
tile (const float *const rows[OUT_SIDE * OUT_SIDE], size_t c, size_t n,
    float *out, ptrdiff_t out_stride_elems)
{
  vf square[SIDE][OUT_SIDE];
#pragma GCC unroll 4
  for (size_t x = 0; x < OUT_SIDE; x++) {
    vf y[OUT_SIDE], m[SIDE];
#pragma GCC unroll 4
    for (size_t i = 0; i < OUT_SIDE; i++) {
      const float *a = rows[i * OUT_SIDE + x] + c;
      y[i] = n < VF_WIDTH ? vf_load_n (a, n, 0) : vf_load (a);
    }
    transform (y, m);
#pragma GCC unroll 6
    for (size_t i = 0; i < SIDE; i++)
      square[i][x] = m[i];
  }
#pragma GCC unroll 6
  for (size_t i = 0; i < SIDE; i++) {
    vf m[SIDE];
    transform (square[i], m);
#pragma GCC unroll 6
    for (size_t x = 0; x < SIDE; x++, out += out_stride_elems)
      if (n < VF_WIDTH)
        vf_store_n (out + c, n, m[x]);
      else
        vf_store (out + c, m[x]);
  }
}

void
FORGE_VARIANT (winograd_grad_f32) (size_t n_channels, const float *const *rows,
    ptrdiff_t offset_elems, const float *zero, float *out,
    ptrdiff_t out_stride_elems)
{
  const float *moved[OUT_SIDE * OUT_SIDE];
  for (size_t i = 0; i < OUT_SIDE * OUT_SIDE; i++)
    moved[i] = row_at (rows[i], zero, offset_elems);
  size_t c = 0;
  for (; c + VF_WIDTH <= n_channels; c += VF_WIDTH)
    tile (moved, c, VF_WIDTH, out, out_stride_elems);
  if (c < n_channels)
    tile (moved, c, n_channels - c, out, out_stride_elems);
}
