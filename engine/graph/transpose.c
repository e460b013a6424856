/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Orders of axes: of shapes, of constants, of nodes. */
#include "graph/transpose.h"

#include <string.h>

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
  int64_t strides_elems[FORGE_MAX_DIMS];
  forge_shape_strides (&tensor->shape, strides_elems);
  size_t size_bytes = forge_dtype_size_bytes (tensor->dtype);
  int64_t at[FORGE_MAX_DIMS] = { 0 }, count = forge_shape_count (&shape);
  for (int64_t i = 0; i < count; i++) {
    int64_t from = 0;
    for (int d = 0; d < shape.rank; d++)
      from += at[d] * strides_elems[perm[d]];
    memcpy ((uint8_t *) out->data + (size_t) i * size_bytes,
        (const uint8_t *) tensor->data + (size_t) from * size_bytes,
        size_bytes);
    for (int d = shape.rank - 1; d >= 0 && ++at[d] == shape.dims[d]; d--)
      at[d] = 0;
  }
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
