/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * In one word, what a network computes in. */
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
    n_half += value->dtype == FORGE_FLOAT16 ? count : 0;
    n_brain += value->dtype == FORGE_BFLOAT16 ? count : 0;
    n_single += value->dtype == FORGE_FLOAT32 ? count : 0;
  }
  if (MAX (n_half, n_brain) <= n_single)
    return "fp32";
  return n_half >= n_brain ? "fp16" : "bf16";
}
