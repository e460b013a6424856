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

G_END_DECLS
