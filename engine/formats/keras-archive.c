/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The members of a .keras archive, each of a bounded size and ratio. A member
 * may be stored or deflated; nothing is written to disk. */
#include <string.h>
#include <zip.h>

#include "formats/keras.h"

#define MAX_TEXT_BYTES ((guint64) 64 << 20)
#define MAX_WEIGHTS_BYTES ((guint64) 2 << 30)
/* Deflate cannot do better; anything above is a bomb. */
#define MAX_RATIO 1100u

/* NULL: not there, too large, or not to be unpacked; says which. */
static char *
extract (zip_t *archive, const char *entry, guint64 max_bytes,
    size_t *size_bytes, const char **trouble)
{
  zip_stat_t stat;
  if (zip_stat (archive, entry, 0, &stat) != 0) {
    *trouble = "is missing";
    return NULL;
  }
  const zip_uint64_t needed = ZIP_STAT_SIZE | ZIP_STAT_COMP_SIZE;
  if ((stat.valid & needed) != needed || stat.size > max_bytes ||
      stat.size / MAX_RATIO > stat.comp_size + 1) {
    *trouble = "claims an absurd size";
    return NULL;
  }
  *trouble = "is damaged, encrypted or packed in an unknown way";
  g_autofree char *bytes = g_try_malloc (stat.size + 1);
  zip_file_t *file = bytes ? zip_fopen (archive, entry, 0) : NULL;
  if (!file)
    return NULL;
  zip_int64_t got = zip_fread (file, bytes, stat.size);
  char more;
  gboolean at_end = zip_fread (file, &more, 1) == 0; /* checks the CRC, too */
  zip_fclose (file);
  if (got < 0 || (zip_uint64_t) got != stat.size || !at_end)
    return NULL;
  bytes[got] = 0;
  *size_bytes = (size_t) got;
  return g_steal_pointer (&bytes);
}

static gboolean
extract_all (
    KerasArchive *files, zip_t *archive, const char *name, GError **error)
{
  const char *member = "config.json", *trouble;
  size_t n_bytes;
  files->config = extract (archive, member, MAX_TEXT_BYTES, &n_bytes, &trouble);
  if (files->config) {
    const char *ignored;
    files->metadata =
        extract (archive, "metadata.json", MAX_TEXT_BYTES, &n_bytes, &ignored);
    member = "model.weights.h5";
    files->weights = extract (
        archive, member, MAX_WEIGHTS_BYTES, &files->weights_bytes, &trouble);
  }
  if (files->config && files->weights)
    return TRUE;
  gboolean other = zip_name_locate (archive, "model.weights.npz", 0) >= 0;
  g_set_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT,
      "%s: %s of the archive %s%s", name, member, trouble,
      other ? " (weights kept as .npz are not read)" : "");
  return FALSE;
}

gboolean
keras_archive_open (KerasArchive *files, const void *bytes, size_t size_bytes,
    const char *name, GError **error)
{
  *files = (KerasArchive) { NULL };
  zip_error_t reason;
  zip_error_init (&reason);
  zip_source_t *source =
      zip_source_buffer_create (bytes, size_bytes, 0, &reason);
  zip_t *archive =
      source ? zip_open_from_source (source, ZIP_RDONLY, &reason) : NULL;
  gboolean ok = FALSE;
  if (archive) {
    ok = extract_all (files, archive, name, error);
    zip_discard (archive);
  } else {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT,
        "%s: damaged or truncated zip archive: %s", name,
        zip_error_strerror (&reason));
    zip_source_free (source);
  }
  zip_error_fini (&reason);
  return ok;
}

void
keras_archive_clear (KerasArchive *files)
{
  g_free (files->config);
  g_free (files->metadata);
  g_free (files->weights);
}
