/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Augmentation and the loader: what is drawn, what becomes of the pixels, and
 * that a picture's change depends on its seed alone. */
#include <math.h>
#include <string.h>

#include "fixture.h"
#include "train/prefetch.h"

#define W 5
#define H 4

/* Every byte of the picture says where it came from. */
static void
fill (uint8_t *pixels)
{
  for (int y = 0; y < H; y++)
    for (int x = 0; x < W; x++)
      for (int c = 0; c < 3; c++)
        pixels[(y * W + x) * 3 + c] = (uint8_t) (y * 50 + x * 5 + c);
}

static gboolean
is_moved (const uint8_t *out, int dx, int dy, gboolean flip)
{
  for (int y = 0; y < H; y++) {
    for (int x = 0; x < W; x++) {
      int from_y = CLAMP (y + dy, 0, H - 1);
      int from_x = CLAMP (x + dx, 0, W - 1);
      if (flip)
        from_x = W - 1 - from_x;
      for (int c = 0; c < 3; c++)
        if (out[(y * W + x) * 3 + c] != from_y * 50 + from_x * 5 + c)
          return FALSE;
    }
  }
  return TRUE;
}

static void
nothing_asked_for_changes_nothing (void)
{
  uint8_t in[W * H * 3], out[W * H * 3];
  ForgeAugment none = { 0 };
  ForgeRng rng;
  forge_rng_seed (&rng, 1);
  fill (in);
  forge_augment (&none, &rng, FALSE, in, W, H, out);
  g_assert_cmpmem (in, sizeof in, out, sizeof out);
}

/* All 2 * 3 * 3 changes are met, each about as often, and no others. */
static void
every_flip_and_shift_is_drawn_alike (void)
{
  uint8_t in[W * H * 3], out[W * H * 3];
  ForgeAugment augment = { .flip = FORGE_FLIP_RANDOM, .shift = 1 };
  guint counts[18] = { 0 };
  const guint n = 3600;
  fill (in);
  for (guint i = 0; i < n; i++) {
    ForgeRng rng;
    forge_rng_seed_at (&rng, 3, i);
    forge_augment (&augment, &rng, FALSE, in, W, H, out);
    guint found = 18;
    for (int k = 0; k < 18; k++)
      if (is_moved (out, k / 2 % 3 - 1, k / 6 - 1, k % 2))
        found = (guint) k;
    g_assert_cmpuint (found, <, 18);
    counts[found]++;
  }
  /* 200 expected, standard deviation 14. */
  for (guint k = 0; k < 18; k++) {
    g_assert_cmpuint (counts[k], >, 130);
    g_assert_cmpuint (counts[k], <, 270);
  }
}

static void
shift_beyond_the_edge_stays_inside (void)
{
  uint8_t in[3] = { 7, 8, 9 }, out[3];
  ForgeAugment augment = { .flip = FORGE_FLIP_RANDOM, .shift = 40 };
  for (guint i = 0; i < 50; i++) {
    ForgeRng rng;
    forge_rng_seed_at (&rng, 5, i);
    forge_augment (&augment, &rng, FALSE, in, 1, 1, out);
    g_assert_cmpmem (in, 3, out, 3);
  }
}

/* A constant in every picture that a shift of three could show, by border. */
static void
borders_are_repeated_reflected_or_black (void)
{
  uint8_t in[W * H * 3], out[W * H * 3];
  fill (in);
  for (ForgeBorder border = 0; border <= FORGE_BORDER_ZERO; border++) {
    ForgeAugment augment = { .shift = 3, .border = border };
    guint n_beyond = 0;
    for (guint i = 0; i < 200; i++) {
      ForgeRng rng, again;
      forge_rng_seed_at (&rng, 7, i);
      again = rng;
      forge_augment (&augment, &rng, FALSE, in, W, H, out);
      int dx = (int) forge_rng_below (&again, 7) - 3;
      int dy = (int) forge_rng_below (&again, 7) - 3;
      for (int y = 0; y < H; y++)
        for (int x = 0; x < W; x++) {
          int at_x = x + dx, at_y = y + dy;
          gboolean beyond = at_x < 0 || at_x >= W || at_y < 0 || at_y >= H;
          if (border == FORGE_BORDER_REFLECT) {
            at_x = at_x < 0 ? -at_x : at_x >= W ? 2 * (W - 1) - at_x : at_x;
            at_y = at_y < 0 ? -at_y : at_y >= H ? 2 * (H - 1) - at_y : at_y;
          }
          at_x = CLAMP (at_x, 0, W - 1);
          at_y = CLAMP (at_y, 0, H - 1);
          int expected =
              border == FORGE_BORDER_ZERO && beyond ? 0 : at_y * 50 + at_x * 5;
          g_assert_cmpint (out[(y * W + x) * 3], ==, expected);
          n_beyond += beyond;
        }
    }
    g_assert_cmpuint (n_beyond, >, 100);
  }
}

