/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * One model in our engine and in ONNX Runtime, in one process and in turns,
 * so that whatever else the machine does meets both: per round a warm-up that
 * is not counted (the other's threads go to sleep meanwhile), then as many
 * runs as fit into the time. ONNX Runtime has its default optimisations, all
 * of them, its default spinning, and memory of ours for its output.
 *
 *   compare-run [--threads N] [--rounds N] [--seconds S] [--json] MODEL.onnx
 *
 * tests/bench/compare makes the models and calls this for each. */
#include <math.h>
#include <stdio.h>
#include <time.h>

#include "../kernels/peak.h"
#include "../models/ort.h"
#include "base/rng.h"
#include "forge/cpu.h"
#include "forge/session.h"
#include "forge/stats.h"
#include "tensor/tensor.h"

#define SEED 3
#define MAX_ROUNDS 100
#define MAX_RUNS 100000
#define WARM_UP_SHARE 0.25

static int threads = 1, n_rounds = 5;
static double seconds = 0.4;
static gboolean as_json;

static const GOptionEntry entries[] = {
  { "threads", 't', 0, G_OPTION_ARG_INT, &threads, "threads for both", "N" },
  { "rounds", 'r', 0, G_OPTION_ARG_INT, &n_rounds, "rounds of each", "N" },
  { "seconds", 's', 0, G_OPTION_ARG_DOUBLE, &seconds, "of one round", "S" },
  { "json", 'j', 0, G_OPTION_ARG_NONE, &as_json, "one JSON object", NULL },
  { NULL },
};

typedef struct {
  ForgeSession *ours;
  OrtSession *theirs;
} Pair;

typedef struct {
  double median_ms[MAX_ROUNDS];
} Rounds;

static double
now (void)
{
  struct timespec time;
  clock_gettime (CLOCK_MONOTONIC, &time);
  return (double) time.tv_sec + 1e-9 * (double) time.tv_nsec;
}

static void
run_ours (const Pair *pair)
{
  forge_session_run (pair->ours);
}

static void
run_theirs (const Pair *pair)
{
  ort_session_run (pair->theirs);
}

/* Median milliseconds of a run. */
static double
run_round (void (*run) (const Pair *), const Pair *pair)
{
  static double times_ms[MAX_RUNS];
  gsize n_runs = 0;
  double start = now ();
  do
    run (pair);
  while (now () - start < WARM_UP_SHARE * seconds);
  start = now ();
  while (n_runs < 3 || (n_runs < MAX_RUNS && now () - start < seconds)) {
    double begin = now ();
    run (pair);
    times_ms[n_runs++] = 1e3 * (now () - begin);
  }
  return forge_quantile (times_ms, n_runs, 0.5);
}

/* GFLOP/s of one core at its best: of eleven tries. */
static double
measure_peak (void)
{
  PeakFunc peak = peak_find (forge_cpu_tier ());
  double best = 0;
  for (int i = 0; peak && i < 11; i++) {
    const size_t n_rounds_of_fma = 20000;
    double begin = now ();
    double flops = peak (n_rounds_of_fma);
    double rate = flops * (double) n_rounds_of_fma / (now () - begin) / 1e9;
    best = MAX (best, rate);
  }
  return best;
}

static double
count_flops (const ForgeSession *session)
{
  gsize n_nodes = 0;
  g_autofree ForgeNodeProfile *nodes =
      forge_session_get_profile (session, &n_nodes);
  double flops = 0;
  for (gsize i = 0; i < n_nodes; i++)
    flops += (double) nodes[i].n_flops;
  return flops;
}

static ForgeTensor *
random_input (ForgeSession *session)
{
  ForgeTensor *input = forge_session_get_input (session, 0);
  ForgeRng rng;
  forge_rng_seed (&rng, SEED);
  int64_t count = forge_tensor_get_count (input);
  for (int64_t i = 0; i < count; i++)
    ((float *) input->data)[i] = forge_rng_float (&rng);
  return input;
}

/* The largest difference over the largest score. */
static double
relative_error (const ForgeTensor *a, const ForgeTensor *b)
{
  const float *x = a->data, *y = b->data;
  double difference = 0, size = 0;
  for (int64_t i = 0; i < forge_tensor_get_count (a); i++) {
    difference = fmax (difference, fabs ((double) x[i] - y[i]));
    size = fmax (size, fabs ((double) y[i]));
  }
  return difference / size;
}

static void
report (const char *path, const char *version, double flops, double error,
    Rounds *ours, Rounds *theirs)
{
  Rounds ratio;
  gsize n = (gsize) n_rounds;
  for (gsize r = 0; r < n; r++)
    ratio.median_ms[r] = ours->median_ms[r] / theirs->median_ms[r];
  double best_ours = forge_quantile (ours->median_ms, n, 0.5);
  double best_theirs = forge_quantile (theirs->median_ms, n, 0.5);
  double middle = forge_quantile (ratio.median_ms, n, 0.5);
  double low = forge_quantile (ratio.median_ms, n, 0);
  double high = forge_quantile (ratio.median_ms, n, 1);
  double peak = measure_peak ();
  double percent = peak > 0 ? flops / best_ours / peak / threads / 1e4 : 0;
  g_autofree char *name = g_path_get_basename (path);
  if (as_json)
    printf ("{\"model\": \"%s\", \"threads\": %d, \"rounds\": %d, "
            "\"cpu\": \"%s\", \"onnxruntime\": \"%s\", \"ours_ms\": %.5f, "
            "\"theirs_ms\": %.5f, \"ratio\": %.4f, \"ratio_low\": %.4f, "
            "\"ratio_high\": %.4f, \"flops\": %.0f, \"peak_gflops\": %.2f, "
            "\"percent_of_peak\": %.2f, \"relative_error\": %.3g}\n",
        name, threads, n_rounds, forge_cpu_tier (), version, best_ours,
        best_theirs, middle, low, high, flops, peak, percent, error);
  else
    printf ("%-26s %2d  %9.4f  %9.4f  %5.3f (%.3f .. %.3f)  %5.1f %%  %.1e\n",
        name, threads, best_ours, best_theirs, middle, low, high, percent,
        error);
}

static gboolean
compare (const char *path, GError **error)
{
  const OrtParams ort_params = { .optimise = TRUE, .threads = threads };
  const ForgeSessionParams params = { .threads = threads, .batch = 1 };
  g_autofree char *problem = NULL;
  g_autoptr (Ort) ort = ort_open_with (&ort_params, &problem);
  if (!ort) {
    g_set_error_literal (error, FORGE_ERROR, FORGE_ERROR_IO, problem);
    return FALSE;
  }
  g_autoptr (ForgeModel) model = forge_model_load (path, error);
  g_autoptr (ForgeSession) session =
      model ? forge_session_new (model, &params, error) : NULL;
  if (!session)
    return FALSE;
  ForgeTensor *input = random_input (session);
  ForgeTensor *found = forge_session_get_output (session, 0);
  g_autoptr (ForgeTensor) expected = forge_tensor_copy (found, NULL);
  g_autoptr (OrtSession) theirs = ort_session_new (ort, path, NULL, 0);
  ort_session_bind (theirs, forge_model_get_input (model, 0).name, input,
      forge_model_get_output (model, 0).name, expected);
  const Pair pair = { session, theirs };
  Rounds our_rounds, their_rounds;
  for (int r = 0; r < n_rounds; r++) {
    our_rounds.median_ms[r] = run_round (run_ours, &pair);
    their_rounds.median_ms[r] = run_round (run_theirs, &pair);
  }
  report (path, ort_version (ort), count_flops (session),
      relative_error (found, expected), &our_rounds, &their_rounds);
  return TRUE;
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GOptionContext) context = g_option_context_new ("MODEL.onnx");
  g_option_context_add_main_entries (context, entries, NULL);
  if (!g_option_context_parse (context, &argc, &argv, &error) || argc != 2) {
    fprintf (stderr, "compare-run: %s\n",
        error ? error->message : "expected one model (see --help)");
    return 2;
  }
  threads = CLAMP (threads, 1, 256);
  n_rounds = CLAMP (n_rounds, 1, MAX_ROUNDS);
  if (!compare (argv[1], &error)) {
    fprintf (stderr, "compare-run: %s\n", error->message);
    return 1;
  }
  return 0;
}
