/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Builds the pipeline of `gst-forge watch`:
 *
 *   source 1 ! scale ! concat. ─┐
 *   source 2 ! scale ! concat. ─┴ videobalance ! forgeclassify ! tee
 *        tee. ! vp8enc ! webmmux ! filesink
 *        tee. ! appsink            (frames for the picture)
 *
 * concat plays file after file on one time line; videobalance is the hand on
 * the light switch that shows what a drift alert looks like. Files and
 * URIs are linked when their streams are known. */
#include "watch-pipeline.h"

#include <cairo.h>
#include <gst/app/gstappsink.h>
#include <gst/video/video.h>

struct _WatchPipeline {
  GstElement *pipeline;
  char **sources; /* as the user wrote them; element "source<index>" */
  char *out_picture;
  guint64 darken_after_ns;
  gboolean started; /* of the streaming thread */
  GMutex lock;
  double best_confidence; /* under the lock, as is the next */
  GstSample *best_sample;
};

static gboolean
is_camera (const char *source)
{
  return g_str_has_prefix (source, "/dev/video");
}

static char *
describe (const WatchOptions *options)
{
  gboolean several = options->sources[1] != NULL;
  GString *text = g_string_new (several ? "concat name=line ! " : "");
  g_string_append (text,
      "videobalance name=light ! forgeclassify name=forge"
      " draw-labels=true ! tee name=out"
      " out. ! queue ! videoconvert ! video/x-raw,format=BGRx"
      " ! appsink name=frames sync=false emit-signals=true max-buffers=4");
  if (options->out_video)
    g_string_append (text,
        " out. ! queue ! vp8enc deadline=1 cpu-used=8 threads=2"
        " target-bitrate=1500000 ! webmmux ! filesink name=file sync=false");
  for (guint i = 0; options->sources[i]; i++) {
    g_string_append_printf (text,
        is_camera (options->sources[i]) ? " v4l2src name=source%u ! decodebin !"
                                        : " uridecodebin name=source%u",
        i);
    g_string_append_printf (text,
        " videoconvert name=scale%u ! videoscale add-borders=true ! videorate"
        " ! video/x-raw,format=I420,width=%d,height=%d,framerate=30/1,"
        "pixel-aspect-ratio=1/1,colorimetry=bt709,chroma-site=mpeg2,"
        "interlace-mode=progressive ! queue ! %s",
        i, options->width, options->height, several ? "line." : "light.");
  }
  return g_string_free (text, FALSE);
}

/* Runs in the streaming thread, so the change is exact to the frame. */
static GstPadProbeReturn
darken_probe (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  WatchPipeline *watch = user_data;
  GstBuffer *buffer = GST_PAD_PROBE_INFO_BUFFER (info);
  g_autoptr (GstEvent) event =
      gst_pad_get_sticky_event (pad, GST_EVENT_SEGMENT, 0);
  const GstSegment *segment = NULL;
  if (event)
    gst_event_parse_segment (event, &segment);
  if (!segment || !GST_BUFFER_PTS_IS_VALID (buffer))
    return GST_PAD_PROBE_OK;
  guint64 time_ns = gst_segment_to_running_time (
      segment, GST_FORMAT_TIME, GST_BUFFER_PTS (buffer));
  if (time_ns == GST_CLOCK_TIME_NONE || time_ns < watch->darken_after_ns)
    return GST_PAD_PROBE_OK;
  GstElement *light = gst_pad_get_parent_element (pad);
  g_object_set (light, "brightness", -0.45, NULL);
  gst_object_unref (light);
  return GST_PAD_PROBE_REMOVE;
}

/* What is played one after the other is one stream to the monitor: only the
 * first stream-start goes on, for a new one would begin its warm-up again. */
static GstPadProbeReturn
one_stream_probe (GstPad *pad, GstPadProbeInfo *info, gpointer user_data)
{
  WatchPipeline *watch = user_data;
  GstEvent *event = GST_PAD_PROBE_INFO_EVENT (info);
  if (GST_EVENT_TYPE (event) != GST_EVENT_STREAM_START)
    return GST_PAD_PROBE_OK;
  if (watch->started)
    return GST_PAD_PROBE_DROP;
  watch->started = TRUE;
  return GST_PAD_PROBE_OK;
}

/* Confidence of the best class, as forgeclassify wrote it on the buffer; -1
 * when there is none. */
static double
read_confidence (GstBuffer *buffer)
{
  double confidence = -1;
  GstCustomMeta *meta =
      gst_buffer_get_custom_meta (buffer, "ForgeClassificationMeta");
  if (meta)
    gst_structure_get_double (
        gst_custom_meta_get_structure (meta), "confidence", &confidence);
  return confidence;
}

