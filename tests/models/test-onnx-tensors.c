/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Values of ONNX tensors: every typed field, and raw ones of any size. */
#include <string.h>

#include "onnx-builder.h"
#include "tensor/tensor.h"

/* Serialises a tensor alone and reads it back. */
static ForgeTensor *
read_tensor (const ForgeOnnx__Tensor *proto, GError **error)
{
  gsize size_bytes = forge_onnx__tensor__get_packed_size (proto);
  g_autofree guint8 *bytes = g_malloc (size_bytes);
  forge_onnx__tensor__pack (proto, bytes);
  ForgeSource source = { .name = "test.onnx" };
  return forge_onnx_parse_tensor (bytes, size_bytes, &source, error);
}

static void
every_typed_field_is_read (void)
{
  static const struct {
    ForgeDtype dtype;
    int64_t value;
    guint8 bytes[8];
  } rows[] = {
    { FORGE_INT32, -2, { 0xfe, 0xff, 0xff, 0xff } },
    { FORGE_INT16, -2, { 0xfe, 0xff } },
    { FORGE_INT8, -2, { 0xfe } },
    { FORGE_UINT8, 200, { 200 } },
    { FORGE_UINT16, 0xfedc, { 0xdc, 0xfe } },
    { FORGE_BOOL, 7, { 1 } },
    { FORGE_FLOAT16, 0x3c01, { 0x01, 0x3c } },
    { FORGE_BFLOAT16, 0xbf80, { 0x80, 0xbf } },
    { FORGE_INT64, -2, { 0xfe, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff } },
    { FORGE_UINT32, 0xfffffffe, { 0xfe, 0xff, 0xff, 0xff } },
    { FORGE_UINT64, 3, { 3 } },
  };
  g_autoptr (OnnxBuilder) b = onnx_builder_new ();
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    ForgeOnnx__Tensor *proto =
        onnx_builder_tensor (b, "t", (int) rows[i].dtype, SCALAR);
    int64_t wide = rows[i].value;
    uint64_t natural = (uint64_t) wide;
    int32_t narrow = (int32_t) wide;
    if (rows[i].dtype == FORGE_INT64) {
      proto->n_int64_data = 1;
      proto->int64_data = &wide;
    } else if (rows[i].dtype == FORGE_UINT32 || rows[i].dtype == FORGE_UINT64) {
      proto->n_uint64_data = 1;
      proto->uint64_data = &natural;
    } else {
      proto->n_int32_data = 1;
      proto->int32_data = &narrow;
    }
    g_autoptr (GError) error = NULL;
    g_autoptr (ForgeTensor) tensor = read_tensor (proto, &error);
    g_assert_no_error (error);
    g_assert_cmpint (tensor->dtype, ==, rows[i].dtype);
    g_assert_cmpmem (tensor->data, tensor->size_bytes, rows[i].bytes,
        forge_dtype_size_bytes (rows[i].dtype));
  }
}

/* @n bytes, 0 to 250 over and over, as the weights of a model that is no more:
 * values, place and what a vector may read behind them. */
static void
check_raw_weights (int dtype, int n)
{
  g_autofree guint8 *bytes = g_malloc ((gsize) n);
  for (int i = 0; i < n; i++)
    bytes[i] = (guint8) (i % 251);
  g_autoptr (OnnxBuilder) b = onnx_builder_new ();
  onnx_builder_input (b, "x", dtype, DIMS (1));
  for (int i = 0; i < 2; i++) {
    ForgeOnnx__Tensor *w =
        onnx_builder_tensor (b, i ? "w1" : "w0", dtype, DIMS (n));
    onnx_builder_set_raw (w, bytes, (gsize) n);
    onnx_builder_initializer (b, w);
  }
  onnx_builder_node (b, "Concat", "w0,w1,x", "y");
  onnx_builder_attribute (b, b->graph.node[0], "axis", FORGE_ONNX_INT);
  onnx_builder_output (b, "y");
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeGraph) graph = onnx_builder_read (b, NULL, &error);
  g_assert_no_error (error);
  for (int i = 0; i < 2; i++) {
    const ForgeTensor *w = forge_graph_find (graph, i ? "w1" : "w0")->constant;
    const guint8 *data = w->data;
    g_assert_cmpuint (w->size_bytes, ==, (gsize) n);
    g_assert_cmpuint ((guintptr) data % 64, ==, 0);
    for (int k = 0; k < n; k++)
      g_assert_cmpuint (
          data[k], ==, dtype == FORGE_BOOL ? k % 251 != 0 : k % 251);
    for (int k = n; k < n + 64; k++)
      g_assert_cmpuint (data[k], ==, 0);
  }
}

static void
raw_weights_of_any_size_are_whole (void)
{
  static const int sizes[] = { 1, 4095, 4096, 4097, 4159, 4160, 5000000 };
  for (gsize i = 0; i < G_N_ELEMENTS (sizes); i++) {
    check_raw_weights (FORGE_UINT8, sizes[i]);
    check_raw_weights (FORGE_BOOL, sizes[i]);
  }
}

static void
typed_values_out_of_range_are_refused (void)
{
  g_autoptr (OnnxBuilder) b = onnx_builder_new ();
  int32_t value = 256;
  ForgeOnnx__Tensor *proto = onnx_builder_tensor (b, "t", FORGE_UINT8, SCALAR);
  proto->n_int32_data = 1;
  proto->int32_data = &value;
  g_autoptr (GError) error = NULL;
  g_assert_null (read_tensor (proto, &error));
  g_assert_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT);
  g_assert_nonnull (strstr (error->message, "range of uint8"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/onnx/tensors/typed", every_typed_field_is_read);
  g_test_add_func ("/onnx/tensors/raw", raw_weights_of_any_size_are_whole);
  g_test_add_func (
      "/onnx/tensors/range", typed_values_out_of_range_are_refused);
  return g_test_run ();
}
