/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The cache of decoded pictures: a second start gets the same bytes without
 * decoding, and whatever is wrong with a cached file, it is made anew. */
#include <fcntl.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "base/rng.h"
#include "fixture.h"
#include "forge/error.h"
#include "train/loader.h"

#define SIDE 8
#define N_EACH 12

static char *cache; /* .../gst-forge/decoded */

static ForgeDataset *
open_ok (const char *spec, ForgeSplit split)
{
  g_autoptr (GError) error = NULL;
  ForgeDataset *dataset = forge_dataset_open (spec, split, NULL, &error);
  g_assert_no_error (error);
  return dataset;
}

static ForgeLoader *
load (const char *folder, int side, int threads)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeDataset) dataset = open_ok (folder, FORGE_SPLIT_TRAIN);
  ForgePreprocess preprocess = FORGE_PREPROCESS_DEFAULT;
  preprocess.width = preprocess.height = side;
  ForgeLoader *loader =
      forge_loader_new (dataset, &preprocess, threads, &error);
  g_assert_no_error (error);
  return loader;
}

static gsize
size_of (const ForgeLoader *loader)
{
  return loader->n_items * (gsize) loader->width * (gsize) loader->height * 3;
}

static void
assert_equal (const ForgeLoader *a, const ForgeLoader *b)
{
  g_assert_cmpmem (a->pixels, size_of (a), b->pixels, size_of (b));
  g_assert_cmpmem (a->classes, a->n_items * 4, b->classes, b->n_items * 4);
  g_assert_cmpmem (a->skipped, a->n_skipped * 4, b->skipped, b->n_skipped * 4);
  g_assert_cmpstr (a->skip_reason, ==, b->skip_reason);
}

/* Names in the cache that end so, sorted. */
static GPtrArray *
list_cache (const char *ending)
{
  GPtrArray *names = g_ptr_array_new_with_free_func (g_free);
  GDir *dir = g_dir_open (cache, 0, NULL);
  const char *name;
  while (dir && (name = g_dir_read_name (dir)))
    if (g_str_has_suffix (name, ending))
      g_ptr_array_add (names, g_build_filename (cache, name, NULL));
  if (dir)
    g_dir_close (dir);
  return names;
}

static void
empty_cache (void)
{
  g_autoptr (GPtrArray) names = list_cache ("");
  for (guint i = 0; i < names->len; i++)
    g_assert_cmpint (g_unlink (g_ptr_array_index (names, i)), ==, 0);
}

/* Both parts of the names are there, so that nothing is cut. */
static char *
make_data (guint contrast)
{
  char *folder = fixture_folder ();
  g_autofree char *train = g_build_filename (folder, "train", NULL);
  fixture_write_classes (train, N_EACH, contrast, 1);
  g_autofree char *val = g_build_filename (folder, "val", NULL);
  fixture_write_classes (val, 1, contrast, 2);
  return folder;
}

static void
second_start_maps_the_same_bytes (void)
{
  char *folder = make_data (60);
  fixture_write (folder, "train/dark/000.png", "no", 2);
  fixture_write (folder, "train/light/005.png", "no", 2);
  g_setenv ("FORGE_DATA_CACHE", "0", TRUE);
  g_autoptr (ForgeLoader) plain = load (folder, SIDE, 2);
  g_autoptr (GPtrArray) none = list_cache ("");
  g_assert_cmpuint (none->len, ==, 0);
  g_unsetenv ("FORGE_DATA_CACHE");
  g_autoptr (ForgeLoader) first = load (folder, SIDE, 2);
  g_assert_nonnull (first->map);
  g_autoptr (ForgeLoader) second = load (folder, SIDE, 1);
  g_assert_false (plain->from_cache);
  g_assert_false (first->from_cache);
  g_assert_true (second->from_cache);
  g_assert_cmpuint (second->n_skipped, ==, 2);
  g_assert_cmpuint (second->skipped[1], ==, N_EACH + 5);
  g_assert_nonnull (strstr (second->skip_reason, "dark/000.png"));
  assert_equal (plain, first);
  assert_equal (plain, second);
  /* Another size or another part is another file. */
  g_autoptr (ForgeLoader) larger = load (folder, SIDE + 1, 1);
  g_assert_false (larger->from_cache);
  g_autoptr (GPtrArray) files = list_cache (".pixels");
  g_assert_cmpuint (files->len, ==, 2);
  fixture_remove (folder);
  empty_cache ();
}

