/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The topology of a Keras model: Sequential, Functional, and models inside
 * models. A functional layer may be called several times; every call is
 * "layer/call/output" that others refer to. Calls are built when somebody
 * needs them, from the outputs back, with a stack of our own: files name a
 * chain of any length, and a cycle is seen as what it is. */
#include "formats/keras.h"

#include <string.h>

#define MAX_NESTING 16
#define MAX_LAYERS 8000
#define MAX_CALLS 50000
#define MAX_CYCLE_NAMES 8 /* of those in a message */

enum { WAITING, BEGUN, BUILT };

typedef struct {
  KerasLayer layer;
  JsonArray *calls;
  guint8 *states; /* one a call */
  guint n_calls;
  gint64 first_call;  /* the number that the first call is referred to by */
  gint64 least, most; /* of the numbers that references use */
} Entry;

typedef struct {
  KerasBuilder *builder;
  const char *prefix; /* of weight groups: "layers", "layers/functional/..." */
  const char *name;   /* of a nested model; NULL at the root */
  int depth;
  GPtrArray *entries;  /* Entry, in the order of the file */
  GHashTable *by_name; /* -> Entry */
  GHashTable *tensors; /* "layer/call/output" -> KerasTensor */
  GHashTable *classes; /* class -> times seen, for .keras group names */
} Scope;

/* Tensors into a model or out of it. */
typedef struct {
  KerasTensor tensors[KERAS_MAX_INPUTS];
  guint n;
} Tensors;

static gboolean build_model (KerasBuilder *builder, const KerasLayer *model,
    const char *prefix, int depth, const Tensors *in, Tensors *out,
    GError **error);

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

static char *
tensor_key (const char *layer, gint64 call, gint64 output)
{
  return g_strdup_printf (
      "%" G_GINT64_FORMAT "/%" G_GINT64_FORMAT "/%s", call, output, layer);
}

static void
keep (Scope *scope, const char *layer, guint call, const Tensors *out)
{
  for (guint i = 0; i < out->n; i++)
    g_hash_table_replace (scope->tensors, tensor_key (layer, call, i),
        g_memdup2 (&out->tensors[i], sizeof out->tensors[i]));
}

static const KerasTensor *
refer (gpointer data, const char *layer, gint64 call, gint64 output)
{
  Scope *scope = data;
  const Entry *entry = g_hash_table_lookup (scope->by_name, layer);
  g_autofree char *key =
      tensor_key (layer, call - (entry ? entry->first_call : 0), output);
  return g_hash_table_lookup (scope->tensors, key);
}

/* --- inputs --------------------------------------------------------------- */

static JsonArray *
input_shape (JsonObject *config)
{
  static const char *const keys[] = { "batch_shape", "batch_input_shape",
    "build_input_shape" };
  JsonArray *dims = NULL;
  for (gsize i = 0; i < G_N_ELEMENTS (keys) && !dims; i++)
    dims = forge_json_array (config, keys[i]);
  return dims;
}

/* An input of the graph; bytes stay bytes. */
static gboolean
build_input (Scope *scope, const KerasLayer *layer, JsonArray *dims,
    KerasTensor *out, GError **error)
{
  KerasBuilder *builder = scope->builder;
  guint rank = dims ? json_array_get_length (dims) : 0;
  if (rank < 1 || rank > FORGE_MAX_DIMS)
    return keras_error (builder, layer, error, FORGE_ERROR_FORMAT,
        "expected a batch_shape of 1 to %d extents", FORGE_MAX_DIMS);
  ForgeShape shape = { .rank = (int) rank };
  for (guint i = 0; i < rank; i++) {
    shape.dims[i] = forge_json_int_at (dims, i, -1);
    if (shape.dims[i] < -1 || shape.dims[i] == 0 || shape.dims[i] > G_MAXINT32)
      return keras_error (builder, layer, error, FORGE_ERROR_FORMAT,
          "extent %u of batch_shape is out of range", i);
  }
  if (forge_graph_find (builder->graph, layer->name))
    return keras_error (
        builder, layer, error, FORGE_ERROR_FORMAT, "two inputs have this name");
  gboolean is_bytes =
      g_strcmp0 (forge_json_string (layer->config, "dtype"), "uint8") == 0;
  *out = (KerasTensor) { .value = forge_graph_add_input (builder->graph,
                             layer->name,
                             is_bytes ? FORGE_UINT8 : FORGE_FLOAT32, &shape) };
  if (!is_bytes)
    return TRUE;
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_int (attrs, "to", 1);
  out->value = keras_emit1 (builder, layer, "Cast", attrs, out->value, error);
  return out->value != NULL;
}