static void
alternating_flip_does_as_it_is_told (void)
{
  uint8_t in[W * H * 3], out[W * H * 3];
  ForgeAugment augment = { .flip = FORGE_FLIP_ALTERNATING };
  fill (in);
  for (int mirror = 0; mirror < 2; mirror++) {
    ForgeRng rng;
    forge_rng_seed (&rng, 1);
    forge_augment (&augment, &rng, mirror, in, W, H, out);
    g_assert_true (is_moved (out, 0, 0, mirror));
  }
}

#define SIDE 33

/* A white dot on black, off the middle. */
static void
draw_dot (uint8_t *pixels)
{
  memset (pixels, 0, SIDE * SIDE * 3);
  for (int y = 15; y < 18; y++)
    for (int x = 25; x < 28; x++)
      memset (pixels + (y * SIDE + x) * 3, 255, 3);
}

static void
find_dot (const uint8_t *pixels, double *x, double *y)
{
  double sum = 0;
  *x = *y = 0;
  for (int i = 0; i < SIDE * SIDE; i++) {
    sum += pixels[i * 3];
    *x += pixels[i * 3] * (double) (i % SIDE - SIDE / 2);
    *y += pixels[i * 3] * (double) (i / SIDE - SIDE / 2);
  }
  g_assert_cmpfloat (sum, >, 0);
  *x /= sum;
  *y /= sum;
}

/* The dot keeps its distance to the middle, turned by no more than was asked
 * for, and both ways; a zoom keeps its direction. */
static void
rotation_and_zoom_move_about_the_middle (void)
{
  uint8_t in[SIDE * SIDE * 3], out[SIDE * SIDE * 3];
  draw_dot (in);
  double least = 9, most = -9, near = 99, far = 0;
  for (guint i = 0; i < 200; i++) {
    ForgeRng rng;
    double x, y;
    forge_rng_seed_at (&rng, 3, i);
    ForgeAugment augment = { .rotation = 30 };
    forge_augment (&augment, &rng, FALSE, in, SIDE, SIDE, out);
    find_dot (out, &x, &y);
    g_assert_cmpfloat_with_epsilon (hypot (x, y), 10, 0.1);
    least = MIN (least, atan2 (y, x));
    most = MAX (most, atan2 (y, x));
    augment = (ForgeAugment) { .zoom = 0.2f };
    forge_augment (&augment, &rng, FALSE, in, SIDE, SIDE, out);
    find_dot (out, &x, &y);
    g_assert_cmpfloat_with_epsilon (y, 0, 0.02);
    near = MIN (near, x);
    far = MAX (far, x);
  }
  const double limit = 30 * G_PI / 180;
  g_assert_true (least > -limit - 0.01 && least < -0.9 * limit);
  g_assert_true (most < limit + 0.01 && most > 0.9 * limit);
  g_assert_true (near > 7.95 && near < 8.2 && far > 11.8 && far < 12.05);
}

/* Grey stays grey under hue and saturation; brightness scales; contrast keeps
 * the mean. */
static void
colours_change_as_they_say (void)
{
  uint8_t pixels[4 * 3];
  guint n_darker = 0, n_turned = 0;
  for (guint i = 0; i < 100; i++) {
    ForgeRng rng;
    forge_rng_seed_at (&rng, 4, i);
    ForgeAugment hue = { .hue = 90, .saturation = 0.9f };
    memset (pixels, 77, sizeof pixels);
    forge_augment_colour (&hue, &rng, pixels, 4);
    for (guint k = 0; k < sizeof pixels; k++)
      g_assert_cmpint (ABS (pixels[k] - 77), <=, 1);
    memcpy (pixels, (uint8_t[]) { 150, 100, 60 }, 3);
    forge_augment_colour (&hue, &rng, pixels, 1);
    double luma = 0.213 * pixels[0] + 0.715 * pixels[1] + 0.072 * pixels[2];
    if (pixels[0] > 0 && pixels[1] > 0 && pixels[2] > 0 && pixels[0] < 255)
      g_assert_cmpfloat_with_epsilon (luma, 107.77, 1);
    n_turned += pixels[0] < pixels[1];

    ForgeAugment brightness = { .brightness = 0.5f };
    memcpy (pixels, (uint8_t[]) { 40, 80, 120 }, 3);
    forge_augment_colour (&brightness, &rng, pixels, 1);
    g_assert_cmpint (ABS (pixels[1] - 2 * pixels[0]), <=, 2);
    g_assert_cmpint (ABS (pixels[2] - 3 * pixels[0]), <=, 3);
    g_assert_true (pixels[0] >= 20 && pixels[0] <= 60);
    n_darker += pixels[0] < 40;

    ForgeAugment contrast = { .contrast = 0.5f };
    memset (pixels, 60, 6);
    memset (pixels + 6, 100, 6);
    forge_augment_colour (&contrast, &rng, pixels, 4);
    g_assert_cmpint (ABS (pixels[0] + pixels[6] - 160), <=, 1);
  }
  g_assert_true (n_darker > 30 && n_darker < 70);
  g_assert_true (n_turned > 10 && n_turned < 90);
}

