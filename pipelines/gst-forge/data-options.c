/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * --data and its like, and what they may be. */
#include "data-options.h"

GOptionGroup *
data_options_group (
    DataOptions *options, const char *limit_text, const char *seed_text)
{
  const GOptionEntry entries[] = {
    { "data", 'd', 0, G_OPTION_ARG_FILENAME, &options->data,
        "cifar10:DIR, fashion-mnist:DIR, or a folder of class folders or with "
        "a "
        "labels.csv",
        "SPEC" },
    { "split", 0, 0, G_OPTION_ARG_STRING, &options->split_name,
        "train, val or test (test)", "NAME" },
    { "limit", 'n', 0, G_OPTION_ARG_INT, &options->limit, limit_text, "N" },
    { "threads", 't', 0, G_OPTION_ARG_INT, &options->threads,
        "threads; 0 = all the process may use (0)", "N" },
    { "seed", 0, 0, G_OPTION_ARG_INT64, &options->seed, seed_text, "N" },
    { "validation-split", 0, 0, G_OPTION_ARG_DOUBLE, &options->validation,
        COMMAND_VALIDATION_TEXT, "P" },
    { "json", 0, 0, G_OPTION_ARG_FILENAME, &options->json,
        "write a JSON document too; - is standard output", "FILE" },
    { NULL },
  };
  GOptionGroup *group =
      g_option_group_new ("data", "The pictures:", "", options, NULL);
  g_option_group_add_entries (group, entries);
  return group;
}

int
data_options_check (
    const char *command, DataOptions *options, const char *default_split)
{
  if (!options->rest || g_strv_length (options->rest) != 1)
    return command_usage_error (command, "exactly one MODEL is needed");
  if (!options->data)
    return command_usage_error (command, "--data is missing");
  if (!options->split_name)
    options->split_name = g_strdup (default_split);
  if (!command_parse_split (options->split_name, &options->split))
    return command_usage_error (command,
        "--split must be train, val or test, found '%s'", options->split_name);
  gboolean seeded = options->seed != DATA_OPTIONS_NO_SEED;
  const CommandRange ranges[] = {
    { "--limit", options->limit, 0, G_MAXINT },
    { "--threads", options->threads, 0, COMMAND_MAX_THREADS },
    { "--seed", seeded ? options->seed : 1, 0, COMMAND_MAX_SEED },
    { "--validation-split", options->validation, 0, FORGE_MAX_VALIDATION },
  };
  return command_check_ranges (command, ranges, G_N_ELEMENTS (ranges));
}

void
data_options_clear (DataOptions *options)
{
  char **texts[] = { &options->data, &options->json, &options->split_name };
  for (gsize i = 0; i < G_N_ELEMENTS (texts); i++)
    g_clear_pointer (texts[i], g_free);
  g_clear_pointer (&options->rest, g_strfreev);
}
