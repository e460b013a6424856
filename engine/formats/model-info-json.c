/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The forge.* keys of a model file, JSON in ONNX metadata_props:
 *   forge.format      "1", the version of this list
 *   forge.name, forge.version       plain text
 *   forge.labels      ["cat", "dog", ...], one for every class
 *   forge.calibration {"version": 1, "temperature": 1.25}
 *   forge.preprocess  {"width": 32, "height": 32, "colour": "rgb",
 *                      "resize": "centre-crop", "filter": "antialias",
 *                      "scale": [1, 1, 1], "bias": [0, 0, 0]}
 * dtype and layout are those of the graph's input. Other forge.* keys
 * (training, evaluation, data_hash ...) belong to train/. */
#include <json-glib/json-glib.h>
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "forge/error.h"
#include "formats/model-info.h"

#define FORMAT_VERSION "1"
#define MAX_JSON_BYTES ((size_t) 4 << 20)
/* json-glib's parser recurses once per level. */
#define MAX_JSON_DEPTH 8
#define MAX_VALUE 1e9
#define MIN_TEMPERATURE 0.01
#define MAX_TEMPERATURE 100.0

static gboolean
is_shallow (const char *text)
{
  int depth = 0;
  gboolean in_string = FALSE;
  for (; *text; text++) {
    if (in_string && *text == '\\' && text[1])
      text++;
    else if (*text == '"')
      in_string = !in_string;
    else if (!in_string && (*text == '[' || *text == '{')) {
      if (++depth > MAX_JSON_DEPTH)
        return FALSE;
    } else if (!in_string && (*text == ']' || *text == '}'))
      depth--;
  }
  return TRUE;
}

/* (transfer full): NULL without an error when the key is absent. */
static JsonNode *
parse (const ForgeInfoReader *reader, const char *key, JsonNodeType type,
    GError **error)
{
  const char *text = g_hash_table_lookup (reader->graph->metadata, key);
  if (!text && reader->info->beside)
    text = g_hash_table_lookup (reader->info->beside, key);
  if (!text)
    return NULL;
  if (strlen (text) > MAX_JSON_BYTES || !is_shallow (text)) {
    forge_info_fail (reader, error, FORGE_ERROR_FORMAT,
        "metadata %s: longer than %zu bytes or nested deeper than %d levels",
        key, MAX_JSON_BYTES, MAX_JSON_DEPTH);
    return NULL;
  }
  g_autoptr (GError) cause = NULL;
  JsonNode *node = json_from_string (text, &cause);
  if (node && json_node_get_node_type (node) == type)
    return node;
  forge_info_fail (reader, error, FORGE_ERROR_FORMAT,
      "metadata %s: expected a JSON %s: %s", key,
      type == JSON_NODE_ARRAY ? "array" : "object",
      cause ? cause->message : "found something else");
  g_clear_pointer (&node, json_node_unref);
  return NULL;
}

static gboolean
read_labels (ForgeInfoReader *reader, GError **error)
{
  g_autoptr (GError) cause = NULL;
  g_autoptr (JsonNode) node =
      parse (reader, "forge.labels", JSON_NODE_ARRAY, &cause);
  if (cause) {
    g_propagate_error (error, g_steal_pointer (&cause));
    return FALSE;
  }
  if (!node)
    return TRUE;
  JsonArray *array = json_node_get_array (node);
  guint n_labels = json_array_get_length (array);
  g_auto (GStrv) labels = g_new0 (char *, n_labels + 1);
  for (guint i = 0; i < n_labels; i++) {
    JsonNode *item = json_array_get_element (array, i);
    if (json_node_get_value_type (item) != G_TYPE_STRING)
      return forge_info_fail (reader, error, FORGE_ERROR_FORMAT,
          "metadata forge.labels: entry %u is not a string", i);
    labels[i] = g_strdup (json_node_get_string (item));
  }
  return n_labels == 0 ||
         forge_info_take_labels (reader, g_steal_pointer (&labels), error);
}

/* A member of forge.preprocess, or NULL when it is absent or null. */
static JsonNode *
member (JsonObject *object, const char *name)
{
  JsonNode *node = json_object_get_member (object, name);
  return node && !json_node_is_null (node) ? node : NULL;
}

