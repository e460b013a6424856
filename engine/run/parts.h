/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * How many pictures of a batch a session runs at a time. */
#pragma once

#include "graph/graph.h"

/* @graph is as the model has it, with no extent open but that of the batch.
 * Gives @batch, or a part of it without remainder: where the activations of
 * the whole would leave the cache, where that costs more than reading the
 * weights again for each part, and where the network keeps pictures apart.
 * @batch is set to the extent of the inputs where they say it themselves; the
 * inputs of @graph then have theirs opened if a part is run. */
int64_t forge_choose_part (ForgeGraph *graph, int64_t *batch);
