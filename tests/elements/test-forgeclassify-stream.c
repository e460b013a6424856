/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * How the element behaves in a stream: lateness, latency, flushes, new caps,
 * gaps, end of stream, and states there and back. */
#include <malloc.h>
#include <string.h>

#include "fixture.h"

#define RED 0xff0000
#define GREEN 0x00ff00
#define BLUE 0x0000ff

static Fixture *
start (GstElement *element)
{
  Fixture *fixture = fixture_new (element);
  fixture_set_caps (fixture, GST_VIDEO_FORMAT_RGB, 16, 16, NULL);
  return fixture;
}

static void
late_frame_skips_inference_and_goes_on (void)
{
  g_autoptr (Fixture) fixture = start (fixture_plain_element ());
  g_autoptr (GstBuffer) out = NULL;
  g_assert_nonnull (fixture_push_colour (fixture, RED, &out));
  /* The frame at 0 came 150 ms late: nothing up to 300 ms is in time. */
  g_assert_true (gst_harness_push_upstream_event (fixture->harness,
      gst_event_new_qos (GST_QOS_TYPE_UNDERFLOW, 1.5, 150 * GST_MSECOND, 0)));
  for (guint i = 1; i <= 7; i++) { /* 40 .. 280 ms */
    const GstStructure *result = fixture_push_colour (fixture, GREEN, &out);
    g_assert_cmpstr (result_string (result, "label"), ==, "red");
    g_assert_cmpstr (result_string (result, "state"), ==, "cached");
    g_assert_cmpuint (result_uint64 (result, "age"), ==, i * FRAME_DURATION);
    g_autoptr (GstMessage) qos = fixture_pop_type (fixture, GST_MESSAGE_QOS);
    g_assert_nonnull (qos);
    GstFormat format;
    guint64 processed, dropped, running_time;
    gint64 jitter;
    gdouble proportion;
    gst_message_parse_qos_stats (qos, &format, &processed, &dropped);
    g_assert_cmpint (format, ==, GST_FORMAT_BUFFERS);
    g_assert_cmpuint (processed, ==, 1);
    g_assert_cmpuint (dropped, ==, i);
    gst_message_parse_qos (qos, NULL, &running_time, NULL, NULL, NULL);
    g_assert_cmpuint (running_time, ==, i * FRAME_DURATION);
    gst_message_parse_qos_values (qos, &jitter, &proportion, NULL);
    g_assert_cmpint (
        jitter, ==, (gint64) (300 * GST_MSECOND - i * FRAME_DURATION));
    g_assert_cmpfloat (proportion, ==, 1.5);
  }
  const GstStructure *result = fixture_push_colour (fixture, GREEN, &out);
  g_assert_cmpstr (result_string (result, "label"), ==, "green");
  g_assert_cmpuint (fixture_stat (fixture, "skipped"), ==, 7);
  g_assert_cmpuint (fixture_stat (fixture, "inferred"), ==, 2);
}

static void
hopelessly_late_stream_is_classified_once_a_second (void)
{
  g_autoptr (Fixture) fixture = start (fixture_plain_element ());
  g_autoptr (GstBuffer) out = NULL;
  g_assert_true (gst_harness_push_upstream_event (fixture->harness,
      gst_event_new_qos (GST_QOS_TYPE_UNDERFLOW, 9, 1000 * GST_SECOND, 0)));
  for (guint i = 0; i < 100; i++) /* four seconds */
    g_assert_nonnull (fixture_push_colour (fixture, RED, &out));
  g_assert_cmpuint (fixture_stat (fixture, "inferred"), ==, 4);
  g_assert_cmpuint (fixture_stat (fixture, "skipped"), ==, 96);
}

static void
budget_skips_inference_that_would_overrun_it (void)
{
  g_autoptr (Fixture) fixture =
      start (fixture_element ("max-latency", (guint64) 1, NULL));
  g_autoptr (GstBuffer) out = NULL;
  for (guint i = 0; i < 96; i++)
    fixture_push_colour (fixture, RED, &out);
  /* One frame in 32 is tried all the same. */
  g_assert_cmpuint (fixture_stat (fixture, "inferred"), ==, 3);
  g_assert_cmpuint (fixture_stat (fixture, "skipped"), ==, 93);
  g_object_set (fixture->element, "max-latency", GST_SECOND, NULL);
  const GstStructure *result = fixture_push_colour (fixture, BLUE, &out);
  g_assert_cmpstr (result_string (result, "label"), ==, "blue");
}

static void
latency_is_added_to_a_live_pipeline (void)
{
  g_autoptr (Fixture) fixture = start (fixture_plain_element ());
  g_autoptr (GstBuffer) out = NULL;
  gst_harness_set_upstream_latency (fixture->harness, 20 * GST_MSECOND);
  GstClockTime before = gst_harness_query_latency (fixture->harness);
  g_assert_cmpuint (before, >, 20 * GST_MSECOND); /* the warm-up run */
  g_assert_cmpuint (before, <, 20 * GST_MSECOND + GST_SECOND);
  for (guint i = 0; i < 40; i++)
    g_assert_nonnull (fixture_push_colour (fixture, RED, &out));
  g_assert_cmpuint (
      gst_harness_query_latency (fixture->harness), >, 20 * GST_MSECOND);
}

