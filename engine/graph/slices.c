/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Concat without copies: which values can lie in the output of a Concat from
 * the start. Along the last axis (channels, in NHWC) an input is a slice of
 * every row of the output, so a producer that can leave a gap between its
 * rows writes it there, and Concat finds it in place. Whoever else reads the
 * value must be able to skip the gaps; one that cannot, a graph output for
 * instance, keeps it out, and Concat copies it as ever.
 *
 * Concats are visited widest first: a Concat that is an input of another is a
 * slice of that, and its own inputs are slices of the same whole. One whose
 * inputs already lie side by side in a wider whole is itself a slice there,
 * which makes the growing Concats of DenseNet one piece of memory.
 * Source: G. Pleiss et al., Memory-Efficient Implementation of DenseNets,
 * 2017, for sharing it; here nothing is ever copied into it. */
#include "graph/pass-util.h"

typedef struct {
  GHashTable *slices; /* ForgeValue* -> ForgeSlice* */
  GHashTable *dense;  /* values that a reader wants without gaps */
} Finder;

static gboolean
takes_slice (const ForgeNode *node, int index)
{
  return node->op->takes_slice && node->op->takes_slice (node, index);
}

/* A Concat along the last axis. */
static gboolean
joins_rows (const ForgeNode *node)
{
  return forge_node_is (node, "Concat") && takes_slice (node, FORGE_OP_OUT);
}

static int64_t
row_of (const ForgeValue *value)
{
  return value->shape.dims[value->shape.rank - 1];
}

static void
find_dense (const ForgeGraph *graph, GHashTable *dense)
{
  for (guint n = 0; n < graph->nodes->len; n++) {
    const ForgeNode *node = graph->nodes->pdata[n];
    for (guint i = 0; i < node->inputs->len; i++)
      if (node->inputs->pdata[i] && !takes_slice (node, (int) i))
        g_hash_table_add (dense, node->inputs->pdata[i]);
  }
  for (guint i = 0; i < graph->outputs->len; i++)
    g_hash_table_add (dense, graph->outputs->pdata[i]);
}

/* Is @value still free, and would all around it work with it in place? */
static gboolean
can_move (const Finder *finder, const ForgeValue *value)
{
  const ForgeNode *producer = value->producer;
  return producer && !value->constant &&
         forge_node_out (producer, 0) == value &&
         forge_shape_count (&value->shape) > 0 &&
         !g_hash_table_contains (finder->dense, value) &&
         !g_hash_table_contains (finder->slices, value) &&
         takes_slice (producer, FORGE_OP_OUT);
}

static void
add_slice (Finder *finder, const ForgeValue *value, const ForgeSlice *slice)
{
  g_hash_table_insert (
      finder->slices, (gpointer) value, g_memdup2 (slice, sizeof *slice));
}

/* Where the output of @concat would lie for all its inputs to be in place
 * where they are; NULL when there is no such place. */
static const ForgeSlice *
find_place (const Finder *finder, const ForgeNode *concat)
{
  const ForgeSlice *first = NULL;
  int64_t next = 0;
  for (guint i = 0; i < concat->inputs->len; i++) {
    const ForgeValue *in = concat->inputs->pdata[i];
    const ForgeSlice *slice = g_hash_table_lookup (finder->slices, in);
    if (!slice || (first && (slice->whole != first->whole ||
                                slice->first != first->first + next)))
      return NULL;
    first = first ? first : slice;
    next += row_of (in);
  }
  return first;
}

static void
visit (Finder *finder, const ForgeNode *concat)
{
  const ForgeValue *out = forge_node_out (concat, 0);
  const ForgeSlice *own = g_hash_table_lookup (finder->slices, out);
  if (!own && can_move (finder, out)) {
    own = find_place (finder, concat);
    if (own)
      add_slice (finder, out, own);
  }
  ForgeSlice next = { out, 0, row_of (out) };
  if (own)
    next = *own;
  for (guint i = 0; i < concat->inputs->len; i++) {
    const ForgeValue *in = concat->inputs->pdata[i];
    if (can_move (finder, in))
      add_slice (finder, in, &next);
    next.first += row_of (in);
  }
}

static int
wider_first (gconstpointer a, gconstpointer b)
{
  int64_t x = row_of (forge_node_out (*(ForgeNode *const *) a, 0));
  int64_t y = row_of (forge_node_out (*(ForgeNode *const *) b, 0));
  return (x < y) - (x > y);
}

GHashTable *
forge_graph_find_slices (const ForgeGraph *graph)
{
  GHashTable *slices = g_hash_table_new_full (NULL, NULL, NULL, g_free);
  g_autoptr (GHashTable) dense = g_hash_table_new (NULL, NULL);
  Finder finder = { slices, dense };
  find_dense (graph, dense);
  /* Of equals, the last first: an input comes before what it goes into. */
  g_autoptr (GPtrArray) concats = g_ptr_array_new ();
  for (guint n = graph->nodes->len; n > 0; n--)
    if (joins_rows (graph->nodes->pdata[n - 1]))
      g_ptr_array_add (concats, graph->nodes->pdata[n - 1]);
  g_ptr_array_sort (concats, wider_first);
  for (guint i = 0; i < concats->len; i++)
    visit (&finder, concats->pdata[i]);
  return slices;
}
