/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Cutting parts out of data that comes in one piece. What is divided are
 * units: a picture, or all frames of a video, for two frames of one video in
 * two parts would be the answers to the examination. The cut depends on the
 * seed and on the sorted items only, so that training and evaluation, in two
 * processes, agree on it. */
#include "train/data-source.h"

#include "base/rng.h"

#define TENTH 0.1

typedef struct {
  guint first, n; /* items, which follow each other */
} Unit;

/* The units of a class, in the order of the items. */
static GArray *
list_units (const ForgeDataset *dataset, uint32_t class_id)
{
  GArray *units = g_array_new (FALSE, FALSE, sizeof (Unit));
  uint32_t file = UINT32_MAX;
  for (guint i = 0; i < dataset->items->len; i++) {
    const ForgeDataItem *item =
        &g_array_index (dataset->items, ForgeDataItem, i);
    if (item->class_id != class_id)
      continue;
    if (item->file == file && dataset->videos->data[file]) {
      g_array_index (units, Unit, units->len - 1).n++;
      continue;
    }
    Unit unit = { i, 1 };
    g_array_append_val (units, unit);
    file = item->file;
  }
  return units;
}

/* Gives @part about @target items: of the shuffled units that are still in
 * training, each that brings the sum nearer to it; if none did, the smallest.
 */
static void
fill_part (const GArray *units, const uint32_t *order, ForgeSplit *parts,
    ForgeSplit part, guint target)
{
  guint n_items = 0, smallest = UINT32_MAX;
  for (guint rank = 0; rank < units->len; rank++) {
    uint32_t u = order[rank];
    const Unit *unit = &g_array_index (units, Unit, u);
    if (parts[u] != FORGE_SPLIT_TRAIN)
      continue;
    if (smallest == UINT32_MAX ||
        unit->n < g_array_index (units, Unit, smallest).n)
      smallest = u;
    if (n_items >= target || unit->n >= 2 * (target - n_items))
      continue;
    parts[u] = part;
    n_items += unit->n;
  }
  if (n_items == 0 && smallest != UINT32_MAX)
    parts[smallest] = part;
}

static guint
part_size (guint n_items, double share)
{
  return MAX ((guint) (n_items * share + 0.5), 1);
}

/* A class of enough units is in every part. */
static void
cut_class (const ForgeDataset *dataset, uint32_t class_id, const ForgeCut *cut,
    ForgeSplit *split_of_item)
{
  g_autoptr (GArray) units = list_units (dataset, class_id);
  g_autofree uint32_t *order = g_new (uint32_t, units->len + 1);
  g_autofree ForgeSplit *parts = g_new0 (ForgeSplit, units->len + 1);
  guint n_items = 0;
  for (guint u = 0; u < units->len; u++) {
    order[u] = u;
    n_items += g_array_index (units, Unit, u).n;
  }
  ForgeRng rng;
  forge_rng_seed_at (&rng, cut->seed, class_id);
  forge_rng_shuffle (&rng, order, units->len);
  guint n_parts = dataset->cut == FORGE_CUT_PARTS ? 2 : 1;
  double share = cut->validation > 0 ? cut->validation : TENTH;
  if (units->len > n_parts)
    fill_part (units, order, parts, FORGE_SPLIT_VALIDATION,
        part_size (n_items, share));
  if (units->len > n_parts && dataset->cut == FORGE_CUT_PARTS)
    fill_part (
        units, order, parts, FORGE_SPLIT_TEST, part_size (n_items, TENTH));
  for (guint u = 0; u < units->len; u++) {
    const Unit *unit = &g_array_index (units, Unit, u);
    for (guint i = 0; i < unit->n; i++)
      split_of_item[unit->first + i] = parts[u];
  }
}

void
forge_dataset_cut (ForgeDataset *dataset, const ForgeCut *cut)
{
  g_autofree ForgeSplit *split_of_item =
      g_new0 (ForgeSplit, dataset->items->len + 1);
  guint n_strata = dataset->labels->len - 1 + (dataset->is_multi_label ? 1 : 0);
  for (guint c = 0; c < n_strata; c++)
    cut_class (dataset, c, cut, split_of_item);
  guint n_kept = 0;
  for (guint i = 0; i < dataset->items->len; i++)
    if (split_of_item[i] == dataset->split)
      g_array_index (dataset->items, ForgeDataItem, n_kept++) =
          g_array_index (dataset->items, ForgeDataItem, i);
  g_array_set_size (dataset->items, n_kept);
}
