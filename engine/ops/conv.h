/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What the two halves of Conv share. Private to ops/conv*.c. */
#pragma once

#include "base/alloc.h"
#include "ops/window.h"

/* The problem in plain numbers. Activations as [N, H, W, C]. */
typedef struct {
  ForgeWindow window;
  int64_t n, c, o, groups;
  int64_t group_c, group_o; /* channels of one group */
  int64_t taps, in_pixels, out_pixels;
  gboolean depthwise; /* one input and one output channel a group */
  gboolean gated;     /* a factor for each input channel, input 4 */
} ForgeConv;

/* Floats in whole cache lines. */
static inline size_t
forge_conv_align (size_t n_floats)
{
  return forge_align_up (n_floats * sizeof (float)) / sizeof (float);
}

/* Reads the node; FALSE when its attributes contradict its shapes. */
gboolean forge_conv_parse (
    const ForgeNode *node, ForgeConv *conv, GError **error);
size_t forge_conv_backward_bytes (const ForgeNode *node, const ForgeConv *conv);
void forge_conv_backward (
    const ForgeStep *step, const ForgeGradients *gradients);
