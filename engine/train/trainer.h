/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The state of a training run, shared by the files that work on it: params.c
 * (what was asked for), trainer.c (set-up), slots.c (the numbers that train),
 * fit.c and epoch.c (the loop), update.c (what a step does to the weights),
 * checkpoint.c (to disk and back), train-log.c (JSON lines), settings.c and
 * report.c (what the model file says about its making).
 *
 * Everything random is drawn from generators seeded by (seed, what for, epoch
 * or step), none of which lives longer than an epoch: the place in all random
 * sequences is the epoch number. */
#pragma once

#include <json-glib/json-glib.h>

#include "forge/convert.h"
#include "forge/evaluate.h"
#include "forge/train.h"
#include "run/executor.h"
#include "train/arch.h"
#include "train/loss.h"
#include "train/muon.h"
#include "train/optimiser.h"
#include "train/prefetch.h"
#include "train/prune.h"

/* What the words of ForgeTrainParams mean. */
typedef struct {
  ForgeOptimiserKind optimiser;
  ForgeScheduleKind schedule;
  ForgeLossKind loss;
  ForgeFlip flip;
  ForgeBorder border;
  gboolean best_by_accuracy;
  ForgeWeights weights; /* in the file */
} ForgeTrainWords;

/* Numbers that change while a network trains: a parameter, or a running
 * average of batch normalisation, which has neither gradient nor moments. @n
 * floats each; what is not needed is NULL. */
typedef struct {
  const char *name;      /* borrowed from the graph */
  ForgeTensor *value;    /* shared with the graph */
  const float *gradient; /* of the learner; NULL = not trained at present */
  size_t n;
  gboolean is_statistic;
  guint until_epoch;   /* trained for so many epochs; 0 = always */
  double rate, decay;  /* factor of the learning rate; weight decay */
  ForgeMuonShape muon; /* no rows = by the optimiser's other rule */
  float *m, *v, *best, *average, *slow;
} ForgeSlot;

/* A range of a slot: the unit of work for a thread. */
typedef struct {
  guint slot;
  size_t begin, end;
} ForgeSpan;

/* What changes from epoch to epoch; written to checkpoints field by field. */
typedef struct {
  uint64_t epoch;      /* finished ones, of this phase */
  uint64_t step;       /* finished ones, over all epochs of it */
  uint64_t best_epoch; /* of all phases; 0 = none yet */
  double best_val_loss, best_val_accuracy;
} ForgeTrainState;

typedef struct {
  const ForgeTrainParams *params;
  ForgeTrainWords words;
  ForgeArchChoice arch;
  ForgePreprocess preprocess;
  char **labels;
  gboolean is_multi_label; /* of the data */
  guint n_classes, n_targets, batch;
  guint n_steps;       /* of a whole epoch */
  guint epoch_steps;   /* of the coming epoch */
  guint epochs;        /* of this phase */
  guint epochs_before; /* of the phase before: numbers go on */
  double rate_scale;
  char *data_hash;
  char *settings;       /* JSON: all that the weights depend on */
  float *class_weights; /* nullable */
  ForgeLoader *train, *val;
  ForgePrefetch *prefetch;
  ForgePrune *prune;  /* NULL = every epoch has all pictures */
  ForgeGraph *graph;  /* what will be written; its constants train */
  ForgeGraph *logits; /* the same without its last node */
  ForgeExecutor *learner, *validator;
  ForgeSlot *slots;
  guint n_slots;
  GArray *spans;    /* ForgeSpan, of all slots */
  double *partials; /* [spans->len] */
  ForgeMuon *muon;  /* NULL = no slot needs it */
  ForgeTrainState state;
  /* Of a backbone that is frozen: the value that its new layer reads, [N,
   * n_features]. NULL = the network is trained as a whole. */
  const char *features;
  int64_t n_features;
} ForgeTrainer;

/* Independent seeds for everything random. */
typedef enum {
  FORGE_STREAM_WEIGHTS,
  FORGE_STREAM_SHUFFLE, /* by epoch */
  FORGE_STREAM_AUGMENT, /* by epoch, then by item */
  FORGE_STREAM_DROPOUT, /* by step */
  FORGE_STREAM_FLIP,    /* by item */
  FORGE_STREAM_MIXUP,   /* by epoch, then by item */
  FORGE_STREAM_PRUNE,   /* by epoch, then by item */
} ForgeStream;

