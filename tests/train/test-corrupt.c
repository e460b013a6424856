/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Corruptions: the same for the same seed, worse with severity, defined for
 * every size of picture, and each true to what it is said to be. */
#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "forge/corrupt.h"
#include "forge/error.h"
#include "train/corrupt.h"

#define SEED 7

/* A picture with edges, gradients and texture; pixels owned by the caller. */
static ForgePicture
draw (int width, int height, uint8_t *pixels)
{
  ForgeRng rng;
  forge_rng_seed (&rng, SEED);
  for (int y = 0; y < height; y++)
    for (int x = 0; x < width; x++)
      for (int k = 0; k < 3; k++) {
        int base = (x * 5 + y * 3) / 17 % 2 ? 170 : 60;
        int slope = (k + 1) * 40 * x / width;
        pixels[(y * width + x) * 3 + k] =
            (uint8_t) (base + slope / 2 + (int) forge_rng_below (&rng, 20));
      }
  return (ForgePicture) { .width = width, .height = height, .data = pixels };
}

static ForgePicture *
corrupt (const ForgePicture *picture, guint kind, guint severity, uint64_t seed)
{
  g_autoptr (GError) error = NULL;
  ForgePicture *result =
      forge_corrupt (picture, (ForgeCorruption) kind, severity, seed, &error);
  g_assert_no_error (error);
  g_assert_cmpint (result->width, ==, picture->width);
  g_assert_cmpint (result->height, ==, picture->height);
  return result;
}

static double
distance (const ForgePicture *a, const ForgePicture *b)
{
  size_t n = (size_t) a->width * (size_t) a->height * 3;
  double sum = 0;
  for (size_t i = 0; i < n; i++)
    sum += fabs ((double) a->data[i] - b->data[i]);
  return sum / (double) n;
}

/* Over several seeds: what is random evens out. */
static double
mean_distance (const ForgePicture *picture, guint kind, guint severity)
{
  double sum = 0;
  for (uint64_t seed = 0; seed < 40; seed++) {
    g_autoptr (ForgePicture) result = corrupt (picture, kind, severity, seed);
    sum += distance (result, picture);
  }
  return sum / 40;
}

static void
names_are_read_back (void)
{
  ForgeCorruption kind = FORGE_CORRUPTION_FOG;
  for (guint i = 0; i < FORGE_N_CORRUPTIONS; i++) {
    g_assert_true (forge_corruption_parse (
        forge_corruption_name ((ForgeCorruption) i), &kind));
    g_assert_cmpuint (kind, ==, i);
  }
  g_assert_cmpstr (forge_corruption_name (0), ==, "gaussian_noise");
  g_assert_cmpstr (forge_corruption_name (14), ==, "jpeg_compression");
  g_assert_false (forge_corruption_parse ("rain", &kind));
  g_assert_cmpuint (kind, ==, 14);
}

static void
severity_0_is_the_picture_itself (void)
{
  uint8_t pixels[32 * 32 * 3];
  ForgePicture picture = draw (32, 32, pixels);
  for (guint kind = 0; kind < FORGE_N_CORRUPTIONS; kind++) {
    g_autoptr (ForgePicture) result = corrupt (&picture, kind, 0, SEED);
    g_assert_cmpmem (result->data, sizeof pixels, pixels, sizeof pixels);
    g_assert_true (result->data != pixels);
  }
}

static void
seed_decides_all_that_is_random (void)
{
  static const gboolean is_random[FORGE_N_CORRUPTIONS] = { 1, 1, 1, 0, 1, 1, 0,
    1, 1, 1, 0, 0, 1, 0, 0 };
  uint8_t pixels[32 * 32 * 3], copy[sizeof pixels];
  ForgePicture picture = draw (32, 32, pixels);
  memcpy (copy, pixels, sizeof copy);
  for (guint kind = 0; kind < FORGE_N_CORRUPTIONS; kind++) {
    g_autoptr (ForgePicture) a = corrupt (&picture, kind, 3, SEED);
    g_autoptr (ForgePicture) b = corrupt (&picture, kind, 3, SEED);
    g_autoptr (ForgePicture) other = corrupt (&picture, kind, 3, SEED + 1);
    g_assert_cmpmem (a->data, sizeof pixels, b->data, sizeof pixels);
    g_assert_cmpint (
        memcmp (a->data, other->data, sizeof pixels) != 0, ==, is_random[kind]);
    g_assert_cmpmem (pixels, sizeof pixels, copy, sizeof copy);
  }
}

/* Of the published severities, those of elastic_transform trade a wide move
 * for short waves, those of glass_blur a soft edge for a second shuffle, and
 * those of frost a lighter picture for more ice: there the distance in pixels
 * is no measure from one to the next. */
