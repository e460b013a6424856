/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Networks that were trained before, as the start of another training. */
#pragma once

#include "forge/preprocess.h"
#include "graph/graph.h"

/**
 * forge_network_load:
 * @path: any model file that can be read
 * @stated: (nullable): what the user says of its input
 * @preprocess: (out caller-allocates): of the graph returned: bytes, R'G'B',
 *   [N, H, W, 3], resized as the file says
 * @error: return location
 *
 * Reads a network and puts its scaling, colour order and layout in front of it
 * as nodes, so that it takes pictures as bytes.
 *
 * Errors: those of forge_model_load(); FORGE_ERROR_UNSUPPORTED for a network
 * that takes no colour pictures or has several outputs.
 * Returns: (transfer full) (nullable): sorted and inferred; its constants are
 *   its own
 */
ForgeGraph *forge_network_load (const char *path,
    const ForgeStatedPreprocess *stated, ForgePreprocess *preprocess,
    GError **error);

/* Takes the classes off: the last Gemm, MatMul or Conv with all behind it, and
 * back to what it pools or flattens. The graph then ends in features, float32
 * [N, *n_features], after a global average where they were a map. A network
 * without classes is left as it is. FORGE_ERROR_UNSUPPORTED when it ends in
 * nothing like features. */
gboolean forge_network_cut_head (
    ForgeGraph *graph, int64_t *n_features, GError **error);
/* Batch norms become what they are when nothing trains: part of the layer
 * before, or a product and a sum. */
gboolean forge_network_fold_norms (ForgeGraph *graph, GError **error);
/* Marks the weights of all layers but the last @n_layers that have some as
 * frozen; G_MAXUINT = none. */
void forge_network_freeze (ForgeGraph *graph, guint n_layers);

/* A dense layer and probabilities behind the only output, float32 [N,
 * n_features]. @weights, @bias: NULL = fresh ones, drawn by @seed, else shared.
 * @dropout 0 = none. */
typedef struct {
  int64_t n_features;
  guint n_outputs;
  gboolean sigmoid;
  double dropout;
  uint64_t seed;
  ForgeTensor *weights, *bias;
} ForgeNetworkHead;
gboolean forge_network_add_head (
    ForgeGraph *graph, const ForgeNetworkHead *head, GError **error);

/* The last node gives probabilities: adds softmax or sigmoid where the network
 * ends in scores. FORGE_ERROR_ARGUMENT unless it has @n_outputs of them. */
gboolean forge_network_end_in_probabilities (
    ForgeGraph *graph, guint n_outputs, gboolean sigmoid, GError **error);
