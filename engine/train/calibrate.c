/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See forge/calibrate.h: runs the model over the pictures, cuts them into
 * halves, and has the monitor's statistics made of them. The accuracy margin
 * is how wrong the label-free estimate of accuracy (ATC) is where the truth is
 * known: under our own corruptions of the second half. */
#include "forge/calibrate.h"

#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "forge/error.h"
#include "forge/stats.h"
#include "train/score.h"

#define LEAST_PICTURES 40
#define MARGIN_QUANTILE 0.9

typedef struct {
  ForgeModel *model;
  ForgeDataset *dataset;
  const ForgeCalibrateParams *params;
  ForgeProgressFunc progress;
  gpointer user_data;
  uint64_t n_done, n_total; /* pictures, over everything */
  ForgeBaselineData halves[2];
  float *logits[2], *features[2]; /* what the halves point to */
  uint32_t *classes[2];
  guint *items; /* of the second half */
} Calibrator;

static gboolean
show_part (uint64_t done, uint64_t total, gpointer user_data)
{
  const Calibrator *self = user_data;
  return !self->progress ||
         self->progress (self->n_done + done, self->n_total, self->user_data);
}

static gboolean
is_usable (const ForgeScore *score, const ForgeOutputs *outputs, guint index)
{
  gboolean usable = score->seen;
  for (guint c = 0; c < outputs->n_classes && usable; c++)
    usable = isfinite (outputs->logits[(gsize) index * outputs->n_classes + c]);
  for (guint f = 0; f < outputs->n_features && usable; f++)
    usable =
        isfinite (outputs->features[(gsize) index * outputs->n_features + f]);
  return usable;
}

static void
add_item (Calibrator *self, guint half, const ForgeScore *score,
    const ForgeOutputs *outputs, guint index)
{
  ForgeBaselineData *data = &self->halves[half];
  gsize n_classes = outputs->n_classes, n_features = outputs->n_features;
  memcpy (self->logits[half] + data->n_items * n_classes,
      outputs->logits + index * n_classes, n_classes * sizeof (float));
  if (n_features > 0)
    memcpy (self->features[half] + data->n_items * n_features,
        outputs->features + index * n_features, n_features * sizeof (float));
  self->classes[half][data->n_items] = score->truth;
  if (half == 1)
    self->items[data->n_items] = score->item;
  data->n_items++;
}

static void
make_halves (Calibrator *self, const ForgeOutputs *outputs, guint n_scores)
{
  for (guint half = 0; half < 2; half++) {
    self->logits[half] = g_new (float, (gsize) n_scores * outputs->n_classes);
    self->features[half] =
        g_new (float, (gsize) n_scores * outputs->n_features + 1);
    self->classes[half] = g_new (uint32_t, n_scores);
    self->halves[half] = (ForgeBaselineData) { .n_classes = outputs->n_classes,
      .n_features = outputs->n_features,
      .logits = self->logits[half],
      .features = self->features[half],
      .classes = self->classes[half] };
  }
  self->items = g_new (guint, n_scores);
}

/* In an order that the seed draws, the pictures of each class go to one half
 * and the other in turns. */
static void
cut_into_halves (Calibrator *self, const ForgeScore *scores,
    const ForgeOutputs *outputs, guint n_scores)
{
  make_halves (self, outputs, n_scores);
  g_autofree uint32_t *order = g_new (uint32_t, n_scores);
  g_autofree uint8_t *next = g_new0 (uint8_t, outputs->n_classes);
  for (guint i = 0; i < n_scores; i++)
    order[i] = i;
  ForgeRng rng;
  forge_rng_seed (&rng, self->params->seed);
  forge_rng_shuffle (&rng, order, n_scores);
  for (guint c = 0; c < outputs->n_classes; c++)
    next[c] = c & 1; /* odd pictures of classes are shared out too */
  for (guint i = 0; i < n_scores; i++) {
    const ForgeScore *score = &scores[order[i]];
    if (!is_usable (score, outputs, order[i]))
      continue;
    add_item (self, next[score->truth], score, outputs, order[i]);
    next[score->truth] ^= 1;
  }
}

static gboolean
run_clean (Calibrator *self, GError **error)
{
  const ForgeEvaluateParams params = { .threads = self->params->threads,
    .preprocess = self->params->preprocess,
    .n_most = self->params->n_most };
  g_auto (ForgeOutputs) outputs = { .with_features = TRUE };
  guint n_scores;
  g_autofree ForgeScore *scores = forge_evaluate_outputs (self->model,
      self->dataset, &params, &outputs, &n_scores, show_part, self, error);
  if (!scores)
    return FALSE;
  self->n_done += n_scores;
  cut_into_halves (self, scores, &outputs, n_scores);
  guint n_usable = self->halves[0].n_items + self->halves[1].n_items;
  if (n_usable >= LEAST_PICTURES)
    return TRUE;
  g_set_error (error, FORGE_ERROR, FORGE_ERROR_ARGUMENT,
      "calibration needs at least %d pictures that give finite scores, found "
      "%u",
      LEAST_PICTURES, n_usable);
  return FALSE;
}

/* |share of pictures that ATC takes for right - share that is right| */
static double
estimate_error (const ForgeScore *scores, const ForgeOutputs *outputs,
    guint n_scores, const ForgeBaseline *baseline)
{
  guint n = outputs->n_classes, n_seen = 0, n_believed = 0, n_right = 0;
  g_autofree float *p = g_new (float, n);
  for (guint i = 0; i < n_scores; i++) {
    if (!is_usable (&scores[i], outputs, i))
      continue;
    forge_temper (outputs->logits + (gsize) i * n, n, baseline->temperature, p);
    n_seen++;
    n_believed += forge_negative_entropy (p, n) >= baseline->atc_threshold;
    n_right += scores[i].rank == 0;
  }
  return n_seen ? fabs ((double) n_believed - n_right) / n_seen : 0;
}

