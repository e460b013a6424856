/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Vertical pass of the resize, see kernels.h. Kernels with negative lobes may
 * overshoot what int16 holds: the result saturates. */
#include "kernels/ref/ref.h"

void
forge_resize_v_u8_ref (size_t n_bytes, size_t n_taps,
    const uint8_t *const *rows, const int16_t *weights, int16_t *out)
{
  for (size_t i = 0; i < n_bytes; i++) {
    int32_t sum = 64;
    for (size_t t = 0; t < n_taps; t++)
      sum += weights[t] * rows[t][i];
    sum >>= 7;
    if (sum > INT16_MAX)
      sum = INT16_MAX;
    out[i] = (int16_t) (sum < INT16_MIN ? INT16_MIN : sum);
  }
}
