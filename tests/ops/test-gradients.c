/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Every operator that has a backward, against central finite differences of
 * its own forward. An operator that gains a backward and no row here fails
 * the last test. */
#include <cblas.h>
#include <math.h>
#include <string.h>

#include "op-harness.h"

typedef struct {
  const char *type;
  const char *variant;
  Harness *(*make) (const char *type, ForgeRng *rng);
  /* NaN-free step of the difference; the values are 0.1 apart where the
   * operator has kinks. */
  float step;
} Row;

static Harness *
make_unary (const char *type, ForgeRng *rng)
{
  Harness *h = harness_new (type, 13);
  ForgeShape x = forge_shape (3, 2, 5, 7);
  harness_fill_distinct (harness_input (h, FORGE_FLOAT32, &x), rng);
  return h;
}

static Harness *
make_positive (const char *type, ForgeRng *rng)
{
  Harness *h = harness_new (type, 13);
  ForgeShape x = forge_shape (2, 5, 7);
  harness_fill (harness_input (h, FORGE_FLOAT32, &x), rng, 0.5f, 2);
  return h;
}

static Harness *
make_clip (const char *type, ForgeRng *rng)
{
  Harness *h = make_unary (type, rng);
  harness_scalar (h, -1.0f);
  harness_scalar (h, 1.5f);
  return h;
}

static Harness *
make_softmax (const char *type, ForgeRng *rng)
{
  Harness *h = harness_new (type, 13);
  ForgeShape x = forge_shape (3, 2, 5, 3);
  forge_attrs_set_int (h->node.attrs, "axis", 1);
  harness_fill (harness_input (h, FORGE_FLOAT32, &x), rng, -2, 2);
  return h;
}

static Harness *
make_old_softmax (const char *type, ForgeRng *rng)
{
  Harness *h = harness_new (type, 11);
  ForgeShape x = forge_shape (3, 2, 5, 3);
  harness_fill (harness_input (h, FORGE_FLOAT32, &x), rng, -2, 2);
  return h;
}

static Harness *
make_binary (const char *type, ForgeRng *rng)
{
  Harness *h = harness_new (type, 14);
  ForgeShape shape = forge_shape (3, 3, 4, 5);
  harness_fill (harness_input (h, FORGE_FLOAT32, &shape), rng, 0.5f, 2);
  harness_fill (harness_input (h, FORGE_FLOAT32, &shape), rng, 0.5f, 2);
  return h;
}

static Harness *
make_broadcast (const char *type, ForgeRng *rng)
{
  Harness *h = harness_new (type, 14);
  ForgeShape a = forge_shape (3, 3, 1, 5), b = forge_shape (4, 2, 1, 4, 1);
  harness_fill (harness_input (h, FORGE_FLOAT32, &a), rng, 0.5f, 2);
  harness_fill (harness_input (h, FORGE_FLOAT32, &b), rng, 0.5f, 2);
  return h;
}

static Harness *
make_bias (const char *type, ForgeRng *rng)
{
  Harness *h = harness_new (type, 14);
  ForgeShape a = forge_shape (3, 3, 4, 5), b = forge_shape (1, 5);
  harness_fill (harness_input (h, FORGE_FLOAT32, &a), rng, 0.5f, 2);
  harness_fill (harness_input (h, FORGE_FLOAT32, &b), rng, 0.5f, 2);
  return h;
}

/* [3, 6, 5, 7] images, weights, bias. */
static Harness *
make_conv_like (const char *type, ForgeRng *rng, gboolean nhwc, int groups,
    int out, int kernel, int stride)
{
  Harness *h = harness_new (type, 13);
  const int64_t strides[] = { stride, 1 },
                dilations[] = { 1, kernel > 1 ? 2 : 1 };
  const int64_t pads[] = { kernel / 2, kernel / 2, 0, kernel / 2 };
  ForgeShape x = harness_image (nhwc, 3, 6, 5, 7);
  ForgeShape w = forge_shape (4, out, 6 / groups, kernel, kernel);
  ForgeShape b = forge_shape (1, out);
  h->node.nhwc = nhwc;
  forge_attrs_set_ints (h->node.attrs, "strides", strides, 2);
  forge_attrs_set_ints (h->node.attrs, "dilations", dilations, 2);
  forge_attrs_set_ints (h->node.attrs, "pads", pads, 4);
  forge_attrs_set_int (h->node.attrs, "group", groups);
  harness_fill (harness_input (h, FORGE_FLOAT32, &x), rng, -1, 1);
  harness_fill (harness_input (h, FORGE_FLOAT32, &w), rng, -1, 1);
  harness_fill (harness_input (h, FORGE_FLOAT32, &b), rng, -1, 1);
  return h;
}

