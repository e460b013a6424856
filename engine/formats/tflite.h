/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the files of the TensorFlow Lite reader share: tflite-flatbuffer.c
 * reads fields, tflite-read.c the model, tflite-metadata.c what travels with
 * it, tflite-build.c builds values and nodes, tflite-ops.def lists the
 * operators: layers (tflite-float.c), functions of elements
 * (tflite-pointwise.c) and moves (tflite-shape.c, tflite-slice.c) on float32,
 * the first two again on bytes (tflite-int.c, tflite-int-pointwise.c).
 * Source: tensorflow/lite/schema/schema.fbs, version 3. */
#pragma once

#include "formats/format.h"

/* A flatbuffer that nobody has vouched for. A field out of bounds reads as
 * absent and sets failed. */
typedef struct {
  const uint8_t *data;
  size_t size_bytes;
  gboolean failed;
} TfliteBytes;

/* pos 0 = absent. */
typedef struct {
  TfliteBytes *bytes;
  size_t pos;
} TfliteTable;

typedef struct {
  TfliteBytes *bytes;
  size_t pos; /* of the first element */
  uint32_t count;
} TfliteVector;

TfliteTable tflite_root (TfliteBytes *bytes);
TfliteTable tflite_table (TfliteTable table, int field);
TfliteVector tflite_vector (TfliteTable table, int field, size_t elem_bytes);
TfliteTable tflite_vector_table (TfliteVector vector, uint32_t index);
int32_t tflite_vector_i32 (TfliteVector vector, uint32_t index);
int64_t tflite_vector_i64 (TfliteVector vector, uint32_t index);
float tflite_vector_f32 (TfliteVector vector, uint32_t index);
int32_t tflite_i32 (TfliteTable table, int field, int32_t fallback);
uint8_t tflite_u8 (TfliteTable table, int field, uint8_t fallback);
float tflite_f32 (TfliteTable table, int field, float fallback);
/* Valid UTF-8, at most 256 bytes; NULL when absent. (transfer full) */
char *tflite_text (TfliteTable table, int field);

/* BuiltinOperator codes. */
enum {
#define OP(code, name, on_floats, on_bytes, file) TFLITE_##name = code,
#include "formats/tflite-ops.def"
#undef OP
};

/* ActivationFunctionType. */
enum {
  TFLITE_ACT_NONE,
  TFLITE_ACT_RELU,
  TFLITE_ACT_RELU_N1_TO_1,
  TFLITE_ACT_RELU6,
  TFLITE_ACT_TANH,
};

typedef struct {
  char *name;
  ForgeDtype dtype;
  ForgeShape shape;    /* the batch -1 where the file leaves it open */
  TfliteVector data;   /* count 0 = not constant */
  TfliteVector scales; /* float; count 0 = not quantised */
  TfliteVector zeros;  /* int64 */
  int axis;            /* of scales */
  ForgeValue *value;   /* in the file's order and type; NULL until made */
  ForgeValue *real;    /* as float32, where value is bytes */
  ForgeValue *nchw;    /* as float32 and transposed */
  gboolean is_widened; /* a constant that DEQUANTIZE made float32 */
} TfliteTensor;

typedef struct {
  int code;
  const char *name; /* of the operator */
  guint index;      /* in the file */
  TfliteVector inputs, outputs;
  TfliteTable options;
} TfliteNode;

typedef struct {
  ForgeGraph *graph;
  const char *name; /* of the file */
  const uint8_t *file;
  size_t file_bytes;
  TfliteTensor *tensors;
  guint n_tensors;
  size_t constant_bytes, max_constant_bytes;
  /* Only operators that ONNX has: bytes are computed on in float32, between a
   * DequantizeLinear and a QuantizeLinear. */
  gboolean portable;
} TfliteBuilder;

typedef gboolean (*TfliteBuild) (
    TfliteBuilder *builder, const TfliteNode *node, GError **error);

