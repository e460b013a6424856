/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Depthwise convolution of four neighbours, see kernels.h: a window at a
 * time. */
#include "kernels/ref/ref.h"

/* Channel c of one pixel, before the clamp. */
static float
sum_window (size_t n_channels, size_t kh, size_t kw, size_t n_columns,
    const float *const *columns, ptrdiff_t offset_elems, const float *zero,
    const float *weights, size_t c)
{
  float sum = weights[c];
  const float *w = weights + c;
  for (size_t y = 0; y < kh; y++, columns += n_columns)
    for (size_t x = 0; x < kw; x++) {
      w += n_channels;
      sum += row_at (columns[x], zero, offset_elems)[c] * *w;
    }
  return sum;
}

void
forge_dwslide_f32_ref (size_t n_groups, size_t n_channels, size_t kh, size_t kw,
    size_t stride, const float *const *columns, ptrdiff_t offset_elems,
    const float *zero, const float *weights, const uint32_t *pixels, float *out,
    ptrdiff_t out_stride_elems, float min, float max)
{
  const size_t n_columns = (FORGE_DWSLIDE_PIXELS - 1) * stride + kw;
  for (size_t g = 0; g < n_groups; g++, columns += kh * n_columns)
    for (size_t p = 0; p < FORGE_DWSLIDE_PIXELS; p++) {
      float *to = out + (ptrdiff_t) (pixels[g] + p) * out_stride_elems;
      for (size_t c = 0; c < n_channels; c++)
        to[c] = clamp_f32 (
            sum_window (n_channels, kh, kw, n_columns, columns + stride * p,
                offset_elems, zero, weights, c),
            min, max);
    }
}
