/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Labels in a text file, one a line: how the world outside keeps them. */
#include "base/file.h"
#include "forge/error.h"
#include "forge/model.h"

#define MAX_FILE_BYTES ((size_t) 16 << 20)

static gboolean
check (char **labels, const char *path, GError **error)
{
  if (!labels[0]) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_ARGUMENT,
        "%s: expected labels, found none", path);
    return FALSE;
  }
  for (guint i = 0; labels[i]; i++) {
    if (labels[i][0] && g_utf8_validate (labels[i], -1, NULL))
      continue;
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_ARGUMENT, "%s: label %u is %s",
        path, i + 1, labels[i][0] ? "not valid UTF-8" : "empty");
    return FALSE;
  }
  return TRUE;
}

char **
forge_labels_read (const char *path, GError **error)
{
  g_return_val_if_fail (path, NULL);
  size_t size_bytes;
  g_autofree char *text =
      forge_file_read (path, MAX_FILE_BYTES, &size_bytes, error);
  if (!text)
    return NULL;
  const char *start = g_str_has_prefix (text, "\xef\xbb\xbf") ? text + 3 : text;
  g_auto (GStrv) lines = g_strsplit (start, "\n", -1);
  guint n_lines = g_strv_length (lines);
  for (guint i = 0; i < n_lines; i++)
    g_strstrip (lines[i]);
  while (n_lines > 0 && !lines[n_lines - 1][0])
    g_clear_pointer (&lines[--n_lines], g_free);
  return check (lines, path, error) ? g_steal_pointer (&lines) : NULL;
}
