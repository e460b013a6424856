/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * JSON from files that nobody has vouched for: a nesting limit before the
 * recursive parser sees the text, and getters that take a fallback. */
#pragma once

#include <json-glib/json-glib.h>

#define FORGE_JSON_MAX_DEPTH 64

/* NULL with FORGE_ERROR_FORMAT: not JSON, not UTF-8, or nested deeper than
 * FORGE_JSON_MAX_DEPTH. @name is for the message. (transfer full) */
JsonNode *forge_json_parse (
    const char *text, gssize size_bytes, const char *name, GError **error);

/* The member when it is there and of that type, else the fallback or NULL. */
gint64 forge_json_int (JsonObject *object, const char *key, gint64 fallback);
double forge_json_double (JsonObject *object, const char *key, double fallback);
gboolean forge_json_bool (
    JsonObject *object, const char *key, gboolean fallback);
const char *forge_json_string (JsonObject *object, const char *key);
JsonObject *forge_json_object (JsonObject *object, const char *key);
JsonArray *forge_json_array (JsonObject *object, const char *key);
/* The element when it is there and of that type, else NULL (or fallback). */
JsonObject *forge_json_object_at (JsonArray *array, guint index);
JsonArray *forge_json_array_at (JsonArray *array, guint index);
const char *forge_json_string_at (JsonArray *array, guint index);
gint64 forge_json_int_at (JsonArray *array, guint index, gint64 fallback);
