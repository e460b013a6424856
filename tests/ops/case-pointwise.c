/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Operators that work element by element or row by row: arithmetic with
 * broadcasting, activations, batch norm, Softmax, Cast, Dropout. */
#include <float.h>
#include <math.h>
#include <string.h>

#include "kernels/kernels.h"
#include "op-harness.h"

typedef struct {
  ForgeShape a, b, out;
} Shapes;

static const Shapes broadcasts[] = {
  { { 4, { 2, 3, 5, 7 } }, { 4, { 2, 3, 5, 7 } }, { 4, { 2, 3, 5, 7 } } },
  { { 4, { 2, 3, 5, 7 } }, { 1, { 7 } }, { 4, { 2, 3, 5, 7 } } },
  { { 4, { 2, 3, 5, 7 } }, { 0 }, { 4, { 2, 3, 5, 7 } } },
  { { 0 }, { 2, { 3, 4 } }, { 2, { 3, 4 } } },
  { { 4, { 2, 3, 5, 7 } }, { 3, { 3, 1, 1 } }, { 4, { 2, 3, 5, 7 } } },
  { { 3, { 3, 1, 5 } }, { 4, { 2, 1, 4, 1 } }, { 4, { 2, 3, 4, 5 } } },
  { { 4, { 2, 1, 1, 6 } }, { 4, { 2, 4, 3, 6 } }, { 4, { 2, 4, 3, 6 } } },
  { { 2, { 0, 3 } }, { 1, { 3 } }, { 2, { 0, 3 } } },
};

/* Element of @shape that meets element @index of @out. */
static int64_t
met (const ForgeShape *shape, const ForgeShape *out, int64_t index)
{
  int64_t at = 0, stride = 1;
  for (int i = 1; i <= out->rank; i++) {
    int64_t coordinate = index % out->dims[out->rank - i];
    index /= out->dims[out->rank - i];
    if (i > shape->rank)
      continue;
    int64_t extent = shape->dims[shape->rank - i];
    at += extent == 1 ? 0 : coordinate * stride;
    stride *= extent;
  }
  return at;
}

static double
arithmetic (const char *type, double a, double b)
{
  return type[0] == 'A'   ? a + b
         : type[0] == 'S' ? a - b
         : type[0] == 'M' ? a * b
                          : a / b;
}

static const char *const binary_types[] = { "Add", "Sub", "Mul", "Div" };

static void
check_float (const char *type, const Shapes *shapes, ForgeRng *rng)
{
  Harness *h = harness_new (type, 14);
  harness_fill (harness_input (h, FORGE_FLOAT32, &shapes->a), rng, 1, 2);
  harness_fill (harness_input (h, FORGE_FLOAT32, &shapes->b), rng, 1, 2);
  harness_prepare (h, 3, FALSE);
  harness_run (h);
  g_assert_true (forge_shape_equal (&h->out[0]->shape, &shapes->out));
  const float *a = h->in[0]->data, *b = h->in[1]->data;
  const float *y = h->out[0]->data;
  for (int64_t i = 0; i < forge_tensor_get_count (h->out[0]); i++)
    harness_assert_close (type, i, y[i],
        arithmetic (type, a[met (&shapes->a, &shapes->out, i)],
            b[met (&shapes->b, &shapes->out, i)]),
        1e-6);
  harness_free (h);
}

static void
check_int64 (const char *type, const Shapes *shapes, ForgeRng *rng)
{
  Harness *h = harness_new (type, 14);
  for (int k = 0; k < 2; k++) {
    ForgeTensor *in =
        harness_input (h, FORGE_INT64, k ? &shapes->b : &shapes->a);
    for (int64_t i = 0; i < forge_tensor_get_count (in); i++)
      ((int64_t *) in->data)[i] = (int64_t) forge_rng_below (rng, 41) - 20;
  }
  harness_prepare (h, 1, FALSE);
  harness_run (h);
  const int64_t *a = h->in[0]->data, *b = h->in[1]->data;
  const int64_t *y = h->out[0]->data;
  for (int64_t i = 0; i < forge_tensor_get_count (h->out[0]); i++) {
    int64_t va = a[met (&shapes->a, &shapes->out, i)];
    int64_t vb = b[met (&shapes->b, &shapes->out, i)];
    int64_t want = type[0] == 'A'   ? va + vb
                   : type[0] == 'S' ? va - vb
                   : type[0] == 'M' ? va * vb
                   : vb             ? va / vb
                                    : 0;
    g_assert_cmpint (y[i], ==, want);
  }
  harness_free (h);
}

