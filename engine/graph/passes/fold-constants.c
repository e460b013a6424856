/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Runs nodes whose inputs are all constant, once, now. Bounded: a file must
 * not be able to grow a few bytes into gigabytes. */
#include "graph/evaluate.h"
#include "graph/pass-util.h"

/* Most bytes one folded value may have, and all of them together. */
#define MAX_VALUE_BYTES ((size_t) 64 << 20)
#define MAX_TOTAL_BYTES ((size_t) 512 << 20)

gboolean forge_pass_fold_constants (ForgeGraph *, ForgePassSet, GError **);

/* Bytes of all outputs; FALSE when one is too large. */
static gboolean
measure (const ForgeNode *node, size_t *total_bytes)
{
  *total_bytes = 0;
  for (guint i = 0; i < node->outputs->len; i++) {
    const ForgeValue *out = node->outputs->pdata[i];
    size_t size_bytes;
    if (!out)
      continue;
    if (!forge_shape_size_bytes (&out->shape, out->dtype, &size_bytes) ||
        size_bytes > MAX_VALUE_BYTES)
      return FALSE;
    *total_bytes += size_bytes;
  }
  return TRUE;
}

gboolean
forge_pass_fold_constants (ForgeGraph *graph, ForgePassSet set, GError **error)
{
  size_t total_bytes = 0;
  for (guint n = 0; n < graph->nodes->len; n++) {
    ForgeNode *node = graph->nodes->pdata[n];
    size_t size_bytes;
    if (!forge_node_is_constant (node))
      continue;
    /* a Range has its extent only now that its limits are folded */
    if (!node->op->infer (node, error))
      return FALSE;
    if (!measure (node, &size_bytes) ||
        total_bytes + size_bytes > MAX_TOTAL_BYTES)
      continue;
    total_bytes += size_bytes;
    if (!forge_node_evaluate (node, error))
      return FALSE;
  }
  return TRUE;
}