static Harness *
make_conv (const char *type, ForgeRng *rng)
{
  return make_conv_like (type, rng, TRUE, 1, 5, 3, 2);
}

static Harness *
make_conv_nchw (const char *type, ForgeRng *rng)
{
  return make_conv_like (type, rng, FALSE, 1, 5, 3, 1);
}

static Harness *
make_conv_grouped (const char *type, ForgeRng *rng)
{
  return make_conv_like (type, rng, TRUE, 2, 4, 3, 1);
}

static Harness *
make_conv_depthwise (const char *type, ForgeRng *rng)
{
  return make_conv_like (type, rng, TRUE, 6, 6, 3, 2);
}

static Harness *
make_conv_pointwise (const char *type, ForgeRng *rng)
{
  return make_conv_like (type, rng, TRUE, 1, 9, 1, 1);
}

static Harness *
make_conv_same (const char *type, ForgeRng *rng)
{
  Harness *h = harness_new (type, 13);
  ForgeShape x = harness_image (TRUE, 2, 3, 6, 5);
  ForgeShape w = forge_shape (4, 4, 3, 3, 3), b = forge_shape (1, 4);
  h->node.nhwc = TRUE;
  forge_attrs_set_string (h->node.attrs, "auto_pad", "SAME_UPPER");
  harness_fill (harness_input (h, FORGE_FLOAT32, &x), rng, -1, 1);
  harness_fill (harness_input (h, FORGE_FLOAT32, &w), rng, -1, 1);
  harness_fill (harness_input (h, FORGE_FLOAT32, &b), rng, -1, 1);
  return h;
}

static Harness *
make_gemm_like (const char *type, ForgeRng *rng, gboolean trans_a,
    gboolean trans_b, const ForgeShape *c)
{
  Harness *h = harness_new (type, 13);
  ForgeShape a = trans_a ? forge_shape (2, 7, 5) : forge_shape (2, 5, 7);
  ForgeShape b = trans_b ? forge_shape (2, 6, 7) : forge_shape (2, 7, 6);
  forge_attrs_set_int (h->node.attrs, "transA", trans_a);
  forge_attrs_set_int (h->node.attrs, "transB", trans_b);
  forge_attrs_set_float (h->node.attrs, "alpha", 0.5f);
  forge_attrs_set_float (h->node.attrs, "beta", 2.0f);
  harness_fill (harness_input (h, FORGE_FLOAT32, &a), rng, -1, 1);
  harness_fill (harness_input (h, FORGE_FLOAT32, &b), rng, -1, 1);
  if (c)
    harness_fill (harness_input (h, FORGE_FLOAT32, c), rng, -1, 1);
  return h;
}

static Harness *
make_gemm (const char *type, ForgeRng *rng)
{
  ForgeShape c = forge_shape (1, 6);
  return make_gemm_like (type, rng, FALSE, TRUE, &c);
}

static Harness *
make_gemm_plain (const char *type, ForgeRng *rng)
{
  ForgeShape c = forge_shape (2, 5, 1);
  return make_gemm_like (type, rng, FALSE, FALSE, &c);
}

static Harness *
make_gemm_trans_a (const char *type, ForgeRng *rng)
{
  return make_gemm_like (type, rng, TRUE, FALSE, NULL);
}

static Harness *
make_gemm_trans_both (const char *type, ForgeRng *rng)
{
  ForgeShape c = forge_shape (2, 5, 6);
  return make_gemm_like (type, rng, TRUE, TRUE, &c);
}

static Harness *
make_matmul (const char *type, ForgeRng *rng)
{
  Harness *h = harness_new (type, 13);
  ForgeShape a = forge_shape (3, 2, 4, 5), b = forge_shape (2, 5, 3);
  harness_fill (harness_input (h, FORGE_FLOAT32, &a), rng, -1, 1);
  harness_fill (harness_input (h, FORGE_FLOAT32, &b), rng, -1, 1);
  return h;
}

static Harness *
make_matmul_batched (const char *type, ForgeRng *rng)
{
  Harness *h = harness_new (type, 13);
  ForgeShape a = forge_shape (4, 2, 1, 4, 5), b = forge_shape (3, 3, 5, 2);
  harness_fill (harness_input (h, FORGE_FLOAT32, &a), rng, -1, 1);
  harness_fill (harness_input (h, FORGE_FLOAT32, &b), rng, -1, 1);
  return h;
}

