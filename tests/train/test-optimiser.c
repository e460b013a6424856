/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Optimisers, learning rate schedules and losses against numbers worked out
 * in double precision from the published formulas, and against finite
 * differences. */
#include <math.h>

#include "train/trainer.h"

typedef struct {
  double first, learning_rate, weight_decay;
  float gradients[4];
  double expected[4];
} AdamCase;

/* From algorithm 1 of the paper, evaluated by a Python script of ten lines in
 * double precision. */
static const AdamCase adam_cases[] = {
  { 1.0, 0.1, 0, { 0.5f, -0.25f, 2.0f, 0 },
      { 0.9000000019999999, 0.8733662987078462, 0.8063015345291529,
          0.7513661605487788 } },
  { -2.0, 0.01, 0.1, { 1e-3f, 1e-3f, -5e-3f, 4e-3f },
      { -2.007999900001, -2.0159918001019985, -2.009930879862802,
          -2.0088420422300133 } },
};

static void
adam_equals_the_published_formula (void)
{
  for (guint i = 0; i < G_N_ELEMENTS (adam_cases); i++) {
    const AdamCase *c = &adam_cases[i];
    ForgeOptimiser adam = FORGE_OPTIMISER_DEFAULT;
    adam.kind = FORGE_OPTIMISER_ADAMW;
    adam.learning_rate = c->learning_rate;
    adam.weight_decay = c->weight_decay;
    /* More elements than a vector holds, so that body and tail are met. */
    float value[37], m[37] = { 0 }, v[37] = { 0 }, gradient[37];
    for (guint k = 0; k < 37; k++)
      value[k] = (float) c->first;
    for (guint step = 0; step < 4; step++) {
      for (guint k = 0; k < 37; k++)
        gradient[k] = c->gradients[step];
      forge_optimiser_step (&adam, step + 1, 1, 37, value, gradient, m, v);
      for (guint k = 0; k < 37; k++)
        g_assert_cmpfloat_with_epsilon (value[k], c->expected[step], 2e-6);
    }
  }
}

/* Whatever the gradient's size: the bias corrections cancel. */
static void
first_step_is_the_learning_rate (void)
{
  ForgeOptimiser adam = FORGE_OPTIMISER_DEFAULT;
  static const float sizes[] = { 1e-4f, 1, 1e6f, -1e-4f, -1, -1e6f };
  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++) {
    float value = 0, m = 0, v = 0;
    forge_optimiser_step (&adam, 1, 1, 1, &value, &sizes[i], &m, &v);
    g_assert_cmpfloat_with_epsilon (value, sizes[i] > 0 ? -1e-3 : 1e-3, 2e-7);
  }
}

static void
adam_finds_the_least_of_a_bowl (void)
{
  ForgeOptimiser adam = FORGE_OPTIMISER_DEFAULT;
  adam.learning_rate = 0.05;
  float value[2] = { 3, -4 }, m[2] = { 0 }, v[2] = { 0 };
  for (guint step = 1; step <= 1000; step++) {
    float gradient[2] = { 2 * (value[0] - 1), 20 * (value[1] - 2) };
    forge_optimiser_step (&adam, step, 1, 2, value, gradient, m, v);
  }
  g_assert_cmpfloat_with_epsilon (value[0], 1, 1e-3);
  g_assert_cmpfloat_with_epsilon (value[1], 2, 1e-3);
}

/* Coupled decay is a gradient of its own; Adam's first step is the rate,
 * whatever its size. */
static void
decay_is_coupled_in_adam_and_apart_in_adamw (void)
{
  ForgeOptimiser adam = FORGE_OPTIMISER_DEFAULT;
  adam.weight_decay = 0.5;
  float value = 2, m = 0, v = 0, gradient = 0;
  forge_optimiser_step (&adam, 1, 1, 1, &value, &gradient, &m, &v);
  g_assert_cmpfloat_with_epsilon (value, 2 - 1e-3, 1e-6);
  g_assert_cmpfloat_with_epsilon (m, 0.1, 1e-6);
  adam.kind = FORGE_OPTIMISER_ADAMW;
  value = 2, m = v = 0;
  forge_optimiser_step (&adam, 1, 1, 1, &value, &gradient, &m, &v);
  g_assert_cmpfloat_with_epsilon (value, 2 - 1e-3 * 0.5 * 2, 1e-6);
  g_assert_cmpfloat (m, ==, 0);
}

