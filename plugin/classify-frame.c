/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * One frame's way through forgeclassify: is it its turn (classify-pacing),
 * what is in it (frame-adapter, engine), what is told of it (classify-meta,
 * -messages, -overlay) and to the monitor. A frame that cannot be classified
 * goes on all the same. Streaming thread only. */
#include "classify-frame.h"

#include "classify-caps.h"
#include "classify-messages.h"
#include "classify-meta.h"
#include "frame-adapter.h"

GST_DEBUG_CATEGORY_EXTERN (gst_forge_classify_debug);
#define GST_CAT_DEFAULT gst_forge_classify_debug

/* The first failure of a stream is worth a message; all are counted. */
static void
count_error (GstForgeClassify *self, const gchar *reason)
{
  GST_OBJECT_LOCK (self);
  self->stats.errors++;
  GST_OBJECT_UNLOCK (self);
  GST_WARNING_OBJECT (self, "frame not classified: %s", reason);
  if (self->warned)
    return;
  self->warned = TRUE;
  GST_ELEMENT_WARNING (self, STREAM, FAILED,
      ("A frame could not be classified: %s", reason),
      ("the video goes on; further failures are only counted in stats"));
}

static gboolean
set_frame (GstForgeClassify *self, GstBuffer *buffer, GError **error)
{
  GstVideoFrame video;
  GstVideoRectangle visible;
  ForgeFrame frame;
  if (!gst_video_frame_map (&video, &self->info, buffer,
          GST_MAP_READ | GST_VIDEO_FRAME_MAP_FLAG_NO_REF)) {
    g_set_error_literal (error, GST_STREAM_ERROR, GST_STREAM_ERROR_FAILED,
        "its memory cannot be read as the picture its caps describe");
    return FALSE;
  }
  gst_forge_visible_rectangle (buffer, &self->info, &visible);
  gboolean ok = gst_forge_frame_from_video (&video, &visible, &frame) &&
                forge_classifier_set_frame (self->classifier, 0, &frame, error);
  gst_video_frame_unmap (&video);
  return ok;
}

/* Sends a LATENCY message when what we would answer now is far from what we
 * last answered. */
static void
watch_latency (GstForgeClassify *self)
{
  if (!g_atomic_int_get (&self->live))
    return;
  GST_OBJECT_LOCK (self);
  GstClockTime now = gst_forge_pacing_latency (&self->pacing);
  GstClockTime said = self->reported_latency;
  GstClockTime moved = now > said ? now - said : said - now;
  gboolean tell = moved > GST_MSECOND && moved > said / 4;
  if (tell)
    self->reported_latency = now;
  GST_OBJECT_UNLOCK (self);
  if (tell)
    gst_element_post_message (
        GST_ELEMENT (self), gst_message_new_latency (GST_OBJECT (self)));
}

/* FALSE when the frame could not be classified; the last result stays. */
static gboolean
infer (GstForgeClassify *self, GstBuffer *buffer,
    const GstForgeFrameTimes *times, guint top_k)
{
  g_autoptr (GError) error = NULL;
  GstForgeResult *result = &self->result;
  GstClockTime start = gst_util_get_timestamp ();
  if (!set_frame (self, buffer, &error)) {
    count_error (self, error ? error->message : "unknown pixel format");
    return FALSE;
  }
  forge_classifier_run (self->classifier);
  GstClockTime finished = gst_util_get_timestamp ();
  GST_OBJECT_LOCK (self);
  gst_forge_pacing_add_run (
      &self->pacing, times->running_time, finished - start);
  GST_OBJECT_UNLOCK (self);
  if (!forge_classifier_is_finite (self->classifier, 0)) {
    count_error (self, "the network gave a score that is not a number");
    return FALSE;
  }
  result->n_top = forge_classifier_get_top (
      self->classifier, 0, MIN (top_k, result->max_top), result->top);
  result->valid = TRUE;
  result->running_time = times->running_time;
  result->finished = finished;
  result->inference_time = finished - start;
  GST_OBJECT_LOCK (self);
  self->stats.inferred++;
  forge_latency_add (&self->stats.latency, result->inference_time);
  GST_OBJECT_UNLOCK (self);
  watch_latency (self);
  return TRUE;
}

static void
watch_drift (GstForgeClassify *self, const GstForgeFrameTimes *times,
    const GstForgePresentation *how)
{
  if (!self->monitor)
    return;
  ForgeDriftReport report;
  ForgeObservation observation = {
    .time_ns = times->running_time, /* NONE = UINT64_MAX = unknown */
    .probabilities = forge_classifier_get_probabilities (self->classifier, 0),
    .top_class = self->result.top[0].class_id,
  };
  if (!forge_monitor_observe (self->monitor, &observation, &report))
    return;
  GST_INFO_OBJECT (self, "drift: %s, was %s, %s %g, threshold %g",
      forge_drift_state_name (report.state),
      forge_drift_state_name (report.previous_state), report.channel,
      report.statistic, report.threshold);
  gst_forge_post_drift (GST_ELEMENT (self), times, &report, how);
}

static void
post_result (GstForgeClassify *self, const GstForgeLiveSettings *settings,
    const GstForgeFrameTimes *times, const GstForgePresentation *how)
{
  if (!settings->post_messages || settings->updates == GST_FORGE_UPDATES_NONE)
    return;
  gint class_id;
  gst_forge_result_decide (&self->result, how->threshold, &class_id);
  if (settings->updates == GST_FORGE_UPDATES_ON_CHANGE && self->posted_valid &&
      class_id == self->posted_class)
    return;
  self->posted_valid = TRUE;
  self->posted_class = class_id;
  gst_forge_post_result (GST_ELEMENT (self), times, &self->result, how);
}

