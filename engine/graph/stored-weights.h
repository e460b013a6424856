/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Float32 constants that a file keeps narrower than the network computes with
 * them: as float16 with a Cast behind, or as int8 with a DequantizeLinear by a
 * scale for each output channel. Once a file is read these nodes are gone, so
 * that convolutions see constants; the value remembers how it was stored, and
 * the writer stores it so again.
 *
 * What is worth it are the filters of convolutions and the matrices of
 * products. Biases, batch-norm statistics and other vectors are few, and
 * their errors go into every position of a map: they stay as they are. */
#pragma once

#include "forge/convert.h"
#include "graph/graph.h"

typedef struct {
  ForgeValue *value; /* a float32 constant */
  int axis;          /* of the channels that its first reader puts out */
} ForgeMatrix;

/* A float product: input 0 or 1 may be its filters or matrix. */
gboolean forge_node_is_product (const ForgeNode *node);
/* Those worth it, in the order of the nodes: array of ForgeMatrix. (transfer
 * full) */
GArray *forge_graph_list_matrices (const ForgeGraph *graph);

/* Matrices as @weights says, rounded and marked as stored so; what does not
 * fit an int8 becomes float16, and what does not fit that either stays float32.
 * AS_READ changes nothing. */
gboolean forge_graph_store_weights (
    ForgeGraph *graph, ForgeWeights weights, GError **error);
/* Can it be done? FORGE_ERROR_UNSUPPORTED where the graph's opset has no
 * operator for it, or the network computes in integers already. */
gboolean forge_graph_can_store (
    const ForgeGraph *graph, ForgeWeights weights, GError **error);
/* Narrow constants of a file with their Cast or DequantizeLinear become
 * float32 constants that are stored so. The graph is sorted. */
gboolean forge_graph_take_weights (ForgeGraph *graph, GError **error);

/* Of a constant, as a file keeps it, scales included. */
size_t forge_value_stored_bytes (const ForgeValue *value);

typedef enum {
  FORGE_FITS,
  FORGE_OVERFLOWS, /* a value is not finite, or beyond the type's range */
  FORGE_LOSES,     /* rounding would change the matrix by too much */
} ForgeFit;

/* half-weights.c; bounds are 65504, and 2^-10 of the root of the sum of
 * squares. Rounds to the nearest half, ties to even. */
gboolean forge_value_is_half (const ForgeValue *value);
ForgeFit forge_tensor_fit_half (const ForgeTensor *tensor);
gboolean forge_value_store_half (ForgeValue *value, GError **error);
gboolean forge_graph_take_halves (
    ForgeGraph *graph, GHashTable *taken, GError **error);

/* int8-weights.c */
gboolean forge_value_is_int8 (const ForgeValue *value);
ForgeFit forge_tensor_fit_int8 (const ForgeTensor *tensor, int axis);
gboolean forge_value_store_int8 (ForgeValue *value, int axis, GError **error);
/* The int8 that @scale makes of each element. FALSE, and @bytes is undefined,
 * unless all are exactly what the scale gives back. */
gboolean forge_value_to_int8 (const ForgeValue *value, int8_t *bytes);
gboolean forge_graph_take_int8 (
    ForgeGraph *graph, GHashTable *taken, GError **error);
/* Does the node compute in integers, or make them of an activation? */
gboolean forge_node_quantises (const ForgeNode *node);
/* Are activations, and not weights alone, among what is quantised? */
gboolean forge_graph_is_quantised (const ForgeGraph *graph);
