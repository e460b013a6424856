/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The topology of a Keras model: Sequential, Functional, and models inside
 * models. A functional layer may be called several times; every call is a
 * node "layer/call/output" that others refer to. Keras 2 writes references as
 * ["layer", call, output, {...}], Keras 3 as {"keras_history": [...]} inside
 * the saved arguments. */
#include "formats/keras.h"

#include <string.h>

#define MAX_NESTING 16
#define MAX_LAYERS 20000

typedef struct {
  KerasBuilder *builder;
  char *prefix;        /* of weight groups: "layers", "layers/functional/..." */
  GHashTable *tensors; /* "layer/call/output" -> KerasTensor* */
  GHashTable *classes; /* class -> times seen, for .keras group names */
  int depth;
} Scope;

static gboolean build_model (KerasBuilder *builder, JsonObject *config,
    const char *prefix, int depth, KerasTensor *inputs, guint n_inputs,
    gboolean is_root, KerasTensor *out, GError **error);

static gboolean
is_model (const char *class_name)
{
  return g_str_equal (class_name, "Sequential") ||
         g_str_equal (class_name, "Functional") ||
         g_str_equal (class_name, "Model");
}

/* "BatchNormalization" -> "batch_normalization", as keras.src.utils.naming
 * does: a break before each capital that begins a word. */
static char *
snake_case (const char *name)
{
  GString *once = g_string_new (NULL);
  for (const char *c = name; *c; c++) {
    if (c > name && g_ascii_isupper (c[0]) && g_ascii_islower (c[1]))
      g_string_append_c (once, '_');
    g_string_append_c (once, *c);
  }
  GString *twice = g_string_new (NULL);
  for (gsize i = 0; i < once->len; i++) {
    if (i > 0 && g_ascii_isupper (once->str[i]) &&
        g_ascii_islower (once->str[i - 1]))
      g_string_append_c (twice, '_');
    g_string_append_c (twice, g_ascii_tolower (once->str[i]));
  }
  g_string_free (once, TRUE);
  return g_string_free (twice, FALSE);
}

/* Where the layer's weights lie. Counts the class, so once per layer, in the
 * order of the file. */
static char *
weight_group (Scope *scope, const char *class_name, const char *name)
{
  KerasBuilder *builder = scope->builder;
  if (keras_weights_are_named (builder->weights))
    return scope->depth > 0 ? g_strdup (scope->prefix)
                            : g_strdup_printf ("model_weights/%s", name);
  g_autofree char *snake = snake_case (class_name);
  guint seen = GPOINTER_TO_UINT (g_hash_table_lookup (scope->classes, snake));
  char *group = seen ? g_strdup_printf ("%s/%s_%u", scope->prefix, snake, seen)
                     : g_strdup_printf ("%s/%s", scope->prefix, snake);
  g_hash_table_insert (
      scope->classes, g_steal_pointer (&snake), GUINT_TO_POINTER (seen + 1));
  return group;
}

static void
keep (Scope *scope, const char *layer, guint call, KerasTensor tensor)
{
  char *key = g_strdup_printf ("%s/%u/0", layer, call);
  g_hash_table_insert (scope->tensors, key, g_memdup2 (&tensor, sizeof tensor));
}

static const KerasTensor *
refer (Scope *scope, JsonArray *history)
{
  const char *layer = forge_json_string_at (history, 0);
  if (!layer)
    return NULL;
  g_autofree char *key =
      g_strdup_printf ("%s/%" G_GINT64_FORMAT "/%" G_GINT64_FORMAT, layer,
          forge_json_int_at (history, 1, 0), forge_json_int_at (history, 2, 0));
  return g_hash_table_lookup (scope->tensors, key);
}

/* Inputs of a call, in the order written. FALSE = one is not built yet; *n is
 * the number found. */
