/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * NodeProto to node: attributes, operator look-up by domain and type, values
 * by name. Constant nodes become constants. Everything that this version does
 * not implement is gathered first and reported in one error, so that nobody
 * finds it out one operator at a time. */
#include <string.h>

#include "formats/onnx.h"

/* Names shown for each missing operator. */
#define MAX_NAMES_SHOWN 3

static const char *
text_or_empty (const char *text)
{
  return text ? text : "";
}

const char *
forge_onnx_domain_of (const ForgeOnnx__Node *proto)
{
  const char *domain = text_or_empty (proto->domain);
  return strcmp (domain, "ai.onnx") == 0 ? "" : domain;
}

static int
opset_of (const ForgeOnnxReader *reader, const ForgeOnnx__Node *proto)
{
  return GPOINTER_TO_INT (
      g_hash_table_lookup (reader->opsets, forge_onnx_domain_of (proto)));
}

static gboolean
is_constant (const ForgeOnnx__Node *proto)
{
  return *forge_onnx_domain_of (proto) == 0 &&
         strcmp (text_or_empty (proto->op_type), "Constant") == 0;
}

static gboolean
fail_at (const ForgeOnnxReader *reader, const ForgeOnnx__Node *proto, int code,
    GError **error, const char *text, const char *detail)
{
  return forge_onnx_fail (reader->source, error, code, "node '%s' (%s): %s%s",
      text_or_empty (proto->name), text_or_empty (proto->op_type), text,
      detail);
}

static gboolean
check_texts (
    const ForgeOnnxReader *reader, const ForgeOnnx__Node *proto, GError **error)
{
  const ForgeSource *source = reader->source;
  if (!forge_onnx_check_text (source, "a node's name", proto->name, error) ||
      !forge_onnx_check_text (source, "a node's type", proto->op_type, error) ||
      !forge_onnx_check_text (source, "a node's domain", proto->domain, error))
    return FALSE;
  for (size_t i = 0; i < proto->n_input; i++)
    if (!forge_onnx_check_text (
            source, "a node's input", proto->input[i], error))
      return FALSE;
  for (size_t i = 0; i < proto->n_output; i++)
    if (!forge_onnx_check_text (
            source, "a node's output", proto->output[i], error))
      return FALSE;
  for (size_t i = 0; i < proto->n_attribute; i++)
    if (!forge_onnx_check_text (
            source, "an attribute's name", proto->attribute[i]->name, error))
      return FALSE;
  return TRUE;
}

/* Files of IR version 1 have no type field: the one that is filled counts. */
static int
attribute_type (const ForgeOnnx__Attribute *proto)
{
  if (proto->type)
    return proto->type;
  return proto->has_f       ? FORGE_ONNX_FLOAT
         : proto->has_i     ? FORGE_ONNX_INT
         : proto->has_s     ? FORGE_ONNX_STRING
         : proto->t         ? FORGE_ONNX_TENSOR
         : proto->has_g     ? FORGE_ONNX_GRAPH
         : proto->n_floats  ? FORGE_ONNX_FLOATS
         : proto->n_ints    ? FORGE_ONNX_INTS
         : proto->n_strings ? FORGE_ONNX_STRINGS
         : proto->n_tensors ? FORGE_ONNX_TENSORS
         : proto->n_graphs  ? FORGE_ONNX_GRAPHS
                            : 0;
}

static gboolean
read_string (ForgeOnnxReader *reader, const ForgeOnnx__Attribute *proto,
    ForgeAttrs *attrs, GError **error)
{
  g_autofree char *text =
      proto->s.len ? g_strndup ((const char *) proto->s.data, proto->s.len)
                   : g_strdup ("");
  if (!forge_onnx_check_text (
          reader->source, "a string attribute", text, error))
    return FALSE;
  forge_attrs_set_string (attrs, proto->name, text);
  return TRUE;
}

static gboolean
read_tensor (ForgeOnnxReader *reader, const ForgeOnnx__Attribute *proto,
    ForgeAttrs *attrs, GError **error)
{
  if (!proto->t)
    return forge_onnx_fail (reader->source, error, FORGE_ERROR_FORMAT,
        "attribute '%s' should hold a tensor, but is empty", proto->name);
  g_autoptr (ForgeTensor) tensor =
      forge_onnx_read_tensor (reader, proto->t, error);
  if (tensor)
    forge_attrs_set_tensor (attrs, proto->name, tensor);
  return tensor != NULL;
}

