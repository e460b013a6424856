/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Folders as people have them: broken files of each kind, odd names, links,
 * nested folders, and videos, whose frames a reader made up here delivers. */
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <glib/gstdio.h>

#include "base/rng.h"
#include "fixture.h"
#include "forge/error.h"
#include "train/loader.h"

static ForgePreprocess
bytes_of (int side)
{
  ForgePreprocess preprocess = FORGE_PREPROCESS_DEFAULT;
  preprocess.width = preprocess.height = side;
  return preprocess;
}

static ForgeDataset *
open_ok (const char *folder, ForgeSplit split)
{
  g_autoptr (GError) error = NULL;
  ForgeDataset *dataset = forge_dataset_open (folder, split, NULL, &error);
  g_assert_no_error (error);
  return dataset;
}

/* Loaders say what was left out. */
static void
expect_skip_message (const char *part)
{
  g_autofree char *pattern = g_strdup_printf ("*left out*%s*", part);
  g_test_expect_message ("forge", G_LOG_LEVEL_MESSAGE, pattern);
}

static void
write_good (const char *folder, const char *name, uint8_t value)
{
  uint8_t pixels[6 * 5 * 3];
  for (gsize i = 0; i < sizeof pixels; i++)
    pixels[i] = (uint8_t) (value + i);
  fixture_write_png (folder, name, pixels, 6, 5);
}

static char *
read_good (const char *folder, gsize *size_bytes)
{
  write_good (folder, "../good.png", 1);
  g_autofree char *path = g_build_filename (folder, "..", "good.png", NULL);
  char *bytes = NULL;
  g_assert_true (g_file_get_contents (path, &bytes, size_bytes, NULL));
  return bytes;
}

static void
copy_corpus (const char *folder, const char *name, const char *to, double part)
{
  g_autofree char *path = g_build_filename (g_getenv ("FORGE_SOURCE_ROOT"),
      "tests", "fuzz", "corpus", "picture", name, NULL);
  g_autofree char *bytes = NULL;
  gsize size_bytes;
  g_autoptr (GError) error = NULL;
  g_file_get_contents (path, &bytes, &size_bytes, &error);
  g_assert_no_error (error);
  fixture_write (folder, to, bytes, (gsize) (size_bytes * part));
}

static void
make_link (const char *folder, const char *name, const char *target)
{
  g_autofree char *path = g_build_filename (folder, name, NULL);
  g_assert_cmpint (symlink (target, path), ==, 0);
}

/* One of each kind in class "a"; returns how many must be counted. */
static guint
write_broken_files (const char *folder)
{
  gsize size_bytes;
  g_autofree char *a = g_build_filename (folder, "a", NULL);
  g_assert_cmpint (g_mkdir_with_parents (a, 0700), ==, 0);
  g_autofree char *png = read_good (a, &size_bytes);
  copy_corpus (a, "baseline.jpg", "00-cut.jpg", 0.6);
  fixture_write (a, "01-cut.png", png, size_bytes / 2);
  fixture_write (a, "02-empty.png", "", 0);
  fixture_write (a, "03-page.jpg", "<!DOCTYPE html><p>404", 21);
  g_autofree char *damaged = g_memdup2 (png, size_bytes);
  gsize data = 8;
  while (memcmp (damaged + data, "IDAT", 4) != 0)
    data++;
  damaged[data + 8] ^= 0x55;
  fixture_write (a, "04-checksum.png", damaged, size_bytes);
  memcpy (damaged, png, size_bytes);
  damaged[29] ^= 1; /* the checksum of IHDR itself */
  fixture_write (a, "05-header.png", damaged, size_bytes);
  static const uint8_t huge[] = "\x89PNG\r\n\x1a\n\0\0\0\rIHDR\x7f\xff\xff\xff"
                                "\x7f\xff\xff\xff\x08\x02\0\0\0\0\0\0\0";
  fixture_write (a, "06-huge.png", huge, sizeof huge - 1);
  make_link (a, "07-loop.png", "07-loop.png");
  make_link (a, "08-nowhere.jpg", "absent");
  g_autofree char *pipe = g_build_filename (a, "09-pipe.png", NULL);
  g_assert_cmpint (mkfifo (pipe, 0600), ==, 0);
  fixture_write (a, "10-gif.jpg", "GIF89a..........", 16);
  guint n = 11;
  if (geteuid () != 0) {
    write_good (a, "11-locked.png", 3);
    g_autofree char *locked = g_build_filename (a, "11-locked.png", NULL);
    g_assert_cmpint (g_chmod (locked, 0), ==, 0);
    n++;
  }
  return n;
}