static gboolean
collect (Scope *scope, JsonNode *node, KerasTensor *inputs, guint *n)
{
  if (JSON_NODE_HOLDS_OBJECT (node)) {
    JsonObject *object = json_node_get_object (node);
    JsonArray *history = forge_json_array (object, "keras_history");
    if (!history) {
      g_autoptr (GList) members = json_object_get_values (object);
      for (GList *item = members; item; item = item->next)
        if (!collect (scope, item->data, inputs, n))
          return FALSE;
      return TRUE;
    }
    const KerasTensor *tensor = refer (scope, history);
    if (!tensor || *n == KERAS_MAX_INPUTS)
      return FALSE;
    inputs[(*n)++] = *tensor;
    return TRUE;
  }
  if (!JSON_NODE_HOLDS_ARRAY (node))
    return TRUE;
  JsonArray *array = json_node_get_array (node);
  if (forge_json_string_at (array, 0) && json_array_get_length (array) >= 3) {
    const KerasTensor *tensor = refer (scope, array);
    if (!tensor || *n == KERAS_MAX_INPUTS)
      return FALSE;
    inputs[(*n)++] = *tensor;
    return TRUE;
  }
  for (guint i = 0; i < json_array_get_length (array); i++)
    if (!collect (scope, json_array_get_element (array, i), inputs, n))
      return FALSE;
  return TRUE;
}

static gboolean
build_input (
    Scope *scope, const KerasLayer *layer, KerasTensor *out, GError **error)
{
  KerasBuilder *builder = scope->builder;
  JsonArray *dims = forge_json_array (layer->config, "batch_shape");
  if (!dims)
    dims = forge_json_array (layer->config, "batch_input_shape");
  guint rank = dims ? json_array_get_length (dims) : 0;
  if (rank < 1 || rank > FORGE_MAX_DIMS)
    return keras_error (builder, layer, error, FORGE_ERROR_FORMAT,
        "expected a batch_shape of 1 to %d extents", FORGE_MAX_DIMS);
  ForgeShape shape = { .rank = (int) rank };
  for (guint i = 0; i < rank; i++) {
    shape.dims[i] = forge_json_int_at (dims, i, -1);
    if (shape.dims[i] < -1 || shape.dims[i] > G_MAXINT32)
      return keras_error (builder, layer, error, FORGE_ERROR_FORMAT,
          "extent %u of batch_shape is out of range", i);
  }
  out->value = forge_graph_add_input (
      builder->graph, layer->name, FORGE_FLOAT32, &shape);
  out->nchw = FALSE;
  return TRUE;
}

/* One call of a layer. */
static gboolean
build_call (Scope *scope, const KerasLayer *layer, KerasTensor *inputs,
    guint n_inputs, KerasTensor *out, GError **error)
{
  if (n_inputs == 0)
    return keras_error (
        scope->builder, layer, error, FORGE_ERROR_FORMAT, "has no input");
  if (is_model (layer->class_name)) {
    gboolean named = keras_weights_are_named (scope->builder->weights);
    g_autofree char *prefix = named
                                  ? g_strdup (layer->group)
                                  : g_strdup_printf ("%s/layers", layer->group);
    return build_model (scope->builder, layer->config, prefix, scope->depth + 1,
        inputs, n_inputs, FALSE, out, error);
  }
  KerasBuildFunc build = keras_layer_find (layer->class_name);
  return build (scope->builder, layer, inputs, n_inputs, out, error);
}

static void
layer_free (gpointer data)
{
  KerasLayer *layer = data;
  g_free (layer->group);
  g_free (layer);
}

/* The layers of a model, in the order of the file; NULL with an error. */
static GPtrArray *
list_layers (Scope *scope, JsonArray *array, GError **error)
{
  guint n_layers = array ? json_array_get_length (array) : 0;
  if (n_layers == 0 || n_layers > MAX_LAYERS) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT,
        "%s: expected 1 to %d layers, found %u", scope->builder->name,
        MAX_LAYERS, n_layers);
    return NULL;
  }
  GPtrArray *layers = g_ptr_array_new_with_free_func (layer_free);
  for (guint i = 0; i < n_layers; i++) {
    JsonObject *object = forge_json_object_at (array, i);
    KerasLayer *layer = g_new0 (KerasLayer, 1);
    g_ptr_array_add (layers, layer);
    layer->class_name = forge_json_string (object, "class_name");
    layer->config = forge_json_object (object, "config");
    layer->name = forge_json_string (layer->config, "name");
    if (!layer->class_name || !layer->config || !layer->name) {
      g_set_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT,
          "%s: layer %u has no class_name, config or name",
          scope->builder->name, i);
      g_ptr_array_unref (layers);
      return NULL;
    }
    layer->group = weight_group (scope, layer->class_name, layer->name);
  }
  return layers;
}

