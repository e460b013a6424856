/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Epochs without easy pictures: which are left out, that the gradient is the
 * same on average, that the schedule comes to its end, and what is said. */
#include <math.h>
#include <string.h>

#include "run.h"
#include "train/trainer.h"

#define N 4000

/* Item i has loss i, but for every eighth, which nothing is known of. */
static ForgePrune *
new_prune (void)
{
  ForgePrune *prune = forge_prune_new (N);
  for (uint32_t i = 0; i < N; i++) {
    float loss = (float) i;
    if (i % 8 != 0)
      forge_prune_record (prune, &i, 1, &loss);
  }
  return prune;
}

static void
a_share_of_the_easy_half_sits_out (void)
{
  static const double rates[] = { 0.1, 0.5, 0.9 };
  for (guint r = 0; r < G_N_ELEMENTS (rates); r++) {
    g_autoptr (ForgePrune) prune = new_prune ();
    forge_prune_begin (prune, rates[r], 5, 1);
    /* The mean of the known losses is 2000.0: 1750 are known below it. */
    guint n_out = 0;
    double weight = 0, easy_weight = 0;
    for (guint i = 0; i < N; i++) {
      gboolean easy = i % 8 != 0 && i < 2000;
      g_assert_true (easy || !prune->left_out[i]);
      n_out += prune->left_out[i];
      double factor = easy ? 1 / (1 - rates[r]) : 1;
      g_assert_cmpfloat_with_epsilon (prune->factors[i], factor, 1e-6);
      weight += prune->left_out[i] ? 0 : prune->factors[i];
      easy_weight += easy && !prune->left_out[i] ? prune->factors[i] : 0;
    }
    g_assert_cmpuint (n_out, ==, prune->n_left_out);
    /* Five deviations of a binomial draw. */
    double spread = 5 * sqrt (1750 * rates[r] * (1 - rates[r]));
    g_assert_cmpfloat (fabs (n_out - 1750 * rates[r]), <, spread);
    /* The easy ones weigh as much together as they did. */
    g_assert_cmpfloat (fabs (easy_weight - 1750), <, spread / (1 - rates[r]));
    g_assert_cmpfloat_with_epsilon (weight - easy_weight, N - 1750, 1e-6);
  }
}

static void
draws_go_by_the_seed (void)
{
  g_autoptr (ForgePrune) a = new_prune ();
  g_autoptr (ForgePrune) b = new_prune ();
  forge_prune_begin (a, 0.5, 1, 1);
  forge_prune_begin (b, 0.5, 2, 1);
  g_assert_cmpint (memcmp (a->left_out, b->left_out, N), !=, 0);
  forge_prune_begin (b, 0.5, 1, 1);
  g_assert_cmpmem (a->left_out, N, b->left_out, N);
}

static void
nothing_is_left_out_without_cause (void)
{
  g_autoptr (ForgePrune) prune = forge_prune_new (N);
  forge_prune_begin (prune, 0.9, 1, 1);
  g_assert_cmpuint (prune->n_left_out, ==, 0);
  g_autoptr (ForgePrune) known = new_prune ();
  forge_prune_begin (known, 0.9, 1, 1);
  g_assert_cmpuint (known->n_left_out, >, 0);
  /* Too few would stay for a batch; off. */
  for (int i = 0; i < 2; i++) {
    forge_prune_begin (known, i ? 0.9 : 0, 1, i ? N - 100 : 1);
    g_assert_cmpuint (known->n_left_out, ==, 0);
    for (guint k = 0; k < N; k++) {
      g_assert_cmpfloat (known->factors[k], ==, 1);
      g_assert_false (known->left_out[k]);
    }
  }
  /* All alike: none is below the mean. */
  for (uint32_t i = 0; i < N; i++)
    forge_prune_record (known, &i, 1, &(float) { 0.5f });
  forge_prune_begin (known, 0.9, 1, 1);
  g_assert_cmpuint (known->n_left_out, ==, 0);
}

