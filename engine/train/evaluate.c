/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Runs a model over a data set by the path that the element uses: picture,
 * ForgeClassifier, probabilities. Each thread has a classifier of its own, so
 * decoding and resizing are spread too; scores are kept by picture and summed
 * in order, so that no figure depends on the number of threads. */
#include "forge/evaluate.h"

#include <string.h>

#include "base/pool.h"
#include "base/rng.h"
#include "forge/error.h"
#include "forge/stats.h"
#include "run/model.h"
#include "train/score.h"

#define BATCH 16
/* Pictures that run before the first that is timed. */
#define N_WARM_UP 8
/* Batches between two calls of the progress function, for each thread. */
#define ROUND_BATCHES 8

typedef struct {
  ForgeDataset *dataset;
  const ForgeEvaluateParams *params;
  ForgeScore *scores;       /* [n_items] */
  ForgeOutputs *outputs;    /* nullable */
  GAsyncQueue *classifiers; /* idle ones */
  guint n_items;            /* to run */
  guint batch;              /* at most BATCH */
  guint first, end;         /* of this round */
  GMutex lock;
  GError *error; /* the first one: of a picture, or of the classifier */
} Job;

static void
keep_error (Job *job, GError *error)
{
  g_mutex_lock (&job->lock);
  if (job->error)
    g_error_free (error);
  else
    job->error = error;
  g_mutex_unlock (&job->lock);
}

/* Evenly spread: class by class data keeps its classes. */
static guint
item_of (const Job *job, guint index)
{
  if (job->outputs && job->outputs->items)
    return job->outputs->items[index];
  guint64 n_all = forge_dataset_get_n_items (job->dataset);
  return (guint) (index * n_all / job->n_items);
}

/* As the data has it, or corrupted, whichever thread it falls to. */
static ForgePicture *
load_picture (const Job *job, guint item, GError **error)
{
  const ForgeEvaluateParams *params = job->params;
  ForgePicture *picture = forge_dataset_load (job->dataset, item, error);
  if (!picture || params->severity == 0)
    return picture;
  ForgeRng rng;
  forge_rng_seed_at (&rng, params->seed, item);
  ForgePicture *corrupted = forge_corrupt (picture, params->corruption,
      params->severity, forge_rng_u64 (&rng), error);
  forge_picture_free (picture);
  return corrupted;
}

static gboolean
set_picture (const Job *job, ForgeClassifier *classifier, guint slot,
    guint item, GError **error)
{
  g_autoptr (ForgePicture) picture = load_picture (job, item, error);
  if (!picture)
    return FALSE;
  ForgeFrame frame = forge_picture_frame (picture);
  return forge_classifier_set_frame (classifier, slot, &frame, error);
}

static void
keep_result (
    const Job *job, ForgeClassifier *classifier, guint slot, guint index)
{
  ForgeScore *score = &job->scores[index];
  guint item = item_of (job, index);
  ForgeOutputs *outputs = job->outputs;
  if (outputs && outputs->with_sets) {
    memcpy (outputs->probabilities + (gsize) index * outputs->n_classes,
        forge_classifier_get_probabilities (classifier, slot),
        outputs->n_classes * sizeof (float));
    *score = (ForgeScore) { .item = item, .seen = TRUE };
    return;
  }
  forge_score (score, forge_classifier_get_probabilities (classifier, slot),
      forge_classifier_get_n_classes (classifier),
      forge_dataset_get_class (job->dataset, item));
  score->item = item;
  if (!outputs)
    return;
  forge_classifier_get_logits (
      classifier, slot, outputs->logits + (gsize) index * outputs->n_classes);
  if (outputs->features)
    forge_classifier_get_features (classifier, slot,
        outputs->features + (gsize) index * outputs->n_features);
}

static void
evaluate_batch (void *user_data, int task)
{
  Job *job = user_data;
  guint first = job->first + (guint) task * job->batch;
  guint n = MIN (job->end - first, job->batch);
  ForgeClassifier *classifier = g_async_queue_pop (job->classifiers);
  gboolean ready[BATCH];
  for (guint slot = 0; slot < n; slot++) {
    GError *error = NULL;
    guint item = item_of (job, first + slot);
    ready[slot] = set_picture (job, classifier, slot, item, &error);
    if (!ready[slot])
      keep_error (job, error);
  }
  forge_classifier_run (classifier);
  for (guint slot = 0; slot < n; slot++)
    if (ready[slot])
      keep_result (job, classifier, slot, first + slot);
  g_async_queue_push (job->classifiers, classifier);
}

