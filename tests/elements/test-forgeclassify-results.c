/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What comes out: meta, messages, labels, thresholds, intervals, drift. */
#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

#include "fixture.h"
#include "forge/model.h"
#include "tiny-model.h"

#define RED 0xff0000
#define GREEN 0x00ff00
#define GREY 0x808080

static Fixture *
start (GstElement *element)
{
  Fixture *fixture = fixture_new (element);
  fixture_set_caps (fixture, GST_VIDEO_FORMAT_RGB, 16, 16, NULL);
  return fixture;
}

static void
meta_has_every_field (void)
{
  g_autoptr (Fixture) fixture = start (fixture_plain_element ());
  g_autoptr (GstBuffer) out = NULL;
  double by_class[3];
  int class_id;
  const GstStructure *result = fixture_push_colour (fixture, GREEN, &out);
  g_assert_cmpstr (result_string (result, "label"), ==, "green");
  g_assert_true (gst_structure_get_int (result, "class-id", &class_id));
  g_assert_cmpint (class_id, ==, 1);
  g_assert_cmpuint (result_confidences (result, by_class), ==, 3);
  g_assert_cmpfloat (by_class[1], ==, result_double (result, "confidence"));
  double other = 1 / (exp (TINY_MODEL_GAIN) + 2);
  g_assert_cmpfloat_with_epsilon (by_class[0], other, 1e-9);
  g_assert_cmpfloat_with_epsilon (by_class[1], 1 - 2 * other, 1e-6);
  g_assert_cmpstr (result_string (result, "model-name"), ==, TINY_MODEL_NAME);
  g_assert_cmpstr (
      result_string (result, "model-version"), ==, TINY_MODEL_VERSION);
  g_assert_cmpstr (result_string (result, "state"), ==, "fresh");
  g_assert_cmpuint (result_uint64 (result, "age"), ==, 0);
  g_assert_cmpuint (result_uint64 (result, "inference-time"), >, 0);
}

static void
message_has_times_and_result (void)
{
  g_autoptr (Fixture) fixture = start (fixture_plain_element ());
  g_autoptr (GstBuffer) out = NULL;
  fixture->next_pts = 3 * GST_SECOND;
  const GstStructure *meta = fixture_push_colour (fixture, RED, &out);
  g_autoptr (GstMessage) message =
      fixture_pop_message (fixture, "forgeclassify");
  g_assert_nonnull (message);
  g_assert_true (GST_MESSAGE_SRC (message) == GST_OBJECT (fixture->element));
  const GstStructure *result = gst_message_get_structure (message);
  static const char *const times[] = { "timestamp", "stream-time",
    "running-time" };
  for (gsize i = 0; i < G_N_ELEMENTS (times); i++)
    g_assert_cmpuint (result_uint64 (result, times[i]), ==, 3 * GST_SECOND);
  g_assert_cmpuint (result_uint64 (result, "duration"), ==, FRAME_DURATION);
  for (int i = 0; i < gst_structure_n_fields (meta); i++) {
    const char *field = gst_structure_nth_field_name (meta, (guint) i);
    const GValue *value = gst_structure_get_value (result, field);
    g_assert_nonnull (value);
    g_assert_cmpint (
        gst_value_compare (value, gst_structure_get_value (meta, field)), ==,
        GST_VALUE_EQUAL);
  }
}

static void
updates_decide_which_frames_are_posted (void)
{
  static const struct {
    const char *updates;
    gboolean post;
    guint n_messages;
  } rows[] = { { "every-frame", TRUE, 6 }, { "on-change", TRUE, 3 },
    { "none", TRUE, 0 }, { "every-frame", FALSE, 0 } };
  static const guint32 stream[] = { RED, RED, GREEN, GREEN, GREEN, RED };
  for (gsize r = 0; r < G_N_ELEMENTS (rows); r++) {
    GstElement *element = fixture_element ("post-messages", rows[r].post, NULL);
    gst_util_set_object_arg (G_OBJECT (element), "updates", rows[r].updates);
    g_autoptr (Fixture) fixture = start (element);
    g_autoptr (GstBuffer) out = NULL;
    for (gsize i = 0; i < G_N_ELEMENTS (stream); i++)
      g_assert_nonnull (fixture_push_colour (fixture, stream[i], &out));
    g_assert_cmpuint (fixture_count_messages (fixture, "forgeclassify"), ==,
        rows[r].n_messages);
  }
}