/* What sits out is at the end; who stays keeps the order of the shuffle. */
static void
shuffle_puts_them_last (void)
{
  enum { ITEMS = 100 };
  uint32_t whole[ITEMS], order[ITEMS];
  uint8_t last[ITEMS];
  for (guint i = 0; i < ITEMS; i++)
    last[i] = i % 3 == 0;
  ForgeLoader a = { .n_items = ITEMS, .order = whole };
  ForgeLoader b = { .n_items = ITEMS, .order = order };
  forge_loader_shuffle (&a, 4, NULL);
  forge_loader_shuffle (&b, 4, last);
  guint at = 0;
  for (int behind = 0; behind < 2; behind++)
    for (guint i = 0; i < ITEMS; i++)
      if (last[whole[i]] == behind)
        g_assert_cmpuint (order[at++], ==, whole[i]);
  g_assert_cmpuint (at, ==, ITEMS);
}

/* However many steps an epoch has, it covers its part of the schedule. */
static void
schedule_comes_to_its_end (void)
{
  const ForgeTrainer trainer = { .n_steps = 97, .epochs = 16 };
  for (guint n_steps = 1; n_steps <= 97; n_steps++)
    for (uint64_t epoch = 0; epoch < 16; epoch++) {
      double before = (double) epoch * 97;
      g_assert_cmpfloat (
          forge_trainer_place (&trainer, epoch, 0, n_steps), ==, before);
      for (guint step = 1; step <= n_steps; step++) {
        double place = forge_trainer_place (&trainer, epoch, step, n_steps);
        g_assert_cmpfloat (place, >, before);
        if (n_steps == 97)
          g_assert_cmpfloat (place, ==, (double) epoch * 97 + step);
        before = place;
      }
      g_assert_cmpfloat (before, ==, (double) (epoch + 1) * 97);
    }
  g_assert_cmpfloat (forge_lookahead_decay (16 * 97, 16 * 97), ==, 1);
}

/* A factor is the gradient's, the loss that is told is free of it. */
static void
factors_scale_the_gradient (void)
{
  static const float z[4][3] = { { 1, 2, 3 }, { -1, 0.5f, 0.25f }, { 0, 0, 4 },
    { 2, -1, 0 } };
  static const float t[4][3] = { { 0, 0, 1 }, { 1, 0, 0 }, { 0, 0.5f, 0.5f },
    { 1, 0, 0 } };
  static const float factors[] = { 2, 1, 0.5f, 4 }, weights[] = { 1, 1, 3 };
  ForgeLossRule rule = {
    .kind = FORGE_LOSS_SOFTMAX, .smoothing = 0.1, .weights = weights
  };
  float plain[4][3], scaled[4][3], losses[4];
  ForgeLoss before = { 0 }, after = { 0 };
  forge_loss (&rule, z[0], t[0], 4, 3, plain[0], &before);
  rule.factors = factors;
  rule.losses = losses;
  forge_loss (&rule, z[0], t[0], 4, 3, scaled[0], &after);
  double sum = 0;
  for (guint n = 0; n < 4; n++) {
    ForgeLoss one = { 0 };
    const ForgeLossRule bare = { .kind = FORGE_LOSS_SOFTMAX, .smoothing = 0.1 };
    forge_loss (&bare, z[n], t[n], 1, 3, NULL, &one);
    g_assert_cmpfloat_with_epsilon (losses[n], one.loss, 1e-6);
    double weight = n == 0 ? 3 : n == 2 ? 2 : 1;
    sum += factors[n] * weight * one.loss;
    for (guint c = 0; c < 3; c++)
      g_assert_cmpfloat_with_epsilon (
          scaled[n][c], factors[n] * plain[n][c], 1e-7);
  }
  g_assert_cmpfloat_with_epsilon (after.loss, sum, 1e-9);
  g_assert_cmpfloat (before.images, ==, 4);
  g_assert_cmpfloat (before.hits, ==, 2);
  g_assert_cmpfloat (after.images, ==, 7.5);
  g_assert_cmpfloat (after.hits, ==, 6);
}

