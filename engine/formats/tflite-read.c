/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A TensorFlow Lite file to a graph: tensors, operators by code, inputs and
 * outputs of the first subgraph. All operators that are not supported are
 * listed in one error. An int8 input becomes uint8 with a shift of 128, so
 * that a picture's bytes go in as they are, which is what full quantisation
 * tools mean by it. An output of bytes leaves as float32, by its own scale.
 * Source: tensorflow/lite/schema/schema.fbs, version 3. */
#include <string.h>

#include "formats/tflite.h"

#define SCHEMA_VERSION 3
#define MAX_OPERATORS 65536
#define MAX_SHOWN 16

gboolean forge_tflite_probe (const uint8_t *, size_t);
ForgeGraph *forge_tflite_read (
    const uint8_t *, size_t, const ForgeSource *, GError **);

gboolean
forge_tflite_probe (const uint8_t *bytes, size_t size_bytes)
{
  return size_bytes >= 8 && memcmp (bytes + 4, "TFL3", 4) == 0;
}

static gboolean
fail (const TfliteBuilder *builder, GError **error, const char *text)
{
  g_set_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT,
      "%s: damaged or truncated TensorFlow Lite model: %s", builder->name,
      text);
  return FALSE;
}

/* TensorType to ours. */
static ForgeDtype
dtype_of (int type)
{
  static const ForgeDtype types[] = { FORGE_FLOAT32, FORGE_FLOAT16, FORGE_INT32,
    FORGE_UINT8, FORGE_INT64, FORGE_DTYPE_UNKNOWN, FORGE_BOOL, FORGE_INT16,
    FORGE_DTYPE_UNKNOWN, FORGE_INT8, FORGE_FLOAT64 };
  return type < (int) G_N_ELEMENTS (types) ? types[type] : FORGE_DTYPE_UNKNOWN;
}

static gboolean
read_shape (const TfliteBuilder *builder, TfliteTable table,
    TfliteTensor *tensor, GError **error)
{
  TfliteVector shape = tflite_vector (table, 0, 4);
  TfliteVector open = tflite_vector (table, 7, 4);
  if (shape.count > FORGE_MAX_DIMS)
    return fail (builder, error, "a tensor of more than 8 dimensions");
  tensor->shape.rank = (int) shape.count;
  for (uint32_t i = 0; i < shape.count; i++) {
    int32_t extent = tflite_vector_i32 (shape, i);
    if (extent < 0)
      return fail (builder, error, "a tensor with a negative extent");
    if (i == 0 && open.count == shape.count && tflite_vector_i32 (open, 0) < 0)
      extent = -1;
    tensor->shape.dims[i] = extent;
  }
  return TRUE;
}

static gboolean
read_tensor (const TfliteBuilder *builder, TfliteTable table,
    TfliteVector buffers, TfliteTensor *tensor, GError **error)
{
  uint32_t buffer = (uint32_t) tflite_i32 (table, 2, 0);
  TfliteTable quantisation = tflite_table (table, 4);
  if (!read_shape (builder, table, tensor, error))
    return FALSE;
  tensor->dtype = dtype_of (tflite_u8 (table, 1, 0));
  tensor->name = tflite_text (table, 3);
  /* buffer 0 is always empty */
  if (buffer >= buffers.count && buffer > 0)
    return fail (builder, error, "a tensor in a buffer that is not there");
  if (buffer > 0)
    tensor->data = tflite_vector (tflite_vector_table (buffers, buffer), 0, 1);
  tensor->scales = tflite_vector (quantisation, 2, 4);
  tensor->zeros = tflite_vector (quantisation, 3, 8);
  tensor->axis = tflite_i32 (quantisation, 6, 0);
  if (tensor->data.count > 0 && tensor->shape.rank > 0 &&
      tensor->shape.dims[0] < 0)
    return fail (builder, error, "a constant of unknown shape");
  return TRUE;
}

static gboolean
read_tensors (TfliteBuilder *builder, TfliteTable model, TfliteTable subgraph,
    GError **error)
{
  TfliteVector tensors = tflite_vector (subgraph, 0, 4);
  TfliteVector buffers = tflite_vector (model, 4, 4);
  if (tensors.count > MAX_OPERATORS)
    return fail (builder, error, "too many tensors");
  builder->n_tensors = tensors.count;
  builder->tensors = g_new0 (TfliteTensor, tensors.count);
  for (uint32_t i = 0; i < tensors.count; i++)
    if (!read_tensor (builder, tflite_vector_table (tensors, i), buffers,
            &builder->tensors[i], error))
      return FALSE;
  return TRUE;
}

/* Old files have only the first field, new ones both. */
static int
code_of (TfliteTable operator_code)
{
  int deprecated = tflite_u8 (operator_code, 0, 0);
  int code = tflite_i32 (operator_code, 3, 0);
  return MAX (deprecated, code);
}

static gboolean
check_indices (const TfliteBuilder *builder, TfliteVector list, int32_t least)
{
  for (uint32_t i = 0; i < list.count; i++) {
    int32_t index = tflite_vector_i32 (list, i);
    if (index < least || (index >= 0 && (guint) index >= builder->n_tensors))
      return FALSE;
  }
  return TRUE;
}

