/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the core could do at best, which reports set what it does against. */
#include <time.h>

#include "forge/cpu.h"
#include "kernels/peak.h"

#define N_TRIES 11
#define N_ROUNDS 20000

static double
now (void)
{
  struct timespec time;
  clock_gettime (CLOCK_MONOTONIC, &time);
  return (double) time.tv_sec + 1e-9 * (double) time.tv_nsec;
}

double
forge_cpu_measure_peak_gflops (void)
{
  ForgePeakFunc peak = forge_peak_find (forge_cpu_tier ());
  double best = 0;
  for (int i = 0; peak && i < N_TRIES; i++) {
    double begin = now ();
    double flops = peak (N_ROUNDS) * N_ROUNDS;
    double rate = flops / (now () - begin) / 1e9;
    best = MAX (best, rate);
  }
  return best;
}