static void
changed_pictures_are_decoded_anew (void)
{
  char *folder = make_data (60);
  g_autoptr (ForgeLoader) before = load (folder, SIDE, 2);
  g_assert_nonnull (before->map);
  g_autofree char *path =
      g_build_filename (folder, "train", "dark", "003.png", NULL);
  g_autofree char *other =
      g_build_filename (folder, "train", "light", "003.png", NULL);
  g_autofree char *bytes = NULL;
  gsize size_bytes;
  GStatBuf info;
  g_assert_cmpint (g_stat (path, &info), ==, 0);
  g_assert_true (g_file_get_contents (other, &bytes, &size_bytes, NULL));
  fixture_write (folder, "train/dark/003.png", bytes, size_bytes);
  /* The time that tools set back does not hide it. */
  const struct timespec times[2] = { info.st_atim, info.st_mtim };
  g_assert_cmpint (utimensat (AT_FDCWD, path, times, 0), ==, 0);
  g_autoptr (ForgeLoader) after = load (folder, SIDE, 2);
  g_assert_false (after->from_cache);
  gsize picture_bytes = SIDE * SIDE * 3;
  g_assert_cmpmem (after->pixels + 3 * picture_bytes, picture_bytes,
      after->pixels + (N_EACH + 3) * picture_bytes, picture_bytes);
  fixture_write (folder, "train/dark/new.png", bytes, size_bytes);
  g_autoptr (ForgeLoader) more = load (folder, SIDE, 2);
  g_assert_false (more->from_cache);
  g_assert_cmpuint (more->n_items, ==, 2 * N_EACH + 1);
  fixture_remove (folder);
  empty_cache ();
}

static void
damaged_file_is_made_anew (void)
{
  char *folder = make_data (60);
  g_autoptr (ForgeLoader) good = load (folder, SIDE, 2);
  g_autoptr (GPtrArray) files = list_cache (".pixels");
  g_assert_cmpuint (files->len, ==, 1);
  const char *path = g_ptr_array_index (files, 0);
  g_autofree char *bytes = NULL;
  gsize size_bytes;
  g_assert_true (g_file_get_contents (path, &bytes, &size_bytes, NULL));
  g_assert_cmpuint (size_bytes, >, 4096 + size_of (good));
  ForgeRng rng;
  forge_rng_seed (&rng, 1);
  g_test_message ("seed 1");
  for (guint round = 0; round < 60; round++) {
    g_autofree char *changed = g_memdup2 (bytes, size_bytes);
    gsize new_bytes = size_bytes;
    /* Header, pixels, notes; cut short; grown. */
    gsize place = round < 20 ? round * 5
                  : round < 40
                      ? 4096 + forge_rng_below (&rng, (uint32_t) size_of (good))
                      : size_bytes - 1;
    if (round < 41)
      changed[place] ^= 1 << round % 8;
    else
      new_bytes = round < 59 ? forge_rng_below (&rng, (uint32_t) size_bytes)
                             : size_bytes - 1;
    g_assert_true (
        g_file_set_contents (path, changed, (gssize) new_bytes, NULL));
    g_autoptr (ForgeLoader) again = load (folder, SIDE, 2);
    g_assert_false (again->from_cache);
    assert_equal (good, again);
    g_autoptr (ForgeLoader) third = load (folder, SIDE, 2);
    g_assert_true (third->from_cache);
  }
  /* A mapping outlives the file. */
  g_autoptr (ForgeLoader) mapped = load (folder, SIDE, 1);
  empty_cache ();
  assert_equal (good, mapped);
  fixture_remove (folder);
  empty_cache ();
}

/* A file of the right key that was made for another number of pictures. */
static void
foreign_file_is_not_taken (void)
{
  char *one = make_data (60), *other = make_data (30);
  g_autoptr (ForgeLoader) a = load (one, SIDE, 1);
  g_assert_nonnull (a->map);
  g_autoptr (GPtrArray) first = list_cache (".pixels");
  g_autofree char *name = g_strdup (g_ptr_array_index (first, 0));
  g_autofree char *kept = g_strconcat (name, ".kept", NULL);
  g_assert_cmpint (g_rename (name, kept), ==, 0);
  g_autoptr (ForgeLoader) b = load (other, SIDE, 1);
  g_autoptr (GPtrArray) second = list_cache (".pixels");
  g_assert_cmpuint (second->len, ==, 1);
  g_assert_cmpint (g_rename (kept, g_ptr_array_index (second, 0)), ==, 0);
  g_autoptr (ForgeLoader) again = load (other, SIDE, 1);
  g_assert_false (again->from_cache);
  assert_equal (b, again);
  fixture_remove (one);
  fixture_remove (other);
  empty_cache ();
}

