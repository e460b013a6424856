/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A plan with memory under it: the arena, a tensor for every value, a step
 * for every node. What a session runs, and an executor runs both ways. */
#pragma once

#include "run/plan.h"

typedef struct {
  ForgePlan *plan;
  ForgeStep *steps; /* [n_steps], as plan->graph->nodes */
  guint n_steps;
  void *arena, *workspace, *backward_workspace;
  GHashTable *tensors; /* ForgeValue* -> ForgeTensor*, owned */
} ForgeSteps;

/* Takes a reference to @plan. Errors: FORGE_ERROR_MEMORY, those of the
 * operators' bind. */
ForgeSteps *forge_steps_new (ForgePlan *plan, int threads, GError **error);
void forge_steps_free (ForgeSteps *steps);
/* The tensor of a value of the plan's graph. */
ForgeTensor *forge_steps_tensor (
    const ForgeSteps *steps, const ForgeValue *value);
/* Runs one node; views have nothing to run. */
void forge_steps_run (const ForgeSteps *steps, guint index);
/* Binds one node anew, after forge_plan_prepare_again(). */
gboolean forge_steps_bind_again (
    ForgeSteps *steps, guint index, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ForgeSteps, forge_steps_free)
