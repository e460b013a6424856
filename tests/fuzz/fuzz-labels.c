/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Any bytes as the labels.csv of a folder: its parts share no picture, every
 * picture has classes that there are, each once, and lies within the folder;
 * or there is an error that names the table. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <glib/gstdio.h>

#include "forge/dataset.h"
#include "forge/error.h"

static char *folder, *table;

static void
remove_folder (void)
{
  g_unlink (table);
  g_rmdir (folder);
}

static void
make_folder (void)
{
  g_setenv ("FORGE_DATA_CACHE", "0", TRUE);
  g_unsetenv ("FORGE_DATA");
  folder = g_dir_make_tmp ("forge-fuzz-XXXXXX", NULL);
  g_assert_nonnull (folder);
  table = g_build_filename (folder, "labels.csv", NULL);
  atexit (remove_folder);
}

static void
check_item (const ForgeDataset *dataset, guint index)
{
  guint n, n_classes = forge_dataset_get_n_classes (dataset);
  const uint32_t *classes = forge_dataset_get_classes (dataset, index, &n);
  g_assert_true (n == 1 || forge_dataset_is_multi_label (dataset));
  for (guint i = 0; i < n; i++) {
    g_assert_cmpuint (classes[i], <, n_classes);
    g_assert_true (i == 0 || classes[i - 1] < classes[i]);
  }
  g_autofree char *path = forge_dataset_describe_item (dataset, index);
  g_assert_true (g_str_has_prefix (path, folder));
  g_assert_null (strstr (path, "/../"));
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size_bytes)
{
  if (!folder)
    make_folder ();
  FILE *file = fopen (table, "wb");
  g_assert_nonnull (file);
  /* an empty input has no address */
  if (size_bytes > 0)
    g_assert_cmpuint (fwrite (data, 1, size_bytes, file), ==, size_bytes);
  g_assert_cmpint (fclose (file), ==, 0);
  guint n_items = 0;
  g_autoptr (GHashTable) seen =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  for (int split = 0; split < 3; split++) {
    g_autoptr (GError) error = NULL;
    g_autoptr (ForgeDataset) dataset =
        forge_dataset_open (folder, (ForgeSplit) split, NULL, &error);
    g_assert_true ((dataset != NULL) != (error != NULL));
    if (error) {
      g_assert_true (error->domain == FORGE_ERROR);
      continue;
    }
    guint n = forge_dataset_get_n_items (dataset);
    for (guint i = 0; i < n; i++) {
      check_item (dataset, i);
      g_hash_table_add (seen, forge_dataset_describe_item (dataset, i));
    }
    n_items += n;
    /* validation pictures stand in for those of a test */
    if (split < 2)
      g_assert_cmpuint (g_hash_table_size (seen), ==, n_items);
  }
  return 0;
}