static void
cutout_and_erase_keep_to_their_areas (void)
{
  uint8_t in[SIDE * SIDE * 3], out[SIDE * SIDE * 3];
  memset (in, 9, sizeof in);
  guint n_whole = 0, n_erased = 0;
  for (guint i = 0; i < 400; i++) {
    ForgeRng rng;
    forge_rng_seed_at (&rng, 6, i);
    ForgeAugment augment = { .cutout = 8 };
    forge_augment (&augment, &rng, FALSE, in, SIDE, SIDE, out);
    guint n_grey = 0, n_other = 0;
    for (guint k = 0; k < SIDE * SIDE; k++)
      n_grey += out[k * 3] == 128;
    g_assert_true (n_grey >= 16 && n_grey <= 64);
    n_whole += n_grey == 64;
    augment = (ForgeAugment) { .erase = 0.25f };
    forge_augment (&augment, &rng, FALSE, in, SIDE, SIDE, out);
    for (guint k = 0; k < SIDE * SIDE; k++)
      n_other += memcmp (out + k * 3, in, 3) != 0;
    n_erased += n_other > 0;
    g_assert_cmpfloat (n_other, <=, 0.4 * SIDE * SIDE);
  }
  /* (26 / 33)^2 of the squares lie inside; a quarter is erased. */
  g_assert_true (n_whole > 200 && n_whole < 300);
  g_assert_true (n_erased > 70 && n_erased < 130);
}

/* Beta (a, a): mean 1/2, variance 1 / (4 (2 a + 1)). */
static void
beta_has_its_moments (void)
{
  static const double alphas[] = { 0.2, 1, 4 };
  for (guint k = 0; k < G_N_ELEMENTS (alphas); k++) {
    ForgeRng rng;
    forge_rng_seed (&rng, 8);
    double sum = 0, sum_sq = 0;
    const guint n = 20000;
    for (guint i = 0; i < n; i++) {
      double x = forge_draw_beta (&rng, alphas[k]);
      g_assert_true (x >= 0 && x <= 1);
      sum += x;
      sum_sq += x * x;
    }
    double mean = sum / n, variance = sum_sq / n - mean * mean;
    g_assert_cmpfloat_with_epsilon (mean, 0.5, 0.012);
    g_assert_cmpfloat_with_epsilon (
        variance, 1 / (4 * (2 * alphas[k] + 1)), 0.006);
  }
}

static ForgeLoader *
open_loader (const char *folder)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeDataset) dataset =
      forge_dataset_open (folder, FORGE_SPLIT_TRAIN, NULL, &error);
  g_assert_no_error (error);
  ForgePreprocess preprocess = FORGE_PREPROCESS_DEFAULT;
  ForgeLoader *loader = forge_loader_new (dataset, &preprocess, 2, &error);
  g_assert_no_error (error);
  return loader;
}

/* A picture that has the network's size already passes unchanged. */
static void
loader_keeps_pictures_of_the_right_size (void)
{
  char *folder = fixture_folder ();
  fixture_write_classes (folder, 20, 60, 1);
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeDataset) dataset =
      forge_dataset_open (folder, FORGE_SPLIT_TRAIN, NULL, &error);
  g_autoptr (ForgeLoader) loader = open_loader (folder);
  g_assert_cmpuint (loader->n_items, ==, 32);
  for (guint i = 0; i < loader->n_items; i++) {
    g_autoptr (ForgePicture) picture = forge_dataset_load (dataset, i, NULL);
    uint8_t pixels[3072];
    float targets[2];
    forge_loader_get (loader, i, 1, NULL, 1, pixels, targets);
    g_assert_cmpmem (picture->data, 3072, pixels, 3072);
    guint class_id = forge_dataset_get_class (dataset, i);
    g_assert_cmpfloat (targets[class_id], ==, 1);
    g_assert_cmpfloat (targets[1 - class_id], ==, 0);
  }
  fixture_remove (folder);
}

