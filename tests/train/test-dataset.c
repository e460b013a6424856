/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Data sets: every source is read as it was written, the cuts are stratified
 * and seeded, and damaged or foreign files are refused with a reason. */
#include <math.h>
#include <stdio.h>
#include <string.h>

#include "fixture.h"
#include "forge/dataset.h"
#include "forge/error.h"

#define RECORD_BYTES 3073

static const char *const train_files[] = { "data_batch_1", "data_batch_2",
  "data_batch_3", "data_batch_4", "data_batch_5" };

/* A pixel that is unlike its neighbours, planes and pictures. */
static uint8_t
pixel (guint picture, guint plane, guint place)
{
  return (uint8_t) (picture * 31 + plane * 85 + place * 7 + place / 32);
}

/* @n records from picture @first on; class = picture % 10. */
static void
write_batch (const char *folder, const char *name, guint first, guint n)
{
  g_autofree uint8_t *bytes = g_malloc (n * RECORD_BYTES);
  for (guint i = 0; i < n; i++) {
    uint8_t *record = bytes + i * RECORD_BYTES;
    record[0] = (first + i) % 10;
    for (guint c = 0; c < 3; c++)
      for (guint p = 0; p < 1024; p++)
        record[1 + c * 1024 + p] = pixel (first + i, c, p);
  }
  g_autofree char *file = g_strconcat (name, ".bin", NULL);
  fixture_write (folder, file, bytes, n * RECORD_BYTES);
}

static void
write_sheet (const char *folder, const char *name, guint first, guint n)
{
  g_autofree uint8_t *rows = g_malloc (n * 3072);
  for (guint i = 0; i < n; i++)
    for (guint p = 0; p < 1024; p++)
      for (guint c = 0; c < 3; c++)
        rows[i * 3072 + p * 3 + c] = pixel (first + i, c, p);
  g_autofree char *file = g_strconcat (name, ".png", NULL);
  fixture_write_png (folder, file, rows, 1024, (int) n);
}

static void
write_classes_json (const char *folder, const char *name, guint n)
{
  GString *text = g_string_new ("[");
  for (guint i = 0; i < n; i++)
    g_string_append_printf (text, "%s%u", i ? "," : "", i % 10);
  g_string_append (text, "]");
  fixture_write (folder, name, text->str, text->len);
  g_string_free (text, TRUE);
}

static void
write_cifar10_binary (const char *folder)
{
  for (guint b = 0; b < 5; b++)
    write_batch (folder, train_files[b], b * 20, 20);
  write_batch (folder, "test_batch", 1000, 10);
}

static void
write_cifar10_sheets (const char *folder)
{
  for (guint b = 0; b < 5; b++)
    write_sheet (folder, train_files[b], b * 20, 20);
  write_sheet (folder, "test_batch", 1000, 10);
  write_classes_json (folder, "train_lables.json", 100);
  write_classes_json (folder, "test_lables.json", 10);
}

static ForgeDataset *
open_ok (const char *scheme, const char *folder, ForgeSplit split)
{
  g_autofree char *spec = g_strconcat (scheme, folder, NULL);
  g_autoptr (GError) error = NULL;
  ForgeDataset *dataset = forge_dataset_open (spec, split, NULL, &error);
  g_assert_no_error (error);
  g_assert_nonnull (dataset);
  return dataset;
}

static void
assert_refused (const char *scheme, const char *folder, ForgeSplit split,
    int code, const char *hint)
{
  g_autofree char *spec = g_strconcat (scheme, folder, NULL);
  g_autoptr (GError) error = NULL;
  g_assert_null (forge_dataset_open (spec, split, NULL, &error));
  g_assert_error (error, FORGE_ERROR, code);
  if (!strstr (error->message, hint))
    g_error ("'%s' does not say '%s'", error->message, hint);
}

static void
assert_cifar10_picture (const ForgeDataset *dataset, guint index, guint picture)
{
  g_autoptr (ForgePicture) loaded = forge_dataset_load (dataset, index, NULL);
  g_assert_nonnull (loaded);
  g_assert_cmpint (loaded->width, ==, 32);
  g_assert_cmpint (loaded->height, ==, 32);
  for (guint p = 0; p < 1024; p++)
    for (guint c = 0; c < 3; c++)
      g_assert_cmpuint (loaded->data[p * 3 + c], ==, pixel (picture, c, p));
}

