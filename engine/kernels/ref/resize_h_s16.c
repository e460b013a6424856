/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Horizontal pass of the resize, see kernels.h. */
#include "kernels/ref/ref.h"

void
forge_resize_h_s16_ref (size_t n_out, size_t n_taps, const int32_t *start,
    const int16_t *weights, const int16_t *in, uint8_t *out, size_t out_step)
{
  for (size_t x = 0; x < n_out; x++, weights += n_taps) {
    const int16_t *source = in + start[x];
    int32_t sum = 1 << 20;
    for (size_t t = 0; t < n_taps; t++)
      sum += weights[t] * source[t];
    sum >>= 21;
    out[x * out_step] = (uint8_t) (sum < 0 ? 0 : sum > 255 ? 255 : sum);
  }
}
