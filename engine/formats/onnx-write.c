/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Graph to ONNX. The messages are built over the graph's own memory (names
 * and weights are not copied) and packed in one go. The same graph gives the
 * same bytes: attributes come by name, metadata by key, weights in the order
 * of the graph's values (onnx-weights.c). */
#include "formats/onnx-writer.h"

#include <string.h>

#include "base/file.h"
#include "forge/version.h"
#include "tensor/tensor.h"

static gboolean
refuse (const ForgeOnnxWriter *writer, GError **error, int code,
    const char *text, const char *name)
{
  g_set_error (error, FORGE_ERROR, code, "graph '%s': %s'%s'",
      writer->graph->name, text, name);
  return FALSE;
}

void *
forge_onnx_take (ForgeOnnxWriter *writer, size_t n_items, size_t item_bytes)
{
  void *block = g_malloc0_n (MAX (n_items, 1), item_bytes);
  g_ptr_array_add (writer->owned, block);
  return block;
}

static void
set_bytes (ProtobufCBinaryData *binary, const void *data, size_t size_bytes)
{
  binary->data = (uint8_t *) data;
  binary->len = size_bytes;
}

ForgeOnnx__Tensor *
forge_onnx_write_tensor (
    ForgeOnnxWriter *writer, const ForgeTensor *tensor, char *name)
{
  ForgeOnnx__Tensor *proto = forge_onnx_take (writer, 1, sizeof *proto);
  forge_onnx__tensor__init (proto);
  proto->name = name;
  proto->n_dims = (size_t) tensor->shape.rank;
  proto->dims = (int64_t *) tensor->shape.dims;
  proto->has_data_type = TRUE;
  proto->data_type = tensor->dtype;
  proto->has_raw_data = TRUE;
  set_bytes (&proto->raw_data, tensor->data, tensor->size_bytes);
  return proto;
}

/* An unknown leading extent is the batch and is called "N" everywhere; other
 * unknown extents stay anonymous. */
static ForgeOnnx__Shape *
write_shape (ForgeOnnxWriter *writer, const ForgeShape *shape)
{
  ForgeOnnx__Shape *proto = forge_onnx_take (writer, 1, sizeof *proto);
  forge_onnx__shape__init (proto);
  proto->n_dim = (size_t) shape->rank;
  proto->dim = forge_onnx_take (writer, proto->n_dim, sizeof *proto->dim);
  for (int i = 0; i < shape->rank; i++) {
    ForgeOnnx__Dimension *dim = forge_onnx_take (writer, 1, sizeof *dim);
    forge_onnx__dimension__init (dim);
    if (shape->dims[i] >= 0) {
      dim->has_dim_value = TRUE;
      dim->dim_value = shape->dims[i];
    } else if (i == 0) {
      dim->dim_param = (char *) "N";
    }
    proto->dim[i] = dim;
  }
  return proto;
}

static gboolean
write_ports (ForgeOnnxWriter *writer, const GPtrArray *values, size_t *n_ports,
    ForgeOnnx__ValueInfo ***ports, GError **error)
{
  *n_ports = values->len;
  *ports = forge_onnx_take (writer, values->len, sizeof **ports);
  for (guint i = 0; i < values->len; i++) {
    const ForgeValue *value = values->pdata[i];
    if (value->dtype == FORGE_DTYPE_UNKNOWN)
      return refuse (writer, error, FORGE_ERROR_ARGUMENT,
          "shapes are not inferred yet: the type is unknown of ", value->name);
    ForgeOnnx__TensorType *tensor = forge_onnx_take (writer, 1, sizeof *tensor);
    forge_onnx__tensor_type__init (tensor);
    tensor->has_elem_type = TRUE;
    tensor->elem_type = value->dtype;
    tensor->shape = write_shape (writer, &value->shape);
    ForgeOnnx__Type *type = forge_onnx_take (writer, 1, sizeof *type);
    forge_onnx__type__init (type);
    type->tensor_type = tensor;
    (*ports)[i] = forge_onnx_take (writer, 1, sizeof ***ports);
    forge_onnx__value_info__init ((*ports)[i]);
    (*ports)[i]->name = value->name;
    (*ports)[i]->type = type;
  }
  return TRUE;
}

typedef struct {
  ForgeOnnxWriter *writer;
  ForgeOnnx__Node *node;
  GPtrArray *attributes;
} AttributeTarget;

