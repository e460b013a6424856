/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a registry meets outside: other people's files, damaged files, disks
 * and permissions, locks, servers that are not there, other versions of this
 * program; and the JSON that figures are read from. Errors, never crashes. */
#include <glib/gstdio.h>
#include <signal.h>
#include <sqlite3.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/rng.h"
#include "registry-fixture.h"
#include "registry/db.h"
#include "registry/schema.h"

static void
expect (GError **error, int code, const char *says)
{
  g_assert_nonnull (*error);
  g_test_message ("%s", (*error)->message);
  g_assert_error (*error, FORGE_ERROR, code);
  if (!strstr ((*error)->message, says))
    g_error ("expected '%s' in: %s", says, (*error)->message);
  g_clear_error (error);
}

static void
expect_closed (const ForgeRegistryParams *params, int code, const char *says)
{
  GError *error = NULL;
  g_assert_null (forge_registry_open (params, &error));
  expect (&error, code, says);
}

/* A registry with a version of "m" in it. */
static char *
make_registry (Backend backend)
{
  char *location = registry_fixture_location (backend);
  if (!location)
    return NULL;
  g_autoptr (ForgeRegistry) registry =
      registry_fixture_open (location, FORGE_REGISTRY_CREATE);
  forge_model_version_free (
      registry_fixture_register (registry, "m", "bytes", NULL));
  return location;
}

static void
older_tables_are_brought_up_to_date (Backend backend)
{
  g_autofree char *location = registry_fixture_location (backend);
  if (!location)
    return;
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeDb) db = NULL;
#ifdef FORGE_HAVE_POSTGRESQL
  if (backend == BACKEND_POSTGRESQL)
    db = forge_db_open_postgresql (location, 1000, &error);
#endif
  if (!db)
    db = forge_db_open_sqlite (location, TRUE, 1000, &error);
  g_assert_no_error (error);
  forge_schema_migrate (db, 1, &error);
  g_assert_no_error (error);
  static const char *const rows[] = {
    "INSERT INTO registered_models VALUES ('old', NULL, 5, 6, 1)",
    "INSERT INTO artifacts VALUES ('e3b0c44298fc1c149afbf4c8996fb92427ae41e4"
    "649b934ca495991b7852b855', 0, 5)",
    "INSERT INTO model_versions (name, version, creation_time,"
    " last_updated_time, artifact_sha256) VALUES ('old', 1, 5, 6,"
    " 'e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855')",
  };
  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    forge_db_run (db, rows[i], NULL, 0, &error);
  g_assert_no_error (error);
  g_autoptr (ForgeRegistry) registry =
      registry_fixture_open (location, FORGE_REGISTRY_EXISTING);
  g_autoptr (ForgeModelVersion) old =
      forge_registry_find (registry, "old", &error);
  g_assert_no_error (error);
  g_assert_cmpint (old->creation_time_ms, ==, 5);
  forge_registry_set_alias (registry, "old", 1, "champion", &error);
  g_assert_no_error (error);
  g_autoptr (ForgeModelVersion) next =
      registry_fixture_register (registry, "old", "x", NULL);
  g_assert_cmpint (next->version, ==, 2);
}

static void
newer_tables_are_refused (Backend backend)
{
  g_autofree char *location = make_registry (backend);
  if (!location)
    return;
  registry_fixture_sql (location, "UPDATE forge_schema SET version = 99");
  const ForgeRegistryParams params = { .location = location,
    .mode = FORGE_REGISTRY_CREATE };
  expect_closed (&params, FORGE_ERROR_UNSUPPORTED, "version 99");
  registry_fixture_sql (location, "DELETE FROM forge_schema");
  expect_closed (&params, FORGE_ERROR_FORMAT, "forge_schema");
}

static void
lock_of_another_is_reported (Backend backend)
{
  g_autofree char *location = make_registry (backend);
  if (!location)
    return;
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeDb) db = NULL;
#ifdef FORGE_HAVE_POSTGRESQL
  if (backend == BACKEND_POSTGRESQL)
    db = forge_db_open_postgresql (location, 1000, &error);
