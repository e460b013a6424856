/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Which frames are classified. The picture always goes on; what is skipped
 * is inference: between intervals, on frames that downstream says are late,
 * and while inference takes longer than the budget. */
#pragma once

#include <gst/gst.h>

#include "classify-settings.h"

G_BEGIN_DECLS

#define GST_FORGE_RECENT_RUNS 32
/* While over budget, one frame in so many is classified all the same, to see
 * whether inference is still slow. */
#define GST_FORGE_PROBE_INTERVAL 32

typedef enum {
  GST_FORGE_PACE_INFER,
  GST_FORGE_PACE_INTERVAL,    /* not this frame's turn */
  GST_FORGE_PACE_LATE,        /* QoS */
  GST_FORGE_PACE_OVER_BUDGET, /* max-latency */
} GstForgePace;

typedef struct {
  /* written by QoS events from another thread: object lock */
  GstClockTime earliest_time;
  gdouble proportion;
  /* streaming thread */
  guint since_turn;      /* frames since the last one whose turn it was */
  guint over_budget;     /* skipped for the budget in a row */
  GstClockTime last_run; /* running time of the last classified frame */
  GstClockTime runs_ns[GST_FORGE_RECENT_RUNS];
  guint n_runs; /* ever */
} GstForgePacing;

/* Forgets everything but how long inference takes. */
void gst_forge_pacing_reset (GstForgePacing *pacing);
/* Forgets that too and takes @warm_up as the first measurement. */
void gst_forge_pacing_start (GstForgePacing *pacing, GstClockTime warm_up);
void gst_forge_pacing_update_qos (GstForgePacing *pacing, gdouble proportion,
    GstClockTimeDiff diff, GstClockTime timestamp);
/* Decides for the next frame and counts it. Object lock held. */
GstForgePace gst_forge_pacing_decide (GstForgePacing *pacing,
    const GstForgeLiveSettings *settings, GstClockTime running_time);
/* After an inference on a frame at @running_time. */
void gst_forge_pacing_add_run (GstForgePacing *pacing,
    GstClockTime running_time, GstClockTime inference_time);
/* The longest of the recent runs: what inference adds to latency. */
GstClockTime gst_forge_pacing_latency (const GstForgePacing *pacing);

G_END_DECLS
