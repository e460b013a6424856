/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * From NCHW, as ONNX has it, to NHWC, as the kernels want it. Convolutions,
 * pools and batch norms are marked nhwc, with a Transpose before and after.
 * In running order each Transpose to NCHW then moves down through whatever
 * does not care (element-wise nodes, quantised ones too, Concat, Pad,
 * ReduceMean) until it meets a Transpose to NHWC and both go. Where only axes
 * of extent 1 move, a Reshape does, which is free; before a Flatten and Gemm
 * the rows of the weights are put in the other order instead. In training no
 * constant is rewritten. */
#include "graph/pass-util.h"
#include "graph/transpose.h"

gboolean forge_pass_layout (ForgeGraph *, ForgePassSet, GError **);

typedef struct {
  ForgeGraph *graph;
  gboolean keep_constants;
  GHashTable *nhwc_of; /* ForgeValue* in NCHW -> its NHWC copy */
} Layout;

static gboolean
is_one_of (const ForgeNode *node, const char *const *types)
{
  return g_strv_contains (types, node->op->type);
}

/* The NHWC value that @value is the NCHW Transpose of; or NULL. */
static ForgeValue *
behind (const ForgeValue *value)
{
  int64_t perm[FORGE_MAX_DIMS];
  if (!value->producer || value->shape.rank != 4 ||
      !forge_node_perm (value->producer, perm))
    return NULL;
  for (int i = 0; i < 4; i++)
    if (perm[i] != forge_nhwc_to_nchw[i])
      return NULL;
  return forge_node_in (value->producer, 0);
}

static ForgeValue *
as_nhwc (Layout *layout, ForgeValue *value)
{
  ForgeValue *made = behind (value);
  if (!made)
    made = g_hash_table_lookup (layout->nhwc_of, value);
  if (!made) {
    made =
        forge_graph_transpose (layout->graph, value, NULL, forge_nchw_to_nhwc);
    g_hash_table_insert (layout->nhwc_of, value, made);
  }
  return made;
}

/* @node now writes NHWC; its old output becomes a Transpose of that. */
static void
write_nhwc (Layout *layout, ForgeNode *node)
{
  ForgeValue *out = forge_node_out (node, 0);
  ForgeValue *made = forge_graph_value (layout->graph, NULL);
  made->dtype = out->dtype;
  made->shape = forge_shape_permute (&out->shape, forge_nchw_to_nhwc);
  forge_node_swap_out (node, made);
  forge_graph_transpose (layout->graph, made, out, forge_nhwc_to_nchw);
}

static gboolean
only_first_output (const Layout *layout, const ForgeNode *node)
{
  for (guint i = 1; i < node->outputs->len; i++)
    if (node->outputs->pdata[i] &&
        forge_graph_count_readers (layout->graph, node->outputs->pdata[i]) > 0)
      return FALSE;
  return TRUE;
}

static void
convert_spatial (Layout *layout, ForgeNode *node)
{
  ForgeValue *in = forge_node_in (node, 0);
  if (node->nhwc || in->constant || in->shape.rank != 4 ||
      forge_attrs_int (node->attrs, "channels_last", 0) != 0 ||
      !only_first_output (layout, node))
    return;
  node->nhwc = TRUE;
  node->inputs->pdata[0] = as_nhwc (layout, in);
  write_nhwc (layout, node);
}

/* A constant as it broadcasts against NHWC: padded to rank 4, permuted. */
static ForgeValue *
constant_as_nhwc (Layout *layout, ForgeValue *value, GError **error)
{
  if (forge_shape_count (&value->shape) == 1)
    return value;
  ForgeShape padded = { .rank = 4, .dims = { 1, 1, 1, 1 } };
  int shift = 4 - value->shape.rank;
  for (int i = 0; i < value->shape.rank; i++)
    padded.dims[i + shift] = value->shape.dims[i];
  g_autoptr (ForgeTensor) view =
      forge_tensor_new_borrowed (value->dtype, &padded, value->constant->data);
  g_autoptr (ForgeTensor) permuted =
      forge_tensor_permute (view, forge_nchw_to_nhwc, error);
  return permuted ? forge_graph_add_constant (layout->graph, NULL, permuted)
                  : NULL;
}

