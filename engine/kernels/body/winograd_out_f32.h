/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A^T m A of one tile with bias, residual and clamp, a vector of channels at
 * a time; what lies past the image's edge is left out. Compiled for each
 * side.
 * Source: winograd.h says the matrices. */
#include "kernels/simd/simd.h"

#include "kernels/winograd.h"

enum { MAX_IN = FORGE_WINOGRAD_MAX_N, MAX_OUT = FORGE_WINOGRAD_MAX_SIDE };

#define A 0.625f
#define B 1.5f
#define P 0.5625f
#define Q 1.0f
#define R 1.75f

typedef struct {
  const float *in;
  ptrdiff_t in_stride_elems;
  const float *bias, *residual;
  size_t n_rows, n_columns;
  float *out;
  ptrdiff_t row_stride_elems, stride_elems;
  vf min, max;
} Job;

static ALWAYS_INLINE void
transform_to_4 (const vf *m, vf *y)
{
  const vf even_a = vf_add (m[1], m[2]);
  const vf odd_a = vf_sub (m[1], m[2]);
  const vf even_b = vf_add (m[3], m[4]);
  const vf odd_b = vf_sub (m[3], m[4]);
  y[0] = vf_add (vf_add (m[0], even_a), even_b);
  y[1] = vf_fmadd (vf_splat (B), odd_b, vf_mul (vf_splat (A), odd_a));
  y[2] = vf_fmadd (vf_splat (B * B), even_b, vf_mul (vf_splat (A * A), even_a));
  y[3] = vf_fmadd (vf_splat (B * B * B), odd_b,
      vf_fmadd (vf_splat (A * A * A), odd_a, m[5]));
}

/* a P^k + b Q^k + c R^k, of factors to the power of k. */
static ALWAYS_INLINE vf
sum_of_3 (vf a, const float p, vf b, const float q, vf c, const float r)
{
  return vf_fmadd (
      vf_splat (r), c, vf_fmadd (vf_splat (q), b, vf_mul (vf_splat (p), a)));
}

static ALWAYS_INLINE void
transform_to_6 (const vf *m, vf *y)
{
  const vf even_p = vf_add (m[1], m[2]), odd_p = vf_sub (m[1], m[2]);
  const vf even_q = vf_add (m[3], m[4]), odd_q = vf_sub (m[3], m[4]);
  const vf even_r = vf_add (m[5], m[6]), odd_r = vf_sub (m[5], m[6]);
  y[0] = vf_add (vf_add (m[0], even_p), vf_add (even_q, even_r));
  y[1] = sum_of_3 (odd_p, P, odd_q, Q, odd_r, R);
  y[2] = sum_of_3 (even_p, P * P, even_q, Q * Q, even_r, R * R);
  y[3] = sum_of_3 (odd_p, P * P * P, odd_q, Q * Q * Q, odd_r, R * R * R);
  y[4] = sum_of_3 (
      even_p, P * P * P * P, even_q, Q * Q * Q * Q, even_r, R * R * R * R);
  y[5] = vf_add (m[7], sum_of_3 (odd_p, P * P * P * P * P, odd_q,
                           Q * Q * Q * Q * Q, odd_r, R * R * R * R * R));
}

static ALWAYS_INLINE void
transform_to_2 (const vf *m, vf *y)
{
  y[0] = vf_add (m[0], vf_add (m[1], m[2]));
  y[1] = vf_add (vf_sub (m[1], m[2]), m[3]);
}

static ALWAYS_INLINE void
transform (const size_t side, const vf *m, vf *y)
{
  if (side == 2)
    transform_to_2 (m, y);
  else if (side == 4)
    transform_to_4 (m, y);
  else
    transform_to_6 (m, y);
}

static ALWAYS_INLINE vf
load (const float *p, size_t n)
{
  return n < VF_WIDTH ? vf_load_n (p, n, 0) : vf_load (p);
}

/* Channels c to c + n. */
static ALWAYS_INLINE void
tile (const size_t side, const Job *job, size_t c, size_t n)
{
  const size_t in_side = side + 2;
  vf square[MAX_OUT][MAX_IN];
#pragma GCC unroll 8
  for (size_t x = 0; x < in_side; x++) {
    vf m[MAX_IN], t[MAX_OUT];
#pragma GCC unroll 8
    for (size_t y = 0; y < in_side; y++)
      m[y] = load (
          job->in + (ptrdiff_t) (y * in_side + x) * job->in_stride_elems + c,
          n);
    transform (side, m, t);
#pragma GCC unroll 6
    for (size_t y = 0; y < side; y++)
      square[y][x] = t[y];
  }
  const vf bias = load (job->bias + c, n);
  for (size_t y = 0; y < job->n_rows; y++) {
    vf t[MAX_OUT] = { bias, bias, bias, bias, bias, bias };
    transform (side, square[y], t);
    for (size_t x = 0; x < job->n_columns; x++) {
      const ptrdiff_t at = (ptrdiff_t) y * job->row_stride_elems +
                           (ptrdiff_t) x * job->stride_elems + (ptrdiff_t) c;
      vf sum = vf_add (t[x], bias);
      if (job->residual)
        sum = vf_add (sum, load (job->residual + at, n));
      sum = vf_clamp (sum, job->min, job->max);
      if (n < VF_WIDTH)
        vf_store_n (job->out + at, n, sum);
      else
        vf_store (job->out + at, sum);
    }
  }
}

static ALWAYS_INLINE void
all_channels (const size_t side, size_t n_channels, const Job *job)
{
  size_t c = 0;
  for (; c + VF_WIDTH <= n_channels; c += VF_WIDTH)
    tile (side, job, c, VF_WIDTH);
  if (c < n_channels)
    tile (side, job, c, n_channels - c);
}

void
FORGE_VARIANT (winograd_out_f32) (size_t side, size_t n_channels,
    const float *in, ptrdiff_t in_stride_elems, const float *bias,
    size_t n_rows, size_t n_columns, float *out, ptrdiff_t out_row_stride_elems,
    ptrdiff_t out_stride_elems, const float *residual, float min, float max)
{
  const Job job = { in, in_stride_elems, bias, residual, n_rows, n_columns, out,
    out_row_stride_elems, out_stride_elems, vf_splat (min), vf_splat (max) };
  if (side == 2)
    all_channels (2, n_channels, &job);
  else if (side == 4)
    all_channels (4, n_channels, &job);
  else
    all_channels (6, n_channels, &job);
}
