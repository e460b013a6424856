/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Augmentation and the loader: what is drawn, what becomes of the pixels, and
 * that a picture's change depends on its seed alone. */
#include <string.h>

#include "fixture.h"
#include "train/loader.h"

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

static ForgeLoader *
open_loader (const char *folder)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeDataset) dataset =
      forge_dataset_open (folder, FORGE_SPLIT_TRAIN, 1, &error);
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
      forge_dataset_open (folder, FORGE_SPLIT_TRAIN, 1, &error);
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
      forge_dataset_open (folder, FORGE_SPLIT_TRAIN, 1, NULL);
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
  forge_loader_shuffle (b, 8);
  forge_loader_shuffle (b, 7);
  forge_loader_shuffle (a, 7);
  g_assert_cmpmem (a->order, size_bytes, b->order, size_bytes);
  guint64 seen = 0;
  for (guint i = 0; i < a->n_items; i++)
    seen |= (guint64) 1 << a->order[i];
  g_assert_cmphex (seen, ==, 0xffffffff);
  forge_loader_shuffle (b, 8);
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
  forge_loader_shuffle (loader, 2);
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

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_unsetenv ("FORGE_DATA");
#define ADD(name) g_test_add_func ("/augment/" #name, name)
  ADD (nothing_asked_for_changes_nothing);
  ADD (every_flip_and_shift_is_drawn_alike);
  ADD (shift_beyond_the_edge_stays_inside);
  ADD (loader_keeps_pictures_of_the_right_size);
  ADD (loader_names_a_damaged_picture);
  ADD (shuffle_is_a_permutation_by_seed);
  ADD (augmentation_follows_the_item);
  return g_test_run ();
}
