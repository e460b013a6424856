/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The drawn label: inside its box only, drawn anew only when its text
 * changes, attached where downstream takes overlays, else blended. */
#include <string.h>

#include "fixture.h"

#define WIDTH 321
#define HEIGHT 239
#define OVERLAY_CAPS                  \
  "video/x-raw(memory:SystemMemory, " \
  "meta:GstVideoOverlayComposition); video/x-raw"

static const GstVideoFormat formats[] = { GST_VIDEO_FORMAT_RGB,
  GST_VIDEO_FORMAT_BGR, GST_VIDEO_FORMAT_RGBx, GST_VIDEO_FORMAT_BGRx,
  GST_VIDEO_FORMAT_xRGB, GST_VIDEO_FORMAT_xBGR, GST_VIDEO_FORMAT_RGBA,
  GST_VIDEO_FORMAT_BGRA, GST_VIDEO_FORMAT_ARGB, GST_VIDEO_FORMAT_ABGR,
  GST_VIDEO_FORMAT_GRAY8, GST_VIDEO_FORMAT_NV12, GST_VIDEO_FORMAT_NV21,
  GST_VIDEO_FORMAT_I420, GST_VIDEO_FORMAT_YV12, GST_VIDEO_FORMAT_YUY2,
  GST_VIDEO_FORMAT_UYVY };

/* A harness whose sink shows overlays. */
static Fixture *
start_with_overlays (GstElement *element, GstVideoFormat format)
{
  Fixture *fixture = fixture_new (element);
  gst_harness_set_sink_caps_str (fixture->harness, OVERLAY_CAPS);
  gst_harness_add_propose_allocation_meta (
      fixture->harness, GST_VIDEO_OVERLAY_COMPOSITION_META_API_TYPE, NULL);
  fixture_set_caps (fixture, format, WIDTH, HEIGHT, NULL);
  return fixture;
}

static GstVideoOverlayComposition *
overlay_of (GstBuffer *buffer)
{
  GstVideoOverlayCompositionMeta *meta =
      gst_buffer_get_video_overlay_composition_meta (buffer);
  return meta ? meta->overlay : NULL;
}

static void
box_of (
    GstVideoOverlayComposition *overlay, guint index, GstVideoRectangle *box)
{
  guint width, height;
  GstVideoOverlayRectangle *rectangle =
      gst_video_overlay_composition_get_rectangle (overlay, index);
  g_assert_true (gst_video_overlay_rectangle_get_render_rectangle (
      rectangle, &box->x, &box->y, &width, &height));
  box->w = (int) width;
  box->h = (int) height;
}

static gboolean
out_caps_have_overlay (Fixture *fixture)
{
  GstPad *pad = gst_element_get_static_pad (fixture->element, "src");
  g_autoptr (GstCaps) caps = gst_pad_get_current_caps (pad);
  gst_object_unref (pad);
  return gst_caps_features_contains (gst_caps_get_features (caps, 0),
      GST_CAPS_FEATURE_META_GST_VIDEO_OVERLAY_COMPOSITION);
}

static void
label_is_attached_where_downstream_takes_it (void)
{
  g_autoptr (Fixture) fixture = start_with_overlays (
      fixture_element ("draw-labels", TRUE, NULL), GST_VIDEO_FORMAT_I420);
  GstBuffer *frame = frame_new (&fixture->info, COLOUR (0xff0000));
  g_autoptr (GstBuffer) original = gst_buffer_copy_deep (frame);
  g_autoptr (GstBuffer) out = fixture_push (fixture, frame);
  GstMapInfo map;
  g_assert_true (out_caps_have_overlay (fixture));
  g_assert_nonnull (overlay_of (out));
  g_assert_cmpuint (
      gst_video_overlay_composition_n_rectangles (overlay_of (out)), ==, 1);
  g_assert_true (gst_buffer_map (original, &map, GST_MAP_READ));
  g_assert_cmpint (gst_buffer_memcmp (out, 0, map.data, map.size), ==, 0);
  gst_buffer_unmap (original, &map);
}

