/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Pixels on AVX2: bytes, int16 and int32 lanes, for the kernels that resize
 * and convert frames. Included by pixels.h. */
#pragma once

#include <immintrin.h>

#include "kernels/simd/x86.h"

/* 32 bytes, and int32 sums of products of two such with weights: each lane of
 * 128 bits holds its bytes in order, four to a vector. */
#define VS_WIDTH 32

typedef __m256i vs;

typedef vs vs_pair; /* of weights */

typedef struct {
  __m256i a, b, c, d; /* quarters */
} vsum;

static inline vs
vs_zero (void)
{
  return _mm256_setzero_si256 ();
}

static inline vs
vs_load (const uint8_t *p)
{
  return _mm256_loadu_si256 ((const __m256i *) p);
}

/* Two weights, for vsum_madd2. */
static inline vs_pair
vs_weights (int16_t wa, int16_t wb)
{
  return _mm256_set1_epi32 (
      (int32_t) ((uint32_t) (uint16_t) wa | (uint32_t) (uint16_t) wb << 16));
}

static inline vsum
vsum_splat (int32_t x)
{
  const __m256i all = _mm256_set1_epi32 (x);
  return (vsum) { all, all, all, all };
}

static inline __m256i
vsum_madd (__m256i sum, __m256i words, vs_pair weights)
{
  return _mm256_add_epi32 (sum, _mm256_madd_epi16 (words, weights));
}

/* sum + a * wa + b * wb. Bytes are interleaved first and widened after that:
 * half the shuffles of widening each by itself. */
static inline vsum
vsum_madd2 (vsum sum, vs a, vs b, vs_pair weights)
{
  const __m256i zero = _mm256_setzero_si256 ();
  const __m256i lo = _mm256_unpacklo_epi8 (a, b);
  const __m256i hi = _mm256_unpackhi_epi8 (a, b);
  sum.a = vsum_madd (sum.a, _mm256_unpacklo_epi8 (lo, zero), weights);
  sum.b = vsum_madd (sum.b, _mm256_unpackhi_epi8 (lo, zero), weights);
  sum.c = vsum_madd (sum.c, _mm256_unpacklo_epi8 (hi, zero), weights);
  sum.d = vsum_madd (sum.d, _mm256_unpackhi_epi8 (hi, zero), weights);
  return sum;
}

static inline __m256i
vsum_shifted7 (__m256i a, __m256i b)
{
  return _mm256_packs_epi32 (
      _mm256_srai_epi32 (a, 7), _mm256_srai_epi32 (b, 7));
}

/* sum >> 7, saturated. */
static inline void
vsum_store_shifted7 (int16_t *p, vsum sum)
{
  const __m256i lo = vsum_shifted7 (sum.a, sum.b);
  const __m256i hi = vsum_shifted7 (sum.c, sum.d);
  _mm256_storeu_si256 ((__m256i *) p, _mm256_permute2x128_si256 (lo, hi, 0x20));
  _mm256_storeu_si256 (
      (__m256i *) (p + 16), _mm256_permute2x128_si256 (lo, hi, 0x31));
}

/* 8 lanes of int16 and 4 lanes of int32. */
#define VH_WIDTH 8

typedef __m128i vh;
typedef __m128i vq;

static inline vh
vh_load (const int16_t *p)
{
  return _mm_loadu_si128 ((const __m128i *) p);
}

static inline void
vh_store (int16_t *p, vh x)
{
  _mm_storeu_si128 ((__m128i *) p, x);
}

/* Lanes from n on become 0. */
static inline vh
vh_keep_n (vh x, size_t n)
{
  const __m128i lane = _mm_setr_epi16 (0, 1, 2, 3, 4, 5, 6, 7);
  return _mm_and_si128 (x, _mm_cmpgt_epi16 (_mm_set1_epi16 ((short) n), lane));
}

