/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Data sets: finds the source that a specification names, lets it list its
 * pictures, has data-split.c cut training, validation and test parts where
 * the source does not come with them, and loads pictures one by one. */
#include "train/data-source.h"

#include <string.h>

#include <glib/gstdio.h>

#include "image/picture.h"

#ifdef FORGE_HAVE_WEBP
#define WITH_WEBP 1
#else
#define WITH_WEBP 0
#endif

static const ForgeDataSource *const sources[] = { &forge_data_cifar10,
  &forge_data_fashion_mnist };

uint8_t *
forge_dataset_append (ForgeDataset *dataset, const char *file_name,
    const uint8_t *classes, uint32_t n_items, int width, int height,
    GError **error)
{
  gsize n_old = dataset->items->len, size_bytes;
  gsize picture_bytes = (gsize) width * (gsize) height * 3;
  g_assert (
      n_old == 0 || (dataset->width == width && dataset->height == height));
  uint8_t *pixels = NULL;
  if (g_size_checked_mul (&size_bytes, n_old + n_items, picture_bytes))
    pixels = g_try_realloc (dataset->own_pixels, MAX (size_bytes, 1));
  if (!pixels) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_MEMORY,
        "%s: no memory for %u pictures of %d x %d", file_name, n_items, width,
        height);
    return NULL;
  }
  dataset->pixels = dataset->own_pixels = pixels;
  dataset->width = width;
  dataset->height = height;
  uint32_t file = forge_dataset_add_file (dataset, file_name, FALSE);
  for (uint32_t i = 0; i < n_items; i++) {
    ForgeDataItem item = { classes[i], file, i, (uint32_t) n_old + i };
    g_array_append_val (dataset->items, item);
  }
  return pixels + n_old * picture_bytes;
}

uint32_t
forge_dataset_add_file (
    ForgeDataset *dataset, const char *name, gboolean is_video)
{
  uint8_t flag = is_video ? 1 : 0;
  g_ptr_array_add (dataset->files, g_strdup (name));
  g_byte_array_append (dataset->videos, &flag, 1);
  return dataset->files->len - 1;
}

/* The time of the last change too, which no tool sets back. */
void
forge_dataset_stamp (ForgeDataset *dataset, const char *path)
{
  GStatBuf info = { 0 };
  gint64 facts[7] = { g_stat (path, &info) };
  facts[1] = (gint64) info.st_size;
  facts[2] = (gint64) info.st_ino;
  facts[3] = (gint64) info.st_mtim.tv_sec;
  facts[4] = (gint64) info.st_mtim.tv_nsec;
  facts[5] = (gint64) info.st_ctim.tv_sec;
  facts[6] = (gint64) info.st_ctim.tv_nsec;
  g_checksum_update (
      dataset->stamp, (const guchar *) path, (gssize) strlen (path) + 1);
  g_checksum_update (
      dataset->stamp, (const guchar *) facts, (gssize) sizeof facts);
}

/* The version changes when decoding does. */
char *
forge_dataset_key (const ForgeDataset *dataset, const char *extra)
{
  g_autoptr (GChecksum) sum = g_checksum_copy (dataset->stamp);
  g_autofree char *head =
      g_strdup_printf ("forge data 1 webp %d video %s\n%s", WITH_WEBP,
          forge_video_can_read () ? forge_video_sampling () : "-", extra);
  g_checksum_update (sum, (const guchar *) head, (gssize) strlen (head));
  for (guint c = 0; c + 1 < dataset->labels->len; c++) {
    const char *label = g_ptr_array_index (dataset->labels, c);
    g_checksum_update (
        sum, (const guchar *) label, (gssize) strlen (label) + 1);
  }
  g_checksum_update (sum, (const guchar *) dataset->items->data,
      (gssize) (dataset->items->len * sizeof (ForgeDataItem)));
  g_checksum_update (sum, (const guchar *) dataset->sets->data,
      (gssize) (dataset->sets->len * sizeof (uint32_t)));
  return g_strdup (g_checksum_get_string (sum));
}

/* @folder as given, or below $FORGE_DATA. */
static char *
find_folder (const char *spec, const char *folder, GError **error)
{
  const char *root = g_getenv ("FORGE_DATA");
  if (*folder && g_file_test (folder, G_FILE_TEST_IS_DIR))
    return g_strdup (folder);
  if (root && *root && !g_path_is_absolute (folder)) {
    g_autofree char *below = g_build_filename (root, folder, NULL);
    if (g_file_test (below, G_FILE_TEST_IS_DIR))
      return g_steal_pointer (&below);
  }
  g_set_error (error, FORGE_ERROR, FORGE_ERROR_NOT_FOUND,
      "data '%s': no folder '%s'%s%s", spec, folder,
      g_path_is_absolute (folder) ? ""
      : root                      ? ", nor below FORGE_DATA="
                                  : "; FORGE_DATA is not set",
      g_path_is_absolute (folder) || !root ? "" : root);
  return NULL;
}

