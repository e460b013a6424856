/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Reductions and searches along axes, Where, and what moves elements by index,
 * against their definitions in float64. */
#include <math.h>
#include <string.h>

#include "op-harness.h"

/* [4, 3, 5], reduced over the outer and the inner axis or the middle one. */
static const ForgeShape cube = { 3, { 4, 3, 5 } };

typedef struct {
  const char *type;
  double start;
  double (*fold) (double sum, double x);
  double (*finish) (double sum);
} Reduction;

static double
fold_sum (double sum, double x)
{
  return sum + x;
}

static double
fold_product (double sum, double x)
{
  return sum * x;
}

static double
fold_length (double sum, double x)
{
  return sum + fabs (x);
}

static double
fold_squares (double sum, double x)
{
  return sum + x * x;
}

static double
fold_exponentials (double sum, double x)
{
  return sum + exp (x);
}

static double
same (double sum)
{
  return sum;
}

static const Reduction reductions[] = {
  { "ReduceSum", 0, fold_sum, same },
  { "ReduceProd", 1, fold_product, same },
  { "ReduceMax", -INFINITY, fmax, same },
  { "ReduceMin", INFINITY, fmin, same },
  { "ReduceL1", 0, fold_length, same },
  { "ReduceL2", 0, fold_squares, sqrt },
  { "ReduceSumSquare", 0, fold_squares, same },
  { "ReduceLogSum", 0, fold_sum, log },
  { "ReduceLogSumExp", 0, fold_exponentials, log },
};

static void
check_reduction (const Reduction *reduction, gboolean middle, gboolean keep)
{
  static const int64_t outer[] = { 0, -1 }, inner[] = { 1 };
  ForgeRng rng;
  forge_rng_seed (&rng, 51);
  Harness *h = harness_new (reduction->type, 18);
  harness_fill (harness_input (h, FORGE_FLOAT32, &cube), &rng, 0.5f, 2);
  harness_ints (h, middle ? inner : outer, middle ? 1 : 2);
  forge_attrs_set_int (h->node.attrs, "keepdims", keep);
  harness_prepare (h, 1, FALSE);
  harness_run (h);
  const float *x = h->in[0]->data, *y = h->out[0]->data;
  g_assert_cmpint (h->out[0]->shape.rank, ==, keep ? 3 : middle ? 2 : 1);
  for (int64_t k = 0; k < (middle ? 20 : 3); k++) {
    double sum = reduction->start;
    for (int64_t i = 0; i < 60; i++)
      if (k == (middle ? i / 15 * 5 + i % 5 : i / 5 % 3))
        sum = reduction->fold (sum, x[i]);
    harness_assert_close (
        reduction->type, k, y[k], reduction->finish (sum), 1e-5);
  }
  harness_free (h);
}

static void
reductions_fold_the_right_elements (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (reductions); i++)
    for (int way = 0; way < 4; way++)
      check_reduction (&reductions[i], way & 1, way & 2);
}

static void
log_sum_exp_does_not_overflow (void)
{
  ForgeShape shape = { 1, { 2 } };
  Harness *h = harness_new ("ReduceLogSumExp", 13);
  float *x = harness_input (h, FORGE_FLOAT32, &shape)->data;
  x[0] = x[1] = 5000;
  harness_prepare (h, 1, FALSE);
  harness_run (h);
  harness_assert_close (
      "ReduceLogSumExp", 0, *(float *) h->out[0]->data, 5000 + log (2), 1e-6);
  harness_free (h);
}

static void
arg_finds_first_or_last_extreme (void)
{
  static const float line[] = { 1, 7, -2, 7, -2, 3 };
  static const int64_t want[] = { 1, 3, 2, 4 };
  ForgeShape shape = { 1, { 6 } };
  for (int way = 0; way < 4; way++) {
    Harness *h = harness_new (way < 2 ? "ArgMax" : "ArgMin", 13);
    memcpy (harness_input (h, FORGE_FLOAT32, &shape)->data, line, sizeof line);
    forge_attrs_set_int (h->node.attrs, "select_last_index", way & 1);
    harness_prepare (h, 1, FALSE);
    harness_run (h);
    g_assert_cmpint (*(int64_t *) h->out[0]->data, ==, want[way]);
    harness_free (h);
  }
}

/* The order of a long line, which a heap sort gets wrong in subtle ways. */
static void
top_k_sorts_and_keeps_the_order_of_equals (void)
{
  ForgeShape shape = { 2, { 3, 200 } };
  static const int64_t k[] = { 37 };
  ForgeRng rng;
  forge_rng_seed (&rng, 52);
  for (int largest = 0; largest < 2; largest++) {
    Harness *h = harness_new ("TopK", 11);
    ForgeTensor *in = harness_input (h, FORGE_FLOAT32, &shape);
    for (int i = 0; i < 600; i++)
      ((float *) in->data)[i] = (float) forge_rng_below (&rng, 50);
    harness_ints (h, k, 1);
    forge_attrs_set_int (h->node.attrs, "largest", largest);
    harness_prepare (h, 1, FALSE);
    harness_run (h);
    const float *x = in->data, *y = h->out[0]->data;
    for (int i = 0; i < 3 * 37; i++) {
      int before = 0, not_after = 0;
      for (int j = 0; j < 200; j++) {
        float value = x[i / 37 * 200 + j];
        before += largest ? value > y[i] : value < y[i];
        not_after += largest ? value >= y[i] : value <= y[i];
      }
      g_assert_cmpint (before, <=, i % 37);
      g_assert_cmpint (not_after, >, i % 37);
    }
    harness_free (h);
  }
}