/* Room for what @classifier gives of each picture. */
static gboolean
make_outputs (Job *job, ForgeClassifier *classifier, GError **error)
{
  ForgeOutputs *outputs = job->outputs;
  if (!outputs || outputs->logits || outputs->probabilities)
    return TRUE;
  outputs->n_classes = forge_classifier_get_n_classes (classifier);
  outputs->n_features = forge_classifier_get_n_features (classifier);
  gsize n_items = MAX (job->n_items, 1);
  float **place =
      outputs->with_sets ? &outputs->probabilities : &outputs->logits;
  *place = g_try_new0 (float, n_items * outputs->n_classes);
  if (outputs->n_features > 0)
    outputs->features = g_try_new0 (float, n_items * outputs->n_features);
  if (*place && (outputs->n_features == 0 || outputs->features))
    return TRUE;
  g_set_error (error, FORGE_ERROR, FORGE_ERROR_MEMORY,
      "no memory for %u scores and %u features of each of %" G_GSIZE_FORMAT
      " pictures; take fewer",
      outputs->n_classes, outputs->n_features, n_items);
  return FALSE;
}

void
forge_outputs_clear (ForgeOutputs *outputs)
{
  g_clear_pointer (&outputs->logits, g_free);
  g_clear_pointer (&outputs->features, g_free);
  g_clear_pointer (&outputs->probabilities, g_free);
}

/* Several classes a picture go with a network that answers for each alone. */
static gboolean
check_labels (const Job *job, const ForgeModel *model, GError **error)
{
  guint n_classes = forge_dataset_get_n_classes (job->dataset);
  const char *name = forge_model_get_name (model);
  gboolean multi = forge_dataset_is_multi_label (job->dataset);
  if (forge_model_get_n_classes (model) != n_classes)
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_ARGUMENT,
        "model '%s' has %u classes, the data %u", name,
        forge_model_get_n_classes (model), n_classes);
  else if (multi && !forge_model_is_multi_label (model))
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_ARGUMENT,
        "the data has pictures of several classes, or of none; expected a "
        "network that ends in a sigmoid for each class, found '%s'",
        name);
  else if (multi && !(job->outputs && job->outputs->with_sets))
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_UNSUPPORTED,
        "calibration, corruptions and doctor are for data with one class a "
        "picture; this has several, or none");
  else
    return TRUE;
  return FALSE;
}

static gboolean
make_classifiers (Job *job, ForgeModel *model, int threads, GError **error)
{
  const char *const *labels = forge_dataset_get_labels (job->dataset);
  ForgeClassifierParams params = { .threads = 1,
    .batch = (int) job->batch,
    .labels = labels,
    .preprocess = job->params->preprocess,
    .features = job->outputs && job->outputs->with_features };
  if (!check_labels (job, model, error))
    return FALSE;
  for (int i = 0; i < threads; i++) {
    ForgeClassifier *classifier = forge_classifier_new (model, &params, error);
    if (!classifier)
      return FALSE;
    g_async_queue_push (job->classifiers, classifier);
    if (!make_outputs (job, classifier, error))
      return FALSE;
  }
  return TRUE;
}

static gboolean
run_rounds (Job *job, int threads, ForgeProgressFunc progress,
    gpointer user_data, GError **error)
{
  guint n_items = job->n_items;
  guint round_items = (guint) threads * job->batch * ROUND_BATCHES;
  for (job->first = 0; job->first < n_items; job->first = job->end) {
    job->end = job->first + MIN (round_items, n_items - job->first);
    int n_tasks = (int) ((job->end - job->first + job->batch - 1) / job->batch);
    forge_pool_run (threads, n_tasks, evaluate_batch, job);
    if (progress && !progress (job->end, n_items, user_data)) {
      g_set_error (error, FORGE_ERROR, FORGE_ERROR_CANCELLED,
          "evaluation stopped after %u of %u pictures", job->end, n_items);
      return FALSE;
    }
  }
  return TRUE;
}

static gboolean
check_seen (const Job *job, GError **error)
{
  for (guint i = 0; i < job->n_items; i++)
    if (job->scores[i].seen)
      return TRUE;
  g_set_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT,
      "none of %u pictures could be read: %s", job->n_items,
      job->error ? job->error->message : "there are none");
  return FALSE;
}

