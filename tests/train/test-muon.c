/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Muon against what it promises of singular values, against its formula in
 * double precision, and in a network: which weights it moves. */
#include <cblas.h>
#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "run.h"
#include "train/trainer.h"

typedef struct {
  size_t n_rows, n_columns;
} Size;

/* Wide, high and nearly square ones; blocks of rows and columns with and
 * without a rest; made of few steps at once and of one. */
static const Size sizes[] = { { 2, 5 }, { 10, 64 }, { 24, 12 }, { 64, 216 },
  { 65, 577 }, { 100, 150 }, { 130, 33 }, { 17, 1200 }, { 1000, 20 } };

static void
fill_normal (ForgeRng *rng, double size, size_t n, float *values)
{
  for (size_t i = 0; i < n; i++) {
    double sum = -6;
    for (int k = 0; k < 12; k++)
      sum += forge_rng_float (rng);
    values[i] = (float) (size * sum);
  }
}

static ForgeMuon *
new_muon (const Size *size, int threads)
{
  openblas_set_num_threads (1);
  ForgeMuon *muon = forge_muon_new (MIN (size->n_rows, size->n_columns),
      MAX (size->n_rows, size->n_columns), size->n_rows * size->n_columns,
      threads);
  g_assert_nonnull (muon);
  return muon;
}

/* The least and the largest singular value of a wide or high matrix: by
 * Jacobi's rotations of the smaller of X X' and X' X. */
static void
singular_bounds (const Size *size, const float *x, double *least, double *most)
{
  gboolean high = size->n_rows > size->n_columns;
  size_t n = high ? size->n_columns : size->n_rows;
  size_t k = high ? size->n_rows : size->n_columns;
  size_t row = high ? 1 : k, column = high ? n : 1;
  g_autofree double *a = g_new0 (double, n *n);
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < n; j++)
      for (size_t l = 0; l < k; l++)
        a[i * n + j] +=
            (double) x[i * row + l * column] * x[j * row + l * column];
  for (int sweep = 0; sweep < 12; sweep++)
    for (size_t p = 0; p < n; p++)
      for (size_t q = p + 1; q < n; q++) {
        double turn =
            0.5 * atan2 (2 * a[p * n + q], a[q * n + q] - a[p * n + p]);
        double c = cos (turn), s = sin (turn);
        for (size_t i = 0; i < n; i++) {
          double u = a[i * n + p], v = a[i * n + q];
          a[i * n + p] = c * u - s * v;
          a[i * n + q] = s * u + c * v;
        }
        for (size_t i = 0; i < n; i++) {
          double u = a[p * n + i], v = a[q * n + i];
          a[p * n + i] = c * u - s * v;
          a[q * n + i] = s * u + c * v;
        }
      }
  *least = INFINITY;
  *most = 0;
  for (size_t i = 0; i < n; i++) {
    *least = MIN (*least, sqrt (MAX (a[i * n + i], 0)));
    *most = MAX (*most, sqrt (MAX (a[i * n + i], 0)));
  }
}

static void
singular_values_come_close_to_one (void)
{
  ForgeRng rng;
  forge_rng_seed (&rng, 7);
  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++) {
    size_t n = sizes[i].n_rows * sizes[i].n_columns;
    g_autofree float *x = g_new (float, n);
    g_autoptr (ForgeMuon) muon = new_muon (&sizes[i], 2);
    double least, most;
    fill_normal (&rng, i % 2 ? 1e-4 : 30, n, x);
    forge_muon_orthogonalise (muon, 5, sizes[i].n_rows, sizes[i].n_columns, x);
    singular_bounds (&sizes[i], x, &least, &most);
    g_test_message ("[%zu, %zu]: %g to %g", sizes[i].n_rows, sizes[i].n_columns,
        least, most);
    g_assert_cmpfloat (least, >, 0.6);
    g_assert_cmpfloat (most, <, 1.3);
  }
}

/* One direction alone: it comes to 1, and rounding adds no other, however
 * many steps there are. */
