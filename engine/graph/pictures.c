/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Values are followed through the graph in one of three states: of pictures,
 * when row i of axis 0 follows from picture i; of extents, when it is computed
 * from shapes, and so from the number of pictures; or neither. A rule by type
 * of operator says which combinations keep pictures apart. */
#include "graph/pictures.h"

typedef enum { CONSTANT, EXTENT, PICTURES } State;

typedef struct {
  const ForgeNode *node;
  GHashTable *states; /* ForgeValue* -> State */
  int64_t batch;
} Walk;

static State
state_of (const Walk *walk, const ForgeValue *value)
{
  return value ? GPOINTER_TO_INT (g_hash_table_lookup (walk->states, value))
               : CONSTANT;
}

static State
input_state (const Walk *walk, guint index)
{
  return state_of (walk, forge_node_in (walk->node, index));
}

static int
rank_of (const Walk *walk, guint index)
{
  return forge_node_in (walk->node, index)->shape.rank;
}

static gboolean
is_row_each (const Walk *walk, const ForgeValue *value)
{
  return value && value->shape.rank > 0 && value->shape.dims[0] == walk->batch;
}

/* Windows, channels, elements of input 0; the others are constants. */
static gboolean
of_first (const Walk *walk)
{
  for (guint i = 1; i < walk->node->inputs->len; i++)
    if (input_state (walk, i) != CONSTANT)
      return FALSE;
  return input_state (walk, 0) == PICTURES;
}

/* Constants may not have rows of their own for each picture. */
static gboolean
broadcasts (const Walk *walk)
{
  int rank = forge_node_out (walk->node, 0)->shape.rank;
  for (guint i = 0; i < walk->node->inputs->len; i++) {
    const ForgeValue *in = forge_node_in (walk->node, i);
    State state = input_state (walk, i);
    if (!in)
      continue;
    if (state == EXTENT || (state == PICTURES && in->shape.rank != rank) ||
        (state == CONSTANT && in->shape.rank == rank && in->shape.dims[0] != 1))
      return FALSE;
  }
  return TRUE;
}

static gboolean
is_inner_axis (const Walk *walk, int64_t fallback)
{
  int64_t axis = forge_attrs_int (walk->node->attrs, "axis", fallback);
  int rank = rank_of (walk, 0);
  axis = axis < 0 ? axis + rank : axis;
  return axis > 0 && axis < rank;
}

static gboolean
along_axis (const Walk *walk)
{
  return of_first (walk) &&
         is_inner_axis (walk, walk->node->opset < 13 ? 1 : -1);
}

static gboolean
gathers (const Walk *walk)
{
  return of_first (walk) && is_inner_axis (walk, 0);
}

static gboolean
joins (const Walk *walk)
{
  for (guint i = 0; i < walk->node->inputs->len; i++)
    if (input_state (walk, i) != PICTURES)
      return FALSE;
  return is_inner_axis (walk, 0);
}

/* The same bytes, as many rows: each row is the same stretch of them. */
static gboolean
views (const Walk *walk)
{
  for (guint i = 1; i < walk->node->inputs->len; i++)
    if (input_state (walk, i) == PICTURES)
      return FALSE;
  return input_state (walk, 0) == PICTURES;
}

static gboolean
transposes (const Walk *walk)
{
  const int64_t *perm;
  gsize n = forge_attrs_ints (walk->node->attrs, "perm", &perm);
  return of_first (walk) && n > 0 && perm[0] == 0;
}

static gboolean
gemm (const Walk *walk)
{
  const ForgeValue *c = forge_node_in (walk->node, 2);
  return of_first (walk) &&
         forge_attrs_int (walk->node->attrs, "transA", 0) == 0 &&
         (!c || c->shape.rank < 2 || c->shape.dims[0] == 1);
}

static gboolean
matmul (const Walk *walk)
{
  State a = input_state (walk, 0), b = input_state (walk, 1);
  int rank_a = rank_of (walk, 0), rank_b = rank_of (walk, 1);
  if (a == EXTENT || b == EXTENT)
    return FALSE;
  if (a == PICTURES && b == PICTURES)
    return rank_a == rank_b && rank_a >= 3;
  if (a == PICTURES)
    return rank_a >= 2 && rank_b >= 2 && (rank_b == 2 || rank_b < rank_a);
  return rank_b >= 3 && rank_a < rank_b;
}

