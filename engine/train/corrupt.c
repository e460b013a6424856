/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See forge/corrupt.h. The table below holds the published constants, and
 * where this file chooses among them by the picture's size.
 * Source: https://github.com/hendrycks/robustness, make_cifar_c.py and
 * make_imagenet_c.py, for the numbers; the code is our own. */
#include "train/corrupt.h"

#include <math.h>
#include <string.h>

#include "forge/error.h"
#include "image/picture.h"

#define SMALL_SIDE 32.0
#define LARGE_SIDE 224.0

typedef double Constants[FORGE_N_SEVERITIES][FORGE_CORRUPT_MAX_CONSTANTS];

typedef struct {
  const char *name;
  ForgeCorruptFunc corrupt;
  guint lengths; /* bit i: constant i is a length in pixels */
  Constants small, large;
} Kind;

static const Kind kinds[FORGE_N_CORRUPTIONS] = {
  /* standard deviation */
  { "gaussian_noise", forge_corrupt_gaussian_noise, 0,
      { { 0.04 }, { 0.06 }, { 0.08 }, { 0.09 }, { 0.10 } },
      { { 0.08 }, { 0.12 }, { 0.18 }, { 0.26 }, { 0.38 } } },
  /* photons at full white */
  { "shot_noise", forge_corrupt_shot_noise, 0,
      { { 500 }, { 250 }, { 100 }, { 75 }, { 50 } },
      { { 60 }, { 25 }, { 12 }, { 5 }, { 3 } } },
  /* share of values hit */
  { "impulse_noise", forge_corrupt_impulse_noise, 0,
      { { 0.01 }, { 0.02 }, { 0.03 }, { 0.05 }, { 0.07 } },
      { { 0.03 }, { 0.06 }, { 0.09 }, { 0.17 }, { 0.27 } } },
  /* radius, sigma of the disk's soft edge */
  { "defocus_blur", forge_corrupt_defocus_blur, 3,
      { { 0.3, 0.4 }, { 0.4, 0.5 }, { 0.5, 0.6 }, { 1, 0.2 }, { 1.5, 0.1 } },
      { { 3, 0.1 }, { 4, 0.5 }, { 6, 0.5 }, { 8, 0.5 }, { 10, 0.5 } } },
  /* sigma, farthest swap, rounds */
  { "glass_blur", forge_corrupt_glass_blur, 3,
      { { 0.05, 1, 1 }, { 0.25, 1, 1 }, { 0.4, 1, 1 }, { 0.25, 1, 2 },
          { 0.4, 1, 2 } },
      { { 0.7, 1, 2 }, { 0.9, 2, 1 }, { 1, 2, 3 }, { 1.1, 3, 2 },
          { 1.5, 4, 2 } } },
  /* radius, sigma */
  { "motion_blur", forge_corrupt_motion_blur, 3,
      { { 6, 1 }, { 6, 1.5 }, { 6, 2 }, { 8, 2 }, { 9, 2.5 } },
      { { 10, 3 }, { 15, 5 }, { 15, 8 }, { 15, 12 }, { 20, 15 } } },
  /* greatest zoom less 1, step */
  { "zoom_blur", forge_corrupt_zoom_blur, 0,
      { { 0.05, 0.01 }, { 0.10, 0.01 }, { 0.15, 0.01 }, { 0.20, 0.01 },
          { 0.25, 0.01 } },
      { { 0.10, 0.01 }, { 0.15, 0.01 }, { 0.20, 0.02 }, { 0.25, 0.02 },
          { 0.30, 0.03 } } },
  /* mean, deviation, zoom, threshold of the flakes; radius and sigma of their
   * trails; share of the picture that is not whitened */
  { "snow", forge_corrupt_snow, 1 << 2 | 1 << 4 | 1 << 5,
      { { 0.1, 0.2, 1, 0.6, 8, 3, 0.95 }, { 0.1, 0.2, 1, 0.5, 10, 4, 0.9 },
          { 0.15, 0.3, 1.75, 0.55, 10, 4, 0.9 },
          { 0.25, 0.3, 2.25, 0.6, 12, 6, 0.85 },
          { 0.3, 0.3, 1.25, 0.65, 14, 12, 0.8 } },
      { { 0.1, 0.3, 3, 0.5, 10, 4, 0.8 }, { 0.2, 0.3, 2, 0.5, 12, 4, 0.7 },
          { 0.55, 0.3, 4, 0.9, 12, 8, 0.7 },
          { 0.55, 0.3, 4.5, 0.85, 12, 8, 0.65 },
          { 0.55, 0.3, 2.5, 0.85, 12, 12, 0.55 } } },
  /* weights of picture and ice */
  { "frost", forge_corrupt_frost, 0,
      { { 1, 0.2 }, { 1, 0.3 }, { 0.9, 0.4 }, { 0.85, 0.4 }, { 0.75, 0.45 } },
      { { 1, 0.4 }, { 0.8, 0.6 }, { 0.7, 0.7 }, { 0.65, 0.7 },
          { 0.6, 0.75 } } },
  /* amount, decay from octave to octave */
  { "fog", forge_corrupt_fog, 0,
      { { 0.2, 3 }, { 0.5, 3 }, { 0.75, 2.5 }, { 1, 2 }, { 1.5, 1.75 } },
      { { 1.5, 2 }, { 2, 2 }, { 2.5, 1.7 }, { 2.5, 1.5 }, { 3, 1.4 } } },
  /* added to V of HSV */
  { "brightness", forge_corrupt_brightness, 0,
      { { 0.05 }, { 0.1 }, { 0.15 }, { 0.2 }, { 0.3 } },
      { { 0.1 }, { 0.2 }, { 0.3 }, { 0.4 }, { 0.5 } } },
  /* what is left of the distance to the mean */
  { "contrast", forge_corrupt_contrast, 0,
      { { 0.75 }, { 0.5 }, { 0.4 }, { 0.3 }, { 0.15 } },
      { { 0.4 }, { 0.3 }, { 0.2 }, { 0.1 }, { 0.05 } } },
  /* height and sigma of the waves, greatest move of the affine map's three
   * points: shares of the shorter side */
  { "elastic_transform", forge_corrupt_elastic_transform, 0,
      { { 0, 0, 0.08 }, { 0.05, 0.2, 0.07 }, { 0.08, 0.06, 0.06 },
          { 0.1, 0.04, 0.05 }, { 0.1, 0.03, 0.03 } },
      { { 0, 0, 0.08 }, { 0.05, 0.2, 0.07 }, { 0.08, 0.06, 0.06 },
          { 0.1, 0.04, 0.05 }, { 0.1, 0.03, 0.03 } } },
  /* pixels left of one, a side */
  { "pixelate", forge_corrupt_pixelate, 0,
      { { 0.95 }, { 0.9 }, { 0.85 }, { 0.75 }, { 0.65 } },
      { { 0.6 }, { 0.5 }, { 0.4 }, { 0.3 }, { 0.25 } } },
  /* quality */
  { "jpeg_compression", forge_corrupt_jpeg_compression, 0,
      { { 80 }, { 65 }, { 58 }, { 50 }, { 40 } },
      { { 25 }, { 18 }, { 15 }, { 10 }, { 7 } } },
};

