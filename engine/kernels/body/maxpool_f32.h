/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Largest value of a window, a vector of channels at a time. */
#include "kernels/simd/simd.h"

static ALWAYS_INLINE vf
largest (
    const float *const *rows, size_t n_taps, ptrdiff_t offset_elems, size_t n)
{
  const float *a = rows[0] + offset_elems;
  vf best = n < VF_WIDTH ? vf_load_n (a, n, 0) : vf_load (a);
  for (size_t k = 1; k < n_taps; k++) {
    a = rows[k] + offset_elems;
    best = vf_max_nan (best, n < VF_WIDTH ? vf_load_n (a, n, 0) : vf_load (a));
  }
  return best;
}

void
FORGE_VARIANT (maxpool_f32) (size_t n_pixels, size_t n_channels, size_t n_taps,
    const float *const *rows, ptrdiff_t offset_elems, float *out,
    ptrdiff_t out_stride_elems)
{
  for (; n_pixels > 0; n_pixels--, rows += n_taps, out += out_stride_elems) {
    size_t c = 0;
    for (; c + VF_WIDTH <= n_channels; c += VF_WIDTH)
      vf_store (out + c,
          largest (rows, n_taps, offset_elems + (ptrdiff_t) c, VF_WIDTH));
    const size_t left = n_channels - c;
    if (left > 0)
      vf_store_n (out + c, left,
          largest (rows, n_taps, offset_elems + (ptrdiff_t) c, left));
  }
}
