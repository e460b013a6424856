/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Several processes and threads register at once, and some are killed while
 * they do: no number is given twice or left out, nothing that was said to be
 * there is lost. The other processes are this program again:
 *
 *   test-registry-writers write LOCATION WRITER COUNT    (0 = until killed)
 *   test-registry-writers die LOCATION                   between file and row
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "registry-fixture.h"
#include "registry/internal.h"

#define N_PROCESSES 4
#define N_THREADS 3
#define N_EACH 6

/* Every third version has bytes that all writers share. */
static gint64
write_one (ForgeRegistry *registry, const char *writer, int number)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *mark = g_strdup_printf ("mark=%s-%d", writer, number);
  g_autofree char *text =
      number % 3 == 0 ? g_strdup_printf ("shared %d", number) : g_strdup (mark);
  g_autoptr (GBytes) bytes = g_bytes_new (text, strlen (text));
  const ForgeRegisterParams params = { .name = "crowd",
    .bytes = bytes,
    .aliases = (const char *const[]) { "newest", NULL },
    .tags = (const char *const[]) { mark, NULL } };
  g_autoptr (ForgeModelVersion) version =
      forge_registry_register (registry, &params, &error);
  if (!version)
    g_error ("%s: %s", writer, error->message);
  return version->version;
}

/* Says each number once it is safe. */
static int
write_many (const char *location, const char *writer, int count)
{
  g_autoptr (ForgeRegistry) registry =
      registry_fixture_open (location, FORGE_REGISTRY_CREATE);
  for (int i = 0; count == 0 || i < count; i++) {
    printf ("%d\n", (int) write_one (registry, writer, i));
    fflush (stdout);
  }
  return 0;
}

static gboolean
store_and_die (ForgeDb *db, gpointer user_data, GError **error)
{
  ForgeRegistry *registry = user_data;
  g_autoptr (GBytes) bytes = g_bytes_new_static ("unborn", 6);
  g_autofree char *sha256 =
      g_compute_checksum_for_bytes (G_CHECKSUM_SHA256, bytes);
  if (forge_registry_lock_model (registry, "crowd", error) &&
      forge_artifact_store_add (registry->store, sha256, bytes, error))
    raise (SIGKILL);
  return FALSE;
}

static int
die (const char *location)
{
  g_autoptr (ForgeRegistry) registry =
      registry_fixture_open (location, FORGE_REGISTRY_EXISTING);
  g_autoptr (GError) error = NULL;
  forge_db_transact (registry->db, store_and_die, registry, &error);
  fprintf (stderr, "still alive: %s\n", error->message);
  return 1;
}

static GPid
spawn (const char *what, const char *location, const char *writer,
    const char *count, int *out)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *self = g_file_read_link ("/proc/self/exe", &error);
  g_assert_no_error (error);
  const char *const argv[] = { self, what, location, writer, count, NULL };
  GPid pid;
  g_spawn_async_with_pipes (NULL, (char **) argv, NULL,
      G_SPAWN_DO_NOT_REAP_CHILD, NULL, NULL, &pid, NULL, out, NULL, &error);
  g_assert_no_error (error);
  return pid;
}

static int
wait_for (GPid pid)
{
  int status = 0;
  g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
  return status;
}

/* 1, 2, 3, ... and every mark once. Returns how many. */
static guint
check_versions (ForgeRegistry *registry)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) versions =
      forge_registry_list_versions (registry, "crowd", &error);
  g_assert_no_error (error);
  g_autoptr (GHashTable) marks = g_hash_table_new (g_str_hash, g_str_equal);
  for (guint i = 0; i < versions->len; i++) {
    const ForgeModelVersion *version = versions->pdata[i];
    g_assert_cmpint (version->version, ==, i + 1);
    g_assert_cmpstr (version->tag_keys[0], ==, "mark");
    g_assert_true (g_hash_table_add (marks, version->tag_values[0]));
  }
  return versions->len;
}

static void
check_artifacts (ForgeRegistry *registry, guint n_orphans)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeVerifyResult) result =
      forge_registry_verify (registry, TRUE, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (result->problems->len, ==, 0);
  g_assert_cmpuint (result->orphans->len, ==, n_orphans);
  g_assert_cmpuint (result->n_removed, ==, n_orphans);
}

typedef struct {
  const char *location;
  int number;
} Writer;

static gpointer
write_in_thread (gpointer data)
{
  const Writer *writer = data;
  g_autofree char *name = g_strdup_printf ("thread%d", writer->number);
  g_autoptr (ForgeRegistry) registry =
      registry_fixture_open (writer->location, FORGE_REGISTRY_CREATE);
  for (int i = 0; i < N_EACH; i++)
    write_one (registry, name, i);
  return NULL;
}

