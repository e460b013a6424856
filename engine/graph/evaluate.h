/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Nodes whose outputs follow from constants and shapes alone. */
#pragma once

#include "graph/graph.h"

/* TRUE when forge_node_evaluate() has all it needs. Shapes are inferred. */
gboolean forge_node_is_constant (const ForgeNode *node);
/* TRUE when it is, and cheap: a Constant, or a short list of integers. */
gboolean forge_node_is_extents (const ForgeNode *node);
/* Runs the node; its outputs become constants, marked as folded. */
gboolean forge_node_evaluate (const ForgeNode *node, GError **error);