static gpointer
load_in_thread (gpointer folder)
{
  return load (folder, SIDE, 2);
}

static void
builders_at_once_do_no_harm (void)
{
  char *folder = make_data (60);
  GThread *threads[6];
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    threads[i] = g_thread_new ("builder", load_in_thread, folder);
  ForgeLoader *loaders[G_N_ELEMENTS (threads)];
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++)
    loaders[i] = g_thread_join (threads[i]);
  g_autoptr (GPtrArray) files = list_cache ("");
  g_assert_cmpuint (files->len, ==, 1);
  g_autoptr (ForgeLoader) last = load (folder, SIDE, 1);
  g_assert_true (last->from_cache);
  for (guint i = 0; i < G_N_ELEMENTS (threads); i++) {
    assert_equal (loaders[i], last);
    forge_loader_free (loaders[i]);
  }
  fixture_remove (folder);
  empty_cache ();
}

static void
set_age (const char *path, gint64 age_s)
{
  const struct timespec times[2] = { { .tv_sec = time (NULL) - age_s },
    { .tv_sec = time (NULL) - age_s } };
  g_assert_cmpint (utimensat (AT_FDCWD, path, times, 0), ==, 0);
}

static void
oldest_files_go_first (void)
{
  char *folder = make_data (60);
  /* 24 pictures: 8 KB, 18 KB and 32 KB with headers. */
  g_setenv ("FORGE_DATA_CACHE", "40k", TRUE);
  g_autoptr (ForgeLoader) small = load (folder, SIDE, 1);
  g_assert_nonnull (small->map);
  g_autoptr (GPtrArray) first = list_cache (".pixels");
  set_age (g_ptr_array_index (first, 0), 1000);
  g_autoptr (ForgeLoader) middle = load (folder, 14, 1);
  g_assert_nonnull (middle->map);
  g_autoptr (GPtrArray) both = list_cache (".pixels");
  g_assert_cmpuint (both->len, ==, 2);
  for (guint i = 0; i < 2; i++)
    if (strcmp (g_ptr_array_index (both, i), g_ptr_array_index (first, 0)))
      set_age (g_ptr_array_index (both, i), 500);
  /* Use makes young. */
  g_autoptr (ForgeLoader) used = load (folder, SIDE, 1);
  g_assert_true (used->from_cache);
  g_autoptr (ForgeLoader) large = load (folder, 18, 1);
  g_assert_nonnull (large->map);
  g_autoptr (ForgeLoader) still = load (folder, SIDE, 1);
  g_assert_true (still->from_cache);
  g_autoptr (GPtrArray) left = list_cache (".pixels");
  g_assert_cmpuint (left->len, ==, 2);
  /* What is larger than the bound is held in memory. */
  g_autoptr (ForgeLoader) huge = load (folder, 64, 1);
  g_assert_null (huge->map);
  g_assert_cmpuint (huge->n_items, ==, 2 * N_EACH);
  /* What a builder left behind long ago goes too. */
  g_autofree char *dead = g_build_filename (cache, ".new-abcdef", NULL);
  g_autofree char *alive = g_build_filename (cache, ".new-ghijkl", NULL);
  g_assert_true (g_file_set_contents (dead, "x", 1, NULL));
  g_assert_true (g_file_set_contents (alive, "x", 1, NULL));
  set_age (dead, 7 * 24 * 3600);
  g_autoptr (ForgeLoader) another = load (folder, 9, 1);
  g_assert_nonnull (another->map);
  g_assert_false (g_file_test (dead, G_FILE_TEST_EXISTS));
  g_assert_true (g_file_test (alive, G_FILE_TEST_EXISTS));
  g_unsetenv ("FORGE_DATA_CACHE");
  fixture_remove (folder);
  empty_cache ();
}

static void
senseless_bound_is_said_and_turns_it_off (void)
{
  char *folder = make_data (60);
  static const char *const wrong[] = { "x", "4X", "-1", "4Gb", "99999999T" };
  for (guint i = 0; i < G_N_ELEMENTS (wrong); i++) {
    g_setenv ("FORGE_DATA_CACHE", wrong[i], TRUE);
    g_autoptr (ForgeLoader) loader = load (folder, SIDE, 1);
    g_assert_null (loader->map);
  }
  g_unsetenv ("FORGE_DATA_CACHE");
  g_autoptr (GPtrArray) none = list_cache ("");
  g_assert_cmpuint (none->len, ==, 0);
  fixture_remove (folder);
}

