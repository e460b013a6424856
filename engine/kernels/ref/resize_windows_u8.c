/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Resize by two taps each way through windows of 16 bytes, see kernels.h. */
#include "kernels/ref/ref.h"

/* Sample @index of vector @v, blended; 0 beyond the window. */
static inline int16_t
blend (const ForgeWindows *group, const uint8_t *const *rows,
    const int16_t *weights, size_t v, size_t index)
{
  const uint8_t at = group->turn[v][4 * index];
  if (at >= FORGE_WINDOW_BYTES)
    return 0;
  const ptrdiff_t i = group->base[v] + at;
  int32_t sum = (weights[0] * rows[0][i] + weights[1] * rows[1][i] + 64) >> 7;
  if (sum > INT16_MAX)
    sum = INT16_MAX;
  return (int16_t) (sum < INT16_MIN ? INT16_MIN : sum);
}

static inline void
put (const ForgeWindows *group, const int16_t *weights,
    const uint8_t *const *rows, const int16_t *row_weights, size_t v,
    size_t pair, uint8_t *out)
{
  int32_t sum = weights[0] * blend (group, rows, row_weights, v, 2 * pair) +
                weights[1] * blend (group, rows, row_weights, v, 2 * pair + 1);
  sum = (sum + (1 << 20)) >> 21;
  *out = (uint8_t) (sum < 0 ? 0 : sum > 255 ? 255 : sum);
}

void
forge_resize_windows_u8_ref (size_t n_groups, size_t step,
    const ForgeWindows *groups, const int16_t *weights,
    const uint8_t *const *rows, const int16_t *row_weights, uint8_t *const *out,
    size_t out_step)
{
  const uint8_t *const both[2] = { rows[0], rows[1] };
  const int16_t down[2] = { row_weights[0], row_weights[1] };
  for (size_t g = 0; g < n_groups; g++)
    for (size_t v = 0; v < 4 * step; v++)
      for (size_t pair = 0; pair < 2; pair++) {
        const size_t c = step == 1 ? 0 : pair;
        const size_t x =
            (size_t) groups[g].x + forge_window_output (step, v, pair);
        if (out[c])
          put (&groups[g], weights + 2 * x, both, down, v, pair,
              out[c] + x * out_step);
      }
}
