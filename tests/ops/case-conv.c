/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Conv against loops in double precision written from the ONNX definition:
 * kernels, strides, padding, dilation, groups, both layouts, fused
 * activations, constant and computed weights, one and three threads. */
#include <math.h>
#include <string.h>

#include "kernels/kernels.h"
#include "op-harness.h"

typedef struct {
  const char *name;
  int n, c, h, w, o, kh, kw;
  int64_t strides[2], dilations[2], pads[4];
  int groups;
  const char *auto_pad;
} Row;

static const Row rows[] = {
  { "pointwise", 2, 7, 5, 9, 11, 1, 1, { 1, 1 }, { 1, 1 }, { 0 }, 1, NULL },
  { "same-3x3", 3, 5, 7, 6, 33, 3, 3, { 1, 1 }, { 1, 1 }, { 1, 1, 1, 1 }, 1,
      NULL },
  { "asymmetric", 1, 3, 8, 11, 17, 3, 2, { 2, 3 }, { 1, 1 }, { 0, 1, 2, 0 }, 1,
      NULL },
  { "dilated", 1, 4, 12, 10, 6, 3, 3, { 1, 2 }, { 3, 2 }, { 3, 2, 3, 2 }, 1,
      NULL },
  { "grouped", 2, 6, 6, 5, 9, 3, 3, { 1, 1 }, { 1, 1 }, { 1, 1, 1, 1 }, 3,
      NULL },
  { "depthwise", 2, 19, 9, 8, 19, 3, 3, { 2, 1 }, { 1, 1 }, { 1, 1, 1, 1 }, 19,
      NULL },
  { "multiplier", 1, 5, 6, 6, 10, 3, 3, { 1, 1 }, { 1, 1 }, { 1, 1, 1, 1 }, 5,
      NULL },
  { "same-upper", 1, 3, 7, 8, 4, 3, 4, { 2, 2 }, { 1, 1 }, { 0 }, 1,
      "SAME_UPPER" },
  { "same-lower", 1, 3, 8, 7, 4, 2, 4, { 2, 1 }, { 1, 1 }, { 0 }, 1,
      "SAME_LOWER" },
  { "valid", 1, 3, 8, 7, 4, 5, 7, { 1, 1 }, { 1, 1 }, { 0 }, 1, "VALID" },
  { "pad-beyond-kernel", 1, 2, 3, 3, 3, 2, 2, { 1, 1 }, { 1, 1 },
      { 4, 5, 3, 4 }, 1, NULL },
  { "many-tiles", 2, 3, 24, 23, 70, 3, 3, { 1, 1 }, { 1, 1 }, { 1, 1, 1, 1 }, 1,
      NULL },
  { "folded", 2, 3, 11, 13, 9, 5, 3, { 2, 2 }, { 2, 1 }, { 4, 1, 4, 2 }, 1,
      NULL },
  { "folded-uncopied", 2, 21, 9, 8, 7, 3, 4, { 2, 1 }, { 2, 1 }, { 1, 0, 3, 0 },
      1, NULL },
  { "winograd4x4", 2, 32, 13, 11, 40, 3, 3, { 1, 1 }, { 1, 1 }, { 1, 1, 1, 1 },
      1, NULL },
  { "winograd4x4-unpadded", 1, 33, 22, 15, 52, 3, 3, { 1, 1 }, { 1, 1 }, { 0 },
      1, NULL },
  { "winograd2x2", 2, 60, 7, 9, 64, 3, 3, { 1, 1 }, { 1, 1 }, { 1, 1, 1, 1 }, 1,
      NULL },
  { "winograd2x2-unpadded", 1, 49, 9, 8, 57, 3, 3, { 1, 1 }, { 1, 1 }, { 0 }, 1,
      NULL },
  { "winograd6x6", 1, 26, 18, 13, 36, 3, 3, { 1, 1 }, { 1, 1 }, { 1, 1, 1, 1 },
      1, NULL },
  { "winograd4x4-in-blocks", 1, 75, 24, 23, 100, 3, 3, { 1, 1 }, { 1, 1 },
      { 1, 0, 1, 2 }, 1, NULL },
};

