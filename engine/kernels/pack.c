/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Brings weights into the order in which igemm_f32 reads them: panels of
 * nr_panel output columns, each with its bias first, zero padded. Runs once
 * per convolution, at load time. */
#include "kernels/kernels.h"

size_t
forge_pack_igemm_f32_count (
    size_t n_out, size_t n_taps, size_t n_channels, size_t nr_panel)
{
  size_t panels = (n_out + nr_panel - 1) / nr_panel;
  return panels * nr_panel * (1 + n_taps * n_channels);
}

void
forge_pack_igemm_f32 (size_t n_out, size_t n_taps, size_t n_channels,
    size_t nr_panel, const float *w, ptrdiff_t stride_o, ptrdiff_t stride_k,
    ptrdiff_t stride_c, const float *bias, float *packed)
{
  for (size_t first = 0; first < n_out; first += nr_panel) {
    size_t used = n_out - first < nr_panel ? n_out - first : nr_panel;
    const float *panel = w + (ptrdiff_t) first * stride_o;
    for (size_t o = 0; o < nr_panel; o++)
      *packed++ = bias && o < used ? bias[first + o] : 0;
    for (size_t k = 0; k < n_taps; k++)
      for (size_t c = 0; c < n_channels; c++) {
        const float *column =
            panel + (ptrdiff_t) k * stride_k + (ptrdiff_t) c * stride_c;
        for (size_t o = 0; o < nr_panel; o++)
          *packed++ = o < used ? column[(ptrdiff_t) o * stride_o] : 0;
      }
  }
}
