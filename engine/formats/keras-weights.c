/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Weights by layer, out of the records that forge-hdf5-reader writes
 * (keras-dump.h). Files keep them in two ways:
 *   .h5     model_weights/<layer>, whose attribute weight_names lists data
 *           sets such as "conv1/kernel:0", relative to it, in the order in
 *           which the layer takes them; a long list is cut into
 *           weight_names0, weight_names1, ...
 *   .keras  layers/<class>[_n]/vars/<i>, numbered by position; Keras 2.13
 *           calls `layers` _layer_checkpoint_dependencies */
#include "formats/keras.h"

#include <string.h>

#include "base/reader.h"
#include "formats/keras-dump.h"

/* In one group; a network of 1,000 layers has 5,000 at most. */
#define MAX_NAMES 8192

typedef struct {
  ForgeShape shape;
  const uint8_t *values; /* NULL: not floats */
  ForgeTensor *tensor;   /* once it was asked for */
} Dataset;

struct _KerasWeights {
  GBytes *records;
  char *name;
  GHashTable *datasets;   /* path -> Dataset */
  GHashTable *attributes; /* "path\nname" -> char ** */
  GHashTable *groups;     /* set of paths */
};

static void
dataset_free (gpointer data)
{
  Dataset *dataset = data;
  forge_tensor_unref (dataset->tensor);
  g_free (dataset);
}

/* --- parsing -------------------------------------------------------------- */

static char *
read_string (ForgeReader *reader)
{
  uint32_t n_bytes = forge_reader_u32le (reader);
  const char *bytes = (const char *) forge_reader_take (reader, n_bytes);
  return bytes ? g_utf8_make_valid (bytes, n_bytes) : NULL;
}

static void
parse_attribute (KerasWeights *weights, ForgeReader *reader)
{
  g_autofree char *path = read_string (reader);
  g_autofree char *name = read_string (reader);
  uint32_t count = forge_reader_u32le (reader);
  g_autoptr (GPtrArray) strings = g_ptr_array_new_with_free_func (g_free);
  for (uint32_t i = 0; i < count && !reader->failed; i++)
    g_ptr_array_add (strings, read_string (reader));
  if (reader->failed)
    return;
  g_ptr_array_add (strings, NULL);
  g_hash_table_insert (weights->attributes,
      g_strconcat (path, "\n", name, NULL),
      g_ptr_array_free (g_steal_pointer (&strings), FALSE));
}

static void
parse_dataset (KerasWeights *weights, ForgeReader *reader)
{
  g_autofree char *path = read_string (reader);
  gboolean has_values = forge_reader_u8 (reader) != 0;
  uint32_t rank = forge_reader_u32le (reader);
  ForgeShape shape = { .rank = (int) MIN (rank, FORGE_MAX_DIMS) };
  size_t count = 1;
  for (uint32_t i = 0; i < rank && !reader->failed; i++) {
    uint32_t extent = forge_reader_u32le (reader);
    if (extent > G_MAXINT32 || !g_size_checked_mul (&count, count, extent) ||
        count > G_MAXINT32)
      reader->failed = TRUE;
    else if (i < FORGE_MAX_DIMS)
      shape.dims[i] = extent;
  }
  if (reader->failed)
    return;
  const uint8_t *values =
      has_values ? forge_reader_take (reader, count * sizeof (float)) : NULL;
  if (reader->failed)
    return;
  Dataset *dataset = g_new0 (Dataset, 1);
  dataset->shape = shape;
  dataset->values = rank <= FORGE_MAX_DIMS ? values : NULL;
  g_hash_table_replace (weights->datasets, g_steal_pointer (&path), dataset);
}

