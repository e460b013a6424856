/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Lateness is GstBaseTransform's rule: a frame at or before the earliest time
 * that downstream asked for is late. As with a sink's max-lateness, one frame
 * a second is classified however late it is, or a slow decoder upstream would
 * silence us for good. */
#include "classify-pacing.h"

#include <stdlib.h>
#include <string.h>

#define LONGEST_SILENCE GST_SECOND

void
gst_forge_pacing_reset (GstForgePacing *pacing)
{
  pacing->earliest_time = GST_CLOCK_TIME_NONE;
  pacing->proportion = 1.0;
  pacing->since_turn = G_MAXUINT;
  pacing->over_budget = 0;
  pacing->last_run = GST_CLOCK_TIME_NONE;
}

void
gst_forge_pacing_start (GstForgePacing *pacing, GstClockTime warm_up)
{
  gst_forge_pacing_reset (pacing);
  pacing->runs_ns[0] = warm_up;
  pacing->n_runs = 1;
}

void
gst_forge_pacing_update_qos (GstForgePacing *pacing, gdouble proportion,
    GstClockTimeDiff diff, GstClockTime timestamp)
{
  pacing->proportion = proportion;
  if (!GST_CLOCK_TIME_IS_VALID (timestamp))
    pacing->earliest_time = GST_CLOCK_TIME_NONE;
  else if (diff > 0) /* late: catch up with something to spare */
    pacing->earliest_time = timestamp + 2 * (GstClockTime) diff;
  else if ((GstClockTime) -diff < timestamp)
    pacing->earliest_time = timestamp - (GstClockTime) -diff;
  else
    pacing->earliest_time = 0;
}

static guint
recent_runs (const GstForgePacing *pacing)
{
  return MIN (pacing->n_runs, GST_FORGE_RECENT_RUNS);
}

static int
compare_times (const void *a, const void *b)
{
  GstClockTime x = *(const GstClockTime *) a, y = *(const GstClockTime *) b;
  return (x > y) - (x < y);
}

static GstClockTime
median_run (const GstForgePacing *pacing)
{
  GstClockTime sorted[GST_FORGE_RECENT_RUNS];
  guint n = recent_runs (pacing);
  memcpy (sorted, pacing->runs_ns, n * sizeof sorted[0]);
  qsort (sorted, n, sizeof sorted[0], compare_times);
  return n > 0 ? sorted[n / 2] : 0;
}

static gboolean
is_late (const GstForgePacing *pacing, GstClockTime running_time)
{
  if (!GST_CLOCK_TIME_IS_VALID (pacing->earliest_time) ||
      !GST_CLOCK_TIME_IS_VALID (running_time) ||
      running_time > pacing->earliest_time)
    return FALSE;
  return GST_CLOCK_TIME_IS_VALID (pacing->last_run) &&
         running_time < pacing->last_run + LONGEST_SILENCE;
}

GstForgePace
gst_forge_pacing_decide (GstForgePacing *pacing,
    const GstForgeLiveSettings *settings, GstClockTime running_time)
{
  if (pacing->since_turn < G_MAXUINT)
    pacing->since_turn++;
  if (pacing->since_turn < settings->inference_interval)
    return GST_FORGE_PACE_INTERVAL;
  if (is_late (pacing, running_time))
    return GST_FORGE_PACE_LATE;
  if (settings->max_latency_ns > 0 &&
      median_run (pacing) > settings->max_latency_ns &&
      ++pacing->over_budget < GST_FORGE_PROBE_INTERVAL)
    return GST_FORGE_PACE_OVER_BUDGET;
  pacing->over_budget = 0;
  pacing->since_turn = 0;
  return GST_FORGE_PACE_INFER;
}

void
gst_forge_pacing_add_run (GstForgePacing *pacing, GstClockTime running_time,
    GstClockTime inference_time)
{
  pacing->last_run = running_time;
  pacing->runs_ns[pacing->n_runs % GST_FORGE_RECENT_RUNS] = inference_time;
  /* Wraps to a full ring, never to an empty one. */
  if (++pacing->n_runs == 2 * GST_FORGE_RECENT_RUNS)
    pacing->n_runs = GST_FORGE_RECENT_RUNS;
}

GstClockTime
gst_forge_pacing_latency (const GstForgePacing *pacing)
{
  GstClockTime longest = 0;
  for (guint i = 0; i < recent_runs (pacing); i++)
    longest = MAX (longest, pacing->runs_ns[i]);
  return longest;
}
