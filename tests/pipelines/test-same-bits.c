/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * One picture, two ways: `gst-forge classify` on a PNG file, and a pipeline
 * that decodes the same file into every R'G'B' format, give the same classes
 * with the same probabilities, bit for bit. */
#include "command-run.h"
#include "fixture.h"
#include "forge/model.h"

static const char *const formats[] = { "RGB", "BGR", "RGBx", "BGRx", "xRGB",
  "xBGR", "RGBA", "BGRA", "ARGB", "ABGR" };

/* Runs the pipeline to its end; returns its last forgeclassify message. */
static GstMessage *
run_pipeline (const char *line)
{
  g_autoptr (GError) error = NULL;
  GstElement *pipeline = gst_parse_launch (line, &error);
  g_assert_no_error (error);
  GstBus *bus = gst_element_get_bus (pipeline);
  GstMessage *result = NULL;
  gboolean ended = FALSE;
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  while (!ended) {
    GstMessage *message = gst_bus_timed_pop_filtered (bus, 60 * GST_SECOND,
        GST_MESSAGE_ELEMENT | GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
    g_assert_nonnull (message);
    g_assert_cmpint (GST_MESSAGE_TYPE (message), !=, GST_MESSAGE_ERROR);
    ended = GST_MESSAGE_TYPE (message) == GST_MESSAGE_EOS;
    if (gst_message_has_name (message, "forgeclassify"))
      gst_message_replace (&result, message);
    gst_message_unref (message);
  }
  gst_element_set_state (pipeline, GST_STATE_NULL);
  gst_object_unref (bus);
  gst_object_unref (pipeline);
  return result;
}

static void
assert_same_classes (const GstStructure *result, JsonArray *top)
{
  const GValue *ids = gst_structure_get_value (result, "class-ids");
  const GValue *scores = gst_structure_get_value (result, "confidences");
  const GValue *labels = gst_structure_get_value (result, "labels");
  guint n_top = json_array_get_length (top);
  g_assert_cmpuint (n_top, ==, gst_value_array_get_size (ids));
  for (guint i = 0; i < n_top; i++) {
    JsonObject *row = json_array_get_object_element (top, i);
    g_assert_cmpint (json_object_get_int_member (row, "class_id"), ==,
        g_value_get_int (gst_value_array_get_value (ids, i)));
    g_assert_cmpstr (json_object_get_string_member (row, "label"), ==,
        g_value_get_string (gst_value_array_get_value (labels, i)));
    g_assert_cmpfloat (json_object_get_double_member (row, "confidence"), ==,
        g_value_get_double (gst_value_array_get_value (scores, i)));
  }
}

static void
compare_ways (const char *model)
{
  g_auto (CommandResult) command =
      command_run ("classify %s picture.png --json -", model);
  command_assert_status (&command, 0);
  g_autoptr (JsonParser) parser = command_parse_json (&command);
  JsonArray *results =
      json_object_get_array_member (command_json_root (parser), "results");
  JsonArray *top = json_object_get_array_member (
      json_array_get_object_element (results, 0), "top");
  for (gsize i = 0; i < G_N_ELEMENTS (formats); i++) {
    g_autofree char *line = g_strdup_printf (
        "filesrc location=picture.png ! pngdec ! videoconvert ! "
        "video/x-raw,format=%s ! forgeclassify model-file=%s ! fakesink",
        formats[i], model);
    g_autoptr (GstMessage) message = run_pipeline (line);
    g_assert_nonnull (message);
    assert_same_classes (gst_message_get_structure (message), top);
  }
}

static void
element_and_command_agree_bit_for_bit (void)
{
  compare_ways (fixture_model ());
}

static void
built_in_model_agrees_too (void)
{
  g_autoptr (ForgeModel) model = forge_model_load (FORGE_MODEL_EMBEDDED, NULL);
  if (model)
    compare_ways (FORGE_MODEL_EMBEDDED);
  else
    g_test_skip ("this build has no built-in model");
}

int
main (int argc, char **argv)
{
  fixture_init (&argc, &argv);
  command_enter_folder ();
  g_autoptr (GstMessage) none = run_pipeline (
      "videotestsrc num-buffers=1 pattern=smpte ! "
      "video/x-raw,format=RGB,width=101,height=77 ! pngenc snapshot=true ! "
      "filesink location=picture.png");
  g_assert_null (none);
  g_test_add_func ("/same-bits/element_and_command_agree_bit_for_bit",
      element_and_command_agree_bit_for_bit);
  g_test_add_func (
      "/same-bits/built_in_model_agrees_too", built_in_model_agrees_too);
  int status = fixture_run ();
  command_leave_folder ();
  return status;
}
