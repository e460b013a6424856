/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The three gradients of Conv against loops in double precision written from
 * the definition of the forward, for every way there is to compute them. */
#include <math.h>

#include "op-harness.h"
#include "ops/conv-backward.h"

typedef struct {
  const char *name;
  int n, c, h, w, o, kh, kw;
  int64_t strides[2], dilations[2], pads[4];
  int groups;
  gboolean by_winograd;
} Row;

static const Row rows[] = {
  { "pointwise", 3, 19, 5, 9, 11, 1, 1, { 1, 1 }, { 1, 1 }, { 0 }, 1 },
  { "pointwise-stride", 2, 17, 6, 7, 23, 1, 1, { 2, 2 }, { 1, 1 }, { 0 }, 1 },
  { "same", 3, 21, 7, 6, 33, 3, 3, { 1, 1 }, { 1, 1 }, { 1, 1, 1, 1 }, 1 },
  { "first-layer", 3, 3, 12, 13, 35, 3, 3, { 1, 1 }, { 1, 1 }, { 0 }, 1 },
  { "stride-2", 2, 8, 9, 10, 13, 3, 3, { 2, 2 }, { 1, 1 }, { 1, 1, 1, 1 }, 1 },
  { "stride-3-2", 2, 5, 11, 10, 7, 5, 4, { 3, 2 }, { 1, 1 }, { 2, 0, 1, 3 },
      1 },
  { "stride-over-kernel", 1, 5, 11, 13, 7, 2, 2, { 4, 3 }, { 1, 1 }, { 0 }, 1 },
  { "dilated", 1, 4, 12, 10, 6, 3, 3, { 1, 2 }, { 3, 2 }, { 3, 2, 3, 2 }, 1 },
  { "dilated-stride-2", 2, 4, 11, 12, 6, 3, 3, { 2, 2 }, { 2, 2 },
      { 2, 2, 2, 2 }, 1 },
  { "grouped", 2, 6, 6, 5, 9, 3, 3, { 1, 1 }, { 1, 1 }, { 1, 1, 1, 1 }, 3 },
  { "grouped-stride", 2, 8, 7, 6, 12, 3, 3, { 2, 1 }, { 1, 1 }, { 1, 1, 1, 1 },
      4 },
  { "depthwise", 3, 19, 9, 8, 19, 3, 3, { 2, 1 }, { 1, 1 }, { 1, 1, 1, 1 },
      19 },
  { "multiplier", 1, 5, 6, 6, 10, 3, 3, { 1, 1 }, { 1, 1 }, { 1, 1, 1, 1 }, 5 },
  { "pad-beyond-kernel", 1, 2, 3, 3, 3, 2, 2, { 1, 1 }, { 1, 1 },
      { 4, 5, 3, 4 }, 1 },
  { "winograd", 2, 32, 13, 11, 40, 3, 3, { 1, 1 }, { 1, 1 }, { 1, 1, 1, 1 }, 1,
      TRUE },
  { "winograd-unpadded", 1, 73, 22, 15, 52, 3, 3, { 1, 1 }, { 1, 1 }, { 0 }, 1,
      TRUE },
  { "winograd-in-parts", 40, 48, 4, 8, 56, 3, 3, { 1, 1 }, { 1, 1 },
      { 1, 1, 1, 1 }, 1, TRUE },
  { "winograd-shared", 49, 76, 6, 6, 100, 3, 3, { 1, 1 }, { 1, 1 },
      { 1, 1, 1, 1 }, 1, TRUE },
  { "winograd-asymmetric", 3, 96, 12, 13, 100, 3, 3, { 1, 1 }, { 1, 1 },
      { 2, 0, 1, 2 }, 1, TRUE },
};

static Harness *
conv_new (const Row *row, gboolean nhwc, ForgeRng *rng)
{
  Harness *h = harness_new ("Conv", 13);
  ForgeShape x = harness_image (nhwc, row->n, row->c, row->h, row->w);
  ForgeShape w =
      forge_shape (4, row->o, row->c / row->groups, row->kh, row->kw);
  ForgeShape b = forge_shape (1, row->o);
  h->node.nhwc = nhwc;
  forge_attrs_set_ints (h->node.attrs, "strides", row->strides, 2);
  forge_attrs_set_ints (h->node.attrs, "dilations", row->dilations, 2);
  forge_attrs_set_ints (h->node.attrs, "pads", row->pads, 4);
  forge_attrs_set_int (h->node.attrs, "group", row->groups);
  harness_fill (harness_input (h, FORGE_FLOAT32, &x), rng, -1, 1);
  harness_fill (harness_input (h, FORGE_FLOAT32, &w), rng, -1, 1);
  harness_fill (harness_input (h, FORGE_FLOAT32, &b), rng, -1, 1);
  return h;
}

/* Sums of the definition, in double, as the tensors lie. */
typedef struct {
  double *dx, *dw, *db;
} Sums;