static gboolean
measure_margin (Calibrator *self, ForgeBaseline *baseline, GError **error)
{
  double errors[FORGE_N_CORRUPTIONS * FORGE_N_SEVERITIES];
  ForgeEvaluateParams params = { .threads = self->params->threads,
    .preprocess = self->params->preprocess,
    .seed = self->params->seed };
  guint n_items = MIN (self->params->n_margin, self->halves[1].n_items);
  for (guint i = 0; i < G_N_ELEMENTS (errors); i++) {
    params.corruption = i / FORGE_N_SEVERITIES;
    params.severity = i % FORGE_N_SEVERITIES + 1;
    g_auto (ForgeOutputs)
        outputs = { .items = self->items, .n_items = n_items };
    guint n_scores;
    g_autofree ForgeScore *scores = forge_evaluate_outputs (self->model,
        self->dataset, &params, &outputs, &n_scores, show_part, self, error);
    if (!scores)
      return FALSE;
    self->n_done += n_scores;
    errors[i] = estimate_error (scores, &outputs, n_scores, baseline);
  }
  baseline->n_conditions = G_N_ELEMENTS (errors);
  baseline->accuracy_margin =
      forge_quantile (errors, G_N_ELEMENTS (errors), MARGIN_QUANTILE);
  return TRUE;
}

static void
fill_bins (const ForgeBaselineData *data, double temperature,
    ForgeReliabilityBin *bins)
{
  guint n = data->n_classes;
  g_autofree float *p = g_new (float, n);
  g_autofree ForgeScore *scores = g_new0 (ForgeScore, data->n_items);
  g_auto (GStrv) labels = g_new0 (char *, n + 1);
  for (guint c = 0; c < n; c++)
    labels[c] = g_strdup ("");
  for (guint i = 0; i < data->n_items; i++) {
    forge_temper (data->logits + (gsize) i * n, n, temperature, p);
    forge_score (&scores[i], p, n, data->classes[i]);
  }
  g_autoptr (ForgeEvaluation) evaluation = forge_evaluation_new_from_scores (
      (const char *const *) labels, n, scores, data->n_items);
  memcpy (bins, evaluation->bins, sizeof evaluation->bins);
}

static ForgeCalibration *
run_calibration (Calibrator *self, GError **error)
{
  if (!run_clean (self, error))
    return NULL;
  g_autoptr (ForgeCalibration) result = g_new0 (ForgeCalibration, 1);
  ForgeBaseline *baseline =
      forge_baseline_new (&self->halves[0], &self->halves[1]);
  result->baseline = baseline;
  fill_bins (&self->halves[1], 1, result->before);
  fill_bins (&self->halves[1], baseline->temperature, result->after);
  if (self->params->n_margin > 0 && !measure_margin (self, baseline, error))
    return NULL;
  const ForgePreprocess *preprocess =
      self->params->preprocess ? self->params->preprocess
                               : forge_model_get_preprocess (self->model);
  baseline->data = g_strdup (self->params->data);
  baseline->split = g_strdup (self->params->split);
  baseline->data_hash = g_strdup (forge_dataset_get_hash (self->dataset));
  baseline->preprocess_hash = forge_preprocess_hash (preprocess);
  baseline->precision_name = g_strdup (forge_model_get_precision (self->model));
  return g_steal_pointer (&result);
}

static gboolean
check_fitness (ForgeModel *model, ForgeDataset *dataset, GError **error)
{
  if (forge_model_is_multi_label (model)) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_UNSUPPORTED,
        "model '%s' answers several questions at once (Sigmoid): one "
        "temperature over all classes does not fit it",
        forge_model_get_name (model));
    return FALSE;
  }
  const char *trained_on = forge_model_get_metadata (model, "forge.data_hash");
  if (trained_on &&
      strcmp (trained_on, forge_dataset_get_hash (dataset)) == 0) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_ARGUMENT,
        "model '%s' was trained on these very pictures (data hash %.16s...); "
        "calibration needs others",
        forge_model_get_name (model), trained_on);
    return FALSE;
  }
  return TRUE;
}

ForgeCalibration *
forge_calibrate (ForgeModel *model, ForgeDataset *dataset,
    const ForgeCalibrateParams *params, ForgeProgressFunc progress,
    gpointer user_data, GError **error)
{
  g_return_val_if_fail (model && dataset, NULL);
  const ForgeCalibrateParams defaults = FORGE_CALIBRATE_PARAMS_DEFAULT;
  if (!check_fitness (model, dataset, error))
    return NULL;
  Calibrator self = { .model = model,
    .dataset = dataset,
    .params = params ? params : &defaults,
    .progress = progress,
    .user_data = user_data };
  uint64_t n_clean = forge_dataset_get_n_items (dataset);
  if (self.params->n_most > 0)
    n_clean = MIN (n_clean, self.params->n_most);
  self.n_total = n_clean + FORGE_N_CORRUPTIONS * FORGE_N_SEVERITIES *
                               MIN (n_clean / 2, self.params->n_margin);
  ForgeCalibration *result = run_calibration (&self, error);
  for (guint half = 0; half < 2; half++) {
    g_free (self.logits[half]);
    g_free (self.features[half]);
    g_free (self.classes[half]);
  }
  g_free (self.items);
  return result;
}

void
forge_calibration_free (ForgeCalibration *calibration)
{
  if (!calibration)
    return;
  forge_baseline_free (calibration->baseline);
  g_free (calibration);
}
