/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Networks with several inputs or outputs: which one takes the pictures, which
 * one has the scores. An input that nobody reads (a mask, a training switch)
 * does not count. Of several outputs, what others are computed from is an
 * intermediate value (features beside the scores, scores beside the
 * probabilities); among the rest probabilities come first, then a telling
 * name, and if that does not decide, the first is assumed. */
#include <string.h>

#include "formats/model-info.h"

#define MAX_OUTPUTS 16

static guint
choose_input (ForgeInfoReader *reader)
{
  const ForgeGraph *graph = reader->graph;
  guint chosen = 0, n_read = 0;
  for (guint i = 0; i < graph->inputs->len; i++)
    if (forge_graph_count_readers (graph, graph->inputs->pdata[i]) > 0) {
      chosen = n_read == 0 ? i : chosen;
      n_read++;
    }
  reader->several_inputs = n_read > 1;
  return chosen;
}

/* One row of scores: all extents but the batch and one are 1. */
static gboolean
can_be_scores (const ForgeValue *value)
{
  int n_long = 0;
  for (int i = value->shape.rank > 1; i < value->shape.rank; i++)
    n_long += value->shape.dims[i] != 1;
  return value->dtype == FORGE_FLOAT32 && value->shape.rank > 0 && n_long < 2;
}

/* Everything that @value is computed from. */
static GHashTable *
ancestors_of (const ForgeValue *value)
{
  GHashTable *seen = g_hash_table_new (NULL, NULL);
  g_autoptr (GPtrArray) stack = g_ptr_array_new ();
  g_ptr_array_add (stack, (gpointer) value);
  while (stack->len > 0) {
    const ForgeValue *top =
        g_ptr_array_steal_index_fast (stack, stack->len - 1);
    const ForgeNode *node = top->producer;
    for (guint i = 0; node && i < node->inputs->len; i++) {
      gpointer in = node->inputs->pdata[i];
      if (in && g_hash_table_add (seen, in))
        g_ptr_array_add (stack, in);
    }
  }
  return seen;
}

static gboolean
is_probabilities (const ForgeValue *value)
{
  gboolean is_sigmoid;
  return forge_info_is_probabilities (value, &is_sigmoid);
}

static gboolean
has_telling_name (const ForgeValue *value)
{
  static const char *const words[] = { "prob", "score", "logit", "class",
    "pred" };
  g_autofree char *name = g_ascii_strdown (value->name, -1);
  for (gsize i = 0; i < G_N_ELEMENTS (words); i++)
    if (strstr (name, words[i]))
      return TRUE;
  return FALSE;
}

/* Keeps those of @outputs that pass, unless none does. */
static void
keep (GArray *indices, const ForgeGraph *graph,
    gboolean (*passes) (const ForgeValue *value))
{
  g_autoptr (GArray) kept = g_array_new (FALSE, FALSE, sizeof (guint));
  for (guint i = 0; i < indices->len; i++) {
    guint index = g_array_index (indices, guint, i);
    if (passes (graph->outputs->pdata[index]))
      g_array_append_val (kept, index);
  }
  if (kept->len == 0)
    return;
  g_array_set_size (indices, 0);
  g_array_append_vals (indices, kept->data, kept->len);
}

static void
drop_intermediate (GArray *indices, const ForgeGraph *graph)
{
  for (guint i = 0; i < indices->len && indices->len > 1; i++) {
    const ForgeValue *value =
        graph->outputs->pdata[g_array_index (indices, guint, i)];
    g_autoptr (GHashTable) ancestors = ancestors_of (value);
    for (guint k = indices->len; k-- > 0;) {
      gpointer other = graph->outputs->pdata[g_array_index (indices, guint, k)];
      if (k == i || !g_hash_table_contains (ancestors, other))
        continue;
      g_array_remove_index (indices, k);
      i -= k < i;
    }
  }
}

static guint
choose_output (ForgeInfoReader *reader)
{
  const ForgeGraph *graph = reader->graph;
  g_autoptr (GArray) indices = g_array_new (FALSE, FALSE, sizeof (guint));
  for (guint i = 0; i < MIN (graph->outputs->len, MAX_OUTPUTS); i++)
    g_array_append_val (indices, i);
  keep (indices, graph, can_be_scores);
  drop_intermediate (indices, graph);
  if (indices->len > 1)
    keep (indices, graph, is_probabilities);
  if (indices->len > 1)
    keep (indices, graph, has_telling_name);
  if (indices->len > 1)
    reader->info->assumed |= FORGE_INFO_OUTPUT;
  return g_array_index (indices, guint, 0);
}

void
forge_info_choose_ports (ForgeInfoReader *reader)
{
  reader->info->input = choose_input (reader);
  reader->info->output = choose_output (reader);
}
