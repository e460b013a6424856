/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Noise of the sensor and of the line: Gaussian (little light), shot
 * (discrete light), impulse (dead values). Each channel for itself. */
#include <math.h>

#include "train/corrupt.h"

/* From here on a Poisson number is a rounded normal one: its skew, 1 / sqrt
 * (mean), no longer shows in 8 bits. */
#define NORMAL_FROM 60

size_t
forge_canvas_count (const ForgeCanvas *canvas)
{
  return (size_t) canvas->width * (size_t) canvas->height;
}

double
forge_corrupt_uniform (ForgeRng *rng, double low, double high)
{
  return low + (high - low) * (double) forge_rng_float (rng);
}

gboolean
forge_corrupt_gaussian_noise (ForgeCanvas *canvas, const double *c)
{
  for (size_t i = 0; i < forge_canvas_count (canvas) * 3; i++)
    canvas->pixels[i] += (float) c[0] * forge_rng_normal (&canvas->rng);
  return TRUE;
}

/* Knuth: as many uniform factors as keep the product over exp (-mean). */
static double
poisson (ForgeRng *rng, double mean)
{
  if (mean >= NORMAL_FROM)
    return MAX (
        0, round (mean + sqrt (mean) * (double) forge_rng_normal (rng)));
  double limit = exp (-mean), product = (double) forge_rng_float (rng);
  double n = 0;
  for (; product > limit; n++)
    product *= (double) forge_rng_float (rng);
  return n;
}

gboolean
forge_corrupt_shot_noise (ForgeCanvas *canvas, const double *c)
{
  for (size_t i = 0; i < forge_canvas_count (canvas) * 3; i++)
    canvas->pixels[i] =
        (float) (poisson (&canvas->rng, canvas->pixels[i] * c[0]) / c[0]);
  return TRUE;
}

gboolean
forge_corrupt_impulse_noise (ForgeCanvas *canvas, const double *c)
{
  for (size_t i = 0; i < forge_canvas_count (canvas) * 3; i++) {
    double draw = (double) forge_rng_float (&canvas->rng);
    if (draw < c[0])
      canvas->pixels[i] = draw < c[0] / 2 ? 0 : 1;
  }
  return TRUE;
}