static gboolean
read_number (const ForgeInfoReader *reader, JsonNode *node, const char *name,
    double *value, GError **error)
{
  GType type = JSON_NODE_HOLDS_VALUE (node) ? json_node_get_value_type (node)
                                            : G_TYPE_INVALID;
  if (type == G_TYPE_INT64 || type == G_TYPE_DOUBLE) {
    *value = json_node_get_double (node);
    if (type == G_TYPE_INT64)
      *value = (double) json_node_get_int (node);
    if (isfinite (*value) && fabs (*value) <= MAX_VALUE)
      return TRUE;
  }
  return forge_info_fail (reader, error, FORGE_ERROR_FORMAT,
      "metadata forge.preprocess: %s: expected a number up to %g", name,
      MAX_VALUE);
}

/* NULL in *@text when absent. */
static gboolean
read_text (const ForgeInfoReader *reader, JsonObject *object, const char *name,
    const char **text, GError **error)
{
  JsonNode *node = member (object, name);
  *text = NULL;
  if (!node)
    return TRUE;
  if (json_node_get_value_type (node) != G_TYPE_STRING)
    return forge_info_fail (reader, error, FORGE_ERROR_FORMAT,
        "metadata forge.preprocess: %s: expected a string", name);
  *text = json_node_get_string (node);
  return TRUE;
}

static gboolean
read_channels (ForgeInfoReader *reader, JsonObject *object, const char *name,
    float *values, GError **error)
{
  JsonNode *node = member (object, name);
  if (!node)
    return TRUE;
  guint n_channels = (guint) reader->info->preprocess.channels;
  JsonArray *array =
      JSON_NODE_HOLDS_ARRAY (node) ? json_node_get_array (node) : NULL;
  if (!array || json_array_get_length (array) != n_channels)
    return forge_info_fail (reader, error, FORGE_ERROR_FORMAT,
        "metadata forge.preprocess: %s: expected an array of %u numbers", name,
        n_channels);
  for (guint c = 0; c < n_channels; c++) {
    double value;
    if (!read_number (
            reader, json_array_get_element (array, c), name, &value, error))
      return FALSE;
    values[c] = (float) value;
  }
  reader->known |= FORGE_INFO_VALUES;
  return TRUE;
}

static gboolean
read_size (ForgeInfoReader *reader, JsonObject *object, GError **error)
{
  JsonNode *width = member (object, "width");
  JsonNode *height = member (object, "height");
  double w, h;
  if (!width && !height)
    return TRUE;
  if (!width || !height)
    return forge_info_fail (reader, error, FORGE_ERROR_FORMAT,
        "metadata forge.preprocess: width and height go together");
  return read_number (reader, width, "width", &w, error) &&
         read_number (reader, height, "height", &h, error) &&
         ((w == floor (w) && h == floor (h)) ||
             forge_info_fail (reader, error, FORGE_ERROR_FORMAT,
                 "metadata forge.preprocess: width and height are whole "
                 "numbers")) &&
         forge_info_set_size (reader, (int64_t) w, (int64_t) h, error);
}

static gboolean
read_preprocess (ForgeInfoReader *reader, GError **error)
{
  ForgePreprocess *preprocess = &reader->info->preprocess;
  const char *colour, *policy, *filter;
  g_autoptr (GError) cause = NULL;
  g_autoptr (JsonNode) node =
      parse (reader, "forge.preprocess", JSON_NODE_OBJECT, &cause);
  if (cause) {
    g_propagate_error (error, g_steal_pointer (&cause));
    return FALSE;
  }
  if (!node)
    return TRUE;
  if (!reader->takes_pictures)
    return forge_info_fail (reader, error, FORGE_ERROR_SHAPE,
        "metadata forge.preprocess: the graph's input is not a picture");
  JsonObject *object = json_node_get_object (node);
  return read_size (reader, object, error) &&
         read_text (reader, object, "colour", &colour, error) &&
         (!colour || forge_info_set_colour (reader, colour, error)) &&
         read_text (reader, object, "resize", &policy, error) &&
         read_text (reader, object, "filter", &filter, error) &&
         forge_info_set_resize (reader, policy, filter, error) &&
         read_channels (reader, object, "scale", preprocess->scale, error) &&
         read_channels (reader, object, "bias", preprocess->bias, error);
}

gboolean
forge_info_read_metadata (ForgeInfoReader *reader, GError **error)
{
  const char *version =
      g_hash_table_lookup (reader->graph->metadata, "forge.format");
  if (version && strcmp (version, FORMAT_VERSION) != 0)
    return forge_info_fail (reader, error, FORGE_ERROR_UNSUPPORTED,
        "metadata forge.format is '%s'; this version reads " FORMAT_VERSION,
        version);
  return read_labels (reader, error) && read_preprocess (reader, error);
}