static Harness *
conv_new (const Row *row, gboolean nhwc, gboolean constant, ForgeRng *rng)
{
  Harness *h = harness_new ("Conv", 13);
  ForgeShape x = harness_image (nhwc, row->n, row->c, row->h, row->w);
  ForgeShape w =
      forge_shape (4, row->o, row->c / row->groups, row->kh, row->kw);
  ForgeShape b = forge_shape (1, row->o);
  h->node.nhwc = nhwc;
  forge_attrs_set_ints (h->node.attrs, "strides", row->strides, 2);
  forge_attrs_set_ints (h->node.attrs, "dilations", row->dilations, 2);
  forge_attrs_set_int (h->node.attrs, "group", row->groups);
  if (row->auto_pad)
    forge_attrs_set_string (h->node.attrs, "auto_pad", row->auto_pad);
  else
    forge_attrs_set_ints (h->node.attrs, "pads", row->pads, 4);
  harness_fill (harness_input (h, FORGE_FLOAT32, &x), rng, -1, 1);
  harness_fill (harness_input (h, FORGE_FLOAT32, &w), rng, -1, 1);
  harness_fill (harness_input (h, FORGE_FLOAT32, &b), rng, -1, 1);
  h->constant[1] = h->constant[2] = constant;
  return h;
}

/* Padding of one axis, from the text of the specification. */
static int64_t
pad_before (const Row *row, int axis, int64_t in, int64_t out, int kernel)
{
  if (!row->auto_pad)
    return row->pads[axis];
  if (strcmp (row->auto_pad, "VALID") == 0)
    return 0;
  int64_t total = (out - 1) * row->strides[axis] +
                  (kernel - 1) * row->dilations[axis] + 1 - in;
  total = MAX (total, 0);
  return strcmp (row->auto_pad, "SAME_UPPER") == 0 ? total / 2
                                                   : total - total / 2;
}

static double
naive (const Row *row, const Harness *h, int64_t n, int64_t o, int64_t oy,
    int64_t ox, int64_t top, int64_t left)
{
  const float *x = h->in[0]->data, *w = h->in[1]->data;
  int64_t group_c = row->c / row->groups, group_o = row->o / row->groups;
  double sum = ((const float *) h->in[2]->data)[o];
  for (int64_t c = 0; c < group_c; c++)
    for (int ky = 0; ky < row->kh; ky++)
      for (int kx = 0; kx < row->kw; kx++) {
        int64_t y = oy * row->strides[0] - top + ky * row->dilations[0];
        int64_t xx = ox * row->strides[1] - left + kx * row->dilations[1];
        if (y < 0 || y >= row->h || xx < 0 || xx >= row->w)
          continue;
        sum += (double) x[harness_at (h->node.nhwc, &h->in[0]->shape, n,
                   o / group_o * group_c + c, y, xx)] *
               w[((o * group_c + c) * row->kh + ky) * row->kw + kx];
      }
  return sum;
}

static double
activate (const ForgeActivation *activation, double x)
{
  if (activation->kind == FORGE_UNARY_CLAMP)
    return MIN (MAX (x, activation->alpha), activation->beta);
  if (activation->kind == FORGE_UNARY_SILU)
    return x / (1 + exp (-x));
  return x;
}

static gboolean
is_winograd (const Harness *h)
{
  return g_str_has_prefix (h->prepared.algorithm, "winograd");
}

/* In training the weights are not packed before, but the way is the same. */
static gboolean
by_winograd (const Row *row, const Harness *h)
{
  return is_winograd (h) ||
         (h->step.training && g_str_has_prefix (row->name, "winograd"));
}

/* The largest sum of the first image, before the activation. */
static double
largest (const Row *row, Harness *h, int64_t oh, int64_t ow, int64_t top,
    int64_t left)
{
  double size = 0;
  for (int64_t i = 0; i < row->o * oh * ow; i++)
    size = MAX (size,
        fabs (naive (row, h, 0, i / oh / ow, i / ow % oh, i % ow, top, left)));
  return size;
}

