/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a network's weights are kept in: in one word, and in numbers. */
#include "run/model.h"

#include <string.h>

static gboolean
quantises (const ForgeGraph *graph)
{
  for (guint i = 0; i < graph->nodes->len; i++) {
    const ForgeNode *node = graph->nodes->pdata[i];
    const char *type = node->op->type;
    if (g_str_has_prefix (type, "QLinear") ||
        g_str_has_prefix (type, "Tflite") || strcmp (type, "QGemm") == 0 ||
        strcmp (type, "QuantizeLinear") == 0 ||
        strcmp (type, "DequantizeLinear") == 0 ||
        strcmp (type, "ConvInteger") == 0 ||
        strcmp (type, "MatMulInteger") == 0)
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
  int64_t n_half = 0, n_brain = 0, n_single = 0;
  for (guint i = 0; i < graph->values->len; i++) {
    const ForgeValue *value = graph->values->pdata[i];
    if (!value->constant)
      continue;
    int64_t count = forge_shape_count (&value->constant->shape);
    ForgeDtype kept = value->stored ? value->stored : value->dtype;
    n_half += kept == FORGE_FLOAT16 ? count : 0;
    n_brain += kept == FORGE_BFLOAT16 ? count : 0;
    n_single += kept == FORGE_FLOAT32 ? count : 0;
  }
  if (MAX (n_half, n_brain) <= n_single)
    return "fp32";
  return n_half >= n_brain ? "fp16" : "bf16";
}

/* Why a matrix that could have been stored as float16 is not. */
static void
add_kept (GString *text, const ForgeValue *value)
{
  ForgeHalfFit fit = forge_tensor_fit_half (value->constant);
  if (fit == FORGE_HALF_FITS)
    return;
  g_string_append_printf (text, "%s'%s' (%s)", text->len ? ", " : "",
      value->name,
      fit == FORGE_HALF_OVERFLOWS
          ? "has values beyond the 65504 of a half"
          : "so small that it would lose more than 0.1 %");
}

void
forge_model_report_weights (const ForgeModel *model, ForgeWeightsReport *report)
{
  g_return_if_fail (model && report);
  *report = (ForgeWeightsReport) { 0 };
  const ForgeGraph *graph = forge_model_get_graph (model);
  g_autoptr (GPtrArray) matrices = forge_graph_list_matrices (graph);
  GString *kept = g_string_new (NULL);
  report->n_matrices = matrices->len;
  for (guint m = 0; m < matrices->len; m++) {
    if (forge_value_is_half (matrices->pdata[m]))
      report->n_half++;
    else
      add_kept (kept, matrices->pdata[m]);
  }
  for (guint i = 0; i < graph->values->len; i++) {
    const ForgeValue *value = graph->values->pdata[i];
    if (!value->constant || value->folded)
      continue;
    gsize size_bytes = value->constant->size_bytes;
    report->computed_bytes += size_bytes;
    report->stored_bytes +=
        forge_value_is_half (value) ? size_bytes / 2 : size_bytes;
  }
  report->unfit = g_string_free (kept, kept->len == 0);
}

void
forge_weights_report_clear (ForgeWeightsReport *report)
{
  g_clear_pointer (&report->unfit, g_free);
}
