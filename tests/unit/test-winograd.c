/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * How Winograd's tiles are cut into tasks (engine/ops/conv-winograd.c). */
#include "ops/conv-winograd.h"

#include "kernels/kernels.h"

/* Channels, outputs and side of 3x3 layers of SqueezeNet, ResNet and VGG. */
static const int64_t layers[][3] = { { 16, 64, 55 }, { 32, 128, 27 },
  { 48, 192, 13 }, { 64, 256, 13 }, { 64, 64, 56 }, { 128, 128, 28 },
  { 256, 256, 14 }, { 512, 512, 7 }, { 64, 64, 4 }, { 64, 64, 224 },
  { 512, 512, 28 } };

static ForgeConv
layer_of (const int64_t sizes[3], int64_t n)
{
  int64_t pixels = sizes[2] * sizes[2];
  return (ForgeConv) { .n = n,
    .c = sizes[0],
    .o = sizes[1],
    .groups = 1,
    .taps = 9,
    .in_pixels = pixels,
    .out_pixels = pixels,
    .window = { .ih = sizes[2],
        .iw = sizes[2],
        .oh = sizes[2],
        .ow = sizes[2],
        .kh = 3,
        .kw = 3,
        .sh = 1,
        .sw = 1,
        .dh = 1,
        .dw = 1,
        .pad_top = 1,
        .pad_left = 1 } };
}

/* 13x13 maps were once cut into 48 tiles and one more. */
static void
two_threads_have_the_same_work (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (layers); i++)
    for (int64_t n = 1; n <= 9; n++) {
      ForgeConv conv = layer_of (layers[i], n);
      ForgeWinograd w;
      if (!forge_winograd_plan (&conv, FALSE, &w))
        continue;
      const ForgeWinogradCut *cut = &w.shared;
      int64_t all = n * w.tiles;
      int64_t round = cut->n_chunks * cut->chunk_tiles < 64 ? 2 : 4;
      g_assert_cmpint (cut->n_chunks * cut->out_blocks % round, ==, 0);
      g_assert_cmpint (cut->n_chunks * cut->chunk_tiles, >=, all);
      g_assert_cmpint (cut->n_chunks * (cut->chunk_tiles - cut->unit), <, all);
      g_assert_cmpint (8 * cut->unit, <=, MAX (cut->chunk_tiles, 8));
      if (cut->out_blocks > 1)
        g_assert_cmpint (2 * cut->block_out - conv.o, <,
            (int64_t) forge_kernels ()->igemm_nr);
    }
}

/* A thread alone has no reason to cut what fits into L2. */
static void
one_thread_has_no_more_tasks_than_fit (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (layers); i++) {
    ForgeConv conv = layer_of (layers[i], 1);
    ForgeWinograd w;
    if (!forge_winograd_plan (&conv, FALSE, &w))
      continue;
    g_assert_cmpint (w.alone.out_blocks, ==, 1);
    g_assert_cmpint (w.alone.n_chunks, <=, w.shared.n_chunks);
    g_assert_cmpuint (w.alone.lane_count, <=, w.lanes_count);
  }
}

/* The scratch of a thread is meant for L2, whatever the batch. */
static void
a_chunk_does_not_grow_with_the_batch (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (layers); i++) {
    ForgeConv one = layer_of (layers[i], 1), many = layer_of (layers[i], 64);
    ForgeWinograd a, b;
    if (!forge_winograd_plan (&one, FALSE, &a))
      continue;
    g_assert_true (forge_winograd_plan (&many, FALSE, &b));
    g_assert_cmpint (a.side, ==, b.side);
    size_t bytes = b.alone.lane_count * sizeof (float);
    int64_t least = 2 * (int64_t) forge_kernels ()->igemm_mr;
    g_assert_true (bytes <= (1 << 20) || b.alone.chunk_tiles <= least);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func ("/winograd/two-threads-have-the-same-work",
      two_threads_have_the_same_work);
  g_test_add_func ("/winograd/one-thread-has-no-more-tasks-than-fit",
      one_thread_has_no_more_tasks_than_fit);
  g_test_add_func ("/winograd/a-chunk-does-not-grow-with-the-batch",
      a_chunk_does_not_grow_with_the_batch);
  return g_test_run ();
}