static void
write_odd_but_good_files (const char *folder)
{
  write_good (folder, "a/good.PNG", 1);
  write_good (folder, "a/\xe9t\xe9.png", 2); /* Latin-1 */
  write_good (folder, "a/deep/er/1.png", 3);
  copy_corpus (folder, "cmyk.jpg", "a/poster.jpeg", 1);
  copy_corpus (folder, "grey16.png", "a/deep/16.png", 1);
  g_autofree char *deep = g_build_filename (folder, "a", "deep", NULL);
  make_link (deep, "up", "..");
  make_link (deep, "again", "er");
  fixture_write (folder, "a/Thumbs.db", "x", 1);
  fixture_write (folder, "a/clip.mp4", "x", 1);
  fixture_write (folder, "a/.hidden.png", "x", 1);
  fixture_write (folder, "a/._good.PNG", "x", 1);
  fixture_write (folder, "a/.hidden/1.png", "x", 1);
  fixture_write (folder, "__MACOSX/a/1.png", "x", 1);
  make_link (folder, "itself", ".");
  write_good (folder, "b/1.png", 4);
}

static void
broken_files_are_skipped_and_counted (void)
{
  char *root = fixture_folder ();
  g_autofree char *folder = g_build_filename (root, "data", "train", NULL);
  g_autofree char *data = g_build_filename (root, "data", NULL);
  guint n_broken = write_broken_files (folder);
  write_odd_but_good_files (folder);
  write_good (data, "val/a/1.png", 1);
  g_autoptr (ForgeDataset) dataset = open_ok (data, FORGE_SPLIT_TRAIN);
  g_assert_cmpuint (forge_dataset_get_n_classes (dataset), ==, 2);
  g_assert_cmpuint (forge_dataset_get_n_items (dataset), ==, n_broken + 6);
  ForgePreprocess preprocess = bytes_of (4);
  for (int threads = 1; threads <= 3; threads++) {
    g_autoptr (GError) error = NULL;
    expect_skip_message ("00-cut.jpg");
    g_autoptr (ForgeLoader) loader =
        forge_loader_new (dataset, &preprocess, threads, &error);
    g_test_assert_expected_messages ();
    g_assert_no_error (error);
    g_assert_cmpuint (loader->n_skipped, ==, n_broken);
    g_assert_cmpuint (loader->n_items, ==, 6);
    g_assert_nonnull (strstr (loader->skip_reason, "00-cut.jpg: damaged JPEG"));
    g_assert_cmpuint (loader->classes[4], ==, 0);
    g_assert_cmpuint (loader->classes[5], ==, 1);
    /* What is left is what it was, in its order. */
    guint n = 0;
    for (guint i = 0; i < n_broken + 6; i++) {
      g_autoptr (ForgePicture) picture = forge_dataset_load (dataset, i, NULL);
      if (!picture)
        continue;
      uint8_t expected[4 * 4 * 3];
      g_autoptr (ForgeImager) imager = forge_imager_new (&preprocess);
      ForgeFrame frame = forge_picture_frame (picture);
      g_assert_true (forge_imager_convert (imager, &frame, expected, NULL));
      g_assert_cmpmem (loader->pixels + n++ * sizeof expected, sizeof expected,
          expected, sizeof expected);
    }
    g_assert_cmpuint (n, ==, 6);
  }
  fixture_remove (root);
}

