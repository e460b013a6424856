/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Orders of axes: of shapes, of constants, of nodes. */
#include "graph/transpose.h"

#include "graph/pass-util.h"

const int64_t forge_nchw_to_nhwc[4] = { 0, 2, 3, 1 };
const int64_t forge_nhwc_to_nchw[4] = { 0, 3, 1, 2 };

ForgeShape
forge_shape_permute (const ForgeShape *shape, const int64_t *perm)
{
  ForgeShape out = { .rank = shape->rank };
  for (int i = 0; i < shape->rank; i++)
    out.dims[i] = shape->dims[perm[i]];
  return out;
}

ForgeTensor *
forge_tensor_permute (
    const ForgeTensor *tensor, const int64_t *perm, GError **error)
{
  ForgeShape shape = forge_shape_permute (&tensor->shape, perm);
  ForgeTensor *out = forge_tensor_new (tensor->dtype, &shape, error);
  if (!out)
    return NULL;
  int order[FORGE_MAX_DIMS];
  for (int i = 0; i < shape.rank; i++)
    order[i] = (int) perm[i];
  forge_op_permute (1, tensor, order, out);
  return out;
}

gboolean
forge_node_perm (const ForgeNode *node, int64_t perm[FORGE_MAX_DIMS])
{
  if (!forge_node_is (node, "Transpose"))
    return FALSE;
  const int64_t *given;
  gsize n_given = forge_attrs_ints (node->attrs, "perm", &given);
  int rank = forge_node_in (node, 0)->shape.rank;
  if (n_given != 0 && n_given != (gsize) rank)
    return FALSE;
  for (int i = 0; i < rank; i++)
    perm[i] = n_given ? given[i] : rank - 1 - i;
  return TRUE;
}

ForgeValue *
forge_graph_transpose (
    ForgeGraph *graph, ForgeValue *in, ForgeValue *out, const int64_t perm[4])
{
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_ints (attrs, "perm", perm, 4);
  ForgeNode *node = forge_graph_insert (
      graph, forge_op_find ("Transpose", ""), NULL, attrs, &in, 1);
  if (out)
    forge_node_swap_out (node, out);
  out = forge_node_out (node, 0);
  out->dtype = in->dtype;
  out->shape = forge_shape_permute (&in->shape, perm);
  return out;
}

gboolean
forge_perm_keeps_bytes (const ForgeShape *from, const int64_t *perm)
{
  int64_t last = -1;
  for (int i = 0; i < from->rank; i++) {
    if (from->dims[perm[i]] == 1)
      continue;
    if (perm[i] < last)
      return FALSE;
    last = perm[i];
  }
  return TRUE;
}
