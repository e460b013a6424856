/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Starts Debian's server by hand: initdb in a fresh folder, then postgres as
 * a child, whose log says when it takes connections. It refuses to run as
 * root, so root becomes "postgres", or else "nobody", for it. */
#include "postgresql-server.h"

#include <glib/gstdio.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "fixture.h"

static struct {
  gboolean tried;
  const char *reason;
  char *folder, *data;
  uid_t uid;
  gid_t gid;
  GPid pid;
  GThread *reader;
  FILE *log;
} server;

/* Debian keeps each version below a folder of its own. */
static char *
find_program (const char *name)
{
  char *path = g_find_program_in_path (name);
  const char *root = "/usr/lib/postgresql";
  g_autoptr (GDir) versions = path ? NULL : g_dir_open (root, 0, NULL);
  const char *version;
  while (versions && !path && (version = g_dir_read_name (versions))) {
    path = g_build_filename (root, version, "bin", name, NULL);
    if (!g_file_test (path, G_FILE_TEST_IS_EXECUTABLE))
      g_clear_pointer (&path, g_free);
  }
  return path;
}

static void
choose_user (void)
{
  server.uid = getuid ();
  server.gid = getgid ();
  if (server.uid != 0)
    return;
  const struct passwd *user = getpwnam ("postgres");
  if (!user)
    user = getpwnam ("nobody");
  if (!user)
    return;
  server.uid = user->pw_uid;
  server.gid = user->pw_gid;
}

/* In the child. A change of user forgets the death signal, so it comes last. */
static void
become_user (gpointer user_data)
{
  if (getuid () == 0 && (setgroups (0, NULL) != 0 || setgid (server.gid) != 0 ||
                            setuid (server.uid) != 0))
    _exit (126);
  prctl (PR_SET_PDEATHSIG, SIGQUIT);
}

static gboolean
make_cluster (const char *initdb)
{
  const char *const argv[] = { initdb, "-D", server.data, "-U", "forge",
    "--auth=trust", "--no-sync", "-E", "UTF8", "--locale=C", NULL };
  g_autofree char *out = NULL;
  g_autofree char *err = NULL;
  int status = -1;
  if (g_spawn_sync (server.folder, (char **) argv, NULL, G_SPAWN_DEFAULT,
          become_user, NULL, &out, &err, &status, NULL) &&
      status == 0)
    return TRUE;
  g_test_message ("initdb: %s%s", out ? out : "", err ? err : "");
  return FALSE;
}

/* A full pipe would hold the server up. */
static gpointer
read_log (gpointer user_data)
{
  char line[4096];
  while (fgets (line, sizeof line, server.log))
    ;
  return NULL;
}

static gboolean
wait_until_ready (void)
{
  char line[4096];
  while (fgets (line, sizeof line, server.log)) {
    if (strstr (line, "ready to accept connections"))
      return TRUE;
    g_test_message ("postgres: %s", g_strchomp (line));
  }
  return FALSE;
}

static gboolean
start_server (const char *postgres)
{
  const char *const argv[] = { postgres, "-D", server.data, "-k", server.folder,
    "-c", "listen_addresses=", "-c", "fsync=off", "-c", "max_connections=60",
    NULL };
  int log;
  if (!g_spawn_async_with_pipes (server.folder, (char **) argv, NULL,
          G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_STDOUT_TO_DEV_NULL, become_user,
          NULL, &server.pid, NULL, NULL, &log, NULL))
    return FALSE;
  server.log = fdopen (log, "r");
  if (!wait_until_ready ())
    return FALSE;
  server.reader = g_thread_new ("log", read_log, NULL);
  return TRUE;
}

static const char *
try_start (void)
{
#ifndef FORGE_HAVE_POSTGRESQL
  return "this build has no PostgreSQL";
#endif
  g_autofree char *initdb = find_program ("initdb");
  g_autofree char *postgres = find_program ("postgres");
  if (!initdb || !postgres)
    return "no PostgreSQL server (Debian: postgresql)";
  choose_user ();
  if (server.uid == 0)
    return "PostgreSQL does not run as root, and there is no other user";
  server.folder = fixture_folder ();
  server.data = g_build_filename (server.folder, "data", NULL);
  if (chown (server.folder, server.uid, server.gid) != 0 ||
      g_chmod (server.folder, 0711) != 0)
    return "cannot give the server's folder to its user";
  return make_cluster (initdb) && start_server (postgres)
             ? NULL
             : "the PostgreSQL server does not start here";
}

const char *
postgresql_server_start (const char **reason)
{
  if (!server.tried)
    server.reason = try_start ();
  server.tried = TRUE;
  *reason = server.reason;
  return server.reason ? NULL : server.folder;
}

void
postgresql_server_stop (void)
{
  if (server.pid) {
    kill (server.pid, SIGINT);
    waitpid (server.pid, NULL, 0);
  }
  if (server.reader)
    g_thread_join (server.reader);
  if (server.log)
    fclose (server.log);
  g_clear_pointer (&server.folder, fixture_remove);
  g_clear_pointer (&server.data, g_free);
}
