/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Any bytes as a model file: probing, reading, sorting, shape inference, what
 * the metadata says; and what was read is written and read again. */
#include <glib.h>

#include "formats/format.h"
#include "fuzz.h"

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size_bytes)
{
  ForgeSource source = { .name = "fuzz" };
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeGraph) graph =
      forge_format_read_bytes (data, size_bytes, &source, &error);
  g_assert_true (!graph == !!error);
  if (!graph)
    return 0;
  forge_model_info_free (forge_model_info_read (graph, NULL, NULL));
  g_autoptr (GBytes) bytes = forge_onnx_serialise (graph, NULL);
  if (!bytes)
    return 0;
  gsize written_bytes;
  const void *written = g_bytes_get_data (bytes, &written_bytes);
  g_autoptr (ForgeGraph) back =
      forge_format_read_bytes (written, written_bytes, &source, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (back->outputs->len, ==, graph->outputs->len);
  return 0;
}
