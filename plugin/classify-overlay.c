/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A dark box with one line of text. Its place and size are even numbers of
 * pixels, so that in formats with shared chroma nothing outside it changes. */
#include "classify-overlay.h"

#include <cairo.h>
#include <math.h>
#include <string.h>

/* The text's height: a share of the picture's, within reason. */
#define FONT_SHARE 20
#define FONT_MIN_PX 8
#define FONT_MAX_PX 96

typedef struct {
  gdouble font_px, padding, baseline;
  gint x, y, width, height;
} Layout;

void
gst_forge_overlay_clear (GstForgeOverlay *overlay)
{
  g_clear_pointer (&overlay->composition, gst_video_overlay_composition_unref);
  overlay->text[0] = '\0';
}

static void
set_font (cairo_t *cr, gdouble font_px)
{
  cairo_select_font_face (
      cr, "sans-serif", CAIRO_FONT_SLANT_NORMAL, CAIRO_FONT_WEIGHT_BOLD);
  cairo_set_font_size (cr, font_px);
}

static gint
round_up_to_even (gdouble value)
{
  return 2 * (gint) ceil (value / 2);
}

static void
measure (const gchar *text, const GstVideoRectangle *visible, Layout *layout)
{
  cairo_surface_t *surface = cairo_image_surface_create (CAIRO_FORMAT_A8, 1, 1);
  cairo_t *cr = cairo_create (surface);
  cairo_text_extents_t extents;
  cairo_font_extents_t font;
  layout->font_px = CLAMP (visible->h / FONT_SHARE, FONT_MIN_PX, FONT_MAX_PX);
  layout->padding = ceil (layout->font_px / 3);
  set_font (cr, layout->font_px);
  cairo_text_extents (cr, text, &extents);
  cairo_font_extents (cr, &font);
  cairo_destroy (cr);
  cairo_surface_destroy (surface);

  gint margin = round_up_to_even (layout->font_px / 2);
  gint width = round_up_to_even (extents.x_advance + 2 * layout->padding);
  gint height =
      round_up_to_even (font.ascent + font.descent + 2 * layout->padding);
  /* Where there is no room for a margin, there is none. */
  gint dx = visible->w >= width + margin ? margin : 0;
  gint dy = visible->h >= height + margin ? margin : 0;
  layout->x = visible->x + dx;
  layout->y = visible->y + dy;
  layout->width = MIN (width, visible->w);
  layout->height = MIN (height, visible->h);
  layout->baseline = layout->padding + font.ascent;
}

static void
set_argb (cairo_t *cr, guint color)
{
  cairo_set_source_rgba (cr, (color >> 16 & 0xff) / 255.0,
      (color >> 8 & 0xff) / 255.0, (color & 0xff) / 255.0,
      (color >> 24) / 255.0);
}

static gboolean
paint (guint8 *pixels, gint stride_bytes, const Layout *layout,
    const gchar *text, guint color)
{
  cairo_surface_t *surface = cairo_image_surface_create_for_data (
      pixels, CAIRO_FORMAT_ARGB32, layout->width, layout->height, stride_bytes);
  cairo_t *cr = cairo_create (surface);
  cairo_set_operator (cr, CAIRO_OPERATOR_SOURCE);
  set_argb (cr, 0xb0000000);
  cairo_paint (cr);
  cairo_set_operator (cr, CAIRO_OPERATOR_OVER);
  set_font (cr, layout->font_px);
  set_argb (cr, color);
  cairo_move_to (cr, layout->padding, layout->baseline);
  cairo_show_text (cr, text);
  gboolean ok = cairo_status (cr) == CAIRO_STATUS_SUCCESS;
  cairo_destroy (cr);
  cairo_surface_finish (surface);
  cairo_surface_destroy (surface);
  return ok;
}

static GstVideoOverlayComposition *
draw (const gchar *text, guint color, const GstVideoRectangle *visible)
{
  Layout layout;
  measure (text, visible, &layout);
  gint stride_bytes =
      cairo_format_stride_for_width (CAIRO_FORMAT_ARGB32, layout.width);
  gsize offset[GST_VIDEO_MAX_PLANES] = { 0 };
  gint strides[GST_VIDEO_MAX_PLANES] = { stride_bytes };
  g_autoptr (GstBuffer) pixels = gst_buffer_new_allocate (
      NULL, (gsize) stride_bytes * (gsize) layout.height, NULL);
  GstMapInfo map;
  if (!pixels || !gst_buffer_map (pixels, &map, GST_MAP_WRITE))
    return NULL;
  gboolean painted = paint (map.data, stride_bytes, &layout, text, color);
  gst_buffer_unmap (pixels, &map);
  if (!painted)
    return NULL;

  gst_buffer_add_video_meta_full (pixels, GST_VIDEO_FRAME_FLAG_NONE,
      GST_VIDEO_OVERLAY_COMPOSITION_FORMAT_RGB, (guint) layout.width,
      (guint) layout.height, 1, offset, strides);
  GstVideoOverlayRectangle *rectangle = gst_video_overlay_rectangle_new_raw (
      pixels, layout.x, layout.y, (guint) layout.width, (guint) layout.height,
      GST_VIDEO_OVERLAY_FORMAT_FLAG_PREMULTIPLIED_ALPHA);
  GstVideoOverlayComposition *composition =
      gst_video_overlay_composition_new (rectangle);
  gst_video_overlay_rectangle_unref (rectangle);
  return composition;
}

GstVideoOverlayComposition *
gst_forge_overlay_update (GstForgeOverlay *overlay, const gchar *text,
    guint color, const GstVideoRectangle *visible)
{
  const GstVideoRectangle *drawn = &overlay->visible;
  if (overlay->composition && overlay->color == color &&
      strcmp (overlay->text, text) == 0 && drawn->x == visible->x &&
      drawn->y == visible->y && drawn->w == visible->w &&
      drawn->h == visible->h)
    return overlay->composition;

  gst_forge_overlay_clear (overlay);
  g_strlcpy (overlay->text, text, sizeof overlay->text);
  overlay->color = color;
  overlay->visible = *visible;
  overlay->composition = draw (text, color, visible);
  return overlay->composition;
}

void
gst_forge_overlay_attach (
    GstBuffer *buffer, GstVideoOverlayComposition *composition)
{
  GstVideoOverlayCompositionMeta *meta =
      gst_buffer_get_video_overlay_composition_meta (buffer);
  if (!meta) {
    gst_buffer_add_video_overlay_composition_meta (buffer, composition);
    return;
  }
  GstVideoOverlayComposition *merged =
      gst_video_overlay_composition_copy (meta->overlay);
  gst_video_overlay_composition_add_rectangle (
      merged, gst_video_overlay_composition_get_rectangle (composition, 0));
  gst_video_overlay_composition_unref (meta->overlay);
  meta->overlay = merged;
}

gboolean
gst_forge_overlay_blend (GstBuffer *buffer, const GstVideoInfo *info,
    GstVideoOverlayComposition *composition)
{
  GstVideoFrame frame;
  if (!gst_video_frame_map (&frame, info, buffer,
          GST_MAP_READWRITE | GST_VIDEO_FRAME_MAP_FLAG_NO_REF))
    return FALSE;
  gboolean ok = gst_video_overlay_composition_blend (composition, &frame);
  gst_video_frame_unmap (&frame);
  return ok;
}
