/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the trainer left in the model (`forge.training`, JSON, version 1) that
 * others need: how the validation pictures were cut off. */
#include "forge/model.h"

#include "base/json.h"

gboolean
forge_model_get_training_cut (const ForgeModel *model, ForgeCut *cut)
{
  const char *text = forge_model_get_metadata (model, "forge.training");
  if (!text)
    return FALSE;
  g_autoptr (JsonNode) root =
      forge_json_parse (text, -1, "forge.training", NULL);
  if (!root || !JSON_NODE_HOLDS_OBJECT (root))
    return FALSE;
  JsonObject *training = json_node_get_object (root);
  gint64 seed = forge_json_int (training, "seed", -1);
  double validation = forge_json_double (training, "validation_split", 0);
  if (seed < 0 || !(validation >= 0 && validation <= FORGE_MAX_VALIDATION))
    return FALSE;
  *cut = (ForgeCut) { .seed = (uint64_t) seed, .validation = validation };
  return TRUE;
}