static void
without_a_folder_memory_serves (void)
{
  char *folder = make_data (60);
  g_autofree char *away = g_strconcat (cache, ".away", NULL);
  g_assert_cmpint (g_rename (cache, away), ==, 0);
  g_assert_true (g_file_set_contents (cache, "x", 1, NULL));
  g_autoptr (ForgeLoader) loader = load (folder, SIDE, 2);
  g_assert_null (loader->map);
  g_assert_cmpint (g_unlink (cache), ==, 0);
  g_assert_cmpint (g_rename (away, cache), ==, 0);
  g_autoptr (ForgeLoader) cached = load (folder, SIDE, 2);
  assert_equal (loader, cached);
  fixture_remove (folder);
  empty_cache ();
}

static void
write_batch (const char *folder, const char *name, guint n, guint seed)
{
  g_autofree uint8_t *bytes = g_malloc ((gsize) n * 3073);
  ForgeRng rng;
  forge_rng_seed (&rng, seed);
  for (gsize i = 0; i < (gsize) n * 3073; i++)
    bytes[i] = (uint8_t) forge_rng_below (&rng, 256);
  for (guint i = 0; i < n; i++)
    bytes[(gsize) i * 3073] %= 10;
  fixture_write (folder, name, bytes, (gsize) n * 3073);
}

/* What is unpacked at once, and the hash over it, are kept too. */
static void
source_is_read_once (void)
{
  char *folder = fixture_folder ();
  write_batch (folder, "test_batch.bin", 30, 1);
  g_autofree char *spec = g_strconcat ("cifar10:", folder, NULL);
  g_autoptr (ForgeDataset) first = open_ok (spec, FORGE_SPLIT_TEST);
  g_autofree char *hash = g_strdup (forge_dataset_get_hash (first));
  g_autofree char *name = forge_dataset_describe_item (first, 17);
  for (guint round = 0; round < 3; round++) {
    g_autoptr (ForgeDataset) again = open_ok (spec, FORGE_SPLIT_TEST);
    g_autofree char *again_name = forge_dataset_describe_item (again, 17);
    g_assert_cmpstr (name, ==, again_name);
    g_assert_cmpuint (forge_dataset_get_n_items (again), ==, 30);
    g_assert_cmpstr (hash, ==, forge_dataset_get_hash (again));
    for (guint i = 0; i < 30; i++) {
      g_autoptr (ForgePicture) a = forge_dataset_load (first, i, NULL);
      g_autoptr (ForgePicture) b = forge_dataset_load (again, i, NULL);
      g_assert_cmpmem (a->data, 3072, b->data, 3072);
      g_assert_cmpuint (forge_dataset_get_class (first, i), ==,
          forge_dataset_get_class (again, i));
    }
    /* Spoilt, both are found out again. */
    g_autoptr (GPtrArray) files = list_cache ("");
    g_assert_cmpuint (files->len, ==, 2);
    for (guint i = 0; i < files->len && round == 1; i++)
      g_assert_true (g_file_set_contents (
          g_ptr_array_index (files, i), "spoilt", -1, NULL));
  }
  write_batch (folder, "test_batch.bin", 30, 2);
  g_autoptr (ForgeDataset) changed = open_ok (spec, FORGE_SPLIT_TEST);
  g_assert_cmpstr (hash, !=, forge_dataset_get_hash (changed));
  fixture_remove (folder);
  empty_cache ();
}

static void
quiet (const char *domain, GLogLevelFlags level, const char *message,
    gpointer user_data)
{
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_unsetenv ("FORGE_DATA");
  g_unsetenv ("FORGE_DATA_CACHE");
  char *home = fixture_folder ();
  g_setenv ("XDG_CACHE_HOME", home, TRUE);
  cache = g_build_filename (home, "gst-forge", "decoded", NULL);
  g_assert_cmpint (g_mkdir_with_parents (cache, 0700), ==, 0);
  g_log_set_handler ("forge", G_LOG_LEVEL_MESSAGE, quiet, NULL);
#define ADD(name) g_test_add_func ("/data-cache/" #name, name)
  ADD (second_start_maps_the_same_bytes);
  ADD (changed_pictures_are_decoded_anew);
  ADD (damaged_file_is_made_anew);
  ADD (foreign_file_is_not_taken);
  ADD (builders_at_once_do_no_harm);
  ADD (oldest_files_go_first);
  ADD (senseless_bound_is_said_and_turns_it_off);
  ADD (without_a_folder_memory_serves);
  ADD (source_is_read_once);
  int status = g_test_run ();
  fixture_remove (home);
  g_free (cache);
  return status;
}