static void
distortion_grows_with_severity (void)
{
  uint8_t pixels[32 * 32 * 3];
  ForgePicture picture = draw (32, 32, pixels);
  for (guint kind = 0; kind < FORGE_N_CORRUPTIONS; kind++) {
    gboolean ordered = kind != FORGE_CORRUPTION_ELASTIC_TRANSFORM &&
                       kind != FORGE_CORRUPTION_GLASS_BLUR &&
                       kind != FORGE_CORRUPTION_FROST;
    double last = 0, first = 0;
    for (guint severity = 1; severity <= FORGE_N_SEVERITIES; severity++) {
      double now = mean_distance (&picture, kind, severity);
      g_test_message ("%s %u: %.2f",
          forge_corruption_name ((ForgeCorruption) kind), severity, now);
      g_assert_cmpfloat (now, >, (ordered ? last * 0.95 : 0.5));
      if (severity == 1)
        first = now;
      last = now;
    }
    g_assert_cmpfloat (first, >, 0.5);
    g_assert_cmpfloat (last, >, (ordered ? first * 1.4 : 1));
  }
}

static void
every_size_of_picture_is_taken (void)
{
  static const int sizes[][2] = { { 1, 1 }, { 1, 9 }, { 9, 1 }, { 2, 2 },
    { 3, 5 }, { 33, 17 }, { 97, 61 }, { 230, 226 } };
  for (gsize i = 0; i < G_N_ELEMENTS (sizes); i++) {
    g_autofree uint8_t *pixels =
        g_malloc ((gsize) sizes[i][0] * (gsize) sizes[i][1] * 3);
    ForgePicture picture = draw (sizes[i][0], sizes[i][1], pixels);
    for (guint kind = 0; kind < FORGE_N_CORRUPTIONS; kind++)
      for (guint severity = 1; severity <= FORGE_N_SEVERITIES; severity += 2) {
        g_autoptr (ForgePicture) result =
            corrupt (&picture, kind, severity, SEED);
        g_assert_nonnull (result);
      }
  }
}

/* What keeps a picture of one colour as it is: all that only moves pixels
 * about, and all that scales distances from the mean. */
static void
blurs_keep_a_flat_picture (void)
{
  static const ForgeCorruption keep[] = { FORGE_CORRUPTION_DEFOCUS_BLUR,
    FORGE_CORRUPTION_GLASS_BLUR, FORGE_CORRUPTION_MOTION_BLUR,
    FORGE_CORRUPTION_ZOOM_BLUR, FORGE_CORRUPTION_CONTRAST,
    FORGE_CORRUPTION_ELASTIC_TRANSFORM, FORGE_CORRUPTION_PIXELATE,
    FORGE_CORRUPTION_JPEG_COMPRESSION };
  uint8_t pixels[40 * 31 * 3];
  memset (pixels, 120, sizeof pixels);
  ForgePicture picture = { .width = 40, .height = 31, .data = pixels };
  for (gsize i = 0; i < G_N_ELEMENTS (keep); i++)
    for (guint severity = 1; severity <= FORGE_N_SEVERITIES; severity++) {
      g_autoptr (ForgePicture) result =
          corrupt (&picture, keep[i], severity, SEED);
      for (gsize p = 0; p < sizeof pixels; p++)
        g_assert_cmpint (ABS (result->data[p] - 120), <=, 1);
    }
}

/* Moments of grey under noise: deviation 0.10 at severity 5; Poisson with 50
 * photons at white has variance p / 50; impulses hit 7 % of the values. */
static void
noise_has_the_published_size (void)
{
  enum { SIDE = 32, N = SIDE * SIDE * 3, ROUNDS = 30 };
  uint8_t pixels[N];
  memset (pixels, 128, sizeof pixels);
  ForgePicture picture = { .width = SIDE, .height = SIDE, .data = pixels };
  double square[2] = { 0 }, sum[2] = { 0 }, n_hit = 0;
  for (uint64_t seed = 0; seed < ROUNDS; seed++) {
    for (guint kind = 0; kind < 2; kind++) {
      g_autoptr (ForgePicture) result = corrupt (&picture, kind, 5, seed);
      for (int i = 0; i < N; i++) {
        double error = (result->data[i] - 127.5) / 255;
        sum[kind] += error / (N * ROUNDS);
        square[kind] += error * error / (N * ROUNDS);
      }
    }
    g_autoptr (ForgePicture) result =
        corrupt (&picture, FORGE_CORRUPTION_IMPULSE_NOISE, 5, seed);
    for (int i = 0; i < N; i++)
      n_hit += result->data[i] == 0 || result->data[i] == 255;
  }
  g_assert_cmpfloat_with_epsilon (sqrt (square[0]), 0.10, 0.002);
  g_assert_cmpfloat_with_epsilon (sqrt (square[1]), sqrt (0.5 / 50), 0.003);
  g_assert_cmpfloat_with_epsilon (sum[0], 0, 0.003);
  g_assert_cmpfloat_with_epsilon (sum[1], 0, 0.003);
  g_assert_cmpfloat_with_epsilon (n_hit / (N * ROUNDS), 0.07, 0.005);
}

