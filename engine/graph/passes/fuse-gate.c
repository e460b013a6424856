/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Moves the gate of squeeze-and-excite, a Mul by one factor for each channel
 * of an image, into the 1x1 convolution behind it, which scales its weights:
 * of large maps they are far fewer. Runs after layout and fuse-residual.
 * Source: J. Hu et al., Squeeze-and-Excitation Networks, 2018. */
#include "graph/pass-util.h"

gboolean forge_pass_fuse_gate (ForgeGraph *, ForgePassSet, GError **);

/* What a weight costs that is scaled and read again, in elements of the map. */
#define WEIGHT_ELEMS 2

/* The input that has one element for each channel of the other; 2 = none. */
static guint
gate_input (const ForgeNode *mul)
{
  for (guint i = 0; i < 2; i++) {
    const ForgeValue *gate = forge_node_in (mul, i);
    const ForgeValue *map = forge_node_in (mul, 1 - i);
    if (!gate || !map || gate->constant || map->shape.rank != 4)
      continue;
    const int64_t *dims = map->shape.dims;
    const ForgeShape want = forge_shape (4, dims[0], 1, 1, dims[3]);
    if (forge_shape_equal (&gate->shape, &want))
      return i;
  }
  return 2;
}

/* Its weights are constant and few, its input is an image in NHWC. */
static gboolean
can_scale (const ForgeNode *conv)
{
  const ForgeValue *in = forge_node_in (conv, 0);
  const ForgeValue *weights = forge_node_in (conv, 1);
  const ForgeValue *bias = forge_node_in (conv, 2);
  const ForgeValue *out = forge_node_out (conv, 0);
  if (!conv->nhwc || !weights->constant || (bias && !bias->constant) ||
      forge_attrs_int (conv->attrs, "group", 1) != 1 ||
      weights->shape.dims[2] != 1 || weights->shape.dims[3] != 1 ||
      in->shape.dims[1] != out->shape.dims[1] ||
      in->shape.dims[2] != out->shape.dims[2])
    return FALSE;
  int64_t pixels = in->shape.dims[1] * in->shape.dims[2];
  return pixels >= WEIGHT_ELEMS * weights->shape.dims[0];
}

static ForgeNode *
only_conv_of (const ForgeGraph *graph, const ForgeNode *mul)
{
  const ForgeValue *out = forge_node_out (mul, 0);
  for (guint n = 0; n < graph->nodes->len; n++) {
    ForgeNode *conv = graph->nodes->pdata[n];
    if (forge_node_is (conv, "Conv") && forge_node_in (conv, 0) == out)
      return forge_graph_only_reader (graph, out, conv) ? conv : NULL;
  }
  return NULL;
}

gboolean
forge_pass_fuse_gate (ForgeGraph *graph, ForgePassSet set, GError **error)
{
  for (guint n = 0; n < graph->nodes->len; n++) {
    ForgeNode *mul = graph->nodes->pdata[n];
    if (!forge_node_is (mul, "Mul") || mul->activation.kind != -1 ||
        forge_node_out (mul, 0)->dtype != FORGE_FLOAT32)
      continue;
    guint gate = gate_input (mul);
    ForgeNode *conv = gate < 2 ? only_conv_of (graph, mul) : NULL;
    if (!conv || !can_scale (conv))
      continue;
    for (guint i = conv->inputs->len; i < 4; i++)
      forge_node_set_in (conv, i, NULL);
    forge_node_set_in (conv, 4, forge_node_in (mul, gate));
    forge_node_set_in (conv, 0, forge_node_in (mul, 1 - gate));
  }
  return TRUE;
}
