/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Pixels on NEON, as in avx2-pixels.h. Included by pixels.h. */
#pragma once

#include <arm_neon.h>

/* 16 bytes, and int32 sums of products of two such with weights. */
#define VS_WIDTH 16

typedef uint8x16_t vs;

typedef int16x4_t vs_pair; /* of weights */

typedef struct {
  int32x4_t a, b, c, d; /* quarters */
} vsum;

static inline vs
vs_zero (void)
{
  return vdupq_n_u8 (0);
}

static inline vs
vs_load (const uint8_t *p)
{
  return vld1q_u8 (p);
}

/* Two weights, for vsum_madd2. */
static inline vs_pair
vs_weights (int16_t wa, int16_t wb)
{
  return vset_lane_s16 (wb, vdup_n_s16 (wa), 1);
}

static inline vsum
vsum_splat (int32_t x)
{
  const int32x4_t all = vdupq_n_s32 (x);
  return (vsum) { all, all, all, all };
}

static inline int16x8_t
vs_low (vs x)
{
  return vreinterpretq_s16_u16 (vmovl_u8 (vget_low_u8 (x)));
}

static inline int16x8_t
vs_high (vs x)
{
  return vreinterpretq_s16_u16 (vmovl_high_u8 (x));
}

/* Four products each of x and of y, added to sum. */
static inline int32x4_t
vsum_madd (int32x4_t sum, int16x4_t x, int16x4_t y, vs_pair weights)
{
  return vmlal_lane_s16 (vmlal_lane_s16 (sum, x, weights, 0), y, weights, 1);
}

/* sum + a * wa + b * wb. */
static inline vsum
vsum_madd2 (vsum sum, vs a, vs b, vs_pair weights)
{
  int16x8_t x = vs_low (a), y = vs_low (b);
  sum.a = vsum_madd (sum.a, vget_low_s16 (x), vget_low_s16 (y), weights);
  sum.b = vsum_madd (sum.b, vget_high_s16 (x), vget_high_s16 (y), weights);
  x = vs_high (a);
  y = vs_high (b);
  sum.c = vsum_madd (sum.c, vget_low_s16 (x), vget_low_s16 (y), weights);
  sum.d = vsum_madd (sum.d, vget_high_s16 (x), vget_high_s16 (y), weights);
  return sum;
}

/* sum >> 7, saturated. */
static inline void
vsum_store_shifted7 (int16_t *p, vsum sum)
{
  vst1q_s16 (
      p, vcombine_s16 (vqshrn_n_s32 (sum.a, 7), vqshrn_n_s32 (sum.b, 7)));
  vst1q_s16 (
      p + 8, vcombine_s16 (vqshrn_n_s32 (sum.c, 7), vqshrn_n_s32 (sum.d, 7)));
}

/* 8 lanes of int16 and 4 lanes of int32. */
#define VH_WIDTH 8

typedef int16x8_t vh;
typedef int32x4_t vq;

static inline vh
vh_load (const int16_t *p)
{
  return vld1q_s16 (p);
}

static inline void
vh_store (int16_t *p, vh x)
{
  vst1q_s16 (p, x);
}

/* Lanes from n on become 0. */
static inline vh
vh_keep_n (vh x, size_t n)
{
  static const int16_t lanes[8] = { 0, 1, 2, 3, 4, 5, 6, 7 };
  const uint16x8_t mask =
      vcltq_s16 (vld1q_s16 (lanes), vdupq_n_s16 ((int16_t) n));
  return vandq_s16 (x, vreinterpretq_s16_u16 (mask));
}

/* p[0], p[step], ... p[7 * step]; reads 8 * step elements; step 1 to 4. */
static inline vh
vh_load_every (const int16_t *p, const size_t step)
{
  if (step == 1)
    return vld1q_s16 (p);
  if (step == 2)
    return vld2q_s16 (p).val[0];
  if (step == 3)
    return vld3q_s16 (p).val[0];
  return vld4q_s16 (p).val[0];
}

static inline vq
vq_zero (void)
{
  return vdupq_n_s32 (0);
}

/* Adds the products of a and w. */
static inline vq
vq_madd (vq sum, vh a, vh w)
{
  sum = vmlal_s16 (sum, vget_low_s16 (a), vget_low_s16 (w));
  return vmlal_high_s16 (sum, a, w);
}

/* clamp_u8 ((sum of the lanes + 2^20) >> 21) of a, b, c and d as bytes. */
static inline uint32_t
vq_sum4_shifted21 (vq a, vq b, vq c, vq d)
{
  const int32x4_t sum = vpaddq_s32 (vpaddq_s32 (a, b), vpaddq_s32 (c, d));
  const int16x4_t shifted =
      vmovn_s32 (vshrq_n_s32 (vaddq_s32 (sum, vdupq_n_s32 (1 << 20)), 21));
  const uint8x8_t bytes = vqmovun_s16 (vcombine_s16 (shifted, shifted));
  return vget_lane_u32 (vreinterpret_u32_u8 (bytes), 0);
}

