/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What a drift detector is: it takes one result after the other and says how
 * strongly they speak for a change. The monitor keeps the states, counts,
 * times and reports; a detector knows none of them. detectors.def lists all
 * of them, one a file, the first one being the default. */
#pragma once

#include "forge/monitor.h"

/* Windows up to here; the longest is nine hours at 30 results a second. */
#define FORGE_MONITOR_MAX_WINDOW 1000000u

/**
 * ForgeEvidence:
 * @ready: enough has been seen for a judgement; before, the rest is of no
 *   weight and the monitor stays in WARMUP
 * @alarm: what was seen last speaks for drift
 * @clear: what was seen last speaks for all being well; both may be FALSE
 *   (between the two thresholds: the state stays what it is), never both TRUE
 * @statistic: what the detector compares; @threshold: with what, for an alarm
 * @mean_confidence: mean of the greatest probability over the window
 * @effective_samples: independent results that the statistic rests on
 * @change_estimate: results since the change is thought to have happened, 0 =
 *   not estimated
 *
 * A detector's judgement after one more observation.
 *
 * Since: 0.1
 */
typedef struct {
  gboolean ready, alarm, clear;
  double statistic, threshold;
  double mean_confidence;
  double effective_samples;
  uint64_t change_estimate;
} ForgeEvidence;

typedef struct {
  const char *name;    /* "mean-confidence" */
  const char *channel; /* of the reports: "accuracy", "embedding", ... */
  /* @params have been checked as far as forge/monitor.h gives ranges. All
   * memory is taken here. */
  gpointer (*init) (const ForgeMonitorParams *params, GError **error);
  /* Constant time, no allocation. @confidence is the greatest probability of
   * @observation, 0 when one of them was not finite. */
  void (*observe) (gpointer state, const ForgeObservation *observation,
      double confidence, ForgeEvidence *evidence);
  /* Forgets the observations, keeps the parameters. */
  void (*reset) (gpointer state);
  void (*free) (gpointer state);
} ForgeDetector;

#define DETECTOR(name) extern const ForgeDetector forge_detector_##name;
#include "monitor/detectors.def"
#undef DETECTOR
