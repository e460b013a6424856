/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A folder with one sub-folder of pictures or videos per class, in the order
 * of their names; or such folders under train/, val/ and test/. The classes
 * are those of train/. Where there is val/ but no test/, val/ is both. A
 * labels.csv in the folder comes before all that (data-csv.c).
 *
 * A file belongs to the data when its name says so, and whether it can be
 * decoded is found out later: a broken one must be reported, not lost. */
#include <string.h>

#include <glib/gstdio.h>

#include "train/data-csv.h"

#define MAX_CLASSES 65536
#define MAX_FILES (1 << 24)
/* Of folders below a class folder. */
#define MAX_DEPTH 16

static int
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

/* Hidden files, and what macOS and NAS boxes put beside pictures. */
static gboolean
is_hidden (const char *name)
{
  return name[0] == '.' || strcmp (name, "__MACOSX") == 0 ||
         strcmp (name, "@eaDir") == 0;
}

/* Sorted names in @folder: folders or all else; hidden ones are left out. A
 * link is what it leads to; one that leads nowhere is a file. */
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
    if (!is_hidden (name) &&
        g_file_test (path, G_FILE_TEST_IS_DIR) == want_folders)
      g_ptr_array_add (names, g_strdup (name));
  }
  g_ptr_array_sort (names, compare_names);
  return names;
}

static gboolean
is_picture_name (const char *name)
{
  static const char *const endings[] = { ".png", ".jpg", ".jpeg", ".jpe",
    ".jfif", ".webp", NULL };
  g_autofree char *lower = g_ascii_strdown (name, -1);
  for (const char *const *ending = endings; *ending; ending++)
    if (g_str_has_suffix (lower, *ending))
      return TRUE;
  return FALSE;
}

/* Adds @folder to those that were walked; FALSE when it is there already, by
 * a link. */
static gboolean
visit (GHashTable *visited, const char *folder)
{
  GStatBuf info;
  if (g_stat (folder, &info) != 0)
    return FALSE;
  return g_hash_table_add (
      visited, g_strdup_printf ("%" G_GUINT64_FORMAT " %" G_GUINT64_FORMAT,
                   (guint64) info.st_dev, (guint64) info.st_ino));
}

typedef struct {
  ForgeDataset *dataset;
  uint32_t class_id;
  GHashTable *visited;
  guint n_ignored_before;
} Walk;

static void
ignore_file (ForgeDataset *dataset, const char *path)
{
  if (dataset->n_ignored++ < FORGE_DATA_MAX_IGNORED)
    g_ptr_array_add (dataset->ignored, g_strdup (path));
}

/* An item for each frame; one, which will not load, when there are none. */
static gboolean
add_video (
    ForgeDataset *dataset, const char *path, ForgeDataItem item, GError **error)
{
  g_autoptr (GChecksum) before = g_steal_pointer (&dataset->stamp);
  dataset->stamp = g_checksum_new (G_CHECKSUM_SHA256);
  forge_dataset_stamp (dataset, path);
  g_autofree char *key = g_strdup (g_checksum_get_string (dataset->stamp));
  g_checksum_free (dataset->stamp);
  dataset->stamp = g_steal_pointer (&before);
  g_autoptr (GError) count_error = NULL;
  guint n = forge_video_count (path, key, &count_error);
  if (g_error_matches (count_error, FORGE_ERROR, FORGE_ERROR_ARGUMENT)) {
    g_propagate_error (error, g_steal_pointer (&count_error));
    return FALSE;
  }
  for (item.row = 0; item.row < MAX (n, 1); item.row++)
    g_array_append_val (dataset->items, item);
  return TRUE;
}

gboolean
forge_data_add_file (ForgeDataset *dataset, const char *path,
    const ForgeDataItem *like, GError **error)
{
  ForgeDataItem item = *like;
  gboolean is_video = forge_video_is_name (path) && forge_video_can_read ();
  if (dataset->files->len >= MAX_FILES) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_UNSUPPORTED,
        "%s: more than %d files", path, MAX_FILES);
    return FALSE;
  }
  forge_dataset_stamp (dataset, path);
  item.file = forge_dataset_add_file (dataset, path, is_video);
  if (is_video)
    return add_video (dataset, path, item, error);
  item.row = FORGE_DATA_WHOLE_FILE;
  g_array_append_val (dataset->items, item);
  return TRUE;
}

static gboolean
add_file (
    const Walk *walk, const char *folder, const char *name, GError **error)
{
  g_autofree char *path = g_build_filename (folder, name, NULL);
  const ForgeDataItem item = { .class_id = walk->class_id };
  if (is_picture_name (name) ||
      (forge_video_is_name (name) && forge_video_can_read ()))
    return forge_data_add_file (walk->dataset, path, &item, error);
  ignore_file (walk->dataset, path);
  return TRUE;
}

static gboolean
walk_folder (const Walk *walk, const char *folder, guint depth, GError **error)
{
  if (!visit (walk->visited, folder))
    return TRUE;
  g_autoptr (GPtrArray) names = list_folder (folder, FALSE, error);
  g_autoptr (GPtrArray) below =
      names ? list_folder (folder, TRUE, error) : NULL;
  if (!below)
    return FALSE;
  for (guint i = 0; i < names->len; i++)
    if (!add_file (walk, folder, g_ptr_array_index (names, i), error))
      return FALSE;
  for (guint i = 0; i < below->len; i++) {
    g_autofree char *path =
        g_build_filename (folder, g_ptr_array_index (below, i), NULL);
    if (depth == MAX_DEPTH)
      ignore_file (walk->dataset, path);
    else if (!walk_folder (walk, path, depth + 1, error))
      return FALSE;
  }
  return TRUE;
}

