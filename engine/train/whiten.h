/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Statistics of the training pictures that first weights are made of. */
#pragma once

#include "train/arch.h"

/* Of each channel, of bytes / 255, over all pictures. */
void forge_picture_statistics (
    const ForgeArchPictures *pictures, double mean[3], double deviation[3]);

#define FORGE_PATCH_ELEMS 12 /* 3 channels x 2 x 2 */

/**
 * forge_whitening_filters:
 * @pictures: at least one, of 2 x 2 pixels or more; the first 5,000 are used
 * @mean, @deviation: what the network takes off and divides by
 * @epsilon: added to the eigenvalues
 * @filters: (out caller-allocates): float32 [24, 3, 2, 2]: the eigenvectors of
 *   the covariance of normalised 2 x 2 patches, the largest eigenvalue first,
 *   each over sqrt (eigenvalue + epsilon), then their negatives
 *
 * Source: D. Page, "How to Train Your ResNet" (2018), part 8; Jordan, arXiv
 * 2404.00498, section 3.1.
 */
void forge_whitening_filters (const ForgeArchPictures *pictures,
    const double mean[3], const double deviation[3], double epsilon,
    float *filters);

/**
 * forge_eigen_symmetric:
 * @n: 1 to 16
 * @matrix: float64 [n, n], symmetric; overwritten
 * @values: (out caller-allocates): [n], falling
 * @vectors: (out caller-allocates): [n, n], one a row, of length 1, the first
 *   component that is not 0 positive
 *
 * By cyclic Jacobi rotations. Source: Golub and Van Loan, "Matrix
 * Computations", section 8.5.
 */
void forge_eigen_symmetric (
    int n, double *matrix, double *values, double *vectors);