static Harness *
make_pool_like (const char *type, ForgeRng *rng, gboolean nhwc)
{
  static const int64_t kernel[] = { 3, 2 }, strides[] = { 2, 1 };
  static const int64_t pads[] = { 1, 0, 1, 1 };
  Harness *h = harness_new (type, 13);
  ForgeShape x = harness_image (nhwc, 2, 3, 5, 4);
  h->node.nhwc = nhwc;
  forge_attrs_set_ints (h->node.attrs, "kernel_shape", kernel, 2);
  forge_attrs_set_ints (h->node.attrs, "strides", strides, 2);
  forge_attrs_set_ints (h->node.attrs, "pads", pads, 4);
  harness_fill_distinct (harness_input (h, FORGE_FLOAT32, &x), rng);
  return h;
}

static Harness *
make_pool (const char *type, ForgeRng *rng)
{
  return make_pool_like (type, rng, TRUE);
}

static Harness *
make_pool_nchw (const char *type, ForgeRng *rng)
{
  return make_pool_like (type, rng, FALSE);
}

static Harness *
make_norm_like (const char *type, ForgeRng *rng, gboolean nhwc)
{
  Harness *h = harness_new (type, 14);
  ForgeShape x = harness_image (nhwc, 3, 17, 2, 3), c = forge_shape (1, 17);
  h->node.nhwc = nhwc;
  harness_fill (harness_input (h, FORGE_FLOAT32, &x), rng, -1, 3);
  for (int i = 0; i < 4; i++)
    harness_fill (harness_input (h, FORGE_FLOAT32, &c), rng, 0.5f, 2);
  return h;
}

static Harness *
make_norm (const char *type, ForgeRng *rng)
{
  return make_norm_like (type, rng, TRUE);
}

static Harness *
make_norm_nchw (const char *type, ForgeRng *rng)
{
  return make_norm_like (type, rng, FALSE);
}

static Harness *
make_concat (const char *type, ForgeRng *rng)
{
  Harness *h = harness_new (type, 13);
  ForgeShape a = forge_shape (3, 2, 3, 4), b = forge_shape (3, 2, 1, 4);
  forge_attrs_set_int (h->node.attrs, "axis", -2);
  harness_fill (harness_input (h, FORGE_FLOAT32, &a), rng, -1, 1);
  harness_fill (harness_input (h, FORGE_FLOAT32, &b), rng, -1, 1);
  return h;
}

static Harness *
make_reshape (const char *type, ForgeRng *rng)
{
  static const int64_t shape[] = { 7, -1 };
  Harness *h = make_unary (type, rng);
  harness_ints (h, shape, 2);
  return h;
}

static Harness *
make_axes (const char *type, ForgeRng *rng)
{
  static const int64_t axes[] = { 1 };
  Harness *h = harness_new (type, 18);
  ForgeShape x = forge_shape (3, 4, 1, 5);
  harness_fill (harness_input (h, FORGE_FLOAT32, &x), rng, -1, 1);
  harness_ints (h, axes, 1);
  return h;
}

static Harness *
make_reduce (const char *type, ForgeRng *rng)
{
  static const int64_t axes[] = { 0, 2 };
  Harness *h = harness_new (type, 18);
  ForgeShape x = forge_shape (4, 2, 3, 4, 2);
  forge_attrs_set_int (h->node.attrs, "keepdims", 0);
  harness_fill (harness_input (h, FORGE_FLOAT32, &x), rng, -1, 1);
  harness_ints (h, axes, 2);
  return h;
}

static Harness *
make_transpose (const char *type, ForgeRng *rng)
{
  static const int64_t perm[] = { 0, 2, 3, 1 };
  Harness *h = harness_new (type, 13);
  ForgeShape x = forge_shape (4, 2, 3, 4, 5);
  forge_attrs_set_ints (h->node.attrs, "perm", perm, 4);
  harness_fill (harness_input (h, FORGE_FLOAT32, &x), rng, -1, 1);
  return h;
}

static Harness *
make_transpose_mixed (const char *type, ForgeRng *rng)
{
  static const int64_t perm[] = { 2, 1, 0, 3 };
  Harness *h = harness_new (type, 13);
  ForgeShape x = forge_shape (4, 2, 3, 4, 5);
  forge_attrs_set_ints (h->node.attrs, "perm", perm, 4);
  harness_fill (harness_input (h, FORGE_FLOAT32, &x), rng, -1, 1);
  return h;
}

