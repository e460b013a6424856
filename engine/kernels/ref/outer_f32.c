/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Sums of outer products, see kernels.h: the pixels first, then once to
 * memory. */
#include "kernels/ref/ref.h"

void
forge_outer_f32_ref (size_t n_out, size_t n_channels, size_t n_pixels,
    const float *dy, ptrdiff_t dy_stride_elems, const float *const *rows,
    ptrdiff_t offset_elems, const float *zero, float *out,
    ptrdiff_t out_stride_elems)
{
  for (size_t o = 0; o < n_out; o++)
    for (size_t c = 0; c < n_channels; c++) {
      float sum = 0;
      for (size_t p = 0; p < n_pixels; p++)
        sum += dy[(ptrdiff_t) p * dy_stride_elems + (ptrdiff_t) o] *
               row_at (rows[p], zero, offset_elems)[c];
      out[(ptrdiff_t) o * out_stride_elems + (ptrdiff_t) c] += sum;
    }
}
