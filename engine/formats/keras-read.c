/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Keras model files: `.keras` (a zip of config.json and model.weights.h5,
 * Keras 3) and `.h5` (HDF5 with the attribute model_config, Keras 2 and 3).
 * The result is an ONNX-like graph that takes the tensor the Keras model
 * takes: float32 [N, H, W, C]. */
#include <string.h>
#include <zip.h>

#include "formats/keras.h"

gboolean forge_keras_probe (const uint8_t *bytes, size_t size_bytes);
ForgeGraph *forge_keras_read (const uint8_t *bytes, size_t size_bytes,
    const ForgeSource *source, GError **error);

#define MAX_CONFIG_BYTES (64u << 20)
#define MAX_WEIGHTS_BYTES ((guint64) 2 << 30)
/* Deflate cannot do better; anything above is a bomb. */
#define MAX_ZIP_RATIO 1100u

static const uint8_t hdf5_magic[] = { 0x89, 'H', 'D', 'F', '\r', '\n', 0x1a,
  '\n' };

static gboolean
is_hdf5 (const uint8_t *bytes, size_t size_bytes)
{
  return size_bytes >= sizeof hdf5_magic &&
         memcmp (bytes, hdf5_magic, sizeof hdf5_magic) == 0;
}

/* A zip whose directory names config.json; PyTorch and NumPy files are zips
 * too. */
static gboolean
is_keras_zip (const uint8_t *bytes, size_t size_bytes)
{
  if (size_bytes < 4 || memcmp (bytes, "PK\3\4", 4) != 0)
    return FALSE;
  size_t tail = MIN (size_bytes, (size_t) 1 << 16);
  return memmem (bytes + size_bytes - tail, tail, "config.json", 11) != NULL;
}

gboolean
forge_keras_probe (const uint8_t *bytes, size_t size_bytes)
{
  return is_hdf5 (bytes, size_bytes) || is_keras_zip (bytes, size_bytes);
}

/* One file out of the archive; NULL with an error. */
static char *
extract (zip_t *archive, const char *entry, guint64 max_bytes,
    size_t *size_bytes, const char *name, GError **error)
{
  zip_stat_t stat;
  zip_int64_t got = -1;
  char *bytes = NULL;
  if (zip_stat (archive, entry, 0, &stat) == 0 &&
      (stat.valid & ZIP_STAT_SIZE) && (stat.valid & ZIP_STAT_COMP_SIZE) &&
      stat.size <= max_bytes && stat.size / MAX_ZIP_RATIO <= stat.comp_size + 1)
    bytes = g_try_malloc (stat.size + 1);
  zip_file_t *file = bytes ? zip_fopen (archive, entry, 0) : NULL;
  if (file) {
    got = zip_fread (file, bytes, stat.size);
    zip_fclose (file);
  }
  if (got < 0 || (zip_uint64_t) got != stat.size) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT,
        "%s: the archive has no readable %s of at most %" G_GUINT64_FORMAT
        " bytes",
        name, entry, max_bytes);
    g_free (bytes);
    return NULL;
  }
  bytes[got] = 0;
  *size_bytes = (size_t) got;
  return bytes;
}

static ForgeGraph *
build (const char *config, KerasWeights *weights, gboolean keras2,
    const char *name, GError **error)
{
  g_autoptr (JsonNode) root = forge_json_parse (config, -1, name, error);
  if (!root)
    return NULL;
  if (!JSON_NODE_HOLDS_OBJECT (root)) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT,
        "%s: the model's configuration is not a JSON object", name);
    return NULL;
  }
  g_autoptr (ForgeGraph) graph = forge_graph_new ("keras");
  graph->opset = 17;
  KerasBuilder builder = {
    .graph = graph, .weights = weights, .name = name, .keras2 = keras2
  };
  if (!keras_build_model (&builder, json_node_get_object (root), error))
    return NULL;
  return g_steal_pointer (&graph);
}

static ForgeGraph *
read_hdf5 (
    const uint8_t *bytes, size_t size_bytes, const char *name, GError **error)
{
  KerasWeights *weights = keras_weights_open (bytes, size_bytes, name, error);
  if (!weights)
    return NULL;
  ForgeGraph *graph = NULL;
  g_autofree char *config =
      keras_weights_get_attribute (weights, "model_config");
  g_autofree char *version =
      keras_weights_get_attribute (weights, "keras_version");
  if (config)
    graph = build (config, weights, !version || version[0] < '3', name, error);
  else
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT,
        "%s: an HDF5 file without the attribute model_config: weights alone "
        "have no structure; save the whole model (model.save)",
        name);
  keras_weights_close (weights);
  return graph;
}

static ForgeGraph *
read_zip (
    const uint8_t *bytes, size_t size_bytes, const char *name, GError **error)
{
  zip_error_t reason;
  zip_error_init (&reason);
  zip_source_t *source =
      zip_source_buffer_create (bytes, size_bytes, 0, &reason);
  zip_t *archive =
      source ? zip_open_from_source (source, ZIP_RDONLY, &reason) : NULL;
  if (!archive) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT,
        "%s: damaged or truncated zip archive: %s", name,
        zip_error_strerror (&reason));
    zip_source_free (source);
    zip_error_fini (&reason);
    return NULL;
  }
  size_t config_bytes, weights_bytes = 0;
  g_autofree char *config = extract (
      archive, "config.json", MAX_CONFIG_BYTES, &config_bytes, name, error);
  g_autofree char *h5 =
      config ? extract (archive, "model.weights.h5", MAX_WEIGHTS_BYTES,
                   &weights_bytes, name, error)
             : NULL;
  zip_discard (archive);
  zip_error_fini (&reason);
  KerasWeights *weights =
      h5 ? keras_weights_open (h5, weights_bytes, name, error) : NULL;
  if (!weights)
    return NULL;
  ForgeGraph *graph = build (config, weights, FALSE, name, error);
  keras_weights_close (weights);
  return graph;
}

ForgeGraph *
forge_keras_read (const uint8_t *bytes, size_t size_bytes,
    const ForgeSource *source, GError **error)
{
  if (is_hdf5 (bytes, size_bytes))
    return read_hdf5 (bytes, size_bytes, source->name, error);
  return read_zip (bytes, size_bytes, source->name, error);
}
