/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Where a network ends: its classes off, others on. What is behind the last
 * layer is told by its operators, not by names, which differ from exporter to
 * exporter. */
#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "graph/pass-util.h"
#include "train/network.h"

/* Operators that only rearrange what goes through their first input. */
static const char *const rearranging[] = { "Reshape", "Flatten", "Squeeze",
  "Unsqueeze", "Transpose", "Identity", "Dropout", NULL };
/* What may stand between the last layer and softmax. */
static const char *const pooling[] = { "GlobalAveragePool", "AveragePool",
  "ReduceMean", "GlobalMaxPool", "Relu", NULL };
static const char *const ending[] = { "Softmax", "LogSoftmax", "Sigmoid",
  NULL };
static const char *const layers[] = { "Gemm", "MatMul", "Conv", NULL };
/* Operators that go by channels in axis 1. */
static const char *const channels_first[] = { "Conv", "MaxPool", "AveragePool",
  "GlobalAveragePool", "GlobalMaxPool", "BatchNormalization", NULL };

static gboolean
is_any (const ForgeNode *node, const char *const *types)
{
  return node && g_strv_contains (types, node->op->type);
}

/* An Add or Mul with a constant, whichever way round: its other input. */
static ForgeValue *
other_than_constant (const ForgeNode *node)
{
  if (!node || (!forge_node_is (node, "Add") && !forge_node_is (node, "Mul")))
    return NULL;
  ForgeValue *a = forge_node_in (node, 0), *b = forge_node_in (node, 1);
  return b->constant ? a : a->constant ? b : NULL;
}

/* The node that makes the class scores of @output, or NULL. */
static const ForgeNode *
find_last_layer (const ForgeValue *output)
{
  const ForgeValue *at = output;
  gboolean ends = FALSE;
  while (at->producer) {
    const ForgeNode *node = at->producer;
    const ForgeValue *other = other_than_constant (node);
    if (is_any (node, layers))
      return node;
    ends |= is_any (node, ending);
    if (other)
      at = other;
    else if (is_any (node, rearranging) || is_any (node, ending) ||
             (ends && is_any (node, pooling)))
      at = forge_node_in (node, 0);
    else
      return NULL;
  }
  return NULL;
}

static gboolean
has_perm (const ForgeNode *node, const int64_t perm[4])
{
  const int64_t *own;
  return forge_node_is (node, "Transpose") &&
         forge_attrs_ints (node->attrs, "perm", &own) == 4 &&
         memcmp (own, perm, 4 * sizeof *own) == 0;
}

/* Whether the channels of a map are its last axis: found by what made it. */
static gboolean
is_channels_last (const ForgeValue *value)
{
  static const int64_t to_nhwc[] = { 0, 2, 3, 1 }, to_nchw[] = { 0, 3, 1, 2 };
  while (value->producer) {
    const ForgeNode *node = value->producer;
    if (is_any (node, channels_first) || has_perm (node, to_nchw))
      return FALSE;
    if (has_perm (node, to_nhwc))
      return TRUE;
    const ForgeValue *other = other_than_constant (node);
    value = other ? other : forge_node_in (node, 0);
  }
  return FALSE;
}

static ForgeValue *
append_one (ForgeGraph *graph, const char *type, const char *name,
    ForgeAttrs *attrs, ForgeValue *in)
{
  ForgeNode *node =
      forge_graph_insert (graph, forge_op_find (type, ""), name, attrs, &in, 1);
  node->opset = graph->opset;
  return forge_node_out (node, 0);
}

/* [N, C], [N, C, H, W] or [N, H, W, C] to [N, C]; NULL for anything else. */
static ForgeValue *
pool_features (ForgeGraph *graph, ForgeValue *value, int64_t *n_features)
{
  static const int64_t to_nchw[] = { 0, 3, 1, 2 };
  const ForgeShape shape = value->shape;
  gboolean last = shape.rank == 4 && is_channels_last (value);
  if ((shape.rank != 2 && shape.rank != 4) || value->dtype != FORGE_FLOAT32)
    return NULL;
  *n_features = shape.dims[last ? 3 : 1];
  if (*n_features < 1 || shape.rank == 2)
    return *n_features < 1 ? NULL : value;
  if (last) {
    ForgeAttrs *attrs = forge_attrs_new ();
    forge_attrs_set_ints (attrs, "perm", to_nchw, 4);
    value = append_one (graph, "Transpose", "features_nchw", attrs, value);
  }
  if (shape.dims[last ? 1 : 2] != 1 || shape.dims[last ? 2 : 3] != 1)
    value =
        append_one (graph, "GlobalAveragePool", "features_pool", NULL, value);
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_int (attrs, "axis", 1);
  return append_one (graph, "Flatten", "features", attrs, value);
}

static gboolean
tidy (ForgeGraph *graph, GError **error)
{
  return forge_graph_run_pass (
      graph, "drop_identity", FORGE_PASSES_TRAINING, error);
}

static gboolean
end_in (ForgeGraph *graph, ForgeValue *value, GError **error)
{
  g_ptr_array_set_size (graph->outputs, 0);
  forge_graph_add_output (graph, value);
  return tidy (graph, error);
}

