/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A mutator for protocol-buffer bytes: it changes one field somewhere in the
 * tree of messages and puts right the lengths of all that hold it. Blind
 * changes of bytes break a length nearly every time, and the reader then goes
 * no deeper than the wire. Linked with libFuzzer only. */
#include <glib.h>
#include <string.h>

#include "base/rng.h"
#include "fuzz.h"

/* libFuzzer's own, and the hook that it calls. */
size_t LLVMFuzzerMutate (uint8_t *data, size_t size_bytes, size_t max_bytes);
size_t LLVMFuzzerCustomMutator (
    uint8_t *data, size_t size_bytes, size_t max_bytes, unsigned int seed);

#define MAX_FIELDS 4096
#define MAX_DEPTH 8
#define ROOM_BYTES 512

/* One field of a message: all of it, and what is behind its length. */
typedef struct {
  const uint8_t *start, *body;
  size_t start_bytes, body_bytes;
  gboolean is_nested; /* length-delimited */
} Field;

static gboolean
take_varint (const uint8_t **at, const uint8_t *end, uint64_t *value)
{
  *value = 0;
  for (int shift = 0; shift < 64 && *at < end; shift += 7) {
    uint8_t byte = *(*at)++;
    *value |= (uint64_t) (byte & 0x7f) << shift;
    if (!(byte & 0x80))
      return TRUE;
  }
  return FALSE;
}

static void
put_varint (GByteArray *out, uint64_t value)
{
  do {
    uint8_t byte = (uint8_t) ((value & 0x7f) | (value > 0x7f ? 0x80 : 0));
    g_byte_array_append (out, &byte, 1);
    value >>= 7;
  } while (value);
}

static gboolean
take_field (const uint8_t **at, const uint8_t *end, Field *field)
{
  uint64_t tag, value = 0;
  field->start = *at;
  if (!take_varint (at, end, &tag) || tag < 8)
    return FALSE;
  field->is_nested = (tag & 7) == 2;
  if ((tag & 7) == 0 && !take_varint (at, end, &value))
    return FALSE;
  if (field->is_nested && !take_varint (at, end, &value))
    return FALSE;
  size_t n_bytes = field->is_nested ? value
                   : (tag & 7) == 1 ? 8
                   : (tag & 7) == 5 ? 4
                                    : 0;
  if ((tag & 7) == 3 || (tag & 7) == 4 || (tag & 7) > 5 ||
      n_bytes > (size_t) (end - *at))
    return FALSE;
  field->body = *at;
  field->body_bytes = n_bytes;
  *at += n_bytes;
  field->start_bytes = (size_t) (*at - field->start);
  return TRUE;
}

/* NULL when the bytes are no message. */
static GArray *
split (const uint8_t *bytes, size_t size_bytes)
{
  GArray *fields = g_array_new (FALSE, FALSE, sizeof (Field));
  const uint8_t *at = bytes, *end = bytes + size_bytes;
  while (at < end && fields->len < MAX_FIELDS) {
    Field field;
    if (!take_field (&at, end, &field)) {
      g_array_unref (fields);
      return NULL;
    }
    g_array_append_val (fields, field);
  }
  return fields;
}

static void
append (GByteArray *out, const void *bytes, size_t size_bytes)
{
  g_byte_array_append (out, bytes, (guint) size_bytes);
}

static void
change_bytes (GByteArray *out, const uint8_t *bytes, size_t size_bytes)
{
  size_t room_bytes = size_bytes + ROOM_BYTES;
  g_autofree uint8_t *copy = g_malloc (room_bytes);
  memcpy (copy, bytes, size_bytes);
  append (out, copy, LLVMFuzzerMutate (copy, size_bytes, room_bytes));
}

static void mutate_message (GByteArray *out, ForgeRng *rng,
    const uint8_t *bytes, size_t size_bytes, int depth);

/* Writes the field with its body changed and its length put right. */
static void
change_field (GByteArray *out, ForgeRng *rng, const Field *field, int depth)
{
  if (!field->is_nested) {
    change_bytes (out, field->start, field->start_bytes);
    return;
  }
  g_autoptr (GByteArray) body = g_byte_array_new ();
  mutate_message (body, rng, field->body, field->body_bytes, depth + 1);
  const uint8_t *tag_end = field->start;
  uint64_t tag;
  take_varint (&tag_end, field->body, &tag);
  append (out, field->start, (size_t) (tag_end - field->start));
  put_varint (out, body->len);
  append (out, body->data, body->len);
}

/* What happens to the chosen field. */
enum { DROP, TWICE, SWAP, REPLACE, N_WHOLE, N_WAYS = 4 * N_WHOLE };

static void
mutate_message (GByteArray *out, ForgeRng *rng, const uint8_t *bytes,
    size_t size_bytes, int depth)
{
  g_autoptr (GArray) fields =
      depth < MAX_DEPTH ? split (bytes, size_bytes) : NULL;
  if (!fields || fields->len == 0 || forge_rng_below (rng, 8) == 0) {
    change_bytes (out, bytes, size_bytes);
    return;
  }
  uint32_t chosen = forge_rng_below (rng, fields->len);
  uint32_t other = forge_rng_below (rng, fields->len);
  uint32_t way = forge_rng_below (rng, N_WAYS);
  for (uint32_t i = 0; i < fields->len; i++) {
    const Field *field = &g_array_index (fields, Field, i);
    const Field *second = &g_array_index (fields, Field, other);
    const Field *first = &g_array_index (fields, Field, chosen);
    if (way == SWAP && i == other)
      append (out, first->start, first->start_bytes);
    else if (i != chosen)
      append (out, field->start, field->start_bytes);
    else if (way >= N_WHOLE)
      change_field (out, rng, field, depth);
    else if (way != DROP)
      append (out, second->start, second->start_bytes);
    if (i == chosen && way == TWICE)
      append (out, field->start, field->start_bytes);
  }
}

size_t
LLVMFuzzerCustomMutator (
    uint8_t *data, size_t size_bytes, size_t max_bytes, unsigned int seed)
{
  ForgeRng rng;
  forge_rng_seed (&rng, seed);
  g_autoptr (GByteArray) out = g_byte_array_new ();
  mutate_message (out, &rng, data, size_bytes, 0);
  if (out->len == 0 || out->len > max_bytes)
    return LLVMFuzzerMutate (data, size_bytes, max_bytes);
  memcpy (data, out->data, out->len);
  return out->len;
}
