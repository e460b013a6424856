/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A training run in a folder of its own, for tests of train.h. */
#pragma once

#include "fixture.h"
#include "forge/evaluate.h"
#include "forge/train.h"

#define RUN_MAX_EPOCHS 64

/* Its files, and what its progress function saw. */
typedef struct {
  char *folder, *data, *out, *checkpoint, *log;
  ForgeTrainParams params;
  ForgeTrainResult result;
  guint stop_epoch, stop_step; /* 0 = never */
  guint n_epochs, n_calls;
  ForgeTrainProgress epochs[RUN_MAX_EPOCHS];
} Run;

/* Data as fixture_write_classes(); four epochs of batches of 16. */
void run_init (Run *run, guint n_per_class, guint contrast);
void run_clear (Run *run);
/* It must succeed. */
void run_ok (Run *run);
/* It must succeed, and write the same with one to three threads. */
void run_assert_threads_alike (Run *run);
/* It must fail with FORGE_ERROR @code and say @hint. */
void run_refused (Run *run, int code, const char *hint);
/* What it wrote. */
GBytes *run_read_file (const char *path);
/* The written model on a part of the data. */
ForgeEvaluation *run_evaluate (const Run *run, ForgeSplit split);