static gboolean
read_node (const TfliteBuilder *builder, TfliteTable model, TfliteTable table,
    TfliteNode *node, GError **error)
{
  TfliteVector codes = tflite_vector (model, 1, 4);
  uint32_t index = (uint32_t) tflite_i32 (table, 0, 0);
  if (index >= codes.count)
    return fail (builder, error, "an operator without a code");
  node->code = code_of (tflite_vector_table (codes, index));
  node->name = tflite_operator_name (node->code);
  node->inputs = tflite_vector (table, 1, 4);
  node->outputs = tflite_vector (table, 2, 4);
  node->options = tflite_table (table, 4);
  if (!check_indices (builder, node->inputs, -1) ||
      !check_indices (builder, node->outputs, 0))
    return fail (builder, error, "an operator on a tensor that is not there");
  return TRUE;
}

static gboolean
is_supported (int code)
{
  static const int codes[] = { TFLITE_ADD, TFLITE_AVERAGE_POOL_2D,
    TFLITE_CONCATENATION, TFLITE_CONV_2D, TFLITE_DEPTHWISE_CONV_2D,
    TFLITE_DEQUANTIZE, TFLITE_FULLY_CONNECTED, TFLITE_LOGISTIC,
    TFLITE_MAX_POOL_2D, TFLITE_MUL, TFLITE_RELU, TFLITE_RELU_N1_TO_1,
    TFLITE_RELU6, TFLITE_RESHAPE, TFLITE_SOFTMAX, TFLITE_TANH, TFLITE_PAD,
    TFLITE_TRANSPOSE, TFLITE_MEAN, TFLITE_SUB, TFLITE_SQUEEZE,
    TFLITE_STRIDED_SLICE, TFLITE_PADV2, TFLITE_SHAPE, TFLITE_PACK,
    TFLITE_LEAKY_RELU, TFLITE_QUANTIZE, TFLITE_HARD_SWISH };
  for (gsize i = 0; i < G_N_ELEMENTS (codes); i++)
    if (codes[i] == code)
      return TRUE;
  return FALSE;
}

/* One error that names every operator we do not have, each once. */
static gboolean
check_operators (
    const TfliteBuilder *builder, TfliteTable model, GError **error)
{
  TfliteVector codes = tflite_vector (model, 1, 4);
  g_autoptr (GString) text = g_string_new (NULL);
  guint n_missing = 0;
  for (uint32_t i = 0; i < codes.count && n_missing < MAX_SHOWN; i++) {
    TfliteTable table = tflite_vector_table (codes, i);
    int code = code_of (table);
    if (is_supported (code))
      continue;
    const char *name = tflite_operator_name (code);
    g_autofree char *custom = tflite_text (table, 1);
    g_autofree char *number = g_strdup_printf ("builtin %d", code);
    g_string_append_printf (text, "%s%s%s%s", n_missing++ ? ", " : "",
        name ? name : number, custom ? " " : "", custom ? custom : "");
  }
  if (n_missing == 0)
    return TRUE;
  g_set_error (error, FORGE_ERROR, FORGE_ERROR_UNSUPPORTED,
      "%s: %u operator%s not supported: %s", builder->name, n_missing,
      n_missing == 1 ? " is" : "s are", text->str);
  return FALSE;
}

static gboolean
build_node (TfliteBuilder *builder, const TfliteNode *node, GError **error)
{
  if (node->outputs.count != 1 || node->inputs.count < 1)
    return tflite_fail (builder, node, error, FORGE_ERROR_FORMAT,
        "%u inputs and %u outputs; expected one output", node->inputs.count,
        node->outputs.count);
  TfliteTensor *out = tflite_out (builder, node);
  const TfliteTensor *in = tflite_in (builder, node, 0);
  if (out->value || out->data.count > 0 || out->is_extents)
    return tflite_fail (builder, node, error, FORGE_ERROR_FORMAT,
        "its output already has a value");
  switch (node->code) {
  case TFLITE_SHAPE:
  case TFLITE_STRIDED_SLICE:
  case TFLITE_PACK:
    if (node->code == TFLITE_STRIDED_SLICE && in && !in->is_extents)
      return tflite_fail (builder, node, error, FORGE_ERROR_UNSUPPORTED,
          "supported only to compute the shape of a RESHAPE");
    out->is_extents = TRUE;
    return TRUE;
  case TFLITE_RESHAPE:
  case TFLITE_SQUEEZE:
  case TFLITE_TRANSPOSE:
  case TFLITE_PAD:
  case TFLITE_PADV2:
    return tflite_build_shape (builder, node, error);
  default:
    break;
  }
  gboolean bytes = (out->dtype == FORGE_UINT8 || out->dtype == FORGE_INT8) ||
                   node->code == TFLITE_DEQUANTIZE;
  return bytes ? tflite_build_int (builder, node, error)
               : tflite_build_float (builder, node, error);
}

