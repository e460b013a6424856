/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The clock and the pipe, the same for every engine. The input is the same
 * pseudo-random picture for all. */
#include "runner.h"

#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#define SEED 3
#define MAX_RUNS 100000
#define MIN_RUNS 3
#define WARM_UP_SHARE 0.25
#define MAX_LINE 4096

void
runner_fail (const char *format, ...)
{
  va_list arguments;
  va_start (arguments, format);
  printf ("failed ");
  vprintf (format, arguments);
  printf ("\n");
  fflush (stdout);
  va_end (arguments);
  exit (1);
}

static double
now (void)
{
  struct timespec time;
  clock_gettime (CLOCK_MONOTONIC, &time);
  return (double) time.tv_sec + 1e-9 * (double) time.tv_nsec;
}

static int
compare_doubles (const void *a, const void *b)
{
  double x = *(const double *) a, y = *(const double *) b;
  return (x > y) - (x < y);
}

static void
time_runs (double seconds)
{
  static double times_ms[MAX_RUNS];
  size_t n_runs = 0;
  double start = now ();
  do
    runner_run ();
  while (now () - start < WARM_UP_SHARE * seconds);
  start = now ();
  while (n_runs < MIN_RUNS || (n_runs < MAX_RUNS && now () - start < seconds)) {
    double begin = now ();
    runner_run ();
    times_ms[n_runs++] = 1e3 * (now () - begin);
  }
  qsort (times_ms, n_runs, sizeof *times_ms, compare_doubles);
  double median_ms = 0.5 * (times_ms[(n_runs - 1) / 2] + times_ms[n_runs / 2]);
  printf ("time %.6f %zu\n", median_ms, n_runs);
}

static void
write_output (const char *path)
{
  size_t n_outputs = 0;
  const float *output = runner_output (&n_outputs);
  FILE *file = fopen (path, "wb");
  if (!file || fwrite (output, sizeof *output, n_outputs, file) != n_outputs ||
      fclose (file) != 0)
    runner_fail ("%s cannot be written", path);
  printf ("output %zu\n", n_outputs);
}

static float *
make_input (size_t n_inputs)
{
  size_t n_bytes = (n_inputs * sizeof (float) + 63) / 64 * 64;
  float *input = aligned_alloc (64, n_bytes);
  if (!input)
    runner_fail ("no memory for the input");
  uint32_t state = SEED;
  for (size_t i = 0; i < n_inputs; i++) {
    state = state * 1664525 + 1013904223;
    input[i] = (float) (state >> 8) / (1 << 24);
  }
  return input;
}

int
main (int argc, char **argv)
{
  if (argc != 5)
    runner_fail ("usage: run-ENGINE MODEL THREADS BATCH SIDE");
  RunnerJob job = { argv[1], atoi (argv[2]), atoi (argv[3]), atoi (argv[4]),
    NULL, 0 };
  if (job.threads < 1 || job.threads > 256 || job.batch < 1 ||
      job.batch > 1024 || job.side < 1 || job.side > 4096)
    runner_fail ("THREADS, BATCH or SIDE is out of range");
  job.n_inputs = (size_t) job.batch * 3 * (size_t) job.side * (size_t) job.side;
  job.input = make_input (job.n_inputs);
  runner_open (&job);
  runner_run ();
  printf ("ready %.0f %s\n", runner_flops (), runner_version ());
  fflush (stdout);
  char line[MAX_LINE];
  while (fgets (line, sizeof line, stdin)) {
    line[strcspn (line, "\n")] = 0;
    if (strncmp (line, "time ", 5) == 0)
      time_runs (atof (line + 5));
    else if (strncmp (line, "output ", 7) == 0)
      write_output (line + 7);
    else
      runner_fail ("unknown command '%s'", line);
    fflush (stdout);
  }
  return 0;
}
