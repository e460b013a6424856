/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * json-glib parses by recursion without a limit, so the depth is counted
 * here first. Its getters warn when a member is missing or of another type;
 * ours treat both as "not there", which the caller reports where it matters. */
#include "base/json.h"

#include "forge/error.h"

static gboolean
is_shallow (const char *text, gsize size_bytes)
{
  int depth = 0;
  gboolean in_string = FALSE;
  for (gsize i = 0; i < size_bytes; i++) {
    char c = text[i];
    if (in_string && c == '\\')
      i++;
    else if (c == '"')
      in_string = !in_string;
    else if (!in_string && (c == '[' || c == '{'))
      depth++;
    else if (!in_string && (c == ']' || c == '}'))
      depth--;
    if (depth > FORGE_JSON_MAX_DEPTH)
      return FALSE;
  }
  return TRUE;
}

JsonNode *
forge_json_parse (
    const char *text, gssize size_bytes, const char *name, GError **error)
{
  gsize length = size_bytes < 0 ? strlen (text) : (gsize) size_bytes;
  if (!g_utf8_validate_len (text, length, NULL) || !is_shallow (text, length)) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT,
        "%s: expected JSON in UTF-8 of at most %d levels", name,
        FORGE_JSON_MAX_DEPTH);
    return NULL;
  }
  g_autoptr (JsonParser) parser = json_parser_new_immutable ();
  g_autoptr (GError) reason = NULL;
  if (!json_parser_load_from_data (parser, text, (gssize) length, &reason) ||
      !json_parser_get_root (parser)) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT, "%s: not JSON: %s",
        name, reason ? reason->message : "empty");
    return NULL;
  }
  return json_parser_steal_root (parser);
}

static JsonNode *
member (JsonObject *object, const char *key)
{
  return object ? json_object_get_member (object, key) : NULL;
}

static JsonNode *
element (JsonArray *array, guint index)
{
  return array && index < json_array_get_length (array)
             ? json_array_get_element (array, index)
             : NULL;
}

static gboolean
is_value (JsonNode *node, GType type)
{
  return node && JSON_NODE_HOLDS_VALUE (node) &&
         json_node_get_value_type (node) == type;
}

static gint64
node_int (JsonNode *node, gint64 fallback)
{
  return is_value (node, G_TYPE_INT64) ? json_node_get_int (node) : fallback;
}

static JsonObject *
node_object (JsonNode *node)
{
  return node && JSON_NODE_HOLDS_OBJECT (node) ? json_node_get_object (node)
                                               : NULL;
}

static JsonArray *
node_array (JsonNode *node)
{
  return node && JSON_NODE_HOLDS_ARRAY (node) ? json_node_get_array (node)
                                              : NULL;
}

static const char *
node_string (JsonNode *node)
{
  return is_value (node, G_TYPE_STRING) ? json_node_get_string (node) : NULL;
}

gint64
forge_json_int (JsonObject *object, const char *key, gint64 fallback)
{
  return node_int (member (object, key), fallback);
}

double
forge_json_double (JsonObject *object, const char *key, double fallback)
{
  JsonNode *node = member (object, key);
  if (is_value (node, G_TYPE_DOUBLE) || is_value (node, G_TYPE_INT64))
    return json_node_get_double (node);
  return fallback;
}

gboolean
forge_json_bool (JsonObject *object, const char *key, gboolean fallback)
{
  JsonNode *node = member (object, key);
  return is_value (node, G_TYPE_BOOLEAN) ? json_node_get_boolean (node)
                                         : fallback;
}

const char *
forge_json_string (JsonObject *object, const char *key)
{
  return node_string (member (object, key));
}

JsonObject *
forge_json_object (JsonObject *object, const char *key)
{
  return node_object (member (object, key));
}

JsonArray *
forge_json_array (JsonObject *object, const char *key)
{
  return node_array (member (object, key));
}

JsonObject *
forge_json_object_at (JsonArray *array, guint index)
{
  return node_object (element (array, index));
}

JsonArray *
forge_json_array_at (JsonArray *array, guint index)
{
  return node_array (element (array, index));
}

const char *
forge_json_string_at (JsonArray *array, guint index)
{
  return node_string (element (array, index));
}

gint64
forge_json_int_at (JsonArray *array, guint index, gint64 fallback)
{
  return node_int (element (array, index), fallback);
}
