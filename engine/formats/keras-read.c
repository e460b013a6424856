/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Keras model files: `.keras` (a zip of config.json and model.weights.h5,
 * Keras 3 and tf-keras) and `.h5` (HDF5 with the attribute model_config, Keras
 * 2 and 3). The result is an ONNX-like graph that takes the tensor the Keras
 * model takes: float32 [N, H, W, C]. */
#include <string.h>

#include "formats/keras.h"

gboolean forge_keras_probe (const uint8_t *bytes, size_t size_bytes);
ForgeGraph *forge_keras_read (const uint8_t *bytes, size_t size_bytes,
    const ForgeSource *source, GError **error);

static const uint8_t hdf5_magic[] = { 0x89, 'H', 'D', 'F', '\r', '\n', 0x1a,
  '\n' };

static gboolean
is_hdf5 (const uint8_t *bytes, size_t size_bytes)
{
  return size_bytes >= sizeof hdf5_magic &&
         memcmp (bytes, hdf5_magic, sizeof hdf5_magic) == 0;
}

/* A zip whose directory names config.json; PyTorch and NumPy files are zips
 * too. A cut archive has no directory: its first member tells. */
static gboolean
is_keras_zip (const uint8_t *bytes, size_t size_bytes)
{
  static const char *const members[] = { "config.json", "metadata.json",
    "model.weights.h5" };
  if (size_bytes < 4 || memcmp (bytes, "PK\3\4", 4) != 0)
    return FALSE;
  size_t tail = MIN (size_bytes, (size_t) 1 << 16);
  size_t head = MIN (size_bytes, 64);
  if (memmem (bytes + size_bytes - tail, tail, "config.json", 11))
    return TRUE;
  for (gsize i = 0; i < G_N_ELEMENTS (members); i++)
    if (memmem (bytes, head, members[i], strlen (members[i])))
      return TRUE;
  return FALSE;
}

gboolean
forge_keras_probe (const uint8_t *bytes, size_t size_bytes)
{
  return is_hdf5 (bytes, size_bytes) || is_keras_zip (bytes, size_bytes);
}

ForgeGraph *
keras_build (const char *config, KerasWeights *weights, gboolean keras2,
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
  g_autoptr (GHashTable) constants =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  graph->opset = 17;
  KerasBuilder builder = { .graph = graph,
    .weights = weights,
    .name = name,
    .keras2 = keras2,
    .constants = constants };
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
  const char *config = keras_weights_get_attribute (weights, "model_config");
  const char *version = keras_weights_get_attribute (weights, "keras_version");
  if (config)
    graph = keras_build (
        config, weights, !version || version[0] < '3', name, error);
  else
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT,
        "%s: an HDF5 file without the attribute model_config: weights alone "
        "(save_weights, .weights.h5) have no structure; save the whole model "
        "with model.save (\"model.keras\")",
        name);
  keras_weights_close (weights);
  return graph;
}

/* tf-keras writes .keras files, too. */
static gboolean
is_keras2 (const char *metadata, const char *name)
{
  g_autoptr (JsonNode) root =
      metadata ? forge_json_parse (metadata, -1, name, NULL) : NULL;
  if (!root || !JSON_NODE_HOLDS_OBJECT (root))
    return FALSE;
  const char *version =
      forge_json_string (json_node_get_object (root), "keras_version");
  return version && version[0] < '3';
}

static ForgeGraph *
read_zip (
    const uint8_t *bytes, size_t size_bytes, const char *name, GError **error)
{
  KerasArchive files;
  ForgeGraph *graph = NULL;
  KerasWeights *weights = NULL;
  if (keras_archive_open (&files, bytes, size_bytes, name, error))
    weights =
        keras_weights_open (files.weights, files.weights_bytes, name, error);
  if (weights) {
    g_clear_pointer (&files.weights, g_free);
    graph = keras_build (
        files.config, weights, is_keras2 (files.metadata, name), name, error);
  }
  keras_weights_close (weights);
  keras_archive_clear (&files);
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
