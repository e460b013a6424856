/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Functions that a model brings along, and branches whose condition is known
 * when the model is loaded, laid open: their nodes are read in place of the one
 * that calls them, so that nothing behind the reader knows of either. Exporters
 * of PyTorch write both. A hostile file can make bodies multiply without end,
 * so depth, nodes and bytes are counted.
 * Source: docs/IR.md of the ONNX project, "Functions"; operator specification,
 * If-1. */
#include <string.h>

#include "formats/onnx.h"

/* Conditions that need the shapes of all nodes so far. */
#define MAX_JUDGED 64

static char *
function_key (const char *domain, const char *name, const char *overload)
{
  if (!domain || strcmp (domain, "ai.onnx") == 0)
    domain = "";
  return g_strdup_printf (
      "%s\n%s\n%s", domain, name ? name : "", overload ? overload : "");
}

gboolean
forge_onnx_index_functions (ForgeOnnxReader *reader, GError **error)
{
  const ForgeOnnx__Model *model = reader->model;
  for (size_t i = 0; i < model->n_function; i++) {
    ForgeOnnx__Function *function = model->function[i];
    if (!forge_onnx_check_text (
            reader->source, "a function's name", function->name, error))
      return FALSE;
    if (!function->name || !*function->name)
      return forge_onnx_fail (reader->source, error, FORGE_ERROR_FORMAT,
          "function %zu has no name", i);
    char *key =
        function_key (function->domain, function->name, function->overload);
    if (!g_hash_table_insert (reader->functions, key, function))
      return forge_onnx_fail (reader->source, error, FORGE_ERROR_FORMAT,
          "functions of the file's own: two have the same name '%s'",
          function->name);
  }
  return TRUE;
}

const ForgeOnnx__Function *
forge_onnx_find_function (
    const ForgeOnnxReader *reader, const ForgeOnnx__Node *proto)
{
  /* an operator that we have ourselves is faster than what it is made of */
  if (g_hash_table_size (reader->functions) == 0 ||
      forge_op_find (
          proto->op_type ? proto->op_type : "", forge_onnx_node_domain (proto)))
    return NULL;
  g_autofree char *key =
      function_key (proto->domain, proto->op_type, proto->overload);
  return g_hash_table_lookup (reader->functions, key);
}

static const ForgeOnnx__Attribute *
find_attribute (
    ForgeOnnx__Attribute *const *list, size_t n_attributes, const char *name)
{
  for (size_t i = 0; i < n_attributes; i++)
    if (g_strcmp0 (list[i]->name, name) == 0)
      return list[i];
  return NULL;
}

const ForgeOnnx__Attribute *
forge_onnx_resolve_attribute (
    const ForgeOnnxReader *reader, const ForgeOnnx__Attribute *proto)
{
  const ForgeOnnxScope *scope = reader->scope;
  while (proto && proto->ref_attr_name && *proto->ref_attr_name) {
    if (!scope || !scope->function)
      return proto; /* a reference that leads nowhere */
    const char *name = proto->ref_attr_name;
    const ForgeOnnx__Function *function = scope->function;
    proto =
        find_attribute (scope->call->attribute, scope->call->n_attribute, name);
    if (!proto)
      return find_attribute (
          function->default_attribute, function->n_default_attribute, name);
    scope = scope->caller;
  }
  return proto;
}

static gboolean
add_identity (ForgeOnnxReader *reader, const ForgeOnnx__Node *proto,
    ForgeValue *from, ForgeValue *to, GError **error)
{
  if (!from || !to)
    return forge_onnx_fail_at (reader, proto, FORGE_ERROR_FORMAT, error,
        "a body gives something that its caller left out", "");
  ForgeNode *node =
      forge_graph_add_node (reader->graph, forge_op_find ("Identity", ""),
          forge_onnx_node_label (proto), NULL, &from, 1, &to, 1);
  node->opset = reader->graph->opset;
  return TRUE;
}

/* A body: its nodes, and under which names its results leave it. */
typedef struct {
  ForgeOnnx__Node *const *nodes;
  size_t n_nodes;
  char *const *results;
  size_t n_results;
} Body;

static gboolean
gives (const Body *body, const char *name)
{
  for (size_t n = 0; n < body->n_nodes; n++)
    for (size_t i = 0; i < body->nodes[n]->n_output; i++)
      if (strcmp (body->nodes[n]->output[i], name) == 0)
        return TRUE;
  return FALSE;
}

/* Reads the body in the reader's scope, which has its inputs. Results that a
 * node gives are the caller's values themselves; others are copied. */
static gboolean
read_body (ForgeOnnxReader *reader, const ForgeOnnx__Node *proto,
    const Body *body, ForgeValue *const *wanted, GError **error)
{
  GHashTable *values = reader->scope->values;
  g_autofree gboolean *is_copy = g_new0 (gboolean, body->n_results + 1);
  for (size_t i = 0; i < body->n_results; i++) {
    const char *name = body->results[i];
    is_copy[i] = g_hash_table_contains (values, name) || !gives (body, name);
    if (wanted[i] && !is_copy[i])
      g_hash_table_insert (values, g_strdup (name), wanted[i]);
  }
  if (!forge_onnx_read_nodes (reader, body->nodes, body->n_nodes, error))
    return FALSE;
  for (size_t i = 0; i < body->n_results; i++)
    if (wanted[i] && is_copy[i] &&
        !add_identity (reader, proto,
            forge_onnx_find_value (reader, body->results[i]), wanted[i], error))
      return FALSE;
  return TRUE;
}

