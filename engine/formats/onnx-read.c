/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * ModelProto to graph: versions, initializers, inputs, nodes, outputs and
 * metadata. Shapes of inner values are not read: shape inference finds them,
 * and a file that contradicts itself is then told so.
 * Source: docs/IR.md and docs/Versioning.md of the ONNX project. */
#include "formats/foreign.h"
#include "formats/onnx.h"

#include <stdlib.h>
#include <string.h>

gboolean
forge_onnx_fail (const ForgeSource *source, GError **error, int code,
    const char *format, ...)
{
  va_list args;
  va_start (args, format);
  g_autofree char *text = g_strdup_vprintf (format, args);
  va_end (args);
  g_set_error (error, FORGE_ERROR, code, "%s: %s", source->name, text);
  return FALSE;
}

gboolean
forge_onnx_check_text (const ForgeSource *source, const char *what,
    const char *text, GError **error)
{
  if (!text || g_utf8_validate (text, -1, NULL))
    return TRUE;
  g_autofree char *valid = g_utf8_make_valid (text, -1);
  return forge_onnx_fail (
      source, error, FORGE_ERROR_FORMAT, "%s is not UTF-8: '%s'", what, valid);
}

/* A model starts with its fields in any order, but every writer there is puts
 * one of these first; an initial 0x0a would be a TensorFlow graph. */
gboolean
forge_onnx_probe (const uint8_t *bytes, size_t size_bytes)
{
  static const uint8_t first_tags[] = {
    0x08, /* ir_version */
    0x12, /* producer_name */
    0x3a, /* graph */
    0x42, /* opset_import */
  };
  if (size_bytes < 2 || !memchr (first_tags, bytes[0], sizeof first_tags))
    return FALSE;
  ForgeForeign foreign;
  /* a bzip2 archive begins as an operator set of 90 bytes would */
  if (size_bytes > 3 && memcmp (bytes, "BZh", 3) == 0)
    return FALSE;
  return bytes[0] != 0x08 ||
         (bytes[1] < 0x80 &&
             !forge_foreign_identify_message (bytes, size_bytes, &foreign));
}

gboolean
forge_onnx_read_opsets (const ForgeOnnxReader *reader,
    ForgeOnnx__OperatorSet *const *imports, size_t n_imports,
    GHashTable *opsets, GError **error)
{
  const ForgeSource *source = reader->source;
  for (size_t i = 0; i < n_imports; i++) {
    const ForgeOnnx__OperatorSet *set = imports[i];
    const char *domain = set->domain ? set->domain : "";
    if (!forge_onnx_check_text (source, "an operator set", domain, error))
      return FALSE;
    gboolean is_default = !*domain || strcmp (domain, "ai.onnx") == 0;
    if (set->version < 1 || set->version > G_MAXINT)
      return forge_onnx_fail (source, error, FORGE_ERROR_FORMAT,
          "operator set '%s' has version %" G_GINT64_FORMAT, domain,
          set->version);
    if (is_default && set->version > FORGE_ONNX_MAX_OPSET)
      return forge_onnx_fail (source, error, FORGE_ERROR_UNSUPPORTED,
          "operator set %" G_GINT64_FORMAT "; up to %d are supported",
          set->version, FORGE_ONNX_MAX_OPSET);
    g_hash_table_insert (opsets, g_strdup (is_default ? "" : domain),
        GINT_TO_POINTER ((int) set->version));
  }
  return TRUE;
}

static gboolean
read_versions (
    ForgeOnnxReader *reader, const ForgeOnnx__Model *model, GError **error)
{
  const ForgeSource *source = reader->source;
  if (model->ir_version < 1 || model->ir_version > FORGE_ONNX_MAX_IR_VERSION)
    return forge_onnx_fail (source, error,
        model->ir_version < 1 ? FORGE_ERROR_FORMAT : FORGE_ERROR_UNSUPPORTED,
        "ONNX IR version %" G_GINT64_FORMAT "; 1 to %d are supported",
        model->ir_version, FORGE_ONNX_MAX_IR_VERSION);
  /* Operator sets came with IR version 3. */
  if (model->ir_version < 3)
    g_hash_table_insert (reader->opsets, g_strdup (""), GINT_TO_POINTER (1));
  if (!forge_onnx_read_opsets (reader, model->opset_import,
          model->n_opset_import, reader->opsets, error))
    return FALSE;
  reader->graph->opset =
      GPOINTER_TO_INT (g_hash_table_lookup (reader->opsets, ""));
  return TRUE;
}

