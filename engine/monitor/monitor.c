/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The states around a detector: WARMUP -> NORMAL -> DRIFT -> RECOVERED ->
 * NORMAL. One report a transition, and while it drifts one status every
 * interval, so that whoever listens is neither flooded nor left alone.
 *
 * RECOVERED is a probation of one window: a relapse leads back to DRIFT. A
 * stream that is bad from the start goes from WARMUP to DRIFT at once. */
#include "forge/monitor.h"

#include <math.h>

#include "forge/error.h"
#include "monitor/detector.h"

/* Effect sizes that make an alarm critical: the floor that users know, and a
 * fall of ten points below what validation promised. */
#define CRITICAL_CONFIDENCE 0.70
#define CRITICAL_DROP 0.10

struct _ForgeMonitor {
  ForgeMonitorParams params;
  const ForgeDetector *detector;
  gpointer detector_state;
  ForgeDriftState state;
  uint64_t frames_observed; /* since the last reset */
  uint64_t recovered_at;    /* frames_observed at that transition */
  uint64_t last_report_ns;  /* running time of the last report */
};

static const ForgeDetector *const detectors[] = {
#define DETECTOR(name) &forge_detector_##name,
#include "monitor/detectors.def"
#undef DETECTOR
};

static const char *const state_names[] = { "warmup", "normal", "drift",
  "recovered" };
static const char *const severity_names[] = { "none", "info", "warning",
  "critical" };

static const ForgeDetector *
find_detector (const char *name)
{
  if (!name)
    return detectors[0];
  for (gsize i = 0; i < G_N_ELEMENTS (detectors); i++)
    if (g_str_equal (detectors[i]->name, name))
      return detectors[i];
  return NULL;
}

static gboolean
check_fraction (const char *name, double value, GError **error)
{
  if (value >= 0 && value <= 1)
    return TRUE;
  g_set_error (error, FORGE_ERROR, FORGE_ERROR_ARGUMENT,
      "monitor: %s must be between 0 and 1, found %g", name, value);
  return FALSE;
}

static gboolean
check_params (const ForgeMonitorParams *params, GError **error)
{
  if (params->window < 2 || params->window > FORGE_MONITOR_MAX_WINDOW) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_ARGUMENT,
        "monitor: window must be between 2 and %u, found %u",
        FORGE_MONITOR_MAX_WINDOW, params->window);
    return FALSE;
  }
  if (params->n_classes == 0) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_ARGUMENT,
        "monitor: n-classes must be at least 1, found 0");
    return FALSE;
  }
  return check_fraction ("threshold", params->threshold, error) &&
         check_fraction ("hysteresis", params->hysteresis, error) &&
         check_fraction ("baseline", params->baseline, error);
}

ForgeMonitor *
forge_monitor_new (const ForgeMonitorParams *params, GError **error)
{
  g_return_val_if_fail (params != NULL, NULL);
  if (!check_params (params, error))
    return NULL;
  const ForgeDetector *detector = find_detector (params->detector);
  if (!detector) {
    g_autofree char *known =
        g_strjoinv (", ", (char **) forge_monitor_list_detectors ());
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_ARGUMENT,
        "monitor: there is no detector '%s', expected one of: %s",
        params->detector, known);
    return NULL;
  }
  gpointer detector_state = detector->init (params, error);
  if (!detector_state)
    return NULL;
  ForgeMonitor *self = g_new0 (ForgeMonitor, 1);
  self->params = *params;
  self->params.detector = detector->name;
  self->detector = detector;
  self->detector_state = detector_state;
  return self;
}

void
forge_monitor_free (ForgeMonitor *monitor)
{
  if (!monitor)
    return;
  monitor->detector->free (monitor->detector_state);
  g_free (monitor);
}

/* Greatest probability; 0 when one is NaN or infinite, because a network that
 * no longer gives numbers must not pass for a confident one. */
static double
confidence_of (const ForgeMonitor *self, const ForgeObservation *observation)
{
  float best = 0;
  for (guint c = 0; c < self->params.n_classes; c++) {
    float probability = observation->probabilities[c];
    if (!isfinite (probability))
      return 0;
    best = MAX (best, probability);
  }
  return MIN (best, 1.0f);
}

