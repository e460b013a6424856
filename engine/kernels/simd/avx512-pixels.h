/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Pixels on AVX-512BW, as in avx2-pixels.h. Included by pixels.h. */
#pragma once

#include <immintrin.h>

#include "kernels/simd/x86.h"

/* 64 bytes, and int32 sums of products of two such with weights: each lane of
 * 128 bits holds its bytes in order, four to a vector. */
#define VS_WIDTH 64

typedef __m512i vs;

typedef vs vs_pair; /* of weights */

typedef struct {
  __m512i a, b, c, d; /* quarters */
} vsum;

static inline vs
vs_zero (void)
{
  return _mm512_setzero_si512 ();
}

static inline vs
vs_load (const uint8_t *p)
{
  return _mm512_loadu_si512 (p);
}

/* Two weights, for vsum_madd2. */
static inline vs_pair
vs_weights (int16_t wa, int16_t wb)
{
  return _mm512_set1_epi32 (
      (int32_t) ((uint32_t) (uint16_t) wa | (uint32_t) (uint16_t) wb << 16));
}

static inline vsum
vsum_splat (int32_t x)
{
  const __m512i all = _mm512_set1_epi32 (x);
  return (vsum) { all, all, all, all };
}

static inline __m512i
vsum_madd (__m512i sum, __m512i words, vs_pair weights)
{
  return _mm512_add_epi32 (sum, _mm512_madd_epi16 (words, weights));
}

/* sum + a * wa + b * wb. */
static inline vsum
vsum_madd2 (vsum sum, vs a, vs b, vs_pair weights)
{
  const __m512i zero = _mm512_setzero_si512 ();
  const __m512i lo = _mm512_unpacklo_epi8 (a, b);
  const __m512i hi = _mm512_unpackhi_epi8 (a, b);
  sum.a = vsum_madd (sum.a, _mm512_unpacklo_epi8 (lo, zero), weights);
  sum.b = vsum_madd (sum.b, _mm512_unpackhi_epi8 (lo, zero), weights);
  sum.c = vsum_madd (sum.c, _mm512_unpacklo_epi8 (hi, zero), weights);
  sum.d = vsum_madd (sum.d, _mm512_unpackhi_epi8 (hi, zero), weights);
  return sum;
}

static inline __m512i
vsum_shifted7 (__m512i a, __m512i b)
{
  return _mm512_packs_epi32 (
      _mm512_srai_epi32 (a, 7), _mm512_srai_epi32 (b, 7));
}

/* sum >> 7, saturated. */
static inline void
vsum_store_shifted7 (int16_t *p, vsum sum)
{
  const __m512i first = _mm512_setr_epi64 (0, 1, 8, 9, 2, 3, 10, 11);
  const __m512i second = _mm512_setr_epi64 (4, 5, 12, 13, 6, 7, 14, 15);
  const __m512i lo = vsum_shifted7 (sum.a, sum.b);
  const __m512i hi = vsum_shifted7 (sum.c, sum.d);
  _mm512_storeu_si512 (p, _mm512_permutex2var_epi64 (lo, first, hi));
  _mm512_storeu_si512 (p + 32, _mm512_permutex2var_epi64 (lo, second, hi));
}
