/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What ReduceMean and the other reductions share: which axes go, and the
 * shape that is left. Private to ops/. */
#pragma once

#include "ops/op.h"

/* The input's shape with 1 at every reduced axis; @marks tells them. */
gboolean forge_reduce_shape (const ForgeNode *node, ForgeShape *kept,
    gboolean marks[FORGE_MAX_DIMS], GError **error);
/* Errors when a reduced axis has no elements. */
gboolean forge_reduce_need_elements (const ForgeNode *node, GError **error);
/* Sets out[0], of @dtype, with or without the reduced axes as the attribute
 * keepdims says. */
gboolean forge_reduce_infer (ForgeNode *node, ForgeDtype dtype, GError **error);