static ForgeDriftState
next_state (const ForgeMonitor *self, const ForgeEvidence *evidence)
{
  if (!evidence->ready)
    return FORGE_DRIFT_WARMUP;
  switch (self->state) {
  case FORGE_DRIFT_DRIFT:
    return evidence->clear ? FORGE_DRIFT_RECOVERED : FORGE_DRIFT_DRIFT;
  case FORGE_DRIFT_RECOVERED:
    if (!evidence->alarm &&
        self->frames_observed - self->recovered_at < self->params.window)
      return FORGE_DRIFT_RECOVERED;
    /* fall through */
  default:
    return evidence->alarm ? FORGE_DRIFT_DRIFT : FORGE_DRIFT_NORMAL;
  }
}

/* From the size of the effect, never from how sure the detector is. */
static ForgeSeverity
severity_of (const ForgeMonitor *self, const ForgeEvidence *evidence)
{
  if (self->state != FORGE_DRIFT_DRIFT)
    return FORGE_SEVERITY_NONE;
  double observed = evidence->mean_confidence;
  if (observed < CRITICAL_CONFIDENCE ||
      self->params.baseline - observed >= CRITICAL_DROP)
    return FORGE_SEVERITY_CRITICAL;
  return FORGE_SEVERITY_WARNING;
}

static const char *
recommendation_of (ForgeSeverity severity)
{
  switch (severity) {
  case FORGE_SEVERITY_CRITICAL:
    return "retrain";
  case FORGE_SEVERITY_WARNING:
    return "collect-and-label";
  default:
    return "none";
  }
}

static void
fill_report (const ForgeMonitor *self, const ForgeEvidence *evidence,
    ForgeDriftState previous, ForgeDriftReport *report)
{
  ForgeSeverity severity = severity_of (self, evidence);
  *report = (ForgeDriftReport) {
    .transition = self->state != previous,
    .state = self->state,
    .previous_state = previous,
    .severity = severity,
    .channel = self->detector->channel,
    .recommendation = recommendation_of (severity),
    .statistic = evidence->statistic,
    .threshold = evidence->threshold,
    .observed = evidence->mean_confidence,
    .expected = self->params.baseline,
    .mean_confidence = evidence->mean_confidence,
    .effective_samples = evidence->effective_samples,
    .frames_observed = self->frames_observed,
    .change_estimate = evidence->change_estimate,
  };
}

/* While drifting, and only when time goes forward by a known amount. */
static gboolean
status_is_due (ForgeMonitor *self, uint64_t time_ns)
{
  if (self->state != FORGE_DRIFT_DRIFT || self->params.interval_ns == 0 ||
      time_ns == UINT64_MAX)
    return FALSE;
  if (time_ns < self->last_report_ns)
    self->last_report_ns = time_ns;
  return time_ns - self->last_report_ns >= self->params.interval_ns;
}

gboolean
forge_monitor_observe (ForgeMonitor *monitor,
    const ForgeObservation *observation, ForgeDriftReport *report)
{
  ForgeEvidence evidence = { 0 };
  ForgeDriftState previous = monitor->state;
  monitor->detector->observe (monitor->detector_state, observation,
      confidence_of (monitor, observation), &evidence);
  monitor->frames_observed++;
  monitor->state = next_state (monitor, &evidence);
  if (monitor->state == previous &&
      !status_is_due (monitor, observation->time_ns))
    return FALSE;
  if (monitor->state != previous && monitor->state == FORGE_DRIFT_RECOVERED)
    monitor->recovered_at = monitor->frames_observed;
  if (observation->time_ns != UINT64_MAX)
    monitor->last_report_ns = observation->time_ns;
  fill_report (monitor, &evidence, previous, report);
  return TRUE;
}

void
forge_monitor_reset (ForgeMonitor *monitor)
{
  monitor->detector->reset (monitor->detector_state);
  monitor->state = FORGE_DRIFT_WARMUP;
  monitor->frames_observed = 0;
  monitor->recovered_at = 0;
  monitor->last_report_ns = 0;
}

ForgeDriftState
forge_monitor_get_state (const ForgeMonitor *monitor)
{
  return monitor->state;
}

const char *
forge_drift_state_name (ForgeDriftState state)
{
  g_return_val_if_fail ((guint) state < G_N_ELEMENTS (state_names), "unknown");
  return state_names[state];
}

const char *
forge_severity_name (ForgeSeverity severity)
{
  g_return_val_if_fail (
      (guint) severity < G_N_ELEMENTS (severity_names), "unknown");
  return severity_names[severity];
}

const char *const *
forge_monitor_list_detectors (void)
{
  static const char *names[G_N_ELEMENTS (detectors) + 1];
  static gsize once;
  if (g_once_init_enter (&once)) {
    for (gsize i = 0; i < G_N_ELEMENTS (detectors); i++)
      names[i] = detectors[i]->name;
    g_once_init_leave (&once, 1);
  }
  return names;
}
