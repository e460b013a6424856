/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Interleaved samples brought side by side, eight pixels at a time, sample by
 * sample: a sample that nobody wants costs nothing. Loads for one sample begin
 * with it and so may reach into the next pixels; what would leave the row
 * goes to ref. */
#include "kernels/simd/pixels.h"

static ALWAYS_INLINE void
run (size_t n, const size_t step, const int16_t *in, int16_t *const *out)
{
  for (size_t c = 0; c < step; c++)
    for (size_t i = 0; out[c] && i < n; i += VH_WIDTH)
      vh_store (out[c] + i, vh_load_every (in + i * step + c, step));
}

void
FORGE_VARIANT (split_s16) (
    size_t n_pixels, size_t step, const int16_t *in, int16_t *const *out)
{
  const size_t n = n_pixels > 0 ? (n_pixels - 1) / VH_WIDTH * VH_WIDTH : 0;
  if (step == 2)
    run (n, 2, in, out);
  else if (step == 3)
    run (n, 3, in, out);
  else
    run (n, 4, in, out);
  int16_t *rest[4] = { NULL };
  for (size_t c = 0; c < step; c++)
    rest[c] = out[c] ? out[c] + n : NULL;
  forge_split_s16_ref (n_pixels - n, step, in + n * step, rest);
}
