/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Any bytes as what is ours of a Keras file: a zip archive's members, or a
 * configuration as JSON, a 0, and the records of forge-hdf5-reader. libhdf5
 * itself runs in a process of its own, which test-keras tries. */
#include <glib.h>
#include <string.h>

#include "formats/keras.h"
#include "fuzz.h"

static void
try_archive (const uint8_t *data, size_t size_bytes)
{
  KerasArchive files;
  g_autoptr (GError) error = NULL;
  gboolean ok = keras_archive_open (&files, data, size_bytes, "fuzz", &error);
  g_assert_true (ok == !error);
  keras_archive_clear (&files);
}

static void
try_model (const char *config, gboolean keras2, GBytes *records)
{
  g_autoptr (GError) error = NULL;
  KerasWeights *weights = keras_weights_parse (records, "fuzz", &error);
  g_assert_true (!weights == !!error);
  if (!weights)
    return;
  g_autoptr (ForgeGraph) graph =
      keras_build (config, weights, keras2, "fuzz", &error);
  g_assert_true (!graph == !!error);
  keras_weights_close (weights);
  if (!graph)
    return;
  g_assert_true (forge_graph_sort (graph, NULL));
  if (forge_graph_infer (graph, NULL))
    forge_model_info_free (forge_model_info_read (graph, NULL, NULL));
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size_bytes)
{
  if (size_bytes >= 2 && memcmp (data, "PK", 2) == 0) {
    try_archive (data, size_bytes);
    return 0;
  }
  const uint8_t *end = size_bytes ? memchr (data, 0, size_bytes) : NULL;
  if (!end)
    return 0;
  size_t config_bytes = (size_t) (end - data);
  g_autoptr (GBytes) records =
      g_bytes_new (end + 1, size_bytes - config_bytes - 1);
  try_model ((const char *) data, config_bytes % 2, records);
  return 0;
}