static void
flush_forgets_the_old_stream (void)
{
  g_autoptr (Fixture) fixture =
      start (fixture_element ("inference-interval", 100, NULL));
  g_autoptr (GstBuffer) out = NULL;
  GstSegment segment;
  fixture_push_colour (fixture, RED, &out);
  const GstStructure *result = fixture_push_colour (fixture, GREEN, &out);
  g_assert_cmpstr (result_string (result, "label"), ==, "red");
  gst_harness_push_event (fixture->harness, gst_event_new_flush_start ());
  gst_harness_push_event (fixture->harness, gst_event_new_flush_stop (TRUE));
  gst_segment_init (&segment, GST_FORMAT_TIME);
  gst_harness_push_event (fixture->harness, gst_event_new_segment (&segment));
  result = fixture_push_colour (fixture, GREEN, &out);
  g_assert_cmpstr (result_string (result, "label"), ==, "green");
  g_assert_cmpstr (result_string (result, "state"), ==, "fresh");
}

static void
new_caps_start_afresh (void)
{
  g_autoptr (Fixture) fixture =
      start (fixture_element ("inference-interval", 100, NULL));
  g_autoptr (GstBuffer) out = NULL;
  static const struct {
    GstVideoFormat format;
    int width, height;
    guint32 rgb;
    const char *label;
  } rows[] = { { GST_VIDEO_FORMAT_NV12, 31, 9, GREEN, "green" },
    { GST_VIDEO_FORMAT_UYVY, 5, 77, BLUE, "blue" },
    { GST_VIDEO_FORMAT_xBGR, 1, 1, RED, "red" },
    { GST_VIDEO_FORMAT_xBGR, 640, 1, GREEN, "green" } };
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    fixture_set_caps (
        fixture, rows[i].format, rows[i].width, rows[i].height, NULL);
    const GstStructure *result =
        fixture_push_colour (fixture, rows[i].rgb, &out);
    g_assert_cmpstr (result_string (result, "label"), ==, rows[i].label);
    g_assert_cmpstr (result_string (result, "state"), ==, "fresh");
  }
}

static void
gaps_pass_untouched (void)
{
  g_autoptr (Fixture) fixture = start (fixture_plain_element ());
  GstBuffer *frame = frame_new (&fixture->info, COLOUR (RED));
  GST_BUFFER_FLAG_SET (frame, GST_BUFFER_FLAG_GAP);
  g_autoptr (GstBuffer) out = fixture_push (fixture, frame);
  g_assert_null (result_of (out));
  g_assert_true (GST_BUFFER_FLAG_IS_SET (out, GST_BUFFER_FLAG_GAP));
  g_assert_cmpuint (fixture_stat (fixture, "frames"), ==, 1);
  g_assert_cmpuint (fixture_stat (fixture, "inferred"), ==, 0);
  g_assert_true (gst_harness_push_event (
      fixture->harness, gst_event_new_gap (0, FRAME_DURATION)));
}

static void
end_of_stream_passes (void)
{
  g_autoptr (Fixture) fixture = start (fixture_plain_element ());
  g_autoptr (GstBuffer) out = NULL;
  fixture_push_colour (fixture, RED, &out);
  g_assert_true (
      gst_harness_push_event (fixture->harness, gst_event_new_eos ()));
  gboolean seen = FALSE;
  GstEvent *event;
  while (!seen && (event = gst_harness_try_pull_event (fixture->harness))) {
    seen = GST_EVENT_TYPE (event) == GST_EVENT_EOS;
    gst_event_unref (event);
  }
  g_assert_true (seen);
}

static void
upstream_is_offered_video_meta (void)
{
  g_autoptr (Fixture) fixture = start (fixture_plain_element ());
  g_autoptr (GstBuffer) out = NULL;
  fixture_push_colour (fixture, RED, &out);
  g_autoptr (GstCaps) caps = gst_video_info_to_caps (&fixture->info);
  GstQuery *query = gst_query_new_allocation (caps, FALSE);
  GstPad *pad = gst_element_get_static_pad (fixture->element, "sink");
  g_assert_true (gst_pad_query (pad, query));
  g_assert_true (
      gst_query_find_allocation_meta (query, GST_VIDEO_META_API_TYPE, NULL));
  gst_object_unref (pad);
  gst_query_unref (query);
}