/* Copies of what has one row: each picture has the same. */
static gboolean
expands (const Walk *walk)
{
  const ForgeValue *in = forge_node_in (walk->node, 0);
  int rank = forge_node_out (walk->node, 0)->shape.rank;
  State state = input_state (walk, 0);
  if (input_state (walk, 1) == PICTURES || state == EXTENT)
    return FALSE;
  return state == PICTURES ? in->shape.rank == rank
                           : in->shape.rank < rank || in->shape.dims[0] == 1;
}

static const struct {
  const char *type;
  gboolean (*keeps) (const Walk *walk);
} rules[] = {
  { "Conv", of_first },
  { "MaxPool", of_first },
  { "AveragePool", of_first },
  { "GlobalAveragePool", of_first },
  { "GlobalMaxPool", of_first },
  { "BatchNormalization", of_first },
  { "LRN", of_first },
  { "Dropout", of_first },
  { "Cast", of_first },
  { "Relu", of_first },
  { "LeakyRelu", of_first },
  { "Sigmoid", of_first },
  { "Tanh", of_first },
  { "HardSigmoid", of_first },
  { "HardSwish", of_first },
  { "Clip", of_first },
  { "Elu", of_first },
  { "Erf", of_first },
  { "Exp", of_first },
  { "Sqrt", of_first },
  { "Gelu", of_first },
  { "Add", broadcasts },
  { "Sub", broadcasts },
  { "Mul", broadcasts },
  { "Div", broadcasts },
  { "Pow", broadcasts },
  { "PRelu", broadcasts },
  { "Softmax", along_axis },
  { "LayerNormalization", along_axis },
  { "Gather", gathers },
  { "Concat", joins },
  { "Reshape", views },
  { "Flatten", views },
  { "Squeeze", views },
  { "Unsqueeze", views },
  { "Identity", views },
  { "Transpose", transposes },
  { "Gemm", gemm },
  { "MatMul", matmul },
  { "Expand", expands },
};

static gboolean
follows_rule (const Walk *walk)
{
  const char *type = walk->node->op->type;
  if (walk->node->op->domain[0])
    return FALSE;
  for (gsize i = 0; i < G_N_ELEMENTS (rules); i++)
    if (g_str_equal (rules[i].type, type))
      return rules[i].keeps (walk);
  return FALSE;
}

static State
strongest_input (const Walk *walk)
{
  State strongest = CONSTANT;
  for (guint i = 0; i < walk->node->inputs->len; i++)
    strongest = MAX (strongest, input_state (walk, i));
  return strongest;
}

static void
set_outputs (const Walk *walk, State state)
{
  for (guint i = 0; i < walk->node->outputs->len; i++)
    if (walk->node->outputs->pdata[i])
      g_hash_table_insert (
          walk->states, walk->node->outputs->pdata[i], GINT_TO_POINTER (state));
}

/* What nothing but constants goes into is one, but for copies for each
 * picture; arithmetic on extents gives extents. */
static gboolean
step (const Walk *walk)
{
  const char *type = walk->node->op->type;
  State strongest = strongest_input (walk);
  if (g_str_equal (type, "Shape")) {
    set_outputs (walk, strongest == CONSTANT ? CONSTANT : EXTENT);
    return TRUE;
  }
  gboolean expands = g_str_equal (type, "Expand") && strongest == EXTENT;
  if (strongest != PICTURES && !expands) {
    set_outputs (walk, strongest);
    return TRUE;
  }
  if (!follows_rule (walk))
    return FALSE;
  for (guint i = 0; i < walk->node->outputs->len; i++)
    if (walk->node->outputs->pdata[i] &&
        !is_row_each (walk, walk->node->outputs->pdata[i]))
      return FALSE;
  set_outputs (walk, PICTURES);
  return TRUE;
}

gboolean
forge_graph_keeps_pictures (const ForgeGraph *graph, int64_t batch)
{
  g_autoptr (GHashTable) states = g_hash_table_new (NULL, NULL);
  Walk walk = { .states = states, .batch = batch };
  for (guint i = 0; i < graph->inputs->len; i++) {
    if (!is_row_each (&walk, graph->inputs->pdata[i]))
      return FALSE;
    g_hash_table_insert (
        states, graph->inputs->pdata[i], GINT_TO_POINTER (PICTURES));
  }
  for (guint n = 0; n < graph->nodes->len; n++) {
    walk.node = graph->nodes->pdata[n];
    if (!step (&walk))
      return FALSE;
  }
  for (guint i = 0; i < graph->outputs->len; i++)
    if (state_of (&walk, graph->outputs->pdata[i]) != PICTURES)
      return FALSE;
  return TRUE;
}
