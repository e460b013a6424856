/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the files onnx-*.c share: one reading of one model file. Wire format ->
 * messages (onnx-wire.c) -> tensors (onnx-tensor.c, onnx-external.c,
 * onnx-sparse.c), nodes (onnx-node.c; onnx-missing.c for those we lack),
 * functions and branches laid open (onnx-inline.c, onnx-scope.c), and the graph
 * (onnx-read.c). onnx-write.c and onnx-weights.c go the other way.
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
/* Functions and branches within each other. */
#define FORGE_ONNX_MAX_DEPTH 32
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

/* Where a node stands: in the graph itself, in the body of a function that it
 * calls, or in a branch that was chosen. */
typedef struct _ForgeOnnxScope ForgeOnnxScope;
struct _ForgeOnnxScope {
  const ForgeOnnxScope *outer;  /* of a branch: it sees the names around it */
  const ForgeOnnxScope *caller; /* where @call stands */
  const ForgeOnnx__Function *function; /* whose body this is, or NULL */
  const ForgeOnnx__Node *call;         /* gives the function's attributes */
  GHashTable *opsets;  /* domain -> GINT_TO_POINTER (version); not owned */
  GHashTable *values;  /* name -> ForgeValue*; NULL = the graph's own names */
  GHashTable *defined; /* set: names that something has given */
  char *prefix;        /* of the names of nodes */
  int depth;
};

/* One reading of a model. */
typedef struct {
  const ForgeSource *source;
  const ForgeOnnx__Model *model;
  size_t size_bytes; /* of the model */
  ForgeGraph *graph;
  GHashTable *opsets;      /* domain -> GINT_TO_POINTER (version) */
  ForgeOnnxScope *scope;   /* of the node being read */
  uint64_t external_bytes; /* read so far from files beside the model */
  uint64_t sparse_bytes;   /* of sparse tensors filled up so far */
  uint64_t inlined_bytes;  /* unpacked and copied so far for bodies */
  size_t n_nodes;          /* read so far, those of bodies included */
  GHashTable *functions;   /* key -> ForgeOnnx__Function* of @model */
  guint n_judged;          /* conditions that shapes had to decide */
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
ForgeOnnx__Graph *forge_onnx_unpack_graph (const uint8_t *bytes,
    size_t size_bytes, const ForgeSource *source, GError **error);

/* Bytes fields of so many lie as a tensor's values have to, so that they need
 * not be copied. */
#define FORGE_ONNX_BLOCK_BYTES 4096

/* (transfer full): the values of a TensorProto. */
ForgeTensor *forge_onnx_read_tensor (
    ForgeOnnxReader *reader, const ForgeOnnx__Tensor *proto, GError **error);
/* The same of one that nothing reads again: raw values leave it. */
ForgeTensor *forge_onnx_take_tensor (
    ForgeOnnxReader *reader, ForgeOnnx__Tensor *proto, GError **error);
/* The same of a serialised TensorProto, as in the *.pb files of ONNX's own
 * test data. */
ForgeTensor *forge_onnx_parse_tensor (const uint8_t *bytes, size_t size_bytes,
    const ForgeSource *source, GError **error);
/* Values that lie in a file beside the model; @size_bytes is what the shape
 * asks for. */
ForgeTensor *forge_onnx_read_external (ForgeOnnxReader *reader,
    const ForgeOnnx__Tensor *proto, const ForgeShape *shape, size_t size_bytes,
    GError **error);

/* (transfer full): a sparse tensor with all its zeros. */
ForgeTensor *forge_onnx_read_sparse (ForgeOnnxReader *reader,
    const ForgeOnnx__SparseTensor *proto, GError **error);

/* A node's name for messages: its own, else that of what it gives. */
const char *forge_onnx_node_label (const ForgeOnnx__Node *proto);
/* "" for the default domain, whichever way it is written. */
const char *forge_onnx_node_domain (const ForgeOnnx__Node *proto);
gboolean forge_onnx_is_constant (const ForgeOnnx__Node *proto);
gboolean forge_onnx_is_branch (const ForgeOnnx__Node *proto);
gboolean forge_onnx_fail_at (const ForgeOnnxReader *reader,
    const ForgeOnnx__Node *proto, int code, GError **error, const char *text,
    const char *detail);

/* Adds all nodes to the graph, in the reader's scope. */
gboolean forge_onnx_read_nodes (ForgeOnnxReader *reader,
    ForgeOnnx__Node *const *nodes, size_t n_nodes, GError **error);
/* FALSE with one error that names every operator, in bodies of functions too,
 * that is not supported. */
gboolean forge_onnx_check_operators (const ForgeOnnxReader *reader,
    ForgeOnnx__Node *const *nodes, size_t n_nodes, GError **error);

/* The versions of @imports into @opsets. */
gboolean forge_onnx_read_opsets (const ForgeOnnxReader *reader,
    ForgeOnnx__OperatorSet *const *imports, size_t n_imports,
    GHashTable *opsets, GError **error);

/* Opens a scope within the reader's, and makes it the reader's. */
ForgeOnnxScope *forge_onnx_scope_push (ForgeOnnxReader *reader,
    const ForgeOnnx__Node *call, gboolean sees_outer, GError **error);
void forge_onnx_scope_pop (ForgeOnnxReader *reader, ForgeOnnxScope *saved);
/* The value that a name stands for in the reader's scope; NULL for an input
 * that the caller left out. */
ForgeValue *forge_onnx_find_value (ForgeOnnxReader *reader, const char *name);
/* The value that a node of the reader's scope gives under this name. FALSE
 * when something else gives it already. */
gboolean forge_onnx_define (ForgeOnnxReader *reader,
    const ForgeOnnx__Node *proto, const char *name, ForgeValue **value,
    GError **error);

/* Fills the reader's table of functions. */
gboolean forge_onnx_index_functions (ForgeOnnxReader *reader, GError **error);
/* The operator sets that a function's nodes are of: its own, else the
 * model's. (transfer full) */
GHashTable *forge_onnx_function_opsets (const ForgeOnnxReader *reader,
    const ForgeOnnx__Function *function, GError **error);
/* The model's own function that the node calls, or NULL. */
const ForgeOnnx__Function *forge_onnx_find_function (
    const ForgeOnnxReader *reader, const ForgeOnnx__Node *proto);
/* Reads the function's nodes in place of the one that calls it. */
gboolean forge_onnx_inline_call (ForgeOnnxReader *reader,
    const ForgeOnnx__Node *proto, const ForgeOnnx__Function *function,
    GError **error);
/* Reads the nodes of the branch that an If takes, where its condition is a
 * constant or follows from shapes. */
gboolean forge_onnx_inline_branch (
    ForgeOnnxReader *reader, const ForgeOnnx__Node *proto, GError **error);
/* The attribute itself, or what the calls around it put in its place; NULL
 * when they leave it out. */
const ForgeOnnx__Attribute *forge_onnx_resolve_attribute (
    const ForgeOnnxReader *reader, const ForgeOnnx__Attribute *proto);
/* Counts what bodies make us unpack and copy; FALSE beyond what a file of
 * this size may ask for. */
gboolean forge_onnx_spend (
    ForgeOnnxReader *reader, uint64_t n_bytes, GError **error);

gboolean forge_onnx_probe (const uint8_t *bytes, size_t size_bytes);
ForgeGraph *forge_onnx_read (const uint8_t *bytes, size_t size_bytes,
    const ForgeSource *source, GError **error);
