/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Finds and opens a registry: a URI is a server, anything else a file. */
#include "registry/internal.h"

#include "registry/schema.h"

#define DEFAULT_TIMEOUT_MS 30000

gint64
forge_registry_now_ms (void)
{
  return g_get_real_time () / 1000;
}

static char *
find_location (const char *stated)
{
  const char *location = stated ? stated : g_getenv ("FORGE_REGISTRY");
  if (location && *location)
    return g_strdup (location);
  return g_build_filename (
      g_get_user_data_dir (), "gst-forge", "registry.db", NULL);
}

static ForgeDb *
open_server (const char *uri, guint timeout_ms, GError **error)
{
#ifdef FORGE_HAVE_POSTGRESQL
  return forge_db_open_postgresql (uri, timeout_ms, error);
#else
  g_set_error_literal (error, FORGE_ERROR, FORGE_ERROR_UNSUPPORTED,
      "this build has no PostgreSQL (meson option postgresql): expected the "
      "path of a SQLite file, found a postgresql:// URI");
  return NULL;
#endif
}

ForgeRegistry *
forge_registry_open (const ForgeRegistryParams *params, GError **error)
{
  const ForgeRegistryParams none = { 0 };
  if (!params)
    params = &none;
  guint timeout_ms =
      params->timeout_ms ? params->timeout_ms : DEFAULT_TIMEOUT_MS;
  gboolean create = params->mode == FORGE_REGISTRY_CREATE;
  g_autofree char *location = find_location (params->location);
  gboolean is_server = g_str_has_prefix (location, "postgresql://") ||
                       g_str_has_prefix (location, "postgres://");
  g_autoptr (ForgeDb) db =
      is_server ? open_server (location, timeout_ms, error)
                : forge_db_open_sqlite (location, create, timeout_ms, error);
  if (!db || !forge_schema_open (db, create, error))
    return NULL;
  ForgeRegistry *registry = g_new0 (ForgeRegistry, 1);
  registry->db = g_steal_pointer (&db);
  registry->store =
      forge_artifact_store_new (registry->db, is_server ? NULL : location);
  return registry;
}

void
forge_registry_close (ForgeRegistry *registry)
{
  if (!registry)
    return;
  forge_artifact_store_free (registry->store);
  forge_db_close (registry->db);
  g_free (registry);
}

const char *
forge_registry_get_location (const ForgeRegistry *registry)
{
  return registry->db->name;
}
