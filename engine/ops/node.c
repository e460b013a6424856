/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Access to a node's values and the wording of its errors. */
#include "ops/op.h"

#include <stdarg.h>

ForgeValue *
forge_node_in (const ForgeNode *node, guint index)
{
  return index < node->inputs->len ? g_ptr_array_index (node->inputs, index)
                                   : NULL;
}

ForgeValue *
forge_node_out (const ForgeNode *node, guint index)
{
  return index < node->outputs->len ? g_ptr_array_index (node->outputs, index)
                                    : NULL;
}

gboolean
forge_node_error (
    const ForgeNode *node, GError **error, int code, const char *format, ...)
{
  va_list args;
  va_start (args, format);
  g_autofree char *text = g_strdup_vprintf (format, args);
  va_end (args);
  g_set_error (error, FORGE_ERROR, code, "node '%s' (%s): %s",
      node->name ? node->name : "", node->op->type, text);
  return FALSE;
}