/* Worked out by hand: 0.5 + 0.1 in V; 0.4 of the distance to the mean. */
static void
brightness_and_contrast_follow_their_formulas (void)
{
  uint8_t pixels[2 * 3] = { 102, 51, 0, 0, 0, 0 };
  ForgePicture picture = { .width = 2, .height = 1, .data = pixels };
  g_autoptr (ForgePicture) bright =
      corrupt (&picture, FORGE_CORRUPTION_BRIGHTNESS, 4, SEED);
  static const uint8_t brighter[] = { 153, 76, 0, 51, 51, 51 };
  for (int i = 0; i < 6; i++)
    g_assert_cmpint (ABS (bright->data[i] - brighter[i]), <=, 1);
  g_autoptr (ForgePicture) flat =
      corrupt (&picture, FORGE_CORRUPTION_CONTRAST, 3, SEED);
  static const uint8_t flatter[] = { 71, 35, 0, 30, 15, 0 };
  for (int i = 0; i < 6; i++)
    g_assert_cmpint (ABS (flat->data[i] - flatter[i]), <=, 1);
}

/* Half of 4 x 4 is 2 x 2 cells, each the mean of its four pixels. */
static void
pixelate_gives_cells_of_means (void)
{
  enum { SIDE = 64 };
  g_autofree uint8_t *pixels = g_malloc (SIDE * SIDE * 3);
  ForgePicture picture = draw (SIDE, SIDE, pixels);
  g_autoptr (ForgePicture) result =
      corrupt (&picture, FORGE_CORRUPTION_PIXELATE, 5, SEED);
  g_autoptr (GHashTable) colours = g_hash_table_new (NULL, NULL);
  double sum_before = 0, sum_after = 0;
  for (int i = 0; i < SIDE * SIDE; i++) {
    const uint8_t *p = result->data + 3 * i;
    g_hash_table_add (colours, GINT_TO_POINTER (p[0] << 16 | p[1] << 8 | p[2]));
    sum_before += pixels[3 * i];
    sum_after += p[0];
  }
  /* 0.65 * (0.25 / 0.65)^(ln 2 / ln 7) = 0.462: 29 cells a side */
  g_assert_cmpuint (g_hash_table_size (colours), <=, 29 * 29);
  g_assert_cmpfloat_with_epsilon (
      sum_before / (SIDE * SIDE), sum_after / (SIDE * SIDE), 2);
}

static void
fog_and_snow_brighten_and_frost_is_bluish (void)
{
  uint8_t pixels[32 * 32 * 3];
  memset (pixels, 40, sizeof pixels);
  pixels[0] = 255; /* fog keeps the brightest value where it is */
  ForgePicture picture = { .width = 32, .height = 32, .data = pixels };
  for (guint kind = FORGE_CORRUPTION_SNOW; kind <= FORGE_CORRUPTION_FOG;
       kind++) {
    g_autoptr (ForgePicture) result = corrupt (&picture, kind, 4, SEED);
    double sum[3] = { 0 };
    for (gsize i = 0; i < sizeof pixels; i++)
      sum[i % 3] += result->data[i] / 1024.0;
    g_assert_cmpfloat (sum[1], >, 45);
    if (kind == FORGE_CORRUPTION_FROST)
      g_assert_cmpfloat (sum[2], >, sum[0] + 3);
  }
}

static void
nonsense_is_refused (void)
{
  uint8_t pixels[3] = { 1, 2, 3 };
  ForgePicture picture = { .width = 1, .height = 1, .data = pixels };
  g_autoptr (GError) error = NULL;
  g_assert_null (forge_corrupt (&picture, FORGE_CORRUPTION_FOG, 6, 1, &error));
  g_assert_error (error, FORGE_ERROR, FORGE_ERROR_ARGUMENT);
  g_clear_error (&error);
  g_assert_null (forge_corrupt (
      &picture, (ForgeCorruption) FORGE_N_CORRUPTIONS, 1, 1, &error));
  g_assert_error (error, FORGE_ERROR, FORGE_ERROR_ARGUMENT);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name) g_test_add_func ("/corrupt/" #name, name)
  ADD (names_are_read_back);
  ADD (severity_0_is_the_picture_itself);
  ADD (seed_decides_all_that_is_random);
  ADD (distortion_grows_with_severity);
  ADD (every_size_of_picture_is_taken);
  ADD (blurs_keep_a_flat_picture);
  ADD (noise_has_the_published_size);
  ADD (brightness_and_contrast_follow_their_formulas);
  ADD (pixelate_gives_cells_of_means);
  ADD (fog_and_snow_brighten_and_frost_is_bluish);
  ADD (nonsense_is_refused);
  return g_test_run ();
}
