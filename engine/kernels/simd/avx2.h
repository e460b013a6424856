/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Vectors on AVX2 with FMA3: 8 floats, tails by maskload and maskstore, which
 * never touch (or fault on) what the mask leaves out. Names as in avx512.h. */
#pragma once

#include <immintrin.h>

#include "kernels/variant.h"

#define FORGE_VARIANT(kernel) forge_##kernel##_avx2
#define FORGE_ISA avx2
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

/* A NaN on either side gives NaN. */
static inline vf
vf_max_nan (vf a, vf b)
{
  vf b_is_nan = _mm256_cmp_ps (b, b, _CMP_UNORD_Q);
  return _mm256_blendv_ps (_mm256_max_ps (b, a), b, b_is_nan);
}
