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
#include "graph/pass-util.h"

#define SCHEMA_VERSION 3
#define MAX_OPERATORS 65536
#define MAX_CODES 1024
#define MAX_SHOWN 8 /* places of one kind of operator */

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
  const TfliteOperator *op = tflite_find_operator (node->code);
  node->name = op ? op->name : NULL;
  node->inputs = tflite_vector (table, 1, 4);
  node->outputs = tflite_vector (table, 2, 4);
  node->options = tflite_table (table, 4);
  if (!check_indices (builder, node->inputs, -1) ||
      !check_indices (builder, node->outputs, 0))
    return fail (builder, error, "an operator on a tensor that is not there");
  return TRUE;
}

/* "LSTM version 2 (operators 3, 7)"; custom operators by their own name. */
static void
append_missing (
    GString *text, TfliteTable code, TfliteVector nodes, uint32_t code_index)
{
  const TfliteOperator *op = tflite_find_operator (code_of (code));
  g_autofree char *custom = tflite_text (code, 1);
  guint n_uses = 0;
  if (custom)
    g_string_append_printf (text, "custom operator '%s'", custom);
  else if (op)
    g_string_append (text, op->name);
  else
    g_string_append_printf (text, "builtin %d", code_of (code));
  g_string_append_printf (text, " version %d (", tflite_i32 (code, 2, 1));
  for (uint32_t i = 0; i < nodes.count; i++) {
    TfliteTable node = tflite_vector_table (nodes, i);
    if ((uint32_t) tflite_i32 (node, 0, 0) != code_index)
      continue;
    if (n_uses < MAX_SHOWN)
      g_string_append_printf (
          text, "%s%u", n_uses ? ", " : "operator ", (guint) i);
    n_uses++;
  }
  if (n_uses > MAX_SHOWN)
    g_string_append_printf (text, " and %u more", n_uses - MAX_SHOWN);
  g_string_append (text, n_uses ? ")" : "not used)");
}

static gboolean
is_used (TfliteVector nodes, uint32_t code_index)
{
  for (uint32_t i = 0; i < nodes.count; i++)
    if ((uint32_t) tflite_i32 (tflite_vector_table (nodes, i), 0, 0) ==
        code_index)
      return TRUE;
  return FALSE;
}

/* One error that names every kind of operator that is used and that we do not
 * have, with its places in the file. */
static gboolean
check_operators (const TfliteBuilder *builder, TfliteTable model,
    TfliteTable subgraph, GError **error)
{
  TfliteVector codes = tflite_vector (model, 1, 4);
  TfliteVector nodes = tflite_vector (subgraph, 3, 4);
  g_autoptr (GString) text = g_string_new (NULL);
  guint n_missing = 0;
  if (nodes.count > MAX_OPERATORS || codes.count > MAX_CODES)
    return fail (builder, error, "too many operators");
  for (uint32_t i = 0; i < codes.count; i++) {
    TfliteTable code = tflite_vector_table (codes, i);
    if (tflite_is_supported (tflite_find_operator (code_of (code))) ||
        !is_used (nodes, i))
      continue;
    if (n_missing++)
      g_string_append (text, ", ");
    append_missing (text, code, nodes, i);
  }
  if (n_missing == 0)
    return TRUE;
  g_set_error (error, FORGE_ERROR, FORGE_ERROR_UNSUPPORTED,
      "%s: %u kind%s of operators not supported: %s", builder->name, n_missing,
      n_missing == 1 ? "" : "s", text->str);
  return FALSE;
}

static gboolean
check_outputs (
    const TfliteBuilder *builder, const TfliteNode *node, GError **error)
{
  gboolean several = node->code == TFLITE_SPLIT ||
                     node->code == TFLITE_SPLIT_V ||
                     node->code == TFLITE_UNPACK;
  if (node->outputs.count < 1 || node->inputs.count < 1 ||
      (node->outputs.count > 1 && !several))
    return tflite_fail (builder, node, error, FORGE_ERROR_FORMAT,
        "%u inputs and %u outputs; expected %s", node->inputs.count,
        node->outputs.count, several ? "some" : "one output");
  for (guint i = 0; i < node->outputs.count; i++) {
    const TfliteTensor *out = tflite_out_at (builder, node, i);
    if (out->value || out->data.count > 0)
      return tflite_fail (builder, node, error, FORGE_ERROR_FORMAT,
          "its output already has a value");
  }
  return TRUE;
}