static void
frames_between_carry_the_last_result_and_its_age (void)
{
  g_autoptr (Fixture) fixture =
      start (fixture_element ("inference-interval", 3, NULL));
  g_autoptr (GstBuffer) out = NULL;
  for (guint i = 0; i < 9; i++) {
    /* Only every third frame is red; the others are not looked at. */
    const GstStructure *result =
        fixture_push_colour (fixture, i % 3 ? GREEN : RED, &out);
    g_assert_cmpstr (result_string (result, "label"), ==, "red");
    g_assert_cmpstr (
        result_string (result, "state"), ==, i % 3 ? "cached" : "fresh");
    g_assert_cmpuint (
        result_uint64 (result, "age"), ==, (i % 3) * FRAME_DURATION);
  }
  g_assert_cmpuint (fixture_stat (fixture, "frames"), ==, 9);
  g_assert_cmpuint (fixture_stat (fixture, "inferred"), ==, 3);
  g_assert_cmpuint (fixture_stat (fixture, "cached"), ==, 6);
  g_assert_cmpuint (fixture_stat (fixture, "skipped"), ==, 0);
  g_assert_cmpuint (fixture_stat (fixture, "latency-p50"), >, 0);
  g_assert_cmpuint (fixture_stat (fixture, "latency-p99"), >=,
      fixture_stat (fixture, "latency-p50"));
}

static void
frame_without_time_has_a_result_and_an_age (void)
{
  g_autoptr (Fixture) fixture =
      start (fixture_element ("inference-interval", 2, NULL));
  for (guint i = 0; i < 2; i++) {
    g_autoptr (GstBuffer) out = gst_harness_push_and_pull (
        fixture->harness, frame_new (&fixture->info, COLOUR (RED)));
    const GstStructure *result = result_of (out);
    g_assert_cmpstr (
        result_string (result, "state"), ==, i ? "cached" : "fresh");
    g_assert_true ((result_uint64 (result, "age") > 0) == (i == 1));
  }
}

static void
threshold_turns_labels_into_unknown (void)
{
  g_autoptr (Fixture) fixture =
      start (fixture_element ("threshold", 0.5, NULL));
  g_autoptr (GstBuffer) out = NULL;
  double by_class[3];
  int class_id;
  const GstStructure *result = fixture_push_colour (fixture, GREY, &out);
  g_assert_cmpstr (result_string (result, "label"), ==, "unknown");
  g_assert_true (gst_structure_get_int (result, "class-id", &class_id));
  g_assert_cmpint (class_id, ==, -1);
  /* The scores are all there, whatever the decision. */
  g_assert_cmpuint (result_confidences (result, by_class), ==, 3);
  g_assert_cmpfloat_with_epsilon (by_class[2], 1.0 / 3, 1e-3);
  result = fixture_push_colour (fixture, RED, &out);
  g_assert_cmpstr (result_string (result, "label"), ==, "red");
  g_assert_cmpuint (fixture_count_messages (fixture, "forgeclassify"), ==, 2);
  /* And it may change while playing. */
  g_object_set (fixture->element, "threshold", 0.0, NULL);
  result = fixture_push_colour (fixture, GREY, &out);
  g_assert_cmpstr (result_string (result, "label"), ==, "red");
}

static void
top_k_limits_the_list (void)
{
  static const guint rows[][2] = { { 1, 1 }, { 2, 2 }, { 3, 3 },
    { G_MAXUINT, 3 } };
  for (gsize r = 0; r < G_N_ELEMENTS (rows); r++) {
    g_autoptr (Fixture) fixture =
        start (fixture_element ("top-k", rows[r][0], NULL));
    g_autoptr (GstBuffer) out = NULL;
    double by_class[3];
    const GstStructure *result = fixture_push_colour (fixture, 0x4020ff, &out);
    g_assert_cmpuint (result_confidences (result, by_class), ==, rows[r][1]);
    const GValue *scores = gst_structure_get_value (result, "confidences");
    for (guint i = 1; i < rows[r][1]; i++)
      g_assert_cmpfloat (
          g_value_get_double (gst_value_array_get_value (scores, i - 1)), >=,
          g_value_get_double (gst_value_array_get_value (scores, i)));
    g_assert_cmpstr (result_string (result, "label"), ==, "blue");
  }
}

static void
labels_can_be_given (void)
{
  g_autoptr (GstBuffer) out = NULL;
  /* Any text is a value, never a structure's name. */
  g_autoptr (Fixture) inline_labels = start (
      fixture_element ("labels", "rot, gr\303\274n=1;\"x\",3 blau", NULL));
  const GstStructure *result = fixture_push_colour (inline_labels, GREEN, &out);
  g_assert_cmpstr (result_string (result, "label"), ==, "gr\303\274n=1;\"x\"");

  g_autofree char *path =
      g_build_filename (g_get_tmp_dir (), "forge-test-labels.txt", NULL);
  g_assert_true (g_file_set_contents (path,
      "\xef\xbb\xbf"
      "rouge\r\nvert, clair\r\nbleu\n\n",
      -1, NULL));
  g_autoptr (Fixture) file_labels =
      start (fixture_element ("labels-file", path, NULL));
  result = fixture_push_colour (file_labels, GREEN, &out);
  g_assert_cmpstr (result_string (result, "label"), ==, "vert, clair");
  result = fixture_push_colour (file_labels, RED, &out);
  g_assert_cmpstr (result_string (result, "label"), ==, "rouge");
  g_unlink (path);
}

