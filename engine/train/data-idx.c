/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Fashion-MNIST in IDX files, raw or gzip: big-endian header (magic, number
 * of items, extents), then bytes. Grey is shown as R'G'B'. Nothing is
 * allocated on the header's word: the buffer grows with what is really read.
 * Source: Y. LeCun, "The MNIST database", file formats; Xiao, Rasul and
 * Vollgraf, "Fashion-MNIST" (2017). */
#include "train/data-source.h"

#include <gio/gio.h>
#include <string.h>

#include "base/reader.h"

#define MAGIC_CLASSES 0x801  /* unsigned byte, rank 1 */
#define MAGIC_PICTURES 0x803 /* unsigned byte, rank 3 */
#define MAX_SIDE 4096
#define CHUNK_BYTES (1 << 20)

static const char *const class_names[] = { "T-shirt/top", "Trouser", "Pullover",
  "Dress", "Coat", "Sandal", "Shirt", "Sneaker", "Bag", "Ankle boot", NULL };

typedef struct {
  char *path;
  uint32_t dims[3]; /* items, height, width; 1 where the rank is less */
  uint8_t *data;
} IdxFile;

static void
idx_file_clear (IdxFile *file)
{
  g_free (file->path);
  g_free (file->data);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (IdxFile, idx_file_clear)

static GInputStream *
open_stream (const char *folder, const char *name, char **path, GError **error)
{
  g_autofree char *zipped_name = g_strconcat (name, ".gz", NULL);
  g_autofree char *plain = g_build_filename (folder, name, NULL);
  g_autofree char *zipped = g_build_filename (folder, zipped_name, NULL);
  gboolean is_zipped = !g_file_test (plain, G_FILE_TEST_EXISTS);
  *path = g_strdup (is_zipped ? zipped : plain);
  g_autoptr (GFile) file = g_file_new_for_path (*path);
  g_autoptr (GError) open_error = NULL;
  GFileInputStream *stream = g_file_read (file, NULL, &open_error);
  if (!stream) {
    gboolean absent =
        g_error_matches (open_error, G_IO_ERROR, G_IO_ERROR_NOT_FOUND);
    g_set_error (error, FORGE_ERROR,
        absent ? FORGE_ERROR_NOT_FOUND : FORGE_ERROR_IO,
        absent ? "%s: found neither this file nor one without .gz" : "%s: %s",
        *path, open_error->message);
    return NULL;
  }
  if (!is_zipped)
    return G_INPUT_STREAM (stream);
  g_autoptr (GZlibDecompressor) inflate =
      g_zlib_decompressor_new (G_ZLIB_COMPRESSOR_FORMAT_GZIP);
  GInputStream *inflated = g_converter_input_stream_new (
      G_INPUT_STREAM (stream), G_CONVERTER (inflate));
  g_object_unref (stream);
  return inflated;
}

/* Reads exactly @size_bytes into a buffer that grows by chunks. */
static uint8_t *
read_body (
    GInputStream *stream, const char *path, gsize size_bytes, GError **error)
{
  g_autofree uint8_t *data = NULL;
  gsize room_bytes = 0, have_bytes = 0, got = 1;
  g_autoptr (GError) read_error = NULL;
  while (have_bytes < size_bytes && got > 0) {
    if (room_bytes == have_bytes) {
      room_bytes = MIN (size_bytes, MAX (room_bytes * 2, CHUNK_BYTES));
      uint8_t *grown = g_try_realloc (data, room_bytes);
      if (!grown) {
        g_set_error (error, FORGE_ERROR, FORGE_ERROR_MEMORY,
            "%s: no memory for %" G_GSIZE_FORMAT " bytes", path, room_bytes);
        return NULL;
      }
      data = grown;
    }
    if (!g_input_stream_read_all (stream, data + have_bytes,
            room_bytes - have_bytes, &got, NULL, &read_error))
      break;
    have_bytes += got;
  }
  if (have_bytes < size_bytes) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT,
        "%s: expected %" G_GSIZE_FORMAT
        " bytes after the header, found %" G_GSIZE_FORMAT "%s%s",
        path, size_bytes, have_bytes, read_error ? ": " : ": truncated",
        read_error ? read_error->message : "");
    return NULL;
  }
  return g_steal_pointer (&data);
}

