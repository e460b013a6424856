/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A registry on a PostgreSQL server, by libpq. Parameters go beside the
 * statement, never into it; the server keeps the bytes of models too, so that
 * the other machines get them. */
#include "registry/db.h"

#include <libpq-fe.h>
#include <stdlib.h>

#include "forge/error.h"

/* pg_type.dat, which no installed header of libpq has */
enum {
  OID_BYTEA = 17,
  OID_INT8 = 20,
  OID_INT2 = 21,
  OID_INT4 = 23,
  OID_TEXT = 25,
  OID_FLOAT4 = 700,
  OID_FLOAT8 = 701,
};

#define MAX_PARAMS 32
/* Any number that other programs do not take: "forge" in hexadecimal. */
#define SCHEMA_LOCK "439788038757"

typedef struct {
  ForgeDb base;
  PGconn *connection;
} PostgresDb;

static const struct {
  const char *state; /* or the beginning of it */
  int code;
  gboolean may_pass;
} states[] = {
  { "40001", FORGE_ERROR_IO, TRUE },  /* serialization_failure */
  { "40P01", FORGE_ERROR_IO, TRUE },  /* deadlock_detected */
  { "23503", FORGE_ERROR_IO, TRUE },  /* deleted by another meanwhile */
  { "55P03", FORGE_ERROR_IO, FALSE }, /* lock_timeout is over */
  { "23", FORGE_ERROR_ARGUMENT, FALSE },
  { "22", FORGE_ERROR_ARGUMENT, FALSE },
  { "42501", FORGE_ERROR_IO, FALSE }, /* no permission */
  { "42", FORGE_ERROR_FORMAT, FALSE },
};

/* Messages end in a line feed and may have several lines. */
static char *
one_line (const char *message)
{
  g_auto (GStrv) lines = g_strsplit (message ? message : "", "\n", -1);
  for (char **line = lines; *line; line++)
    g_strstrip (*line);
  return g_strstrip (g_strjoinv (" ", lines));
}

static gboolean
fail (PostgresDb *db, const PGresult *result, GError **error)
{
  const char *state =
      result ? PQresultErrorField (result, PG_DIAG_SQLSTATE) : NULL;
  const char *primary =
      result ? PQresultErrorField (result, PG_DIAG_MESSAGE_PRIMARY) : NULL;
  g_autofree char *text =
      one_line (primary ? primary : PQerrorMessage (db->connection));
  int code = FORGE_ERROR_IO;
  for (guint i = 0; state && i < G_N_ELEMENTS (states); i++)
    if (g_str_has_prefix (state, states[i].state)) {
      code = states[i].code;
      db->base.may_pass = states[i].may_pass;
      break;
    }
  gboolean locked = state && strcmp (state, "55P03") == 0;
  g_set_error (error, FORGE_ERROR, code, "%s: %s%s", db->base.name,
      locked ? "locked by another program: " : "", text);
  return FALSE;
}

/* What PQexecParams wants to know of each parameter. */
typedef struct {
  Oid types[MAX_PARAMS];
  const char *values[MAX_PARAMS];
  int sizes[MAX_PARAMS], binary[MAX_PARAMS];
  char numbers[MAX_PARAMS][G_ASCII_DTOSTR_BUF_SIZE];
} Parameters;

static void
set_parameter (Parameters *all, guint i, const ForgeDbValue *value)
{
  all->values[i] = all->numbers[i];
  switch (value->type) {
  case FORGE_DB_INT:
    all->types[i] = OID_INT8;
    g_snprintf (all->numbers[i], sizeof all->numbers[i], "%" G_GINT64_FORMAT,
        value->number);
    break;
  case FORGE_DB_REAL:
    all->types[i] = OID_FLOAT8;
    g_ascii_dtostr (all->numbers[i], sizeof all->numbers[i], value->real);
    break;
  case FORGE_DB_TEXT:
    all->types[i] = OID_TEXT;
    all->values[i] = value->bytes;
    break;
  case FORGE_DB_BLOB:
    all->types[i] = OID_BYTEA;
    all->values[i] = value->bytes ? value->bytes : "";
    all->sizes[i] = (int) value->size_bytes;
    all->binary[i] = 1;
    break;
  default:
    all->values[i] = NULL;
    break;
  }
}

static void
add_blob (const char *text, ForgeDbResult *result)
{
  size_t size_bytes = 0;
  unsigned char *bytes =
      PQunescapeBytea ((const unsigned char *) text, &size_bytes);
  const ForgeDbValue value = forge_db_blob (bytes, bytes ? size_bytes : 0);
  forge_db_result_add (result, &value);
  PQfreemem (bytes);
}

static void
add_cell (const PGresult *rows, int row, int column, ForgeDbResult *result)
{
  ForgeDbValue value = { .type = FORGE_DB_NULL };
  const char *text = PQgetvalue (rows, row, column);
  Oid type = PQftype (rows, column);
  if (PQgetisnull (rows, row, column))
    ;
  else if (type == OID_BYTEA) {
    add_blob (text, result);
    return;
  } else if (type == OID_INT8 || type == OID_INT4 || type == OID_INT2)
    value = forge_db_int (g_ascii_strtoll (text, NULL, 10));
  else if (type == OID_FLOAT8 || type == OID_FLOAT4)
    value = forge_db_real (g_ascii_strtod (text, NULL));
  else
    value = forge_db_text (text);
  forge_db_result_add (result, &value);
}

