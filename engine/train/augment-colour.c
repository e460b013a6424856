/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Changes of colour, see augment.h: all four are one 3 x 3 matrix and an
 * offset a picture, so a pixel is touched once, whatever is asked for. */
#include <math.h>

#include "train/augment.h"

/* Weights of the luma that saturation and hue keep. */
static const float luma[] = { 0.213f, 0.715f, 0.072f };

/* What a turn by sin (hue) adds to a channel. */
static const float turn[3][3] = { { -0.213f, -0.715f, 0.928f },
  { 0.143f, 0.140f, -0.283f }, { -0.787f, 0.715f, 0.072f } };

static float
draw_factor (ForgeRng *rng, float most)
{
  return most > 0 ? 1 + most * (2 * forge_rng_float (rng) - 1) : 1;
}

/* saturate (s) after hueRotate (angle): both keep grey as it is. */
static void
make_matrix (float saturation, float angle, float matrix[3][3])
{
  float cosine = cosf (angle), sine = sinf (angle);
  for (int r = 0; r < 3; r++)
    for (int c = 0; c < 3; c++) {
      float away = (r == c) - luma[c];
      matrix[r][c] = luma[c] + saturation * (cosine * away + sine * turn[r][c]);
    }
}

static float
mean_grey (const uint8_t *pixels, gsize n_pixels)
{
  uint64_t sums[3] = { 0 };
  for (gsize i = 0; i < n_pixels; i++)
    for (int c = 0; c < 3; c++)
      sums[c] += pixels[i * 3 + c];
  float mean = 0;
  for (int c = 0; c < 3; c++)
    mean += luma[c] * (float) ((double) sums[c] / (double) n_pixels);
  return mean;
}

void
forge_augment_colour (
    const ForgeAugment *augment, ForgeRng *rng, uint8_t *pixels, gsize n_pixels)
{
  if (augment->brightness <= 0 && augment->contrast <= 0 &&
      augment->saturation <= 0 && augment->hue <= 0)
    return;
  float brightness = draw_factor (rng, augment->brightness);
  float contrast = draw_factor (rng, augment->contrast);
  float saturation = draw_factor (rng, augment->saturation);
  float angle =
      augment->hue > 0 ? augment->hue * (2 * forge_rng_float (rng) - 1) : 0;
  float matrix[3][3];
  make_matrix (saturation, angle * (float) G_PI / 180, matrix);
  float factor = brightness * contrast;
  float offset = brightness * (1 - contrast) * mean_grey (pixels, n_pixels);
  for (gsize i = 0; i < n_pixels; i++) {
    uint8_t *pixel = pixels + i * 3;
    float r = pixel[0], g = pixel[1], b = pixel[2];
    for (int c = 0; c < 3; c++) {
      float value = matrix[c][0] * r + matrix[c][1] * g + matrix[c][2] * b;
      value = factor * value + offset + 0.5f;
      pixel[c] = (uint8_t) CLAMP (value, 0, 255);
    }
  }
}