/* Scales and zero points along an axis, which is named by its number. */
static gboolean
has_axis_of_scales (const ForgeNode *node)
{
  return (forge_node_is (node, "QuantizeLinear") ||
             forge_node_is (node, "DequantizeLinear")) &&
         forge_shape_count (&forge_node_in (node, 1)->shape) != 1;
}

/* Is it worth it, and possible, to let the node work in NHWC? At least as
 * many of its inputs must lose a Transpose as would need a new one. */
static gboolean
can_sink (const Layout *layout, const ForgeNode *node)
{
  guint gained = 0, lost = 0;
  if (forge_node_out (node, 0)->shape.rank != 4 || has_axis_of_scales (node))
    return FALSE;
  for (guint i = 0; i < node->inputs->len; i++) {
    const ForgeValue *in = node->inputs->pdata[i];
    if (!in)
      continue;
    if (in->constant) {
      if (forge_shape_count (&in->shape) != 1 &&
          (layout->keep_constants || in->shape.rank > 4))
        return FALSE;
    } else if (in->shape.rank != 4) {
      return FALSE;
    } else if (behind (in)) {
      gained++;
    } else {
      lost++;
    }
  }
  return gained > 0 && gained >= lost;
}

static gboolean
sink_elementwise (Layout *layout, ForgeNode *node, GError **error)
{
  if (!can_sink (layout, node) || !only_first_output (layout, node))
    return TRUE;
  for (guint i = 0; i < node->inputs->len; i++) {
    ForgeValue *in = node->inputs->pdata[i];
    if (!in)
      continue;
    ForgeValue *made = in->constant ? constant_as_nhwc (layout, in, error)
                                    : as_nhwc (layout, in);
    if (!made)
      return FALSE;
    node->inputs->pdata[i] = made;
  }
  if (forge_node_is (node, "Concat")) {
    int64_t axis = forge_attrs_int (node->attrs, "axis", 0);
    forge_attrs_set_int (
        node->attrs, "axis", forge_nhwc_to_nchw[axis < 0 ? axis + 4 : axis]);
  }
  write_nhwc (layout, node);
  return TRUE;
}

static gboolean
write_ints (Layout *layout, ForgeNode *node, const char *name, guint index,
    const int64_t *values, gsize n_values, GError **error)
{
  if (forge_attrs_get (node->attrs, name)) {
    forge_attrs_set_ints (node->attrs, name, values, n_values);
    return TRUE;
  }
  ForgeShape list = { .rank = (int) n_values };
  for (gsize i = 0; i < n_values; i++)
    list.dims[i] = values[i];
  ForgeValue *made = forge_graph_new_shape (layout->graph, &list, error);
  if (made)
    node->inputs->pdata[index] = made;
  return made != NULL;
}

static gboolean
sink_pad (Layout *layout, ForgeNode *node, GError **error)
{
  ForgeValue *source = behind (forge_node_in (node, 0));
  const int64_t *pads;
  if (!source || forge_node_in (node, 3) ||
      forge_node_ints (node, "pads", 1, &pads) != 8)
    return TRUE;
  int64_t moved[8];
  for (int i = 0; i < 4; i++) {
    moved[i] = pads[forge_nchw_to_nhwc[i]];
    moved[i + 4] = pads[forge_nchw_to_nhwc[i] + 4];
  }
  if (!write_ints (layout, node, "pads", 1, moved, 8, error))
    return FALSE;
  node->inputs->pdata[0] = source;
  write_nhwc (layout, node);
  return TRUE;
}

/* Without keepdims the axes that are left must come out in the same order. */
static gboolean
order_survives (const int64_t *axes, gsize n_axes)
{
  int64_t last = -1;
  for (int axis = 0; axis < 4; axis++) {
    gboolean reduced = FALSE;
    for (gsize i = 0; i < n_axes; i++)
      reduced |= axes[i] == axis || axes[i] + 4 == axis;
    if (reduced)
      continue;
    if (forge_nhwc_to_nchw[axis] < last)
      return FALSE;
    last = forge_nhwc_to_nchw[axis];
  }
  return TRUE;
}

