/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Any bytes as a TensorFlow Lite file: every offset, vector and tensor of the
 * flatbuffer, the operators built from them, both as they are and in the
 * portable form, the metadata, and a run of what is small enough. */
#include <glib.h>
#include <string.h>

#include "formats/format.h"
#include "fuzz-run.h"
#include "fuzz.h"

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size_bytes)
{
  ForgeSource source = { .name = "fuzz" };
  g_autoptr (GError) error = NULL;
  g_autofree uint8_t *bytes = g_memdup2 (data, size_bytes);
  /* so that no run is lost to the other formats */
  if (size_bytes >= 8)
    memcpy (bytes + 4, "TFL3", 4);
  g_autoptr (ForgeGraph) graph =
      forge_format_read_bytes (bytes, size_bytes, &source, &error);
  g_assert_true (!graph == !!error);
  if (!graph)
    return 0;
  forge_model_info_free (forge_model_info_read (graph, NULL, NULL));
  source.portable = TRUE;
  g_autoptr (ForgeGraph) portable =
      forge_format_read_bytes (bytes, size_bytes, &source, &error);
  g_assert_true (!portable == !!error);
  fuzz_run_model (bytes, size_bytes);
  return 0;
}