#endif
  if (!db)
    db = forge_db_open_sqlite (location, FALSE, 1000, &error);
  forge_db_run (db, db->driver->begin, NULL, 0, &error);
  forge_db_run (db, "UPDATE registered_models SET last_updated_time = 1", NULL,
      0, &error);
  g_assert_no_error (error);
  const ForgeRegistryParams params = { .location = location, .timeout_ms = 20 };
  g_autoptr (ForgeRegistry) registry = forge_registry_open (&params, &error);
  g_assert_no_error (error);
  g_assert_false (forge_registry_set_tag (registry, "m", 0, "k", "v", &error));
  expect (&error, FORGE_ERROR_IO, "locked");
  /* readers do not wait */
  g_autoptr (ForgeModelVersion) v = forge_registry_find (registry, "m", &error);
  g_assert_no_error (error);
  g_assert_cmpint (v->version, ==, 1);
  forge_db_run (db, "ROLLBACK", NULL, 0, &error);
  forge_registry_set_tag (registry, "m", 0, "k", "v", &error);
  g_assert_no_error (error);
}

static void
unreachable_server_is_reported (void)
{
#ifndef FORGE_HAVE_POSTGRESQL
  const ForgeRegistryParams any = { .location = "postgresql://h/d" };
  expect_closed (&any, FORGE_ERROR_UNSUPPORTED, "no PostgreSQL");
#else
  ForgeRegistryParams params = {
    .location = "postgresql://ann:s3cret@/models?host=/no/such/folder"
  };
  GError *error = NULL;
  g_assert_null (forge_registry_open (&params, &error));
  g_assert_null (strstr (error->message, "s3cret"));
  expect (&error, FORGE_ERROR_IO, "cannot connect");
  params.location = "postgresql://ann:s3cret@host/models?nonsense=1";
  g_assert_null (forge_registry_open (&params, &error));
  g_assert_null (strstr (error->message, "s3cret"));
  expect (&error, FORGE_ERROR_ARGUMENT, "postgresql://");
#endif
}

static void
another_programs_server_tables_are_left_alone (void)
{
  g_autofree char *location = registry_fixture_location (BACKEND_POSTGRESQL);
  if (!location)
    return;
  registry_fixture_sql (location, "CREATE TABLE registered_models (x INT)");
  const ForgeRegistryParams params = { .location = location,
    .mode = FORGE_REGISTRY_CREATE };
  expect_closed (&params, FORGE_ERROR_FORMAT, "already exists");
  registry_fixture_sql (location, "INSERT INTO registered_models VALUES (1)");
}

/* Runs SQL on a new SQLite file, without any of our settings. */
static char *
make_sqlite (const char *sql)
{
  char *location = registry_fixture_location (BACKEND_SQLITE);
  g_autofree char *folder = g_path_get_dirname (location);
  g_assert_cmpint (g_mkdir_with_parents (folder, 0700), ==, 0);
  sqlite3 *db;
  g_assert_cmpint (sqlite3_open (location, &db), ==, SQLITE_OK);
  g_assert_cmpint (sqlite3_exec (db, sql, NULL, NULL, NULL), ==, SQLITE_OK);
  sqlite3_close (db);
  return location;
}

static void
foreign_files_are_left_alone (void)
{
  static const struct {
    const char *sql, *says;
  } rows[] = { { "CREATE TABLE places (url TEXT)", "another program" },
    { "PRAGMA application_id = 1179804007;"
      "CREATE TABLE forge_schema (version BIGINT);"
      "INSERT INTO forge_schema VALUES (2);"
      "CREATE VIEW model_versions AS WITH RECURSIVE t (x) AS (SELECT 1 UNION"
      " ALL SELECT x + 1 FROM t) SELECT * FROM t",
        "views, triggers" },
    { "PRAGMA application_id = 1179804007; CREATE TABLE t (x);"
      "CREATE TRIGGER g AFTER INSERT ON t BEGIN DELETE FROM t; END",
        "views, triggers" },
    { "PRAGMA application_id = 1179804007;"
      "CREATE TABLE t (x); PRAGMA writable_schema = ON;"
      "UPDATE sqlite_master SET rootpage = 0,"
      " sql = 'CREATE VIRTUAL TABLE t USING evil (x)'",
        "virtual" } };
  for (guint i = 0; i < G_N_ELEMENTS (rows); i++)
    for (int mode = 0; mode < 2; mode++) {
      g_autofree char *location = make_sqlite (rows[i].sql);
      const ForgeRegistryParams params = { .location = location,
        .mode = (ForgeRegistryMode) mode };
      expect_closed (&params, FORGE_ERROR_FORMAT, rows[i].says);
    }
}