static void
label_joins_overlays_from_upstream (void)
{
  g_autoptr (Fixture) first = start_with_overlays (
      fixture_element ("draw-labels", TRUE, NULL), GST_VIDEO_FORMAT_NV12);
  g_autoptr (Fixture) second = start_with_overlays (
      fixture_element ("draw-labels", TRUE, NULL), GST_VIDEO_FORMAT_NV12);
  GstBuffer *labelled =
      fixture_push (first, frame_new (&first->info, COLOUR (0xff0000)));
  g_autoptr (GstBuffer) out = fixture_push (second, labelled);
  g_assert_cmpuint (
      gst_video_overlay_composition_n_rectangles (overlay_of (out)), ==, 2);
}

static void
overlay_is_drawn_anew_only_when_the_text_changes (void)
{
  g_autoptr (Fixture) fixture = start_with_overlays (
      fixture_element ("draw-labels", TRUE, NULL), GST_VIDEO_FORMAT_RGB);
  g_autoptr (GstBuffer) a = NULL, b = NULL, c = NULL, d = NULL;
  fixture_push_colour (fixture, 0xff0000, &a);
  fixture_push_colour (fixture, 0xfe0000, &b);
  fixture_push_colour (fixture, 0x00ff00, &c);
  g_assert_true (overlay_of (a) == overlay_of (b));
  g_assert_true (overlay_of (b) != overlay_of (c));
  g_object_set (fixture->element, "labels-color", 0xffff0000, NULL);
  fixture_push_colour (fixture, 0x00ff00, &d);
  g_assert_true (overlay_of (c) != overlay_of (d));
}

typedef struct {
  guint inside, outside; /* changed samples */
} Changes;

static void
count_changes (const GstVideoInfo *info, GstBuffer *before, GstBuffer *after,
    const GstVideoRectangle *box, Changes *changes)
{
  GstVideoFrame a, b;
  g_assert_true (gst_video_frame_map (&a, info, before, GST_MAP_READ));
  g_assert_true (gst_video_frame_map (&b, info, after, GST_MAP_READ));
  for (guint c = 0; c < GST_VIDEO_FRAME_N_COMPONENTS (&a); c++) {
    const guint8 *p = GST_VIDEO_FRAME_COMP_DATA (&a, c);
    const guint8 *q = GST_VIDEO_FRAME_COMP_DATA (&b, c);
    for (int y = 0; y < GST_VIDEO_FRAME_COMP_HEIGHT (&a, c); y++)
      for (int x = 0; x < GST_VIDEO_FRAME_COMP_WIDTH (&a, c); x++) {
        int full_x = x << GST_VIDEO_FORMAT_INFO_W_SUB (info->finfo, c);
        int full_y = y << GST_VIDEO_FORMAT_INFO_H_SUB (info->finfo, c);
        int at_a = y * GST_VIDEO_FRAME_COMP_STRIDE (&a, c) +
                   x * GST_VIDEO_FRAME_COMP_PSTRIDE (&a, c);
        int at_b = y * GST_VIDEO_FRAME_COMP_STRIDE (&b, c) +
                   x * GST_VIDEO_FRAME_COMP_PSTRIDE (&b, c);
        gboolean within = full_x >= box->x && full_x < box->x + box->w &&
                          full_y >= box->y && full_y < box->y + box->h;
        if (p[at_a] != q[at_b])
          *(within ? &changes->inside : &changes->outside) += 1;
      }
  }
  gst_video_frame_unmap (&a);
  gst_video_frame_unmap (&b);
}