static gboolean
sink_reduce (Layout *layout, ForgeNode *node, GError **error)
{
  ForgeValue *source = behind (forge_node_in (node, 0));
  gboolean keep = forge_attrs_int (node->attrs, "keepdims", 1) != 0;
  const int64_t *axes;
  gsize n_axes = forge_node_ints (node, "axes", 1, &axes);
  if (!source || n_axes < 1 || n_axes > 4 ||
      (!keep && !order_survives (axes, n_axes)))
    return TRUE;
  int64_t moved[4];
  for (gsize i = 0; i < n_axes; i++)
    moved[i] = forge_nhwc_to_nchw[axes[i] < 0 ? axes[i] + 4 : axes[i]];
  if (!write_ints (layout, node, "axes", 1, moved, n_axes, error))
    return FALSE;
  node->inputs->pdata[0] = source;
  if (keep)
    write_nhwc (layout, node);
  return TRUE;
}

/* Two in a row are one, or none. */
static void
join_transposes (Layout *layout, ForgeNode *node)
{
  int64_t first[FORGE_MAX_DIMS], second[FORGE_MAX_DIMS];
  const ForgeValue *in = forge_node_in (node, 0);
  if (!in->producer || !forge_node_perm (in->producer, first) ||
      !forge_node_perm (node, second))
    return;
  ForgeValue *source = forge_node_in (in->producer, 0);
  gboolean identity = TRUE;
  int rank = source->shape.rank;
  for (int i = 0; i < rank; i++) {
    second[i] = first[second[i]];
    identity &= second[i] == i;
  }
  if (identity) {
    forge_graph_replace_value (layout->graph, forge_node_out (node, 0), source);
    return;
  }
  forge_attrs_set_ints (node->attrs, "perm", second, (gsize) rank);
  node->inputs->pdata[0] = source;
}

/* @node's output is a Reshape of @source instead. */
static gboolean
replace_by_reshape (
    Layout *layout, ForgeNode *node, ForgeValue *source, GError **error)
{
  ForgeValue *out = forge_node_out (node, 0);
  ForgeValue *shape = forge_graph_new_shape (layout->graph, &out->shape, error);
  if (!shape)
    return FALSE;
  ForgeValue *inputs[] = { source, shape };
  ForgeNode *made = forge_graph_insert (layout->graph,
      forge_op_find ("Reshape", ""), node->name, NULL, inputs, 2);
  forge_node_out (made, 0)->dtype = out->dtype;
  forge_node_out (made, 0)->shape = out->shape;
  forge_graph_replace_value (layout->graph, out, forge_node_out (made, 0));
  return TRUE;
}

/* The source of a Transpose that leaves the bytes in order; or NULL. */
static ForgeValue *
source_of_free_transpose (const ForgeNode *node)
{
  int64_t perm[FORGE_MAX_DIMS];
  if (!node || !forge_node_perm (node, perm))
    return NULL;
  ForgeValue *in = forge_node_in (node, 0);
  return forge_perm_keeps_bytes (&in->shape, perm) ? in : NULL;
}

/* Rows k = (c, y, x) of a weight matrix in the order (y, x, c). */
static ForgeValue *
reorder_rows (Layout *layout, const ForgeValue *weights, int axis,
    const ForgeShape *nhwc, GError **error)
{
  int64_t c = nhwc->dims[3], area = nhwc->dims[1] * nhwc->dims[2];
  int64_t outputs = weights->shape.dims[1 - axis];
  ForgeShape from = { .rank = 3 };
  const int64_t rows_first[] = { 1, 0, 2 }, rows_last[] = { 0, 2, 1 };
  from.dims[0] = axis == 1 ? outputs : c;
  from.dims[1] = axis == 1 ? c : area;
  from.dims[2] = axis == 1 ? area : outputs;
  g_autoptr (ForgeTensor) view = forge_tensor_new_borrowed (
      weights->dtype, &from, weights->constant->data);
  g_autoptr (ForgeTensor) moved =
      forge_tensor_permute (view, axis == 1 ? rows_last : rows_first, error);
  if (!moved)
    return NULL;
  moved->shape = weights->shape;
  return forge_graph_add_constant (layout->graph, NULL, moved);
}