static gboolean
check_extents (const IdxFile *file, GError **error)
{
  uint64_t limit = (uint64_t) G_MAXINT32 * 2;
  if (file->dims[0] > 0 && file->dims[1] > 0 && file->dims[2] > 0 &&
      file->dims[1] <= MAX_SIDE && file->dims[2] <= MAX_SIDE &&
      (uint64_t) file->dims[0] * (file->dims[1] * file->dims[2]) <= limit)
    return TRUE;
  g_set_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT,
      "%s: header: %u items of %u x %u is out of range", file->path,
      file->dims[0], file->dims[1], file->dims[2]);
  return FALSE;
}

static gboolean
read_idx (const char *folder, const char *name, uint32_t magic, IdxFile *file,
    GError **error)
{
  g_autoptr (GInputStream) stream =
      open_stream (folder, name, &file->path, error);
  if (!stream)
    return FALSE;
  gsize header_bytes = magic == MAGIC_PICTURES ? 16 : 8, got = 0;
  uint8_t header[16] = { 0 };
  g_autoptr (GError) read_error = NULL;
  g_input_stream_read_all (
      stream, header, header_bytes, &got, NULL, &read_error);
  ForgeReader reader;
  forge_reader_init (&reader, header, got);
  uint32_t found = forge_reader_u32be (&reader);
  for (int i = 0; i < 3; i++)
    file->dims[i] =
        4 + 4u * i < header_bytes ? forge_reader_u32be (&reader) : 1;
  if (reader.failed || found != magic) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT,
        "%s: expected an IDX header with magic number 0x%08x, found 0x%08x%s%s",
        file->path, magic, found, read_error ? ": " : "",
        read_error ? read_error->message : "");
    return FALSE;
  }
  if (!check_extents (file, error))
    return FALSE;
  file->data = read_body (stream, file->path,
      (gsize) file->dims[0] * file->dims[1] * file->dims[2], error);
  return file->data != NULL;
}

static gboolean
check_classes (const IdxFile *classes, const IdxFile *pictures, GError **error)
{
  uint32_t n = classes->dims[0], n_classes = G_N_ELEMENTS (class_names) - 1;
  if (n != pictures->dims[0]) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT,
        "%s: %u classes for the %u pictures of %s", classes->path, n,
        pictures->dims[0], pictures->path);
    return FALSE;
  }
  for (uint32_t i = 0; i < n; i++) {
    if (classes->data[i] >= n_classes) {
      g_set_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT,
          "%s: item %u: expected a class of 0 to %u, found %u", classes->path,
          i, n_classes - 1, classes->data[i]);
      return FALSE;
    }
  }
  return TRUE;
}

static const char *
pictures_name (ForgeSplit split)
{
  return split == FORGE_SPLIT_TEST ? "t10k-images-idx3-ubyte"
                                   : "train-images-idx3-ubyte";
}

static const char *
classes_name (ForgeSplit split)
{
  return split == FORGE_SPLIT_TEST ? "t10k-labels-idx1-ubyte"
                                   : "train-labels-idx1-ubyte";
}

/* Raw and zipped, for which one is read depends on which are there. */
static void
stamp_fashion_mnist (
    ForgeDataset *dataset, const char *folder, ForgeSplit split)
{
  const char *const names[] = { pictures_name (split), classes_name (split) };
  for (gsize i = 0; i < G_N_ELEMENTS (names); i++) {
    g_autofree char *plain = g_build_filename (folder, names[i], NULL);
    g_autofree char *zipped = g_strconcat (plain, ".gz", NULL);
    forge_dataset_stamp (dataset, plain);
    forge_dataset_stamp (dataset, zipped);
  }
}

static gboolean
read_fashion_mnist (
    ForgeDataset *dataset, const char *folder, ForgeSplit split, GError **error)
{
  g_auto (IdxFile) pictures = { 0 };
  g_auto (IdxFile) classes = { 0 };
  if (!read_idx (
          folder, pictures_name (split), MAGIC_PICTURES, &pictures, error) ||
      !read_idx (
          folder, classes_name (split), MAGIC_CLASSES, &classes, error) ||
      !check_classes (&classes, &pictures, error))
    return FALSE;
  g_autofree char *file = g_path_get_basename (pictures.path);
  uint8_t *out = forge_dataset_append (dataset, file, classes.data,
      pictures.dims[0], (int) pictures.dims[2], (int) pictures.dims[1], error);
  if (!out)
    return FALSE;
  gsize n = (gsize) pictures.dims[0] * pictures.dims[1] * pictures.dims[2];
  for (gsize i = 0; i < n; i++)
    memset (out + 3 * i, pictures.data[i], 3);
  return TRUE;
}

const ForgeDataSource forge_data_fashion_mnist = { "fashion-mnist", class_names,
  stamp_fashion_mnist, read_fashion_mnist };
