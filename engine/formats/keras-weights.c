/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Weights out of an HDF5 file in memory, through libhdf5. Two layouts:
 *   .h5     model_weights/<layer>, whose attribute weight_names lists data
 *           sets such as "conv1/kernel:0", relative to it
 *   .keras  layers/<class>[_n]/vars/<i>, numbered by position
 * libhdf5 keeps global state, so one lock serves all readers. */
#include "formats/keras.h"

#include <hdf5.h>
#include <string.h>

struct _KerasWeights {
  hid_t file;
  gboolean named;
  char *name;
};

static GMutex hdf5_lock;

/* The library insists on a name, and that no file has it. */
#define IMAGE_NAME "/dev/null/model.h5"
#define MAX_WEIGHT_NAMES 4096

KerasWeights *
keras_weights_open (
    const void *bytes, size_t size_bytes, const char *name, GError **error)
{
  g_mutex_lock (&hdf5_lock);
  H5Eset_auto2 (H5E_DEFAULT, NULL, NULL);
  hid_t access = H5Pcreate (H5P_FILE_ACCESS);
  hid_t file = -1;
  /* The image is copied by the library: it may not outlive our bytes. */
  if (access >= 0 && H5Pset_fapl_core (access, 1 << 16, 0) >= 0 &&
      H5Pset_file_image (access, (void *) bytes, size_bytes) >= 0)
    file = H5Fopen (IMAGE_NAME, H5F_ACC_RDONLY, access);
  if (access >= 0)
    H5Pclose (access);
  gboolean named =
      file >= 0 && H5Lexists (file, "model_weights", H5P_DEFAULT) > 0;
  g_mutex_unlock (&hdf5_lock);
  if (file < 0) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT,
        "%s: damaged or truncated HDF5 file", name);
    return NULL;
  }
  KerasWeights *weights = g_new0 (KerasWeights, 1);
  weights->file = file;
  weights->named = named;
  weights->name = g_strdup (name);
  return weights;
}

void
keras_weights_close (KerasWeights *weights)
{
  if (!weights)
    return;
  g_mutex_lock (&hdf5_lock);
  H5Fclose (weights->file);
  g_mutex_unlock (&hdf5_lock);
  g_free (weights->name);
  g_free (weights);
}

gboolean
keras_weights_are_named (const KerasWeights *weights)
{
  return weights->named;
}

/* Every string of a string attribute, fixed or variable length; NULL when it
 * is not one. Under the lock. */
static char **
read_strings (hid_t attribute, gsize *n_strings)
{
  hid_t type = H5Aget_type (attribute);
  hid_t space = H5Aget_space (attribute);
  hssize_t count = space >= 0 ? H5Sget_simple_extent_npoints (space) : -1;
  size_t size_bytes = type >= 0 ? H5Tget_size (type) : 0;
  GPtrArray *strings = g_ptr_array_new_with_free_func (g_free);
  gboolean ok = type >= 0 && H5Tget_class (type) == H5T_STRING && count >= 0 &&
                count <= MAX_WEIGHT_NAMES;
  if (ok && H5Tis_variable_str (type) > 0) {
    char **items = g_new0 (char *, (gsize) count + 1);
    ok = H5Aread (attribute, type, items) >= 0;
    for (hssize_t i = 0; ok && i < count; i++)
      g_ptr_array_add (strings, g_strdup (items[i] ? items[i] : ""));
    if (ok)
      H5Dvlen_reclaim (type, space, H5P_DEFAULT, items);
    g_free (items);
  } else if (ok && size_bytes <= G_MAXINT32 / (MAX_WEIGHT_NAMES + 1)) {
    g_autofree char *items = g_malloc0 ((gsize) count * size_bytes + 1);
    ok = H5Aread (attribute, type, items) >= 0;
    for (hssize_t i = 0; ok && i < count; i++)
      g_ptr_array_add (
          strings, g_strndup (items + (gsize) i * size_bytes, size_bytes));
  } else {
    ok = FALSE;
  }
  if (type >= 0)
    H5Tclose (type);
  if (space >= 0)
    H5Sclose (space);
  *n_strings = strings->len;
  g_ptr_array_add (strings, NULL);
  if (ok)
    return (char **) g_ptr_array_free (strings, FALSE);
  g_ptr_array_unref (strings);
  return NULL;
}

/* Under the lock. */
static char **
read_attribute (hid_t where, const char *name, gsize *n_strings)
{
  if (H5Aexists (where, name) <= 0)
    return NULL;
  hid_t attribute = H5Aopen (where, name, H5P_DEFAULT);
  if (attribute < 0)
    return NULL;
  char **strings = read_strings (attribute, n_strings);
  H5Aclose (attribute);
  return strings;
}

