/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Y'CbCr and R'G'B' bytes, a row at a time. */
#pragma once

#include "forge/image.h"

/* All Q16. */
typedef struct {
  int32_t y_offset; /* the byte that is black; not scaled */
  int32_t y_scale;
  int32_t v_to_r, u_to_g, v_to_g, u_to_b;
} ForgeYuvCoefs;

/* @matrix must be a ForgeColourMatrix. */
void forge_yuv_coefs_init (
    ForgeYuvCoefs *coefs, ForgeColourMatrix matrix, gboolean full_range);
gboolean forge_colour_matrix_is_valid (ForgeColourMatrix matrix);

/* n pixels of planar Y'CbCr; rgb[c][x * step] gets R', G', B'. */
void forge_yuv_to_rgb (const ForgeYuvCoefs *coefs, size_t n, const uint8_t *y,
    const uint8_t *u, const uint8_t *v, uint8_t *const *rgb, size_t step);
/* Y' over its range to 0..255, in place. */
void forge_yuv_to_luma (
    const ForgeYuvCoefs *coefs, size_t n, uint8_t *y, size_t step);
/* luma = 0.299 R' + 0.587 G' + 0.114 B', as Pillow's "L". */
void forge_rgb_to_luma (size_t n, const uint8_t *r, const uint8_t *g,
    const uint8_t *b, uint8_t *luma, size_t step);
