/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Folds what follows a Conv, Gemm or MatMul channel by channel into its
 * weights and bias: inference BatchNormalization, and Add, Sub, Mul, Div by a
 * constant. Each is y[o] = slope[o] x[o] + shift[o], so
 *   w'[o] = slope[o] w[o],  b'[o] = slope[o] b[o] + shift[o]
 * in double, rounded once; for a batch norm
 *   slope = scale / sqrt (variance + epsilon), shift = b - mean slope.
 * Constants are copied: others may share them. */
#include <math.h>

#include "graph/pass-util.h"

gboolean forge_pass_fold_affine (ForgeGraph *, ForgePassSet, GError **);

typedef struct {
  int64_t n_channels;
  int axis;
  double *slope, *shift; /* [n_channels] */
} Affine;

static gboolean
read_norm (const ForgeNode *node, Affine *affine)
{
  int64_t n = affine->n_channels;
  const float *scale = forge_node_floats (node, 1, n);
  const float *bias = forge_node_floats (node, 2, n);
  const float *mean = forge_node_floats (node, 3, n);
  const float *variance = forge_node_floats (node, 4, n);
  double epsilon = forge_attrs_float (node->attrs, "epsilon", 1e-5f);
  if (!scale || !bias || !mean || !variance ||
      forge_attrs_int (node->attrs, "training_mode", 0) != 0)
    return FALSE;
  for (int64_t o = 0; o < n; o++) {
    affine->slope[o] = scale[o] / sqrt ((double) variance[o] + epsilon);
    affine->shift[o] = bias[o] - mean[o] * affine->slope[o];
  }
  return TRUE;
}

/* Axis of the outputs: a MatMul has them last. */
static int
channel_axis (const ForgeNode *layer, int rank)
{
  return forge_node_is (layer, "MatMul") ? rank - 1 : 1;
}

/* TRUE when the constant broadcasts along one axis of @rank alone. */
static gboolean
runs_along (
    const ForgeShape *shape, int64_t n_channels, int channel_axis, int rank)
{
  if (forge_shape_count (shape) == 1)
    return shape->rank <= rank;
  int axis = shape->rank - (rank - channel_axis);
  return axis >= 0 && shape->rank <= rank && shape->dims[axis] == n_channels &&
         forge_shape_count (shape) == n_channels;
}

static void
set_channel (const ForgeNode *node, double c, double *slope, double *shift)
{
  *slope = forge_node_is (node, "Mul")   ? c
           : forge_node_is (node, "Div") ? 1 / c
                                         : 1;
  *shift = forge_node_is (node, "Add")   ? c
           : forge_node_is (node, "Sub") ? -c
                                         : 0;
}

static gboolean
read_arithmetic (const ForgeNode *node, const ForgeValue *x, Affine *affine)
{
  gboolean commutes =
      forge_node_is (node, "Add") || forge_node_is (node, "Mul");
  if (!commutes && !forge_node_is (node, "Sub") && !forge_node_is (node, "Div"))
    return FALSE;
  guint index = forge_node_in (node, 0) == x ? 1 : 0;
  const ForgeValue *c = forge_node_in (node, index);
  if ((index == 0 && !commutes) || !c->constant || c->dtype != FORGE_FLOAT32 ||
      !runs_along (&c->shape, affine->n_channels, affine->axis, x->shape.rank))
    return FALSE;
  const float *data = c->constant->data;
  gboolean single = forge_shape_count (&c->shape) == 1;
  for (int64_t o = 0; o < affine->n_channels; o++)
    set_channel (
        node, data[single ? 0 : o], &affine->slope[o], &affine->shift[o]);
  return TRUE;
}

/* The layer in front of @node, when @node alone reads it. */
static ForgeNode *
layer_before (const ForgeGraph *graph, const ForgeNode *node, ForgeValue **x)
{
  static const char *const types[] = { "Conv", "Gemm", "MatMul", NULL };
  for (guint i = 0; i < MIN (node->inputs->len, 2); i++) {
    *x = forge_node_in (node, i);
    ForgeNode *layer = *x ? (*x)->producer : NULL;
    if (layer && g_strv_contains (types, layer->op->type) &&
        forge_shape_equal (&(*x)->shape, &forge_node_out (node, 0)->shape) &&
        forge_graph_only_reader (graph, *x, node))
      return layer;
  }
  return NULL;
}

/* Conv weights are [O][...], Gemm's [O][K] with transB and [K][O] without. */
static gboolean
outputs_are_rows (const ForgeNode *layer)
{
  return forge_node_is (layer, "Conv") ||
         forge_attrs_int (layer->attrs, "transB", 0) != 0;
}

static gboolean
changes_weights (const Affine *affine)
{
  for (int64_t o = 0; o < affine->n_channels; o++)
    if (affine->slope[o] != 1)
      return TRUE;
  return FALSE;
}

