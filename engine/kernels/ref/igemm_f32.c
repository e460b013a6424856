/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Indirect matrix product, see kernels.h. One row of a panel at a time, the
 * sum in order of k and c. */
#include "kernels/ref/ref.h"

enum { MR = FORGE_IGEMM_MR_ref, NR = FORGE_IGEMM_NR_ref };

void
forge_igemm_f32_ref (size_t mr, size_t nr, size_t n_channels, size_t n_taps,
    const float *const *rows, ptrdiff_t offset_elems, const float *zero,
    const float *weights, float *out, ptrdiff_t out_stride_elems,
    const float *residual, ptrdiff_t residual_stride_elems, float min,
    float max, ForgeAhead ahead)
{
  const size_t panel_elems = NR * (1 + n_taps * n_channels);
  for (size_t first = 0; first < nr; first += NR, weights += panel_elems)
    for (size_t m = 0; m < mr; m++) {
      float sum[NR];
      for (size_t o = 0; o < NR; o++)
        sum[o] = weights[o];
      const float *w = weights + NR;
      for (size_t k = 0; k < n_taps; k++) {
        const float *a = row_at (rows[k * MR + m], zero, offset_elems);
        for (size_t c = 0; c < n_channels; c++, w += NR)
          for (size_t o = 0; o < NR; o++)
            sum[o] += a[c] * w[o];
      }
      for (size_t o = 0; o < NR && first + o < nr; o++) {
        float value = sum[o];
        if (residual)
          value += residual[(ptrdiff_t) m * residual_stride_elems +
                            (ptrdiff_t) (first + o)];
        out[(ptrdiff_t) m * out_stride_elems + (ptrdiff_t) (first + o)] =
            clamp_f32 (value, min, max);
      }
    }
}
