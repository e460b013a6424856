/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Turns a graph into peers/recipe.h: constants folded, batch norms and
 * activations in the layer before them where they can be, as an engine's own
 * ONNX importer would have it. The rest is left to each engine. */
#include "recipe-write.h"

#include <math.h>
#include <stdio.h>

#include "graph/pass-util.h"
#include "kernels/kernels.h"
#include "ops/conv.h"
#include "peers/recipe.h"

typedef struct {
  GHashTable *ids;    /* ForgeValue* -> id + 1; Flatten has that of its input */
  GPtrArray *tensors; /* ForgeValue* */
  GString *steps;
  guint n_steps;
  GArray *data; /* float */
} Writer;

static const RecipeStep plain_step = {
  .kh = 1, .kw = 1, .sh = 1, .sw = 1, .groups = 1
};

static gboolean
find_kind (const ForgeNode *node, RecipeKind *kind)
{
  static const struct {
    const char *type;
    RecipeKind kind;
  } kinds[] = { { "Conv", RECIPE_CONV }, { "Gemm", RECIPE_DENSE },
    { "BatchNormalization", RECIPE_AFFINE }, { "Add", RECIPE_ADD },
    { "Mul", RECIPE_MUL }, { "MaxPool", RECIPE_MAXPOOL },
    { "AveragePool", RECIPE_AVGPOOL }, { "GlobalAveragePool", RECIPE_MEAN },
    { "Concat", RECIPE_CONCAT }, { "Softmax", RECIPE_SOFTMAX } };
  for (gsize i = 0; i < G_N_ELEMENTS (kinds); i++)
    if (forge_node_is (node, kinds[i].type)) {
      *kind = kinds[i].kind;
      return TRUE;
    }
  *kind = RECIPE_UNARY;
  return FALSE;
}

static gboolean
set_act (RecipeStep *step, const ForgeActivation *activation)
{
  step->alpha = activation->alpha;
  step->beta = activation->beta;
  switch (activation->kind) {
  case -1:
    step->act = RECIPE_PLAIN;
    return TRUE;
  case FORGE_UNARY_CLAMP:
    step->act = RECIPE_CLAMP;
    return TRUE;
  case FORGE_UNARY_SIGMOID:
    step->act = RECIPE_SIGMOID;
    return TRUE;
  case FORGE_UNARY_SILU:
    step->act = RECIPE_SILU;
    return TRUE;
  case FORGE_UNARY_HARD_SIGMOID:
    step->act = RECIPE_HARD_SIGMOID;
    return TRUE;
  case FORGE_UNARY_HARD_SWISH:
    step->act = RECIPE_HARD_SWISH;
    return TRUE;
  default:
    return FALSE;
  }
}

static int
tensor_id (Writer *writer, ForgeValue *value)
{
  gpointer id = g_hash_table_lookup (writer->ids, value);
  if (id)
    return GPOINTER_TO_INT (id) - 1;
  g_ptr_array_add (writer->tensors, value);
  g_hash_table_insert (
      writer->ids, value, GINT_TO_POINTER (writer->tensors->len));
  return (int) writer->tensors->len - 1;
}

/* Where @n floats begin in the weights; -1 for none. */
static long
put (Writer *writer, const float *values, gsize n)
{
  if (!values)
    return -1;
  long place = (long) writer->data->len;
  g_array_append_vals (writer->data, values, (guint) n);
  return place;
}

static gboolean
unsupported (const ForgeNode *node, GError **error)
{
  return forge_node_error (
      node, error, FORGE_ERROR_UNSUPPORTED, "a recipe has no such layer");
}

static long
put_constant (Writer *writer, const ForgeNode *node, guint index)
{
  const ForgeValue *value = forge_node_in (node, index);
  return value && value->constant
             ? put (writer, value->constant->data,
                   (gsize) forge_shape_count (&value->shape))
             : -1;
}

static void
set_window (RecipeStep *step, const ForgeWindow *window)
{
  step->kh = (int) window->kh;
  step->kw = (int) window->kw;
  step->sh = (int) window->sh;
  step->sw = (int) window->sw;
  step->top = (int) window->pad_top;
  step->left = (int) window->pad_left;
  /* what the last window needs, which ceil_mode does not say */
  step->bottom = (int) MAX (0, (window->oh - 1) * window->sh + window->kh -
                                   window->ih - window->pad_top);
  step->right = (int) MAX (0, (window->ow - 1) * window->sw + window->kw -
                                  window->iw - window->pad_left);
}