static gboolean
parse (KerasWeights *weights, ForgeReader *reader)
{
  const uint8_t *magic = forge_reader_take (reader, KERAS_DUMP_MAGIC_BYTES);
  if (!magic || memcmp (magic, KERAS_DUMP_MAGIC, KERAS_DUMP_MAGIC_BYTES) != 0)
    return FALSE;
  while (!reader->failed) {
    switch (forge_reader_u8 (reader)) {
    case 'G':
      g_hash_table_add (weights->groups, read_string (reader));
      break;
    case 'A':
      parse_attribute (weights, reader);
      break;
    case 'D':
      parse_dataset (weights, reader);
      break;
    case 'E':
      return !reader->failed;
    default:
      return FALSE;
    }
  }
  return FALSE;
}

static guint
path_hash (gconstpointer path)
{
  return path ? g_str_hash (path) : 0;
}

static gboolean
path_equal (gconstpointer a, gconstpointer b)
{
  return g_strcmp0 (a, b) == 0;
}

KerasWeights *
keras_weights_parse (GBytes *records, const char *name, GError **error)
{
  KerasWeights *weights = g_new0 (KerasWeights, 1);
  weights->records = g_bytes_ref (records);
  weights->name = g_strdup (name);
  weights->datasets =
      g_hash_table_new_full (path_hash, path_equal, g_free, dataset_free);
  weights->attributes = g_hash_table_new_full (
      g_str_hash, g_str_equal, g_free, (GDestroyNotify) g_strfreev);
  weights->groups = g_hash_table_new_full (path_hash, path_equal, g_free, NULL);
  gsize size_bytes;
  const void *bytes = g_bytes_get_data (records, &size_bytes);
  ForgeReader reader;
  forge_reader_init (&reader, bytes, size_bytes);
  if (parse (weights, &reader))
    return weights;
  g_set_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT,
      "%s: damaged HDF5 file: what was read of it ends at byte %zu", name,
      reader.pos_bytes);
  keras_weights_close (weights);
  return NULL;
}

KerasWeights *
keras_weights_open (
    const void *bytes, size_t size_bytes, const char *name, GError **error)
{
  g_autoptr (GBytes) records = keras_hdf5_dump (bytes, size_bytes, name, error);
  return records ? keras_weights_parse (records, name, error) : NULL;
}

void
keras_weights_close (KerasWeights *weights)
{
  if (!weights)
    return;
  g_hash_table_unref (weights->datasets);
  g_hash_table_unref (weights->attributes);
  g_hash_table_unref (weights->groups);
  g_bytes_unref (weights->records);
  g_free (weights->name);
  g_free (weights);
}

/* --- looking up ----------------------------------------------------------- */

size_t
keras_weights_get_size (const KerasWeights *weights)
{
  return g_bytes_get_size (weights->records);
}

gboolean
keras_weights_has_group (const KerasWeights *weights, const char *path)
{
  return g_hash_table_contains (weights->groups, path);
}

gboolean
keras_weights_are_named (const KerasWeights *weights)
{
  return keras_weights_has_group (weights, "model_weights");
}

static char **
get_strings (
    const KerasWeights *weights, const char *path, const char *attribute)
{
  g_autofree char *key = g_strconcat (path, "\n", attribute, NULL);
  return g_hash_table_lookup (weights->attributes, key);
}

const char *
keras_weights_get_attribute (const KerasWeights *weights, const char *name)
{
  char **strings = get_strings (weights, "", name);
  return strings && g_strv_length (strings) == 1 ? strings[0] : NULL;
}

/* All of weight_names, weight_names0, weight_names1, ... (transfer container)
 */
static GPtrArray *
list_names (const KerasWeights *weights, const char *group)
{
  GPtrArray *names = g_ptr_array_new ();
  char **strings = get_strings (weights, group, "weight_names");
  for (guint chunk = 0; strings || chunk == 0; chunk++) {
    for (char **name = strings; name && *name; name++)
      if (names->len < MAX_NAMES)
        g_ptr_array_add (names, *name);
    g_autofree char *next = g_strdup_printf ("weight_names%u", chunk);
    strings = get_strings (weights, group, next);
  }
  return names;
}

/* Does "model/conv1/kernel:0" end in @variable ("kernel", or "query/kernel")?
 * Returns 0, or how sure it is: 1, plus 1 for the layer's name among the
 * folders, plus 1 for the name of the model it is in. */
