/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * gst-forge: trains, evaluates, inspects and times the models that the
 * element forgeclassify runs. Finds the subcommand and calls it. */
#include <locale.h>
#include <stdio.h>
#include <string.h>

#include "command.h"
#include "forge/version.h"
#include "video-frames.h"

static const struct {
  const char *name;
  const char *summary;
  int (*run) (int argc, char **argv);
} commands[] = {
#define COMMAND(name, summary) { #name, summary, cmd_##name },
#include "commands.def"
#undef COMMAND
};

static void
print_help (FILE *stream)
{
  fputs ("Usage:\n"
         "  gst-forge COMMAND [OPTION…] [ARGUMENT…]\n"
         "  gst-forge help [COMMAND]\n"
         "  gst-forge --version\n\n"
         "Commands:\n",
      stream);
  for (gsize i = 0; i < G_N_ELEMENTS (commands); i++)
    fprintf (stream, "  %-10s %s\n", commands[i].name, commands[i].summary);
  fputs ("\nA model is an ONNX, Keras (.keras, .h5) or TensorFlow Lite file, "
         "the word\n'embedded' for the built-in CIFAR-10 model, or"
         " registry:NAME@ALIAS, registry:NAME/VERSION\nor registry:NAME for"
         " one of the registry.\n"
         "Exit status: 0 success, 1 a class F1 is under the floor (evaluate),"
         " the preprocessing\ndoes not fit (doctor), the data has errors (data)"
         " or a version is refused or damaged\n(registry), 2 wrong usage, 3 any"
         " other failure.\n",
      stream);
}

static int
run_command (const char *name, int argc, char **argv)
{
  for (gsize i = 0; i < G_N_ELEMENTS (commands); i++)
    if (strcmp (commands[i].name, name) == 0)
      return commands[i].run (argc, argv);
  fprintf (stderr,
      "gst-forge: there is no command '%s'\nTry 'gst-forge help'.\n", name);
  return COMMAND_USAGE;
}

int
main (int argc, char **argv)
{
  /* Not LC_NUMERIC: figures are written with a point everywhere. */
  setlocale (LC_CTYPE, "");
  g_set_prgname ("gst-forge");
  forge_dataset_set_video_reader (video_frames_read);
  if (argc < 2) {
    print_help (stderr);
    return COMMAND_USAGE;
  }
  const char *word = argv[1];
  if (strcmp (word, "--version") == 0) {
    puts ("gst-forge " FORGE_VERSION);
    return COMMAND_OK;
  }
  gboolean wants_help = strcmp (word, "help") == 0 ||
                        strcmp (word, "--help") == 0 ||
                        strcmp (word, "-h") == 0;
  if (wants_help && argc == 2) {
    print_help (stdout);
    return COMMAND_OK;
  }
  if (wants_help) {
    char *help_argv[] = { argv[2], "--help", NULL };
    return run_command (argv[2], 2, help_argv);
  }
  return run_command (word, argc - 1, argv + 1);
}
