/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Weather between camera and scene: falling snow, frost on the glass, fog.
 * Clouds are a plasma: midpoint displacement on a torus (the diamond-square
 * algorithm), as the published fog has them. */
#include <math.h>
#include <string.h>

#include "train/corrupt.h"

/* Displacement of the first step; the published code squares its 100. */
#define FIRST_WIBBLE 100.0

typedef struct {
  float *map; /* [side][side] */
  int side;   /* a power of two */
  double wibble;
  ForgeRng *rng;
} Plasma;

static float *
plasma_at (const Plasma *plasma, int y, int x)
{
  int mask = plasma->side - 1;
  return &plasma->map[(size_t) (y & mask) * (size_t) plasma->side +
                      (size_t) (x & mask)];
}

static void
displace (const Plasma *plasma, int y, int x, float sum_of_four)
{
  double span = plasma->wibble * plasma->wibble;
  *plasma_at (plasma, y, x) = sum_of_four / 4 + (float) forge_corrupt_uniform (
                                                    plasma->rng, -span, span);
}

static void
fill_squares (const Plasma *plasma, int step)
{
  int half = step / 2;
  for (int y = 0; y < plasma->side; y += step)
    for (int x = 0; x < plasma->side; x += step)
      displace (plasma, y + half, x + half,
          *plasma_at (plasma, y, x) + *plasma_at (plasma, y, x + step) +
              *plasma_at (plasma, y + step, x) +
              *plasma_at (plasma, y + step, x + step));
}

static void
fill_diamonds (const Plasma *plasma, int step)
{
  int half = step / 2;
  for (int y = 0; y < plasma->side; y += half)
    for (int x = (y / half) % 2 ? 0 : half; x < plasma->side; x += step)
      displace (plasma, y, x,
          *plasma_at (plasma, y - half, x) + *plasma_at (plasma, y + half, x) +
              *plasma_at (plasma, y, x - half) +
              *plasma_at (plasma, y, x + half));
}

/* (transfer full): float [height][width], 0..1; NULL without memory. */
static float *
make_plasma (ForgeRng *rng, int width, int height, double decay)
{
  int side = 2;
  while (side < MAX (width, height))
    side *= 2;
  Plasma plasma = { .map = g_try_new0 (float, (gsize) side *(gsize) side),
    .side = side,
    .wibble = FIRST_WIBBLE,
    .rng = rng };
  float *out = g_try_new (float, (gsize) width *(gsize) height);
  if (!plasma.map || !out) {
    g_free (plasma.map);
    g_free (out);
    return NULL;
  }
  for (int step = side; step >= 2; step /= 2) {
    fill_squares (&plasma, step);
    fill_diamonds (&plasma, step);
    plasma.wibble /= decay;
  }
  float least = INFINITY, most = -INFINITY;
  for (size_t i = 0; i < (size_t) side * (size_t) side; i++) {
    least = MIN (least, plasma.map[i]);
    most = MAX (most, plasma.map[i]);
  }
  for (int y = 0; y < height; y++)
    for (int x = 0; x < width; x++)
      out[(size_t) y * (size_t) width + (size_t) x] =
          (*plasma_at (&plasma, y, x) - least) / MAX (most - least, 1e-9f);
  g_free (plasma.map);
  return out;
}

gboolean
forge_corrupt_fog (ForgeCanvas *canvas, const double *c)
{
  g_autofree float *clouds =
      make_plasma (&canvas->rng, canvas->width, canvas->height, c[1]);
  if (!clouds)
    return FALSE;
  size_t n_pixels = forge_canvas_count (canvas);
  float most = 0, amount = (float) c[0];
  for (size_t i = 0; i < n_pixels * 3; i++)
    most = MAX (most, canvas->pixels[i]);
  for (size_t i = 0; i < n_pixels * 3; i++)
    canvas->pixels[i] =
        (canvas->pixels[i] + amount * clouds[i / 3]) * most / (most + amount);
  return TRUE;
}

/* Sparse seeds drawn out to needles both ways, in directions 60 degrees
 * apart as ice grows; where needles cross, the brightest shows. */
