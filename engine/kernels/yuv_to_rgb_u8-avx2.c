/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Colour conversion, 16 pixels at a time in exact int32. A coefficient k is
 * taken apart as 8 (k >> 3) + (k & 7), and a sample s as the pair 8 s and s:
 * one product of neighbours of int16 is k s. Packing saturates, which is the
 * clamp. The last block overlaps the one before it; rows shorter than a
 * block, and other steps, go to ref. */
#include <stdbool.h>

#include "kernels/simd/avx2.h"
#include "kernels/simd/pixels.h"

enum { BLOCK = VB_WIDTH };

/* Coefficients as pairs, and what is taken from luma. */
typedef struct {
  __m256i y, v_to_r, u_to_g, v_to_g, u_to_b;
  __m256i y_offset;
} Coefs;

/* Sixteen samples as (8 s, s): the first and the second four of each lane. */
typedef struct {
  __m256i lo, hi;
} Pairs;

static __m256i
split (int32_t k)
{
  return _mm256_set1_epi32 (
      (int32_t) ((uint32_t) (k >> 3) | (uint32_t) (k & 7) << 16));
}

static ALWAYS_INLINE Pairs
load_pairs (const uint8_t *p, __m256i offset)
{
  const __m256i s = _mm256_sub_epi16 (
      _mm256_cvtepu8_epi16 (_mm_loadu_si128 ((const __m128i *) p)), offset);
  const __m256i eight = _mm256_slli_epi16 (s, 3);
  return (Pairs) { _mm256_unpacklo_epi16 (eight, s),
    _mm256_unpackhi_epi16 (eight, s) };
}

/* clamp_u8 (lo >> 16), clamp_u8 (hi >> 16): 16 bytes in order. */
static ALWAYS_INLINE void
store_bytes (uint8_t *p, __m256i lo, __m256i hi)
{
  const __m256i words = _mm256_packs_epi32 (
      _mm256_srai_epi32 (lo, 16), _mm256_srai_epi32 (hi, 16));
  const __m128i bytes = _mm_packus_epi16 (
      _mm256_castsi256_si128 (words), _mm256_extracti128_si256 (words, 1));
  _mm_storeu_si128 ((__m128i *) p, bytes);
}

static ALWAYS_INLINE void
convert_block (const Coefs *k, const uint8_t *y, const uint8_t *u,
    const uint8_t *v, uint8_t *r, uint8_t *g, uint8_t *b)
{
  const __m256i centre = _mm256_set1_epi16 (128);
  const __m256i half = _mm256_set1_epi32 (1 << 15);
  const Pairs luma = load_pairs (y, k->y_offset);
  const Pairs cb = load_pairs (u, centre);
  const Pairs cr = load_pairs (v, centre);
  const __m256i lo = _mm256_add_epi32 (_mm256_madd_epi16 (luma.lo, k->y), half);
  const __m256i hi = _mm256_add_epi32 (_mm256_madd_epi16 (luma.hi, k->y), half);
  store_bytes (r, _mm256_add_epi32 (lo, _mm256_madd_epi16 (cr.lo, k->v_to_r)),
      _mm256_add_epi32 (hi, _mm256_madd_epi16 (cr.hi, k->v_to_r)));
  const __m256i green_lo =
      _mm256_add_epi32 (_mm256_madd_epi16 (cb.lo, k->u_to_g),
          _mm256_madd_epi16 (cr.lo, k->v_to_g));
  const __m256i green_hi =
      _mm256_add_epi32 (_mm256_madd_epi16 (cb.hi, k->u_to_g),
          _mm256_madd_epi16 (cr.hi, k->v_to_g));
  store_bytes (
      g, _mm256_sub_epi32 (lo, green_lo), _mm256_sub_epi32 (hi, green_hi));
  store_bytes (b, _mm256_add_epi32 (lo, _mm256_madd_epi16 (cb.lo, k->u_to_b)),
      _mm256_add_epi32 (hi, _mm256_madd_epi16 (cb.hi, k->u_to_b)));
}

void
forge_yuv_to_rgb_u8_avx2 (size_t n_pixels, const ForgeYuvCoefs *coefs,
    const uint8_t *y, const uint8_t *u, const uint8_t *v, uint8_t *r,
    uint8_t *g, uint8_t *b, size_t out_step)
{
  const bool is_rgb = out_step == 3 && g == r + 1 && b == r + 2;
  const bool is_bgr = out_step == 3 && g == b + 1 && r == b + 2;
  if (n_pixels < BLOCK || !(is_rgb || is_bgr || out_step == 1)) {
    forge_yuv_to_rgb_u8_ref (n_pixels, coefs, y, u, v, r, g, b, out_step);
    return;
  }
  const Coefs k = { split (coefs->y_scale), split (coefs->v_to_r),
    split (coefs->u_to_g), split (coefs->v_to_g), split (coefs->u_to_b),
    _mm256_set1_epi16 ((int16_t) coefs->y_offset) };
  for (size_t i = 0; i < n_pixels; i += BLOCK) {
    const size_t x = i + BLOCK <= n_pixels ? i : n_pixels - BLOCK;
    if (out_step == 1) {
      convert_block (&k, y + x, u + x, v + x, r + x, g + x, b + x);
      continue;
    }
    uint8_t planes[3][BLOCK];
    convert_block (&k, y + x, u + x, v + x, planes[0], planes[1], planes[2]);
    if (is_rgb)
      vb_store_interleaved3 (r + 3 * x, planes[0], planes[1], planes[2]);
    else
      vb_store_interleaved3 (b + 3 * x, planes[2], planes[1], planes[0]);
  }
}
