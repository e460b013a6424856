/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Constants of a graph as initializers, in the order of its values. A weight
 * that is stored as float16 becomes such an initializer and a Cast, one that is
 * stored as int8 becomes two, the other being its scales, and a
 * DequantizeLinear. These nodes come before all others and give the values
 * their names. */
#include "formats/onnx-writer.h"

#include "graph/stored-weights.h"
#include "tensor/tensor.h"

/* A name beside that of @value that nothing else has. */
static char *
name_beside (
    ForgeOnnxWriter *writer, const ForgeValue *value, const char *suffix)
{
  char *name = g_strconcat (value->name, suffix, NULL);
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
to_halves (ForgeOnnxWriter *writer, const ForgeTensor *tensor)
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

/* The initializer of @value's shape before an unpacker. */
static ForgeOnnx__Tensor *
add_narrow (ForgeOnnxWriter *writer, const ForgeValue *value, ForgeDtype dtype,
    const char *suffix, const void *data)
{
  ForgeOnnx__Tensor *proto = forge_onnx_write_tensor (
      writer, value->constant, name_beside (writer, value, suffix));
  size_t count = (size_t) forge_tensor_get_count (value->constant);
  proto->data_type = dtype;
  proto->raw_data.data = (uint8_t *) data;
  proto->raw_data.len = count * forge_dtype_size_bytes (dtype);
  g_ptr_array_add (writer->narrow, proto);
  return proto;
}

/* Gives @value its name. Without one of its own: every reader makes one up. */
static ForgeOnnx__Node *
add_unpacker (ForgeOnnxWriter *writer, const char *type, ForgeValue *value,
    char *const *inputs, size_t n_inputs)
{
  ForgeOnnx__Node *proto = forge_onnx_take (writer, 1, sizeof *proto);
  forge_onnx__node__init (proto);
  proto->op_type = (char *) type;
  proto->n_input = n_inputs;
  proto->input = forge_onnx_take (writer, n_inputs, sizeof *proto->input);
  for (size_t i = 0; i < n_inputs; i++)
    proto->input[i] = inputs[i];
  proto->n_output = 1;
  proto->output = forge_onnx_take (writer, 1, sizeof *proto->output);
  proto->output[0] = value->name;
  g_ptr_array_add (writer->unpackers, proto);
  return proto;
}

static void
set_int (ForgeOnnxWriter *writer, ForgeOnnx__Node *proto, const char *name,
    int64_t value)
{
  ForgeOnnx__Attribute *attribute =
      forge_onnx_take (writer, 1, sizeof *attribute);
  forge_onnx__attribute__init (attribute);
  attribute->name = (char *) name;
  attribute->has_type = attribute->has_i = TRUE;
  attribute->type = FORGE_ONNX_INT;
  attribute->i = value;
  proto->n_attribute = 1;
  proto->attribute = forge_onnx_take (writer, 1, sizeof *proto->attribute);
  proto->attribute[0] = attribute;
}

static gboolean
add_half (ForgeOnnxWriter *writer, ForgeValue *value)
{
  const uint16_t *halves = to_halves (writer, value->constant);
  if (!halves)
    return FALSE;
  const ForgeOnnx__Tensor *narrow =
      add_narrow (writer, value, FORGE_FLOAT16, "_float16", halves);
  set_int (writer, add_unpacker (writer, "Cast", value, &narrow->name, 1), "to",
      FORGE_FLOAT32);
  return TRUE;
}

/* Nothing is rounded here either. */
static gboolean
add_int8 (ForgeOnnxWriter *writer, ForgeValue *value)
{
  size_t count = (size_t) forge_tensor_get_count (value->constant);
  g_autofree int8_t *bytes = g_try_new (int8_t, MAX (count, 1));
  if (!bytes || !forge_value_to_int8 (value, bytes))
    return FALSE;
  const ForgeOnnx__Tensor *narrow =
      add_narrow (writer, value, FORGE_INT8, "_int8", bytes);
  g_ptr_array_add (writer->owned, g_steal_pointer (&bytes));
  ForgeOnnx__Tensor *scale = forge_onnx_write_tensor (
      writer, value->scale, name_beside (writer, value, "_scale"));
  g_ptr_array_add (writer->narrow, scale);
  char *const inputs[] = { narrow->name, scale->name };
  ForgeOnnx__Node *node =
      add_unpacker (writer, "DequantizeLinear", value, inputs, 2);
  if (value->scale_axis >= 0)
    set_int (writer, node, "axis", value->scale_axis);
  return TRUE;
}

/* Narrow ones come last: their values come to a reader with the nodes, so
 * that the order is the same when they are written again. */
void
forge_onnx_write_weights (ForgeOnnxWriter *writer, ForgeOnnx__Graph *proto)
{
  const GPtrArray *values = writer->graph->values;
  g_autoptr (GPtrArray) plain = g_ptr_array_new ();
  for (guint i = 0; i < values->len; i++) {
    ForgeValue *value = values->pdata[i];
    if (!value->constant || value->folded)
      continue;
    if ((forge_value_is_half (value) && add_half (writer, value)) ||
        (forge_value_is_int8 (value) && add_int8 (writer, value)))
      continue;
    g_ptr_array_add (
        plain, forge_onnx_write_tensor (writer, value->constant, value->name));
  }
  g_ptr_array_extend (plain, writer->narrow, NULL, NULL);
  proto->n_initializer = plain->len;
  proto->initializer =
      forge_onnx_take (writer, plain->len, sizeof *proto->initializer);
  for (guint i = 0; i < plain->len; i++)
    proto->initializer[i] = plain->pdata[i];
}