static void
tables_of_another_shape_are_errors (void)
{
  g_autofree char *location =
      make_sqlite ("PRAGMA application_id = 1179804007;"
                   "CREATE TABLE forge_schema (version BIGINT);"
                   "INSERT INTO forge_schema VALUES (2);"
                   "CREATE TABLE registered_models (name, other)");
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeRegistry) registry =
      registry_fixture_open (location, FORGE_REGISTRY_EXISTING);
  g_assert_null (forge_registry_find (registry, "m", &error));
  expect (&error, FORGE_ERROR_FORMAT, "no such table");
  g_assert_null (forge_registry_list_models (registry, &error));
  expect (&error, FORGE_ERROR_FORMAT, "no such table");
  g_assert_null (forge_registry_verify (registry, TRUE, &error));
  expect (&error, FORGE_ERROR_FORMAT, "no such table");
}

/* A row whose hash would be a path out of the folder. */
static void
hash_of_a_hostile_database_is_no_path (void)
{
  g_autofree char *location = make_registry (BACKEND_SQLITE);
  registry_fixture_sql (
      location, "INSERT INTO artifacts VALUES ('../r.db', 5, 5)");
  registry_fixture_sql (
      location, "UPDATE model_versions SET artifact_sha256 = '../r.db'");
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeRegistry) registry =
      registry_fixture_open (location, FORGE_REGISTRY_EXISTING);
  g_assert_null (forge_registry_find (registry, "m", &error));
  expect (&error, FORGE_ERROR_FORMAT, "'../r.db'");
  g_autoptr (ForgeVerifyResult) result =
      forge_registry_verify (registry, TRUE, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (result->problems->len, ==, 1);
  g_assert_true (g_file_test (location, G_FILE_TEST_EXISTS));
}

/* Deep enough to end a recursive parser that does not count. */
static void
json_of_a_hostile_database_is_no_trap (void)
{
  g_autofree char *location = make_registry (BACKEND_SQLITE);
  registry_fixture_sql (location,
      "UPDATE model_versions SET class_f1 = replace (hex (zeroblob (1000000)),"
      " '00', '['), augmentation_config = 'no JSON', min_class_f1 = 0.1");
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeRegistry) registry =
      registry_fixture_open (location, FORGE_REGISTRY_EXISTING);
  g_autoptr (ForgeModelVersion) v = forge_registry_find (registry, "m", &error);
  g_assert_no_error (error);
  g_assert_null (v->metrics.class_f1);
  g_assert_null (v->augmentation_config);
  g_assert_false (forge_registry_promote (registry, "m", 1, NULL, &error));
  expect (&error, FORGE_ERROR_REFUSED, "F1 0.1000");
  g_autoptr (GBytes) bytes = g_bytes_new_static ("x", 1);
  const ForgeRegisterParams params = {
    .name = "m", .bytes = bytes, .augmentation_config = "no JSON"
  };
  g_assert_null (forge_registry_register (registry, &params, &error));
  expect (&error, FORGE_ERROR_ARGUMENT, "augmentation config");
}

static void
list_all (ForgeRegistry *registry)
{
  GPtrArray *lists[] = { forge_registry_list_models (registry, NULL),
    forge_registry_list_versions (registry, "m", NULL),
    forge_registry_list_history (registry, "m", NULL) };
  for (guint i = 0; i < G_N_ELEMENTS (lists); i++)
    g_clear_pointer (&lists[i], g_ptr_array_unref);
}

