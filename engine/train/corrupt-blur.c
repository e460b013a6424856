/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Blur: out of focus, behind frosted glass, moving sideways, moving
 * forwards. The filters here serve the weather too. */
#include <math.h>
#include <string.h>

#include "train/corrupt.h"

int
forge_mirror (int i, int n)
{
  if (n == 1)
    return 0;
  int period = 2 * (n - 1);
  i = ABS (i) % period;
  return i < n ? i : period - i;
}

void
forge_sample (const float *field, int width, int height, int channels, double x,
    double y, float *out)
{
  double floor_x = floor (x), floor_y = floor (y);
  int x0 = forge_mirror ((int) floor_x, width);
  int x1 = forge_mirror ((int) floor_x + 1, width);
  int y0 = forge_mirror ((int) floor_y, height);
  int y1 = forge_mirror ((int) floor_y + 1, height);
  float fx = (float) (x - floor_x), fy = (float) (y - floor_y);
  const float *top = field + (size_t) y0 * (size_t) width * (size_t) channels;
  const float *low = field + (size_t) y1 * (size_t) width * (size_t) channels;
  for (int k = 0; k < channels; k++) {
    float a = top[x0 * channels + k], b = top[x1 * channels + k];
    float d = low[x0 * channels + k], e = low[x1 * channels + k];
    float upper = a + fx * (b - a), lower = d + fx * (e - d);
    out[k] = upper + fy * (lower - upper);
  }
}

/* One line of @n points, @stride floats apart. */
static void
blur_line (const float *in, float *out, int n, size_t stride, int channels,
    const float *kernel, int radius)
{
  for (int i = 0; i < n; i++)
    for (int k = 0; k < channels; k++) {
      float sum = 0;
      for (int j = -radius; j <= radius; j++) {
        int from = i + j >= 0 && i + j < n ? i + j : forge_mirror (i + j, n);
        sum += kernel[j + radius] * in[(size_t) from * stride + (size_t) k];
      }
      out[(size_t) i * stride + (size_t) k] = sum;
    }
}

gboolean
forge_blur_gaussian (float *field, float *spare, int width, int height,
    int channels, double sigma, int radius)
{
  if (sigma <= 0 || radius < 1)
    return TRUE;
  g_autofree float *kernel = g_try_new (float, 2 * (gsize) radius + 1);
  if (!kernel)
    return FALSE;
  double sum = 0;
  for (int j = -radius; j <= radius; j++)
    sum += exp (-0.5 * j * j / (sigma * sigma));
  for (int j = -radius; j <= radius; j++)
    kernel[j + radius] = (float) (exp (-0.5 * j * j / (sigma * sigma)) / sum);
  size_t pixel = (size_t) channels, row = (size_t) width * pixel;
  for (int y = 0; y < height; y++)
    blur_line (field + (size_t) y * row, spare + (size_t) y * row, width, pixel,
        channels, kernel, radius);
  for (int x = 0; x < width; x++)
    blur_line (spare + (size_t) x * pixel, field + (size_t) x * pixel, height,
        row, channels, kernel, radius);
  return TRUE;
}

/* Sums along a row, mirrored @margin beyond its ends: [width + 2 margin + 1]
 * of each channel. */
static void
sum_row (const float *row, int width, int margin, double *sums)
{
  memset (sums, 0, 3 * sizeof *sums);
  for (int i = 0; i < width + 2 * margin; i++)
    for (int k = 0; k < 3; k++)
      sums[3 * (i + 1) + k] =
          sums[3 * i + k] + row[3 * forge_mirror (i - margin, width) + k];
}

/* Adds to row @y of @out the part of the disk that is @reach pixels wide on
 * either side in the row of @sums. */
static void
add_span (float *out, const double *sums, int width, int margin, int reach)
{
  for (int x = 0; x < width; x++)
    for (int k = 0; k < 3; k++)
      out[3 * x + k] += (float) (sums[3 * (x + margin + reach + 1) + k] -
                                 sums[3 * (x + margin - reach) + k]);
}

/* The mean over a disk of whole pixels, then its edge is softened: at small
 * radii the softening is all there is. */
gboolean
forge_corrupt_defocus_blur (ForgeCanvas *canvas, const double *c)
{
  int width = canvas->width, height = canvas->height;
  int radius = (int) floor (c[0]);
  size_t row = (size_t) width * 3, n_taps = 0;
  g_autofree double *sums =
      g_try_new (double, 3 * ((gsize) width + 2 * (gsize) radius + 1));
  if (!sums)
    return FALSE;
  memset (canvas->spare, 0, (size_t) height * row * sizeof (float));
  for (int dy = -radius; dy <= radius; dy++) {
    int reach = (int) floor (sqrt (c[0] * c[0] - (double) (dy * dy)));
    n_taps += 2 * (size_t) reach + 1;
    for (int y = 0; y < height; y++) {
      int from = forge_mirror (y + dy, height);
      sum_row (canvas->pixels + (size_t) from * row, width, radius, sums);
      add_span (canvas->spare + (size_t) y * row, sums, width, radius, reach);
    }
  }
  for (size_t i = 0; i < (size_t) height * row; i++)
    canvas->pixels[i] = canvas->spare[i] / (float) n_taps;
  return forge_blur_gaussian (canvas->pixels, canvas->spare, width, height, 3,
      c[1], MAX (1, (int) ceil (2 * c[1])));
}

