/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Decodes a file with uridecodebin, upright as its tags say, into an appsink
 * that does not wait for a clock. Frames leave as I420, which most decoders
 * give, so that colours are converted by the engine alone. Sampling goes by
 * time stamps: a frame is taken when it is the first at or behind the next
 * place of the raster. */
#include "video-frames.h"

#include <gst/app/app.h>
#include <gst/video/video.h>

#include "forge/error.h"

/* A decoder that gives nothing for so long is stuck. */
#define TIMEOUT_NS (30 * GST_SECOND)

typedef struct {
  const char *path;
  GstElement *pipeline;
  GstAppSink *sink;
  GstClockTime interval_ns; /* 0 = every frame */
  guint64 n_taken;
  ForgeVideoFrameFunc func;
  gpointer user_data;
} Reading;

static ForgeColourMatrix
matrix_of (const GstVideoInfo *info)
{
  switch (info->colorimetry.matrix) {
  case GST_VIDEO_COLOR_MATRIX_BT709:
    return FORGE_MATRIX_BT709;
  case GST_VIDEO_COLOR_MATRIX_BT2020:
    return FORGE_MATRIX_BT2020;
  case GST_VIDEO_COLOR_MATRIX_SMPTE240M:
    return FORGE_MATRIX_SMPTE240M;
  case GST_VIDEO_COLOR_MATRIX_FCC:
    return FORGE_MATRIX_FCC;
  default:
    return FORGE_MATRIX_BT601;
  }
}

static ForgeFrame
view_of (const GstVideoFrame *video)
{
  const GstVideoInfo *info = &video->info;
  gboolean knows_site = info->chroma_site != GST_VIDEO_CHROMA_SITE_UNKNOWN;
  ForgeFrame frame = { .format = FORGE_PIXEL_I420,
    .width = GST_VIDEO_INFO_WIDTH (info),
    .height = GST_VIDEO_INFO_HEIGHT (info),
    .matrix = matrix_of (info),
    .full_range = info->colorimetry.range == GST_VIDEO_COLOR_RANGE_0_255,
    .chroma_centred =
        knows_site && !(info->chroma_site & GST_VIDEO_CHROMA_SITE_H_COSITED) };
  for (guint p = 0; p < GST_VIDEO_FRAME_N_PLANES (video); p++) {
    frame.data[p] = GST_VIDEO_FRAME_PLANE_DATA (video, p);
    frame.stride_bytes[p] = GST_VIDEO_FRAME_PLANE_STRIDE (video, p);
  }
  return frame;
}

static void
link_video (GstElement *decoder, GstPad *pad, gpointer first)
{
  g_autoptr (GstPad) sink = gst_element_get_static_pad (first, "sink");
  if (!gst_pad_is_linked (sink))
    gst_pad_link (pad, sink);
}

/* Tells what is missing at once, where otherwise nothing would ever come. */
static void
expect_video (GstElement *decoder, gpointer first)
{
  g_autoptr (GstPad) sink = gst_element_get_static_pad (first, "sink");
  if (!gst_pad_is_linked (sink))
    GST_ELEMENT_ERROR (
        decoder, STREAM, WRONG_TYPE, ("there is no video in it"), (NULL));
}

static gboolean
build (Reading *reading, GError **error)
{
  reading->pipeline = gst_parse_launch_full (
      "uridecodebin name=source caps=\"video/x-raw(ANY)\""
      " expose-all-streams=false"
      " videoflip name=first method=automatic ! videoconvert !"
      " appsink name=frames sync=false max-buffers=4"
      " caps=video/x-raw,format=I420",
      NULL, GST_PARSE_FLAG_FATAL_ERRORS, error);
  if (!reading->pipeline)
    return FALSE;
  GstBin *bin = GST_BIN (reading->pipeline);
  g_autoptr (GstElement) source = gst_bin_get_by_name (bin, "source");
  g_autoptr (GstElement) first = gst_bin_get_by_name (bin, "first");
  reading->sink = GST_APP_SINK (gst_bin_get_by_name (bin, "frames"));
  g_autofree char *uri = gst_filename_to_uri (reading->path, error);
  if (!uri)
    return FALSE;
  g_object_set (source, "uri", uri, NULL);
  g_signal_connect (source, "pad-added", G_CALLBACK (link_video), first);
  g_signal_connect (source, "no-more-pads", G_CALLBACK (expect_video), first);
  return TRUE;
}