static void
cifar10_is_read_alike_from_binary_and_sheets (void)
{
  char *binary = fixture_folder (), *sheets = fixture_folder ();
  write_cifar10_binary (binary);
  write_cifar10_sheets (sheets);
  for (int split = FORGE_SPLIT_TRAIN; split <= FORGE_SPLIT_TEST; split++) {
    g_autoptr (ForgeDataset) a = open_ok ("cifar10:", binary, split);
    g_autoptr (ForgeDataset) b = open_ok ("cifar10:", sheets, split);
    static const guint expected[] = { 90, 10, 10 };
    g_assert_cmpuint (forge_dataset_get_n_items (a), ==, expected[split]);
    g_assert_cmpuint (forge_dataset_get_n_classes (a), ==, 10);
    g_assert_cmpstr (forge_dataset_get_labels (a)[9], ==, "truck");
    g_assert_null (forge_dataset_get_labels (a)[10]);
    g_assert_cmpstr (
        forge_dataset_get_hash (a), ==, forge_dataset_get_hash (b));
  }
  g_autoptr (ForgeDataset) test =
      open_ok ("cifar10:", binary, FORGE_SPLIT_TEST);
  for (guint i = 0; i < 10; i++) {
    assert_cifar10_picture (test, i, 1000 + i);
    g_assert_cmpuint (forge_dataset_get_class (test, i), ==, i);
  }
  g_autofree char *name = forge_dataset_describe_item (test, 7);
  g_assert_cmpstr (name, ==, "test_batch.bin[7]");
  fixture_remove (binary);
  fixture_remove (sheets);
}

static void
validation_cut_is_stratified_disjoint_and_seeded (void)
{
  char *folder = fixture_folder ();
  write_cifar10_binary (folder);
  g_autoptr (ForgeDataset) train =
      open_ok ("cifar10:", folder, FORGE_SPLIT_TRAIN);
  g_autoptr (ForgeDataset) val =
      open_ok ("cifar10:", folder, FORGE_SPLIT_VALIDATION);
  guint counts[10] = { 0 };
  g_autoptr (GHashTable) seen =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  for (guint i = 0; i < forge_dataset_get_n_items (val); i++) {
    counts[forge_dataset_get_class (val, i)]++;
    g_hash_table_add (seen, forge_dataset_describe_item (val, i));
  }
  for (guint c = 0; c < 10; c++)
    g_assert_cmpuint (counts[c], ==, 1);
  for (guint i = 0; i < forge_dataset_get_n_items (train); i++)
    g_assert_true (
        g_hash_table_add (seen, forge_dataset_describe_item (train, i)));
  g_assert_cmpuint (g_hash_table_size (seen), ==, 100);

  g_autofree char *spec = g_strconcat ("cifar10:", folder, NULL);
  g_autoptr (ForgeDataset) again =
      forge_dataset_open (spec, FORGE_SPLIT_VALIDATION, NULL, NULL);
  g_autoptr (ForgeDataset) other = forge_dataset_open (
      spec, FORGE_SPLIT_VALIDATION, &(ForgeCut) { .seed = 2 }, NULL);
  g_assert_cmpstr (
      forge_dataset_get_hash (val), ==, forge_dataset_get_hash (again));
  g_assert_cmpstr (
      forge_dataset_get_hash (val), !=, forge_dataset_get_hash (other));
  fixture_remove (folder);
}

static void
validation_share_is_the_callers (void)
{
  static const struct {
    double share;
    guint n;
  } rows[] = { { 0, 10 }, { 0.1, 10 }, { 0.3, 30 }, { 0.5, 50 }, { 1e-9, 10 } };
  char *folder = fixture_folder ();
  write_cifar10_binary (folder);
  g_autofree char *spec = g_strconcat ("cifar10:", folder, NULL);
  for (gsize r = 0; r < G_N_ELEMENTS (rows); r++) {
    const ForgeCut cut = { .seed = 1, .validation = rows[r].share };
    g_autoptr (GHashTable) seen =
        g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
    for (ForgeSplit s = FORGE_SPLIT_TRAIN; s <= FORGE_SPLIT_VALIDATION; s++) {
      g_autoptr (ForgeDataset) part = forge_dataset_open (spec, s, &cut, NULL);
      guint n = forge_dataset_get_n_items (part);
      g_assert_cmpuint (
          n, ==, s == FORGE_SPLIT_TRAIN ? 100 - rows[r].n : rows[r].n);
      for (guint i = 0; i < n; i++)
        g_assert_true (
            g_hash_table_add (seen, forge_dataset_describe_item (part, i)));
    }
  }
  static const double refused[] = { -0.1, 0.6, NAN };
  for (gsize r = 0; r < G_N_ELEMENTS (refused); r++) {
    const ForgeCut cut = { .seed = 1, .validation = refused[r] };
    g_autoptr (GError) error = NULL;
    g_assert_null (forge_dataset_open (spec, FORGE_SPLIT_TRAIN, &cut, &error));
    g_assert_error (error, FORGE_ERROR, FORGE_ERROR_ARGUMENT);
    g_assert_nonnull (strstr (error->message, "0 to 0.5"));
  }
  fixture_remove (folder);
}

