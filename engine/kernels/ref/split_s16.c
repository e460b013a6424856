/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The samples of interleaved pixels side by side, see kernels.h. */
#include "kernels/ref/ref.h"

void
forge_split_s16_ref (
    size_t n_pixels, size_t step, const int16_t *in, int16_t *const *out)
{
  for (size_t c = 0; c < step; c++)
    for (size_t i = 0; out[c] && i < n_pixels; i++)
      out[c][i] = in[i * step + c];
}