static GstFlowReturn
keep_frame (GstAppSink *sink, gpointer user_data)
{
  WatchPipeline *watch = user_data;
  GstSample *sample = gst_app_sink_pull_sample (sink);
  if (!sample)
    return GST_FLOW_EOS;
  double confidence = read_confidence (gst_sample_get_buffer (sample));
  g_mutex_lock (&watch->lock);
  if (!watch->best_sample || confidence > watch->best_confidence) {
    g_clear_pointer (&watch->best_sample, gst_sample_unref);
    watch->best_sample = g_steal_pointer (&sample);
    watch->best_confidence = confidence;
  }
  g_mutex_unlock (&watch->lock);
  g_clear_pointer (&sample, gst_sample_unref);
  return GST_FLOW_OK;
}

/* The first stream that is video; the others stay unlinked. */
static void
link_video (GstElement *decoder, GstPad *pad, gpointer scaler)
{
  g_autoptr (GstPad) sink = gst_element_get_static_pad (scaler, "sink");
  if (!gst_pad_is_linked (sink))
    gst_pad_link (pad, sink);
}

/* All streams of a source are known and none of them was video. The demuxer's
 * own complaint, which follows, would not say why. */
static void
expect_video (GstElement *decoder, gpointer scaler)
{
  g_autoptr (GstPad) sink = gst_element_get_static_pad (scaler, "sink");
  if (!gst_pad_is_linked (sink))
    GST_ELEMENT_ERROR (
        decoder, STREAM, WRONG_TYPE, ("there is no video in it"), (NULL));
}

/* Set as properties rather than written into the pipeline's text, where some
 * characters of a name would mean something. */
static void
connect_source (GstBin *bin, const char *source, guint i)
{
  g_autofree char *name = g_strdup_printf ("source%u", i);
  g_autofree char *scale_name = g_strdup_printf ("scale%u", i);
  g_autoptr (GstElement) element = gst_bin_get_by_name (bin, name);
  g_autoptr (GstElement) scaler = gst_bin_get_by_name (bin, scale_name);
  if (is_camera (source)) {
    g_object_set (element, "device", source, NULL);
    return;
  }
  g_autofree char *uri = gst_uri_is_valid (source)
                             ? g_strdup (source)
                             : gst_filename_to_uri (source, NULL);
  g_object_set (element, "uri", uri, NULL);
  g_signal_connect (element, "pad-added", G_CALLBACK (link_video), scaler);
  g_signal_connect (element, "no-more-pads", G_CALLBACK (expect_video), scaler);
}

static void
state_preprocess (GstElement *forge, const PreprocessOptions *options)
{
  const struct {
    const char *property, *text;
  } rows[] = {
    { "input-scale", options->scale },
    { "input-mean", options->mean },
    { "input-std", options->std },
    { "input-order", options->order },
    { "input-layout", options->layout },
    { "input-size", options->size },
    { "resize-policy", options->resize },
    { "resize-filter", options->filter },
  };
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    if (rows[i].text)
      gst_util_set_object_arg (
          G_OBJECT (forge), rows[i].property, rows[i].text);
}

static void
connect (WatchPipeline *watch, const WatchOptions *options)
{
  GstBin *bin = GST_BIN (watch->pipeline);
  g_autoptr (GstElement) forge = gst_bin_get_by_name (bin, "forge");
  g_autoptr (GstElement) light = gst_bin_get_by_name (bin, "light");
  g_autoptr (GstElement) frames = gst_bin_get_by_name (bin, "frames");
  g_autoptr (GstElement) file = gst_bin_get_by_name (bin, "file");
  if (options->model)
    g_object_set (forge, "model-file", options->model, NULL);
  if (options->drift_window >= 0)
    g_object_set (forge, "drift-window", options->drift_window, NULL);
  if (options->drift_threshold >= 0)
    g_object_set (forge, "drift-threshold", options->drift_threshold, NULL);
  state_preprocess (forge, &options->preprocess);
  if (file)
    g_object_set (file, "location", options->out_video, NULL);
  g_signal_connect (frames, "new-sample", G_CALLBACK (keep_frame), watch);
  g_autoptr (GstPad) pad = gst_element_get_static_pad (light, "sink");
  gst_pad_add_probe (
      pad, GST_PAD_PROBE_TYPE_EVENT_DOWNSTREAM, one_stream_probe, watch, NULL);
  for (guint i = 0; watch->sources[i]; i++)
    connect_source (bin, watch->sources[i], i);
  if (options->darken_after_s < 0)
    return;
  watch->darken_after_ns =
      (guint64) (options->darken_after_s * (double) GST_SECOND);
  gst_pad_add_probe (pad, GST_PAD_PROBE_TYPE_BUFFER, darken_probe, watch, NULL);
}