static void
compare (const Row *row, Harness *h)
{
  const ForgeShape *out = &h->out[0]->shape;
  gboolean nhwc = h->node.nhwc;
  int64_t oh = out->dims[nhwc ? 1 : 2], ow = out->dims[nhwc ? 2 : 3];
  int64_t top = pad_before (row, 0, row->h, oh, row->kh);
  int64_t left = pad_before (row, 1, row->w, ow, row->kw);
  g_assert_cmpint (out->dims[nhwc ? 3 : 1], ==, row->o);
  const float *got = h->out[0]->data;
  double tolerance = by_winograd (row, h) ? 1e-4 : 2e-5;
  if (strcmp (h->prepared.algorithm, "winograd6x6") == 0)
    tolerance = 1e-5 * largest (row, h, oh, ow, top, left);
  for (int64_t n = 0; n < row->n; n++)
    for (int64_t o = 0; o < row->o; o++)
      for (int64_t y = 0; y < oh; y++)
        for (int64_t x = 0; x < ow; x++) {
          int64_t at = harness_at (nhwc, out, n, o, y, x);
          double want = naive (row, h, n, o, y, x, top, left);
          if (h->in[3])
            want += ((const float *) h->in[3]->data)[at];
          harness_assert_close (row->name, at, got[at],
              activate (&h->node.activation, want), tolerance);
        }
}

static void
conv_matches_the_definition (void)
{
  ForgeRng rng;
  forge_rng_seed (&rng, 1);
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    for (int variant = 0; variant < 8; variant++) {
      gboolean training = (variant & 4) != 0;
      Harness *h = conv_new (&rows[i], variant & 1, (variant & 2) != 0, &rng);
      harness_prepare (h, 1, training);
      harness_run (h);
      compare (&rows[i], h);
      g_assert_cmpint (h->node.op->flops (&h->node), >, 0);
      harness_free (h);
    }
}

/* Rows say by their name how they are to be computed. */
static void
winograd_is_used_where_it_is_faster (void)
{
  ForgeRng rng;
  forge_rng_seed (&rng, 5);
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    Harness *h = conv_new (&rows[i], TRUE, TRUE, &rng);
    harness_prepare (h, 1, FALSE);
    gboolean wanted = g_str_has_prefix (rows[i].name, "winograd");
    if (is_winograd (h) != wanted ||
        (wanted && !g_str_has_prefix (rows[i].name, h->prepared.algorithm)))
      g_error ("%s: computed as %s", rows[i].name, h->prepared.algorithm);
    harness_free (h);
  }
}

static void
training_uses_the_weights_of_the_moment (void)
{
  ForgeRng rng;
  forge_rng_seed (&rng, 2);
  Harness *h = conv_new (&rows[1], TRUE, TRUE, &rng);
  harness_prepare (h, 1, TRUE);
  harness_fill (h->in[1], &rng, -2, 2);
  harness_run (h);
  compare (&rows[1], h);
  harness_free (h);
}

static void
fused_activation_is_applied (void)
{
  static const ForgeActivation kinds[] = {
    { FORGE_UNARY_CLAMP, 0, 6 },
    { FORGE_UNARY_SILU, 0, 0 },
  };
  ForgeRng rng;
  forge_rng_seed (&rng, 3);
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    for (int variant = 0; variant < 4; variant++) {
      Harness *h = conv_new (&rows[i], variant & 1, TRUE, &rng);
      h->node.activation = kinds[variant / 2];
      harness_prepare (h, 2, FALSE);
      harness_run (h);
      compare (&rows[i], h);
      harness_free (h);
    }
}

