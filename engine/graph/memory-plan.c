/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Where every activation lies in the arena. Values that share bytes (views,
 * slices of a Concat, in-place operators) form a block with a life from the
 * node that writes it first to the node that reads it last. Blocks are placed
 * largest first, each into the smallest gap between the blocks alive at the
 * same time. Source: Pisarchyk and Lee, "Efficient Memory Management for Deep
 * Neural Net Inference" (2020), greedy by size, with best fit for the gap. */
#include "base/alloc.h"
#include "graph/graph.h"

/* Placement is quadratic; no network comes near this. */
#define MAX_BLOCKS 20000

typedef struct {
  size_t size_bytes, offset_bytes;
  int first, last; /* node numbers; -1 = before the first node */
  guint merged;    /* the block this one was merged into, or itself */
  gboolean pinned; /* graph input: no node may write over it */
} Block;

typedef struct {
  const ForgeGraph *graph;
  gboolean keep_all;
  GArray *blocks;       /* Block */
  GHashTable *block_of; /* ForgeValue* -> number of its block + 1 */
  GHashTable *slices;   /* ForgeValue* -> ForgeSlice*; NULL = none */
} Planner;

static Block *
block_at (const Planner *planner, guint number)
{
  while (TRUE) {
    Block *block = &g_array_index (planner->blocks, Block, number);
    if (block->merged == number)
      return block;
    number = block->merged;
  }
}

/* NULL for a constant and for a view of one. */
static Block *
block_of (const Planner *planner, const ForgeValue *value)
{
  guint number =
      GPOINTER_TO_UINT (g_hash_table_lookup (planner->block_of, value));
  return number ? block_at (planner, number - 1) : NULL;
}

static void
put (Planner *planner, const ForgeValue *value, guint number)
{
  g_hash_table_insert (
      planner->block_of, (gpointer) value, GUINT_TO_POINTER (number + 1));
}

static gboolean
value_size (const ForgeValue *value, size_t *size_bytes, GError **error)
{
  if (forge_shape_size_bytes (&value->shape, value->dtype, size_bytes))
    return TRUE;
  g_autofree char *text = forge_shape_to_string (&value->shape);
  g_set_error (error, FORGE_ERROR, FORGE_ERROR_SHAPE,
      "value '%s' of shape %s has no known size", value->name, text);
  return FALSE;
}

static gboolean
add_block (
    Planner *planner, const ForgeValue *value, int node_index, GError **error)
{
  size_t size_bytes;
  if (!value_size (value, &size_bytes, error))
    return FALSE;
  guint number = planner->blocks->len;
  if (number >= MAX_BLOCKS) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_UNSUPPORTED,
        "graph '%s' has more than %d activations", planner->graph->name,
        MAX_BLOCKS);
    return FALSE;
  }
  Block block = { .size_bytes = forge_align_up (MAX (size_bytes, 1)),
    .first = node_index,
    .last = node_index,
    .merged = number,
    .pinned = node_index < 0 };
  g_array_append_val (planner->blocks, block);
  put (planner, value, number);
  return TRUE;
}

/* A view lives in the place of its source, so it may not be larger. */
static gboolean
add_view (Planner *planner, const ForgeValue *in, const ForgeValue *out,
    GError **error)
{
  size_t in_bytes, out_bytes;
  if (!value_size (in, &in_bytes, error) ||
      !value_size (out, &out_bytes, error))
    return FALSE;
  if (in_bytes != out_bytes) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_SHAPE,
        "value '%s' of %zu bytes is made of '%s' of %zu bytes", out->name,
        out_bytes, in->name, in_bytes);
    return FALSE;
  }
  gpointer number = g_hash_table_lookup (planner->block_of, in);
  if (number)
    g_hash_table_insert (planner->block_of, (gpointer) out, number);
  return TRUE;
}

static const ForgeSlice *
slice_of (const Planner *planner, const ForgeValue *value)
{
  return planner->slices ? g_hash_table_lookup (planner->slices, value) : NULL;
}

/* A slice goes into the block of the whole, which begins with the first
 * slice that is written. */
static gboolean
add_value (
    Planner *planner, const ForgeValue *value, int node_index, GError **error)
{
  const ForgeSlice *slice = slice_of (planner, value);
  const ForgeValue *whole = slice ? slice->whole : value;
  if (!g_hash_table_contains (planner->block_of, whole) &&
      !add_block (planner, whole, node_index, error))
    return FALSE;
  if (slice)
    g_hash_table_insert (planner->block_of, (gpointer) value,
        g_hash_table_lookup (planner->block_of, whole));
  return TRUE;
}

