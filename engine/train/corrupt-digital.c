/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What happens behind the lens: brightness, contrast, a bent picture, coarse
 * pixels, JPEG. */
#include <math.h>
#include <string.h>

#include <stdio.h>

#include <jpeglib.h>

#include "image/picture.h"
#include "train/corrupt.h"

/* Hue and saturation stay when all three components grow by one factor, so
 * HSV need not be gone through. */
gboolean
forge_corrupt_brightness (ForgeCanvas *canvas, const double *c)
{
  for (size_t i = 0; i < forge_canvas_count (canvas); i++) {
    float *pixel = &canvas->pixels[3 * i];
    float value = MAX (pixel[0], MAX (pixel[1], pixel[2]));
    float brighter = MIN (value + (float) c[0], 1.0f);
    for (int k = 0; k < 3; k++)
      pixel[k] = value > 0 ? pixel[k] * brighter / value : brighter;
  }
  return TRUE;
}

gboolean
forge_corrupt_contrast (ForgeCanvas *canvas, const double *c)
{
  size_t n_pixels = forge_canvas_count (canvas);
  for (size_t k = 0; k < 3; k++) {
    double sum = 0;
    for (size_t i = 0; i < n_pixels; i++)
      sum += (double) canvas->pixels[3 * i + k];
    float mean = (float) (sum / (double) n_pixels);
    for (size_t i = 0; i < n_pixels; i++)
      canvas->pixels[3 * i + k] =
          mean + (float) c[0] * (canvas->pixels[3 * i + k] - mean);
  }
  return TRUE;
}

typedef struct {
  double xx, xy, x0, yx, yy, y0; /* source = matrix * target + (x0, y0) */
} Affine;

/* The map that takes three corners of a square about the centre to where
 * chance moved them, backwards. */
static Affine
draw_affine (ForgeCanvas *canvas, double greatest)
{
  int side = MIN (canvas->width, canvas->height);
  double half = side / 3, from[3][2], to[3][2];
  static const double signs[3][2] = { { 1, 1 }, { 1, -1 }, { -1, -1 } };
  for (int i = 0; i < 3; i++)
    for (int k = 0; k < 2; k++) {
      double centre = (k == 0 ? canvas->width : canvas->height) / 2;
      from[i][k] = centre + signs[i][k] * half;
      to[i][k] = from[i][k] +
                 forge_corrupt_uniform (&canvas->rng, -greatest, greatest);
    }
  double ax = to[1][0] - to[0][0], ay = to[1][1] - to[0][1];
  double bx = to[2][0] - to[0][0], by = to[2][1] - to[0][1];
  double det = ax * by - ay * bx;
  Affine map = { .xx = 1, .yy = 1 };
  if (fabs (det) > 1e-6) {
    double ux = from[1][0] - from[0][0], uy = from[1][1] - from[0][1];
    double vx = from[2][0] - from[0][0], vy = from[2][1] - from[0][1];
    map.xx = (ux * by - vx * ay) / det;
    map.xy = (vx * ax - ux * bx) / det;
    map.yx = (uy * by - vy * ay) / det;
    map.yy = (vy * ax - uy * bx) / det;
  }
  map.x0 = from[0][0] - map.xx * to[0][0] - map.xy * to[0][1];
  map.y0 = from[0][1] - map.yx * to[0][0] - map.yy * to[0][1];
  return map;
}

/* Smoothed white noise, pixels. */
static gboolean
draw_waves (ForgeCanvas *canvas, float *waves, double height, double sigma)
{
  size_t n_pixels = forge_canvas_count (canvas);
  for (size_t i = 0; i < n_pixels; i++)
    waves[i] = (float) forge_corrupt_uniform (&canvas->rng, -1, 1);
  if (!forge_blur_gaussian (waves, canvas->spare, canvas->width, canvas->height,
          1, sigma, (int) (3 * sigma + 0.5)))
    return FALSE;
  for (size_t i = 0; i < n_pixels; i++)
    waves[i] *= (float) height;
  return TRUE;
}

static void
bend (ForgeCanvas *canvas, const Affine *map, const float *dx, const float *dy)
{
  float *to = canvas->spare;
  for (int y = 0; y < canvas->height; y++)
    for (int x = 0; x < canvas->width; x++, to += 3, dx++, dy++) {
      double u = x + (double) *dx, v = y + (double) *dy;
      forge_sample (canvas->pixels, canvas->width, canvas->height, 3,
          map->xx * u + map->xy * v + map->x0,
          map->yx * u + map->yy * v + map->y0, to);
    }
  memcpy (canvas->pixels, canvas->spare,
      forge_canvas_count (canvas) * 3 * sizeof (float));
}

