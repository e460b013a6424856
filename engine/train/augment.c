/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See augment.h. Shift and flip are one walk over the output; rotation and
 * zoom make it a bilinear one through an affine map. Then colours, then what
 * is cut out. */
#include "train/augment.h"

#include <math.h>
#include <string.h>

/* Of random erasing: the paper's bounds. */
#define ERASE_LEAST 0.02f
#define ERASE_MOST 0.4f
#define ERASE_ASPECT 0.3f
#define ERASE_TRIES 10
#define GREY 128

/* Where the pixels of an output come from. */
typedef struct {
  const uint8_t *in;
  int width, height;
  ForgeBorder border;
  gboolean mirror;
  int dx, dy;
  float angle, scale; /* radians; source pixels a pixel */
} Move;

static int
draw_shift (ForgeRng *rng, guint most)
{
  return (int) forge_rng_below (rng, 2 * most + 1) - (int) most;
}

/* Uniform in [-most, most]. */
static float
draw_around (ForgeRng *rng, float most)
{
  return most * (2 * forge_rng_float (rng) - 1);
}

/* -1 where there is nothing. */
static int
beyond (int at, int n, ForgeBorder border)
{
  if (at >= 0 && at < n)
    return at;
  if (border == FORGE_BORDER_ZERO)
    return -1;
  if (border == FORGE_BORDER_EDGE || n == 1)
    return CLAMP (at, 0, n - 1);
  int period = 2 * (n - 1);
  at = ABS (at) % period;
  return at < n ? at : period - at;
}

static void
move_whole (const Move *move, uint8_t *out)
{
  for (int y = 0; y < move->height; y++) {
    int from_y = beyond (y + move->dy, move->height, move->border);
    for (int x = 0; x < move->width; x++, out += 3) {
      int from_x = beyond (x + move->dx, move->width, move->border);
      if (from_x < 0 || from_y < 0) {
        memset (out, 0, 3);
        continue;
      }
      if (move->mirror)
        from_x = move->width - 1 - from_x;
      memcpy (
          out, move->in + ((ptrdiff_t) from_y * move->width + from_x) * 3, 3);
    }
  }
}

/* The pixel left of and above a place, and how far the place is past it. */
typedef struct {
  int x, y;
  float part_x, part_y;
} Place;

/* The four pixels around are all inside. */
static void
sample_inside (const Move *move, const Place *at, uint8_t *out)
{
  const uint8_t *top = move->in + ((ptrdiff_t) at->y * move->width + at->x) * 3;
  const uint8_t *below = top + (ptrdiff_t) move->width * 3;
  for (int c = 0; c < 3; c++) {
    float upper = top[c] + at->part_x * (float) (top[c + 3] - top[c]);
    float lower = below[c] + at->part_x * (float) (below[c + 3] - below[c]);
    out[c] = (uint8_t) (upper + at->part_y * (lower - upper) + 0.5f);
  }
}

static void
sample_edge (const Move *move, const Place *at, uint8_t *out)
{
  float sum[3] = { 0.5f, 0.5f, 0.5f };
  for (int k = 0; k < 4; k++) {
    int x = beyond (at->x + k % 2, move->width, move->border);
    int y = beyond (at->y + k / 2, move->height, move->border);
    if (x < 0 || y < 0)
      continue;
    float weight = (k % 2 ? at->part_x : 1 - at->part_x) *
                   (k / 2 ? at->part_y : 1 - at->part_y);
    const uint8_t *pixel = move->in + ((ptrdiff_t) y * move->width + x) * 3;
    for (int c = 0; c < 3; c++)
      sum[c] += weight * pixel[c];
  }
  for (int c = 0; c < 3; c++)
    out[c] = (uint8_t) MIN (sum[c], 255);
}

static void
sample (const Move *move, float x, float y, uint8_t *out)
{
  Place at = { .x = (int) floorf (x), .y = (int) floorf (y) };
  at.part_x = x - (float) at.x;
  at.part_y = y - (float) at.y;
  if (at.x >= 0 && at.y >= 0 && at.x < move->width - 1 &&
      at.y < move->height - 1)
    sample_inside (move, &at, out);
  else
    sample_edge (move, &at, out);
}

/* About the middle. */
static void
move_affine (const Move *move, uint8_t *out)
{
  float middle_x = (float) (move->width - 1) / 2;
  float middle_y = (float) (move->height - 1) / 2;
  float along = move->scale * cosf (move->angle);
  float across = move->scale * sinf (move->angle);
  float sign = move->mirror ? -1 : 1;
  for (int y = 0; y < move->height; y++)
    for (int x = 0; x < move->width; x++, out += 3) {
      float u = (float) (x + move->dx) - middle_x;
      float v = (float) (y + move->dy) - middle_y;
      sample (move, middle_x + sign * (along * u - across * v),
          middle_y + across * u + along * v, out);
    }
}

