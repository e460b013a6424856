/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The ten networks that compare measures, with random weights of a fixed
 * seed: the same bytes on every machine. */
#pragma once

#include "graph/graph.h"

/* NULL behind the last. */
const char *bench_network_name (guint index);
/* Sorted and inferred, one float32 [batch, 3, side, side] in. @batch may be
 * -1. */
ForgeGraph *bench_network_graph (const char *name, int batch, GError **error);
