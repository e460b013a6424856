/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Files that are no models of ours are named as what they are. */
#include <glib/gstdio.h>
#include <string.h>

#include "forge/error.h"
#include "formats/format.h"

#define BYTES(text) text, sizeof text - 1

/* With the Keras reader built in, such bytes are ours, but damaged. */
#ifdef FORGE_HAVE_KERAS
#define KERAS_ZIP "damaged or truncated zip archive"
#define KERAS_HDF5 "damaged or truncated HDF5 file"
#else
#define KERAS_ZIP "a Keras .keras archive"
#define KERAS_HDF5 "a Keras HDF5 file"
#endif

static const struct {
  const char *bytes;
  gsize size_bytes;
  const char *text;
} rows[] = {
  { BYTES (""), "an empty file" },
  { BYTES ("version https://git-lfs.github.com/spec/v1\noid sha256:1234\n"),
      "git lfs pull" },
  { BYTES ("\xef\xbb\xbf \n<!DOCTYPE html><title>Sign in</title>"),
      "an HTML page" },
  { BYTES ("<HTML><body>"), "an HTML page" },
  { BYTES ("PK\3\4archive/data.pkl"), "a PyTorch file" },
  { BYTES ("PK\3\4config.json model.weights.h5"), KERAS_ZIP },
  { BYTES ("PK\3\4weights.npy"), "a NumPy .npz archive" },
  { BYTES ("PK\3\4readme.txt"), "a ZIP archive" },
  { BYTES ("\x80\x02}q"), "torch.onnx.export" },
  { BYTES ("\x89HDF\r\n\x1a\n\0\0"), KERAS_HDF5 },
  { BYTES ("\x1c\0\0\0TFL3\x14\0"),
      "damaged or truncated TensorFlow Lite model" },
  { BYTES ("\x28\0\0\0ORTM\0\0"), "an ONNX Runtime .ort model" },
  { BYTES ("\x1f\x8b\x08\0\0"), "a gzip archive" },
  { BYTES ("\x89PNG\r\n\x1a\n"), "a PNG picture" },
  { BYTES ("\xff\xd8\xff\xe0"), "a JPEG picture" },
  { BYTES ("\x93NUMPY\1\0"), "a NumPy array" },
  { BYTES ("\0\0\0\x20"
           "ftypisom"),
      "an MP4 video" },
  { BYTES ("\x0a\x20\x0a\x05input\x12\x0bPlaceholder"),
      "a TensorFlow frozen graph" },
  { BYTES ("\x08\x01\x12\x04\x0a\x02\x0a\x00"), "TensorFlow SavedModel" },
  { BYTES ("\x90\0\0\0\0\0\0\0{\"a\":{\"dtype\":\"F32\"}}"),
      "a safetensors file" },
  { BYTES ("<?xml version=\"1.0\"?><net name=\"m\">"), "OpenVINO" },
  { BYTES ("hello, world\n"), "a text file" },
  { BYTES ("\x01\x02\x03\x04\x05"), "a file of unknown type" },
  { BYTES ("\xff"), "a file of unknown type" },
};

static void
foreign_bytes_are_named (void)
{
  ForgeSource source = { .name = "some.onnx" };
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autofree void *copy =
        g_memdup2 (rows[i].bytes, MAX (rows[i].size_bytes, 1));
    g_autoptr (GError) error = NULL;
    g_autoptr (ForgeGraph) graph =
        forge_format_read_bytes (copy, rows[i].size_bytes, &source, &error);
    g_assert_null (graph);
    g_test_message ("%s", error->message);
    g_assert_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT);
    g_assert_true (g_str_has_prefix (error->message, "some.onnx: "));
    g_assert_nonnull (strstr (error->message, rows[i].text));
  }
}

static void
assert_path_refused (const char *path, int code, const char *text)
{
  g_autoptr (GError) error = NULL;
  g_assert_null (forge_format_read_file (path, &error));
  g_test_message ("%s", error->message);
  g_assert_error (error, FORGE_ERROR, code);
  g_assert_true (g_str_has_prefix (error->message, path));
  g_assert_nonnull (strstr (error->message, text));
}

static void
folders_and_missing_files_are_named (void)
{
  g_autofree char *folder = g_dir_make_tmp ("forge-foreign-XXXXXX", NULL);
  g_autofree char *absent = g_build_filename (folder, "absent.onnx", NULL);
  g_autofree char *inside = g_build_filename (folder, "saved_model.pb", NULL);
  assert_path_refused (absent, FORGE_ERROR_NOT_FOUND, "No such file");
  assert_path_refused (folder, FORGE_ERROR_IO, "a folder");
  assert_path_refused ("/dev/null", FORGE_ERROR_IO, "device");
  g_assert_true (g_file_set_contents (inside, "x", 1, NULL));
  assert_path_refused (folder, FORGE_ERROR_FORMAT, "SavedModel folder");
  g_remove (inside);
  g_rmdir (folder);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/foreign/bytes", foreign_bytes_are_named);
  g_test_add_func ("/foreign/paths", folders_and_missing_files_are_named);
  return g_test_run ();
}
