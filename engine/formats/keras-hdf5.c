/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Has forge-hdf5-reader read an HDF5 file in a process of its own: the file
 * goes in and the records come out in memory files, so that neither side
 * waits for the other, and the end of a pipe says that the process is gone.
 * The program is found, in this order, by $FORGE_HDF5_READER, below the
 * folders above this library or program (libexec/gst-forge when installed,
 * engine in a build tree), and where the installation put it. */
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "formats/keras.h"

#define DEADLINE_MS 120000
#define PROGRAM "forge-hdf5-reader"
#define LEVELS 4

static char *
find_above (const char *file)
{
  static const char *const places[] = { "libexec/gst-forge/" PROGRAM,
    "engine/" PROGRAM };
  g_autofree char *real = realpath (file, NULL);
  g_autofree char *folder = real ? g_path_get_dirname (real) : NULL;
  for (int level = 0; folder && level < LEVELS; level++) {
    for (gsize i = 0; i < G_N_ELEMENTS (places); i++) {
      char *path = g_build_filename (folder, places[i], NULL);
      if (g_file_test (path, G_FILE_TEST_IS_EXECUTABLE))
        return path;
      g_free (path);
    }
    char *above = g_path_get_dirname (folder);
    g_free (folder);
    folder = above;
  }
  return NULL;
}

static char *
find_program (void)
{
  static const char here = 0;
  const char *stated = g_getenv ("FORGE_HDF5_READER");
  if (stated && *stated)
    return g_strdup (stated);
  Dl_info module;
  char *path = NULL;
  if (dladdr (&here, &module) != 0 && strchr (module.dli_fname, '/'))
    path = find_above (module.dli_fname);
  if (!path)
    path = find_above ("/proc/self/exe");
  return path ? path : g_strdup (FORGE_LIBEXECDIR "/" PROGRAM);
}

static gboolean
write_all (int fd, const char *bytes, size_t size_bytes)
{
  while (size_bytes > 0) {
    ssize_t n = write (fd, bytes, size_bytes);
    if (n < 0 && errno == EINTR)
      continue;
    if (n <= 0)
      return FALSE;
    bytes += n;
    size_bytes -= (size_t) n;
  }
  return lseek (fd, 0, SEEK_SET) == 0;
}

typedef struct {
  int input, output, alive[2];
} Pipes;

static void
close_one (int *fd)
{
  if (*fd >= 0)
    close (*fd);
  *fd = -1;
}

static void
pipes_close (Pipes *pipes)
{
  close_one (&pipes->input);
  close_one (&pipes->output);
  close_one (&pipes->alive[0]);
  close_one (&pipes->alive[1]);
}

static gboolean
pipes_open (Pipes *pipes, const void *bytes, size_t size_bytes)
{
  pipes->input = memfd_create ("model.h5", MFD_CLOEXEC);
  pipes->output = memfd_create ("records", MFD_CLOEXEC);
  return pipes->input >= 0 && pipes->output >= 0 &&
         pipe2 (pipes->alive, O_CLOEXEC) == 0 &&
         write_all (pipes->input, bytes, size_bytes);
}

/* Waits until the process is gone; kills it at the deadline. Returns its
 * status, or -1 when somebody else has taken that. */
static int
wait_for (GPid pid, int alive, gboolean *timed_out)
{
  struct pollfd end = { .fd = alive, .events = POLLIN };
  gint64 deadline_us =
      g_get_monotonic_time () + DEADLINE_MS * G_GINT64_CONSTANT (1000);
  int n, status = -1;
  do {
    gint64 left_ms = (deadline_us - g_get_monotonic_time ()) / 1000;
    n = poll (&end, 1, (int) MAX (left_ms, 0));
  } while (n < 0 && errno == EINTR);
  *timed_out = n == 0;
  if (n <= 0)
    kill (pid, SIGKILL);
  while (waitpid (pid, &status, 0) < 0)
    if (errno != EINTR)
      return -1;
  return status;
}

static gboolean
judge (int status, gboolean timed_out, const char *name, GError **error)
{
  if (status == -1 || (WIFEXITED (status) && WEXITSTATUS (status) == 0))
    return TRUE;
  if (timed_out || (WIFSIGNALED (status) && WTERMSIG (status) == SIGXCPU))
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT,
        "%s: reading the HDF5 file took too long: it is damaged", name);
  else if (WIFSIGNALED (status))
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT,
        "%s: damaged HDF5 file: libhdf5 ended with signal %d (%s) on it", name,
        WTERMSIG (status), strsignal (WTERMSIG (status)));
  else if (WEXITSTATUS (status) == 3)
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT,
        "%s: the HDF5 file has arrays or attributes of absurd sizes", name);
  else
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT,
        "%s: damaged or truncated HDF5 file", name);
  return FALSE;
}

static GBytes *
run (Pipes *pipes, const char *program, const char *name, GError **error)
{
  const char *argv[] = { program, NULL };
  const int source[] = { pipes->input, pipes->output, pipes->alive[1] };
  const int target[] = { 3, 4, 5 };
  GPid pid;
  g_autoptr (GError) cause = NULL;
  if (!g_spawn_async_with_pipes_and_fds (NULL, argv, NULL,
          G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_STDOUT_TO_DEV_NULL |
              G_SPAWN_STDERR_TO_DEV_NULL,
          NULL, NULL, -1, -1, -1, source, target, 3, &pid, NULL, NULL, NULL,
          &cause)) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_IO,
        "%s: HDF5 files are read by the program " PROGRAM
        ", which cannot be started; install it, or name it in "
        "FORGE_HDF5_READER: %s",
        name, cause->message);
    return NULL;
  }
  close_one (&pipes->alive[1]);
  gboolean timed_out;
  int status = wait_for (pid, pipes->alive[0], &timed_out);
  if (!judge (status, timed_out, name, error))
    return NULL;
  g_autoptr (GMappedFile) records =
      g_mapped_file_new_from_fd (pipes->output, FALSE, &cause);
  if (records)
    return g_mapped_file_get_bytes (records);
  g_set_error (
      error, FORGE_ERROR, FORGE_ERROR_IO, "%s: %s", name, cause->message);
  return NULL;
}

GBytes *
keras_hdf5_dump (
    const void *bytes, size_t size_bytes, const char *name, GError **error)
{
  Pipes pipes = { -1, -1, { -1, -1 } };
  GBytes *records = NULL;
  g_autofree char *program = find_program ();
  if (pipes_open (&pipes, bytes, size_bytes))
    records = run (&pipes, program, name, error);
  else
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_IO,
        "%s: no room in memory for a copy of %zu bytes: %s", name, size_bytes,
        g_strerror (errno));
  pipes_close (&pipes);
  return records;
}
