/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * CPU detection. The compiler's own __builtin_cpu_supports also checks that
 * the operating system saves the wide registers (XGETBV). The usable CPU
 * count honours sched_setaffinity (taskset, cpusets) and the cgroup v2 and v1
 * CFS quota, so that a container with half a machine gets half the threads.
 * Source: Linux Documentation/admin-guide/cgroup-v2.rst, "cpu.max". */
#include "base/cpu.h"

#include <math.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>

static const struct {
  ForgeCpuFlags flag;
  const char *name;
} tiers[] = {
  { FORGE_CPU_REF, "ref" },
  { FORGE_CPU_AVX2, "avx2" },
  { FORGE_CPU_AVX512, "avx512" },
  { FORGE_CPU_NEON, "neon" },
};

const char *
forge_cpu_name (ForgeCpuFlags flag)
{
  for (gsize i = 0; i < G_N_ELEMENTS (tiers); i++)
    if (tiers[i].flag == flag)
      return tiers[i].name;
  return "unknown";
}

char *
forge_cpu_model_name (void)
{
  g_autofree char *text = NULL;
  if (!g_file_get_contents ("/proc/cpuinfo", &text, NULL, NULL))
    return g_strdup ("unknown");
  const char *at = strstr (text, "model name");
  at = at ? strchr (at, ':') : NULL;
  if (!at)
    return g_strdup ("unknown");
  at++;
  return g_strstrip (g_strndup (at, strcspn (at, "\n")));
}

ForgeCpuFlags
forge_cpu_detect (void)
{
  ForgeCpuFlags flags = FORGE_CPU_REF;
#if defined(__x86_64__)
  __builtin_cpu_init ();
  if (__builtin_cpu_supports ("avx2") && __builtin_cpu_supports ("fma"))
    flags |= FORGE_CPU_AVX2;
  if ((flags & FORGE_CPU_AVX2) && __builtin_cpu_supports ("avx512f") &&
      __builtin_cpu_supports ("avx512bw") &&
      __builtin_cpu_supports ("avx512dq") &&
      __builtin_cpu_supports ("avx512vl"))
    flags |= FORGE_CPU_AVX512;
#elif defined(__aarch64__)
  flags |= FORGE_CPU_NEON;
#endif
  return flags;
}

/* Keeps the named tier and those below it. */
static ForgeCpuFlags
apply_mask (ForgeCpuFlags flags, const char *name)
{
  for (gsize i = 0; i < G_N_ELEMENTS (tiers); i++)
    if (g_ascii_strcasecmp (name, tiers[i].name) == 0)
      return flags & (ForgeCpuFlags) (tiers[i].flag * 2 - 1);
  g_warning ("FORGE_CPU=%s: not one of ref, avx2, avx512, neon; ignored", name);
  return flags;
}

ForgeCpuFlags
forge_cpu_flags (void)
{
  static gsize once;
  if (g_once_init_enter (&once)) {
    ForgeCpuFlags flags = forge_cpu_detect ();
    const char *name = g_getenv ("FORGE_CPU");
    if (name && *name)
      flags = apply_mask (flags, name);
    g_once_init_leave (&once, (gsize) flags);
  }
  return (ForgeCpuFlags) once;
}

const char *
forge_cpu_tier (void)
{
  ForgeCpuFlags flags = forge_cpu_flags ();
  for (gsize i = G_N_ELEMENTS (tiers); i-- > 0;)
    if (flags & tiers[i].flag)
      return tiers[i].name;
  return "ref";
}

/* Quota of the cgroup in CPUs, or 0 when there is none. */
static double
cgroup_quota (void)
{
  g_autofree char *text = NULL;
  if (g_file_get_contents ("/sys/fs/cgroup/cpu.max", &text, NULL, NULL)) {
    char *end;
    double quota = g_ascii_strtod (text, &end);
    double period = g_ascii_strtod (end, NULL);
    return end != text && period > 0 ? quota / period : 0;
  }
  g_autofree char *quota_text = NULL;
  g_autofree char *period_text = NULL;
  if (!g_file_get_contents (
          "/sys/fs/cgroup/cpu/cpu.cfs_quota_us", &quota_text, NULL, NULL) ||
      !g_file_get_contents (
          "/sys/fs/cgroup/cpu/cpu.cfs_period_us", &period_text, NULL, NULL))
    return 0;
  double quota = g_ascii_strtod (quota_text, NULL);
  double period = g_ascii_strtod (period_text, NULL);
  return quota > 0 && period > 0 ? quota / period : 0;
}

int
forge_cpu_count (void)
{
  cpu_set_t set;
  int count = 1;
  if (sched_getaffinity (0, sizeof set, &set) == 0)
    count = MAX (1, CPU_COUNT (&set));
  double quota = cgroup_quota ();
  if (quota > 0)
    count = CLAMP ((int) ceil (quota), 1, count);
  return count;
}