/* Names of `input_layers`, in the order in which a call gives its inputs. */
static const KerasTensor *
note_input (gpointer names, const char *layer, gint64 call, gint64 output)
{
  static const KerasTensor none;
  g_ptr_array_add (names, (char *) layer);
  return &none;
}

static GPtrArray *
list_inputs (Scope *scope, JsonObject *config)
{
  KerasTensor ignored[KERAS_MAX_INPUTS];
  guint n_ignored;
  const char *layer;
  gint64 call;
  GPtrArray *names = g_ptr_array_new ();
  JsonNode *node = json_object_get_member (config, "input_layers");
  if (node && !keras_call_read (node, note_input, names, ignored, &n_ignored,
                  NULL, &layer, &call))
    g_ptr_array_set_size (names, 0);
  for (guint i = 0; names->len == 0 && i < scope->entries->len; i++) {
    const Entry *entry = scope->entries->pdata[i];
    if (g_str_equal (entry->layer.class_name, "InputLayer"))
      g_ptr_array_add (names, (char *) entry->layer.name);
  }
  return names;
}

static gboolean
place_inputs (
    Scope *scope, const KerasLayer *model, const Tensors *in, GError **error)
{
  g_autoptr (GPtrArray) names = list_inputs (scope, model->config);
  if (in && in->n != names->len)
    return keras_error (scope->builder, model, error, FORGE_ERROR_FORMAT,
        "a model of %u inputs is called with %u", names->len, in->n);
  for (guint i = 0; i < names->len; i++) {
    Entry *entry = g_hash_table_lookup (scope->by_name, names->pdata[i]);
    Tensors one = { .n = 1 };
    if (!entry || !g_str_equal (entry->layer.class_name, "InputLayer"))
      return keras_error (scope->builder, model, error, FORGE_ERROR_FORMAT,
          "its input '%s' is not an InputLayer", (char *) names->pdata[i]);
    if (in)
      one.tensors[0] = in->tensors[i];
    else if (!build_input (scope, &entry->layer,
                 input_shape (entry->layer.config), &one.tensors[0], error))
      return FALSE;
    keep (scope, entry->layer.name, 0, &one);
  }
  return TRUE;
}

/* --- layers --------------------------------------------------------------- */

/* One call of a layer. */
static gboolean
build_call (Scope *scope, const KerasLayer *layer, Tensors *in, Tensors *out,
    GError **error)
{
  KerasBuilder *builder = scope->builder;
  if (in->n == 0)
    return keras_error (
        builder, layer, error, FORGE_ERROR_FORMAT, "has no input");
  if (++builder->n_calls > MAX_CALLS)
    return keras_error (builder, layer, error, FORGE_ERROR_UNSUPPORTED,
        "more than %d calls of layers, those inside models counted each time",
        MAX_CALLS);
  if (keras_is_model (layer->class_name)) {
    gboolean named = keras_weights_are_named (builder->weights);
    g_autofree char *prefix = named
                                  ? g_strdup (layer->group)
                                  : g_strdup_printf ("%s/layers", layer->group);
    return build_model (
        builder, layer, prefix, scope->depth + 1, in, out, error);
  }
  KerasBuildFunc build = layer->is_operation
                             ? keras_operation_find (layer)
                             : keras_layer_find (layer->class_name);
  out->n = 1;
  out->tensors[0] = (KerasTensor) { NULL };
  return build (builder, layer, in->tensors, in->n, &out->tensors[0], error);
}

static void
entry_free (gpointer data)
{
  Entry *entry = data;
  g_free (entry->layer.group);
  g_free (entry->states);
  g_free (entry);
}

static gboolean
list_layers (Scope *scope, JsonArray *array, GError **error)
{
  guint n_layers = array ? json_array_get_length (array) : 0;
  if (n_layers == 0 || n_layers > MAX_LAYERS) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT,
        "%s: expected 1 to %d layers, found %u", scope->builder->name,
        MAX_LAYERS, n_layers);
    return FALSE;
  }
  for (guint i = 0; i < n_layers; i++) {
    JsonObject *object = forge_json_object_at (array, i);
    Entry *entry = g_new0 (Entry, 1);
    KerasLayer *layer = &entry->layer;
    g_ptr_array_add (scope->entries, entry);
    if (!keras_layer_read (object, layer)) {
      g_set_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT,
          "%s: layer %u has no class_name, config or name",
          scope->builder->name, i);
      return FALSE;
    }
    layer->parent = scope->name;
    layer->group = weight_group (scope, layer->class_name, layer->name);
    entry->calls = forge_json_array (object, "inbound_nodes");
    entry->n_calls = entry->calls ? json_array_get_length (entry->calls) : 0;
    entry->states = g_new0 (guint8, entry->n_calls + 1);
    entry->least = G_MAXINT64;
    entry->most = -1;
    if (!g_hash_table_insert (scope->by_name, (char *) layer->name, entry))
      return keras_error (scope->builder, layer, error, FORGE_ERROR_FORMAT,
          "two layers have this name");
  }
  return TRUE;
}

