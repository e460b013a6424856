/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * As much of a database as the registry needs: statements of the subset of
 * SQL that SQLite and PostgreSQL share, with parameters $1, $2, ..., and
 * transactions that are tried again when others were in the way. Values reach
 * the database as parameters only, never as text of a statement. */
#pragma once

#include <glib.h>
#include <math.h>
#include <stdint.h>
#include <string.h>

typedef enum {
  FORGE_DB_NULL,
  FORGE_DB_INT,
  FORGE_DB_REAL,
  FORGE_DB_TEXT,
  FORGE_DB_BLOB,
} ForgeDbType;

/* A parameter, or a cell of a result, which owns its bytes. */
typedef struct {
  ForgeDbType type;
  int64_t number;
  double real;
  const char *bytes; /* of a text, 0 behind them */
  size_t size_bytes;
} ForgeDbValue;

static inline ForgeDbValue
forge_db_int (int64_t number)
{
  return (ForgeDbValue) { .type = FORGE_DB_INT, .number = number };
}

/* NaN becomes NULL. */
static inline ForgeDbValue
forge_db_real (double real)
{
  return (ForgeDbValue) { .type = isnan (real) ? FORGE_DB_NULL : FORGE_DB_REAL,
    .real = real };
}

static inline ForgeDbValue
forge_db_text (const char *text)
{
  return (ForgeDbValue) { .type = text ? FORGE_DB_TEXT : FORGE_DB_NULL,
    .bytes = text,
    .size_bytes = text ? strlen (text) : 0 };
}

static inline ForgeDbValue
forge_db_blob (const void *bytes, size_t size_bytes)
{
  return (ForgeDbValue) {
    .type = FORGE_DB_BLOB, .bytes = bytes, .size_bytes = size_bytes
  };
}

/* Numbers from 1 and the like are never NULL: 0 stands for it. */
static inline ForgeDbValue
forge_db_int_or_null (int64_t number)
{
  return (ForgeDbValue) { .type = number ? FORGE_DB_INT : FORGE_DB_NULL,
    .number = number };
}

/* Rows of a query, all of them. */
typedef struct {
  guint n_columns, n_rows;
  GArray *cells; /* ForgeDbValue, row by row */
} ForgeDbResult;

/* More rows than any registry has: somebody else made this database. */
#define FORGE_DB_MAX_ROWS 1000000
/* Longest value that is written or believed. */
#define FORGE_DB_MAX_BYTES (16 << 20)

typedef struct _ForgeDb ForgeDb;

typedef struct {
  const char *begin;       /* a transaction that will write */
  const char *lock_schema; /* nullable: within it, before tables are made */
  const char *mark;        /* nullable: run with the first table */
  const char *count_table; /* rows of this: whether table $1 is there */
  gboolean stores_bytes;   /* artifacts are rows, not files */
  /* Adds the rows to @result. */
  gboolean (*run) (ForgeDb *db, const char *sql, const ForgeDbValue *params,
      guint n_params, ForgeDbResult *result, GError **error);
  void (*close) (ForgeDb *db);
} ForgeDbDriver;

/* What a driver's own struct begins with. */
struct _ForgeDb {
  const ForgeDbDriver *driver;
  char *name; /* for messages */
  guint timeout_ms;
  gboolean may_pass;       /* the last failure: another try may succeed */
  gboolean in_transaction; /* of forge_db_transact() */
};

ForgeDb *forge_db_open_sqlite (
    const char *path, gboolean create, guint timeout_ms, GError **error);
ForgeDb *forge_db_open_postgresql (
    const char *uri, guint timeout_ms, GError **error);
void forge_db_close (ForgeDb *db);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ForgeDb, forge_db_close)

/* NULL on error. (transfer full) */
ForgeDbResult *forge_db_query (ForgeDb *db, const char *sql,
    const ForgeDbValue *params, guint n_params, GError **error);
/* The same where no row is wanted. */
gboolean forge_db_run (ForgeDb *db, const char *sql, const ForgeDbValue *params,
    guint n_params, GError **error);
/* The one integer that a query gives; @fallback where it gives no row. */
gboolean forge_db_query_int (ForgeDb *db, const char *sql,
    const ForgeDbValue *params, guint n_params, int64_t fallback,
    int64_t *number, GError **error);

/* Runs @func in a transaction: commits when it returns TRUE, takes all back
 * otherwise. Runs it again, from the start, while what failed may pass and
 * the time-out has not. */
typedef gboolean (*ForgeDbFunc) (
    ForgeDb *db, gpointer user_data, GError **error);
gboolean forge_db_transact (
    ForgeDb *db, ForgeDbFunc func, gpointer user_data, GError **error);

void forge_db_result_free (ForgeDbResult *result);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ForgeDbResult, forge_db_result_free)
/* For drivers. Texts are made valid UTF-8; copies the bytes. */
void forge_db_result_add (ForgeDbResult *result, const ForgeDbValue *value);
/* FALSE with FORGE_ERROR_FORMAT when there are too many rows. */
gboolean forge_db_result_end_row (
    ForgeDbResult *result, const ForgeDb *db, GError **error);

/* A cell of another type reads as NULL: 0, NaN. */
int64_t forge_db_get_int (const ForgeDbResult *result, guint row, guint column);
double forge_db_get_real (const ForgeDbResult *result, guint row, guint column);
const char *forge_db_get_text (
    const ForgeDbResult *result, guint row, guint column);
const void *forge_db_get_blob (
    const ForgeDbResult *result, guint row, guint column, size_t *size_bytes);
