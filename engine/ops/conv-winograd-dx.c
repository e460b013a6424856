/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Conv's input gradient at stride 1 is a convolution itself: of dy, with the
 * kernel turned round, inputs and outputs exchanged, and what padding is left
 * to cover the image. */
#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "ops/conv-backward.h"
#include "ops/conv-winograd.h"

static ForgeConv
transposed (const ForgeConv *conv)
{
  const ForgeWindow *w = &conv->window;
  ForgeConv back = *conv;
  back.c = back.group_c = conv->o;
  back.o = back.group_o = conv->c;
  back.in_pixels = conv->out_pixels;
  back.out_pixels = conv->in_pixels;
  back.window.c = conv->o;
  back.window.ih = w->oh;
  back.window.iw = w->ow;
  back.window.oh = w->ih;
  back.window.ow = w->iw;
  back.window.pad_top = (w->kh - 1) * w->dh - w->pad_top;
  back.window.pad_left = (w->kw - 1) * w->dw - w->pad_left;
  return back;
}

/* Floats that the pointers of one image take. */
static size_t
row_count (const ForgeWinograd *winograd)
{
  return forge_conv_align ((size_t) winograd->tiles * FORGE_WINOGRAD_POINTS *
                           sizeof (float *) / sizeof (float));
}

gboolean
forge_winograd_dx_plan (const ForgeConv *conv, size_t *count)
{
  ForgeConv back = transposed (conv);
  ForgeWinograd w;
  if (!forge_winograd_plan (&back, TRUE, &w))
    return FALSE;
  *count = w.packed_count + w.lanes_count + forge_conv_align ((size_t) back.c) +
           row_count (&w);
  return TRUE;
}

void
forge_winograd_dx (const ForgeConvGradient *gradient)
{
  static const ForgeActivation none = FORGE_ACTIVATION_NONE;
  ForgeConv back = transposed (gradient->conv);
  ForgeWinograd w;
  if (!forge_winograd_plan (&back, TRUE, &w))
    return;
  float *packed = gradient->scratch, *zero = packed + w.packed_count;
  float *rows_at = zero + forge_conv_align ((size_t) back.c);
  const float **rows = (const float **) (void *) rows_at;
  memset (zero, 0, (size_t) back.c * sizeof *zero);
  forge_winograd_write_rows (&back, &w, gradient->dy, back.c, zero, rows);
  ForgeWinogradWeights weights = { gradient->weights, 9, back.o * 9, TRUE };
  forge_winograd_pack (gradient->threads, &back, &w, &weights, NULL, packed);
  ForgeWinogradJob job = { .conv = &back,
    .winograd = &w,
    .rows = rows,
    .zero = zero,
    .packed = packed,
    .bias = packed + FORGE_WINOGRAD_POINTS * w.point_count,
    .out = gradient->dx,
    .in_stride_elems = back.c,
    .out_stride_elems = back.o,
    .min = -INFINITY,
    .max = INFINITY,
    .activation = &none,
    .lanes = rows_at + row_count (&w) };
  forge_winograd_run (gradient->threads, &job);
}
