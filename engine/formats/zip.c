/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A small reader of zip archives: the end record, then the central directory,
 * then the one entry. Every offset is checked against the bytes there are;
 * what stands before the archive shifts them all alike.
 * Source: PKWARE, .ZIP File Format Specification, sections 4.3 and 4.4. */
#include "formats/zip.h"

#include <gio/gio.h>
#include <string.h>

#include "forge/error.h"

#define END_BYTES 22
#define ENTRY_BYTES 46
#define LOCAL_BYTES 30
#define MAX_COMMENT 65535
#define STORED 0
#define DEFLATED 8
#define ENCRYPTED 1

typedef struct {
  const uint8_t *bytes;
  size_t size_bytes;
  size_t directory, end; /* where it begins, and the end record */
  size_t shift;          /* bytes before the archive */
} Archive;

typedef struct {
  uint32_t flags, method, packed_bytes, plain_bytes;
  size_t data;
} Entry;

static uint32_t
load16 (const uint8_t *p)
{
  return p[0] | (uint32_t) p[1] << 8;
}

static uint32_t
load32 (const uint8_t *p)
{
  return load16 (p) | load16 (p + 2) << 16;
}

static gboolean
damaged (GError **error, const char *name, const char *text)
{
  g_set_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT,
      "file '%s' in the appended zip archive: %s", name, text);
  return FALSE;
}

/* FALSE when the bytes end in no archive. */
static gboolean
find_directory (Archive *archive)
{
  size_t size = archive->size_bytes;
  size_t least =
      size > END_BYTES + MAX_COMMENT ? size - END_BYTES - MAX_COMMENT : 0;
  for (size_t at = size >= END_BYTES ? size - END_BYTES + 1 : 0; at > least;
       at--) {
    const uint8_t *p = archive->bytes + at - 1;
    if (memcmp (p, "PK\5\6", 4) != 0)
      continue;
    size_t directory_bytes = load32 (p + 12), offset = load32 (p + 16);
    archive->end = at - 1;
    if (directory_bytes > archive->end ||
        offset > archive->end - directory_bytes)
      return FALSE;
    archive->directory = archive->end - directory_bytes;
    archive->shift = archive->directory - offset;
    return TRUE;
  }
  return FALSE;
}

/* Checks where the data of an entry lie, by the header before them. */
static gboolean
locate (const Archive *archive, const uint8_t *p, const char *name,
    Entry *entry, GError **error)
{
  size_t header = (size_t) load32 (p + 42) + archive->shift;
  *entry = (Entry) { .flags = load16 (p + 8),
    .method = load16 (p + 10),
    .packed_bytes = load32 (p + 20),
    .plain_bytes = load32 (p + 24) };
  if (header > archive->directory ||
      archive->directory - header < LOCAL_BYTES ||
      memcmp (archive->bytes + header, "PK\3\4", 4) != 0)
    return damaged (error, name, "it has no header");
  const uint8_t *local = archive->bytes + header;
  entry->data =
      header + LOCAL_BYTES + load16 (local + 26) + load16 (local + 28);
  if (entry->data > archive->directory ||
      entry->packed_bytes > archive->directory - entry->data)
    return damaged (error, name, "its data are not all there");
  return TRUE;
}

/* NULL without an error when it is not there. */
static const uint8_t *
find_entry (const Archive *archive, const char *name)
{
  size_t at = archive->directory, length = strlen (name);
  while (archive->end - at >= ENTRY_BYTES) {
    const uint8_t *p = archive->bytes + at;
    size_t name_bytes = load16 (p + 28);
    size_t all_bytes =
        ENTRY_BYTES + name_bytes + load16 (p + 30) + load16 (p + 32);
    if (memcmp (p, "PK\1\2", 4) != 0 || all_bytes > archive->end - at)
      return NULL;
    if (name_bytes == length && memcmp (p + ENTRY_BYTES, name, length) == 0)
      return p;
    at += all_bytes;
  }
  return NULL;
}

static gboolean
unpack (const Archive *archive, const Entry *entry, char *to)
{
  const uint8_t *from = archive->bytes + entry->data;
  if (entry->method == STORED) {
    memcpy (to, from, entry->plain_bytes);
    return TRUE;
  }
  g_autoptr (GZlibDecompressor) inflater =
      g_zlib_decompressor_new (G_ZLIB_COMPRESSOR_FORMAT_RAW);
  gsize n_read, n_written;
  GConverterResult result = g_converter_convert (G_CONVERTER (inflater), from,
      entry->packed_bytes, to, (gsize) entry->plain_bytes + 1,
      G_CONVERTER_INPUT_AT_END, &n_read, &n_written, NULL);
  return result == G_CONVERTER_FINISHED && n_written == entry->plain_bytes;
}

char *
forge_zip_extract (const uint8_t *bytes, size_t size_bytes, const char *name,
    size_t max_bytes, size_t *length_bytes, GError **error)
{
  Archive archive = { .bytes = bytes, .size_bytes = size_bytes };
  Entry entry;
  const uint8_t *found =
      find_directory (&archive) ? find_entry (&archive, name) : NULL;
  if (!found || !locate (&archive, found, name, &entry, error))
    return NULL;
  gboolean readable = !(entry.flags & ENCRYPTED) &&
                      (entry.method == DEFLATED || entry.method == STORED);
  if (!readable || entry.plain_bytes > max_bytes ||
      (entry.method == STORED && entry.packed_bytes != entry.plain_bytes)) {
    damaged (error, name,
        readable ? "it has another size, or more bytes than are read"
                 : "it is encrypted, or packed in a way that is not read");
    return NULL;
  }
  /* one more, for the 0 and to see what has no end */
  g_autofree char *text = g_try_malloc0 ((gsize) entry.plain_bytes + 1);
  if (!text || !unpack (&archive, &entry, text)) {
    damaged (error, name, "it cannot be unpacked");
    return NULL;
  }
  text[entry.plain_bytes] = 0;
  *length_bytes = entry.plain_bytes;
  return g_steal_pointer (&text);
}
