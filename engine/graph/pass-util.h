/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the files in passes/ share. */
#pragma once

#include "graph/graph.h"

/* Rewrites the graph. Shapes are fully known, the nodes in order. A pass may
 * append nodes anywhere in the list and leave dead ones behind: the runner
 * sorts, sweeps and infers after each. */
typedef gboolean (*ForgePass) (
    ForgeGraph *graph, ForgePassSet set, GError **error);

/* Passes write nodes as of this opset, whatever the file was written for. */
#define FORGE_PASS_OPSET 13

gboolean forge_node_is (const ForgeNode *node, const char *type);
/* The node that produces input @index when it is a @type; else NULL. */
ForgeNode *forge_node_source (
    const ForgeNode *node, guint index, const char *type);
/* The data of a constant float32 input with @count elements; NULL when it is
 * anything else. */
const float *forge_node_floats (
    const ForgeNode *node, guint index, int64_t count);
/* A list of integers: an attribute in old opsets, constant input @index in
 * new ones. 0 when neither is there. */
gsize forge_node_ints (const ForgeNode *node, const char *name, guint index,
    const int64_t **values);
/* TRUE when @node is the only reader of the value, reads it once, and the
 * value is no graph output. */
gboolean forge_graph_only_reader (
    const ForgeGraph *graph, const ForgeValue *value, const ForgeNode *node);
/* Points input @index at @value, appending it when the list is shorter. */
void forge_node_set_in (ForgeNode *node, guint index, ForgeValue *value);
/* A new node with one output of its own. Takes @attrs. */
ForgeNode *forge_graph_insert (ForgeGraph *graph, const ForgeOp *op,
    const char *name, ForgeAttrs *attrs, ForgeValue *const *inputs,
    guint n_inputs);
/* @node produces @value as its first output in place of the old one, which
 * loses its producer. */
void forge_node_swap_out (ForgeNode *node, ForgeValue *value);
/* A fresh float32 constant. NULL with FORGE_ERROR_MEMORY. */
ForgeValue *forge_graph_new_floats (
    ForgeGraph *graph, const ForgeShape *shape, float **data, GError **error);
/* A fresh int64 [n] constant of the extents of @shape. */
ForgeValue *forge_graph_new_shape (
    ForgeGraph *graph, const ForgeShape *shape, GError **error);
/* Removes nodes nothing depends on. Nodes must be in order. */
void forge_graph_drop_dead (ForgeGraph *graph);
