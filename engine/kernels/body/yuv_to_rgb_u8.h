/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Colour conversion in blocks of a fixed length, which compilers turn into
 * full vectors of the tier by themselves, into planes; R'G'B' (or B'G'R') is
 * interleaved afterwards.
 * The last block overlaps the one before it; rows shorter than a block, and
 * other steps, go to ref. */
#include <stdbool.h>

#include "kernels/simd/pixels.h"

enum { BLOCK = 32 };

static ALWAYS_INLINE uint8_t
byte_of_q16 (int32_t value)
{
  value = (value + (1 << 15)) >> 16;
  return (uint8_t) (value < 0 ? 0 : value > 255 ? 255 : value);
}

static ALWAYS_INLINE void
convert_block (const ForgeYuvCoefs k, const uint8_t *restrict y,
    const uint8_t *restrict u, const uint8_t *restrict v, uint8_t *restrict r,
    uint8_t *restrict g, uint8_t *restrict b)
{
  for (size_t x = 0; x < BLOCK; x++) {
    int32_t luma = k.y_scale * (y[x] - k.y_offset);
    int32_t cb = u[x] - 128, cr = v[x] - 128;
    r[x] = byte_of_q16 (luma + k.v_to_r * cr);
    g[x] = byte_of_q16 (luma - k.u_to_g * cb - k.v_to_g * cr);
    b[x] = byte_of_q16 (luma + k.u_to_b * cb);
  }
}

static ALWAYS_INLINE void
interleave_block (const uint8_t *first, const uint8_t *second,
    const uint8_t *third, uint8_t *out)
{
  for (size_t x = 0; x < BLOCK; x += VB_WIDTH)
    vb_store_interleaved3 (out + 3 * x, first + x, second + x, third + x);
}

void
FORGE_VARIANT (yuv_to_rgb_u8) (size_t n_pixels, const ForgeYuvCoefs *coefs,
    const uint8_t *y, const uint8_t *u, const uint8_t *v, uint8_t *r,
    uint8_t *g, uint8_t *b, size_t out_step)
{
  const ForgeYuvCoefs k = *coefs;
  const bool is_rgb = out_step == 3 && g == r + 1 && b == r + 2;
  const bool is_bgr = out_step == 3 && g == b + 1 && r == b + 2;
  if (n_pixels < BLOCK || !(is_rgb || is_bgr || out_step == 1)) {
    forge_yuv_to_rgb_u8_ref (n_pixels, coefs, y, u, v, r, g, b, out_step);
    return;
  }
  for (size_t i = 0; i < n_pixels; i += BLOCK) {
    const size_t x = i + BLOCK <= n_pixels ? i : n_pixels - BLOCK;
    if (out_step == 1) {
      convert_block (k, y + x, u + x, v + x, r + x, g + x, b + x);
      continue;
    }
    uint8_t planes[3][BLOCK];
    convert_block (k, y + x, u + x, v + x, planes[0], planes[1], planes[2]);
    if (is_rgb)
      interleave_block (planes[0], planes[1], planes[2], r + 3 * x);
    else
      interleave_block (planes[2], planes[1], planes[0], b + 3 * x);
  }
}