static void
use_all (const char *location)
{
  const ForgeRegistryParams params = { .location = location, .timeout_ms = 20 };
  g_autoptr (ForgeRegistry) registry = forge_registry_open (&params, NULL);
  if (!registry)
    return;
  list_all (registry);
  g_autoptr (ForgeModelVersion) v = forge_registry_find (registry, "m", NULL);
  g_autoptr (GBytes) bytes =
      v ? forge_registry_read_artifact (registry, v, NULL) : NULL;
  if (bytes)
    g_assert_cmpuint (g_bytes_get_size (bytes), ==, 5);
  forge_registry_set_tag (registry, "m", 1, "k", "v", NULL);
  forge_registry_rollback (registry, "m", NULL, NULL);
  forge_verify_result_free (forge_registry_verify (registry, FALSE, NULL));
}

static void
damaged_files_are_errors (void)
{
  g_autofree char *location = make_registry (BACKEND_SQLITE);
  g_autofree char *bytes = NULL;
  gsize size_bytes;
  g_assert_true (g_file_get_contents (location, &bytes, &size_bytes, NULL));
  g_autofree char *folder = g_path_get_dirname (location);
  g_autofree char *copy = g_build_filename (folder, "copy.db", NULL);
  const ForgeRegistryParams params = { .location = copy };
  g_assert_true (g_file_set_contents (copy, "not a database, but long", -1, 0));
  expect_closed (&params, FORGE_ERROR_FORMAT, "expected a SQLite database");
  for (gsize cut = 1; cut < size_bytes; cut += size_bytes / 13) {
    g_assert_true (g_file_set_contents (copy, bytes, (gssize) cut, NULL));
    use_all (copy);
  }
  ForgeRng rng;
  const guint seed = 7;
  forge_rng_seed (&rng, seed);
  g_test_message ("seed %u", seed);
  for (int round = 0; round < 60; round++) {
    g_autofree char *bad = g_memdup2 (bytes, size_bytes);
    for (int i = 0; i < 40; i++)
      bad[forge_rng_below (&rng, (uint32_t) size_bytes)] =
          (char) forge_rng_below (&rng, 256);
    memcpy (bad, bytes, 100); /* the header, or nothing is read at all */
    g_assert_true (g_file_set_contents (copy, bad, (gssize) size_bytes, NULL));
    use_all (copy);
  }
}

static void
folder_is_not_a_registry (void)
{
  g_autofree char *location = make_registry (BACKEND_SQLITE);
  g_autofree char *folder = g_path_get_dirname (location);
  const ForgeRegistryParams params = { .location = folder,
    .mode = FORGE_REGISTRY_CREATE };
  expect_closed (&params, FORGE_ERROR_IO, folder);
  g_autofree char *below = g_build_filename (location, "x", "r.db", NULL);
  const ForgeRegistryParams no_folder = { .location = below,
    .mode = FORGE_REGISTRY_CREATE };
  expect_closed (&no_folder, FORGE_ERROR_IO, "cannot make the folder");
}

/* In a child, so that what it gives up is its own; 0 = as expected. */
static void
run_in_child (int (*func) (const char *location), const char *location)
{
  pid_t pid = fork ();
  if (pid == 0)
    _exit (func (location));
  int status;
  g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
  g_assert_true (WIFEXITED (status));
  g_assert_cmpint (WEXITSTATUS (status), ==, 0);
}

static gboolean
says (GError *error, int code, const char *text)
{
  if (error)
    fprintf (stderr, "# %s\n", error->message);
  return g_error_matches (error, FORGE_ERROR, code) &&
         strstr (error->message, text) != NULL;
}