char *
keras_weights_get_attribute (KerasWeights *weights, const char *name)
{
  gsize n_strings;
  g_mutex_lock (&hdf5_lock);
  g_auto (GStrv) strings = read_attribute (weights->file, name, &n_strings);
  g_mutex_unlock (&hdf5_lock);
  return strings && n_strings == 1 ? g_strdup (strings[0]) : NULL;
}

/* Does "conv1/kernel:0" name @variable of @layer? The layer may be one of a
 * nested model, whose weights all lie in the group of the outer layer. */
static gboolean
names_variable (const char *weight, const char *layer, const char *variable)
{
  g_auto (GStrv) parts = g_strsplit (weight, "/", -1);
  guint n_parts = g_strv_length (parts);
  if (n_parts == 0)
    return FALSE;
  char *colon = strchr (parts[n_parts - 1], ':');
  if (colon)
    *colon = 0;
  if (!g_str_equal (parts[n_parts - 1], variable))
    return FALSE;
  for (guint i = 0; i + 1 < n_parts; i++)
    if (g_str_equal (parts[i], layer))
      return TRUE;
  return n_parts == 1;
}

/* Path of the data set; NULL when there is none. Under the lock. */
static char *
find_dataset (KerasWeights *weights, const char *group, const char *layer,
    const char *variable, guint index)
{
  if (!weights->named)
    return g_strdup_printf ("%s/vars/%u", group, index);
  hid_t node = H5Gopen2 (weights->file, group, H5P_DEFAULT);
  if (node < 0)
    return NULL;
  gsize n_names = 0;
  g_auto (GStrv) names = read_attribute (node, "weight_names", &n_names);
  H5Gclose (node);
  for (gsize i = 0; i < n_names; i++)
    if (names_variable (names[i], layer, variable))
      return g_strdup_printf ("%s/%s", group, names[i]);
  return NULL;
}

/* FALSE when the array is absurd: its bytes are not in the file, whatever the
 * header says. Compression makes it smaller at most about a thousand times. */
static gboolean
is_plausible (KerasWeights *weights, const ForgeShape *shape)
{
  hsize_t file_bytes = 0;
  size_t size_bytes;
  return H5Fget_filesize (weights->file, &file_bytes) >= 0 &&
         forge_shape_size_bytes (shape, FORGE_FLOAT32, &size_bytes) &&
         size_bytes / 1100 <= file_bytes;
}

/* Under the lock. NULL without an error: not there, or not an array. */
static ForgeTensor *
read_dataset (KerasWeights *weights, const char *path, GError **error)
{
  hid_t set = H5Dopen2 (weights->file, path, H5P_DEFAULT);
  if (set < 0)
    return NULL;
  hid_t space = H5Dget_space (set);
  hid_t type = H5Dget_type (set);
  int rank = space >= 0 ? H5Sget_simple_extent_ndims (space) : -1;
  ForgeTensor *tensor = NULL;
  hsize_t dims[H5S_MAX_RANK];
  if (rank >= 0 && rank <= FORGE_MAX_DIMS && type >= 0 &&
      H5Tget_class (type) == H5T_FLOAT &&
      H5Sget_simple_extent_dims (space, dims, NULL) >= 0) {
    ForgeShape shape = { .rank = rank };
    for (int i = 0; i < rank; i++)
      shape.dims[i] = dims[i] <= G_MAXINT32 ? (int64_t) dims[i] : -1;
    if (is_plausible (weights, &shape))
      tensor = forge_tensor_new (FORGE_FLOAT32, &shape, error);
    if (tensor && H5Dread (set, H5T_NATIVE_FLOAT, H5S_ALL, H5S_ALL, H5P_DEFAULT,
                      tensor->data) < 0)
      g_clear_pointer (&tensor, forge_tensor_unref);
  }
  if (type >= 0)
    H5Tclose (type);
  if (space >= 0)
    H5Sclose (space);
  H5Dclose (set);
  return tensor;
}

ForgeTensor *
keras_weights_read (KerasWeights *weights, const char *group, const char *layer,
    const char *variable, guint index, int rank, GError **error)
{
  g_autoptr (GError) reason = NULL;
  ForgeTensor *tensor = NULL;
  g_mutex_lock (&hdf5_lock);
  g_autofree char *path = find_dataset (weights, group, layer, variable, index);
  if (path)
    tensor = read_dataset (weights, path, &reason);
  g_mutex_unlock (&hdf5_lock);
  if (tensor && tensor->shape.rank == rank)
    return tensor;
  g_autofree char *found = tensor
                               ? forge_shape_to_string (&tensor->shape)
                               : g_strdup (reason ? reason->message : "none");
  g_set_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT,
      "%s: layer '%s': expected the weight '%s' as %d-dimensional float data "
      "at %s, found %s",
      weights->name, layer, variable, rank, path ? path : group, found);
  forge_tensor_unref (tensor);
  return NULL;
}