/* A link to the folder itself is no class. */
static GPtrArray *
list_classes (const char *folder, GError **error)
{
  GPtrArray *names = list_folder (folder, TRUE, error);
  for (guint i = 0; names && i < names->len;) {
    g_autofree char *path =
        g_build_filename (folder, g_ptr_array_index (names, i), NULL);
    g_autoptr (GHashTable) own =
        g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
    visit (own, folder);
    if (visit (own, path))
      i++;
    else
      g_ptr_array_remove_index (names, i);
  }
  return names;
}

static gboolean
check_labels (const GPtrArray *names, const char *folder, GError **error)
{
  if (names->len >= 2 && names->len <= MAX_CLASSES)
    return TRUE;
  g_set_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT,
      "%s: expected 2 to %d folders, one a class, found %u", folder,
      MAX_CLASSES, names->len);
  return FALSE;
}

static gboolean
check_known (const GPtrArray *classes, const char *folder, GError **error)
{
  g_autoptr (GPtrArray) names = list_classes (folder, error);
  if (!names)
    return FALSE;
  for (guint i = 0; i < names->len; i++) {
    const char *name = g_ptr_array_index (names, i);
    if (!g_ptr_array_find_with_equal_func (
            (GPtrArray *) classes, name, g_str_equal, NULL)) {
      g_set_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT,
          "%s: class folder '%s' is not among the training classes", folder,
          name);
      return FALSE;
    }
  }
  return TRUE;
}

static gboolean
read_class (ForgeDataset *dataset, const char *folder, uint32_t class_id,
    gboolean is_needed, GError **error)
{
  g_autoptr (GHashTable) visited =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  const Walk walk = { dataset, class_id, visited, dataset->n_ignored };
  guint n_before = dataset->items->len;
  if (g_file_test (folder, G_FILE_TEST_IS_DIR) &&
      !walk_folder (&walk, folder, 0, error))
    return FALSE;
  if (is_needed && dataset->items->len == n_before) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT,
        "%s: expected pictures (PNG, JPEG, WebP)%s of this class, found none "
        "among %u files",
        folder, forge_video_can_read () ? " or videos" : "",
        dataset->n_ignored - walk.n_ignored_before);
    return FALSE;
  }
  return TRUE;
}

/* The pictures of all @classes below @part. Training needs every class. */
static gboolean
read_part (ForgeDataset *dataset, const GPtrArray *classes, const char *part,
    gboolean need_all, GError **error)
{
  if (!check_known (classes, part, error))
    return FALSE;
  for (guint c = 0; c < classes->len; c++) {
    g_autofree char *folder =
        g_build_filename (part, g_ptr_array_index (classes, c), NULL);
    if (!read_class (dataset, folder, c, need_all, error))
      return FALSE;
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

typedef struct {
  char *train, *val, *test;
} Parts;

static void
parts_clear (Parts *parts)
{
  g_free (parts->train);
  g_free (parts->val);
  g_free (parts->test);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Parts, parts_clear)

static void
find_parts (Parts *parts, const char *folder)
{
  static const char *const train[] = { "train", "training", NULL };
  static const char *const val[] = { "val", "valid", "validation", "dev",
    NULL };
  static const char *const test[] = { "test", "testing", NULL };
  parts->train = find_part (folder, train);
  parts->val = find_part (folder, val);
  parts->test = find_part (folder, test);
}

static gboolean
read_folder (
    ForgeDataset *dataset, const char *folder, ForgeSplit split, GError **error)
{
  g_autofree char *table = g_build_filename (folder, "labels.csv", NULL);
  if (g_file_test (table, G_FILE_TEST_EXISTS))
    return forge_data_csv_read (dataset, folder, table, split, error);
  g_auto (Parts) parts = { 0 };
  find_parts (&parts, folder);
  const char *root = parts.train ? parts.train : folder;
  g_autoptr (GPtrArray) classes = list_classes (root, error);
  if (!classes || !check_labels (classes, root, error))
    return FALSE;
  /* Names of files are bytes; labels end up in JSON and on the screen. */
  for (guint i = 0; i < classes->len; i++)
    g_ptr_array_add (dataset->labels,
        g_utf8_make_valid (g_ptr_array_index (classes, i), -1));
  if (!parts.train) {
    dataset->cut = FORGE_CUT_PARTS;
    return read_part (dataset, classes, folder, TRUE, error);
  }
  if (split == FORGE_SPLIT_TEST) {
    dataset->stands_in = !parts.test;
    const char *test = parts.test ? parts.test : parts.val;
    if (!test) {
      g_set_error (error, FORGE_ERROR, FORGE_ERROR_NOT_FOUND,
          "%s: found neither test/ nor val/ beside train/", folder);
      return FALSE;
    }
    return read_part (dataset, classes, test, FALSE, error);
  }
  if (split == FORGE_SPLIT_VALIDATION && parts.val)
    return read_part (dataset, classes, parts.val, FALSE, error);
  dataset->cut = parts.val ? FORGE_CUT_NONE : FORGE_CUT_VALIDATION;
  return read_part (dataset, classes, parts.train, TRUE, error);
}

const ForgeDataSource forge_data_folder = { NULL, NULL, NULL, read_folder };