/* The first error on the bus, in the engine's words. */
static gboolean
fail (const Reading *reading, GError **error)
{
  g_autoptr (GstBus) bus = gst_element_get_bus (reading->pipeline);
  g_autoptr (GstMessage) message =
      gst_bus_pop_filtered (bus, GST_MESSAGE_ERROR);
  g_autoptr (GError) cause = NULL;
  if (message)
    gst_message_parse_error (message, &cause, NULL);
  g_set_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT,
      "%s: cannot be decoded as video: %s", reading->path,
      cause ? cause->message : "nothing came out of the decoder");
  return FALSE;
}

/* The raster: as asked for, or wider, so that the frames of a long file are
 * spread over its length. */
static void
set_interval (Reading *reading, const ForgeVideoSampling *sampling)
{
  gint64 duration_ns = 0;
  double interval_ns = (double) GST_SECOND / sampling->frames_per_s;
  if (gst_element_query_duration (
          reading->pipeline, GST_FORMAT_TIME, &duration_ns) &&
      duration_ns > 0)
    interval_ns =
        MAX (interval_ns, (double) duration_ns / sampling->max_frames);
  reading->interval_ns = (GstClockTime) MAX (interval_ns, 1);
}

/* Frames without a time stamp are all taken. */
static gboolean
is_wanted (Reading *reading, GstSample *sample)
{
  GstBuffer *buffer = gst_sample_get_buffer (sample);
  if (!GST_BUFFER_PTS_IS_VALID (buffer))
    return TRUE;
  guint64 time_ns = gst_segment_to_stream_time (gst_sample_get_segment (sample),
      GST_FORMAT_TIME, GST_BUFFER_PTS (buffer));
  return time_ns == GST_CLOCK_TIME_NONE ||
         time_ns / reading->interval_ns >= reading->n_taken;
}

/* FALSE when no more are wanted, or this one cannot be seen. */
static gboolean
hand_over (Reading *reading, GstSample *sample)
{
  GstVideoInfo info;
  GstVideoFrame video;
  if (!gst_video_info_from_caps (&info, gst_sample_get_caps (sample)) ||
      !gst_video_frame_map (
          &video, &info, gst_sample_get_buffer (sample), GST_MAP_READ))
    return FALSE;
  ForgeFrame frame = view_of (&video);
  gboolean go_on = reading->func (&frame, reading->user_data);
  gst_video_frame_unmap (&video);
  reading->n_taken++;
  return go_on;
}

static gboolean
pull_frames (Reading *reading, GError **error)
{
  for (;;) {
    GstSample *sample =
        gst_app_sink_try_pull_sample (reading->sink, TIMEOUT_NS);
    if (!sample)
      return gst_app_sink_is_eos (reading->sink) || fail (reading, error);
    gboolean go_on =
        !is_wanted (reading, sample) || hand_over (reading, sample);
    gst_sample_unref (sample);
    if (!go_on)
      return TRUE;
  }
}

static void
initialise (void)
{
  static gsize once = 0;
  if (g_once_init_enter (&once)) {
    gst_init (NULL, NULL);
    g_once_init_leave (&once, 1);
  }
}

gboolean
video_frames_read (const char *path, const ForgeVideoSampling *sampling,
    ForgeVideoFrameFunc func, gpointer user_data, GError **error)
{
  initialise ();
  Reading reading = { .path = path, .func = func, .user_data = user_data };
  gboolean done = build (&reading, error);
  if (done) {
    gst_element_set_state (reading.pipeline, GST_STATE_PAUSED);
    done = gst_element_get_state (reading.pipeline, NULL, NULL, TIMEOUT_NS) !=
               GST_STATE_CHANGE_FAILURE ||
           fail (&reading, error);
  }
  if (done) {
    set_interval (&reading, sampling);
    gst_element_set_state (reading.pipeline, GST_STATE_PLAYING);
    done = pull_frames (&reading, error);
  }
  if (reading.pipeline)
    gst_element_set_state (reading.pipeline, GST_STATE_NULL);
  if (reading.sink)
    gst_object_unref (reading.sink);
  g_clear_pointer (&reading.pipeline, gst_object_unref);
  return done;
}