static gboolean
read_metadata (
    ForgeOnnxReader *reader, const ForgeOnnx__Model *model, GError **error)
{
  for (size_t i = 0; i < model->n_metadata_props; i++) {
    const ForgeOnnx__Entry *entry = model->metadata_props[i];
    if (!forge_onnx_check_text (
            reader->source, "a metadata key", entry->key, error) ||
        !forge_onnx_check_text (
            reader->source, "a metadata value", entry->value, error))
      return FALSE;
    if (entry->key && *entry->key)
      g_hash_table_insert (reader->graph->metadata, g_strdup (entry->key),
          g_strdup (entry->value ? entry->value : ""));
  }
  return TRUE;
}

/* Weights are most of a file, and the tensors have them now: what the parser
 * copied out of the file goes at once, not at the end. */
static void
drop_raw_data (ForgeOnnx__Tensor *proto)
{
  free (proto->raw_data.data);
  proto->raw_data = (ProtobufCBinaryData) { 0 };
}

static gboolean
add_initializer (ForgeOnnxReader *reader, const char *name, ForgeTensor *tensor,
    GError **error)
{
  if (!g_hash_table_add (reader->scope->defined, g_strdup (name)))
    return forge_onnx_fail (reader->source, error, FORGE_ERROR_FORMAT,
        "two initializers are named '%s'", name);
  forge_graph_add_constant (reader->graph, name, tensor);
  return TRUE;
}

static gboolean
read_initializers (
    ForgeOnnxReader *reader, const ForgeOnnx__Graph *proto, GError **error)
{
  for (size_t i = 0; i < proto->n_initializer; i++) {
    const char *name = proto->initializer[i]->name;
    if (!name || !*name)
      return forge_onnx_fail (reader->source, error, FORGE_ERROR_FORMAT,
          "initializer %zu has no name", i);
    g_autoptr (ForgeTensor) tensor =
        forge_onnx_take_tensor (reader, proto->initializer[i], error);
    if (!tensor || !add_initializer (reader, name, tensor, error))
      return FALSE;
    drop_raw_data (proto->initializer[i]);
  }
  for (size_t i = 0; i < proto->n_sparse_initializer; i++) {
    const ForgeOnnx__SparseTensor *sparse = proto->sparse_initializer[i];
    g_autoptr (ForgeTensor) tensor =
        forge_onnx_read_sparse (reader, sparse, error);
    if (!tensor ||
        !add_initializer (reader, sparse->values->name, tensor, error))
      return FALSE;
  }
  return TRUE;
}

/* A dimension without a value has a name ("N") or is anonymous: unknown, as
 * the 0 is that some exporters write for it. */
static gboolean
read_input_shape (const ForgeOnnxReader *reader,
    const ForgeOnnx__ValueInfo *info, ForgeShape *shape, GError **error)
{
  const ForgeOnnx__TensorType *type =
      info->type ? info->type->tensor_type : NULL;
  if (!type)
    return forge_onnx_fail (reader->source, error, FORGE_ERROR_UNSUPPORTED,
        "input '%s' is not a tensor", info->name);
  if (!type->shape)
    return forge_onnx_fail (reader->source, error, FORGE_ERROR_UNSUPPORTED,
        "input '%s' has no shape", info->name);
  if (type->shape->n_dim > FORGE_MAX_DIMS)
    return forge_onnx_fail (reader->source, error, FORGE_ERROR_UNSUPPORTED,
        "input '%s' has %zu dimensions; at most %d are supported", info->name,
        type->shape->n_dim, FORGE_MAX_DIMS);
  if (forge_dtype_size_bytes ((ForgeDtype) type->elem_type) == 0)
    return forge_onnx_fail (reader->source, error, FORGE_ERROR_UNSUPPORTED,
        "input '%s' has ONNX data type %d, which is not supported", info->name,
        type->elem_type);
  *shape = (ForgeShape) { .rank = (int) type->shape->n_dim };
  for (int i = 0; i < shape->rank; i++) {
    const ForgeOnnx__Dimension *dim = type->shape->dim[i];
    shape->dims[i] =
        dim->has_dim_value && dim->dim_value > 0 ? dim->dim_value : -1;
  }
  return TRUE;
}

