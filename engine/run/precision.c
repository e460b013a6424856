/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a network's weights are kept in: in one word, and in numbers. */
#include "run/model.h"

#include <string.h>

#include "graph/stored-weights.h"

static gboolean
quantises (const ForgeGraph *graph)
{
  for (guint i = 0; i < graph->nodes->len; i++) {
    const ForgeNode *node = graph->nodes->pdata[i];
    if (forge_node_quantises (node) ||
        strcmp (node->op->type, "DequantizeLinear") == 0)
      return TRUE;
  }
  return FALSE;
}

const char *
forge_model_get_precision (const ForgeModel *model)
{
  const ForgeGraph *graph = forge_model_get_graph (model);
  if (quantises (graph))
    return "int8";
  struct {
    ForgeDtype dtype;
    const char *word;
    int64_t count;
  } kinds[] = { { FORGE_FLOAT32, "fp32", 0 }, { FORGE_FLOAT16, "fp16", 0 },
    { FORGE_BFLOAT16, "bf16", 0 }, { FORGE_INT8, "int8-weights", 0 } };
  gsize most = 0;
  for (guint i = 0; i < graph->values->len; i++) {
    const ForgeValue *value = graph->values->pdata[i];
    if (!value->constant)
      continue;
    gboolean is_integer = value->dtype == FORGE_INT8;
    ForgeDtype kept = value->stored ? value->stored : value->dtype;
    for (gsize k = 0; k < G_N_ELEMENTS (kinds); k++)
      if (kinds[k].dtype == kept && !is_integer)
        kinds[k].count += forge_shape_count (&value->constant->shape);
  }
  for (gsize k = 1; k < G_N_ELEMENTS (kinds); k++)
    if (kinds[k].count > kinds[most].count)
      most = k;
  return kinds[most].word;
}

/* Why a matrix is not stored as the others are, if it could not be. */
static const char *
explain (const ForgeMatrix *matrix, gboolean as_int8)
{
  const ForgeValue *value = matrix->value;
  const ForgeTensor *tensor = value->constant;
  ForgeFit fit = as_int8 ? forge_tensor_fit_int8 (tensor, matrix->axis)
                         : forge_tensor_fit_half (tensor);
  if (fit == FORGE_FITS)
    return NULL;
  if (!as_int8)
    return fit == FORGE_OVERFLOWS
               ? "has values beyond the 65504 of a half"
               : "so small that it would lose more than 0.1 %";
  if (fit == FORGE_OVERFLOWS)
    return "has values that are not finite, or too large";
  return forge_value_is_half (value)
             ? "would lose more than 3 %, is float16 instead"
             : "would lose more than 3 %";
}

static char *
list_unfit (const GArray *matrices, gboolean as_int8)
{
  GString *text = g_string_new (NULL);
  for (guint m = 0; m < matrices->len; m++) {
    const ForgeMatrix *matrix = &g_array_index (matrices, ForgeMatrix, m);
    const ForgeValue *value = matrix->value;
    gboolean stored =
        as_int8 ? forge_value_is_int8 (value) : forge_value_is_half (value);
    const char *why = stored ? NULL : explain (matrix, as_int8);
    if (why)
      g_string_append_printf (
          text, "%s'%s' (%s)", text->len ? ", " : "", value->name, why);
  }
  return g_string_free (text, text->len == 0);
}

void
forge_model_report_weights (const ForgeModel *model, ForgeWeightsReport *report)
{
  g_return_if_fail (model && report);
  *report = (ForgeWeightsReport) { 0 };
  const ForgeGraph *graph = forge_model_get_graph (model);
  g_autoptr (GArray) matrices = forge_graph_list_matrices (graph);
  report->n_matrices = matrices->len;
  for (guint m = 0; m < matrices->len; m++) {
    const ForgeValue *value = g_array_index (matrices, ForgeMatrix, m).value;
    report->n_half += forge_value_is_half (value) ? 1 : 0;
    report->n_int8 += forge_value_is_int8 (value) ? 1 : 0;
  }
  for (guint i = 0; i < graph->values->len; i++) {
    const ForgeValue *value = graph->values->pdata[i];
    if (!value->constant || value->folded)
      continue;
    report->computed_bytes += value->constant->size_bytes;
    report->stored_bytes += forge_value_stored_bytes (value);
  }
  report->unfit = list_unfit (matrices, report->n_int8 > 0);
}

void
forge_weights_report_clear (ForgeWeightsReport *report)
{
  g_clear_pointer (&report->unfit, g_free);
}
