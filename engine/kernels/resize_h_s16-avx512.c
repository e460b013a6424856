/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Horizontal pass of the resize on AVX-512BW: 32 samples at a time are
 * multiplied by their weights in exact int32. Four outputs are summed up
 * together. Masks keep every load inside the row and inside the weights of
 * one output. */
#include "kernels/simd/avx512.h"
#include "kernels/simd/pixels.h"

enum { LANES = 32, GROUP = 4 };

typedef struct {
  size_t n_taps;
  const int32_t *start;
  const int16_t *weights;
  const int16_t *in;
  __mmask32 last; /* the taps of the last chunk */
} Job;

static inline __mmask32
first_lanes (size_t n)
{
  return (__mmask32) ((UINT64_C (1) << n) - 1);
}

static ALWAYS_INLINE __m512i
add_chunk (
    __m512i sum, const int16_t *in, const int16_t *weights, __mmask32 taps)
{
  const __m512i a = _mm512_maskz_loadu_epi16 (taps, in);
  const __m512i w = _mm512_maskz_loadu_epi16 (taps, weights);
  return _mm512_add_epi32 (sum, _mm512_madd_epi16 (a, w));
}

static ALWAYS_INLINE __m256i
sum_products (const Job *job, const size_t n_chunks, size_t x)
{
  const int16_t *in = job->in + job->start[x];
  const int16_t *weights = job->weights + x * job->n_taps;
  __m512i sum = _mm512_setzero_si512 ();
  for (size_t i = 1; i < n_chunks; i++) {
    sum = add_chunk (sum, in, weights, first_lanes (LANES));
    in += LANES;
    weights += LANES;
  }
  sum = add_chunk (sum, in, weights, job->last);
  return _mm256_add_epi32 (
      _mm512_castsi512_si256 (sum), _mm512_extracti64x4_epi64 (sum, 1));
}

/* Outputs x[0] to x[3] as four bytes. */
static ALWAYS_INLINE uint32_t
four_outputs (const Job *job, const size_t n_chunks, const size_t x[GROUP])
{
  const __m256i ab = _mm256_hadd_epi32 (
      sum_products (job, n_chunks, x[0]), sum_products (job, n_chunks, x[1]));
  const __m256i cd = _mm256_hadd_epi32 (
      sum_products (job, n_chunks, x[2]), sum_products (job, n_chunks, x[3]));
  const __m256i abcd = _mm256_hadd_epi32 (ab, cd);
  __m128i sum = _mm_add_epi32 (
      _mm256_castsi256_si128 (abcd), _mm256_extracti128_si256 (abcd, 1));
  sum = _mm_add_epi32 (sum, _mm_set1_epi32 (1 << 20));
  sum = _mm_packs_epi32 (_mm_srai_epi32 (sum, 21), sum);
  return (uint32_t) _mm_cvtsi128_si32 (_mm_packus_epi16 (sum, sum));
}

/* With n_chunks a constant the loop over chunks is gone. */
static ALWAYS_INLINE void
run (const Job *job, const size_t n_chunks, size_t n_out, uint8_t *out,
    size_t out_step)
{
  for (size_t x = 0; x < n_out; x += GROUP) {
    size_t at[GROUP];
    for (size_t i = 0; i < GROUP; i++)
      at[i] = x + i < n_out ? x + i : n_out - 1;
    uint32_t bytes = four_outputs (job, n_chunks, at);
    for (size_t i = x; i < n_out && i < x + GROUP; i++, bytes >>= 8)
      out[i * out_step] = (uint8_t) bytes;
  }
}

void
forge_resize_h_s16_avx512 (size_t n_out, size_t n_taps, const int32_t *start,
    const int16_t *weights, const int16_t *in, uint8_t *out, size_t out_step)
{
  const size_t n_chunks = (n_taps + LANES - 1) / LANES;
  const size_t last = n_taps - (n_chunks - 1) * LANES;
  const Job job = { n_taps, start, weights, in, first_lanes (last) };
  if (n_chunks == 1)
    run (&job, 1, n_out, out, out_step);
  else if (n_chunks == 2)
    run (&job, 2, n_out, out, out_step);
  else
    run (&job, n_chunks, n_out, out, out_step);
}
