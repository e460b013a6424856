/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Operators that move or rename elements, and those that speak of shapes:
 * Reshape, Flatten, Squeeze, Unsqueeze, Concat, Transpose, Pad, ReduceMean,
 * Constant, Shape. Expected values were written by hand from the ONNX text. */
#include <string.h>

#include "op-harness.h"

typedef struct {
  const char *type;
  int opset;
  ForgeShape in;
  int n_values; /* of the shape or axes; -1 = none */
  int64_t values[4];
  gboolean as_attribute;
  int64_t option; /* allowzero of Reshape, axis of Flatten */
  ForgeShape out;
} ShapeRow;

static const ShapeRow shape_rows[] = {
  { "Reshape", 13, { 3, { 2, 3, 4 } }, 2, { 6, -1 }, FALSE, 0,
      { 2, { 6, 4 } } },
  { "Reshape", 13, { 3, { 2, 3, 4 } }, 3, { 0, 0, -1 }, FALSE, 0,
      { 3, { 2, 3, 4 } } },
  { "Reshape", 13, { 3, { 2, 3, 4 } }, 1, { -1 }, FALSE, 0, { 1, { 24 } } },
  { "Reshape", 14, { 2, { 0, 4 } }, 2, { 3, 0 }, FALSE, 1, { 2, { 3, 0 } } },
  { "Reshape", 13, { 1, { 1 } }, 0, { 0 }, FALSE, 0, { 0 } },
  { "Reshape", 13, { 4, { -1, 2, 3, 4 } }, 2, { 0, -1 }, FALSE, 0,
      { 2, { -1, 24 } } },
  { "Reshape", 13, { 4, { -1, 2, 3, 4 } }, 2, { -1, 24 }, FALSE, 0,
      { 2, { -1, 24 } } },
  { "Flatten", 13, { 4, { 2, 3, 4, 5 } }, -1, { 0 }, FALSE, 1,
      { 2, { 2, 60 } } },
  { "Flatten", 13, { 4, { 2, 3, 4, 5 } }, -1, { 0 }, FALSE, 0,
      { 2, { 1, 120 } } },
  { "Flatten", 13, { 4, { 2, 3, 4, 5 } }, -1, { 0 }, FALSE, -1,
      { 2, { 24, 5 } } },
  { "Flatten", 13, { 4, { -1, 3, 4, 5 } }, -1, { 0 }, FALSE, 1,
      { 2, { -1, 60 } } },
  { "Squeeze", 13, { 4, { 2, 1, 3, 1 } }, 1, { -1 }, FALSE, 0,
      { 3, { 2, 1, 3 } } },
  { "Squeeze", 11, { 4, { 2, 1, 3, 1 } }, 2, { 1, 3 }, TRUE, 0,
      { 2, { 2, 3 } } },
  { "Squeeze", 13, { 4, { 2, 1, 3, 1 } }, -1, { 0 }, FALSE, 0,
      { 2, { 2, 3 } } },
  { "Unsqueeze", 13, { 2, { 2, 3 } }, 2, { 0, -1 }, FALSE, 0,
      { 4, { 1, 2, 3, 1 } } },
  { "Unsqueeze", 11, { 2, { 2, 3 } }, 1, { 1 }, TRUE, 0, { 3, { 2, 1, 3 } } },
  { "Identity", 13, { 2, { 2, 3 } }, -1, { 0 }, FALSE, 0, { 2, { 2, 3 } } },
};

static void
views_get_the_right_shape (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (shape_rows); i++) {
    const ShapeRow *row = &shape_rows[i];
    GError *error = NULL;
    ForgeShape known = row->in;
    if (known.dims[0] < 0)
      known.dims[0] = 1;
    Harness *h = harness_new (row->type, row->opset);
    harness_input (h, FORGE_INT32, &known);
    ((ForgeValue *) h->node.inputs->pdata[0])->shape = row->in;
    if (row->as_attribute)
      forge_attrs_set_ints (
          h->node.attrs, "axes", row->values, (gsize) row->n_values);
    else if (row->n_values >= 0)
      harness_ints (h, row->values, row->n_values);
    forge_attrs_set_int (h->node.attrs, "allowzero", row->option);
    forge_attrs_set_int (h->node.attrs, "axis", row->option);
    harness_infer (h, &error);
    g_assert_no_error (error);
    const ForgeValue *out = h->node.outputs->pdata[0];
    g_autofree char *got = forge_shape_to_string (&out->shape);
    g_autofree char *want = forge_shape_to_string (&row->out);
    g_assert_cmpstr (got, ==, want);
    g_assert_cmpint (out->dtype, ==, FORGE_INT32);
    g_assert_true (h->node.op->is_view);
    harness_free (h);
  }
}