const char *
forge_corruption_name (ForgeCorruption kind)
{
  g_return_val_if_fail ((guint) kind < FORGE_N_CORRUPTIONS, "unknown");
  return kinds[kind].name;
}

gboolean
forge_corruption_parse (const char *name, ForgeCorruption *kind)
{
  for (guint i = 0; i < FORGE_N_CORRUPTIONS; i++)
    if (strcmp (kinds[i].name, name) == 0) {
      *kind = (ForgeCorruption) i;
      return TRUE;
    }
  return FALSE;
}

static void
choose_constants (const Kind *kind, guint severity, int side, double *c)
{
  const double *small = kind->small[severity - 1];
  const double *large = kind->large[severity - 1];
  double t = log (side / SMALL_SIDE) / log (LARGE_SIDE / SMALL_SIDE);
  t = CLAMP (t, 0, 1);
  for (guint i = 0; i < FORGE_CORRUPT_MAX_CONSTANTS; i++) {
    c[i] = small[i] > 0 && large[i] > 0
               ? small[i] * pow (large[i] / small[i], t)
               : small[i] + t * (large[i] - small[i]);
    if (side > LARGE_SIDE && (kind->lengths >> i & 1))
      c[i] *= side / LARGE_SIDE;
  }
}

static gboolean
canvas_init (ForgeCanvas *canvas, const ForgePicture *picture, uint64_t seed)
{
  *canvas =
      (ForgeCanvas) { .width = picture->width, .height = picture->height };
  gsize n_values = forge_canvas_count (canvas) * 3;
  canvas->pixels = g_try_new (float, n_values);
  canvas->spare = g_try_new (float, n_values);
  if (!canvas->pixels || !canvas->spare)
    return FALSE;
  for (gsize i = 0; i < n_values; i++)
    canvas->pixels[i] = picture->data[i] / 255.0f;
  forge_rng_seed (&canvas->rng, seed);
  return TRUE;
}

