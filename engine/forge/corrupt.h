/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Pictures made worse on purpose: what a model's accuracy is measured under
 * when the camera is noisy, out of focus, snowed in or badly compressed. */
#pragma once

#include "forge/image.h"

G_BEGIN_DECLS

/**
 * ForgeCorruption:
 *
 * The fifteen kinds of Hendrycks and Dietterich, in their order: four groups,
 * noise, blur, weather and digital.
 *
 * Since: 0.1
 */
typedef enum {
  FORGE_CORRUPTION_GAUSSIAN_NOISE,
  FORGE_CORRUPTION_SHOT_NOISE,
  FORGE_CORRUPTION_IMPULSE_NOISE,
  FORGE_CORRUPTION_DEFOCUS_BLUR,
  FORGE_CORRUPTION_GLASS_BLUR,
  FORGE_CORRUPTION_MOTION_BLUR,
  FORGE_CORRUPTION_ZOOM_BLUR,
  FORGE_CORRUPTION_SNOW,
  FORGE_CORRUPTION_FROST,
  FORGE_CORRUPTION_FOG,
  FORGE_CORRUPTION_BRIGHTNESS,
  FORGE_CORRUPTION_CONTRAST,
  FORGE_CORRUPTION_ELASTIC_TRANSFORM,
  FORGE_CORRUPTION_PIXELATE,
  FORGE_CORRUPTION_JPEG_COMPRESSION,
} ForgeCorruption;

#define FORGE_N_CORRUPTIONS 15
#define FORGE_N_SEVERITIES 5

/**
 * forge_corruption_name:
 * @kind: a kind
 *
 * The word for it on the command line and in reports: that of the published
 * data sets.
 *
 * Returns: (transfer none): "gaussian_noise", ..., "jpeg_compression"
 * Since: 0.1
 */
const char *forge_corruption_name (ForgeCorruption kind);

/**
 * forge_corruption_parse:
 * @name: a word
 * @kind: (out): what it means
 *
 * Reads what forge_corruption_name() writes.
 *
 * Returns: %FALSE for any other word, and @kind is as it was
 * Since: 0.1
 */
gboolean forge_corruption_parse (const char *name, ForgeCorruption *kind);

/**
 * forge_corrupt:
 * @picture: `uint8 [height, width, 3]` R'G'B', any size from 1 x 1 on
 * @kind: what befalls it
 * @severity: 1 (slight) to 5 (bad); 0 = a copy
 * @seed: of everything random in it
 * @error: return location
 *
 * Corrupts a picture before any preprocessing.
 *
 * The constants are the published ones: those of CIFAR-10-C where the shorter
 * side is 32 pixels or less, those of ImageNet-C where it is 224, between
 * them c32 * (c224 / c32)^t, t = ln (side / 32) / ln 7 (linear where one is
 * 0); beyond 224, lengths in pixels grow with the side. elastic_transform
 * takes CIFAR-10-C's fractions of the side at every size. The code is our
 * own, so the pictures are like those of CIFAR-10-C, not the same. In
 * particular frost, which there blends in photographs of ice, blends in a
 * texture that is drawn: cloudy rime with needles in three directions.
 *
 * Errors: %FORGE_ERROR_ARGUMENT for an unknown kind or a severity over 5,
 * %FORGE_ERROR_MEMORY.
 * Thread safety: any thread. The same picture, kind, severity and seed give
 * the same bytes. 0.02 to 1 ms for 32 x 32 pixels.
 * Returns: (transfer full) (nullable): a picture of the same size
 * Source: Hendrycks and Dietterich, "Benchmarking Neural Network Robustness to
 * Common Corruptions and Perturbations", ICLR 2019, and its published code.
 * Since: 0.1
 */
ForgePicture *forge_corrupt (const ForgePicture *picture, ForgeCorruption kind,
    guint severity, uint64_t seed, GError **error);

G_END_DECLS