static void
loader_names_a_damaged_picture (void)
{
  char *folder = fixture_folder ();
  fixture_write_classes (folder, 20, 60, 1);
  for (guint i = 0; i < 20; i++) {
    g_autofree char *name = g_strdup_printf ("light/%03u.png", i);
    fixture_write (folder, name, "\x89PNG\r\n\x1a\n", 8);
  }
  g_autoptr (ForgeDataset) dataset =
      forge_dataset_open (folder, FORGE_SPLIT_TRAIN, NULL, NULL);
  ForgePreprocess preprocess = FORGE_PREPROCESS_DEFAULT;
  g_autoptr (GError) error = NULL;
  g_assert_null (forge_loader_new (dataset, &preprocess, 2, &error));
  g_assert_nonnull (error);
  g_assert_nonnull (strstr (error->message, "light"));
  fixture_remove (folder);
}

static void
shuffle_is_a_permutation_by_seed (void)
{
  char *folder = fixture_folder ();
  fixture_write_classes (folder, 20, 60, 1);
  g_autoptr (ForgeLoader) a = open_loader (folder);
  g_autoptr (ForgeLoader) b = open_loader (folder);
  const gsize size_bytes = a->n_items * sizeof *a->order;
  forge_loader_shuffle (b, 8, NULL);
  forge_loader_shuffle (b, 7, NULL);
  forge_loader_shuffle (a, 7, NULL);
  g_assert_cmpmem (a->order, size_bytes, b->order, size_bytes);
  guint64 seen = 0;
  for (guint i = 0; i < a->n_items; i++)
    seen |= (guint64) 1 << a->order[i];
  g_assert_cmphex (seen, ==, 0xffffffff);
  forge_loader_shuffle (b, 8, NULL);
  g_assert_cmpint (memcmp (a->order, b->order, size_bytes), !=, 0);
  fixture_remove (folder);
}

/* The same item gets the same change wherever in a batch it lies. */
static void
augmentation_follows_the_item (void)
{
  char *folder = fixture_folder ();
  fixture_write_classes (folder, 20, 60, 1);
  g_autoptr (ForgeLoader) loader = open_loader (folder);
  ForgeBatchRule rule = { .augment = { .flip = FORGE_FLIP_RANDOM, .shift = 3 },
    .seed = 9 };
  uint8_t all[32 * 3072], one[3072];
  float targets[32 * 2], target[2];
  forge_loader_shuffle (loader, 2, NULL);
  forge_loader_get (loader, 0, 32, &rule, 2, all, targets);
  guint n_changed = 0;
  for (guint i = 0; i < 32; i++) {
    rule.seed = 9;
    forge_loader_get (loader, i, 1, &rule, 1, one, target);
    g_assert_cmpmem (one, 3072, all + i * 3072, 3072);
    g_assert_cmpmem (target, sizeof target, targets + i * 2, sizeof target);
    rule.seed = 10;
    forge_loader_get (loader, i, 1, &rule, 1, one, target);
    n_changed += memcmp (one, all + i * 3072, 3072) != 0;
  }
  g_assert_cmpuint (n_changed, >, 25);
  rule.seed = 9;
  forge_loader_get (loader, 30, 4, &rule, 1, all + 3072, targets);
  g_assert_cmpmem (all, 3072, all + 3 * 3072, 3072);
  fixture_remove (folder);
}

/* Each picture is a blend of two, and its target says of which and how. */
static void
mixup_blends_pictures_and_targets (void)
{
  char *folder = fixture_folder ();
  fixture_write_classes (folder, 20, 60, 1);
  g_autoptr (ForgeLoader) loader = open_loader (folder);
  ForgeBatchRule rule = { .mixup = 0.5, .seed = 1, .mixup_seed = 2 };
  uint8_t plain[32 * 3072], mixed[32 * 3072];
  float pure[32 * 2], targets[32 * 2];
  guint n_between = 0;
  forge_loader_shuffle (loader, 2, NULL);
  forge_loader_get (loader, 0, 32, NULL, 1, plain, pure);
  forge_loader_get (loader, 0, 32, &rule, 2, mixed, targets);
  for (guint i = 0; i < 32; i++) {
    guint other = (i + 16) % 32;
    g_assert_cmpfloat_with_epsilon (
        targets[i * 2] + targets[i * 2 + 1], 1, 1e-6);
    gboolean differ = pure[i * 2] != pure[other * 2];
    if (!differ) {
      g_assert_cmpfloat_with_epsilon (targets[i * 2], pure[i * 2], 1e-6);
      continue;
    }
    float part = pure[i * 2] > 0 ? targets[i * 2] : targets[i * 2 + 1];
    n_between += part > 0.01f && part < 0.99f;
    for (guint k = 0; k < 3072; k++) {
      float blend =
          part * plain[i * 3072 + k] + (1 - part) * plain[other * 3072 + k];
      g_assert_cmpfloat_with_epsilon (mixed[i * 3072 + k], blend, 0.51);
    }
  }
  g_assert_cmpuint (n_between, >, 4);
  fixture_remove (folder);
}

