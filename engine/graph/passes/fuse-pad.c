/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Zeros that a Pad puts around pictures for a Conv alone to read become pads
 * of the Conv: Keras writes its strided layers so. */
#include <string.h>

#include "graph/pass-util.h"

gboolean forge_pass_fuse_pad (ForgeGraph *, ForgePassSet, GError **);

#define RANK 4
#define MAX_PAD 65536

/* Taken as an attribute or a constant input. */
static gboolean
read_pads (const ForgeNode *pad, int64_t pads[2 * RANK])
{
  const int64_t *values = NULL;
  gsize n_values = forge_attrs_ints (pad->attrs, "pads", &values);
  const ForgeValue *given = forge_node_in (pad, 1);
  if (given) {
    if (!given->constant || given->dtype != FORGE_INT64)
      return FALSE;
    values = given->constant->data;
    n_values = (gsize) forge_shape_count (&given->shape);
  }
  if (n_values != 2 * RANK)
    return FALSE;
  memcpy (pads, values, 2 * RANK * sizeof *pads);
  for (int i = 0; i < 2 * RANK; i++) {
    gboolean spatial = i % RANK >= 2;
    if (pads[i] < 0 || pads[i] > (spatial ? MAX_PAD : 0))
      return FALSE;
  }
  return TRUE;
}

static gboolean
pads_with_zeros (const ForgeNode *pad)
{
  const char *mode = forge_attrs_string (pad->attrs, "mode", "constant");
  const ForgeValue *value = forge_node_in (pad, 2);
  if (strcmp (mode, "constant") != 0 || forge_node_in (pad, 3))
    return FALSE;
  if (!value)
    return forge_attrs_float (pad->attrs, "value", 0) == 0;
  const float *zero = forge_node_floats (pad, 2, 1);
  return zero && *zero == 0;
}

/* Its own pads; FALSE where they depend on the size of what it reads. */
static gboolean
own_pads (const ForgeNode *conv, int64_t pads[RANK])
{
  const char *mode = forge_attrs_string (conv->attrs, "auto_pad", "NOTSET");
  const int64_t *own;
  memset (pads, 0, RANK * sizeof *pads);
  if (forge_node_in (conv, 0)->shape.rank != RANK)
    return FALSE;
  if (strcmp (mode, "VALID") == 0)
    return TRUE;
  if (forge_attrs_ints (conv->attrs, "pads", &own) == RANK)
    memcpy (pads, own, RANK * sizeof *pads);
  return strcmp (mode, "NOTSET") == 0;
}

static void
try_fuse (const ForgeGraph *graph, ForgeNode *conv)
{
  const ForgeNode *pad = forge_node_source (conv, 0, "Pad");
  int64_t around[2 * RANK], sums[RANK];
  if (!pad || conv->nhwc || !own_pads (conv, sums) ||
      !forge_graph_only_reader (graph, forge_node_in (conv, 0), conv) ||
      !pads_with_zeros (pad) || !read_pads (pad, around))
    return;
  for (int i = 0; i < 2; i++) {
    sums[i] += around[2 + i];
    sums[2 + i] += around[RANK + 2 + i];
  }
  forge_attrs_set_ints (conv->attrs, "pads", sums, RANK);
  forge_attrs_set_string (conv->attrs, "auto_pad", "NOTSET");
  forge_node_set_in (conv, 0, forge_node_in (pad, 0));
}

gboolean
forge_pass_fuse_pad (ForgeGraph *graph, ForgePassSet set, GError **error)
{
  for (guint n = 0; n < graph->nodes->len; n++) {
    ForgeNode *node = graph->nodes->pdata[n];
    if (forge_node_is (node, "Conv"))
      try_fuse (graph, node);
  }
  return TRUE;
}