/* A block for every value, views in that of their source. */
static gboolean
make_blocks (Planner *planner, GError **error)
{
  const ForgeGraph *graph = planner->graph;
  for (guint i = 0; i < graph->inputs->len; i++)
    if (!add_block (planner, graph->inputs->pdata[i], -1, error))
      return FALSE;
  for (guint n = 0; n < graph->nodes->len; n++) {
    const ForgeNode *node = graph->nodes->pdata[n];
    for (guint i = 0; i < node->outputs->len; i++) {
      const ForgeValue *out = node->outputs->pdata[i];
      if (!out)
        continue;
      gboolean ok =
          i == 0 && node->op->is_view
              ? add_view (planner, forge_node_in (node, 0), out, error)
              : add_value (planner, out, (int) n, error);
      if (!ok)
        return FALSE;
    }
  }
  return TRUE;
}

static void
read_until (Planner *planner, const ForgeValue *value, int node_index)
{
  Block *block = value ? block_of (planner, value) : NULL;
  if (block)
    block->last = MAX (block->last, node_index);
}

static void
find_lives (Planner *planner)
{
  const ForgeGraph *graph = planner->graph;
  int end = (int) graph->nodes->len;
  for (int n = 0; n < end; n++) {
    const ForgeNode *node = graph->nodes->pdata[n];
    for (guint i = 0; i < node->inputs->len; i++)
      read_until (planner, node->inputs->pdata[i], n);
  }
  for (guint i = 0; i < graph->inputs->len; i++)
    read_until (planner, graph->inputs->pdata[i], end);
  for (guint i = 0; i < graph->outputs->len; i++)
    read_until (planner, graph->outputs->pdata[i], end);
}

/* May out[0] of node @n take over the block of in[0]? */
static gboolean
can_overwrite (const Planner *planner, const ForgeNode *node, int n)
{
  const ForgeValue *in = forge_node_in (node, 0);
  const ForgeValue *out = forge_node_out (node, 0);
  const Block *from = block_of (planner, in);
  const Block *to = block_of (planner, out);
  if (!node->op->in_place || node->op->is_view || !from || !to ||
      from->pinned || from->last != n || slice_of (planner, in) ||
      slice_of (planner, out) || !forge_shape_equal (&in->shape, &out->shape) ||
      forge_dtype_size_bytes (in->dtype) != forge_dtype_size_bytes (out->dtype))
    return FALSE;
  for (guint i = 1; i < node->inputs->len; i++) {
    const ForgeValue *other = node->inputs->pdata[i];
    if (other && block_of (planner, other) == from)
      return FALSE;
  }
  return TRUE;
}

static void
merge_in_place (Planner *planner)
{
  const ForgeGraph *graph = planner->graph;
  for (guint n = 0; n < graph->nodes->len; n++) {
    const ForgeNode *node = graph->nodes->pdata[n];
    if (!can_overwrite (planner, node, (int) n))
      continue;
    Block *from = block_of (planner, forge_node_in (node, 0));
    Block *to = block_of (planner, forge_node_out (node, 0));
    from->last = to->last;
    to->merged = from->merged;
  }
}

static int
larger_first (gconstpointer a, gconstpointer b)
{
  const Block *x = *(Block *const *) a, *y = *(Block *const *) b;
  if (x->size_bytes != y->size_bytes)
    return x->size_bytes > y->size_bytes ? -1 : 1;
  return x->first != y->first ? x->first - y->first : x < y ? -1 : x > y;
}

/* The smallest gap that holds @block between those of @placed (by offset)
 * that live at the same time; behind them all when there is none. */
static size_t
find_gap (const GPtrArray *placed, const Block *block)
{
  size_t end = 0, best = SIZE_MAX, best_size = SIZE_MAX;
  for (guint i = 0; i < placed->len; i++) {
    const Block *other = placed->pdata[i];
    if (other->last < block->first || other->first > block->last)
      continue;
    if (other->offset_bytes > end) {
      size_t gap = other->offset_bytes - end;
      if (gap >= block->size_bytes && gap < best_size) {
        best = end;
        best_size = gap;
      }
    }
    end = MAX (end, other->offset_bytes + other->size_bytes);
  }
  return best != SIZE_MAX ? best : end;
}