/* None of them finds a registry: they make it together too. */
static void
concurrent_writers_lose_nothing (Backend backend)
{
  g_autofree char *location = registry_fixture_location (backend);
  if (!location)
    return;
  g_autofree char *count = g_strdup_printf ("%d", N_EACH);
  GPid pids[N_PROCESSES];
  int outs[N_PROCESSES];
  GThread *threads[N_THREADS];
  Writer writers[N_THREADS];
  for (int i = 0; i < N_PROCESSES; i++) {
    g_autofree char *name = g_strdup_printf ("process%d", i);
    pids[i] = spawn ("write", location, name, count, &outs[i]);
  }
  for (int i = 0; i < N_THREADS; i++) {
    writers[i] = (Writer) { location, i };
    threads[i] = g_thread_new ("writer", write_in_thread, &writers[i]);
  }
  for (int i = 0; i < N_THREADS; i++)
    g_thread_join (threads[i]);
  for (int i = 0; i < N_PROCESSES; i++) {
    g_assert_cmpint (wait_for (pids[i]), ==, 0);
    close (outs[i]);
  }
  g_autoptr (ForgeRegistry) registry =
      registry_fixture_open (location, FORGE_REGISTRY_EXISTING);
  guint n = check_versions (registry);
  g_assert_cmpuint (n, ==, (N_PROCESSES + N_THREADS) * N_EACH);
  check_artifacts (registry, 0);
  g_autoptr (GError) error = NULL;
  g_autoptr (GPtrArray) changes =
      forge_registry_list_history (registry, "crowd", &error);
  g_assert_no_error (error);
  g_assert_cmpuint (changes->len, ==, n);
  for (guint i = 0; i < n; i++) {
    const ForgeAliasChange *change = changes->pdata[i];
    g_assert_cmpint (change->version, ==, i + 1);
    g_assert_cmpint (change->previous_version, ==, i);
  }
}

/* Killed wherever it is once it has said a few numbers. */
static void
killed_writer_leaves_a_whole_registry (Backend backend)
{
  g_autofree char *location = registry_fixture_location (backend);
  if (!location)
    return;
  for (int round = 0; round < 4; round++) {
    int out;
    char line[32];
    g_autofree char *name = g_strdup_printf ("round%d", round);
    GPid pid = spawn ("write", location, name, "0", &out);
    FILE *said = fdopen (out, "r");
    int last = 0;
    for (int i = 0; i <= round * 2 && fgets (line, sizeof line, said); i++)
      last = atoi (line);
    kill (pid, SIGKILL);
    g_assert_true (WIFSIGNALED (wait_for (pid)));
    while (fgets (line, sizeof line, said))
      last = atoi (line);
    fclose (said);
    g_autoptr (ForgeRegistry) registry =
        registry_fixture_open (location, FORGE_REGISTRY_EXISTING);
    gint64 next = write_one (registry, name, -1);
    g_assert_cmpint (next, >, last);
    g_assert_cmpuint (check_versions (registry), ==, next);
    g_autoptr (GError) error = NULL;
    g_autoptr (ForgeVerifyResult) result =
        forge_registry_verify (registry, TRUE, &error);
    g_assert_no_error (error);
    g_assert_cmpuint (result->problems->len, ==, 0);
    check_artifacts (registry, 0);
  }
}

static void
death_between_file_and_row_leaves_an_orphan (Backend backend)
{
  g_autofree char *location = registry_fixture_location (backend);
  if (!location)
    return;
  g_autoptr (ForgeRegistry) registry =
      registry_fixture_open (location, FORGE_REGISTRY_CREATE);
  write_one (registry, "before", 1);
  int out;
  GPid pid = spawn ("die", location, NULL, NULL, &out);
  int status = wait_for (pid);
  close (out);
  g_assert_true (WIFSIGNALED (status) && WTERMSIG (status) == SIGKILL);
  /* whoever writes next is not held up */
  g_assert_cmpint (write_one (registry, "after", 1), ==, 2);
  check_artifacts (registry, backend == BACKEND_SQLITE ? 1 : 0);
  check_artifacts (registry, 0);
  g_assert_cmpuint (check_versions (registry), ==, 2);
}

int
main (int argc, char **argv)
{
  if (argc > 4 && strcmp (argv[1], "write") == 0)
    return write_many (argv[2], argv[3], atoi (argv[4]));
  if (argc > 2 && strcmp (argv[1], "die") == 0)
    return die (argv[2]);
  registry_fixture_init ();
  g_test_init (&argc, &argv, NULL);
#define ADD(name) registry_fixture_add (#name, name)
  ADD (concurrent_writers_lose_nothing);
  ADD (killed_writer_leaves_a_whole_registry);
  ADD (death_between_file_and_row_leaves_an_orphan);
#undef ADD
  return registry_fixture_run ();
}
