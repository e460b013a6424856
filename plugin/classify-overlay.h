/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The label as a small picture, drawn by Cairo when its text changes and
 * kept until then. */
#pragma once

#include <gst/video/video.h>

G_BEGIN_DECLS

#define GST_FORGE_OVERLAY_TEXT_BYTES 256

typedef struct {
  /* what is drawn now */
  gchar text[GST_FORGE_OVERLAY_TEXT_BYTES];
  guint color;
  GstVideoRectangle visible;
  GstVideoOverlayComposition *composition;
} GstForgeOverlay;

void gst_forge_overlay_clear (GstForgeOverlay *overlay);
/* The label for a picture whose visible part is @visible, in its top left
 * corner and never larger than it. @color is 0xAARRGGBB.
 * Returns: (transfer none) (nullable): NULL when it cannot be drawn */
GstVideoOverlayComposition *gst_forge_overlay_update (GstForgeOverlay *overlay,
    const gchar *text, guint color, const GstVideoRectangle *visible);
/* Puts the label into the buffer's overlay meta, on top of what upstream may
 * have put there. */
void gst_forge_overlay_attach (
    GstBuffer *buffer, GstVideoOverlayComposition *composition);
/* Draws the label into the pixels. */
gboolean gst_forge_overlay_blend (GstBuffer *buffer, const GstVideoInfo *info,
    GstVideoOverlayComposition *composition);

G_END_DECLS
