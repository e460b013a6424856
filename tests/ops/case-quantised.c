/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Quantised operators of ONNX against loops written from the specification:
 * QLinearConv and ConvInteger in both layouts, with groups and scales per
 * channel; halves that round to even, saturation, NaN; sums and means. */
#include <math.h>
#include <string.h>

#include "op-harness.h"

typedef struct {
  const char *name;
  int n, c, h, w, o, k, groups, stride, dilation, pad;
  ForgeDtype dtype; /* of x, w and y */
  gboolean per_channel, constant;
} Row;

static const Row rows[] = {
  { "pointwise", 2, 9, 5, 4, 7, 1, 1, 1, 1, 0, FORGE_UINT8, FALSE, TRUE },
  { "same", 1, 5, 7, 6, 19, 3, 1, 1, 1, 1, FORGE_UINT8, TRUE, TRUE },
  { "strided", 3, 4, 8, 9, 6, 3, 1, 2, 1, 1, FORGE_INT8, TRUE, TRUE },
  { "dilated", 1, 3, 11, 10, 4, 3, 1, 1, 2, 2, FORGE_INT8, FALSE, TRUE },
  { "grouped", 2, 6, 6, 5, 9, 3, 3, 1, 1, 1, FORGE_UINT8, TRUE, TRUE },
  { "depthwise", 2, 17, 7, 8, 17, 3, 17, 2, 1, 1, FORGE_INT8, TRUE, TRUE },
  { "computed-weights", 1, 4, 5, 5, 3, 3, 1, 1, 1, 1, FORGE_UINT8, TRUE,
      FALSE },
};

static void
fill_bytes (ForgeTensor *tensor, ForgeRng *rng)
{
  for (size_t i = 0; i < tensor->size_bytes; i++)
    ((uint8_t *) tensor->data)[i] = (uint8_t) forge_rng_below (rng, 256);
}

static int
byte_at (const ForgeTensor *tensor, int64_t index)
{
  const uint8_t *bytes = tensor->data;
  return tensor->dtype == FORGE_UINT8 ? bytes[index] : (int8_t) bytes[index];
}

static void
add_scales (Harness *h, ForgeDtype dtype, int n, ForgeRng *rng)
{
  ForgeShape shape = { n > 1, { n } };
  ForgeTensor *scale = harness_input (h, FORGE_FLOAT32, &shape);
  harness_fill (scale, rng, 0.01f, 0.03f);
  fill_bytes (harness_input (h, dtype, &shape), rng);
}

static Harness *
conv_new (const Row *row, gboolean nhwc, gboolean integer, ForgeRng *rng)
{
  Harness *h = harness_new (integer ? "ConvInteger" : "QLinearConv", 13);
  ForgeShape x = harness_image (nhwc, row->n, row->c, row->h, row->w);
  ForgeShape w = forge_shape (4, row->o, row->c / row->groups, row->k, row->k);
  ForgeShape one = { 0 }, b = forge_shape (1, row->o);
  int n_scales = row->per_channel ? row->o : 1;
  ForgeShape each = { n_scales > 1, { n_scales } };
  const int64_t strides[] = { row->stride, row->stride };
  const int64_t dilations[] = { row->dilation, row->dilation };
  const int64_t pads[] = { row->pad, row->pad, row->pad, row->pad };
  h->node.nhwc = nhwc;
  forge_attrs_set_ints (h->node.attrs, "strides", strides, 2);
  forge_attrs_set_ints (h->node.attrs, "dilations", dilations, 2);
  forge_attrs_set_ints (h->node.attrs, "pads", pads, 4);
  forge_attrs_set_int (h->node.attrs, "group", row->groups);
  fill_bytes (harness_input (h, row->dtype, &x), rng);
  if (integer) {
    fill_bytes (harness_input (h, row->dtype, &w), rng);
    fill_bytes (harness_input (h, row->dtype, &one), rng);
    fill_bytes (harness_input (h, row->dtype, &each), rng);
    h->constant[1] = h->constant[3] = row->constant;
    return h;
  }
  add_scales (h, row->dtype, 1, rng);
  fill_bytes (harness_input (h, row->dtype, &w), rng);
  add_scales (h, row->dtype, n_scales, rng);
  add_scales (h, row->dtype, 1, rng);
  /* a range in which many results do not saturate */
  *(float *) h->in[6]->data = 0.4f;
  ForgeTensor *bias = harness_input (h, FORGE_INT32, &b);
  for (int o = 0; o < row->o; o++)
    ((int32_t *) bias->data)[o] =
        (int32_t) forge_rng_below (rng, 20001) - 10000;
  h->constant[3] = h->constant[5] = row->constant;
  return h;
}

