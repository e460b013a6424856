/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Weights that do not fit into L2 are fetched while the block before them is
 * worked on. Private to ops/. */
#pragma once

#include <glib.h>

#include "kernels/kernels.h"

/* Call @part of @n_parts that run over the same panels fetches its share of
 * @next, where the following @n_floats of panels of @nr lie. */
static inline ForgeAhead
forge_ahead_share (const float *next, int64_t n_floats, int64_t nr,
    int64_t part, int64_t n_parts)
{
  const int64_t step = nr * (int64_t) sizeof (float) / n_parts;
  return (
      ForgeAhead) { next + n_floats / n_parts * part, (size_t) MAX (step, 1) };
}

#define FORGE_AHEAD_NONE ((ForgeAhead) { NULL, 0 })
