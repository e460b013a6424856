/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The only bridge between GStreamer's view of a picture and the engine's. */
#pragma once

#include <gst/video/video.h>

#include "forge/image.h"

G_BEGIN_DECLS

/* The formats of the pad templates, as a GST_VIDEO_CAPS_MAKE list. */
#define GST_FORGE_VIDEO_FORMATS                                  \
  "{ RGB, BGR, RGBx, BGRx, xRGB, xBGR, RGBA, BGRA, ARGB, ABGR, " \
  "GRAY8, NV12, NV21, I420, YV12, YUY2, UYVY }"

/* The visible part of @buffer: the crop meta's rectangle cut to the picture,
 * or the whole picture when there is none or nothing is left of it. Where
 * the format shares chroma between pixels the corner is moved to the first
 * of the pixels that share it. */
void gst_forge_visible_rectangle (
    GstBuffer *buffer, const GstVideoInfo *info, GstVideoRectangle *visible);

/* Describes the rectangle @visible of a mapped frame; the view borrows the
 * mapping. FALSE for a format outside GST_FORGE_VIDEO_FORMATS. */
gboolean gst_forge_frame_from_video (const GstVideoFrame *video,
    const GstVideoRectangle *visible, ForgeFrame *frame);

G_END_DECLS
