/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The .modelinfo key file beside a foreign model, as GStreamer 1.28 has it:
 *   [modelinfo]
 *   version=1.0
 *   [<tensor name>]
 *   dir=input
 *   type=float32
 *   dims=-1,3,224,224
 *   ranges=0.0,1.0;0.0,1.0;0.0,1.0
 * A range (min, max) is what bytes 0 and 255 become. Keys of our own, which
 * GStreamer ignores: resize, filter, colour in the input's section, and
 * labels-file in the output's (a text file in the same folder, one label a
 * line). Used only for what the model's own metadata leave open. A [forge]
 * section holds what an ONNX file would have in its metadata under forge.*
 * (calibration, baseline, drift), each key a line of JSON; it is used where the
 * model has no forge.preprocess of its own.
 * Source: GstAnalyticsModelInfo, gst-plugins-bad 1.28. */
#include <math.h>
#include <string.h>

#include "base/file.h"
#include "forge/error.h"
#include "formats/model-info.h"

#define GROUP "modelinfo"
#define OWN_GROUP "forge"
/* A baseline for a thousand classes takes some megabytes. */
#define MAX_FILE_BYTES ((size_t) 16 << 20)

/* `m.onnx.modelinfo`, then `m.modelinfo`; NULL when there is neither. */
static char *
find_file (const char *path)
{
  g_autofree char *long_name = g_strconcat (path, ".modelinfo", NULL);
  if (g_file_test (long_name, G_FILE_TEST_EXISTS))
    return g_steal_pointer (&long_name);
  g_autofree char *base = g_path_get_basename (path);
  const char *dot = strrchr (base, '.');
  size_t stem_bytes = strlen (path) - (dot ? strlen (dot) : 0);
  g_autofree char *stem = g_strndup (path, stem_bytes);
  g_autofree char *short_name = g_strconcat (stem, ".modelinfo", NULL);
  if (g_file_test (short_name, G_FILE_TEST_EXISTS))
    return g_steal_pointer (&short_name);
  return NULL;
}

static gboolean
check_version (const ForgeInfoReader *reader, GKeyFile *keys, GError **error)
{
  g_autofree char *version =
      g_key_file_get_string (keys, GROUP, "version", NULL);
  if (!version || !g_str_has_prefix (version, "1."))
    return forge_info_fail (reader, error, FORGE_ERROR_UNSUPPORTED,
        "[modelinfo] version is '%s'; 1.x is read",
        version ? version : "missing");
  return TRUE;
}

/* The section of a tensor: by its name, else the first of that direction. */
static char *
find_section (GKeyFile *keys, const char *tensor_name, const char *direction)
{
  if (g_key_file_has_group (keys, tensor_name))
    return g_strdup (tensor_name);
  g_auto (GStrv) groups = g_key_file_get_groups (keys, NULL);
  for (char **group = groups; *group; group++) {
    g_autofree char *dir = g_key_file_get_string (keys, *group, "dir", NULL);
    if (g_strcmp0 (dir, direction) == 0)
      return g_strdup (*group);
  }
  return NULL;
}

static gboolean
check_tensor (ForgeInfoReader *reader, GKeyFile *keys, const char *section,
    const ForgeValue *value, GError **error)
{
  g_autofree char *type = g_key_file_get_string (keys, section, "type", NULL);
  g_autofree char *order =
      g_key_file_get_string (keys, section, "dims-order", NULL);
  /* a network of other floats has become one of float32 (graph/widen.c) */
  gboolean fits_type =
      !type || strcmp (type, forge_dtype_name (value->dtype)) == 0 ||
      (value->dtype == FORGE_FLOAT32 &&
          (strcmp (type, "float16") == 0 || strcmp (type, "bfloat16") == 0 ||
              strcmp (type, "float64") == 0));
  if (!fits_type)
    return forge_info_fail (reader, error, FORGE_ERROR_SHAPE,
        "[%s] type is %s, the model has %s", section, type,
        forge_dtype_name (value->dtype));
  if (order && strcmp (order, "row-major") != 0)
    return forge_info_fail (reader, error, FORGE_ERROR_UNSUPPORTED,
        "[%s] dims-order '%s' is not supported", section, order);
  gsize n_dims = 0;
  g_autofree int *dims =
      g_key_file_get_integer_list (keys, section, "dims", &n_dims, NULL);
  if (!dims)
    return TRUE;
  gboolean fits = n_dims == (gsize) value->shape.rank;
  for (gsize i = 0; fits && i < n_dims; i++)
    fits = dims[i] < 0 || value->shape.dims[i] < 0 ||
           dims[i] == value->shape.dims[i];
  g_autofree char *text = forge_shape_to_string (&value->shape);
  if (!fits)
    return forge_info_fail (reader, error, FORGE_ERROR_SHAPE,
        "[%s] dims do not fit the model's %s", section, text);
  /* a size that the model leaves open is said here */
  int y = reader->info->preprocess.nchw ? 2 : 1;
  return n_dims != 4 || dims[y] < 1 || dims[y + 1] < 1 ||
         forge_info_set_size (reader, dims[y + 1], dims[y], error);
}