static void
fill_box (
    uint8_t *pixels, int width, int height, const int box[4], ForgeRng *noise)
{
  int left = MAX (box[0], 0), top = MAX (box[1], 0);
  int right = MIN (box[0] + box[2], width);
  int bottom = MIN (box[1] + box[3], height);
  for (int y = top; y < bottom; y++)
    for (int i = left * 3; i < right * 3; i++)
      pixels[(ptrdiff_t) y * width * 3 + i] =
          noise ? (uint8_t) forge_rng_below (noise, 256) : GREY;
}

static void
cut_out (ForgeRng *rng, int side, uint8_t *pixels, int width, int height)
{
  int x = (int) forge_rng_below (rng, (uint32_t) width);
  int y = (int) forge_rng_below (rng, (uint32_t) height);
  int box[] = { x - side / 2, y - side / 2, side, side };
  fill_box (pixels, width, height, box, NULL);
}

static void
erase (ForgeRng *rng, uint8_t *pixels, int width, int height)
{
  const float log_aspect = logf (1 / ERASE_ASPECT);
  for (int i = 0; i < ERASE_TRIES; i++) {
    float share =
        ERASE_LEAST + (ERASE_MOST - ERASE_LEAST) * forge_rng_float (rng);
    float area = share * (float) width * (float) height;
    float aspect = expf (draw_around (rng, log_aspect));
    int w = (int) sqrtf (area * aspect), h = (int) sqrtf (area / aspect);
    if (w < 1 || h < 1 || w >= width || h >= height)
      continue;
    int x = (int) forge_rng_below (rng, (uint32_t) (width - w + 1));
    int y = (int) forge_rng_below (rng, (uint32_t) (height - h + 1));
    fill_box (pixels, width, height, (int[]) { x, y, w, h }, rng);
    return;
  }
}

static gboolean
draw_mirror (const ForgeAugment *augment, ForgeRng *rng, gboolean mirror)
{
  if (augment->flip == FORGE_FLIP_RANDOM)
    return forge_rng_below (rng, 2) != 0;
  return augment->flip == FORGE_FLIP_ALTERNATING && mirror;
}

void
forge_augment (const ForgeAugment *augment, ForgeRng *rng, gboolean mirror,
    const uint8_t *in, int width, int height, uint8_t *out)
{
  Move move = { .in = in,
    .width = width,
    .height = height,
    .border = augment->border,
    .scale = 1 };
  move.mirror = draw_mirror (augment, rng, mirror);
  move.dx = augment->shift ? draw_shift (rng, augment->shift) : 0;
  move.dy = augment->shift ? draw_shift (rng, augment->shift) : 0;
  if (augment->rotation > 0)
    move.angle = draw_around (rng, augment->rotation) * (float) G_PI / 180;
  if (augment->zoom > 0)
    move.scale = 1 / (1 + draw_around (rng, augment->zoom));
  if (augment->rotation > 0 || augment->zoom > 0)
    move_affine (&move, out);
  else
    move_whole (&move, out);
  forge_augment_colour (augment, rng, out, (gsize) width * (gsize) height);
  if (augment->cutout)
    cut_out (rng, (int) augment->cutout, out, width, height);
  if (augment->erase > 0 && forge_rng_float (rng) < augment->erase)
    erase (rng, out, width, height);
}

static double
draw_gamma (ForgeRng *rng, double shape)
{
  if (shape < 1) {
    double u = (double) forge_rng_float (rng) + 0x1p-25;
    return draw_gamma (rng, shape + 1) * pow (u, 1 / shape);
  }
  double d = shape - 1.0 / 3, c = 1 / sqrt (9 * d);
  for (;;) {
    double x = (double) forge_rng_normal (rng);
    double u = (double) forge_rng_float (rng) + 0x1p-25;
    double v = 1 + c * x;
    v = v * v * v;
    if (v > 0 && log (u) < 0.5 * x * x + d - d * v + d * log (v))
      return d * v;
  }
}

double
forge_draw_beta (ForgeRng *rng, double alpha)
{
  double a = draw_gamma (rng, alpha), b = draw_gamma (rng, alpha);
  /* Both vanish only where alpha is next to nothing: then it is a coin. */
  return a + b > 0 ? a / (a + b) : (double) forge_rng_below (rng, 2);
}