#define VB_WIDTH 16

/* a[0] b[0] c[0] a[1] b[1] c[1] ...: 16 bytes of each. */
static inline void
vb_store_interleaved3 (
    uint8_t *p, const uint8_t *a, const uint8_t *b, const uint8_t *c)
{
  const uint8x16x3_t x = { { vld1q_u8 (a), vld1q_u8 (b), vld1q_u8 (c) } };
  vst3q_u8 (p, x);
}

/* 16 bytes. */
typedef uint8x16_t vb;

static inline vb
vb_load (const uint8_t *p)
{
  return vld1q_u8 (p);
}

static inline void
vb_store (uint8_t *p, vb x)
{
  vst1q_u8 (p, x);
}

/* Bytes of any alignment. */
typedef uint16_t vb_two __attribute__ ((aligned (1), may_alias));
typedef uint32_t vb_four __attribute__ ((aligned (1), may_alias));

/* The first 12 bytes. */
static inline void
vb_store12 (uint8_t *p, vb x)
{
  vst1_u8 (p, vget_low_u8 (x));
  *(vb_four *) (p + 8) = vgetq_lane_u32 (vreinterpretq_u32_u8 (x), 2);
}

/* x[order[0]], x[order[1]], ... */
static inline vb
vb_turned (vb x, vb order)
{
  return vqtbl1q_u8 (x, order);
}

/* Eight pairs of pixels of one byte: p[start[i]], p[start[i] + 1]. */
static inline vb
vb_load_eight2 (const uint8_t *p, const int32_t *start)
{
  vb_two pairs[8];
  for (int i = 0; i < 8; i++)
    pairs[i] = *(const vb_two *) (p + start[i]);
  return vld1q_u8 ((const uint8_t *) pairs);
}

/* Four pairs of pixels of two bytes. */
static inline vb
vb_load_four4 (const uint8_t *p, const int32_t *start)
{
  vb_four pairs[4];
  for (int i = 0; i < 4; i++)
    pairs[i] = *(const vb_four *) (p + 2 * (ptrdiff_t) start[i]);
  return vld1q_u8 ((const uint8_t *) pairs);
}

/* Two pairs of pixels of four bytes. */
static inline vb
vb_load_two8 (const uint8_t *p, const int32_t *start)
{
  return vcombine_u8 (vld1_u8 (p + 4 * (ptrdiff_t) start[0]),
      vld1_u8 (p + 4 * (ptrdiff_t) start[1]));
}

/* Two pairs of pixels of three bytes, each of four then: what the fourth one
 * is does not matter. */
static inline vb
vb_load_two6 (const uint8_t *p, const int32_t *start)
{
  static const uint8_t order[16] = { 0, 1, 2, 2, 5, 6, 7, 7, 8, 9, 10, 10, 13,
    14, 15, 15 };
  const uint8_t *a = p + 3 * (ptrdiff_t) start[0];
  const uint8_t *b = p + 3 * (ptrdiff_t) start[1];
  const vb_four parts[4] = { *(const vb_four *) a, *(const vb_four *) (a + 2),
    *(const vb_four *) b, *(const vb_four *) (b + 2) };
  return vqtbl1q_u8 (vld1q_u8 ((const uint8_t *) parts), vld1q_u8 (order));
}

/* 16 lanes of int16, and 8 of int32. */
typedef int16x8x2_t vw;
typedef int32x4x2_t vd;

/* (a * wa + b * wb + 64) >> 7, saturated. */
static inline vw
vw_sum_rows (vb a, vb b, vs_pair weights)
{
  const vsum sum = vsum_madd2 (vsum_splat (64), a, b, weights);
  return (
      vw) { { vcombine_s16 (vqshrn_n_s32 (sum.a, 7), vqshrn_n_s32 (sum.b, 7)),
      vcombine_s16 (vqshrn_n_s32 (sum.c, 7), vqshrn_n_s32 (sum.d, 7)) } };
}

/* Four samples of a window of 16 bytes, each twice. */
static inline int16x8_t
vh_window (const uint8_t *p, const uint8_t *turn)
{
  return vreinterpretq_s16_u8 (vqtbl1q_u8 (vld1q_u8 (p), vld1q_u8 (turn)));
}

/* The same of four windows, of which the second and the third change places.
 */