static void
meta_survives_scaling_and_conversion (void)
{
  g_autofree char *launch = g_strdup_printf (
      "forgeclassify model-file=%s ! videoscale ! videoconvert ! "
      "video/x-raw,format=I420,width=10,height=6 ! identity",
      fixture_model ());
  GstHarness *harness = gst_harness_new_parse (launch);
  gst_harness_set_src_caps_str (
      harness, "video/x-raw,format=RGB,width=16,height=16,framerate=25/1");
  GstVideoInfo info;
  gst_video_info_set_format (&info, GST_VIDEO_FORMAT_RGB, 16, 16);
  g_autoptr (GstBuffer) out =
      gst_harness_push_and_pull (harness, frame_new (&info, COLOUR (GREEN)));
  g_assert_nonnull (out);
  g_assert_cmpuint (gst_buffer_get_size (out), <, 200);
  g_assert_cmpstr (result_string (result_of (out), "label"), ==, "green");
  g_autoptr (GstBuffer) copy = gst_buffer_copy_deep (out);
  g_assert_true (gst_structure_is_equal (result_of (copy), result_of (out)));
  gst_harness_teardown (harness);
}

static void
upstream_meta_and_pixels_survive (void)
{
  g_autoptr (Fixture) fixture = start (fixture_plain_element ());
  GstBuffer *frame = frame_new (&fixture->info, paint_pattern, NULL);
  g_autoptr (GstBuffer) original = gst_buffer_copy_deep (frame);
  gst_buffer_add_video_region_of_interest_meta (frame, "face", 1, 2, 3, 4);
  /* Somebody else holds it too: nothing may be written into it. */
  g_autoptr (GstBuffer) held = gst_buffer_ref (frame);
  g_autoptr (GstBuffer) out = fixture_push (fixture, frame);
  g_assert_nonnull (result_of (out));
  g_assert_null (result_of (held));
  GstVideoRegionOfInterestMeta *roi =
      gst_buffer_get_video_region_of_interest_meta (out);
  g_assert_nonnull (roi);
  g_assert_cmpuint (roi->w, ==, 3);
  GstMapInfo map;
  g_assert_true (gst_buffer_map (original, &map, GST_MAP_READ));
  g_assert_cmpint (gst_buffer_memcmp (out, 0, map.data, map.size), ==, 0);
  gst_buffer_unmap (original, &map);
  /* No copy of the pixels was made for a meta's sake. */
  g_assert_true (
      gst_buffer_peek_memory (out, 0) == gst_buffer_peek_memory (held, 0));
}

static void
push_many (Fixture *fixture, guint32 rgb, guint n)
{
  g_autoptr (GstBuffer) out = NULL;
  for (guint i = 0; i < n; i++)
    g_assert_nonnull (fixture_push_colour (fixture, rgb, &out));
}

static void
expect_drift (Fixture *fixture, const char *previous, const char *state)
{
  g_autoptr (GstMessage) message =
      fixture_pop_message (fixture, "forgeclassify-drift");
  g_assert_nonnull (message);
  const GstStructure *drift = gst_message_get_structure (message);
  g_autofree char *text = gst_structure_to_string (drift);
  g_test_message ("%s", text);
  g_assert_cmpstr (result_string (drift, "state"), ==, state);
  g_assert_cmpstr (result_string (drift, "previous-state"), ==, previous);
  g_assert_cmpfloat (result_double (drift, "threshold"), ==, 0.7);
  g_assert_cmpfloat (
      result_double (drift, "expected"), ==, TINY_MODEL_BASELINE);
  g_assert_cmpstr (result_string (drift, "model-name"), ==, TINY_MODEL_NAME);
  static const char *const texts[] = { "severity", "channel", "recommendation",
    "model-version" };
  static const char *const times[] = { "timestamp", "stream-time",
    "running-time", "duration", "frames-observed", "change-estimate" };
  static const char *const numbers[] = { "statistic", "observed", "expected",
    "mean-confidence", "effective-samples" };
  for (gsize i = 0; i < G_N_ELEMENTS (texts); i++)
    result_string (drift, texts[i]);
  for (gsize i = 0; i < G_N_ELEMENTS (times); i++)
    result_uint64 (drift, times[i]);
  for (gsize i = 0; i < G_N_ELEMENTS (numbers); i++)
    result_double (drift, numbers[i]);
  g_assert_true ((result_double (drift, "mean-confidence") < 0.7) ==
                 g_str_equal (state, "drift"));
}

