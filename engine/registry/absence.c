/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * "There is no such thing" is half an answer; these add what there is. */
#include "registry/internal.h"

/* Longer lists help nobody. */
#define MAX_LISTED 12

/* Column 0 of the rows, "none" when there are none. */
static char *
list_rows (ForgeRegistry *registry, const char *sql, const char *name)
{
  const ForgeDbValue params[] = { forge_db_text (name) };
  g_autoptr (ForgeDbResult) result =
      forge_db_query (registry->db, sql, params, name ? 1 : 0, NULL);
  GString *text = g_string_new (NULL);
  for (guint row = 0; result && row < MIN (result->n_rows, MAX_LISTED); row++)
    g_string_append_printf (
        text, "%s%s", row ? ", " : "", forge_db_get_text (result, row, 0));
  if (result && result->n_rows > MAX_LISTED)
    g_string_append_printf (text, " and %u more", result->n_rows - MAX_LISTED);
  if (text->len == 0)
    g_string_append (text, "none");
  return g_string_free (text, FALSE);
}

gboolean
forge_registry_no_model (
    ForgeRegistry *registry, const char *name, GError **error)
{
  g_autofree char *list = list_rows (
      registry, "SELECT name FROM registered_models ORDER BY name", NULL);
  g_set_error (error, FORGE_ERROR, FORGE_ERROR_NOT_FOUND,
      "%s: no model '%s'; there are: %s", registry->db->name, name, list);
  return FALSE;
}

gboolean
forge_registry_no_version (
    ForgeRegistry *registry, const char *name, gint64 version, GError **error)
{
  g_autofree char *list = list_rows (registry,
      "SELECT CAST(version AS TEXT) FROM model_versions"
      " WHERE name = $1 ORDER BY version DESC",
      name);
  g_autofree char *number =
      version ? g_strdup_printf (" %" G_GINT64_FORMAT, version) : g_strdup ("");
  g_set_error (error, FORGE_ERROR, FORGE_ERROR_NOT_FOUND,
      "%s: model '%s' has no version%s; there are: %s", registry->db->name,
      name, number, list);
  return FALSE;
}

gboolean
forge_registry_no_alias (ForgeRegistry *registry, const char *name,
    const char *alias, GError **error)
{
  g_autofree char *list = list_rows (registry,
      "SELECT alias || ' (version ' || CAST(version AS TEXT) || ')'"
      " FROM registered_model_aliases WHERE name = $1 ORDER BY alias",
      name);
  g_set_error (error, FORGE_ERROR, FORGE_ERROR_NOT_FOUND,
      "%s: model '%s' has no alias '%s'; there are: %s", registry->db->name,
      name, alias, list);
  return FALSE;
}

gboolean
forge_registry_check_version (
    ForgeRegistry *registry, const char *name, gint64 version, GError **error)
{
  const ForgeDbValue params[] = { forge_db_text (name),
    forge_db_int (version) };
  int64_t n_found;
  if (!forge_db_query_int (registry->db,
          "SELECT COUNT(*) FROM model_versions"
          " WHERE name = $1 AND version = $2",
          params, 2, 0, &n_found, error))
    return FALSE;
  return n_found > 0 ||
         forge_registry_no_version (registry, name, version, error);
}

gboolean
forge_registry_lock_model (
    ForgeRegistry *registry, const char *name, GError **error)
{
  const ForgeDbValue params[] = { forge_db_text (name),
    forge_db_int (forge_registry_now_ms ()) };
  g_autoptr (ForgeDbResult) result = forge_db_query (registry->db,
      "UPDATE registered_models SET last_updated_time = $2 WHERE name = $1"
      " RETURNING last_version",
      params, 2, error);
  if (!result)
    return FALSE;
  return result->n_rows > 0 || forge_registry_no_model (registry, name, error);
}