/* p[0], p[step], ... p[7 * step]; reads 8 * step elements; step 1 to 4. */
static inline vh
vh_load_every (const int16_t *p, const size_t step)
{
  if (step == 1)
    return vh_load (p);
  if (step == 2) {
    const __m128i even = _mm_set1_epi32 (0xFFFF);
    return _mm_packus_epi32 (_mm_and_si128 (vh_load (p), even),
        _mm_and_si128 (vh_load (p + 8), even));
  }
  if (step == 3) {
    /* Lanes 0 3 6 | 1 4 7 | 2 5 of three vectors. */
    __m128i x = _mm_blend_epi16 (vh_load (p), vh_load (p + 8), 0x92);
    x = _mm_blend_epi16 (x, vh_load (p + 16), 0x24);
    return _mm_shuffle_epi8 (x,
        _mm_setr_epi8 (0, 1, 6, 7, 12, 13, 2, 3, 8, 9, 14, 15, 4, 5, 10, 11));
  }
  const __m128i first = _mm_set1_epi64x (0xFFFF);
  const __m128i lo = _mm_packus_epi32 (_mm_and_si128 (vh_load (p), first),
      _mm_and_si128 (vh_load (p + 8), first));
  const __m128i hi = _mm_packus_epi32 (_mm_and_si128 (vh_load (p + 16), first),
      _mm_and_si128 (vh_load (p + 24), first));
  return _mm_packus_epi32 (lo, hi);
}

static inline vq
vq_zero (void)
{
  return _mm_setzero_si128 ();
}

/* Adds the products of a and w, in pairs. */
static inline vq
vq_madd (vq sum, vh a, vh w)
{
  return _mm_add_epi32 (sum, _mm_madd_epi16 (a, w));
}

/* clamp_u8 ((sum of the lanes + 2^20) >> 21) of a, b, c and d as bytes. */
static inline uint32_t
vq_sum4_shifted21 (vq a, vq b, vq c, vq d)
{
  __m128i sum = _mm_hadd_epi32 (_mm_hadd_epi32 (a, b), _mm_hadd_epi32 (c, d));
  sum = _mm_add_epi32 (sum, _mm_set1_epi32 (1 << 20));
  sum = _mm_packs_epi32 (_mm_srai_epi32 (sum, 21), sum);
  return (uint32_t) _mm_cvtsi128_si32 (_mm_packus_epi16 (sum, sum));
}

/* a[0] w[0] + a[1] w[1], a[2] w[2] + a[3] w[3], ... */
static inline vq
vq_pairs (vh a, vh w)
{
  return _mm_madd_epi16 (a, w);
}

static inline __m128i
vq_shifted21 (vq a, vq b)
{
  const __m128i half = _mm_set1_epi32 (1 << 20);
  return _mm_packs_epi32 (_mm_srai_epi32 (_mm_add_epi32 (a, half), 21),
      _mm_srai_epi32 (_mm_add_epi32 (b, half), 21));
}

/* clamp_u8 ((x + 2^20) >> 21) of a and b as eight bytes. */
static inline void
vq_store_shifted21 (uint8_t *p, vq a, vq b)
{
  const __m128i words = vq_shifted21 (a, b);
  _mm_storel_epi64 ((__m128i *) p, _mm_packus_epi16 (words, words));
}

/* 16 bytes. */
typedef __m128i vb;

static inline vb
vb_load (const uint8_t *p)
{
  return _mm_loadu_si128 ((const __m128i *) p);
}

static inline void
vb_store (uint8_t *p, vb x)
{
  _mm_storeu_si128 ((__m128i *) p, x);
}

/* The first 12 bytes. */
static inline void
vb_store12 (uint8_t *p, vb x)
{
  _mm_storel_epi64 ((__m128i *) p, x);
  _mm_storeu_si32 (p + 8, _mm_srli_si128 (x, 8));
}

/* x[order[0]], x[order[1]], ... */
static inline vb
vb_turned (vb x, vb order)
{
  return _mm_shuffle_epi8 (x, order);
}

/* Bytes of any alignment. */
typedef int16_t vb_two __attribute__ ((aligned (1), may_alias));
typedef int32_t vb_four __attribute__ ((aligned (1), may_alias));

/* Eight pairs of pixels of one byte, p[start[i]] and p[start[i] + 1], in the
 * order that vw_sum_rows puts right: 0 1, 4 5, 2 3, 6 7. */
