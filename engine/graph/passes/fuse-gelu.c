/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * x (1 + Erf (x / sqrt 2)) / 2, as exporters write it before opset 20, becomes
 * Gelu: one pass over memory in place of five, and something that
 * fuse-activation can move into the layer before. The halving may stand
 * anywhere among the products.
 * Source: D. Hendrycks and K. Gimpel, Gaussian Error Linear Units, 2016. */
#include <math.h>

#include "graph/pass-util.h"

gboolean forge_pass_fuse_gelu (ForgeGraph *, ForgePassSet, GError **);

#define TOLERANCE 1e-6

/* TRUE when input @index is the constant @wanted. */
static gboolean
is_scalar (const ForgeNode *node, guint index, double wanted)
{
  const float *value = forge_node_floats (node, index, 1);
  return value && fabs (*value - wanted) < TOLERANCE * wanted;
}

/* The one input of @node that is not the constant @wanted, when the other is:
 * a product's or a sum's. */
static ForgeValue *
beside_scalar (const ForgeNode *node, const char *type, double wanted)
{
  if (!node || !forge_node_is (node, type))
    return NULL;
  for (guint i = 0; i < 2; i++)
    if (is_scalar (node, 1 - i, wanted))
      return forge_node_in (node, i);
  return NULL;
}

/* x of an Erf (x / sqrt 2). */
static ForgeValue *
argument (const ForgeNode *erf)
{
  const ForgeValue *in = forge_node_in (erf, 0);
  const ForgeNode *node = in ? in->producer : NULL;
  if (node && forge_node_is (node, "Div") && is_scalar (node, 1, M_SQRT2))
    return forge_node_in (node, 0);
  return beside_scalar (node, "Mul", M_SQRT1_2);
}

/* The only reader of the only output of @node; or NULL. */
static ForgeNode *
reader (const ForgeGraph *graph, const ForgeNode *node)
{
  const ForgeValue *out = forge_node_out (node, 0);
  for (guint n = 0; n < graph->nodes->len; n++) {
    ForgeNode *other = graph->nodes->pdata[n];
    if (forge_graph_only_reader (graph, out, other))
      return other;
  }
  return NULL;
}

static gboolean
is_half_of (const ForgeValue *value, const ForgeValue *x)
{
  return value->producer && beside_scalar (value->producer, "Mul", 0.5) == x;
}

/* The last node of the product of x, 1/2 and @gate, which is 1 + Erf. */
static ForgeNode *
product (const ForgeGraph *graph, const ForgeNode *gate, const ForgeValue *x)
{
  ForgeNode *first = reader (graph, gate);
  if (!first || !forge_node_is (first, "Mul"))
    return NULL;
  guint index = forge_node_in (first, 0) == forge_node_out (gate, 0) ? 1 : 0;
  const ForgeValue *factor = forge_node_in (first, index);
  gboolean halves = is_scalar (first, index, 0.5);
  if (is_half_of (factor, x))
    return first;
  ForgeNode *second = reader (graph, first);
  const ForgeValue *so_far = forge_node_out (first, 0);
  if (!second || !forge_node_is (second, "Mul"))
    return NULL;
  if (factor == x)
    return beside_scalar (second, "Mul", 0.5) == so_far ? second : NULL;
  index = forge_node_in (second, 0) == so_far ? 1 : 0;
  return halves && forge_node_in (second, index) == x ? second : NULL;
}

static void
try_fuse (ForgeGraph *graph, const ForgeNode *erf)
{
  ForgeValue *x = argument (erf);
  const ForgeNode *gate = x ? reader (graph, erf) : NULL;
  if (!gate || beside_scalar (gate, "Add", 1) != forge_node_out (erf, 0))
    return;
  ForgeNode *last = product (graph, gate, x);
  if (!last || !forge_shape_equal (&forge_node_out (last, 0)->shape, &x->shape))
    return;
  ForgeNode *gelu = forge_graph_insert (
      graph, forge_op_find ("Gelu", ""), last->name, NULL, &x, 1);
  forge_graph_replace_value (
      graph, forge_node_out (last, 0), forge_node_out (gelu, 0));
}

gboolean
forge_pass_fuse_gelu (ForgeGraph *graph, ForgePassSet set, GError **error)
{
  guint n_nodes = graph->nodes->len;
  for (guint n = 0; n < n_nodes; n++) {
    const ForgeNode *node = graph->nodes->pdata[n];
    if (forge_node_is (node, "Erf"))
      try_fuse (graph, node);
  }
  return TRUE;
}