static gboolean
can_fold (const ForgeNode *layer, const Affine *affine)
{
  const ForgeValue *w = forge_node_in (layer, 1), *b = forge_node_in (layer, 2);
  int rank = w->shape.rank;
  if (layer->activation.kind != -1 || layer->nhwc || rank < 2 ||
      w->shape.dims[outputs_are_rows (layer) ? 0 : 1] != affine->n_channels)
    return FALSE;
  if (forge_node_is (layer, "MatMul") &&
      (rank != 2 || forge_node_in (layer, 0)->shape.rank < 2))
    return FALSE;
  if (changes_weights (affine) && (!w->constant || w->dtype != FORGE_FLOAT32))
    return FALSE;
  /* A Gemm bias of one column is another matter. */
  return !b || (b->shape.rank >= 1 &&
                   b->shape.dims[b->shape.rank - 1] == affine->n_channels &&
                   forge_node_floats (layer, 2, affine->n_channels));
}

static ForgeValue *
scale_weights (ForgeGraph *graph, const ForgeNode *layer, const Affine *affine,
    GError **error)
{
  const ForgeValue *weights = forge_node_in (layer, 1);
  float *scaled;
  ForgeValue *made =
      forge_graph_new_floats (graph, &weights->shape, &scaled, error);
  if (!made)
    return NULL;
  const float *w = weights->constant->data;
  int64_t count = forge_shape_count (&weights->shape);
  int64_t n = affine->n_channels;
  int64_t run = outputs_are_rows (layer) ? count / n : 1;
  for (int64_t i = 0; i < count; i++)
    scaled[i] = (float) (w[i] * affine->slope[i / run % n]);
  return made;
}

static ForgeValue *
new_bias (ForgeGraph *graph, const ForgeNode *layer, const Affine *affine,
    GError **error)
{
  int64_t n = affine->n_channels;
  const float *bias = forge_node_floats (layer, 2, n);
  double beta = forge_attrs_float (layer->attrs, "beta", 1);
  float *data;
  ForgeShape shape = { .rank = 1, .dims = { n } };
  ForgeValue *made = forge_graph_new_floats (graph, &shape, &data, error);
  for (int64_t o = 0; made && o < n; o++)
    data[o] = (float) (affine->shift[o] +
                       (bias ? beta * bias[o] * affine->slope[o] : 0));
  return made;
}

static gboolean
fold (ForgeGraph *graph, const ForgeNode *node, ForgeNode *layer,
    const Affine *affine, GError **error)
{
  ForgeValue *bias = new_bias (graph, layer, affine, error);
  ForgeValue *weights = forge_node_in (layer, 1);
  if (changes_weights (affine))
    weights = scale_weights (graph, layer, affine, error);
  if (!bias || !weights)
    return FALSE;
  forge_node_set_in (layer, 1, weights);
  forge_node_set_in (layer, 2, bias);
  if (forge_attrs_get (layer->attrs, "beta"))
    forge_attrs_set_float (layer->attrs, "beta", 1);
  if (forge_node_is (layer, "MatMul") &&
      forge_node_in (layer, 0)->shape.rank == 2) {
    layer->op = forge_op_find ("Gemm", "");
    layer->opset = FORGE_PASS_OPSET;
  }
  forge_graph_replace_value (
      graph, forge_node_out (node, 0), forge_node_out (layer, 0));
  return TRUE;
}

static gboolean
try_fold (ForgeGraph *graph, ForgeNode *node, gboolean *folded, GError **error)
{
  ForgeValue *x;
  ForgeNode *layer = layer_before (graph, node, &x);
  *folded = FALSE;
  int axis = layer ? channel_axis (layer, x->shape.rank) : 0;
  if (!layer || x->shape.rank < 2 || x->shape.dims[axis] < 1)
    return TRUE;
  int64_t n = x->shape.dims[axis];
  g_autofree double *slope = g_new (double, n);
  g_autofree double *shift = g_new (double, n);
  Affine affine = { n, axis, slope, shift };
  gboolean norm = forge_node_is (node, "BatchNormalization");
  *folded = node->activation.kind == -1 &&
            (norm ? axis == 1 && read_norm (node, &affine)
                  : read_arithmetic (node, x, &affine)) &&
            can_fold (layer, &affine);
  return !*folded || fold (graph, node, layer, &affine, error);
}

gboolean
forge_pass_fold_affine (ForgeGraph *graph, ForgePassSet set, GError **error)
{
  for (guint n = 0; n < graph->nodes->len;) {
    ForgeNode *node = graph->nodes->pdata[n];
    gboolean folded;
    if (!try_fold (graph, node, &folded, error))
      return FALSE;
    /* At once: the next in a chain must find the layer with no other
     * reader. */
    if (folded)
      forge_graph_remove_node (graph, node);
    else
      n++;
  }
  return TRUE;
}