static void
what_is_not_there_stays_away (void)
{
  ForgeRng rng;
  forge_rng_seed (&rng, 3);
  for (guint i = 0; i < G_N_ELEMENTS (sizes); i++) {
    size_t n_rows = sizes[i].n_rows, n_columns = sizes[i].n_columns;
    g_autofree float *x = g_new (float, n_rows *n_columns);
    g_autofree float *u = g_new (float, n_rows);
    g_autofree float *v = g_new (float, n_columns);
    g_autoptr (ForgeMuon) muon = new_muon (&sizes[i], 2);
    fill_normal (&rng, 1, n_rows, u);
    fill_normal (&rng, 1, n_columns, v);
    double uu = 0, vv = 0;
    for (size_t r = 0; r < n_rows; r++)
      uu += (double) u[r] * u[r];
    for (size_t c = 0; c < n_columns; c++)
      vv += (double) v[c] * v[c];
    for (size_t k = 0; k < n_rows * n_columns; k++)
      x[k] = u[k / n_columns] * v[k % n_columns];
    forge_muon_orthogonalise (muon, 5, n_rows, n_columns, x);
    double along = 0, all = 0;
    for (size_t k = 0; k < n_rows * n_columns; k++) {
      along += x[k] * u[k / n_columns] * v[k % n_columns] / sqrt (uu * vv);
      all += (double) x[k] * x[k];
    }
    g_assert_cmpfloat (along, >, 0.6);
    g_assert_cmpfloat (along, <, 1.3);
    g_assert_cmpfloat (fabs (all - along * along), <, 1e-3);
  }
}

/* X = a X + (b A + c A A) X in double precision, x [n, k] with n <= k. */
static void
iterate_plainly (size_t n, size_t k, double *x)
{
  g_autofree double *a = g_new0 (double, n *n), *q = g_new0 (double, n *n);
  g_autofree double *next = g_new0 (double, n *k);
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < n; j++)
      for (size_t l = 0; l < k; l++)
        a[i * n + j] += x[i * k + l] * x[j * k + l];
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < n; j++) {
      q[i * n + j] = -4.775 * a[i * n + j] + (i == j ? 3.4445 : 0);
      for (size_t l = 0; l < n; l++)
        q[i * n + j] += 2.0315 * a[i * n + l] * a[l * n + j];
    }
  for (size_t i = 0; i < n; i++)
    for (size_t j = 0; j < n; j++)
      for (size_t l = 0; l < k; l++)
        next[i * k + l] += q[i * n + j] * x[j * k + l];
  memcpy (x, next, n * k * sizeof *x);
}

static void
orthogonalise_plainly (const Size *size, guint n_steps, double *matrix)
{
  size_t rows = size->n_rows, columns = size->n_columns;
  gboolean high = rows > columns;
  g_autofree double *x = g_new (double, rows *columns);
  double sum = 0;
  for (size_t i = 0; i < rows * columns; i++)
    sum += matrix[i] * matrix[i];
  for (size_t r = 0; r < rows; r++)
    for (size_t c = 0; c < columns; c++)
      x[high ? c * rows + r : r * columns + c] =
          matrix[r * columns + c] / (sqrt (sum) + 1e-7);
  for (guint step = 0; step < n_steps; step++)
    iterate_plainly (MIN (rows, columns), MAX (rows, columns), x);
  for (size_t r = 0; r < rows; r++)
    for (size_t c = 0; c < columns; c++)
      matrix[r * columns + c] = x[high ? c * rows + r : r * columns + c];
}

/* forge_muon_step() in double precision. */
static void
step_plainly (const ForgeMuonRule *rule, const Size *size, double scale,
    double *value, const float *gradient, double *m)
{
  size_t n = size->n_rows * size->n_columns;
  g_autofree double *direction = g_new (double, n);
  double sum = 0, shrink = 1 - rule->learning_rate * rule->weight_decay;
  for (size_t i = 0; i < n; i++) {
    double g = scale * gradient[i];
    m[i] = rule->momentum * m[i] + g;
    direction[i] = rule->nesterov ? g + rule->momentum * m[i] : m[i];
    sum += value[i] * value[i];
  }
  orthogonalise_plainly (size, rule->n_steps, direction);
  if (rule->normalises)
    shrink = sqrt ((double) size->n_rows / sum);
  for (size_t i = 0; i < n; i++)
    value[i] = shrink * value[i] - rule->learning_rate * direction[i];
}

