/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The state of a training run, shared by the files that work on it: fit.c
 * (the loop), checkpoint.c (to disk and back), train-log.c (JSON lines) and
 * report.c (what the model file says about its making).
 *
 * Everything random is drawn from generators seeded by (seed, what for, epoch
 * or step), none of which lives longer than an epoch: the place in all random
 * sequences is the epoch number. */
#pragma once

#include "forge/evaluate.h"
#include "forge/train.h"
#include "run/executor.h"
#include "train/arch.h"
#include "train/loader.h"
#include "train/optimiser.h"

/* One parameter with its optimiser state; @n floats each. */
typedef struct {
  const ForgeParameter *parameter;
  size_t n;
  float *m, *v, *best;
} ForgeSlot;

/* What changes from epoch to epoch; written to checkpoints field by field. */
typedef struct {
  uint64_t epoch;      /* finished ones */
  uint64_t step;       /* finished ones, over all epochs */
  uint64_t best_epoch; /* 0 = none yet */
  double best_val_loss, best_val_accuracy;
} ForgeTrainState;

typedef struct {
  const ForgeTrainParams *params;
  const ForgeArch *arch;
  ForgePreprocess preprocess;
  char **labels;
  guint n_classes, batch, n_steps; /* steps of an epoch */
  char *data_hash;
  char *settings; /* JSON: all that the weights depend on */
  ForgeLoader *train, *val;
  ForgeGraph *graph; /* what will be written; its constants train */
  ForgeExecutor *learner, *validator;
  ForgeSlot *slots;
  guint n_slots;
  ForgeTrainState state;
} ForgeTrainer;

/* Independent seeds for everything random. */
typedef enum {
  FORGE_STREAM_WEIGHTS,
  FORGE_STREAM_SHUFFLE, /* by epoch */
  FORGE_STREAM_AUGMENT, /* by epoch, then by item */
  FORGE_STREAM_DROPOUT, /* by step */
} ForgeStream;

uint64_t forge_stream_seed (uint64_t seed, ForgeStream stream, uint64_t index);

/* Opens the data, builds the network and its executors. @params is borrowed.
 * Errors: those of forge_train(). */
ForgeTrainer *forge_trainer_new (
    const ForgeTrainParams *params, GError **error);
void forge_trainer_free (ForgeTrainer *trainer);
/* Keeps the weights as the best so far, or takes those back. */
void forge_trainer_keep_best (ForgeTrainer *trainer);
void forge_trainer_restore_best (ForgeTrainer *trainer);

/* Settings, data hash and architecture as one JSON object. Two runs with
 * equal text make equal weights. (transfer full) */
char *forge_trainer_describe (const ForgeTrainer *trainer);

/* State, weights, moments and best weights; written atomically. */
gboolean forge_checkpoint_write (
    const ForgeTrainer *trainer, const char *path, GError **error);
/* FORGE_ERROR_FORMAT (damaged, truncated, another kind of file),
 * FORGE_ERROR_UNSUPPORTED (another version), FORGE_ERROR_ARGUMENT (of a run
 * with other settings). The trainer is unchanged then. */
gboolean forge_checkpoint_read (
    ForgeTrainer *trainer, const char *path, GError **error);

/* Appends one line about the epoch that @progress ends. */
gboolean forge_train_log_append (const char *path,
    const ForgeTrainProgress *progress, double seconds, GError **error);

/* Puts everything that travels with the model into the graph's metadata, with
 * what evaluating it on the validation and test part says, and writes it to
 * params->out. */
gboolean forge_trainer_export (ForgeTrainer *trainer, GError **error);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ForgeTrainer, forge_trainer_free)