/* Every pixel takes the value of one up to @delta pixels above and left of
 * it, offsets from [-delta, delta) as published. (The published code means to
 * swap the two, but its assignment of array views copies one over the other;
 * the published pictures are these.) */
static void
shuffle_near (ForgeCanvas *canvas, int delta)
{
  size_t width = (size_t) canvas->width;
  uint32_t span = (uint32_t) (2 * delta);
  for (int y = canvas->height - delta; y > delta; y--)
    for (int x = canvas->width - delta; x > delta; x--) {
      int dx = (int) forge_rng_below (&canvas->rng, span) - delta;
      int dy = (int) forge_rng_below (&canvas->rng, span) - delta;
      const float *from =
          canvas->pixels + 3 * ((size_t) (y + dy) * width + (size_t) (x + dx));
      float *to = canvas->pixels + 3 * ((size_t) y * width + (size_t) x);
      memmove (to, from, 3 * sizeof *to);
    }
}

gboolean
forge_corrupt_glass_blur (ForgeCanvas *canvas, const double *c)
{
  int radius = (int) (4 * c[0] + 0.5);
  int delta = MAX (1, (int) lround (c[1]));
  if (!forge_blur_gaussian (canvas->pixels, canvas->spare, canvas->width,
          canvas->height, 3, c[0], radius))
    return FALSE;
  for (int i = 0; i < (int) lround (c[2]); i++)
    shuffle_near (canvas, delta);
  return forge_blur_gaussian (canvas->pixels, canvas->spare, canvas->width,
      canvas->height, 3, c[0], radius);
}

void
forge_blur_trail (const float *field, float *out, int width, int height,
    int channels, double radius, double sigma, double angle_deg)
{
  double dx = cos (angle_deg * G_PI / 180), dy = sin (angle_deg * G_PI / 180);
  /* A trail longer than the picture would only run back and forth in it. */
  int n_taps = (int) MIN (2 * ceil (radius) + 1, 2.0 * (width + height));
  double total = 0;
  for (int i = 0; i < n_taps; i++)
    total += exp (-0.5 * i * i / (sigma * sigma));
  memset (out, 0,
      (size_t) width * (size_t) height * (size_t) channels * sizeof *out);
  for (int i = 0; i < n_taps; i++) {
    float weight = (float) (exp (-0.5 * i * i / (sigma * sigma)) / total);
    float *to = out;
    if (weight < 1e-5f)
      break;
    for (int y = 0; y < height; y++)
      for (int x = 0; x < width; x++, to += channels) {
        float value[3];
        forge_sample (
            field, width, height, channels, x + i * dx, y + i * dy, value);
        for (int k = 0; k < channels; k++)
          to[k] += weight * value[k];
      }
  }
}

gboolean
forge_corrupt_motion_blur (ForgeCanvas *canvas, const double *c)
{
  double angle_deg = forge_corrupt_uniform (&canvas->rng, -45, 45);
  forge_blur_trail (canvas->pixels, canvas->spare, canvas->width,
      canvas->height, 3, c[0], c[1], angle_deg);
  memcpy (canvas->pixels, canvas->spare,
      forge_canvas_count (canvas) * 3 * sizeof (float));
  return TRUE;
}

/* The mean of the picture and of itself at every zoom, 1 included. */
gboolean
forge_corrupt_zoom_blur (ForgeCanvas *canvas, const double *c)
{
  int width = canvas->width, height = canvas->height;
  double centre_x = (width - 1) / 2.0, centre_y = (height - 1) / 2.0;
  int n_zooms = (int) lround (c[0] / c[1]) + 1;
  size_t n_values = forge_canvas_count (canvas) * 3;
  memcpy (canvas->spare, canvas->pixels, n_values * sizeof (float));
  for (int i = 0; i < n_zooms; i++) {
    double zoom = 1 + c[1] * i;
    float *to = canvas->spare;
    for (int y = 0; y < height; y++)
      for (int x = 0; x < width; x++, to += 3) {
        float value[3];
        forge_sample (canvas->pixels, width, height, 3,
            centre_x + (x - centre_x) / zoom, centre_y + (y - centre_y) / zoom,
            value);
        for (int k = 0; k < 3; k++)
          to[k] += value[k];
      }
  }
  for (size_t i = 0; i < n_values; i++)
    canvas->pixels[i] = canvas->spare[i] / (float) (n_zooms + 1);
  return TRUE;
}
