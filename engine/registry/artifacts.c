/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Bytes are written before the row that speaks of them, both inside one
 * transaction. A process that dies between the two leaves a file without a
 * row, never a row without its file; and since files come into being only
 * while their writer holds the lock of the database, whoever holds it knows
 * that a file without a row is nobody's. */
#include "registry/artifacts.h"

#include <errno.h>
#include <glib/gstdio.h>

#include "base/file.h"
#include "forge/error.h"
#include "registry/internal.h"

/* The longest model file that any reader takes. */
#define MAX_ARTIFACT_BYTES ((size_t) G_MAXINT32)
/* Twice this, in hexadecimal, travels at once. */
#define CHUNK_BYTES ((size_t) 4 << 20)

struct _ForgeArtifactStore {
  ForgeDb *db;
  char *folder; /* of the files; of the cache where a server has them */
};

ForgeArtifactStore *
forge_artifact_store_new (ForgeDb *db, const char *path)
{
  ForgeArtifactStore *store = g_new0 (ForgeArtifactStore, 1);
  store->db = db;
  store->folder = path ? g_strconcat (path, ".artifacts", NULL)
                       : g_build_filename (g_get_user_cache_dir (), "gst-forge",
                             "artifacts", NULL);
  return store;
}

void
forge_artifact_store_free (ForgeArtifactStore *store)
{
  if (!store)
    return;
  g_free (store->folder);
  g_free (store);
}

static char *
hash (GBytes *bytes)
{
  return g_compute_checksum_for_bytes (G_CHECKSUM_SHA256, bytes);
}

static gboolean
check_hash (
    GBytes *bytes, const char *sha256, const char *where, GError **error)
{
  g_autofree char *found = hash (bytes);
  if (strcmp (found, sha256) == 0)
    return TRUE;
  g_set_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT,
      "%s: expected the bytes with SHA-256 %s, found %" G_GSIZE_FORMAT
      " bytes with SHA-256 %s",
      where, sha256, g_bytes_get_size (bytes), found);
  return FALSE;
}

/* The database may be hostile: only a hash becomes a file name. */
static char *
make_path (const ForgeArtifactStore *store, const char *sha256, GError **error)
{
  if (forge_is_sha256 (sha256))
    return g_build_filename (store->folder, sha256, NULL);
  g_set_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT,
      "%s: expected a SHA-256 of 64 hexadecimal digits, found '%s'",
      store->db->name, sha256 ? sha256 : "");
  return NULL;
}

static GBytes *
read_file (const ForgeArtifactStore *store, const char *sha256, GError **error)
{
  g_autofree char *path = make_path (store, sha256, error);
  size_t size_bytes = 0;
  void *data =
      path ? forge_file_read (path, MAX_ARTIFACT_BYTES, &size_bytes, error)
           : NULL;
  if (!data)
    return NULL;
  g_autoptr (GBytes) bytes = g_bytes_new_take (data, size_bytes);
  return check_hash (bytes, sha256, path, error) ? g_steal_pointer (&bytes)
                                                 : NULL;
}

static gboolean
write_file (const ForgeArtifactStore *store, const char *sha256, GBytes *bytes,
    GError **error)
{
  g_autofree char *path = make_path (store, sha256, error);
  if (!path)
    return FALSE;
  if (g_mkdir_with_parents (store->folder, 0777) != 0) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_IO,
        "%s: cannot make the folder: %s", store->folder, g_strerror (errno));
    return FALSE;
  }
  return forge_file_write (
      path, g_bytes_get_data (bytes, NULL), g_bytes_get_size (bytes), error);
}

static gboolean
count_stored (const ForgeArtifactStore *store, const char *sha256,
    int64_t *size_bytes, int64_t *n_chunks, GError **error)
{
  const ForgeDbValue params[] = { forge_db_text (sha256) };
  g_autoptr (ForgeDbResult) result = forge_db_query (store->db,
      "SELECT a.size_bytes, COUNT(c.number) FROM artifacts a"
      " LEFT JOIN artifact_chunks c ON c.sha256 = a.sha256"
      " WHERE a.sha256 = $1 GROUP BY a.size_bytes",
      params, 1, error);
  if (!result)
    return FALSE;
  *size_bytes = result->n_rows ? forge_db_get_int (result, 0, 0) : -1;
  *n_chunks = result->n_rows ? forge_db_get_int (result, 0, 1) : 0;
  return TRUE;
}

