/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Everything that a file asks for and this version does not have, in the nodes
 * of the graph and of the functions that they call, gathered before anything is
 * read and reported in one error, so that nobody finds it out one operator at a
 * time. */
#include <string.h>

#include "formats/onnx.h"

/* Names shown for each missing operator, and operators shown. */
#define MAX_NAMES_SHOWN 3
#define MAX_SHOWN 40

/* One line of the error. */
typedef struct {
  char *title;
  GString *names;
  guint n_nodes;
} Missing;

typedef struct {
  const ForgeOnnxReader *reader;
  GHashTable *opsets; /* of the nodes looked at */
  GPtrArray *list;    /* Missing* */
  GHashTable *by_title;
  GHashTable *seen; /* set: functions looked into */
  const char *prefix;
  int depth;
} Search;

static void
missing_free (gpointer data)
{
  Missing *missing = data;
  g_free (missing->title);
  g_string_free (missing->names, TRUE);
  g_free (missing);
}

static const char *
text_or_empty (const char *text)
{
  return text ? text : "";
}

static gboolean
check_list (const ForgeSource *source, const char *what, char *const *texts,
    size_t n_texts, GError **error)
{
  for (size_t i = 0; i < n_texts; i++)
    if (!forge_onnx_check_text (source, what, texts[i], error))
      return FALSE;
  return TRUE;
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
  if (!check_list (
          source, "a node's input", proto->input, proto->n_input, error) ||
      !check_list (
          source, "a node's output", proto->output, proto->n_output, error))
    return FALSE;
  for (size_t i = 0; i < proto->n_attribute; i++)
    if (!forge_onnx_check_text (
            source, "an attribute's name", proto->attribute[i]->name, error))
      return FALSE;
  return TRUE;
}

static int
opset_of (const Search *search, const ForgeOnnx__Node *proto)
{
  return GPOINTER_TO_INT (
      g_hash_table_lookup (search->opsets, forge_onnx_node_domain (proto)));
}

static void
add_missing (Search *search, const ForgeOnnx__Node *proto)
{
  const char *domain = forge_onnx_node_domain (proto);
  int opset = opset_of (search, proto);
  g_autofree char *version =
      opset ? g_strdup_printf ("opset %d", opset) : g_strdup ("no opset");
  g_autofree char *title = g_strdup_printf ("%s (domain %s, %s)",
      text_or_empty (proto->op_type), *domain ? domain : "ai.onnx", version);
  Missing *missing = g_hash_table_lookup (search->by_title, title);
  if (!missing) {
    missing = g_new0 (Missing, 1);
    missing->title = g_steal_pointer (&title);
    missing->names = g_string_new (NULL);
    g_ptr_array_add (search->list, missing);
    g_hash_table_insert (search->by_title, missing->title, missing);
  }
  if (missing->n_nodes++ < MAX_NAMES_SHOWN)
    g_string_append_printf (missing->names, "%s'%s%s'",
        missing->n_nodes > 1 ? ", " : "", search->prefix,
        forge_onnx_node_label (proto));
}

static gboolean
report (const ForgeOnnxReader *reader, const GPtrArray *list, GError **error)
{
  GString *text = g_string_new (NULL);
  guint n_nodes = 0;
  for (guint i = 0; i < list->len; i++) {
    const Missing *missing = g_ptr_array_index (list, i);
    if (i >= MAX_SHOWN) {
      n_nodes += missing->n_nodes;
      continue;
    }
    g_string_append_printf (
        text, "%s%s at %s", i ? "; " : "", missing->title, missing->names->str);
    if (missing->n_nodes > MAX_NAMES_SHOWN)
      g_string_append_printf (
          text, " and %u more", missing->n_nodes - MAX_NAMES_SHOWN);
  }
  if (list->len > MAX_SHOWN)
    g_string_append_printf (text, "; and %u operators more, at %u nodes",
        list->len - MAX_SHOWN, n_nodes);
  forge_onnx_fail (reader->source, error, FORGE_ERROR_UNSUPPORTED,
      "%u operator%s not supported: %s", list->len,
      list->len == 1 ? " is" : "s are", text->str);
  g_string_free (text, TRUE);
  return FALSE;
}

static gboolean look_into (
    Search *search, const ForgeOnnx__Function *function, GError **error);

static gboolean
look_at (Search *search, const ForgeOnnx__Node *node, GError **error)
{
  const ForgeOnnxReader *reader = search->reader;
  if (!check_texts (reader, node, error))
    return FALSE;
  const ForgeOnnx__Function *function = forge_onnx_find_function (reader, node);
  if (function)
    return look_into (search, function, error);
  gboolean known = forge_onnx_is_constant (node) ||
                   forge_onnx_is_branch (node) ||
                   forge_op_find (text_or_empty (node->op_type),
                       forge_onnx_node_domain (node));
  if (!known) {
    add_missing (search, node);
    return TRUE;
  }
  const char *domain = forge_onnx_node_domain (node);
  return opset_of (search, node) != 0 ||
         forge_onnx_fail_at (reader, node, FORGE_ERROR_FORMAT, error,
             "the model does not say which version it uses of the operator "
             "set ",
             *domain ? domain : "ai.onnx");
}

static gboolean
look_at_all (Search *search, ForgeOnnx__Node *const *nodes, size_t n_nodes,
    GError **error)
{
  for (size_t i = 0; i < n_nodes; i++)
    if (!look_at (search, nodes[i], error))
      return FALSE;
  return TRUE;
}

/* Each function once, and its calls no deeper than they may be read. */
static gboolean
look_into (Search *search, const ForgeOnnx__Function *function, GError **error)
{
  const ForgeSource *source = search->reader->source;
  if (search->depth >= FORGE_ONNX_MAX_DEPTH ||
      !g_hash_table_add (search->seen, (gpointer) function))
    return TRUE;
  if (!check_list (source, "a function's input", function->input,
          function->n_input, error) ||
      !check_list (source, "a function's output", function->output,
          function->n_output, error))
    return FALSE;
  g_autoptr (GHashTable) opsets =
      forge_onnx_function_opsets (search->reader, function, error);
  if (!opsets)
    return FALSE;
  g_autofree char *prefix = g_strconcat (function->name, "/", NULL);
  Search inner = *search;
  inner.opsets = opsets;
  inner.prefix = prefix;
  inner.depth++;
  return look_at_all (&inner, function->node, function->n_node, error);
}

gboolean
forge_onnx_check_operators (const ForgeOnnxReader *reader,
    ForgeOnnx__Node *const *nodes, size_t n_nodes, GError **error)
{
  g_autoptr (GPtrArray) list = g_ptr_array_new_with_free_func (missing_free);
  g_autoptr (GHashTable) by_title = g_hash_table_new (g_str_hash, g_str_equal);
  g_autoptr (GHashTable) seen = g_hash_table_new (NULL, NULL);
  Search search = { .reader = reader,
    .opsets = reader->scope->opsets,
    .list = list,
    .by_title = by_title,
    .seen = seen,
    .prefix = reader->scope->prefix };
  return look_at_all (&search, nodes, n_nodes, error) &&
         (list->len == 0 || report (reader, list, error));
}
