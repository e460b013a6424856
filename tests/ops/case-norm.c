/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Normalisations against their definitions in float64. */
#include <math.h>

#include "op-harness.h"

typedef struct {
  const char *type;
  int opset;
  ForgeShape in;
  int axis;     /* of a layer norm */
  int n_groups; /* of a group norm */
  int n_scale;
} Row;

static const Row rows[] = {
  { "LayerNormalization", 17, { 3, { 2, 5, 19 } }, -1, 0, 19 },
  { "LayerNormalization", 17, { 4, { 2, 3, 4, 5 } }, 2, 0, 20 },
  { "LayerNormalization", 17, { 2, { 1, 1 } }, -1, 0, 1 },
  { "InstanceNormalization", 6, { 4, { 2, 3, 4, 5 } }, 0, 3, 3 },
  { "InstanceNormalization", 6, { 3, { 2, 3, 7 } }, 0, 3, 3 },
  { "GroupNormalization", 18, { 4, { 2, 6, 4, 5 } }, 0, 3, 3 },
  { "GroupNormalization", 21, { 4, { 2, 6, 4, 5 } }, 0, 3, 6 },
  { "GroupNormalization", 21, { 3, { 2, 4, 1 } }, 0, 2, 4 },
};

/* The scale that element i of group g meets. */
static int64_t
scale_index (const Row *row, int64_t group, int64_t g, int64_t i)
{
  if (!row->n_groups)
    return i;
  int64_t per_group = row->in.dims[1] / row->n_groups;
  int64_t area = group / per_group, c = g % row->n_groups;
  return row->n_scale == row->n_groups ? c : c * per_group + i / area;
}

static void
check_groups (const Row *row, const Harness *h, int64_t group)
{
  const float *x = h->in[0]->data, *scale = h->in[1]->data;
  const float *bias = h->in[2] ? h->in[2]->data : NULL;
  const float *y = h->out[0]->data;
  int64_t count = forge_shape_count (&row->in);
  for (int64_t g = 0; g < count / group; g++) {
    double mean = 0, variance = 0;
    for (int64_t i = 0; i < group; i++)
      mean += x[g * group + i] / (double) group;
    for (int64_t i = 0; i < group; i++)
      variance += pow (x[g * group + i] - mean, 2) / (double) group;
    for (int64_t i = 0; i < group; i++) {
      int64_t k = scale_index (row, group, g, i), at = g * group + i;
      double want = (x[at] - mean) / sqrt (variance + 0.01) * scale[k];
      harness_assert_close (
          row->type, at, y[at], want + (bias ? bias[k] : 0), 2e-5);
    }
  }
}

static void
groups_get_mean_0_and_deviation_1 (void)
{
  ForgeRng rng;
  forge_rng_seed (&rng, 41);
  for (gsize r = 0; r < G_N_ELEMENTS (rows); r++) {
    const Row *row = &rows[r];
    ForgeShape scale = { 1, { row->n_scale } };
    int from = row->axis < 0 ? row->axis + row->in.rank : row->axis;
    int64_t group = 1;
    for (int i = row->n_groups ? 1 : from; i < row->in.rank; i++)
      group *= row->in.dims[i];
    Harness *h = harness_new (row->type, row->opset);
    harness_fill (harness_input (h, FORGE_FLOAT32, &row->in), &rng, 100, 103);
    harness_fill (harness_input (h, FORGE_FLOAT32, &scale), &rng, -1, 2);
    if (row->n_groups || r % 2)
      harness_fill (harness_input (h, FORGE_FLOAT32, &scale), &rng, -1, 1);
    forge_attrs_set_float (h->node.attrs, "epsilon", 0.01f);
    if (row->n_groups)
      forge_attrs_set_int (h->node.attrs, "num_groups", row->n_groups);
    else
      forge_attrs_set_int (h->node.attrs, "axis", row->axis);
    harness_prepare (h, 3, FALSE);
    harness_run (h);
    check_groups (row, h, row->n_groups ? group / row->n_groups : group);
    harness_free (h);
  }
}

