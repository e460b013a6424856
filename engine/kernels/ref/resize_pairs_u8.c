/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Resize by two taps each way, see kernels.h. */
#include "kernels/ref/ref.h"

static inline int16_t
blend (const uint8_t *const *rows, const int16_t *weights, size_t i)
{
  int32_t sum = (weights[0] * rows[0][i] + weights[1] * rows[1][i] + 64) >> 7;
  if (sum > INT16_MAX)
    sum = INT16_MAX;
  return (int16_t) (sum < INT16_MIN ? INT16_MIN : sum);
}

void
forge_resize_pairs_u8_ref (size_t n_out, size_t step, const int32_t *start,
    const int16_t *weights, const uint8_t *const *rows,
    const int16_t *row_weights, uint8_t *const *out, size_t out_step)
{
  const uint8_t *const both[2] = { rows[0], rows[1] };
  const int16_t down[2] = { row_weights[0], row_weights[1] };
  for (size_t c = 0; c < step; c++)
    for (size_t x = 0; out[c] && x < n_out; x++) {
      const size_t at = (size_t) start[x] * step + c;
      int32_t sum = weights[2 * x] * blend (both, down, at) +
                    weights[2 * x + 1] * blend (both, down, at + step);
      sum = (sum + (1 << 20)) >> 21;
      out[c][x * out_step] = (uint8_t) (sum < 0 ? 0 : sum > 255 ? 255 : sum);
    }
}
