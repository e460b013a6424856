/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Finds the peak function of a tier by name. */
#include "peak.h"

#include <string.h>

PeakFunc
peak_find (const char *tier)
{
#if defined(__x86_64__)
  if (strcmp (tier, "avx2") == 0)
    return peak_avx2;
  if (strcmp (tier, "avx512") == 0)
    return peak_avx512;
#elif defined(__aarch64__)
  if (strcmp (tier, "neon") == 0)
    return peak_neon;
#endif
  return NULL;
}
