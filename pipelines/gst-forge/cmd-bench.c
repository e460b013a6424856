/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * `gst-forge bench MODEL`: how long one run takes on this machine. Every run
 * is timed alone on the monotonic clock and reported as quantiles, because
 * a mean hides the tail that a live stream stumbles over. The node table of
 * --profile comes from a session of its own, so that its clock readings do
 * not disturb the figures above it. */
#include <string.h>
#include <time.h>

#include "bench-report.h"
#include "command.h"
#include "forge/cpu.h"
#include "forge/stats.h"
#include "forge/tune.h"

#define WARM_UP_NS 200000000u /* caches, page faults, clock frequency */
#define MAX_RUNS 10000000

typedef struct {
  int threads, batch, iterations;
  double seconds, tune_seconds;
  gboolean profile, tune;
  char *json;
} BenchOptions;

static uint64_t
now_ns (void)
{
  struct timespec now;
  clock_gettime (CLOCK_MONOTONIC, &now);
  return (uint64_t) now.tv_sec * 1000000000u + now.tv_nsec;
}

/* Bytes over the whole range; floats in [0, 1); other types stay zero, which
 * is a valid index everywhere. */
static void
fill_input (ForgeTensor *tensor, GRand *random)
{
  void *data = forge_tensor_get_data (tensor);
  gsize size_bytes = forge_tensor_get_size_bytes (tensor);
  switch (forge_tensor_get_dtype (tensor)) {
  case FORGE_UINT8:
    for (gsize i = 0; i < size_bytes; i++)
      ((uint8_t *) data)[i] = g_rand_int (random) >> 24;
    break;
  case FORGE_FLOAT32:
    for (gsize i = 0; i < size_bytes / sizeof (float); i++)
      ((float *) data)[i] = g_rand_double (random);
    break;
  default:
    memset (data, 0, size_bytes);
    break;
  }
}

/* A session with random input, which every run leaves as it is. */
static ForgeSession *
create_session (ForgeModel *model, const BenchOptions *options,
    gboolean profile, GError **error)
{
  const ForgeSessionParams params = {
    .threads = options->threads,
    .batch = options->batch,
    .profile = profile,
  };
  ForgeSession *session = forge_session_new (model, &params, error);
  if (!session)
    return NULL;
  GRand *random = g_rand_new_with_seed (1);
  for (guint i = 0; i < forge_model_get_n_inputs (model); i++)
    fill_input (forge_session_get_input (session, i), random);
  g_rand_free (random);
  return session;
}

static uint64_t
time_one_run (ForgeSession *session)
{
  uint64_t start_ns = now_ns ();
  forge_session_run (session);
  return now_ns () - start_ns;
}

/* Runs until both the count and the time are spent. (transfer full): one
 * double a run, milliseconds. */
static GArray *
measure (ForgeSession *session, const BenchOptions *options)
{
  for (uint64_t start_ns = now_ns (); now_ns () - start_ns < WARM_UP_NS;)
    time_one_run (session);
  GArray *times_ms = g_array_new (FALSE, FALSE, sizeof (double));
  gsize n_least = options->iterations > 0 ? (gsize) options->iterations : 1;
  double spend_ns = options->iterations > 0 ? 0 : options->seconds * 1e9;
  uint64_t start_ns = now_ns ();
  while (times_ms->len < n_least ||
         (now_ns () - start_ns < spend_ns && times_ms->len < MAX_RUNS)) {
    double time_ms = time_one_run (session) / 1e6;
    g_array_append_val (times_ms, time_ms);
  }
  return times_ms;
}

static BenchFigures
summarise (GArray *times_ms, int batch)
{
  double *values = (double *) times_ms->data;
  gsize n_runs = times_ms->len;
  double sum_ms = 0;
  for (gsize i = 0; i < n_runs; i++)
    sum_ms += values[i];
  return (BenchFigures) {
    .n_runs = n_runs,
    .median_ms = forge_quantile (values, n_runs, 0.5),
    .p95_ms = forge_quantile (values, n_runs, 0.95),
    .p99_ms = forge_quantile (values, n_runs, 0.99),
    .min_ms = forge_quantile (values, n_runs, 0),
    .mean_ms = sum_ms / n_runs,
    .images_per_s = 1e3 * batch * n_runs / sum_ms,
  };
}

/* The nodes, from a session of their own. */
static gboolean
profile (JsonBuilder *builder, FILE *out, ForgeModel *model,
    const BenchOptions *options, GError **error)
{
  g_autoptr (ForgeSession) session =
      create_session (model, options, TRUE, error);
  if (!session)
    return FALSE;
  g_array_unref (measure (session, options));
  bench_report_profile (builder, out, session, options->threads);
  return TRUE;
}

