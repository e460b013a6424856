/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A network in half or double precision, as one in single precision. Half
 * precision is a way of storing weights: on a CPU, other runtimes compute such
 * a network in float32 too. The types that the file names become float32,
 * inputs and outputs with them. */
#include <string.h>

#include "graph/graph.h"

static gboolean
is_other_float (ForgeDtype dtype)
{
  return dtype == FORGE_FLOAT16 || dtype == FORGE_BFLOAT16 ||
         dtype == FORGE_FLOAT64;
}

static gboolean
any_is_other_float (const GPtrArray *values)
{
  for (guint i = 0; i < values->len; i++)
    if (is_other_float (((const ForgeValue *) values->pdata[i])->dtype))
      return TRUE;
  return FALSE;
}

gboolean
forge_graph_has_other_floats (const ForgeGraph *graph)
{
  return any_is_other_float (graph->values);
}

gboolean
forge_graph_is_other_float_network (const ForgeGraph *graph)
{
  static const char *const products[] = { "Conv", "Gemm", "MatMul", NULL };
  if (!any_is_other_float (graph->inputs) &&
      !any_is_other_float (graph->outputs))
    return FALSE;
  for (guint n = 0; n < graph->nodes->len; n++) {
    const ForgeNode *node = graph->nodes->pdata[n];
    if (g_strv_contains (products, node->op->type))
      return TRUE;
  }
  return FALSE;
}

typedef struct {
  GPtrArray *names;   /* of attributes that say a type: char* */
  GPtrArray *tensors; /* of attributes that hold one: char* */
} Found;

static void
look_at (const char *name, const ForgeAttr *attr, gpointer data)
{
  Found *found = data;
  gboolean says_type = strcmp (name, "to") == 0 || strcmp (name, "dtype") == 0;
  if (says_type && attr->type == FORGE_ATTR_INT &&
      is_other_float ((ForgeDtype) CLAMP (attr->i, 0, G_MAXINT)))
    g_ptr_array_add (found->names, g_strdup (name));
  if (attr->type == FORGE_ATTR_TENSOR && is_other_float (attr->tensor->dtype))
    g_ptr_array_add (found->tensors, g_strdup (name));
}

/* What a Cast casts to, the value of a ConstantOfShape. */
static gboolean
widen_attributes (ForgeAttrs *attrs, GError **error)
{
  g_autoptr (GPtrArray) names = g_ptr_array_new_with_free_func (g_free);
  g_autoptr (GPtrArray) tensors = g_ptr_array_new_with_free_func (g_free);
  Found found = { names, tensors };
  forge_attrs_foreach (attrs, look_at, &found);
  for (guint i = 0; i < names->len; i++)
    forge_attrs_set_int (attrs, names->pdata[i], FORGE_FLOAT32);
  for (guint i = 0; i < tensors->len; i++) {
    const char *name = tensors->pdata[i];
    g_autoptr (ForgeTensor) wide =
        forge_tensor_to_float32 (forge_attrs_get (attrs, name)->tensor, error);
    if (!wide)
      return FALSE;
    forge_attrs_set_tensor (attrs, name, wide);
  }
  return TRUE;
}

gboolean
forge_graph_widen_floats (ForgeGraph *graph, GError **error)
{
  for (guint i = 0; i < graph->values->len; i++) {
    ForgeValue *value = graph->values->pdata[i];
    if (!is_other_float (value->dtype))
      continue;
    gboolean is_half = value->dtype == FORGE_FLOAT16;
    value->dtype = FORGE_FLOAT32;
    if (!value->constant)
      continue;
    g_autoptr (ForgeTensor) wide =
        forge_tensor_to_float32 (value->constant, error);
    if (!wide)
      return FALSE;
    forge_value_set_constant (value, wide);
    if (is_half && wide->shape.rank >= 2)
      value->stored = FORGE_FLOAT16;
  }
  for (guint n = 0; n < graph->nodes->len; n++)
    if (!widen_attributes (
            ((ForgeNode *) graph->nodes->pdata[n])->attrs, error))
      return FALSE;
  return TRUE;
}