/* 0, 1, 2, ... */
static ForgeTensor *
count_up (Harness *h, const ForgeShape *shape, int from)
{
  ForgeTensor *tensor = harness_input (h, FORGE_FLOAT32, shape);
  for (int64_t i = 0; i < forge_tensor_get_count (tensor); i++)
    ((float *) tensor->data)[i] = (float) (from + i);
  return tensor;
}

static void
expect (Harness *h, const ForgeShape *shape, const float *want)
{
  harness_prepare (h, 2, FALSE);
  harness_run (h);
  g_assert_true (forge_shape_equal (&h->out[0]->shape, shape));
  for (int64_t i = 0; i < forge_tensor_get_count (h->out[0]); i++)
    harness_assert_close (
        h->node.op->type, i, ((float *) h->out[0]->data)[i], want[i], 1e-6);
  harness_free (h);
}

static void
concat_joins_along_its_axis (void)
{
  static const float want[] = { 0, 1, 10, 11, 12, 2, 3, 13, 14, 15 };
  ForgeShape a = forge_shape (2, 2, 2), b = forge_shape (2, 2, 3);
  ForgeShape out = forge_shape (2, 2, 5);
  Harness *h = harness_new ("Concat", 13);
  forge_attrs_set_int (h->node.attrs, "axis", -1);
  count_up (h, &a, 0);
  count_up (h, &b, 10);
  expect (h, &out, want);
}

static void
check_transpose (ForgeDtype dtype, const int64_t *perm)
{
  ForgeShape in = forge_shape (4, 3, 18, 5, 7);
  Harness *h = harness_new ("Transpose", 13);
  if (perm)
    forge_attrs_set_ints (h->node.attrs, "perm", perm, 4);
  ForgeTensor *x = harness_input (h, dtype, &in);
  size_t size = forge_dtype_size_bytes (dtype);
  for (size_t i = 0; i < x->size_bytes; i++)
    ((uint8_t *) x->data)[i] = (uint8_t) (i * 31 >> 3);
  harness_prepare (h, 3, FALSE);
  harness_run (h);
  int64_t at[4], count = forge_tensor_get_count (x);
  const int64_t *d = h->out[0]->shape.dims;
  for (int64_t i = 0; i < count; i++) {
    int64_t place[] = { i / (18 * 35), i / 35 % 18, i / 7 % 5, i % 7 };
    for (int k = 0; k < 4; k++)
      at[k] = place[perm ? perm[k] : 3 - k];
    int64_t to = ((at[0] * d[1] + at[1]) * d[2] + at[2]) * d[3] + at[3];
    g_assert_cmpmem ((char *) h->out[0]->data + (size_t) to * size, size,
        (char *) x->data + (size_t) i * size, size);
  }
  harness_free (h);
}

static void
transpose_moves_every_element (void)
{
  static const int64_t perms[][4] = { { 0, 2, 3, 1 }, { 0, 3, 1, 2 },
    { 1, 0, 2, 3 }, { 3, 2, 1, 0 }, { 0, 1, 2, 3 }, { 2, 3, 0, 1 },
    { 0, 1, 3, 2 } };
  for (gsize i = 0; i < G_N_ELEMENTS (perms); i++) {
    check_transpose (FORGE_FLOAT32, perms[i]);
    check_transpose (FORGE_UINT8, perms[i]);
    check_transpose (FORGE_INT64, perms[i]);
  }
  check_transpose (FORGE_FLOAT32, NULL);
}

static Harness *
pad_new (const char *mode, const int64_t *pads, int opset)
{
  ForgeShape in = forge_shape (2, 2, 3);
  Harness *h = harness_new ("Pad", opset);
  forge_attrs_set_string (h->node.attrs, "mode", mode);
  count_up (h, &in, 1);
  if (opset < 11)
    forge_attrs_set_ints (h->node.attrs, "pads", pads, 4);
  else
    harness_ints (h, pads, 4);
  return h;
}

