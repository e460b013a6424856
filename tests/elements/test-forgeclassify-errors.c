/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What goes wrong is said clearly, once, and never takes the video with it. */
#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

#include "fixture.h"
#include "tiny-model.h"

/* Tries to load; the error that is posted must name @path. */
static void
expect_load_error (
    GstElement *element, GQuark domain, int code, const char *names)
{
  GstBus *bus = gst_bus_new ();
  g_autoptr (GError) error = NULL;
  g_autofree char *debug = NULL;
  gst_element_set_bus (element, bus);
  g_assert_cmpint (gst_element_set_state (element, GST_STATE_READY), ==,
      GST_STATE_CHANGE_FAILURE);
  g_autoptr (GstMessage) message =
      gst_bus_pop_filtered (bus, GST_MESSAGE_ERROR);
  g_assert_nonnull (message);
  gst_message_parse_error (message, &error, &debug);
  g_test_message ("%s", error->message);
  g_assert_error (error, domain, code);
  g_assert_nonnull (strstr (error->message, names));
  gst_element_set_bus (element, NULL);
  gst_element_set_state (element, GST_STATE_NULL);
  gst_object_unref (bus);
}

static char *
write_file (const char *name, const void *bytes, gsize size_bytes)
{
  g_autofree char *folder = g_path_get_dirname (fixture_model ());
  char *path = g_build_filename (folder, name, NULL);
  g_assert_true (g_file_set_contents (path, bytes, (gssize) size_bytes, NULL));
  return path;
}

static void
missing_model_is_not_found (void)
{
  g_autoptr (GstElement) element =
      fixture_element ("model-file", "/no/such/model.onnx", NULL);
  expect_load_error (element, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NOT_FOUND,
      "/no/such/model.onnx");
  /* The element is as good as new. */
  g_object_set (element, "model-file", fixture_model (), NULL);
  g_assert_cmpint (gst_element_set_state (element, GST_STATE_READY), ==,
      GST_STATE_CHANGE_SUCCESS);
  gst_element_set_state (element, GST_STATE_NULL);
}

static void
stated_input_that_does_not_fit_is_a_settings_error (void)
{
  g_autoptr (GstElement) element = fixture_element ("input-scale", "1", NULL);
  expect_load_error (
      element, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_SETTINGS, "scale");
}

static void
truncated_model_is_a_format_error (void)
{
  g_autofree char *bytes = NULL;
  gsize size_bytes;
  g_assert_true (
      g_file_get_contents (fixture_model (), &bytes, &size_bytes, NULL));
  for (gsize cut = 1; cut < size_bytes; cut += size_bytes / 5) {
    g_autofree char *path = write_file ("cut.onnx", bytes, cut);
    g_autoptr (GstElement) element = fixture_element ("model-file", path, NULL);
    expect_load_error (
        element, GST_STREAM_ERROR, GST_STREAM_ERROR_FORMAT, "cut.onnx");
    g_unlink (path);
  }
}

static void
foreign_files_are_format_errors (void)
{
  static const struct {
    const char *name, *bytes;
    gsize size_bytes;
  } rows[] = { { "empty.onnx", "", 0 },
    { "page.onnx", "<!DOCTYPE html><html><body>404</body></html>", 44 },
    { "picture.onnx", "\x89PNG\r\n\x1a\n\0\0\0\rIHDR", 16 },
    { "text.onnx", "these are not the weights you are looking for", 45 },
    { "pointer.onnx",
        "version https://git-lfs.github.com/spec/v1\noid sha256:00\n", 56 } };
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autofree char *path =
        write_file (rows[i].name, rows[i].bytes, rows[i].size_bytes);
    g_autoptr (GstElement) element = fixture_element ("model-file", path, NULL);
    expect_load_error (
        element, GST_STREAM_ERROR, GST_STREAM_ERROR_FORMAT, rows[i].name);
    g_unlink (path);
  }
}

static void
folder_is_not_a_model (void)
{
  g_autofree char *folder = g_path_get_dirname (fixture_model ());
  g_autoptr (GstElement) element = fixture_element ("model-file", folder, NULL);
  expect_load_error (
      element, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_OPEN_READ, folder);
}

static void
labels_must_fit_the_model (void)
{
  static const char *const rows[] = { "one", "one,two", "a,b,c,d", "a,,c",
    "a,\xff,c", "" };
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autoptr (GstElement) element = fixture_element ("labels", rows[i], NULL);
    expect_load_error (
        element, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_SETTINGS, "labels");
  }
}

