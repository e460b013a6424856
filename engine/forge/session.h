/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Running a model: raw tensors in, raw tensors out. classifier.h is the layer
 * above that takes frames and gives labels. */
#pragma once

#include "forge/model.h"

G_BEGIN_DECLS

typedef struct _ForgeSession ForgeSession;

/**
 * ForgeSessionParams:
 * @threads: threads for one run; 0 = all the process may use
 * @batch: extent bound to an unknown leading dimension, >= 1
 * @shapes: (nullable) (array): one shape for each input; where an input leaves
 *   an extent open, what it is. %NULL = the size of pictures that the model's
 *   preprocessing has
 * @profile: time every node (see forge_session_get_profile())
 * @features: keep what the last layer with weights reads (see
 *   forge_session_get_features()); costs nothing when not asked for
 *
 * Since: 0.1
 */
typedef struct {
  int threads;
  int batch;
  gboolean profile;
  gboolean features;
  const ForgeShape *shapes;
} ForgeSessionParams;

#define FORGE_SESSION_PARAMS_DEFAULT \
  {                                  \
    .threads = 0, .batch = 1         \
  }

/**
 * forge_session_new:
 * @model: the model; a reference is kept
 * @params: (nullable): %NULL = defaults
 * @error: return location
 *
 * Plans one arena for all activations and picks the kernels. Sessions of the
 * same model and batch share packed weights. Nothing is allocated later.
 *
 * Errors: %FORGE_ERROR_SHAPE, %FORGE_ERROR_MEMORY, %FORGE_ERROR_ARGUMENT.
 * Thread safety: any thread; a session itself is for one thread at a time.
 * Returns: (transfer full) (nullable): the session
 * Since: 0.1
 */
ForgeSession *forge_session_new (
    ForgeModel *model, const ForgeSessionParams *params, GError **error);

/**
 * forge_session_free:
 * @session: (transfer full) (nullable): the session
 *
 * Frees it and drops its reference of the model.
 *
 * Since: 0.1
 */
void forge_session_free (ForgeSession *session);

/**
 * forge_session_get_model:
 * @session: the session
 *
 * What it runs.
 *
 * Returns: (transfer none): the model
 * Since: 0.1
 */
ForgeModel *forge_session_get_model (const ForgeSession *session);

/**
 * forge_session_get_input:
 * @session: the session
 * @index: which one, from 0
 *
 * An input tensor in the arena, of full shape: fill it, then run. A run leaves
 * it as it is.
 *
 * Returns: (transfer none): the tensor
 * Since: 0.1
 */
ForgeTensor *forge_session_get_input (ForgeSession *session, guint index);

/**
 * forge_session_get_output:
 * @session: the session
 * @index: which one, from 0
 *
 * An output tensor in the arena, of full shape. The next run overwrites it.
 *
 * Returns: (transfer none): the tensor
 * Since: 0.1
 */
ForgeTensor *forge_session_get_output (ForgeSession *session, guint index);

/**
 * forge_session_get_features:
 * @session: the session
 *
 * The penultimate activations: what the last Gemm, MatMul or convolution on
 * the way to the first output reads, `[N, D]`, `[N, C, H, W]` (ONNX, Keras) or
 * `[N, H, W, C]` (TensorFlow Lite), of the type that the network computes in.
 * forge_classifier_get_features() makes one vector of it.
 *
 * Returns: (transfer none) (nullable): the tensor, overwritten by the next
 * run; %NULL unless the params asked for it and the network has such a layer
 * Since: 0.1
 */
ForgeTensor *forge_session_get_features (ForgeSession *session);

/**
 * forge_session_get_logits:
 * @session: the session
 *
 * What the Softmax that the network ends in reads.
 *
 * Returns: (transfer none) (nullable): the tensor, overwritten by the next
 * run; %NULL unless forge_session_get_features() gives one and the network
 * ends in Softmax
 * Since: 0.1
 */
ForgeTensor *forge_session_get_logits (ForgeSession *session);

/**
 * forge_session_run:
 * @session: the session
 *
 * Runs the network once. The result does not depend on the thread count.
 *
 * Thread safety: one thread at a time per session.
 * Since: 0.1
 */
void forge_session_run (ForgeSession *session);

/**
 * forge_session_get_arena_bytes:
 * @session: the session
 *
 * The memory of all activations.
 *
 * Returns: bytes
 * Since: 0.1
 */
size_t forge_session_get_arena_bytes (const ForgeSession *session);

/**
 * forge_session_get_packed_bytes:
 * @session: the session
 *
 * The memory of the packed weights, which the session shares.
 *
 * Returns: bytes
 * Since: 0.1
 */
size_t forge_session_get_packed_bytes (const ForgeSession *session);

/**
 * ForgeNodeProfile:
 * @name: of the node
 * @type: its operator
 * @algorithm: how it computes
 * @tuned_shape: (nullable): what forge_tune() knows it by, where it could be
 *   computed in more than one way; valid as long as the session
 * @n_runs: since the session was made
 * @total_ns: time in all of them; 0 unless params asked for the profile
 * @n_flops: of one run
 * @bytes_moved: of one run: what it reads, weights as they are packed, and
 *   what it writes, each once; 0 for a view. Of a Concat what it copies: inputs
 *   that lie in its output from the start do not move
 *
 * One node after optimisation.
 *
 * Since: 0.1
 */
typedef struct {
  const char *name, *type, *algorithm, *tuned_shape;
  uint64_t n_runs;
  uint64_t total_ns;
  int64_t n_flops;
  int64_t bytes_moved;
} ForgeNodeProfile;

/**
 * forge_session_get_profile:
 * @session: the session
 * @n_nodes: (out): number of rows
 *
 * The nodes in running order.
 *
 * Thread safety: not while it runs.
 * Returns: (transfer container) (array length=n_nodes): the rows
 * Since: 0.1
 */
ForgeNodeProfile *forge_session_get_profile (
    const ForgeSession *session, gsize *n_nodes);

/**
 * ForgeSessionCosts:
 * @read_us: microseconds for reading and parsing the model's file, its labels
 *   and preprocessing with it; 0 for a model that was not read
 * @passes_us: for binding the batch, optimising the graph and placing the
 *   activations
 * @packing_us: for choosing algorithms and packing weights
 * @weight_bytes: constants of the model and those that the passes made of them
 * @packed_bytes: the packed copy
 * @arena_bytes: activations, and inputs and outputs of a whole batch that is
 *   run in parts
 * @workspace_bytes: scratch of the node that needs the most
 *
 * What a session cost to make and what it holds. All but the last two is
 * shared by the sessions of a model and batch, and was spent once.
 *
 * Since: 0.1
 */
typedef struct {
  uint64_t read_us, passes_us, packing_us;
  size_t weight_bytes, packed_bytes, arena_bytes, workspace_bytes;
} ForgeSessionCosts;

/**
 * forge_session_get_costs:
 * @session: the session
 *
 * Where load time and memory go.
 *
 * Thread safety: any thread. Walks all constants.
 * Returns: the figures
 * Since: 0.1
 */
ForgeSessionCosts forge_session_get_costs (const ForgeSession *session);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ForgeSession, forge_session_free)

G_END_DECLS