/* The picture of a cut set is the one its description names. */
static void
cut_keeps_pictures_with_their_names (void)
{
  char *folder = fixture_folder ();
  write_cifar10_binary (folder);
  g_autoptr (ForgeDataset) train =
      open_ok ("cifar10:", folder, FORGE_SPLIT_TRAIN);
  for (guint i = 0; i < forge_dataset_get_n_items (train); i++) {
    g_autofree char *name = forge_dataset_describe_item (train, i);
    guint batch, row;
    g_assert_cmpint (
        sscanf (name, "data_batch_%u.bin[%u]", &batch, &row), ==, 2);
    assert_cifar10_picture (train, i, (batch - 1) * 20 + row);
  }
  fixture_remove (folder);
}

static void
relative_folder_is_found_below_forge_data (void)
{
  char *folder = fixture_folder ();
  g_autofree char *below = g_build_filename (folder, "c10", NULL);
  g_autofree char *unpacked =
      g_build_filename (below, "cifar-10-batches-bin", NULL);
  write_batch (unpacked, "test_batch", 0, 3);
  g_setenv ("FORGE_DATA", folder, TRUE);
  g_autoptr (ForgeDataset) dataset =
      open_ok ("cifar10:", "c10", FORGE_SPLIT_TEST);
  g_assert_cmpuint (forge_dataset_get_n_items (dataset), ==, 3);
  assert_refused (
      "cifar10:", "absent", FORGE_SPLIT_TEST, FORGE_ERROR_NOT_FOUND, folder);
  g_unsetenv ("FORGE_DATA");
  assert_refused ("cifar10:", "c10", FORGE_SPLIT_TEST, FORGE_ERROR_NOT_FOUND,
      "FORGE_DATA is not set");
  fixture_remove (folder);
}

static void
damaged_cifar10_is_refused (void)
{
  char *folder = fixture_folder ();
  const ForgeSplit test = FORGE_SPLIT_TEST;
  assert_refused (
      "cifar10:", folder, test, FORGE_ERROR_NOT_FOUND, "test_batch.bin");
  fixture_write (folder, "test_batch", "\x80\x02}q", 4);
  assert_refused ("cifar10:", folder, test, FORGE_ERROR_FORMAT, "pickle");
  write_batch (folder, "test_batch", 0, 2);
  g_autofree char *path = g_build_filename (folder, "test_batch.bin", NULL);
  g_autofree char *bytes = NULL;
  gsize size_bytes;
  g_assert_true (g_file_get_contents (path, &bytes, &size_bytes, NULL));
  fixture_write (folder, "test_batch.bin", bytes, size_bytes - 1);
  assert_refused ("cifar10:", folder, test, FORGE_ERROR_FORMAT, "truncated");
  fixture_write (folder, "test_batch.bin", bytes, 0);
  assert_refused ("cifar10:", folder, test, FORGE_ERROR_FORMAT, "found 0");
  bytes[RECORD_BYTES] = 10;
  fixture_write (folder, "test_batch.bin", bytes, size_bytes);
  assert_refused ("cifar10:", folder, test, FORGE_ERROR_FORMAT, "record 1");
  write_batch (folder, "data_batch_1", 0, 2);
  assert_refused ("cifar10:", folder, FORGE_SPLIT_TRAIN, FORGE_ERROR_NOT_FOUND,
      "data_batch_2.bin");
  fixture_remove (folder);
}

