/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Any bytes as a NumPy file; what was read is written and read again. */
#include <string.h>

#include "formats/npy.h"
#include "tensor/tensor.h"
#include "fuzz.h"

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size_bytes)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeTensor) tensor =
      forge_npy_parse (data, size_bytes, "fuzz", &error);
  g_assert_true (!tensor == !!error);
  if (!tensor)
    return 0;
  g_autoptr (GBytes) bytes = forge_npy_serialise (tensor, &error);
  g_assert_no_error (error);
  gsize written_bytes;
  const void *written = g_bytes_get_data (bytes, &written_bytes);
  g_autoptr (ForgeTensor) back =
      forge_npy_parse (written, written_bytes, "fuzz", &error);
  g_assert_no_error (error);
  g_assert_cmpmem (
      tensor->data, tensor->size_bytes, back->data, back->size_bytes);
  return 0;
}