gboolean
forge_corrupt_elastic_transform (ForgeCanvas *canvas, const double *c)
{
  double side = MIN (canvas->width, canvas->height);
  size_t n_pixels = forge_canvas_count (canvas);
  g_autofree float *dx = g_try_new (float, n_pixels);
  g_autofree float *dy = g_try_new (float, n_pixels);
  if (!dx || !dy)
    return FALSE;
  Affine map = draw_affine (canvas, c[2] * side);
  if (!draw_waves (canvas, dx, c[0] * side, c[1] * side) ||
      !draw_waves (canvas, dy, c[0] * side, c[1] * side))
    return FALSE;
  bend (canvas, &map, dx, dy);
  return TRUE;
}

/* The mean over source rows or columns [@i, @i + 1) * @ratio. */
static void
box_average (const float *in, float *out, int n_in, int n_out, size_t stride)
{
  double ratio = (double) n_in / n_out;
  for (int i = 0; i < n_out; i++) {
    double low = i * ratio, high = MIN (low + ratio, n_in);
    float sum[3] = { 0 };
    for (int j = (int) low; j < n_in && j < high; j++) {
      float part = (float) (MIN (high, j + 1) - MAX (low, j));
      for (size_t k = 0; k < 3; k++)
        sum[k] += part * in[(size_t) j * stride + k];
    }
    for (size_t k = 0; k < 3; k++)
      out[(size_t) i * stride + k] = sum[k] / (float) (high - low);
  }
}

/* Down by areas, and up again by the nearest. */
gboolean
forge_corrupt_pixelate (ForgeCanvas *canvas, const double *c)
{
  int width = canvas->width, height = canvas->height;
  /* beyond 224 pixels there are no more cells than at 224 */
  double share = c[0] * MIN (1, 224.0 / MIN (width, height));
  int n_x = MAX (1, (int) (width * share));
  int n_y = MAX (1, (int) (height * share));
  size_t row = (size_t) width * 3;
  for (int y = 0; y < height; y++)
    box_average (canvas->pixels + (size_t) y * row,
        canvas->spare + (size_t) y * row, width, n_x, 3);
  for (int x = 0; x < n_x; x++)
    box_average (canvas->spare + 3 * (size_t) x,
        canvas->pixels + 3 * (size_t) x, height, n_y, row);
  memcpy (canvas->spare, canvas->pixels,
      forge_canvas_count (canvas) * 3 * sizeof (float));
  float *to = canvas->pixels;
  for (int y = 0; y < height; y++)
    for (int x = 0; x < width; x++, to += 3) {
      size_t from_y = (size_t) ((y + 0.5) * n_y / height);
      size_t from_x = (size_t) ((x + 0.5) * n_x / width);
      memcpy (to, canvas->spare + from_y * row + 3 * from_x, 3 * sizeof *to);
    }
  return TRUE;
}

/* libjpeg ends the process on errors by default; with a picture of checked
 * size and a buffer of its own, only memory can fail, as it does there. */
static void
encode_jpeg (const uint8_t *rgb, int width, int height, int quality,
    unsigned char **bytes, unsigned long *size_bytes)
{
  struct jpeg_compress_struct jpeg;
  struct jpeg_error_mgr errors;
  jpeg.err = jpeg_std_error (&errors);
  jpeg_create_compress (&jpeg);
  jpeg_mem_dest (&jpeg, bytes, size_bytes);
  jpeg.image_width = (JDIMENSION) width;
  jpeg.image_height = (JDIMENSION) height;
  jpeg.input_components = 3;
  jpeg.in_color_space = JCS_RGB;
  jpeg_set_defaults (&jpeg);
  jpeg_set_quality (&jpeg, quality, TRUE);
  jpeg_start_compress (&jpeg, TRUE);
  while (jpeg.next_scanline < jpeg.image_height) {
    JSAMPROW row =
        (JSAMPROW) rgb + (size_t) jpeg.next_scanline * jpeg.image_width * 3;
    jpeg_write_scanlines (&jpeg, &row, 1);
  }
  jpeg_finish_compress (&jpeg);
  jpeg_destroy_compress (&jpeg);
}

gboolean
forge_corrupt_jpeg_compression (ForgeCanvas *canvas, const double *c)
{
  size_t n_values = forge_canvas_count (canvas) * 3;
  g_autofree uint8_t *rgb = g_try_malloc (n_values);
  if (!rgb)
    return FALSE;
  for (size_t i = 0; i < n_values; i++)
    rgb[i] = (uint8_t) (canvas->pixels[i] * 255 + 0.5f);
  unsigned char *bytes = NULL;
  unsigned long size_bytes = 0;
  encode_jpeg (rgb, canvas->width, canvas->height, (int) lround (c[0]), &bytes,
      &size_bytes);
  g_autoptr (ForgePicture) picture =
      forge_picture_load_jpeg (bytes, size_bytes, "corrupt", NULL);
  free (bytes);
  for (size_t i = 0; picture && i < n_values; i++)
    canvas->pixels[i] = picture->data[i] / 255.0f;
  return picture != NULL;
}
