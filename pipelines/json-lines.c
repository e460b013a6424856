/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * gst-launch-1.0 for machines: runs the pipeline given as arguments and
 * writes every element message as one JSON object a line on standard output,
 * flushed at once. Warnings and errors go to standard error; the exit status
 * is 1 after an error. Interrupting it ends the stream cleanly.
 *
 * {"message": "forgeclassify", "source": "forgeclassify0", "timestamp": 0,
 *  "label": "dog", ...}: fields as the element documents them; a time that is
 * not known is null. */
#include <glib-unix.h>
#include <gst/gst.h>
#include <json-glib/json-glib.h>
#include <stdio.h>

static JsonNode *
node_from_value (const GValue *value)
{
  JsonNode *node = json_node_new (JSON_NODE_VALUE);
  if (GST_VALUE_HOLDS_ARRAY (value)) {
    JsonArray *array = json_array_new ();
    for (guint i = 0; i < gst_value_array_get_size (value); i++)
      json_array_add_element (
          array, node_from_value (gst_value_array_get_value (value, i)));
    json_node_unref (node);
    node = json_node_init_array (json_node_alloc (), array);
    json_array_unref (array);
  } else if (G_VALUE_HOLDS_STRING (value)) {
    json_node_set_string (node, g_value_get_string (value));
  } else if (G_VALUE_HOLDS_BOOLEAN (value)) {
    json_node_set_boolean (node, g_value_get_boolean (value));
  } else if (G_VALUE_HOLDS_INT (value)) {
    json_node_set_int (node, g_value_get_int (value));
  } else if (G_VALUE_HOLDS_UINT (value)) {
    json_node_set_int (node, g_value_get_uint (value));
  } else if (G_VALUE_HOLDS_UINT64 (value)) {
    guint64 number = g_value_get_uint64 (value);
    if (number > G_MAXINT64)
      json_node_init_null (node);
    else
      json_node_set_int (node, (gint64) number);
  } else if (G_VALUE_HOLDS_DOUBLE (value)) {
    json_node_set_double (node, g_value_get_double (value));
  } else { /* other elements' own types, as GStreamer writes them */
    g_autofree char *text = gst_value_serialize (value);
    json_node_set_string (node, text ? text : "");
  }
  return node;
}

static void
print_structure (GstMessage *message)
{
  const GstStructure *structure = gst_message_get_structure (message);
  g_autoptr (JsonObject) object = json_object_new ();
  json_object_set_string_member (
      object, "message", gst_structure_get_name (structure));
  json_object_set_string_member (
      object, "source", GST_MESSAGE_SRC_NAME (message));
  for (int i = 0; i < gst_structure_n_fields (structure); i++) {
    const char *name = gst_structure_nth_field_name (structure, (guint) i);
    json_object_set_member (object, name,
        node_from_value (gst_structure_get_value (structure, name)));
  }
  g_autoptr (JsonNode) root = json_node_alloc ();
  json_node_init_object (root, object);
  g_autofree char *text = json_to_string (root, FALSE);
  puts (text);
  fflush (stdout);
}

static void
print_trouble (GstMessage *message)
{
  g_autoptr (GError) error = NULL;
  gboolean fatal = GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR;
  if (fatal)
    gst_message_parse_error (message, &error, NULL);
  else
    gst_message_parse_warning (message, &error, NULL);
  g_printerr ("json-lines: %s: %s: %s\n", fatal ? "error" : "warning",
      GST_MESSAGE_SRC_NAME (message), error->message);
}

static gboolean
end_stream (gpointer pipeline)
{
  gst_element_send_event (pipeline, gst_event_new_eos ());
  return G_SOURCE_CONTINUE;
}

/* Returns FALSE after an error. */
static gboolean
handle_messages (GstElement *pipeline, GstBus *bus)
{
  for (;;) {
    g_autoptr (GstMessage) message = gst_bus_timed_pop (bus, 50 * GST_MSECOND);
    /* The only source is the signal's. */
    g_main_context_iteration (NULL, FALSE);
    switch (message ? GST_MESSAGE_TYPE (message) : GST_MESSAGE_UNKNOWN) {
    case GST_MESSAGE_ELEMENT:
      print_structure (message);
      break;
    case GST_MESSAGE_WARNING:
      print_trouble (message);
      break;
    case GST_MESSAGE_ERROR:
      print_trouble (message);
      return FALSE;
    case GST_MESSAGE_LATENCY:
      gst_bin_recalculate_latency (GST_BIN (pipeline));
      break;
    case GST_MESSAGE_EOS:
      return TRUE;
    default:
      break;
    }
  }
}

int
main (int argc, char **argv)
{
  gst_init (&argc, &argv);
  if (argc < 2) {
    g_printerr ("usage: json-lines ELEMENT ! ELEMENT ...\n");
    return 2;
  }
  g_autoptr (GError) error = NULL;
  GstElement *parsed = gst_parse_launchv ((const char **) argv + 1, &error);
  if (!parsed || error) {
    g_printerr ("json-lines: %s\n", error->message);
    gst_clear_object (&parsed);
    return 2;
  }
  GstElement *pipeline = parsed;
  if (!GST_IS_PIPELINE (parsed)) {
    pipeline = gst_pipeline_new (NULL);
    gst_bin_add (GST_BIN (pipeline), parsed);
  }
  GstBus *bus = gst_element_get_bus (pipeline);
  guint on_interrupt = g_unix_signal_add (SIGINT, end_stream, pipeline);
  gst_element_set_state (pipeline, GST_STATE_PLAYING);
  gboolean ok = handle_messages (pipeline, bus);
  gst_element_set_state (pipeline, GST_STATE_NULL);
  g_source_remove (on_interrupt);
  gst_object_unref (bus);
  gst_object_unref (pipeline);
  return ok ? 0 : 1;
}