static gboolean
read_attribute (ForgeOnnxReader *reader, const ForgeOnnx__Node *node,
    const ForgeOnnx__Attribute *proto, ForgeAttrs *attrs, GError **error)
{
  if (!proto->name || !*proto->name)
    return fail_at (reader, node, FORGE_ERROR_FORMAT, error,
        "an attribute without a name", "");
  if (forge_attrs_get (attrs, proto->name))
    return fail_at (reader, node, FORGE_ERROR_FORMAT, error,
        "two attributes are named ", proto->name);
  if (proto->ref_attr_name && *proto->ref_attr_name)
    return fail_at (reader, node, FORGE_ERROR_FORMAT, error,
        "a reference to a function's attribute outside a function: ",
        proto->name);
  switch (attribute_type (proto)) {
  case FORGE_ONNX_FLOAT:
    forge_attrs_set_float (attrs, proto->name, proto->f);
    return TRUE;
  case FORGE_ONNX_INT:
    forge_attrs_set_int (attrs, proto->name, proto->i);
    return TRUE;
  case FORGE_ONNX_STRING:
    return read_string (reader, proto, attrs, error);
  case FORGE_ONNX_TENSOR:
    return read_tensor (reader, proto, attrs, error);
  case FORGE_ONNX_FLOATS:
    forge_attrs_set_floats (attrs, proto->name, proto->floats, proto->n_floats);
    return TRUE;
  case FORGE_ONNX_INTS:
    forge_attrs_set_ints (attrs, proto->name, proto->ints, proto->n_ints);
    return TRUE;
  case FORGE_ONNX_GRAPH:
  case FORGE_ONNX_GRAPHS:
    return fail_at (reader, node, FORGE_ERROR_UNSUPPORTED, error,
        "sub-graphs are not supported: attribute ", proto->name);
  default:
    return fail_at (reader, node, FORGE_ERROR_UNSUPPORTED, error,
        "an attribute of a type that is not supported: ", proto->name);
  }
}

static ForgeAttrs *
read_attributes (
    ForgeOnnxReader *reader, const ForgeOnnx__Node *proto, GError **error)
{
  ForgeAttrs *attrs = forge_attrs_new ();
  for (size_t i = 0; i < proto->n_attribute; i++)
    if (!read_attribute (reader, proto, proto->attribute[i], attrs, error)) {
      forge_attrs_free (attrs);
      return NULL;
    }
  return attrs;
}

static gboolean
define (ForgeOnnxReader *reader, const ForgeOnnx__Node *proto, const char *name,
    GError **error)
{
  if (!g_hash_table_add (reader->defined, g_strdup (name)))
    return fail_at (reader, proto, FORGE_ERROR_FORMAT, error,
        "something else already gives the value ", name);
  return TRUE;
}

static ForgeTensor *
scalar_or_list (ForgeDtype dtype, const ForgeShape *shape, const void *values,
    size_t size_bytes, GError **error)
{
  ForgeTensor *tensor = forge_tensor_new (dtype, shape, error);
  if (tensor && size_bytes > 0)
    memcpy (tensor->data, values, size_bytes);
  return tensor;
}

/* The value of a Constant node, whichever attribute holds it. NULL without an
 * error: none of those that we know. */
static ForgeTensor *
constant_value (const ForgeAttr *attr, const char *name, GError **error)
{
  ForgeShape scalar = forge_shape (0);
  ForgeShape list = { .rank = 1 };
  if (strcmp (name, "value") == 0 && attr->type == FORGE_ATTR_TENSOR)
    return forge_tensor_ref (attr->tensor);
  if (strcmp (name, "value_float") == 0 && attr->type == FORGE_ATTR_FLOAT)
    return scalar_or_list (
        FORGE_FLOAT32, &scalar, &attr->f, sizeof (float), error);
  if (strcmp (name, "value_int") == 0 && attr->type == FORGE_ATTR_INT)
    return scalar_or_list (
        FORGE_INT64, &scalar, &attr->i, sizeof (int64_t), error);
  if (strcmp (name, "value_floats") == 0 && attr->type == FORGE_ATTR_FLOATS) {
    list.dims[0] = attr->floats->len;
    return scalar_or_list (FORGE_FLOAT32, &list, attr->floats->data,
        attr->floats->len * sizeof (float), error);
  }
  if (strcmp (name, "value_ints") == 0 && attr->type == FORGE_ATTR_INTS) {
    list.dims[0] = attr->ints->len;
    return scalar_or_list (FORGE_INT64, &list, attr->ints->data,
        attr->ints->len * sizeof (int64_t), error);
  }
  return NULL;
}

