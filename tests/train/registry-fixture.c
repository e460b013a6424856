/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See registry-fixture.h. */
#include "registry-fixture.h"

#include <glib/gstdio.h>

#include "fixture.h"
#include "postgresql-server.h"
#include "registry/db.h"

const char *const backend_names[N_BACKENDS] = { "sqlite", "postgresql" };

static char *home;
static guint n_locations;

void
registry_fixture_init (void)
{
  home = fixture_folder ();
  g_autofree char *cache = g_build_filename (home, "cache", NULL);
  g_setenv ("XDG_CACHE_HOME", cache, TRUE);
  g_autofree char *data = g_build_filename (home, "data", NULL);
  g_setenv ("XDG_DATA_HOME", data, TRUE);
  g_unsetenv ("FORGE_REGISTRY");
}

int
registry_fixture_run (void)
{
  int status = g_test_run ();
  postgresql_server_stop ();
  g_clear_pointer (&home, fixture_remove);
  return status;
}

static ForgeDb *
open_raw (const char *location)
{
  g_autoptr (GError) error = NULL;
#ifdef FORGE_HAVE_POSTGRESQL
  ForgeDb *db = g_str_has_prefix (location, "postgresql:")
                    ? forge_db_open_postgresql (location, 30000, &error)
                    : forge_db_open_sqlite (location, FALSE, 30000, &error);
#else
  ForgeDb *db = forge_db_open_sqlite (location, FALSE, 30000, &error);
#endif
  g_assert_no_error (error);
  return db;
}

char *
registry_fixture_location (Backend backend)
{
  n_locations++;
  if (backend == BACKEND_SQLITE)
    return g_strdup_printf ("%s/registry-%u/r.db", home, n_locations);
  const char *reason;
  const char *folder = postgresql_server_start (&reason);
  if (!folder) {
    g_test_skip (reason);
    return NULL;
  }
  g_autofree char *first =
      g_strdup_printf ("postgresql://forge@/postgres?host=%s", folder);
  g_autofree char *sql =
      g_strdup_printf ("CREATE DATABASE registry_%u", n_locations);
  registry_fixture_sql (first, sql);
  return g_strdup_printf (
      "postgresql://forge@/registry_%u?host=%s", n_locations, folder);
}

ForgeRegistry *
registry_fixture_open (const char *location, ForgeRegistryMode mode)
{
  g_autoptr (GError) error = NULL;
  const ForgeRegistryParams params = { .location = location, .mode = mode };
  ForgeRegistry *registry = forge_registry_open (&params, &error);
  g_assert_no_error (error);
  return registry;
}

void
registry_fixture_sql (const char *location, const char *sql)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeDb) db = open_raw (location);
  forge_db_run (db, sql, NULL, 0, &error);
  g_assert_no_error (error);
}

char *
registry_fixture_artifact (const char *location, const char *sha256)
{
  return g_strdup_printf ("%s.artifacts/%s", location, sha256);
}

void
registry_fixture_corrupt (const char *location, const char *sha256)
{
  if (g_str_has_prefix (location, "postgresql:")) {
    g_autofree char *sql = g_strdup_printf (
        "UPDATE artifact_chunks SET bytes = set_byte (bytes, 0,"
        " 255 - get_byte (bytes, 0)) WHERE number = 0 AND sha256 = '%s'",
        sha256);
    registry_fixture_sql (location, sql);
    return;
  }
  g_autofree char *path = registry_fixture_artifact (location, sha256);
  g_autofree char *bytes = NULL;
  gsize size_bytes;
  g_assert_true (g_file_get_contents (path, &bytes, &size_bytes, NULL));
  bytes[0] ^= 0x55;
  g_assert_true (g_file_set_contents (path, bytes, (gssize) size_bytes, NULL));
}

void
registry_fixture_lose (const char *location, const char *sha256)
{
  if (g_str_has_prefix (location, "postgresql:")) {
    g_autofree char *sql = g_strdup_printf (
        "DELETE FROM artifact_chunks WHERE sha256 = '%s'", sha256);
    registry_fixture_sql (location, sql);
    return;
  }
  g_autofree char *path = registry_fixture_artifact (location, sha256);
  g_assert_cmpint (g_unlink (path), ==, 0);
}

void
registry_fixture_forget_cache (void)
{
  char *cache = g_build_filename (home, "cache", NULL);
  if (g_file_test (cache, G_FILE_TEST_EXISTS))
    fixture_remove (cache);
  else
    g_free (cache);
}

ForgeModelVersion *
registry_fixture_register (ForgeRegistry *registry, const char *name,
    const char *text, const ForgeModelMetrics *metrics)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) bytes = g_bytes_new (text, strlen (text));
  const ForgeRegisterParams params = {
    .name = name, .bytes = bytes, .metrics = metrics
  };
  ForgeModelVersion *version =
      forge_registry_register (registry, &params, &error);
  g_assert_no_error (error);
  return version;
}

typedef struct {
  BackendTest test;
  Backend backend;
} BackendEntry;

static void
run_backend_test (gconstpointer data)
{
  const BackendEntry *entry = data;
  entry->test (entry->backend);
}

void
registry_fixture_add (const char *name, BackendTest test)
{
  for (int b = 0; b < N_BACKENDS; b++) {
    BackendEntry *entry = g_new (BackendEntry, 1);
    *entry = (BackendEntry) { test, (Backend) b };
    g_autofree char *path =
        g_strdup_printf ("/registry/%s/%s", backend_names[b], name);
    g_test_add_data_func_full (path, entry, run_backend_test, g_free);
  }
}
