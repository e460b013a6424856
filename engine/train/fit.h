/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A training run while it goes on: fit.c has the phases, epoch.c what an epoch
 * is. */
#pragma once

#include "train/trainer.h"

typedef struct {
  ForgeTrainer *trainer;
  ForgeTrainFunc func;
  gpointer user_data;
  ForgeLossRule loss;
  ForgeSchedule schedule;
  float *targets;          /* of the batch */
  float *losses, *factors; /* [batch] where easy pictures are left out */
  ForgeTrainProgress progress;
  gint64 begin_us, start_us, epoch_us; /* of all, the phase, the epoch */
  gboolean has_files;                  /* the checkpoint is this phase's */
  gboolean stopped_early;
  uint64_t first_step; /* of this process; 0 unless resumed */
  double train_seconds, wait_seconds, epoch_wait_s;
  uint64_t n_images;
  guint n_norm_images; /* that batch norms were measured with */
} ForgeFit;

/* Of monotonic time. */
double forge_fit_seconds (gint64 start_us);
/* The batches of the epoch that is next are begun before it is. */
void forge_fit_begin_batches (ForgeFit *fit);
/* A whole epoch, with validation, log, checkpoint and report. The errors are
 * those of forge_train(). */
gboolean forge_fit_run_epoch (ForgeFit *fit, GError **error);
/* Leaves loss and accuracy on the validation part in fit->progress; of plain
 * losses: neither smoothed nor weighted. FORGE_ERROR_NUMERIC where the loss is
 * not finite. */
gboolean forge_fit_validate (ForgeFit *fit, GError **error);
