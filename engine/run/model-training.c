/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the trainer left in the model (`forge.training`, JSON, version 1) that
 * others need: the seed, which cut the validation pictures off. */
#include "forge/model.h"

#include "base/json.h"

gboolean
forge_model_get_training_seed (const ForgeModel *model, uint64_t *seed)
{
  const char *text = forge_model_get_metadata (model, "forge.training");
  if (!text)
    return FALSE;
  g_autoptr (JsonNode) root =
      forge_json_parse (text, -1, "forge.training", NULL);
  if (!root || !JSON_NODE_HOLDS_OBJECT (root))
    return FALSE;
  gint64 value = forge_json_int (json_node_get_object (root), "seed", -1);
  if (value < 0)
    return FALSE;
  *seed = (uint64_t) value;
  return TRUE;
}