static void
compare_steps (const ForgeMuonRule *rule, const Size *size)
{
  const ForgeMuonShape shape = { size->n_rows, size->n_columns, size->n_rows };
  size_t n = size->n_rows * size->n_columns;
  g_autofree float *value = g_new (float, n), *m = g_new0 (float, n);
  g_autofree float *gradient = g_new (float, n);
  g_autofree double *expected = g_new (double, n), *moment = g_new0 (double, n);
  g_autoptr (ForgeMuon) muon = new_muon (size, 2);
  ForgeRng rng;
  forge_rng_seed (&rng, n);
  fill_normal (&rng, 0.1, n, value);
  for (size_t i = 0; i < n; i++)
    expected[i] = value[i];
  double furthest = 0;
  for (int step = 0; step < 3; step++) {
    fill_normal (&rng, 2, n, gradient);
    forge_muon_step (muon, rule, &shape, 0.25f, value, gradient, m);
    step_plainly (rule, size, 0.25, expected, gradient, moment);
  }
  for (size_t i = 0; i < n; i++) {
    furthest = MAX (furthest, fabs (value[i] - expected[i]));
    g_assert_cmpfloat_with_epsilon (m[i], moment[i], 1e-5);
  }
  g_test_message ("[%zu, %zu], %u steps: %g away", size->n_rows,
      size->n_columns, rule->n_steps, furthest);
  g_assert_cmpfloat (furthest, <, 2e-6);
}

static void
step_equals_its_formula (void)
{
  static const ForgeMuonRule rules[] = {
    { 0.24, 0.6, TRUE, 5, TRUE, 0.5 },
    { 0.02, 0.95, FALSE, 7, FALSE, 0.25 },
    { 0.1, 0, TRUE, 1, FALSE, 0 },
  };
  for (guint r = 0; r < G_N_ELEMENTS (rules); r++)
    for (guint i = 0; i < G_N_ELEMENTS (sizes); i++)
      compare_steps (&rules[r], &sizes[i]);
}

static void
nothing_moves_without_a_gradient (void)
{
  const Size size = { 8, 30 };
  const ForgeMuonShape shape = { 8, 30, 8 };
  const ForgeMuonRule plain = { .learning_rate = 1, .n_steps = 5 };
  float value[240], m[240] = { 0 }, gradient[240] = { 0 };
  g_autoptr (ForgeMuon) muon = new_muon (&size, 1);
  for (guint i = 0; i < 240; i++)
    value[i] = (float) i;
  forge_muon_step (muon, &plain, &shape, 1, value, gradient, m);
  for (guint i = 0; i < 240; i++)
    g_assert_cmpfloat (value[i], ==, (float) i);
  ForgeMuonRule normed = plain;
  normed.normalises = TRUE;
  forge_muon_step (muon, &normed, &shape, 1, value, gradient, m);
  double sum = 0;
  for (guint i = 0; i < 240; i++)
    sum += (double) value[i] * value[i];
  g_assert_cmpfloat_with_epsilon (sum, 8, 1e-5);
  /* No direction to keep: still a weight of zeros. */
  memset (value, 0, sizeof value);
  forge_muon_step (muon, &normed, &shape, 1, value, gradient, m);
  for (guint i = 0; i < 240; i++)
    g_assert_cmpfloat (value[i], ==, 0);
}

static void
threads_do_not_change_the_bits (void)
{
  static const Size many[] = { { 200, 1300 }, { 260, 300 }, { 700, 130 } };
  const ForgeMuonRule rule = { 0.24, 0.6, TRUE, 5, TRUE, 0 };
  for (guint i = 0; i < G_N_ELEMENTS (many); i++) {
    const ForgeMuonShape shape = { many[i].n_rows, many[i].n_columns,
      many[i].n_rows };
    size_t n = shape.n_rows * shape.n_columns;
    g_autofree float *first = NULL;
    for (int threads = 1; threads <= 3; threads++) {
      g_autofree float *value = g_new (float, n), *m = g_new0 (float, n);
      g_autofree float *gradient = g_new (float, n);
      g_autoptr (ForgeMuon) muon = new_muon (&many[i], threads);
      ForgeRng rng;
      forge_rng_seed (&rng, 11);
      fill_normal (&rng, 1, n, value);
      fill_normal (&rng, 1, n, gradient);
      for (int step = 0; step < 2; step++)
        forge_muon_step (muon, &rule, &shape, 1, value, gradient, m);
      if (first)
        g_assert_cmpmem (first, n * sizeof *first, value, n * sizeof *value);
      else
        first = g_steal_pointer (&value);
    }
  }
}

