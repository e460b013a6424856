/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Depthwise convolution of four neighbours at once. A vector of channels of
 * each column is loaded once and multiplied into all windows that it is in,
 * and a row of weights stays in registers meanwhile: 3x3 at stride 1 takes 27
 * loads for 36 products, where four single windows take 45. The loops over
 * columns, windows and taps are laid open, so what does not meet costs
 * nothing. */
#include <stdbool.h>

#include "kernels/simd/simd.h"

enum { PIXELS = FORGE_DWSLIDE_PIXELS, MAX_SIDE = 7, MAX_STRIDE = 2 };
enum { MAX_COLUMNS = MAX_STRIDE * (PIXELS - 1) + MAX_SIDE };

typedef struct {
  size_t n_channels;
  size_t kh;
  const float *const *columns; /* of a group */
  const float *weights;
  float *out; /* its first pixel */
  ptrdiff_t out_stride_elems;
  float min, max;
} Group;

static ALWAYS_INLINE vf
load (const float *p, size_t n)
{
  return n < VF_WIDTH ? vf_load_n (p, n, 0) : vf_load (p);
}

/* Channels c to c + n. */
static ALWAYS_INLINE void
window (const Group group, const size_t kh, const size_t kw,
    const size_t stride, size_t c, size_t n, vf min, vf max)
{
  const size_t n_columns = stride * (PIXELS - 1) + kw;
  const float *weights = group.weights + c;
  const float *const *columns = group.columns;
  vf sum[PIXELS];
#pragma GCC unroll 4
  for (size_t p = 0; p < PIXELS; p++)
    sum[p] = load (weights, n);
#pragma GCC unroll 5
  for (size_t y = 0; y < kh; y++, columns += n_columns) {
    vf w[MAX_SIDE];
#pragma GCC unroll 7
    for (size_t x = 0; x < kw; x++)
      w[x] = vf_pin (load (weights += group.n_channels, n));
#pragma GCC unroll 13
    for (size_t i = 0; i < n_columns; i++) {
      const vf a = vf_pin (load (columns[i] + c, n));
#pragma GCC unroll 4
      for (size_t p = 0; p < PIXELS; p++)
        if (i >= stride * p && i - stride * p < kw)
          sum[p] = vf_fmadd (a, w[i - stride * p], sum[p]);
    }
  }
  float *out = group.out + c;
#pragma GCC unroll 4
  for (size_t p = 0; p < PIXELS; p++, out += group.out_stride_elems) {
    const vf y = vf_clamp (sum[p], min, max);
    if (n < VF_WIDTH)
      vf_store_n (out, n, y);
    else
      vf_store (out, y);
  }
}

static ALWAYS_INLINE void
all_channels (
    const Group *of, const size_t kh, const size_t kw, const size_t stride)
{
  /* a copy, which no store can change */
  const Group group = *of;
  const vf min = vf_splat (group.min);
  const vf max = vf_splat (group.max);
  size_t c = 0;
  for (; c + VF_WIDTH <= group.n_channels; c += VF_WIDTH)
    window (group, kh, kw, stride, c, VF_WIDTH, min, max);
  if (c < group.n_channels)
    window (group, kh, kw, stride, c, group.n_channels - c, min, max);
}

/* Each shape is a function of its own, or their registers spill together. */
#define SHAPE(name, kh, kw, stride)                                \
  static __attribute__ ((noinline)) void name (const Group *group) \
  {                                                                \
    all_channels (group, kh, kw, stride);                          \
  }
SHAPE (slide_3x3, 3, 3, 1)
SHAPE (slide_3x3_stride2, 3, 3, 2)
SHAPE (slide_5x5, 5, 5, 1)
SHAPE (slide_5x5_stride2, 5, 5, 2)
SHAPE (slide_3, group->kh, 3, 1)
SHAPE (slide_3_stride2, group->kh, 3, 2)
SHAPE (slide_5, group->kh, 5, 1)
SHAPE (slide_5_stride2, group->kh, 5, 2)
SHAPE (slide_7, group->kh, 7, 1)
SHAPE (slide_7_stride2, group->kh, 7, 2)

static void
any_window (const Group *group, size_t kw, size_t stride)
{
  const bool twice = stride == 2;
  if (kw == 3 && group->kh == 3)
    (twice ? slide_3x3_stride2 : slide_3x3) (group);
  else if (kw == 5 && group->kh == 5)
    (twice ? slide_5x5_stride2 : slide_5x5) (group);
  else if (kw == 3)
    (twice ? slide_3_stride2 : slide_3) (group);
  else if (kw == 5)
    (twice ? slide_5_stride2 : slide_5) (group);
  else
    (twice ? slide_7_stride2 : slide_7) (group);
}

void
FORGE_VARIANT (dwslide_f32) (size_t n_groups, size_t n_channels, size_t kh,
    size_t kw, size_t stride, const float *const *columns,
    ptrdiff_t offset_elems, const float *zero, const float *weights,
    const uint32_t *pixels, float *out, ptrdiff_t out_stride_elems, float min,
    float max)
{
  const size_t n_pointers = kh * (stride * (PIXELS - 1) + kw);
  const float *kept[MAX_SIDE * MAX_COLUMNS];
  for (size_t g = 0; g < n_groups; g++, columns += n_pointers) {
    for (size_t i = 0; offset_elems != 0 && i < n_pointers; i++)
      kept[i] = row_at (columns[i], zero, offset_elems);
    const Group group = { n_channels, kh, offset_elems ? kept : columns,
      weights, out + (ptrdiff_t) pixels[g] * out_stride_elems, out_stride_elems,
      min, max };
    any_window (&group, kw, stride);
  }
}