static gboolean
parse_number (const char *text, double *value)
{
  char *end = NULL;
  *value = g_ascii_strtod (text, &end);
  while (end && g_ascii_isspace (*end))
    end++;
  return end != text && *end == 0 && isfinite (*value) && fabs (*value) < 1e9;
}

static gboolean
read_ranges (ForgeInfoReader *reader, GKeyFile *keys, const char *section,
    GError **error)
{
  ForgePreprocess *preprocess = &reader->info->preprocess;
  g_autofree char *text = g_key_file_get_string (keys, section, "ranges", NULL);
  if (!text)
    return TRUE;
  g_auto (GStrv) pairs = g_strsplit (g_strchomp (text), ";", -1);
  guint n_pairs = g_strv_length (pairs);
  if (n_pairs > 1 && !*pairs[n_pairs - 1])
    n_pairs--;
  if (n_pairs != 1 && n_pairs != (guint) preprocess->channels)
    return forge_info_fail (reader, error, FORGE_ERROR_FORMAT,
        "[%s] ranges: expected 1 or %d pairs, found %u", section,
        preprocess->channels, n_pairs);
  for (int c = 0; c < preprocess->channels; c++) {
    const char *pair_text = pairs[n_pairs == 1 ? 0 : c];
    g_auto (GStrv) pair = g_strsplit (pair_text, ",", -1);
    double least, most;
    if (g_strv_length (pair) != 2 || !parse_number (pair[0], &least) ||
        !parse_number (pair[1], &most))
      return forge_info_fail (reader, error, FORGE_ERROR_FORMAT,
          "[%s] ranges: expected 'min,max', found '%s'", section, pair_text);
    if (preprocess->dtype == FORGE_UINT8 && (least != 0 || most != 255))
      return forge_info_fail (reader, error, FORGE_ERROR_UNSUPPORTED,
          "[%s] ranges: a uint8 input takes 0,255 only, found '%s'", section,
          pair_text);
    preprocess->scale[c] = (float) ((most - least) / 255);
    preprocess->bias[c] = (float) least;
  }
  /* uint8 inputs keep a scale of one: it is not used */
  reader->known |= FORGE_INFO_VALUES;
  return TRUE;
}

static gboolean
read_input (ForgeInfoReader *reader, GKeyFile *keys, GError **error)
{
  const ForgeValue *input = reader->graph->inputs->pdata[reader->info->input];
  g_autofree char *section = find_section (keys, input->name, "input");
  if (!section)
    return TRUE;
  g_autofree char *colour =
      g_key_file_get_string (keys, section, "colour", NULL);
  g_autofree char *policy =
      g_key_file_get_string (keys, section, "resize", NULL);
  g_autofree char *filter =
      g_key_file_get_string (keys, section, "filter", NULL);
  guint own = reader->known; /* said by the model itself */
  return check_tensor (reader, keys, section, input, error) &&
         ((own & FORGE_INFO_VALUES) ||
             read_ranges (reader, keys, section, error)) &&
         (!colour || (own & FORGE_INFO_COLOUR) ||
             forge_info_set_colour (reader, colour, error)) &&
         forge_info_set_resize (reader, own & FORGE_INFO_RESIZE ? NULL : policy,
             own & FORGE_INFO_FILTER ? NULL : filter, error);
}

