/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Whether the bytes of all versions are still those registered, and copies of
 * them. */
#include "base/file.h"
#include "registry/internal.h"

/* Rows are sorted by artifact: the first row after @row of another one. */
static guint
find_end (const ForgeDbResult *rows, guint row)
{
  const char *sha256 = forge_db_get_text (rows, row, 0);
  guint end = row + 1;
  while (end < rows->n_rows &&
         g_strcmp0 (forge_db_get_text (rows, end, 0), sha256) == 0)
    end++;
  return end;
}

static const char *
word_of (const GError *cause)
{
  return cause->code == FORGE_ERROR_NOT_FOUND ? "missing"
         : cause->code == FORGE_ERROR_FORMAT  ? "corrupt"
                                              : "unreadable";
}

static char *
describe (const ForgeDbResult *rows, guint row, guint end, const GError *cause)
{
  GString *text = g_string_new (word_of (cause));
  for (guint i = row; i < end; i++) {
    const char *name = forge_db_get_text (rows, i, 1);
    g_string_append_printf (text, "%s '%s' version %" G_GINT64_FORMAT,
        i > row ? "," : ":", name ? name : "", forge_db_get_int (rows, i, 2));
  }
  g_string_append_printf (text, ": %s", cause->message);
  return g_string_free (text, FALSE);
}

/* A version may be deleted between the list and the look at its bytes, and
 * then nothing is wrong. */
static gboolean
count_owners (ForgeRegistry *registry, const char *sha256, int64_t *n_owners,
    GError **error)
{
  const ForgeDbValue params[] = { forge_db_text (sha256) };
  return forge_db_query_int (registry->db,
      "SELECT COUNT(*) FROM model_versions WHERE artifact_sha256 = $1", params,
      1, 0, n_owners, error);
}

static gboolean
check_artifact (ForgeRegistry *registry, const ForgeDbResult *rows, guint row,
    guint end, ForgeVerifyResult *result, GError **error)
{
  const char *sha256 = forge_db_get_text (rows, row, 0);
  g_autoptr (GError) cause = NULL;
  g_autoptr (GBytes) bytes =
      forge_artifact_store_read (registry->store, sha256, TRUE, &cause);
  int64_t n_owners = 1;
  if (!bytes && forge_is_sha256 (sha256) &&
      !count_owners (registry, sha256, &n_owners, error))
    return FALSE;
  if (n_owners > 0)
    result->n_artifacts++;
  if (!bytes && n_owners > 0)
    g_ptr_array_add (result->problems, describe (rows, row, end, cause));
  return TRUE;
}

ForgeVerifyResult *
forge_registry_verify (ForgeRegistry *registry, gboolean clean, GError **error)
{
  g_return_val_if_fail (registry, NULL);
  g_autoptr (ForgeDbResult) rows = forge_db_query (registry->db,
      "SELECT artifact_sha256, name, version FROM model_versions"
      " ORDER BY artifact_sha256, name, version",
      NULL, 0, error);
  if (!rows)
    return NULL;
  g_autoptr (ForgeVerifyResult) result = g_new0 (ForgeVerifyResult, 1);
  result->problems = g_ptr_array_new_with_free_func (g_free);
  result->orphans = g_ptr_array_new_with_free_func (g_free);
  for (guint row = 0, end; row < rows->n_rows; row = end) {
    end = find_end (rows, row);
    if (!check_artifact (registry, rows, row, end, result, error))
      return NULL;
  }
  if (!forge_artifact_store_sweep (
          registry->store, clean, result->orphans, &result->n_removed, error))
    return NULL;
  return g_steal_pointer (&result);
}

gboolean
forge_registry_export (ForgeRegistry *registry,
    const ForgeModelVersion *version, const char *path, GError **error)
{
  g_return_val_if_fail (registry && version && path, FALSE);
  g_autoptr (GBytes) bytes =
      forge_registry_read_artifact (registry, version, error);
  return bytes && forge_file_write (path, g_bytes_get_data (bytes, NULL),
                      g_bytes_get_size (bytes), error);
}
