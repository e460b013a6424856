/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What this version cannot build, all of it in one error: layers it does not
 * have, code kept as Python, activations, and weights kept as integers. */
#include "formats/keras.h"

#include <string.h>

#define MAX_NESTING 16
#define MAX_LISTED 50

typedef struct {
  GString *text;
  guint n_found;
} List;

/* {"class_name": "QuantizedDTypePolicy", ...} or "int8_from_float32". */
static gboolean
is_quantised (JsonObject *config)
{
  JsonObject *policy = forge_json_object (config, "dtype");
  const char *name = forge_json_string (config, "dtype");
  if (policy) {
    const char *class_name = forge_json_string (policy, "class_name");
    if (class_name && strstr (class_name, "Quantized"))
      return TRUE;
    name = forge_json_string (forge_json_object (policy, "config"), "name");
  }
  return name && strstr (name, "_from_");
}

/* NULL when the layer can be built. (transfer full) */
static char *
reason (const KerasLayer *layer)
{
  const char *class_name = layer->class_name;
  if (g_str_equal (class_name, "Lambda"))
    return g_strdup ("Lambda: its Python code is never run");
  if (layer->is_operation && !keras_operation_find (layer)) {
    const char *function = forge_json_string (layer->config, "function");
    return g_strdup_printf ("operation %s%s%s", class_name, function ? " " : "",
        function ? function : "");
  }
  if (!layer->is_operation && !keras_layer_find (class_name))
    return g_strdup (class_name);
  const char *activation = keras_activation_unknown (layer->config);
  if (activation)
    return g_strdup_printf ("%s: activation '%s'", class_name, activation);
  if (is_quantised (layer->config))
    return g_strdup_printf ("%s: quantised weights", class_name);
  return NULL;
}

static void
list_layers (JsonArray *layers, int depth, List *list)
{
  guint n_layers = layers ? json_array_get_length (layers) : 0;
  for (guint i = 0; i < n_layers && depth <= MAX_NESTING; i++) {
    KerasLayer layer = { NULL };
    if (!keras_layer_read (forge_json_object_at (layers, i), &layer) ||
        g_str_equal (layer.class_name, "InputLayer"))
      continue;
    if (keras_is_model (layer.class_name)) {
      list_layers (keras_model_layers (layer.node), depth + 1, list);
      continue;
    }
    g_autofree char *text = reason (&layer);
    if (text && list->n_found++ < MAX_LISTED)
      g_string_append_printf (list->text, "%s'%s' (%s)",
          list->text->len ? ", " : "", layer.name, text);
  }
}

gboolean
keras_check_supported (JsonNode *config, const char *name, GError **error)
{
  g_autoptr (GString) text = g_string_new (NULL);
  List list = { .text = text };
  list_layers (keras_model_layers (config), 0, &list);
  if (list.n_found == 0)
    return TRUE;
  if (list.n_found > MAX_LISTED)
    g_string_append_printf (text, " and %u more", list.n_found - MAX_LISTED);
  g_set_error (error, FORGE_ERROR, FORGE_ERROR_UNSUPPORTED,
      "%s: layers that this version cannot run: %s", name, text->str);
  return FALSE;
}
