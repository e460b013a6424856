/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The plain structs of forge/registry.h that are handed out. */
#include "registry/internal.h"

char **
forge_registry_column (const ForgeDbResult *result, guint column)
{
  char **texts = g_new0 (char *, result->n_rows + 1);
  for (guint row = 0; row < result->n_rows; row++) {
    const char *text = forge_db_get_text (result, row, column);
    texts[row] = g_strdup (text ? text : "");
  }
  return texts;
}

void
forge_model_metrics_clear (ForgeModelMetrics *metrics)
{
  g_free (metrics->worst_class);
  g_free (metrics->class_f1);
  *metrics = (ForgeModelMetrics) FORGE_MODEL_METRICS_DEFAULT;
}

void
forge_model_version_free (ForgeModelVersion *version)
{
  if (!version)
    return;
  char *texts[] = { version->name, version->user, version->description,
    version->source, version->run_command, version->data_hash,
    version->augmentation_config, version->precision,
    version->artifact_sha256 };
  for (guint i = 0; i < G_N_ELEMENTS (texts); i++)
    g_free (texts[i]);
  forge_model_metrics_clear (&version->metrics);
  g_strfreev (version->aliases);
  g_strfreev (version->tag_keys);
  g_strfreev (version->tag_values);
  g_free (version);
}

void
forge_registered_model_free (ForgeRegisteredModel *model)
{
  if (!model)
    return;
  g_free (model->name);
  g_free (model->description);
  g_strfreev (model->aliases);
  g_free (model->alias_versions);
  g_strfreev (model->tag_keys);
  g_strfreev (model->tag_values);
  g_free (model);
}

void
forge_alias_change_free (ForgeAliasChange *change)
{
  if (!change)
    return;
  g_free (change->alias);
  g_free (change->action);
  g_free (change->user);
  g_free (change);
}

void
forge_verify_result_free (ForgeVerifyResult *result)
{
  if (!result)
    return;
  g_ptr_array_unref (result->problems);
  g_ptr_array_unref (result->orphans);
  g_free (result);
}
