/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What this CPU can do, what the user allows it to do, and how many CPUs the
 * process may use. */
#pragma once

#include <glib.h>
#include <stdint.h>

#include "forge/cpu.h"

/* One bit per instruction-set tier that a kernel variant can ask for. */
typedef enum {
  FORGE_CPU_REF = 1 << 0,    /* plain C, always there */
  FORGE_CPU_AVX2 = 1 << 1,   /* AVX2 and FMA3 */
  FORGE_CPU_AVX512 = 1 << 2, /* AVX-512 F, BW, DQ and VL */
  FORGE_CPU_NEON = 1 << 3,   /* AArch64 Advanced SIMD */
} ForgeCpuFlags;

/**
 * forge_cpu_flags:
 *
 * The tiers the CPU and the operating system support, cut down by the
 * environment variable `FORGE_CPU`: a name from `ref`, `avx2`, `avx512`,
 * `neon` is the highest tier that may be used. An unknown name warns once and
 * is ignored; a tier that the CPU lacks falls to the best one below it.
 *
 * Thread safety: any thread; read once, then constant.
 * Since: 0.1
 */
ForgeCpuFlags forge_cpu_flags (void);
/* Without the mask: what the hardware has. */
ForgeCpuFlags forge_cpu_detect (void);
/* What the operating system calls the CPU, "unknown" where it does not say.
 * (transfer full) */
char *forge_cpu_model_name (void);
/* "avx512" for FORGE_CPU_AVX512 and so on. */
const char *forge_cpu_name (ForgeCpuFlags flag);
