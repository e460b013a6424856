/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Builders of toy-graph.h. */
#include "toy-graph.h"

#include <stdarg.h>

#include "base/rng.h"
#include "graph/evaluate.h"

static gboolean
infer_like_first (ForgeNode *node, GError **error)
{
  const ForgeValue *in = node->inputs->pdata[0];
  for (guint i = 0; i < node->outputs->len; i++) {
    ForgeValue *out = node->outputs->pdata[i];
    out->dtype = in->dtype;
    out->shape = in->shape;
  }
  return TRUE;
}

const ForgeOp toy_op = {
  .type = "Toy",
  .domain = "test",
  .min_inputs = 1,
  .max_inputs = -1,
  .min_outputs = 1,
  .max_outputs = 4,
  .infer = infer_like_first,
};

const ForgeOp toy_in_place_op = {
  .type = "ToyInPlace",
  .domain = "test",
  .min_inputs = 1,
  .max_inputs = -1,
  .min_outputs = 1,
  .max_outputs = 1,
  .infer = infer_like_first,
  .in_place = TRUE,
};

const ForgeOp toy_view_op = {
  .type = "ToyView",
  .domain = "test",
  .min_inputs = 1,
  .max_inputs = 1,
  .min_outputs = 1,
  .max_outputs = 1,
  .infer = infer_like_first,
  .is_view = TRUE,
};

static GPtrArray *
values_of (ForgeGraph *graph, const char *names)
{
  GPtrArray *values = g_ptr_array_new ();
  g_auto (GStrv) parts = g_strsplit (names, ",", -1);
  for (guint i = 0; parts[i]; i++) {
    const char *name = g_strstrip (parts[i]);
    g_ptr_array_add (values, *name ? forge_graph_value (graph, name) : NULL);
  }
  return values;
}

ForgeNode *
toy_node (ForgeGraph *graph, const ForgeOp *op, const char *inputs,
    const char *outputs, ForgeAttrs *attrs)
{
  g_assert_nonnull (op);
  g_autoptr (GPtrArray) in = values_of (graph, inputs);
  g_autoptr (GPtrArray) out = values_of (graph, outputs);
  return forge_graph_add_node (graph, op, NULL, attrs,
      (ForgeValue **) in->pdata, in->len, (ForgeValue **) out->pdata, out->len);
}

ForgeNode *
toy_onnx_node (ForgeGraph *graph, const char *type, const char *inputs,
    const char *outputs, ForgeAttrs *attrs)
{
  return toy_node (graph, forge_op_find (type, ""), inputs, outputs, attrs);
}

static ForgeShape
toy_shape (int a, int b, int c, int d)
{
  int dims[] = { a, b, c, d };
  ForgeShape shape = { 0 };
  while (shape.rank < 4 && dims[shape.rank]) {
    shape.dims[shape.rank] = dims[shape.rank];
    shape.rank++;
  }
  return shape;
}

ForgeValue *
toy_input (ForgeGraph *graph, const char *name, int a, int b, int c, int d)
{
  ForgeShape shape = toy_shape (a, b, c, d);
  return forge_graph_add_input (graph, name, FORGE_FLOAT32, &shape);
}

ForgeValue *
toy_constant (ForgeGraph *graph, const char *name, uint64_t seed, float low,
    float span, int a, int b, int c, int d)
{
  ForgeShape shape = toy_shape (a, b, c, d);
  g_autoptr (ForgeTensor) tensor =
      forge_tensor_new (FORGE_FLOAT32, &shape, NULL);
  ForgeRng rng;
  forge_rng_seed (&rng, seed);
  float *data = tensor->data;
  for (int64_t i = 0; i < forge_tensor_get_count (tensor); i++)
    data[i] = low + span * forge_rng_float (&rng);
  return forge_graph_add_constant (graph, name, tensor);
}

ForgeValue *
toy_scalar (ForgeGraph *graph, const char *name, float value)
{
  return toy_constant (graph, name, 0, value, 0, 0, 0, 0, 0);
}

ForgeValue *
toy_ints (ForgeGraph *graph, const char *name, const int64_t *values, int n)
{
  ForgeShape shape = forge_shape (1, n);
  g_autoptr (ForgeTensor) tensor = forge_tensor_new (FORGE_INT64, &shape, NULL);
  int64_t *data = tensor->data;
  for (int i = 0; i < n; i++)
    data[i] = values[i];
  return forge_graph_add_constant (graph, name, tensor);
}

void
toy_output (ForgeGraph *graph, const char *name)
{
  forge_graph_add_output (graph, forge_graph_value (graph, name));
}

void
toy_fill (ForgeTensor *tensor, uint64_t seed)
{
  ForgeRng rng;
  forge_rng_seed (&rng, seed);
  int64_t count = forge_tensor_get_count (tensor);
  for (int64_t i = 0; i < count; i++) {
    if (tensor->dtype == FORGE_UINT8)
      ((uint8_t *) tensor->data)[i] = (uint8_t) forge_rng_u64 (&rng);
    else
      ((float *) tensor->data)[i] = 2 * forge_rng_float (&rng) - 1;
  }
}

GPtrArray *
toy_run (const ForgeGraph *graph, uint64_t seed)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeGraph) copy = forge_graph_copy (graph);
  for (guint i = 0; i < copy->inputs->len; i++) {
    ForgeValue *input = copy->inputs->pdata[i];
    g_autoptr (ForgeTensor) tensor =
        forge_tensor_new (input->dtype, &input->shape, &error);
    g_assert_no_error (error);
    toy_fill (tensor, seed + i);
    forge_value_set_constant (input, tensor);
  }
  for (guint n = 0; n < copy->nodes->len; n++) {
    forge_node_evaluate (copy->nodes->pdata[n], &error);
    g_assert_no_error (error);
  }
  GPtrArray *outputs =
      g_ptr_array_new_with_free_func ((GDestroyNotify) forge_tensor_unref);
  for (guint i = 0; i < copy->outputs->len; i++) {
    const ForgeValue *output = copy->outputs->pdata[i];
    g_ptr_array_add (outputs, forge_tensor_ref (output->constant));
  }
  return outputs;
}

guint
toy_count (const ForgeGraph *graph, const char *type)
{
  guint count = 0;
  for (guint n = 0; n < graph->nodes->len; n++) {
    const ForgeNode *node = graph->nodes->pdata[n];
    count += g_str_equal (node->op->type, type);
  }
  return count;
}

ForgeAttrs *
toy_attrs_ints (ForgeAttrs *attrs, const char *name, int n, ...)
{
  int64_t values[16];
  va_list args;
  va_start (args, n);
  for (int i = 0; i < n; i++)
    values[i] = va_arg (args, int);
  va_end (args);
  if (!attrs)
    attrs = forge_attrs_new ();
  forge_attrs_set_ints (attrs, name, values, (gsize) n);
  return attrs;
}