/* A limit on the size of files does what a full disk does. */
static int
register_on_a_full_disk (const char *location)
{
  signal (SIGXFSZ, SIG_IGN);
  const ForgeRegistryParams params = { .location = location };
  GError *error = NULL;
  ForgeRegistry *registry = forge_registry_open (&params, &error);
  const struct rlimit limit = { 100000, 100000 };
  if (!registry || setrlimit (RLIMIT_FSIZE, &limit) != 0)
    return 1;
  GBytes *bytes = g_bytes_new_take (g_malloc0 (200000), 200000);
  const ForgeRegisterParams more = { .name = "m", .bytes = bytes };
  if (forge_registry_register (registry, &more, &error) ||
      !says (error, FORGE_ERROR_IO, "cannot write"))
    return 2;
  g_clear_error (&error);
  /* the rows have no room either */
  const struct rlimit none = { 1000, 100000 };
  g_autofree char *text = g_strnfill (90000, 'x');
  if (setrlimit (RLIMIT_FSIZE, &none) != 0)
    return 3;
  return forge_registry_set_description (registry, "m", 0, text, &error) ||
                 !says (error, FORGE_ERROR_IO, location)
             ? 4
             : 0;
}

static void
full_disk_changes_nothing (void)
{
  g_autofree char *location = make_registry (BACKEND_SQLITE);
  run_in_child (register_on_a_full_disk, location);
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeRegistry) registry =
      registry_fixture_open (location, FORGE_REGISTRY_EXISTING);
  g_autoptr (ForgeVerifyResult) result =
      forge_registry_verify (registry, TRUE, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (result->problems->len, ==, 0);
  g_assert_cmpuint (result->n_artifacts, ==, 1);
  g_autoptr (ForgeModelVersion) v =
      registry_fixture_register (registry, "m", "x", NULL);
  g_assert_cmpint (v->version, ==, 2);
}

static int
use_without_permission (const char *location)
{
  if (getuid () == 0 && (setgid (65534) != 0 || setuid (65534) != 0))
    return 1;
  const ForgeRegistryParams params = { .location = location };
  GError *error = NULL;
  ForgeRegistry *registry = forge_registry_open (&params, &error);
  if (!registry)
    return says (error, FORGE_ERROR_IO, "?") ? 2 : 3;
  ForgeModelVersion *v = forge_registry_find (registry, "m", &error);
  GBytes *bytes = v ? forge_registry_read_artifact (registry, v, &error) : NULL;
  if (!bytes)
    return says (error, FORGE_ERROR_IO, "?") ? 4 : 5;
  if (forge_registry_set_tag (registry, "m", 0, "k", "v", &error) ||
      !says (error, FORGE_ERROR_IO, "permission"))
    return 6;
  g_clear_error (&error);
  const ForgeRegistryParams create = { .location = location,
    .mode = FORGE_REGISTRY_CREATE };
  ForgeRegistry *again = forge_registry_open (&create, &error);
  return again || !says (error, FORGE_ERROR_IO, location) ? 7 : 0;
}

/* As an element finds it that runs as another user than the trainer. */
static void
reader_without_permission_to_write_reads (void)
{
  g_autofree char *location = make_registry (BACKEND_SQLITE);
  g_autofree char *folder = g_path_get_dirname (location);
  g_autofree char *home = g_path_get_dirname (folder);
  g_assert_cmpint (g_chmod (home, 0755), ==, 0);
  g_assert_cmpint (g_chmod (location, 0444), ==, 0);
  g_assert_cmpint (g_chmod (folder, 0555), ==, 0);
  run_in_child (use_without_permission, location);
  g_assert_cmpint (g_chmod (folder, 0755), ==, 0);
}

