/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Horizontal pass of the resize on AVX2: sixteen samples at a time, and eight
 * where no sixteen are left, are multiplied by their weights in exact int32.
 * Eight outputs are summed up together. Other numbers of taps than multiples
 * of eight, and outputs that fill no group, go to ref. */
#include "kernels/simd/avx2.h"
#include "kernels/simd/pixels.h"

enum { GROUP = 8 };

typedef struct {
  size_t n_taps;
  const int32_t *start;
  const int16_t *weights;
  const int16_t *in;
} Job;

static ALWAYS_INLINE __m256i
load16 (const int16_t *p)
{
  return _mm256_loadu_si256 ((const __m256i *) p);
}

static ALWAYS_INLINE __m256i
sum_products (const Job *job, const size_t n_taps, size_t x)
{
  const int16_t *in = job->in + job->start[x];
  const int16_t *weights = job->weights + x * n_taps;
  __m256i sum;
  size_t t = n_taps % 16;
  if (t > 0)
    sum = _mm256_zextsi128_si256 (vq_pairs (vh_load (in), vh_load (weights)));
  else
    sum = _mm256_madd_epi16 (load16 (in), load16 (weights)), t = 16;
  for (; t < n_taps; t += 16)
    sum = _mm256_add_epi32 (
        sum, _mm256_madd_epi16 (load16 (in + t), load16 (weights + t)));
  return sum;
}

/* Sums of the lanes of outputs x to x + 3, the halves of them apart. */
static ALWAYS_INLINE __m256i
four_sums (const Job *job, const size_t n_taps, size_t x)
{
  const __m256i ab = _mm256_hadd_epi32 (
      sum_products (job, n_taps, x), sum_products (job, n_taps, x + 1));
  const __m256i cd = _mm256_hadd_epi32 (
      sum_products (job, n_taps, x + 2), sum_products (job, n_taps, x + 3));
  return _mm256_hadd_epi32 (ab, cd);
}

static ALWAYS_INLINE __m128i
halves (__m256i sums)
{
  return _mm_add_epi32 (
      _mm256_castsi256_si128 (sums), _mm256_extracti128_si256 (sums, 1));
}

/* With n_taps a constant there is no loop over the taps. */
static ALWAYS_INLINE void
run (const Job *job, const size_t n_taps, size_t n_groups, uint8_t *out,
    size_t out_step)
{
  for (size_t g = 0; g < n_groups; g++, out += GROUP * out_step) {
    const size_t x = g * GROUP;
    const vq first = halves (four_sums (job, n_taps, x));
    const vq second = halves (four_sums (job, n_taps, x + 4));
    if (out_step == 1) {
      vq_store_shifted21 (out, first, second);
      continue;
    }
    uint8_t bytes[GROUP];
    vq_store_shifted21 (bytes, first, second);
    for (size_t i = 0; i < GROUP; i++)
      out[i * out_step] = bytes[i];
  }
}

void
forge_resize_h_s16_avx2 (size_t n_out, size_t n_taps, const int32_t *start,
    const int16_t *weights, const int16_t *in, uint8_t *out, size_t out_step)
{
  const Job job = { n_taps, start, weights, in };
  const size_t n_groups = n_taps % 8 == 0 ? n_out / GROUP : 0;
  const size_t done = n_groups * GROUP;
  if (n_taps == 8)
    run (&job, 8, n_groups, out, out_step);
  else if (n_taps == 16)
    run (&job, 16, n_groups, out, out_step);
  else if (n_taps == 24)
    run (&job, 24, n_groups, out, out_step);
  else
    run (&job, n_taps, n_groups, out, out_step);
  forge_resize_h_s16_ref (n_out - done, n_taps, start + done,
      weights + done * n_taps, in, out + done * out_step, out_step);
}