gboolean
forge_info_read_calibration (ForgeInfoReader *reader, GError **error)
{
  g_autoptr (GError) cause = NULL;
  g_autoptr (JsonNode) node =
      parse (reader, "forge.calibration", JSON_NODE_OBJECT, &cause);
  if (cause) {
    g_propagate_error (error, g_steal_pointer (&cause));
    return FALSE;
  }
  if (!node)
    return TRUE;
  JsonObject *object = json_node_get_object (node);
  gint64 version = forge_json_int (object, "version", 0);
  double temperature = forge_json_double (object, "temperature", 0);
  if (version != 1)
    return forge_info_fail (reader, error, FORGE_ERROR_UNSUPPORTED,
        "metadata forge.calibration: version %" G_GINT64_FORMAT
        "; version 1 is read",
        version);
  if (!(temperature >= MIN_TEMPERATURE && temperature <= MAX_TEMPERATURE))
    return forge_info_fail (reader, error, FORGE_ERROR_FORMAT,
        "metadata forge.calibration: temperature: expected a number from %g to "
        "%g",
        MIN_TEMPERATURE, MAX_TEMPERATURE);
  reader->info->temperature = temperature;
  return TRUE;
}

static void
set_metadata (ForgeGraph *graph, const char *key, char *value)
{
  g_hash_table_insert (graph->metadata, g_strdup (key), value);
}

static char *
finish (JsonBuilder *builder)
{
  g_autoptr (JsonNode) node = json_builder_get_root (builder);
  g_object_unref (builder);
  return json_to_string (node, FALSE);
}

static char *
labels_to_json (char **labels)
{
  JsonBuilder *builder = json_builder_new ();
  json_builder_begin_array (builder);
  for (char **label = labels; *label; label++)
    json_builder_add_string_value (builder, *label);
  json_builder_end_array (builder);
  return finish (builder);
}

static void
add_text (JsonBuilder *builder, const char *name, const char *text)
{
  json_builder_set_member_name (builder, name);
  json_builder_add_string_value (builder, text);
}

static void
add_channels (
    JsonBuilder *builder, const char *name, const float *values, int n_channels)
{
  json_builder_set_member_name (builder, name);
  json_builder_begin_array (builder);
  for (int c = 0; c < n_channels; c++)
    json_builder_add_double_value (builder, values[c]);
  json_builder_end_array (builder);
}

/* What was assumed is left out. */
static char *
preprocess_to_json (const ForgePreprocess *preprocess, guint assumed)
{
  JsonBuilder *builder = json_builder_new ();
  json_builder_begin_object (builder);
  if (!(assumed & FORGE_INFO_SIZE)) {
    json_builder_set_member_name (builder, "width");
    json_builder_add_int_value (builder, preprocess->width);
    json_builder_set_member_name (builder, "height");
    json_builder_add_int_value (builder, preprocess->height);
  }
  if (!(assumed & FORGE_INFO_COLOUR))
    add_text (builder, "colour",
        preprocess->channels == 1 ? "grey"
        : preprocess->bgr         ? "bgr"
                                  : "rgb");
  if (!(assumed & FORGE_INFO_RESIZE))
    add_text (builder, "resize", forge_resize_policy_name (preprocess->policy));
  if (!(assumed & FORGE_INFO_FILTER))
    add_text (builder, "filter", forge_resize_filter_name (preprocess->filter));
  if (!(assumed & FORGE_INFO_VALUES)) {
    add_channels (builder, "scale", preprocess->scale, preprocess->channels);
    add_channels (builder, "bias", preprocess->bias, preprocess->channels);
  }
  json_builder_end_object (builder);
  return finish (builder);
}

void
forge_model_info_write (const ForgeModelInfo *info, ForgeGraph *graph)
{
  set_metadata (graph, "forge.format", g_strdup (FORMAT_VERSION));
  set_metadata (graph, "forge.name", g_strdup (info->name ? info->name : ""));
  set_metadata (
      graph, "forge.version", g_strdup (info->version ? info->version : ""));
  if (info->labels && info->labels[0])
    set_metadata (graph, "forge.labels", labels_to_json (info->labels));
  if (info->preprocess.channels > 0)
    set_metadata (graph, "forge.preprocess",
        preprocess_to_json (&info->preprocess, info->assumed));
}
