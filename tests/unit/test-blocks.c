/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * How products are cut into tasks (engine/ops/blocks.c). */
#include "ops/blocks.h"

static const int64_t sizes[] = { 1, 2, 5, 16, 49, 97, 196, 1000, 12544 };

static void
assert_covers_once (const ForgeBlocks *blocks)
{
  g_autofree guint8 *seen =
      g_new0 (guint8, (gsize) (blocks->tiles * blocks->panels));
  for (int i = 0; i < forge_blocks_count (blocks); i++) {
    ForgeBlock block = forge_blocks_get (blocks, i);
    g_assert_cmpint (block.tile, <, block.end_tile);
    g_assert_cmpint (block.panel, <, block.end_panel);
    for (int64_t t = block.tile; t < block.end_tile; t++)
      for (int64_t p = block.panel; p < block.end_panel; p++)
        g_assert_cmpint (seen[t * blocks->panels + p]++, ==, 0);
  }
  for (int64_t i = 0; i < blocks->tiles * blocks->panels; i++)
    g_assert_cmpint (seen[i], ==, 1);
}

/* What is fetched ahead are the panels of the block that comes next. */
static void
assert_looks_ahead (const ForgeBlocks *blocks)
{
  for (int i = 0; i < forge_blocks_count (blocks); i++) {
    ForgeBlock block = forge_blocks_get (blocks, i);
    int64_t next = i + blocks->tile_blocks;
    int64_t n_ahead = 0;
    if (next < forge_blocks_count (blocks)) {
      ForgeBlock other = forge_blocks_get (blocks, next);
      g_assert_cmpint (other.panel, ==, block.end_panel);
      n_ahead = other.end_panel - other.panel;
    }
    g_assert_cmpint (block.n_ahead, ==, n_ahead);
  }
}

static void
blocks_cover_every_product_once (void)
{
  for (gsize m = 0; m < G_N_ELEMENTS (sizes); m++)
    for (gsize n = 0; n < 8; n++)
      for (gsize k = 0; k < 8; k++)
        for (int64_t least = 1; least <= 32; least *= 8) {
          ForgeBlocks blocks =
              forge_blocks_cut (sizes[m], sizes[n], sizes[k], 1, least);
          assert_covers_once (&blocks);
          assert_looks_ahead (&blocks);
          if (blocks.tiles >= 2 * least)
            g_assert_cmpint (forge_blocks_count (&blocks), >=, least);
        }
}

static int64_t
work_of (const ForgeBlocks *blocks, int from, int to)
{
  int64_t sum = 0;
  for (int i = from; i < to; i++) {
    ForgeBlock block = forge_blocks_get (blocks, i);
    sum += (block.end_tile - block.tile) * (block.end_panel - block.panel);
  }
  return sum;
}

/* Two threads have a half of the tasks each: the same work but for a column of
 * tiles and a row of panels. */
static void
halves_of_tasks_are_even (void)
{
  for (gsize m = 0; m < G_N_ELEMENTS (sizes); m++)
    for (gsize n = 0; n < 8; n++) {
      ForgeBlocks blocks = forge_blocks_cut (sizes[m], sizes[n], 576, 1, 8);
      if (blocks.tiles < 16)
        continue;
      int count = forge_blocks_count (&blocks);
      int64_t first = work_of (&blocks, 0, count / 2);
      int64_t second = work_of (&blocks, count / 2, count);
      g_assert_cmpint (count % 2, ==, 0);
      g_assert_cmpint (ABS (first - second), <=, blocks.panels + blocks.tiles);
    }
}

/* Panels of 256 KiB, one of which is more than a block may weigh. */
static void
heavy_panels_are_taken_as_allowed (void)
{
  for (int64_t allowed = 1; allowed <= 4; allowed++) {
    ForgeBlocks blocks = forge_blocks_cut (1, 64 * 60, 4096, allowed, 1);
    int64_t panels = (blocks.panels + allowed - 1) / allowed;
    g_assert_cmpint (forge_blocks_count (&blocks), ==, panels);
  }
}

static void
nothing_makes_no_blocks (void)
{
  ForgeBlocks blocks = forge_blocks_cut (0, 16, 16, 1, 8);
  g_assert_cmpint (forge_blocks_count (&blocks), ==, 0);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name) g_test_add_func ("/blocks/" #name, name)
  ADD (blocks_cover_every_product_once);
  ADD (halves_of_tasks_are_even);
  ADD (heavy_panels_are_taken_as_allowed);
  ADD (nothing_makes_no_blocks);
  return g_test_run ();
}