/* The recursion of the header, worked out in double precision here. */
static void
sgd_equals_its_recursion (void)
{
  static const float gradients[] = { 0.5f, -0.25f, 2, 0, 0.125f };
  for (int nesterov = 0; nesterov < 2; nesterov++) {
    ForgeOptimiser sgd = FORGE_OPTIMISER_DEFAULT;
    sgd.kind = FORGE_OPTIMISER_SGD;
    sgd.learning_rate = 0.1;
    sgd.momentum = 0.85;
    sgd.weight_decay = 0.01;
    sgd.nesterov = nesterov;
    float value[37], m[37] = { 0 }, gradient[37];
    double expected = 1.5, moment = 0;
    for (guint k = 0; k < 37; k++)
      value[k] = 1.5f;
    for (guint step = 0; step < 5; step++) {
      for (guint k = 0; k < 37; k++)
        gradient[k] = gradients[step] * 4;
      forge_optimiser_step (
          &sgd, step + 1, 0.25f, 37, value, gradient, m, NULL);
      double g = gradients[step] + 0.01 * expected;
      moment = 0.85 * moment + g;
      expected -= 0.1 * (nesterov ? g + 0.85 * moment : moment);
      for (guint k = 0; k < 37; k++)
        g_assert_cmpfloat_with_epsilon (value[k], expected, 2e-6);
    }
  }
}

static ForgeSchedule
cosine (double first, double last)
{
  return (ForgeSchedule) {
    .kind = FORGE_SCHEDULE_COSINE, .rate = first, .last = last, .n_steps = 100
  };
}

static void
cosine_goes_from_first_to_last (void)
{
  ForgeSchedule a = cosine (1e-3, 1e-5), b = cosine (1e-3, 0);
  ForgeSchedule constant = cosine (1e-3, -1);
  g_assert_cmpfloat (forge_schedule_rate (&a, 0), ==, 1e-3);
  g_assert_cmpfloat_with_epsilon (forge_schedule_rate (&a, 50), 5.05e-4, 1e-12);
  g_assert_cmpfloat_with_epsilon (
      forge_schedule_rate (&b, 25), 8.535533905932738e-4, 1e-15);
  g_assert_cmpfloat_with_epsilon (forge_schedule_rate (&a, 100), 1e-5, 1e-15);
  g_assert_cmpfloat_with_epsilon (forge_schedule_rate (&a, 200), 1e-5, 1e-15);
  for (guint step = 0; step <= 100; step += 10)
    g_assert_cmpfloat (forge_schedule_rate (&constant, step), ==, 1e-3);
}

static void
one_cycle_is_a_triangle (void)
{
  static const struct {
    uint64_t step;
    double rate;
  } points[] = { { 0, 0.4 }, { 115, 1.2 }, { 230, 2 }, { 615, 1.07 },
    { 1000, 0.14 }, { 2000, 0.14 } };
  const ForgeSchedule cycle = { .kind = FORGE_SCHEDULE_ONE_CYCLE,
    .rate = 2,
    .start = 0.2,
    .peak = 0.23,
    .end = 0.07,
    .n_steps = 1000 };
  for (guint i = 0; i < G_N_ELEMENTS (points); i++)
    g_assert_cmpfloat_with_epsilon (
        forge_schedule_rate (&cycle, points[i].step), points[i].rate, 1e-12);
  ForgeSchedule falling = cycle, rising = cycle;
  falling.peak = 0;
  rising.peak = 1;
  g_assert_cmpfloat (forge_schedule_rate (&falling, 0), ==, 2);
  g_assert_cmpfloat_with_epsilon (
      forge_schedule_rate (&rising, 500), 1.2, 1e-12);
  g_assert_cmpfloat (forge_schedule_rate (&rising, 1000), ==, 2);
}

