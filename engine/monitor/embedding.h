/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The geometry of known pictures' features. */
#pragma once

#include "forge/baseline.h"

/* @embedding: zeros; stays so when there is nothing to fit (no features, or
 * none of them varies). */
void forge_embedding_fit (
    ForgeEmbedding *embedding, const ForgeBaselineData *data);
double forge_embedding_distance (
    const ForgeEmbedding *embedding, guint n_classes, const float *features);
void forge_embedding_clear (ForgeEmbedding *embedding);
