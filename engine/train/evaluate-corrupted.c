/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * An evaluation under every kind and severity of corruption: what a model is
 * worth when the pictures are no longer those it was trained on. */
#include "forge/evaluate.h"
#include "train/score.h"

typedef struct {
  ForgeProgressFunc progress;
  gpointer user_data;
  guint index, n_rows;
} Round;

/* The share of one evaluation becomes one of all. */
static gboolean
show_round (uint64_t done, uint64_t total, gpointer user_data)
{
  const Round *round = user_data;
  return !round->progress || round->progress (round->index * total + done,
                                 round->n_rows * total, round->user_data);
}

static gboolean
evaluate_one (ForgeModel *model, ForgeDataset *dataset,
    const ForgeEvaluateParams *params, Round *round,
    ForgeCorruptedFigures *figures, GError **error)
{
  guint n_scores;
  g_autofree ForgeScore *scores = forge_evaluate_scores (
      model, dataset, params, &n_scores, show_round, round, error);
  if (!scores)
    return FALSE;
  g_autoptr (ForgeEvaluation) evaluation =
      forge_evaluation_new_from_scores (forge_dataset_get_labels (dataset),
          forge_dataset_get_n_classes (dataset), scores, n_scores);
  *figures = (ForgeCorruptedFigures) { .kind = params->corruption,
    .severity = params->severity,
    .accuracy = evaluation->accuracy,
    .mean_confidence = evaluation->mean_confidence,
    .ece = evaluation->ece };
  return TRUE;
}

ForgeCorruptedFigures *
forge_evaluate_corrupted (ForgeModel *model, ForgeDataset *dataset,
    const ForgeEvaluateParams *params, const ForgeCorruption *kinds,
    guint n_kinds, ForgeProgressFunc progress, gpointer user_data,
    GError **error)
{
  g_return_val_if_fail (model && dataset && kinds && n_kinds > 0, NULL);
  const ForgeEvaluateParams defaults = { 0 };
  ForgeEvaluateParams one = params ? *params : defaults;
  Round round = { .progress = progress,
    .user_data = user_data,
    .n_rows = n_kinds * FORGE_N_SEVERITIES };
  g_autofree ForgeCorruptedFigures *rows =
      g_new0 (ForgeCorruptedFigures, round.n_rows);
  for (; round.index < round.n_rows; round.index++) {
    one.corruption = kinds[round.index / FORGE_N_SEVERITIES];
    one.severity = round.index % FORGE_N_SEVERITIES + 1;
    if (!evaluate_one (model, dataset, &one, &round, &rows[round.index], error))
      return NULL;
  }
  return g_steal_pointer (&rows);
}