static void
steps_and_warm_up_multiply (void)
{
  ForgeSchedule step = { .kind = FORGE_SCHEDULE_STEP,
    .rate = 8,
    .factor = 0.5,
    .every = 10,
    .warmup = 3,
    .n_steps = 40 };
  static const double rates[] = { 2, 4, 6, 8 };
  for (guint i = 0; i < 4; i++)
    g_assert_cmpfloat (forge_schedule_rate (&step, i), ==, rates[i]);
  g_assert_cmpfloat (forge_schedule_rate (&step, 9), ==, 8);
  g_assert_cmpfloat (forge_schedule_rate (&step, 10), ==, 4);
  g_assert_cmpfloat (forge_schedule_rate (&step, 39), ==, 1);
  step.kind = FORGE_SCHEDULE_CONSTANT;
  g_assert_cmpfloat (forge_schedule_rate (&step, 0), ==, 2);
  g_assert_cmpfloat (forge_schedule_rate (&step, 39), ==, 8);
  /* The cosine begins where the warm-up ends. */
  ForgeSchedule late = cosine (1, 0);
  late.warmup = 20;
  g_assert_cmpfloat_with_epsilon (
      forge_schedule_rate (&late, 9), 10.0 / 21, 1e-12);
  g_assert_cmpfloat (forge_schedule_rate (&late, 20), ==, 1);
  g_assert_cmpfloat_with_epsilon (forge_schedule_rate (&late, 60), 0.5, 1e-12);
}

static void
lookahead_lets_go_late_and_ends_in_the_slow_weights (void)
{
  g_assert_cmpfloat (forge_lookahead_decay (0, 100), ==, 0);
  g_assert_cmpfloat_with_epsilon (
      forge_lookahead_decay (50, 100), 0.7737809375 / 8, 1e-12);
  g_assert_cmpfloat_with_epsilon (
      forge_lookahead_decay (99, 100), 0.7737809375 * 0.970299, 1e-12);
  g_assert_cmpfloat (forge_lookahead_decay (100, 100), ==, 1);
}

static const ForgeLossRule plain = { .kind = FORGE_LOSS_SOFTMAX };

static void
loss_equals_stored_numbers (void)
{
  static const float z[2][3] = { { 1, 2, 3 }, { -1, 0.5f, 0.25f } };
  static const float t[2][3] = { { 0, 0, 1 }, { 1, 0, 0 } };
  static const double expected[2][3] = {
    { 0.04501528658519023, 0.12236423552739883, -0.16737952211258905 },
    { -0.4442712644748986, 0.2497588649066075, 0.1945123995682911 }
  };
  float d[2][3];
  ForgeLoss sum = { 0 };
  forge_loss (&plain, z[0], t[0], 2, 3, d[0], &sum);
  g_assert_cmpfloat_with_epsilon (
      sum.loss, 0.4076059644443803 + 2.1941121864019144, 1e-12);
  g_assert_cmpuint (sum.hits, ==, 1);
  for (guint n = 0; n < 2; n++)
    for (guint c = 0; c < 3; c++)
      g_assert_cmpfloat_with_epsilon (d[n][c], expected[n][c], 1e-8);
  forge_loss (&plain, z[0], t[0], 2, 3, NULL, &sum);
  g_assert_cmpuint (sum.hits, ==, 2);
}

static double
loss_of (const ForgeLossRule *rule, const float *z, const float *t, guint n)
{
  ForgeLoss sum = { 0 };
  forge_loss (rule, z, t, 1, n, NULL, &sum);
  return sum.loss;
}

/* Every kind, smoothed, weighted, of one class, two mixed, many or none. */
static void
loss_gradient_is_its_slope (void)
{
  static const float weights[] = { 0.5f, 2, 1, 3 };
  static const ForgeLossRule rules[] = { { FORGE_LOSS_SOFTMAX, 0, NULL },
    { FORGE_LOSS_SOFTMAX, 0.2, NULL }, { FORGE_LOSS_SOFTMAX, 0.1, weights },
    { FORGE_LOSS_SIGMOID, 0, NULL }, { FORGE_LOSS_SIGMOID, 0.2, weights } };
  static const float targets[][4] = { { 0, 0, 1, 0 }, { 0.25f, 0, 0, 0.75f },
    { 1, 0, 1, 1 }, { 0, 0, 0, 0 } };
  float z[4] = { 0.5f, -1.25f, 2, 0 }, d[4];
  for (guint r = 0; r < G_N_ELEMENTS (rules); r++) {
    gboolean sigmoid = rules[r].kind == FORGE_LOSS_SIGMOID;
    for (guint t = 0; t < (sigmoid ? 4 : 2); t++)
      for (guint n = sigmoid ? 1 : 4; n <= 4; n += 3)
        for (guint c = 0; c < n; c++) {
          ForgeLoss sum = { 0 };
          forge_loss (&rules[r], z, targets[t], 1, n, d, &sum);
          const float h = 1.0f / 256, at = z[c];
          z[c] = at + h;
          double above = loss_of (&rules[r], z, targets[t], n);
          z[c] = at - h;
          double below = loss_of (&rules[r], z, targets[t], n);
          z[c] = at;
          g_assert_cmpfloat_with_epsilon (
              d[c], (above - below) / (2 * h), 2e-5);
        }
  }
}

