/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Where each colour component of a pixel format lies in memory. Nothing else
 * in this room knows one format from another. */
#pragma once

#include "forge/image.h"

/* Sample x of row y of a component is the byte at
 *   data[plane] + (y >> y_shift) * stride[plane]
 *     + offset_bytes + (x >> x_shift) * step_bytes */
typedef struct {
  uint8_t plane, offset_bytes, step_bytes;
  uint8_t x_shift, y_shift; /* log2 of the subsampling */
} ForgeComponent;

typedef struct {
  uint8_t n_planes;
  uint8_t n_components; /* 3: R G B, or Y U V; 1: grey */
  gboolean is_yuv;
  ForgeComponent components[3];
} ForgePixelLayout;

/* NULL for a value that is not a ForgePixelFormat. */
const ForgePixelLayout *forge_pixel_layout (ForgePixelFormat format);
