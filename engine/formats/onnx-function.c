/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Functions that a file brings along: calls give way to the nodes of the
 * body, again and again until only operators are left. Values of the body get
 * the call's number before their names, its attributes the values of the call
 * or the function's defaults. An operator that the engine has itself stays a
 * node, whatever function of that name the file defines.
 * A file of a few bytes can describe a tree of calls without end, so depth,
 * number of nodes and memory are bounded.
 * Source: docs/IR.md of the ONNX project, Functions. */
#include <string.h>

#include "formats/onnx.h"

#define MAX_DEPTH 32
#define MAX_BYTES ((size_t) 256 << 20)

typedef struct {
  ForgeOnnxReader *reader;
  ForgeOnnxCalls *made;
  GHashTable *functions; /* "domain\nname\noverload" -> Function */
  GHashTable *opsets;    /* Function -> its operator sets */
  guint n_steps;         /* calls and nodes so far */
  size_t left_bytes;
} Inliner;

/* One call: a function, the node that calls it, and what the function's names
 * stand for. */
typedef struct {
  const ForgeOnnx__Function *function;
  const ForgeOnnx__Node *caller;
  GHashTable *names, *opsets;
  guint number;
  int depth;
} Frame;

void
forge_onnx_calls_free (ForgeOnnxCalls *calls)
{
  g_array_unref (calls->calls);
  g_string_chunk_free (calls->texts);
  g_ptr_array_unref (calls->blocks);
  g_ptr_array_unref (calls->tables);
  g_free (calls);
}

static const char *
text_or_empty (const char *text)
{
  return text ? text : "";
}

static char *
key_of (const char *domain, const char *name, const char *overload)
{
  return g_strdup_printf ("%s\n%s\n%s", text_or_empty (domain),
      text_or_empty (name), text_or_empty (overload));
}

static gboolean
fail (const Inliner *inliner, GError **error, int code, const char *text)
{
  return forge_onnx_fail (inliner->reader->source, error, code,
      "functions of the file's own: %s", text);
}

/* Zeroed memory that lives as long as the calls. */
static void *
take (Inliner *inliner, size_t size_bytes)
{
  if (size_bytes > inliner->left_bytes)
    return NULL;
  inliner->left_bytes -= size_bytes;
  void *block = g_malloc0 (MAX (size_bytes, 1));
  g_ptr_array_add (inliner->made->blocks, block);
  return block;
}

static char *
take_text (Inliner *inliner, const char *prefix, const char *text)
{
  size_t size_bytes = strlen (prefix) + strlen (text) + 2;
  if (size_bytes > inliner->left_bytes)
    return NULL;
  inliner->left_bytes -= size_bytes;
  g_autofree char *joined =
      *prefix ? g_strconcat (prefix, "/", text, NULL) : g_strdup (text);
  return g_string_chunk_insert (inliner->made->texts, joined);
}

/* What a name of the body stands for outside. */
static char *
rename_value (Inliner *inliner, const Frame *frame, const char *name)
{
  char *known = g_hash_table_lookup (frame->names, name);
  char prefix[16];
  if (!*name || known)
    return known ? known : (char *) "";
  g_snprintf (prefix, sizeof prefix, "%u", frame->number);
  char *made = take_text (inliner, prefix, name);
  if (made)
    g_hash_table_insert (frame->names, (char *) name, made);
  return made;
}

static char **
rename_values (
    Inliner *inliner, const Frame *frame, char *const *names, size_t n_names)
{
  char **made = take (inliner, n_names * sizeof *made);
  for (size_t i = 0; made && i < n_names; i++)
    if (!(made[i] = rename_value (inliner, frame, names[i])))
      return NULL;
  return made;
}

static ForgeOnnx__Attribute *
find_attribute (
    ForgeOnnx__Attribute *const *list, size_t n_list, const char *name)
{
  for (size_t i = 0; i < n_list; i++)
    if (list[i]->name && strcmp (list[i]->name, name) == 0)
      return list[i];
  return NULL;
}

