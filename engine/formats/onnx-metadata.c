/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * New metadata for an ONNX file that must stay what it is otherwise: the
 * fields of the ModelProto are copied as bytes, but for the metadata_props
 * whose keys are set anew. Nodes, weights, what this engine does not know and
 * references to external data keep every bit.
 * Source: the protocol-buffer encoding, and onnx.proto for the number of the
 * field. */
#include <string.h>

#include "base/reader.h"
#include "formats/onnx.h"

#define METADATA_FIELD 14
#define METADATA_TAG ((METADATA_FIELD << 3) | 2) /* bytes follow a length */

typedef struct {
  uint64_t tag;
  const uint8_t *payload; /* of tags of type 2 */
  size_t payload_bytes;
} Field;

/* FALSE at the end, or with reader->failed. */
static gboolean
next_field (ForgeReader *reader, Field *field)
{
  if (forge_reader_left (reader) == 0)
    return FALSE;
  *field = (Field) { .tag = forge_reader_varint (reader) };
  uint64_t length = 0;
  switch (field->tag & 7) {
  case 0:
    forge_reader_varint (reader);
    return !reader->failed;
  case 1:
    length = 8;
    break;
  case 2:
    length = forge_reader_varint (reader);
    break;
  case 5:
    length = 4;
    break;
  default:
    reader->failed = TRUE;
  }
  if (reader->failed || length > forge_reader_left (reader)) {
    reader->failed = TRUE;
    return FALSE;
  }
  field->payload = forge_reader_take (reader, (size_t) length);
  field->payload_bytes = (size_t) length;
  return TRUE;
}

/* Is it a metadata entry whose key is one of @keys? */
static gboolean
is_replaced (const Field *field, const char *const *keys)
{
  if (field->tag != METADATA_TAG)
    return FALSE;
  ForgeReader reader;
  Field part;
  forge_reader_init (&reader, field->payload, field->payload_bytes);
  while (next_field (&reader, &part))
    for (guint i = 0; part.tag == (1 << 3 | 2) && keys[i]; i++)
      if (strlen (keys[i]) == part.payload_bytes &&
          memcmp (keys[i], part.payload, part.payload_bytes) == 0)
        return TRUE;
  return FALSE;
}

static void
append_varint (GByteArray *out, uint64_t value)
{
  do {
    uint8_t byte = (uint8_t) ((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
    g_byte_array_append (out, &byte, 1);
    value >>= 7;
  } while (value > 0);
}

static void
append_text (GByteArray *out, guint field, const char *text)
{
  append_varint (out, field << 3 | 2);
  append_varint (out, strlen (text));
  g_byte_array_append (out, (const guint8 *) text, (guint) strlen (text));
}

static void
append_entry (GByteArray *out, const char *key, const char *value)
{
  g_autoptr (GByteArray) entry = g_byte_array_new ();
  append_text (entry, 1, key);
  append_text (entry, 2, value);
  append_varint (out, METADATA_TAG);
  append_varint (out, entry->len);
  g_byte_array_append (out, entry->data, entry->len);
}

GBytes *
forge_onnx_replace_metadata (const void *bytes, size_t size_bytes,
    const char *const *keys, const char *const *values,
    const ForgeSource *source, GError **error)
{
  size_t new_bytes = 0;
  for (guint i = 0; keys[i]; i++)
    new_bytes += strlen (keys[i]) + strlen (values[i]) + 32;
  if (size_bytes > G_MAXINT32 || new_bytes > G_MAXINT32 - size_bytes) {
    forge_onnx_fail (source, error, FORGE_ERROR_FORMAT,
        "with %zu bytes of metadata it is over the 2 GiB of an ONNX file",
        new_bytes);
    return NULL;
  }
  ForgeReader reader;
  Field field;
  g_autoptr (GByteArray) out =
      g_byte_array_sized_new ((guint) (size_bytes + new_bytes));
  forge_reader_init (&reader, bytes, size_bytes);
  size_t start_bytes = 0;
  while (next_field (&reader, &field)) {
    if (!is_replaced (&field, keys))
      g_byte_array_append (out, (const guint8 *) bytes + start_bytes,
          (guint) (reader.pos_bytes - start_bytes));
    start_bytes = reader.pos_bytes;
  }
  if (reader.failed) {
    forge_onnx_fail (source, error, FORGE_ERROR_FORMAT,
        "damaged ONNX file: no protocol-buffer field at byte %zu", start_bytes);
    return NULL;
  }
  for (guint i = 0; keys[i]; i++)
    append_entry (out, keys[i], values[i]);
  return g_byte_array_free_to_bytes (g_steal_pointer (&out));
}