/* One line of tflite-ops.def. */
typedef struct {
  int code;
  const char *name;
  TfliteBuild on_floats, on_bytes;
} TfliteOperator;

/* NULL when the code is none of the schema's. */
const TfliteOperator *tflite_find_operator (int code);
gboolean tflite_is_supported (const TfliteOperator *op);

#define OP(code, name, on_floats, on_bytes, file)                      \
  gboolean tflite_build_##on_floats (                                  \
      TfliteBuilder *builder, const TfliteNode *node, GError **error); \
  gboolean tflite_build_##on_bytes (                                   \
      TfliteBuilder *builder, const TfliteNode *node, GError **error);
#include "formats/tflite-ops.def"
#undef OP

/* Sets @error to "<file>: operator 3 (CONV_2D): <text>". Returns FALSE. */
gboolean tflite_fail (const TfliteBuilder *builder, const TfliteNode *node,
    GError **error, int code, const char *format, ...) G_GNUC_PRINTF (5, 6);
/* NULL when the input is left out. */
TfliteTensor *tflite_in (
    const TfliteBuilder *builder, const TfliteNode *node, guint index);
TfliteTensor *tflite_out (const TfliteBuilder *builder, const TfliteNode *node);
TfliteTensor *tflite_out_at (
    const TfliteBuilder *builder, const TfliteNode *node, guint index);
gboolean tflite_is_bytes (const TfliteTensor *tensor);
/* The scale and zero point of the whole tensor. */
float tflite_scale (const TfliteTensor *tensor);
int32_t tflite_zero (const TfliteTensor *tensor);
/* Constant as stored; NULL with an error. */
ForgeTensor *tflite_constant (TfliteBuilder *builder, const TfliteNode *node,
    const TfliteTensor *tensor, GError **error);
/* Constant as float32, from float16 or dequantised where need be. */
ForgeTensor *tflite_float_constant (TfliteBuilder *builder,
    const TfliteNode *node, const TfliteTensor *tensor, GError **error);
/* A constant int32 or int64 list; FALSE when it is none or too long. */
gboolean tflite_int_constant (const TfliteBuilder *builder,
    const TfliteNode *node, const TfliteTensor *tensor,
    int64_t values[FORGE_MAX_DIMS * 2], int *n_values, GError **error);

/* The value of an activation or constant: as the file has it; as float32;
 * as float32 in NCHW. */
ForgeValue *tflite_value (TfliteBuilder *builder, const TfliteNode *node,
    TfliteTensor *tensor, GError **error);
ForgeValue *tflite_real (TfliteBuilder *builder, const TfliteNode *node,
    TfliteTensor *tensor, GError **error);
ForgeValue *tflite_nchw (TfliteBuilder *builder, const TfliteNode *node,
    TfliteTensor *tensor, GError **error);
/* Constant weights as float32, their extents permuted (NULL: as they are); a
 * portable graph keeps them as bytes before a DequantizeLinear along @axis of
 * the result. */
ForgeValue *tflite_weights (TfliteBuilder *builder, const TfliteNode *node,
    const TfliteTensor *tensor, const int perm[4], int axis, GError **error);
/* The biases of a convolution: int32 ones are in units of the input's scale
 * times that of the weights. */
ForgeValue *tflite_bias (
    TfliteBuilder *builder, const TfliteNode *node, GError **error);
/* @value (NULL after an error) becomes output @index; from float32, quantised
 * where the output is of bytes; from float32 in NCHW. */
gboolean tflite_set (TfliteBuilder *builder, const TfliteNode *node,
    guint index, ForgeValue *value);
gboolean tflite_set_real (TfliteBuilder *builder, const TfliteNode *node,
    ForgeValue *value, GError **error);
gboolean tflite_set_nchw (TfliteBuilder *builder, const TfliteNode *node,
    ForgeValue *value, GError **error);