/* The log's lines, and the number of one field of each. */
static void
assert_logged (const Run *run, const char *field, guint epoch, guint expected)
{
  g_autoptr (GBytes) bytes = run_read_file (run->log);
  g_auto (GStrv) lines = g_strsplit (g_bytes_get_data (bytes, NULL), "\n", -1);
  g_autofree char *text = g_strdup_printf ("\"%s\": %u,", field, expected);
  g_assert_cmpuint (g_strv_length (lines), >, epoch);
  if (!strstr (lines[epoch], text))
    g_error ("'%s' does not say '%s'", lines[epoch], text);
}

static void
shorter_epochs_are_counted_and_learn (void)
{
  Run run;
  run_init (&run, 60, 60);
  run.params.epochs = 8;
  run.params.prune_easy = 0.5;
  run.params.log = run.log;
  run_ok (&run);
  const guint n_items = 96, batch = 16;
  guint n_calls = 0;
  g_assert_cmpuint (run.n_epochs, ==, 8);
  for (guint i = 0; i < run.n_epochs; i++) {
    const ForgeTrainProgress *epoch = &run.epochs[i];
    g_assert_cmpuint (epoch->steps, ==, (n_items - epoch->n_left_out) / batch);
    g_assert_cmpuint (epoch->n_images, ==, epoch->steps * batch);
    /* All are used first, as nothing is known, and in the last eighth. */
    if (i == 0 || i == 7)
      g_assert_cmpuint (epoch->n_left_out, ==, 0);
    else
      g_assert_cmpuint (epoch->n_left_out, >, 0);
    assert_logged (&run, "images", i, epoch->n_images);
    assert_logged (&run, "left_out", i, epoch->n_left_out);
    n_calls += epoch->steps;
  }
  g_assert_cmpuint (run.n_calls, ==, n_calls);
  g_assert_cmpfloat (run.epochs[7].eta_s, ==, 0);
  g_assert_cmpfloat (run.result.val_accuracy, >, 0.9);
  run_clear (&run);
}

/* Whole again in the last epoch, the run ends at the rate of any other. */
static void
last_rate_is_that_of_whole_epochs (void)
{
  double last[2];
  for (int prunes = 0; prunes < 2; prunes++) {
    Run run;
    run_init (&run, 60, 60);
    run.params.prune_easy = prunes ? 0.6 : 0;
    run.params.final_learning_rate = 1e-6;
    run_ok (&run);
    g_assert_true ((run.epochs[2].n_left_out > 0) == prunes);
    last[prunes] = run.epochs[3].learning_rate;
    run_clear (&run);
  }
  g_assert_cmpfloat (last[0], ==, last[1]);
}

static void
bad_values_are_refused (void)
{
  Run run;
  run_init (&run, 20, 60);
  static const double bad[] = { -0.1, 0.96, NAN };
  for (guint i = 0; i < G_N_ELEMENTS (bad); i++) {
    run.params.prune_easy = bad[i];
    run_refused (&run, FORGE_ERROR_ARGUMENT, "'prune_easy'");
  }
  run.params.prune_easy = 0.5;
  run.params.prune_until = 1.5;
  run_refused (&run, FORGE_ERROR_ARGUMENT, "'prune_until'");
  run_clear (&run);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_unsetenv ("FORGE_DATA");
#define ADD(name) g_test_add_func ("/prune/" #name, name)
  ADD (a_share_of_the_easy_half_sits_out);
  ADD (draws_go_by_the_seed);
  ADD (nothing_is_left_out_without_cause);
  ADD (shuffle_puts_them_last);
  ADD (schedule_comes_to_its_end);
  ADD (factors_scale_the_gradient);
  ADD (shorter_epochs_are_counted_and_learn);
  ADD (last_rate_is_that_of_whole_epochs);
  ADD (bad_values_are_refused);
  return g_test_run ();
}