static const Row rows[] = {
  { "Conv", "nhwc", make_conv, 0.02f },
  { "Conv", "nchw", make_conv_nchw, 0.02f },
  { "Conv", "grouped", make_conv_grouped, 0.02f },
  { "Conv", "depthwise", make_conv_depthwise, 0.02f },
  { "Conv", "pointwise", make_conv_pointwise, 0.02f },
  { "Conv", "same", make_conv_same, 0.02f },
  { "MaxPool", "nhwc", make_pool, 0.02f },
  { "MaxPool", "nchw", make_pool_nchw, 0.02f },
  { "AveragePool", "nhwc", make_pool, 0.02f },
  { "AveragePool", "nchw", make_pool_nchw, 0.02f },
  { "GlobalAveragePool", "nhwc", make_pool, 0.02f },
  { "GlobalAveragePool", "nchw", make_pool_nchw, 0.02f },
  { "GlobalMaxPool", "nhwc", make_pool, 0.02f },
  { "GlobalMaxPool", "nchw", make_pool_nchw, 0.02f },
  { "Gemm", "trans-b", make_gemm, 0.02f },
  { "Gemm", "plain", make_gemm_plain, 0.02f },
  { "Gemm", "trans-a", make_gemm_trans_a, 0.02f },
  { "Gemm", "trans-both", make_gemm_trans_both, 0.02f },
  { "MatMul", "2d", make_matmul, 0.02f },
  { "MatMul", "batched", make_matmul_batched, 0.02f },
  { "BatchNormalization", "nhwc", make_norm, 0.01f },
  { "BatchNormalization", "nchw", make_norm_nchw, 0.01f },
  { "Relu", "", make_unary, 0.02f },
  { "Clip", "", make_clip, 0.02f },
  { "LeakyRelu", "", make_unary, 0.02f },
  { "Sigmoid", "", make_unary, 0.02f },
  { "Tanh", "", make_unary, 0.01f },
  { "HardSigmoid", "", make_unary, 0.02f },
  { "HardSwish", "", make_unary, 0.02f },
  { "Silu", "", make_unary, 0.02f },
  { "Softmax", "axis", make_softmax, 0.01f },
  { "Softmax", "opset-11", make_old_softmax, 0.01f },
  { "LogSoftmax", "axis", make_softmax, 0.01f },
  { "LogSoftmax", "opset-11", make_old_softmax, 0.01f },
  { "Add", "", make_binary, 0.02f },
  { "Add", "bias", make_bias, 0.02f },
  { "Add", "broadcast", make_broadcast, 0.02f },
  { "Sub", "broadcast", make_broadcast, 0.02f },
  { "Mul", "", make_binary, 0.02f },
  { "Mul", "broadcast", make_broadcast, 0.02f },
  { "Div", "", make_binary, 0.01f },
  { "Div", "broadcast", make_broadcast, 0.01f },
  { "Concat", "", make_concat, 0.02f },
  { "Flatten", "", make_unary, 0.02f },
  { "Reshape", "", make_reshape, 0.02f },
  { "Squeeze", "", make_axes, 0.02f },
  { "Unsqueeze", "", make_axes, 0.02f },
  { "Identity", "", make_unary, 0.02f },
  { "Transpose", "to-nhwc", make_transpose, 0.02f },
  { "Transpose", "mixed", make_transpose_mixed, 0.02f },
  { "Dropout", "", make_unary, 0.02f },
  { "ReduceMean", "", make_reduce, 0.02f },
  { "Elu", "", make_unary, 0.01f },
  { "Selu", "", make_unary, 0.01f },
  { "Celu", "", make_unary, 0.01f },
  { "Gelu", "", make_unary, 0.01f },
  { "Mish", "", make_unary, 0.01f },
  { "Softplus", "", make_unary, 0.01f },
  { "Softsign", "", make_unary, 0.01f },
  { "ThresholdedRelu", "", make_unary, 0.01f },
  { "Erf", "", make_unary, 0.01f },
  { "Neg", "", make_unary, 0.01f },
  { "Abs", "", make_unary, 0.01f },
  { "Sin", "", make_unary, 0.01f },
  { "Cos", "", make_unary, 0.01f },
  { "Sqrt", "", make_positive, 0.01f },
  { "Exp", "", make_positive, 0.01f },
  { "Log", "", make_positive, 0.01f },
  { "Reciprocal", "", make_positive, 0.01f },
};

