/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * `gst-forge watch SOURCE...`: plays files, URIs or a camera through
 * forgeclassify and tells what it sees: labels as they change, drift alerts,
 * and where the annotated clip and the picture lie. */
#include <glib-unix.h>
#include <gst/gst.h>
#include <signal.h>

#include "command.h"
#include "watch-pipeline.h"

/* What is under way when the stream is told to end comes out in a second or
 * two; a network source that never connected does not even see the request. */
#define GRACE_S 10
#define START_S 10

typedef struct {
  GMainLoop *loop;
  WatchPipeline *pipeline;
  guint n_labels, n_drifts;
  double seconds; /* to play; 0 = to the end */
  guint on_limit; /* GSource that ends the stream then; 0 = none */
  guint on_grace; /* GSource; 0 = the stream was not told to end */
  gboolean failed;
} Watch;

/* "0:00:09.300" of the message's running time. */
static char *
format_time (const GstStructure *structure)
{
  guint64 time_ns = 0;
  gst_structure_get_uint64 (structure, "running-time", &time_ns);
  return g_strdup_printf ("%u:%02u:%02u.%03u",
      (guint) (time_ns / (3600 * GST_SECOND)),
      (guint) (time_ns / (60 * GST_SECOND) % 60),
      (guint) (time_ns / GST_SECOND % 60),
      (guint) (time_ns / GST_MSECOND % 1000));
}

static void
print_label (Watch *watch, const GstStructure *structure)
{
  double confidence = 0;
  gst_structure_get_double (structure, "confidence", &confidence);
  g_autofree char *time = format_time (structure);
  g_print ("%s  %-12s %3.0f %%\n", time,
      gst_structure_get_string (structure, "label"), 100 * confidence);
  watch->n_labels++;
}

/* What to call a drift message: an alert, the way back, or a reminder. */
static const char *
drift_headline (const GstStructure *structure)
{
  const char *state = gst_structure_get_string (structure, "state");
  const char *previous = gst_structure_get_string (structure, "previous-state");
  if (g_strcmp0 (state, "recovered") == 0)
    return "recovered";
  if (g_strcmp0 (state, "drift") != 0)
    return "all is well";
  return g_strcmp0 (state, previous) == 0 ? "still drifting" : "DRIFT ALERT";
}

static void
print_drift (Watch *watch, const GstStructure *structure)
{
  double statistic = 0, threshold = 0;
  gst_structure_get_double (structure, "statistic", &statistic);
  gst_structure_get_double (structure, "threshold", &threshold);
  const char *headline = drift_headline (structure);
  g_autofree char *time = format_time (structure);
  g_print ("%s  %s: mean confidence %.2f (threshold %.2f), severity %s, "
           "recommendation %s\n",
      time, headline, statistic, threshold,
      gst_structure_get_string (structure, "severity"),
      gst_structure_get_string (structure, "recommendation"));
  if (g_str_equal (headline, "DRIFT ALERT"))
    watch->n_drifts++;
}

/* "gst-forge: clip.webm: Resource not found." */
static void
print_trouble (Watch *watch, GstMessage *message, const GError *error)
{
  const char *source =
      watch_pipeline_find_source (watch->pipeline, GST_MESSAGE_SRC (message));
  g_printerr ("gst-forge: %s%s%s\n", source ? source : "", source ? ": " : "",
      error->message);
}

/* Only the first error tells the cause: what follows is its wake. */
static void
print_error (Watch *watch, GstMessage *message)
{
  g_autoptr (GError) error = NULL;
  gst_message_parse_error (message, &error, NULL);
  if (!watch->failed)
    print_trouble (watch, message, error);
  watch->failed = TRUE;
}

static void
print_warning (Watch *watch, GstMessage *message)
{
  g_autoptr (GError) error = NULL;
  gst_message_parse_warning (message, &error, NULL);
  print_trouble (watch, message, error);
}

static gboolean end_stream (gpointer user_data);

static void
remove_source (guint source)
{
  if (source && g_main_context_find_source_by_id (NULL, source))
    g_source_remove (source);
}

/* A source that takes long to start, or a slow machine, does not eat the time
 * to play; one that never starts is given up START_S later. */
