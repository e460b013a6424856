/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Depthwise convolution of any windows. Four pixels by one vector of channels
 * stay in registers, so that each weight is loaded once for four products. The
 * moved row pointers of the four windows are worked out once and kept on the
 * stack while the channels run; windows too large for that go tap by tap. */
#include "kernels/simd/simd.h"

enum { PIXELS = 4, MAX_KEPT_TAPS = 64 };

typedef struct {
  size_t n_channels;
  size_t n_taps;
  const float *weights;
  ptrdiff_t out_stride_elems;
  float min, max;
} Job;

static ALWAYS_INLINE vf
load (const float *p, size_t n)
{
  return n < VF_WIDTH ? vf_load_n (p, n, 0) : vf_load (p);
}

static ALWAYS_INLINE void
store (float *p, size_t n, vf x)
{
  if (n < VF_WIDTH)
    vf_store_n (p, n, x);
  else
    vf_store (p, x);
}

/* Channels c to c + n of `pixels` pixels; rows are already moved. With n_taps
 * a constant the loop over taps unrolls. */
static ALWAYS_INLINE void
window (const Job *job, const size_t pixels, const size_t n_taps,
    const float *const *rows, size_t c, size_t n, float *out)
{
  const float *w = job->weights + c;
  vf sum[PIXELS];
#pragma GCC unroll 4
  for (size_t p = 0; p < pixels; p++)
    sum[p] = load (w, n);
  for (size_t k = 0; k < n_taps; k++) {
    w += job->n_channels;
    const vf weight = load (w, n);
#pragma GCC unroll 4
    for (size_t p = 0; p < pixels; p++) {
      const vf x = load (rows[p * n_taps + k] + c, n);
      sum[p] = vf_fmadd (x, weight, sum[p]);
    }
  }
#pragma GCC unroll 4
  for (size_t p = 0; p < pixels; p++, out += job->out_stride_elems)
    store (out + c, n,
        vf_clamp (sum[p], vf_splat (job->min), vf_splat (job->max)));
}

static ALWAYS_INLINE void
all_channels (const Job *job, const size_t pixels, const size_t n_taps,
    const float *const *rows, float *out)
{
  size_t c = 0;
  for (; c + VF_WIDTH <= job->n_channels; c += VF_WIDTH)
    window (job, pixels, n_taps, rows, c, VF_WIDTH, out);
  if (c < job->n_channels)
    window (job, pixels, n_taps, rows, c, job->n_channels - c, out);
}

static ALWAYS_INLINE void
any_taps (
    const Job *job, const size_t pixels, const float *const *rows, float *out)
{
  if (job->n_taps == 9)
    all_channels (job, pixels, 9, rows, out);
  else if (job->n_taps == 25)
    all_channels (job, pixels, 25, rows, out);
  else
    all_channels (job, pixels, job->n_taps, rows, out);
}

/* One pixel whose window has more taps than are kept. */
static void
large_window (const Job *job, const float *const *rows, const float *zero,
    ptrdiff_t offset_elems, float *out)
{
  const vf min = vf_splat (job->min);
  const vf max = vf_splat (job->max);
  for (size_t c = 0; c < job->n_channels; c += VF_WIDTH) {
    const size_t left = job->n_channels - c;
    const size_t n = left < VF_WIDTH ? left : VF_WIDTH;
    const float *w = job->weights + c;
    vf sum = vf_load_n (w, n, 0);
    for (size_t k = 0; k < job->n_taps; k++) {
      const float *a = row_at (rows[k], zero, offset_elems) + c;
      w += job->n_channels;
      sum = vf_fmadd (vf_load_n (a, n, 0), vf_load_n (w, n, 0), sum);
    }
    vf_store_n (out + c, n, vf_clamp (sum, min, max));
  }
}

void
FORGE_VARIANT (dwconv_f32) (size_t n_pixels, size_t n_channels, size_t n_taps,
    const float *const *rows, ptrdiff_t offset_elems, const float *zero,
    const float *weights, float *out, ptrdiff_t out_stride_elems, float min,
    float max)
{
  const Job job = { n_channels, n_taps, weights, out_stride_elems, min, max };
  const float *kept[PIXELS * MAX_KEPT_TAPS];
  while (n_pixels > 0) {
    size_t pixels = n_pixels < PIXELS ? n_pixels : PIXELS;
    if (n_taps > MAX_KEPT_TAPS) {
      pixels = 1;
      large_window (&job, rows, zero, offset_elems, out);
    } else {
      for (size_t i = 0; i < pixels * n_taps; i++)
        kept[i] = row_at (rows[i], zero, offset_elems);
      if (pixels == PIXELS)
        any_taps (&job, PIXELS, kept, out);
      else if (pixels == 3)
        any_taps (&job, 3, kept, out);
      else if (pixels == 2)
        any_taps (&job, 2, kept, out);
      else
        any_taps (&job, 1, kept, out);
    }
    n_pixels -= pixels;
    rows += pixels * n_taps;
    out += (ptrdiff_t) pixels * out_stride_elems;
  }
}
