/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "base/reader.h"

void
forge_reader_init (ForgeReader *reader, const void *data, size_t size_bytes)
{
  *reader = (ForgeReader) { .data = data, .size_bytes = size_bytes };
}

size_t
forge_reader_left (const ForgeReader *reader)
{
  return reader->failed ? 0 : reader->size_bytes - reader->pos_bytes;
}

const uint8_t *
forge_reader_take (ForgeReader *reader, size_t n_bytes)
{
  if (reader->failed || n_bytes > reader->size_bytes - reader->pos_bytes) {
    reader->failed = TRUE;
    return NULL;
  }
  const uint8_t *bytes = reader->data + reader->pos_bytes;
  reader->pos_bytes += n_bytes;
  return bytes;
}

gboolean
forge_reader_seek (ForgeReader *reader, size_t pos_bytes)
{
  if (reader->failed || pos_bytes > reader->size_bytes) {
    reader->failed = TRUE;
    return FALSE;
  }
  reader->pos_bytes = pos_bytes;
  return TRUE;
}

static uint64_t
read_le (ForgeReader *reader, size_t n_bytes)
{
  const uint8_t *bytes = forge_reader_take (reader, n_bytes);
  uint64_t value = 0;
  for (size_t i = 0; bytes && i < n_bytes; i++)
    value |= (uint64_t) bytes[i] << (8 * i);
  return value;
}

uint8_t
forge_reader_u8 (ForgeReader *reader)
{
  return (uint8_t) read_le (reader, 1);
}

uint16_t
forge_reader_u16le (ForgeReader *reader)
{
  return (uint16_t) read_le (reader, 2);
}

uint32_t
forge_reader_u32le (ForgeReader *reader)
{
  return (uint32_t) read_le (reader, 4);
}

uint64_t
forge_reader_u64le (ForgeReader *reader)
{
  return read_le (reader, 8);
}

uint32_t
forge_reader_u32be (ForgeReader *reader)
{
  const uint8_t *bytes = forge_reader_take (reader, 4);
  if (!bytes)
    return 0;
  return (uint32_t) bytes[0] << 24 | (uint32_t) bytes[1] << 16 |
         (uint32_t) bytes[2] << 8 | bytes[3];
}

uint64_t
forge_reader_varint (ForgeReader *reader)
{
  uint64_t value = 0;
  for (int shift = 0; shift < 64; shift += 7) {
    uint8_t byte = forge_reader_u8 (reader);
    value |= (uint64_t) (byte & 0x7f) << shift;
    if (!(byte & 0x80))
      return value;
  }
  reader->failed = TRUE;
  return 0;
}
