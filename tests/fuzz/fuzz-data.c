/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Any bytes in the place of a data set's files give pictures whose classes
 * have names, or an error. The first byte says which file they are: a CIFAR-10
 * batch; IDX pictures and, behind a length of 32 bits, their classes, plain or
 * as gzip; the labels of a PNG sheet; a file of the cache, which is tried once
 * more with its checksums put right, since no fuzzer would guess them. */
#include "fuzz.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <glib/gstdio.h>

#include "forge/dataset.h"
#include "forge/error.h"
#include "train/data-cache-file.h"

enum { CIFAR10, IDX, IDX_GZIP, SHEET_LABELS, CACHE, N_KINDS };

static char *folder;

static void
remove_folder (void)
{
  g_rmdir (folder);
}

/* One for the process, below the folder for temporary files. */
static const char *
get_folder (void)
{
  if (!folder) {
    g_setenv ("FORGE_DATA_CACHE", "0", TRUE);
    g_unsetenv ("FORGE_DATA");
    folder = g_dir_make_tmp ("forge-fuzz-XXXXXX", NULL);
    g_assert_nonnull (folder);
    atexit (remove_folder);
  }
  return folder;
}

static void
put (const char *name, const uint8_t *data, size_t size_bytes)
{
  g_autofree char *path = g_build_filename (get_folder (), name, NULL);
  FILE *file = fopen (path, "wb");
  g_assert_nonnull (file);
  g_assert_cmpuint (fwrite (data, 1, size_bytes, file), ==, size_bytes);
  g_assert_cmpint (fclose (file), ==, 0);
}

/* Opens what was put there, looks at it and takes it away. */
static void
open_and_clear (const char *scheme)
{
  g_autofree char *spec = g_strconcat (scheme, get_folder (), NULL);
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeDataset) dataset =
      forge_dataset_open (spec, FORGE_SPLIT_TEST, NULL, &error);
  g_assert_true ((dataset != NULL) != (error != NULL));
  g_assert_true (!error || error->domain == FORGE_ERROR);
  guint n = dataset ? forge_dataset_get_n_items (dataset) : 0;
  for (guint i = 0; i < n; i++)
    g_assert_cmpuint (forge_dataset_get_class (dataset, i), <,
        forge_dataset_get_n_classes (dataset));
  if (n > 0) {
    g_autoptr (ForgePicture) last = forge_dataset_load (dataset, n - 1, NULL);
    g_assert_nonnull (last);
  }
  GDir *dir = g_dir_open (get_folder (), 0, NULL);
  const char *name;
  while ((name = g_dir_read_name (dir))) {
    g_autofree char *path = g_build_filename (get_folder (), name, NULL);
    g_unlink (path);
  }
  g_dir_close (dir);
}

static void
try_idx (const uint8_t *data, size_t size_bytes, gboolean zipped)
{
  uint32_t length = 0;
  if (size_bytes < 4)
    return;
  memcpy (&length, data, 4);
  size_t n = MIN (GUINT32_FROM_LE (length), size_bytes - 4);
  put (zipped ? "t10k-images-idx3-ubyte.gz" : "t10k-images-idx3-ubyte",
      data + 4, n);
  put ("t10k-labels-idx1-ubyte", data + 4 + n, size_bytes - 4 - n);
  open_and_clear ("fashion-mnist:");
}

/* A PNG of 1024 x 3, grey: three black pictures of CIFAR-10. */
static void
try_labels (const uint8_t *data, size_t size_bytes)
{
  static const uint8_t sheet[] = { 137, 80, 78, 71, 13, 10, 26, 10, 0, 0, 0, 13,
    73, 72, 68, 82, 0, 0, 4, 0, 0, 0, 0, 3, 8, 0, 0, 0, 0, 40, 173, 34, 226, 0,
    0, 0, 25, 73, 68, 65, 84, 120, 218, 237, 193, 1, 1, 0, 0, 0, 130, 32, 255,
    175, 110, 72, 64, 1, 0, 0, 71, 6, 12, 3, 0, 1, 18, 78, 49, 87, 0, 0, 0, 0,
    73, 69, 78, 68, 174, 66, 96, 130 };
  put ("test_batch.png", sheet, sizeof sheet);
  put ("test_lables.json", data, size_bytes);
  open_and_clear ("cifar10:");
}

static void
parse (const uint8_t *data, size_t size_bytes)
{
  ForgeCacheView view;
  g_autoptr (GError) error = NULL;
  if (!forge_cache_parse (data, size_bytes, NULL, &view, &error)) {
    g_assert_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT);
    return;
  }
  /* All of it, and 64 bytes behind the pixels, can be read. */
  unsigned sum = 0;
  for (size_t i = 0; i < view.pixels_bytes + 64; i++)
    sum += view.pixels[i];
  for (size_t i = 0; i < view.notes_bytes; i++)
    sum += view.notes[i];
  g_assert_cmpuint (sum, <=, 255u * (unsigned) size_bytes);
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size_bytes)
{
  if (size_bytes == 0)
    return 0;
  int kind = data[0] % N_KINDS;
  data++;
  size_bytes--;
  if (kind == CIFAR10) {
    put ("test_batch.bin", data, size_bytes);
    open_and_clear ("cifar10:");
  } else if (kind == SHEET_LABELS) {
    try_labels (data, size_bytes);
  } else if (kind == CACHE) {
    g_autofree uint8_t *copy = g_memdup2 (data, size_bytes);
    parse (data, size_bytes);
    if (copy && forge_cache_seal (copy, size_bytes))
      parse (copy, size_bytes);
  } else {
    try_idx (data, size_bytes, kind == IDX_GZIP);
  }
  return 0;
}