/* The sum of one output, straight from the definition. */
static int64_t
sum_at (const Harness *h, const Row *row, int w_index, int x_zero, int w_zero,
    int n, int o, int oy, int ox)
{
  int group_c = row->c / row->groups, group = o / (row->o / row->groups);
  int64_t sum = 0;
  for (int c = 0; c < group_c; c++)
    for (int ky = 0; ky < row->k; ky++)
      for (int kx = 0; kx < row->k; kx++) {
        int y = oy * row->stride - row->pad + ky * row->dilation;
        int x = ox * row->stride - row->pad + kx * row->dilation;
        if (y < 0 || y >= row->h || x < 0 || x >= row->w)
          continue;
        int64_t x_at = harness_at (
            h->node.nhwc, &h->in[0]->shape, n, group * group_c + c, y, x);
        int64_t w_at = ((o * group_c + c) * row->k + ky) * row->k + kx;
        sum += (byte_at (h->in[0], x_at) - x_zero) *
               (byte_at (h->in[w_index], w_at) - w_zero);
      }
  return sum;
}

static int
requantise (const Harness *h, int64_t sum, float w_scale)
{
  float x_scale = *(float *) h->in[1]->data,
        y_scale = *(float *) h->in[6]->data;
  int zero = byte_at (h->in[7], 0),
      low = h->in[7]->dtype == FORGE_INT8 ? -128 : 0;
  int q = (int) rintf ((float) sum * (x_scale * w_scale / y_scale)) + zero;
  return CLAMP (q, low, low + 255);
}

static void
check_output (const Harness *h, const Row *row, gboolean integer, int n, int o,
    int oy, int ox)
{
  int each = row->per_channel ? o : 0;
  int64_t at = harness_at (h->node.nhwc, &h->out[0]->shape, n, o, oy, ox);
  if (integer) {
    int64_t sum = sum_at (h, row, 1, byte_at (h->in[2], 0),
        byte_at (h->in[3], each), n, o, oy, ox);
    g_assert_cmpint (((const int32_t *) h->out[0]->data)[at], ==, sum);
    return;
  }
  int64_t sum = sum_at (h, row, 3, byte_at (h->in[2], 0),
                    byte_at (h->in[5], each), n, o, oy, ox) +
                ((const int32_t *) h->in[8]->data)[o];
  g_assert_cmpint (byte_at (h->out[0], at), ==,
      requantise (h, sum, ((const float *) h->in[4]->data)[each]));
}

static void
check_conv (const Row *row, gboolean nhwc, gboolean integer, int threads)
{
  ForgeRng rng;
  forge_rng_seed (&rng, 23);
  Harness *h = conv_new (row, nhwc, integer, &rng);
  harness_prepare (h, threads, FALSE);
  harness_run (h);
  int span = (row->k - 1) * row->dilation + 1;
  int oh = (row->h + 2 * row->pad - span) / row->stride + 1;
  int ow = (row->w + 2 * row->pad - span) / row->stride + 1;
  g_assert_cmpint (
      forge_tensor_get_count (h->out[0]), ==, row->n * row->o * oh * ow);
  for (int n = 0; n < row->n; n++)
    for (int o = 0; o < row->o; o++)
      for (int y = 0; y < oh; y++)
        for (int x = 0; x < ow; x++)
          check_output (h, row, integer, n, o, y, x);
  harness_free (h);
}

static void
conv_is_its_definition (gconstpointer data)
{
  const Row *row = data;
  for (int nhwc = 0; nhwc < 2; nhwc++)
    for (int threads = 1; threads <= 3; threads += 2) {
      check_conv (row, nhwc, FALSE, threads);
      if (row->dtype == FORGE_UINT8)
        check_conv (row, nhwc, TRUE, threads);
    }
}

static void
quantize_rounds_to_even_and_saturates (void)
{
  static const struct {
    float x;
    int unsigned_result, signed_result; /* scale 2; zero points 100, -3 */
  } values[] = {
    { 0, 100, -3 },
    { 1, 100, -3 },
    { 3, 102, -1 },
    { -1, 100, -3 },
    { -3, 98, -5 },
    { 5, 102, -1 },
    { 1e30f, 255, 127 },
    { -INFINITY, 0, -128 },
    { 311, 255, 127 },
    { -201, 0, -103 },
  };
  for (int is_signed = 0; is_signed < 2; is_signed++) {
    ForgeShape shape = forge_shape (1, (int) G_N_ELEMENTS (values));
    ForgeShape one = { 0 };
    Harness *h = harness_new ("QuantizeLinear", 13);
    ForgeTensor *x = harness_input (h, FORGE_FLOAT32, &shape);
    for (gsize i = 0; i < G_N_ELEMENTS (values); i++)
      ((float *) x->data)[i] = values[i].x;
    harness_scalar (h, 2);
    ForgeTensor *zero =
        harness_input (h, is_signed ? FORGE_INT8 : FORGE_UINT8, &one);
    *(uint8_t *) zero->data = (uint8_t) (is_signed ? -3 : 100);
    harness_prepare (h, 1, FALSE);
    harness_run (h);
    for (gsize i = 0; i < G_N_ELEMENTS (values); i++)
      g_assert_cmpint (byte_at (h->out[0], (int64_t) i), ==,
          is_signed ? values[i].signed_result : values[i].unsigned_result);
    harness_free (h);
  }
}

