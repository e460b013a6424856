/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A registry in one file, by libsqlite3, in WAL mode, so that readers never
 * wait. The file may come from anybody: views and triggers, which could make
 * an innocent query run for ever, are refused before anything else is asked
 * (sqlite.org/security.html, "Untrusted SQLite Database Files").
 *
 * A reader without the right to write cannot share a WAL; where nobody writes
 * (there is no WAL) it opens the file as one that does not change. */
#include "registry/db.h"

#include <glib/gstdio.h>
#include <sqlite3.h>

#include "forge/error.h"

/* "FReg", in the header of the file: what file(1) calls application id. */
#define APPLICATION_ID "1179804007"

typedef struct {
  ForgeDb base;
  sqlite3 *handle;
} SqliteDb;

static int
error_code (int code)
{
  switch (code & 0xff) {
  case SQLITE_CORRUPT:
  case SQLITE_NOTADB:
  case SQLITE_FORMAT:
  case SQLITE_ERROR: /* no such table or column */
    return FORGE_ERROR_FORMAT;
  case SQLITE_NOMEM:
    return FORGE_ERROR_MEMORY;
  case SQLITE_TOOBIG:
  case SQLITE_CONSTRAINT:
    return FORGE_ERROR_ARGUMENT;
  default:
    return FORGE_ERROR_IO;
  }
}

static gboolean
fail (SqliteDb *db, int code, GError **error)
{
  int kind = code & 0xff;
  db->base.may_pass = kind == SQLITE_BUSY || kind == SQLITE_LOCKED;
  if (db->base.may_pass)
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_IO,
        "%s: locked by another program for more than %u ms", db->base.name,
        db->base.timeout_ms);
  else {
    int cause = kind == SQLITE_IOERR || kind == SQLITE_CANTOPEN
                    ? sqlite3_system_errno (db->handle)
                    : 0;
    g_set_error (error, FORGE_ERROR, error_code (code), "%s: %s%s%s%s",
        db->base.name, sqlite3_errmsg (db->handle), cause ? ": " : "",
        cause ? g_strerror (cause) : "",
        kind == SQLITE_FULL       ? " (the disk)"
        : kind == SQLITE_READONLY ? " (no permission to write)"
        : kind == SQLITE_NOTADB   ? "; expected a SQLite database"
                                  : "");
  }
  return FALSE;
}

static int
bind_value (sqlite3_stmt *statement, int index, const ForgeDbValue *value)
{
  switch (value->type) {
  case FORGE_DB_INT:
    return sqlite3_bind_int64 (statement, index, value->number);
  case FORGE_DB_REAL:
    return sqlite3_bind_double (statement, index, value->real);
  case FORGE_DB_TEXT:
    return sqlite3_bind_text64 (statement, index, value->bytes,
        value->size_bytes, SQLITE_STATIC, SQLITE_UTF8);
  case FORGE_DB_BLOB:
    return sqlite3_bind_blob64 (
        statement, index, value->bytes, value->size_bytes, SQLITE_STATIC);
  default:
    return sqlite3_bind_null (statement, index);
  }
}

/* To SQLite "$2" is a name, whose index is by first appearance. */
static int
bind_all (sqlite3_stmt *statement, const ForgeDbValue *params, guint n_params)
{
  for (guint i = 0; i < n_params; i++) {
    char name[16];
    g_snprintf (name, sizeof name, "$%u", i + 1);
    int index = sqlite3_bind_parameter_index (statement, name);
    int code = index ? bind_value (statement, index, &params[i]) : SQLITE_OK;
    if (code != SQLITE_OK)
      return code;
  }
  return SQLITE_OK;
}

static void
add_column (sqlite3_stmt *statement, int column, ForgeDbResult *result)
{
  ForgeDbValue value = { .type = FORGE_DB_NULL };
  switch (sqlite3_column_type (statement, column)) {
  case SQLITE_INTEGER:
    value = forge_db_int (sqlite3_column_int64 (statement, column));
    break;
  case SQLITE_FLOAT:
    value = forge_db_real (sqlite3_column_double (statement, column));
    break;
  case SQLITE_TEXT:
    value.type = FORGE_DB_TEXT;
    value.bytes = (const char *) sqlite3_column_text (statement, column);
    value.size_bytes = (size_t) sqlite3_column_bytes (statement, column);
    break;
  case SQLITE_BLOB:
    value = forge_db_blob (sqlite3_column_blob (statement, column),
        (size_t) sqlite3_column_bytes (statement, column));
    break;
  default:
    break;
  }
  forge_db_result_add (result, &value);
}

