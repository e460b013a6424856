/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Which value a name stands for. The graph has the names of the file; the body
 * of a function has names of its own, tied to the caller's at its inputs and
 * outputs; a branch has its own and those around it.
 * Source: docs/IR.md of the ONNX project, "Names Within a Graph". */
#include "formats/onnx.h"

#define FACTOR 16
#define CONSTANT_BYTES ((uint64_t) 64 << 20)

gboolean
forge_onnx_spend (ForgeOnnxReader *reader, uint64_t n_bytes, GError **error)
{
  uint64_t limit = reader->size_bytes * (uint64_t) FACTOR + CONSTANT_BYTES;
  if (n_bytes <= limit - reader->inlined_bytes) {
    reader->inlined_bytes += n_bytes;
    return TRUE;
  }
  return forge_onnx_fail (reader->source, error, FORGE_ERROR_FORMAT,
      "damaged or hostile ONNX file: its functions and branches unfold to more "
      "than %" G_GUINT64_FORMAT " bytes",
      limit);
}

ForgeOnnxScope *
forge_onnx_scope_push (ForgeOnnxReader *reader, const ForgeOnnx__Node *call,
    gboolean sees_outer, GError **error)
{
  ForgeOnnxScope *around = reader->scope;
  if (around->depth >= FORGE_ONNX_MAX_DEPTH) {
    forge_onnx_fail_at (reader, call, FORGE_ERROR_FORMAT, error,
        "functions call one another in a circle, or more than 32 deep", "");
    return NULL;
  }
  ForgeOnnxScope *scope = g_new0 (ForgeOnnxScope, 1);
  scope->depth = around->depth + 1;
  scope->opsets = around->opsets;
  scope->values = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  scope->defined =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  scope->prefix =
      g_strdup_printf ("%s%s/", around->prefix, call->name ? call->name : "");
  scope->caller = around;
  scope->call = call;
  if (sees_outer) {
    scope->outer = around;
    scope->caller = around->caller;
    scope->call = around->call;
    scope->function = around->function;
  }
  reader->scope = scope;
  return around;
}

void
forge_onnx_scope_pop (ForgeOnnxReader *reader, ForgeOnnxScope *saved)
{
  ForgeOnnxScope *scope = reader->scope;
  reader->scope = saved;
  g_hash_table_unref (scope->values);
  g_hash_table_unref (scope->defined);
  g_free (scope->prefix);
  g_free (scope);
}

/* A name nobody has given yet gets its value all the same: sorting the graph
 * says what is wrong with it. */
static ForgeValue *
own_value (ForgeOnnxReader *reader, const char *name)
{
  ForgeOnnxScope *scope = reader->scope;
  if (!scope->values)
    return forge_graph_value (reader->graph, name);
  ForgeValue *value = g_hash_table_lookup (scope->values, name);
  if (!value) {
    value = forge_graph_value (reader->graph, NULL);
    g_hash_table_insert (scope->values, g_strdup (name), value);
  }
  return value;
}

ForgeValue *
forge_onnx_find_value (ForgeOnnxReader *reader, const char *name)
{
  for (const ForgeOnnxScope *scope = reader->scope; scope;
       scope = scope->outer) {
    gpointer value = NULL;
    if (!scope->values)
      return forge_graph_value (reader->graph, name);
    if (g_hash_table_lookup_extended (scope->values, name, NULL, &value))
      return value;
  }
  return own_value (reader, name);
}

gboolean
forge_onnx_define (ForgeOnnxReader *reader, const ForgeOnnx__Node *proto,
    const char *name, ForgeValue **value, GError **error)
{
  if (!g_hash_table_add (reader->scope->defined, g_strdup (name)))
    return forge_onnx_fail_at (reader, proto, FORGE_ERROR_FORMAT, error,
        "something else already gives the value ", name);
  *value = own_value (reader, name);
  return TRUE;
}
