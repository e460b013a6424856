/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Filters as tables: which input samples, with which weights, make an output
 * sample. One table serves rows, another columns. */
#pragma once

#include "forge/image.h"

#define FORGE_WEIGHT_ONE 16384 /* Q14 */

/* One axis of a resize. Places are in quarter samples, which is as fine as
 * chroma siting goes, so that everything is exact. */
typedef struct {
  int n_in;     /* samples that may be read, 1..32768 */
  int n_out;    /* samples to make, 1..32768 */
  int origin_q; /* left edge of output sample 0, from that of input sample 0 */
  int extent_q; /* what all output samples together cover, >= 1 */
} ForgeAxis;

/* out[i] = sum over t < n_taps of weights[i * n_taps + t] * in[start[i] + t];
 * each sum of weights is FORGE_WEIGHT_ONE and start[i] + n_taps <= n_in. */
typedef struct {
  int n_out, n_taps;
  int32_t *start;   /* [n_out], never falling */
  int16_t *weights; /* [n_out][n_taps], >= 0 */
} ForgeTaps;

/* FALSE when memory cannot be had; @taps is then empty. */
gboolean forge_taps_init (
    ForgeTaps *taps, ForgeResizeFilter filter, const ForgeAxis *axis);
/* Makes n_taps a multiple of @multiple with taps of weight 0, where @n_in, the
 * samples that may be read, are as many. FALSE as above. */
gboolean forge_taps_pad (ForgeTaps *taps, int n_in, int multiple);
void forge_taps_clear (ForgeTaps *taps);