/* The loss whose gradient is checked: sum of out * weight. */
static double
loss (Harness *h, const float *weights)
{
  double sum = 0;
  harness_run (h);
  const float *out = h->out[0]->data;
  for (int64_t i = 0; i < forge_tensor_get_count (h->out[0]); i++)
    sum += (double) out[i] * weights[i];
  return sum;
}

static double
difference (Harness *h, int input, int64_t at, float step, const float *weights)
{
  float *x = h->in[input]->data, before = x[at];
  x[at] = before + step;
  double high = loss (h, weights), width = x[at];
  x[at] = before - step;
  double low = loss (h, weights);
  width -= x[at];
  x[at] = before;
  return (high - low) / width;
}

static void
check_inputs (const Row *row, Harness *h, const float *weights)
{
  for (guint i = 0; i < h->node.inputs->len; i++) {
    if (!h->d_in[i] || h->constant[i] ||
        (i >= 3 && strcmp (row->type, "BatchNormalization") == 0))
      continue;
    g_autoptr (ForgeTensor) got = forge_tensor_copy (h->d_in[i], NULL);
    for (int64_t at = 0; at < forge_tensor_get_count (got); at++) {
      g_autofree char *what =
          g_strdup_printf ("%s %s, input %u", row->type, row->variant, i);
      harness_assert_close (what, at, ((float *) got->data)[at],
          difference (h, (int) i, at, row->step, weights), 5e-3);
    }
  }
}

static void
gradient_matches_differences (gconstpointer data)
{
  const Row *row = data;
  ForgeRng rng;
  forge_rng_seed (&rng, 5);
  Harness *h = row->make (row->type, &rng);
  harness_prepare (h, 1, TRUE);
  harness_run (h);
  g_autoptr (ForgeTensor) weights = forge_tensor_copy (h->out[0], NULL);
  harness_fill (weights, &rng, -1, 1);
  harness_backward (h, weights->data);
  check_inputs (row, h, weights->data);
  harness_free (h);
}

static void
threads_do_not_change_a_gradient (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    ForgeRng rng;
    forge_rng_seed (&rng, 6);
    Harness *one = rows[i].make (rows[i].type, &rng);
    forge_rng_seed (&rng, 6);
    Harness *three = rows[i].make (rows[i].type, &rng);
    harness_prepare (one, 1, TRUE);
    harness_prepare (three, 3, TRUE);
    harness_run (one);
    harness_run (three);
    harness_backward (one, one->out[0]->data);
    harness_backward (three, one->out[0]->data);
    for (guint k = 0; k < one->node.inputs->len; k++)
      if (one->d_in[k])
        g_assert_cmpmem (one->d_in[k]->data, one->d_in[k]->size_bytes,
            three->d_in[k]->data, three->d_in[k]->size_bytes);
    harness_free (one);
    harness_free (three);
  }
}

/* A gradient that nobody wants must not be touched. */
static void
unwanted_gradients_are_left_out (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    ForgeRng rng;
    forge_rng_seed (&rng, 7);
    Harness *h = rows[i].make (rows[i].type, &rng);
    ForgeTensor *none[HARNESS_MAX_IO] = { NULL };
    harness_prepare (h, 1, TRUE);
    harness_run (h);
    harness_backward (h, h->out[0]->data);
    h->node.op->backward (
        &h->step, &(ForgeGradients) { .d_out = h->d_out, .d_in = none });
    harness_free (h);
  }
}

static void
every_backward_has_a_row (void)
{
  for (const ForgeOp *const *op = forge_op_list (); *op; op++) {
    gboolean found = FALSE;
    for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
      found |= strcmp (rows[i].type, (*op)->type) == 0;
    if (((*op)->backward != NULL) != found)
      g_error ("%s: %s", (*op)->type,
          found ? "has a row and no backward" : "has a backward and no row");
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  openblas_set_num_threads (1);
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autofree char *path =
        g_strdup_printf ("/gradients/gradient_matches_differences/%s%s%s",
            rows[i].type, *rows[i].variant ? "/" : "", rows[i].variant);
    g_test_add_data_func (path, &rows[i], gradient_matches_differences);
  }
  g_test_add_func ("/gradients/threads_do_not_change_a_gradient",
      threads_do_not_change_a_gradient);
  g_test_add_func ("/gradients/unwanted_gradients_are_left_out",
      unwanted_gradients_are_left_out);
  g_test_add_func (
      "/gradients/every_backward_has_a_row", every_backward_has_a_row);
  return g_test_run ();
}