ForgeScore *
forge_evaluate_outputs (ForgeModel *model, ForgeDataset *dataset,
    const ForgeEvaluateParams *params, ForgeOutputs *outputs, guint *n_scores,
    ForgeProgressFunc progress, gpointer user_data, GError **error)
{
  int threads = forge_pool_threads (params->threads);
  guint n_items = forge_dataset_get_n_items (dataset);
  if (params->n_most > 0)
    n_items = MIN (n_items, params->n_most);
  if (outputs && outputs->items)
    n_items = outputs->n_items;
  Job job = { .dataset = dataset,
    .params = params,
    .outputs = outputs,
    .n_items = n_items,
    .batch = forge_model_fit_batch (model, BATCH),
    .scores = g_new0 (ForgeScore, (gsize) n_items + 1),
    .classifiers =
        g_async_queue_new_full ((GDestroyNotify) forge_classifier_free) };
  g_mutex_init (&job.lock);
  gboolean done = make_classifiers (&job, model, threads, error) &&
                  run_rounds (&job, threads, progress, user_data, error) &&
                  check_seen (&job, error);
  g_mutex_clear (&job.lock);
  g_clear_error (&job.error);
  g_async_queue_unref (job.classifiers);
  if (!done)
    g_clear_pointer (&job.scores, g_free);
  *n_scores = n_items;
  return job.scores;
}

ForgeScore *
forge_evaluate_scores (ForgeModel *model, ForgeDataset *dataset,
    const ForgeEvaluateParams *params, guint *n_scores,
    ForgeProgressFunc progress, gpointer user_data, GError **error)
{
  return forge_evaluate_outputs (
      model, dataset, params, NULL, n_scores, progress, user_data, error);
}

/* One picture after the other, as frames come: preprocessing and network,
 * with all the threads for one picture. */
static gboolean
time_pictures (ForgeEvaluation *evaluation, ForgeModel *model,
    ForgeDataset *dataset, const ForgeEvaluateParams *params, GError **error)
{
  ForgeClassifierParams settings = {
    .threads = params->threads, .batch = 1, .preprocess = params->preprocess
  };
  g_autoptr (ForgeClassifier) classifier =
      forge_classifier_new (model, &settings, error);
  if (!classifier)
    return FALSE;
  Job job = { .dataset = dataset,
    .params = params,
    .n_items = MIN (params->n_latency, forge_dataset_get_n_items (dataset)) };
  g_autofree double *times_ms = g_new (double, job.n_items + 1);
  guint n_times = 0;
  for (guint i = 0; i < job.n_items + N_WARM_UP; i++) {
    g_autoptr (ForgePicture) picture =
        load_picture (&job, item_of (&job, i % job.n_items), NULL);
    if (!picture)
      continue;
    ForgeFrame frame = forge_picture_frame (picture);
    gint64 start_us = g_get_monotonic_time ();
    if (!forge_classifier_set_frame (classifier, 0, &frame, error))
      return FALSE;
    forge_classifier_run (classifier);
    if (i >= N_WARM_UP && n_times < job.n_items)
      times_ms[n_times++] = (double) (g_get_monotonic_time () - start_us) / 1e3;
  }
  static const double quantiles[] = { 0.5, 0.95, 0.99 };
  evaluation->n_latency = n_times;
  for (guint i = 0; i < G_N_ELEMENTS (quantiles); i++)
    evaluation->latency_ms[i] =
        forge_quantile (times_ms, n_times, quantiles[i]);
  return TRUE;
}

ForgeEvaluation *
forge_evaluate (ForgeModel *model, ForgeDataset *dataset,
    const ForgeEvaluateParams *params, ForgeProgressFunc progress,
    gpointer user_data, GError **error)
{
  g_return_val_if_fail (model && dataset, NULL);
  const ForgeEvaluateParams defaults = { 0 };
  gint64 start_us = g_get_monotonic_time ();
  guint n_scores;
  gboolean multi = forge_dataset_is_multi_label (dataset);
  g_auto (ForgeOutputs) outputs = { .with_sets = TRUE };
  g_autofree ForgeScore *scores =
      forge_evaluate_outputs (model, dataset, params ? params : &defaults,
          multi ? &outputs : NULL, &n_scores, progress, user_data, error);
  if (!scores)
    return NULL;
  g_autoptr (ForgeEvaluation) evaluation =
      multi ? forge_evaluation_new_from_sets (
                  dataset, scores, n_scores, outputs.probabilities)
            : forge_evaluation_new_from_scores (
                  forge_dataset_get_labels (dataset),
                  forge_dataset_get_n_classes (dataset), scores, n_scores);
  evaluation->seconds = (double) (g_get_monotonic_time () - start_us) / 1e6;
  if (params && params->n_latency > 0 &&
      !time_pictures (evaluation, model, dataset, params, error))
    return NULL;
  return g_steal_pointer (&evaluation);
}
