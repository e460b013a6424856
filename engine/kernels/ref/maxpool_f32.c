/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Largest value of a window, see kernels.h. The first NaN wins and stays. */
#include "kernels/ref/ref.h"

void
forge_maxpool_f32_ref (size_t n_pixels, size_t n_channels, size_t n_taps,
    const float *const *rows, ptrdiff_t offset_elems, float *out,
    ptrdiff_t out_stride_elems)
{
  for (size_t p = 0; p < n_pixels; p++, rows += n_taps) {
    float *best = out + (ptrdiff_t) p * out_stride_elems;
    for (size_t c = 0; c < n_channels; c++)
      best[c] = rows[0][offset_elems + (ptrdiff_t) c];
    for (size_t k = 1; k < n_taps; k++) {
      const float *a = rows[k] + offset_elems;
      for (size_t c = 0; c < n_channels; c++)
        if (a[c] > best[c] || a[c] != a[c])
          best[c] = a[c];
    }
  }
}
