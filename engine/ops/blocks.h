/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * How a product by igemm_f32 is cut into tasks: blocks of tiles (igemm_mr rows
 * each) by blocks of weight panels (igemm_nr columns each). Private to ops/. */
#pragma once

#include <glib.h>

#include "kernels/kernels.h"

/* Of one product; tasks go through the tiles of one block of panels, then to
 * the next, so that a thread's range of tasks has weights of its own. */
typedef struct {
  int64_t tiles, tile_blocks;
  int64_t panels, panel_blocks;
  int64_t panel_floats;
} ForgeBlocks;

typedef struct {
  int64_t tile, end_tile;
  int64_t panel, end_panel;
  int64_t n_ahead; /* panels of the next block; 0 = this is the last */
} ForgeBlock;

/**
 * forge_blocks_cut:
 * @n_rows, @n_columns: extents of the product
 * @n_terms: of each sum, over taps and channels
 * @allowed_panels: a block may have so many, whatever they weigh
 * @least_tasks: a product is cut into as many, where it has the tiles or, with
 *   one block of panels, the panels
 *
 * Cuts by sizes alone: weights of a block stay in L2, and blocks are as even as
 * whole tiles and panels can be, so that threads end together.
 */
ForgeBlocks forge_blocks_cut (int64_t n_rows, int64_t n_columns,
    int64_t n_terms, int64_t allowed_panels, int64_t least_tasks);

static inline int
forge_blocks_count (const ForgeBlocks *blocks)
{
  return (int) (blocks->tile_blocks * blocks->panel_blocks);
}

/* @index below forge_blocks_count. */
ForgeBlock forge_blocks_get (const ForgeBlocks *blocks, int64_t index);

/* What to fetch while @tile is multiplied: its share of the next block's
 * panels, where @weights are those of the whole product. */
ForgeAhead forge_blocks_ahead (const ForgeBlocks *blocks,
    const ForgeBlock *block, const float *weights, int64_t tile);
