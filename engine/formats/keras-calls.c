/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * How Keras files write the call of a layer. Keras 2: a list of references
 * ["layer", call, output, {other arguments}]; Keras 3: {"args", "kwargs"}
 * with {"keras_history": ["layer", call, output]} somewhere inside.
 * Source: keras/src/models/functional.py of both. */
#include "formats/keras.h"

typedef struct {
  KerasReferFunc refer;
  gpointer scope;
  KerasTensor *inputs;
  guint *n_inputs;
  GArray *arguments;
  const char *missing_layer;
  gint64 missing_call;
} Collector;

gboolean
keras_is_model (const char *class_name)
{
  return g_str_equal (class_name, "Sequential") ||
         g_str_equal (class_name, "Functional") ||
         g_str_equal (class_name, "Model");
}

JsonArray *
keras_model_layers (JsonNode *config)
{
  if (config && JSON_NODE_HOLDS_ARRAY (config))
    return json_node_get_array (config);
  return config && JSON_NODE_HOLDS_OBJECT (config)
             ? forge_json_array (json_node_get_object (config), "layers")
             : NULL;
}

gboolean
keras_layer_read (JsonObject *object, KerasLayer *layer)
{
  const char *module = forge_json_string (object, "module");
  layer->class_name = forge_json_string (object, "class_name");
  layer->node = object ? json_object_get_member (object, "config") : NULL;
  layer->config = forge_json_object (object, "config");
  layer->name = forge_json_string (layer->config, "name");
  if (!layer->name)
    layer->name = forge_json_string (object, "name");
  if (!layer->class_name)
    return FALSE;
  layer->is_operation = g_str_equal (layer->class_name, "TFOpLambda") ||
                        (module && (g_strrstr (module, ".ops.") ||
                                       g_str_has_suffix (module, ".ops")));
  gboolean is_model = keras_is_model (layer->class_name);
  if (is_model && !layer->name)
    layer->name = "model";
  return layer->name && (is_model ? keras_model_layers (layer->node) != NULL
                                  : layer->config != NULL);
}

const KerasArgument *
keras_argument (const KerasLayer *layer, const char *name, guint position)
{
  for (guint i = 0; layer->arguments && i < layer->arguments->len; i++) {
    const KerasArgument *argument =
        &g_array_index (layer->arguments, KerasArgument, i);
    if (argument->name ? g_str_equal (argument->name, name) : i == position)
      return argument;
  }
  return NULL;
}

/* ["layer", call, output] and perhaps more. */
static gboolean
is_reference (JsonArray *array)
{
  return forge_json_string_at (array, 0) &&
         json_array_get_length (array) >= 3 &&
         forge_json_int_at (array, 1, -1) >= 0 &&
         forge_json_int_at (array, 2, -1) >= 0;
}

static gboolean
take (Collector *collector, JsonArray *reference)
{
  const char *layer = forge_json_string_at (reference, 0);
  gint64 call = forge_json_int_at (reference, 1, -1);
  const KerasTensor *tensor =
      layer && *collector->n_inputs < KERAS_MAX_INPUTS
          ? collector->refer (collector->scope, layer, call,
                forge_json_int_at (reference, 2, -1))
          : NULL;
  if (tensor) {
    collector->inputs[(*collector->n_inputs)++] = *tensor;
    return TRUE;
  }
  gboolean has_room = *collector->n_inputs < KERAS_MAX_INPUTS;
  collector->missing_layer = !has_room ? NULL : layer ? layer : "?";
  collector->missing_call = call;
  return FALSE;
}

/* Every tensor inside @node, in the order written. */
static gboolean
collect (Collector *collector, JsonNode *node)
{
  if (JSON_NODE_HOLDS_OBJECT (node)) {
    JsonObject *object = json_node_get_object (node);
    JsonArray *history = forge_json_array (object, "keras_history");
    if (history)
      return take (collector, history);
    g_autoptr (GList) members = json_object_get_values (object);
    for (GList *item = members; item; item = item->next)
      if (!collect (collector, item->data))
        return FALSE;
    return TRUE;
  }
  if (!JSON_NODE_HOLDS_ARRAY (node))
    return TRUE;
  JsonArray *array = json_node_get_array (node);
  if (is_reference (array))
    return take (collector, array);
  for (guint i = 0; i < json_array_get_length (array); i++)
    if (!collect (collector, json_array_get_element (array, i)))
      return FALSE;
  return TRUE;
}