/* What was found goes into the user's cache, and into all that follows. */
static gboolean
tune (JsonBuilder *builder, FILE *out, const char *path,
    const BenchOptions *options, GError **error)
{
  g_autoptr (ForgeModel) model = forge_model_load (path, error);
  if (!model)
    return FALSE;
  g_autoptr (GPtrArray) layers = forge_tune (
      model, options->threads, options->batch, options->tune_seconds, error);
  if (layers)
    bench_report_tuning (builder, out, layers);
  return layers != NULL;
}

static int
bench_model (const char *path, const BenchOptions *options)
{
  g_autoptr (GError) error = NULL;
  FILE *out = output_text_stream (options->json);
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  json_builder_begin_object (builder);
  if (options->tune && !tune (builder, out, path, options, &error))
    return command_error ("%s", error->message);
  uint64_t start_ns = now_ns ();
  g_autoptr (ForgeModel) model = command_load_model (path);
  if (!model)
    return COMMAND_FAILED;
  g_autoptr (ForgeSession) session =
      create_session (model, options, FALSE, &error);
  if (!session)
    return command_error ("%s", error->message);
  BenchLoad load;
  load.first_run_ms = (double) time_one_run (session) / 1e6;
  load.first_result_ms = (double) (now_ns () - start_ns) / 1e6;
  g_autoptr (GArray) times_ms = measure (session, options);
  BenchFigures figures = summarise (times_ms, options->batch);
  output_add_model (builder, model);
  bench_report_figures (builder, out, &figures);
  bench_report_setting (builder, out, options->threads, options->batch);
  bench_report_costs (builder, out, &load, session);
  if ((options->profile && !profile (builder, out, model, options, &error)) ||
      !output_write_json (builder, options->json, &error))
    return command_error ("%s", error->message);
  return COMMAND_OK;
}

int
cmd_bench (int argc, char **argv)
{
  BenchOptions options = { .batch = 1, .seconds = 1, .tune_seconds = 15 };
  g_autofree char *json = NULL;
  g_auto (GStrv) rest = NULL;
  const GOptionEntry entries[] = {
    { "threads", 't', 0, G_OPTION_ARG_INT, &options.threads,
        "threads; 0 = all the process may use (0)", "N" },
    { "batch", 'b', 0, G_OPTION_ARG_INT, &options.batch, "images a run (1)",
        "B" },
    { "iterations", 'n', 0, G_OPTION_ARG_INT, &options.iterations,
        "timed runs; 0 = as many as fit into --seconds (0)", "N" },
    { "seconds", 's', 0, G_OPTION_ARG_DOUBLE, &options.seconds,
        "time to spend on timed runs (1)", "S" },
    { "profile", 'p', 0, G_OPTION_ARG_NONE, &options.profile,
        "time every node too: algorithm, GFLOP/s, percent of the FMA peak, "
        "bytes",
        NULL },
    { "tune", 0, 0, G_OPTION_ARG_NONE, &options.tune,
        "first measure how each convolution is computed fastest, and keep it "
        "in the user's cache for every session on this machine",
        NULL },
    { "tune-seconds", 0, 0, G_OPTION_ARG_DOUBLE, &options.tune_seconds,
        "time to spend on that (15)", "S" },
    { "json", 0, 0, G_OPTION_ARG_FILENAME, &json,
        "write a JSON document too; - is standard output", "FILE" },
    { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &rest, NULL,
        "MODEL" },
    { NULL },
  };
  int status = command_parse ("bench",
      "Time a model on random input, after a warm-up: quantiles of single runs "
      "and"
      "\nimages a second; the time from file to first result, with its parts;"
      "\nmemory: weights, their packed copy, activations, workspace, process.",
      entries, &argc, &argv);
  if (status >= 0)
    return status;
  if (!rest || g_strv_length (rest) != 1)
    return command_usage_error ("bench", "exactly one MODEL is needed");
  const CommandRange ranges[] = {
    { "--threads", options.threads, 0, COMMAND_MAX_THREADS },
    { "--batch", options.batch, 1, COMMAND_MAX_BATCH },
    { "--iterations", options.iterations, 0, MAX_RUNS },
    { "--seconds", options.seconds, 0, 3600 },
    { "--tune-seconds", options.tune_seconds, 0, 3600 },
  };
  status = command_check_ranges ("bench", ranges, G_N_ELEMENTS (ranges));
  if (status >= 0)
    return status;
  options.json = json;
  if (options.threads == 0)
    options.threads = forge_cpu_count ();
  return bench_model (rest[0], &options);
}