/* An attribute of a node of the body: itself, or the call's under its name.
 * The call may leave it out: then *@resolved is NULL. */
static gboolean
resolve_attribute (Inliner *inliner, const Frame *frame,
    ForgeOnnx__Attribute *attribute, ForgeOnnx__Attribute **resolved)
{
  const char *wanted = attribute->ref_attr_name;
  *resolved = attribute;
  if (!wanted || !*wanted)
    return TRUE;
  const ForgeOnnx__Attribute *given = find_attribute (
      frame->caller->attribute, frame->caller->n_attribute, wanted);
  if (!given)
    given = find_attribute (frame->function->default_attribute,
        frame->function->n_default_attribute, wanted);
  *resolved = NULL;
  if (!given)
    return TRUE;
  *resolved = take (inliner, sizeof **resolved);
  if (!*resolved)
    return FALSE;
  **resolved = *given;
  (*resolved)->name = attribute->name;
  return TRUE;
}

/* A node of the body as a node of the graph. */
static ForgeOnnx__Node *
rename_node (Inliner *inliner, const Frame *frame, const ForgeOnnx__Node *node)
{
  ForgeOnnx__Node *made = take (inliner, sizeof *made);
  if (!made)
    return NULL;
  *made = *node;
  made->n_attribute = 0;
  made->attribute = take (inliner, node->n_attribute * sizeof *made->attribute);
  made->input = rename_values (inliner, frame, node->input, node->n_input);
  made->output = rename_values (inliner, frame, node->output, node->n_output);
  made->name = take_text (
      inliner, text_or_empty (frame->caller->name), text_or_empty (node->name));
  if (!made->attribute || !made->input || !made->output || !made->name)
    return NULL;
  for (size_t i = 0; i < node->n_attribute; i++) {
    ForgeOnnx__Attribute *resolved;
    if (!resolve_attribute (inliner, frame, node->attribute[i], &resolved))
      return NULL;
    if (resolved)
      made->attribute[made->n_attribute++] = resolved;
  }
  return made;
}

static GHashTable *
opsets_of (
    Inliner *inliner, const ForgeOnnx__Function *function, GError **error)
{
  GHashTable *opsets = g_hash_table_lookup (inliner->opsets, function);
  if (opsets)
    return opsets;
  opsets = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_ptr_array_add (inliner->made->tables, opsets);
  g_hash_table_insert (inliner->opsets, (gpointer) function, opsets);
  return forge_onnx_read_opsets (inliner->reader->source,
             function->opset_import, function->n_opset_import, opsets, error)
             ? opsets
             : NULL;
}

/* The call's names for the function's inputs and outputs. An output that the
 * call leaves out is a value of the body like any other. */
static gboolean
bind_names (Inliner *inliner, const Frame *frame, GError **error)
{
  const ForgeOnnx__Function *function = frame->function;
  const ForgeOnnx__Node *caller = frame->caller;
  if (caller->n_input > function->n_input ||
      caller->n_output > function->n_output)
    return forge_onnx_fail (inliner->reader->source, error, FORGE_ERROR_FORMAT,
        "node '%s' gives function %s %zu inputs and %zu outputs; it has %zu "
        "and %zu",
        text_or_empty (caller->name), text_or_empty (function->name),
        caller->n_input, caller->n_output, function->n_input,
        function->n_output);
  for (size_t i = 0; i < function->n_input; i++)
    g_hash_table_insert (frame->names, function->input[i],
        i < caller->n_input ? caller->input[i] : (char *) "");
  for (size_t i = 0; i < caller->n_output; i++)
    if (*caller->output[i])
      g_hash_table_insert (
          frame->names, function->output[i], caller->output[i]);
  return TRUE;
}

static gboolean expand_node (Inliner *inliner, const ForgeOnnx__Node *node,
    GHashTable *opsets, int depth, GError **error);