static void
arithmetic_broadcasts_like_numpy (void)
{
  ForgeRng rng;
  forge_rng_seed (&rng, 1);
  for (int t = 0; t < 4; t++)
    for (gsize i = 0; i < G_N_ELEMENTS (broadcasts); i++) {
      check_float (binary_types[t], &broadcasts[i], &rng);
      check_int64 (binary_types[t], &broadcasts[i], &rng);
    }
}

static void
integer_extremes_do_not_trap (void)
{
  static const int64_t a[] = { INT64_MIN, INT64_MIN, INT64_MAX },
                       b[] = { -1, 0, 2 };
  for (int t = 0; t < 4; t++) {
    Harness *h = harness_new (binary_types[t], 14);
    harness_ints (h, a, 3);
    harness_ints (h, b, 3);
    harness_prepare (h, 1, FALSE);
    harness_run (h);
    harness_free (h);
  }
}

static double
activation_of (const char *type, double x)
{
  if (strcmp (type, "Relu") == 0)
    return MAX (x, 0);
  if (strcmp (type, "LeakyRelu") == 0)
    return x < 0 ? 0.2f * x : x;
  if (strcmp (type, "Sigmoid") == 0)
    return 1 / (1 + exp (-x));
  if (strcmp (type, "Tanh") == 0)
    return tanh (x);
  if (strcmp (type, "HardSigmoid") == 0)
    return CLAMP (0.2f * x + 0.5, 0, 1);
  if (strcmp (type, "HardSwish") == 0)
    return x * CLAMP (x / 6 + 0.5, 0, 1);
  return x / (1 + exp (-x)); /* Silu */
}

static void
activations_match_libm (void)
{
  static const char *const types[] = { "Relu", "LeakyRelu", "Sigmoid", "Tanh",
    "HardSigmoid", "HardSwish", "Silu" };
  ForgeRng rng;
  forge_rng_seed (&rng, 2);
  for (gsize t = 0; t < G_N_ELEMENTS (types); t++) {
    Harness *h = harness_new (types[t], 14);
    ForgeShape shape = forge_shape (2, 37, 1111);
    forge_attrs_set_float (h->node.attrs, "alpha", 0.2f);
    harness_fill (harness_input (h, FORGE_FLOAT32, &shape), &rng, -9, 9);
    harness_prepare (h, 3, FALSE);
    harness_run (h);
    const float *x = h->in[0]->data, *y = h->out[0]->data;
    for (int64_t i = 0; i < 37 * 1111; i++)
      harness_assert_close (
          types[t], i, y[i], activation_of (types[t], x[i]), 1e-5);
    harness_free (h);
  }
}

static void
clip_takes_its_bounds_from_attributes_or_inputs (void)
{
  static const float x[] = { -2, 0.5f, 3 };
  ForgeShape shape = forge_shape (1, 3);
  for (int variant = 0; variant < 4; variant++) {
    Harness *h = harness_new ("Clip", variant == 0 ? 6 : 13);
    memcpy (harness_input (h, FORGE_FLOAT32, &shape)->data, x, sizeof x);
    if (variant == 0) {
      forge_attrs_set_float (h->node.attrs, "min", -1);
      forge_attrs_set_float (h->node.attrs, "max", 1);
    } else {
      if (variant == 2)
        harness_input (h, FORGE_FLOAT32, NULL);
      else
        harness_scalar (h, -1);
      if (variant != 3)
        harness_scalar (h, 1);
    }
    harness_prepare (h, 1, FALSE);
    harness_run (h);
    const float *y = h->out[0]->data;
    g_assert_cmpfloat (y[0], ==, variant == 2 ? -2 : -1);
    g_assert_cmpfloat (y[1], ==, 0.5f);
    g_assert_cmpfloat (y[2], ==, variant == 3 ? 3 : 1);
    ForgeActivation activation;
    g_assert_true (forge_node_activation (&h->node, &activation));
    g_assert_cmpint (activation.kind, ==, FORGE_UNARY_CLAMP);
    g_assert_cmpfloat (activation.alpha, ==, variant == 2 ? -INFINITY : -1);
    harness_free (h);
  }
}

