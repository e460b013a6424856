/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * One model in several engines, each a process of its own (peers/runner.h),
 * in turns: A B C, A B C, ... so that whatever else the machine does meets all
 * of them. Prints the row of compare's table and appends it as JSON.
 *
 *   compare-run OPTIONS BASE NAME=COMMAND...    the first engine is ours
 *
 * COMMAND is split like a shell's and gets BASE (a path without its ending),
 * threads, batch and side. tests/bench/compare makes the models and calls
 * this for each. */
#include <gio/gio.h>
#include <glib/gstdio.h>
#include <math.h>
#include <signal.h>

#include "compare-report.h"
#include "forge/cpu.h"
#include "forge/error.h"

#define MAX_PEERS 16

static char *model, *json_path;
static int threads = 1, batch = 1, side = 224, n_rounds = 5;
static double seconds = 0.4;
static gboolean head;

static const GOptionEntry entries[] = {
  { "model", 'm', 0, G_OPTION_ARG_STRING, &model, "its name", "NAME" },
  { "threads", 't', 0, G_OPTION_ARG_INT, &threads, "for each engine", "N" },
  { "batch", 'b', 0, G_OPTION_ARG_INT, &batch, "pictures a run", "N" },
  { "side", 0, 0, G_OPTION_ARG_INT, &side, "pixels of the pictures", "N" },
  { "rounds", 'r', 0, G_OPTION_ARG_INT, &n_rounds, "of each engine", "N" },
  { "seconds", 's', 0, G_OPTION_ARG_DOUBLE, &seconds, "of one round", "S" },
  { "json", 'j', 0, G_OPTION_ARG_FILENAME, &json_path, "to append to", "FILE" },
  { "head", 0, 0, G_OPTION_ARG_NONE, &head, "print the table's head", NULL },
  { NULL },
};

typedef struct {
  GSubprocess *process;
  GDataInputStream *answers;
  GOutputStream *commands;
} Engine;

/* The next line; NULL with the peer's problem set. */
static char *
read_answer (Engine *engine, ComparePeer *peer, const char *word)
{
  g_autofree char *line =
      g_data_input_stream_read_line (engine->answers, NULL, NULL, NULL);
  if (line && g_str_has_prefix (line, word) && line[strlen (word)] == ' ')
    return g_strdup (line + strlen (word) + 1);
  if (line && g_str_has_prefix (line, "failed "))
    peer->problem = g_strdup (line + strlen ("failed "));
  else
    peer->problem = g_strdup_printf ("ended without an answer%s%s",
        line ? ", last line: " : "", line ? line : "");
  return NULL;
}

static char *
ask (Engine *engine, ComparePeer *peer, const char *command, const char *word)
{
  g_output_stream_write_all (
      engine->commands, command, strlen (command), NULL, NULL, NULL);
  g_output_stream_flush (engine->commands, NULL, NULL);
  return read_answer (engine, peer, word);
}

static void
start (Engine *engine, ComparePeer *peer, const char *command, const char *base)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *line =
      g_strdup_printf ("%s '%s' %d %d %d", command, base, threads, batch, side);
  g_autofree char *count = g_strdup_printf ("%d", threads);
  g_auto (GStrv) words = NULL;
  g_autoptr (GSubprocessLauncher) launcher = g_subprocess_launcher_new (
      G_SUBPROCESS_FLAGS_STDIN_PIPE | G_SUBPROCESS_FLAGS_STDOUT_PIPE);
  g_subprocess_launcher_setenv (launcher, "OMP_NUM_THREADS", count, TRUE);
  g_subprocess_launcher_setenv (launcher, "OPENBLAS_NUM_THREADS", count, TRUE);
  if (g_shell_parse_argv (line, NULL, &words, &error))
    engine->process = g_subprocess_launcher_spawnv (
        launcher, (const char *const *) words, &error);
  if (!engine->process) {
    peer->problem = g_strdup (error->message);
    return;
  }
  engine->commands = g_subprocess_get_stdin_pipe (engine->process);
  engine->answers =
      g_data_input_stream_new (g_subprocess_get_stdout_pipe (engine->process));
  g_autofree char *answer = read_answer (engine, peer, "ready");
  if (!answer)
    return;
  char *version = NULL;
  peer->flops = g_ascii_strtod (answer, &version);
  peer->version = g_strdup (g_strstrip (version));
}

static void
run_round (Engine *engine, ComparePeer *peer, int round)
{
  char text[G_ASCII_DTOSTR_BUF_SIZE];
  g_autofree char *command = g_strdup_printf (
      "time %s\n", g_ascii_dtostr (text, sizeof text, seconds));
  g_autofree char *answer = ask (engine, peer, command, "time");
  if (answer)
    peer->median_ms[round] = g_ascii_strtod (answer, NULL);
}

