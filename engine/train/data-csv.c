/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A folder whose labels.csv says which classes each of its files shows: none,
 * one or several. Two forms, as people have them:
 *   file,labels            file,cat,dog,indoors
 *   a.jpg,cat;indoors      a.jpg,1,0,1
 * In the first, a file may also have a row for each of its labels. A column
 * "split" says the part: train, val or test; without it the rows are cut, or
 * what is missing is, as in a folder.
 * When every file has just one class, the data is as any other; else it is
 * multi-label, in all its parts.
 * Source: the forms of Keras's flow_from_dataframe, fastai's from_csv (labels
 * in a field) and the exports of annotation tools (a column for each). */
#include "train/data-csv.h"

#include <string.h>

#include "base/csv.h"
#include "base/file.h"

#define MAX_CSV_BYTES ((size_t) 256 << 20)
#define MAX_CLASSES 65536
#define ANY_SPLIT (-1)

/* What one file shows. */
typedef struct {
  char *file;
  int split;      /* ForgeSplit, or ANY_SPLIT */
  GArray *labels; /* uint32_t, numbers of Table.names */
} Entry;

typedef struct {
  ForgeDataset *dataset;
  const char *folder;
  ForgeCsv csv;
  GPtrArray *entries;  /* Entry* */
  GHashTable *by_file; /* borrowed name -> Entry* */
  GPtrArray *names;    /* char*: classes in the order met */
  GHashTable *by_name; /* borrowed name -> number + 1 */
  guint n_columns;
  guint split_column; /* 0 = there is none */
  guint list_column;  /* 0 = a column for each class */
  uint32_t *class_of; /* [n_columns]: of such a column */
} Table;

static void
entry_free (gpointer data)
{
  Entry *entry = data;
  g_free (entry->file);
  g_array_unref (entry->labels);
  g_free (entry);
}

static void
table_clear (Table *table)
{
  g_clear_pointer (&table->by_file, g_hash_table_unref);
  g_clear_pointer (&table->by_name, g_hash_table_unref);
  g_clear_pointer (&table->entries, g_ptr_array_unref);
  g_clear_pointer (&table->names, g_ptr_array_unref);
  g_free (table->class_of);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Table, table_clear)

static gboolean
is_word (const char *text, const char *const *words)
{
  g_autofree char *lower = g_ascii_strdown (text, -1);
  return g_strv_contains (words, g_strstrip (lower));
}

/* The number of a class, which is new when its name is. */
static gboolean
find_class (Table *table, const char *text, uint32_t *number, GError **error)
{
  g_autofree char *name = g_utf8_make_valid (text, -1);
  g_strstrip (name);
  if (!*name)
    return forge_csv_fail (&table->csv, error, "a class has no name");
  gpointer known = g_hash_table_lookup (table->by_name, name);
  if (known) {
    *number = GPOINTER_TO_UINT (known) - 1;
    return TRUE;
  }
  if (table->names->len == MAX_CLASSES)
    return forge_csv_fail (
        &table->csv, error, "more than %d classes", MAX_CLASSES);
  *number = table->names->len;
  g_ptr_array_add (table->names, name);
  g_hash_table_insert (table->by_name, name, GUINT_TO_POINTER (*number + 1));
  g_steal_pointer (&name);
  return TRUE;
}

/* A column for each class, each with another name. */
static gboolean
name_columns (Table *table, const GPtrArray *header, GError **error)
{
  table->class_of = g_new0 (uint32_t, header->len);
  for (guint i = 1; i < header->len; i++) {
    guint n_before = table->names->len;
    if (i == table->split_column)
      continue;
    if (!find_class (table, header->pdata[i], &table->class_of[i], error))
      return FALSE;
    if (table->names->len == n_before)
      return forge_csv_fail (&table->csv, error, "two columns are named '%s'",
          (const char *) header->pdata[i]);
  }
  return TRUE;
}

