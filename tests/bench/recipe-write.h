/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * peers/recipe.h from a graph. */
#pragma once

#include "graph/graph.h"

/* Writes FOLDER/NAME.recipe and .weights, batch bound. FALSE with
 * FORGE_ERROR_UNSUPPORTED, naming the node, where a recipe has no such layer.
 */
gboolean recipe_write (
    const ForgeGraph *graph, const char *base, GError **error);
