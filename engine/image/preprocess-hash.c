/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A preprocessing in one word, to tell whether two are the same. */
#include "forge/image.h"

char *
forge_preprocess_hash (const ForgePreprocess *preprocess)
{
  g_return_val_if_fail (preprocess, NULL);
  g_autoptr (GString) text = g_string_new (NULL);
  g_string_printf (text, "1 %d x %d x %d %s %s %s %s %d", preprocess->width,
      preprocess->height, preprocess->channels,
      forge_resize_policy_name (preprocess->policy),
      forge_resize_filter_name (preprocess->filter),
      preprocess->bgr ? "bgr" : "rgb", preprocess->nchw ? "nchw" : "nhwc",
      (int) preprocess->dtype);
  /* bytes go in as they are: what scale and bias say is not used */
  for (int c = 0; c < 3 && preprocess->dtype == FORGE_FLOAT32; c++)
    g_string_append_printf (text, " %a %a", (double) preprocess->scale[c],
        (double) preprocess->bias[c]);
  return g_compute_checksum_for_string (G_CHECKSUM_SHA256, text->str, -1);
}
