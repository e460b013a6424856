/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The options of `gst-forge train`. */
#pragma once

#include "forge/train.h"
#include "preprocess-options.h"

typedef struct {
  ForgeTrainParams params;
  char *json, *plots;
  PreprocessOptions preprocess;
  ForgeStatedPreprocess stated;
  GPtrArray *strings; /* that params borrows */
} TrainOptions;

/* Fills in the defaults of the architecture asked for, then what the line
 * says. Returns -1 to go on, else the status to exit with. */
int train_options_parse (int argc, char **argv, TrainOptions *options);
void train_options_clear (TrainOptions *options);
