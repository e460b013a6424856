/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Pools against loops in double precision. The window's place, the divisor
 * and ceil_mode are written out again from the ONNX text. */
#include <math.h>
#include <string.h>

#include "op-harness.h"

typedef struct {
  const char *type;
  int c, h, w;
  int64_t kernel[2], strides[2], dilations[2], pads[4];
  gboolean ceil_mode, include_pad;
  int oh, ow; /* as PyTorch and ONNX Runtime give them */
} Row;

static const Row rows[] = {
  { "MaxPool", 3, 6, 8, { 2, 2 }, { 2, 2 }, { 1, 1 }, { 0 }, FALSE, FALSE, 3,
      4 },
  { "MaxPool", 19, 7, 9, { 3, 3 }, { 2, 2 }, { 1, 1 }, { 1, 1, 1, 1 }, FALSE,
      FALSE, 4, 5 },
  { "MaxPool", 5, 7, 8, { 3, 2 }, { 2, 3 }, { 1, 1 }, { 0, 1, 1, 0 }, TRUE,
      FALSE, 4, 3 },
  { "MaxPool", 4, 9, 9, { 3, 3 }, { 1, 2 }, { 2, 3 }, { 0 }, FALSE, FALSE, 5,
      2 },
  { "MaxPool", 2, 5, 5, { 2, 2 }, { 2, 2 }, { 1, 1 }, { 0 }, TRUE, FALSE, 3,
      3 },
  /* the last window would start in the right padding: dropped */
  { "MaxPool", 2, 4, 4, { 1, 2 }, { 2, 3 }, { 1, 1 }, { 0, 0, 0, 1 }, TRUE,
      FALSE, 2, 2 },
  { "AveragePool", 3, 6, 8, { 2, 2 }, { 2, 2 }, { 1, 1 }, { 0 }, FALSE, FALSE,
      3, 4 },
  { "AveragePool", 17, 7, 9, { 3, 3 }, { 2, 2 }, { 1, 1 }, { 1, 1, 1, 1 },
      FALSE, FALSE, 4, 5 },
  { "AveragePool", 17, 7, 9, { 3, 3 }, { 2, 2 }, { 1, 1 }, { 1, 1, 1, 1 },
      FALSE, TRUE, 4, 5 },
  { "AveragePool", 2, 6, 6, { 3, 3 }, { 2, 2 }, { 1, 1 }, { 0, 1, 0, 1 }, TRUE,
      TRUE, 3, 4 },
};

static Harness *
pool_new (const Row *row, gboolean nhwc, ForgeRng *rng)
{
  Harness *h = harness_new (row->type, 19);
  ForgeShape x = harness_image (nhwc, 2, row->c, row->h, row->w);
  h->node.nhwc = nhwc;
  forge_attrs_set_ints (h->node.attrs, "kernel_shape", row->kernel, 2);
  forge_attrs_set_ints (h->node.attrs, "strides", row->strides, 2);
  forge_attrs_set_ints (h->node.attrs, "dilations", row->dilations, 2);
  forge_attrs_set_ints (h->node.attrs, "pads", row->pads, 4);
  forge_attrs_set_int (h->node.attrs, "ceil_mode", row->ceil_mode);
  forge_attrs_set_int (h->node.attrs, "count_include_pad", row->include_pad);
  harness_fill (harness_input (h, FORGE_FLOAT32, &x), rng, -3, -1);
  return h;
}

static double
naive (const Row *row, const Harness *h, int n, int c, int oy, int ox)
{
  const float *in = h->in[0]->data;
  gboolean average = strcmp (row->type, "AveragePool") == 0;
  double best = -INFINITY, sum = 0;
  int count = 0;
  for (int ky = 0; ky < row->kernel[0]; ky++)
    for (int kx = 0; kx < row->kernel[1]; kx++) {
      int64_t y = oy * row->strides[0] - row->pads[0] + ky * row->dilations[0];
      int64_t x = ox * row->strides[1] - row->pads[1] + kx * row->dilations[1];
      gboolean inside = y >= 0 && y < row->h && x >= 0 && x < row->w;
      count += inside || (row->include_pad && y < row->h + row->pads[2] &&
                             x < row->w + row->pads[3]);
      if (!inside)
        continue;
      double value =
          in[harness_at (h->node.nhwc, &h->in[0]->shape, n, c, y, x)];
      best = MAX (best, value);
      sum += value;
    }
  return average ? sum / count : best;
}

