/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Which constants of a network are trained numbers. A constant factor that
 * rescales pixels, a clip bound or a Reshape's target is none. */
#include "run/executor.h"

static gboolean
is_type (const ForgeNode *node, const char *const *types)
{
  return g_strv_contains (types, node->op->type);
}

/* The bias of a layer that an exporter wrote as MatMul, then Add. */
static gboolean
is_bias_add (const ForgeNode *node, guint index)
{
  static const char *const products[] = { "MatMul", "Gemm", "Conv", NULL };
  if (!g_str_equal (node->op->type, "Add") || index > 1)
    return FALSE;
  const ForgeValue *other = forge_node_in (node, 1 - index);
  return other && other->producer && is_type (other->producer, products);
}

ForgeRole
forge_node_input_role (const ForgeNode *node, guint index)
{
  static const char *const layers[] = { "Conv", "Gemm", "MatMul",
    "BatchNormalization", "PRelu", "ConvTranspose", NULL };
  const ForgeValue *in = forge_node_in (node, index);
  if (!in || !in->constant || in->shape.rank < 1)
    return FORGE_ROLE_NONE;
  if (in->dtype != FORGE_FLOAT32 && in->dtype != FORGE_FLOAT16 &&
      in->dtype != FORGE_FLOAT64 && in->dtype != FORGE_BFLOAT16)
    return FORGE_ROLE_NONE;
  if (!is_type (node, layers) && !is_bias_add (node, index))
    return FORGE_ROLE_NONE;
  gboolean statistic =
      index >= 3 && g_str_equal (node->op->type, "BatchNormalization");
  if (statistic)
    return FORGE_ROLE_STATISTIC;
  return in->frozen ? FORGE_ROLE_FROZEN : FORGE_ROLE_TRAINED;
}