static gboolean
build_sequential (Scope *scope, GPtrArray *layers, JsonObject *config,
    KerasTensor *inputs, guint n_inputs, KerasTensor *out, GError **error)
{
  KerasTensor tensor = { NULL };
  if (n_inputs > 0)
    tensor = inputs[0];
  for (guint i = 0; i < layers->len; i++) {
    const KerasLayer *layer = layers->pdata[i];
    gboolean is_input = g_str_equal (layer->class_name, "InputLayer");
    if (is_input && tensor.value)
      continue;
    /* Old files say the input's shape on the first layer. */
    if (!tensor.value && !build_input (scope, layer, &tensor, error))
      return FALSE;
    if (!is_input && !build_call (scope, layer, &tensor, 1, &tensor, error))
      return FALSE;
  }
  *out = tensor;
  return TRUE;
}

/* Builds every call of a layer whose inputs are there. Returns the number
 * built, or -1. *left counts the calls that wait. */
static int
advance (Scope *scope, const KerasLayer *layer, JsonArray *calls, guint *left,
    GError **error)
{
  int built = 0;
  for (guint call = 0; calls && call < json_array_get_length (calls); call++) {
    g_autofree char *key = g_strdup_printf ("%s/%u/0", layer->name, call);
    if (g_hash_table_contains (scope->tensors, key))
      continue;
    KerasTensor inputs[KERAS_MAX_INPUTS], out;
    guint n_inputs = 0;
    if (!collect (
            scope, json_array_get_element (calls, call), inputs, &n_inputs)) {
      (*left)++;
      continue;
    }
    if (!build_call (scope, layer, inputs, n_inputs, &out, error))
      return -1;
    keep (scope, layer->name, call, out);
    built++;
  }
  return built;
}

static gboolean
place_inputs (Scope *scope, GPtrArray *layers, KerasTensor *inputs,
    guint n_inputs, gboolean is_root, GError **error)
{
  guint next = 0;
  for (guint i = 0; i < layers->len; i++) {
    const KerasLayer *layer = layers->pdata[i];
    KerasTensor tensor;
    if (!g_str_equal (layer->class_name, "InputLayer"))
      continue;
    if (!is_root && next == n_inputs)
      return keras_error (scope->builder, layer, error, FORGE_ERROR_FORMAT,
          "the nested model is called with %u inputs only", n_inputs);
    if (!is_root)
      tensor = inputs[next++];
    else if (!build_input (scope, layer, &tensor, error))
      return FALSE;
    keep (scope, layer->name, 0, tensor);
  }
  return TRUE;
}

static gboolean
build_functional (Scope *scope, GPtrArray *layers, JsonObject *config,
    KerasTensor *inputs, guint n_inputs, gboolean is_root, KerasTensor *out,
    GError **error)
{
  JsonArray *array = forge_json_array (config, "layers");
  if (!place_inputs (scope, layers, inputs, n_inputs, is_root, error))
    return FALSE;
  guint left;
  int progress;
  do {
    progress = 0;
    left = 0;
    for (guint i = 0; i < layers->len; i++) {
      const KerasLayer *layer = layers->pdata[i];
      if (g_str_equal (layer->class_name, "InputLayer"))
        continue;
      JsonObject *object = forge_json_object_at (array, i);
      int built = advance (scope, layer,
          forge_json_array (object, "inbound_nodes"), &left, error);
      if (built < 0)
        return FALSE;
      progress += built;
    }
  } while (left > 0 && progress > 0);
  KerasTensor outputs[KERAS_MAX_INPUTS];
  guint n_outputs = 0;
  JsonNode *node = json_object_get_member (config, "output_layers");
  if (!node || !collect (scope, node, outputs, &n_outputs) || n_outputs != 1) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT,
        "%s: expected one output layer that the inputs lead to; %u calls "
        "could not be placed (a cycle, or a reference to nothing)",
        scope->builder->name, left);
    return FALSE;
  }
  *out = outputs[0];
  return TRUE;
}

