/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Running one node on the spot, when everything it needs is known before any
 * frame comes. Inference needs some values at once (the target of a Reshape
 * that an exporter wrote as Constant, or as arithmetic on a Shape); the pass
 * fold-constants does the rest. */
#include "graph/evaluate.h"

#include <string.h>

#include "base/alloc.h"
#include "graph/pass-util.h"

/* Values that inference evaluates are lists of extents, not weights; floats
 * among them come from an extent that was cast. */
#define MAX_LIST 64
#define MAX_FLOATS 16

gboolean
forge_node_is_constant (const ForgeNode *node)
{
  if (!node->op->run || node->outputs->len == 0)
    return FALSE;
  if (forge_node_is (node, "Shape"))
    return forge_shape_count (&forge_node_in (node, 0)->shape) >= 0;
  for (guint i = 0; i < node->inputs->len; i++) {
    const ForgeValue *in = node->inputs->pdata[i];
    if (in && !in->constant)
      return FALSE;
  }
  return TRUE;
}

static gboolean
reads_folded (const ForgeNode *node)
{
  for (guint i = 0; i < node->inputs->len; i++) {
    const ForgeValue *in = node->inputs->pdata[i];
    if (in && in->folded)
      return TRUE;
  }
  return FALSE;
}

gboolean
forge_node_is_extents (const ForgeNode *node)
{
  const ForgeValue *out = forge_node_out (node, 0);
  if (!forge_node_is_constant (node))
    return FALSE;
  int64_t count = out ? forge_shape_count (&out->shape) : -1;
  if (forge_node_is (node, "Constant"))
    return TRUE;
  if (!out || count < 0 || count > MAX_LIST)
    return FALSE;
  if (out->dtype == FORGE_FLOAT32)
    return count <= MAX_FLOATS && out->shape.rank <= 1 && reads_folded (node);
  return out->dtype == FORGE_INT64 || out->dtype == FORGE_INT32 ||
         out->dtype == FORGE_BOOL;
}

static gboolean
run_step (ForgeStep *step, ForgePrepared *prepared, GError **error)
{
  const ForgeOp *op = step->node->op;
  if (op->is_view) {
    memcpy (step->out[0]->data, step->in[0]->data, step->out[0]->size_bytes);
    return TRUE;
  }
  if (op->prepare && !op->prepare (step->node, prepared, error))
    return FALSE;
  step->workspace = forge_aligned_alloc0 (prepared->workspace_bytes);
  if (!step->workspace)
    return forge_node_error (step->node, error, FORGE_ERROR_MEMORY,
        "out of memory: a workspace of %zu bytes", prepared->workspace_bytes);
  if (op->bind && !op->bind (step, error))
    return FALSE;
  op->run (step);
  return TRUE;
}

/* Shape looks at an input's extents alone: such a tensor has no data. */
static GPtrArray *
tensors_of (const ForgeNode *node)
{
  GPtrArray *in =
      g_ptr_array_new_with_free_func ((GDestroyNotify) forge_tensor_unref);
  for (guint i = 0; i < node->inputs->len; i++) {
    const ForgeValue *value = node->inputs->pdata[i];
    ForgeTensor *tensor = NULL;
    if (value && value->constant)
      tensor = forge_tensor_ref (value->constant);
    else if (value)
      tensor = forge_tensor_new_borrowed (value->dtype, &value->shape, NULL);
    g_ptr_array_add (in, tensor);
  }
  return in;
}

static gboolean
evaluate (const ForgeNode *node, ForgeTensor **out, GError **error)
{
  g_autoptr (GPtrArray) in = tensors_of (node);
  ForgePrepared prepared = { 0 };
  ForgeStep step = { .node = node,
    .prepared = &prepared,
    .n_in = node->inputs->len,
    .n_out = node->outputs->len,
    .in = (ForgeTensor **) in->pdata,
    .out = out,
    .threads = 1 };
  gboolean ok = run_step (&step, &prepared, error);
  if (step.bound.free)
    step.bound.free (step.bound.data);
  if (prepared.free)
    prepared.free (prepared.data);
  forge_aligned_free (step.workspace);
  return ok;
}

gboolean
forge_node_evaluate (const ForgeNode *node, GError **error)
{
  g_autoptr (GPtrArray) out =
      g_ptr_array_new_with_free_func ((GDestroyNotify) forge_tensor_unref);
  for (guint i = 0; i < node->outputs->len; i++) {
    const ForgeValue *value = node->outputs->pdata[i];
    ForgeTensor *tensor =
        value ? forge_tensor_new (value->dtype, &value->shape, error) : NULL;
    if (value && !tensor)
      return FALSE;
    g_ptr_array_add (out, tensor);
  }
  if (!evaluate (node, (ForgeTensor **) out->pdata, error))
    return FALSE;
  for (guint i = 0; i < node->outputs->len; i++) {
    ForgeValue *value = node->outputs->pdata[i];
    if (!value)
      continue;
    forge_value_set_constant (value, out->pdata[i]);
    value->folded = TRUE;
  }
  return TRUE;
}