static void
draw_needles (ForgeCanvas *canvas, float *seeds, float *needles)
{
  int width = canvas->width, height = canvas->height;
  size_t n_pixels = forge_canvas_count (canvas);
  double length = MAX (2, 0.12 * MIN (width, height));
  double turn = forge_corrupt_uniform (&canvas->rng, 0, 60);
  memset (needles, 0, n_pixels * sizeof *needles);
  for (int direction = 0; direction < 6; direction++) {
    if (direction < 3)
      for (size_t i = 0; i < n_pixels; i++)
        seeds[i] = forge_rng_float (&canvas->rng) < 0.04f;
    forge_blur_trail (seeds, canvas->spare, width, height, 1, length,
        length / 2, turn + 60 * direction);
    for (size_t i = 0; i < n_pixels; i++)
      needles[i] = MAX (needles[i], canvas->spare[i]);
  }
  float most = 1e-9f;
  for (size_t i = 0; i < n_pixels; i++)
    most = MAX (most, needles[i]);
  for (size_t i = 0; i < n_pixels; i++)
    needles[i] = sqrtf (needles[i] / most);
}

gboolean
forge_corrupt_frost (ForgeCanvas *canvas, const double *c)
{
  static const float tint[3] = { 0.86f, 0.94f, 1.0f };
  size_t n_pixels = forge_canvas_count (canvas);
  g_autofree float *rime =
      make_plasma (&canvas->rng, canvas->width, canvas->height, 1.7);
  g_autofree float *seeds = g_try_new (float, n_pixels);
  g_autofree float *needles = g_try_new (float, n_pixels);
  if (!rime || !seeds || !needles)
    return FALSE;
  draw_needles (canvas, seeds, needles);
  for (size_t i = 0; i < n_pixels; i++) {
    float ice = MIN (1.0f, 0.15f + 0.55f * rime[i] + 0.55f * needles[i]);
    for (int k = 0; k < 3; k++) {
      float *pixel = &canvas->pixels[3 * i + (size_t) k];
      *pixel = (float) c[0] * *pixel + (float) c[1] * tint[k] * ice;
    }
  }
  return TRUE;
}

/* Flakes: noise, magnified, of which only the peaks are kept. */
static void
make_flakes (ForgeCanvas *canvas, const double *c, float *flakes)
{
  int width = canvas->width, height = canvas->height;
  size_t n_pixels = forge_canvas_count (canvas);
  double zoom = MAX (1, c[2]), x0 = (width - 1) / 2.0, y0 = (height - 1) / 2.0;
  float *noise = canvas->spare, *to = flakes;
  for (size_t i = 0; i < n_pixels; i++)
    noise[i] = (float) (c[0] + c[1] * (double) forge_rng_normal (&canvas->rng));
  for (int y = 0; y < height; y++)
    for (int x = 0; x < width; x++, to++) {
      forge_sample (noise, width, height, 1, x0 + (x - x0) / zoom,
          y0 + (y - y0) / zoom, to);
      *to = *to < (float) c[3] ? 0 : MIN (*to, 1.0f);
    }
}

gboolean
forge_corrupt_snow (ForgeCanvas *canvas, const double *c)
{
  size_t n_pixels = forge_canvas_count (canvas);
  g_autofree float *flakes = g_try_new (float, n_pixels);
  if (!flakes)
    return FALSE;
  make_flakes (canvas, c, flakes);
  float *trails = canvas->spare;
  forge_blur_trail (flakes, trails, canvas->width, canvas->height, 1, c[4],
      c[5], forge_corrupt_uniform (&canvas->rng, -135, -45));
  float keep = (float) c[6];
  for (size_t i = 0; i < n_pixels; i++) {
    float *pixel = &canvas->pixels[3 * i];
    float grey = 0.299f * pixel[0] + 0.587f * pixel[1] + 0.114f * pixel[2];
    float white = 1.5f * grey + 0.5f;
    float snow = trails[i] + trails[n_pixels - 1 - i];
    for (int k = 0; k < 3; k++)
      pixel[k] = keep * pixel[k] + (1 - keep) * MAX (pixel[k], white) + snow;
  }
  return TRUE;
}
