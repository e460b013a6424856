/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Graph to ONNX. The messages are built over the graph's own memory (names
 * and weights are not copied) and packed in one go. The same graph gives the
 * same bytes: attributes come by name, metadata by key, weights in the order
 * of the graph's values. A weight that is stored as float16 becomes such an
 * initializer and a Cast, which comes before all other nodes and gives the
 * value its name. */
#include <string.h>

#include "base/file.h"
#include "forge/version.h"
#include "formats/onnx.h"
#include "tensor/tensor.h"

/* Small structures live until the file is packed. */
typedef struct {
  const ForgeGraph *graph;
  GPtrArray *owned;
  GPtrArray *halves; /* ForgeOnnx__Tensor*: those with a Cast behind them */
  GPtrArray *casts;  /* ForgeValue*: what the Casts give */
} Writer;

static gboolean
refuse (const Writer *writer, GError **error, int code, const char *text,
    const char *name)
{
  g_set_error (error, FORGE_ERROR, code, "graph '%s': %s'%s'",
      writer->graph->name, text, name);
  return FALSE;
}

static void *
take (Writer *writer, size_t n_items, size_t item_bytes)
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

static ForgeOnnx__Tensor *
write_tensor (Writer *writer, const ForgeTensor *tensor, char *name)
{
  ForgeOnnx__Tensor *proto = take (writer, 1, sizeof *proto);
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
write_shape (Writer *writer, const ForgeShape *shape)
{
  ForgeOnnx__Shape *proto = take (writer, 1, sizeof *proto);
  forge_onnx__shape__init (proto);
  proto->n_dim = (size_t) shape->rank;
  proto->dim = take (writer, proto->n_dim, sizeof *proto->dim);
  for (int i = 0; i < shape->rank; i++) {
    ForgeOnnx__Dimension *dim = take (writer, 1, sizeof *dim);
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
write_ports (Writer *writer, const GPtrArray *values, size_t *n_ports,
    ForgeOnnx__ValueInfo ***ports, GError **error)
{
  *n_ports = values->len;
  *ports = take (writer, values->len, sizeof **ports);
  for (guint i = 0; i < values->len; i++) {
    const ForgeValue *value = values->pdata[i];
    if (value->dtype == FORGE_DTYPE_UNKNOWN)
      return refuse (writer, error, FORGE_ERROR_ARGUMENT,
          "shapes are not inferred yet: the type is unknown of ", value->name);
    ForgeOnnx__TensorType *tensor = take (writer, 1, sizeof *tensor);
    forge_onnx__tensor_type__init (tensor);
    tensor->has_elem_type = TRUE;
    tensor->elem_type = value->dtype;
    tensor->shape = write_shape (writer, &value->shape);
    ForgeOnnx__Type *type = take (writer, 1, sizeof *type);
    forge_onnx__type__init (type);
    type->tensor_type = tensor;
    (*ports)[i] = take (writer, 1, sizeof ***ports);
    forge_onnx__value_info__init ((*ports)[i]);
    (*ports)[i]->name = value->name;
    (*ports)[i]->type = type;
  }
  return TRUE;
}

typedef struct {
  Writer *writer;
  ForgeOnnx__Node *node;
  GPtrArray *attributes;
} AttributeTarget;

static void
write_attribute (const char *name, const ForgeAttr *attr, gpointer data)
{
  AttributeTarget *target = data;
  ForgeOnnx__Attribute *proto = take (target->writer, 1, sizeof *proto);
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
    proto->t = write_tensor (target->writer, attr->tensor, NULL);
    break;
  }
  g_ptr_array_add (target->attributes, proto);
}

/* Names of values; "" for one that is left out. */
static char **
write_names (Writer *writer, const GPtrArray *values)
{
  char **names = take (writer, values->len, sizeof *names);
  for (guint i = 0; i < values->len; i++) {
    const ForgeValue *value = values->pdata[i];
    names[i] = value ? value->name : (char *) "";
  }
  return names;
}

static gboolean
write_node (Writer *writer, const ForgeNode *node, ForgeOnnx__Node **out,
    GError **error)
{
  if (node->nhwc || node->activation.kind >= 0)
    return refuse (writer, error, FORGE_ERROR_ARGUMENT,
        "an optimised graph cannot be written: layout or fused activation at ",
        node->name);
  ForgeOnnx__Node *proto = take (writer, 1, sizeof *proto);
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
      take (writer, proto->n_attribute, sizeof *proto->attribute);
  if (proto->n_attribute > 0)
    memcpy (proto->attribute, target.attributes->pdata,
        proto->n_attribute * sizeof *proto->attribute);
  g_ptr_array_unref (target.attributes);
  *out = proto;
  return TRUE;
}

/* A name for the half of @value that nothing else has. */
static char *
name_half (Writer *writer, const ForgeValue *value)
{
  char *name = g_strconcat (value->name, "_float16", NULL);
  while (forge_graph_find (writer->graph, name)) {
    char *longer = g_strconcat (name, "_", NULL);
    g_free (name);
    name = longer;
  }
  g_ptr_array_add (writer->owned, name);
  return name;
}

/* NULL unless every element is a half: nothing is rounded here. */
static uint16_t *
to_halves (Writer *writer, const ForgeTensor *tensor)
{
  size_t count = (size_t) forge_tensor_get_count (tensor);
  const float *values = tensor->data;
  g_autofree uint16_t *halves = g_try_new (uint16_t, MAX (count, 1));
  for (size_t i = 0; halves && i < count; i++) {
    halves[i] = forge_float_to_half (values[i]);
    if (!(forge_half_to_float (halves[i]) == values[i]))
      return NULL;
  }
  if (halves)
    g_ptr_array_add (writer->owned, halves);
  return g_steal_pointer (&halves);
}

static void
add_half (Writer *writer, ForgeValue *value, const uint16_t *halves)
{
  ForgeOnnx__Tensor *proto =
      write_tensor (writer, value->constant, name_half (writer, value));
  size_t count = (size_t) forge_tensor_get_count (value->constant);
  proto->data_type = FORGE_FLOAT16;
  set_bytes (&proto->raw_data, halves, count * sizeof *halves);
  g_ptr_array_add (writer->halves, proto);
  g_ptr_array_add (writer->casts, value);
}

/* Halves come last: their values come to a reader with the nodes, so that the
 * order is the same when they are written again. */
static void
write_weights (Writer *writer, ForgeOnnx__Graph *proto)
{
  const GPtrArray *values = writer->graph->values;
  proto->initializer = take (writer, values->len, sizeof *proto->initializer);
  for (guint i = 0; i < values->len; i++) {
    ForgeValue *value = values->pdata[i];
    if (!value->constant || value->folded)
      continue;
    const uint16_t *halves = forge_value_is_half (value)
                                 ? to_halves (writer, value->constant)
                                 : NULL;
    if (halves)
      add_half (writer, value, halves);
    else
      proto->initializer[proto->n_initializer++] =
          write_tensor (writer, value->constant, value->name);
  }
  for (guint i = 0; i < writer->halves->len; i++)
    proto->initializer[proto->n_initializer++] = writer->halves->pdata[i];
}

/* Without a name of its own: every reader makes one up. */
static ForgeOnnx__Node *
write_cast (Writer *writer, const ForgeOnnx__Tensor *half, ForgeValue *value)
{
  ForgeOnnx__Attribute *to = take (writer, 1, sizeof *to);
  forge_onnx__attribute__init (to);
  to->name = (char *) "to";
  to->has_type = to->has_i = TRUE;
  to->type = FORGE_ONNX_INT;
  to->i = FORGE_FLOAT32;
  ForgeOnnx__Node *proto = take (writer, 1, sizeof *proto);
  forge_onnx__node__init (proto);
  proto->op_type = (char *) "Cast";
  proto->n_input = proto->n_output = proto->n_attribute = 1;
  proto->input = take (writer, 1, sizeof *proto->input);
  proto->input[0] = half->name;
  proto->output = take (writer, 1, sizeof *proto->output);
  proto->output[0] = value->name;
  proto->attribute = take (writer, 1, sizeof *proto->attribute);
  proto->attribute[0] = to;
  return proto;
}

static int
compare_text (const void *a, const void *b)
{
  return strcmp (*(const char *const *) a, *(const char *const *) b);
}

static void
write_metadata (Writer *writer, ForgeOnnx__Model *model)
{
  GHashTable *metadata = writer->graph->metadata;
  guint n_keys;
  g_autofree gpointer *keys =
      g_hash_table_get_keys_as_array (metadata, &n_keys);
  qsort (keys, n_keys, sizeof *keys, compare_text);
  model->metadata_props = take (writer, n_keys, sizeof *model->metadata_props);
  model->n_metadata_props = n_keys;
  for (guint i = 0; i < n_keys; i++) {
    ForgeOnnx__Entry *entry = take (writer, 1, sizeof *entry);
    forge_onnx__entry__init (entry);
    entry->key = keys[i];
    entry->value = g_hash_table_lookup (metadata, keys[i]);
    model->metadata_props[i] = entry;
  }
}

/* The default domain first, then the others as the nodes name them. */
static void
write_operator_sets (Writer *writer, ForgeOnnx__Model *model)
{
  const ForgeGraph *graph = writer->graph;
  model->opset_import =
      take (writer, graph->nodes->len + 1, sizeof *model->opset_import);
  for (guint i = 0; i <= graph->nodes->len; i++) {
    const ForgeNode *node = i > 0 ? graph->nodes->pdata[i - 1] : NULL;
    const char *domain = node ? node->op->domain : "";
    gboolean known = FALSE;
    for (size_t k = 0; k < model->n_opset_import && !known; k++)
      known = strcmp (model->opset_import[k]->domain, domain) == 0;
    if (known)
      continue;
    ForgeOnnx__OperatorSet *set = take (writer, 1, sizeof *set);
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
write_graph (Writer *writer, ForgeOnnx__Graph *proto, GError **error)
{
  const ForgeGraph *graph = writer->graph;
  forge_onnx__graph__init (proto);
  proto->name = graph->name && *graph->name ? graph->name : (char *) "graph";
  write_weights (writer, proto);
  guint n_casts = writer->casts->len;
  proto->n_node = n_casts + graph->nodes->len;
  proto->node = take (writer, proto->n_node, sizeof *proto->node);
  for (guint i = 0; i < n_casts; i++)
    proto->node[i] =
        write_cast (writer, writer->halves->pdata[i], writer->casts->pdata[i]);
  for (guint i = 0; i < graph->nodes->len; i++)
    if (!write_node (
            writer, graph->nodes->pdata[i], &proto->node[n_casts + i], error))
      return FALSE;
  return write_ports (
             writer, graph->inputs, &proto->n_input, &proto->input, error) &&
         write_ports (
             writer, graph->outputs, &proto->n_output, &proto->output, error);
}

static GBytes *
pack (const Writer *writer, const ForgeOnnx__Model *model, GError **error)
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
  Writer writer = { graph, g_ptr_array_new_with_free_func (g_free),
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
  g_ptr_array_unref (writer.casts);
  g_ptr_array_unref (writer.halves);
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