static gboolean
read_header (Table *table, const GPtrArray *header, GError **error)
{
  static const char *const files[] = { "file", "filename", "path", "image",
    NULL };
  static const char *const lists[] = { "label", "labels", "class", "classes",
    "tags", NULL };
  static const char *const splits[] = { "split", "part", NULL };
  guint n_others = 0, other = 0;
  table->n_columns = header->len;
  for (guint i = 1; i < header->len; i++) {
    if (!table->split_column && is_word (header->pdata[i], splits))
      table->split_column = i;
    else {
      n_others++;
      other = i;
    }
  }
  gboolean is_list = n_others == 1 && is_word (header->pdata[other], lists);
  if (!is_word (header->pdata[0], files) || (!is_list && n_others < 2))
    return forge_csv_fail (&table->csv, error,
        "expected the header 'file,labels', or 'file' and a column for each "
        "of two or more classes, found '%s%s%s'",
        (const char *) header->pdata[0], header->len > 1 ? "," : "",
        header->len > 1 ? (const char *) header->pdata[1] : "");
  table->list_column = is_list ? other : 0;
  return is_list || name_columns (table, header, error);
}

/* Nothing outside the folder is ever opened because a table says so. */
static gboolean
check_file_name (const Table *table, const char *name, GError **error)
{
  gboolean outside = g_path_is_absolute (name) || strchr (name, '\\');
  g_auto (GStrv) parts = g_strsplit (name, "/", -1);
  for (guint i = 0; parts[i]; i++)
    outside |= strcmp (parts[i], "..") == 0;
  if (!*name)
    return forge_csv_fail (&table->csv, error, "the name of the file is empty");
  if (outside)
    return forge_csv_fail (&table->csv, error,
        "expected the name of a file within the folder, found '%s'", name);
  return TRUE;
}

static gboolean
read_split (const Table *table, const char *text, int *split, GError **error)
{
  static const char *const train[] = { "train", "training", NULL };
  static const char *const val[] = { "val", "valid", "validation", "dev",
    NULL };
  static const char *const test[] = { "test", "testing", NULL };
  *split = is_word (text, train)  ? FORGE_SPLIT_TRAIN
           : is_word (text, val)  ? FORGE_SPLIT_VALIDATION
           : is_word (text, test) ? FORGE_SPLIT_TEST
                                  : ANY_SPLIT;
  return *split != ANY_SPLIT ||
         forge_csv_fail (&table->csv, error,
             "expected train, val or test as the part, found '%s'", text);
}

/* "cat;dog": an empty field is no label at all. */
static gboolean
read_list (Table *table, Entry *entry, const char *text, GError **error)
{
  g_autofree char *copy = g_strdup (text);
  if (!*g_strstrip (copy))
    return TRUE;
  g_auto (GStrv) labels = g_strsplit (copy, ";", -1);
  for (guint i = 0; labels[i]; i++) {
    uint32_t number;
    if (!find_class (table, labels[i], &number, error))
      return FALSE;
    g_array_append_val (entry->labels, number);
  }
  return TRUE;
}

static gboolean
read_cells (Table *table, Entry *entry, const GPtrArray *fields, GError **error)
{
  for (guint i = 1; i < fields->len; i++) {
    g_autofree char *cell = g_strdup (fields->pdata[i]);
    if (i == table->split_column)
      continue;
    g_strstrip (cell);
    if (strcmp (cell, "0") != 0 && strcmp (cell, "1") != 0)
      return forge_csv_fail (&table->csv, error,
          "expected 0 or 1 for '%s', found '%s'",
          (const char *) table->names->pdata[table->class_of[i]], cell);
    if (*cell == '1')
      g_array_append_val (entry->labels, table->class_of[i]);
  }
  return TRUE;
}

/* That of an earlier row, where a file has one for each of its labels. */
static Entry *
find_entry (Table *table, const char *file, int split, GError **error)
{
  Entry *entry = g_hash_table_lookup (table->by_file, file);
  if (!entry) {
    entry = g_new (Entry, 1);
    *entry = (Entry) { g_strdup (file), split,
      g_array_new (FALSE, FALSE, sizeof (uint32_t)) };
    g_ptr_array_add (table->entries, entry);
    g_hash_table_insert (table->by_file, entry->file, entry);
    return entry;
  }
  if (entry->split != split || !table->list_column) {
    forge_csv_fail (&table->csv, error,
        table->list_column ? "'%s' is in two parts" : "'%s' has two rows",
        file);
    return NULL;
  }
  return entry;
}

