/* SPDX-License-Identifier: LGPL-2.1-or-later */
#include "onnx-builder.h"

#include <string.h>

#define MAX_ITEMS 256

void *
onnx_builder_take (OnnxBuilder *builder, gsize size_bytes)
{
  void *block = g_malloc0 (size_bytes);
  g_ptr_array_add (builder->owned, block);
  return block;
}

char *
onnx_builder_text (OnnxBuilder *builder, const char *text)
{
  char *copy = g_strdup (text);
  g_ptr_array_add (builder->owned, copy);
  return copy;
}

/* Appends to one of the lists of pointers of a message. */
static void
append (OnnxBuilder *builder, gpointer list, size_t *n_items, gpointer item)
{
  gpointer **items = list;
  if (!*items)
    *items = onnx_builder_take (builder, MAX_ITEMS * sizeof (gpointer));
  g_assert_cmpuint (*n_items, <, MAX_ITEMS);
  (*items)[(*n_items)++] = item;
}

OnnxBuilder *
onnx_builder_new (void)
{
  OnnxBuilder *builder = g_new0 (OnnxBuilder, 1);
  builder->owned = g_ptr_array_new_with_free_func (g_free);
  forge_onnx__model__init (&builder->model);
  forge_onnx__graph__init (&builder->graph);
  builder->model.has_ir_version = TRUE;
  builder->model.ir_version = 8;
  builder->model.graph = &builder->graph;
  builder->graph.name = (char *) "test";
  onnx_builder_opset (builder, "", 13);
  return builder;
}

void
onnx_builder_free (OnnxBuilder *builder)
{
  if (!builder)
    return;
  g_ptr_array_unref (builder->owned);
  g_free (builder);
}

GBytes *
onnx_builder_finish (OnnxBuilder *builder)
{
  gsize size_bytes = forge_onnx__model__get_packed_size (&builder->model);
  guint8 *bytes = g_malloc (size_bytes);
  forge_onnx__model__pack (&builder->model, bytes);
  return g_bytes_new_take (bytes, size_bytes);
}

static ForgeOnnx__ValueInfo *
value_info (OnnxBuilder *builder, const char *name)
{
  ForgeOnnx__ValueInfo *info = onnx_builder_take (builder, sizeof *info);
  forge_onnx__value_info__init (info);
  info->name = onnx_builder_text (builder, name);
  return info;
}

void
onnx_builder_input (
    OnnxBuilder *builder, const char *name, int dtype, const int *dims)
{
  ForgeOnnx__ValueInfo *info = value_info (builder, name);
  info->type = onnx_builder_take (builder, sizeof *info->type);
  forge_onnx__type__init (info->type);
  ForgeOnnx__TensorType *type = onnx_builder_take (builder, sizeof *type);
  forge_onnx__tensor_type__init (type);
  info->type->tensor_type = type;
  type->has_elem_type = TRUE;
  type->elem_type = dtype;
  type->shape = onnx_builder_take (builder, sizeof *type->shape);
  forge_onnx__shape__init (type->shape);
  for (; *dims != -2; dims++) {
    ForgeOnnx__Dimension *dim = onnx_builder_take (builder, sizeof *dim);
    forge_onnx__dimension__init (dim);
    dim->has_dim_value = *dims >= 0;
    dim->dim_value = MAX (*dims, 0);
    dim->dim_param = *dims < 0 ? (char *) "N" : NULL;
    append (builder, &type->shape->dim, &type->shape->n_dim, dim);
  }
  append (builder, &builder->graph.input, &builder->graph.n_input, info);
}

void
onnx_builder_output (OnnxBuilder *builder, const char *name)
{
  append (builder, &builder->graph.output, &builder->graph.n_output,
      value_info (builder, name));
}

static void
append_names (
    OnnxBuilder *builder, char ***list, size_t *n_items, const char *names)
{
  g_auto (GStrv) parts = g_strsplit (names, ",", -1);
  for (char **part = parts; *part; part++)
    append (builder, list, n_items, onnx_builder_text (builder, *part));
}

ForgeOnnx__Node *
onnx_builder_node (OnnxBuilder *builder, const char *type, const char *inputs,
    const char *outputs)
{
  ForgeOnnx__Node *node = onnx_builder_take (builder, sizeof *node);
  forge_onnx__node__init (node);
  node->op_type = onnx_builder_text (builder, type);
  g_autofree char *name =
      g_strdup_printf ("%s_%zu", type, builder->graph.n_node);
  node->name = onnx_builder_text (builder, name);
  append_names (builder, &node->input, &node->n_input, inputs);
  append_names (builder, &node->output, &node->n_output, outputs);
  append (builder, &builder->graph.node, &builder->graph.n_node, node);
  return node;
}

