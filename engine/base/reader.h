/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A bounded cursor over bytes that nobody has vouched for. Every read checks
 * the end first; after the first failure all later reads fail too, so a
 * parser may check once at the end of a record. */
#pragma once

#include <glib.h>
#include <stdint.h>

typedef struct {
  const uint8_t *data;
  size_t size_bytes;
  size_t pos_bytes;
  gboolean failed;
} ForgeReader;

void forge_reader_init (
    ForgeReader *reader, const void *data, size_t size_bytes);
size_t forge_reader_left (const ForgeReader *reader);
/* A pointer to the next @n_bytes, which are consumed; NULL past the end. */
const uint8_t *forge_reader_take (ForgeReader *reader, size_t n_bytes);
gboolean forge_reader_seek (ForgeReader *reader, size_t pos_bytes);
/* Little and big endian unsigned numbers; 0 after a failure. */
uint8_t forge_reader_u8 (ForgeReader *reader);
uint16_t forge_reader_u16le (ForgeReader *reader);
uint32_t forge_reader_u32le (ForgeReader *reader);
uint64_t forge_reader_u64le (ForgeReader *reader);
uint32_t forge_reader_u32be (ForgeReader *reader);
/* Seven bits a byte, least first, as protocol buffers have them; 0 after a
 * failure. */
uint64_t forge_reader_varint (ForgeReader *reader);