/* slope and shift of an inference batch norm */
static void
put_norm (Writer *writer, const ForgeNode *node, long *weights, long *bias)
{
  gsize n = (gsize) forge_node_in (node, 0)->shape.dims[1];
  double epsilon = forge_attrs_float (node->attrs, "epsilon", 1e-5f);
  const float *parts[4];
  for (guint i = 0; i < 4; i++)
    parts[i] = forge_node_floats (node, i + 1, (int64_t) n);
  g_autofree float *slope = g_new (float, n), *shift = g_new (float, n);
  for (gsize c = 0; c < n; c++) {
    slope[c] = (float) (parts[0][c] / sqrt (parts[3][c] + epsilon));
    shift[c] = parts[1][c] - parts[2][c] * slope[c];
  }
  *weights = put (writer, slope, n);
  *bias = put (writer, shift, n);
}

/* A product with one number: every channel's slope, no shift. */
static void
put_scale (Writer *writer, const ForgeNode *node, long *weights)
{
  gsize n = (gsize) forge_node_in (node, 0)->shape.dims[1];
  float factor = *(const float *) forge_node_in (node, 1)->constant->data;
  *weights = (long) writer->data->len;
  for (gsize c = 0; c < n; c++)
    g_array_append_val (writer->data, factor);
}

static gboolean
is_scale (const ForgeNode *node)
{
  const ForgeValue *factor = forge_node_in (node, 1);
  return forge_node_is (node, "Mul") && factor->constant &&
         forge_shape_count (&factor->shape) == 1;
}

/* FALSE for the variants of a layer that steps do not tell apart. */
static gboolean
is_plain (const ForgeNode *node, RecipeKind kind)
{
  const ForgeValue *second = forge_node_in (node, 1);
  switch (kind) {
  case RECIPE_CONV:
    return second->constant != NULL;
  case RECIPE_DENSE:
    return second->constant && forge_node_in (node, 2) &&
           forge_attrs_int (node->attrs, "transB", 0) == 1 &&
           forge_attrs_int (node->attrs, "transA", 0) == 0;
  case RECIPE_ADD:
    return !second->constant;
  case RECIPE_MUL:
    return !second->constant || is_scale (node);
  case RECIPE_CONCAT:
  case RECIPE_SOFTMAX:
    return forge_attrs_int (node->attrs, "axis", 1) == 1;
  default:
    return TRUE;
  }
}

static gboolean
describe (Writer *writer, const ForgeNode *node, RecipeStep *step,
    long *weights, long *bias, GError **error)
{
  gboolean known = find_kind (node, &step->kind);
  ForgeActivation activation = node->activation;
  if ((!known && !forge_node_activation (node, &activation)) ||
      !set_act (step, &activation))
    return unsupported (node, error);
  *weights = *bias = -1;
  if (!is_plain (node, step->kind))
    return unsupported (node, error);
  ForgeConv conv;
  ForgeWindow window;
  switch (step->kind) {
  case RECIPE_CONV:
    if (!forge_conv_parse (node, &conv, error))
      return FALSE;
    set_window (step, &conv.window);
    step->groups = (int) conv.groups;
    G_GNUC_FALLTHROUGH;
  case RECIPE_DENSE:
    *weights = put_constant (writer, node, 1);
    *bias = put_constant (writer, node, 2);
    break;
  case RECIPE_AFFINE:
    put_norm (writer, node, weights, bias);
    break;
  case RECIPE_MUL:
    if (is_scale (node)) {
      step->kind = RECIPE_AFFINE;
      put_scale (writer, node, weights);
    }
    break;
  case RECIPE_MAXPOOL:
  case RECIPE_AVGPOOL:
    if (!forge_window_parse (node, FORGE_WINDOW_POOL, 0, 0, &window, error))
      return FALSE;
    set_window (step, &window);
    break;
  default:
    break;
  }
  return TRUE;
}