static gboolean
is_scheme (const char *text, gsize length)
{
  for (gsize i = 0; i < length; i++)
    if (!g_ascii_isalnum (text[i]) && text[i] != '-')
      return FALSE;
  return length > 0;
}

static const ForgeDataSource *
find_source (const char *spec, const char **folder, GError **error)
{
  const char *colon = strchr (spec, ':');
  *folder = spec;
  if (!colon || !is_scheme (spec, (gsize) (colon - spec)) ||
      g_file_test (spec, G_FILE_TEST_IS_DIR))
    return &forge_data_folder;
  *folder = colon + 1;
  for (guint i = 0; i < G_N_ELEMENTS (sources); i++)
    if (strlen (sources[i]->scheme) == (gsize) (colon - spec) &&
        g_str_has_prefix (spec, sources[i]->scheme))
      return sources[i];
  g_set_error (error, FORGE_ERROR, FORGE_ERROR_ARGUMENT,
      "data '%s': unknown scheme '%.*s', expected cifar10:DIR, "
      "fashion-mnist:DIR or a folder of class folders or with a labels.csv",
      spec, (int) (colon - spec), spec);
  return NULL;
}

static gboolean
read_source (ForgeDataset *dataset, const ForgeDataSource *source,
    const char *folder, GError **error)
{
  if (!source->labels)
    return source->read (dataset, folder, dataset->split, error);
  for (const char *const *label = source->labels; *label; label++)
    g_ptr_array_add (dataset->labels, g_strdup (*label));
  dataset->cut = dataset->split == FORGE_SPLIT_TEST ? FORGE_CUT_NONE
                                                    : FORGE_CUT_VALIDATION;
  source->stamp (dataset, folder, dataset->split);
  if (forge_dataset_restore (dataset, source))
    return TRUE;
  if (!source->read (dataset, folder, dataset->split, error))
    return FALSE;
  forge_dataset_store (dataset, source);
  return TRUE;
}

ForgeDataset *
forge_dataset_open (
    const char *spec, ForgeSplit split, const ForgeCut *cut, GError **error)
{
  g_return_val_if_fail (spec, NULL);
  const ForgeCut usual = { .seed = 1 };
  cut = cut ? cut : &usual;
  if (!(cut->validation >= 0 && cut->validation <= FORGE_MAX_VALIDATION)) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_ARGUMENT,
        "data '%s': expected a validation share of 0 to %g, found %g", spec,
        FORGE_MAX_VALIDATION, cut->validation);
    return NULL;
  }
  const char *name;
  const ForgeDataSource *source = find_source (spec, &name, error);
  if (!source)
    return NULL;
  g_autofree char *folder = find_folder (spec, name, error);
  if (!folder)
    return NULL;
  g_autoptr (ForgeDataset) dataset = g_new0 (ForgeDataset, 1);
  dataset->spec = g_strdup (spec);
  dataset->split = split;
  dataset->stamp = g_checksum_new (G_CHECKSUM_SHA256);
  dataset->videos = g_byte_array_new ();
  dataset->ignored = g_ptr_array_new_with_free_func (g_free);
  dataset->shelf = forge_video_shelf_new ();
  dataset->labels = g_ptr_array_new_with_free_func (g_free);
  dataset->files = g_ptr_array_new_with_free_func (g_free);
  dataset->items = g_array_new (FALSE, FALSE, sizeof (ForgeDataItem));
  dataset->sets = g_array_new (FALSE, FALSE, sizeof (uint32_t));
  if (!read_source (dataset, source, folder, error))
    return NULL;
  g_ptr_array_add (dataset->labels, NULL);
  if (dataset->cut != FORGE_CUT_NONE)
    forge_dataset_cut (dataset, cut);
  if (dataset->items->len == 0) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_NOT_FOUND,
        "data '%s': no pictures in this part", spec);
    return NULL;
  }
  return g_steal_pointer (&dataset);
}

void
forge_dataset_free (ForgeDataset *dataset)
{
  if (!dataset)
    return;
  g_ptr_array_unref (dataset->labels);
  g_ptr_array_unref (dataset->files);
  g_array_unref (dataset->items);
  g_array_unref (dataset->sets);
  g_ptr_array_unref (dataset->ignored);
  g_byte_array_unref (dataset->videos);
  g_checksum_free (dataset->stamp);
  forge_video_shelf_free (dataset->shelf);
  forge_cache_map_free (dataset->map);
  g_free (dataset->own_pixels);
  g_free (dataset->spec);
  g_free (dataset->hash);
  g_free (dataset);
}