/* Activations of 16 bits, which scales betray. */
static gboolean
is_wide (const TfliteTensor *tensor)
{
  return tensor && tensor->dtype == FORGE_INT16 && tensor->scales.count > 0;
}

static gboolean
build_node (TfliteBuilder *builder, const TfliteNode *node, GError **error)
{
  const TfliteOperator *op = tflite_find_operator (node->code);
  if (!op || !check_outputs (builder, node, error))
    return op ? FALSE : tflite_build_none (builder, node, error);
  const TfliteTensor *in = tflite_in (builder, node, 0);
  const TfliteTensor *out = tflite_out (builder, node);
  if (is_wide (in) || is_wide (out))
    return tflite_fail (builder, node, error, FORGE_ERROR_UNSUPPORTED,
        "activations of int16; float32, int8 and uint8 are supported");
  gboolean bytes = tflite_is_bytes (in) || tflite_is_bytes (out);
  if (bytes && !builder->portable)
    return op->on_bytes (builder, node, error);
  return op->on_floats (builder, node, error);
}

/* The byte of a picture as the file's int8: less 128, unless the metadata has
 * a normalisation that makes something else of it. */
static gboolean
shift_input (TfliteBuilder *builder, TfliteTensor *tensor, GError **error)
{
  TfliteNode node = { .name = "input" };
  ForgeValue *bytes = tensor->value;
  if (!builder->portable) {
    uint8_t table[256];
    for (int i = 0; i < 256; i++)
      table[i] = (uint8_t) (i - 128);
    tensor->value = tflite_apply_table (
        builder, &node, FORGE_INT8, table, "shift by 128", bytes, error);
    return tensor->value != NULL;
  }
  /* the same real number, first from uint8, then from int8 */
  return tflite_shift_portable (builder, &node, tensor, error);
}

/* What the file says of an input or output of bytes, for people. */
static void
keep_quantisation (
    TfliteBuilder *builder, const TfliteTensor *tensor, const char *what)
{
  char scale[G_ASCII_DTOSTR_BUF_SIZE];
  if (!tflite_is_bytes (tensor) || tensor->scales.count == 0)
    return;
  g_ascii_formatd (scale, sizeof scale, "%.6g", (double) tflite_scale (tensor));
  g_hash_table_replace (builder->graph->metadata,
      g_strdup_printf ("tflite.%s", what),
      g_strdup_printf ("%s, scale %s, zero point %d",
          forge_dtype_name (tensor->dtype), scale, tflite_zero (tensor)));
}

/* uint8 graph input, whatever of the two the file has. */
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
  keep_quantisation (builder, tensor, "input");
  return !is_signed || shift_input (builder, tensor, error);
}

/* Scores are float32, whatever the file keeps them as. */
static gboolean
add_output (TfliteBuilder *builder, TfliteTensor *tensor, GError **error)
{
  TfliteNode node = { .name = "output" };
  ForgeValue *value = tflite_value (builder, &node, tensor, error);
  if (value && tflite_is_bytes (tensor) && tensor->scales.count > 0)
    value = tflite_dequantise (builder, &node, tensor, error);
  keep_quantisation (builder, tensor, "output");
  if (value && value->producer)
    forge_graph_rename (builder->graph, value, tensor->name);
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
  if (!check_operators (builder, model, subgraph, error) ||
      !read_tensors (builder, model, subgraph, error) ||
      !build_graph (builder, model, subgraph, error) ||
      !tflite_read_metadata (builder, model, error))
    return FALSE;
  if (bytes->failed)
    return fail (builder, error, "an offset leads out of the file");
  /* extents that were known without the nodes that compute them */
  forge_graph_drop_dead (builder->graph);
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
    .file = data,
    .file_bytes = size_bytes,
    .portable = source->portable,
    .max_constant_bytes = size_bytes * 8 + 65536 };
  gboolean ok = read_model (&builder, &bytes, error);
  for (guint i = 0; i < builder.n_tensors; i++)
    g_free (builder.tensors[i].name);
  g_free (builder.tensors);
  return ok ? g_steal_pointer (&graph) : NULL;
}