uint64_t forge_stream_seed (uint64_t seed, ForgeStream stream, uint64_t index);

/* FORGE_ERROR_ARGUMENT naming the parameter, what was expected and, for a
 * word, what was found. */
gboolean forge_params_check (
    const ForgeTrainParams *params, ForgeTrainWords *words, GError **error);
/* Those of ForgeTrainParams.class_weights for @counts pictures a class, or
 * NULL; FALSE on errors. */
gboolean forge_params_class_weights (const ForgeTrainParams *params,
    const guint *counts, guint n_classes, float **weights, GError **error);

ForgeSchedule forge_params_schedule (const ForgeTrainer *trainer);
/* Where in the schedule epoch @epoch of this phase, from 0, is after @step of
 * its @n_steps steps, in steps of whole epochs. */
double forge_trainer_place (
    const ForgeTrainer *trainer, uint64_t epoch, guint step, guint n_steps);
/* Whether that epoch may leave pictures out. */
gboolean forge_trainer_prunes (const ForgeTrainer *trainer, uint64_t epoch);

/* Opens the data and builds the network. @params is borrowed. Errors: those
 * of forge_train(). */
ForgeTrainer *forge_trainer_new (
    const ForgeTrainParams *params, GError **error);
void forge_trainer_free (ForgeTrainer *trainer);
/* Makes what steps need: executors, slots. */
gboolean forge_trainer_prepare (ForgeTrainer *trainer, GError **error);
/* A learner of @graph, which has the constants of trainer->logits, in place of
 * the one before. */
gboolean forge_trainer_make_learner (
    ForgeTrainer *trainer, const ForgeGraph *graph, GError **error);
/* The new last layer of @whole alone, with the features of all pictures as its
 * data; it shares the layer's weights. Prepared. */
ForgeTrainer *forge_trainer_new_head (ForgeTrainer *whole, GError **error);
/* @whole goes on from what @head has come to. */
gboolean forge_trainer_take_over (
    ForgeTrainer *whole, const ForgeTrainer *head, GError **error);
/* The learner for what trains in the coming epoch: made anew where something
 * has been frozen, so that its gradients are computed no more. */
gboolean forge_trainer_begin_epoch (ForgeTrainer *trainer, GError **error);

/* Makes the slots of the network; marks what `freeze` names. */
gboolean forge_slots_new (ForgeTrainer *trainer, GError **error);
void forge_slots_free (ForgeTrainer *trainer);
/* Freezes what has been trained for long enough. TRUE when the learner no
 * longer fits. */
gboolean forge_slots_freeze_due (ForgeTrainer *trainer);
/* Where the learner puts its gradients. */
void forge_slots_bind (ForgeTrainer *trainer);
/* Keeps the weights as the best so far, or takes those back. */
void forge_slots_keep_best (ForgeTrainer *trainer);
void forge_slots_restore_best (ForgeTrainer *trainer);
/* Weights and their average change places, where there is one: what is
 * validated and kept is the average. */
void forge_slots_swap_average (ForgeTrainer *trainer);

/* One step of the optimiser by the learner's gradients, then averages and
 * slow weights. @learning_rate has come to the part @height of the highest,
 * and Muon's own rate goes with it. @place: of the schedule when it is done,
 * forge_trainer_place(). Counts state.step. */
void forge_trainer_update (
    ForgeTrainer *trainer, double learning_rate, double height, double place);
/* What of the slow weights stays at a Lookahead step: 0.95^5 (step /
 * n_steps)^3, and all of it at the last step. Source: tysam-code, hlb-CIFAR10
 * (2023). */
double forge_lookahead_decay (double step, double n_steps);

/* Settings, data hash and architecture as one JSON object. Two runs with
 * equal text make equal weights, up to precise_bn: a checkpoint may be finished
 * either way. (transfer full) */
char *forge_trainer_describe (const ForgeTrainer *trainer);
void forge_trainer_add_settings (
    JsonBuilder *builder, const ForgeTrainer *trainer);
void forge_trainer_add_augmentation (
    JsonBuilder *builder, const ForgeTrainer *trainer);

/* State, weights, moments, averages and best weights; written atomically. */
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