/* Run from the build folder, the command knows no plugin path. */
static gboolean
check_plugin (GError **error)
{
  g_autoptr (GstElementFactory) factory =
      gst_element_factory_find ("forgeclassify");
  if (!factory)
    g_set_error_literal (error, GST_CORE_ERROR, GST_CORE_ERROR_MISSING_PLUGIN,
        "GStreamer does not find the element forgeclassify: run this inside "
        "`meson devenv -C build`, or set GST_PLUGIN_PATH to build/plugin");
  return factory != NULL;
}

WatchPipeline *
watch_pipeline_new (const WatchOptions *options, GError **error)
{
  if (!check_plugin (error))
    return NULL;
  g_autofree char *text = describe (options);
  GstElement *pipeline =
      gst_parse_launch_full (text, NULL, GST_PARSE_FLAG_FATAL_ERRORS, error);
  if (!pipeline)
    return NULL;
  WatchPipeline *watch = g_new0 (WatchPipeline, 1);
  watch->pipeline = pipeline;
  watch->sources = g_strdupv (options->sources);
  watch->out_picture = g_strdup (options->out_picture);
  watch->best_confidence = -1;
  g_mutex_init (&watch->lock);
  connect (watch, options);
  return watch;
}

void
watch_pipeline_free (WatchPipeline *watch)
{
  if (!watch)
    return;
  gst_element_set_state (watch->pipeline, GST_STATE_NULL);
  gst_object_unref (watch->pipeline);
  g_clear_pointer (&watch->best_sample, gst_sample_unref);
  g_mutex_clear (&watch->lock);
  g_strfreev (watch->sources);
  g_free (watch->out_picture);
  g_free (watch);
}

GstElement *
watch_pipeline_get_element (WatchPipeline *watch)
{
  return watch->pipeline;
}

/* Behind the sources, because not every source listens: a demuxer may have
 * read far ahead, a network source may still be connecting. */
void
watch_pipeline_end (WatchPipeline *watch)
{
  g_autoptr (GstElement) light =
      gst_bin_get_by_name (GST_BIN (watch->pipeline), "light");
  g_autoptr (GstPad) pad = gst_element_get_static_pad (light, "sink");
  gst_pad_send_event (pad, gst_event_new_eos ());
}

const char *
watch_pipeline_find_source (WatchPipeline *watch, GstObject *object)
{
  const char *source = NULL;
  for (guint i = 0; watch->sources[i] && !source; i++) {
    g_autofree char *name = g_strdup_printf ("source%u", i);
    g_autoptr (GstElement) element =
        gst_bin_get_by_name (GST_BIN (watch->pipeline), name);
    if (object == GST_OBJECT (element) ||
        gst_object_has_as_ancestor (object, GST_OBJECT (element)))
      source = watch->sources[i];
  }
  return source;
}

static cairo_status_t
write_frame (GstVideoFrame *frame, const char *path)
{
  cairo_surface_t *surface = cairo_image_surface_create_for_data (
      GST_VIDEO_FRAME_PLANE_DATA (frame, 0), CAIRO_FORMAT_RGB24,
      GST_VIDEO_FRAME_WIDTH (frame), GST_VIDEO_FRAME_HEIGHT (frame),
      GST_VIDEO_FRAME_PLANE_STRIDE (frame, 0));
  cairo_status_t status = cairo_surface_write_to_png (surface, path);
  cairo_surface_destroy (surface);
  return status;
}

gboolean
watch_pipeline_write_picture (WatchPipeline *watch, GError **error)
{
  GstVideoInfo info;
  GstVideoFrame frame;
  if (!watch->best_sample ||
      !gst_video_info_from_caps (
          &info, gst_sample_get_caps (watch->best_sample)) ||
      !gst_video_frame_map (&frame, &info,
          gst_sample_get_buffer (watch->best_sample), GST_MAP_READ)) {
    g_set_error (error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_WRITE,
        "%s: not written, no frame came out of the pipeline",
        watch->out_picture);
    return FALSE;
  }
  cairo_status_t status = write_frame (&frame, watch->out_picture);
  gst_video_frame_unmap (&frame);
  if (status != CAIRO_STATUS_SUCCESS) {
    g_set_error (error, GST_RESOURCE_ERROR, GST_RESOURCE_ERROR_WRITE, "%s: %s",
        watch->out_picture, cairo_status_to_string (status));
    return FALSE;
  }
  return TRUE;
}
