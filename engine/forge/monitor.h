/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Watching a model at work: a monitor takes one observation per inference
 * and says when the stream has drifted away from what the model was
 * validated on. Detectors live behind it (engine/monitor/detectors.def). */
#pragma once

#include <glib.h>
#include <stdint.h>

G_BEGIN_DECLS

typedef struct _ForgeMonitor ForgeMonitor;

typedef enum {
  FORGE_DRIFT_WARMUP, /* not enough observations yet */
  FORGE_DRIFT_NORMAL,
  FORGE_DRIFT_DRIFT,
  FORGE_DRIFT_RECOVERED, /* reported once on the way back to NORMAL */
} ForgeDriftState;

typedef enum {
  FORGE_SEVERITY_NONE,
  FORGE_SEVERITY_INFO,
  FORGE_SEVERITY_WARNING,
  FORGE_SEVERITY_CRITICAL,
} ForgeSeverity;

/**
 * ForgeMonitorParams:
 * @detector: a name from detectors.def; %NULL = "mean-confidence"
 * @window: observations in the sliding window, >= 2
 * @threshold: alarm when the window's mean confidence is under it, 0..1
 * @hysteresis: recover only at threshold + hysteresis or above
 * @interval_ns: least stream time between two periodic status reports while
 *   drifting; 0 = transitions only
 * @baseline: mean confidence on validation data; 0 = unknown
 * @n_classes: length of the probability vectors
 *
 * Since: 0.1
 */
typedef struct {
  const char *detector;
  guint window;
  double threshold;
  double hysteresis;
  uint64_t interval_ns;
  double baseline;
  guint n_classes;
} ForgeMonitorParams;

#define FORGE_MONITOR_PARAMS_DEFAULT                     \
  {                                                      \
    .window = 60, .threshold = 0.70, .hysteresis = 0.02, \
    .interval_ns = 10000000000u                          \
  }

/* One fresh inference result. Cached, skipped or repeated results are never
 * shown to a monitor. */
typedef struct {
  uint64_t time_ns;           /* running time of the frame */
  const float *probabilities; /* [n_classes] */
  guint top_class;
} ForgeObservation;

/**
 * ForgeDriftReport:
 * @transition: TRUE when @state differs from @previous_state; FALSE for a
 *   periodic status
 * @statistic: what the detector compares, @threshold with what
 * @observed: mean confidence of the window; @expected: baseline or 0
 * @effective_samples: observations in the window
 * @change_estimate: frames since the change is thought to have happened, 0 =
 *   not estimated
 *
 * What a bus message is made of; the names are those of the message fields.
 *
 * Since: 0.1
 */
typedef struct {
  gboolean transition;
  ForgeDriftState state, previous_state;
  ForgeSeverity severity;
  const char *channel;
  const char *recommendation;
  double statistic, threshold;
  double observed, expected;
  double mean_confidence;
  double effective_samples;
  uint64_t frames_observed;
  uint64_t change_estimate;
} ForgeDriftReport;

/* NULL with FORGE_ERROR_ARGUMENT for an unknown detector or a value out of
 * range. */
ForgeMonitor *forge_monitor_new (
    const ForgeMonitorParams *params, GError **error);
void forge_monitor_free (ForgeMonitor *monitor);

/**
 * forge_monitor_observe:
 * @monitor: the monitor
 * @observation: a fresh result
 * @report: (out caller-allocates): filled when TRUE is returned
 *
 * Feeds one result. Constant time, no allocation.
 *
 * Thread safety: one thread at a time.
 * Returns: %TRUE when there is something to report
 * Since: 0.1
 */
gboolean forge_monitor_observe (ForgeMonitor *monitor,
    const ForgeObservation *observation, ForgeDriftReport *report);
/* After a flush, seek, caps or model change: forgets the window and the
 * state, keeps the parameters and the baseline. */
void forge_monitor_reset (ForgeMonitor *monitor);
ForgeDriftState forge_monitor_get_state (const ForgeMonitor *monitor);

/* "warmup", "normal", "drift", "recovered"; "none", "info", ... */
const char *forge_drift_state_name (ForgeDriftState state);
const char *forge_severity_name (ForgeSeverity severity);
/* Names of all detectors, NULL-terminated. */
const char *const *forge_monitor_list_detectors (void);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ForgeMonitor, forge_monitor_free)

G_END_DECLS
