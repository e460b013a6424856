/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The sliding window of convolutions and pools: kernel, strides, padding and
 * dilation of a node, checked, with the output extents that follow, and the
 * tables of pointers (indirection) that the kernels read through. */
#pragma once

#include "ops/op.h"

/* All in pixels. Rank-3 values ([N, C, W]) have h = 1. */
typedef struct {
  int64_t n, c, ih, iw, oh, ow; /* of activations; n may be -1 (unknown) */
  int64_t kh, kw, sh, sw, dh, dw;
  int64_t pad_top, pad_left, pad_bottom, pad_right;
} ForgeWindow;

typedef enum {
  FORGE_WINDOW_CONV,
  FORGE_WINDOW_POOL, /* honours ceil_mode; every window must see a pixel */
} ForgeWindowKind;

/**
 * forge_window_parse:
 * @node: in[0] is [N, C, H, W], [N, H, W, C] when node->nhwc, or [N, C, W]
 * @kh, @kw: kernel extents, or 0 to take them from kernel_shape
 *
 * Reads strides, pads, dilations, auto_pad and ceil_mode and checks them.
 * Unknown input extents give unknown (-1) output extents. Errors:
 * FORGE_ERROR_SHAPE, naming the attribute and what was found.
 */
gboolean forge_window_parse (const ForgeNode *node, ForgeWindowKind kind,
    int64_t kh, int64_t kw, ForgeWindow *window, GError **error);
/* The output shape with @channels, in the node's layout and rank. */
ForgeShape forge_window_out_shape (
    const ForgeNode *node, const ForgeWindow *window, int64_t channels);
/* Input pixel of a tap: y * iw + x, or -1 in the padding. */
int64_t forge_window_pixel (
    const ForgeWindow *window, int64_t oy, int64_t ox, int64_t tap);
