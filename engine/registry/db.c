/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the two drivers share: results, and transactions with their retries.
 * Another writer is no failure: waits grow from 1 ms, until the time-out. */
#include "registry/db.h"

#include "forge/error.h"

#define MAX_WAIT_US 50000

void
forge_db_close (ForgeDb *db)
{
  if (!db)
    return;
  char *name = db->name;
  db->driver->close (db);
  g_free (name);
}

static void
clear_cell (gpointer cell)
{
  g_free ((char *) ((ForgeDbValue *) cell)->bytes);
}

static ForgeDbResult *
result_new (void)
{
  ForgeDbResult *result = g_new0 (ForgeDbResult, 1);
  result->cells = g_array_new (FALSE, FALSE, sizeof (ForgeDbValue));
  g_array_set_clear_func (result->cells, clear_cell);
  return result;
}

void
forge_db_result_free (ForgeDbResult *result)
{
  if (!result)
    return;
  g_array_unref (result->cells);
  g_free (result);
}

void
forge_db_result_add (ForgeDbResult *result, const ForgeDbValue *value)
{
  ForgeDbValue cell = *value;
  if (value->type == FORGE_DB_TEXT) {
    cell.bytes = g_utf8_make_valid (value->bytes, (gssize) value->size_bytes);
    cell.size_bytes = strlen (cell.bytes);
  } else if (value->type == FORGE_DB_BLOB) {
    /* no bytes are still something */
    cell.bytes = value->size_bytes ? g_memdup2 (value->bytes, value->size_bytes)
                                   : g_strdup ("");
  } else {
    cell.bytes = NULL;
  }
  g_array_append_val (result->cells, cell);
}

gboolean
forge_db_result_end_row (
    ForgeDbResult *result, const ForgeDb *db, GError **error)
{
  if (++result->n_rows <= FORGE_DB_MAX_ROWS)
    return TRUE;
  g_set_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT,
      "%s: expected a model registry, found a table of more than %d rows",
      db->name, FORGE_DB_MAX_ROWS);
  return FALSE;
}

static const ForgeDbValue *
find_cell (
    const ForgeDbResult *result, guint row, guint column, ForgeDbType type)
{
  g_assert (row < result->n_rows && column < result->n_columns);
  const ForgeDbValue *cell = &g_array_index (
      result->cells, ForgeDbValue, row * result->n_columns + column);
  return cell->type == type ? cell : NULL;
}

int64_t
forge_db_get_int (const ForgeDbResult *result, guint row, guint column)
{
  const ForgeDbValue *cell = find_cell (result, row, column, FORGE_DB_INT);
  return cell ? cell->number : 0;
}

double
forge_db_get_real (const ForgeDbResult *result, guint row, guint column)
{
  const ForgeDbValue *cell = find_cell (result, row, column, FORGE_DB_REAL);
  return cell ? cell->real : (double) NAN;
}

const char *
forge_db_get_text (const ForgeDbResult *result, guint row, guint column)
{
  const ForgeDbValue *cell = find_cell (result, row, column, FORGE_DB_TEXT);
  return cell ? cell->bytes : NULL;
}

const void *
forge_db_get_blob (
    const ForgeDbResult *result, guint row, guint column, size_t *size_bytes)
{
  const ForgeDbValue *cell = find_cell (result, row, column, FORGE_DB_BLOB);
  *size_bytes = cell ? cell->size_bytes : 0;
  return cell ? cell->bytes : NULL;
}

ForgeDbResult *
forge_db_query (ForgeDb *db, const char *sql, const ForgeDbValue *params,
    guint n_params, GError **error)
{
  g_autoptr (ForgeDbResult) result = result_new ();
  db->may_pass = FALSE;
  if (!db->driver->run (db, sql, params, n_params, result, error))
    return NULL;
  return g_steal_pointer (&result);
}

gboolean
forge_db_run (ForgeDb *db, const char *sql, const ForgeDbValue *params,
    guint n_params, GError **error)
{
  g_autoptr (ForgeDbResult) result =
      forge_db_query (db, sql, params, n_params, error);
  return result != NULL;
}

gboolean
forge_db_query_int (ForgeDb *db, const char *sql, const ForgeDbValue *params,
    guint n_params, int64_t fallback, int64_t *number, GError **error)
{
  g_autoptr (ForgeDbResult) result =
      forge_db_query (db, sql, params, n_params, error);
  if (!result)
    return FALSE;
  *number = result->n_rows && result->n_columns
                ? forge_db_get_int (result, 0, 0)
                : fallback;
  return TRUE;
}

static gboolean
try_once (ForgeDb *db, ForgeDbFunc func, gpointer user_data, GError **error)
{
  if (!forge_db_run (db, db->driver->begin, NULL, 0, error))
    return FALSE;
  db->in_transaction = TRUE;
  gboolean done = func (db, user_data, error) &&
                  forge_db_run (db, "COMMIT", NULL, 0, error);
  db->in_transaction = FALSE;
  if (done)
    return TRUE;
  gboolean may_pass = db->may_pass;
  forge_db_run (db, "ROLLBACK", NULL, 0, NULL);
  db->may_pass = may_pass;
  return FALSE;
}

gboolean
forge_db_transact (
    ForgeDb *db, ForgeDbFunc func, gpointer user_data, GError **error)
{
  gint64 give_up = g_get_monotonic_time () + (gint64) db->timeout_ms * 1000;
  for (gulong wait_us = 1000;; wait_us = MIN (wait_us * 2, MAX_WAIT_US)) {
    GError *cause = NULL;
    if (try_once (db, func, user_data, &cause))
      return TRUE;
    if (!db->may_pass || g_get_monotonic_time () >= give_up) {
      g_propagate_error (error, cause);
      return FALSE;
    }
    g_error_free (cause);
    g_usleep (wait_us);
  }
}
