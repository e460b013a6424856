/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Integer colour conversion in Q16: with Kr and Kb of the matrix and
 * Kg = 1 - Kr - Kb,
 *   R' = Y' + 2 (1 - Kr) Cr
 *   G' = Y' - 2 (1 - Kb) Kb / Kg Cb - 2 (1 - Kr) Kr / Kg Cr
 *   B' = Y' + 2 (1 - Kb) Cb
 * where Y' is (byte - 16) / 219 or byte / 255, and Cb, Cr are
 * (byte - 128) / 224 or / 255. Source: ITU-R BT.601-7, BT.709-6, BT.2020-2,
 * SMPTE 240M, FCC 73.682. */
#include "image/colour.h"

#define ONE (1 << 16)
#define HALF (1 << 15)

static const struct {
  double kr, kb;
} matrices[] = {
  [FORGE_MATRIX_BT601] = { 0.299, 0.114 },
  [FORGE_MATRIX_BT709] = { 0.2126, 0.0722 },
  [FORGE_MATRIX_BT2020] = { 0.2627, 0.0593 },
  [FORGE_MATRIX_SMPTE240M] = { 0.212, 0.087 },
  [FORGE_MATRIX_FCC] = { 0.30, 0.11 },
};

gboolean
forge_colour_matrix_is_valid (ForgeColourMatrix matrix)
{
  return (guint) matrix < G_N_ELEMENTS (matrices);
}

static int32_t
q16 (double value)
{
  return (int32_t) (value * ONE + 0.5);
}

void
forge_yuv_coefs_init (
    ForgeYuvCoefs *coefs, ForgeColourMatrix matrix, gboolean full_range)
{
  double kr = matrices[matrix].kr, kb = matrices[matrix].kb;
  double kg = 1 - kr - kb;
  double chroma = full_range ? 1.0 : 255.0 / 224.0;
  *coefs = (ForgeYuvCoefs) {
    .y_offset = full_range ? 0 : 16,
    .y_scale = full_range ? ONE : q16 (255.0 / 219.0),
    .v_to_r = q16 (2 * (1 - kr) * chroma),
    .u_to_g = q16 (2 * (1 - kb) * kb / kg * chroma),
    .v_to_g = q16 (2 * (1 - kr) * kr / kg * chroma),
    .u_to_b = q16 (2 * (1 - kb) * chroma),
  };
}

static inline uint8_t
clamp_q16 (int32_t value)
{
  value = (value + HALF) >> 16;
  return (uint8_t) (value < 0 ? 0 : value > 255 ? 255 : value);
}

void
forge_yuv_to_luma (
    const ForgeYuvCoefs *coefs, size_t n, uint8_t *y, size_t step)
{
  for (size_t x = 0; x < n; x++)
    y[x * step] = clamp_q16 ((y[x * step] - coefs->y_offset) * coefs->y_scale);
}

void
forge_rgb_to_luma (size_t n, const uint8_t *r, const uint8_t *g,
    const uint8_t *b, uint8_t *luma, size_t step)
{
  for (size_t x = 0; x < n; x++)
    luma[x * step] = clamp_q16 (19595 * r[x] + 38470 * g[x] + 7471 * b[x]);
}