static void
insert_by_offset (GPtrArray *placed, Block *block)
{
  guint at = placed->len;
  while (at > 0 &&
         ((Block *) placed->pdata[at - 1])->offset_bytes > block->offset_bytes)
    at--;
  g_ptr_array_insert (placed, (int) at, block);
}

/* FALSE when the arena would not fit the address space. */
static gboolean
place (Planner *planner, size_t *arena_bytes)
{
  g_autoptr (GPtrArray) order = g_ptr_array_new ();
  for (guint i = 0; i < planner->blocks->len; i++) {
    Block *block = &g_array_index (planner->blocks, Block, i);
    if (block->merged == i)
      g_ptr_array_add (order, block);
  }
  if (!planner->keep_all)
    g_ptr_array_sort (order, larger_first);
  g_autoptr (GPtrArray) placed = g_ptr_array_new ();
  *arena_bytes = 0;
  for (guint i = 0; i < order->len; i++) {
    Block *block = order->pdata[i];
    block->offset_bytes =
        planner->keep_all ? *arena_bytes : find_gap (placed, block);
    if (!planner->keep_all)
      insert_by_offset (placed, block);
    size_t end;
    if (__builtin_add_overflow (block->offset_bytes, block->size_bytes, &end) ||
        end > PTRDIFF_MAX / 2)
      return FALSE;
    *arena_bytes = MAX (*arena_bytes, end);
  }
  return TRUE;
}

static ForgeMemoryPlan *
plan_new (const Planner *planner, size_t arena_bytes)
{
  ForgeMemoryPlan *plan = g_new0 (ForgeMemoryPlan, 1);
  plan->arena_bytes = arena_bytes;
  plan->offsets = g_hash_table_new (NULL, NULL);
  plan->slices = planner->slices ? g_hash_table_ref (planner->slices) : NULL;
  GHashTableIter iter;
  gpointer value;
  g_hash_table_iter_init (&iter, planner->block_of);
  while (g_hash_table_iter_next (&iter, &value, NULL)) {
    const ForgeSlice *slice = slice_of (planner, value);
    size_t at = block_of (planner, value)->offset_bytes;
    if (slice)
      at +=
          (size_t) slice->first * forge_dtype_size_bytes (slice->whole->dtype);
    g_hash_table_insert (plan->offsets, value, GSIZE_TO_POINTER (at));
  }
  return plan;
}

ForgeMemoryPlan *
forge_memory_plan_new (
    const ForgeGraph *graph, gboolean keep_all, GError **error)
{
  g_autoptr (GArray) blocks = g_array_new (FALSE, FALSE, sizeof (Block));
  g_autoptr (GHashTable) numbers = g_hash_table_new (NULL, NULL);
  g_autoptr (GHashTable) slices =
      keep_all ? NULL : forge_graph_find_slices (graph);
  Planner planner = { graph, keep_all, blocks, numbers, slices };
  if (!make_blocks (&planner, error))
    return NULL;
  find_lives (&planner);
  if (!keep_all)
    merge_in_place (&planner);
  size_t arena_bytes;
  if (!place (&planner, &arena_bytes)) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_MEMORY,
        "graph '%s': the activations do not fit the address space",
        graph->name);
    return NULL;
  }
  return plan_new (&planner, arena_bytes);
}

gboolean
forge_memory_plan_find (
    const ForgeMemoryPlan *plan, const ForgeValue *value, size_t *offset_bytes)
{
  gpointer found;
  if (!g_hash_table_lookup_extended (plan->offsets, value, NULL, &found))
    return FALSE;
  *offset_bytes = GPOINTER_TO_SIZE (found);
  return TRUE;
}

int64_t
forge_memory_plan_slice_stride (
    const ForgeMemoryPlan *plan, const ForgeValue *value)
{
  const ForgeSlice *slice =
      plan->slices ? g_hash_table_lookup (plan->slices, value) : NULL;
  return slice ? slice->stride_elems : 0;
}

void
forge_memory_plan_free (ForgeMemoryPlan *plan)
{
  if (!plan)
    return;
  g_clear_pointer (&plan->slices, g_hash_table_unref);
  g_hash_table_unref (plan->offsets);
  g_free (plan);
}