static void
metrics_are_read_from_every_document (void)
{
  static const struct {
    const char *json;
    double val_accuracy, test_accuracy, macro_f1, min_class_f1;
    const char *worst;
  } rows[] = {
    /* gst-forge evaluate */
    { "{\"accuracy\":0.5,\"macro avg\":{\"f1-score\":0.25},\"split\":\"test\","
      "\"per_class\":[{\"label\":\"a\",\"f1-score\":0.5,\"support\":3},"
      "{\"label\":\"b\",\"f1-score\":0.125,\"support\":1},"
      "{\"label\":\"none\",\"f1-score\":0,\"support\":0}]}",
        NAN, 0.5, 0.25, 0.125, "b" },
    /* scikit-learn's, with the labels beside it */
    { "{\"a\":{\"f1-score\":0.5,\"support\":3},\"accuracy\":0.75,"
      "\"b\":{\"f1-score\":1,\"support\":3},\"split\":\"validation\","
      "\"labels\":[\"a\",\"b\"]}",
        0.75, NAN, NAN, 0.5, "a" },
    /* forge.evaluation */
    { "{\"accuracy\":1,\"macro_f1\":0.75,\"f1\":{\"x\":0.5,\"y\":1}}", NAN, 1,
        0.75, 0.5, "x" },
    /* forge.drift, forge.training */
    { "{\"val_accuracy\":0.875,\"val_loss\":3}", 0.875, NAN, NAN, NAN, NULL },
    /* gst-forge train */
    { "{\"evaluation\":{\"accuracy\":0.5,\"f1\":{\"z\":{\"f1-score\":0}}}}",
        NAN, 0.5, NAN, 0, "z" },
    { "{\"accuracy\":0.9,\"split\":\"train\"}", NAN, NAN, NAN, NAN, NULL },
    { "{}", NAN, NAN, NAN, NAN, NULL },
  };
  for (guint i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autoptr (GError) error = NULL;
    g_auto (ForgeModelMetrics) found = FORGE_MODEL_METRICS_DEFAULT;
    forge_model_metrics_read (&found, rows[i].json, "row", &error);
    g_assert_no_error (error);
    const double pairs[][2] = { { found.val_accuracy, rows[i].val_accuracy },
      { found.test_accuracy, rows[i].test_accuracy },
      { found.macro_f1, rows[i].macro_f1 },
      { found.min_class_f1, rows[i].min_class_f1 } };
    for (guint k = 0; k < G_N_ELEMENTS (pairs); k++)
      g_assert_true (pairs[k][0] == pairs[k][1] ||
                     (isnan (pairs[k][0]) && isnan (pairs[k][1])));
    g_assert_cmpstr (found.worst_class, ==, rows[i].worst);
  }
}

static void
wrong_metrics_are_refused (void)
{
  static const char *const rows[] = { "", "[1]", "3", "{\"accuracy\":1.5}",
    "{\"accuracy\":-0.1}", "{\"macro_f1\":1e999}", "{\"f1\":{\"a\":2}}",
    "{\"per_class\":[{\"label\":\"a\",\"f1-score\":7}]}", "{\"accuracy\"" };
  for (guint i = 0; i < G_N_ELEMENTS (rows); i++) {
    GError *error = NULL;
    g_auto (ForgeModelMetrics) found = FORGE_MODEL_METRICS_DEFAULT;
    found.test_accuracy = 0.5;
    g_assert_false (
        forge_model_metrics_read (&found, rows[i], "bad.json", &error));
    expect (&error, FORGE_ERROR_FORMAT, "bad.json");
    g_assert_cmpfloat (found.test_accuracy, ==, 0.5);
  }
}

int
main (int argc, char **argv)
{
  registry_fixture_init ();
  g_test_init (&argc, &argv, NULL);
#define ADD(name) registry_fixture_add (#name, name)
  ADD (older_tables_are_brought_up_to_date);
  ADD (newer_tables_are_refused);
  ADD (lock_of_another_is_reported);
#undef ADD
#define ADD(name) g_test_add_func ("/registry/" #name, name)
  ADD (unreachable_server_is_reported);
  ADD (another_programs_server_tables_are_left_alone);
  ADD (foreign_files_are_left_alone);
  ADD (tables_of_another_shape_are_errors);
  ADD (hash_of_a_hostile_database_is_no_path);
  ADD (json_of_a_hostile_database_is_no_trap);
  ADD (damaged_files_are_errors);
  ADD (folder_is_not_a_registry);
  ADD (full_disk_changes_nothing);
  ADD (reader_without_permission_to_write_reads);
  ADD (metrics_are_read_from_every_document);
  ADD (wrong_metrics_are_refused);
#undef ADD
  return registry_fixture_run ();
}
