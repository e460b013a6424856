/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See blocks.h. */
#include "ops/blocks.h"

#include "ops/ahead.h"

/* Weights that one task walks through stay within half a small L2. */
#define BLOCK_WEIGHT_BYTES (192 * 1024)
#define BLOCK_TILES 16

static int64_t
divide_up (int64_t a, int64_t b)
{
  return (a + b - 1) / b;
}

ForgeBlocks
forge_blocks_cut (int64_t n_rows, int64_t n_columns, int64_t n_terms,
    int64_t allowed_panels, int64_t least_tasks)
{
  const ForgeKernels *kernels = forge_kernels ();
  int64_t mr = (int64_t) kernels->igemm_mr, nr = (int64_t) kernels->igemm_nr;
  ForgeBlocks b = { .tiles = divide_up (n_rows, mr),
    .panels = divide_up (n_columns, nr),
    .panel_floats = (n_terms + 1) * nr };
  int64_t panel_bytes = b.panel_floats * (int64_t) sizeof (float);
  int64_t most = MAX (allowed_panels, BLOCK_WEIGHT_BYTES / panel_bytes);
  b.panel_blocks = divide_up (b.panels, MAX (most, 1));
  int64_t wanted = divide_up (least_tasks, MAX (b.panel_blocks, 1));
  b.tile_blocks = MAX (divide_up (b.tiles, BLOCK_TILES), wanted);
  b.tile_blocks = MIN (b.tile_blocks + b.tile_blocks % 2, b.tiles);
  if (b.tile_blocks > 0 && b.tile_blocks < wanted && b.panel_blocks == 1)
    b.panel_blocks = MIN (b.panels, wanted / b.tile_blocks);
  return b;
}

ForgeBlock
forge_blocks_get (const ForgeBlocks *b, int64_t index)
{
  int64_t t = index % b->tile_blocks, p = index / b->tile_blocks;
  ForgeBlock block = { .tile = b->tiles * t / b->tile_blocks,
    .end_tile = b->tiles * (t + 1) / b->tile_blocks,
    .panel = b->panels * p / b->panel_blocks,
    .end_panel = b->panels * (p + 1) / b->panel_blocks };
  if (p + 1 < b->panel_blocks)
    block.n_ahead = b->panels * (p + 2) / b->panel_blocks - block.end_panel;
  return block;
}

ForgeAhead
forge_blocks_ahead (const ForgeBlocks *b, const ForgeBlock *block,
    const float *weights, int64_t tile)
{
  if (block->n_ahead == 0)
    return FORGE_AHEAD_NONE;
  return forge_ahead_share (weights + block->end_panel * b->panel_floats,
      block->n_ahead * b->panel_floats, (int64_t) forge_kernels ()->igemm_nr,
      tile, b->tiles);
}