static void
damaged_sheets_are_refused (void)
{
  static const struct {
    const char *json, *hint;
  } cases[] = { { "[0,1,2", "test_lables.json" }, { "[0,1]", "2 classes left" },
    { "[0,1,2,3]", "4 classes for 3" }, { "[0,1,10]", "entry 2" },
    { "[0,1,\"x\"]", "entry 2" }, { "[0,1,[2]]", "entry 2" },
    { "{\"a\":1}", "0 classes left" }, { "", "empty" } };
  char *folder = fixture_folder ();
  write_sheet (folder, "test_batch", 0, 3);
  assert_refused ("cifar10:", folder, FORGE_SPLIT_TEST, FORGE_ERROR_NOT_FOUND,
      "test_lables.json");
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    fixture_write (
        folder, "test_lables.json", cases[i].json, strlen (cases[i].json));
    assert_refused ("cifar10:", folder, FORGE_SPLIT_TEST, FORGE_ERROR_FORMAT,
        cases[i].hint);
  }
  write_classes_json (folder, "test_lables.json", 3);
  fixture_write (folder, "test_batch.png", "\x89PNG\r\n\x1a\n", 8);
  assert_refused ("cifar10:", folder, FORGE_SPLIT_TEST, FORGE_ERROR_FORMAT,
      "test_batch.png");
  static const uint8_t narrow[30 * 3];
  fixture_write_png (folder, "test_batch.png", narrow, 10, 3);
  assert_refused ("cifar10:", folder, FORGE_SPLIT_TEST, FORGE_ERROR_FORMAT,
      "1024 pixels wide");
  fixture_remove (folder);
}

/* 3 pictures of 4 x 2 pixels with values 0, 1, 2 ... and classes 9, 0, 5. */
static const uint8_t idx_pictures[16 + 24] = { 0, 0, 8, 3, 0, 0, 0, 3, 0, 0, 0,
  2, 0, 0, 0, 4, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16, 17,
  18, 19, 20, 21, 22, 23 };
static const uint8_t idx_classes[8 + 3] = { 0, 0, 8, 1, 0, 0, 0, 3, 9, 0, 5 };

static void
idx_is_read_raw_and_zipped (void)
{
  for (int zipped = 0; zipped < 2; zipped++) {
    char *folder = fixture_folder ();
    (zipped ? fixture_write_gz : fixture_write) (folder,
        zipped ? "t10k-images-idx3-ubyte.gz" : "t10k-images-idx3-ubyte",
        idx_pictures, sizeof idx_pictures);
    (zipped ? fixture_write_gz : fixture_write) (folder,
        zipped ? "t10k-labels-idx1-ubyte.gz" : "t10k-labels-idx1-ubyte",
        idx_classes, sizeof idx_classes);
    g_autoptr (ForgeDataset) dataset =
        open_ok ("fashion-mnist:", folder, FORGE_SPLIT_TEST);
    g_assert_cmpuint (forge_dataset_get_n_items (dataset), ==, 3);
    g_assert_cmpuint (forge_dataset_get_class (dataset, 0), ==, 9);
    g_assert_cmpstr (forge_dataset_get_labels (dataset)[9], ==, "Ankle boot");
    g_autoptr (ForgePicture) last = forge_dataset_load (dataset, 2, NULL);
    g_assert_cmpint (last->width, ==, 4);
    g_assert_cmpint (last->height, ==, 2);
    for (guint p = 0; p < 8; p++)
      for (guint c = 0; c < 3; c++)
        g_assert_cmpuint (last->data[3 * p + c], ==, 16 + p);
    fixture_remove (folder);
  }
}

static void
write_idx_with (
    const char *folder, gsize place, uint8_t value, gsize size_bytes)
{
  uint8_t bytes[sizeof idx_pictures];
  memcpy (bytes, idx_pictures, sizeof bytes);
  bytes[place] = value;
  fixture_write (folder, "t10k-images-idx3-ubyte", bytes, size_bytes);
}

