/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What part of the machine the engine uses: for reports. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/**
 * forge_cpu_tier:
 *
 * The highest instruction-set tier in use, after the mask of the environment
 * variable `FORGE_CPU`.
 *
 * Thread safety: any thread.
 * Returns: (transfer none): "ref", "avx2", "avx512" or "neon"
 * Since: 0.1
 */
const char *forge_cpu_tier (void);

/**
 * forge_cpu_count:
 *
 * CPUs this process may run on: affinity mask cut by the cgroup quota.
 *
 * Thread safety: any thread.
 * Returns: the number, >= 1
 * Since: 0.1
 */
int forge_cpu_count (void);

/**
 * forge_cpu_measure_peak_gflops:
 *
 * The most that one core of the tier in use can do: independent float32
 * multiply-adds (two operations each) on registers alone, the best of eleven
 * short tries. It takes some 30 ms, and less than the truth comes out where
 * others use the core meanwhile.
 *
 * Thread safety: any thread.
 * Returns: 10^9 operations a second; 0 on the tier "ref"
 * Since: 0.1
 */
double forge_cpu_measure_peak_gflops (void);

G_END_DECLS
