/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Pictures of a network: text for Graphviz, and a plain drawing of our own
 * that needs none. */
#pragma once

#include "forge/model.h"

/* (transfer full): a digraph in the DOT language. */
char *model_graph_to_dot (
    const ForgeModel *model, const ForgeLayerInfo *layers, gsize n_layers);
/* One box a layer, top down in running order; what skips layers runs in lanes
 * to the right. Nodes of constants alone are left out. */
gboolean model_graph_write_svg (const ForgeModel *model,
    const ForgeLayerInfo *layers, gsize n_layers, const char *path,
    GError **error);
