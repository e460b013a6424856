/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What forgeclassify says on the bus. Element messages are named after the
 * element: `forgeclassify` (a result) and `forgeclassify-drift`. All times
 * are uint64 nanoseconds, GST_CLOCK_TIME_NONE where a frame has none. */
#pragma once

#include <gst/gst.h>

#include "classify-result.h"
#include "forge/monitor.h"

G_BEGIN_DECLS

typedef struct {
  GstClockTime timestamp; /* PTS */
  GstClockTime stream_time;
  GstClockTime running_time;
  GstClockTime duration;
} GstForgeFrameTimes;

void gst_forge_frame_times (
    GstBuffer *buffer, const GstSegment *segment, GstForgeFrameTimes *times);

/* `forgeclassify`: the times, then gst_forge_result_describe()'s fields. */
void gst_forge_post_result (GstElement *element,
    const GstForgeFrameTimes *times, const GstForgeResult *result,
    const GstForgePresentation *how);
/* `forgeclassify-drift`: the times, then the report, field by field. */
void gst_forge_post_drift (GstElement *element, const GstForgeFrameTimes *times,
    const ForgeDriftReport *report, const GstForgePresentation *how);

/* What a QOS message says about a skipped inference. */
typedef struct {
  gboolean live;
  GstClockTimeDiff jitter; /* how late */
  gdouble proportion;
  guint64 processed; /* frames inferred */
  guint64 dropped;   /* inferences skipped; no frame was dropped */
} GstForgeQosReport;

void gst_forge_post_qos (GstElement *element, const GstForgeFrameTimes *times,
    const GstForgeQosReport *report);

G_END_DECLS
