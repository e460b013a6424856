/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Planar Y'CbCr to R'G'B' in Q16, see kernels.h. */
#include "kernels/ref/ref.h"

static inline uint8_t
byte_of_q16 (int32_t value)
{
  value = (value + (1 << 15)) >> 16;
  return (uint8_t) (value < 0 ? 0 : value > 255 ? 255 : value);
}

void
forge_yuv_to_rgb_u8_ref (size_t n_pixels, const ForgeYuvCoefs *coefs,
    const uint8_t *y, const uint8_t *u, const uint8_t *v, uint8_t *r,
    uint8_t *g, uint8_t *b, size_t out_step)
{
  const ForgeYuvCoefs k = *coefs;
  for (size_t x = 0; x < n_pixels; x++) {
    int32_t luma = k.y_scale * (y[x] - k.y_offset);
    int32_t cb = u[x] - 128, cr = v[x] - 128;
    r[x * out_step] = byte_of_q16 (luma + k.v_to_r * cr);
    g[x * out_step] = byte_of_q16 (luma - k.u_to_g * cb - k.v_to_g * cr);
    b[x * out_step] = byte_of_q16 (luma + k.u_to_b * cb);
  }
}