static int
rate_name (const char *weight, const KerasLayer *layer, const char *variable)
{
  if (!strstr (weight, variable))
    return 0;
  g_autofree char *path = g_strdup (weight);
  char *last = strrchr (path, '/');
  char *colon = strchr (last ? last : path, ':');
  if (colon)
    *colon = 0;
  if (!g_str_has_suffix (path, variable))
    return 0;
  gsize at = strlen (path) - strlen (variable);
  if (at > 0 && path[at - 1] != '/')
    return 0;
  path[at] = 0;
  g_auto (GStrv) folders = g_strsplit (path, "/", -1);
  return 1 + g_strv_contains ((const char *const *) folders, layer->name) +
         (layer->parent &&
             g_strv_contains ((const char *const *) folders, layer->parent));
}

/* By name, else by place: old files number or name in other ways. A layer of
 * a nested model has no place of its own in the outer layer's list. */
static const char *
choose_name (GPtrArray *names, const KerasLayer *layer, const char *variable,
    guint index)
{
  const char *best = NULL;
  int best_rate = layer->parent ? 1 : 0;
  for (guint i = 0; i < names->len; i++) {
    int rate = rate_name (names->pdata[i], layer, variable);
    if (rate > best_rate) {
      best_rate = rate;
      best = names->pdata[i];
    }
  }
  if (!best && !layer->parent && index < names->len && !strchr (variable, '/'))
    best = names->pdata[index];
  return best;
}

/* Path of the data set; NULL when there is none. */
static char *
find_dataset (KerasWeights *weights, const KerasLayer *layer,
    const char *variable, guint index)
{
  if (!keras_weights_are_named (weights))
    return g_strdup_printf ("%s/vars/%u", layer->group, index);
  g_autoptr (GPtrArray) names = list_names (weights, layer->group);
  const char *name = choose_name (names, layer, variable, index);
  return name ? g_strdup_printf ("%s/%s", layer->group, name) : NULL;
}

static gboolean
fits (const ForgeShape *found, const ForgeShape *expected)
{
  gboolean ok = found->rank == expected->rank;
  for (int i = 0; ok && i < found->rank; i++)
    ok = expected->dims[i] < 0 || expected->dims[i] == found->dims[i];
  return ok;
}

static gboolean
fetch (Dataset *dataset, GError **error)
{
  if (dataset->tensor)
    return TRUE;
  dataset->tensor = forge_tensor_new (FORGE_FLOAT32, &dataset->shape, error);
  if (dataset->tensor)
    memcpy (dataset->tensor->data, dataset->values,
        (size_t) forge_shape_count (&dataset->shape) * sizeof (float));
  return dataset->tensor != NULL;
}

ForgeTensor *
keras_weights_read (KerasWeights *weights, const KerasLayer *layer,
    const char *variable, guint index, const ForgeShape *expected,
    GError **error)
{
  g_autofree char *path = find_dataset (weights, layer, variable, index);
  Dataset *dataset =
      path ? g_hash_table_lookup (weights->datasets, path) : NULL;
  g_autofree char *wanted = forge_shape_to_string (expected);
  if (!dataset) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT,
        "%s: layer '%s' (%s): the weight '%s' of shape %s is missing: expected "
        "at %s",
        weights->name, layer->name, layer->class_name, variable, wanted,
        path ? path : layer->group);
    return NULL;
  }
  if (!dataset->values || !fits (&dataset->shape, expected)) {
    g_autofree char *found = forge_shape_to_string (&dataset->shape);
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_SHAPE,
        "%s: layer '%s' (%s): the weight '%s' (%s): expected float values of "
        "shape %s, found %s%s",
        weights->name, layer->name, layer->class_name, variable, path, wanted,
        dataset->values ? "" : "other values of shape ", found);
    return NULL;
  }
  if (!fetch (dataset, error)) {
    g_prefix_error (error, "%s: %s: ", weights->name, path);
    return NULL;
  }
  return forge_tensor_ref (dataset->tensor);
}