/* The values that the outputs of @proto stand for where it is; NULL = left
 * out. */
static ForgeValue **
define_outputs (ForgeOnnxReader *reader, const ForgeOnnx__Node *proto,
    size_t n_results, GError **error)
{
  if (proto->n_output > n_results || n_results > FORGE_MAX_NODE_IO) {
    forge_onnx_fail_at (reader, proto, FORGE_ERROR_FORMAT, error,
        "more outputs than its body gives, or than a node can have", "");
    return NULL;
  }
  g_autofree ForgeValue **values = g_new0 (ForgeValue *, n_results + 1);
  for (size_t i = 0; i < proto->n_output; i++)
    if (*proto->output[i] &&
        !forge_onnx_define (reader, proto, proto->output[i], &values[i], error))
      return NULL;
  return g_steal_pointer (&values);
}

GHashTable *
forge_onnx_function_opsets (const ForgeOnnxReader *reader,
    const ForgeOnnx__Function *function, GError **error)
{
  g_autoptr (GHashTable) opsets =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  GHashTableIter iter;
  gpointer domain, version;
  g_hash_table_iter_init (&iter, reader->opsets);
  while (g_hash_table_iter_next (&iter, &domain, &version))
    g_hash_table_insert (opsets, g_strdup (domain), version);
  if (!forge_onnx_read_opsets (reader, function->opset_import,
          function->n_opset_import, opsets, error))
    return NULL;
  return g_steal_pointer (&opsets);
}

static gboolean
tie_inputs (ForgeOnnxReader *reader, const ForgeOnnx__Node *proto,
    const ForgeOnnx__Function *function, ForgeValue *const *given,
    GError **error)
{
  const ForgeOnnxScope *scope = reader->scope;
  for (size_t i = 0; i < function->n_input; i++) {
    if (!g_hash_table_add (scope->defined, g_strdup (function->input[i])))
      return forge_onnx_fail_at (reader, proto, FORGE_ERROR_FORMAT, error,
          "its function has two inputs named ", function->input[i]);
    g_hash_table_insert (
        scope->values, g_strdup (function->input[i]), given[i]);
  }
  return TRUE;
}

static gboolean
check_call (const ForgeOnnxReader *reader, const ForgeOnnx__Node *proto,
    const ForgeOnnx__Function *function, GError **error)
{
  if (proto->n_input <= function->n_input &&
      proto->n_output <= function->n_output)
    return TRUE;
  g_autofree char *text = g_strdup_printf (
      "%zu inputs and %zu outputs; it has %zu and %zu", proto->n_input,
      proto->n_output, function->n_input, function->n_output);
  return forge_onnx_fail_at (reader, proto, FORGE_ERROR_FORMAT, error,
      "calls its function with ", text);
}

gboolean
forge_onnx_inline_call (ForgeOnnxReader *reader, const ForgeOnnx__Node *proto,
    const ForgeOnnx__Function *function, GError **error)
{
  if (!check_call (reader, proto, function, error))
    return FALSE;
  g_autofree ForgeValue **outputs =
      define_outputs (reader, proto, function->n_output, error);
  g_autoptr (GHashTable) opsets =
      outputs ? forge_onnx_function_opsets (reader, function, error) : NULL;
  if (!opsets)
    return FALSE;
  g_autofree ForgeValue **inputs = g_new0 (ForgeValue *, function->n_input + 1);
  for (size_t i = 0; i < proto->n_input; i++)
    if (*proto->input[i])
      inputs[i] = forge_onnx_find_value (reader, proto->input[i]);
  ForgeOnnxScope *around = forge_onnx_scope_push (reader, proto, FALSE, error);
  if (!around)
    return FALSE;
  reader->scope->function = function;
  reader->scope->opsets = opsets;
  const Body body = { function->node, function->n_node, function->output,
    function->n_output };
  gboolean ok = tie_inputs (reader, proto, function, inputs, error) &&
                read_body (reader, proto, &body, outputs, error);
  forge_onnx_scope_pop (reader, around);
  return ok;
}

/* What the condition is for this batch, with the shapes of all nodes so far.
 * (transfer full): NULL when that does not tell; what is wrong with the graph
 * will be met again. */
static ForgeTensor *
evaluate_for (const ForgeGraph *graph, const char *name, int64_t batch)
{
  g_autoptr (ForgeGraph) copy = forge_graph_copy (graph);
  if (!forge_graph_sort (copy, NULL) ||
      !forge_graph_bind_batch (copy, batch, NULL))
    return NULL;
  const ForgeValue *value = forge_graph_find (copy, name);
  return value && value->constant ? forge_tensor_ref (value->constant) : NULL;
}

