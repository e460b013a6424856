/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Structures for the bus. Never called with the object lock held: a sync
 * handler may call back into the element. */
#include "classify-messages.h"

void
gst_forge_frame_times (
    GstBuffer *buffer, const GstSegment *segment, GstForgeFrameTimes *times)
{
  GstClockTime pts = GST_BUFFER_PTS (buffer);
  *times = (GstForgeFrameTimes) { pts, GST_CLOCK_TIME_NONE, GST_CLOCK_TIME_NONE,
    GST_BUFFER_DURATION (buffer) };
  if (segment->format != GST_FORMAT_TIME || !GST_CLOCK_TIME_IS_VALID (pts))
    return;
  times->stream_time =
      gst_segment_to_stream_time (segment, GST_FORMAT_TIME, pts);
  times->running_time =
      gst_segment_to_running_time (segment, GST_FORMAT_TIME, pts);
}

static GstStructure *
new_structure (const gchar *name, const GstForgeFrameTimes *times)
{
  return gst_structure_new (name, "timestamp", G_TYPE_UINT64, times->timestamp,
      "stream-time", G_TYPE_UINT64, times->stream_time, "running-time",
      G_TYPE_UINT64, times->running_time, "duration", G_TYPE_UINT64,
      times->duration, NULL);
}

static void
post (GstElement *element, GstStructure *structure)
{
  gst_element_post_message (
      element, gst_message_new_element (GST_OBJECT (element), structure));
}

void
gst_forge_post_result (GstElement *element, const GstForgeFrameTimes *times,
    const GstForgeResult *result, const GstForgePresentation *how)
{
  GstStructure *structure = new_structure ("forgeclassify", times);
  gst_forge_result_describe (result, how, structure);
  post (element, structure);
}

void
gst_forge_post_drift (GstElement *element, const GstForgeFrameTimes *times,
    const ForgeDriftReport *report, const GstForgePresentation *how)
{
  GstStructure *structure = new_structure ("forgeclassify-drift", times);
  gst_structure_set (structure, "transition", G_TYPE_BOOLEAN,
      report->transition, "state", G_TYPE_STRING,
      forge_drift_state_name (report->state), "previous-state", G_TYPE_STRING,
      forge_drift_state_name (report->previous_state), "channel", G_TYPE_STRING,
      report->channel, "severity", G_TYPE_STRING,
      forge_severity_name (report->severity), "recommendation", G_TYPE_STRING,
      report->recommendation, "model-name", G_TYPE_STRING, how->model_name,
      "model-version", G_TYPE_STRING, how->model_version, NULL);
  gst_structure_set (structure, "statistic", G_TYPE_DOUBLE, report->statistic,
      "threshold", G_TYPE_DOUBLE, report->threshold, "observed", G_TYPE_DOUBLE,
      report->observed, "expected", G_TYPE_DOUBLE, report->expected,
      "mean-confidence", G_TYPE_DOUBLE, report->mean_confidence,
      "effective-samples", G_TYPE_DOUBLE, report->effective_samples,
      "frames-observed", G_TYPE_UINT64, report->frames_observed,
      "change-estimate", G_TYPE_UINT64, report->change_estimate, NULL);
  post (element, structure);
}

void
gst_forge_post_qos (GstElement *element, const GstForgeFrameTimes *times,
    const GstForgeQosReport *report)
{
  GstMessage *message = gst_message_new_qos (GST_OBJECT (element), report->live,
      times->running_time, times->stream_time, times->timestamp,
      times->duration);
  gst_message_set_qos_values (
      message, report->jitter, report->proportion, 1000000);
  gst_message_set_qos_stats (
      message, GST_FORMAT_BUFFERS, report->processed, report->dropped);
  gst_element_post_message (element, message);
}
