/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/file.h"

#include <errno.h>
#include <fcntl.h>
#include <stdint.h>
#include <sys/stat.h>
#include <unistd.h>

#include "forge/error.h"

static int
open_regular (const char *path, struct stat *info, GError **error)
{
  /* O_NONBLOCK: opening a pipe without a writer would wait for one */
  int fd = open (path, O_RDONLY | O_CLOEXEC | O_NONBLOCK);
  if (fd < 0) {
    int code = errno == ENOENT || errno == ENOTDIR ? FORGE_ERROR_NOT_FOUND
                                                   : FORGE_ERROR_IO;
    g_set_error (error, FORGE_ERROR, code, "%s: cannot open: %s", path,
        g_strerror (errno));
    return -1;
  }
  if (fstat (fd, info) < 0 || !S_ISREG (info->st_mode)) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_IO,
        "%s: expected a regular file, found a %s", path,
        S_ISDIR (info->st_mode) ? "folder" : "pipe, socket or device");
    close (fd);
    return -1;
  }
  return fd;
}

static gboolean
read_all (int fd, char *data, size_t size_bytes, size_t *done_bytes)
{
  *done_bytes = 0;
  while (*done_bytes < size_bytes) {
    ssize_t n = read (fd, data + *done_bytes, size_bytes - *done_bytes);
    if (n < 0 && errno == EINTR)
      continue;
    if (n < 0)
      return FALSE;
    if (n == 0)
      break;
    *done_bytes += (size_t) n;
  }
  return TRUE;
}

void *
forge_file_read (
    const char *path, size_t max_bytes, size_t *size_bytes, GError **error)
{
  struct stat info = { 0 };
  int fd = open_regular (path, &info, error);
  if (fd < 0)
    return NULL;
  char *data = NULL;
  if ((uint64_t) info.st_size > max_bytes) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT,
        "%s: too large: %" G_GINT64_FORMAT " bytes, at most %zu are read", path,
        (gint64) info.st_size, max_bytes);
  } else if (!(data = g_try_malloc ((size_t) info.st_size + 1))) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_MEMORY,
        "%s: out of memory: %" G_GINT64_FORMAT " bytes", path,
        (gint64) info.st_size);
  } else if (!read_all (fd, data, (size_t) info.st_size, size_bytes)) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_IO, "%s: cannot read: %s",
        path, g_strerror (errno));
    g_clear_pointer (&data, g_free);
  } else {
    data[*size_bytes] = 0;
  }
  close (fd);
  return data;
}

gboolean
forge_file_write (
    const char *path, const void *data, size_t size_bytes, GError **error)
{
  g_autoptr (GError) cause = NULL;
  if (size_bytes > G_MAXSSIZE ||
      !g_file_set_contents_full (path, data, (gssize) size_bytes,
          G_FILE_SET_CONTENTS_CONSISTENT | G_FILE_SET_CONTENTS_DURABLE, 0644,
          &cause)) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_IO, "%s: cannot write: %s",
        path, cause ? cause->message : "too large");
    return FALSE;
  }
  return TRUE;
}