static void
lrn_divides_by_neighbouring_channels (void)
{
  static const int sizes[] = { 1, 3, 4, 5, 20 };
  ForgeShape shape = { 4, { 2, 7, 3, 2 } };
  ForgeRng rng;
  forge_rng_seed (&rng, 42);
  for (gsize s = 0; s < G_N_ELEMENTS (sizes); s++) {
    int64_t size = sizes[s], low = (size - 1) / 2, high = size - 1 - low;
    Harness *h = harness_new ("LRN", 13);
    harness_fill (harness_input (h, FORGE_FLOAT32, &shape), &rng, -2, 2);
    forge_attrs_set_int (h->node.attrs, "size", size);
    forge_attrs_set_float (h->node.attrs, "alpha", 0.5f);
    harness_prepare (h, 2, FALSE);
    harness_run (h);
    const float *x = h->in[0]->data, *y = h->out[0]->data;
    for (int64_t i = 0; i < 84; i++) {
      int64_t c = i / 6 % 7;
      double sum = 0;
      for (int64_t k = MAX (0, c - low); k <= MIN (6, c + high); k++)
        sum += pow (x[i + (k - c) * 6], 2);
      harness_assert_close ("LRN", i, y[i],
          x[i] / pow (1 + 0.5 / (double) size * sum, 0.75), 1e-5);
    }
    harness_free (h);
  }
}

static void
lp_gives_lines_of_length_1 (void)
{
  ForgeShape shape = { 3, { 2, 5, 3 } };
  ForgeRng rng;
  forge_rng_seed (&rng, 43);
  for (int p = 1; p <= 2; p++) {
    Harness *h = harness_new ("LpNormalization", 1);
    ForgeTensor *in = harness_input (h, FORGE_FLOAT32, &shape);
    harness_fill (in, &rng, -2, 2);
    for (int i = 0; i < 5; i++)
      ((float *) in->data)[3 * i] = 0; /* a line of zeros stays */
    forge_attrs_set_int (h->node.attrs, "p", p);
    forge_attrs_set_int (h->node.attrs, "axis", 1);
    harness_prepare (h, 1, FALSE);
    harness_run (h);
    const float *x = in->data, *y = h->out[0]->data;
    for (int i = 0; i < 30; i++) {
      double sum = 0;
      for (int k = 0; k < 5; k++)
        sum += pow (fabs (x[i / 15 * 15 + k * 3 + i % 3]), p);
      double norm = p == 2 ? sqrt (sum) : sum;
      harness_assert_close (
          "LpNormalization", i, y[i], norm > 0 ? x[i] / norm : 0, 1e-6);
    }
    harness_free (h);
  }
}

static void
mvn_normalises_over_any_axes (void)
{
  static const int64_t axes[] = { 0, -1 };
  ForgeShape shape = { 3, { 4, 3, 5 } };
  ForgeRng rng;
  forge_rng_seed (&rng, 44);
  Harness *h = harness_new ("MeanVarianceNormalization", 13);
  harness_fill (harness_input (h, FORGE_FLOAT32, &shape), &rng, 5, 9);
  forge_attrs_set_ints (h->node.attrs, "axes", axes, 2);
  harness_prepare (h, 1, FALSE);
  harness_run (h);
  const float *x = h->in[0]->data, *y = h->out[0]->data;
  for (int64_t c = 0; c < 3; c++) {
    double mean = 0, variance = 0;
    for (int64_t i = 0; i < 20; i++)
      mean += x[i / 5 * 15 + c * 5 + i % 5] / 20.0;
    for (int64_t i = 0; i < 20; i++)
      variance += pow (x[i / 5 * 15 + c * 5 + i % 5] - mean, 2) / 20;
    for (int64_t i = 0; i < 20; i++) {
      int64_t at = i / 5 * 15 + c * 5 + i % 5;
      harness_assert_close ("MeanVarianceNormalization", at, y[at],
          (x[at] - mean) / sqrt (variance), 1e-5);
    }
  }
  harness_free (h);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/norm/groups_get_mean_0_and_deviation_1",
      groups_get_mean_0_and_deviation_1);
  g_test_add_func ("/norm/lrn_divides_by_neighbouring_channels",
      lrn_divides_by_neighbouring_channels);
  g_test_add_func (
      "/norm/lp_gives_lines_of_length_1", lp_gives_lines_of_length_1);
  g_test_add_func (
      "/norm/mvn_normalises_over_any_axes", mvn_normalises_over_any_axes);
  return g_test_run ();
}