static void
each_broken_file_has_its_reason (void)
{
  static const char *const reasons[] = { "damaged JPEG", "ends too early",
    "an empty file", "a web page", "damaged PNG", "damaged PNG", "06-huge.png",
    "07-loop.png: ", "08-nowhere.jpg: ", "no regular file", "a GIF" };
  char *root = fixture_folder ();
  g_autofree char *data = g_build_filename (root, "data", NULL);
  write_broken_files (data);
  write_good (data, "b/1.png", 1);
  write_good (data, "val/a/1.png", 1);
  g_autofree char *train = g_build_filename (data, "train", NULL);
  g_assert_cmpint (g_mkdir (train, 0700), ==, 0);
  for (int c = 0; c < 2; c++) {
    g_autofree char *from = g_build_filename (data, c ? "b" : "a", NULL);
    g_autofree char *to = g_build_filename (train, c ? "b" : "a", NULL);
    g_assert_cmpint (g_rename (from, to), ==, 0);
  }
  g_autoptr (ForgeDataset) dataset = open_ok (data, FORGE_SPLIT_TRAIN);
  for (guint i = 0; i < G_N_ELEMENTS (reasons); i++) {
    g_autoptr (GError) error = NULL;
    g_assert_null (forge_dataset_load (dataset, i, &error));
    g_assert_nonnull (error);
    if (!strstr (error->message, reasons[i]))
      g_error ("'%s' does not say '%s'", error->message, reasons[i]);
  }
  /* Nothing else is left of the class. */
  ForgePreprocess preprocess = bytes_of (4);
  g_autoptr (GError) error = NULL;
  g_assert_null (forge_loader_new (dataset, &preprocess, 2, &error));
  g_assert_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT);
  g_assert_nonnull (strstr (error->message, "class 'a': none of its "));
  g_assert_nonnull (strstr (error->message, "00-cut.jpg"));
  fixture_remove (root);
}

/* A broken picture may be all that a small validation part has of a class. */
static void
broken_class_of_another_part_is_no_error (void)
{
  char *folder = fixture_folder ();
  write_good (folder, "training/a/1.png", 1);
  write_good (folder, "training/b/1.png", 2);
  write_good (folder, "valid/a/1.png", 3);
  fixture_write (folder, "valid/b/1.png", "no", 2);
  fixture_write (folder, "testing/b/1.png", "no", 2);
  ForgePreprocess preprocess = bytes_of (4);
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeDataset) val = open_ok (folder, FORGE_SPLIT_VALIDATION);
  expect_skip_message ("1.png");
  g_autoptr (ForgeLoader) loader =
      forge_loader_new (val, &preprocess, 1, &error);
  g_test_assert_expected_messages ();
  g_assert_no_error (error);
  g_assert_cmpuint (loader->n_items, ==, 1);
  g_autoptr (ForgeDataset) test = open_ok (folder, FORGE_SPLIT_TEST);
  g_assert_null (forge_loader_new (test, &preprocess, 1, &error));
  g_assert_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT);
  fixture_remove (folder);
}

static void
labels_of_odd_bytes_are_made_valid (void)
{
  char *folder = fixture_folder ();
  write_good (folder, "train/\xe9t\xe9/1.png", 1);
  write_good (folder, "train/b/1.png", 1);
  write_good (folder, "val/b/1.png", 1);
  g_autoptr (ForgeDataset) dataset = open_ok (folder, FORGE_SPLIT_TRAIN);
  g_assert_cmpuint (forge_dataset_get_n_items (dataset), ==, 2);
  const char *const *labels = forge_dataset_get_labels (dataset);
  g_assert_true (g_utf8_validate (labels[0], -1, NULL));
  g_assert_true (g_utf8_validate (labels[1], -1, NULL));
  fixture_remove (folder);
}

/* Names of the pictures in a part, without the folder. */
static char *
list_part (const char *folder, ForgeSplit split, uint64_t seed)
{
  g_autoptr (ForgeDataset) dataset =
      forge_dataset_open (folder, split, &(ForgeCut) { .seed = seed }, NULL);
  GString *text = g_string_new (NULL);
  for (guint i = 0; dataset && i < forge_dataset_get_n_items (dataset); i++) {
    g_autofree char *name = forge_dataset_describe_item (dataset, i);
    g_string_append_printf (text, "%s\n", name + strlen (folder));
  }
  return g_string_free (text, FALSE);
}

static void
cut_does_not_depend_on_the_order_of_the_folder (void)
{
  char *one = fixture_folder (), *other = fixture_folder ();
  for (guint i = 0; i < 60; i++) {
    g_autofree char *up = g_strdup_printf ("%c/%02u.png", 'a' + i % 3, i);
    g_autofree char *down =
        g_strdup_printf ("%c/%02u.png", 'a' + (59 - i) % 3, 59 - i);
    write_good (one, up, (uint8_t) i);
    write_good (other, down, (uint8_t) i);
  }
  for (int split = FORGE_SPLIT_TRAIN; split <= FORGE_SPLIT_TEST; split++) {
    g_autofree char *a = list_part (one, split, 7);
    g_autofree char *b = list_part (other, split, 7);
    g_autofree char *c = list_part (one, split, 8);
    g_assert_cmpuint (strlen (a), >, 0);
    g_assert_cmpstr (a, ==, b);
    g_assert_cmpstr (a, !=, c);
  }
  fixture_remove (one);
  fixture_remove (other);
}