/* Activations that the node reads, the larger factor of a product first. */
static gboolean
set_inputs (
    Writer *writer, const ForgeNode *node, RecipeStep *step, GError **error)
{
  for (guint i = 0; i < node->inputs->len; i++) {
    ForgeValue *value = forge_node_in (node, i);
    if (!value || value->constant)
      continue;
    if (step->n_inputs == RECIPE_MAX_INPUTS)
      return unsupported (node, error);
    step->inputs[step->n_inputs++] = tensor_id (writer, value);
  }
  const int *in = step->inputs;
  if (step->kind == RECIPE_MUL &&
      forge_shape_count (
          &((ForgeValue *) writer->tensors->pdata[in[0]])->shape) <
          forge_shape_count (
              &((ForgeValue *) writer->tensors->pdata[in[1]])->shape)) {
    int first = step->inputs[0];
    step->inputs[0] = step->inputs[1];
    step->inputs[1] = first;
  }
  return TRUE;
}

static gboolean
add_step (Writer *writer, const ForgeNode *node, GError **error)
{
  ForgeValue *out = forge_node_out (node, 0);
  if (forge_node_is (node, "Flatten")) {
    g_hash_table_insert (writer->ids, out,
        GINT_TO_POINTER (tensor_id (writer, forge_node_in (node, 0)) + 1));
    return TRUE;
  }
  RecipeStep step = plain_step;
  long weights, bias;
  if (!describe (writer, node, &step, &weights, &bias, error) ||
      !set_inputs (writer, node, &step, error))
    return FALSE;
  step.out = tensor_id (writer, out);
  g_string_append_printf (writer->steps,
      "step %d %d %d %d %d %d %d %d %d %d %d %d %.9g %.9g %ld %ld %d",
      step.kind, step.out, step.kh, step.kw, step.sh, step.sw, step.top,
      step.left, step.bottom, step.right, step.groups, step.act,
      (double) step.alpha, (double) step.beta, weights, bias, step.n_inputs);
  for (int i = 0; i < step.n_inputs; i++)
    g_string_append_printf (writer->steps, " %d", step.inputs[i]);
  g_string_append_c (writer->steps, '\n');
  writer->n_steps++;
  return TRUE;
}

static gboolean
save (Writer *writer, const ForgeGraph *graph, const char *base, GError **error)
{
  g_autoptr (GString) text = g_string_new (NULL);
  int input = tensor_id (writer, graph->inputs->pdata[0]);
  int output = tensor_id (writer, graph->outputs->pdata[0]);
  g_string_append_printf (text, "recipe %u %u %d %d %u\n", writer->tensors->len,
      writer->n_steps, input, output, writer->data->len);
  for (guint i = 0; i < writer->tensors->len; i++) {
    const ForgeShape *shape =
        &((const ForgeValue *) writer->tensors->pdata[i])->shape;
    int64_t extents[4] = { 1, 1, 1, 1 };
    for (int d = 0; d < MIN (shape->rank, 4); d++)
      extents[d] = shape->dims[d];
    g_string_append (text, "tensor");
    for (int d = 0; d < 4; d++)
      g_string_append_printf (text, " %d", (int) extents[d]);
    g_string_append_c (text, '\n');
  }
  g_string_append (text, writer->steps->str);
  g_autofree char *recipe = g_strconcat (base, ".recipe", NULL);
  g_autofree char *weights = g_strconcat (base, ".weights", NULL);
  return g_file_set_contents (recipe, text->str, (gssize) text->len, error) &&
         g_file_set_contents (weights, writer->data->data,
             (gssize) writer->data->len * (gssize) sizeof (float), error);
}

gboolean
recipe_write (const ForgeGraph *original, const char *base, GError **error)
{
  static const char *const passes[] = { "fold_constants", "drop_identity",
    "fold_affine", "fuse_silu", "fuse_activation" };
  g_autoptr (ForgeGraph) graph = forge_graph_copy (original);
  for (gsize i = 0; i < G_N_ELEMENTS (passes); i++)
    if (!forge_graph_run_pass (graph, passes[i], FORGE_PASSES_INFERENCE, error))
      return FALSE;
  Writer writer = {
    .ids = g_hash_table_new (NULL, NULL),
    .tensors = g_ptr_array_new (),
    .steps = g_string_new (NULL),
    .data = g_array_new (FALSE, FALSE, sizeof (float)),
  };
  gboolean done = TRUE;
  for (guint n = 0; done && n < graph->nodes->len; n++)
    done = add_step (&writer, graph->nodes->pdata[n], error);
  done = done && save (&writer, graph, base, error);
  g_hash_table_unref (writer.ids);
  g_ptr_array_unref (writer.tensors);
  g_string_free (writer.steps, TRUE);
  g_array_unref (writer.data);
  return done;
}