static void
sums_of_bytes_are_their_definition (void)
{
  ForgeRng rng;
  forge_rng_seed (&rng, 29);
  ForgeShape a = forge_shape (3, 4, 5, 6), b = forge_shape (2, 5, 1);
  Harness *h = harness_new ("QLinearAdd", 13);
  fill_bytes (harness_input (h, FORGE_INT8, &a), &rng);
  add_scales (h, FORGE_INT8, 1, &rng);
  fill_bytes (harness_input (h, FORGE_INT8, &b), &rng);
  add_scales (h, FORGE_INT8, 1, &rng);
  add_scales (h, FORGE_INT8, 1, &rng);
  harness_prepare (h, 1, FALSE);
  harness_run (h);
  for (int64_t i = 0; i < 120; i++) {
    double p = byte_at (h->in[0], i) - byte_at (h->in[2], 0);
    double q = byte_at (h->in[3], i / 6 % 5) - byte_at (h->in[5], 0);
    double sum = p * *(float *) h->in[1]->data + q * *(float *) h->in[4]->data;
    double y = rint (sum / *(float *) h->in[6]->data) + byte_at (h->in[7], 0);
    /* float32 may round a tie the other way */
    g_assert_cmpfloat (
        fabs (CLAMP (y, -128, 127) - byte_at (h->out[0], i)), <=, 1);
  }
  harness_free (h);
}

static void
global_mean_is_the_same_in_both_layouts (void)
{
  ForgeRng rng;
  forge_rng_seed (&rng, 31);
  ForgeTensor *means[2];
  Harness *h[2];
  for (int nhwc = 0; nhwc < 2; nhwc++) {
    ForgeShape x = harness_image (nhwc, 2, 3, 5, 7);
    h[nhwc] = harness_new ("QLinearGlobalAveragePool", 13);
    h[nhwc]->node.nhwc = nhwc;
    harness_input (h[nhwc], FORGE_UINT8, &x);
    forge_rng_seed (&rng, 31);
    add_scales (h[nhwc], FORGE_UINT8, 1, &rng);
    add_scales (h[nhwc], FORGE_UINT8, 1, &rng);
    for (int n = 0; n < 2; n++)
      for (int c = 0; c < 3; c++)
        for (int p = 0; p < 35; p++)
          ((uint8_t *) h[nhwc]->in[0]->data)[harness_at (
              nhwc, &x, n, c, p / 7, p % 7)] = (uint8_t) (n * 90 + c * 40 + p);
    harness_prepare (h[nhwc], 1, FALSE);
    harness_run (h[nhwc]);
    means[nhwc] = h[nhwc]->out[0];
  }
  float ratio = *(float *) h[0]->in[1]->data / *(float *) h[0]->in[3]->data;
  for (int i = 0; i < 6; i++) {
    float mean =
        (float) (i / 3 * 90 + i % 3 * 40 + 17 - byte_at (h[0]->in[2], 0));
    int want = (int) rintf (mean * ratio) + byte_at (h[0]->in[4], 0);
    g_assert_cmpint (byte_at (means[0], i), ==, CLAMP (want, 0, 255));
    g_assert_cmpint (byte_at (means[1], i), ==, byte_at (means[0], i));
  }
  harness_free (h[0]);
  harness_free (h[1]);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autofree char *name =
        g_strdup_printf ("/quantised/conv_is_its_definition/%s", rows[i].name);
    g_test_add_data_func (name, &rows[i], conv_is_its_definition);
  }
  g_test_add_func ("/quantised/quantize_rounds_to_even_and_saturates",
      quantize_rounds_to_even_and_saturates);
  g_test_add_func ("/quantised/sums_of_bytes_are_their_definition",
      sums_of_bytes_are_their_definition);
  g_test_add_func ("/quantised/global_mean_is_the_same_in_both_layouts",
      global_mean_is_the_same_in_both_layouts);
  return g_test_run ();
}
