/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Folds an inference BatchNormalization into the Conv or Gemm before it:
 *   a[o] = scale[o] / sqrt (variance[o] + epsilon)
 *   w'[o] = w[o] a[o],  b'[o] = (b[o] - mean[o]) a[o] + shift[o]
 * in double, rounded once. Weights are copied: others may share them. */
#include <math.h>

#include "graph/pass-util.h"

gboolean forge_pass_fold_batch_norm (ForgeGraph *, ForgePassSet, GError **);

/* Batch norm as y = a x + b. */
typedef struct {
  int64_t n_channels;
  const float *scale, *shift, *mean, *variance;
  double epsilon;
} Norm;

static gboolean
read_norm (const ForgeNode *node, Norm *norm)
{
  const ForgeShape *shape = &forge_node_in (node, 0)->shape;
  if (shape->rank < 2 || node->activation.kind != -1 ||
      forge_attrs_int (node->attrs, "training_mode", 0) != 0)
    return FALSE;
  int64_t n = shape->dims[1];
  *norm = (Norm) { .n_channels = n,
    .scale = forge_node_floats (node, 1, n),
    .shift = forge_node_floats (node, 2, n),
    .mean = forge_node_floats (node, 3, n),
    .variance = forge_node_floats (node, 4, n),
    .epsilon = forge_attrs_float (node->attrs, "epsilon", 1e-5f) };
  return norm->scale && norm->shift && norm->mean && norm->variance;
}

static double
slope (const Norm *norm, int64_t o)
{
  return norm->scale[o] / sqrt ((double) norm->variance[o] + norm->epsilon);
}

/* [rows][columns] weights; outputs run along rows or along columns. */
static ForgeValue *
scale_weights (ForgeGraph *graph, const ForgeValue *weights, const Norm *norm,
    gboolean along_rows, GError **error)
{
  float *scaled;
  ForgeValue *made =
      forge_graph_new_floats (graph, &weights->shape, &scaled, error);
  if (!made)
    return NULL;
  const float *w = weights->constant->data;
  int64_t count = forge_shape_count (&weights->shape);
  int64_t n = norm->n_channels, run = along_rows ? count / n : 1;
  for (int64_t i = 0; i < count; i++)
    scaled[i] = (float) (w[i] * slope (norm, i / run % n));
  return made;
}

static ForgeValue *
shift_bias (ForgeGraph *graph, const float *bias, double factor,
    const Norm *norm, GError **error)
{
  float *shifted;
  ForgeShape shape = forge_shape (1, (int) norm->n_channels);
  ForgeValue *made = forge_graph_new_floats (graph, &shape, &shifted, error);
  for (int64_t o = 0; made && o < norm->n_channels; o++)
    shifted[o] = (float) (((bias ? factor * bias[o] : 0) - norm->mean[o]) *
                              slope (norm, o) +
                          norm->shift[o]);
  return made;
}

/* Conv weights are [O][...], Gemm's [O][K] with transB and [K][O] without. */
static gboolean
can_fold (const ForgeNode *layer, const Norm *norm, const float **bias)
{
  const ForgeValue *w = forge_node_in (layer, 1), *b = forge_node_in (layer, 2);
  gboolean conv = forge_node_is (layer, "Conv");
  if (!w->constant || w->dtype != FORGE_FLOAT32 || norm->n_channels < 1 ||
      layer->activation.kind != -1 || layer->nhwc)
    return FALSE;
  int axis = conv || forge_attrs_int (layer->attrs, "transB", 0) ? 0 : 1;
  if (w->shape.rank < 2 || w->shape.dims[axis] != norm->n_channels)
    return FALSE;
  *bias = b ? forge_node_floats (layer, 2, norm->n_channels) : NULL;
  /* A Gemm bias of one column is another matter. */
  gboolean row = b && b->shape.rank >= 1 &&
                 b->shape.dims[b->shape.rank - 1] == norm->n_channels;
  return !b || (*bias && row);
}

static gboolean
fold (ForgeGraph *graph, const ForgeNode *node, ForgeNode *layer,
    const Norm *norm, const float *bias, GError **error)
{
  gboolean conv = forge_node_is (layer, "Conv");
  gboolean along_rows = conv || forge_attrs_int (layer->attrs, "transB", 0);
  double factor = conv ? 1 : forge_attrs_float (layer->attrs, "beta", 1);
  ForgeValue *weights =
      scale_weights (graph, forge_node_in (layer, 1), norm, along_rows, error);
  ForgeValue *shifted =
      weights ? shift_bias (graph, bias, factor, norm, error) : NULL;
  if (!shifted)
    return FALSE;
  forge_node_set_in (layer, 1, weights);
  forge_node_set_in (layer, 2, shifted);
  if (!conv)
    forge_attrs_set_float (layer->attrs, "beta", 1);
  forge_graph_replace_value (
      graph, forge_node_out (node, 0), forge_node_out (layer, 0));
  return TRUE;
}

gboolean
forge_pass_fold_batch_norm (ForgeGraph *graph, ForgePassSet set, GError **error)
{
  for (guint n = 0; n < graph->nodes->len; n++) {
    const ForgeNode *node = graph->nodes->pdata[n];
    if (!forge_node_is (node, "BatchNormalization"))
      continue;
    ForgeNode *layer = forge_node_source (node, 0, "Conv");
    if (!layer)
      layer = forge_node_source (node, 0, "Gemm");
    Norm norm;
    const float *bias;
    if (layer && read_norm (node, &norm) &&
        forge_graph_only_reader (graph, forge_node_in (node, 0), node) &&
        can_fold (layer, &norm, &bias) &&
        !fold (graph, node, layer, &norm, bias, error))
      return FALSE;
  }
  return TRUE;
}
