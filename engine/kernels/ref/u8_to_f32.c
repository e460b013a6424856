/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Bytes to normalised floats, see kernels.h. */
#include "kernels/ref/ref.h"

void
forge_u8_to_f32_ref (size_t n_pixels, size_t n_channels, const uint8_t *x,
    const float *scale, const float *bias, float *out)
{
  for (size_t p = 0; p < n_pixels; p++)
    for (size_t c = 0; c < n_channels; c++)
      *out++ = (float) *x++ * scale[c] + bias[c];
}