static void
pad_fills_repeats_reflects_wraps_and_crops (void)
{
  static const int64_t pads[] = { 0, 1, 1, 2 }, crop[] = { -1, 0, 0, -1 };
  static const int64_t last[] = { 1, 0 }, axes[] = { -1 };
  static const float constant[] = { 9, 1, 2, 3, 9, 9, 9, 4, 5, 6, 9, 9, 9, 9, 9,
    9, 9, 9 };
  static const float edge[] = { 1, 1, 2, 3, 3, 3, 4, 4, 5, 6, 6, 6, 4, 4, 5, 6,
    6, 6 };
  static const float reflect[] = { 2, 1, 2, 3, 2, 1, 5, 4, 5, 6, 5, 4, 2, 1, 2,
    3, 2, 1 };
  static const float wrap[] = { 3, 1, 2, 3, 1, 2, 6, 4, 5, 6, 4, 5, 3, 1, 2, 3,
    1, 2 };
  static const float cropped[] = { 4, 5 },
                     one_axis[] = { 0, 1, 2, 3, 0, 4, 5, 6 };
  ForgeShape grown = forge_shape (2, 3, 6), small = forge_shape (2, 1, 2);
  ForgeShape wide = forge_shape (2, 2, 4);
  Harness *h = pad_new ("constant", pads, 13);
  harness_scalar (h, 9);
  expect (h, &grown, constant);
  h = pad_new ("constant", pads, 10);
  forge_attrs_set_float (h->node.attrs, "value", 9);
  expect (h, &grown, constant);
  expect (pad_new ("edge", pads, 13), &grown, edge);
  expect (pad_new ("reflect", pads, 13), &grown, reflect);
  expect (pad_new ("wrap", pads, 19), &grown, wrap);
  expect (pad_new ("constant", crop, 13), &small, cropped);
  h = harness_new ("Pad", 18);
  count_up (h, &(ForgeShape) { 2, { 2, 3 } }, 1);
  harness_ints (h, last, 2);
  harness_input (h, FORGE_FLOAT32, NULL);
  harness_ints (h, axes, 1);
  expect (h, &wide, one_axis);
}

static void
reduce_mean_over_any_axes (void)
{
  static const int64_t middle[] = { 1 }, outer[] = { 0, -1 };
  static const float rows[] = { 1, 2, 5, 6 };
  ForgeShape in = forge_shape (3, 2, 2, 2);
  ForgeShape kept = forge_shape (3, 2, 1, 2), dropped = forge_shape (1, 2);
  Harness *h = harness_new ("ReduceMean", 13);
  count_up (h, &in, 0);
  forge_attrs_set_ints (h->node.attrs, "axes", middle, 1);
  expect (h, &kept, rows);
  h = harness_new ("ReduceMean", 18);
  count_up (h, &in, 0);
  forge_attrs_set_int (h->node.attrs, "keepdims", 0);
  harness_ints (h, outer, 2);
  const float want[] = { 2.5f, 4.5f };
  expect (h, &dropped, want);
  h = harness_new ("ReduceMean", 18);
  count_up (h, &in, 0);
  forge_attrs_set_int (h->node.attrs, "keepdims", 0);
  const float all[] = { 3.5f };
  expect (h, &(ForgeShape) { 0 }, all);
}

static void
constant_and_shape_give_numbers (void)
{
  static const int64_t ints[] = { 4, -5 };
  ForgeShape in = forge_shape (3, 2, 3, 4);
  Harness *h = harness_new ("Constant", 13);
  forge_attrs_set_ints (h->node.attrs, "value_ints", ints, 2);
  harness_prepare (h, 1, FALSE);
  harness_run (h);
  g_assert_cmpmem (h->out[0]->data, h->out[0]->size_bytes, ints, sizeof ints);
  harness_free (h);

  h = harness_new ("Shape", 15);
  harness_input (h, FORGE_FLOAT32, &in);
  forge_attrs_set_int (h->node.attrs, "start", -2);
  harness_prepare (h, 1, FALSE);
  harness_run (h);
  static const int64_t want[] = { 3, 4 };
  g_assert_cmpmem (h->out[0]->data, h->out[0]->size_bytes, want, sizeof want);
  harness_free (h);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func (
      "/shapes/views_get_the_right_shape", views_get_the_right_shape);
  g_test_add_func (
      "/shapes/concat_joins_along_its_axis", concat_joins_along_its_axis);
  g_test_add_func (
      "/shapes/transpose_moves_every_element", transpose_moves_every_element);
  g_test_add_func ("/shapes/pad_fills_repeats_reflects_wraps_and_crops",
      pad_fills_repeats_reflects_wraps_and_crops);
  g_test_add_func (
      "/shapes/reduce_mean_over_any_axes", reduce_mean_over_any_axes);
  g_test_add_func ("/shapes/constant_and_shape_give_numbers",
      constant_and_shape_give_numbers);
  return g_test_run ();
}
