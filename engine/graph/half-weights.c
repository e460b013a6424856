/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Weights that a file keeps in half precision: in ONNX an initializer of
 * float16 with a Cast behind it. */
#include <math.h>

#include "graph/pass-util.h"
#include "graph/stored-weights.h"

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

ForgeFit
forge_tensor_fit_half (const ForgeTensor *tensor)
{
  const float *values = tensor->data;
  double all = 0, lost = 0;
  for (int64_t i = 0; i < forge_tensor_get_count (tensor); i++) {
    double value = values[i];
    if (!(fabs (value) <= MAX_HALF))
      return FORGE_OVERFLOWS;
    double rounded = forge_half_to_float (forge_float_to_half (values[i]));
    all += value * value;
    lost += (value - rounded) * (value - rounded);
  }
  return lost <= MAX_LOSS * MAX_LOSS * all ? FORGE_FITS : FORGE_LOSES;
}

gboolean
forge_value_store_half (ForgeValue *value, GError **error)
{
  /* others may share the constant */
  g_autoptr (ForgeTensor) rounded = forge_tensor_copy (value->constant, error);
  if (!rounded)
    return FALSE;
  float *values = rounded->data;
  for (int64_t i = 0; i < forge_tensor_get_count (rounded); i++)
    values[i] = forge_half_to_float (forge_float_to_half (values[i]));
  forge_value_set_constant (value, rounded);
  forge_value_set_stored (value, FORGE_FLOAT16, NULL, -1);
  return TRUE;
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
forge_graph_take_halves (ForgeGraph *graph, GHashTable *taken, GError **error)
{
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
    forge_value_set_stored (out, FORGE_FLOAT16, NULL, -1);
    g_hash_table_add (taken, node);
  }
  return TRUE;
}
