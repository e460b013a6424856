/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Moving aliases, each move with its line of history. */
#include "registry/internal.h"

gboolean
forge_registry_read_alias (ForgeRegistry *registry, const char *name,
    const char *alias, gint64 *version, GError **error)
{
  const ForgeDbValue params[] = { forge_db_text (name), forge_db_text (alias) };
  return forge_db_query_int (registry->db,
      "SELECT version FROM registered_model_aliases"
      " WHERE name = $1 AND alias = $2",
      params, 2, 0, version, error);
}

static gboolean
write_history (ForgeRegistry *registry, const ForgeAliasMove *move,
    gint64 previous, GError **error)
{
  const ForgeDbValue params[] = {
    forge_db_text (move->name),
    forge_db_text (move->alias),
    forge_db_int_or_null (move->version),
    forge_db_int_or_null (previous),
    forge_db_text (move->action),
    forge_db_text (move->user ? move->user : g_get_user_name ()),
    forge_db_int (forge_registry_now_ms ()),
  };
  return forge_db_run (registry->db,
      "INSERT INTO alias_history (name, number, alias, version,"
      " previous_version, action, user_id, creation_time)"
      " SELECT $1, COALESCE(MAX(number), 0) + 1, $2, CAST($3 AS BIGINT),"
      " CAST($4 AS BIGINT), $5, $6, $7"
      " FROM alias_history WHERE name = $1",
      params, G_N_ELEMENTS (params), error);
}

gboolean
forge_registry_move_alias (
    ForgeRegistry *registry, const ForgeAliasMove *move, GError **error)
{
  gint64 previous;
  if (!forge_registry_read_alias (
          registry, move->name, move->alias, &previous, error))
    return FALSE;
  const ForgeDbValue params[] = { forge_db_text (move->name),
    forge_db_text (move->alias), forge_db_int (move->version) };
  const char *sql = move->version
                        ? "INSERT INTO registered_model_aliases"
                          " (name, alias, version) VALUES ($1, $2, $3)"
                          " ON CONFLICT (name, alias)"
                          " DO UPDATE SET version = excluded.version"
                        : "DELETE FROM registered_model_aliases"
                          " WHERE name = $1 AND alias = $2";
  return forge_db_run (
             registry->db, sql, params, move->version ? 3 : 2, error) &&
         write_history (registry, move, previous, error);
}

typedef struct {
  ForgeRegistry *registry;
  ForgeAliasMove move;
} AliasChange;

static gboolean
change_alias (ForgeDb *db, gpointer user_data, GError **error)
{
  const AliasChange *change = user_data;
  const ForgeAliasMove *move = &change->move;
  ForgeRegistry *registry = change->registry;
  gint64 previous;
  if (!forge_registry_lock_model (registry, move->name, error) ||
      !forge_registry_read_alias (
          registry, move->name, move->alias, &previous, error))
    return FALSE;
  if (move->version && !forge_registry_check_version (
                           registry, move->name, move->version, error))
    return FALSE;
  if (!move->version && !previous)
    return forge_registry_no_alias (registry, move->name, move->alias, error);
  /* Pointing where it points already is not a line of history. */
  return move->version == previous ||
         forge_registry_move_alias (registry, move, error);
}

gboolean
forge_registry_set_alias (ForgeRegistry *registry, const char *name,
    gint64 version, const char *alias, GError **error)
{
  g_return_val_if_fail (registry && version >= 0, FALSE);
  if (!forge_check_model_name (name, error) ||
      !forge_check_alias (alias, error))
    return FALSE;
  AliasChange change = { registry,
    { name, alias, version ? "alias" : "unalias", NULL, version } };
  return forge_db_transact (registry->db, change_alias, &change, error);
}

GPtrArray *
forge_registry_list_history (
    ForgeRegistry *registry, const char *name, GError **error)
{
  g_return_val_if_fail (registry && name, NULL);
  if (!forge_check_model_name (name, error))
    return NULL;
  const ForgeDbValue params[] = { forge_db_text (name) };
  g_autoptr (ForgeDbResult) result = forge_db_query (registry->db,
      "SELECT alias, version, previous_version, action, user_id,"
      " creation_time FROM alias_history WHERE name = $1 ORDER BY number",
      params, 1, error);
  if (!result)
    return NULL;
  GPtrArray *changes =
      g_ptr_array_new_with_free_func ((GDestroyNotify) forge_alias_change_free);
  for (guint row = 0; row < result->n_rows; row++) {
    ForgeAliasChange *change = g_new0 (ForgeAliasChange, 1);
    change->alias = g_strdup (forge_db_get_text (result, row, 0));
    change->version = forge_db_get_int (result, row, 1);
    change->previous_version = forge_db_get_int (result, row, 2);
    change->action = g_strdup (forge_db_get_text (result, row, 3));
    change->user = g_strdup (forge_db_get_text (result, row, 4));
    change->creation_time_ms = forge_db_get_int (result, row, 5);
    g_ptr_array_add (changes, change);
  }
  return changes;
}