/* Whatever a pass gave as input 3; groups have none. */
static void
residual_is_added_before_the_activation (void)
{
  ForgeRng rng;
  forge_rng_seed (&rng, 6);
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    if (rows[i].groups > 1)
      continue;
    Harness *h = conv_new (&rows[i], TRUE, TRUE, &rng);
    h->node.activation = (ForgeActivation) { FORGE_UNARY_CLAMP, 0, 6 };
    g_assert_true (harness_infer (h, NULL));
    ForgeShape shape = forge_node_out (&h->node, 0)->shape;
    harness_fill (harness_input (h, FORGE_FLOAT32, &shape), &rng, -4, 4);
    harness_prepare (h, 2, FALSE);
    harness_run (h);
    compare (&rows[i], h);
    harness_free (h);
  }
}

static void
files_give_no_residual_and_no_gate (void)
{
  ForgeRng rng;
  forge_rng_seed (&rng, 7);
  Harness *h = conv_new (&rows[0], FALSE, TRUE, &rng);
  g_assert_true (harness_infer (h, NULL));
  ForgeShape shape = forge_node_out (&h->node, 0)->shape;
  harness_input (h, FORGE_FLOAT32, &shape);
  g_autoptr (GError) error = NULL;
  g_assert_false (harness_infer (h, &error));
  g_assert_error (error, FORGE_ERROR, FORGE_ERROR_SHAPE);
  g_clear_error (&error);
  shape = forge_shape (4, 1, 1, 1, rows[0].c);
  harness_input (h, FORGE_FLOAT32, &shape);
  g_clear_pointer (&h->node.inputs->pdata[3], g_free);
  g_assert_false (harness_infer (h, &error));
  g_assert_error (error, FORGE_ERROR, FORGE_ERROR_SHAPE);
  harness_free (h);
}

static void
threads_do_not_change_a_bit (void)
{
  ForgeRng rng;
  forge_rng_seed (&rng, 4);
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    Harness *h = conv_new (&rows[i], TRUE, TRUE, &rng);
    harness_prepare (h, 1, FALSE);
    harness_run (h);
    g_autoptr (ForgeTensor) one = forge_tensor_copy (h->out[0], NULL);
    harness_prepare (h, 3, FALSE);
    harness_run (h);
    g_assert_cmpmem (
        one->data, one->size_bytes, h->out[0]->data, h->out[0]->size_bytes);
    harness_free (h);
  }
}

static void
one_dimension_works (void)
{
  static const float x[] = { 1, 2, 3, 4, 5 }, w[] = { 1, 0, -1 };
  static const float want[] = { -2, -2, -2, -2, 4 };
  static const int64_t pads[] = { 1, 1 };
  Harness *h = harness_new ("Conv", 13);
  ForgeShape in = forge_shape (3, 1, 1, 5), weights = forge_shape (3, 1, 1, 3);
  forge_attrs_set_ints (h->node.attrs, "pads", pads, 2);
  memcpy (harness_input (h, FORGE_FLOAT32, &in)->data, x, sizeof x);
  memcpy (harness_input (h, FORGE_FLOAT32, &weights)->data, w, sizeof w);
  harness_prepare (h, 1, FALSE);
  harness_run (h);
  g_assert_cmpmem (h->out[0]->data, h->out[0]->size_bytes, want, sizeof want);
  harness_free (h);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func (
      "/conv/conv_matches_the_definition", conv_matches_the_definition);
  g_test_add_func ("/conv/winograd_is_used_where_it_is_faster",
      winograd_is_used_where_it_is_faster);
  g_test_add_func ("/conv/training_uses_the_weights_of_the_moment",
      training_uses_the_weights_of_the_moment);
  g_test_add_func (
      "/conv/fused_activation_is_applied", fused_activation_is_applied);
  g_test_add_func ("/conv/residual_is_added_before_the_activation",
      residual_is_added_before_the_activation);
  g_test_add_func ("/conv/files_give_no_residual_and_no_gate",
      files_give_no_residual_and_no_gate);
  g_test_add_func (
      "/conv/threads_do_not_change_a_bit", threads_do_not_change_a_bit);
  g_test_add_func ("/conv/one_dimension_works", one_dimension_works);
  return g_test_run ();
}
