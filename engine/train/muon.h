/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Muon: momentum whose direction is made orthogonal before it is followed, for
 * weights that are matrices. A convolution's filters are one, [O, C KH KW].
 * Source: K. Jordan et al., "Muon: An optimizer for hidden layers in neural
 * networks" (2024); normalised filters: its use for CIFAR-10, airbench94_muon.
 */
#pragma once

#include "graph/graph.h"

/* Room for the products, and the threads that share them. */
typedef struct _ForgeMuon ForgeMuon;

/* A weight as a matrix. */
typedef struct {
  size_t n_rows, n_columns; /* 0 rows = not for Muon */
  size_t n_filters;         /* of the layer: its outputs */
} ForgeMuonShape;

typedef struct {
  double learning_rate;
  double momentum;
  gboolean nesterov;
  guint n_steps;       /* of Newton-Schulz, >= 1 */
  gboolean normalises; /* the weight to norm sqrt (n_filters) first */
  double weight_decay; /* decoupled; nothing where @normalises */
} ForgeMuonRule;

/* The weight that is input @index of @node as a matrix: filters of a
 * convolution that is not depthwise, or a dense layer's weights, two rows and
 * two columns at least. Whether the layer is the last is for the caller. */
ForgeMuonShape forge_muon_shape (const ForgeNode *node, guint index);

/* For matrices of up to @most_elems with shorter sides of up to @most_side.
 * NULL when there is no memory. */
ForgeMuon *forge_muon_new (
    size_t most_side, size_t most_longer, size_t most_elems, int threads);
void forge_muon_free (ForgeMuon *muon);

/**
 * forge_muon_orthogonalise:
 * @n_steps: >= 1
 * @matrix: float32 [n_rows, n_columns], changed in place
 *
 * X = matrix / (|matrix| + 1e-7), with the norm of Frobenius, then @n_steps
 * times X = a X + (b A + c A A) X, where A = X X', a = 3.4445, b = -4.775 and
 * c = 2.0315: singular values well above 0 come close to 1. Both factors of
 * the singular value decomposition stay. A matrix of zeros stays one.
 *
 * Thread safety: one call a time for each @muon. The bits do not depend on the
 * threads.
 */
void forge_muon_orthogonalise (ForgeMuon *muon, guint n_steps, size_t n_rows,
    size_t n_columns, float *matrix);

/**
 * forge_muon_step:
 * @scale: of the gradient, from clipping; 1 = as it is
 * @value, @gradient, @m: float32 [n_rows, n_columns]; @m is zero before the
 *   first step
 *
 *   m = momentum m + g
 *   value *= sqrt (n_filters) / |value|  or  1 - rate weight_decay
 *   value -= rate orthogonal (nesterov ? g + momentum m : m)
 */
void forge_muon_step (ForgeMuon *muon, const ForgeMuonRule *rule,
    const ForgeMuonShape *shape, float scale, float *value,
    const float *gradient, float *m);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ForgeMuon, forge_muon_free)
