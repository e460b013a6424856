/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A model as an ONNX file: its graph before any pass, with what travels with
 * it. Operators of the domain "forge" are this engine's own (exact integer
 * arithmetic of other runtimes) and have no equal in ONNX: a model that has
 * some is read again in the portable form, which computes in float32 between
 * a DequantizeLinear and a QuantizeLinear and rounds as ONNX does. */
#include "forge/convert.h"

#include <string.h>

#include "forge/error.h"
#include "formats/model-info.h"
#include "graph/stored-weights.h"
#include "run/model.h"

/* Operators younger than the opset that the readers of other formats build
 * for, with the opset of their birth. */
static const struct {
  const char *type;
  int opset;
} young[] = {
  { "HardSwish", 14 },
  { "LayerNormalization", 17 },
  { "Mish", 18 },
  { "Gelu", 20 },
};

/* From here on axes and the like are inputs, not attributes. */
#define OPSET_OF_AXES_INPUTS 18

static gboolean
is_our_own (const ForgeNode *node)
{
  return strcmp (node->op->domain, "forge") == 0;
}

static gboolean
check_domains (const ForgeGraph *graph, const char *name, GError **error)
{
  GString *text = g_string_new (NULL);
  for (guint i = 0; i < graph->nodes->len; i++) {
    const ForgeNode *node = graph->nodes->pdata[i];
    if (is_our_own (node))
      g_string_append_printf (text, "%s'%s' (%s)", text->len ? ", " : "",
          node->name, node->op->type);
  }
  gboolean fine = text->len == 0;
  if (!fine)
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_UNSUPPORTED,
        "%s cannot be written as ONNX, which has no operators that compute the "
        "same for: %s",
        name, text->str);
  g_string_free (text, TRUE);
  return fine;
}

/* Declares an opset that has all operators of the graph. */
static gboolean
raise_opset (ForgeGraph *graph, const char *name, GError **error)
{
  int needed = graph->opset;
  for (guint i = 0; i < graph->nodes->len; i++) {
    const ForgeNode *node = graph->nodes->pdata[i];
    for (gsize k = 0; k < G_N_ELEMENTS (young); k++)
      if (strcmp (node->op->type, young[k].type) == 0)
        needed = MAX (needed, young[k].opset);
  }
  gboolean crosses =
      graph->opset < OPSET_OF_AXES_INPUTS && needed >= OPSET_OF_AXES_INPUTS;
  for (guint i = 0; i < graph->nodes->len; i++) {
    ForgeNode *node = graph->nodes->pdata[i];
    if (crosses && (g_str_has_prefix (node->op->type, "Reduce") ||
                       strcmp (node->op->type, "Split") == 0)) {
      g_set_error (error, FORGE_ERROR, FORGE_ERROR_UNSUPPORTED,
          "%s cannot be written as ONNX: it needs opset %d, and node '%s' (%s) "
          "is of opset %d",
          name, needed, node->name, node->op->type, graph->opset);
      return FALSE;
    }
    if (strcmp (node->op->domain, "") == 0)
      node->opset = needed;
  }
  graph->opset = needed;
  return TRUE;
}

/* ONNX Runtime wants every name once; a layer of another format may have
 * become several nodes of its name. */
static void
make_names_unique (ForgeGraph *graph)
{
  g_autoptr (GHashTable) seen = g_hash_table_new (g_str_hash, g_str_equal);
  for (guint i = 0; i < graph->nodes->len; i++) {
    ForgeNode *node = graph->nodes->pdata[i];
    if (!node->name || !*node->name)
      continue;
    g_autofree char *base = g_strdup (node->name);
    for (guint n = 2; g_hash_table_contains (seen, node->name); n++) {
      g_free (node->name);
      node->name = g_strdup_printf ("%s_%s_%u", base, node->op->type, n);
    }
    g_hash_table_add (seen, node->name);
  }
}

/* The graph to write: the model's, or the file's in ONNX's operators alone.
 * (transfer full) */
static ForgeGraph *
portable_graph (const ForgeModel *model, GError **error)
{
  const ForgeGraph *graph = forge_model_get_graph (model);
  const char *path = forge_model_get_path (model);
  gboolean own = FALSE;
  for (guint i = 0; i < graph->nodes->len && !own; i++)
    own = is_our_own (graph->nodes->pdata[i]) ||
          strcmp (((const ForgeNode *) graph->nodes->pdata[i])->op->type,
              "Gelu") == 0;
  if (!own || !g_file_test (path, G_FILE_TEST_EXISTS))
    return forge_graph_copy (graph);
  g_autoptr (ForgeGraph) again = forge_format_read_portable (path, error);
  if (!again)
    return NULL;
  const ForgeValue *a = graph->inputs->pdata[0], *b = again->inputs->pdata[0];
  if (again->inputs->len == graph->inputs->len &&
      again->outputs->len == graph->outputs->len &&
      forge_shape_equal (&a->shape, &b->shape) && a->dtype == b->dtype)
    return g_steal_pointer (&again);
  g_set_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT,
      "%s: the file is another model by now", path);
  return NULL;
}

gboolean
forge_model_save_onnx (const ForgeModel *model,
    const ForgeStatedPreprocess *stated, ForgeWeights weights, const char *path,
    GError **error)
{
  g_return_val_if_fail (model && path, FALSE);
  const char *name = forge_model_get_path (model);
  g_autoptr (ForgeGraph) graph = portable_graph (model, error);
  if (!graph)
    return FALSE;
  ForgeModelInfo info = {
    .name = (char *) forge_model_get_name (model),
    .version = (char *) forge_model_get_version (model),
    .labels = (char **) forge_model_get_labels (model),
    .assumed = forge_model_get_assumed (model),
  };
  if (stated)
    info.assumed &= ~forge_stated_fields (stated);
  if (!check_domains (graph, name, error) ||
      !raise_opset (graph, name, error) ||
      !forge_model_state_preprocess (
          model, stated, &info.preprocess, NULL, error))
    return FALSE;
  if (!forge_graph_store_weights (graph, weights, error)) {
    g_prefix_error (error, "%s: ", name);
    return FALSE;
  }
  make_names_unique (graph);
  forge_model_info_write (&info, graph);
  return forge_onnx_write (graph, path, error);
}