static void
wait_for_eos (GstElement *pipeline)
{
  GstBus *bus = gst_element_get_bus (pipeline);
  g_autoptr (GstMessage) message = gst_bus_timed_pop_filtered (
      bus, 20 * GST_SECOND, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  g_assert_nonnull (message);
  g_assert_cmpstr (GST_MESSAGE_TYPE_NAME (message), ==, "eos");
  gst_object_unref (bus);
}

static void
states_can_be_cycled (void)
{
  g_autofree char *launch =
      g_strdup_printf ("videotestsrc num-buffers=3 pattern=green ! "
                       "video/x-raw,width=32,height=24 ! "
                       "forgeclassify name=f model-file=%s draw-labels=true ! "
                       "fakesink sync=false",
          fixture_model ());
  g_autoptr (GError) error = NULL;
  GstElement *pipeline = gst_parse_launch (launch, &error);
  g_assert_no_error (error);
  g_autoptr (GstElement) element =
      gst_bin_get_by_name (GST_BIN (pipeline), "f");
  static const GstState resting[] = { GST_STATE_NULL, GST_STATE_READY,
    GST_STATE_PAUSED };
  for (guint i = 0; i < 20; i++) {
    gst_element_set_state (pipeline, GST_STATE_PLAYING);
    if (i % 2 == 0)
      wait_for_eos (pipeline);
    /* On odd rounds it is pulled down in the middle of things. */
    gst_element_set_state (pipeline, resting[i % 3]);
    if (i % 3 == 2)
      gst_element_set_state (pipeline, GST_STATE_NULL);
  }
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  wait_for_eos (pipeline);
  g_autoptr (GstStructure) stats = NULL;
  g_object_get (element, "stats", &stats, NULL);
  g_assert_cmpuint (result_uint64 (stats, "frames"), ==, 3);
  g_assert_cmpuint (result_uint64 (stats, "errors"), ==, 0);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_object_unref (pipeline);
}

static void
settings_may_change_while_playing (void)
{
  static const char *const updates[] = { "every-frame", "on-change", "none" };
  g_autofree char *launch = g_strdup_printf (
      "videotestsrc num-buffers=400 pattern=smpte ! "
      "video/x-raw,format=I420,width=64,height=48 ! "
      "forgeclassify name=f model-file=%s ! fakevideosink sync=false",
      fixture_model ());
  GstElement *pipeline = gst_parse_launch (launch, NULL);
  g_autoptr (GstElement) element =
      gst_bin_get_by_name (GST_BIN (pipeline), "f");
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  for (guint i = 0; i < 2000; i++) {
    g_object_set (element, "draw-labels", i % 3 == 0, "top-k", 1 + i % 5,
        "threshold", (i % 10) / 10.0, "inference-interval", 1 + i % 2,
        "max-latency", (guint64) (i % 7), "labels-color", i * 0x10001, NULL);
    gst_util_set_object_arg (G_OBJECT (element), "updates", updates[i % 3]);
    g_autoptr (GstStructure) stats = NULL;
    g_object_get (element, "stats", &stats, NULL);
    g_assert_cmpuint (result_uint64 (stats, "frames"), <=, 400);
  }
  wait_for_eos (pipeline);
  g_autoptr (GstStructure) stats = NULL;
  g_object_get (element, "stats", &stats, NULL);
  g_assert_cmpuint (result_uint64 (stats, "frames"), ==, 400);
  g_assert_cmpuint (result_uint64 (stats, "errors"), ==, 0);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_object_unref (pipeline);
}

static gsize
push_and_measure (Fixture *fixture, guint n_frames)
{
  for (guint i = 0; i < n_frames; i++) {
    g_autoptr (GstBuffer) out = NULL;
    fixture_push_colour (fixture, i % 2 ? RED : GREEN, &out);
    GstMessage *message;
    while ((message = gst_bus_pop (fixture->bus)))
      gst_message_unref (message);
    GstEvent *event;
    while ((event = gst_harness_try_pull_event (fixture->harness)))
      gst_event_unref (event);
  }
  struct mallinfo2 info = mallinfo2 ();
  return info.uordblks + info.hblkhd;
}

static void
memory_does_not_grow (void)
{
  GstElement *element =
      fixture_element ("draw-labels", TRUE, "drift-window", 10, NULL);
  gst_util_set_object_arg (G_OBJECT (element), "updates", "every-frame");
  g_autoptr (Fixture) fixture = start (element);
  gsize before = push_and_measure (fixture, 500);
  gsize after = push_and_measure (fixture, 3000);
  g_test_message (
      "%" G_GSIZE_FORMAT " bytes, then %" G_GSIZE_FORMAT, before, after);
  /* Two bytes a frame would show. */
  g_assert_cmpuint (after, <, before + 6000);
}

int
main (int argc, char **argv)
{
  fixture_init (&argc, &argv);
#define ADD(test) g_test_add_func ("/forgeclassify/" #test, test)
  ADD (late_frame_skips_inference_and_goes_on);
  ADD (hopelessly_late_stream_is_classified_once_a_second);
  ADD (budget_skips_inference_that_would_overrun_it);
  ADD (latency_is_added_to_a_live_pipeline);
  ADD (flush_forgets_the_old_stream);
  ADD (new_caps_start_afresh);
  ADD (gaps_pass_untouched);
  ADD (end_of_stream_passes);
  ADD (upstream_is_offered_video_meta);
  ADD (states_can_be_cycled);
  ADD (settings_may_change_while_playing);
  ADD (memory_does_not_grow);
  return fixture_run ();
}
