/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Fields of a flatbuffer, every offset checked before it is followed. Nothing
 * here recurses, so a cycle of offsets is only another table.
 * Source: flatbuffers.dev, "FlatBuffer Internals". */
#include <string.h>

#include "formats/tflite.h"

#define MAX_TEXT 256

static gboolean
inside (TfliteBytes *bytes, size_t pos, size_t n_bytes)
{
  if (pos <= bytes->size_bytes && n_bytes <= bytes->size_bytes - pos)
    return TRUE;
  bytes->failed = TRUE;
  return FALSE;
}

static uint32_t
load_u32 (const uint8_t *p)
{
  return p[0] | (uint32_t) p[1] << 8 | (uint32_t) p[2] << 16 |
         (uint32_t) p[3] << 24;
}

/* Where the offset at @pos leads to; 0 when that is outside. */
static size_t
follow (TfliteBytes *bytes, size_t pos)
{
  if (!inside (bytes, pos, 4))
    return 0;
  size_t target = pos + load_u32 (bytes->data + pos);
  return inside (bytes, target, 4) ? target : 0;
}

TfliteTable
tflite_root (TfliteBytes *bytes)
{
  return (TfliteTable) { bytes, follow (bytes, 0) };
}

/* Position of a field of @n_bytes; 0 when it has its default value. */
static size_t
find_field (TfliteTable table, int field, size_t n_bytes)
{
  TfliteBytes *bytes = table.bytes;
  if (table.pos == 0 || !inside (bytes, table.pos, 4))
    return 0;
  int64_t vtable =
      (int64_t) table.pos - (int32_t) load_u32 (bytes->data + table.pos);
  size_t entry = 4 + 2 * (size_t) field;
  if (vtable < 0 || !inside (bytes, (size_t) vtable, 4)) {
    bytes->failed = TRUE;
    return 0;
  }
  const uint8_t *entries = bytes->data + vtable;
  size_t vtable_bytes = entries[0] | (size_t) entries[1] << 8;
  if (!inside (bytes, (size_t) vtable, vtable_bytes) ||
      entry + 2 > vtable_bytes)
    return 0;
  size_t offset = entries[entry] | (size_t) entries[entry + 1] << 8;
  if (offset == 0 || !inside (bytes, table.pos + offset, n_bytes))
    return 0;
  return table.pos + offset;
}

TfliteTable
tflite_table (TfliteTable table, int field)
{
  size_t pos = find_field (table, field, 4);
  return (TfliteTable) { table.bytes, pos ? follow (table.bytes, pos) : 0 };
}

TfliteVector
tflite_vector (TfliteTable table, int field, size_t elem_bytes)
{
  TfliteVector vector = { .bytes = table.bytes };
  size_t pos = find_field (table, field, 4);
  pos = pos ? follow (table.bytes, pos) : 0;
  if (pos == 0)
    return vector;
  uint32_t count = load_u32 (table.bytes->data + pos);
  if (!inside (table.bytes, pos + 4, (size_t) count * elem_bytes))
    return vector;
  vector.pos = pos + 4;
  vector.count = count;
  return vector;
}

TfliteTable
tflite_vector_table (TfliteVector vector, uint32_t index)
{
  size_t pos = index < vector.count
                   ? follow (vector.bytes, vector.pos + (size_t) index * 4)
                   : 0;
  return (TfliteTable) { vector.bytes, pos };
}

int32_t
tflite_vector_i32 (TfliteVector vector, uint32_t index)
{
  if (index >= vector.count)
    return 0;
  return (int32_t) load_u32 (
      vector.bytes->data + vector.pos + (size_t) index * 4);
}

int64_t
tflite_vector_i64 (TfliteVector vector, uint32_t index)
{
  if (index >= vector.count)
    return 0;
  const uint8_t *p = vector.bytes->data + vector.pos + (size_t) index * 8;
  return (int64_t) (load_u32 (p) | (uint64_t) load_u32 (p + 4) << 32);
}

static float
load_f32 (const uint8_t *p)
{
  uint32_t bits = load_u32 (p);
  float value;
  memcpy (&value, &bits, sizeof value);
  return value;
}

float
tflite_vector_f32 (TfliteVector vector, uint32_t index)
{
  if (index >= vector.count)
    return 0;
  return load_f32 (vector.bytes->data + vector.pos + (size_t) index * 4);
}

int32_t
tflite_i32 (TfliteTable table, int field, int32_t fallback)
{
  size_t pos = find_field (table, field, 4);
  return pos ? (int32_t) load_u32 (table.bytes->data + pos) : fallback;
}

uint8_t
tflite_u8 (TfliteTable table, int field, uint8_t fallback)
{
  size_t pos = find_field (table, field, 1);
  return pos ? table.bytes->data[pos] : fallback;
}

float
tflite_f32 (TfliteTable table, int field, float fallback)
{
  size_t pos = find_field (table, field, 4);
  return pos ? load_f32 (table.bytes->data + pos) : fallback;
}

char *
tflite_text (TfliteTable table, int field)
{
  TfliteVector text = tflite_vector (table, field, 1);
  if (text.pos == 0)
    return NULL;
  const char *start = (const char *) text.bytes->data + text.pos;
  return g_utf8_make_valid (start, (gssize) MIN (text.count, MAX_TEXT));
}
