/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * One look at one picture: all that the checks need to know of it, so that no
 * picture has to be decoded twice. */
#include "train/data-look.h"

#include <string.h>

#define DARK_LUMA 24
#define DARK_SHARE 0.95
#define BRIGHT_LUMA 250
#define BRIGHT_SHARE 0.90
#define FLAT_STD (3.0 / 255)

#define SIDE FORGE_THUMB_SIDE
#define HASH_SIDE 8

ForgeImager *
forge_look_new_imager (void)
{
  ForgePreprocess preprocess = FORGE_PREPROCESS_DEFAULT;
  preprocess.width = preprocess.height = SIDE;
  preprocess.policy = FORGE_RESIZE_STRETCH;
  return forge_imager_new (&preprocess);
}

/* 0.299 R' + 0.587 G' + 0.114 B', rounded. */
static int
luma_of (const uint8_t *rgb)
{
  return (19595 * rgb[0] + 38470 * rgb[1] + 7471 * rgb[2] + 32768) >> 16;
}

static void
measure (ForgeLook *look, const ForgePicture *picture)
{
  size_t n = (size_t) picture->width * (size_t) picture->height;
  uint64_t sums[3] = { 0 }, squares[3] = { 0 }, luma_sum = 0;
  size_t n_dark = 0, n_bright = 0, n_coloured = 0;
  const uint8_t *p = picture->data;
  for (size_t i = 0; i < n; i++, p += 3) {
    int luma = luma_of (p);
    for (int c = 0; c < 3; c++) {
      sums[c] += p[c];
      squares[c] += (uint64_t) p[c] * p[c];
    }
    luma_sum += (uint64_t) luma;
    n_dark += luma <= DARK_LUMA;
    n_bright += luma >= BRIGHT_LUMA;
    n_coloured += p[0] != p[1] || p[1] != p[2];
  }
  double total = (double) n;
  gboolean flat = TRUE;
  for (int c = 0; c < 3; c++) {
    double mean = (double) sums[c] / total / 255;
    double square = (double) squares[c] / total / (255 * 255);
    look->mean[c] = (float) mean;
    look->square[c] = (float) square;
    flat = flat && square - mean * mean <= FLAT_STD * FLAT_STD;
  }
  look->brightness = (float) ((double) luma_sum / total);
  look->flags =
      (uint8_t) (((double) n_dark >= DARK_SHARE * total ? FORGE_LOOK_BLACK
                                                        : 0) |
                 ((double) n_bright >= BRIGHT_SHARE * total
                         ? FORGE_LOOK_BLOWN_OUT
                         : 0) |
                 (flat ? FORGE_LOOK_FLAT : 0) |
                 (n_coloured == 0 ? FORGE_LOOK_GREY : 0));
}

static void
hash_pixels (ForgeLook *look, const ForgePicture *picture)
{
  g_autoptr (GChecksum) sum = g_checksum_new (G_CHECKSUM_SHA256);
  uint32_t size[2] = { (uint32_t) picture->width, (uint32_t) picture->height };
  uint8_t digest[32];
  gsize digest_bytes = sizeof digest;
  g_checksum_update (sum, (const guchar *) size, sizeof size);
  g_checksum_update (
      sum, picture->data, (gssize) picture->width * picture->height * 3);
  g_checksum_get_digest (sum, digest, &digest_bytes);
  memcpy (look->hash, digest, sizeof look->hash);
}

/* Is a place brighter than its right neighbour? Round at the edge, so that
 * there are as many bits as places. */
static uint64_t
hash_shape (const uint8_t *luma)
{
  int cells[HASH_SIDE][HASH_SIDE];
  for (int y = 0; y < HASH_SIDE; y++)
    for (int x = 0; x < HASH_SIDE; x++) {
      const uint8_t *at = luma + 2 * y * SIDE + 2 * x;
      cells[y][x] = at[0] + at[1] + at[SIDE] + at[SIDE + 1];
    }
  uint64_t bits = 0;
  for (int y = 0; y < HASH_SIDE; y++)
    for (int x = 0; x < HASH_SIDE; x++)
      bits = bits << 1 | (cells[y][x] > cells[y][(x + 1) % HASH_SIDE]);
  return bits;
}

static void
shrink_colour (const uint8_t *rgb, uint8_t *colour)
{
  const int step = SIDE / FORGE_COLOUR_SIDE;
  for (int y = 0; y < FORGE_COLOUR_SIDE; y++)
    for (int x = 0; x < FORGE_COLOUR_SIDE; x++)
      for (int c = 0; c < 3; c++) {
        int sum = 0;
        for (int v = 0; v < step; v++)
          for (int u = 0; u < step; u++)
            sum += rgb[((step * y + v) * SIDE + step * x + u) * 3 + c];
        *colour++ = (uint8_t) (sum / (step * step));
      }
}

gboolean
forge_look_take (ForgeLook *look, const ForgePicture *picture,
    ForgeImager *imager, GError **error)
{
  uint8_t rgb[SIDE * SIDE * 3];
  ForgeFrame frame = forge_picture_frame (picture);
  if (!forge_imager_convert (imager, &frame, rgb, error))
    return FALSE;
  look->width = picture->width;
  look->height = picture->height;
  look->mode = picture->mode;
  measure (look, picture);
  hash_pixels (look, picture);
  for (int i = 0; i < SIDE * SIDE; i++)
    look->luma[i] = (uint8_t) luma_of (rgb + 3 * i);
  look->shape = hash_shape (look->luma);
  shrink_colour (rgb, look->colour);
  look->readable = TRUE;
  return TRUE;
}
