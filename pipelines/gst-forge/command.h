/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What every subcommand shares: exit statuses, option parsing, messages. A
 * subcommand `x` is cmd-x.c with cmd_x() and a line in commands.def. */
#pragma once

#include "forge/dataset.h"
#include "preprocess-options.h"

#define COMMAND_OK 0
#define COMMAND_BELOW_FLOOR 1 /* a class F1 is under the floor */
#define COMMAND_MISFIT 1      /* the preprocessing does not fit */
#define COMMAND_BAD_DATA 1    /* the data has errors */
#define COMMAND_REFUSED 1     /* the registry's conditions are not met */
#define COMMAND_USAGE 2
#define COMMAND_FAILED 3

#define COMMAND(name, summary) int cmd_##name (int argc, char **argv);
#include "commands.def"
#undef COMMAND

/**
 * command_parse:
 * @name: the subcommand
 * @description: what it does, shown above the options by --help
 * @entries: its options; %G_OPTION_REMAINING for the rest of the line
 * @argc, @argv: (inout): argv[0] is the subcommand
 *
 * Handles --help, reports a wrong option with a hint where help is.
 *
 * Returns: -1 to go on, else the status to exit with
 */
int command_parse (const char *name, const char *description,
    const GOptionEntry *entries, int *argc, char ***argv);
/* The same with a group of options that several subcommands share; takes
 * @group. */
int command_parse_with_group (const char *name, const char *description,
    const GOptionEntry *entries, GOptionGroup *group, int *argc, char ***argv);
/* The same with a %NULL-terminated list of groups, each under its own heading;
 * takes them. */
int command_parse_with_groups (const char *name, const char *description,
    const GOptionEntry *entries, GOptionGroup *const *groups, int *argc,
    char ***argv);

/* Prints "gst-forge: <text>" and where help is. Returns COMMAND_USAGE. */
int command_usage_error (const char *name, const char *format, ...)
    G_GNUC_PRINTF (2, 3);
/* Prints "gst-forge: <text>". Returns COMMAND_FAILED. */
int command_error (const char *format, ...) G_GNUC_PRINTF (1, 2);

/* "train", "validation" or "val", "test". */
gboolean command_parse_split (const char *name, ForgeSplit *split);

/* A number that an option took, and what it may be. */
typedef struct {
  const char *option; /* "--batch" */
  double value, least, most;
} CommandRange;

/* -1 when all are within their ranges (NaN is not), else as
 * command_usage_error(). */
int command_check_ranges (
    const char *name, const CommandRange *ranges, gsize n_ranges);

/* Sane bounds for --threads and --batch; a seed must be exact as a double. */
#define COMMAND_MAX_THREADS 1024
#define COMMAND_MAX_BATCH 65536
#define COMMAND_MAX_SEED 0x1p53
/* Of --validation-split. */
#define COMMAND_VALIDATION_TEXT                                                \
  "share of the training pictures that validates, where the data has no such " \
  "part"

/* The model file, "embedded" or "registry:...", after a note on what had to be
 * assumed about it; NULL after a message. */
ForgeModel *command_load_model (const char *path);
/* The same where the user may have stated what the file does not say:
 * @preprocess is then the model's with that in it. */
ForgeModel *command_load_stated_model (const char *path,
    const PreprocessOptions *options, ForgePreprocess *preprocess);
