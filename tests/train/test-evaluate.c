/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Metrics: the numbers that scikit-learn's documentation prints for its own
 * examples, and cases worked out by hand from the formulas. */
#include <math.h>

#include "train/score.h"

static const char *const names[] = { "a", "b", "c", "d", "e", "f", "g", NULL };

/* Labels of the first @n classes. */
static char **
labels (guint n)
{
  char **list = g_new0 (char *, n + 1);
  for (guint c = 0; c < n; c++)
    list[c] = g_strdup (names[c]);
  return list;
}

static ForgeEvaluation *
from_pairs (
    guint n_classes, const guint *truth, const guint *predicted, guint n)
{
  g_auto (GStrv) list = labels (n_classes);
  g_autofree uint64_t *confusion = g_new0 (uint64_t, n_classes * n_classes);
  for (guint i = 0; i < n; i++)
    confusion[truth[i] * n_classes + predicted[i]]++;
  return forge_evaluation_new_from_confusion (
      (const char *const *) list, confusion, n_classes);
}

static void
assert_metrics (const ForgeClassMetrics *metrics, double precision,
    double recall, double f1_score, guint support)
{
  g_assert_cmpfloat_with_epsilon (metrics->precision, precision, 1e-12);
  g_assert_cmpfloat_with_epsilon (metrics->recall, recall, 1e-12);
  g_assert_cmpfloat_with_epsilon (metrics->f1_score, f1_score, 1e-12);
  g_assert_cmpuint (metrics->support, ==, support);
}

/* The example of sklearn.metrics.classification_report, which prints
 * 0.50 1.00 0.67, 0.00 0.00 0.00, 1.00 0.67 0.80; accuracy 0.60; macro
 * 0.50 0.56 0.49; weighted 0.70 0.60 0.61. */
static void
report_equals_scikit_learn (void)
{
  static const guint truth[] = { 0, 1, 2, 2, 2 };
  static const guint predicted[] = { 0, 0, 2, 2, 1 };
  g_autoptr (ForgeEvaluation) e = from_pairs (3, truth, predicted, 5);
  assert_metrics (&e->classes[0], 0.5, 1, 2.0 / 3, 1);
  assert_metrics (&e->classes[1], 0, 0, 0, 1);
  assert_metrics (&e->classes[2], 1, 2.0 / 3, 0.8, 3);
  assert_metrics (&e->macro_avg, 0.5, 5.0 / 9, 22.0 / 45, 5);
  assert_metrics (&e->weighted_avg, 0.7, 0.6, (2.0 / 3 + 2.4) / 5, 5);
  g_assert_cmpfloat_with_epsilon (e->accuracy, 0.6, 1e-12);
  g_assert_cmpuint (forge_evaluation_worst_class (e), ==, 1);
  g_assert_cmpstr (e->labels[2], ==, "c");
  g_assert_null (e->labels[3]);
}

/* The example of precision_score, recall_score and f1_score: macro 0.22, 0.33,
 * 0.26. */
static void
macro_scores_equal_scikit_learn (void)
{
  static const guint truth[] = { 0, 1, 2, 0, 1, 2 };
  static const guint predicted[] = { 0, 2, 1, 0, 0, 1 };
  g_autoptr (ForgeEvaluation) e = from_pairs (3, truth, predicted, 6);
  assert_metrics (&e->macro_avg, 2.0 / 9, 1.0 / 3, 0.8 / 3, 6);
  assert_metrics (&e->weighted_avg, 2.0 / 9, 1.0 / 3, 0.8 / 3, 6);
}

static void
empty_classes_score_zero_and_are_never_the_worst (void)
{
  static const guint truth[] = { 1, 1, 1 }, predicted[] = { 1, 2, 1 };
  g_autoptr (ForgeEvaluation) e = from_pairs (4, truth, predicted, 3);
  assert_metrics (&e->classes[0], 0, 0, 0, 0);
  assert_metrics (&e->classes[1], 1, 2.0 / 3, 0.8, 3);
  assert_metrics (&e->classes[2], 0, 0, 0, 0);
  assert_metrics (&e->macro_avg, 0.25, 1.0 / 6, 0.2, 3);
  assert_metrics (&e->weighted_avg, 1, 2.0 / 3, 0.8, 3);
  g_assert_cmpuint (forge_evaluation_worst_class (e), ==, 1);
  g_autoptr (ForgeEvaluation) nothing = from_pairs (4, truth, predicted, 0);
  g_assert_cmpfloat (nothing->accuracy, ==, 0);
  assert_metrics (&nothing->weighted_avg, 0, 0, 0, 0);
}

static void
rank_breaks_ties_by_class (void)
{
  static const float p[] = { 0.1f, 0.3f, 0.3f, 0.2f, 0.1f };
  static const uint32_t ranks[] = { 3, 0, 1, 2, 4 };
  for (uint32_t truth = 0; truth < 5; truth++) {
    ForgeScore score;
    forge_score (&score, p, 5, truth);
    g_assert_cmpuint (score.top, ==, 1);
    g_assert_cmpuint (score.rank, ==, ranks[truth]);
    g_assert_cmpfloat (score.confidence, ==, 0.3f);
    g_assert_cmpfloat (score.p_truth, ==, p[truth]);
    g_assert_true (score.seen);
  }
}

