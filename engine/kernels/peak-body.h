/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Twelve chains of FMAs: enough to cover the latency on any core we know. The
 * empty asm keeps each sum in a register and the loop from being folded. */
#include "kernels/peak.h"

#define PEAK_NAME_(isa) forge_peak_##isa
#define PEAK_NAME(isa) PEAK_NAME_ (isa)

enum { N_CHAINS = 12, N_STEPS = 64 };

double
PEAK_NAME (FORGE_ISA) (size_t n_rounds)
{
  vf sum[N_CHAINS];
#pragma GCC unroll 12
  for (int i = 0; i < N_CHAINS; i++)
    sum[i] = vf_splat ((float) i);
  const vf a = vf_splat (0.999f);
  const vf b = vf_splat (0.001f);
  for (size_t i = 0; i < n_rounds * N_STEPS; i++)
#pragma GCC unroll 12
    for (int j = 0; j < N_CHAINS; j++) {
      sum[j] = vf_fmadd (sum[j], a, b);
      __asm__ volatile("" : "+" FORGE_VECTOR_REGISTER (sum[j]));
    }
  return 2.0 * N_CHAINS * N_STEPS * VF_WIDTH;
}
