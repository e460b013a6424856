/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Names of tables and columns are MLflow's where it has them. Types are those
 * that mean the same to both databases: BIGINT, DOUBLE PRECISION, TEXT and
 * BYTEA (which SQLite takes for a name it does not know, and keeps bytes as
 * they are). Times are milliseconds since 1970, UTC.
 *
 * A migration, once released, never changes; a new one goes behind it. */
#include "registry/schema.h"

#include "forge/error.h"

/* What MLflow has too: models, versions, aliases, tags. */
static const char *const migration_1[] = {
  "CREATE TABLE registered_models ("
  " name TEXT NOT NULL PRIMARY KEY,"
  " description TEXT,"
  " creation_time BIGINT NOT NULL,"
  " last_updated_time BIGINT NOT NULL,"
  " last_version BIGINT NOT NULL)",

  "CREATE TABLE artifacts ("
  " sha256 TEXT NOT NULL PRIMARY KEY,"
  " size_bytes BIGINT NOT NULL,"
  " creation_time BIGINT NOT NULL)",

  "CREATE TABLE model_versions ("
  " name TEXT NOT NULL REFERENCES registered_models (name),"
  " version BIGINT NOT NULL CHECK (version >= 1),"
  " creation_time BIGINT NOT NULL,"
  " last_updated_time BIGINT NOT NULL,"
  " user_id TEXT,"
  " description TEXT,"
  " source TEXT,"
  " run_command TEXT,"
  " data_hash TEXT,"
  " augmentation_config TEXT,"
  " precision TEXT,"
  " parent_version BIGINT,"
  " artifact_sha256 TEXT NOT NULL REFERENCES artifacts (sha256),"
  " val_accuracy DOUBLE PRECISION,"
  " test_accuracy DOUBLE PRECISION,"
  " macro_f1 DOUBLE PRECISION,"
  " min_class_f1 DOUBLE PRECISION,"
  " worst_class TEXT,"
  " class_f1 TEXT,"
  " PRIMARY KEY (name, version))",

  "CREATE INDEX model_versions_artifact ON model_versions (artifact_sha256)",

  "CREATE TABLE registered_model_aliases ("
  " name TEXT NOT NULL REFERENCES registered_models (name),"
  " alias TEXT NOT NULL,"
  " version BIGINT NOT NULL,"
  " PRIMARY KEY (name, alias),"
  " FOREIGN KEY (name, version) REFERENCES model_versions (name, version))",

  "CREATE TABLE registered_model_tags ("
  " name TEXT NOT NULL REFERENCES registered_models (name),"
  " key TEXT NOT NULL,"
  " value TEXT NOT NULL,"
  " PRIMARY KEY (name, key))",

  "CREATE TABLE model_version_tags ("
  " name TEXT NOT NULL,"
  " version BIGINT NOT NULL,"
  " key TEXT NOT NULL,"
  " value TEXT NOT NULL,"
  " PRIMARY KEY (name, version, key),"
  " FOREIGN KEY (name, version) REFERENCES model_versions (name, version))",
  NULL,
};

/* What this registry adds: who moved an alias when, and bytes on a server. */
static const char *const migration_2[] = {
  "CREATE TABLE alias_history ("
  " name TEXT NOT NULL REFERENCES registered_models (name),"
  " number BIGINT NOT NULL,"
  " alias TEXT NOT NULL,"
  " version BIGINT,"
  " previous_version BIGINT,"
  " action TEXT NOT NULL,"
  " user_id TEXT,"
  " creation_time BIGINT NOT NULL,"
  " PRIMARY KEY (name, number))",

  "CREATE TABLE artifact_chunks ("
  " sha256 TEXT NOT NULL REFERENCES artifacts (sha256),"
  " number BIGINT NOT NULL,"
  " bytes BYTEA NOT NULL,"
  " PRIMARY KEY (sha256, number))",
  NULL,
};

static const char *const *const migrations[FORGE_SCHEMA_VERSION] = {
  migration_1,
  migration_2,
};

/* 0: there are no tables. */
static gboolean
read_version (ForgeDb *db, int64_t *version, GError **error)
{
  const ForgeDbValue table[] = { forge_db_text ("forge_schema") };
  int64_t n_tables;
  *version = 0;
  if (!forge_db_query_int (
          db, db->driver->count_table, table, 1, 0, &n_tables, error))
    return FALSE;
  if (n_tables == 0)
    return TRUE;
  if (!forge_db_query_int (
          db, "SELECT version FROM forge_schema", NULL, 0, 0, version, error))
    return FALSE;
  if (*version >= 1)
    return TRUE;
  g_set_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT,
      "%s: expected a schema version of 1 or more in forge_schema, found none",
      db->name);
  return FALSE;
}

static gboolean
run_all (ForgeDb *db, const char *const *statements, GError **error)
{
  for (; *statements; statements++)
    if (!forge_db_run (db, *statements, NULL, 0, error))
      return FALSE;
  return TRUE;
}

static gboolean
begin_schema (ForgeDb *db, GError **error)
{
  if (db->driver->mark && !forge_db_run (db, db->driver->mark, NULL, 0, error))
    return FALSE;
  static const char *const statements[] = {
    "CREATE TABLE forge_schema (version BIGINT NOT NULL)",
    "INSERT INTO forge_schema (version) VALUES (0)",
    NULL,
  };
  return run_all (db, statements, error);
}

static gboolean
migrate (ForgeDb *db, gpointer target, GError **error)
{
  int64_t version;
  if (db->driver->lock_schema &&
      !forge_db_run (db, db->driver->lock_schema, NULL, 0, error))
    return FALSE;
  /* another program may have been here first */
  if (!read_version (db, &version, error) ||
      (version == 0 && !begin_schema (db, error)))
    return FALSE;
  for (; version < GPOINTER_TO_INT (target); version++)
    if (!run_all (db, migrations[version], error))
      return FALSE;
  const ForgeDbValue params[] = { forge_db_int (version) };
  return forge_db_run (
      db, "UPDATE forge_schema SET version = $1", params, 1, error);
}

gboolean
forge_schema_migrate (ForgeDb *db, int target, GError **error)
{
  if (forge_db_transact (db, migrate, GINT_TO_POINTER (target), error))
    return TRUE;
  g_prefix_error (error, "cannot make the tables of a registry: ");
  return FALSE;
}

gboolean
forge_schema_open (ForgeDb *db, gboolean create, GError **error)
{
  int64_t version;
  if (!read_version (db, &version, error))
    return FALSE;
  if (version > FORGE_SCHEMA_VERSION) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_UNSUPPORTED,
        "%s: its schema is version %" G_GINT64_FORMAT
        ", and this program knows versions up to %d: use a newer gst-forge",
        db->name, version, FORGE_SCHEMA_VERSION);
    return FALSE;
  }
  if (version == FORGE_SCHEMA_VERSION)
    return TRUE;
  if (version > 0 || create)
    return forge_schema_migrate (db, FORGE_SCHEMA_VERSION, error);
  g_set_error (error, FORGE_ERROR, FORGE_ERROR_NOT_FOUND,
      "%s: there is no registry yet; gst-forge registry register makes one",
      db->name);
  return FALSE;
}