static gboolean
read_row (Table *table, const GPtrArray *fields, GError **error)
{
  int split = ANY_SPLIT;
  if (fields->len != table->n_columns)
    return forge_csv_fail (&table->csv, error,
        "expected %u fields as in the header, found %u", table->n_columns,
        fields->len);
  const char *file = fields->pdata[0];
  if (!check_file_name (table, file, error) ||
      (table->split_column &&
          !read_split (
              table, fields->pdata[table->split_column], &split, error)))
    return FALSE;
  Entry *entry = find_entry (table, file, split, error);
  if (!entry)
    return FALSE;
  return table->list_column ? read_list (table, entry,
                                  fields->pdata[table->list_column], error)
                            : read_cells (table, entry, fields, error);
}

static gboolean
read_rows (Table *table, GError **error)
{
  g_autoptr (GPtrArray) fields = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GError) cause = NULL;
  gboolean has_header = FALSE;
  while (!cause && forge_csv_next (&table->csv, fields, &cause)) {
    if (has_header)
      read_row (table, fields, &cause);
    else
      has_header = read_header (table, fields, &cause);
  }
  if (!cause && !has_header)
    forge_csv_fail (&table->csv, &cause, "the file is empty");
  if (!cause && (table->names->len < 2 || table->entries->len == 0))
    g_set_error (&cause, FORGE_ERROR, FORGE_ERROR_FORMAT,
        "%s: expected rows with 2 classes or more, found %u rows and %u "
        "classes",
        table->csv.name, table->entries->len, table->names->len);
  if (!cause)
    return TRUE;
  g_propagate_error (error, g_steal_pointer (&cause));
  return FALSE;
}

static int
compare_entries (gconstpointer a, gconstpointer b)
{
  const Entry *x = *(Entry *const *) a, *y = *(Entry *const *) b;
  return strcmp (x->file, y->file);
}

static int
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

static int
compare_numbers (gconstpointer a, gconstpointer b)
{
  uint32_t x = *(const uint32_t *) a, y = *(const uint32_t *) b;
  return (x > y) - (x < y);
}

/* Each once, in order. */
static void
make_set (GArray *labels)
{
  guint n = 0;
  g_array_sort (labels, compare_numbers);
  for (guint i = 0; i < labels->len; i++) {
    uint32_t label = g_array_index (labels, uint32_t, i);
    if (n == 0 || g_array_index (labels, uint32_t, n - 1) != label)
      g_array_index (labels, uint32_t, n++) = label;
  }
  g_array_set_size (labels, n);
}

/* Classes of lists are sorted, as folders are; those of columns stay. Labels
 * of entries become numbers of that order. */
static void
order_classes (Table *table)
{
  g_autoptr (GPtrArray) sorted = g_ptr_array_new ();
  g_autofree uint32_t *place = g_new (uint32_t, table->names->len);
  for (guint i = 0; i < table->names->len; i++)
    g_ptr_array_add (sorted, table->names->pdata[i]);
  if (table->list_column)
    g_ptr_array_sort (sorted, compare_names);
  for (guint i = 0; i < sorted->len; i++) {
    gpointer number = g_hash_table_lookup (table->by_name, sorted->pdata[i]);
    place[GPOINTER_TO_UINT (number) - 1] = i;
    g_ptr_array_add (table->dataset->labels, g_strdup (sorted->pdata[i]));
  }
  for (guint e = 0; e < table->entries->len; e++) {
    GArray *labels = ((Entry *) table->entries->pdata[e])->labels;
    for (guint i = 0; i < labels->len; i++) {
      uint32_t *label = &g_array_index (labels, uint32_t, i);
      *label = place[*label];
    }
    make_set (labels);
  }
}

/* [names]: entries that show each, in the training part or in none. */
static guint *
count_classes (const Table *table)
{
  guint *counts = g_new0 (guint, table->names->len);
  for (guint e = 0; e < table->entries->len; e++) {
    const Entry *entry = table->entries->pdata[e];
    if (entry->split > FORGE_SPLIT_TRAIN)
      continue;
    for (guint i = 0; i < entry->labels->len; i++)
      counts[g_array_index (entry->labels, uint32_t, i)]++;
  }
  return counts;
}

static gboolean
check_classes (const Table *table, const guint *counts, GError **error)
{
  for (guint c = 0; c < table->names->len; c++) {
    if (counts[c] > 0)
      continue;
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT,
        "%s: no row to train on shows '%s'", table->csv.name,
        (const char *) table->dataset->labels->pdata[c]);
    return FALSE;
  }
  return TRUE;
}

