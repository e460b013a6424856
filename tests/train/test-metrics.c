/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Every figure of an evaluation, and the temperature, against scikit-learn,
 * NumPy and SciPy: make-metric-references.py wrote both the predictions and
 * the answers. Then the baseline's own statistics, on numbers whose answers
 * are known. */
#include <math.h>
#include <stdlib.h>
#include <string.h>

#include "base/rng.h"
#include "forge/baseline.h"
#include "forge/error.h"
#include "train/score.h"

typedef struct {
  guint n, n_classes;
  uint32_t *classes;
  float *logits;
  double *answers; /* the rest of the file */
  guint n_answers;
} References;

static double
next (char **text)
{
  char *end;
  double value = g_ascii_strtod (*text, &end);
  g_assert_true (end != *text);
  *text = end;
  return value;
}

static void
references_load (References *refs)
{
  g_autofree char *path = g_build_filename (g_getenv ("FORGE_SOURCE_ROOT"),
      "tests", "train", "metric-references.txt", NULL);
  g_autofree char *text = NULL;
  g_autoptr (GError) error = NULL;
  g_file_get_contents (path, &text, NULL, &error);
  g_assert_no_error (error);
  char *at = text;
  refs->n = (guint) next (&at);
  refs->n_classes = (guint) next (&at);
  refs->classes = g_new (uint32_t, refs->n);
  refs->logits = g_new (float, refs->n * refs->n_classes);
  for (guint i = 0; i < refs->n; i++) {
    refs->classes[i] = (uint32_t) next (&at);
    for (guint c = 0; c < refs->n_classes; c++)
      refs->logits[i * refs->n_classes + c] = (float) next (&at);
  }
  refs->n_answers = 4 * (refs->n_classes + 2) + 8;
  refs->answers = g_new (double, refs->n_answers);
  for (guint i = 0; i < refs->n_answers; i++)
    refs->answers[i] = next (&at);
  g_assert_cmpstr (g_strstrip (at), ==, "");
}