/* Caps permit overlays; whether they would be shown, the allocation says. */
static gboolean
should_attach_overlay (GstForgeClassify *self)
{
  if (!self->overlay_in_caps)
    return FALSE;
  if (g_atomic_int_compare_and_exchange (&self->overlay_query_due, TRUE, FALSE))
    self->attach_overlay =
        gst_forge_peer_shows_overlays (GST_BASE_TRANSFORM_SRC_PAD (self));
  return self->attach_overlay;
}

static void
draw_label (GstForgeClassify *self, GstBuffer *buffer,
    const GstForgeLiveSettings *settings, const GstForgePresentation *how)
{
  gchar text[GST_FORGE_OVERLAY_TEXT_BYTES];
  gint class_id;
  const gchar *valid_end;
  GstVideoRectangle visible;
  const gchar *label =
      gst_forge_result_decide (&self->result, how->threshold, &class_id);
  /* Whole percents, so that the picture of the text is seldom drawn anew. */
  g_snprintf (text, sizeof text, "%s %.0f %%", label,
      100.0 * (gdouble) self->result.top[0].confidence);
  if (!g_utf8_validate (text, -1, &valid_end)) /* cut within a character */
    text[valid_end - text] = '\0';
  gst_forge_visible_rectangle (buffer, &self->info, &visible);
  GstVideoOverlayComposition *composition = gst_forge_overlay_update (
      &self->overlay, text, settings->labels_color, &visible);
  if (!composition)
    GST_WARNING_OBJECT (self, "cannot draw \"%s\"", text);
  else if (should_attach_overlay (self))
    gst_forge_overlay_attach (buffer, composition);
  else if (!gst_forge_overlay_blend (buffer, &self->info, composition))
    GST_WARNING_OBJECT (self, "cannot blend the label into the picture");
}

/* Counts the frame and decides what it gets; a skip is told downstream's
 * listeners as QoS. */
static GstForgePace
pace (GstForgeClassify *self, const GstForgeFrameTimes *times,
    GstForgeLiveSettings *settings)
{
  GST_OBJECT_LOCK (self);
  *settings = self->settings.live;
  self->stats.frames++;
  GstForgePace decision =
      gst_forge_pacing_decide (&self->pacing, settings, times->running_time);
  gboolean skipped =
      decision == GST_FORGE_PACE_LATE || decision == GST_FORGE_PACE_OVER_BUDGET;
  self->stats.skipped += skipped;
  GstForgeQosReport report = {
    .live = g_atomic_int_get (&self->live),
    .jitter =
        decision == GST_FORGE_PACE_LATE
            ? GST_CLOCK_DIFF (times->running_time, self->pacing.earliest_time)
            : 0,
    .proportion = self->pacing.proportion,
    .processed = self->stats.inferred,
    .dropped = self->stats.skipped,
  };
  GST_OBJECT_UNLOCK (self);
  if (skipped) {
    GST_DEBUG_OBJECT (self, "inference skipped at %" GST_TIME_FORMAT ": %s",
        GST_TIME_ARGS (times->running_time),
        decision == GST_FORGE_PACE_LATE ? "late" : "over max-latency");
    gst_forge_post_qos (GST_ELEMENT (self), times, &report);
  }
  return decision;
}

void
gst_forge_classify_frame (GstForgeClassify *self, GstBuffer *buffer)
{
  GstForgeLiveSettings settings;
  GstForgeFrameTimes times;
  if (GST_BUFFER_FLAG_IS_SET (buffer, GST_BUFFER_FLAG_GAP)) {
    GST_OBJECT_LOCK (self);
    self->stats.frames++;
    GST_OBJECT_UNLOCK (self);
    GST_LOG_OBJECT (self, "gap: %" GST_PTR_FORMAT, buffer);
    return; /* nothing to see in it */
  }
  gst_forge_frame_times (buffer, &GST_BASE_TRANSFORM (self)->segment, &times);
  gboolean fresh = pace (self, &times, &settings) == GST_FORGE_PACE_INFER &&
                   infer (self, buffer, &times, settings.top_k);
  if (!self->result.valid)
    return;

  ForgeModel *model = forge_classifier_get_model (self->classifier);
  GstForgePresentation how = {
    .model_name = forge_model_get_name (model),
    .model_version = forge_model_get_version (model),
    .threshold = settings.threshold,
    .fresh = fresh,
    .age = fresh ? 0 : gst_forge_result_age (&self->result, times.running_time),
  };
  if (fresh) {
    watch_drift (self, &times, &how);
  } else {
    GST_OBJECT_LOCK (self);
    self->stats.cached++;
    GST_OBJECT_UNLOCK (self);
  }
  GST_LOG_OBJECT (self,
      "running time %" GST_TIME_FORMAT ": %s %g, %s, age %" GST_TIME_FORMAT,
      GST_TIME_ARGS (times.running_time), self->result.top[0].label,
      (gdouble) self->result.top[0].confidence, fresh ? "fresh" : "cached",
      GST_TIME_ARGS (how.age));
  gst_forge_classification_meta_attach (buffer, &self->result, &how);
  post_result (self, &settings, &times, &how);
  if (settings.draw_labels)
    draw_label (self, buffer, &settings, &how);
}
