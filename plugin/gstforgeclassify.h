/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The forgeclassify element. */
#pragma once

#include <gst/base/gstbasetransform.h>
#include <gst/video/video.h>

#include "classify-overlay.h"
#include "classify-pacing.h"
#include "classify-result.h"
#include "classify-settings.h"
#include "forge/classifier.h"
#include "forge/monitor.h"
#include "forge/stats.h"

G_BEGIN_DECLS

#define GST_TYPE_FORGE_CLASSIFY (gst_forge_classify_get_type ())
G_DECLARE_FINAL_TYPE (
    GstForgeClassify, gst_forge_classify, GST, FORGE_CLASSIFY, GstBaseTransform)

/* What the stats property tells; object lock. */
typedef struct {
  guint64 frames;   /* buffers seen, gaps too */
  guint64 inferred; /* classified */
  guint64 skipped;  /* not classified for lateness or the latency budget */
  guint64 cached;   /* that carried an older result */
  guint64 errors;   /* classifications that failed */
  ForgeLatency latency;
} GstForgeStats;

struct _GstForgeClassify {
  GstBaseTransform parent;

  GstForgeSettings settings; /* object lock */
  GstForgeStats stats;       /* object lock */
  GstForgePacing pacing;     /* object lock */

  /* from READY up */
  ForgeClassifier *classifier;
  GstClockTime warm_up;

  /* from PAUSED up; streaming thread */
  ForgeMonitor *monitor; /* NULL = drift is not watched */
  GstVideoInfo info;
  GstForgeResult result;
  GstForgeOverlay overlay;
  gboolean overlay_in_caps; /* downstream's caps take an overlay meta */
  gint overlay_query_due;   /* atomic: ask downstream's allocation again */
  gboolean attach_overlay;
  gint posted_class;     /* of the last result message; -1 = "unknown" */
  gboolean posted_valid; /* there was one */
  gboolean warned;       /* of a failing classification, once a stream */

  gint live;                     /* atomic: a LATENCY query said so */
  GstClockTime reported_latency; /* object lock */
};

GST_ELEMENT_REGISTER_DECLARE (forgeclassify);

G_END_DECLS
