/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The points of Winograd's F(side x side, 3x3), infinity being the last. What
 * follows from them, by the construction of Toom and Cook, for n = side + 2
 * and M the product of all (x - point):
 *   B^T  row i: coefficients of M / (x - point i); the last row: of M
 *   A^T  row k: the points to the power of k; the last column: 1 in row n - 3
 *   G    row i: 1, point i and its square over M' (point i); the last: 0, 0, 1
 * They are few bits long, so that their powers are exact. Those of side 4 are
 * oneDNN's; those of side 6 lost least of some 500 triples: at most 8e-6 of
 * the largest output at 64 channels, side 4 2e-6.
 * Source: Lavin and Gray, "Fast Algorithms for Convolutional Neural Networks"
 * (2015); Barabasz and others, "Error Analysis and Improving the Accuracy of
 * Winograd Convolution for Deep Neural Networks" (2020). */
#pragma once

#include <stddef.h>

enum {
  FORGE_WINOGRAD_MAX_SIDE = 6,
  FORGE_WINOGRAD_MAX_N = FORGE_WINOGRAD_MAX_SIDE + 2,
  FORGE_WINOGRAD_MAX_POINTS = FORGE_WINOGRAD_MAX_N * FORGE_WINOGRAD_MAX_N,
};

static const double forge_winograd_points_2[] = { 0, 1, -1 };
static const double forge_winograd_points_4[] = { 0, 0.625, -0.625, 1.5, -1.5 };
static const double forge_winograd_points_6[] = { 0, 0.5625, -0.5625, 1, -1,
  1.75, -1.75 };

/* side + 1 points. */
static inline const double *
forge_winograd_points (size_t side)
{
  return side == 2   ? forge_winograd_points_2
         : side == 4 ? forge_winograd_points_4
                     : forge_winograd_points_6;
}
