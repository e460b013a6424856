/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Option parsing and messages for all subcommands. */
#include "command.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

static const char exit_statuses[] =
    "Exit status: 0 success, 1 a class F1 is under the floor (evaluate), the"
    " preprocessing\ndoes not fit (doctor), the data has errors (data) or a"
    " version is refused or damaged\n(registry), 2 wrong usage, 3 any other"
    " failure.\n";

int
command_parse (const char *name, const char *description,
    const GOptionEntry *entries, int *argc, char ***argv)
{
  return command_parse_with_group (
      name, description, entries, NULL, argc, argv);
}

int
command_parse_with_group (const char *name, const char *description,
    const GOptionEntry *entries, GOptionGroup *group, int *argc, char ***argv)
{
  GOptionGroup *groups[] = { group, NULL };
  return command_parse_with_groups (
      name, description, entries, groups, argc, argv);
}

int
command_parse_with_groups (const char *name, const char *description,
    const GOptionEntry *entries, GOptionGroup *const *groups, int *argc,
    char ***argv)
{
  g_autofree char *program = g_strdup_printf ("gst-forge %s", name);
  g_set_prgname (program);
  g_autoptr (GOptionContext) context = g_option_context_new (NULL);
  g_option_context_set_help_enabled (context, FALSE);
  g_option_context_set_summary (context, description);
  g_option_context_set_description (context, exit_statuses);
  gboolean help = FALSE;
  const GOptionEntry common[] = {
    { "help", 'h', 0, G_OPTION_ARG_NONE, &help, "show this text", NULL },
    { NULL },
  };
  g_option_context_add_main_entries (context, entries, NULL);
  g_option_context_add_main_entries (context, common, NULL);
  for (; *groups; groups++)
    g_option_context_add_group (context, *groups);
  g_autoptr (GError) error = NULL;
  if (!g_option_context_parse (context, argc, argv, &error))
    return command_usage_error (name, "%s", error->message);
  if (!help && *argc > 1)
    return command_usage_error (name, "unexpected argument '%s'", (*argv)[1]);
  if (!help)
    return -1;
  g_autofree char *text = g_option_context_get_help (context, FALSE, NULL);
  fputs (text, stdout);
  return COMMAND_OK;
}

static void
print_message (const char *format, va_list args)
{
  g_autofree char *text = g_strdup_vprintf (format, args);
  fflush (stdout);
  fprintf (stderr, "gst-forge: %s\n", text);
}

int
command_usage_error (const char *name, const char *format, ...)
{
  va_list args;
  va_start (args, format);
  print_message (format, args);
  va_end (args);
  fprintf (stderr, "Try 'gst-forge %s --help'.\n", name);
  return COMMAND_USAGE;
}

int
command_error (const char *format, ...)
{
  va_list args;
  va_start (args, format);
  print_message (format, args);
  va_end (args);
  return COMMAND_FAILED;
}

int
command_check_ranges (
    const char *name, const CommandRange *ranges, gsize n_ranges)
{
  for (gsize i = 0; i < n_ranges; i++) {
    const CommandRange *range = &ranges[i];
    if (!(range->value >= range->least && range->value <= range->most))
      return command_usage_error (name,
          "%s must be between %g and %g, found %g", range->option, range->least,
          range->most, range->value);
  }
  return -1;
}

gboolean
command_parse_split (const char *name, ForgeSplit *split)
{
  static const char *const names[] = { "train", "validation", "test" };
  for (guint i = 0; i < G_N_ELEMENTS (names); i++)
    if (strcmp (names[i], name) == 0) {
      *split = (ForgeSplit) i;
      return TRUE;
    }
  if (strcmp (name, "val") != 0)
    return FALSE;
  *split = FORGE_SPLIT_VALIDATION;
  return TRUE;
}

ForgeModel *
command_load_model (const char *path)
{
  const PreprocessOptions nothing = { 0 };
  ForgePreprocess preprocess;
  return command_load_stated_model (path, &nothing, &preprocess);
}

ForgeModel *
command_load_stated_model (const char *path, const PreprocessOptions *options,
    ForgePreprocess *preprocess)
{
  const ForgeStatedPreprocess stated = preprocess_options_get (options);
  g_autoptr (GError) error = NULL;
  g_autofree char *assumptions = NULL;
  g_autoptr (ForgeModel) model = forge_model_load (path, &error);
  if (!model || !forge_model_state_preprocess (
                    model, &stated, preprocess, &assumptions, &error)) {
    command_error ("%s", error->message);
    return NULL;
  }
  if (assumptions)
    fprintf (stderr,
        "gst-forge: note: %s does not say how pictures become its input; "
        "assumed: %s\n",
        path, assumptions);
  return g_steal_pointer (&model);
}