static inline vb
vb_load_eight2 (const uint8_t *p, const int32_t *start)
{
  vb x = _mm_loadu_si16 (p + start[0]);
  x = _mm_insert_epi16 (x, *(const vb_two *) (p + start[1]), 1);
  x = _mm_insert_epi16 (x, *(const vb_two *) (p + start[4]), 2);
  x = _mm_insert_epi16 (x, *(const vb_two *) (p + start[5]), 3);
  x = _mm_insert_epi16 (x, *(const vb_two *) (p + start[2]), 4);
  x = _mm_insert_epi16 (x, *(const vb_two *) (p + start[3]), 5);
  x = _mm_insert_epi16 (x, *(const vb_two *) (p + start[6]), 6);
  return _mm_insert_epi16 (x, *(const vb_two *) (p + start[7]), 7);
}

/* Four pairs of pixels of two bytes: 0, 2, 1, 3. */
static inline vb
vb_load_four4 (const uint8_t *p, const int32_t *start)
{
  vb x = _mm_loadu_si32 (p + 2 * (ptrdiff_t) start[0]);
  x = _mm_insert_epi32 (
      x, *(const vb_four *) (p + 2 * (ptrdiff_t) start[2]), 1);
  x = _mm_insert_epi32 (
      x, *(const vb_four *) (p + 2 * (ptrdiff_t) start[1]), 2);
  return _mm_insert_epi32 (
      x, *(const vb_four *) (p + 2 * (ptrdiff_t) start[3]), 3);
}

/* Two pairs of pixels of four bytes: the first pixels, then the second. */
static inline vb
vb_load_two8 (const uint8_t *p, const int32_t *start)
{
  const __m128i x = _mm_loadu_si64 (p + 4 * (ptrdiff_t) start[0]);
  const __m128i y = _mm_loadu_si64 (p + 4 * (ptrdiff_t) start[1]);
  return _mm_unpacklo_epi32 (x, y);
}

/* Two pairs of pixels of three bytes, each of four then: what the fourth one
 * is does not matter. */
static inline vb
vb_load_two6 (const uint8_t *p, const int32_t *start)
{
  const __m128i order =
      _mm_setr_epi8 (0, 1, 2, 2, 8, 9, 10, 10, 5, 6, 7, 7, 13, 14, 15, 15);
  const uint8_t *a = p + 3 * (ptrdiff_t) start[0];
  const uint8_t *b = p + 3 * (ptrdiff_t) start[1];
  vb x = _mm_loadu_si32 (a);
  x = _mm_insert_epi32 (x, *(const vb_four *) (a + 2), 1);
  x = _mm_insert_epi32 (x, *(const vb_four *) b, 2);
  x = _mm_insert_epi32 (x, *(const vb_four *) (b + 2), 3);
  return _mm_shuffle_epi8 (x, order);
}

/* 16 lanes of int16, and 8 of int32. */
typedef __m256i vw;
typedef __m256i vd;

/* (a * wa + b * wb + 64) >> 7, saturated. */
static inline vw
vw_sum_rows (vb a, vb b, vs_pair weights)
{
  const __m256i half = _mm256_set1_epi32 (64);
  const __m256i x = _mm256_cvtepu8_epi16 (_mm_unpacklo_epi8 (a, b));
  const __m256i y = _mm256_cvtepu8_epi16 (_mm_unpackhi_epi8 (a, b));
  return vsum_shifted7 (
      vsum_madd (half, x, weights), vsum_madd (half, y, weights));
}

/* The same of four windows of 16 bytes from which shuffles take four samples
 * each, twice, as int16: of these, every other one is taken from below. */
static inline vw
vw_sum_windows (const uint8_t *above, const uint8_t *below, const int32_t *base,
    const uint8_t *turn, vs_pair weights)
{
  const __m256i half = _mm256_set1_epi32 (64);
  __m256i sums[2];
  for (int i = 0; i < 2; i++, base += 2, turn += 32) {
    const __m256i order = _mm256_loadu_si256 ((const __m256i *) turn);
    const __m256i x = _mm256_loadu2_m128i ((const __m128i *) (above + base[1]),
        (const __m128i *) (above + base[0]));
    const __m256i y = _mm256_loadu2_m128i ((const __m128i *) (below + base[1]),
        (const __m128i *) (below + base[0]));
    const __m256i both = _mm256_blend_epi16 (
        _mm256_shuffle_epi8 (x, order), _mm256_shuffle_epi8 (y, order), 0xAA);
    sums[i] = vsum_madd (half, both, weights);
  }
  return vsum_shifted7 (sums[0], sums[1]);
}