static void
limit_time (Watch *watch, double extra_s)
{
  remove_source (watch->on_limit);
  watch->on_limit = g_timeout_add (
      (guint) ((watch->seconds + extra_s) * 1000), end_stream, watch);
}

static gboolean
is_playing (const Watch *watch, GstMessage *message)
{
  GstState state;
  gst_message_parse_state_changed (message, NULL, &state, NULL);
  return state == GST_STATE_PLAYING &&
         GST_MESSAGE_SRC (message) ==
             GST_OBJECT (watch_pipeline_get_element (watch->pipeline));
}

static gboolean
handle_message (GstBus *bus, GstMessage *message, gpointer user_data)
{
  Watch *watch = user_data;
  switch (GST_MESSAGE_TYPE (message)) {
  case GST_MESSAGE_ERROR:
    print_error (watch, message);
    g_main_loop_quit (watch->loop);
    break;
  case GST_MESSAGE_WARNING:
    print_warning (watch, message);
    break;
  case GST_MESSAGE_LATENCY:
    gst_bin_recalculate_latency (
        GST_BIN (watch_pipeline_get_element (watch->pipeline)));
    break;
  case GST_MESSAGE_EOS:
    g_main_loop_quit (watch->loop);
    break;
  case GST_MESSAGE_STATE_CHANGED:
    if (watch->on_limit && !watch->on_grace && is_playing (watch, message))
      limit_time (watch, 0);
    break;
  case GST_MESSAGE_ELEMENT:
    if (gst_message_has_name (message, "forgeclassify"))
      print_label (watch, gst_message_get_structure (message));
    else if (gst_message_has_name (message, "forgeclassify-drift"))
      print_drift (watch, gst_message_get_structure (message));
    break;
  default:
    break;
  }
  return G_SOURCE_CONTINUE;
}

static gboolean
give_up (gpointer user_data)
{
  Watch *watch = user_data;
  g_printerr ("gst-forge: the stream does not end, stopped\n");
  watch->failed = TRUE;
  watch->on_grace = 0;
  g_main_loop_quit (watch->loop);
  return G_SOURCE_REMOVE;
}

/* The clip is only playable when the muxer has seen the end of the stream. A
 * second Ctrl-C ends the program at once, as the handler is gone. */
static gboolean
end_stream (gpointer user_data)
{
  Watch *watch = user_data;
  if (!watch->on_grace)
    watch->on_grace = g_timeout_add_seconds (GRACE_S, give_up, watch);
  watch_pipeline_end (watch->pipeline);
  return G_SOURCE_REMOVE;
}

/* What is on the bus when the loop has ended, or was never run. */
static void
drain_bus (Watch *watch, GstBus *bus)
{
  GstMessage *message;
  while ((message = gst_bus_pop (bus))) {
    handle_message (bus, message, watch);
    gst_message_unref (message);
  }
}

static void
play (Watch *watch)
{
  GstElement *pipeline = watch_pipeline_get_element (watch->pipeline);
  g_autoptr (GstBus) bus = gst_element_get_bus (pipeline);
  watch->loop = g_main_loop_new (NULL, FALSE);
  const guint sources[] = {
    gst_bus_add_watch (bus, handle_message, watch),
    g_unix_signal_add (SIGINT, end_stream, watch),
    g_unix_signal_add (SIGTERM, end_stream, watch),
  };
  if (watch->seconds > 0)
    limit_time (watch, START_S);
  gboolean started = gst_element_set_state (pipeline, GST_STATE_PLAYING) !=
                     GST_STATE_CHANGE_FAILURE;
  if (started)
    g_main_loop_run (watch->loop);
  drain_bus (watch, bus);
  if (!started && !watch->failed) {
    g_printerr ("gst-forge: the pipeline does not start\n");
    watch->failed = TRUE;
  }
  gst_element_set_state (pipeline, GST_STATE_NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (sources); i++)
    remove_source (sources[i]);
  remove_source (watch->on_limit);
  remove_source (watch->on_grace);
  g_main_loop_unref (watch->loop);
}

