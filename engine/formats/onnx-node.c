/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * NodeProto to node: attributes, operator look-up by domain and type, values
 * by name. Constant nodes become constants; calls of the model's own functions
 * and branches are laid open (onnx-inline.c). */
#include <string.h>

#include "formats/onnx.h"

static const char *
text_or_empty (const char *text)
{
  return text ? text : "";
}

/* "ai.onnx" is the long name of the default domain. */
const char *
forge_onnx_node_domain (const ForgeOnnx__Node *proto)
{
  const char *domain = text_or_empty (proto->domain);
  return strcmp (domain, "ai.onnx") == 0 ? "" : domain;
}

static int
opset_of (const ForgeOnnxReader *reader, const ForgeOnnx__Node *proto)
{
  return GPOINTER_TO_INT (g_hash_table_lookup (
      reader->scope->opsets, forge_onnx_node_domain (proto)));
}

static gboolean
is_of_type (const ForgeOnnx__Node *proto, const char *type)
{
  return *forge_onnx_node_domain (proto) == 0 &&
         strcmp (text_or_empty (proto->op_type), type) == 0;
}

gboolean
forge_onnx_is_constant (const ForgeOnnx__Node *proto)
{
  return is_of_type (proto, "Constant");
}

gboolean
forge_onnx_is_branch (const ForgeOnnx__Node *proto)
{
  return is_of_type (proto, "If");
}

const char *
forge_onnx_node_label (const ForgeOnnx__Node *proto)
{
  if (proto->name && *proto->name)
    return proto->name;
  return proto->n_output > 0 ? proto->output[0] : "";
}

gboolean
forge_onnx_fail_at (const ForgeOnnxReader *reader, const ForgeOnnx__Node *proto,
    int code, GError **error, const char *text, const char *detail)
{
  return forge_onnx_fail (reader->source, error, code, "node '%s%s' (%s): %s%s",
      reader->scope ? reader->scope->prefix : "", forge_onnx_node_label (proto),
      text_or_empty (proto->op_type), text, detail);
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
    const char *name, ForgeAttrs *attrs, GError **error)
{
  g_autofree char *text =
      proto->s.len ? g_strndup ((const char *) proto->s.data, proto->s.len)
                   : g_strdup ("");
  if (!forge_onnx_check_text (
          reader->source, "a string attribute", text, error))
    return FALSE;
  forge_attrs_set_string (attrs, name, text);
  return TRUE;
}

static gboolean
read_tensor (ForgeOnnxReader *reader, const ForgeOnnx__Attribute *proto,
    const char *name, ForgeAttrs *attrs, GError **error)
{
  if (!proto->t)
    return forge_onnx_fail (reader->source, error, FORGE_ERROR_FORMAT,
        "attribute '%s' should hold a tensor, but is empty", name);
  g_autoptr (ForgeTensor) tensor =
      forge_onnx_read_tensor (reader, proto->t, error);
  if (tensor)
    forge_attrs_set_tensor (attrs, name, tensor);
  return tensor != NULL;
}

static gboolean
read_value (ForgeOnnxReader *reader, const ForgeOnnx__Node *node,
    const ForgeOnnx__Attribute *proto, const char *name, ForgeAttrs *attrs,
    GError **error)
{
  switch (attribute_type (proto)) {
  case FORGE_ONNX_FLOAT:
    forge_attrs_set_float (attrs, name, proto->f);
    return TRUE;
  case FORGE_ONNX_INT:
    forge_attrs_set_int (attrs, name, proto->i);
    return TRUE;
  case FORGE_ONNX_STRING:
    return read_string (reader, proto, name, attrs, error);
  case FORGE_ONNX_TENSOR:
    return read_tensor (reader, proto, name, attrs, error);
  case FORGE_ONNX_FLOATS:
    forge_attrs_set_floats (attrs, name, proto->floats, proto->n_floats);
    return TRUE;
  case FORGE_ONNX_INTS:
    forge_attrs_set_ints (attrs, name, proto->ints, proto->n_ints);
    return TRUE;
  case FORGE_ONNX_GRAPH:
  case FORGE_ONNX_GRAPHS:
    return forge_onnx_fail_at (reader, node, FORGE_ERROR_UNSUPPORTED, error,
        "sub-graphs are not supported: attribute ", name);
  default:
    return forge_onnx_fail_at (reader, node, FORGE_ERROR_UNSUPPORTED, error,
        "an attribute of a type that is not supported: ", name);
  }
}

