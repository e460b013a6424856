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

/* A NaN on either side gives NaN. */
static inline vf
vf_max_nan (vf a, vf b)
{
  __mmask16 b_is_nan = _mm512_cmp_ps_mask (b, b, _CMP_UNORD_Q);
  return _mm512_mask_mov_ps (_mm512_max_ps (b, a), b_is_nan, b);
}
