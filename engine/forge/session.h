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
 * @profile: time every node (see forge_session_get_profile())
 *
 * Since: 0.1
 */
typedef struct {
  int threads;
  int batch;
  gboolean profile;
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
void forge_session_free (ForgeSession *session);

ForgeModel *forge_session_get_model (const ForgeSession *session);
/* Borrowed tensors in the session's arena, full shapes. Fill the inputs, run,
 * read the outputs; the next run overwrites them. A run leaves the inputs as
 * they are. */
ForgeTensor *forge_session_get_input (ForgeSession *session, guint index);
ForgeTensor *forge_session_get_output (ForgeSession *session, guint index);

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

/* Bytes of the activations, and of the packed weights this session shares. */
size_t forge_session_get_arena_bytes (const ForgeSession *session);
size_t forge_session_get_packed_bytes (const ForgeSession *session);

typedef struct {
  const char *name, *type, *algorithm;
  uint64_t n_runs;
  uint64_t total_ns;
  int64_t n_flops; /* of one run */
} ForgeNodeProfile;

/* Nodes after optimisation, in running order. Times are 0 unless params asked
 * for the profile. (transfer container) */
ForgeNodeProfile *forge_session_get_profile (
    const ForgeSession *session, gsize *n_nodes);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ForgeSession, forge_session_free)

G_END_DECLS
