/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A folder with one sub-folder of PNG or JPEG files per class, in the order
 * of their names; or such folders under train/, val/ and test/. The classes
 * are those of train/. Where there is val/ but no test/, val/ is both. */
#include "train/data-source.h"

#include <string.h>

#define MAX_CLASSES 65536

static int
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

/* Sorted names in @folder: folders or files; hidden ones are left out. */
static GPtrArray *
list_folder (const char *folder, gboolean want_folders, GError **error)
{
  g_autoptr (GError) open_error = NULL;
  g_autoptr (GDir) dir = g_dir_open (folder, 0, &open_error);
  if (!dir) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_IO, "%s: %s", folder,
        open_error->message);
    return NULL;
  }
  GPtrArray *names = g_ptr_array_new_with_free_func (g_free);
  const char *name;
  while ((name = g_dir_read_name (dir))) {
    g_autofree char *path = g_build_filename (folder, name, NULL);
    if (name[0] != '.' &&
        g_file_test (path, G_FILE_TEST_IS_DIR) == want_folders)
      g_ptr_array_add (names, g_strdup (name));
  }
  g_ptr_array_sort (names, compare_names);
  return names;
}

static gboolean
is_picture_name (const char *name)
{
  static const char *const endings[] = { ".png", ".jpg", ".jpeg", NULL };
  g_autofree char *lower = g_ascii_strdown (name, -1);
  for (const char *const *ending = endings; *ending; ending++)
    if (g_str_has_suffix (lower, *ending))
      return TRUE;
  return FALSE;
}

static gboolean
read_class (ForgeDataset *dataset, const char *folder, uint32_t class_id,
    GError **error)
{
  g_autoptr (GPtrArray) names = list_folder (folder, FALSE, error);
  if (!names)
    return FALSE;
  for (guint i = 0; i < names->len; i++) {
    const char *name = g_ptr_array_index (names, i);
    if (!is_picture_name (name))
      continue;
    ForgeDataItem item = { class_id, dataset->files->len,
      FORGE_DATA_WHOLE_FILE };
    g_ptr_array_add (dataset->files, g_build_filename (folder, name, NULL));
    g_array_append_val (dataset->items, item);
  }
  return TRUE;
}

static gboolean
set_labels (ForgeDataset *dataset, const char *folder, GError **error)
{
  g_autoptr (GPtrArray) names = list_folder (folder, TRUE, error);
  if (!names)
    return FALSE;
  if (names->len < 2 || names->len > MAX_CLASSES) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT,
        "%s: expected 2 to %d folders, one a class, found %u", folder,
        MAX_CLASSES, names->len);
    return FALSE;
  }
  for (guint i = 0; i < names->len; i++)
    g_ptr_array_add (dataset->labels, g_strdup (g_ptr_array_index (names, i)));
  return TRUE;
}

static gboolean
check_known (const ForgeDataset *dataset, const char *folder, GError **error)
{
  g_autoptr (GPtrArray) names = list_folder (folder, TRUE, error);
  if (!names)
    return FALSE;
  for (guint i = 0; i < names->len; i++) {
    const char *name = g_ptr_array_index (names, i);
    if (!g_ptr_array_find_with_equal_func (
            dataset->labels, name, g_str_equal, NULL)) {
      g_set_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT,
          "%s: class folder '%s' is not among the training classes", folder,
          name);
      return FALSE;
    }
  }
  return TRUE;
}

/* The pictures of all classes below @part. Training needs every class. */
static gboolean
read_part (
    ForgeDataset *dataset, const char *part, gboolean need_all, GError **error)
{
  if (!check_known (dataset, part, error))
    return FALSE;
  for (guint c = 0; c < dataset->labels->len; c++) {
    g_autofree char *folder =
        g_build_filename (part, g_ptr_array_index (dataset->labels, c), NULL);
    guint n_before = dataset->items->len;
    if (g_file_test (folder, G_FILE_TEST_IS_DIR) &&
        !read_class (dataset, folder, c, error))
      return FALSE;
    if (need_all && dataset->items->len == n_before) {
      g_set_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT,
          "%s: expected PNG or JPEG files of this class, found none", folder);
      return FALSE;
    }
  }
  return TRUE;
}

/* The first of @names that is a folder below @folder, or NULL. */
static char *
find_part (const char *folder, const char *const *names)
{
  for (; *names; names++) {
    g_autofree char *path = g_build_filename (folder, *names, NULL);
    if (g_file_test (path, G_FILE_TEST_IS_DIR))
      return g_steal_pointer (&path);
  }
  return NULL;
}

static gboolean
read_folder (
    ForgeDataset *dataset, const char *folder, ForgeSplit split, GError **error)
{
  static const char *const train_names[] = { "train", NULL };
  static const char *const val_names[] = { "val", "validation", NULL };
  static const char *const test_names[] = { "test", "val", "validation", NULL };
  g_autofree char *train = find_part (folder, train_names);
  if (!set_labels (dataset, train ? train : folder, error))
    return FALSE;
  if (!train) {
    dataset->cut = FORGE_CUT_PARTS;
    return read_part (dataset, folder, TRUE, error);
  }
  g_autofree char *val = find_part (folder, val_names);
  g_autofree char *test = find_part (folder, test_names);
  if (split == FORGE_SPLIT_TEST) {
    if (!test) {
      g_set_error (error, FORGE_ERROR, FORGE_ERROR_NOT_FOUND,
          "%s: found neither test/ nor val/ beside train/", folder);
      return FALSE;
    }
    return read_part (dataset, test, FALSE, error);
  }
  if (split == FORGE_SPLIT_VALIDATION && val)
    return read_part (dataset, val, FALSE, error);
  dataset->cut = val ? FORGE_CUT_NONE : FORGE_CUT_TENTH;
  return read_part (dataset, train, TRUE, error);
}

const ForgeDataSource forge_data_folder = { NULL, read_folder };