/* Exporters test extents that are known. A condition that is the same for a
 * batch of 1 and of 2 is taken to be so for all. */
static ForgeTensor *
judge_by_shapes (ForgeOnnxReader *reader, const ForgeValue *value)
{
  if (reader->n_judged++ >= MAX_JUDGED)
    return NULL;
  g_autoptr (ForgeTensor) one = evaluate_for (reader->graph, value->name, 1);
  g_autoptr (ForgeTensor) two =
      one ? evaluate_for (reader->graph, value->name, 2) : NULL;
  if (!two || one->size_bytes != two->size_bytes ||
      memcmp (one->data, two->data, one->size_bytes) != 0)
    return NULL;
  return g_steal_pointer (&one);
}

static gboolean
judge_condition (ForgeOnnxReader *reader, const ForgeOnnx__Node *proto,
    gboolean *is_true, GError **error)
{
  if (proto->n_input != 1 || !*proto->input[0])
    return forge_onnx_fail_at (reader, proto, FORGE_ERROR_FORMAT, error,
        "expected one input, the condition", "");
  const ForgeValue *value = forge_onnx_find_value (reader, proto->input[0]);
  g_autoptr (ForgeTensor) tensor = NULL;
  if (value && value->constant)
    tensor = forge_tensor_ref (value->constant);
  else if (value)
    tensor = judge_by_shapes (reader, value);
  if (!tensor)
    return forge_onnx_fail_at (reader, proto, FORGE_ERROR_UNSUPPORTED, error,
        "only a branch that is decided when the model is loaded is supported, "
        "and this depends on the picture: value ",
        proto->input[0]);
  if (tensor->dtype != FORGE_BOOL || tensor->size_bytes != 1)
    return forge_onnx_fail_at (reader, proto, FORGE_ERROR_FORMAT, error,
        "its condition is not one bool", "");
  *is_true = *(const uint8_t *) tensor->data != 0;
  return TRUE;
}

static gboolean
read_branch_constants (ForgeOnnxReader *reader, const ForgeOnnx__Node *proto,
    const ForgeOnnx__Graph *branch, GError **error)
{
  for (size_t i = 0; i < branch->n_initializer; i++) {
    ForgeValue *value = NULL;
    g_autoptr (ForgeTensor) tensor =
        forge_onnx_read_tensor (reader, branch->initializer[i], error);
    if (!tensor)
      return FALSE;
    const char *name = branch->initializer[i]->name;
    if (!forge_onnx_define (reader, proto, name ? name : "", &value, error))
      return FALSE;
    forge_value_set_constant (value, tensor);
  }
  return TRUE;
}

static gboolean
read_branch (ForgeOnnxReader *reader, const ForgeOnnx__Node *proto,
    const ForgeOnnx__Graph *branch, GError **error)
{
  if (branch->n_input > 0 || branch->n_sparse_initializer > 0)
    return forge_onnx_fail_at (reader, proto, FORGE_ERROR_UNSUPPORTED, error,
        "a branch with inputs or sparse initializers of its own", "");
  for (size_t i = 0; i < branch->n_output; i++)
    if (!branch->output[i]->name || !*branch->output[i]->name)
      return forge_onnx_fail_at (reader, proto, FORGE_ERROR_FORMAT, error,
          "a branch with a nameless output", "");
  if (!forge_onnx_check_operators (reader, branch->node, branch->n_node, error))
    return FALSE;
  g_autofree ForgeValue **outputs =
      define_outputs (reader, proto, branch->n_output, error);
  ForgeOnnxScope *around =
      outputs ? forge_onnx_scope_push (reader, proto, TRUE, error) : NULL;
  if (!around)
    return FALSE;
  g_autofree char **results = g_new0 (char *, branch->n_output + 1);
  for (size_t i = 0; i < branch->n_output; i++)
    results[i] = branch->output[i]->name;
  const Body body = { branch->node, branch->n_node, results, branch->n_output };
  gboolean ok = read_branch_constants (reader, proto, branch, error) &&
                read_body (reader, proto, &body, outputs, error);
  forge_onnx_scope_pop (reader, around);
  return ok;
}

gboolean
forge_onnx_inline_branch (
    ForgeOnnxReader *reader, const ForgeOnnx__Node *proto, GError **error)
{
  gboolean is_true = FALSE;
  if (!judge_condition (reader, proto, &is_true, error))
    return FALSE;
  const char *name = is_true ? "then_branch" : "else_branch";
  const ForgeOnnx__Attribute *attribute =
      find_attribute (proto->attribute, proto->n_attribute, name);
  if (!attribute || !attribute->has_g)
    return forge_onnx_fail_at (reader, proto, FORGE_ERROR_FORMAT, error,
        "expected a graph as attribute ", name);
  if (!forge_onnx_spend (reader, attribute->g.len, error))
    return FALSE;
  ForgeOnnx__Graph *branch = forge_onnx_unpack_graph (
      attribute->g.data, attribute->g.len, reader->source, error);
  if (!branch)
    return FALSE;
  gboolean ok = read_branch (reader, proto, branch, error);
  forge_onnx__graph__free_unpacked (branch, NULL);
  return ok;
}
