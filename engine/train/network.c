/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See network.h. Nodes are written in forms that are the same in every opset
 * from 7 to 21, as the file's own stays. */
#include "train/network.h"

#include <math.h>
#include <string.h>

#include "graph/pass-util.h"
#include "run/executor.h"
#include "run/model.h"

/* A node behind @in, with @constant (nullable) as its second input, that
 * produces @out, or a fresh value. */
static ForgeValue *
append (ForgeGraph *graph, const char *type, const char *name,
    ForgeAttrs *attrs, ForgeValue *in, ForgeValue *constant, ForgeValue *out)
{
  ForgeValue *inputs[] = { in, constant };
  if (!out)
    out = forge_graph_value (graph, NULL);
  ForgeNode *node = forge_graph_add_node (graph, forge_op_find (type, ""), name,
      attrs, inputs, constant ? 2 : 1, &out, 1);
  node->opset = graph->opset;
  return out;
}

static ForgeValue *
three_floats (ForgeGraph *graph, const float values[3], GError **error)
{
  ForgeShape shape = forge_shape (1, 3);
  float *data;
  ForgeValue *made = forge_graph_new_floats (graph, &shape, &data, error);
  if (made)
    memcpy (data, values, 3 * sizeof *data);
  return made;
}

/* Blue first. */
static ForgeValue *
turn_colours (ForgeGraph *graph, ForgeValue *in, GError **error)
{
  ForgeShape shape = forge_shape (1, 3);
  g_autoptr (ForgeTensor) order = forge_tensor_new (FORGE_INT64, &shape, error);
  if (!order)
    return NULL;
  memcpy (order->data, (int64_t[]) { 2, 1, 0 }, 3 * sizeof (int64_t));
  ForgeAttrs *attrs = forge_attrs_new ();
  forge_attrs_set_int (attrs, "axis", 3);
  return append (graph, "Gather", "colour_order", attrs, in,
      forge_graph_add_constant (graph, NULL, order), NULL);
}

/* The nodes between bytes and the input the network had, which they produce. */
static gboolean
add_front (ForgeGraph *graph, const ForgePreprocess *p, GError **error)
{
  static const int64_t to_nchw[] = { 0, 3, 1, 2 };
  ForgeValue *old = g_ptr_array_index (graph->inputs, 0);
  ForgeShape shape = forge_shape (4, -1, p->height, p->width, 3);
  g_ptr_array_set_size (graph->inputs, 0);
  g_autofree char *name = g_strconcat (old->name, "_pictures", NULL);
  ForgeValue *last = forge_graph_add_input (graph, name, FORGE_UINT8, &shape);
  if (p->bgr && !(last = turn_colours (graph, last, error)))
    return FALSE;
  if (p->dtype == FORGE_FLOAT32) {
    ForgeAttrs *cast = forge_attrs_new ();
    forge_attrs_set_int (cast, "to", FORGE_FLOAT32);
    last = append (graph, "Cast", "to_float", cast, last, NULL, NULL);
    ForgeValue *scale = three_floats (graph, p->scale, error);
    ForgeValue *bias = scale ? three_floats (graph, p->bias, error) : NULL;
    if (!bias)
      return FALSE;
    last = append (graph, "Mul", "scale", NULL, last, scale, NULL);
    last =
        append (graph, "Add", "offset", NULL, last, bias, p->nchw ? NULL : old);
  }
  if (last == old)
    return TRUE;
  ForgeAttrs *attrs = forge_attrs_new ();
  if (p->nchw)
    forge_attrs_set_ints (attrs, "perm", to_nchw, 4);
  append (graph, p->nchw ? "Transpose" : "Identity", "to_network", attrs, last,
      NULL, old);
  return TRUE;
}

static gboolean
check_pictures (
    const ForgeModel *model, const ForgePreprocess *p, GError **error)
{
  gboolean fits = p->channels == 3 && forge_model_get_n_inputs (model) == 1 &&
                  forge_model_get_n_outputs (model) == 1 &&
                  forge_model_get_input (model, 0).shape.rank == 4 &&
                  (p->dtype == FORGE_FLOAT32 || p->dtype == FORGE_UINT8);
  if (!fits)
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_UNSUPPORTED,
        "%s: training starts from networks with one input, of colour pictures, "
        "and one output; this has %u inputs of %d channels and %u outputs",
        forge_model_get_path (model), forge_model_get_n_inputs (model),
        p->channels, forge_model_get_n_outputs (model));
  return fits;
}

/* Training writes into constants in place, and others may share them. */
static gboolean
own_constants (ForgeGraph *graph, GError **error)
{
  for (guint i = 0; i < graph->values->len; i++) {
    ForgeValue *value = graph->values->pdata[i];
    if (!value->constant || value->dtype != FORGE_FLOAT32)
      continue;
    g_autoptr (ForgeTensor) copy =
        forge_tensor_new (value->dtype, &value->shape, error);
    if (!copy)
      return FALSE;
    memcpy (copy->data, value->constant->data, copy->size_bytes);
    forge_value_set_constant (value, copy);
  }
  return TRUE;
}

