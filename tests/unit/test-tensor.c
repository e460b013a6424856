/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Shapes, element types and tensors. */
#include "tensor/tensor.h"

#include <math.h>
#include <stdint.h>

static void
half_round_trips_every_value (void)
{
  for (uint32_t h = 0; h < 0x10000; h++) {
    float value = forge_half_to_float ((uint16_t) h);
    if (isnan (value))
      g_assert_true (isnan (forge_half_to_float (forge_float_to_half (value))));
    else
      g_assert_cmpuint (forge_float_to_half (value), ==, h);
  }
}

static void
half_rounds_to_nearest_even (void)
{
  static const struct {
    float value;
    uint16_t half;
  } rows[] = {
    { 1.0f + 0x1p-11f, 0x3c00 },     /* tie, down to even */
    { 1.0f + 3 * 0x1p-11f, 0x3c02 }, /* tie, up to even */
    { 65519.0f, 0x7bff },
    { 65520.0f, 0x7c00 },
    { 0x1p-25f, 0x0000 },
    { 0x1.8p-24f, 0x0002 },
    { -0x1p-24f, 0x8001 },
  };
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    g_assert_cmphex (forge_float_to_half (rows[i].value), ==, rows[i].half);
}

static void
broadcast_follows_numpy (void)
{
  ForgeShape a = forge_shape (4, 8, 1, 6, 1), b = forge_shape (3, 7, 1, 5);
  ForgeShape want = forge_shape (4, 8, 7, 6, 5), got;
  g_assert_true (forge_shape_broadcast (&a, &b, &got));
  g_assert_true (forge_shape_equal (&got, &want));
  ForgeShape c = forge_shape (1, 3), d = forge_shape (1, 4);
  g_assert_false (forge_shape_broadcast (&c, &d, &got));
  ForgeShape unknown = forge_shape (1, -1);
  g_assert_true (forge_shape_broadcast (&unknown, &d, &got));
  g_assert_cmpint (got.dims[0], ==, 4);
}

static void
overflowing_size_is_an_error (void)
{
  g_autoptr (GError) error = NULL;
  ForgeShape shape = forge_shape (4, INT32_MAX, INT32_MAX, INT32_MAX, 2);
  g_assert_null (forge_tensor_new (FORGE_FLOAT32, &shape, &error));
  g_assert_error (error, FORGE_ERROR, FORGE_ERROR_SHAPE);
  g_clear_error (&error);
  ForgeShape unknown = forge_shape (2, -1, 3);
  g_assert_null (forge_tensor_new (FORGE_FLOAT32, &unknown, &error));
  g_assert_error (error, FORGE_ERROR, FORGE_ERROR_SHAPE);
}

static void
tensor_is_zeroed_and_aligned (void)
{
  ForgeShape shape = forge_shape (2, 3, 5);
  g_autoptr (ForgeTensor) tensor = forge_tensor_new (FORGE_UINT8, &shape, NULL);
  const uint8_t *data = forge_tensor_get_data (tensor);
  g_assert_cmpuint ((uintptr_t) data % 64, ==, 0);
  for (int i = 0; i < 15; i++)
    g_assert_cmpuint (data[i], ==, 0);
  g_assert_cmpint (forge_tensor_get_count (tensor), ==, 15);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func (
      "/tensor/half_round_trips_every_value", half_round_trips_every_value);
  g_test_add_func (
      "/tensor/half_rounds_to_nearest_even", half_rounds_to_nearest_even);
  g_test_add_func ("/tensor/broadcast_follows_numpy", broadcast_follows_numpy);
  g_test_add_func (
      "/tensor/overflowing_size_is_an_error", overflowing_size_is_an_error);
  g_test_add_func (
      "/tensor/tensor_is_zeroed_and_aligned", tensor_is_zeroed_and_aligned);
  return g_test_run ();
}
