/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Scaled sum of a window, four vectors of channels at a time: a global pool
 * has few channels in flight and many taps, so one chain of additions would
 * wait for itself. The sum runs in ref's order: the same bits. */
#include "kernels/simd/simd.h"

typedef struct {
  size_t n_taps;
  const float *const *rows;
  ptrdiff_t offset_elems;
  const float *zero;
} Job;

static ALWAYS_INLINE void
sum_full (
    const Job *job, size_t c, const size_t n_vectors, float scale, float *out)
{
  vf sum[4];
#pragma GCC unroll 4
  for (size_t v = 0; v < n_vectors; v++)
    sum[v] = vf_splat (0);
  for (size_t k = 0; k < job->n_taps; k++) {
    const float *a = row_at (job->rows[k], job->zero, job->offset_elems) + c;
#pragma GCC unroll 4
    for (size_t v = 0; v < n_vectors; v++)
      sum[v] = vf_add (sum[v], vf_load (a + v * VF_WIDTH));
  }
#pragma GCC unroll 4
  for (size_t v = 0; v < n_vectors; v++)
    vf_store (out + c + v * VF_WIDTH, vf_mul (sum[v], vf_splat (scale)));
}

static void
sum_tail (const Job *job, size_t c, size_t n, float scale, float *out)
{
  vf sum = vf_splat (0);
  for (size_t k = 0; k < job->n_taps; k++) {
    const float *a = row_at (job->rows[k], job->zero, job->offset_elems) + c;
    sum = vf_add (sum, vf_load_n (a, n, 0));
  }
  vf_store_n (out + c, n, vf_mul (sum, vf_splat (scale)));
}

void
FORGE_VARIANT (avgpool_f32) (size_t n_pixels, size_t n_channels, size_t n_taps,
    const float *const *rows, ptrdiff_t offset_elems, const float *zero,
    const float *scale, float *out, ptrdiff_t out_stride_elems)
{
  Job job = { n_taps, rows, offset_elems, zero };
  for (size_t p = 0; p < n_pixels; p++, out += out_stride_elems) {
    size_t c = 0;
    for (; c + 4 * VF_WIDTH <= n_channels; c += 4 * VF_WIDTH)
      sum_full (&job, c, 4, scale[p], out);
    for (; c + VF_WIDTH <= n_channels; c += VF_WIDTH)
      sum_full (&job, c, 1, scale[p], out);
    if (c < n_channels)
      sum_tail (&job, c, n_channels - c, scale[p], out);
    job.rows += n_taps;
  }
}