static gboolean
read_constant (
    ForgeOnnxReader *reader, const ForgeOnnx__Node *proto, GError **error)
{
  static const char *const names[] = { "value", "value_float", "value_floats",
    "value_int", "value_ints" };
  if (proto->n_output != 1 || !*proto->output[0] || proto->n_input != 0)
    return fail_at (reader, proto, FORGE_ERROR_FORMAT, error,
        "a constant has no inputs and one named output", "");
  ForgeAttrs *attrs = read_attributes (reader, proto, error);
  if (!attrs)
    return FALSE;
  g_autoptr (ForgeTensor) tensor = NULL;
  g_autoptr (GError) cause = NULL;
  for (gsize i = 0; i < G_N_ELEMENTS (names) && !tensor && !cause; i++) {
    const ForgeAttr *attr = forge_attrs_get (attrs, names[i]);
    if (attr)
      tensor = constant_value (attr, names[i], &cause);
  }
  forge_attrs_free (attrs);
  if (!tensor)
    return fail_at (reader, proto,
        cause ? cause->code : FORGE_ERROR_UNSUPPORTED, error,
        "no value of a kind that is supported", cause ? cause->message : "");
  if (!define (reader, proto, proto->output[0], error))
    return FALSE;
  forge_graph_add_constant (reader->graph, proto->output[0], tensor);
  return TRUE;
}

/* Empty names at the end of a list are the same as no names. */
static guint
trimmed (char **names, size_t n_names)
{
  while (n_names > 0 && !*names[n_names - 1])
    n_names--;
  return (guint) MIN (n_names, (size_t) G_MAXINT);
}

static gboolean
check_count (const ForgeOnnxReader *reader, const ForgeOnnx__Node *proto,
    const char *what, guint found, int least, int most, GError **error)
{
  int limit = most < 0 ? FORGE_MAX_NODE_IO : MIN (most, FORGE_MAX_NODE_IO);
  if ((int) found >= least && (int) found <= limit)
    return TRUE;
  g_autofree char *text =
      least == limit ? g_strdup_printf ("expected %d, found %u", least, found)
                     : g_strdup_printf (
                           "expected %d to %d, found %u", least, limit, found);
  return fail_at (reader, proto, FORGE_ERROR_FORMAT, error, what, text);
}

static gboolean
read_node (
    ForgeOnnxReader *reader, const ForgeOnnx__Node *proto, GError **error)
{
  const ForgeOp *op =
      forge_op_find (proto->op_type, forge_onnx_domain_of (proto));
  guint n_inputs = trimmed (proto->input, proto->n_input);
  guint n_outputs = trimmed (proto->output, proto->n_output);
  if (!check_count (reader, proto, "number of inputs: ", n_inputs,
          op->min_inputs, op->max_inputs, error) ||
      !check_count (reader, proto, "number of outputs: ", n_outputs,
          op->min_outputs, op->max_outputs, error))
    return FALSE;
  for (guint i = 0; i < n_outputs; i++)
    if (*proto->output[i] && !define (reader, proto, proto->output[i], error))
      return FALSE;
  ForgeAttrs *attrs = read_attributes (reader, proto, error);
  if (!attrs)
    return FALSE;
  ForgeValue *inputs[FORGE_MAX_NODE_IO] = { NULL };
  ForgeValue *outputs[FORGE_MAX_NODE_IO] = { NULL };
  for (guint i = 0; i < n_inputs; i++)
    if (*proto->input[i])
      inputs[i] = forge_graph_value (reader->graph, proto->input[i]);
  for (guint i = 0; i < n_outputs; i++)
    outputs[i] = forge_graph_value (reader->graph, proto->output[i]);
  ForgeNode *node = forge_graph_add_node (reader->graph, op,
      text_or_empty (proto->name), attrs, inputs, n_inputs, outputs, n_outputs);
  node->opset = opset_of (reader, proto);
  return TRUE;
}

/* One line of the error about missing operators. */
typedef struct {
  char *title;
  GString *names;
  guint n_nodes;
} Missing;

