/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Finds the peak function of a tier by name. */
#include "kernels/peak.h"

#include <string.h>

ForgePeakFunc
forge_peak_find (const char *tier)
{
#if defined(__x86_64__)
  if (strcmp (tier, "avx2") == 0)
    return forge_peak_avx2;
  if (strcmp (tier, "avx512") == 0)
    return forge_peak_avx512;
#elif defined(__aarch64__)
  if (strcmp (tier, "neon") == 0)
    return forge_peak_neon;
#endif
  return NULL;
}
