/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * B^T d B of one tile, a vector of channels at a time: the columns first,
 * into a square on the stack, then its rows. Compiled for each side; the
 * points come in pairs, whose sums of even and of odd powers are shared.
 * Source: winograd.h says the matrices. */
#include "kernels/simd/simd.h"

#include "kernels/winograd.h"

enum { MAX_IN = FORGE_WINOGRAD_MAX_N };

/* The points, squared. */
#define A 0.625f
#define B 1.5f
#define A2 (A * A)
#define B2 (B * B)
#define P 0.5625f
#define Q 1.0f
#define R 1.75f
#define P2 (P * P)
#define Q2 (Q * Q)
#define R2 (R * R)

static ALWAYS_INLINE void
transform_to_4 (const vf *d, vf *t)
{
  const vf product = vf_splat (A2 * B2);
  const vf minus_sum = vf_splat (-A2 - B2);
  const vf even_a = vf_fmadd (d[2], vf_splat (-B2), d[4]);
  const vf odd_a = vf_fmadd (d[1], vf_splat (-B2), d[3]);
  const vf even_b = vf_fmadd (d[2], vf_splat (-A2), d[4]);
  const vf odd_b = vf_fmadd (d[1], vf_splat (-A2), d[3]);
  t[0] = vf_fmadd (product, d[0], vf_fmadd (minus_sum, d[2], d[4]));
  t[1] = vf_fmadd (vf_splat (A), odd_a, even_a);
  t[2] = vf_fmadd (vf_splat (-A), odd_a, even_a);
  t[3] = vf_fmadd (vf_splat (B), odd_b, even_b);
  t[4] = vf_fmadd (vf_splat (-B), odd_b, even_b);
  t[5] = vf_fmadd (product, d[1], vf_fmadd (minus_sum, d[3], d[5]));
}

/* The two rows of point and -point, others being the squares of the rest:
 * (x^2 +- point x) (x^2 - one) (x^2 - other) */
static ALWAYS_INLINE void
pair_of_6 (const vf *d, const float point, const float one, const float other,
    vf *plus, vf *minus)
{
  const vf sum = vf_splat (-one - other), product = vf_splat (one * other);
  const vf even = vf_fmadd (product, d[2], vf_fmadd (sum, d[4], d[6]));
  const vf odd = vf_fmadd (product, d[1], vf_fmadd (sum, d[3], d[5]));
  *plus = vf_fmadd (vf_splat (point), odd, even);
  *minus = vf_fmadd (vf_splat (-point), odd, even);
}

/* (x^2 - P2) (x^2 - Q2) (x^2 - R2) from d[0] on, every other. */
static ALWAYS_INLINE vf
all_of_6 (const vf *d)
{
  const vf two = vf_splat (P2 * Q2 + P2 * R2 + Q2 * R2);
  const vf high = vf_fmadd (vf_splat (-P2 - Q2 - R2), d[4], d[6]);
  return vf_fmadd (vf_splat (-P2 * Q2 * R2), d[0], vf_fmadd (two, d[2], high));
}

static ALWAYS_INLINE void
transform_to_6 (const vf *d, vf *t)
{
  t[0] = all_of_6 (d);
  pair_of_6 (d, P, Q2, R2, &t[1], &t[2]);
  pair_of_6 (d, Q, P2, R2, &t[3], &t[4]);
  pair_of_6 (d, R, P2, Q2, &t[5], &t[6]);
  t[7] = all_of_6 (d + 1);
}

static ALWAYS_INLINE void
transform_to_2 (const vf *d, vf *t)
{
  t[0] = vf_sub (d[2], d[0]);
  t[1] = vf_add (d[2], d[1]);
  t[2] = vf_sub (d[2], d[1]);
  t[3] = vf_sub (d[3], d[1]);
}

static ALWAYS_INLINE void
transform (const size_t side, const vf *d, vf *t)
{
  if (side == 2)
    transform_to_2 (d, t);
  else if (side == 4)
    transform_to_4 (d, t);
  else
    transform_to_6 (d, t);
}

/* Channels c to c + n. */
static ALWAYS_INLINE void
tile (const size_t side, const float *const *rows, size_t c, size_t n,
    float *out, ptrdiff_t out_stride_elems)
{
  const size_t in_side = side + 2;
  vf square[MAX_IN][MAX_IN];
#pragma GCC unroll 8
  for (size_t x = 0; x < in_side; x++) {
    vf d[MAX_IN], t[MAX_IN];
#pragma GCC unroll 8
    for (size_t y = 0; y < in_side; y++) {
      const float *a = rows[y * in_side + x] + c;
      d[y] = n < VF_WIDTH ? vf_load_n (a, n, 0) : vf_load (a);
    }
    transform (side, d, t);
#pragma GCC unroll 8
    for (size_t y = 0; y < in_side; y++)
      square[y][x] = t[y];
  }
#pragma GCC unroll 8
  for (size_t y = 0; y < in_side; y++) {
    vf t[MAX_IN];
    transform (side, square[y], t);
#pragma GCC unroll 8
    for (size_t x = 0; x < in_side; x++, out += out_stride_elems)
      if (n < VF_WIDTH)
        vf_store_n (out + c, n, t[x]);
      else
        vf_store (out + c, t[x]);
  }
}

static ALWAYS_INLINE void
all_channels (const size_t side, size_t n_channels, const float *const *rows,
    ptrdiff_t offset_elems, const float *zero, float *out,
    ptrdiff_t out_stride_elems)
{
  const float *moved[MAX_IN * MAX_IN];
  for (size_t i = 0; i < (side + 2) * (side + 2); i++)
    moved[i] = row_at (rows[i], zero, offset_elems);
  size_t c = 0;
  for (; c + VF_WIDTH <= n_channels; c += VF_WIDTH)
    tile (side, moved, c, VF_WIDTH, out, out_stride_elems);
  if (c < n_channels)
    tile (side, moved, c, n_channels - c, out, out_stride_elems);
}

void
FORGE_VARIANT (winograd_in_f32) (size_t side, size_t n_channels,
    const float *const *rows, ptrdiff_t offset_elems, const float *zero,
    float *out, ptrdiff_t out_stride_elems)
{
  if (side == 2)
    all_channels (
        2, n_channels, rows, offset_elems, zero, out, out_stride_elems);
  else if (side == 4)
    all_channels (
        4, n_channels, rows, offset_elems, zero, out, out_stride_elems);
  else
    all_channels (
        6, n_channels, rows, offset_elems, zero, out, out_stride_elems);
}
