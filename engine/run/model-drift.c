/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The drift baseline that the trainer left in the model (`forge.drift`, JSON,
 * version 1). A baseline that makes no sense is none: it is only what a
 * stream is compared with. */
#include "forge/model.h"

#include "base/json.h"

double
forge_model_get_baseline_confidence (const ForgeModel *model)
{
  const char *text = forge_model_get_metadata (model, "forge.drift");
  if (!text)
    return 0;
  g_autoptr (JsonNode) root = forge_json_parse (text, -1, "forge.drift", NULL);
  if (!root || !JSON_NODE_HOLDS_OBJECT (root))
    return 0;
  double confidence =
      forge_json_double (json_node_get_object (root), "mean_confidence", 0);
  return confidence > 0 && confidence <= 1 ? confidence : 0;
}
