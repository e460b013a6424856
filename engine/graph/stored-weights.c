/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Which constants of a network are worth storing narrow, and in which way
 * each is: half-weights.c and int8-weights.c know the ways. */
#include "graph/stored-weights.h"

#include "graph/pass-util.h"

/* The bytes saved by each element must pay for a name and a node. */
#define MIN_ELEMENTS 64
/* The first whose DequantizeLinear has an axis. */
#define OPSET_OF_AXIS 13

static gboolean
is_matrix (const ForgeValue *value)
{
  if (!value || !value->constant || value->folded || value->producer ||
      value->dtype != FORGE_FLOAT32 ||
      forge_shape_count (&value->shape) < MIN_ELEMENTS)
    return FALSE;
  int n_wide = 0;
  for (int i = 0; i < value->shape.rank; i++)
    n_wide += value->shape.dims[i] > 1;
  return n_wide >= 2;
}

gboolean
forge_node_is_product (const ForgeNode *node)
{
  static const char *const products[] = { "Conv", "ConvTranspose", "Gemm",
    "MatMul", NULL };
  return g_strv_contains (products, node->op->type) && !*node->op->domain;
}

/* Of input @index, which has two dimensions or more. The filters of a
 * ConvTranspose in groups have no axis for the outputs of all groups; they go
 * by the inputs, which in a depthwise one are the same. */
static int
find_channel_axis (const ForgeNode *node, guint index, int rank)
{
  if (forge_node_is (node, "ConvTranspose"))
    return forge_attrs_int (node->attrs, "group", 1) == 1 ? 1 : 0;
  if (forge_node_is (node, "Gemm"))
    return index == 0 ? forge_attrs_int (node->attrs, "transA", 0) != 0
                      : forge_attrs_int (node->attrs, "transB", 0) == 0;
  if (forge_node_is (node, "MatMul"))
    return index == 0 ? rank - 2 : rank - 1;
  return 0;
}

GArray *
forge_graph_list_matrices (const ForgeGraph *graph)
{
  GArray *found = g_array_new (FALSE, FALSE, sizeof (ForgeMatrix));
  g_autoptr (GHashTable) seen = g_hash_table_new (NULL, NULL);
  for (guint n = 0; n < graph->nodes->len; n++) {
    const ForgeNode *node = graph->nodes->pdata[n];
    if (!forge_node_is_product (node))
      continue;
    for (guint i = 0; i < 2; i++) {
      ForgeValue *in = forge_node_in (node, i);
      if (!is_matrix (in) || g_ptr_array_find (graph->outputs, in, NULL) ||
          !g_hash_table_add (seen, in))
        continue;
      const ForgeMatrix matrix = { in,
        find_channel_axis (node, i, in->shape.rank) };
      g_array_append_val (found, matrix);
    }
  }
  return found;
}

gboolean
forge_graph_can_store (
    const ForgeGraph *graph, ForgeWeights weights, GError **error)
{
  if (weights != FORGE_WEIGHTS_INT8)
    return TRUE;
  if (forge_graph_is_quantised (graph)) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_UNSUPPORTED,
        "weights as int8 are for networks that compute in floats; this one is "
        "quantised already");
    return FALSE;
  }
  if (graph->opset == 0 || graph->opset >= OPSET_OF_AXIS)
    return TRUE;
  g_set_error (error, FORGE_ERROR, FORGE_ERROR_UNSUPPORTED,
      "weights as int8 need ONNX opset %d or later, for DequantizeLinear along "
      "an axis; this network is of opset %d",
      OPSET_OF_AXIS, graph->opset);
  return FALSE;
}

static gboolean
store_matrix (const ForgeMatrix *matrix, ForgeWeights weights, GError **error)
{
  ForgeValue *value = matrix->value;
  if (weights == FORGE_WEIGHTS_INT8) {
    if (forge_value_is_int8 (value))
      return TRUE;
    if (forge_tensor_fit_int8 (value->constant, matrix->axis) == FORGE_FITS)
      return forge_value_store_int8 (value, matrix->axis, error);
  }
  return forge_tensor_fit_half (value->constant) != FORGE_FITS ||
         forge_value_store_half (value, error);
}

/* All constants as they are computed with. */
static void
store_floats (ForgeGraph *graph)
{
  for (guint i = 0; i < graph->values->len; i++)
    forge_value_set_stored (
        graph->values->pdata[i], FORGE_DTYPE_UNKNOWN, NULL, -1);
}

gboolean
forge_graph_store_weights (
    ForgeGraph *graph, ForgeWeights weights, GError **error)
{
  if (weights == FORGE_WEIGHTS_AS_READ)
    return TRUE;
  if (!forge_graph_can_store (graph, weights, error))
    return FALSE;
  if (weights == FORGE_WEIGHTS_FLOAT32) {
    store_floats (graph);
    return TRUE;
  }
  g_autoptr (GArray) matrices = forge_graph_list_matrices (graph);
  for (guint m = 0; m < matrices->len; m++)
    if (!store_matrix (
            &g_array_index (matrices, ForgeMatrix, m), weights, error))
      return FALSE;
  return TRUE;
}

gboolean
forge_graph_take_weights (ForgeGraph *graph, GError **error)
{
  g_autoptr (GHashTable) taken = g_hash_table_new (NULL, NULL);
  if (!forge_graph_take_halves (graph, taken, error) ||
      !forge_graph_take_int8 (graph, taken, error))
    return FALSE;
  if (g_hash_table_size (taken) == 0)
    return TRUE;
  forge_graph_remove_nodes (graph, taken);
  forge_graph_sweep (graph);
  return TRUE;
}

size_t
forge_value_stored_bytes (const ForgeValue *value)
{
  size_t size_bytes = value->constant->size_bytes;
  if (forge_value_is_half (value))
    return size_bytes / 2;
  if (forge_value_is_int8 (value))
    return size_bytes / 4 + value->scale->size_bytes;
  return size_bytes;
}
