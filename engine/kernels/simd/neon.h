/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Vectors on AArch64 Advanced SIMD: 4 floats, tails lane by lane. Names as in
 * avx512.h. */
#pragma once

#include <arm_neon.h>

#include "kernels/variant.h"

#define FORGE_VARIANT(kernel) forge_##kernel##_neon
#define FORGE_ISA neon
#define FORGE_PIXELS_HEADER "kernels/simd/neon-pixels.h"
#define FORGE_VECTOR_REGISTER "w"
#define VF_WIDTH 4
#define IGEMM_MR FORGE_IGEMM_MR_neon
#define IGEMM_NR FORGE_IGEMM_NR_neon

typedef float32x4_t vf;

static inline vf
vf_splat (float x)
{
  return vdupq_n_f32 (x);
}

static inline vf
vf_load (const float *p)
{
  return vld1q_f32 (p);
}

/* Missing lanes hold `fill`. */
static inline vf
vf_load_n (const float *p, size_t n, float fill)
{
  float lanes[4] = { fill, fill, fill, fill };
  for (size_t i = 0; i < n; i++)
    lanes[i] = p[i];
  return vld1q_f32 (lanes);
}

static inline void
vf_store (float *p, vf x)
{
  vst1q_f32 (p, x);
}

static inline void
vf_store_n (float *p, size_t n, vf x)
{
  float lanes[4];
  vst1q_f32 (lanes, x);
  for (size_t i = 0; i < n; i++)
    p[i] = lanes[i];
}

static inline vf
vf_add (vf a, vf b)
{
  return vaddq_f32 (a, b);
}

static inline vf
vf_sub (vf a, vf b)
{
  return vsubq_f32 (a, b);
}

static inline vf
vf_mul (vf a, vf b)
{
  return vmulq_f32 (a, b);
}

static inline vf
vf_div (vf a, vf b)
{
  return vdivq_f32 (a, b);
}

/* a * b + c, rounded once. */
static inline vf
vf_fmadd (vf a, vf b, vf c)
{
  return vfmaq_f32 (c, a, b);
}

/* A NaN in x stays; bound is a number. */
static inline vf
vf_clamp (vf x, vf min, vf max)
{
  return vminq_f32 (max, vmaxq_f32 (min, x));
}

/* A maximum over many values in which a NaN gives NaN: vf_max of them all,
 * which may drop a NaN, vf_note_nans of them two by two, and vf_with_nans at
 * the end. Here vf_max keeps them itself. */
typedef uint32x4_t vf_nans;

static inline vf_nans
vf_no_nans (void)
{
  return vdupq_n_u32 (0);
}

static inline vf_nans
vf_note_nans (vf_nans nans, vf a, vf b)
{
  return nans;
}

static inline vf
vf_max (vf a, vf b)
{
  return vmaxq_f32 (a, b);
}

static inline vf
vf_with_nans (vf x, vf_nans nans)
{
  return x;
}

/* Lanes from n on become 0. */
static inline vf
vf_keep_n (vf x, size_t n)
{
  static const int32_t lanes[4] = { 0, 1, 2, 3 };
  const uint32x4_t mask =
      vcltq_s32 (vld1q_s32 (lanes), vdupq_n_s32 ((int32_t) n));
  return vreinterpretq_f32_u32 (vandq_u32 (vreinterpretq_u32_f32 (x), mask));
}

/* The larger; a NaN in x is dropped, best is a number. */
static inline vf
vf_max_number (vf best, vf x)
{
  return vmaxnmq_f32 (best, x);
}

static inline float
vf_reduce_max (vf x)
{
  return vmaxvq_f32 (x);
}

static inline float
vf_reduce_add (vf x)
{
  return vaddvq_f32 (x);
}

/* a < b ? x : y, lane by lane. */
static inline vf
vf_select_less (vf a, vf b, vf x, vf y)
{
  return vbslq_f32 (vcltq_f32 (a, b), x, y);
}

static inline vf
vf_abs (vf x)
{
  return vabsq_f32 (x);
}

/* |magnitude| with the sign bit of sign. */
static inline vf
vf_with_sign (vf magnitude, vf sign)
{
  return vbslq_f32 (vdupq_n_u32 (0x80000000u), sign, magnitude);
}

/* To the nearest whole number. */
static inline vf
vf_round (vf x)
{
  return vrndnq_f32 (x);
}

static inline vf
vf_power2 (int32x4_t n)
{
  return vreinterpretq_f32_s32 (
      vshlq_n_s32 (vaddq_s32 (n, vdupq_n_s32 (127)), 23));
}

/* 2^n, n in [-127, 128], where n + 127 is in the lowest bits; 0 and infinity
 * at the ends. */
static inline vf
vf_power2_of (vf bits)
{
  return vreinterpretq_f32_s32 (vshlq_n_s32 (vreinterpretq_s32_f32 (bits), 23));
}

/* x * 2^n for whole n in [-252, 254]: in two steps, so that subnormal results
 * come out right. */
static inline vf
vf_scale2 (vf x, vf n)
{
  const int32x4_t whole = vcvtq_s32_f32 (n);
  const int32x4_t half = vshrq_n_s32 (whole, 1);
  x = vmulq_f32 (x, vf_power2 (half));
  return vmulq_f32 (x, vf_power2 (vsubq_s32 (whole, half)));
}

static inline vf
vf_from_u8 (const uint8_t *p)
{
  const float lanes[4] = { p[0], p[1], p[2], p[3] };
  return vld1q_f32 (lanes);
}