static gboolean
read_attribute (ForgeOnnxReader *reader, const ForgeOnnx__Node *node,
    const ForgeOnnx__Attribute *proto, ForgeAttrs *attrs, GError **error)
{
  if (!proto->name || !*proto->name)
    return forge_onnx_fail_at (reader, node, FORGE_ERROR_FORMAT, error,
        "an attribute without a name", "");
  if (forge_attrs_get (attrs, proto->name))
    return forge_onnx_fail_at (reader, node, FORGE_ERROR_FORMAT, error,
        "two attributes are named ", proto->name);
  const ForgeOnnx__Attribute *found =
      forge_onnx_resolve_attribute (reader, proto);
  if (found && found->ref_attr_name && *found->ref_attr_name)
    return forge_onnx_fail_at (reader, node, FORGE_ERROR_FORMAT, error,
        "a reference to a function's attribute outside a function: ",
        proto->name);
  return !found || read_value (reader, node, found, proto->name, attrs, error);
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
    return forge_onnx_fail_at (reader, proto, FORGE_ERROR_FORMAT, error,
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
    return forge_onnx_fail_at (reader, proto,
        cause ? cause->code : FORGE_ERROR_UNSUPPORTED, error,
        "no value of a kind that is supported", cause ? cause->message : "");
  ForgeValue *value = NULL;
  if (!forge_onnx_define (reader, proto, proto->output[0], &value, error))
    return FALSE;
  forge_value_set_constant (value, tensor);
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
  return forge_onnx_fail_at (
      reader, proto, FORGE_ERROR_FORMAT, error, what, text);
}

/* "" for a node that has no name: the graph gives it one. */
static char *
node_name (const ForgeOnnxReader *reader, const ForgeOnnx__Node *proto)
{
  if (!proto->name || !*proto->name)
    return g_strdup ("");
  return g_strconcat (reader->scope->prefix, proto->name, NULL);
}

static gboolean
read_node (
    ForgeOnnxReader *reader, const ForgeOnnx__Node *proto, GError **error)
{
  const ForgeOp *op =
      forge_op_find (proto->op_type, forge_onnx_node_domain (proto));
  guint n_inputs = trimmed (proto->input, proto->n_input);
  guint n_outputs = trimmed (proto->output, proto->n_output);
  if (!check_count (reader, proto, "number of inputs: ", n_inputs,
          op->min_inputs, op->max_inputs, error) ||
      !check_count (reader, proto, "number of outputs: ", n_outputs,
          op->min_outputs, op->max_outputs, error))
    return FALSE;
  ForgeValue *inputs[FORGE_MAX_NODE_IO] = { NULL };
  ForgeValue *outputs[FORGE_MAX_NODE_IO] = { NULL };
  for (guint i = 0; i < n_inputs; i++)
    if (*proto->input[i])
      inputs[i] = forge_onnx_find_value (reader, proto->input[i]);
  for (guint i = 0; i < n_outputs; i++) {
    const char *name = proto->output[i];
    if (!*name)
      outputs[i] = forge_graph_value (reader->graph, NULL);
    else if (!forge_onnx_define (reader, proto, name, &outputs[i], error))
      return FALSE;
  }
  ForgeAttrs *attrs = read_attributes (reader, proto, error);
  if (!attrs)
    return FALSE;
  g_autofree char *name = node_name (reader, proto);
  ForgeNode *node = forge_graph_add_node (
      reader->graph, op, name, attrs, inputs, n_inputs, outputs, n_outputs);
  node->opset = opset_of (reader, proto);
  return TRUE;
}

static gboolean
read_any (ForgeOnnxReader *reader, const ForgeOnnx__Node *proto, GError **error)
{
  const ForgeOnnx__Function *function =
      forge_onnx_find_function (reader, proto);
  if (function)
    return forge_onnx_inline_call (reader, proto, function, error);
  if (forge_onnx_is_branch (proto))
    return forge_onnx_inline_branch (reader, proto, error);
  return forge_onnx_is_constant (proto) ? read_constant (reader, proto, error)
                                        : read_node (reader, proto, error);
}

gboolean
forge_onnx_read_nodes (ForgeOnnxReader *reader, ForgeOnnx__Node *const *nodes,
    size_t n_nodes, GError **error)
{
  if (n_nodes > FORGE_ONNX_MAX_NODES - reader->n_nodes)
    return forge_onnx_fail (reader->source, error, FORGE_ERROR_UNSUPPORTED,
        "more than %d nodes, those of functions counted at every call",
        FORGE_ONNX_MAX_NODES);
  reader->n_nodes += n_nodes;
  for (size_t i = 0; i < n_nodes; i++)
    if (!read_any (reader, nodes[i], error))
      return FALSE;
  return TRUE;
}