static void
references_clear (References *refs)
{
  g_free (refs->classes);
  g_free (refs->logits);
  g_free (refs->answers);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (References, references_clear)

static ForgeBaselineData
data_of (const References *refs)
{
  return (ForgeBaselineData) { .n_items = refs->n,
    .n_classes = refs->n_classes,
    .logits = refs->logits,
    .classes = refs->classes };
}

static ForgeEvaluation *
evaluate (const References *refs, double temperature)
{
  guint n = refs->n_classes;
  g_autofree ForgeScore *scores = g_new0 (ForgeScore, refs->n);
  g_auto (GStrv) labels = g_new0 (char *, n + 1);
  g_autofree float *p = g_new (float, n);
  for (guint c = 0; c < n; c++)
    labels[c] = g_strdup_printf ("%u", c);
  for (guint i = 0; i < refs->n; i++) {
    forge_temper (refs->logits + i * n, n, temperature, p);
    forge_score (&scores[i], p, n, refs->classes[i]);
    scores[i].item = i;
  }
  return forge_evaluation_new_from_scores (
      (const char *const *) labels, n, scores, refs->n);
}

static const double *
assert_metrics (const ForgeClassMetrics *metrics, const double *answers)
{
  g_assert_cmpfloat_with_epsilon (metrics->precision, answers[0], 1e-12);
  g_assert_cmpfloat_with_epsilon (metrics->recall, answers[1], 1e-12);
  g_assert_cmpfloat_with_epsilon (metrics->f1_score, answers[2], 1e-12);
  g_assert_cmpuint (metrics->support, ==, (uint64_t) answers[3]);
  return answers + 4;
}

static void
every_figure_equals_scikit_learn (void)
{
  g_auto (References) refs = { 0 };
  references_load (&refs);
  g_autoptr (ForgeEvaluation) e = evaluate (&refs, 1);
  const double *answers = refs.answers;
  for (guint c = 0; c < refs.n_classes; c++)
    answers = assert_metrics (&e->classes[c], answers);
  answers = assert_metrics (&e->macro_avg, answers);
  answers = assert_metrics (&e->weighted_avg, answers);
  g_assert_cmpfloat_with_epsilon (e->accuracy, answers[0], 1e-12);
  g_assert_cmpfloat_with_epsilon (e->top5_accuracy, answers[1], 1e-12);
  g_assert_cmpfloat_with_epsilon (e->nll, answers[2], 1e-6);
  g_assert_cmpfloat_with_epsilon (e->ece, answers[3], 1e-6);
  g_assert_cmpfloat_with_epsilon (e->brier, answers[4], 1e-6);
}

static void
temperature_is_scipys (void)
{
  g_auto (References) refs = { 0 };
  references_load (&refs);
  const double *answers = refs.answers + refs.n_answers - 3;
  const ForgeBaselineData data = data_of (&refs);
  double temperature = forge_fit_temperature (&data);
  g_assert_cmpfloat_with_epsilon (temperature, answers[0], 1e-5);
  g_autoptr (ForgeEvaluation) e = evaluate (&refs, temperature);
  g_assert_cmpfloat_with_epsilon (e->nll, answers[1], 1e-6);
  g_assert_cmpfloat_with_epsilon (e->ece, answers[2], 1e-5);
}

static void
temperature_has_bounds (void)
{
  const float right[] = { 3, 0, 0, 2 }, wrong[] = { 0, 3, 2, 0 };
  const uint32_t classes[] = { 0, 1 };
  ForgeBaselineData data = {
    .n_items = 2, .n_classes = 2, .logits = right, .classes = classes
  };
  g_assert_cmpfloat_with_epsilon (forge_fit_temperature (&data), 0.01, 1e-12);
  data.logits = wrong;
  g_assert_cmpfloat_with_epsilon (forge_fit_temperature (&data), 100, 1e-9);
}

static void
bins_and_mistakes_add_up (void)
{
  g_auto (References) refs = { 0 };
  references_load (&refs);
  g_autoptr (ForgeEvaluation) e = evaluate (&refs, 1);
  uint64_t n = 0;
  double ece = 0, hits = 0;
  for (guint i = 0; i < FORGE_N_CALIBRATION_BINS; i++) {
    const ForgeReliabilityBin *bin = &e->bins[i];
    n += bin->n_items;
    hits += (double) bin->n_items * bin->accuracy;
    ece += (double) bin->n_items * fabs (bin->accuracy - bin->confidence);
    if (bin->n_items > 0)
      g_assert_cmpfloat (fabs (bin->confidence * 15 - i - 0.5), <=, 0.5 + 1e-6);
  }
  g_assert_cmpuint (n, ==, refs.n);
  g_assert_cmpfloat_with_epsilon (hits / refs.n, e->accuracy, 1e-12);
  g_assert_cmpfloat_with_epsilon (ece / refs.n, e->ece, 1e-12);
  g_assert_cmpuint (e->n_mistakes, ==, FORGE_MAX_MISTAKES);
  for (guint i = 0; i < e->n_mistakes; i++) {
    const ForgeMistake *mistake = &e->mistakes[i];
    g_assert_cmpuint (mistake->truth, ==, refs.classes[mistake->item]);
    g_assert_cmpuint (mistake->truth, !=, mistake->predicted);
    if (i > 0)
      g_assert_cmpfloat (
          mistake->confidence, <=, e->mistakes[i - 1].confidence);
  }
}

enum { N = 600, K = 3, D = 40 };

/* Three clouds in 40 dimensions, of which two tell them apart and the rest is
 * slight noise. */
static void
draw_clouds (uint64_t seed, float *features, float *logits, uint32_t *classes)
{
  ForgeRng rng;
  forge_rng_seed (&rng, seed);
  for (guint i = 0; i < N; i++) {
    classes[i] = i % K;
    for (guint f = 0; f < D; f++)
      features[i * D + f] = (f < 2 ? 1.0f : 0.05f) * forge_rng_normal (&rng);
    features[i * D] += classes[i] == 1 ? 6 : 0;
    features[i * D + 1] += classes[i] == 2 ? 6 : 0;
    for (guint c = 0; c < K; c++)
      logits[i * K + c] =
          2 * forge_rng_normal (&rng) + (c == classes[i] ? 3 : 0);
  }
}

static ForgeBaseline *
cloud_baseline (void)
{
  static float features[2][N * D], logits[2][N * K];
  static uint32_t classes[2][N];
  ForgeBaselineData data[2];
  for (guint half = 0; half < 2; half++) {
    draw_clouds (half + 1, features[half], logits[half], classes[half]);
    data[half] = (ForgeBaselineData) { .n_items = N,
      .n_classes = K,
      .n_features = D,
      .logits = logits[half],
      .features = features[half],
      .classes = classes[half] };
  }
  return forge_baseline_new (&data[0], &data[1]);
}

static void
distance_tells_strangers_from_known (void)
{
  g_autoptr (ForgeBaseline) baseline = cloud_baseline ();
  g_assert_cmpuint (baseline->embedding.n_dims, ==, 32);
  float point[D] = { 0 };
  double centre = forge_baseline_distance (baseline, point);
  g_assert_cmpfloat (centre, <, (double) baseline->distance[500]);
  point[0] = 6; /* the middle of another class */
  g_assert_cmpfloat (forge_baseline_distance (baseline, point), <,
      (double) baseline->distance[500]);
  point[0] = 3; /* between two */
  double between = forge_baseline_distance (baseline, point);
  g_assert_cmpfloat (between, >, centre);
  point[0] = -30;
  g_assert_cmpfloat (forge_baseline_distance (baseline, point), >,
      (double) baseline->distance[1000]);
  point[0] = 0;
  for (guint f = 2; f < D; f++)
    point[f] = 1; /* twenty deviations where little varies */
  g_assert_cmpfloat (forge_baseline_distance (baseline, point), >,
      (double) baseline->distance[1000]);
  point[3] = NAN;
  g_assert_true (isinf (forge_baseline_distance (baseline, point)));
}

/* Whitened, the known pictures have unit covariance about their class: the
 * components are orthonormal, and half of the distances lie under the median
 * of a half that was not fitted on. */
static void
embedding_is_whitened (void)
{
  g_autoptr (ForgeBaseline) baseline = cloud_baseline ();
  const ForgeEmbedding *e = &baseline->embedding;
  for (guint a = 0; a < e->n_dims; a++)
    for (guint b = 0; b <= a; b++) {
      double dot = 0;
      for (guint f = 0; f < D; f++)
        dot += (double) e->components[a * D + f] *
               (double) e->components[b * D + f];
      g_assert_cmpfloat_with_epsilon (dot, a == b, 1e-5);
    }
  /* two dimensions of variance 1 + 8 (spread of the means) lead */
  double lead = 0;
  for (guint a = 0; a < 2; a++)
    for (guint f = 0; f < 2; f++)
      lead +=
          (double) e->components[a * D + f] * (double) e->components[a * D + f];
  g_assert_cmpfloat_with_epsilon (lead, 2, 1e-3);
  g_assert_cmpfloat (fabs ((double) baseline->distance[500] - 2), <, 0.4);
}

/* As many under the threshold as are wrong, on the half it was fitted on; on
 * the other nearly so. */
static void
atc_threshold_counts_the_errors (void)
{
  g_autoptr (ForgeBaseline) baseline = cloud_baseline ();
  static float features[N * D], logits[N * K];
  static uint32_t classes[N];
  for (guint half = 0; half < 2; half++) {
    guint n_wrong = 0, n_under = 0;
    draw_clouds (half + 1, features, logits, classes);
    for (guint i = 0; i < N; i++) {
      float p[K];
      guint top = 0;
      forge_temper (logits + i * K, K, baseline->temperature, p);
      for (guint c = 1; c < K; c++)
        top = p[c] > p[top] ? c : top;
      n_wrong += top != classes[i];
      n_under += forge_negative_entropy (p, K) < baseline->atc_threshold;
    }
    g_assert_cmpint (
        abs ((int) n_wrong - (int) n_under), <=, half ? N / 15 : 0);
    if (half == 1)
      g_assert_cmpfloat_with_epsilon (
          baseline->val_accuracy, 1 - (double) n_wrong / N, 1e-12);
  }
  g_assert_cmpfloat (baseline->nll_after, <, baseline->nll_before + 0.01);
}

static void
percentile_inverts_the_quantiles (void)
{
  float quantiles[FORGE_N_QUANTILES];
  for (guint i = 0; i < FORGE_N_QUANTILES; i++)
    quantiles[i] = (float) i / 500;
  g_assert_cmpfloat (forge_baseline_percentile (quantiles, -1), ==, 0);
  g_assert_cmpfloat (forge_baseline_percentile (quantiles, 3), ==, 1);
  g_assert_cmpfloat_with_epsilon (
      forge_baseline_percentile (quantiles, 0.501), 0.2505, 1e-6);
  for (guint i = 0; i < FORGE_N_QUANTILES; i++)
    quantiles[i] = i < 400 ? 1 : 2;
  g_assert_cmpfloat_with_epsilon (
      forge_baseline_percentile (quantiles, 1.5), 0.3995, 1e-3);
  g_assert_cmpfloat (forge_baseline_percentile (quantiles, NAN), ==, 0);
}

static void
json_gives_the_same_baseline_back (void)
{
  g_autoptr (ForgeBaseline) baseline = cloud_baseline ();
  g_autoptr (GError) error = NULL;
  baseline->accuracy_margin = 0.04;
  baseline->n_conditions = 75;
  baseline->split = g_strdup ("validation");
  g_autofree char *text = forge_baseline_to_json (baseline);
  g_autoptr (ForgeBaseline) back =
      forge_baseline_parse (text, strlen (text), &error);
  g_assert_no_error (error);
  g_autofree char *again = forge_baseline_to_json (back);
  g_assert_cmpstr (text, ==, again);
  g_assert_cmpmem (back->confusion, K * K * sizeof (uint32_t),
      baseline->confusion, K * K * sizeof (uint32_t));
  g_assert_cmpmem (back->distance, sizeof back->distance, baseline->distance,
      sizeof baseline->distance);
  g_assert_cmpfloat (back->temperature, ==, baseline->temperature);
  g_assert_cmpstr (back->split, ==, "validation");
  float point[D] = { 1, 2, 3 };
  g_assert_cmpfloat (forge_baseline_distance (back, point), ==,
      forge_baseline_distance (baseline, point));
  g_assert_true (back->has_energy);
}

static void
damaged_json_is_refused_by_name (void)
{
  static const struct {
    const char *from, *to, *word;
  } rows[] = {
    { "\"version\":1", "\"version\":2", "version 2" },
    { "\"n_classes\":3", "\"n_classes\":4", "class_prior" },
    { "\"n_classes\":3", "\"n_classes\":100000000", "n_classes" },
    { "\"n_val\":600", "\"n_val\":-1", "n_val" },
    { "\"n_features\":40", "\"n_features\":41", "mean" },
    { "\"n_dims\":32", "\"n_dims\":33", "n_dims" },
    { "\"temperature\":", "\"temperature\":-", "temperature" },
    { "\"entropy\":\"", "\"entropy\":\"AAAA", "entropy" },
    { "\"distance\":\"", "\"distances\":\"", "distance" },
    { "\"quantiles\":{", "\"quantile\":{", "quantiles" },
    { "\"mean_residual\":", "\"mean_residual\":-", "mean_residual" },
    { "{\"version\"", "[{\"version\"", "forge.baseline" },
  };
  g_autoptr (ForgeBaseline) baseline = cloud_baseline ();
  g_autofree char *text = forge_baseline_to_json (baseline);
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autoptr (GError) error = NULL;
    g_auto (GStrv) parts = g_strsplit (text, rows[i].from, 2);
    g_assert_cmpuint (g_strv_length (parts), ==, 2);
    g_autofree char *damaged =
        g_strconcat (parts[0], rows[i].to, parts[1], NULL);
    g_assert_null (forge_baseline_parse (damaged, strlen (damaged), &error));
    g_assert_true (error->domain == FORGE_ERROR);
    if (!strstr (error->message, rows[i].word))
      g_error ("row %" G_GSIZE_FORMAT ": %s", i, error->message);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name) g_test_add_func ("/metrics/" #name, name)
  ADD (every_figure_equals_scikit_learn);
  ADD (temperature_is_scipys);
  ADD (temperature_has_bounds);
  ADD (bins_and_mistakes_add_up);
  ADD (distance_tells_strangers_from_known);
  ADD (embedding_is_whitened);
  ADD (atc_threshold_counts_the_errors);
  ADD (percentile_inverts_the_quantiles);
  ADD (json_gives_the_same_baseline_back);
  ADD (damaged_json_is_refused_by_name);
  return g_test_run ();
}
