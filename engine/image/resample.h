/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Resizes the components of a frame, one output row at a time, each component
 * from its own samples: chroma is never blown up to the size of luma. */
#pragma once

#include "image/crop.h"
#include "image/filter.h"
#include "image/pixel-format.h"
#include "kernels/kernels.h"

typedef struct {
  int first_row;      /* of the crop, in rows of the plane */
  int y_shift;        /* of the components in this plane */
  size_t first_byte;  /* of the crop, in a row */
  size_t n_bytes;     /* that hold the crop's samples */
  gboolean is_sparse; /* one tap each way: pick bytes, no sums */
} ForgeResamplerPlane;

/* Components of one plane that lie equally far apart: they have the same
 * columns, and what is done along a row is done for all of them at once. */
typedef struct {
  int plane;
  int x_shift;
  size_t first_byte; /* of the first of them, from that of the plane */
  size_t step_bytes; /* from pixel to pixel */
  int lanes[4];      /* the component of every byte of a pixel, or -1 */
  gboolean is_pairs; /* two taps each way */
  int n_inside;      /* outputs of such whose pixels are wholly in the row */
  ForgeWindows *windows; /* where such outputs lie near each other, or NULL */
} ForgeResamplerGroup;

typedef struct {
  const ForgePixelLayout *layout;
  int n_components;     /* that are wanted: the first ones of the layout */
  ForgeTaps columns[2]; /* by x_shift; an unused one is empty */
  ForgeTaps rows[2];    /* by y_shift */
  ForgeResamplerPlane planes[3];
  ForgeResamplerGroup groups[3]; /* those of a plane in sequence */
  int n_groups;
  size_t n_samples[2];  /* in a row of the crop, by x_shift */
  const uint8_t **taps; /* scratch: one output row's input rows */
  int16_t *sums;        /* scratch: what they sum to */
  int16_t *split;       /* scratch: the sums of each component by itself */
  size_t split_elems;   /* of one of them */
} ForgeResampler;

/**
 * forge_resampler_init:
 * @layout: of the frames to come
 * @n_components: how many to make, 1 or all
 * @source: the part of the frame to read; nothing outside it is touched but
 *   chroma samples that it shares
 * @width, @height: to make
 * @chroma_centred: see #ForgeFrame
 *
 * Returns: %FALSE when memory cannot be had; nothing to clear then
 */
gboolean forge_resampler_init (ForgeResampler *resampler,
    const ForgePixelLayout *layout, int n_components, const ForgeRect *source,
    int width, int height, ForgeResizeFilter filter, gboolean chroma_centred);
void forge_resampler_clear (ForgeResampler *resampler);

/* Makes row @y: sample x of component c goes to out[c][x * out_step]. */
void forge_resampler_row (ForgeResampler *resampler,
    const ForgeKernels *kernels, const ForgeFrame *frame, int y,
    uint8_t *const *out, size_t out_step);