static Harness *
norm_new (gboolean nhwc, ForgeRng *rng)
{
  Harness *h = harness_new ("BatchNormalization", 15);
  ForgeShape x = harness_image (nhwc, 3, 18, 4, 5), c = forge_shape (1, 18);
  h->node.nhwc = nhwc;
  forge_attrs_set_float (h->node.attrs, "epsilon", 1e-3f);
  forge_attrs_set_float (h->node.attrs, "momentum", 0.75f);
  harness_fill (harness_input (h, FORGE_FLOAT32, &x), rng, -1, 4);
  for (int i = 0; i < 4; i++)
    harness_fill (harness_input (h, FORGE_FLOAT32, &c), rng, 0.5f, 2);
  return h;
}

static void
batch_norm_uses_running_or_batch_statistics (void)
{
  ForgeRng rng;
  forge_rng_seed (&rng, 3);
  for (int variant = 0; variant < 4; variant++) {
    gboolean nhwc = variant & 1, training = (variant & 2) != 0;
    Harness *h = norm_new (nhwc, &rng);
    const float *x = h->in[0]->data, *s = h->in[1]->data, *b = h->in[2]->data;
    g_autoptr (ForgeTensor) means = forge_tensor_copy (h->in[3], NULL);
    g_autoptr (ForgeTensor) vars = forge_tensor_copy (h->in[4], NULL);
    harness_prepare (h, 3, training);
    harness_run (h);
    for (int c = 0; c < 18; c++) {
      double mean = ((float *) means->data)[c], var = ((float *) vars->data)[c];
      double sum = 0, square = 0;
      for (int i = 0; i < 60; i++) {
        double v =
            x[harness_at (nhwc, &h->in[0]->shape, i / 20, c, i / 5 % 4, i % 5)];
        sum += v;
        square += v * v;
      }
      if (training) {
        double batch_mean = sum / 60;
        double batch_var = square / 60 - batch_mean * batch_mean;
        harness_assert_close ("running mean", c, ((float *) h->in[3]->data)[c],
            0.75 * mean + 0.25 * batch_mean, 1e-5);
        harness_assert_close ("running variance", c,
            ((float *) h->in[4]->data)[c], 0.75 * var + 0.25 * batch_var, 1e-5);
        mean = batch_mean;
        var = batch_var;
      }
      for (int i = 0; i < 60; i++) {
        int64_t at =
            harness_at (nhwc, &h->in[0]->shape, i / 20, c, i / 5 % 4, i % 5);
        harness_assert_close ("BatchNormalization", at,
            ((float *) h->out[0]->data)[at],
            (x[at] - mean) / sqrt (var + 1e-3) * s[c] + b[c], 1e-5);
      }
    }
    harness_free (h);
  }
}

/* Softmax over groups of elements `step` apart. */
static void
check_softmax (int opset, int axis, int64_t outer, int64_t n, int64_t inner)
{
  ForgeRng rng;
  ForgeShape shape = forge_shape (3, 4, 6, 5);
  forge_rng_seed (&rng, 4);
  Harness *h = harness_new ("Softmax", opset);
  if (axis != 99)
    forge_attrs_set_int (h->node.attrs, "axis", axis);
  harness_fill (harness_input (h, FORGE_FLOAT32, &shape), &rng, -50, 50);
  harness_prepare (h, 2, FALSE);
  harness_run (h);
  const float *x = h->in[0]->data, *y = h->out[0]->data;
  for (int64_t o = 0; o < outer; o++)
    for (int64_t i = 0; i < inner; i++) {
      double sum = 0, max = -INFINITY;
      for (int64_t k = 0; k < n; k++)
        max = MAX (max, x[(o * n + k) * inner + i]);
      for (int64_t k = 0; k < n; k++)
        sum += exp (x[(o * n + k) * inner + i] - max);
      for (int64_t k = 0; k < n; k++) {
        int64_t at = (o * n + k) * inner + i;
        harness_assert_close (
            "Softmax", at, y[at], exp (x[at] - max) / sum, 2e-6);
      }
    }
  harness_free (h);
}