static void
smoothing_and_weights_follow_their_formulas (void)
{
  static const float z[] = { 1, 2, 3 }, t[] = { 0, 0, 1 };
  static const float weights[] = { 1, 1, 2.5f };
  /* log sum exp (z) = 3.40760596444438 */
  ForgeLossRule rule = { .kind = FORGE_LOSS_SOFTMAX, .smoothing = 0.3 };
  g_assert_cmpfloat_with_epsilon (loss_of (&rule, z, t, 3),
      3.40760596444438 - (0.1 * 1 + 0.1 * 2 + 0.8 * 3), 1e-10);
  rule = (ForgeLossRule) { .kind = FORGE_LOSS_SOFTMAX, .weights = weights };
  g_assert_cmpfloat_with_epsilon (
      loss_of (&rule, z, t, 3), 2.5 * 0.40760596444438, 1e-10);
  /* One output: two classes, with a weight each. */
  static const float pair[] = { 4, 0.5f }, one = 1, zero = 0;
  rule = (ForgeLossRule) { .kind = FORGE_LOSS_SIGMOID, .weights = pair };
  g_assert_cmpfloat_with_epsilon (
      loss_of (&rule, z, &one, 1), 0.5 * log1p (exp (-1)), 1e-10);
  g_assert_cmpfloat_with_epsilon (
      loss_of (&rule, z, &zero, 1), 4 * log1p (exp (1)), 1e-10);
  ForgeLoss sum = { 0 };
  forge_loss (&rule, z, &one, 1, 1, NULL, &sum);
  g_assert_cmpuint (sum.hits, ==, 1);
  forge_loss (&rule, z, &zero, 1, 1, NULL, &sum);
  g_assert_cmpuint (sum.hits, ==, 1);
}

static void
loss_survives_extremes_and_shows_nan (void)
{
  static const float huge[] = { 1e30f, -1e30f, 0 };
  static const float infinite[] = { INFINITY, 0, 0 };
  static const float nan[] = { 0, NAN, 0 };
  static const float truths[2][3] = { { 1, 0, 0 }, { 0, 1, 0 } };
  g_assert_cmpfloat (loss_of (&plain, huge, truths[0], 3), ==, 0);
  g_assert_true (isfinite (loss_of (&plain, huge, truths[1], 3)));
  const ForgeLossRule sigmoid = { .kind = FORGE_LOSS_SIGMOID };
  g_assert_true (isfinite (loss_of (&sigmoid, huge, truths[1], 3)));
  for (guint t = 0; t < 2; t++) {
    g_assert_false (isfinite (loss_of (&plain, infinite, truths[t], 3)));
    g_assert_false (isfinite (loss_of (&plain, nan, truths[t], 3)));
    g_assert_false (isfinite (loss_of (&sigmoid, infinite, truths[t], 3)));
    g_assert_false (isfinite (loss_of (&sigmoid, nan, truths[t], 3)));
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name) g_test_add_func ("/optimiser/" #name, name)
  ADD (adam_equals_the_published_formula);
  ADD (first_step_is_the_learning_rate);
  ADD (adam_finds_the_least_of_a_bowl);
  ADD (decay_is_coupled_in_adam_and_apart_in_adamw);
  ADD (sgd_equals_its_recursion);
  ADD (cosine_goes_from_first_to_last);
  ADD (one_cycle_is_a_triangle);
  ADD (steps_and_warm_up_multiply);
  ADD (lookahead_lets_go_late_and_ends_in_the_slow_weights);
  ADD (loss_equals_stored_numbers);
  ADD (loss_gradient_is_its_slope);
  ADD (smoothing_and_weights_follow_their_formulas);
  ADD (loss_survives_extremes_and_shows_nan);
  return g_test_run ();
}
