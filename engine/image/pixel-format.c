/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The table of memory layouts, one row a format. Source: GStreamer's "Raw
 * video media types". */
#include "image/pixel-format.h"

#define PACKED(r, g, b, step)                         \
  {                                                   \
    .n_planes = 1, .n_components = 3, .components = { \
      { 0, r, step, 0, 0 },                           \
      { 0, g, step, 0, 0 },                           \
      { 0, b, step, 0, 0 }                            \
    }                                                 \
  }
#define YUV(planes, ...)                                                   \
  {                                                                        \
    .n_planes = planes, .n_components = 3, .is_yuv = TRUE, .components = { \
      __VA_ARGS__                                                          \
    }                                                                      \
  }

static const ForgePixelLayout layouts[] = {
  [FORGE_PIXEL_RGB] = PACKED (0, 1, 2, 3),
  [FORGE_PIXEL_BGR] = PACKED (2, 1, 0, 3),
  [FORGE_PIXEL_RGBX] = PACKED (0, 1, 2, 4),
  [FORGE_PIXEL_BGRX] = PACKED (2, 1, 0, 4),
  [FORGE_PIXEL_XRGB] = PACKED (1, 2, 3, 4),
  [FORGE_PIXEL_XBGR] = PACKED (3, 2, 1, 4),
  [FORGE_PIXEL_GRAY8] = { .n_planes = 1,
      .n_components = 1,
      .components = { { 0, 0, 1, 0, 0 } } },
  [FORGE_PIXEL_NV12] =
      YUV (2, { 0, 0, 1, 0, 0 }, { 1, 0, 2, 1, 1 }, { 1, 1, 2, 1, 1 }),
  [FORGE_PIXEL_NV21] =
      YUV (2, { 0, 0, 1, 0, 0 }, { 1, 1, 2, 1, 1 }, { 1, 0, 2, 1, 1 }),
  [FORGE_PIXEL_I420] =
      YUV (3, { 0, 0, 1, 0, 0 }, { 1, 0, 1, 1, 1 }, { 2, 0, 1, 1, 1 }),
  [FORGE_PIXEL_YV12] =
      YUV (3, { 0, 0, 1, 0, 0 }, { 2, 0, 1, 1, 1 }, { 1, 0, 1, 1, 1 }),
  [FORGE_PIXEL_YUY2] =
      YUV (1, { 0, 0, 2, 0, 0 }, { 0, 1, 4, 1, 0 }, { 0, 3, 4, 1, 0 }),
  [FORGE_PIXEL_UYVY] =
      YUV (1, { 0, 1, 2, 0, 0 }, { 0, 0, 4, 1, 0 }, { 0, 2, 4, 1, 0 }),
};

const ForgePixelLayout *
forge_pixel_layout (ForgePixelFormat format)
{
  return (guint) format < G_N_ELEMENTS (layouts) ? &layouts[format] : NULL;
}