static gboolean
expand_body (Inliner *inliner, const Frame *frame, GError **error)
{
  const ForgeOnnx__Function *function = frame->function;
  for (size_t i = 0; i < function->n_node; i++) {
    const ForgeOnnx__Node *node =
        rename_node (inliner, frame, function->node[i]);
    if (!node)
      return fail (inliner, error, FORGE_ERROR_UNSUPPORTED,
          "they unfold to more memory than is sane");
    if (!expand_node (inliner, node, frame->opsets, frame->depth, error))
      return FALSE;
  }
  return TRUE;
}

static gboolean
expand_call (Inliner *inliner, const ForgeOnnx__Function *function,
    const ForgeOnnx__Node *caller, int depth, GError **error)
{
  if (depth > MAX_DEPTH)
    return fail (inliner, error, FORGE_ERROR_FORMAT,
        "they call one another in a circle, or more than 32 deep");
  Frame frame = { .function = function,
    .caller = caller,
    .opsets = opsets_of (inliner, function, error),
    .number = inliner->n_steps,
    .depth = depth };
  if (!frame.opsets)
    return FALSE;
  frame.names = g_hash_table_new (g_str_hash, g_str_equal);
  gboolean ok = bind_names (inliner, &frame, error) &&
                expand_body (inliner, &frame, error);
  g_hash_table_unref (frame.names);
  return ok;
}

static gboolean
expand_node (Inliner *inliner, const ForgeOnnx__Node *node, GHashTable *opsets,
    int depth, GError **error)
{
  const char *domain = forge_onnx_domain_of (node);
  const ForgeOnnx__Function *function = NULL;
  if (++inliner->n_steps > FORGE_ONNX_MAX_NODES)
    return forge_onnx_fail (inliner->reader->source, error,
        FORGE_ERROR_UNSUPPORTED,
        "more than %d nodes, those of functions counted at every call",
        FORGE_ONNX_MAX_NODES);
  if (!forge_op_find (text_or_empty (node->op_type), domain)) {
    g_autofree char *key = key_of (domain, node->op_type, node->overload);
    function = g_hash_table_lookup (inliner->functions, key);
  }
  if (function)
    return expand_call (inliner, function, node, depth + 1, error);
  ForgeOnnxCall call = { node, opsets };
  g_array_append_val (inliner->made->calls, call);
  return TRUE;
}

static gboolean
expand (Inliner *inliner, const ForgeOnnx__Model *model, GError **error)
{
  for (size_t i = 0; i < model->n_function; i++) {
    const ForgeOnnx__Function *function = model->function[i];
    const char *domain = text_or_empty (function->domain);
    char *key = key_of (strcmp (domain, "ai.onnx") == 0 ? "" : domain,
        function->name, function->overload);
    if (!g_hash_table_insert (inliner->functions, key, (gpointer) function))
      return fail (
          inliner, error, FORGE_ERROR_FORMAT, "two have the same name");
  }
  for (size_t i = 0; i < model->graph->n_node; i++)
    if (!expand_node (
            inliner, model->graph->node[i], inliner->reader->opsets, 0, error))
      return FALSE;
  return TRUE;
}

ForgeOnnxCalls *
forge_onnx_expand (
    ForgeOnnxReader *reader, const ForgeOnnx__Model *model, GError **error)
{
  g_autoptr (ForgeOnnxCalls) made = g_new0 (ForgeOnnxCalls, 1);
  made->calls = g_array_new (FALSE, FALSE, sizeof (ForgeOnnxCall));
  made->texts = g_string_chunk_new (4096);
  made->blocks = g_ptr_array_new_with_free_func (g_free);
  made->tables =
      g_ptr_array_new_with_free_func ((GDestroyNotify) g_hash_table_unref);
  Inliner inliner = { .reader = reader,
    .made = made,
    .functions = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL),
    .opsets = g_hash_table_new (NULL, NULL),
    .left_bytes = MAX_BYTES };
  gboolean ok = expand (&inliner, model, error);
  g_hash_table_unref (inliner.functions);
  g_hash_table_unref (inliner.opsets);
  return ok ? g_steal_pointer (&made) : NULL;
}
