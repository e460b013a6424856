/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Any bytes as a serialised TensorProto, as `gst-forge run` takes them; where
 * it is of another float type, as float32 too. */
#include "formats/onnx.h"
#include "fuzz.h"
#include "tensor/tensor.h"

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size_bytes)
{
  ForgeSource source = { .name = "fuzz" };
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeTensor) tensor =
      forge_onnx_parse_tensor (data, size_bytes, &source, &error);
  g_assert_true (!tensor == !!error);
  if (!tensor)
    return 0;
  size_t tensor_bytes;
  g_assert_true (
      forge_shape_size_bytes (&tensor->shape, tensor->dtype, &tensor_bytes));
  g_assert_cmpuint (tensor_bytes, ==, tensor->size_bytes);
  if (tensor->dtype == FORGE_FLOAT16 || tensor->dtype == FORGE_BFLOAT16 ||
      tensor->dtype == FORGE_FLOAT64) {
    g_autoptr (ForgeTensor) wide = forge_tensor_to_float32 (tensor, &error);
    g_assert_no_error (error);
    g_assert_true (forge_shape_equal (&wide->shape, &tensor->shape));
  }
  return 0;
}
