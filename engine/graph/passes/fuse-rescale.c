/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Cast uint8 -> float32, Mul by a constant and, it may be, Add or Sub of a
 * constant become one Rescale: byte * scale + bias, the product rounded before
 * the sum as the three nodes round it, so the bits are the same. Constants
 * are scalars or run along the last axis. */
#include "graph/pass-util.h"

gboolean forge_pass_fuse_rescale (ForgeGraph *, ForgePassSet, GError **);

/* TRUE when the constant broadcasts along the last axis alone. */
static gboolean
runs_along_last (const ForgeValue *value, int64_t n_channels, int rank)
{
  if (!value || !value->constant || value->dtype != FORGE_FLOAT32 ||
      value->shape.rank > rank)
    return FALSE;
  int64_t count = forge_shape_count (&value->shape);
  int last = value->shape.rank - 1;
  return count == 1 ||
         (count == n_channels && value->shape.dims[last] == n_channels);
}

/* Writes @sign times the constant, repeated to one number a channel; without
 * one, -0, which changes no sum. */
static ForgeValue *
per_channel (ForgeGraph *graph, const ForgeValue *value, float sign,
    int64_t n_channels, GError **error)
{
  float *data;
  ForgeShape shape = { .rank = 1, .dims = { n_channels } };
  ForgeValue *made = forge_graph_new_floats (graph, &shape, &data, error);
  if (!made)
    return NULL;
  const float *from = value ? value->constant->data : NULL;
  gboolean single = value && forge_shape_count (&value->shape) == 1;
  for (int64_t c = 0; c < n_channels; c++)
    data[c] = from ? sign * from[single ? 0 : c] : -0.0f;
  return made;
}

/* The one node that reads @value, when it is a @type. */
static ForgeNode *
next_node (const ForgeGraph *graph, const ForgeValue *value, const char *type)
{
  if (forge_graph_count_readers (graph, value) != 1)
    return NULL;
  for (guint n = 0; n < graph->nodes->len; n++) {
    ForgeNode *node = graph->nodes->pdata[n];
    if (forge_node_is (node, type) &&
        forge_graph_only_reader (graph, value, node))
      return node;
  }
  return NULL;
}

/* The input of a two-input node that is not @value. */
static ForgeValue *
other_in (const ForgeNode *node, const ForgeValue *value)
{
  return forge_node_in (node, forge_node_in (node, 0) == value ? 1 : 0);
}

static ForgeNode *
next_sum (const ForgeGraph *graph, const ForgeValue *value)
{
  ForgeNode *add = next_node (graph, value, "Add");
  if (add)
    return add;
  ForgeNode *sub = next_node (graph, value, "Sub");
  return sub && forge_node_in (sub, 0) == value ? sub : NULL;
}

static gboolean
fuse (
    ForgeGraph *graph, const ForgeNode *cast, const ForgeOp *op, GError **error)
{
  ForgeValue *in = forge_node_in (cast, 0), *floats = forge_node_out (cast, 0);
  ForgeNode *mul = next_node (graph, floats, "Mul");
  int rank = in->shape.rank;
  int64_t n_channels = rank > 0 ? in->shape.dims[rank - 1] : 0;
  const ForgeValue *scale = mul ? other_in (mul, floats) : NULL;
  if (n_channels < 1 || !runs_along_last (scale, n_channels, rank))
    return TRUE;
  ForgeValue *result = forge_node_out (mul, 0);
  const ForgeNode *sum = next_sum (graph, result);
  const ForgeValue *bias = sum ? other_in (sum, result) : NULL;
  if (!runs_along_last (bias, n_channels, rank))
    sum = NULL, bias = NULL;
  float sign = sum && forge_node_is (sum, "Sub") ? -1 : 1;
  ForgeValue *inputs[] = { in, per_channel (graph, scale, 1, n_channels, error),
    NULL };
  if (inputs[1])
    inputs[2] = per_channel (graph, bias, sign, n_channels, error);
  if (!inputs[2])
    return FALSE;
  ForgeNode *made = forge_graph_insert (graph, op, mul->name, NULL, inputs, 3);
  forge_graph_replace_value (
      graph, sum ? forge_node_out (sum, 0) : result, forge_node_out (made, 0));
  return TRUE;
}

gboolean
forge_pass_fuse_rescale (ForgeGraph *graph, ForgePassSet set, GError **error)
{
  const ForgeOp *op = forge_op_find ("Rescale", "forge");
  guint n_nodes = graph->nodes->len;
  for (guint n = 0; n < n_nodes; n++) {
    const ForgeNode *node = graph->nodes->pdata[n];
    if (forge_node_is (node, "Cast") &&
        forge_node_in (node, 0)->dtype == FORGE_UINT8 &&
        forge_node_out (node, 0)->dtype == FORGE_FLOAT32 &&
        !fuse (graph, node, op, error))
      return FALSE;
  }
  return TRUE;
}
