/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * checker [--seed N] [kernel]        one TAP case per kernel and variant
 * checker --bench [kernel]           times them instead
 *
 * A variant that leaves its memory meets an unmapped page; the signal is
 * caught and ends that case alone. */
#include "checker.h"

#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "kernels/peak.h"
#include "kernels/variant.h"

static const struct {
  const char *name;
  CheckFunc check;
  BenchFunc bench;
  size_t offset; /* of the pointer in ForgeKernels */
} kernels[] = {
#define KERNEL(name) \
  { #name, check_##name, bench_##name, offsetof (ForgeKernels, name) },
#include "kernels/kernels.def"
#undef KERNEL
};

enum { N_KERNELS = sizeof kernels / sizeof kernels[0], MAX_TIERS = 4 };

static Tier tiers[MAX_TIERS];
static int n_tiers;
static sigjmp_buf case_end;
static char failure[512];

void
check_fail (const char *format, ...)
{
  va_list args;
  va_start (args, format);
  vsnprintf (failure, sizeof failure, format, args);
  va_end (args);
  siglongjmp (case_end, 1);
}

static void
on_fault (int number)
{
  strcpy (failure, number == SIGSEGV || number == SIGBUS
                       ? "memory outside the arguments was touched"
                       : "illegal instruction");
  siglongjmp (case_end, 1);
}

static void
add_tier (const char *name, uint32_t flag)
{
  Tier *tier = &tiers[n_tiers++];
  tier->name = name;
  forge_kernels_select (flag, &tier->kernels);
}

static void
find_tiers (void)
{
  add_tier ("ref", FORGE_TIER_ref);
#if defined(__x86_64__)
  if (__builtin_cpu_supports ("avx2") && __builtin_cpu_supports ("fma"))
    add_tier ("avx2", FORGE_TIER_avx2);
  if (__builtin_cpu_supports ("avx512f") &&
      __builtin_cpu_supports ("avx512bw") &&
      __builtin_cpu_supports ("avx512dq") &&
      __builtin_cpu_supports ("avx512vl"))
    add_tier ("avx512", FORGE_TIER_avx512);
#elif defined(__aarch64__)
  add_tier ("neon", FORGE_TIER_neon);
#endif
}

/* ref is always checked; a tier only where it has a body of its own. */
static bool
has_variant (const Tier *tier, int kernel)
{
  void (*own) (void);
  void (*ref) (void);
  memcpy (
      &own, (const char *) &tier->kernels + kernels[kernel].offset, sizeof own);
  memcpy (&ref, (const char *) &tiers[0].kernels + kernels[kernel].offset,
      sizeof ref);
  return tier == &tiers[0] || own != ref;
}

/* Prints one TAP line; returns whether the case passed. */
static bool
run_case (int number, int kernel, const Tier *tier)
{
  const char *name = kernels[kernel].name;
  if (sigsetjmp (case_end, 1)) {
    printf ("not ok %d %s/%s\n# %s\n", number, name, tier->name, failure);
    return false;
  }
  kernels[kernel].check (&tiers[0], tier);
  printf ("ok %d %s/%s\n", number, name, tier->name);
  return true;
}

static int
run_checks (const char *only)
{
  int n_cases = 0;
  bool passed = true;
  for (int k = 0; k < N_KERNELS; k++)
    for (const Tier *tier = tiers; tier < tiers + n_tiers; tier++)
      if ((!only || strcmp (only, kernels[k].name) == 0) &&
          has_variant (tier, k))
        passed &= run_case (++n_cases, k, tier);
  printf ("1..%d\n", n_cases);
  return passed && n_cases > 0 ? 0 : 1;
}

static double
now (void)
{
  struct timespec time;
  clock_gettime (CLOCK_MONOTONIC, &time);
  return (double) time.tv_sec + 1e-9 * (double) time.tv_nsec;
}

double
bench_seconds (void (*body) (void *data), void *data)
{
  double least = 1e9;
  const double stop = now () + 0.05;
  for (int repeats = 1; now () < stop;) {
    const double start = now ();
    for (int i = 0; i < repeats; i++)
      body (data);
    const double seconds = now () - start;
    if (seconds < 20e-6)
      repeats *= 2; /* too short for the clock */
    else if (seconds / repeats < least)
      least = seconds / repeats;
  }
  return least;
}

void
bench_report (const Tier *tier, const char *kernel, const char *shape,
    double seconds, double flops, double bytes)
{
  printf (
      "%-13s %-7s %-28s %10.0f ns", kernel, tier->name, shape, seconds * 1e9);
  if (flops > 0)
    printf (" %7.1f GFLOP/s", flops / seconds * 1e-9);
  if (flops > 0 && tier->peak_gflops > 0)
    printf (" %5.1f %% of peak", flops / seconds * 1e-7 / tier->peak_gflops);
  if (bytes > 0)
    printf (" %7.1f GB/s", bytes / seconds * 1e-9);
  printf ("\n");
}

static void
run_peak (void *data)
{
  ForgePeakFunc peak = *(ForgePeakFunc *) data;
  peak (1000);
}

static int
run_benches (const char *only)
{
  for (Tier *tier = tiers; tier < tiers + n_tiers; tier++) {
    ForgePeakFunc peak = forge_peak_find (tier->name);
    if (peak) {
      double flops = peak (0) * 1000;
      tier->peak_gflops = flops / bench_seconds (run_peak, &peak) * 1e-9;
      printf ("# %s: FMA peak %.1f GFLOP/s\n", tier->name, tier->peak_gflops);
    }
  }
  for (int k = 0; k < N_KERNELS; k++)
    for (const Tier *tier = tiers; tier < tiers + n_tiers; tier++)
      if ((!only || strcmp (only, kernels[k].name) == 0) &&
          has_variant (tier, k))
        kernels[k].bench (tier);
  return 0;
}

int
main (int argc, char **argv)
{
  bool bench = false;
  const char *only = NULL;
  uint32_t seed = (uint32_t) time (NULL);
  for (int i = 1; i < argc; i++) {
    if (strcmp (argv[i], "--bench") == 0)
      bench = true;
    else if (strcmp (argv[i], "--seed") == 0 && i + 1 < argc)
      seed = (uint32_t) strtoul (argv[++i], NULL, 0);
    else
      only = argv[i];
  }
  setvbuf (stdout, NULL, _IOLBF, 0);
  find_tiers ();
  check_seed (seed);
  if (bench)
    return run_benches (only);
  printf ("# seed %u\n", seed);
  struct sigaction action = { .sa_handler = on_fault };
  sigaction (SIGSEGV, &action, NULL);
  sigaction (SIGBUS, &action, NULL);
  sigaction (SIGILL, &action, NULL);
  return run_checks (only);
}