static void
noise_after_confidence_is_drift_until_it_recovers (void)
{
  g_autoptr (Fixture) fixture =
      start (fixture_element ("drift-window", 8, NULL));
  push_many (fixture, RED, 7);
  g_assert_null (fixture_pop_message (fixture, "forgeclassify-drift"));
  push_many (fixture, RED, 3);
  expect_drift (fixture, "warmup", "normal");
  push_many (fixture, GREY, 8);
  expect_drift (fixture, "normal", "drift");
  g_assert_null (fixture_pop_message (fixture, "forgeclassify-drift"));
  push_many (fixture, RED, 8);
  expect_drift (fixture, "drift", "recovered");
}

static void
cached_results_never_feed_the_monitor (void)
{
  g_autoptr (Fixture) fixture = start (
      fixture_element ("drift-window", 8, "inference-interval", 100, NULL));
  push_many (fixture, GREY, 90);
  g_assert_null (fixture_pop_message (fixture, "forgeclassify-drift"));
}

static void
drift_window_of_zero_watches_nothing (void)
{
  g_autoptr (Fixture) fixture =
      start (fixture_element ("drift-window", 0, NULL));
  push_many (fixture, GREY, 100);
  g_assert_null (fixture_pop_message (fixture, "forgeclassify-drift"));
}

/* The model of this very build, where it has one. */
static void
built_in_model_needs_no_file (void)
{
  g_autoptr (ForgeModel) model = forge_model_load (FORGE_MODEL_EMBEDDED, NULL);
  if (!model) {
    g_test_skip ("this build has no built-in model");
    return;
  }
  g_autoptr (Fixture) fixture =
      start (fixture_element ("model-file", NULL, NULL));
  g_autoptr (GstBuffer) out = NULL;
  const GstStructure *result = fixture_push_colour (fixture, GREEN, &out);
  g_assert_cmpstr (
      result_string (result, "model-name"), ==, forge_model_get_name (model));
  const GValue *labels = gst_structure_get_value (result, "labels");
  g_assert_cmpuint (gst_value_array_get_size (labels), ==, 5);
  g_assert_true (g_strv_contains (
      forge_model_get_labels (model), result_string (result, "label")));
}

static void
threads_do_not_change_the_result (void)
{
  double one[3], all[3];
  g_autoptr (Fixture) single = start (fixture_element ("threads", 1, NULL));
  g_autoptr (Fixture) several = start (fixture_element ("threads", 4, NULL));
  g_autoptr (GstBuffer) a =
      fixture_push (single, frame_new (&single->info, paint_pattern, NULL));
  g_autoptr (GstBuffer) b =
      fixture_push (several, frame_new (&several->info, paint_pattern, NULL));
  result_confidences (result_of (a), one);
  result_confidences (result_of (b), all);
  for (int c = 0; c < 3; c++)
    g_assert_cmpfloat (one[c], ==, all[c]);
}

static void
stated_input_wins_over_the_models (void)
{
  g_autoptr (Fixture) fixture =
      start (fixture_element ("input-order", 2 /* bgr */, NULL));
  g_autoptr (GstBuffer) out = NULL;
  const GstStructure *result = fixture_push_colour (fixture, RED, &out);
  g_assert_cmpstr (result_string (result, "label"), ==, "blue");
}

int
main (int argc, char **argv)
{
  fixture_init (&argc, &argv);
#define ADD(test) g_test_add_func ("/forgeclassify/" #test, test)
  ADD (meta_has_every_field);
  ADD (message_has_times_and_result);
  ADD (updates_decide_which_frames_are_posted);
  ADD (frames_between_carry_the_last_result_and_its_age);
  ADD (frame_without_time_has_a_result_and_an_age);
  ADD (threshold_turns_labels_into_unknown);
  ADD (top_k_limits_the_list);
  ADD (labels_can_be_given);
  ADD (meta_survives_scaling_and_conversion);
  ADD (upstream_meta_and_pixels_survive);
  ADD (noise_after_confidence_is_drift_until_it_recovers);
  ADD (cached_results_never_feed_the_monitor);
  ADD (drift_window_of_zero_watches_nothing);
  ADD (built_in_model_needs_no_file);
  ADD (stated_input_wins_over_the_models);
  ADD (threads_do_not_change_the_result);
  return fixture_run ();
}