static guint n_reads;

/* A "video" of this test is text: frames, value, then "!" when it is damaged
 * behind the last frame. */
static gboolean
read_text_video (const char *path, const ForgeVideoSampling *sampling,
    ForgeVideoFrameFunc func, gpointer user_data, GError **error)
{
  g_autofree char *text = NULL;
  g_atomic_int_inc (&n_reads);
  if (!g_file_get_contents (path, &text, NULL, error))
    return FALSE;
  guint n = 0, value = 0;
  char end = 0;
  sscanf (text, "%u %u%c", &n, &value, &end);
  for (guint i = 0; i < n; i++) {
    uint8_t luma[8 * 6];
    memset (luma, (int) (value + i), sizeof luma);
    const ForgeFrame frame = { .format = FORGE_PIXEL_GRAY8,
      .width = 8,
      .height = 6,
      .data = { luma },
      .stride_bytes = { 8 },
      .full_range = TRUE };
    if (!func (&frame, user_data))
      return TRUE;
  }
  if (end != '!')
    return TRUE;
  g_set_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT, "%s: damaged", path);
  return FALSE;
}

static void
write_video (const char *folder, const char *name, guint n, guint value)
{
  g_autofree char *text = g_strdup_printf ("%u %u", n, value);
  fixture_write (folder, name, text, strlen (text));
}

static void
assert_videos_whole (const char *folder, const guint *expected)
{
  g_autoptr (GHashTable) part_of =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  for (int split = FORGE_SPLIT_TRAIN; split <= FORGE_SPLIT_TEST; split++) {
    g_autoptr (ForgeDataset) dataset = open_ok (folder, split);
    guint n_videos = 0;
    for (guint i = 0; i < forge_dataset_get_n_items (dataset); i++) {
      char *name = forge_dataset_describe_item (dataset, i);
      n_videos += forge_dataset_get_class (dataset, i) == 0;
      *strrchr (name, '[') = 0;
      gpointer known = g_hash_table_lookup (part_of, name);
      g_assert_true (!known || GPOINTER_TO_INT (known) == split + 1);
      g_hash_table_insert (part_of, name, GINT_TO_POINTER (split + 1));
    }
    g_assert_cmpuint (n_videos, ==, expected[split]);
  }
}

static void
frames_of_a_video_stay_together (void)
{
  char *folder = fixture_folder ();
  forge_dataset_set_video_reader (read_text_video);
  for (guint i = 0; i < 10; i++) {
    g_autofree char *a = g_strdup_printf ("a/%u.mkv", i);
    g_autofree char *b = g_strdup_printf ("b/%u.AVI", i);
    write_video (folder, a, 5, 10 * i);
    write_video (folder, b, i + 1, 100);
  }
  assert_videos_whole (folder, (const guint[]) { 40, 5, 5 });
  /* One file that is half of the class cannot be a tenth. */
  write_video (folder, "a/long.webm", 50, 0);
  assert_videos_whole (folder, (const guint[]) { 80, 10, 10 });
  forge_dataset_set_video_reader (NULL);
  fixture_remove (folder);
}

static void
few_videos_are_in_every_part (void)
{
  char *folder = fixture_folder ();
  forge_dataset_set_video_reader (read_text_video);
  for (guint i = 0; i < 3; i++) {
    g_autofree char *a = g_strdup_printf ("a/%u.mp4", i);
    g_autofree char *b = g_strdup_printf ("b/%u.mov", i);
    write_video (folder, a, 20 + i, 0);
    write_video (folder, b, 20, 0);
  }
  assert_videos_whole (folder, (const guint[]) { 22, 20, 21 });
  forge_dataset_set_video_reader (NULL);
  fixture_remove (folder);
}

