/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * 16 bytes at a time, the same on every x86 tier. */
#pragma once

#include <immintrin.h>
#include <stdint.h>

#define VB_WIDTH 16

/* a[0] b[0] c[0] a[1] b[1] c[1] ...: 16 bytes of each. */
static inline void
vb_store_interleaved3 (
    uint8_t *p, const uint8_t *a, const uint8_t *b, const uint8_t *c)
{
  const __m128i third =
      _mm_setr_epi8 (0, 11, 6, 1, 12, 7, 2, 13, 8, 3, 14, 9, 4, 15, 10, 5);
  const __m128i turn_b =
      _mm_setr_epi8 (5, 0, 11, 6, 1, 12, 7, 2, 13, 8, 3, 14, 9, 4, 15, 10);
  const __m128i turn_c =
      _mm_setr_epi8 (10, 5, 0, 11, 6, 1, 12, 7, 2, 13, 8, 3, 14, 9, 4, 15);
  /* Byte i of each store is of a where i, i + 16 or i + 32 is 0 modulo 3. */
  const __m128i first =
      _mm_setr_epi8 (-1, 0, 0, -1, 0, 0, -1, 0, 0, -1, 0, 0, -1, 0, 0, -1);
  const __m128i second =
      _mm_setr_epi8 (0, -1, 0, 0, -1, 0, 0, -1, 0, 0, -1, 0, 0, -1, 0, 0);
  const __m128i x =
      _mm_shuffle_epi8 (_mm_loadu_si128 ((const __m128i *) a), third);
  const __m128i y =
      _mm_shuffle_epi8 (_mm_loadu_si128 ((const __m128i *) b), turn_b);
  const __m128i z =
      _mm_shuffle_epi8 (_mm_loadu_si128 ((const __m128i *) c), turn_c);
  _mm_storeu_si128 ((__m128i *) p,
      _mm_blendv_epi8 (_mm_blendv_epi8 (z, y, second), x, first));
  _mm_storeu_si128 ((__m128i *) (p + 16),
      _mm_blendv_epi8 (_mm_blendv_epi8 (x, z, second), y, first));
  _mm_storeu_si128 ((__m128i *) (p + 32),
      _mm_blendv_epi8 (_mm_blendv_epi8 (y, x, second), z, first));
}
