/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What preprocessing costs: milliseconds on one thread from a frame in memory
 * to the network's bytes, median and fastest of many conversions.
 *
 *   image-bench [WIDTH HEIGHT]    1920 1080 without arguments
 *
 * FORGE_CPU chooses the tier, as everywhere. */
#include <stdio.h>
#include <stdlib.h>

#include "base/alloc.h"
#include "base/cpu.h"
#include "base/rng.h"

#include "forge/image.h"
#include "forge/stats.h"

#define MAX_RUNS 400
#define BUDGET_US 400000

static const struct {
  const char *name;
  ForgePixelFormat format;
} formats[] = {
  { "NV12", FORGE_PIXEL_NV12 },
  { "I420", FORGE_PIXEL_I420 },
  { "YUY2", FORGE_PIXEL_YUY2 },
  { "RGB", FORGE_PIXEL_RGB },
  { "BGRx", FORGE_PIXEL_BGRX },
};

static const struct {
  int size;
  ForgeResizeFilter filter;
  ForgeResizePolicy policy;
} networks[] = {
  { 224, FORGE_FILTER_BILINEAR, FORGE_RESIZE_CENTRE_CROP },
  { 224, FORGE_FILTER_BILINEAR, FORGE_RESIZE_STRETCH },
  { 224, FORGE_FILTER_ANTIALIAS, FORGE_RESIZE_CENTRE_CROP },
  { 224, FORGE_FILTER_ANTIALIAS, FORGE_RESIZE_STRETCH },
  { 224, FORGE_FILTER_NEAREST, FORGE_RESIZE_CENTRE_CROP },
  { 32, FORGE_FILTER_BILINEAR, FORGE_RESIZE_CENTRE_CROP },
  { 32, FORGE_FILTER_ANTIALIAS, FORGE_RESIZE_CENTRE_CROP },
};

/* Planes in one block that is large enough for four bytes a pixel. */
static ForgeFrame
frame_in (uint8_t *block, ForgePixelFormat format, int width, int height)
{
  size_t plane_bytes = (size_t) width * (size_t) height;
  ptrdiff_t step = format == FORGE_PIXEL_RGB    ? 3
                   : format == FORGE_PIXEL_BGRX ? 4
                   : format == FORGE_PIXEL_YUY2 ? 2
                                                : 1;
  ptrdiff_t chroma_width = (width + 1) / 2;
  ptrdiff_t chroma_bytes =
      format == FORGE_PIXEL_NV12 ? 2 * chroma_width : chroma_width;
  return (ForgeFrame) {
    .format = format,
    .width = width,
    .height = height,
    .data = { block, block + plane_bytes, block + 2 * plane_bytes },
    .stride_bytes = { (width + 1) / 2 * 2 * step, chroma_bytes, chroma_bytes },
    .matrix = FORGE_MATRIX_BT709,
  };
}

static void
measure (const char *name, const ForgeFrame *frame, gsize network)
{
  ForgePreprocess preprocess = FORGE_PREPROCESS_DEFAULT;
  preprocess.width = preprocess.height = networks[network].size;
  preprocess.filter = networks[network].filter;
  preprocess.policy = networks[network].policy;
  g_autoptr (ForgeImager) imager = forge_imager_new (&preprocess);
  g_autofree uint8_t *out = g_malloc (224 * 224 * 3);
  double ms[MAX_RUNS];
  size_t n_runs = 0;
  gint64 begin_us = g_get_monotonic_time ();
  g_autoptr (GError) error = NULL;
  do {
    gint64 from_us = g_get_monotonic_time ();
    if (!forge_imager_convert (imager, frame, out, &error))
      g_error ("%s", error->message);
    ms[n_runs++] = (double) (g_get_monotonic_time () - from_us) / 1e3;
  } while (n_runs < MAX_RUNS && g_get_monotonic_time () - begin_us < BUDGET_US);
  double median = forge_quantile (ms, n_runs, 0.5);
  printf ("%-5s -> %3d %-11s %-9s  median %7.3f ms  fastest %7.3f ms\n", name,
      preprocess.width, forge_resize_policy_name (preprocess.policy),
      forge_resize_filter_name (preprocess.filter), median, ms[0]);
}

int
main (int argc, char **argv)
{
  int width = argc == 3 ? atoi (argv[1]) : 1920;
  int height = argc == 3 ? atoi (argv[2]) : 1080;
  if ((argc != 1 && argc != 3) || width < 1 || height < 1 || width > 32768 ||
      height > 32768) {
    fprintf (stderr, "usage: %s [WIDTH HEIGHT], 1 to 32768 each\n", argv[0]);
    return 2;
  }
  size_t block_bytes = 4 * ((size_t) width + 1) * ((size_t) height + 1);
  uint8_t *block = forge_aligned_alloc (block_bytes);
  if (!block) {
    fprintf (stderr, "%s: no memory for the frame\n", argv[0]);
    return 1;
  }
  ForgeRng rng;
  forge_rng_seed (&rng, 1);
  for (size_t i = 0; i < block_bytes; i++)
    block[i] = (uint8_t) forge_rng_below (&rng, 256);

  guint32 flags = forge_cpu_flags ();
  for (guint32 bit = 1; bit <= flags; bit <<= 1)
    if (flags & bit)
      printf ("%s ", forge_cpu_name (bit));
  printf ("| %d x %d, seed 1\n", width, height);
  for (gsize n = 0; n < G_N_ELEMENTS (networks); n++)
    for (gsize f = 0; f < G_N_ELEMENTS (formats); f++) {
      ForgeFrame frame = frame_in (block, formats[f].format, width, height);
      measure (formats[f].name, &frame, n);
    }
  forge_aligned_free (block);
  return 0;
}