static void
missing_free (gpointer data)
{
  Missing *missing = data;
  g_free (missing->title);
  g_string_free (missing->names, TRUE);
  g_free (missing);
}

static void
add_missing (GPtrArray *list, const ForgeOnnxReader *reader,
    const ForgeOnnx__Node *proto)
{
  const char *domain = forge_onnx_domain_of (proto);
  int opset = opset_of (reader, proto);
  g_autofree char *version =
      opset ? g_strdup_printf ("opset %d", opset) : g_strdup ("no opset");
  g_autofree char *title = g_strdup_printf ("%s (domain %s, %s)",
      text_or_empty (proto->op_type), *domain ? domain : "ai.onnx", version);
  Missing *missing = NULL;
  for (guint i = 0; i < list->len && !missing; i++) {
    Missing *other = g_ptr_array_index (list, i);
    if (strcmp (other->title, title) == 0)
      missing = other;
  }
  if (!missing) {
    missing = g_new0 (Missing, 1);
    missing->title = g_steal_pointer (&title);
    missing->names = g_string_new (NULL);
    g_ptr_array_add (list, missing);
  }
  if (missing->n_nodes++ < MAX_NAMES_SHOWN)
    g_string_append_printf (missing->names, "%s'%s'",
        missing->n_nodes > 1 ? ", " : "", text_or_empty (proto->name));
}

static gboolean
report_missing (
    const ForgeOnnxReader *reader, const GPtrArray *list, GError **error)
{
  GString *text = g_string_new (NULL);
  for (guint i = 0; i < list->len; i++) {
    const Missing *missing = g_ptr_array_index (list, i);
    g_string_append_printf (
        text, "%s%s at %s", i ? "; " : "", missing->title, missing->names->str);
    if (missing->n_nodes > MAX_NAMES_SHOWN)
      g_string_append_printf (
          text, " and %u more", missing->n_nodes - MAX_NAMES_SHOWN);
  }
  forge_onnx_fail (reader->source, error, FORGE_ERROR_UNSUPPORTED,
      "%u operator%s not supported: %s", list->len,
      list->len == 1 ? " is" : "s are", text->str);
  g_string_free (text, TRUE);
  return FALSE;
}

static gboolean
check_operators (
    ForgeOnnxReader *reader, const ForgeOnnxCalls *calls, GError **error)
{
  g_autoptr (GPtrArray) missing = g_ptr_array_new_with_free_func (missing_free);
  for (guint i = 0; i < calls->calls->len; i++) {
    const ForgeOnnxCall *call = &g_array_index (calls->calls, ForgeOnnxCall, i);
    const ForgeOnnx__Node *node = call->proto;
    const char *domain = forge_onnx_domain_of (node);
    reader->opsets = call->opsets;
    if (!check_texts (reader, node, error))
      return FALSE;
    gboolean known = is_constant (node) ||
                     forge_op_find (text_or_empty (node->op_type), domain);
    if (known && opset_of (reader, node) == 0)
      return fail_at (reader, node, FORGE_ERROR_FORMAT, error,
          "the model does not say which version it uses of the operator set ",
          *domain ? domain : "ai.onnx");
    /* A hostile file could name a new operator in every node. */
    if (!known && missing->len < 64)
      add_missing (missing, reader, node);
  }
  return missing->len == 0 || report_missing (reader, missing, error);
}

static gboolean
read_calls (
    ForgeOnnxReader *reader, const ForgeOnnxCalls *calls, GError **error)
{
  if (!check_operators (reader, calls, error))
    return FALSE;
  for (guint i = 0; i < calls->calls->len; i++) {
    const ForgeOnnxCall *call = &g_array_index (calls->calls, ForgeOnnxCall, i);
    reader->opsets = call->opsets;
    if (!(is_constant (call->proto) ? read_constant (reader, call->proto, error)
                                    : read_node (reader, call->proto, error)))
      return FALSE;
  }
  return TRUE;
}

gboolean
forge_onnx_read_nodes (
    ForgeOnnxReader *reader, const ForgeOnnx__Model *model, GError **error)
{
  GHashTable *opsets = reader->opsets;
  g_autoptr (ForgeOnnxCalls) calls = forge_onnx_expand (reader, model, error);
  gboolean ok = calls && read_calls (reader, calls, error);
  reader->opsets = opsets;
  return ok;
}