static void
softmax_changed_its_axis_at_opset_13 (void)
{
  check_softmax (13, 99, 24, 5, 1);
  check_softmax (13, 1, 4, 6, 5);
  check_softmax (13, -3, 1, 4, 30);
  check_softmax (11, 99, 4, 30, 1);
  check_softmax (11, 2, 24, 5, 1);
  check_softmax (11, 0, 1, 120, 1);
}

typedef struct {
  ForgeDtype from;
  union {
    float f32;
    double f64;
    int64_t i64;
    int32_t i32;
    uint8_t u8;
    uint16_t bits;
  } in;
  ForgeDtype to;
  int64_t want; /* the bits, extended */
} CastRow;

static const CastRow cast_rows[] = {
  { FORGE_UINT8, { .u8 = 200 }, FORGE_FLOAT32, 0x43480000 },
  { FORGE_FLOAT32, { .f32 = -1.9f }, FORGE_INT32, -1 },
  { FORGE_FLOAT32, { .f32 = 300 }, FORGE_UINT8, 255 },
  { FORGE_FLOAT32, { .f32 = -300 }, FORGE_INT8, -128 },
  { FORGE_FLOAT32, { .f32 = -5 }, FORGE_UINT16, 0 },
  { FORGE_FLOAT32, { .f32 = NAN }, FORGE_INT64, 0 },
  { FORGE_FLOAT32, { .f32 = INFINITY }, FORGE_INT64, INT64_MAX },
  { FORGE_FLOAT32, { .f32 = -INFINITY }, FORGE_INT64, INT64_MIN },
  { FORGE_FLOAT64, { .f64 = 0x1p63 }, FORGE_UINT64, INT64_MIN },
  { FORGE_FLOAT32, { .f32 = 0.25f }, FORGE_BOOL, 1 },
  { FORGE_FLOAT32, { .f32 = 1 }, FORGE_FLOAT16, 0x3c00 },
  { FORGE_FLOAT32, { .f32 = 1 }, FORGE_BFLOAT16, 0x3f80 },
  { FORGE_FLOAT16, { .bits = 0xc000 }, FORGE_INT16, -2 },
  { FORGE_BFLOAT16, { .bits = 0x4040 }, FORGE_INT16, 3 },
  { FORGE_INT64, { .i64 = 0x1234 }, FORGE_UINT8, 0x34 },
  { FORGE_INT64, { .i64 = -1 }, FORGE_UINT32, 0xffffffff },
  { FORGE_INT32, { .i32 = -7 }, FORGE_INT64, -7 },
  { FORGE_INT64, { .i64 = 1 << 20 }, FORGE_BOOL, 1 },
  { FORGE_INT64, { .i64 = -3 }, FORGE_FLOAT32, 0xc0400000 },
};

static int64_t
read_bits (const ForgeTensor *tensor)
{
  switch (tensor->dtype) {
  case FORGE_INT8:
    return *(int8_t *) tensor->data;
  case FORGE_INT16:
    return *(int16_t *) tensor->data;
  case FORGE_INT32:
    return *(int32_t *) tensor->data;
  default:
    break;
  }
  int64_t bits = 0;
  memcpy (&bits, tensor->data, tensor->size_bytes);
  return bits;
}

static void
cast_converts_every_kind (void)
{
  ForgeShape one = forge_shape (1, 1);
  for (gsize i = 0; i < G_N_ELEMENTS (cast_rows); i++) {
    Harness *h = harness_new ("Cast", 13);
    forge_attrs_set_int (h->node.attrs, "to", cast_rows[i].to);
    ForgeTensor *in = harness_input (h, cast_rows[i].from, &one);
    memcpy (in->data, &cast_rows[i].in, in->size_bytes);
    harness_prepare (h, 1, FALSE);
    harness_run (h);
    g_assert_cmphex (read_bits (h->out[0]), ==, cast_rows[i].want);
    harness_free (h);
  }
}