static void
damaged_idx_is_refused (void)
{
  static const struct {
    gsize place;
    uint8_t value;
    gsize size_bytes;
    const char *hint;
  } cases[] = {
    { 3, 1, sizeof idx_pictures, "magic" },
    { 0, 0, 0, "IDX header" },
    { 0, 0, 15, "IDX header" },
    { 0, 0, 16, "found 0" },
    { 0, 0, sizeof idx_pictures - 1, "truncated" },
    { 4, 0xff, sizeof idx_pictures, "out of range" },
    { 8, 0xff, sizeof idx_pictures, "out of range" },
    { 11, 0, sizeof idx_pictures, "out of range" },
    /* Claims a gigabyte and has 24 bytes. */
    { 4, 8, sizeof idx_pictures, "truncated" },
    { 7, 2, sizeof idx_pictures, "3 classes for the 2" },
  };
  char *folder = fixture_folder ();
  assert_refused ("fashion-mnist:", folder, FORGE_SPLIT_TRAIN,
      FORGE_ERROR_NOT_FOUND, "train-images-idx3-ubyte");
  fixture_write (
      folder, "t10k-labels-idx1-ubyte", idx_classes, sizeof idx_classes);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    write_idx_with (
        folder, cases[i].place, cases[i].value, cases[i].size_bytes);
    assert_refused ("fashion-mnist:", folder, FORGE_SPLIT_TEST,
        FORGE_ERROR_FORMAT, cases[i].hint);
  }
  write_idx_with (folder, 0, 0, sizeof idx_pictures);
  uint8_t classes[sizeof idx_classes];
  memcpy (classes, idx_classes, sizeof classes);
  classes[9] = 10;
  fixture_write (folder, "t10k-labels-idx1-ubyte", classes, sizeof classes);
  assert_refused (
      "fashion-mnist:", folder, FORGE_SPLIT_TEST, FORGE_ERROR_FORMAT, "item 1");
  fixture_remove (folder);
}

static void
damaged_gzip_is_refused (void)
{
  char *folder = fixture_folder ();
  fixture_write_gz (
      folder, "t10k-images-idx3-ubyte.gz", idx_pictures, sizeof idx_pictures);
  g_autofree char *path =
      g_build_filename (folder, "t10k-images-idx3-ubyte.gz", NULL);
  g_autofree char *bytes = NULL;
  gsize size_bytes;
  g_assert_true (g_file_get_contents (path, &bytes, &size_bytes, NULL));
  for (gsize cut = 0; cut < size_bytes - 12; cut++) {
    fixture_write (folder, "t10k-images-idx3-ubyte.gz", bytes, cut);
    assert_refused ("fashion-mnist:", folder, FORGE_SPLIT_TEST,
        FORGE_ERROR_FORMAT, "t10k-images-idx3-ubyte.gz");
  }
  fixture_remove (folder);
}

static void
write_class_pictures (
    const char *folder, const char *class_folder, guint n, uint8_t value)
{
  uint8_t pixels[3 * 2 * 3];
  memset (pixels, value, sizeof pixels);
  for (guint i = 0; i < n; i++) {
    g_autofree char *name = g_strdup_printf ("%s/%02u.png", class_folder, i);
    fixture_write_png (folder, name, pixels, 3, 2);
  }
}

static void
folder_without_parts_is_cut_80_10_10 (void)
{
  static const guint expected[3][2] = { { 16, 8 }, { 2, 1 }, { 2, 1 } };
  char *folder = fixture_folder ();
  write_class_pictures (folder, "cat", 20, 10);
  write_class_pictures (folder, "dog", 10, 20);
  fixture_write (folder, "cat/notes.txt", "x", 1);
  fixture_write (folder, ".hidden/a.png", "x", 1);
  g_autoptr (GHashTable) seen =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  for (int split = FORGE_SPLIT_TRAIN; split <= FORGE_SPLIT_TEST; split++) {
    g_autoptr (ForgeDataset) dataset = open_ok ("", folder, split);
    guint counts[2] = { 0 };
    g_assert_cmpuint (forge_dataset_get_n_classes (dataset), ==, 2);
    for (guint i = 0; i < forge_dataset_get_n_items (dataset); i++) {
      guint class_id = forge_dataset_get_class (dataset, i);
      g_autoptr (ForgePicture) picture = forge_dataset_load (dataset, i, NULL);
      g_assert_nonnull (picture);
      g_assert_cmpint (picture->width, ==, 3);
      g_assert_cmpuint (picture->data[17], ==, class_id ? 20 : 10);
      g_assert_true (
          g_hash_table_add (seen, forge_dataset_describe_item (dataset, i)));
      counts[class_id]++;
    }
    g_assert_cmpuint (counts[0], ==, expected[split][0]);
    g_assert_cmpuint (counts[1], ==, expected[split][1]);
  }
  g_assert_cmpuint (g_hash_table_size (seen), ==, 30);
  fixture_remove (folder);
}

