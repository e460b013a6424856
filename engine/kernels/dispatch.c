/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The process-wide table of kernels, filled once from forge_cpu_flags(). The
 * only file of this room that knows GLib. */
#include "kernels/kernels.h"

#include <glib.h>

#include "base/cpu.h"
#include "kernels/variant.h"

G_STATIC_ASSERT ((int) FORGE_TIER_ref == (int) FORGE_CPU_REF);
G_STATIC_ASSERT ((int) FORGE_TIER_avx2 == (int) FORGE_CPU_AVX2);
G_STATIC_ASSERT ((int) FORGE_TIER_avx512 == (int) FORGE_CPU_AVX512);
G_STATIC_ASSERT ((int) FORGE_TIER_neon == (int) FORGE_CPU_NEON);

const ForgeKernels *
forge_kernels (void)
{
  static ForgeKernels kernels;
  static gsize once;
  if (g_once_init_enter (&once)) {
    forge_kernels_select (forge_cpu_flags (), &kernels);
    g_once_init_leave (&once, 1);
  }
  return &kernels;
}