static gboolean
step_all (SqliteDb *db, sqlite3_stmt *statement, ForgeDbResult *result,
    GError **error)
{
  int code;
  result->n_columns = (guint) sqlite3_column_count (statement);
  while ((code = sqlite3_step (statement)) == SQLITE_ROW) {
    for (guint c = 0; c < result->n_columns; c++)
      add_column (statement, (int) c, result);
    if (!forge_db_result_end_row (result, &db->base, error))
      return FALSE;
  }
  return code == SQLITE_DONE || fail (db, code, error);
}

static gboolean
run (ForgeDb *base, const char *sql, const ForgeDbValue *params, guint n_params,
    ForgeDbResult *result, GError **error)
{
  SqliteDb *db = (SqliteDb *) base;
  sqlite3_stmt *statement = NULL;
  int code = sqlite3_prepare_v2 (db->handle, sql, -1, &statement, NULL);
  if (code == SQLITE_OK)
    code = bind_all (statement, params, n_params);
  gboolean done = code == SQLITE_OK ? step_all (db, statement, result, error)
                                    : fail (db, code, error);
  sqlite3_finalize (statement);
  return done;
}

static void
close_db (ForgeDb *base)
{
  sqlite3_close_v2 (((SqliteDb *) base)->handle);
  g_free (base);
}

static const ForgeDbDriver driver = {
  .begin = "BEGIN IMMEDIATE",
  .mark = "PRAGMA application_id = " APPLICATION_ID,
  .count_table = "SELECT COUNT(*) FROM sqlite_master"
                 " WHERE type = 'table' AND name = $1",
  .run = run,
  .close = close_db,
};

static gboolean
harden (SqliteDb *db, GError **error)
{
  sqlite3_extended_result_codes (db->handle, 1);
  sqlite3_busy_timeout (db->handle, (int) MIN (db->base.timeout_ms, G_MAXINT));
  sqlite3_limit (db->handle, SQLITE_LIMIT_LENGTH, FORGE_DB_MAX_BYTES);
  sqlite3_db_config (db->handle, SQLITE_DBCONFIG_DEFENSIVE, 1, NULL);
  sqlite3_db_config (db->handle, SQLITE_DBCONFIG_ENABLE_TRIGGER, 0, NULL);
  sqlite3_db_config (db->handle, SQLITE_DBCONFIG_ENABLE_VIEW, 0, NULL);
  sqlite3_db_config (db->handle, SQLITE_DBCONFIG_TRUSTED_SCHEMA, 0, NULL);
  static const char *const pragmas[] = { "PRAGMA foreign_keys = ON",
    "PRAGMA cell_size_check = ON", "PRAGMA synchronous = FULL" };
  for (guint i = 0; i < G_N_ELEMENTS (pragmas); i++)
    if (!forge_db_run (&db->base, pragmas[i], NULL, 0, error))
      return FALSE;
  return TRUE;
}

/* Whether it is ours, or empty; anything else is left alone. */
static gboolean
check_owner (SqliteDb *db, GError **error)
{
  int64_t id = 0, n_entries = 0, n_odd = 0;
  if (!forge_db_query_int (
          &db->base, "PRAGMA application_id", NULL, 0, 0, &id, error) ||
      !forge_db_query_int (&db->base, "SELECT COUNT(*) FROM sqlite_master",
          NULL, 0, 0, &n_entries, error) ||
      !forge_db_query_int (&db->base,
          "SELECT COUNT(*) FROM sqlite_master WHERE type NOT IN"
          " ('table', 'index') OR sql LIKE 'CREATE VIRTUAL%'",
          NULL, 0, 0, &n_odd, error))
    return FALSE;
  gboolean ours = id == g_ascii_strtoll (APPLICATION_ID, NULL, 10);
  if ((ours || n_entries == 0) && n_odd == 0)
    return TRUE;
  g_set_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT,
      "%s: expected a model registry, found %s", db->base.name,
      ours ? "one with views, triggers or virtual tables"
           : "the SQLite database of another program");
  return FALSE;
}

