/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Weights that a file keeps in half precision while the network computes in
 * float32: in ONNX an initializer of float16 with a Cast behind it. The Cast
 * is gone once a file is read, so that convolutions see constants; the value
 * remembers how it was stored, and the writer stores it so again.
 *
 * What is worth it are the filters of convolutions and the matrices of
 * products. Biases, batch-norm statistics and other vectors are few, and
 * their errors go into every position of a map: they stay as they are. */
#include <math.h>
#include <string.h>

#include "graph/graph.h"
#include "graph/pass-util.h"

/* The two bytes saved by each element must pay for a name and a Cast. */
#define MIN_ELEMENTS 64
#define MAX_HALF 65504.0f
/* Of the root of the sum of squares. Rounding to eleven bits loses at most
 * 2^-11 of it; more is lost where much of a matrix is below 2^-14, the
 * smallest half with all its bits. */
#define MAX_LOSS 0x1p-10

gboolean
forge_value_is_half (const ForgeValue *value)
{
  return value->constant && value->dtype == FORGE_FLOAT32 &&
         value->stored == FORGE_FLOAT16;
}

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

GPtrArray *
forge_graph_list_matrices (const ForgeGraph *graph)
{
  static const char *const products[] = { "Conv", "ConvTranspose", "Gemm",
    "MatMul", NULL };
  GPtrArray *found = g_ptr_array_new ();
  g_autoptr (GHashTable) seen = g_hash_table_new (NULL, NULL);
  for (guint n = 0; n < graph->nodes->len; n++) {
    const ForgeNode *node = graph->nodes->pdata[n];
    if (!g_strv_contains (products, node->op->type) || *node->op->domain)
      continue;
    for (guint i = 0; i < 2; i++) {
      ForgeValue *in = forge_node_in (node, i);
      if (is_matrix (in) && !g_ptr_array_find (graph->outputs, in, NULL) &&
          g_hash_table_add (seen, in))
        g_ptr_array_add (found, in);
    }
  }
  return found;
}

ForgeHalfFit
forge_tensor_fit_half (const ForgeTensor *tensor)
{
  const float *values = tensor->data;
  double all = 0, lost = 0;
  for (int64_t i = 0; i < forge_tensor_get_count (tensor); i++) {
    double value = values[i];
    if (!(fabs (value) <= MAX_HALF))
      return FORGE_HALF_OVERFLOWS;
    double rounded = forge_half_to_float (forge_float_to_half (values[i]));
    all += value * value;
    lost += (value - rounded) * (value - rounded);
  }
  return lost <= MAX_LOSS * MAX_LOSS * all ? FORGE_HALF_FITS : FORGE_HALF_LOSES;
}

gboolean
forge_graph_store_halves (ForgeGraph *graph, GError **error)
{
  g_autoptr (GPtrArray) matrices = forge_graph_list_matrices (graph);
  for (guint m = 0; m < matrices->len; m++) {
    ForgeValue *value = matrices->pdata[m];
    if (forge_tensor_fit_half (value->constant) != FORGE_HALF_FITS)
      continue;
    /* others may share the constant */
    g_autoptr (ForgeTensor) rounded =
        forge_tensor_copy (value->constant, error);
    if (!rounded)
      return FALSE;
    float *values = rounded->data;
    for (int64_t i = 0; i < forge_tensor_get_count (rounded); i++)
      values[i] = forge_half_to_float (forge_float_to_half (values[i]));
    forge_value_set_constant (value, rounded);
    value->stored = FORGE_FLOAT16;
  }
  return TRUE;
}

void
forge_graph_store_floats (ForgeGraph *graph)
{
  for (guint i = 0; i < graph->values->len; i++)
    ((ForgeValue *) graph->values->pdata[i])->stored = FORGE_DTYPE_UNKNOWN;
}

/* A Cast to float32 of a half that the file holds. */
static gboolean
is_widening (const ForgeGraph *graph, const ForgeNode *node)
{
  const ForgeValue *in = forge_node_in (node, 0);
  return forge_node_is (node, "Cast") && in->constant && !in->producer &&
         in->dtype == FORGE_FLOAT16 &&
         forge_attrs_int (node->attrs, "to", 0) == FORGE_FLOAT32 &&
         !g_ptr_array_find (graph->outputs, forge_node_out (node, 0), NULL);
}

gboolean
forge_graph_take_halves (ForgeGraph *graph, GError **error)
{
  g_autoptr (GHashTable) casts = g_hash_table_new (NULL, NULL);
  /* one copy for all that read a half: a file must not grow */
  g_autoptr (GHashTable) wide = g_hash_table_new_full (
      NULL, NULL, NULL, (GDestroyNotify) forge_tensor_unref);
  for (guint n = 0; n < graph->nodes->len; n++) {
    ForgeNode *node = graph->nodes->pdata[n];
    if (!is_widening (graph, node))
      continue;
    const ForgeTensor *half = forge_node_in (node, 0)->constant;
    ForgeTensor *floats = g_hash_table_lookup (wide, half);
    if (!floats) {
      floats = forge_tensor_to_float32 (half, error);
      if (!floats)
        return FALSE;
      g_hash_table_insert (wide, (gpointer) half, floats);
    }
    ForgeValue *out = forge_node_out (node, 0);
    forge_value_set_constant (out, floats);
    out->stored = FORGE_FLOAT16;
    g_hash_table_add (casts, node);
  }
  if (g_hash_table_size (casts) == 0)
    return TRUE;
  forge_graph_remove_nodes (graph, casts);
  forge_graph_sweep (graph);
  return TRUE;
}
