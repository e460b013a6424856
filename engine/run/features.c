/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See features.h. Only a plan that is asked for features gets the output, so
 * nobody else keeps the tensor alive or loses a fusion by it. Exposing it may
 * change the scores in their last bits: a pass that would have moved a
 * Transpose into the last layer's weights finds another reader there. */
#include "run/features.h"

#include <string.h>

static gboolean
has_weights (const ForgeNode *node)
{
  static const char *const types[] = { "Gemm", "MatMul", "Conv", "QGemm",
    "QLinearConv", "QLinearMatMul", "ConvInteger", "MatMulInteger",
    "TfliteConv", NULL };
  return g_strv_contains (types, node->op->type);
}

/* The first input that is not known beforehand: activations, not weights. */
static ForgeValue *
data_input (const ForgeNode *node)
{
  for (guint i = 0; i < node->inputs->len; i++) {
    ForgeValue *in = node->inputs->pdata[i];
    if (in && !in->constant)
      return in;
  }
  return NULL;
}

gboolean
forge_features_find (
    const ForgeGraph *graph, guint output, ForgeFeatures *features)
{
  ForgeValue *value = graph->outputs->pdata[output], *logits = NULL;
  while (value && value->producer) {
    const ForgeNode *node = value->producer;
    value = data_input (node);
    if (value && strcmp (node->op->type, "Softmax") == 0)
      logits = value;
    if (!value || !has_weights (node))
      continue;
    *features = (ForgeFeatures) { .value = value,
      .channels_last =
          value->shape.rank != 4 || strcmp (node->op->domain, "forge") == 0,
      .logits = logits };
    return value->producer != NULL;
  }
  return FALSE;
}

ForgeGraph *
forge_features_expose (const ForgeGraph *graph, guint output)
{
  ForgeFeatures features;
  ForgeGraph *copy = forge_graph_copy (graph);
  if (forge_features_find (copy, output, &features)) {
    forge_graph_add_output (copy, features.value);
    if (features.logits)
      forge_graph_add_output (copy, features.logits);
    return copy;
  }
  forge_graph_free (copy);
  return NULL;
}
