/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Models: their list, tags and descriptions, and how they and their versions
 * go. */
#include "registry/internal.h"

static gboolean
read_rest (ForgeRegistry *registry, ForgeRegisteredModel *model, GError **error)
{
  const ForgeDbValue params[] = { forge_db_text (model->name) };
  g_autoptr (ForgeDbResult) aliases = forge_db_query (registry->db,
      "SELECT alias, version FROM registered_model_aliases"
      " WHERE name = $1 ORDER BY alias",
      params, 1, error);
  if (!aliases)
    return FALSE;
  g_autoptr (ForgeDbResult) tags = forge_db_query (registry->db,
      "SELECT key, value FROM registered_model_tags"
      " WHERE name = $1 ORDER BY key",
      params, 1, error);
  if (!tags)
    return FALSE;
  model->aliases = forge_registry_column (aliases, 0);
  model->alias_versions = g_new0 (gint64, aliases->n_rows + 1);
  for (guint row = 0; row < aliases->n_rows; row++)
    model->alias_versions[row] = forge_db_get_int (aliases, row, 1);
  model->tag_keys = forge_registry_column (tags, 0);
  model->tag_values = forge_registry_column (tags, 1);
  return TRUE;
}

GPtrArray *
forge_registry_list_models (ForgeRegistry *registry, GError **error)
{
  g_return_val_if_fail (registry, NULL);
  g_autoptr (ForgeDbResult) result = forge_db_query (registry->db,
      "SELECT m.name, m.description, m.creation_time, m.last_updated_time,"
      " COUNT(v.version), MAX(v.version) FROM registered_models m"
      " LEFT JOIN model_versions v ON v.name = m.name"
      " GROUP BY m.name, m.description, m.creation_time, m.last_updated_time"
      " ORDER BY m.name",
      NULL, 0, error);
  if (!result)
    return NULL;
  g_autoptr (GPtrArray) models = g_ptr_array_new_with_free_func (
      (GDestroyNotify) forge_registered_model_free);
  for (guint row = 0; row < result->n_rows; row++) {
    ForgeRegisteredModel *model = g_new0 (ForgeRegisteredModel, 1);
    g_ptr_array_add (models, model);
    const char *name = forge_db_get_text (result, row, 0);
    model->name = g_strdup (name ? name : "");
    model->description = g_strdup (forge_db_get_text (result, row, 1));
    model->creation_time_ms = forge_db_get_int (result, row, 2);
    model->last_updated_time_ms = forge_db_get_int (result, row, 3);
    model->n_versions = forge_db_get_int (result, row, 4);
    model->latest_version = forge_db_get_int (result, row, 5);
    if (!read_rest (registry, model, error))
      return NULL;
  }
  return g_steal_pointer (&models);
}

/* What one of the functions below changes. */
typedef struct {
  ForgeRegistry *registry;
  const char *name;
  gint64 version; /* 0 = the model itself */
  const char *key, *text;
} Change;

static gboolean
lock_target (const Change *change, GError **error)
{
  return forge_registry_lock_model (change->registry, change->name, error) &&
         (change->version == 0 ||
             forge_registry_check_version (
                 change->registry, change->name, change->version, error));
}

static gboolean
touch_version (const Change *change, GError **error)
{
  const ForgeDbValue params[] = { forge_db_text (change->name),
    forge_db_int (change->version), forge_db_int (forge_registry_now_ms ()) };
  return forge_db_run (change->registry->db,
      "UPDATE model_versions SET last_updated_time = $3"
      " WHERE name = $1 AND version = $2",
      params, 3, error);
}

static gboolean
change_model_tag (const Change *change, GError **error)
{
  const ForgeDbValue params[] = { forge_db_text (change->name),
    forge_db_text (change->key), forge_db_text (change->text) };
  const char *sql =
      change->text
          ? "INSERT INTO registered_model_tags (name, key, value)"
            " VALUES ($1, $2, $3) ON CONFLICT (name, key)"
            " DO UPDATE SET value = excluded.value"
          : "DELETE FROM registered_model_tags WHERE name = $1 AND key = $2";
  return forge_db_run (
      change->registry->db, sql, params, change->text ? 3 : 2, error);
}

static gboolean
change_version_tag (const Change *change, GError **error)
{
  const ForgeDbValue params[] = { forge_db_text (change->name),
    forge_db_text (change->key), forge_db_int (change->version),
    forge_db_text (change->text) };
  const char *sql =
      change->text
          ? "INSERT INTO model_version_tags (name, key, version, value)"
            " VALUES ($1, $2, $3, $4) ON CONFLICT (name, version, key)"
            " DO UPDATE SET value = excluded.value"
          : "DELETE FROM model_version_tags"
            " WHERE name = $1 AND key = $2 AND version = $3";
  return forge_db_run (
             change->registry->db, sql, params, change->text ? 4 : 3, error) &&
         touch_version (change, error);
}

static gboolean
change_tag (ForgeDb *db, gpointer user_data, GError **error)
{
  const Change *change = user_data;
  if (!lock_target (change, error))
    return FALSE;
  return change->version ? change_version_tag (change, error)
                         : change_model_tag (change, error);
}

gboolean
forge_registry_set_tag (ForgeRegistry *registry, const char *name,
    gint64 version, const char *key, const char *value, GError **error)
{
  g_return_val_if_fail (registry && version >= 0, FALSE);
  if (!forge_check_model_name (name, error) ||
      !forge_check_tag (key, value, error))
    return FALSE;
  Change change = { registry, name, version, key, value };
  return forge_db_transact (registry->db, change_tag, &change, error);
}

static gboolean
change_description (ForgeDb *db, gpointer user_data, GError **error)
{
  const Change *change = user_data;
  const ForgeDbValue params[] = { forge_db_text (change->name),
    forge_db_text (change->text), forge_db_int (change->version) };
  if (!lock_target (change, error))
    return FALSE;
  if (change->version == 0)
    return forge_db_run (db,
        "UPDATE registered_models SET description = $2 WHERE name = $1", params,
        2, error);
  return forge_db_run (db,
             "UPDATE model_versions SET description = $2"
             " WHERE name = $1 AND version = $3",
             params, 3, error) &&
         touch_version (change, error);
}

gboolean
forge_registry_set_description (ForgeRegistry *registry, const char *name,
    gint64 version, const char *text, GError **error)
{
  g_return_val_if_fail (registry && version >= 0, FALSE);
  if (!forge_check_model_name (name, error) ||
      !forge_check_text (text, "description", error))
    return FALSE;
  Change change = { registry, name, version, NULL, text };
  return forge_db_transact (registry->db, change_description, &change, error);
}
