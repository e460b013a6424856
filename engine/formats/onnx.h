/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the files onnx-*.c share: one reading of one model file. Wire format ->
 * messages (onnx-wire.c) -> tensors (onnx-tensor.c, onnx-external.c), nodes
 * (onnx-node.c), with the bodies of functions in place of calls
 * (onnx-function.c), and the graph (onnx-read.c). onnx-write.c goes the other
 * way.
 * Source: the ONNX IR specification (docs/IR.md of the ONNX project). */
#pragma once

#include "formats/format.h"
#include "formats/onnx.pb-c.h"
#include "forge/error.h"

/* The specifications this code was written against. */
#define FORGE_ONNX_MAX_IR_VERSION 13
#define FORGE_ONNX_MAX_OPSET 26
/* What the writer puts into a file. */
#define FORGE_ONNX_IR_VERSION 8
#define FORGE_ONNX_OPSET 13

#define FORGE_ONNX_MAX_NODES 100000
#define FORGE_ONNX_MAX_EXTERNAL_BYTES ((uint64_t) 4 << 30)

/* TensorProto.DataLocation */
#define FORGE_ONNX_EXTERNAL 1

/* AttributeProto.AttributeType */
enum {
  FORGE_ONNX_FLOAT = 1,
  FORGE_ONNX_INT = 2,
  FORGE_ONNX_STRING = 3,
  FORGE_ONNX_TENSOR = 4,
  FORGE_ONNX_GRAPH = 5,
  FORGE_ONNX_FLOATS = 6,
  FORGE_ONNX_INTS = 7,
  FORGE_ONNX_STRINGS = 8,
  FORGE_ONNX_TENSORS = 9,
  FORGE_ONNX_GRAPHS = 10,
};

/* One reading of a model. */
typedef struct {
  const ForgeSource *source;
  ForgeGraph *graph;
  GHashTable *opsets;      /* domain -> GINT_TO_POINTER (version) */
  GHashTable *defined;     /* set: values that something has given */
  uint64_t external_bytes; /* read so far from files beside the model */
} ForgeOnnxReader;

/* Sets @error to "<source>: <text>". Returns FALSE. */
gboolean forge_onnx_fail (const ForgeSource *source, GError **error, int code,
    const char *format, ...) G_GNUC_PRINTF (4, 5);
/* FALSE with FORGE_ERROR_FORMAT when @text is not UTF-8; NULL passes. */
gboolean forge_onnx_check_text (const ForgeSource *source, const char *what,
    const char *text, GError **error);

/* Bounded unpacking: memory stays in proportion to @size_bytes. */
ForgeOnnx__Model *forge_onnx_unpack_model (const uint8_t *bytes,
    size_t size_bytes, const ForgeSource *source, GError **error);
ForgeOnnx__Tensor *forge_onnx_unpack_tensor (const uint8_t *bytes,
    size_t size_bytes, const ForgeSource *source, GError **error);

/* (transfer full): the values of a TensorProto. */
ForgeTensor *forge_onnx_read_tensor (
    ForgeOnnxReader *reader, const ForgeOnnx__Tensor *proto, GError **error);
/* The same of a serialised TensorProto, as in the *.pb files of ONNX's own
 * test data. */
ForgeTensor *forge_onnx_parse_tensor (const uint8_t *bytes, size_t size_bytes,
    const ForgeSource *source, GError **error);
/* Values that lie in a file beside the model; @size_bytes is what the shape
 * asks for. */
ForgeTensor *forge_onnx_read_external (ForgeOnnxReader *reader,
    const ForgeOnnx__Tensor *proto, const ForgeShape *shape, size_t size_bytes,
    GError **error);

/* "ai.onnx" is the long name of the default domain, "". */
const char *forge_onnx_domain_of (const ForgeOnnx__Node *proto);
/* Adds domain -> version to @opsets. */
gboolean forge_onnx_read_opsets (const ForgeSource *source,
    ForgeOnnx__OperatorSet *const *sets, size_t n_sets, GHashTable *opsets,
    GError **error);

/* A node and the operator sets that it was written against. */
typedef struct {
  const ForgeOnnx__Node *proto;
  GHashTable *opsets; /* as in ForgeOnnxReader */
} ForgeOnnxCall;

/* The graph's nodes with the bodies of the file's own functions in place of
 * their calls, in order. */
typedef struct {
  GArray *calls; /* of ForgeOnnxCall */
  GStringChunk *texts;
  GPtrArray *blocks, *tables;
} ForgeOnnxCalls;

ForgeOnnxCalls *forge_onnx_expand (
    ForgeOnnxReader *reader, const ForgeOnnx__Model *model, GError **error);
void forge_onnx_calls_free (ForgeOnnxCalls *calls);
G_DEFINE_AUTOPTR_CLEANUP_FUNC (ForgeOnnxCalls, forge_onnx_calls_free)

/* Adds all nodes. Operators that are not supported are reported together. */
gboolean forge_onnx_read_nodes (
    ForgeOnnxReader *reader, const ForgeOnnx__Model *model, GError **error);

gboolean forge_onnx_probe (const uint8_t *bytes, size_t size_bytes);
ForgeGraph *forge_onnx_read (const uint8_t *bytes, size_t size_bytes,
    const ForgeSource *source, GError **error);