static void
frames_are_pictures (void)
{
  char *folder = fixture_folder ();
  forge_dataset_set_video_reader (read_text_video);
  write_video (folder, "train/a/1.mp4", 3, 50);
  fixture_write (folder, "train/a/2.mp4", "2 90!", 5);
  fixture_write (folder, "train/b/1.mp4", "0 0!", 4);
  write_good (folder, "train/b/2.png", 1);
  write_good (folder, "val/a/1.png", 1);
  g_autoptr (ForgeDataset) dataset = open_ok (folder, FORGE_SPLIT_TRAIN);
  static const guint values[] = { 50, 51, 52, 90, 91 };
  g_assert_cmpuint (forge_dataset_get_n_items (dataset), ==, 7);
  for (guint round = 0; round < 2; round++)
    for (guint i = 0; i < G_N_ELEMENTS (values); i++) {
      guint item = round ? 4 - i : i;
      g_autoptr (ForgePicture) picture =
          forge_dataset_load (dataset, item, NULL);
      g_assert_cmpint (picture->width, ==, 8);
      g_assert_cmpint (picture->height, ==, 6);
      g_assert_cmpstr (picture->mode, ==, "video frame");
      for (int b = 0; b < 8 * 6 * 3; b++)
        g_assert_cmpuint (picture->data[b], ==, values[item]);
    }
  g_autofree char *name = forge_dataset_describe_item (dataset, 4);
  g_assert_true (g_str_has_suffix (name, "2.mp4[1]"));
  g_autoptr (GError) error = NULL;
  g_assert_null (forge_dataset_load (dataset, 5, &error));
  g_assert_nonnull (strstr (error->message, "b/1.mp4: damaged"));
  ForgePreprocess preprocess = bytes_of (4);
  expect_skip_message ("b/1.mp4");
  n_reads = 0;
  g_autoptr (ForgeDataset) fresh = open_ok (folder, FORGE_SPLIT_TRAIN);
  g_assert_cmpuint (n_reads, ==, 3);
  g_autoptr (ForgeLoader) loader =
      forge_loader_new (fresh, &preprocess, 1, NULL);
  g_test_assert_expected_messages ();
  g_assert_cmpuint (loader->n_items, ==, 6);
  /* Once to count and once for all frames. */
  g_assert_cmpuint (n_reads, ==, 6);
  forge_dataset_set_video_reader (NULL);
  fixture_remove (folder);
}

static void
sampling_is_stated (void)
{
  char *folder = fixture_folder ();
  forge_dataset_set_video_reader (read_text_video);
  write_video (folder, "train/a/1.mp4", 30, 0);
  write_good (folder, "train/b/1.png", 1);
  write_good (folder, "val/b/1.png", 1);
  g_setenv ("FORGE_VIDEO_SAMPLING", "2.5,7", TRUE);
  g_autoptr (ForgeDataset) seven = open_ok (folder, FORGE_SPLIT_TRAIN);
  g_assert_cmpuint (forge_dataset_get_n_items (seven), ==, 8);
  static const char *const wrong[] = { "x", "0", "-1", "1,", "1,0", "1,2x",
    "nan", "1;2" };
  for (guint i = 0; i < G_N_ELEMENTS (wrong); i++) {
    g_setenv ("FORGE_VIDEO_SAMPLING", wrong[i], TRUE);
    g_autoptr (GError) error = NULL;
    g_assert_null (
        forge_dataset_open (folder, FORGE_SPLIT_TRAIN, NULL, &error));
    g_assert_error (error, FORGE_ERROR, FORGE_ERROR_ARGUMENT);
    g_assert_nonnull (strstr (error->message, "FORGE_VIDEO_SAMPLING"));
  }
  g_unsetenv ("FORGE_VIDEO_SAMPLING");
  forge_dataset_set_video_reader (NULL);
  fixture_remove (folder);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_unsetenv ("FORGE_DATA");
  g_unsetenv ("FORGE_VIDEO_SAMPLING");
#define ADD(name) g_test_add_func ("/data-folder/" #name, name)
  ADD (broken_files_are_skipped_and_counted);
  ADD (each_broken_file_has_its_reason);
  ADD (broken_class_of_another_part_is_no_error);
  ADD (labels_of_odd_bytes_are_made_valid);
  ADD (cut_does_not_depend_on_the_order_of_the_folder);
  ADD (frames_of_a_video_stay_together);
  ADD (few_videos_are_in_every_part);
  ADD (frames_are_pictures);
  ADD (sampling_is_stated);
  return g_test_run ();
}