static gboolean
build_model (KerasBuilder *builder, JsonObject *config, const char *prefix,
    int depth, KerasTensor *inputs, guint n_inputs, gboolean is_root,
    KerasTensor *out, GError **error)
{
  if (depth > MAX_NESTING) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_UNSUPPORTED,
        "%s: models nested deeper than %d", builder->name, MAX_NESTING);
    return FALSE;
  }
  Scope scope = { .builder = builder,
    .prefix = (char *) prefix,
    .depth = depth,
    .tensors = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free),
    .classes = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL) };
  g_autoptr (GPtrArray) layers =
      list_layers (&scope, forge_json_array (config, "layers"), error);
  gboolean ok = layers != NULL;
  if (ok && json_object_has_member (config, "output_layers"))
    ok = build_functional (
        &scope, layers, config, inputs, n_inputs, is_root, out, error);
  else if (ok)
    ok =
        build_sequential (&scope, layers, config, inputs, n_inputs, out, error);
  g_hash_table_unref (scope.tensors);
  g_hash_table_unref (scope.classes);
  return ok;
}

/* Appends "dense_3 (LSTM)" for each layer this version does not have. */
static void
list_unknown (JsonArray *layers, int depth, GString *unknown)
{
  guint n_layers = layers ? json_array_get_length (layers) : 0;
  for (guint i = 0; i < n_layers && depth <= MAX_NESTING; i++) {
    JsonObject *object = forge_json_object_at (layers, i);
    const char *class_name = forge_json_string (object, "class_name");
    JsonObject *config = forge_json_object (object, "config");
    if (!class_name || g_str_equal (class_name, "InputLayer"))
      continue;
    if (is_model (class_name)) {
      list_unknown (forge_json_array (config, "layers"), depth + 1, unknown);
    } else if (!keras_layer_find (class_name)) {
      const char *name = forge_json_string (config, "name");
      g_string_append_printf (unknown, "%s'%s' (%s)", unknown->len ? ", " : "",
          name ? name : "?", class_name);
    }
  }
}

/* A network that rescales what it takes wants the bytes as they are; that is
 * said in the words of our own files, so that nothing has to be assumed. */
static void
note_preprocessing (KerasBuilder *builder)
{
  const ForgeValue *input = builder->graph->inputs->pdata[0];
  int64_t channels = input->shape.rank == 4 ? input->shape.dims[3] : 0;
  if (!builder->scales_input || (channels != 1 && channels != 3))
    return;
  g_hash_table_insert (builder->graph->metadata, g_strdup ("forge.preprocess"),
      g_strdup (channels == 3 ? "{\"scale\":[1,1,1],\"bias\":[0,0,0]}"
                              : "{\"scale\":[1],\"bias\":[0]}"));
}

gboolean
keras_build_model (KerasBuilder *builder, JsonObject *model, GError **error)
{
  const char *class_name = forge_json_string (model, "class_name");
  JsonObject *config = forge_json_object (model, "config");
  if (!class_name || !config || !is_model (class_name)) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_UNSUPPORTED,
        "%s: expected a Sequential or Functional model, found class '%s' (a "
        "subclassed model keeps its structure in Python; export it to ONNX)",
        builder->name, class_name ? class_name : "none");
    return FALSE;
  }
  g_autoptr (GString) unknown = g_string_new (NULL);
  list_unknown (forge_json_array (config, "layers"), 0, unknown);
  if (unknown->len > 0) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_UNSUPPORTED,
        "%s: layers that this version does not have: %s", builder->name,
        unknown->str);
    return FALSE;
  }
  KerasTensor out = { NULL };
  if (!build_model (builder, config, "layers", 0, NULL, 0, TRUE, &out, error))
    return FALSE;
  /* A result of rank 4 leaves in the order its user knows. */
  KerasLayer output = { .class_name = "output", .name = "output" };
  if (!keras_to_nhwc (builder, &output, &out, error))
    return FALSE;
  forge_graph_add_output (builder->graph, out.value);
  if (builder->graph->inputs->len > 0)
    note_preprocessing (builder);
  return TRUE;
}