static void
pools_match_the_definition (void)
{
  ForgeRng rng;
  forge_rng_seed (&rng, 1);
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    for (int variant = 0; variant < 4; variant++) {
      const Row *row = &rows[i];
      gboolean nhwc = variant & 1;
      Harness *h = pool_new (row, nhwc, &rng);
      harness_prepare (h, variant & 2 ? 3 : 1, FALSE);
      harness_run (h);
      ForgeShape want = harness_image (nhwc, 2, row->c, row->oh, row->ow);
      g_assert_true (forge_shape_equal (&h->out[0]->shape, &want));
      const float *got = h->out[0]->data;
      for (int n = 0; n < 2; n++)
        for (int c = 0; c < row->c; c++)
          for (int y = 0; y < row->oh; y++)
            for (int x = 0; x < row->ow; x++) {
              int64_t at = harness_at (nhwc, &want, n, c, y, x);
              harness_assert_close (
                  row->type, at, got[at], naive (row, h, n, c, y, x), 1e-6);
            }
      harness_free (h);
    }
}

/* One small, and one that is pooled in parts. */
static const int64_t global_sizes[][3] = { { 21, 5, 7 }, { 40, 61, 53 } };

static void
global_pool_sees_every_pixel (gboolean average, gboolean nhwc, int64_t channels,
    int64_t height, int64_t width, int threads)
{
  ForgeRng rng;
  forge_rng_seed (&rng, 2);
  Harness *h =
      harness_new (average ? "GlobalAveragePool" : "GlobalMaxPool", 13);
  ForgeShape x = harness_image (nhwc, 3, channels, height, width);
  h->node.nhwc = nhwc;
  harness_fill (harness_input (h, FORGE_FLOAT32, &x), &rng, -3, -1);
  harness_prepare (h, threads, FALSE);
  harness_run (h);
  const float *in = h->in[0]->data, *got = h->out[0]->data;
  g_assert_cmpint (forge_tensor_get_count (h->out[0]), ==, 3 * channels);
  for (int n = 0; n < 3; n++)
    for (int c = 0; c < channels; c++) {
      double sum = 0, best = -INFINITY;
      for (int64_t p = 0; p < height * width; p++) {
        double value = in[harness_at (
            nhwc, &x, n, c, (int) (p / width), (int) (p % width))];
        sum += value;
        best = MAX (best, value);
      }
      double want = average ? sum / (double) (height * width) : best;
      int64_t at = n * channels + c;
      harness_assert_close (h->node.op->type, at, got[at], want, 1e-6);
    }
  harness_free (h);
}

static void
global_pools_see_every_pixel (void)
{
  for (int variant = 0; variant < 8; variant++)
    for (gsize i = 0; i < G_N_ELEMENTS (global_sizes); i++)
      global_pool_sees_every_pixel ((variant & 2) != 0, variant & 1,
          global_sizes[i][0], global_sizes[i][1], global_sizes[i][2],
          variant & 4 ? 1 : 2);
}

static void
maximum_hands_on_nan (void)
{
  static const int64_t kernel[] = { 2, 2 };
  Harness *h = harness_new ("MaxPool", 12);
  ForgeShape x = harness_image (TRUE, 1, 1, 2, 2);
  h->node.nhwc = TRUE;
  forge_attrs_set_ints (h->node.attrs, "kernel_shape", kernel, 2);
  ((float *) harness_input (h, FORGE_FLOAT32, &x)->data)[2] = NAN;
  harness_prepare (h, 1, FALSE);
  harness_run (h);
  g_assert_true (isnan (*(float *) h->out[0]->data));
  harness_free (h);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func (
      "/pool/pools_match_the_definition", pools_match_the_definition);
  g_test_add_func (
      "/pool/global_pools_see_every_pixel", global_pools_see_every_pixel);
  g_test_add_func ("/pool/maximum_hands_on_nan", maximum_hands_on_nan);
  return g_test_run ();
}