static void
folder_parts_are_used_as_they_are (void)
{
  char *folder = fixture_folder ();
  write_class_pictures (folder, "train/a", 20, 1);
  write_class_pictures (folder, "train/b", 20, 2);
  assert_refused (
      "", folder, FORGE_SPLIT_TEST, FORGE_ERROR_NOT_FOUND, "neither test/");
  g_autoptr (ForgeDataset) cut = open_ok ("", folder, FORGE_SPLIT_VALIDATION);
  g_assert_cmpuint (forge_dataset_get_n_items (cut), ==, 4);
  write_class_pictures (folder, "val/b", 3, 2);
  g_autoptr (ForgeDataset) val = open_ok ("", folder, FORGE_SPLIT_VALIDATION);
  g_assert_cmpuint (forge_dataset_get_n_items (val), ==, 3);
  g_assert_cmpuint (forge_dataset_get_class (val, 0), ==, 1);
  g_autoptr (ForgeDataset) stand_in = open_ok ("", folder, FORGE_SPLIT_TEST);
  g_assert_cmpuint (forge_dataset_get_n_items (stand_in), ==, 3);
  write_class_pictures (folder, "test/a", 2, 1);
  g_autoptr (ForgeDataset) test = open_ok ("", folder, FORGE_SPLIT_TEST);
  g_assert_cmpuint (forge_dataset_get_n_items (test), ==, 2);
  g_autoptr (ForgeDataset) train = open_ok ("", folder, FORGE_SPLIT_TRAIN);
  g_assert_cmpuint (forge_dataset_get_n_items (train), ==, 40);
  write_class_pictures (folder, "test/zebra", 2, 1);
  assert_refused ("", folder, FORGE_SPLIT_TEST, FORGE_ERROR_FORMAT, "'zebra'");
  fixture_remove (folder);
}

static void
damaged_folders_are_refused (void)
{
  char *folder = fixture_folder ();
  assert_refused ("", folder, FORGE_SPLIT_TRAIN, FORGE_ERROR_FORMAT, "found 0");
  write_class_pictures (folder, "a", 3, 1);
  fixture_write (folder, "b/readme.txt", "x", 1);
  assert_refused (
      "", folder, FORGE_SPLIT_TRAIN, FORGE_ERROR_FORMAT, "found none");
  fixture_write (folder, "b/broken.png", "not a picture", 13);
  g_autoptr (ForgeDataset) train = open_ok ("", folder, FORGE_SPLIT_TRAIN);
  guint last = forge_dataset_get_n_items (train) - 1;
  g_autoptr (GError) error = NULL;
  g_assert_null (forge_dataset_load (train, last, &error));
  g_assert_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT);
  g_assert_nonnull (strstr (error->message, "broken.png"));
  g_assert_cmpuint (strlen (forge_dataset_get_hash (train)), ==, 64);
  assert_refused ("imagenet:", folder, FORGE_SPLIT_TRAIN, FORGE_ERROR_ARGUMENT,
      "unknown scheme 'imagenet'");
  assert_refused ("", "/nonexistent/forge", FORGE_SPLIT_TRAIN,
      FORGE_ERROR_NOT_FOUND, "/nonexistent/forge");
  fixture_remove (folder);
}

/* Independent of the code: sha256 of the bytes as dataset.h lays them down,
 * computed with coreutils. */
static void
hash_is_that_of_labels_and_pixels (void)
{
  char *folder = fixture_folder ();
  write_class_pictures (folder, "train/a", 1, 1);
  write_class_pictures (folder, "train/b", 1, 2);
  write_class_pictures (folder, "val/a", 1, 1);
  g_autoptr (ForgeDataset) train = open_ok ("", folder, FORGE_SPLIT_TRAIN);
  g_assert_cmpstr (forge_dataset_get_hash (train), ==,
      "65ad18a35bf0cb1a40ff7bbb3ec7df0e37760ca7d933e1ed3e82e42e409fe74f");
  fixture_remove (folder);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_unsetenv ("FORGE_DATA");
#define ADD(name) g_test_add_func ("/dataset/" #name, name)
  ADD (cifar10_is_read_alike_from_binary_and_sheets);
  ADD (validation_cut_is_stratified_disjoint_and_seeded);
  ADD (validation_share_is_the_callers);
  ADD (cut_keeps_pictures_with_their_names);
  ADD (relative_folder_is_found_below_forge_data);
  ADD (damaged_cifar10_is_refused);
  ADD (damaged_sheets_are_refused);
  ADD (idx_is_read_raw_and_zipped);
  ADD (damaged_idx_is_refused);
  ADD (damaged_gzip_is_refused);
  ADD (folder_without_parts_is_cut_80_10_10);
  ADD (folder_parts_are_used_as_they_are);
  ADD (damaged_folders_are_refused);
  ADD (hash_is_that_of_labels_and_pixels);
  return g_test_run ();
}
