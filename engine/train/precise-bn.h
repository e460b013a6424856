/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Batch normalisation's statistics, taken anew when training has ended. The
 * running averages that training leaves are those of its last few batches,
 * with weights that still moved.
 * Source: Wu and Johnson, "Rethinking 'Batch' in BatchNorm" (arXiv 2105.07576,
 * 2021), where this is PreciseBN. */
#pragma once

#include "train/trainer.h"

/* Called between batches; FALSE with @error set to stop. */
typedef gboolean (*ForgePreciseFunc) (
    guint step, guint steps, gpointer user_data, GError **error);

/* Mean and variance of every batch norm over the first params->precise_bn
 * pictures, in whole batches, of an epoch as the next would be: augmented, and
 * none left out. The learner is of no use for training then. @targets: room
 * for those of a batch. @n_pictures: so many were used, 0 without batch norms.
 * FALSE when memory runs out or @func says so. */
gboolean forge_trainer_precise_bn (ForgeTrainer *trainer, float *targets,
    ForgePreciseFunc func, gpointer user_data, guint *n_pictures,
    GError **error);