ForgeGraph *
forge_network_load (const char *path, const ForgeStatedPreprocess *stated,
    ForgePreprocess *preprocess, GError **error)
{
  g_autoptr (ForgeModel) model = forge_model_load (path, error);
  if (!model ||
      !forge_model_state_preprocess (model, stated, preprocess, NULL, error) ||
      !check_pictures (model, preprocess, error))
    return NULL;
  g_autoptr (ForgeGraph) graph =
      forge_graph_copy (forge_model_get_graph (model));
  gboolean is_ready =
      preprocess->dtype == FORGE_UINT8 && !preprocess->nchw && !preprocess->bgr;
  if (!own_constants (graph, error) ||
      (!is_ready && !add_front (graph, preprocess, error)) ||
      !forge_graph_run_pass (
          graph, "drop_identity", FORGE_PASSES_TRAINING, error) ||
      !forge_graph_run_pass (graph, "fuse_pad", FORGE_PASSES_TRAINING, error))
    return NULL;
  preprocess->dtype = FORGE_UINT8;
  preprocess->nchw = preprocess->bgr = FALSE;
  for (int c = 0; c < 3; c++) {
    preprocess->scale[c] = 1;
    preprocess->bias[c] = 0;
  }
  return g_steal_pointer (&graph);
}

/* y = slope x + shift, channel by channel. */
static gboolean
split_norm (ForgeGraph *graph, const ForgeNode *norm, GError **error)
{
  ForgeValue *x = forge_node_in (norm, 0);
  int64_t c = forge_node_in (norm, 1)->shape.dims[0];
  ForgeShape shape = { .rank = x->shape.rank - 1 };
  for (int i = 0; i < shape.rank; i++)
    shape.dims[i] = i == 0 ? c : 1;
  float *slope, *shift;
  ForgeValue *factor = forge_graph_new_floats (graph, &shape, &slope, error);
  ForgeValue *term =
      factor ? forge_graph_new_floats (graph, &shape, &shift, error) : NULL;
  const float *parts[4];
  for (guint i = 0; i < 4; i++)
    if (!(parts[i] = forge_node_floats (norm, i + 1, c)) && term)
      return forge_node_error (norm, error, FORGE_ERROR_UNSUPPORTED,
          "its scale and statistics are not constant");
  if (!term)
    return FALSE;
  double epsilon = forge_attrs_float (norm->attrs, "epsilon", 1e-5f);
  for (int64_t i = 0; i < c; i++) {
    double s = parts[0][i] / sqrt ((double) parts[3][i] + epsilon);
    slope[i] = (float) s;
    shift[i] = (float) (parts[1][i] - parts[2][i] * s);
  }
  ForgeValue *product =
      append (graph, "Mul", norm->name, NULL, x, factor, NULL);
  g_autofree char *name = g_strconcat (norm->name, "_shift", NULL);
  ForgeValue *sum = append (graph, "Add", name, NULL, product, term, NULL);
  forge_graph_replace_value (graph, forge_node_out (norm, 0), sum);
  return TRUE;
}

gboolean
forge_network_fold_norms (ForgeGraph *graph, GError **error)
{
  if (!forge_graph_run_pass (
          graph, "fold_affine", FORGE_PASSES_INFERENCE, error))
    return FALSE;
  guint n_nodes = graph->nodes->len;
  for (guint n = 0; n < n_nodes; n++) {
    const ForgeNode *node = graph->nodes->pdata[n];
    if (forge_node_is (node, "BatchNormalization") &&
        !split_norm (graph, node, error))
      return FALSE;
  }
  return forge_graph_run_pass (
      graph, "drop_identity", FORGE_PASSES_TRAINING, error);
}

static gboolean
has_weights (const ForgeNode *node)
{
  for (guint i = 0; i < node->inputs->len; i++)
    if (forge_node_input_role (node, i) != FORGE_ROLE_NONE)
      return TRUE;
  return FALSE;
}

void
forge_network_freeze (ForgeGraph *graph, guint n_layers)
{
  for (guint n = graph->nodes->len; n > 0; n--) {
    const ForgeNode *node = graph->nodes->pdata[n - 1];
    if (!has_weights (node))
      continue;
    /* A bias that is added belongs to the layer before it. */
    gboolean is_layer = !forge_node_is (node, "Add");
    for (guint i = 0; n_layers == 0 && i < node->inputs->len; i++)
      if (forge_node_input_role (node, i) == FORGE_ROLE_TRAINED)
        forge_node_in (node, i)->frozen = TRUE;
    n_layers -= is_layer && n_layers > 0 && n_layers != G_MAXUINT;
  }
}