static void
labels_file_errors_name_the_file (void)
{
  g_autofree char *path = write_file ("labels.txt", "a\nb\nc\nd\n", 8);
  g_autoptr (GstElement) four = fixture_element ("labels-file", path, NULL);
  expect_load_error (
      four, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_SETTINGS, "labels.txt");
  g_autoptr (GstElement) both =
      fixture_element ("labels-file", path, "labels", "a,b,c", NULL);
  expect_load_error (
      both, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_SETTINGS, "labels-file");
  g_unlink (path);
  g_autoptr (GstElement) none = fixture_element ("labels-file", path, NULL);
  expect_load_error (
      none, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_NOT_FOUND, "labels.txt");
}

/* Every buffer comes out, the failures are counted, one warning is posted. */
static void
expect_failing_frames (Fixture *fixture, guint n)
{
  for (guint i = 0; i < n; i++) {
    g_autoptr (GstBuffer) out =
        fixture_push (fixture, gst_buffer_new_allocate (NULL, 10, NULL));
    g_assert_null (result_of (out));
  }
}

static void
buffer_too_small_is_counted_not_fatal (void)
{
  g_autoptr (Fixture) fixture = fixture_new (fixture_plain_element ());
  g_autoptr (GstBuffer) out = NULL;
  fixture_set_caps (fixture, GST_VIDEO_FORMAT_RGB, 64, 64, NULL);
  expect_failing_frames (fixture, 5);
  g_assert_cmpuint (fixture_stat (fixture, "errors"), ==, 5);
  g_autoptr (GstMessage) warning =
      fixture_pop_type (fixture, GST_MESSAGE_WARNING);
  g_assert_nonnull (warning);
  g_assert_null (fixture_pop_type (fixture, GST_MESSAGE_WARNING));
  const GstStructure *result = fixture_push_colour (fixture, 0xff00, &out);
  g_assert_cmpstr (result_string (result, "label"), ==, "green");
}

static void
frame_too_large_is_counted_not_fatal (void)
{
  static const int sizes[][2] = { { 40000, 2 }, { 2, 40000 }, { 32769, 1 } };
  for (gsize i = 0; i < G_N_ELEMENTS (sizes); i++) {
    g_autoptr (Fixture) fixture =
        fixture_new (fixture_element ("draw-labels", TRUE, NULL));
    g_autoptr (GstBuffer) out = NULL;
    fixture_set_caps (
        fixture, GST_VIDEO_FORMAT_I420, sizes[i][0], sizes[i][1], NULL);
    for (guint n = 1; n <= 2; n++) {
      g_assert_null (fixture_push_colour (fixture, 0xff0000, &out));
      g_assert_cmpuint (fixture_stat (fixture, "errors"), ==, n);
    }
    g_autoptr (GstMessage) warning =
        fixture_pop_type (fixture, GST_MESSAGE_WARNING);
    g_autoptr (GError) error = NULL;
    g_assert_nonnull (warning);
    gst_message_parse_warning (warning, &error, NULL);
    g_test_message ("%s", error->message);
    g_assert_nonnull (strstr (error->message, "32768"));
    /* And the next picture of a size that can be had is classified. */
    fixture_set_caps (fixture, GST_VIDEO_FORMAT_I420, 32768, 2, NULL);
    const GstStructure *result = fixture_push_colour (fixture, 0xff0000, &out);
    g_assert_cmpstr (result_string (result, "label"), ==, "red");
  }
}

static void
scores_that_are_no_numbers_are_no_result (void)
{
  char *path = tiny_model_write (NAN);
  {
    g_autoptr (Fixture) fixture =
        fixture_new (fixture_element ("model-file", path, NULL));
    fixture_set_caps (fixture, GST_VIDEO_FORMAT_RGB, 8, 8, NULL);
    for (guint i = 0; i < 4; i++) {
      g_autoptr (GstBuffer) out =
          fixture_push (fixture, frame_new (&fixture->info, COLOUR (0xff0000)));
      g_assert_null (result_of (out));
    }
    g_assert_cmpuint (fixture_stat (fixture, "errors"), ==, 4);
    g_assert_cmpuint (fixture_count_messages (fixture, "forgeclassify"), ==, 0);
  }
  tiny_model_remove (path);
}

int
main (int argc, char **argv)
{
  fixture_init (&argc, &argv);
#define ADD(test) g_test_add_func ("/forgeclassify/" #test, test)
  ADD (missing_model_is_not_found);
  ADD (stated_input_that_does_not_fit_is_a_settings_error);
  ADD (truncated_model_is_a_format_error);
  ADD (foreign_files_are_format_errors);
  ADD (folder_is_not_a_model);
  ADD (labels_must_fit_the_model);
  ADD (labels_file_errors_name_the_file);
  ADD (buffer_too_small_is_counted_not_fatal);
  ADD (frame_too_large_is_counted_not_fatal);
  ADD (scores_that_are_no_numbers_are_no_result);
  return fixture_run ();
}
