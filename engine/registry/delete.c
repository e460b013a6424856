/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * How versions and models go: not while an alias stands for one. The files of
 * what went are removed afterwards, under the lock that every writer takes
 * (artifacts.c); should that fail, they are orphans for verify to find. */
#include "registry/internal.h"

typedef struct {
  ForgeRegistry *registry;
  const char *name;
  gint64 version; /* 0 = the model with all */
} Deletion;

/* An alias that points at what is to go; $2 = 0: at any version. */
static gboolean
check_aliases (const Deletion *d, GError **error)
{
  const ForgeDbValue params[] = { forge_db_text (d->name),
    forge_db_int (d->version) };
  g_autoptr (ForgeDbResult) result = forge_db_query (d->registry->db,
      "SELECT alias, version FROM registered_model_aliases"
      " WHERE name = $1 AND (version = $2 OR $2 = 0) ORDER BY alias LIMIT 1",
      params, 2, error);
  if (!result)
    return FALSE;
  if (result->n_rows == 0)
    return TRUE;
  const char *alias = forge_db_get_text (result, 0, 0);
  g_set_error (error, FORGE_ERROR, FORGE_ERROR_REFUSED,
      "%s: alias '%s' of model '%s' stands for version %" G_GINT64_FORMAT
      ": move it or take it away first",
      d->registry->db->name, alias, d->name, forge_db_get_int (result, 0, 1));
  return FALSE;
}

static gboolean
drop_artifacts (const Deletion *d, const ForgeDbResult *hashes, GError **error)
{
  for (guint row = 0; row < hashes->n_rows; row++)
    if (!forge_artifact_store_drop (
            d->registry->store, forge_db_get_text (hashes, row, 0), error))
      return FALSE;
  return TRUE;
}

static gboolean
run_all (const Deletion *d, const char *const *statements, gsize n_statements,
    guint n_params, GError **error)
{
  const ForgeDbValue params[] = { forge_db_text (d->name),
    forge_db_int (d->version) };
  for (gsize i = 0; i < n_statements; i++)
    if (!forge_db_run (d->registry->db, statements[i], params, n_params, error))
      return FALSE;
  return TRUE;
}

static gboolean
delete_versions (const Deletion *d, GError **error)
{
  static const char *const statements[] = {
    "DELETE FROM model_version_tags"
    " WHERE name = $1 AND (version = $2 OR $2 = 0)",
    "DELETE FROM model_versions"
    " WHERE name = $1 AND (version = $2 OR $2 = 0)",
  };
  const ForgeDbValue params[] = { forge_db_text (d->name),
    forge_db_int (d->version) };
  g_autoptr (ForgeDbResult) hashes = forge_db_query (d->registry->db,
      "SELECT DISTINCT artifact_sha256 FROM model_versions"
      " WHERE name = $1 AND (version = $2 OR $2 = 0)"
      " ORDER BY artifact_sha256",
      params, 2, error);
  return hashes &&
         run_all (d, statements, G_N_ELEMENTS (statements), 2, error) &&
         drop_artifacts (d, hashes, error);
}

static gboolean
delete_all (ForgeDb *db, gpointer user_data, GError **error)
{
  static const char *const statements[] = {
    "DELETE FROM alias_history WHERE name = $1",
    "DELETE FROM registered_model_tags WHERE name = $1",
    "DELETE FROM registered_models WHERE name = $1",
  };
  const Deletion *d = user_data;
  if (!forge_registry_lock_model (d->registry, d->name, error))
    return FALSE;
  if (d->version &&
      !forge_registry_check_version (d->registry, d->name, d->version, error))
    return FALSE;
  return check_aliases (d, error) && delete_versions (d, error) &&
         (d->version ||
             run_all (d, statements, G_N_ELEMENTS (statements), 1, error));
}

gboolean
forge_registry_delete (
    ForgeRegistry *registry, const char *name, gint64 version, GError **error)
{
  g_return_val_if_fail (registry && version >= 0, FALSE);
  Deletion d = { registry, name, version };
  if (!forge_check_model_name (name, error) ||
      !forge_db_transact (registry->db, delete_all, &d, error))
    return FALSE;
  guint n_removed;
  g_autoptr (GPtrArray) orphans = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GError) cause = NULL;
  if (!forge_artifact_store_sweep (
          registry->store, TRUE, orphans, &n_removed, &cause))
    g_debug ("files are left behind: %s", cause->message);
  return TRUE;
}
