/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Vectors on AVX-512 (F, BW, DQ, VL): 16 floats, tails by mask registers. The
 * names are the same in avx2.h and neon.h; body/ is written against them.
 * A function that takes `n` touches n elements, 0 <= n <= width, no more. */
#pragma once

#include <immintrin.h>

#include "kernels/variant.h"

#define FORGE_VARIANT(kernel) forge_##kernel##_avx512
#define FORGE_ISA avx512
#define FORGE_PIXELS_HEADER "kernels/simd/avx512-pixels.h"
#define FORGE_VECTOR_REGISTER "v"
#define VF_WIDTH 16
#define IGEMM_MR FORGE_IGEMM_MR_avx512
#define IGEMM_NR FORGE_IGEMM_NR_avx512

typedef __m512 vf;

static inline __mmask16
vf_first (size_t n)
{
  return (__mmask16) ((1u << n) - 1);
}

static inline vf
vf_splat (float x)
{
  return _mm512_set1_ps (x);
}

static inline vf
vf_load (const float *p)
{
  return _mm512_loadu_ps (p);
}

/* Missing lanes hold `fill`. */
static inline vf
vf_load_n (const float *p, size_t n, float fill)
{
  return _mm512_mask_loadu_ps (_mm512_set1_ps (fill), vf_first (n), p);
}

static inline void
vf_store (float *p, vf x)
{
  _mm512_storeu_ps (p, x);
}

static inline void
vf_store_n (float *p, size_t n, vf x)
{
  _mm512_mask_storeu_ps (p, vf_first (n), x);
}

static inline vf
vf_add (vf a, vf b)
{
  return _mm512_add_ps (a, b);
}

static inline vf
vf_sub (vf a, vf b)
{
  return _mm512_sub_ps (a, b);
}

static inline vf
vf_mul (vf a, vf b)
{
  return _mm512_mul_ps (a, b);
}

static inline vf
vf_div (vf a, vf b)
{
  return _mm512_div_ps (a, b);
}

/* a * b + c, rounded once. */
static inline vf
vf_fmadd (vf a, vf b, vf c)
{
  return _mm512_fmadd_ps (a, b, c);
}

/* A NaN in x stays; bound is a number. */
static inline vf
vf_clamp (vf x, vf min, vf max)
{
  return _mm512_min_ps (max, _mm512_max_ps (min, x));
}

/* A maximum over many values in which a NaN gives NaN: vf_max of them all,
 * which may drop a NaN, vf_note_nans of them two by two, and vf_with_nans at
 * the end. One comparison sees two values. */
typedef __mmask16 vf_nans;

static inline vf_nans
vf_no_nans (void)
{
  return 0;
}

static inline vf_nans
vf_note_nans (vf_nans nans, vf a, vf b)
{
  return (vf_nans) (nans | _mm512_cmp_ps_mask (a, b, _CMP_UNORD_Q));
}

static inline vf
vf_max (vf a, vf b)
{
  return _mm512_max_ps (a, b);
}

static inline vf
vf_with_nans (vf x, vf_nans nans)
{
  return _mm512_mask_mov_ps (x, nans, _mm512_set1_ps (__builtin_nanf ("")));
}

/* Lanes from n on become 0. */
static inline vf
vf_keep_n (vf x, size_t n)
{
  return _mm512_maskz_mov_ps (vf_first (n), x);
}

/* The larger; a NaN in x is dropped, best is a number. */
static inline vf
vf_max_number (vf best, vf x)
{
  return _mm512_max_ps (x, best);
}

static inline float
vf_reduce_max (vf x)
{
  return _mm512_reduce_max_ps (x);
}

static inline float
vf_reduce_add (vf x)
{
  return _mm512_reduce_add_ps (x);
}

/* a < b ? x : y, lane by lane. */
static inline vf
vf_select_less (vf a, vf b, vf x, vf y)
{
  return _mm512_mask_mov_ps (y, _mm512_cmp_ps_mask (a, b, _CMP_LT_OQ), x);
}

static inline vf
vf_abs (vf x)
{
  return _mm512_abs_ps (x);
}

/* |magnitude| with the sign bit of sign. */
static inline vf
vf_with_sign (vf magnitude, vf sign)
{
  const __m512 bit = _mm512_set1_ps (-0.0f);
  return _mm512_or_ps (
      _mm512_andnot_ps (bit, magnitude), _mm512_and_ps (bit, sign));
}

/* To the nearest whole number. */
static inline vf
vf_round (vf x)
{
  return _mm512_roundscale_ps (x, _MM_FROUND_TO_NEAREST_INT);
}

/* 2^n, n in [-127, 128], where n + 127 is in the lowest bits; 0 and infinity
 * at the ends. */
static inline vf
vf_power2_of (vf bits)
{
  return _mm512_castsi512_ps (
      _mm512_slli_epi32 (_mm512_castps_si512 (bits), 23));
}

/* x * 2^n for whole n, with one rounding where the result is subnormal. */
static inline vf
vf_scale2 (vf x, vf n)
{
  return _mm512_scalef_ps (x, n);
}

static inline vf
vf_from_u8 (const uint8_t *p)
{
  const __m128i bytes = _mm_loadu_si128 ((const __m128i *) p);
  return _mm512_cvtepi32_ps (_mm512_cvtepu8_epi32 (bytes));
}