/* In the second epoch exactly those are mirrored that were not in the first. */
static void
alternating_flip_turns_every_picture_round (void)
{
  char *folder = fixture_folder ();
  fixture_write_classes (folder, 20, 60, 1);
  g_autoptr (ForgeLoader) loader = open_loader (folder);
  ForgeBatchRule rule = {
    .augment = { .flip = FORGE_FLIP_ALTERNATING }, .seed = 1, .flip_seed = 3
  };
  uint8_t plain[3072], first[3072], second[3072], third[3072];
  float target[2];
  guint n_plain = 0;
  for (guint i = 0; i < 32; i++) {
    forge_loader_get (loader, i, 1, NULL, 1, plain, target);
    rule.epoch = 0;
    forge_loader_get (loader, i, 1, &rule, 1, first, target);
    rule.epoch = 1;
    rule.seed = 5;
    forge_loader_get (loader, i, 1, &rule, 1, second, target);
    rule.epoch = 2;
    forge_loader_get (loader, i, 1, &rule, 1, third, target);
    g_assert_cmpmem (first, 3072, third, 3072);
    gboolean is_plain = memcmp (plain, first, 3072) == 0;
    g_assert_true (is_plain != (memcmp (plain, second, 3072) == 0));
    n_plain += is_plain;
  }
  g_assert_true (n_plain > 6 && n_plain < 26);
  fixture_remove (folder);
}

/* Ahead of time and by another thread, but what and in which order is the
 * same. */
static void
prefetch_gives_what_the_loader_gives (void)
{
  char *folder = fixture_folder ();
  fixture_write_classes (folder, 20, 60, 1);
  g_autoptr (ForgeLoader) a = open_loader (folder);
  g_autoptr (ForgeLoader) b = open_loader (folder);
  ForgeBatchRule rule = { .augment = { .flip = FORGE_FLIP_RANDOM, .shift = 2 },
    .mixup = 0.3 };
  uint8_t pixels[8 * 3072], expected[8 * 3072];
  float targets[16], expected_targets[16];
  for (int threads = 1; threads <= 2; threads++) {
    g_autoptr (ForgePrefetch) prefetch = forge_prefetch_new (a, 8, threads);
    for (guint epoch = 0; epoch < 3; epoch++) {
      rule.seed = 40 + epoch;
      forge_loader_shuffle (b, epoch, NULL);
      forge_prefetch_begin (prefetch, &rule, epoch, NULL, 4);
      for (guint step = 0; step < 4; step++) {
        forge_loader_get (b, step * 8, 8, &rule, 1, expected, expected_targets);
        g_assert_true (forge_prefetch_take (prefetch, pixels, targets) >= 0);
        g_assert_cmpmem (pixels, sizeof pixels, expected, sizeof expected);
        g_assert_cmpmem (
            targets, sizeof targets, expected_targets, sizeof targets);
      }
    }
    /* Freed with batches that nobody takes. */
    forge_prefetch_begin (prefetch, &rule, 9, NULL, 4);
  }
  fixture_remove (folder);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_unsetenv ("FORGE_DATA");
#define ADD(name) g_test_add_func ("/augment/" #name, name)
  ADD (nothing_asked_for_changes_nothing);
  ADD (every_flip_and_shift_is_drawn_alike);
  ADD (shift_beyond_the_edge_stays_inside);
  ADD (borders_are_repeated_reflected_or_black);
  ADD (alternating_flip_does_as_it_is_told);
  ADD (rotation_and_zoom_move_about_the_middle);
  ADD (colours_change_as_they_say);
  ADD (cutout_and_erase_keep_to_their_areas);
  ADD (beta_has_its_moments);
  ADD (loader_keeps_pictures_of_the_right_size);
  ADD (loader_names_a_damaged_picture);
  ADD (shuffle_is_a_permutation_by_seed);
  ADD (augmentation_follows_the_item);
  ADD (mixup_blends_pictures_and_targets);
  ADD (alternating_flip_turns_every_picture_round);
  ADD (prefetch_gives_what_the_loader_gives);
  return g_test_run ();
}