/* Four pairs of pixels of two samples each, pair by pair sample by sample:
 * lanes 0 2 1 3 of every four. */
static inline vw
vw_pair_up2 (vw x)
{
  const __m256i order = _mm256_broadcastsi128_si256 (
      _mm_setr_epi8 (0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10, 11, 14, 15));
  return _mm256_shuffle_epi8 (x, order);
}

/* Two pairs of pixels of four samples each: lanes 0 4 1 5 2 6 3 7 of every
 * eight. */
static inline vw
vw_pair_up4 (vw x)
{
  const __m256i order = _mm256_broadcastsi128_si256 (
      _mm_setr_epi8 (0, 1, 8, 9, 2, 3, 10, 11, 4, 5, 12, 13, 6, 7, 14, 15));
  return _mm256_shuffle_epi8 (x, order);
}

static inline vw
vw_load (const int16_t *p)
{
  return _mm256_loadu_si256 ((const __m256i *) p);
}

/* p[0] p[1] p[0] p[1] p[2] p[3] p[2] p[3] ... p[7] */
static inline vw
vw_load_twice (const int16_t *p)
{
  return _mm256_permutevar8x32_epi32 (_mm256_castsi128_si256 (vh_load (p)),
      _mm256_setr_epi32 (0, 0, 1, 1, 2, 2, 3, 3));
}

/* p[0] p[1], four times, and p[2] p[3]. */
static inline vw
vw_load_fourfold (const int16_t *p)
{
  return _mm256_permutevar8x32_epi32 (
      _mm256_castsi128_si256 (_mm_loadu_si64 (p)),
      _mm256_setr_epi32 (0, 0, 0, 0, 1, 1, 1, 1));
}

/* (a[0] w[0] + a[1] w[1] + 2^20) >> 21, ... */
static inline vd
vd_pairs_shifted21 (vw a, vw w)
{
  const __m256i half = _mm256_set1_epi32 (1 << 20);
  return _mm256_srai_epi32 (
      _mm256_add_epi32 (_mm256_madd_epi16 (a, w), half), 21);
}

/* Clamped to eight bytes. */
static inline void
vd_store_u8 (uint8_t *p, vd x)
{
  const __m128i words = _mm_packs_epi32 (
      _mm256_castsi256_si128 (x), _mm256_extracti128_si256 (x, 1));
  _mm_storel_epi64 ((__m128i *) p, _mm_packus_epi16 (words, words));
}

/* Clamped to 16 bytes: lanes 0 to 3 of a, of b, then 4 to 7 of both. */
static inline __m128i
vd_bytes_by_fours (vd a, vd b)
{
  const __m256i words = _mm256_packs_epi32 (a, b);
  return _mm_packus_epi16 (
      _mm256_castsi256_si128 (words), _mm256_extracti128_si256 (words, 1));
}

/* Clamped to 16 bytes. */
static inline vb
vd_bytes (vd a, vd b)
{
  return _mm_shuffle_epi32 (vd_bytes_by_fours (a, b), 0xD8);
}

/* Clamped to bytes, every other one to even and to odd: eight each. */
static inline void
vd_split_u8 (uint8_t *even, uint8_t *odd, vd a, vd b)
{
  const __m128i order =
      _mm_setr_epi8 (0, 2, 8, 10, 4, 6, 12, 14, 1, 3, 9, 11, 5, 7, 13, 15);
  const __m128i split = _mm_shuffle_epi8 (vd_bytes_by_fours (a, b), order);
  _mm_storel_epi64 ((__m128i *) even, split);
  _mm_storel_epi64 ((__m128i *) odd, _mm_srli_si128 (split, 8));
}