static void
write_attribute (const char *name, const ForgeAttr *attr, gpointer data)
{
  AttributeTarget *target = data;
  ForgeOnnx__Attribute *proto =
      forge_onnx_take (target->writer, 1, sizeof *proto);
  forge_onnx__attribute__init (proto);
  proto->name = (char *) name;
  proto->has_type = TRUE;
  switch (attr->type) {
  case FORGE_ATTR_INT:
    proto->type = FORGE_ONNX_INT;
    proto->has_i = TRUE;
    proto->i = attr->i;
    break;
  case FORGE_ATTR_FLOAT:
    proto->type = FORGE_ONNX_FLOAT;
    proto->has_f = TRUE;
    proto->f = attr->f;
    break;
  case FORGE_ATTR_STRING:
    proto->type = FORGE_ONNX_STRING;
    proto->has_s = TRUE;
    set_bytes (&proto->s, attr->s, strlen (attr->s));
    break;
  case FORGE_ATTR_INTS:
    proto->type = FORGE_ONNX_INTS;
    proto->n_ints = attr->ints->len;
    proto->ints = (int64_t *) attr->ints->data;
    break;
  case FORGE_ATTR_FLOATS:
    proto->type = FORGE_ONNX_FLOATS;
    proto->n_floats = attr->floats->len;
    proto->floats = (float *) attr->floats->data;
    break;
  case FORGE_ATTR_TENSOR:
    proto->type = FORGE_ONNX_TENSOR;
    proto->t = forge_onnx_write_tensor (target->writer, attr->tensor, NULL);
    break;
  }
  g_ptr_array_add (target->attributes, proto);
}

/* Names of values; "" for one that is left out. */
static char **
write_names (ForgeOnnxWriter *writer, const GPtrArray *values)
{
  char **names = forge_onnx_take (writer, values->len, sizeof *names);
  for (guint i = 0; i < values->len; i++) {
    const ForgeValue *value = values->pdata[i];
    names[i] = value ? value->name : (char *) "";
  }
  return names;
}

static gboolean
write_node (ForgeOnnxWriter *writer, const ForgeNode *node,
    ForgeOnnx__Node **out, GError **error)
{
  if (node->nhwc || node->activation.kind >= 0)
    return refuse (writer, error, FORGE_ERROR_ARGUMENT,
        "an optimised graph cannot be written: layout or fused activation at ",
        node->name);
  ForgeOnnx__Node *proto = forge_onnx_take (writer, 1, sizeof *proto);
  forge_onnx__node__init (proto);
  proto->name = node->name;
  proto->op_type = (char *) node->op->type;
  proto->domain = *node->op->domain ? (char *) node->op->domain : NULL;
  proto->n_input = node->inputs->len;
  proto->input = write_names (writer, node->inputs);
  proto->n_output = node->outputs->len;
  proto->output = write_names (writer, node->outputs);
  AttributeTarget target = { writer, proto, g_ptr_array_new () };
  if (node->attrs)
    forge_attrs_foreach (node->attrs, write_attribute, &target);
  proto->n_attribute = target.attributes->len;
  proto->attribute =
      forge_onnx_take (writer, proto->n_attribute, sizeof *proto->attribute);
  if (proto->n_attribute > 0)
    memcpy (proto->attribute, target.attributes->pdata,
        proto->n_attribute * sizeof *proto->attribute);
  g_ptr_array_unref (target.attributes);
  *out = proto;
  return TRUE;
}