/* The scores of the last run. (transfer full) (nullable) */
static GBytes *
read_output (Engine *engine, ComparePeer *peer, const char *base)
{
  g_autofree char *path = g_strconcat (base, ".scores", NULL);
  g_autofree char *command = g_strdup_printf ("output %s\n", path);
  g_autofree char *answer = ask (engine, peer, command, "output");
  char *data = NULL;
  gsize size_bytes = 0;
  g_autoptr (GError) error = NULL;
  if (answer && !g_file_get_contents (path, &data, &size_bytes, &error))
    peer->problem = g_strdup (error->message);
  g_unlink (path);
  return data ? g_bytes_new_take (data, size_bytes) : NULL;
}

/* The largest difference over the largest score of @ours. */
static double
relative_error (GBytes *ours, GBytes *theirs)
{
  gsize n_ours, n_theirs;
  const float *x = g_bytes_get_data (ours, &n_ours);
  const float *y = g_bytes_get_data (theirs, &n_theirs);
  double difference = 0, size = 0;
  if (n_ours != n_theirs)
    return INFINITY;
  for (gsize i = 0; i < n_ours / sizeof *x; i++) {
    double d = fabs ((double) x[i] - (double) y[i]);
    if (isnan (d))
      return INFINITY;
    difference = fmax (difference, d);
    size = fmax (size, fabs ((double) x[i]));
  }
  return difference / size;
}

static void
stop (Engine *engine, ComparePeer *peer)
{
  if (engine->process) {
    g_output_stream_close (engine->commands, NULL, NULL);
    g_subprocess_wait (engine->process, NULL, NULL);
    g_object_unref (engine->answers);
    g_object_unref (engine->process);
  }
  g_free (peer->version);
  g_free (peer->problem);
}

static void
measure (const CompareCell *cell, Engine *engines, const char *base)
{
  for (int r = 0; r < n_rounds; r++)
    for (guint i = 0; i < cell->n_peers; i++)
      if (!cell->peers[i].problem)
        run_round (&engines[i], &cell->peers[i], r);
  g_autoptr (GBytes) ours = NULL;
  for (guint i = 0; i < cell->n_peers; i++) {
    ComparePeer *peer = &cell->peers[i];
    g_autoptr (GBytes) scores =
        peer->problem ? NULL : read_output (&engines[i], peer, base);
    if (i == 0)
      ours = g_steal_pointer (&scores);
    else if (scores && ours)
      peer->error = relative_error (ours, scores);
  }
}

static gboolean
append_json (const CompareCell *cell)
{
  g_autofree char *text = compare_to_json (cell);
  FILE *file = fopen (json_path, "a");
  gboolean done = file && fprintf (file, "%s\n", text) > 0;
  return file && fclose (file) == 0 && done;
}

static int
compare (const char *base, char **engine_lines, guint n_engines)
{
  ComparePeer peers[MAX_PEERS] = { 0 };
  Engine engines[MAX_PEERS] = { 0 };
  const CompareCell cell = { .model = model ? model : base,
    .batch = batch,
    .threads = threads,
    .n_rounds = n_rounds,
    .peers = peers,
    .n_peers = n_engines,
    .peak_gflops = forge_cpu_measure_peak_gflops () };
  for (guint i = 0; i < n_engines; i++) {
    char *command = strchr (engine_lines[i], '=');
    *command++ = 0;
    peers[i].name = engine_lines[i];
    start (&engines[i], &peers[i], command, base);
  }
  measure (&cell, engines, base);
  int status = 0;
  if (peers[0].problem) {
    fprintf (stderr, "compare-run: %s: %s\n", peers[0].name, peers[0].problem);
    status = 1;
  } else {
    if (head)
      compare_write_head (stdout, &cell);
    compare_write_row (stdout, &cell);
    if (json_path && !append_json (&cell)) {
      fprintf (stderr, "compare-run: %s cannot be written\n", json_path);
      status = 1;
    }
  }
  for (guint i = 0; i < n_engines; i++)
    stop (&engines[i], &peers[i]);
  return status;
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GOptionContext) context =
      g_option_context_new ("BASE NAME=COMMAND...");
  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error) || argc < 3 ||
      argc > 2 + MAX_PEERS) {
    fprintf (stderr, "compare-run: %s\n",
        error ? error->message : "expected a model and engines (see --help)");
    return 2;
  }
  for (int i = 2; i < argc; i++)
    if (!strchr (argv[i], '=')) {
      fprintf (
          stderr, "compare-run: expected NAME=COMMAND, found %s\n", argv[i]);
      return 2;
    }
  signal (SIGPIPE, SIG_IGN); /* an engine that died says so by its silence */
  threads = CLAMP (threads, 1, 256);
  n_rounds = CLAMP (n_rounds, 1, COMPARE_MAX_ROUNDS);
  return compare (argv[1], argv + 2, (guint) argc - 2);
}