/* One output element: what it read, and what its gradient gives back. */
static void
add_output (const Row *row, const Harness *h, int64_t n, int64_t o, int64_t oy,
    int64_t ox, double dy, Sums *sums)
{
  const float *x = h->in[0]->data, *w = h->in[1]->data;
  int64_t group_c = row->c / row->groups;
  int64_t first = o / (row->o / row->groups) * group_c;
  sums->db[o] += dy;
  for (int64_t c = 0; c < group_c; c++)
    for (int64_t k = 0; k < row->kh * row->kw; k++) {
      int64_t y =
          oy * row->strides[0] - row->pads[0] + k / row->kw * row->dilations[0];
      int64_t xx =
          ox * row->strides[1] - row->pads[1] + k % row->kw * row->dilations[1];
      if (y < 0 || y >= row->h || xx < 0 || xx >= row->w)
        continue;
      int64_t in_at =
          harness_at (h->node.nhwc, &h->in[0]->shape, n, first + c, y, xx);
      int64_t w_at = (o * group_c + c) * row->kh * row->kw + k;
      sums->dx[in_at] += dy * w[w_at];
      sums->dw[w_at] += dy * x[in_at];
    }
}

static void
expect (const Row *row, const Harness *h, const float *d_out, Sums *sums)
{
  gboolean nhwc = h->node.nhwc;
  const ForgeShape *out = &h->out[0]->shape;
  for (int64_t n = 0; n < row->n; n++)
    for (int64_t o = 0; o < row->o; o++)
      for (int64_t y = 0; y < out->dims[nhwc ? 1 : 2]; y++)
        for (int64_t x = 0; x < out->dims[nhwc ? 2 : 3]; x++)
          add_output (row, h, n, o, y, x,
              d_out[harness_at (nhwc, out, n, o, y, x)], sums);
}

/* Within 1e-5 of the largest, or the 1e-4 that Winograd's way may be off. */
static void
compare (const Row *row, const char *what, const ForgeTensor *got,
    const double *want)
{
  int64_t count = forge_tensor_get_count (got);
  const float *values = got->data;
  double largest = 0;
  for (int64_t i = 0; i < count; i++)
    largest = MAX (largest, fabs (want[i]));
  double tolerance = (row->by_winograd ? 1e-4 : 1e-5) * largest;
  for (int64_t i = 0; i < count; i++)
    if (!(fabs (values[i] - want[i]) <= tolerance))
      g_error ("%s: d%s[%" G_GINT64_FORMAT "] is %.9g, expected %.9g",
          row->name, what, i, values[i], want[i]);
}

static float *
draw_gradient (const Harness *h, ForgeRng *rng)
{
  int64_t count = forge_tensor_get_count (h->out[0]);
  float *d_out = g_new (float, count);
  for (int64_t i = 0; i < count; i++)
    d_out[i] = 2 * forge_rng_float (rng) - 1;
  return d_out;
}

static void
check_row (const Row *row, gboolean nhwc, ForgeRng *rng)
{
  Harness *h = conv_new (row, nhwc, rng);
  harness_prepare (h, 1, TRUE);
  g_autofree float *d_out = draw_gradient (h, rng);
  g_autofree double *dx = g_new0 (double, forge_tensor_get_count (h->in[0]));
  g_autofree double *dw = g_new0 (double, forge_tensor_get_count (h->in[1]));
  g_autofree double *db = g_new0 (double, row->o);
  Sums sums = { dx, dw, db };
  harness_run (h);
  harness_backward (h, d_out);
  expect (row, h, d_out, &sums);
  compare (row, "x", h->d_in[0], dx);
  compare (row, "w", h->d_in[1], dw);
  compare (row, "b", h->d_in[2], db);
  harness_free (h);
}

static void
gradients_match_the_definition (void)
{
  ForgeRng rng;
  forge_rng_seed (&rng, 5);
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    for (int nhwc = 0; nhwc < 2; nhwc++)
      check_row (&rows[i], nhwc, &rng);
}

static void
winograd_is_used_where_it_is_faster (void)
{
  ForgeRng rng;
  forge_rng_seed (&rng, 6);
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    Harness *h = conv_new (&rows[i], TRUE, &rng);
    harness_prepare (h, 1, TRUE);
    ForgeConv conv;
    size_t count;
    g_assert_true (forge_conv_parse (&h->node, &conv, NULL));
    gboolean dw = forge_winograd_dw_plan (&conv, &count);
    gboolean dx = forge_winograd_dx_plan (&conv, &count);
    if (dw != rows[i].by_winograd || dx != rows[i].by_winograd)
      g_error ("%s: dw by Winograd %d, dx %d, expected %d", rows[i].name, dw,
          dx, rows[i].by_winograd);
    harness_free (h);
  }
}

static void
threads_do_not_change_a_bit (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    Harness *one = NULL, *three = NULL;
    for (int threads = 1; threads <= 3; threads += 2) {
      ForgeRng rng;
      forge_rng_seed (&rng, 7);
      Harness *h = conv_new (&rows[i], TRUE, &rng);
      harness_prepare (h, threads, TRUE);
      g_autofree float *d_out = draw_gradient (h, &rng);
      harness_run (h);
      harness_backward (h, d_out);
      *(threads == 1 ? &one : &three) = h;
    }
    for (int k = 0; k < 3; k++)
      g_assert_cmpmem (one->d_in[k]->data, one->d_in[k]->size_bytes,
          three->d_in[k]->data, three->d_in[k]->size_bytes);
    harness_free (one);
    harness_free (three);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/conv-backward/gradients_match_the_definition",
      gradients_match_the_definition);
  g_test_add_func ("/conv-backward/winograd_is_used_where_it_is_faster",
      winograd_is_used_where_it_is_faster);
  g_test_add_func ("/conv-backward/threads_do_not_change_a_bit",
      threads_do_not_change_a_bit);
  return g_test_run ();
}