/* Transpose, Flatten, Gemm: the Transpose goes into the weights. */
static gboolean
absorb_into_weights (Layout *layout, ForgeNode *node, GError **error)
{
  ForgeValue *flat = forge_node_in (node, 0);
  const ForgeValue *weights = forge_node_in (node, 1);
  ForgeNode *view = flat->producer;
  if (layout->keep_constants || !weights->constant ||
      weights->shape.rank != 2 || !view || !view->op->is_view ||
      flat->shape.rank != 2 || forge_attrs_int (node->attrs, "transA", 0))
    return TRUE;
  ForgeValue *source = behind (forge_node_in (view, 0));
  int axis = forge_attrs_int (node->attrs, "transB", 0) ? 1 : 0;
  if (!source || source->shape.dims[0] != flat->shape.dims[0] ||
      weights->shape.dims[axis] != flat->shape.dims[1] ||
      !forge_graph_only_reader (layout->graph, flat, node))
    return TRUE;
  ForgeValue *moved =
      reorder_rows (layout, weights, axis, &source->shape, error);
  if (!moved || !replace_by_reshape (layout, view, source, error))
    return FALSE;
  node->inputs->pdata[1] = moved;
  return TRUE;
}

static gboolean
visit (Layout *layout, ForgeNode *node, GError **error)
{
  static const char *const spatial[] = { "Conv", "MaxPool", "AveragePool",
    "GlobalAveragePool", "GlobalMaxPool", "BatchNormalization", "QLinearConv",
    "ConvInteger", "QLinearGlobalAveragePool", NULL };
  static const char *const elementwise[] = { "Relu", "Clip", "LeakyRelu",
    "Sigmoid", "Tanh", "HardSigmoid", "HardSwish", "Silu", "Elu", "Selu",
    "Celu", "Gelu", "Mish", "Softplus", "Softsign", "ThresholdedRelu", "Erf",
    "Sqrt", "Exp", "Log", "Reciprocal", "Neg", "Abs", "Sin", "Cos", "Floor",
    "Ceil", "Round", "Sign", "Tan", "Asin", "Acos", "Atan", "Sinh", "Cosh",
    "Asinh", "Acosh", "Atanh", "Not", "IsNaN", "IsInf", "Identity", "Dropout",
    "Cast", "Add", "Sub", "Mul", "Div", "PRelu", "Max", "Min", "Sum", "Mean",
    "Pow", "Mod", "Concat", "QuantizeLinear", "DequantizeLinear", "QLinearAdd",
    "QLinearMul", NULL };

  if (!forge_node_in (node, 0))
    return TRUE;
  if (is_one_of (node, spatial)) {
    convert_spatial (layout, node);
    return TRUE;
  }
  if (is_one_of (node, elementwise))
    return sink_elementwise (layout, node, error);
  if (forge_node_is (node, "Pad"))
    return sink_pad (layout, node, error);
  if (forge_node_is (node, "ReduceMean"))
    return sink_reduce (layout, node, error);
  if (forge_node_is (node, "Gemm") || forge_node_is (node, "MatMul"))
    return absorb_into_weights (layout, node, error);
  if (forge_node_is (node, "Transpose")) {
    join_transposes (layout, node);
    return TRUE;
  }
  ForgeValue *source =
      source_of_free_transpose (forge_node_in (node, 0)->producer);
  if (node->op->is_view && source)
    return replace_by_reshape (layout, node, source, error);
  return TRUE;
}

gboolean
forge_pass_layout (ForgeGraph *graph, ForgePassSet set, GError **error)
{
  g_autoptr (GHashTable) nhwc_of = g_hash_table_new (NULL, NULL);
  Layout layout = { graph, set == FORGE_PASSES_TRAINING, nhwc_of };
  guint n_nodes = graph->nodes->len;
  for (guint n = 0; n < n_nodes; n++)
    if (!visit (&layout, graph->nodes->pdata[n], error))
      return FALSE;
  n_nodes = graph->nodes->len;
  for (guint n = 0; n < n_nodes; n++) {
    ForgeNode *node = graph->nodes->pdata[n];
    ForgeValue *source = source_of_free_transpose (node);
    if (source && !replace_by_reshape (&layout, node, source, error))
      return FALSE;
  }
  return TRUE;
}
