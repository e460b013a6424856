/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The inside of ForgeModel, for run/ and train/. */
#pragma once

#include "forge/preprocess.h"
#include "formats/format.h"
#include "run/plan.h"

/* A model of a graph that was built rather than read: what the trainer
 * evaluates, and what tests run. Takes @graph, which must be sorted and
 * inferred; frees it on errors too. */
ForgeModel *forge_model_new_from_graph (
    ForgeGraph *graph, const char *name, GError **error);
/* As read: before any pass, batch unknown. */
const ForgeGraph *forge_model_get_graph (const ForgeModel *model);
/* What reading and parsing its file took; 0 for a graph that was built. */
uint64_t forge_model_get_read_us (const ForgeModel *model);
/* Bits of ForgeInfoKnown (formats/model-info.h) that had to be assumed. */
guint forge_model_get_assumed (const ForgeModel *model);
/* Bits of ForgeInfoKnown that @stated states. */
guint forge_stated_fields (const ForgeStatedPreprocess *stated);
/* The shared plan for @batch, or for a part of it that a session runs several
 * times (run/parts.h), made on first use. (transfer full) */
ForgePlan *forge_model_plan (ForgeModel *model, int batch, GError **error);
/* The same where inputs leave other extents open: @shapes, one for each input,
 * say them; NULL = the size of the model's pictures. @features: with the
 * features (run/features.h) as its last output, where the network has some. */
ForgePlan *forge_model_plan_for (ForgeModel *model, int batch,
    const ForgeShape *shapes, gboolean features, GError **error);
/* The input that takes pictures; the only one that matters, or the first. */
guint forge_model_get_picture_input (const ForgeModel *model);
/* The output that has the scores. */
guint forge_model_get_score_output (const ForgeModel *model);
/* @wanted, or fewer where the file fixes how many pictures one run takes. */
guint forge_model_fit_batch (const ForgeModel *model, guint wanted);
/* What pictures as @preprocess makes them say about that input's shape. */
ForgeShape forge_model_picture_shape (
    const ForgeModel *model, const ForgePreprocess *preprocess, int64_t batch);
