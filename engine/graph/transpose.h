/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Orders of axes, for the layout pass. A permutation is ONNX's: axis i of the
 * result is axis perm[i] of the source. */
#pragma once

#include "graph/graph.h"

extern const int64_t forge_nchw_to_nhwc[4], forge_nhwc_to_nchw[4];

ForgeShape forge_shape_permute (const ForgeShape *shape, const int64_t *perm);
/* (transfer full); NULL with FORGE_ERROR_MEMORY. */
ForgeTensor *forge_tensor_permute (
    const ForgeTensor *tensor, const int64_t *perm, GError **error);
/* The permutation of a Transpose node of full shapes; FALSE for any other
 * node. */
gboolean forge_node_perm (const ForgeNode *node, int64_t perm[FORGE_MAX_DIMS]);
/* Inserts a Transpose of rank 4 that reads @in and writes @out; shape and
 * type of a fresh @out (NULL) are set. Returns @out. */
ForgeValue *forge_graph_transpose (
    ForgeGraph *graph, ForgeValue *in, ForgeValue *out, const int64_t perm[4]);
/* TRUE when the permutation moves only axes of extent 1: the bytes stay in
 * order, and a Reshape does. */
gboolean forge_perm_keeps_bytes (const ForgeShape *from, const int64_t *perm);