static gboolean
append_chunk (const ForgeArtifactStore *store, const char *sha256,
    int64_t number, GByteArray *all, size_t most_bytes, GError **error)
{
  const ForgeDbValue params[] = { forge_db_text (sha256),
    forge_db_int (number) };
  g_autoptr (ForgeDbResult) result = forge_db_query (store->db,
      "SELECT bytes FROM artifact_chunks WHERE sha256 = $1 AND number = $2",
      params, 2, error);
  if (!result)
    return FALSE;
  size_t size_bytes = 0;
  const void *bytes =
      result->n_rows ? forge_db_get_blob (result, 0, 0, &size_bytes) : NULL;
  if (!bytes || size_bytes > most_bytes - all->len) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT,
        "%s: artifact %s: chunk %" G_GINT64_FORMAT " is %s", store->db->name,
        sha256, number, bytes ? "too long" : "missing");
    return FALSE;
  }
  g_byte_array_append (all, bytes, (guint) size_bytes);
  return TRUE;
}

static GBytes *
read_rows (const ForgeArtifactStore *store, const char *sha256, GError **error)
{
  int64_t size_bytes, n_chunks;
  if (!count_stored (store, sha256, &size_bytes, &n_chunks, error))
    return NULL;
  if (size_bytes < 0 || n_chunks == 0) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_NOT_FOUND,
        "%s: the bytes of artifact %s are missing", store->db->name, sha256);
    return NULL;
  }
  size_t most = MIN ((uint64_t) size_bytes, MAX_ARTIFACT_BYTES);
  g_autoptr (GByteArray) all = g_byte_array_new ();
  for (int64_t i = 0; i < n_chunks; i++)
    if (!append_chunk (store, sha256, i, all, most, error))
      return NULL;
  g_autoptr (GBytes) bytes =
      g_byte_array_free_to_bytes (g_steal_pointer (&all));
  g_autofree char *where =
      g_strdup_printf ("%s: artifact %s", store->db->name, sha256);
  return check_hash (bytes, sha256, where, error) ? g_steal_pointer (&bytes)
                                                  : NULL;
}

/* An empty artifact has one empty chunk, so that it is not missing. */
static gboolean
write_rows (const ForgeArtifactStore *store, const char *sha256, GBytes *bytes,
    GError **error)
{
  gsize size_bytes;
  const char *data = g_bytes_get_data (bytes, &size_bytes);
  ForgeDbValue params[3] = { forge_db_text (sha256) };
  if (!forge_db_run (store->db, "DELETE FROM artifact_chunks WHERE sha256 = $1",
          params, 1, error))
    return FALSE;
  int64_t number = 0;
  gsize at = 0;
  do {
    gsize n = MIN (CHUNK_BYTES, size_bytes - at);
    params[1] = forge_db_int (number++);
    params[2] = forge_db_blob (data + at, n);
    if (!forge_db_run (store->db,
            "INSERT INTO artifact_chunks (sha256, number, bytes)"
            " VALUES ($1, $2, $3)",
            params, 3, error))
      return FALSE;
    at += n;
  } while (at < size_bytes);
  return TRUE;
}

/* The update locks a row that is there already, so that nobody deletes it
 * before the version that needs it is in. */
static gboolean
add_row (const ForgeArtifactStore *store, const char *sha256, GBytes *bytes,
    GError **error)
{
  const ForgeDbValue params[] = { forge_db_text (sha256),
    forge_db_int ((int64_t) g_bytes_get_size (bytes)),
    forge_db_int (forge_registry_now_ms ()) };
  return forge_db_run (store->db,
      "INSERT INTO artifacts (sha256, size_bytes, creation_time)"
      " VALUES ($1, $2, $3)"
      " ON CONFLICT (sha256) DO UPDATE SET size_bytes = excluded.size_bytes",
      params, 3, error);
}

