/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What `gst-forge inspect` prints: the nodes of the file with shapes for one
 * image, and how many trained numbers there are. */
#include "graph/stored-weights.h"
#include "run/executor.h"
#include "run/model.h"

/* Where quantised operators have their weights and biases, and the scale and
 * zero point of what they write; -1 where they have none. */
static const struct {
  const char *type;
  int weights, bias, scale, zero;
} quantised[] = {
  { "TfliteConv", 1, 2, -1, -1 },
  { "TfliteConvTranspose", 1, 2, -1, -1 },
  { "TfliteHybrid", 1, 3, -1, -1 },
  { "QLinearConv", 3, 8, 6, 7 },
  { "QLinearMatMul", 3, -1, 6, 7 },
  { "QGemm", 3, 6, 7, 8 },
  { "ConvInteger", 1, -1, -1, -1 },
  { "MatMulInteger", 1, -1, -1, -1 },
  { "QLinearAdd", -1, -1, 6, 7 },
  { "QLinearMul", -1, -1, 6, 7 },
  { "QLinearGlobalAveragePool", -1, -1, 3, 4 },
  { "QuantizeLinear", -1, -1, 1, 2 },
  /* of constants: weights that are stored as integers */
  { "DequantizeLinear", 0, -1, -1, -1 },
};

static int
find_quantised (const ForgeNode *node)
{
  for (int i = 0; i < (int) G_N_ELEMENTS (quantised); i++)
    if (g_str_equal (quantised[i].type, node->op->type))
      return i;
  return -1;
}

static gboolean
is_integer_weight (const ForgeNode *node, guint index)
{
  int row = find_quantised (node);
  const ForgeValue *in = forge_node_in (node, index);
  return row >= 0 && in && in->constant && !in->folded &&
         ((int) index == quantised[row].weights ||
             (int) index == quantised[row].bias);
}

/* Scale and zero point of the first output, where the node names one pair. */
static void
fill_quantisation (const ForgeNode *node, ForgeLayerInfo *row)
{
  int kind = find_quantised (node);
  row->output_scale = forge_attrs_float (node->attrs, "y_scale", 0);
  row->output_zero = (int) forge_attrs_int (node->attrs, "y_zero", 0);
  if (g_str_equal (node->op->type, "TfliteQuantize")) {
    row->output_scale = forge_attrs_float (node->attrs, "scale", 0);
    row->output_zero = (int) forge_attrs_int (node->attrs, "zero", 0);
  }
  if (kind < 0 || quantised[kind].scale < 0)
    return;
  const ForgeValue *scale = forge_node_in (node, (guint) quantised[kind].scale);
  const ForgeValue *zero = forge_node_in (node, (guint) quantised[kind].zero);
  if (!scale || !scale->constant || scale->dtype != FORGE_FLOAT32 ||
      forge_shape_count (&scale->shape) != 1)
    return;
  row->output_scale = *(const float *) scale->constant->data;
  if (zero && zero->constant && forge_shape_count (&zero->shape) == 1)
    row->output_zero =
        zero->dtype == FORGE_UINT8  ? *(const uint8_t *) zero->constant->data
        : zero->dtype == FORGE_INT8 ? *(const int8_t *) zero->constant->data
                                    : 0;
}

/* Elements of input @index when it is trained (or measured in training); a
 * single number is a rescale, not a layer. */
static int64_t
count_input (const ForgeNode *node, guint index)
{
  if (forge_node_input_role (node, index) == FORGE_ROLE_NONE &&
      !is_integer_weight (node, index))
    return 0;
  int64_t count = forge_shape_count (&forge_node_in (node, index)->shape);
  return count > 1 ? count : 0;
}

static int64_t
count_bytes (const ForgeValue *value)
{
  int64_t count = forge_shape_count (&value->shape);
  return count > 0 ? count * (int64_t) forge_dtype_size_bytes (value->dtype)
                   : 0;
}

/* @rows_of: node -> its row, one more. */
static void
fill_sources (const ForgeGraph *graph, const ForgeNode *node,
    GHashTable *rows_of, ForgeLayerInfo *row)
{
  row->sources = g_new0 (int, node->inputs->len + 1);
  for (guint i = 0; i < node->inputs->len; i++) {
    ForgeValue *value = node->inputs->pdata[i];
    guint input;
    if (value && value->constant && !value->folded) {
      row->weight_bytes += (int64_t) forge_value_stored_bytes (value);
    } else if (value && value->producer) {
      gpointer found = g_hash_table_lookup (rows_of, value->producer);
      row->sources[row->n_sources++] = GPOINTER_TO_INT (found) - 1;
    } else if (value && g_ptr_array_find (graph->inputs, value, &input)) {
      row->sources[row->n_sources++] = -1 - (int) input;
    }
  }
}

static void
fill_row (const ForgeNode *node, ForgeLayerInfo *row)
{
  row->name = g_strdup (node->name);
  row->type = g_strdup (node->op->type);
  const ForgeValue *out = forge_node_out (node, 0);
  if (out) {
    row->output_shape = out->shape;
    row->output_bytes = count_bytes (out);
    row->output_dtype = out->dtype;
  }
  fill_quantisation (node, row);
  for (guint i = 0; i < node->inputs->len; i++)
    row->n_parameters += count_input (node, i);
  if (node->op->flops && forge_shape_count (&row->output_shape) >= 0)
    row->n_flops = node->op->flops (node);
}

ForgeLayerInfo *
forge_model_summarise (const ForgeModel *model, gsize *n_layers)
{
  g_autoptr (ForgeGraph) graph =
      forge_graph_copy (forge_model_get_graph (model));
  /* Where one image does not bind, the shapes stay as the file has them. */
  g_autoptr (ForgeGraph) bound = forge_graph_copy (graph);
  const ForgeGraph *shown =
      forge_graph_bind_batch (bound, 1, NULL) ? bound : graph;
  *n_layers = shown->nodes->len;
  ForgeLayerInfo *rows = g_new0 (ForgeLayerInfo, *n_layers + 1);
  g_autoptr (GHashTable) rows_of = g_hash_table_new (NULL, NULL);
  for (gsize n = 0; n < *n_layers; n++) {
    ForgeNode *node = shown->nodes->pdata[n];
    g_hash_table_insert (rows_of, node, GINT_TO_POINTER ((int) n + 1));
    fill_row (node, &rows[n]);
    fill_sources (shown, node, rows_of, &rows[n]);
  }
  return rows;
}

void
forge_layer_info_free (ForgeLayerInfo *layers, gsize n_layers)
{
  for (gsize n = 0; layers && n < n_layers; n++) {
    g_free (layers[n].name);
    g_free (layers[n].type);
    g_free (layers[n].sources);
  }
  g_free (layers);
}

int64_t
forge_model_count_parameters (const ForgeModel *model)
{
  const ForgeGraph *graph = forge_model_get_graph (model);
  g_autoptr (GHashTable) seen = g_hash_table_new (NULL, NULL);
  int64_t total = 0;
  for (guint n = 0; n < graph->nodes->len; n++) {
    const ForgeNode *node = graph->nodes->pdata[n];
    for (guint i = 0; i < node->inputs->len; i++) {
      int64_t count = count_input (node, i);
      if (count && g_hash_table_add (seen, node->inputs->pdata[i]))
        total += count;
    }
  }
  return total;
}