static void
log_softmax_is_the_logarithm (void)
{
  ForgeRng rng;
  forge_rng_seed (&rng, 53);
  Harness *h = harness_new ("LogSoftmax", 13);
  harness_fill (harness_input (h, FORGE_FLOAT32, &cube), &rng, -90, 90);
  forge_attrs_set_int (h->node.attrs, "axis", 1);
  harness_prepare (h, 1, FALSE);
  harness_run (h);
  const float *x = h->in[0]->data, *y = h->out[0]->data;
  for (int i = 0; i < 60; i++) {
    int at = i / 15 * 15 + i % 5;
    double sum = exp (x[at]) + exp (x[at + 5]) + exp (x[at + 10]);
    harness_assert_close ("LogSoftmax", i, y[i], x[i] - log (sum), 1e-6);
  }
  harness_free (h);
}

static void
where_broadcasts_three_ways (void)
{
  ForgeShape condition = { 2, { 3, 1 } }, x = { 1, { 4 } };
  ForgeShape y = { 3, { 2, 1, 1 } };
  Harness *h = harness_new ("Where", 16);
  uint8_t *c = harness_input (h, FORGE_BOOL, &condition)->data;
  float *fx = harness_input (h, FORGE_FLOAT32, &x)->data;
  float *fy = harness_input (h, FORGE_FLOAT32, &y)->data;
  c[0] = c[2] = 1;
  for (int i = 0; i < 4; i++)
    fx[i] = (float) i;
  fy[0] = -1;
  fy[1] = -2;
  harness_prepare (h, 1, FALSE);
  harness_run (h);
  g_assert_cmpint (forge_tensor_get_count (h->out[0]), ==, 24);
  for (int i = 0; i < 24; i++)
    g_assert_cmpfloat (((float *) h->out[0]->data)[i], ==,
        c[i / 4 % 3] ? fx[i % 4] : fy[i / 12]);
  harness_free (h);
}

static void
hostile_indices_stay_inside (void)
{
  static const char *const types[] = { "Gather", "GatherElements", "GatherND",
    "ScatterElements", "ScatterND" };
  static const int64_t wild[] = { INT64_MAX, INT64_MIN, -1, 70000 };
  ForgeShape data = { 1, { 3 } }, list = { 2, { 4, 1 } }, flat = { 1, { 4 } };
  for (gsize t = 0; t < G_N_ELEMENTS (types); t++) {
    Harness *h = harness_new (types[t], 16);
    gboolean nd = g_str_has_suffix (types[t], "ND");
    harness_input (h, FORGE_FLOAT32, &data);
    ForgeTensor *indices = harness_input (h, FORGE_INT64, nd ? &list : &flat);
    memcpy (indices->data, wild, sizeof wild);
    if (h->node.op->min_inputs == 3)
      harness_input (h, FORGE_FLOAT32, &flat);
    harness_prepare (h, 1, FALSE);
    harness_run (h);
    for (int64_t i = 0; i < forge_tensor_get_count (h->out[0]); i++)
      g_assert_cmpfloat (((float *) h->out[0]->data)[i], ==, 0);
    harness_free (h);
  }
}

/* [2, 0, 3] -> [2, 3] */
static void
nothing_reduces_to_where_the_fold_starts (void)
{
  static const int64_t axis[] = { 1 };
  ForgeShape shape = { 3, { 2, 0, 3 } }, left = { 2, { 2, 3 } };
  for (gsize r = 0; r < G_N_ELEMENTS (reductions); r++) {
    Harness *h = harness_new (reductions[r].type, 18);
    harness_input (h, FORGE_FLOAT32, &shape);
    harness_ints (h, axis, 1);
    forge_attrs_set_int (h->node.attrs, "keepdims", 0);
    harness_prepare (h, 1, FALSE);
    harness_run (h);
    g_assert_true (forge_shape_equal (&h->out[0]->shape, &left));
    double want = reductions[r].finish (reductions[r].start);
    for (int i = 0; i < 6; i++)
      g_assert_cmpfloat (((float *) h->out[0]->data)[i], ==, want);
    harness_free (h);
  }
  Harness *h = harness_new ("ReduceMax", 18);
  g_autoptr (GError) error = NULL;
  harness_input (h, FORGE_INT32, &shape);
  harness_ints (h, axis, 1);
  g_assert_false (harness_infer (h, &error));
  g_assert_error (error, FORGE_ERROR, FORGE_ERROR_SHAPE);
  harness_free (h);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/reduce/nothing_reduces_to_where_the_fold_starts",
      nothing_reduces_to_where_the_fold_starts);
  g_test_add_func ("/reduce/reductions_fold_the_right_elements",
      reductions_fold_the_right_elements);
  g_test_add_func (
      "/reduce/log_sum_exp_does_not_overflow", log_sum_exp_does_not_overflow);
  g_test_add_func ("/reduce/arg_finds_first_or_last_extreme",
      arg_finds_first_or_last_extreme);
  g_test_add_func ("/reduce/top_k_sorts_and_keeps_the_order_of_equals",
      top_k_sorts_and_keeps_the_order_of_equals);
  g_test_add_func (
      "/reduce/log_softmax_is_the_logarithm", log_softmax_is_the_logarithm);
  g_test_add_func (
      "/reduce/where_broadcasts_three_ways", where_broadcasts_three_ways);
  g_test_add_func (
      "/reduce/hostile_indices_stay_inside", hostile_indices_stay_inside);
  return g_test_run ();
}