/* An argument: its tensors, or itself as a constant. */
static gboolean
collect_argument (Collector *collector, const char *name, JsonNode *node)
{
  KerasArgument argument = { .name = name, .first = *collector->n_inputs };
  if (!collect (collector, node))
    return FALSE;
  argument.n_tensors = *collector->n_inputs - argument.first;
  argument.constant = argument.n_tensors > 0 ? NULL : node;
  if (collector->arguments)
    g_array_append_val (collector->arguments, argument);
  return TRUE;
}

static gboolean
collect_named (Collector *collector, JsonObject *arguments)
{
  JsonObjectIter iter;
  const char *name;
  JsonNode *node;
  if (!arguments)
    return TRUE;
  json_object_iter_init_ordered (&iter, arguments);
  while (json_object_iter_next_ordered (&iter, &name, &node))
    if (!collect_argument (collector, name, node))
      return FALSE;
  return TRUE;
}

/* ["layer", call, output, {...}], or ["_CONSTANT_VALUE", -1, value, {...}]. */
static gboolean
collect_entry (Collector *collector, JsonNode *node, gboolean *has_named)
{
  if (!JSON_NODE_HOLDS_ARRAY (node))
    return collect_argument (collector, NULL, node);
  JsonArray *entry = json_node_get_array (node);
  gboolean is_constant =
      g_strcmp0 (forge_json_string_at (entry, 0), "_CONSTANT_VALUE") == 0;
  if (!is_constant && !is_reference (entry))
    return collect_argument (collector, NULL, node);
  JsonNode *value = is_constant && json_array_get_length (entry) > 2
                        ? json_array_get_element (entry, 2)
                        : node;
  if (!collect_argument (collector, NULL, value))
    return FALSE;
  JsonObject *named = forge_json_object_at (entry, 3);
  if (!named || *has_named)
    return TRUE;
  *has_named = TRUE;
  return collect_named (collector, named);
}

static gboolean
collect_call (Collector *collector, JsonNode *call)
{
  if (JSON_NODE_HOLDS_OBJECT (call)) {
    JsonObject *object = json_node_get_object (call);
    JsonArray *args = forge_json_array (object, "args");
    if (!args && !json_object_has_member (object, "kwargs"))
      return collect (collector, call); /* a dictionary of outputs */
    for (guint i = 0; args && i < json_array_get_length (args); i++)
      if (!collect_argument (collector, NULL, json_array_get_element (args, i)))
        return FALSE;
    return collect_named (collector, forge_json_object (object, "kwargs"));
  }
  gboolean has_named = FALSE;
  JsonArray *entries =
      JSON_NODE_HOLDS_ARRAY (call) ? json_node_get_array (call) : NULL;
  if (entries && is_reference (entries))
    return collect_entry (collector, call, &has_named);
  for (guint i = 0; entries && i < json_array_get_length (entries); i++)
    if (!collect_entry (
            collector, json_array_get_element (entries, i), &has_named))
      return FALSE;
  return TRUE;
}

gboolean
keras_call_read (JsonNode *call, KerasReferFunc refer, gpointer scope,
    KerasTensor *inputs, guint *n_inputs, GArray *arguments,
    const char **missing_layer, gint64 *missing_call)
{
  Collector collector = { .refer = refer,
    .scope = scope,
    .inputs = inputs,
    .n_inputs = n_inputs,
    .arguments = arguments };
  *n_inputs = 0;
  if (arguments)
    g_array_set_size (arguments, 0);
  gboolean ok = collect_call (&collector, call);
  *missing_layer = collector.missing_layer;
  *missing_call = collector.missing_call;
  return ok;
}
