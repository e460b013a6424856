/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the files of the TensorFlow Lite reader share: tflite-flatbuffer.c
 * reads fields, tflite-read.c the model, tflite-build.c builds values and
 * nodes, tflite-float.c and tflite-int.c know the operators.
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
  TFLITE_ADD = 0,
  TFLITE_AVERAGE_POOL_2D = 1,
  TFLITE_CONCATENATION = 2,
  TFLITE_CONV_2D = 3,
  TFLITE_DEPTHWISE_CONV_2D = 4,
  TFLITE_DEQUANTIZE = 6,
  TFLITE_FULLY_CONNECTED = 9,
  TFLITE_LOGISTIC = 14,
  TFLITE_MAX_POOL_2D = 17,
  TFLITE_MUL = 18,
  TFLITE_RELU = 19,
  TFLITE_RELU_N1_TO_1 = 20,
  TFLITE_RELU6 = 21,
  TFLITE_RESHAPE = 22,
  TFLITE_SOFTMAX = 25,
  TFLITE_TANH = 28,
  TFLITE_CUSTOM = 32,
  TFLITE_PAD = 34,
  TFLITE_TRANSPOSE = 39,
  TFLITE_MEAN = 40,
  TFLITE_SUB = 41,
  TFLITE_SQUEEZE = 43,
  TFLITE_STRIDED_SLICE = 45,
  TFLITE_PADV2 = 60,
  TFLITE_SHAPE = 77,
  TFLITE_PACK = 83,
  TFLITE_LEAKY_RELU = 98,
  TFLITE_QUANTIZE = 114,
  TFLITE_HARD_SWISH = 117,
};

/* ActivationFunctionType. */
enum {
  TFLITE_ACT_NONE,
  TFLITE_ACT_RELU,
  TFLITE_ACT_RELU_N1_TO_1,
  TFLITE_ACT_RELU6,
};

typedef struct {
  char *name;
  ForgeDtype dtype;
  ForgeShape shape;    /* the batch -1 where the file leaves it open */
  TfliteVector data;   /* count 0 = not constant */
  TfliteVector scales; /* float; count 0 = not quantised */
  TfliteVector zeros;  /* int64 */
  int axis;            /* of scales */
  ForgeValue *value;   /* NHWC; NULL until made */
  ForgeValue *nchw;    /* the same, transposed */
  gboolean is_extents; /* made by SHAPE, STRIDED_SLICE or PACK */
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
  TfliteTensor *tensors;
  guint n_tensors;
  size_t constant_bytes, max_constant_bytes;
} TfliteBuilder;

/* "CONV_2D", or NULL when the code has no name here. */
const char *tflite_operator_name (int code);

/* Sets @error to "<file>: operator 3 (CONV_2D): <text>". Returns FALSE. */
gboolean tflite_fail (const TfliteBuilder *builder, const TfliteNode *node,
    GError **error, int code, const char *format, ...) G_GNUC_PRINTF (5, 6);
/* NULL when the input is left out. */
TfliteTensor *tflite_in (
    const TfliteBuilder *builder, const TfliteNode *node, guint index);
TfliteTensor *tflite_out (const TfliteBuilder *builder, const TfliteNode *node);
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

/* The value of an activation or constant, in the file's order; in NCHW. */
ForgeValue *tflite_value (TfliteBuilder *builder, const TfliteNode *node,
    TfliteTensor *tensor, GError **error);
ForgeValue *tflite_nchw (TfliteBuilder *builder, const TfliteNode *node,
    TfliteTensor *tensor, GError **error);
/* Appends a node, infers it, returns its output. Takes @attrs. */
ForgeValue *tflite_emit (TfliteBuilder *builder, const TfliteNode *node,
    const char *type, const char *domain, ForgeAttrs *attrs,
    ForgeValue *const *inputs, guint n_inputs, GError **error);
ForgeValue *tflite_add_constant (TfliteBuilder *builder, ForgeTensor *tensor);
ForgeValue *tflite_scalar (TfliteBuilder *builder, float value);
ForgeValue *tflite_ints (
    TfliteBuilder *builder, const int64_t *values, guint n_values);
/* strides, dilations, auto_pad and kernel_shape of a window. */
ForgeAttrs *tflite_window (const TfliteNode *node, gboolean depthwise,
    gboolean pool, int64_t kh, int64_t kw);
/* out[permuted index] = in[index], any type. */
ForgeTensor *tflite_permute (
    const ForgeTensor *in, const int perm[4], GError **error);

gboolean tflite_build_float (
    TfliteBuilder *builder, const TfliteNode *node, GError **error);
/* Bytes in, bytes out. */
gboolean tflite_build_int (
    TfliteBuilder *builder, const TfliteNode *node, GError **error);
/* The float32 that an activation of bytes stands for. */
ForgeValue *tflite_dequantise (TfliteBuilder *builder, const TfliteNode *node,
    TfliteTensor *x, GError **error);
/* Reshape, Transpose, Squeeze, Pad: the same for all types. */
gboolean tflite_build_shape (
    TfliteBuilder *builder, const TfliteNode *node, GError **error);
