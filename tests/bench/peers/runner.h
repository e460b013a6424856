/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * One engine with one model in a process of its own, driven by compare-run
 * through a pipe, so that peers from another Debian suite take part and no
 * engine's threads meet another's. runner.c has main and the clock; each
 * engine defines the functions below. Plain C without libraries: it is built
 * inside foreign root folders too, from C and C++.
 *
 *   run-ENGINE MODEL THREADS BATCH SIDE     MODEL: path without its ending
 *
 * Answers on standard output, one line each:
 *   (start)           "ready FLOPS VERSION", FLOPS of a run or 0
 *   "time SECONDS"    "time MEDIAN_MS N_RUNS", after a warm-up
 *   "output FILE"     "output N", floats written to FILE
 * and "failed REASON" instead of any, at which the process ends. */
#pragma once

#include <stddef.h>

#ifdef __cplusplus
extern "C" {
#endif

typedef struct {
  const char *model;
  int threads, batch, side;
  const float *input; /* [batch, 3, side, side] in [0, 1), 64-byte aligned */
  size_t n_inputs;
} RunnerJob;

/* Ends with runner_fail() where the engine cannot. */
void runner_open (const RunnerJob *job);
void runner_run (void);
/* The scores of the last run, [batch, classes]. */
const float *runner_output (size_t *n_outputs);
const char *runner_version (void);
double runner_flops (void);

__attribute__ ((format (printf, 1, 2), noreturn)) void runner_fail (
    const char *format, ...);

#ifdef __cplusplus
}
#endif
