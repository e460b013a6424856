/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What part of the machine the engine uses: for reports. */
#pragma once

#include <glib.h>

G_BEGIN_DECLS

/* The highest instruction-set tier in use, after the mask of the environment
 * variable FORGE_CPU: "ref", "avx2", "avx512" or "neon". Any thread. */
const char *forge_cpu_tier (void);
/* CPUs this process may run on: affinity mask cut by the cgroup quota, >= 1.
 * Any thread. */
int forge_cpu_count (void);

G_END_DECLS