/* uint8 graph input, and int8 what follows: the byte minus 128. */
static gboolean
add_input (TfliteBuilder *builder, TfliteTensor *tensor, GError **error)
{
  gboolean is_signed = tensor->dtype == FORGE_INT8;
  ForgeDtype dtype = is_signed ? FORGE_UINT8 : tensor->dtype;
  const char *name = tensor->name && *tensor->name ? tensor->name : "input";
  if (tensor->value || tensor->data.count > 0 ||
      forge_graph_find (builder->graph, name))
    return fail (builder, error, "two inputs are the same");
  tensor->value =
      forge_graph_add_input (builder->graph, name, dtype, &tensor->shape);
  if (!is_signed)
    return TRUE;
  ForgeShape shape = forge_shape (1, 256);
  g_autoptr (ForgeTensor) table = forge_tensor_new (FORGE_INT8, &shape, error);
  if (!table)
    return FALSE;
  for (int i = 0; i < 256; i++)
    ((int8_t *) table->data)[i] = (int8_t) (i - 128);
  ForgeValue *inputs[] = { tensor->value,
    tflite_add_constant (builder, table) };
  TfliteNode node = { .name = "input" };
  tensor->value = tflite_emit (
      builder, &node, "TfliteTable", "forge", NULL, inputs, 2, error);
  return tensor->value != NULL;
}

/* Scores are float32, whatever the file keeps them as. */
static gboolean
add_output (TfliteBuilder *builder, TfliteTensor *tensor, GError **error)
{
  TfliteNode node = { .name = "output" };
  ForgeValue *value = tflite_value (builder, &node, tensor, error);
  if (value && (value->dtype == FORGE_UINT8 || value->dtype == FORGE_INT8))
    value = tflite_dequantise (builder, &node, tensor, error);
  if (value)
    forge_graph_add_output (builder->graph, value);
  return value != NULL;
}

static gboolean
build_graph (TfliteBuilder *builder, TfliteTable model, TfliteTable subgraph,
    GError **error)
{
  TfliteVector inputs = tflite_vector (subgraph, 1, 4);
  TfliteVector outputs = tflite_vector (subgraph, 2, 4);
  TfliteVector nodes = tflite_vector (subgraph, 3, 4);
  if (!check_indices (builder, inputs, 0) ||
      !check_indices (builder, outputs, 0) || outputs.count < 1 ||
      inputs.count > FORGE_MAX_NODE_IO || outputs.count > FORGE_MAX_NODE_IO)
    return fail (builder, error, "inputs or outputs that are not there");
  if (nodes.count > MAX_OPERATORS)
    return fail (builder, error, "too many operators");
  for (uint32_t i = 0; i < inputs.count; i++)
    if (!add_input (
            builder, &builder->tensors[tflite_vector_i32 (inputs, i)], error))
      return FALSE;
  for (uint32_t i = 0; i < nodes.count; i++) {
    TfliteNode node = { .index = i };
    if (!read_node (
            builder, model, tflite_vector_table (nodes, i), &node, error) ||
        !build_node (builder, &node, error))
      return FALSE;
  }
  for (uint32_t i = 0; i < outputs.count; i++) {
    TfliteTensor *out = &builder->tensors[tflite_vector_i32 (outputs, i)];
    if (!add_output (builder, out, error))
      return FALSE;
  }
  return TRUE;
}

static gboolean
read_model (TfliteBuilder *builder, TfliteBytes *bytes, GError **error)
{
  TfliteTable model = tflite_root (bytes);
  TfliteVector subgraphs = tflite_vector (model, 2, 4);
  int version = tflite_i32 (model, 0, 0);
  if (subgraphs.count < 1)
    return fail (builder, error, "it has no subgraph");
  if (version != SCHEMA_VERSION) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_UNSUPPORTED,
        "%s: version %d of TensorFlow Lite's schema; expected %d",
        builder->name, version, SCHEMA_VERSION);
    return FALSE;
  }
  TfliteTable subgraph = tflite_vector_table (subgraphs, 0);
  if (!check_operators (builder, model, error) ||
      !read_tensors (builder, model, subgraph, error) ||
      !build_graph (builder, model, subgraph, error))
    return FALSE;
  if (bytes->failed)
    return fail (builder, error, "an offset leads out of the file");
  return TRUE;
}

ForgeGraph *
forge_tflite_read (const uint8_t *data, size_t size_bytes,
    const ForgeSource *source, GError **error)
{
  TfliteBytes bytes = { .data = data, .size_bytes = size_bytes };
  g_autoptr (ForgeGraph) graph = forge_graph_new ("tflite");
  graph->opset = 17;
  /* float16 and int8 grow when they become float32 */
  TfliteBuilder builder = { .graph = graph,
    .name = source->name,
    .max_constant_bytes = size_bytes * 8 + 65536 };
  gboolean ok = read_model (&builder, &bytes, error);
  for (guint i = 0; i < builder.n_tensors; i++)
    g_free (builder.tensors[i].name);
  g_free (builder.tensors);
  return ok ? g_steal_pointer (&graph) : NULL;
}