/* The activation that an operator's options carry, on float32. */
ForgeValue *tflite_activate (TfliteBuilder *builder, const TfliteNode *node,
    int activation, ForgeValue *value, GError **error);
/* Errors unless the tensor has a scale above 0. */
gboolean tflite_need_scale (const TfliteBuilder *builder,
    const TfliteNode *node, const TfliteTensor *tensor, GError **error);
/* x / scale + zero, halves away from zero, within the type. */
int32_t tflite_quantise (const TfliteTensor *tensor, double x);
/* y_zero, min, max and y_scale from the output and the fused activation. */
gboolean tflite_set_output (const TfliteBuilder *builder,
    const TfliteNode *node, int activation, ForgeAttrs *attrs, GError **error);
/* A look-up table from @x to the output (or what @y says); @code as
 * int_table's operators, TFLITE_QUANTIZE for a change of scale. */
ForgeValue *tflite_emit_table (TfliteBuilder *builder, const TfliteNode *node,
    int code, const TfliteTensor *x, const TfliteTensor *y, ForgeValue *in,
    GError **error);
/* Appends a node, infers it, returns its output. Takes @attrs. */
ForgeValue *tflite_emit (TfliteBuilder *builder, const TfliteNode *node,
    const char *type, const char *domain, ForgeAttrs *attrs,
    ForgeValue *const *inputs, guint n_inputs, GError **error);
ForgeValue *tflite_add_constant (TfliteBuilder *builder, ForgeTensor *tensor);
ForgeValue *tflite_scalar (TfliteBuilder *builder, float value);
ForgeValue *tflite_ints (
    TfliteBuilder *builder, const int64_t *values, guint n_values);
/* strides, dilations, padding and kernel_shape of a window over input 0. */
ForgeAttrs *tflite_window (const TfliteBuilder *builder, const TfliteNode *node,
    gboolean depthwise, gboolean pool, int64_t kh, int64_t kw);
/* out[permuted index] = in[index], any type. */
ForgeTensor *tflite_permute (
    const ForgeTensor *in, const int perm[4], GError **error);

/* An int8 input that is fed uint8, in a portable graph. */
gboolean tflite_shift_portable (TfliteBuilder *builder, const TfliteNode *node,
    TfliteTensor *tensor, GError **error);
/* The float32 that an activation of bytes stands for. */
ForgeValue *tflite_dequantise (TfliteBuilder *builder, const TfliteNode *node,
    TfliteTensor *x, GError **error);
/* A Reshape; what FULLY_CONNECTED does to its result [rows, n] where it keeps
 * the dimensions of @in; the last two extents exchanged; elements along an
 * axis by their index. */
ForgeValue *tflite_reshape (TfliteBuilder *builder, const TfliteNode *node,
    ForgeValue *value, const int64_t *target, guint n_target, GError **error);
ForgeValue *tflite_keep_num_dims (TfliteBuilder *builder,
    const TfliteNode *node, const ForgeValue *in, ForgeValue *value,
    GError **error);
ForgeValue *tflite_adjoint (TfliteBuilder *builder, const TfliteNode *node,
    ForgeValue *value, GError **error);
ForgeValue *tflite_take (TfliteBuilder *builder, const TfliteNode *node,
    ForgeValue *value, const int64_t *indices, guint n_indices, int axis,
    GError **error);
/* @in, byte by byte, through a table of @dtype. */
ForgeValue *tflite_apply_table (TfliteBuilder *builder, const TfliteNode *node,
    ForgeDtype dtype, const uint8_t table[256], const char *function,
    ForgeValue *in, GError **error);

/* tflite-metadata.c: names, description, labels and normalisation that the
 * file carries, as forge.* and tflite.* metadata of the graph. What is damaged
 * or contradicts itself is an error. */
gboolean tflite_read_metadata (
    TfliteBuilder *builder, TfliteTable model, GError **error);