/* One step of one batch, by the same gradients whatever the optimiser. */
static ForgeTrainer *
trainer_after_a_step (Run *run, const char *optimiser)
{
  g_autoptr (GError) error = NULL;
  run->params.optimiser = optimiser;
  ForgeTrainer *trainer = forge_trainer_new (&run->params, &error);
  g_assert_no_error (error);
  g_assert_true (forge_trainer_prepare (trainer, &error));
  ForgeExecutor *learner = trainer->learner;
  g_autofree float *targets =
      g_new (float, (gsize) trainer->batch * trainer->n_targets);
  forge_loader_get (trainer->train, 0, trainer->batch, NULL, 1,
      forge_executor_get_input (learner, 0)->data, targets);
  g_assert_true (forge_executor_forward (learner, 1, &error));
  const ForgeLossRule rule = { .kind = FORGE_LOSS_SOFTMAX };
  ForgeLoss sum = { 0 };
  forge_loss (&rule, forge_executor_get_output (learner, 0)->data, targets,
      trainer->batch, trainer->n_targets,
      forge_executor_get_output_gradient (learner, 0)->data, &sum);
  forge_executor_backward (learner);
  forge_trainer_update (trainer, 0.1, 1, 1);
  return trainer;
}

/* What Muon moves in each architecture, by name; all else must go as with SGD,
 * to the bit. */
typedef struct {
  const char *arch;
  const char *moved, *left; /* some of each */
  guint n_moved;
} NetworkCase;

static const NetworkCase networks[] = {
  { "forge-cnn:size=32", "conv1.weight,conv2.weight,conv3.weight",
      "dense2.weight,conv1.bias", 4 },
  { "forge-resnet:size=16,width1=24,width2=24,width3=24",
      "conv1a.weight,conv3b.weight", "dense.weight,norm1a.shift,whiten.bias",
      6 },
  { "mobilenet-v2:size=32,width=0.25",
      "block2_expand.weight,block2_project.weight,head.weight",
      "block1_depthwise.weight,block9_depthwise.weight,dense.weight", 35 },
};

static guint
count_names (const char *list)
{
  g_auto (GStrv) names = g_strsplit (list, ",", -1);
  return g_strv_length (names);
}

static gboolean
is_listed (const char *list, const char *name)
{
  g_auto (GStrv) names = g_strsplit (list, ",", -1);
  return g_strv_contains ((const char *const *) names, name);
}

static void
only_hidden_matrices_go_by_muon (gconstpointer data)
{
  const NetworkCase *c = data;
  Run run;
  run_init (&run, 30, 60);
  run.params.arch = c->arch;
  g_autoptr (ForgeTrainer) sgd = trainer_after_a_step (&run, "sgd");
  g_autoptr (ForgeTrainer) muon = trainer_after_a_step (&run, "muon");
  guint n_moved = 0, n_listed = 0;
  g_assert_cmpuint (sgd->n_slots, ==, muon->n_slots);
  for (guint i = 0; i < muon->n_slots; i++) {
    const ForgeSlot *a = &sgd->slots[i], *b = &muon->slots[i];
    const ForgeShape *shape = &b->value->shape;
    gboolean same =
        memcmp (a->value->data, b->value->data, a->n * sizeof (float)) == 0;
    gboolean depthwise = shape->rank == 4 && shape->dims[1] == 1;
    g_test_message ("%s: %s", b->name, same ? "as with sgd" : "by muon");
    g_assert_true (same == (b->muon.n_rows == 0));
    g_assert_true (same || (shape->rank >= 2 && !depthwise));
    g_assert_true (
        same ? !is_listed (c->moved, b->name) : !is_listed (c->left, b->name));
    n_listed += is_listed (c->moved, b->name) + is_listed (c->left, b->name);
    n_moved += !same;
  }
  g_assert_cmpuint (n_moved, ==, c->n_moved);
  g_assert_cmpuint (
      n_listed, ==, count_names (c->moved) + count_names (c->left));
  run_clear (&run);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_unsetenv ("FORGE_DATA");
  for (guint i = 0; i < G_N_ELEMENTS (networks); i++) {
    g_autofree char *name =
        g_strdup_printf ("/muon/only_hidden_matrices_go_by_muon/%u", i);
    g_test_add_data_func (name, &networks[i], only_hidden_matrices_go_by_muon);
  }
#define ADD(name) g_test_add_func ("/muon/" #name, name)
  ADD (singular_values_come_close_to_one);
  ADD (what_is_not_there_stays_away);
  ADD (step_equals_its_formula);
  ADD (nothing_moves_without_a_gradient);
  ADD (threads_do_not_change_the_bits);
  return g_test_run ();
}