ForgeOnnx__Attribute *
onnx_builder_attribute (
    OnnxBuilder *builder, ForgeOnnx__Node *node, const char *name, int type)
{
  ForgeOnnx__Attribute *attribute =
      onnx_builder_take (builder, sizeof *attribute);
  forge_onnx__attribute__init (attribute);
  attribute->name = onnx_builder_text (builder, name);
  attribute->has_type = TRUE;
  attribute->type = type;
  attribute->has_f = type == FORGE_ONNX_FLOAT;
  attribute->has_i = type == FORGE_ONNX_INT;
  attribute->has_g = type == FORGE_ONNX_GRAPH;
  append (builder, &node->attribute, &node->n_attribute, attribute);
  return attribute;
}

ForgeOnnx__Function *
onnx_builder_function (OnnxBuilder *builder, const char *name,
    const char *inputs, const char *outputs)
{
  ForgeOnnx__Function *function = onnx_builder_take (builder, sizeof *function);
  forge_onnx__function__init (function);
  function->name = onnx_builder_text (builder, name);
  function->domain = onnx_builder_text (builder, "own");
  append_names (builder, &function->input, &function->n_input, inputs);
  append_names (builder, &function->output, &function->n_output, outputs);
  append (builder, &function->opset_import, &function->n_opset_import,
      builder->model.opset_import[0]);
  append (
      builder, &builder->model.function, &builder->model.n_function, function);
  return function;
}

ForgeOnnx__Node *
onnx_builder_move_node (OnnxBuilder *builder, ForgeOnnx__Function *function)
{
  ForgeOnnx__Node *node = builder->graph.node[--builder->graph.n_node];
  append (builder, &function->node, &function->n_node, node);
  return node;
}

ForgeOnnx__Tensor *
onnx_builder_tensor (
    OnnxBuilder *builder, const char *name, int dtype, const int *dims)
{
  ForgeOnnx__Tensor *tensor = onnx_builder_take (builder, sizeof *tensor);
  forge_onnx__tensor__init (tensor);
  tensor->name = name ? onnx_builder_text (builder, name) : NULL;
  tensor->has_data_type = TRUE;
  tensor->data_type = dtype;
  tensor->dims = onnx_builder_take (builder, 16 * sizeof (int64_t));
  for (; *dims != -2; dims++)
    tensor->dims[tensor->n_dims++] = *dims;
  return tensor;
}

void
onnx_builder_set_raw (
    ForgeOnnx__Tensor *tensor, const void *data, gsize size_bytes)
{
  tensor->has_raw_data = TRUE;
  tensor->raw_data.data = (guint8 *) data;
  tensor->raw_data.len = size_bytes;
}

void
onnx_builder_initializer (OnnxBuilder *builder, ForgeOnnx__Tensor *tensor)
{
  append (builder, &builder->graph.initializer, &builder->graph.n_initializer,
      tensor);
}

void
onnx_builder_opset (OnnxBuilder *builder, const char *domain, int64_t version)
{
  ForgeOnnx__OperatorSet *set = onnx_builder_take (builder, sizeof *set);
  forge_onnx__operator_set__init (set);
  set->domain = onnx_builder_text (builder, domain);
  set->has_version = TRUE;
  set->version = version;
  append (builder, &builder->model.opset_import, &builder->model.n_opset_import,
      set);
}

void
onnx_builder_metadata (OnnxBuilder *builder, const char *key, const char *value)
{
  ForgeOnnx__Entry *entry = onnx_builder_take (builder, sizeof *entry);
  forge_onnx__entry__init (entry);
  entry->key = onnx_builder_text (builder, key);
  entry->value = onnx_builder_text (builder, value);
  append (builder, &builder->model.metadata_props,
      &builder->model.n_metadata_props, entry);
}

ForgeGraph *
onnx_builder_read (OnnxBuilder *builder, const char *folder, GError **error)
{
  g_autoptr (GBytes) bytes = onnx_builder_finish (builder);
  ForgeSource source = { .name = "test.onnx", .folder = folder };
  gsize size_bytes;
  const void *data = g_bytes_get_data (bytes, &size_bytes);
  return forge_format_read_bytes (data, size_bytes, &source, error);
}
