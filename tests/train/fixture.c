/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See fixture.h. */
#include "fixture.h"

#include <gio/gio.h>
#include <glib/gstdio.h>
#include <png.h>
#include <string.h>

#include "base/rng.h"

char *
fixture_folder (void)
{
  g_autoptr (GError) error = NULL;
  char *folder = g_dir_make_tmp ("forge-train-XXXXXX", &error);
  g_assert_no_error (error);
  return folder;
}

static void
remove_tree (const char *path)
{
  /* A link goes, what it leads to stays. */
  GDir *dir = g_file_test (path, G_FILE_TEST_IS_SYMLINK)
                  ? NULL
                  : g_dir_open (path, 0, NULL);
  const char *name;
  while (dir && (name = g_dir_read_name (dir))) {
    g_autofree char *below = g_build_filename (path, name, NULL);
    remove_tree (below);
  }
  if (dir)
    g_dir_close (dir);
  g_assert_cmpint (g_remove (path), ==, 0);
}

void
fixture_remove (char *folder)
{
  remove_tree (folder);
  g_free (folder);
}

static char *
make_path (const char *folder, const char *name)
{
  char *path = g_build_filename (folder, name, NULL);
  g_autofree char *parent = g_path_get_dirname (path);
  g_assert_cmpint (g_mkdir_with_parents (parent, 0700), ==, 0);
  return path;
}

void
fixture_write (
    const char *folder, const char *name, const void *bytes, gsize size_bytes)
{
  g_autofree char *path = make_path (folder, name);
  g_autoptr (GError) error = NULL;
  g_file_set_contents (path, bytes, (gssize) size_bytes, &error);
  g_assert_no_error (error);
}

void
fixture_write_gz (
    const char *folder, const char *name, const void *bytes, gsize size_bytes)
{
  g_autoptr (GZlibCompressor) deflate =
      g_zlib_compressor_new (G_ZLIB_COMPRESSOR_FORMAT_GZIP, -1);
  g_autoptr (GOutputStream) memory = g_memory_output_stream_new_resizable ();
  g_autoptr (GOutputStream) stream =
      g_converter_output_stream_new (memory, G_CONVERTER (deflate));
  g_autoptr (GError) error = NULL;
  g_output_stream_write_all (stream, bytes, size_bytes, NULL, NULL, &error);
  g_assert_no_error (error);
  g_output_stream_close (stream, NULL, &error);
  g_assert_no_error (error);
  fixture_write (folder, name,
      g_memory_output_stream_get_data (G_MEMORY_OUTPUT_STREAM (memory)),
      g_memory_output_stream_get_data_size (G_MEMORY_OUTPUT_STREAM (memory)));
}

void
fixture_write_png (const char *folder, const char *name, const uint8_t *pixels,
    int width, int height)
{
  g_autofree char *path = make_path (folder, name);
  png_image image = { .version = PNG_IMAGE_VERSION,
    .width = (png_uint_32) width,
    .height = (png_uint_32) height,
    .format = PNG_FORMAT_RGB };
  g_assert_true (png_image_write_to_file (&image, path, 0, pixels, 0, NULL));
}

void
fixture_write_classes (
    const char *folder, guint n_per_class, guint contrast, uint64_t seed)
{
  static const char *const names[] = { "dark", "light" };
  ForgeRng rng;
  forge_rng_seed (&rng, seed);
  for (guint c = 0; c < G_N_ELEMENTS (names); c++) {
    for (guint i = 0; i < n_per_class; i++) {
      uint8_t pixels[32 * 32 * 3];
      for (gsize p = 0; p < sizeof pixels; p++)
        pixels[p] = (uint8_t) (contrast * c + forge_rng_below (&rng, 140));
      g_autofree char *name = g_strdup_printf ("%s/%03u.png", names[c], i);
      fixture_write_png (folder, name, pixels, 32, 32);
    }
  }
}
