/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A sorted map from name to typed value. Nodes have a handful of attributes,
 * looked up when a graph is loaded and never while it runs. */
#include "ops/attrs.h"

#include <string.h>

struct _ForgeAttrs {
  GTree *by_name; /* char* -> ForgeAttr* */
};

static void
attr_free (gpointer data)
{
  ForgeAttr *attr = data;
  g_free (attr->s);
  g_clear_pointer (&attr->ints, g_array_unref);
  g_clear_pointer (&attr->floats, g_array_unref);
  g_clear_pointer (&attr->tensor, forge_tensor_unref);
  g_free (attr);
}

static int
compare_names (gconstpointer a, gconstpointer b, gpointer unused)
{
  return strcmp (a, b);
}

ForgeAttrs *
forge_attrs_new (void)
{
  ForgeAttrs *attrs = g_new0 (ForgeAttrs, 1);
  attrs->by_name = g_tree_new_full (compare_names, NULL, g_free, attr_free);
  return attrs;
}

void
forge_attrs_free (ForgeAttrs *attrs)
{
  if (!attrs)
    return;
  g_tree_unref (attrs->by_name);
  g_free (attrs);
}

static void
copy_attr (const char *name, const ForgeAttr *attr, gpointer data)
{
  ForgeAttrs *copy = data;
  switch (attr->type) {
  case FORGE_ATTR_INT:
    forge_attrs_set_int (copy, name, attr->i);
    break;
  case FORGE_ATTR_FLOAT:
    forge_attrs_set_float (copy, name, attr->f);
    break;
  case FORGE_ATTR_STRING:
    forge_attrs_set_string (copy, name, attr->s);
    break;
  case FORGE_ATTR_INTS:
    forge_attrs_set_ints (
        copy, name, (const int64_t *) attr->ints->data, attr->ints->len);
    break;
  case FORGE_ATTR_FLOATS:
    forge_attrs_set_floats (
        copy, name, (const float *) attr->floats->data, attr->floats->len);
    break;
  case FORGE_ATTR_TENSOR:
    forge_attrs_set_tensor (copy, name, attr->tensor);
    break;
  }
}

ForgeAttrs *
forge_attrs_copy (const ForgeAttrs *attrs)
{
  ForgeAttrs *copy = forge_attrs_new ();
  forge_attrs_foreach (attrs, copy_attr, copy);
  return copy;
}

static ForgeAttr *
add (ForgeAttrs *attrs, const char *name, ForgeAttrType type)
{
  ForgeAttr *attr = g_new0 (ForgeAttr, 1);
  attr->type = type;
  g_tree_replace (attrs->by_name, g_strdup (name), attr);
  return attr;
}

void
forge_attrs_set_int (ForgeAttrs *attrs, const char *name, int64_t value)
{
  add (attrs, name, FORGE_ATTR_INT)->i = value;
}

void
forge_attrs_set_float (ForgeAttrs *attrs, const char *name, float value)
{
  add (attrs, name, FORGE_ATTR_FLOAT)->f = value;
}

void
forge_attrs_set_string (ForgeAttrs *attrs, const char *name, const char *value)
{
  char *copy = g_strdup (value);
  add (attrs, name, FORGE_ATTR_STRING)->s = copy;
}

void
forge_attrs_set_ints (
    ForgeAttrs *attrs, const char *name, const int64_t *values, gsize n_values)
{
  GArray *array = g_array_new (FALSE, FALSE, sizeof *values);
  if (n_values)
    g_array_append_vals (array, values, (guint) n_values);
  add (attrs, name, FORGE_ATTR_INTS)->ints = array;
}

void
forge_attrs_set_floats (
    ForgeAttrs *attrs, const char *name, const float *values, gsize n_values)
{
  GArray *array = g_array_new (FALSE, FALSE, sizeof *values);
  if (n_values)
    g_array_append_vals (array, values, (guint) n_values);
  add (attrs, name, FORGE_ATTR_FLOATS)->floats = array;
}

void
forge_attrs_set_tensor (ForgeAttrs *attrs, const char *name, ForgeTensor *value)
{
  ForgeTensor *ref = forge_tensor_ref (value);
  add (attrs, name, FORGE_ATTR_TENSOR)->tensor = ref;
}

const ForgeAttr *
forge_attrs_get (const ForgeAttrs *attrs, const char *name)
{
  return attrs ? g_tree_lookup (attrs->by_name, name) : NULL;
}

static const ForgeAttr *
get_typed (const ForgeAttrs *attrs, const char *name, ForgeAttrType type)
{
  const ForgeAttr *attr = forge_attrs_get (attrs, name);
  return attr && attr->type == type ? attr : NULL;
}

int64_t
forge_attrs_int (const ForgeAttrs *attrs, const char *name, int64_t fallback)
{
  const ForgeAttr *attr = get_typed (attrs, name, FORGE_ATTR_INT);
  return attr ? attr->i : fallback;
}

float
forge_attrs_float (const ForgeAttrs *attrs, const char *name, float fallback)
{
  const ForgeAttr *attr = get_typed (attrs, name, FORGE_ATTR_FLOAT);
  return attr ? attr->f : fallback;
}

const char *
forge_attrs_string (
    const ForgeAttrs *attrs, const char *name, const char *fallback)
{
  const ForgeAttr *attr = get_typed (attrs, name, FORGE_ATTR_STRING);
  return attr ? attr->s : fallback;
}

gsize
forge_attrs_ints (
    const ForgeAttrs *attrs, const char *name, const int64_t **values)
{
  const ForgeAttr *attr = get_typed (attrs, name, FORGE_ATTR_INTS);
  *values = attr ? (const int64_t *) attr->ints->data : NULL;
  return attr ? attr->ints->len : 0;
}

typedef struct {
  void (*func) (const char *name, const ForgeAttr *attr, gpointer data);
  gpointer data;
} Visit;

static gboolean
visit (gpointer name, gpointer attr, gpointer data)
{
  const Visit *call = data;
  call->func (name, attr, call->data);
  return FALSE;
}

void
forge_attrs_foreach (const ForgeAttrs *attrs,
    void (*func) (const char *name, const ForgeAttr *attr, gpointer data),
    gpointer data)
{
  if (attrs)
    g_tree_foreach (attrs->by_name, visit, &(Visit) { func, data });
}