static void
blended_label_changes_nothing_outside_its_box (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (formats); i++) {
    GstVideoRectangle box;
    Changes changes = { 0 };
    g_autoptr (Fixture) attaching = start_with_overlays (
        fixture_element ("draw-labels", TRUE, NULL), formats[i]);
    g_autoptr (Fixture) blending =
        fixture_new (fixture_element ("draw-labels", TRUE, NULL));
    fixture_set_caps (blending, formats[i], WIDTH, HEIGHT, NULL);
    g_autoptr (GstBuffer) attached = fixture_push (
        attaching, frame_new (&attaching->info, paint_pattern, NULL));
    GstBuffer *frame = frame_new (&blending->info, paint_pattern, NULL);
    g_autoptr (GstBuffer) original = gst_buffer_ref (frame);
    g_autoptr (GstBuffer) blended = fixture_push (blending, frame);
    g_assert_false (out_caps_have_overlay (blending));
    g_assert_null (overlay_of (blended));
    box_of (overlay_of (attached), 0, &box);
    g_assert_cmpint (box.w, <, WIDTH);
    g_assert_cmpint (box.h, <, HEIGHT / 4);
    count_changes (&blending->info, original, blended, &box, &changes);
    g_assert_cmpuint (changes.inside, >, 100);
    g_assert_cmpuint (changes.outside, ==, 0);
  }
}

static void
allocation_without_the_meta_means_blending (void)
{
  g_autoptr (Fixture) fixture =
      fixture_new (fixture_element ("draw-labels", TRUE, NULL));
  gst_harness_set_sink_caps_str (fixture->harness, OVERLAY_CAPS);
  fixture_set_caps (fixture, GST_VIDEO_FORMAT_RGB, WIDTH, HEIGHT, NULL);
  GstBuffer *frame = frame_new (&fixture->info, paint_pattern, NULL);
  g_autoptr (GstBuffer) original = gst_buffer_copy_deep (frame);
  g_autoptr (GstBuffer) out = fixture_push (fixture, frame);
  GstMapInfo map;
  g_assert_null (overlay_of (out));
  g_assert_true (gst_buffer_map (original, &map, GST_MAP_READ));
  g_assert_cmpint (gst_buffer_memcmp (out, 0, map.data, map.size), !=, 0);
  gst_buffer_unmap (original, &map);
}

static void
drawing_can_be_switched_while_playing (void)
{
  g_autoptr (Fixture) fixture =
      start_with_overlays (fixture_plain_element (), GST_VIDEO_FORMAT_RGB);
  g_autoptr (GstBuffer) out = NULL;
  for (int i = 0; i < 4; i++) {
    g_object_set (fixture->element, "draw-labels", i % 2, NULL);
    fixture_push_colour (fixture, 0xff0000, &out);
    g_assert_true (out_caps_have_overlay (fixture) == i % 2);
    g_assert_true ((overlay_of (out) != NULL) == i % 2);
  }
}

static void
labels_of_any_length_fit_any_picture (void)
{
  static const int sizes[][2] = { { 1, 1 }, { 2, 3 }, { 17, 9 }, { 3, 200 },
    { 300, 5 } };
  g_autofree char *stem = g_strnfill (400, 'm');
  /* Cut within a two-byte character, whatever its parity. */
  g_autofree char *labels = g_strdup_printf (
      "%.150s\303\244\303\244%s,x\n\t\303\274,%s", stem, stem, stem);
  for (gsize i = 0; i < G_N_ELEMENTS (formats); i++) {
    g_autoptr (Fixture) fixture = fixture_new (
        fixture_element ("draw-labels", TRUE, "labels", labels, NULL));
    g_autoptr (GstBuffer) out = NULL;
    for (gsize s = 0; s < G_N_ELEMENTS (sizes); s++) {
      fixture_set_caps (fixture, formats[i], sizes[s][0], sizes[s][1], NULL);
      for (guint c = 0; c < 3; c++)
        g_assert_nonnull (
            fixture_push_colour (fixture, 0xff0000u >> 8 * c, &out));
    }
  }
}

int
main (int argc, char **argv)
{
  fixture_init (&argc, &argv);
#define ADD(test) g_test_add_func ("/forgeclassify/" #test, test)
  ADD (label_is_attached_where_downstream_takes_it);
  ADD (label_joins_overlays_from_upstream);
  ADD (overlay_is_drawn_anew_only_when_the_text_changes);
  ADD (blended_label_changes_nothing_outside_its_box);
  ADD (allocation_without_the_meta_means_blending);
  ADD (drawing_can_be_switched_while_playing);
  ADD (labels_of_any_length_fit_any_picture);
  return fixture_run ();
}
