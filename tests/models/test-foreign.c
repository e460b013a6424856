/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Files that are no models of ours are named as what they are. */
#include <fcntl.h>
#include <glib/gstdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

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
  { BYTES ("PK\3\4net/data.pkl net/code/__torch__.py net/constants.pkl"),
      "a TorchScript file" },
  { BYTES ("PK\3\4config.json model.weights.h5"), KERAS_ZIP },
  { BYTES ("PK\3\4weights.npy"), "a NumPy .npz archive" },
  { BYTES ("PK\3\4readme.txt"), "a ZIP archive" },
  { BYTES ("\x80\x02}q"), "torch.onnx.export" },
  { BYTES ("\x80\x02\x8a\x0a\x6c\xfc\x9c\x46\xf9\x20\x6a\xa8\x50\x19."),
      "an old PyTorch file; export it with torch.onnx.export" },
  { BYTES ("\x80\x04\x95\x10\0\0\0\0\0\0\0\x8c\x14sklearn.ensemble"),
      "skl2onnx" },
  { BYTES ("\x80\x05\x95\x10"), "a Python pickle" },
  { BYTES ("\x89HDF\r\n\x1a\n\0\0"), KERAS_HDF5 },
  { BYTES ("\x1c\0\0\0TFL3\x14\0"),
      "damaged or truncated TensorFlow Lite model" },
  { BYTES ("\x28\0\0\0ORTM\0\0"), "an ONNX Runtime .ort model" },
  { BYTES ("\x1f\x8b\x08\0\0"), "a gzip archive" },
  { BYTES ("7z\xbc\xaf\x27\x1c\0\4"), "a 7z archive" },
  { BYTES ("Rar!\x1a\x07\1"), "a RAR archive" },
  { BYTES ("BZh91AY"), "a bzip2 archive" },
  { BYTES ("\xfd"
           "7zXZ\0\0"),
      "an xz archive" },
  { BYTES ("\x28\xb5\x2f\xfd\0"), "a Zstandard archive" },
  { BYTES ("\x04\x22\x4d\x18@"), "an LZ4 archive" },
  { BYTES ("GGUF\3\0\0\0"), "a GGUF language model" },
  { BYTES ("\x1c\0\0\0ET12"), "an ExecuTorch program" },
  { BYTES ("ftrt\1\0"), "a TensorRT engine" },
  { BYTES ("RKNN\0\0"), "an RKNN model" },
  { BYTES ("\x7f"
           "ELF\2\1"),
      "a program or shared library" },
  { BYTES ("\x89PNG\r\n\x1a\n"), "a PNG picture" },
  { BYTES ("\xff\xd8\xff\xe0"), "a JPEG picture" },
  { BYTES ("\x93NUMPY\1\0"), "a NumPy array" },
  { BYTES ("\0\0\0\x20"
           "ftypisom"),
      "an MP4 video" },
  { BYTES ("\x0a\x20\x0a\x05input\x12\x0bPlaceholder"),
      "a TensorFlow frozen graph" },
  { BYTES ("\x0a\x05"
           "lenet\x12\x04\x0a\x02xx"),
      "Caffe weights" },
  { BYTES ("\x0a\x05"
           "lenet\xa2\x06\x04\x0a\x02xx"),
      "Caffe weights" },
  { BYTES ("\x08\x01\x12\x04\x0a\x02\x0a\x00\xc2\x0c\x00"), "a Core ML model" },
  { BYTES ("\x08\x01\x12\x04\x0a\x02\x0a\x00"), "TensorFlow SavedModel" },
  { BYTES ("\x90\0\0\0\0\0\0\0{\"a\":{\"dtype\":\"F32\"}}"),
      "a safetensors file" },
  { BYTES ("<?xml version=\"1.0\"?><net name=\"m\">"), "OpenVINO" },
  { BYTES ("<net name=\"m\" version=\"11\">"), "an OpenVINO network" },
  { BYTES ("7767517\n75 83\nInput data 0 1 data"), "an ncnn parameter file" },
  { BYTES ("name: \"LeNet\"\nlayer {\n"), "a Caffe prototxt" },
  { BYTES ("layer {\n  name: \"data\"\n"), "a Caffe prototxt" },
  { BYTES ("node {\n  name: \"x\"\n"), "a TensorFlow graph in text" },
  { BYTES ("[net]\nbatch=64\n"), "a Darknet configuration" },
  { BYTES ("[modelinfo]\nversion=1.0\n"), "a .modelinfo file" },
  { BYTES ("{\"format\": \"layers-model\", \"modelTopology\": {}}"),
      "a TensorFlow.js model" },
  { BYTES ("{\"class_name\": \"Sequential\"}"), "without weights" },
  { BYTES ("{\"nodes\": [], \"arg_nodes\": []}"), "an MXNet symbol file" },
  { BYTES ("{\"a\": 1}"), "a JSON file" },
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