guint
forge_dataset_get_n_items (const ForgeDataset *dataset)
{
  return dataset->items->len;
}

const char *const *
forge_dataset_get_labels (const ForgeDataset *dataset)
{
  return (const char *const *) dataset->labels->pdata;
}

guint
forge_dataset_get_n_classes (const ForgeDataset *dataset)
{
  return dataset->labels->len - 1;
}

static const ForgeDataItem *
get_item (const ForgeDataset *dataset, guint index)
{
  g_assert (index < dataset->items->len);
  return &g_array_index (dataset->items, ForgeDataItem, index);
}

gboolean
forge_dataset_is_multi_label (const ForgeDataset *dataset)
{
  return dataset->is_multi_label;
}

const uint32_t *
forge_dataset_get_classes (
    const ForgeDataset *dataset, guint index, guint *n_classes)
{
  const ForgeDataItem *item = get_item (dataset, index);
  if (!dataset->is_multi_label) {
    *n_classes = 1;
    return &item->class_id;
  }
  const uint32_t *set = &g_array_index (dataset->sets, uint32_t, item->place);
  *n_classes = set[0];
  return set + 1;
}

guint
forge_dataset_get_class (const ForgeDataset *dataset, guint index)
{
  guint n;
  const uint32_t *classes = forge_dataset_get_classes (dataset, index, &n);
  return n > 0 ? classes[0] : G_MAXUINT;
}

char *
forge_dataset_describe_item (const ForgeDataset *dataset, guint index)
{
  const ForgeDataItem *item = get_item (dataset, index);
  const char *file = g_ptr_array_index (dataset->files, item->file);
  if (item->row == FORGE_DATA_WHOLE_FILE)
    return g_strdup (file);
  return g_strdup_printf ("%s[%u]", file, item->row);
}

ForgePicture *
forge_dataset_load (const ForgeDataset *dataset, guint index, GError **error)
{
  const ForgeDataItem *item = get_item (dataset, index);
  const char *file = g_ptr_array_index (dataset->files, item->file);
  if (dataset->videos->data[item->file])
    return forge_video_shelf_get (dataset->shelf, file, item->row, error);
  if (!dataset->pixels)
    return forge_picture_load (file, error);
  gsize picture_bytes = (gsize) dataset->width * (gsize) dataset->height * 3;
  ForgePicture *picture = forge_picture_new (
      (uint64_t) dataset->width, (uint64_t) dataset->height, "picture", error);
  if (picture)
    memcpy (picture->data, dataset->pixels + item->place * picture_bytes,
        picture_bytes);
  return picture;
}

static void
hash_u32 (GChecksum *sum, uint32_t value)
{
  uint8_t bytes[4] = { value, value >> 8, value >> 16, value >> 24 };
  g_checksum_update (sum, bytes, sizeof bytes);
}

/* The class; of multi-label data the number of classes and these. */
static void
hash_classes (GChecksum *sum, const ForgeDataset *dataset, guint index)
{
  guint n;
  const uint32_t *classes = forge_dataset_get_classes (dataset, index, &n);
  if (dataset->is_multi_label)
    hash_u32 (sum, n);
  for (guint i = 0; i < n; i++)
    hash_u32 (sum, classes[i]);
}

/* Labels with their final zero bytes, then class, width, height (32-bit
 * little endian) and pixels of each item. A picture that does not decode has
 * no pixels: its place is kept by a size of 0 x 0. */
const char *
forge_dataset_get_hash (ForgeDataset *dataset)
{
  if (dataset->hash)
    return dataset->hash;
  g_autofree char *key = forge_dataset_key (dataset, "hash");
  dataset->hash = forge_cache_get_fact (key);
  if (dataset->hash)
    return dataset->hash;
  g_autoptr (GChecksum) sum = g_checksum_new (G_CHECKSUM_SHA256);
  for (guint c = 0; c < dataset->labels->len - 1; c++) {
    const char *label = g_ptr_array_index (dataset->labels, c);
    g_checksum_update (
        sum, (const guchar *) label, (gssize) strlen (label) + 1);
  }
  for (guint i = 0; i < dataset->items->len; i++) {
    g_autoptr (ForgePicture) picture = forge_dataset_load (dataset, i, NULL);
    hash_classes (sum, dataset, i);
    hash_u32 (sum, picture ? (uint32_t) picture->width : 0);
    hash_u32 (sum, picture ? (uint32_t) picture->height : 0);
    if (picture)
      g_checksum_update (
          sum, picture->data, (gssize) picture->width * picture->height * 3);
  }
  dataset->hash = g_strdup (g_checksum_get_string (sum));
  forge_cache_set_fact (key, dataset->hash);
  return dataset->hash;
}
