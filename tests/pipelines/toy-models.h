/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Models and pictures small enough to know the answers by heart. */
#pragma once

#include <glib.h>

/* The classes of the colour model and of the folders, in order. */
extern const char *const toy_colours[]; /* "blue", "green", "red", NULL */
extern const unsigned char toy_colour_rgb[3][3];

/* Writes an ONNX model: uint8 [N, 8, 8, 3] -> probabilities of three classes,
 * which are the brightest of the colour components. 579 parameters. */
void toy_write_colour_model (const char *path);
/* Writes an ONNX model: float32 [N, 4] a, b -> sum, product. */
void toy_write_arithmetic_model (const char *path);

/* Writes an ONNX model: float32 [N, 3, 8, 8] RGB in -1..1 -> probabilities of
 * the four shades below, which is the nearest to the mean colour. The file
 * says nothing of that. */
void toy_write_shade_model (const char *path);
extern const char *const toy_shades[]; /* "black", "blue", "grey", "red" */
extern const unsigned char toy_shade_rgb[4][3];
/* Writes root/<shade>/<n>.png. */
void toy_write_shade_folders (const char *root, int n_each);

/* Writes a PNG of one colour, a little noise from @seed on it. */
void toy_write_picture (const char *path, int width, int height,
    const unsigned char rgb[3], unsigned seed);
/* Writes root/test/<colour>/<n>.png and the same below root/train. In the
 * first class, @n_wrong pictures show the colour of the second. */
void toy_write_colour_folders (const char *root, int n_each, int n_wrong);