static void
dropout_keeps_the_mean_and_repeats (void)
{
  ForgeShape shape = forge_shape (2, 100, 500);
  Harness *h = harness_new ("Dropout", 12);
  ForgeTensor *x = harness_input (h, FORGE_FLOAT32, &shape);
  harness_scalar (h, 0.3f);
  for (int i = 0; i < 50000; i++)
    ((float *) x->data)[i] = 1;
  harness_prepare (h, 1, FALSE);
  harness_run (h);
  g_assert_cmpmem (
      x->data, x->size_bytes, h->out[0]->data, h->out[0]->size_bytes);

  harness_prepare (h, 3, TRUE);
  harness_run (h);
  const float *y = h->out[0]->data;
  int kept = 0;
  for (int i = 0; i < 50000; i++) {
    g_assert_true (y[i] == 0 || fabsf (y[i] - 1 / 0.7f) < 1e-6f);
    kept += y[i] != 0;
  }
  g_assert_cmpint (ABS (kept - 35000), <, 500);
  g_autoptr (ForgeTensor) first = forge_tensor_copy (h->out[0], NULL);
  harness_run (h);
  g_assert_cmpmem (
      first->data, first->size_bytes, h->out[0]->data, h->out[0]->size_bytes);
  h->step.seed++;
  harness_run (h);
  g_assert_cmpint (memcmp (first->data, y, first->size_bytes), !=, 0);
  harness_free (h);
}

/* FALSE where an element was dropped; all TRUE where nothing trains. */
static void
dropout_tells_what_it_dropped (void)
{
  ForgeShape shape = forge_shape (1, 1000);
  for (int training = 0; training < 2; training++) {
    Harness *h = harness_new ("Dropout", 12);
    float *x = harness_input (h, FORGE_FLOAT32, &shape)->data;
    harness_scalar (h, 0.5f);
    harness_add_output (h);
    for (int i = 0; i < 1000; i++)
      x[i] = 1;
    harness_prepare (h, 1, training);
    harness_run (h);
    g_assert_cmpint (h->out[1]->dtype, ==, FORGE_BOOL);
    int kept = 0;
    for (int i = 0; i < 1000; i++) {
      gboolean stays = ((uint8_t *) h->out[1]->data)[i];
      g_assert_cmpint (stays, ==, ((float *) h->out[0]->data)[i] != 0);
      kept += stays;
    }
    g_assert_true (training ? kept > 400 && kept < 600 : kept == 1000);
    harness_free (h);
  }
}

static void
cast_like_takes_the_type_of_another (void)
{
  static const uint8_t want[] = { 0, 2, 255 };
  ForgeShape shape = forge_shape (1, 3), one = forge_shape (1, 1);
  Harness *h = harness_new ("CastLike", 15);
  float *x = harness_input (h, FORGE_FLOAT32, &shape)->data;
  x[0] = -3;
  x[1] = 2.9f;
  x[2] = 1e9f;
  harness_input (h, FORGE_UINT8, &one);
  harness_prepare (h, 1, FALSE);
  harness_run (h);
  g_assert_cmpint (h->out[0]->dtype, ==, FORGE_UINT8);
  g_assert_cmpmem (h->out[0]->data, h->out[0]->size_bytes, want, sizeof want);
  harness_free (h);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/pointwise/dropout_tells_what_it_dropped",
      dropout_tells_what_it_dropped);
  g_test_add_func ("/pointwise/cast_like_takes_the_type_of_another",
      cast_like_takes_the_type_of_another);
  g_test_add_func ("/pointwise/arithmetic_broadcasts_like_numpy",
      arithmetic_broadcasts_like_numpy);
  g_test_add_func (
      "/pointwise/integer_extremes_do_not_trap", integer_extremes_do_not_trap);
  g_test_add_func ("/pointwise/activations_match_libm", activations_match_libm);
  g_test_add_func ("/pointwise/clip_takes_its_bounds_from_attributes_or_inputs",
      clip_takes_its_bounds_from_attributes_or_inputs);
  g_test_add_func ("/pointwise/batch_norm_uses_running_or_batch_statistics",
      batch_norm_uses_running_or_batch_statistics);
  g_test_add_func ("/pointwise/softmax_changed_its_axis_at_opset_13",
      softmax_changed_its_axis_at_opset_13);
  g_test_add_func (
      "/pointwise/cast_converts_every_kind", cast_converts_every_kind);
  g_test_add_func ("/pointwise/dropout_keeps_the_mean_and_repeats",
      dropout_keeps_the_mean_and_repeats);
  return g_test_run ();
}