gboolean
forge_network_cut_head (ForgeGraph *graph, int64_t *n_features, GError **error)
{
  ForgeValue *value = g_ptr_array_index (graph->outputs, 0);
  const ForgeNode *layer = find_last_layer (value);
  if (layer) {
    guint data = layer->inputs->len > 1 && forge_node_in (layer, 0)->constant;
    value = forge_node_in (layer, data);
    while (is_any (value->producer, rearranging))
      value = forge_node_in (value->producer, 0);
  }
  ForgeValue *features = pool_features (graph, value, n_features);
  if (features)
    return end_in (graph, features, error);
  g_set_error (error, FORGE_ERROR, FORGE_ERROR_UNSUPPORTED,
      "backbone %s: its last layer reads '%s' of %d dimensions; expected "
      "features of 2 or maps of 4",
      graph->name, value->name, value->shape.rank);
  return FALSE;
}

/* Uniform with variance 2 / (fan_in + fan_out), Glorot and Bengio (2010). */
static void
draw_weights (const ForgeNetworkHead *head, float *weights)
{
  ForgeRng rng;
  forge_rng_seed (&rng, head->seed);
  float limit =
      (float) sqrt (6.0 / (double) (head->n_features + head->n_outputs));
  for (int64_t i = 0; i < head->n_features * head->n_outputs; i++)
    weights[i] = limit * (2 * forge_rng_float (&rng) - 1);
}

static ForgeValue *
add_constant (ForgeGraph *graph, const char *name, ForgeTensor *shared,
    const ForgeShape *shape, GError **error)
{
  g_autoptr (ForgeTensor) tensor =
      shared ? forge_tensor_ref (shared)
             : forge_tensor_new (FORGE_FLOAT32, shape, error);
  if (!tensor)
    return NULL;
  /* A name that the file has used already gets a fresh one. */
  gboolean taken = forge_graph_find (graph, name) != NULL;
  return forge_graph_add_constant (graph, taken ? NULL : name, tensor);
}

static ForgeValue *
add_ending (ForgeGraph *graph, ForgeValue *scores, gboolean sigmoid)
{
  ForgeAttrs *attrs = forge_attrs_new ();
  if (!sigmoid)
    forge_attrs_set_int (attrs, "axis", 1);
  return append_one (
      graph, sigmoid ? "Sigmoid" : "Softmax", "probabilities", attrs, scores);
}

/* The ratio was an attribute before opset 12. */
static ForgeValue *
add_dropout (ForgeGraph *graph, ForgeValue *in, const ForgeNetworkHead *head,
    GError **error)
{
  ForgeAttrs *attrs = forge_attrs_new ();
  ForgeShape scalar = forge_shape (0);
  float ratio = (float) head->dropout, *data;
  ForgeValue *inputs[] = { in, NULL };
  guint n_inputs = 1;
  if (graph->opset < 12) {
    forge_attrs_set_float (attrs, "ratio", ratio);
  } else if ((inputs[1] =
                     forge_graph_new_floats (graph, &scalar, &data, error))) {
    *data = ratio;
    n_inputs = 2;
  } else {
    forge_attrs_free (attrs);
    return NULL;
  }
  ForgeNode *node = forge_graph_insert (graph, forge_op_find ("Dropout", ""),
      "head_dropout", attrs, inputs, n_inputs);
  node->opset = graph->opset;
  return forge_node_out (node, 0);
}

gboolean
forge_network_add_head (
    ForgeGraph *graph, const ForgeNetworkHead *head, GError **error)
{
  ForgeShape shape =
      forge_shape (2, (int) head->n_outputs, (int) head->n_features);
  ForgeShape bias_shape = forge_shape (1, (int) head->n_outputs);
  ForgeValue *last = g_ptr_array_index (graph->outputs, 0);
  ForgeValue *weights =
      add_constant (graph, "head.weight", head->weights, &shape, error);
  ForgeValue *bias = weights ? add_constant (graph, "head.bias", head->bias,
                                   &bias_shape, error)
                             : NULL;
  if (!bias)
    return FALSE;
  if (!head->weights)
    draw_weights (head, weights->constant->data);
  if (head->dropout > 0 && !(last = add_dropout (graph, last, head, error)))
    return FALSE;
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_int (attrs, "transB", 1);
  ForgeValue *inputs[] = { last, weights, bias };
  ForgeNode *dense = forge_graph_insert (
      graph, forge_op_find ("Gemm", ""), "head", attrs, inputs, 3);
  dense->opset = graph->opset;
  ForgeValue *scores = forge_node_out (dense, 0);
  return end_in (graph, add_ending (graph, scores, head->sigmoid), error);
}

gboolean
forge_network_end_in_probabilities (
    ForgeGraph *graph, guint n_outputs, gboolean sigmoid, GError **error)
{
  ForgeValue *out = g_ptr_array_index (graph->outputs, 0);
  if (out->shape.rank != 2 || out->shape.dims[1] != (int64_t) n_outputs) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_ARGUMENT,
        "network %s gives %" G_GINT64_FORMAT
        " scores, the data needs %u; a backbone gets a new last layer",
        graph->name, out->shape.rank == 2 ? out->shape.dims[1] : -1, n_outputs);
    return FALSE;
  }
  const char *wanted = sigmoid ? "Sigmoid" : "Softmax";
  if (out->producer && forge_node_is (out->producer, wanted))
    return TRUE;
  if (is_any (out->producer, ending)) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_ARGUMENT,
        "network %s ends in %s, and the loss asked for goes with %s",
        graph->name, out->producer->op->type, wanted);
    return FALSE;
  }
  return end_in (graph, add_ending (graph, out, sigmoid), error);
}