static gboolean
read_inputs (
    ForgeOnnxReader *reader, const ForgeOnnx__Graph *proto, GError **error)
{
  for (size_t i = 0; i < proto->n_input; i++) {
    const ForgeOnnx__ValueInfo *info = proto->input[i];
    ForgeShape shape;
    if (!forge_onnx_check_text (
            reader->source, "an input's name", info->name, error))
      return FALSE;
    if (!info->name || !*info->name)
      return forge_onnx_fail (reader->source, error, FORGE_ERROR_FORMAT,
          "input %zu has no name", i);
    /* Up to IR version 3 every initializer is listed as an input too. */
    ForgeValue *known = forge_graph_find (reader->graph, info->name);
    if (known && known->constant)
      continue;
    if (!g_hash_table_add (reader->scope->defined, g_strdup (info->name)))
      return forge_onnx_fail (reader->source, error, FORGE_ERROR_FORMAT,
          "two inputs are named '%s'", info->name);
    if (!read_input_shape (reader, info, &shape, error))
      return FALSE;
    forge_graph_add_input (reader->graph, info->name,
        (ForgeDtype) info->type->tensor_type->elem_type, &shape);
  }
  return TRUE;
}

static gboolean
read_outputs (
    ForgeOnnxReader *reader, const ForgeOnnx__Graph *proto, GError **error)
{
  if (proto->n_output == 0)
    return forge_onnx_fail (
        reader->source, error, FORGE_ERROR_FORMAT, "the graph has no outputs");
  g_autoptr (GHashTable) seen = g_hash_table_new (g_str_hash, g_str_equal);
  for (size_t i = 0; i < proto->n_output; i++) {
    char *name = proto->output[i]->name;
    if (!forge_onnx_check_text (
            reader->source, "an output's name", name, error))
      return FALSE;
    if (!name || !g_hash_table_contains (reader->scope->defined, name))
      return forge_onnx_fail (reader->source, error, FORGE_ERROR_FORMAT,
          "nothing gives the graph's output '%s'", name ? name : "");
    if (!g_hash_table_add (seen, name))
      return forge_onnx_fail (reader->source, error, FORGE_ERROR_FORMAT,
          "two outputs are named '%s'", name);
    forge_graph_add_output (
        reader->graph, forge_graph_value (reader->graph, name));
  }
  return TRUE;
}

static gboolean
read_model (
    ForgeOnnxReader *reader, const ForgeOnnx__Model *model, GError **error)
{
  const ForgeOnnx__Graph *proto = model->graph;
  if (!proto)
    return forge_onnx_fail (reader->source, error, FORGE_ERROR_FORMAT,
        "no ONNX graph in it: damaged, or another kind of protocol-buffer "
        "file");
  if (!forge_onnx_check_text (
          reader->source, "the graph's name", proto->name, error))
    return FALSE;
  reader->graph = forge_graph_new (proto->name ? proto->name : "");
  return read_versions (reader, model, error) &&
         read_metadata (reader, model, error) &&
         read_initializers (reader, proto, error) &&
         read_inputs (reader, proto, error) &&
         forge_onnx_index_functions (reader, error) &&
         forge_onnx_check_operators (
             reader, proto->node, proto->n_node, error) &&
         forge_onnx_read_nodes (reader, proto->node, proto->n_node, error) &&
         read_outputs (reader, proto, error);
}

ForgeGraph *
forge_onnx_read (const uint8_t *bytes, size_t size_bytes,
    const ForgeSource *source, GError **error)
{
  ForgeOnnx__Model *model =
      forge_onnx_unpack_model (bytes, size_bytes, source, error);
  if (!model)
    return NULL;
  g_autoptr (GHashTable) opsets =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_autoptr (GHashTable) defined =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_autoptr (GHashTable) functions =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  ForgeOnnxScope scope = {
    .opsets = opsets, .defined = defined, .prefix = (char *) ""
  };
  ForgeOnnxReader reader = { .source = source,
    .model = model,
    .size_bytes = size_bytes,
    .opsets = opsets,
    .functions = functions,
    .scope = &scope };
  gboolean ok = read_model (&reader, model, error);
  forge_onnx__model__free_unpacked (model, NULL);
  if (!ok)
    g_clear_pointer (&reader.graph, forge_graph_free);
  return reader.graph;
}
