/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Whether a network treats each picture of a batch by itself. */
#pragma once

#include "graph/graph.h"

/* TRUE when picture i of every output, along axis 0, follows from picture i of
 * the inputs alone, so that a batch may be run in parts. @graph has been bound
 * to @batch, which proves it when it is two or more; with one it is the sizes
 * alone that are looked at. FALSE also where an operator is not known to keep
 * pictures apart. */
gboolean forge_graph_keeps_pictures (const ForgeGraph *graph, int64_t batch);
