/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A large batch goes through a network layer by layer, and each layer's
 * activations to memory and back. Picture by picture they stay in the cache,
 * and the weights are read again for each. */
#include "run/parts.h"

#include "graph/pictures.h"

/* What the activations of a part may take: of an L2 of today, or a share of
 * L3. */
#define CACHE_BYTES ((size_t) 8 << 20)

static ForgeGraph *
bind_copy (const ForgeGraph *graph, int64_t batch)
{
  g_autoptr (ForgeGraph) copy = forge_graph_copy (graph);
  if (!forge_graph_sort (copy, NULL) ||
      !forge_graph_bind_batch (copy, batch, NULL))
    return NULL;
  return g_steal_pointer (&copy);
}

/* What is written, and read, at least once, or 0 when that is beyond size_t. */
static size_t
count_activations (const ForgeGraph *graph)
{
  size_t sum = 0;
  for (guint n = 0; n < graph->nodes->len; n++) {
    const ForgeNode *node = graph->nodes->pdata[n];
    const ForgeValue *out = node->outputs->pdata[0];
    size_t size_bytes = 0;
    if (out && !out->constant && !node->op->is_view && !node->op->in_place &&
        (!forge_shape_size_bytes (&out->shape, out->dtype, &size_bytes) ||
            !g_size_checked_add (&sum, sum, size_bytes)))
      return 0;
  }
  return sum;
}

static size_t
count_constants (const ForgeGraph *graph)
{
  size_t sum = 0;
  for (guint i = 0; i < graph->values->len; i++) {
    const ForgeValue *value = graph->values->pdata[i];
    sum += value->constant && !value->folded ? value->constant->size_bytes : 0;
  }
  return sum;
}

/* Pictures of a part by what it costs alone. */
static int64_t
wanted (const ForgeGraph *bound, int64_t batch)
{
  g_autoptr (ForgeMemoryPlan) memory =
      forge_memory_plan_new (bound, FALSE, NULL);
  size_t each = memory ? memory->arena_bytes / (size_t) batch : 0;
  size_t moved = 2 * (count_activations (bound) / (size_t) batch);
  if (each == 0 || memory->arena_bytes <= CACHE_BYTES)
    return batch;
  const size_t constants = count_constants (bound);
  int64_t part = MAX ((int64_t) (CACHE_BYTES / each), 1);
  /* weights that weigh so much are worth leaving the cache a little */
  if (moved / 2 * (size_t) part < constants)
    part = MIN (2 * part, batch);
  while (batch % part)
    part--;
  return moved * (size_t) part > constants ? part : batch;
}

/* Nothing but the number of rows may differ: an extent computed from the batch
 * may be that of another axis. */
static gboolean
differ_in_rows_alone (const ForgeGraph *whole, int64_t n_whole,
    const ForgeGraph *part, int64_t n_part)
{
  for (guint i = 0; i < whole->values->len; i++) {
    const ForgeValue *a = whole->values->pdata[i], *b = part->values->pdata[i];
    ForgeShape rows = a->shape;
    if (rows.rank > 0 && rows.dims[0] == n_whole && b->shape.rank > 0 &&
        b->shape.dims[0] == n_part)
      rows.dims[0] = n_part;
    if (!forge_shape_equal (&rows, &b->shape))
      return FALSE;
  }
  return TRUE;
}

static void
open_batch (ForgeGraph *graph)
{
  for (guint i = 0; i < graph->inputs->len; i++) {
    ForgeValue *input = graph->inputs->pdata[i];
    input->shape.dims[0] = -1;
  }
}

int64_t
forge_choose_part (ForgeGraph *graph, int64_t *batch)
{
  const ForgeValue *input =
      graph->inputs->len > 0 ? graph->inputs->pdata[0] : NULL;
  if (!input || input->shape.rank < 1)
    return *batch;
  int64_t whole = input->shape.dims[0] > 0 ? input->shape.dims[0] : *batch;
  g_autoptr (ForgeGraph) bound = whole > 1 ? bind_copy (graph, whole) : NULL;
  if (!bound || !forge_graph_keeps_pictures (bound, whole))
    return *batch;
  int64_t part = wanted (bound, whole);
  if (part == whole)
    return *batch;
  /* a file may have the extent in other places than its inputs */
  g_autoptr (ForgeGraph) open = forge_graph_copy (graph);
  open_batch (open);
  g_autoptr (ForgeGraph) small = bind_copy (open, part);
  if (!small || !forge_graph_keeps_pictures (small, part) ||
      !differ_in_rows_alone (bound, whole, small, part))
    return *batch;
  open_batch (graph);
  *batch = whole;
  return part;
}
