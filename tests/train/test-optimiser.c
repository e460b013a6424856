/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Adam, the learning rate's schedule and the loss against numbers worked out
 * in double precision from the published formulas, and against finite
 * differences. */
#include <math.h>

#include "train/loss.h"
#include "train/optimiser.h"

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
    ForgeAdam adam = FORGE_ADAM_DEFAULT;
    adam.learning_rate = c->learning_rate;
    adam.weight_decay = c->weight_decay;
    /* More elements than a vector holds, so that body and tail are met. */
    float value[37], m[37] = { 0 }, v[37] = { 0 }, gradient[37];
    for (guint k = 0; k < 37; k++)
      value[k] = (float) c->first;
    for (guint step = 0; step < 4; step++) {
      for (guint k = 0; k < 37; k++)
        gradient[k] = c->gradients[step];
      forge_adam_step (&adam, step + 1, 37, value, gradient, m, v);
      for (guint k = 0; k < 37; k++)
        g_assert_cmpfloat_with_epsilon (value[k], c->expected[step], 2e-6);
    }
  }
}

/* Whatever the gradient's size: the bias corrections cancel. */
static void
first_step_is_the_learning_rate (void)
{
  ForgeAdam adam = FORGE_ADAM_DEFAULT;
  static const float sizes[] = { 1e-4f, 1, 1e6f, -1e-4f, -1, -1e6f };
  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++) {
    float value = 0, m = 0, v = 0;
    forge_adam_step (&adam, 1, 1, &value, &sizes[i], &m, &v);
    g_assert_cmpfloat_with_epsilon (value, sizes[i] > 0 ? -1e-3 : 1e-3, 2e-7);
  }
}

static void
adam_finds_the_least_of_a_bowl (void)
{
  ForgeAdam adam = FORGE_ADAM_DEFAULT;
  adam.learning_rate = 0.05;
  float value[2] = { 3, -4 }, m[2] = { 0 }, v[2] = { 0 };
  for (guint step = 1; step <= 1000; step++) {
    float gradient[2] = { 2 * (value[0] - 1), 20 * (value[1] - 2) };
    forge_adam_step (&adam, step, 2, value, gradient, m, v);
  }
  g_assert_cmpfloat_with_epsilon (value[0], 1, 1e-3);
  g_assert_cmpfloat_with_epsilon (value[1], 2, 1e-3);
}

static void
cosine_goes_from_first_to_last (void)
{
  g_assert_cmpfloat (forge_cosine_rate (1e-3, 1e-5, 0, 100), ==, 1e-3);
  g_assert_cmpfloat_with_epsilon (
      forge_cosine_rate (1e-3, 1e-5, 50, 100), 5.05e-4, 1e-12);
  g_assert_cmpfloat_with_epsilon (
      forge_cosine_rate (1e-3, 0, 25, 100), 8.535533905932738e-4, 1e-15);
  g_assert_cmpfloat_with_epsilon (
      forge_cosine_rate (1e-3, 1e-5, 100, 100), 1e-5, 1e-15);
  g_assert_cmpfloat_with_epsilon (
      forge_cosine_rate (1e-3, 1e-5, 200, 100), 1e-5, 1e-15);
  for (guint step = 0; step <= 100; step += 10)
    g_assert_cmpfloat (forge_cosine_rate (1e-3, -1, step, 100), ==, 1e-3);
}

static void
loss_equals_stored_numbers (void)
{
  static const float z[2][3] = { { 1, 2, 3 }, { -1, 0.5f, 0.25f } };
  static const uint32_t y[] = { 2, 0 };
  static const double expected[2][3] = {
    { 0.04501528658519023, 0.12236423552739883, -0.16737952211258905 },
    { -0.4442712644748986, 0.2497588649066075, 0.1945123995682911 }
  };
  float d[2][3];
  ForgeLoss sum = { 0 };
  forge_softmax_loss (z[0], y, 2, 3, d[0], &sum);
  g_assert_cmpfloat_with_epsilon (
      sum.loss, 0.4076059644443803 + 2.1941121864019144, 1e-12);
  g_assert_cmpuint (sum.hits, ==, 1);
  for (guint n = 0; n < 2; n++)
    for (guint c = 0; c < 3; c++)
      g_assert_cmpfloat_with_epsilon (d[n][c], expected[n][c], 1e-8);
  forge_softmax_loss (z[0], y, 2, 3, NULL, &sum);
  g_assert_cmpuint (sum.hits, ==, 2);
}

static double
loss_of (const float *z, uint32_t truth, guint n_classes)
{
  ForgeLoss sum = { 0 };
  forge_softmax_loss (z, &truth, 1, n_classes, NULL, &sum);
  return sum.loss;
}

static void
loss_gradient_is_its_slope (void)
{
  float z[4] = { 0.5f, -1.25f, 2, 0 }, d[4];
  for (uint32_t truth = 0; truth < 4; truth++) {
    ForgeLoss sum = { 0 };
    forge_softmax_loss (z, &truth, 1, 4, d, &sum);
    for (guint c = 0; c < 4; c++) {
      const float h = 1.0f / 256, at = z[c];
      z[c] = at + h;
      double above = loss_of (z, truth, 4);
      z[c] = at - h;
      double below = loss_of (z, truth, 4);
      z[c] = at;
      g_assert_cmpfloat_with_epsilon (d[c], (above - below) / (2 * h), 1e-5);
    }
  }
}

static void
loss_survives_extremes_and_shows_nan (void)
{
  static const float huge[] = { 1e30f, -1e30f, 0 };
  static const float infinite[] = { INFINITY, 0, 0 };
  static const float nan[] = { 0, NAN, 0 };
  g_assert_cmpfloat (loss_of (huge, 0, 3), ==, 0);
  g_assert_true (isfinite (loss_of (huge, 1, 3)));
  g_assert_false (isfinite (loss_of (infinite, 0, 3)));
  g_assert_false (isfinite (loss_of (nan, 0, 3)));
  g_assert_false (isfinite (loss_of (nan, 1, 3)));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name) g_test_add_func ("/optimiser/" #name, name)
  ADD (adam_equals_the_published_formula);
  ADD (first_step_is_the_learning_rate);
  ADD (adam_finds_the_least_of_a_bowl);
  ADD (cosine_goes_from_first_to_last);
  ADD (loss_equals_stored_numbers);
  ADD (loss_gradient_is_its_slope);
  ADD (loss_survives_extremes_and_shows_nan);
  return g_test_run ();
}