static int
run (const WatchOptions *options, double seconds)
{
  g_autoptr (GError) error = NULL;
  ForgePreprocess preprocess;
  /* Held while the element uses it, so that it is read and judged once. */
  g_autoptr (ForgeModel) model = command_load_stated_model (
      options->model ? options->model : FORGE_MODEL_EMBEDDED,
      &options->preprocess, &preprocess);
  if (!model)
    return COMMAND_FAILED;
  WatchPipeline *pipeline = watch_pipeline_new (options, &error);
  if (!pipeline)
    return command_error ("%s", error->message);
  Watch watch = { .pipeline = pipeline, .seconds = seconds };
  play (&watch);
  if (!watch.failed && options->out_picture &&
      !watch_pipeline_write_picture (pipeline, &error)) {
    g_printerr ("gst-forge: %s\n", error->message);
    watch.failed = TRUE;
  }
  if (!watch.failed) {
    g_print (
        "%u label changes, drift alerts: %u\n", watch.n_labels, watch.n_drifts);
    if (options->out_video)
      g_print ("annotated clip:    %s\n", options->out_video);
    if (options->out_picture)
      g_print ("annotated picture: %s\n", options->out_picture);
  }
  watch_pipeline_free (pipeline);
  return watch.failed ? COMMAND_FAILED : COMMAND_OK;
}

/* -1 stands for an option that was not given. */
static double
set_or_zero (double value)
{
  return value == -1 ? 0 : value;
}

/* -1 when every number makes sense. The encoder takes up to 16383 pixels. */
static int
check_ranges (const WatchOptions *options, double seconds)
{
  const CommandRange ranges[] = {
    { "--width", options->width, 16, 16382 },
    { "--height", options->height, 16, 16382 },
    { "--seconds", seconds, 0, 1e6 },
    { "--darken-after", set_or_zero (options->darken_after_s), 0, 1e6 },
    { "--drift-window", set_or_zero (options->drift_window), 0, 1e6 },
    { "--drift-threshold", set_or_zero (options->drift_threshold), 0, 1 },
  };
  return command_check_ranges ("watch", ranges, G_N_ELEMENTS (ranges));
}

int
cmd_watch (int argc, char **argv)
{
  WatchOptions options = {
    .width = 640,
    .height = 360,
    .darken_after_s = -1,
    .drift_window = -1,
    .drift_threshold = -1,
  };
  double seconds = 0;
  const GOptionEntry entries[] = {
    { "model", 'm', 0, G_OPTION_ARG_FILENAME, &options.model,
        "model file (default: the embedded CIFAR-10 model)", "FILE" },
    { "out-video", 0, 0, G_OPTION_ARG_FILENAME, &options.out_video,
        "write the annotated clip, VP8 in WebM", "FILE" },
    { "out-picture", 0, 0, G_OPTION_ARG_FILENAME, &options.out_picture,
        "write the most confident frame, PNG", "FILE" },
    { "width", 0, 0, G_OPTION_ARG_INT, &options.width,
        "of the clip, pixels (640)", "W" },
    { "height", 0, 0, G_OPTION_ARG_INT, &options.height,
        "of the clip, pixels (360)", "H" },
    { "seconds", 0, 0, G_OPTION_ARG_DOUBLE, &seconds,
        "stop after playing for so many seconds of wall time (a camera has no "
        "end)",
        "S" },
    { "darken-after", 0, 0, G_OPTION_ARG_DOUBLE, &options.darken_after_s,
        "turn the light down after S seconds of video, to show a drift alert",
        "S" },
    { "drift-window", 0, 0, G_OPTION_ARG_INT, &options.drift_window,
        "frames (the element's default)", "N" },
    { "drift-threshold", 0, 0, G_OPTION_ARG_DOUBLE, &options.drift_threshold,
        "mean confidence (the element's default)", "P" },
    { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &options.sources,
        NULL, "FILE|URI|/dev/videoN..." },
    { NULL },
  };
  int status = command_parse_with_group ("watch",
      "Classify a video and show the result", entries,
      preprocess_options_group (&options.preprocess), &argc, &argv);
  if (status >= 0)
    return status;
  if (options.sources)
    status = check_ranges (&options, seconds);
  else
    status = command_usage_error ("watch", "a file, URI or camera is missing");
  if (status < 0) {
    gst_init (NULL, NULL);
    status = run (&options, seconds);
  }
  g_strfreev (options.sources);
  g_free (options.model);
  g_free (options.out_video);
  g_free (options.out_picture);
  preprocess_options_clear (&options.preprocess);
  return status;
}
