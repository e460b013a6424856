/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the files corrupt-*.c share: the picture as floats while it is being
 * corrupted, and the functions, one a kind. Each takes the constants of its
 * row in corrupt.c, already chosen for severity and size. */
#pragma once

#include "base/rng.h"
#include "forge/corrupt.h"

#define FORGE_CORRUPT_MAX_CONSTANTS 7

typedef struct {
  int width, height;
  float *pixels; /* [height][width][3], 0..1 */
  float *spare;  /* the same size, for the functions' own use */
  ForgeRng rng;
} ForgeCanvas;

/* Result in canvas->pixels, not yet clipped. FALSE: no memory. */
typedef gboolean (*ForgeCorruptFunc) (ForgeCanvas *canvas, const double *c);

gboolean forge_corrupt_gaussian_noise (ForgeCanvas *canvas, const double *c);
gboolean forge_corrupt_shot_noise (ForgeCanvas *canvas, const double *c);
gboolean forge_corrupt_impulse_noise (ForgeCanvas *canvas, const double *c);
gboolean forge_corrupt_defocus_blur (ForgeCanvas *canvas, const double *c);
gboolean forge_corrupt_glass_blur (ForgeCanvas *canvas, const double *c);
gboolean forge_corrupt_motion_blur (ForgeCanvas *canvas, const double *c);
gboolean forge_corrupt_zoom_blur (ForgeCanvas *canvas, const double *c);
gboolean forge_corrupt_snow (ForgeCanvas *canvas, const double *c);
gboolean forge_corrupt_frost (ForgeCanvas *canvas, const double *c);
gboolean forge_corrupt_fog (ForgeCanvas *canvas, const double *c);
gboolean forge_corrupt_brightness (ForgeCanvas *canvas, const double *c);
gboolean forge_corrupt_contrast (ForgeCanvas *canvas, const double *c);
gboolean forge_corrupt_elastic_transform (ForgeCanvas *canvas, const double *c);
gboolean forge_corrupt_pixelate (ForgeCanvas *canvas, const double *c);
gboolean forge_corrupt_jpeg_compression (ForgeCanvas *canvas, const double *c);

/* Helpers. A field is float [height][width][channels]. Outside, pictures are
 * mirrored about their outermost pixels. */
size_t forge_canvas_count (const ForgeCanvas *canvas); /* width * height */
int forge_mirror (int i, int n);
/* Uniform in [low, high). */
double forge_corrupt_uniform (ForgeRng *rng, double low, double high);
/* Bilinear; @x, @y in pixels from the centre of the first. */
void forge_sample (const float *field, int width, int height, int channels,
    double x, double y, float *out);
/* In place, separable; @spare is of the same size. The kernel ends at @radius
 * pixels. */
gboolean forge_blur_gaussian (float *field, float *spare, int width, int height,
    int channels, double sigma, int radius);
/* A one-sided Gaussian trail of 2 @radius pixels. */
void forge_blur_trail (const float *field, float *out, int width, int height,
    int channels, double radius, double sigma, double angle_deg);
