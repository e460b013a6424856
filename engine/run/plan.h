/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A graph made ready for one batch size: optimised, nodes prepared (weights
 * packed, algorithms chosen), activations placed. Immutable, so sessions on
 * several threads share one. */
#pragma once

#include "graph/graph.h"

typedef enum {
  FORGE_PLAN_INFERENCE,  /* all passes; memory reused */
  FORGE_PLAN_VALIDATION, /* weights stay those of the graph; memory reused */
  FORGE_PLAN_TRAINING,   /* the same; every activation kept */
} ForgePlanKind;

typedef struct {
  gint ref_count;
  ForgePlanKind kind;
  ForgeGraph *graph;
  ForgePrepared *prepared; /* one per node, in running order */
  ForgeMemoryPlan *memory;
  size_t workspace_bytes, backward_workspace_bytes; /* the most of any node */
  size_t packed_bytes;
  uint64_t passes_us, packing_us; /* what making it took */
} ForgePlan;

/* @graph is copied; constants are shared where no pass rewrites them. Errors:
 * those of forge_graph_bind_batch(), the passes, the memory plan and the
 * operators' prepare. */
ForgePlan *forge_plan_new (
    const ForgeGraph *graph, ForgePlanKind kind, int64_t batch, GError **error);
ForgePlan *forge_plan_ref (ForgePlan *plan);
void forge_plan_unref (ForgePlan *plan);
/* Packs node @index again, after its constants changed in place. Only the
 * sole owner of a plan may. */
gboolean forge_plan_prepare_again (
    ForgePlan *plan, guint index, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ForgePlan, forge_plan_unref)