gboolean
forge_artifact_store_add (ForgeArtifactStore *store, const char *sha256,
    GBytes *bytes, GError **error)
{
  if (g_bytes_get_size (bytes) > MAX_ARTIFACT_BYTES) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_ARGUMENT,
        "expected a model file of at most %" G_GSIZE_FORMAT
        " bytes, found %" G_GSIZE_FORMAT,
        MAX_ARTIFACT_BYTES, g_bytes_get_size (bytes));
    return FALSE;
  }
  if (!store->db->driver->stores_bytes) {
    g_autoptr (GBytes) there = read_file (store, sha256, NULL);
    return (there || write_file (store, sha256, bytes, error)) &&
           add_row (store, sha256, bytes, error);
  }
  if (!add_row (store, sha256, bytes, error))
    return FALSE;
  int64_t size_bytes, n_chunks;
  if (!count_stored (store, sha256, &size_bytes, &n_chunks, error))
    return FALSE;
  if (n_chunks > 0) {
    g_autoptr (GBytes) there = read_rows (store, sha256, NULL);
    if (there)
      return TRUE;
  }
  return write_rows (store, sha256, bytes, error);
}

gboolean
forge_artifact_store_drop (
    ForgeArtifactStore *store, const char *sha256, GError **error)
{
  /* the first only locks the row; see add_row() */
  static const char *const statements[] = {
    "UPDATE artifacts SET size_bytes = size_bytes WHERE sha256 = $1",
    "DELETE FROM artifact_chunks WHERE sha256 = $1 AND NOT EXISTS"
    " (SELECT 1 FROM model_versions WHERE artifact_sha256 = $1)",
    "DELETE FROM artifacts WHERE sha256 = $1 AND NOT EXISTS"
    " (SELECT 1 FROM model_versions WHERE artifact_sha256 = $1)",
  };
  const ForgeDbValue params[] = { forge_db_text (sha256) };
  for (guint i = 0; i < G_N_ELEMENTS (statements); i++)
    if (!forge_db_run (store->db, statements[i], params, 1, error))
      return FALSE;
  return TRUE;
}

GBytes *
forge_artifact_store_read (ForgeArtifactStore *store, const char *sha256,
    gboolean source_only, GError **error)
{
  if (!store->db->driver->stores_bytes)
    return read_file (store, sha256, error);
  if (!source_only) {
    GBytes *cached = read_file (store, sha256, NULL);
    if (cached)
      return cached;
  }
  GBytes *bytes = read_rows (store, sha256, error);
  g_autoptr (GError) cause = NULL;
  if (bytes && !source_only && !write_file (store, sha256, bytes, &cause))
    g_debug ("not cached: %s", cause->message);
  return bytes;
}

typedef struct {
  ForgeArtifactStore *store;
  gboolean remove;
  GPtrArray *orphans;
  guint n_removed;
} Sweep;

/* An artifact, or what forge_file_write() had begun of one; files that
 * somebody else laid there stay. */
static gboolean
is_artifact_name (const char *name)
{
  g_autofree char *start = g_strndup (name, 64);
  return forge_is_sha256 (start) && (name[64] == 0 || name[64] == '.');
}

static gboolean
look_at (Sweep *sweep, const char *name, GError **error)
{
  const ForgeDbValue params[] = { forge_db_text (name) };
  int64_t n_rows = 0;
  if (!is_artifact_name (name))
    return TRUE;
  if (!forge_db_query_int (sweep->store->db,
          "SELECT COUNT(*) FROM artifacts WHERE sha256 = $1", params, 1, 0,
          &n_rows, error))
    return FALSE;
  if (n_rows > 0)
    return TRUE;
  char *path = g_build_filename (sweep->store->folder, name, NULL);
  g_ptr_array_add (sweep->orphans, path);
  if (sweep->remove && g_unlink (path) == 0)
    sweep->n_removed++;
  return TRUE;
}

static gboolean
sweep_files (ForgeDb *db, gpointer user_data, GError **error)
{
  Sweep *sweep = user_data;
  g_ptr_array_set_size (sweep->orphans, 0);
  GDir *folder = g_dir_open (sweep->store->folder, 0, NULL);
  const char *name;
  gboolean done = TRUE;
  while (done && folder && (name = g_dir_read_name (folder)))
    done = look_at (sweep, name, error);
  if (folder)
    g_dir_close (folder);
  return done;
}

gboolean
forge_artifact_store_sweep (ForgeArtifactStore *store, gboolean remove,
    GPtrArray *orphans, guint *n_removed, GError **error)
{
  if (store->db->driver->stores_bytes)
    return TRUE;
  Sweep sweep = { .store = store, .remove = remove, .orphans = orphans };
  if (!forge_db_transact (store->db, sweep_files, &sweep, error))
    return FALSE;
  *n_removed = sweep.n_removed;
  return TRUE;
}
