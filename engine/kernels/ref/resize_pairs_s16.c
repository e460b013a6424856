/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Horizontal resize of pairs of pixels, see kernels.h. */
#include "kernels/ref/ref.h"

void
forge_resize_pairs_s16_ref (size_t n_out, size_t step, const int16_t *weights,
    const int16_t *in, uint8_t *const *out, size_t out_step)
{
  for (size_t x = 0; x < n_out; x++, in += 2 * step, weights += 2)
    for (size_t c = 0; c < step; c++) {
      if (!out[c])
        continue;
      int32_t sum =
          (weights[0] * in[c] + weights[1] * in[step + c] + (1 << 20)) >> 21;
      out[c][x * out_step] = (uint8_t) (sum < 0 ? 0 : sum > 255 ? 255 : sum);
    }
}
