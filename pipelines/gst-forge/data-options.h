/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the subcommands that go over labelled pictures take: which pictures,
 * how many, on how many threads, and where the figures go. */
#pragma once

#include "command.h"

/* An option that was not given. */
#define DATA_OPTIONS_NO_SEED G_MININT64

typedef struct {
  char *data, *json, *split_name;
  ForgeSplit split; /* of split_name, once checked */
  int limit, threads;
  gint64 seed;
  double validation; /* 0 where not given */
  char **rest;       /* what is left of the line: one MODEL, once checked */
} DataOptions;

/* The options, as a group; @options holds their defaults and outlives it, as
 * do the two texts. (transfer full) */
GOptionGroup *data_options_group (
    DataOptions *options, const char *limit_text, const char *seed_text);
/* -1 when all is there and within its range, else as command_usage_error().
 * @default_split: where none is given. */
int data_options_check (
    const char *command, DataOptions *options, const char *default_split);
void data_options_clear (DataOptions *options);

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (DataOptions, data_options_clear)