/* The example of top_k_accuracy_score: 0.75 for k = 2. */
static void
rank_gives_top_k_accuracy_of_scikit_learn (void)
{
  static const uint32_t truth[] = { 0, 1, 2, 2 };
  static const float p[4][3] = { { 0.5f, 0.2f, 0.2f }, { 0.3f, 0.4f, 0.2f },
    { 0.2f, 0.4f, 0.3f }, { 0.7f, 0.2f, 0.1f } };
  guint hits = 0;
  for (guint i = 0; i < 4; i++) {
    ForgeScore score;
    forge_score (&score, p[i], 3, truth[i]);
    hits += score.rank < 2;
  }
  g_assert_cmpuint (hits, ==, 3);
}

static void
top5_counts_five_ranks (void)
{
  g_auto (GStrv) list = labels (7);
  static const float p[] = { 0.3f, 0.2f, 0.15f, 0.12f, 0.1f, 0.08f, 0.05f };
  ForgeScore scores[7];
  for (uint32_t truth = 0; truth < 7; truth++)
    forge_score (&scores[truth], p, 7, truth);
  g_autoptr (ForgeEvaluation) e = forge_evaluation_new_from_scores (
      (const char *const *) list, 7, scores, 7);
  g_assert_cmpfloat_with_epsilon (e->top5_accuracy, 5.0 / 7, 1e-12);
  g_assert_cmpfloat_with_epsilon (e->accuracy, 1.0 / 7, 1e-12);
}

/* The example of log_loss prints 0.21616 (classes: ham, spam). */
static void
nll_equals_scikit_learn_log_loss (void)
{
  static const uint32_t truth[] = { 1, 0, 0, 1 };
  static const float p[4][2] = { { 0.1f, 0.9f }, { 0.9f, 0.1f }, { 0.8f, 0.2f },
    { 0.35f, 0.65f } };
  g_auto (GStrv) list = labels (2);
  ForgeScore scores[5] = { 0 };
  for (guint i = 0; i < 4; i++)
    forge_score (&scores[i], p[i], 2, truth[i]);
  g_autoptr (ForgeEvaluation) e = forge_evaluation_new_from_scores (
      (const char *const *) list, 2, scores, 5);
  g_assert_cmpfloat_with_epsilon (e->nll, 0.21616, 5e-6);
  g_assert_cmpfloat_with_epsilon (e->mean_confidence, 3.25 / 4, 1e-7);
  g_assert_cmpuint (e->n_items, ==, 4);
  g_assert_cmpuint (e->n_skipped, ==, 1);
  g_assert_cmpfloat (e->accuracy, ==, 1);
}

static void
certain_error_has_a_finite_nll (void)
{
  static const float p[] = { 1, 0 };
  g_auto (GStrv) list = labels (2);
  ForgeScore score;
  forge_score (&score, p, 2, 1);
  g_autoptr (ForgeEvaluation) e = forge_evaluation_new_from_scores (
      (const char *const *) list, 2, &score, 1);
  g_assert_cmpfloat_with_epsilon (e->nll, 52 * log (2), 1e-9);
  g_assert_cmpfloat_with_epsilon (e->ece, 1, 1e-12);
}

/* Two bins: (8/15, 9/15] holds confidence 0.55, 0.59 with one hit; the last
 * holds 0.95 with a hit and 0.99 with none:
 * (|1 - 1.14| + |1 - 1.94|) / 4 = 0.27. */
static void
ece_is_the_weighted_gap_of_the_bins (void)
{
  static const float p[4][2] = { { 0.55f, 0.45f }, { 0.59f, 0.41f },
    { 0.95f, 0.05f }, { 0.99f, 0.01f } };
  static const uint32_t truth[] = { 0, 1, 0, 1 };
  g_auto (GStrv) list = labels (2);
  ForgeScore scores[4];
  for (guint i = 0; i < 4; i++)
    forge_score (&scores[i], p[i], 2, truth[i]);
  g_autoptr (ForgeEvaluation) e = forge_evaluation_new_from_scores (
      (const char *const *) list, 2, scores, 4);
  g_assert_cmpfloat_with_epsilon (e->ece, 0.27, 1e-6);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name) g_test_add_func ("/evaluate/" #name, name)
  ADD (report_equals_scikit_learn);
  ADD (macro_scores_equal_scikit_learn);
  ADD (empty_classes_score_zero_and_are_never_the_worst);
  ADD (rank_breaks_ties_by_class);
  ADD (rank_gives_top_k_accuracy_of_scikit_learn);
  ADD (top5_counts_five_ranks);
  ADD (nll_equals_scikit_learn_log_loss);
  ADD (certain_error_has_a_finite_nll);
  ADD (ece_is_the_weighted_gap_of_the_bins);
  return g_test_run ();
}
