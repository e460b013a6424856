/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Vectors on AVX2 with FMA3: 8 floats, tails by maskload and maskstore, which
 * never touch (or fault on) what the mask leaves out. A masked store takes
 * AMD's cores a dozen cycles or more, so a whole vector does without. Names as
 * in avx512.h. */
#pragma once

#include <immintrin.h>

#include "kernels/variant.h"

#define FORGE_VARIANT(kernel) forge_##kernel##_avx2
#define FORGE_ISA avx2
#define FORGE_PIXELS_HEADER "kernels/simd/avx2-pixels.h"
#define FORGE_VECTOR_REGISTER "x"
#define VF_WIDTH 8
#define IGEMM_MR FORGE_IGEMM_MR_avx2
#define IGEMM_NR FORGE_IGEMM_NR_avx2

typedef __m256 vf;

static inline __m256i
vf_first (size_t n)
{
  const __m256i lane = _mm256_setr_epi32 (0, 1, 2, 3, 4, 5, 6, 7);
  return _mm256_cmpgt_epi32 (_mm256_set1_epi32 ((int) n), lane);
}

static inline vf
vf_splat (float x)
{
  return _mm256_set1_ps (x);
}

static inline vf
vf_load (const float *p)
{
  return _mm256_loadu_ps (p);
}

/* Missing lanes hold `fill`. */
static inline vf
vf_load_n (const float *p, size_t n, float fill)
{
  if (n == VF_WIDTH)
    return _mm256_loadu_ps (p);
  __m256i mask = vf_first (n);
  return _mm256_blendv_ps (_mm256_set1_ps (fill), _mm256_maskload_ps (p, mask),
      _mm256_castsi256_ps (mask));
}

static inline void
vf_store (float *p, vf x)
{
  _mm256_storeu_ps (p, x);
}

static inline void
vf_store_n (float *p, size_t n, vf x)
{
  if (n == VF_WIDTH)
    _mm256_storeu_ps (p, x);
  else
    _mm256_maskstore_ps (p, vf_first (n), x);
}

static inline vf
vf_add (vf a, vf b)
{
  return _mm256_add_ps (a, b);
}

static inline vf
vf_sub (vf a, vf b)
{
  return _mm256_sub_ps (a, b);
}

static inline vf
vf_mul (vf a, vf b)
{
  return _mm256_mul_ps (a, b);
}

static inline vf
vf_div (vf a, vf b)
{
  return _mm256_div_ps (a, b);
}

/* a * b + c, rounded once. */
static inline vf
vf_fmadd (vf a, vf b, vf c)
{
  return _mm256_fmadd_ps (a, b, c);
}

/* A NaN in x stays; bound is a number. */
static inline vf
vf_clamp (vf x, vf min, vf max)
{
  return _mm256_min_ps (max, _mm256_max_ps (min, x));
}

/* A maximum over many values in which a NaN gives NaN: vf_max of them all,
 * which may drop a NaN, vf_note_nans of them two by two, and vf_with_nans at
 * the end. One comparison sees two values, and bits all set are a NaN. */
typedef vf vf_nans;

static inline vf_nans
vf_no_nans (void)
{
  return _mm256_setzero_ps ();
}

static inline vf_nans
vf_note_nans (vf_nans nans, vf a, vf b)
{
  return _mm256_or_ps (nans, _mm256_cmp_ps (a, b, _CMP_UNORD_Q));
}

static inline vf
vf_max (vf a, vf b)
{
  return _mm256_max_ps (a, b);
}

static inline vf
vf_with_nans (vf x, vf_nans nans)
{
  return _mm256_or_ps (x, nans);
}

/* Lanes from n on become 0. */
static inline vf
vf_keep_n (vf x, size_t n)
{
  return _mm256_and_ps (x, _mm256_castsi256_ps (vf_first (n)));
}

/* The larger; a NaN in x is dropped, best is a number. */
static inline vf
vf_max_number (vf best, vf x)
{
  return _mm256_max_ps (x, best);
}

static inline float
vf_reduce_max (vf x)
{
  __m128 y =
      _mm_max_ps (_mm256_castps256_ps128 (x), _mm256_extractf128_ps (x, 1));
  y = _mm_max_ps (y, _mm_movehl_ps (y, y));
  return _mm_cvtss_f32 (_mm_max_ss (y, _mm_movehdup_ps (y)));
}

static inline float
vf_reduce_add (vf x)
{
  __m128 y =
      _mm_add_ps (_mm256_castps256_ps128 (x), _mm256_extractf128_ps (x, 1));
  y = _mm_add_ps (y, _mm_movehl_ps (y, y));
  return _mm_cvtss_f32 (_mm_add_ss (y, _mm_movehdup_ps (y)));
}

/* a < b ? x : y, lane by lane. */
static inline vf
vf_select_less (vf a, vf b, vf x, vf y)
{
  return _mm256_blendv_ps (y, x, _mm256_cmp_ps (a, b, _CMP_LT_OQ));
}

static inline vf
vf_abs (vf x)
{
  return _mm256_andnot_ps (_mm256_set1_ps (-0.0f), x);
}

/* |magnitude| with the sign bit of sign. */
static inline vf
vf_with_sign (vf magnitude, vf sign)
{
  const __m256 bit = _mm256_set1_ps (-0.0f);
  return _mm256_or_ps (
      _mm256_andnot_ps (bit, magnitude), _mm256_and_ps (bit, sign));
}

/* To the nearest whole number. */
static inline vf
vf_round (vf x)
{
  return _mm256_round_ps (x, _MM_FROUND_TO_NEAREST_INT | _MM_FROUND_NO_EXC);
}

static inline vf
vf_power2 (__m256i n)
{
  return _mm256_castsi256_ps (
      _mm256_slli_epi32 (_mm256_add_epi32 (n, _mm256_set1_epi32 (127)), 23));
}

/* 2^n, n in [-127, 128], where n + 127 is in the lowest bits; 0 and infinity
 * at the ends. */
static inline vf
vf_power2_of (vf bits)
{
  return _mm256_castsi256_ps (
      _mm256_slli_epi32 (_mm256_castps_si256 (bits), 23));
}

/* x * 2^n for whole n in [-252, 254]: in two steps, so that subnormal results
 * come out right. */
static inline vf
vf_scale2 (vf x, vf n)
{
  const __m256i whole = _mm256_cvtps_epi32 (n);
  const __m256i half = _mm256_srai_epi32 (whole, 1);
  x = _mm256_mul_ps (x, vf_power2 (half));
  return _mm256_mul_ps (x, vf_power2 (_mm256_sub_epi32 (whole, half)));
}

static inline vf
vf_from_u8 (const uint8_t *p)
{
  const __m128i bytes = _mm_loadl_epi64 ((const __m128i *) p);
  return _mm256_cvtepi32_ps (_mm256_cvtepu8_epi32 (bytes));
}
