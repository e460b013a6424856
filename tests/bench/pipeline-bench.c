/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * How many frames a second go through forgeclassify, or another launch line,
 * and how much CPU time each costs, decoding excluded: raw frames are made
 * first and then pushed by appsrc as fast as they are taken. A run without the
 * element gives the cost of the harness itself. Pin to one core with taskset
 * to get the one-core figure. Needs GStreamer alone: tests/bench/pipeline
 * builds it inside other Debian suites too. */
#include <gst/app/gstappsrc.h>
#include <gst/video/video.h>
#include <sys/resource.h>

static int width = 1920, height = 1080, n_frames = 600, n_streams = 1;
static int n_rounds = 5;
static double seconds = 0;
static gboolean plain;
static char *format = NULL, *element = NULL;

static const GOptionEntry entries[] = {
  { "width", 0, 0, G_OPTION_ARG_INT, &width, "pixels (1920)", "W" },
  { "height", 0, 0, G_OPTION_ARG_INT, &height, "pixels (1080)", "H" },
  { "format", 0, 0, G_OPTION_ARG_STRING, &format, "caps format (NV12)", "F" },
  { "frames", 0, 0, G_OPTION_ARG_INT, &n_frames, "per stream, round (600)",
      "N" },
  { "streams", 0, 0, G_OPTION_ARG_INT, &n_streams, "in parallel (1)", "N" },
  { "seconds", 0, 0, G_OPTION_ARG_DOUBLE, &seconds,
      "of a round; 0 = by --frames (0)", "S" },
  { "rounds", 0, 0, G_OPTION_ARG_INT, &n_rounds, "(5)", "N" },
  { "plain", 0, 0, G_OPTION_ARG_NONE, &plain,
      "print FPS and CPU_MS of each round, without the harness alone", NULL },
  { "element", 0, 0, G_OPTION_ARG_STRING, &element,
      "launch line under test (forgeclassify)", "LINE" },
  { NULL },
};

#define N_DISTINCT 8

/* Moving gradients with noise: no two frames alike, so nothing can be cached,
 * and no row is constant. */
static GstBuffer *
make_frame (const GstVideoInfo *info, int index)
{
  GstBuffer *buffer = gst_buffer_new_allocate (NULL, info->size, NULL);
  GstMapInfo map;
  gst_buffer_map (buffer, &map, GST_MAP_WRITE);
  guint32 noise = 12345 + (guint32) index;
  for (gsize i = 0; i < map.size; i++) {
    noise = noise * 1664525 + 1013904223;
    map.data[i] = (guint8) ((i / 16 + (gsize) index * 5 + (noise >> 27)) & 255);
  }
  gst_buffer_unmap (buffer, &map);
  return buffer;
}

typedef struct {
  GstElement *pipeline, *source;
  GstBuffer **frames;
  gint64 end_us; /* 0 = after n_frames */
  int n_pushed;
} Stream;

static gboolean
is_done (const Stream *stream)
{
  return stream->end_us ? g_get_monotonic_time () >= stream->end_us
                        : stream->n_pushed >= n_frames;
}

static gpointer
push_frames (gpointer user_data)
{
  Stream *stream = user_data;
  for (; !is_done (stream); stream->n_pushed++) {
    int i = stream->n_pushed;
    GstBuffer *buffer = gst_buffer_copy (stream->frames[i % N_DISTINCT]);
    GST_BUFFER_PTS (buffer) = (guint64) i * GST_SECOND / 30;
    GST_BUFFER_DURATION (buffer) = GST_SECOND / 30;
    if (gst_app_src_push_buffer (GST_APP_SRC (stream->source), buffer) !=
        GST_FLOW_OK)
      break;
  }
  gst_app_src_end_of_stream (GST_APP_SRC (stream->source));
  return NULL;
}

static void
start (Stream *stream, const GstVideoInfo *info, const char *line)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *text = g_strdup_printf (
      "appsrc name=source format=time block=true max-buffers=4 max-bytes=0"
      " ! %s ! fakesink sync=false",
      line);
  stream->pipeline = gst_parse_launch (text, &error);
  if (!stream->pipeline || error)
    g_error ("%s: %s", text, error->message);
  stream->source = gst_bin_get_by_name (GST_BIN (stream->pipeline), "source");
  g_autoptr (GstCaps) caps = gst_video_info_to_caps (info);
  gst_app_src_set_caps (GST_APP_SRC (stream->source), caps);
  if (gst_element_set_state (stream->pipeline, GST_STATE_PLAYING) ==
      GST_STATE_CHANGE_FAILURE)
    g_error ("%s: does not start", text);
}