/* --- Functional ----------------------------------------------------------- */

static const KerasTensor *
note_reference (gpointer data, const char *layer, gint64 call, gint64 output)
{
  static const KerasTensor none;
  Scope *scope = data;
  Entry *entry = g_hash_table_lookup (scope->by_name, layer);
  if (entry) {
    entry->least = MIN (entry->least, call);
    entry->most = MAX (entry->most, call);
  }
  return &none;
}

/* Keras 2 counts the making of a nested model as its call 0, which it does not
 * save: the first that it saves is then called 1. */
static void
number_calls (Scope *scope, JsonNode *outputs)
{
  KerasTensor ignored[KERAS_MAX_INPUTS];
  guint n_ignored;
  const char *layer;
  gint64 call;
  for (guint i = 0; i < scope->entries->len; i++) {
    const Entry *entry = scope->entries->pdata[i];
    for (guint k = 0; k < entry->n_calls; k++)
      keras_call_read (json_array_get_element (entry->calls, k), note_reference,
          scope, ignored, &n_ignored, NULL, &layer, &call);
  }
  keras_call_read (
      outputs, note_reference, scope, ignored, &n_ignored, NULL, &layer, &call);
  for (guint i = 0; i < scope->entries->len; i++) {
    Entry *entry = scope->entries->pdata[i];
    if (keras_is_model (entry->layer.class_name) && entry->least >= 1 &&
        (scope->builder->keras2 || entry->most == entry->n_calls))
      entry->first_call = 1;
  }
}

typedef struct {
  Entry *entry;
  guint call;
} Visit;

static gboolean
cycle_error (Scope *scope, GArray *stack, const Entry *entry, GError **error)
{
  g_autoptr (GString) path = g_string_new (NULL);
  guint first = 0;
  while (g_array_index (stack, Visit, first).entry != entry)
    first++;
  for (guint i = first; i < MIN (stack->len, first + MAX_CYCLE_NAMES); i++)
    g_string_append_printf (
        path, "'%s' needs ", g_array_index (stack, Visit, i).entry->layer.name);
  g_set_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT,
      "%s: the layers form a cycle: %s%s'%s'", scope->builder->name, path->str,
      stack->len - first > MAX_CYCLE_NAMES ? "... needs " : "",
      entry->layer.name);
  return FALSE;
}

/* What a reference that found nothing needs first, onto the stack. */
static gboolean
push (
    Scope *scope, GArray *stack, const char *name, gint64 call, GError **error)
{
  Entry *entry = name ? g_hash_table_lookup (scope->by_name, name) : NULL;
  gint64 at = entry ? call - entry->first_call : -1;
  if (!name) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_UNSUPPORTED,
        "%s: more than %d inputs of one layer", scope->builder->name,
        KERAS_MAX_INPUTS);
    return FALSE;
  }
  if (!entry || at < 0 || at >= entry->n_calls || entry->states[at] == BUILT) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT,
        "%s: a layer refers to an output of call %" G_GINT64_FORMAT
        " of '%s', which the model does not have",
        scope->builder->name, call, name);
    return FALSE;
  }
  if (entry->states[at] == BEGUN)
    return cycle_error (scope, stack, entry, error);
  entry->states[at] = BEGUN;
  Visit visit = { entry, (guint) at };
  g_array_append_val (stack, visit);
  return TRUE;
}

/* Builds the call that is referred to, and all it needs. */
static gboolean
visit (Scope *scope, const char *name, gint64 call, GError **error)
{
  g_autoptr (GArray) stack = g_array_new (FALSE, FALSE, sizeof (Visit));
  g_autoptr (GArray) arguments =
      g_array_new (FALSE, FALSE, sizeof (KerasArgument));
  gboolean ok = push (scope, stack, name, call, error);
  while (ok && stack->len > 0) {
    Visit top = g_array_index (stack, Visit, stack->len - 1);
    Tensors in, out;
    if (!keras_call_read (json_array_get_element (top.entry->calls, top.call),
            refer, scope, in.tensors, &in.n, arguments, &name, &call)) {
      ok = push (scope, stack, name, call, error);
      continue;
    }
    top.entry->layer.arguments = arguments;
    ok = build_call (scope, &top.entry->layer, &in, &out, error);
    top.entry->layer.arguments = NULL;
    if (!ok)
      break;
    keep (scope, top.entry->layer.name, top.call, &out);
    top.entry->states[top.call] = BUILT;
    g_array_set_size (stack, stack->len - 1);
  }
  return ok;
}

