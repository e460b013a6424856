/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the kernel yuv_to_rgb_u8 needs to know of a colour space, and luma for
 * grey networks. */
#pragma once

#include "forge/image.h"
#include "kernels/kernels.h"

/* @matrix must be a ForgeColourMatrix. */
void forge_yuv_coefs_init (
    ForgeYuvCoefs *coefs, ForgeColourMatrix matrix, gboolean full_range);
gboolean forge_colour_matrix_is_valid (ForgeColourMatrix matrix);

/* Y' over its range to 0..255, in place. */
void forge_yuv_to_luma (
    const ForgeYuvCoefs *coefs, size_t n, uint8_t *y, size_t step);
/* luma = 0.299 R' + 0.587 G' + 0.114 B', as Pillow's "L". */
void forge_rgb_to_luma (size_t n, const uint8_t *r, const uint8_t *g,
    const uint8_t *b, uint8_t *luma, size_t step);