static void
stop (Stream *stream)
{
  g_autoptr (GstBus) bus = gst_element_get_bus (stream->pipeline);
  g_autoptr (GstMessage) message = gst_bus_timed_pop_filtered (
      bus, GST_CLOCK_TIME_NONE, GST_MESSAGE_EOS | GST_MESSAGE_ERROR);
  if (GST_MESSAGE_TYPE (message) == GST_MESSAGE_ERROR) {
    g_autoptr (GError) error = NULL;
    gst_message_parse_error (message, &error, NULL);
    g_error ("%s", error->message);
  }
  gst_element_set_state (stream->pipeline, GST_STATE_NULL);
  gst_object_unref (stream->source);
  gst_object_unref (stream->pipeline);
}

static double
cpu_seconds (void)
{
  struct rusage usage;
  getrusage (RUSAGE_SELF, &usage);
  return (double) (usage.ru_utime.tv_sec + usage.ru_stime.tv_sec) +
         (double) (usage.ru_utime.tv_usec + usage.ru_stime.tv_usec) / 1e6;
}

static void
run_round (const char *line, const GstVideoInfo *info, GstBuffer **frames,
    double *fps, double *cpu_ms)
{
  Stream streams[64] = { 0 };
  GThread *threads[64];
  int n_pushed = 0;
  for (int i = 0; i < n_streams; i++) {
    streams[i].frames = frames;
    start (&streams[i], info, line);
  }
  double cpu = cpu_seconds ();
  gint64 begin = g_get_monotonic_time ();
  for (int i = 0; i < n_streams; i++) {
    streams[i].end_us = seconds > 0 ? begin + (gint64) (seconds * 1e6) : 0;
    threads[i] = g_thread_new ("source", push_frames, &streams[i]);
  }
  for (int i = 0; i < n_streams; i++)
    g_thread_join (threads[i]);
  for (int i = 0; i < n_streams; i++)
    stop (&streams[i]);
  double spent = (double) (g_get_monotonic_time () - begin) / 1e6;
  for (int i = 0; i < n_streams; i++)
    n_pushed += streams[i].n_pushed;
  *fps = n_pushed / spent;
  *cpu_ms = (cpu_seconds () - cpu) * 1e3 / MAX (n_pushed, 1);
}

static int
compare (const void *a, const void *b)
{
  double x = *(const double *) a, y = *(const double *) b;
  return (x > y) - (x < y);
}

int
main (int argc, char **argv)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GOptionContext) context =
      g_option_context_new ("- frames a second through forgeclassify");
  g_option_context_add_main_entries (context, entries, NULL);
  g_option_context_add_group (context, gst_init_get_option_group ());
  if (!g_option_context_parse (context, &argc, &argv, &error)) {
    g_printerr ("pipeline-bench: %s\n", error->message);
    return 2;
  }
  n_streams = CLAMP (n_streams, 1, 64);
  n_rounds = CLAMP (n_rounds, 1, 100);
  GstVideoFormat video_format =
      gst_video_format_from_string (format ? format : "NV12");
  GstVideoInfo info;
  if (!gst_video_info_set_format (
          &info, video_format, (guint) width, (guint) height)) {
    g_printerr ("pipeline-bench: no such format or size\n");
    return 2;
  }
  GST_VIDEO_INFO_FPS_N (&info) = 30;
  GstBuffer *frames[N_DISTINCT];
  for (int i = 0; i < N_DISTINCT; i++)
    frames[i] = make_frame (&info, i);
  const char *lines[] = { element ? element : "forgeclassify", "identity" };
  double fps[2][100], cpu_ms[2][100];
  for (int round = 0; round < n_rounds; round++)
    for (int which = 0; which < (plain ? 1 : 2); which++) {
      run_round (lines[which], &info, frames, &fps[which][round],
          &cpu_ms[which][round]);
      if (plain)
        g_print ("%.3f %.5f\n", fps[which][round], cpu_ms[which][round]);
    }
  for (int which = 0; !plain && which < 2; which++) {
    qsort (fps[which], (size_t) n_rounds, sizeof (double), compare);
    qsort (cpu_ms[which], (size_t) n_rounds, sizeof (double), compare);
    g_print ("%-40s median %9.1f fps (%.1f .. %.1f)  %7.3f ms CPU a frame\n",
        lines[which], fps[which][n_rounds / 2], fps[which][0],
        fps[which][n_rounds - 1], cpu_ms[which][n_rounds / 2]);
  }
  for (int i = 0; i < N_DISTINCT; i++)
    gst_buffer_unref (frames[i]);
  return 0;
}
