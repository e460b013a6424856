/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Protocol-buffer bytes to messages, with a purse: an empty message costs two
 * bytes in a file and a hundred in memory, so the parser gets an allocator
 * that stops at a multiple of the file's size. When the parser gives up, the
 * outermost fields are walked once more to say where the file breaks off. */
#include "formats/onnx.h"

#include <stdlib.h>
#include <string.h>

#include "base/alloc.h"
#include "base/reader.h"

/* Small nodes take about ten times their size in the file; the constant
 * lets small files be as odd as they like. */
#define BUDGET_FACTOR 16
#define BUDGET_CONSTANT_BYTES ((size_t) 16 << 20)

typedef struct {
  size_t left_bytes;
  gboolean spent;
} Budget;

/* As forge_aligned_alloc0(), but that only what lies behind is zero. */
static void *
alloc_block (size_t size_bytes)
{
  char *block = forge_aligned_alloc (size_bytes);
  if (block)
    memset (block + size_bytes, 0,
        forge_align_up (size_bytes) - size_bytes + FORGE_ALIGNMENT_BYTES);
  return block;
}

static void *
budget_alloc (void *data, size_t size_bytes)
{
  Budget *budget = data;
  if (size_bytes > budget->left_bytes) {
    budget->spent = TRUE;
    return NULL;
  }
  budget->left_bytes -= size_bytes;
  return size_bytes < FORGE_ONNX_BLOCK_BYTES ? malloc (size_bytes)
                                             : alloc_block (size_bytes);
}

static void
budget_free (void *data, void *block)
{
  free (block);
}

/* Skips one outermost field. FALSE: it is cut short (*missing_bytes > 0 when
 * its length is known) or not a field at all. */
static gboolean
skip_field (ForgeReader *reader, uint64_t *missing_bytes)
{
  static const size_t fixed_bytes[8] = { 0, 8, 0, 0, 0, 4 };
  uint64_t tag = forge_reader_varint (reader);
  uint64_t length = fixed_bytes[tag & 7];
  *missing_bytes = 0;
  if ((tag & 7) == 0)
    forge_reader_varint (reader);
  else if ((tag & 7) == 2)
    length = forge_reader_varint (reader);
  else if (length == 0)
    reader->failed = TRUE;
  if (reader->failed)
    return FALSE;
  if (length > forge_reader_left (reader)) {
    *missing_bytes = length - forge_reader_left (reader);
    return FALSE;
  }
  return forge_reader_take (reader, (size_t) length) != NULL;
}

static void
explain (const uint8_t *bytes, size_t size_bytes, const ForgeSource *source,
    const Budget *budget, GError **error)
{
  if (budget->spent) {
    forge_onnx_fail (source, error, FORGE_ERROR_FORMAT,
        "damaged or hostile ONNX file: its %zu bytes unfold to more than %zu "
        "bytes of structure",
        size_bytes, size_bytes * BUDGET_FACTOR + BUDGET_CONSTANT_BYTES);
    return;
  }
  ForgeReader reader;
  forge_reader_init (&reader, bytes, size_bytes);
  while (forge_reader_left (&reader) > 0) {
    size_t start_bytes = reader.pos_bytes;
    uint64_t missing_bytes;
    if (skip_field (&reader, &missing_bytes))
      continue;
    if (missing_bytes)
      forge_onnx_fail (source, error, FORGE_ERROR_FORMAT,
          "truncated ONNX file: the part at byte %zu needs %" G_GUINT64_FORMAT
          " bytes more than the %zu there are",
          start_bytes, missing_bytes, size_bytes);
    else
      forge_onnx_fail (source, error, FORGE_ERROR_FORMAT,
          "truncated or damaged ONNX file: no protocol-buffer field at byte "
          "%zu of %zu",
          start_bytes, size_bytes);
    return;
  }
  forge_onnx_fail (source, error, FORGE_ERROR_FORMAT,
      "damaged, or no ONNX file: its outermost fields are whole, but one of "
      "them does not hold the message that was expected");
}

static ProtobufCMessage *
unpack (const ProtobufCMessageDescriptor *descriptor, const uint8_t *bytes,
    size_t size_bytes, const ForgeSource *source, GError **error)
{
  Budget budget = { 0 };
  if (size_bytes > G_MAXINT32) {
    forge_onnx_fail (source, error, FORGE_ERROR_FORMAT,
        "%zu bytes, but an ONNX message has at most 2 GiB", size_bytes);
    return NULL;
  }
  budget.left_bytes = size_bytes * BUDGET_FACTOR + BUDGET_CONSTANT_BYTES;
  ProtobufCAllocator allocator = {
    .alloc = budget_alloc, .free = budget_free, .allocator_data = &budget
  };
  ProtobufCMessage *message =
      protobuf_c_message_unpack (descriptor, &allocator, size_bytes, bytes);
  if (!message)
    explain (bytes, size_bytes, source, &budget, error);
  return message;
}

ForgeOnnx__Model *
forge_onnx_unpack_model (const uint8_t *bytes, size_t size_bytes,
    const ForgeSource *source, GError **error)
{
  return (ForgeOnnx__Model *) unpack (
      &forge_onnx__model__descriptor, bytes, size_bytes, source, error);
}

ForgeOnnx__Tensor *
forge_onnx_unpack_tensor (const uint8_t *bytes, size_t size_bytes,
    const ForgeSource *source, GError **error)
{
  return (ForgeOnnx__Tensor *) unpack (
      &forge_onnx__tensor__descriptor, bytes, size_bytes, source, error);
}

ForgeOnnx__Graph *
forge_onnx_unpack_graph (const uint8_t *bytes, size_t size_bytes,
    const ForgeSource *source, GError **error)
{
  return (ForgeOnnx__Graph *) unpack (
      &forge_onnx__graph__descriptor, bytes, size_bytes, source, error);
}