/* The test that a name is only asked where the bytes say nothing. */
static void
names_are_asked_last (void)
{
  static const struct {
    const char *name, *text;
  } named[] = {
    { "net.bin", "raw weights without a network" },
    { "yolo.WEIGHTS", "Darknet weights" },
    { "net.params", "MXNet parameters" },
    { "net.pdmodel", "paddle2onnx" },
    { "net.pdiparams", "paddle2onnx" },
    { "net.mnn", "an MNN model" },
    { "net.caffemodel", "Caffe weights" },
    { "net.mlmodel", "a Core ML model" },
    { "net.onnx", "a file of unknown type" },
  };
  for (gsize i = 0; i < G_N_ELEMENTS (named); i++) {
    ForgeSource source = { .name = named[i].name };
    g_autoptr (GError) error = NULL;
    g_assert_null (
        forge_format_read_bytes ("\x01\x02\x03\x04\x05", 5, &source, &error));
    g_assert_nonnull (strstr (error->message, named[i].text));
    g_clear_error (&error);
    g_assert_null (forge_format_read_bytes ("GGUF\3\0", 6, &source, &error));
    g_assert_nonnull (strstr (error->message, "GGUF"));
  }
}

static void
a_tar_archive_is_named (void)
{
  char bytes[512] = "net.onnx";
  ForgeSource source = { .name = "net.tar" };
  g_autoptr (GError) error = NULL;
  memcpy (bytes + 257, "ustar", 5);
  g_assert_null (
      forge_format_read_bytes (bytes, sizeof bytes, &source, &error));
  g_assert_nonnull (strstr (error->message, "a tar archive; unpack it first"));
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
  static const struct {
    const char *inside, *text;
  } folders[] = {
    { "keras_metadata.pb", "a Keras SavedModel folder" },
    { "model.onnx", "name its model.onnx" },
    { "data.pkl", "an unpacked PyTorch file" },
    { "constants.pkl", "an unpacked TorchScript file" },
    { "model.weights.h5", "an unpacked .keras file" },
    { "model.safetensors", "a folder of a PyTorch model" },
    { "Manifest.json", "a Core ML package" },
  };
  for (gsize i = 0; i < G_N_ELEMENTS (folders); i++) {
    g_autofree char *file = g_build_filename (folder, folders[i].inside, NULL);
    g_assert_true (g_file_set_contents (file, "x", 1, NULL));
    assert_path_refused (folder, FORGE_ERROR_FORMAT, folders[i].text);
    g_remove (file);
  }
  /* nobody writes into it: an open that waits would hang here */
  g_autofree char *pipe = g_build_filename (folder, "pipe.onnx", NULL);
  g_assert_cmpint (mkfifo (pipe, 0600), ==, 0);
  assert_path_refused (pipe, FORGE_ERROR_IO, "pipe");
  g_remove (pipe);
  g_rmdir (folder);
}

/* A hole of 3 GiB takes no room; nothing of it may be read. */
static void
a_file_beyond_protocol_buffers_is_refused (void)
{
  g_autofree char *folder = g_dir_make_tmp ("forge-foreign-XXXXXX", NULL);
  g_autofree char *path = g_build_filename (folder, "large.onnx", NULL);
  int fd = g_open (path, O_CREAT | O_WRONLY, 0600);
  g_assert_cmpint (fd, >=, 0);
  g_assert_cmpint (ftruncate (fd, (off_t) 3 << 30), ==, 0);
  close (fd);
  assert_path_refused (path, FORGE_ERROR_FORMAT, "too large");
  g_remove (path);
  g_rmdir (folder);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/foreign/bytes", foreign_bytes_are_named);
  g_test_add_func ("/foreign/names", names_are_asked_last);
  g_test_add_func ("/foreign/tar", a_tar_archive_is_named);
  g_test_add_func ("/foreign/large", a_file_beyond_protocol_buffers_is_refused);
  g_test_add_func ("/foreign/paths", folders_and_missing_files_are_named);
  return g_test_run ();
}
