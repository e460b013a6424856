/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Depthwise convolution, see kernels.h: each channel has its own window. */
#include "kernels/ref/ref.h"

void
forge_dwconv_f32_ref (size_t n_pixels, size_t n_channels, size_t n_taps,
    const float *const *rows, ptrdiff_t offset_elems, const float *zero,
    const float *weights, float *out, ptrdiff_t out_stride_elems, float min,
    float max)
{
  for (size_t p = 0; p < n_pixels; p++, rows += n_taps) {
    float *pixel = out + (ptrdiff_t) p * out_stride_elems;
    for (size_t c = 0; c < n_channels; c++) {
      float sum = weights[c];
      for (size_t k = 0; k < n_taps; k++)
        sum += row_at (rows[k], zero, offset_elems)[c] *
               weights[(k + 1) * n_channels + c];
      pixel[c] = clamp_f32 (sum, min, max);
    }
  }
}
