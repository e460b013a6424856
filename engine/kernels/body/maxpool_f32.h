/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Largest value of a window, up to four vectors of channels at a time: each
 * pointer is read once for them, and their chains of maxima overlap. Taps go
 * in pairs, since one comparison finds a NaN in either. */
#include "kernels/simd/simd.h"

enum { MAX_VECTORS = 4 };

static ALWAYS_INLINE vf
load (const float *a, size_t n)
{
  return n < VF_WIDTH ? vf_load_n (a, n, 0) : vf_load (a);
}

/* n_vectors vectors of n channels each. An odd first tap is its own pair. */
static ALWAYS_INLINE void
largest (const float *const *rows, size_t n_taps, ptrdiff_t offset_elems,
    const size_t n_vectors, size_t n, float *out)
{
  vf best[MAX_VECTORS];
  vf_nans nans[MAX_VECTORS];
  const size_t odd = n_taps % 2;
  const float *a = rows[0] + offset_elems;
  const float *b = rows[1 - odd] + offset_elems;
#pragma GCC unroll 4
  for (size_t v = 0; v < n_vectors; v++) {
    const vf x = load (a + v * VF_WIDTH, n), y = load (b + v * VF_WIDTH, n);
    best[v] = vf_max (x, y);
    nans[v] = vf_note_nans (vf_no_nans (), x, y);
  }
  for (size_t k = 2 - odd; k < n_taps; k += 2) {
    a = rows[k] + offset_elems;
    b = rows[k + 1] + offset_elems;
#pragma GCC unroll 4
    for (size_t v = 0; v < n_vectors; v++) {
      const vf x = load (a + v * VF_WIDTH, n), y = load (b + v * VF_WIDTH, n);
      best[v] = vf_max (best[v], vf_max (x, y));
      nans[v] = vf_note_nans (nans[v], x, y);
    }
  }
#pragma GCC unroll 4
  for (size_t v = 0; v < n_vectors; v++) {
    const vf y = vf_with_nans (best[v], nans[v]);
    if (n < VF_WIDTH)
      vf_store_n (out + v * VF_WIDTH, n, y);
    else
      vf_store (out + v * VF_WIDTH, y);
  }
}

void
FORGE_VARIANT (maxpool_f32) (size_t n_pixels, size_t n_channels, size_t n_taps,
    const float *const *rows, ptrdiff_t offset_elems, float *out,
    ptrdiff_t out_stride_elems)
{
  for (; n_pixels > 0; n_pixels--, rows += n_taps, out += out_stride_elems) {
    const ptrdiff_t at = offset_elems;
    size_t c = 0;
    for (; c + 4 * VF_WIDTH <= n_channels; c += 4 * VF_WIDTH)
      largest (rows, n_taps, at + (ptrdiff_t) c, 4, VF_WIDTH, out + c);
    for (; c + VF_WIDTH <= n_channels; c += VF_WIDTH)
      largest (rows, n_taps, at + (ptrdiff_t) c, 1, VF_WIDTH, out + c);
    if (c < n_channels)
      largest (rows, n_taps, at + (ptrdiff_t) c, 1, n_channels - c, out + c);
  }
}