/* Without the right to write it stays as it is. Several programs may do this
 * to a new file at once, and SQLite then does not always wait by itself. */
static gboolean
use_wal (SqliteDb *db, GError **error)
{
  if (sqlite3_db_readonly (db->handle, "main") == 1)
    return TRUE;
  gint64 give_up =
      g_get_monotonic_time () + (gint64) db->base.timeout_ms * 1000;
  for (;;) {
    GError *cause = NULL;
    if (forge_db_run (&db->base, "PRAGMA journal_mode = WAL", NULL, 0, &cause))
      return TRUE;
    if (!db->base.may_pass || g_get_monotonic_time () >= give_up) {
      g_propagate_error (error, cause);
      return FALSE;
    }
    g_error_free (cause);
    g_usleep (1000);
  }
}

static ForgeDb *
open_as (const char *path, const char *name, int flags, guint timeout_ms,
    GError **error)
{
  SqliteDb *db = g_new0 (SqliteDb, 1);
  db->base.driver = &driver;
  db->base.name = g_strdup (name);
  db->base.timeout_ms = timeout_ms;
  int code =
      sqlite3_open_v2 (path, &db->handle, flags | SQLITE_OPEN_FULLMUTEX, NULL);
  if (code != SQLITE_OK)
    fail (db, code, error);
  else if (harden (db, error) && check_owner (db, error) && use_wal (db, error))
    return &db->base;
  forge_db_close (&db->base);
  return NULL;
}

static ForgeDb *
open_unchanging (const char *path, guint timeout_ms, GError **error)
{
  g_autofree char *full = g_canonicalize_filename (path, NULL);
  g_autofree char *uri = g_filename_to_uri (full, NULL, error);
  if (!uri)
    return NULL;
  g_autofree char *unchanging = g_strconcat (uri, "?immutable=1", NULL);
  return open_as (unchanging, path, SQLITE_OPEN_READONLY | SQLITE_OPEN_URI,
      timeout_ms, error);
}

/* The folder too. */
static gboolean
make_ready (const char *path, GError **error)
{
  g_autofree char *folder = g_path_get_dirname (path);
  if (g_mkdir_with_parents (folder, 0777) == 0)
    return TRUE;
  g_set_error (error, FORGE_ERROR, FORGE_ERROR_IO,
      "%s: cannot make the folder: %s", folder, g_strerror (errno));
  return FALSE;
}

ForgeDb *
forge_db_open_sqlite (
    const char *path, gboolean create, guint timeout_ms, GError **error)
{
  if (create && !make_ready (path, error))
    return NULL;
  GStatBuf info;
  if (!create && g_stat (path, &info) != 0) {
    gboolean missing = errno == ENOENT || errno == ENOTDIR;
    g_set_error (error, FORGE_ERROR,
        missing ? FORGE_ERROR_NOT_FOUND : FORGE_ERROR_IO, "%s: %s", path,
        missing ? "there is no registry yet; gst-forge registry register makes "
                  "one"
                : g_strerror (errno));
    return NULL;
  }
  GError *cause = NULL;
  int flags = SQLITE_OPEN_READWRITE | (create ? SQLITE_OPEN_CREATE : 0);
  ForgeDb *db = open_as (path, path, flags, timeout_ms, &cause);
  if (db)
    return db;
  g_autofree char *wal = g_strconcat (path, "-wal", NULL);
  if (!create && g_error_matches (cause, FORGE_ERROR, FORGE_ERROR_IO) &&
      g_access (path, R_OK) == 0 && !g_file_test (wal, G_FILE_TEST_EXISTS)) {
    db = open_unchanging (path, timeout_ms, NULL);
    if (db) {
      g_error_free (cause);
      return db;
    }
  }
  g_propagate_error (error, cause);
  return NULL;
}