static gboolean
add_rows (
    PostgresDb *db, const PGresult *rows, ForgeDbResult *result, GError **error)
{
  result->n_columns = (guint) PQnfields (rows);
  for (int row = 0; row < PQntuples (rows); row++) {
    for (guint c = 0; c < result->n_columns; c++)
      add_cell (rows, row, (int) c, result);
    if (!forge_db_result_end_row (result, &db->base, error))
      return FALSE;
  }
  return TRUE;
}

static gboolean
run (ForgeDb *base, const char *sql, const ForgeDbValue *params, guint n_params,
    ForgeDbResult *result, GError **error)
{
  PostgresDb *db = (PostgresDb *) base;
  g_assert (n_params <= MAX_PARAMS);
  Parameters all = { 0 };
  for (guint i = 0; i < n_params; i++)
    set_parameter (&all, i, &params[i]);
  PGresult *rows = PQexecParams (db->connection, sql, (int) n_params, all.types,
      all.values, all.sizes, all.binary, 0);
  ExecStatusType status = PQresultStatus (rows);
  gboolean done = status == PGRES_TUPLES_OK ? add_rows (db, rows, result, error)
                  : status == PGRES_COMMAND_OK ? TRUE
                                               : fail (db, rows, error);
  PQclear (rows);
  return done;
}

static void
close_db (ForgeDb *base)
{
  PQfinish (((PostgresDb *) base)->connection);
  g_free (base);
}

static const ForgeDbDriver driver = {
  .begin = "BEGIN ISOLATION LEVEL READ COMMITTED",
  .lock_schema = "SELECT 1 FROM pg_advisory_xact_lock(" SCHEMA_LOCK ")",
  .count_table = "SELECT COUNT(*) FROM pg_class WHERE oid = to_regclass($1)",
  .stores_bytes = TRUE,
  .run = run,
  .close = close_db,
};

static void
ignore_notice (void *user_data, const char *message)
{
}

/* The options of @uri that do not have to be kept secret, as a URI. NULL when
 * it is none: its text might hold a password, so no message repeats it. */
static char *
describe (const char *uri)
{
  PQconninfoOption *options = PQconninfoParse (uri, NULL);
  if (!options)
    return NULL;
  const char *user = NULL, *host = NULL, *port = NULL, *database = NULL;
  const struct {
    const char *keyword;
    const char **value;
  } wanted[] = { { "user", &user }, { "host", &host }, { "port", &port },
    { "dbname", &database } };
  for (PQconninfoOption *option = options; option->keyword; option++)
    for (guint i = 0; i < G_N_ELEMENTS (wanted); i++)
      if (strcmp (option->keyword, wanted[i].keyword) == 0)
        *wanted[i].value = option->val;
  char *name = g_strdup_printf ("postgresql://%s%s%s%s%s/%s", user ? user : "",
      user ? "@" : "", host ? host : "", port ? ":" : "", port ? port : "",
      database ? database : "");
  PQconninfoFree (options);
  return name;
}

static gboolean
prepare (PostgresDb *db, GError **error)
{
  if (PQstatus (db->connection) != CONNECTION_OK) {
    g_autofree char *text = one_line (PQerrorMessage (db->connection));
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_IO, "%s: cannot connect: %s",
        db->base.name, text);
    return FALSE;
  }
  PQsetNoticeProcessor (db->connection, ignore_notice, NULL);
  g_autofree char *timeout = g_strdup_printf ("%u", db->base.timeout_ms);
  const ForgeDbValue params[] = { forge_db_text (timeout) };
  return forge_db_run (&db->base,
      "SELECT set_config('lock_timeout', $1, FALSE)", params, 1, error);
}

ForgeDb *
forge_db_open_postgresql (const char *uri, guint timeout_ms, GError **error)
{
  char *name = describe (uri);
  if (!name) {
    g_set_error_literal (error, FORGE_ERROR, FORGE_ERROR_ARGUMENT,
        "expected postgresql://USER@HOST:PORT/DATABASE, found a URI that "
        "libpq does not understand");
    return NULL;
  }
  /* What the URI says comes later, and so wins over the first two. */
  const char *const keywords[] = { "connect_timeout", "application_name",
    "dbname", "client_encoding", NULL };
  const char *const values[] = { "10", "gst-forge", uri, "UTF8", NULL };
  PostgresDb *db = g_new0 (PostgresDb, 1);
  db->base.driver = &driver;
  db->base.name = name;
  db->base.timeout_ms = timeout_ms;
  db->connection = PQconnectdbParams (keywords, values, 1);
  if (prepare (db, error))
    return &db->base;
  forge_db_close (&db->base);
  return NULL;
}