static gboolean
build_functional (Scope *scope, const KerasLayer *model, const Tensors *in,
    Tensors *out, GError **error)
{
  JsonNode *outputs = json_object_get_member (model->config, "output_layers");
  const char *name;
  gint64 call;
  if (!place_inputs (scope, model, in, error))
    return FALSE;
  number_calls (scope, outputs);
  while (!keras_call_read (
      outputs, refer, scope, out->tensors, &out->n, NULL, &name, &call))
    if (!visit (scope, name, call, error))
      return FALSE;
  return out->n > 0 || keras_error (scope->builder, model, error,
                           FORGE_ERROR_FORMAT, "has no output_layers");
}

static gboolean
build_sequential (Scope *scope, const KerasLayer *model, const Tensors *in,
    Tensors *out, GError **error)
{
  Tensors now = { .n = 0 };
  if (in)
    now = *in;
  for (guint i = 0; i < scope->entries->len; i++) {
    const KerasLayer *layer =
        &((const Entry *) scope->entries->pdata[i])->layer;
    gboolean is_input = g_str_equal (layer->class_name, "InputLayer");
    if (is_input && now.n > 0)
      continue;
    /* Old files say the input's shape on the first layer or the model. */
    JsonArray *shape = input_shape (layer->config);
    if (!shape)
      shape = input_shape (model->config);
    if (now.n == 0 &&
        !build_input (scope, layer, shape, &now.tensors[0], error))
      return FALSE;
    now.n = MAX (now.n, 1);
    if (!is_input && !build_call (scope, layer, &now, out, error))
      return FALSE;
    if (!is_input)
      now = *out;
  }
  *out = now;
  return TRUE;
}

static gboolean
build_model (KerasBuilder *builder, const KerasLayer *model, const char *prefix,
    int depth, const Tensors *in, Tensors *out, GError **error)
{
  if (depth > MAX_NESTING)
    return keras_error (builder, model, error, FORGE_ERROR_UNSUPPORTED,
        "models nested deeper than %d", MAX_NESTING);
  Scope scope = { .builder = builder,
    .prefix = prefix,
    .name = depth > 0 ? model->name : NULL,
    .depth = depth,
    .entries = g_ptr_array_new_with_free_func (entry_free),
    .by_name = g_hash_table_new (g_str_hash, g_str_equal),
    .tensors = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, g_free),
    .classes = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL) };
  gboolean ok = list_layers (&scope, keras_model_layers (model->node), error);
  if (ok && model->config &&
      json_object_has_member (model->config, "output_layers"))
    ok = build_functional (&scope, model, in, out, error);
  else if (ok)
    ok = build_sequential (&scope, model, in, out, error);
  g_hash_table_unref (scope.by_name);
  g_ptr_array_unref (scope.entries);
  g_hash_table_unref (scope.tensors);
  g_hash_table_unref (scope.classes);
  return ok;
}

/* A result of rank 4 leaves in the order its user knows. */
static gboolean
add_outputs (KerasBuilder *builder, Tensors *out, GError **error)
{
  KerasLayer output = { .class_name = "output", .name = "output" };
  for (guint i = 0; i < out->n; i++) {
    KerasTensor *tensor = &out->tensors[i];
    if (!keras_to_nhwc (builder, &output, tensor, error))
      return FALSE;
    gboolean is_new = tensor->value->producer != NULL;
    for (guint k = 0; k < i; k++)
      is_new = is_new && out->tensors[k].value != tensor->value;
    if (!is_new)
      tensor->value = keras_emit1 (
          builder, &output, "Identity", NULL, tensor->value, error);
    if (!tensor->value)
      return FALSE;
    forge_graph_add_output (builder->graph, tensor->value);
  }
  return TRUE;
}

gboolean
keras_build_model (KerasBuilder *builder, JsonObject *model, GError **error)
{
  KerasLayer root = { .name = "model" };
  if (!keras_layer_read (model, &root) || !keras_is_model (root.class_name)) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_UNSUPPORTED,
        "%s: expected a Sequential or Functional model with layers, found "
        "class '%s' (a subclassed model keeps its structure in Python; export "
        "it to ONNX)",
        builder->name, root.class_name ? root.class_name : "none");
    return FALSE;
  }
  const char *prefix = "layers";
  if (keras_weights_has_group (
          builder->weights, "_layer_checkpoint_dependencies"))
    prefix = "_layer_checkpoint_dependencies";
  Tensors out = { .n = 0 };
  if (!keras_check_supported (root.node, builder->name, error) ||
      !build_model (builder, &root, prefix, 0, NULL, &out, error) ||
      !add_outputs (builder, &out, error))
    return FALSE;
  keras_note_preprocessing (builder, root.name);
  return TRUE;
}
