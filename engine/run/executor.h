/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * One graph at one batch size for training and for gradient checks: forward
 * with every activation kept, then backward node by node in reverse. train/
 * owns the loss and the optimiser; this owns the steps and the gradients.
 *
 * A training step:
 *   fill forge_executor_get_input (e, i)
 *   forge_executor_forward (e, seed)
 *   read forge_executor_get_output (e, 0), write dLoss/dOutput to
 *     forge_executor_get_output_gradient (e, 0)
 *   forge_executor_backward (e)
 *   for each parameter: value -= rate * gradient, in place. */
#pragma once

#include "graph/graph.h"

typedef struct _ForgeExecutor ForgeExecutor;

/* A trainable constant of the graph. */
typedef struct {
  const char *name;      /* of the value, borrowed */
  const char *node_name; /* of its first reader */
  ForgeTensor *value;    /* shared with the graph: write to it in place */
  ForgeTensor *gradient; /* same shape; overwritten by every backward */
} ForgeParameter;

/* What a constant input of a node is to training, by its place in the
 * operator and its type: only float constants that are not scalars count. */
typedef enum {
  FORGE_ROLE_NONE,
  FORGE_ROLE_TRAINED,   /* weight, bias, scale, shift */
  FORGE_ROLE_FROZEN,    /* the same, of a value that is marked as frozen */
  FORGE_ROLE_STATISTIC, /* running mean and variance of batch normalisation */
} ForgeRole;

ForgeRole forge_node_input_role (const ForgeNode *node, guint index);

/**
 * forge_executor_new:
 * @graph: is copied (constants are shared, so that both see the updates)
 * @batch: bound to the unknown leading extents, >= 1
 * @threads: for one run; 0 = all the process may use
 * @training: steps run with training set, and gradients are planned. FALSE
 *   is for validation between epochs: as a session, but of the weights as
 *   they are at every forward
 * @error: return location
 *
 * Errors: FORGE_ERROR_UNSUPPORTED naming the node when an operator on the way
 * from a parameter to an output has no backward, those of
 * forge_graph_bind_batch() and of the operators' prepare.
 */
ForgeExecutor *forge_executor_new (const ForgeGraph *graph, int64_t batch,
    int threads, gboolean training, GError **error);
void forge_executor_free (ForgeExecutor *executor);

/* Borrowed; the same for the life of the executor. */
ForgeTensor *forge_executor_get_input (ForgeExecutor *executor, guint index);
ForgeTensor *forge_executor_get_output (ForgeExecutor *executor, guint index);
/* Training only. float32, shaped as the output; zero at first. */
ForgeTensor *forge_executor_get_output_gradient (
    ForgeExecutor *executor, guint index);

/* In graph order, each once, however many nodes read it. Training only. */
guint forge_executor_get_n_parameters (const ForgeExecutor *executor);
const ForgeParameter *forge_executor_get_parameter (
    const ForgeExecutor *executor, guint index);

/* Runs all nodes. Weights are packed anew where they may have changed.
 * @seed: of this step, for dropout. FALSE only when packing runs out of
 * memory. */
gboolean forge_executor_forward (
    ForgeExecutor *executor, uint64_t seed, GError **error);
/* Needs a forward before it. The result does not depend on the thread count
 * as far as the operators keep to that. */
void forge_executor_backward (ForgeExecutor *executor);
/* Name of the first node, in running order, whose output holds NaN or
 * infinity after a forward; NULL when all are finite. Training only: else
 * activations share memory. */
const char *forge_executor_find_non_finite (const ForgeExecutor *executor);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ForgeExecutor, forge_executor_free)
