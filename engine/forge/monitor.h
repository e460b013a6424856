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

/**
 * ForgeObservation:
 * @time_ns: running time of the frame; UINT64_MAX = unknown
 * @probabilities: `float32 [n_classes]`, borrowed for the call
 * @top_class: the best class
 *
 * One fresh inference result. Cached, skipped or repeated results are never
 * shown to a monitor.
 *
 * Since: 0.1
 */
typedef struct {
  uint64_t time_ns;
  const float *probabilities;
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

/**
 * forge_monitor_new:
 * @params: what to watch for
 * @error: return location
 *
 * Makes a monitor in state %FORGE_DRIFT_WARMUP.
 *
 * Errors: %FORGE_ERROR_ARGUMENT for an unknown detector or a value out of
 * range.
 *
 * Thread safety: any thread.
 * Returns: (transfer full) (nullable): the monitor
 * Since: 0.1
 */
ForgeMonitor *forge_monitor_new (
    const ForgeMonitorParams *params, GError **error);

/**
 * forge_monitor_free:
 * @monitor: (transfer full) (nullable): the monitor
 *
 * Frees it.
 *
 * Since: 0.1
 */
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

/**
 * forge_monitor_reset:
 * @monitor: the monitor
 *
 * After a flush, seek, caps or model change: forgets the window and the state,
 * keeps the parameters and the baseline.
 *
 * Thread safety: one thread at a time.
 * Since: 0.1
 */
void forge_monitor_reset (ForgeMonitor *monitor);

/**
 * forge_monitor_get_state:
 * @monitor: the monitor
 *
 * Where it stands.
 *
 * Returns: the state after the last observation
 * Since: 0.1
 */
ForgeDriftState forge_monitor_get_state (const ForgeMonitor *monitor);

/**
 * forge_drift_state_name:
 * @state: a state
 *
 * The word that messages carry.
 *
 * Returns: (transfer none): "warmup", "normal", "drift" or "recovered"
 * Since: 0.1
 */
const char *forge_drift_state_name (ForgeDriftState state);

/**
 * forge_severity_name:
 * @severity: a severity
 *
 * The word that messages carry.
 *
 * Returns: (transfer none): "none", "info", "warning" or "critical"
 * Since: 0.1
 */
const char *forge_severity_name (ForgeSeverity severity);

/**
 * forge_monitor_list_detectors:
 *
 * What @detector of #ForgeMonitorParams may be.
 *
 * Returns: (transfer none): names, %NULL-terminated
 * Since: 0.1
 */
const char *const *forge_monitor_list_detectors (void);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ForgeMonitor, forge_monitor_free)

G_END_DECLS
