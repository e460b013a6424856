/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The features of a classifier: what its last layer with weights reads. */
#pragma once

#include "graph/graph.h"

typedef struct {
  ForgeValue *value;      /* [N, ...], owned by the graph */
  gboolean channels_last; /* else the channels are axis 1 */
  ForgeValue *logits;     /* what the Softmax at the end reads, or NULL */
} ForgeFeatures;

/* Walks back from the output that has the scores. FALSE when no layer with
 * weights is met, or when what it reads is the network's input. */
gboolean forge_features_find (
    const ForgeGraph *graph, guint output, ForgeFeatures *features);
/* A copy of @graph with the features, and the logits where there are any, as
 * outputs behind its own; NULL when it has no features. */
ForgeGraph *forge_features_expose (const ForgeGraph *graph, guint output);
