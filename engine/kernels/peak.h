/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The FMA peak of one core, per tier: peak.c built with each tier's flags. */
#pragma once

#include <stddef.h>

/* Runs n_rounds rounds of independent FMAs in registers and returns the
 * floating-point operations of one round. */
typedef double (*ForgePeakFunc) (size_t n_rounds);

double forge_peak_avx2 (size_t n_rounds);
double forge_peak_avx512 (size_t n_rounds);
double forge_peak_neon (size_t n_rounds);
/* NULL where the tier has none (ref). */
ForgePeakFunc forge_peak_find (const char *tier);
