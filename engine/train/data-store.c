/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Sources that keep all their pictures (CIFAR-10, IDX) unpack large files
 * first. What came out is kept in the cache under the names, sizes and times
 * of these, so that the next start maps it, and shares it with others.
 * Notes of such a file, 32 bits little endian each: width, height, files; of
 * each file its pictures, the length of its name and the name; then the
 * classes, a byte each. */
#include <string.h>

#include "base/reader.h"
#include "train/data-source.h"

#define MAX_SIDE 32768

static char *
make_key (const ForgeDataset *dataset, const ForgeDataSource *source)
{
  g_autoptr (GChecksum) sum = g_checksum_copy (dataset->stamp);
  g_autofree char *head = g_strdup_printf ("forge source 1 %s", source->scheme);
  g_checksum_update (sum, (const guchar *) head, -1);
  return g_strdup (g_checksum_get_string (sum));
}

static void
append_u32 (GByteArray *notes, uint32_t value)
{
  uint32_t word = GUINT32_TO_LE (value);
  g_byte_array_append (notes, (const guint8 *) &word, sizeof word);
}

static GByteArray *
write_notes (const ForgeDataset *dataset)
{
  GByteArray *notes = g_byte_array_new ();
  g_autofree uint32_t *rows = g_new0 (uint32_t, dataset->files->len + 1);
  const ForgeDataItem *items = (const ForgeDataItem *) dataset->items->data;
  for (guint i = 0; i < dataset->items->len; i++)
    rows[items[i].file]++;
  append_u32 (notes, (uint32_t) dataset->width);
  append_u32 (notes, (uint32_t) dataset->height);
  append_u32 (notes, dataset->files->len);
  for (guint f = 0; f < dataset->files->len; f++) {
    const char *name = g_ptr_array_index (dataset->files, f);
    append_u32 (notes, rows[f]);
    append_u32 (notes, (uint32_t) strlen (name));
    g_byte_array_append (notes, (const guint8 *) name, (guint) strlen (name));
  }
  for (guint i = 0; i < dataset->items->len; i++) {
    uint8_t class_id = (uint8_t) items[i].class_id;
    g_byte_array_append (notes, &class_id, 1);
  }
  return notes;
}

/* Files and items without their classes. FALSE when the notes make no sense:
 * the caller then starts anew. */
static gboolean
read_files (ForgeDataset *dataset, ForgeReader *reader, uint32_t n_files)
{
  for (uint32_t f = 0; f < n_files; f++) {
    uint32_t n_rows = forge_reader_u32le (reader);
    uint32_t length = forge_reader_u32le (reader);
    const char *bytes = (const char *) forge_reader_take (reader, length);
    /* Each item has a byte to come. */
    if (reader->failed || n_rows > forge_reader_left (reader) ||
        dataset->items->len > forge_reader_left (reader))
      return FALSE;
    g_autofree char *name = g_strndup (bytes, length);
    uint32_t file = forge_dataset_add_file (dataset, name, FALSE);
    for (uint32_t row = 0; row < n_rows; row++) {
      ForgeDataItem item = { 0, file, row, dataset->items->len };
      g_array_append_val (dataset->items, item);
    }
  }
  return forge_reader_left (reader) == dataset->items->len;
}

static gboolean
read_notes (ForgeDataset *dataset, const ForgeCacheView *view)
{
  ForgeReader reader;
  forge_reader_init (&reader, view->notes, view->notes_bytes);
  uint32_t width = forge_reader_u32le (&reader);
  uint32_t height = forge_reader_u32le (&reader);
  uint32_t n_files = forge_reader_u32le (&reader);
  if (reader.failed || width - 1 >= MAX_SIDE || height - 1 >= MAX_SIDE ||
      !read_files (dataset, &reader, n_files))
    return FALSE;
  for (guint i = 0; i < dataset->items->len; i++) {
    uint8_t class_id = forge_reader_u8 (&reader);
    if (class_id >= dataset->labels->len)
      return FALSE;
    g_array_index (dataset->items, ForgeDataItem, i).class_id = class_id;
  }
  gsize n_bytes;
  dataset->width = (int) width;
  dataset->height = (int) height;
  return g_size_checked_mul (
             &n_bytes, dataset->items->len, (gsize) width * height * 3) &&
         n_bytes == view->pixels_bytes;
}

gboolean
forge_dataset_restore (ForgeDataset *dataset, const ForgeDataSource *source)
{
  g_autofree char *key = make_key (dataset, source);
  g_autoptr (ForgeCacheMap) map = forge_cache_open (key);
  if (!map)
    return FALSE;
  if (!read_notes (dataset, &map->view)) {
    g_ptr_array_set_size (dataset->files, 0);
    g_byte_array_set_size (dataset->videos, 0);
    g_array_set_size (dataset->items, 0);
    dataset->width = dataset->height = 0;
    return FALSE;
  }
  dataset->pixels = map->view.pixels;
  dataset->map = g_steal_pointer (&map);
  return TRUE;
}

void
forge_dataset_store (ForgeDataset *dataset, const ForgeDataSource *source)
{
  g_autofree char *key = make_key (dataset, source);
  gsize n_bytes = dataset->items->len * (gsize) dataset->width *
                  (gsize) dataset->height * 3;
  g_autoptr (ForgeCacheBuilder) builder =
      forge_cache_builder_new (key, n_bytes);
  if (!builder)
    return;
  memcpy (builder->pixels, dataset->pixels, n_bytes);
  g_autoptr (GByteArray) notes = write_notes (dataset);
  dataset->map =
      forge_cache_builder_finish (builder, n_bytes, notes->data, notes->len);
  if (!dataset->map)
    return;
  g_steal_pointer (&builder);
  dataset->pixels = dataset->map->view.pixels;
  g_clear_pointer (&dataset->own_pixels, g_free);
}