/* The class of an item; of several the rarest, which the cut goes by, or one
 * more than there are where there is none. */
static uint32_t
stratum_of (const Table *table, const Entry *entry, const guint *counts)
{
  uint32_t rarest = table->names->len;
  for (guint i = 0; i < entry->labels->len; i++) {
    uint32_t c = g_array_index (entry->labels, uint32_t, i);
    if (rarest == table->names->len || counts[c] < counts[rarest])
      rarest = c;
  }
  return rarest;
}

/* Its number of classes and these, at a place in the pool. */
static uint32_t
keep_set (ForgeDataset *dataset, const GArray *labels)
{
  uint32_t place = dataset->sets->len, n = labels->len;
  g_array_append_val (dataset->sets, n);
  g_array_append_vals (dataset->sets, labels->data, n);
  return place;
}

static gboolean
add_entry (
    const Table *table, const Entry *entry, const guint *counts, GError **error)
{
  ForgeDataset *dataset = table->dataset;
  g_autofree char *path = g_build_filename (table->folder, entry->file, NULL);
  ForgeDataItem item = { .class_id = stratum_of (table, entry, counts) };
  if (dataset->is_multi_label)
    item.place = keep_set (dataset, entry->labels);
  return forge_data_add_file (dataset, path, &item, error);
}

/* Which of the rows make up the part that was asked for. */
static gboolean
choose_part (const Table *table, ForgeSplit asked, int *wanted, GError **error)
{
  ForgeDataset *dataset = table->dataset;
  gboolean has[3] = { FALSE };
  *wanted = ANY_SPLIT;
  dataset->cut = FORGE_CUT_PARTS;
  if (!table->split_column)
    return TRUE;
  for (guint e = 0; e < table->entries->len; e++)
    has[((Entry *) table->entries->pdata[e])->split] = TRUE;
  *wanted = (int) asked;
  dataset->cut = FORGE_CUT_NONE;
  if (asked == FORGE_SPLIT_TEST && !has[FORGE_SPLIT_TEST]) {
    dataset->stands_in = TRUE;
    *wanted = FORGE_SPLIT_VALIDATION;
    if (has[FORGE_SPLIT_VALIDATION])
      return TRUE;
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_NOT_FOUND,
        "%s: found neither test nor val rows beside those of train",
        table->csv.name);
    return FALSE;
  }
  if (asked != FORGE_SPLIT_TEST && !has[FORGE_SPLIT_VALIDATION]) {
    *wanted = FORGE_SPLIT_TRAIN;
    dataset->cut = FORGE_CUT_VALIDATION;
  }
  return TRUE;
}

static gboolean
add_entries (Table *table, ForgeSplit split, GError **error)
{
  int wanted;
  ForgeDataset *dataset = table->dataset;
  order_classes (table);
  g_ptr_array_sort (table->entries, compare_entries);
  g_autofree guint *counts = count_classes (table);
  if (!check_classes (table, counts, error) ||
      !choose_part (table, split, &wanted, error))
    return FALSE;
  for (guint e = 0; e < table->entries->len; e++)
    dataset->is_multi_label |=
        ((Entry *) table->entries->pdata[e])->labels->len != 1;
  for (guint e = 0; e < table->entries->len; e++) {
    const Entry *entry = table->entries->pdata[e];
    if ((wanted == ANY_SPLIT || entry->split == wanted) &&
        !add_entry (table, entry, counts, error))
      return FALSE;
  }
  return TRUE;
}

gboolean
forge_data_csv_read (ForgeDataset *dataset, const char *folder,
    const char *path, ForgeSplit split, GError **error)
{
  size_t size_bytes;
  g_autofree char *bytes =
      forge_file_read (path, MAX_CSV_BYTES, &size_bytes, error);
  if (!bytes)
    return FALSE;
  forge_dataset_stamp (dataset, path);
  g_auto (Table) table = { .dataset = dataset,
    .folder = folder,
    .entries = g_ptr_array_new_with_free_func (entry_free),
    .by_file = g_hash_table_new (g_str_hash, g_str_equal),
    .names = g_ptr_array_new_with_free_func (g_free),
    .by_name = g_hash_table_new (g_str_hash, g_str_equal) };
  forge_csv_init (&table.csv, bytes, size_bytes, path);
  return read_rows (&table, error) && add_entries (&table, split, error);
}
