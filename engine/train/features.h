/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a frozen backbone makes of every picture, computed once. */
#pragma once

#include "train/trainer.h"

/* Runs trainer->graph up to trainer->features, optimised as for inference,
 * over the pictures of both parts. Those of the training part have
 * params->feature_variants rows: the first of the picture as it is, the others
 * augmented, each as if it were an epoch. Errors: FORGE_ERROR_MEMORY,
 * FORGE_ERROR_NUMERIC for features that are not finite. */
gboolean forge_features_compute (const ForgeTrainer *trainer,
    ForgeLoader **train, ForgeLoader **val, GError **error);

/* How the pictures of an epoch are changed. */
ForgeBatchRule forge_trainer_batch_rule (
    const ForgeTrainer *trainer, uint64_t epoch);