static inline vw
vw_sum_windows (const uint8_t *above, const uint8_t *below, const int32_t *base,
    const uint8_t *turn, vs_pair weights)
{
  vw sums;
  for (int i = 0; i < 2; i++) {
    const int32_t first = base[i], second = base[i + 2];
    const uint8_t *a = turn + 16 * i, *b = turn + 16 * (i + 2);
    const int16x8_t x = vuzp1q_s16 (
        vh_window (above + first, a), vh_window (above + second, b));
    const int16x8_t y = vuzp1q_s16 (
        vh_window (below + first, a), vh_window (below + second, b));
    const int32x4_t half = vdupq_n_s32 (64);
    sums.val[i] = vcombine_s16 (
        vqshrn_n_s32 (
            vsum_madd (half, vget_low_s16 (x), vget_low_s16 (y), weights), 7),
        vqshrn_n_s32 (
            vsum_madd (half, vget_high_s16 (x), vget_high_s16 (y), weights),
            7));
  }
  return sums;
}

/* Four pairs of pixels of two samples each, pair by pair sample by sample:
 * lanes 0 2 1 3 of every four. */
static inline int16x8_t
vh_pair_up2 (int16x8_t x)
{
  static const uint8_t order[16] = { 0, 1, 4, 5, 2, 3, 6, 7, 8, 9, 12, 13, 10,
    11, 14, 15 };
  return vreinterpretq_s16_u8 (
      vqtbl1q_u8 (vreinterpretq_u8_s16 (x), vld1q_u8 (order)));
}

static inline vw
vw_pair_up2 (vw x)
{
  return (vw) { { vh_pair_up2 (x.val[0]), vh_pair_up2 (x.val[1]) } };
}

/* Two pairs of pixels of four samples each: lanes 0 4 1 5 2 6 3 7 of every
 * eight. */
static inline vw
vw_pair_up4 (vw x)
{
  const int16x8_t a = x.val[0], b = x.val[1];
  return (vw) { { vzip1q_s16 (a, vextq_s16 (a, a, 4)),
      vzip1q_s16 (b, vextq_s16 (b, b, 4)) } };
}

static inline vw
vw_load (const int16_t *p)
{
  return (vw) { { vld1q_s16 (p), vld1q_s16 (p + 8) } };
}

/* p[0] p[1] p[0] p[1] p[2] p[3] p[2] p[3] ... p[7] */
static inline vw
vw_load_twice (const int16_t *p)
{
  const int32x4_t x = vreinterpretq_s32_s16 (vld1q_s16 (p));
  return (vw) { { vreinterpretq_s16_s32 (vzip1q_s32 (x, x)),
      vreinterpretq_s16_s32 (vzip2q_s32 (x, x)) } };
}

/* p[0] p[1], four times, and p[2] p[3]. */
static inline vw
vw_load_fourfold (const int16_t *p)
{
  const int32x2_t x = vreinterpret_s32_s16 (vld1_s16 (p));
  return (vw) { { vreinterpretq_s16_s32 (vdupq_lane_s32 (x, 0)),
      vreinterpretq_s16_s32 (vdupq_lane_s32 (x, 1)) } };
}

static inline int32x4_t
vq_pairs_shifted21 (int16x8_t a, int16x8_t w)
{
  const int32x4_t sums = vpaddq_s32 (
      vmull_s16 (vget_low_s16 (a), vget_low_s16 (w)), vmull_high_s16 (a, w));
  return vshrq_n_s32 (vaddq_s32 (sums, vdupq_n_s32 (1 << 20)), 21);
}

/* (a[0] w[0] + a[1] w[1] + 2^20) >> 21, ... */
static inline vd
vd_pairs_shifted21 (vw a, vw w)
{
  return (vd) { { vq_pairs_shifted21 (a.val[0], w.val[0]),
      vq_pairs_shifted21 (a.val[1], w.val[1]) } };
}

static inline uint8x8_t
vd_eight_u8 (vd x)
{
  return vqmovun_s16 (
      vcombine_s16 (vqmovn_s32 (x.val[0]), vqmovn_s32 (x.val[1])));
}

/* Clamped to eight bytes. */
static inline void
vd_store_u8 (uint8_t *p, vd x)
{
  vst1_u8 (p, vd_eight_u8 (x));
}

/* Clamped to 16 bytes. */
static inline vb
vd_bytes (vd a, vd b)
{
  return vcombine_u8 (vd_eight_u8 (a), vd_eight_u8 (b));
}

/* Clamped to bytes, every other one to even and to odd: eight each. */
static inline void
vd_split_u8 (uint8_t *even, uint8_t *odd, vd a, vd b)
{
  const uint8x8_t x = vd_eight_u8 (a), y = vd_eight_u8 (b);
  vst1_u8 (even, vuzp1_u8 (x, y));
  vst1_u8 (odd, vuzp2_u8 (x, y));
}