/* One label a line; an end of line at the very end is no label. */
static gboolean
read_labels_file (ForgeInfoReader *reader, const char *name, GError **error)
{
  if (strchr (name, '/') || strcmp (name, "..") == 0)
    return forge_info_fail (reader, error, FORGE_ERROR_FORMAT,
        "labels-file '%s': expected a file in the model's folder", name);
  g_autofree char *folder = g_path_get_dirname (reader->path);
  g_autofree char *path = g_build_filename (folder, name, NULL);
  size_t size_bytes;
  g_autofree char *text =
      forge_file_read (path, MAX_FILE_BYTES, &size_bytes, error);
  if (!text)
    return FALSE;
  if (!g_utf8_validate_len (text, size_bytes, NULL))
    return forge_info_fail (reader, error, FORGE_ERROR_FORMAT,
        "labels-file '%s' is not UTF-8 text", name);
  char **labels = g_strsplit (text, "\n", -1);
  guint n_labels = g_strv_length (labels);
  if (n_labels > 0 && !*labels[n_labels - 1])
    g_clear_pointer (&labels[n_labels - 1], g_free);
  for (char **label = labels; *label; label++)
    g_strchomp (*label);
  return forge_info_take_labels (reader, labels, error);
}

static gboolean
read_output (ForgeInfoReader *reader, GKeyFile *keys, GError **error)
{
  const ForgeValue *output =
      reader->graph->outputs->pdata[reader->info->output];
  g_autofree char *section = find_section (keys, output->name, "output");
  g_autofree char *labels =
      section ? g_key_file_get_string (keys, section, "labels-file", NULL)
              : NULL;
  if (!labels || reader->info->labels[0])
    return TRUE;
  return read_labels_file (reader, labels, error);
}

/* Keys of the [forge] section become metadata. */
static void
read_own_keys (ForgeInfoReader *reader, GKeyFile *keys)
{
  gsize n_names = 0;
  g_auto (GStrv) names = g_key_file_get_keys (keys, OWN_GROUP, &n_names, NULL);
  for (gsize i = 0; i < n_names; i++) {
    char *value = g_key_file_get_string (keys, OWN_GROUP, names[i], NULL);
    if (!value)
      continue;
    if (!reader->info->beside)
      reader->info->beside =
          g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free);
    g_hash_table_replace (reader->info->beside,
        g_strconcat (OWN_GROUP ".", names[i], NULL), value);
  }
}

gboolean
forge_model_info_write_beside (const char *model_path, const char *const *names,
    const char *const *values, char **written, GError **error)
{
  g_autofree char *known = find_file (model_path);
  g_autofree char *path =
      known ? g_strdup (known) : g_strconcat (model_path, ".modelinfo", NULL);
  g_autoptr (GKeyFile) keys = g_key_file_new ();
  g_autoptr (GError) cause = NULL;
  size_t size_bytes = 0;
  g_autofree char *text =
      known ? forge_file_read (path, MAX_FILE_BYTES, &size_bytes, error) : NULL;
  if (known && !text)
    return FALSE;
  if (known && !g_key_file_load_from_data (
                   keys, text, size_bytes, G_KEY_FILE_KEEP_COMMENTS, &cause)) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT,
        "%s: not a key file: "
        "%s",
        path, cause->message);
    return FALSE;
  }
  if (!known)
    g_key_file_set_string (keys, GROUP, "version", "1.0");
  for (; *names; names++, values++)
    g_key_file_set_string (keys, OWN_GROUP, *names, *values);
  gsize length;
  g_autofree char *data = g_key_file_to_data (keys, &length, NULL);
  if (!forge_file_write (path, data, length, error))
    return FALSE;
  *written = g_steal_pointer (&path);
  return TRUE;
}

gboolean
forge_info_read_file (ForgeInfoReader *reader, GError **error)
{
  guint open = forge_info_open (reader);
  gboolean is_ours =
      g_hash_table_contains (reader->graph->metadata, "forge.preprocess");
  gboolean wanted = reader->path && reader->takes_pictures &&
                    (open || !reader->info->labels[0] || !is_ours);
  g_autofree char *path = wanted ? find_file (reader->path) : NULL;
  if (!path)
    return TRUE;
  size_t size_bytes;
  g_autofree char *text =
      forge_file_read (path, MAX_FILE_BYTES, &size_bytes, error);
  if (!text)
    return FALSE;
  ForgeInfoReader named = *reader;
  named.name = path;
  g_autoptr (GKeyFile) keys = g_key_file_new ();
  g_autoptr (GError) cause = NULL;
  g_key_file_set_list_separator (keys, ',');
  gboolean ok = g_key_file_load_from_data (keys, text, size_bytes, 0, &cause)
                    ? check_version (&named, keys, error) &&
                          read_input (&named, keys, error) &&
                          read_output (&named, keys, error)
                    : forge_info_fail (&named, error, FORGE_ERROR_FORMAT,
                          "not a key file: %s", cause->message);
  reader->known = named.known;
  if (ok && !is_ours)
    read_own_keys (reader, keys);
  return ok;
}