/* Cut off as the published code cuts: towards 0. A hair is added first, so
 * that a value that came from a byte goes back to it. */
static ForgePicture *
canvas_to_picture (const ForgeCanvas *canvas, GError **error)
{
  ForgePicture *picture = forge_picture_new (
      (uint64_t) canvas->width, (uint64_t) canvas->height, "corrupt", error);
  gsize n_values = forge_canvas_count (canvas) * 3;
  for (gsize i = 0; picture && i < n_values; i++)
    picture->data[i] =
        (uint8_t) (CLAMP (canvas->pixels[i], 0.0f, 1.0f) * 255 + 1e-3f);
  return picture;
}

static ForgePicture *
copy_picture (const ForgePicture *picture, GError **error)
{
  ForgePicture *copy = forge_picture_new (
      (uint64_t) picture->width, (uint64_t) picture->height, "corrupt", error);
  if (copy)
    memcpy (copy->data, picture->data,
        (gsize) picture->width * (gsize) picture->height * 3);
  return copy;
}

ForgePicture *
forge_corrupt (const ForgePicture *picture, ForgeCorruption kind,
    guint severity, uint64_t seed, GError **error)
{
  g_return_val_if_fail (picture && picture->data, NULL);
  if ((guint) kind >= FORGE_N_CORRUPTIONS || severity > FORGE_N_SEVERITIES) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_ARGUMENT,
        "corrupt: expected a kind under %d and a severity from 0 to %d, found "
        "%u and %u",
        FORGE_N_CORRUPTIONS, FORGE_N_SEVERITIES, (guint) kind, severity);
    return NULL;
  }
  if (!forge_picture_check_size ((uint64_t) picture->width,
          (uint64_t) picture->height, "corrupt", error))
    return NULL;
  if (severity == 0)
    return copy_picture (picture, error);
  double c[FORGE_CORRUPT_MAX_CONSTANTS];
  choose_constants (
      &kinds[kind], severity, MIN (picture->width, picture->height), c);
  ForgeCanvas canvas;
  ForgePicture *result = NULL;
  if (canvas_init (&canvas, picture, seed) && kinds[kind].corrupt (&canvas, c))
    result = canvas_to_picture (&canvas, error);
  else
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_MEMORY,
        "corrupt: no memory for %d x %d pixels", picture->width,
        picture->height);
  g_free (canvas.pixels);
  g_free (canvas.spare);
  return result;
}
