/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Any text as a drift baseline. What is taken must give itself back, and must
 * be usable. */
#include <math.h>
#include <string.h>

#include "forge/baseline.h"
#include "fuzz.h"

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size_bytes)
{
  if (size_bytes == 0)
    return 0;
  g_autoptr (GError) error = NULL;
  g_autofree char *text = g_strndup ((const char *) data, size_bytes);
  g_autoptr (ForgeBaseline) baseline =
      forge_baseline_parse (text, strlen (text), &error);
  g_assert_true (!baseline == !!error);
  if (!baseline)
    return 0;
  g_autofree char *first = forge_baseline_to_json (baseline);
  g_autoptr (ForgeBaseline) back =
      forge_baseline_parse (first, strlen (first), NULL);
  g_assert_nonnull (back);
  if (baseline->embedding.n_features > 0) {
    g_autofree float *features = g_new0 (float, baseline->embedding.n_features);
    g_assert_false (isnan (forge_baseline_distance (baseline, features)));
  }
  return 0;
}
