/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * One tensor in a file of its own: a serialised TensorProto, as the
 * input_0.pb and output_0.pb of ONNX's test data are. */
#include "base/file.h"
#include "formats/onnx.h"
#include "tensor/tensor.h"

ForgeTensor *
forge_tensor_load_pb (const char *path, GError **error)
{
  size_t size_bytes;
  ForgeSource source = { .name = path };
  g_autofree void *bytes =
      forge_file_read (path, G_MAXSSIZE - 1, &size_bytes, error);
  return bytes ? forge_onnx_parse_tensor (bytes, size_bytes, &source, error)
               : NULL;
}

gboolean
forge_tensor_save_pb (
    const ForgeTensor *tensor, const char *path, GError **error)
{
  ForgeOnnx__Tensor proto;
  forge_onnx__tensor__init (&proto);
  proto.n_dims = (size_t) tensor->shape.rank;
  proto.dims = (int64_t *) tensor->shape.dims;
  proto.has_data_type = TRUE;
  proto.data_type = tensor->dtype;
  proto.has_raw_data = TRUE;
  proto.raw_data.data = tensor->data;
  proto.raw_data.len = tensor->size_bytes;
  size_t size_bytes = forge_onnx__tensor__get_packed_size (&proto);
  g_autofree uint8_t *bytes =
      size_bytes <= G_MAXINT32 ? g_try_malloc (size_bytes) : NULL;
  if (!bytes) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_MEMORY,
        "%s: %zu bytes do not fit into memory, or into the 2 GiB of a"
        " protobuf file",
        path, size_bytes);
    return FALSE;
  }
  forge_onnx__tensor__pack (&proto, bytes);
  return forge_file_write (path, bytes, size_bytes, error);
}