static int
compare_text (const void *a, const void *b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

static void
write_metadata (ForgeOnnxWriter *writer, ForgeOnnx__Model *model)
{
  GHashTable *metadata = writer->graph->metadata;
  guint n_keys;
  g_autofree gpointer *keys =
      g_hash_table_get_keys_as_array (metadata, &n_keys);
  qsort (keys, n_keys, sizeof *keys, compare_text);
  model->metadata_props =
      forge_onnx_take (writer, n_keys, sizeof *model->metadata_props);
  model->n_metadata_props = n_keys;
  for (guint i = 0; i < n_keys; i++) {
    ForgeOnnx__Entry *entry = forge_onnx_take (writer, 1, sizeof *entry);
    forge_onnx__entry__init (entry);
    entry->key = keys[i];
    entry->value = g_hash_table_lookup (metadata, keys[i]);
    model->metadata_props[i] = entry;
  }
}

/* The default domain first, then the others as the nodes name them. */
static void
write_operator_sets (ForgeOnnxWriter *writer, ForgeOnnx__Model *model)
{
  const ForgeGraph *graph = writer->graph;
  model->opset_import = forge_onnx_take (
      writer, graph->nodes->len + 1, sizeof *model->opset_import);
  for (guint i = 0; i <= graph->nodes->len; i++) {
    const ForgeNode *node = i > 0 ? graph->nodes->pdata[i - 1] : NULL;
    const char *domain = node ? node->op->domain : "";
    gboolean known = FALSE;
    for (size_t k = 0; k < model->n_opset_import && !known; k++)
      known = strcmp (model->opset_import[k]->domain, domain) == 0;
    if (known)
      continue;
    ForgeOnnx__OperatorSet *set = forge_onnx_take (writer, 1, sizeof *set);
    forge_onnx__operator_set__init (set);
    set->domain = (char *) domain;
    set->has_version = TRUE;
    set->version = node           ? node->opset
                   : graph->opset ? graph->opset
                                  : FORGE_ONNX_OPSET;
    model->opset_import[model->n_opset_import++] = set;
  }
}

static gboolean
write_graph (ForgeOnnxWriter *writer, ForgeOnnx__Graph *proto, GError **error)
{
  const ForgeGraph *graph = writer->graph;
  forge_onnx__graph__init (proto);
  proto->name = graph->name && *graph->name ? graph->name : (char *) "graph";
  forge_onnx_write_weights (writer, proto);
  guint n_before = writer->unpackers->len;
  proto->n_node = n_before + graph->nodes->len;
  proto->node = forge_onnx_take (writer, proto->n_node, sizeof *proto->node);
  for (guint i = 0; i < n_before; i++)
    proto->node[i] = writer->unpackers->pdata[i];
  for (guint i = 0; i < graph->nodes->len; i++)
    if (!write_node (
            writer, graph->nodes->pdata[i], &proto->node[n_before + i], error))
      return FALSE;
  return write_ports (
             writer, graph->inputs, &proto->n_input, &proto->input, error) &&
         write_ports (
             writer, graph->outputs, &proto->n_output, &proto->output, error);
}

static GBytes *
pack (const ForgeOnnxWriter *writer, const ForgeOnnx__Model *model,
    GError **error)
{
  size_t size_bytes = forge_onnx__model__get_packed_size (model);
  uint8_t *bytes = size_bytes <= G_MAXINT32 ? g_try_malloc (size_bytes) : NULL;
  if (!bytes) {
    refuse (writer, error, FORGE_ERROR_MEMORY,
        "too large for memory, or over the 2 GiB of an ONNX file", "");
    return NULL;
  }
  forge_onnx__model__pack (model, bytes);
  return g_bytes_new_take (bytes, size_bytes);
}

GBytes *
forge_onnx_serialise (const ForgeGraph *graph, GError **error)
{
  ForgeOnnxWriter writer = { graph, g_ptr_array_new_with_free_func (g_free),
    g_ptr_array_new (), g_ptr_array_new () };
  ForgeOnnx__Graph graph_proto;
  ForgeOnnx__Model model;
  forge_onnx__model__init (&model);
  model.has_ir_version = TRUE;
  model.ir_version = FORGE_ONNX_IR_VERSION;
  model.producer_name = (char *) "gst-forge";
  model.producer_version = (char *) FORGE_VERSION;
  model.graph = &graph_proto;
  GBytes *bytes = NULL;
  if (write_graph (&writer, &graph_proto, error)) {
    write_operator_sets (&writer, &model);
    write_metadata (&writer, &model);
    bytes = pack (&writer, &model, error);
  }
  g_ptr_array_unref (writer.unpackers);
  g_ptr_array_unref (writer.narrow);
  g_ptr_array_unref (writer.owned);
  return bytes;
}

gboolean
forge_onnx_write (const ForgeGraph *graph, const char *path, GError **error)
{
  g_autoptr (GBytes) bytes = forge_onnx_serialise (graph, error);
  if (!bytes)
    return FALSE;
  gsize size_bytes;
  const void *data = g_bytes_get_data (bytes, &size_bytes);
  return forge_file_write (path, data, size_bytes, error);
}
