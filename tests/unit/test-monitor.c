/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The drift monitor: when it speaks, what it says, and that it is silent
 * otherwise. Streams are built from confidences; the class does not matter. */
#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "forge/error.h"
#include "forge/monitor.h"
#include "monitor/detector.h"

#define WINDOW 10
#define FRAME_NS 40000000u
#define SECOND_NS 1000000000u

typedef struct {
  ForgeMonitor *monitor;
  uint64_t now_ns;
  guint n_reports, n_transitions;
  ForgeDriftReport last;
} Stream;

static Stream
stream_new (ForgeMonitorParams params)
{
  g_autoptr (GError) error = NULL;
  params.n_classes = 3;
  Stream stream = { .monitor = forge_monitor_new (&params, &error) };
  g_assert_no_error (error);
  return stream;
}

static gboolean
feed (Stream *stream, const float probabilities[3])
{
  ForgeObservation observation = { stream->now_ns, probabilities, 0 };
  stream->now_ns += FRAME_NS;
  if (!forge_monitor_observe (stream->monitor, &observation, &stream->last))
    return FALSE;
  stream->n_reports++;
  stream->n_transitions += stream->last.transition;
  return TRUE;
}

static void
feed_confidence (Stream *stream, guint n_frames, float confidence)
{
  float rest = (1 - confidence) / 2;
  for (guint i = 0; i < n_frames; i++)
    feed (stream, (float[]) { confidence, rest, rest });
}

static void
assert_state (const Stream *stream, ForgeDriftState state)
{
  g_assert_cmpstr (
      forge_drift_state_name (forge_monitor_get_state (stream->monitor)), ==,
      forge_drift_state_name (state));
}

static ForgeMonitorParams
small_params (void)
{
  ForgeMonitorParams params = FORGE_MONITOR_PARAMS_DEFAULT;
  params.window = WINDOW;
  return params;
}

static void
warmup_gives_no_alarm (void)
{
  Stream stream = stream_new (small_params ());
  feed_confidence (&stream, WINDOW - 1, 0.34f);
  g_assert_cmpuint (stream.n_reports, ==, 0);
  assert_state (&stream, FORGE_DRIFT_WARMUP);
  feed_confidence (&stream, 1, 0.34f);
  g_assert_cmpuint (stream.n_reports, ==, 1);
  g_assert_cmpint (stream.last.previous_state, ==, FORGE_DRIFT_WARMUP);
  g_assert_cmpint (stream.last.state, ==, FORGE_DRIFT_DRIFT);
  forge_monitor_free (stream.monitor);
}

static void
each_transition_is_reported_once (void)
{
  ForgeMonitorParams params = small_params ();
  params.interval_ns = 0;
  params.baseline = 0.9;
  Stream stream = stream_new (params);
  feed_confidence (&stream, 50, 0.9f);
  g_assert_cmpuint (stream.n_reports, ==, 1);
  g_assert_cmpint (stream.last.state, ==, FORGE_DRIFT_NORMAL);
  g_assert_cmpint (stream.last.severity, ==, FORGE_SEVERITY_NONE);
  g_assert_cmpstr (stream.last.recommendation, ==, "none");
  g_assert_cmpuint (stream.last.frames_observed, ==, WINDOW);

  feed_confidence (&stream, 500, 0.45f);
  g_assert_cmpuint (stream.n_reports, ==, 2);
  g_assert_true (stream.last.transition);
  g_assert_cmpint (stream.last.previous_state, ==, FORGE_DRIFT_NORMAL);
  g_assert_cmpint (stream.last.state, ==, FORGE_DRIFT_DRIFT);
  g_assert_cmpint (stream.last.severity, ==, FORGE_SEVERITY_CRITICAL);
  g_assert_cmpstr (stream.last.recommendation, ==, "retrain");
  g_assert_cmpstr (stream.last.channel, ==, "accuracy");
  /* (5 * 0.9 + 5 * 0.45) / 10 is the first mean under 0.7. */
  g_assert_cmpuint (stream.last.frames_observed, ==, 55);
  g_assert_cmpfloat_with_epsilon (stream.last.observed, 0.675, 1e-6);
  g_assert_cmpfloat (stream.last.statistic, ==, stream.last.observed);
  g_assert_cmpfloat (stream.last.threshold, ==, 0.70);
  g_assert_cmpfloat (stream.last.expected, ==, 0.9);
  g_assert_cmpfloat (stream.last.effective_samples, ==, WINDOW);

  feed_confidence (&stream, 500, 0.9f);
  g_assert_cmpuint (stream.n_reports, ==, 4);
  g_assert_cmpuint (stream.n_transitions, ==, 4);
  g_assert_cmpint (stream.last.previous_state, ==, FORGE_DRIFT_RECOVERED);
  g_assert_cmpint (stream.last.state, ==, FORGE_DRIFT_NORMAL);
  forge_monitor_free (stream.monitor);
}

static void
recovery_lasts_one_window_then_is_normal (void)
{
  Stream stream = stream_new (small_params ());
  feed_confidence (&stream, WINDOW, 0.5f);
  assert_state (&stream, FORGE_DRIFT_DRIFT);
  while (forge_monitor_get_state (stream.monitor) == FORGE_DRIFT_DRIFT)
    feed_confidence (&stream, 1, 0.95f);
  assert_state (&stream, FORGE_DRIFT_RECOVERED);
  g_assert_cmpint (stream.last.severity, ==, FORGE_SEVERITY_NONE);
  g_assert_cmpfloat (stream.last.observed, >=, 0.72);
  feed_confidence (&stream, WINDOW - 1, 0.95f);
  assert_state (&stream, FORGE_DRIFT_RECOVERED);
  feed_confidence (&stream, 1, 0.95f);
  assert_state (&stream, FORGE_DRIFT_NORMAL);
  forge_monitor_free (stream.monitor);
}

static void
relapse_during_recovery_is_drift_again (void)
{
  ForgeMonitorParams params = small_params ();
  params.interval_ns = 0;
  Stream stream = stream_new (params);
  feed_confidence (&stream, WINDOW, 0.6f);
  while (forge_monitor_get_state (stream.monitor) == FORGE_DRIFT_DRIFT)
    feed_confidence (&stream, 1, 0.99f);
  feed_confidence (&stream, 5, 0.35f);
  assert_state (&stream, FORGE_DRIFT_DRIFT);
  g_assert_cmpint (stream.last.previous_state, ==, FORGE_DRIFT_RECOVERED);
  g_assert_cmpuint (stream.n_reports, ==, 3);
  forge_monitor_free (stream.monitor);
}

/* A mean that wanders within the band around the threshold crosses it many
 * times; only the first crossing may be told. */
static void
hysteresis_keeps_it_from_flapping (void)
{
  ForgeMonitorParams params = small_params ();
  params.hysteresis = 0.05;
  params.interval_ns = 0;
  Stream stream = stream_new (params);
  feed_confidence (&stream, WINDOW, 0.71f);
  guint crossings = 0;
  gboolean under = FALSE;
  for (guint i = 0; i < 100; i++) {
    feed_confidence (&stream, WINDOW, i % 2 ? 0.72f : 0.68f);
    crossings += under != (i % 2 == 0);
    under = i % 2 == 0;
  }
  g_assert_cmpuint (crossings, ==, 100);
  g_assert_cmpuint (stream.n_reports, ==, 2);
  assert_state (&stream, FORGE_DRIFT_DRIFT);
  feed_confidence (&stream, WINDOW, 0.76f);
  assert_state (&stream, FORGE_DRIFT_RECOVERED);
  forge_monitor_free (stream.monitor);
}

static void
status_comes_every_interval_while_drifting (void)
{
  ForgeMonitorParams params = small_params ();
  params.interval_ns = SECOND_NS;
  Stream stream = stream_new (params);
  feed_confidence (&stream, 1000, 0.9f);
  g_assert_cmpuint (stream.n_reports, ==, 1);
  while (forge_monitor_get_state (stream.monitor) == FORGE_DRIFT_NORMAL)
    feed_confidence (&stream, 1, 0.4f);
  feed_confidence (&stream, 10 * 25, 0.4f);
  g_assert_cmpuint (stream.n_transitions, ==, 2);
  g_assert_cmpuint (stream.n_reports - stream.n_transitions, ==, 10);
  g_assert_false (stream.last.transition);
  g_assert_cmpint (stream.last.previous_state, ==, FORGE_DRIFT_DRIFT);
  g_assert_cmpint (stream.last.severity, ==, FORGE_SEVERITY_CRITICAL);
  forge_monitor_free (stream.monitor);
}

static void
status_survives_unknown_and_backward_times (void)
{
  ForgeMonitorParams params = small_params ();
  params.interval_ns = SECOND_NS;
  Stream stream = stream_new (params);
  stream.now_ns = 3600 * (uint64_t) SECOND_NS;
  feed_confidence (&stream, WINDOW, 0.4f);
  g_assert_cmpuint (stream.n_reports, ==, 1);
  for (guint i = 0; i < 100; i++) {
    stream.now_ns = UINT64_MAX;
    feed_confidence (&stream, 1, 0.4f);
  }
  g_assert_cmpuint (stream.n_reports, ==, 1);
  stream.now_ns = 0;
  feed_confidence (&stream, 26, 0.4f);
  g_assert_cmpuint (stream.n_reports, ==, 2);
  forge_monitor_free (stream.monitor);
}

static void
reset_forgets_the_window_and_keeps_the_parameters (void)
{
  ForgeMonitorParams params = small_params ();
  params.threshold = 0.8;
  Stream stream = stream_new (params);
  feed_confidence (&stream, WINDOW, 0.5f);
  assert_state (&stream, FORGE_DRIFT_DRIFT);
  forge_monitor_reset (stream.monitor);
  assert_state (&stream, FORGE_DRIFT_WARMUP);
  guint before = stream.n_reports;
  feed_confidence (&stream, WINDOW - 1, 0.79f);
  g_assert_cmpuint (stream.n_reports, ==, before);
  feed_confidence (&stream, 1, 0.79f);
  assert_state (&stream, FORGE_DRIFT_DRIFT);
  g_assert_cmpuint (stream.last.frames_observed, ==, WINDOW);
  g_assert_cmpfloat_with_epsilon (stream.last.observed, 0.79, 1e-6);
  forge_monitor_free (stream.monitor);
}

static void
broken_probabilities_count_as_no_confidence (void)
{
  const float broken[][3] = { { NAN, 0.5f, 0.5f }, { 0.9f, INFINITY, 0.1f },
    { 0.99f, 0.0f, -INFINITY }, { -3, -2, -1 } };
  for (gsize i = 0; i < G_N_ELEMENTS (broken); i++) {
    Stream stream = stream_new (small_params ());
    feed_confidence (&stream, 5, 0.8f);
    for (guint k = 0; k < 5; k++)
      feed (&stream, broken[i]);
    assert_state (&stream, FORGE_DRIFT_DRIFT);
    g_assert_cmpfloat_with_epsilon (stream.last.observed, 0.4, 1e-6);
    forge_monitor_free (stream.monitor);
  }
  Stream stream = stream_new (small_params ());
  for (guint k = 0; k < WINDOW; k++)
    feed (&stream, (float[]) { 1e30f, 0, 0 });
  g_assert_cmpfloat (stream.last.observed, ==, 1.0);
  forge_monitor_free (stream.monitor);
}

static void
severity_follows_the_size_of_the_effect (void)
{
  static const struct {
    double baseline;
    float confidence;
    ForgeSeverity severity;
    const char *recommendation;
  } rows[] = {
    { 0, 0.85f, FORGE_SEVERITY_WARNING, "collect-and-label" },
    { 0.94, 0.85f, FORGE_SEVERITY_WARNING, "collect-and-label" },
    { 0.96, 0.85f, FORGE_SEVERITY_CRITICAL, "retrain" },
    { 0, 0.69f, FORGE_SEVERITY_CRITICAL, "retrain" },
    { 0.94, 0.91f, FORGE_SEVERITY_NONE, "none" },
  };
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    ForgeMonitorParams params = small_params ();
    params.threshold = 0.9;
    params.baseline = rows[i].baseline;
    Stream stream = stream_new (params);
    feed_confidence (&stream, WINDOW, rows[i].confidence);
    g_assert_cmpstr (forge_severity_name (stream.last.severity), ==,
        forge_severity_name (rows[i].severity));
    g_assert_cmpstr (stream.last.recommendation, ==, rows[i].recommendation);
    forge_monitor_free (stream.monitor);
  }
}

/* The mean after 10^7 results must be that of the last window alone. */
static void
mean_is_exact_after_ten_million_results (void)
{
  enum { window = 1000, n_results = 10000000 };
  ForgeMonitorParams params = FORGE_MONITOR_PARAMS_DEFAULT;
  params.window = window;
  params.n_classes = 1;
  const ForgeDetector *detector = &forge_detector_mean_confidence;
  gpointer state = detector->init (&params, NULL);
  ForgeEvidence evidence = { 0 };
  ForgeRng rng;
  forge_rng_seed (&rng, 7);
  double last_sum = 0;
  for (guint i = 0; i < n_results; i++) {
    /* Values of very different size, which would leave residues in a plain
     * floating-point sum. */
    float scale = i < n_results - window ? 1.0f : 1e-6f;
    float confidence = forge_rng_float (&rng) * scale;
    if (i >= n_results - window)
      last_sum += confidence;
    detector->observe (state, NULL, confidence, &evidence);
  }
  /* Each value is rounded to 2^-40. */
  g_assert_cmpfloat_with_epsilon (
      evidence.mean_confidence, last_sum / window, 0x1p-41);
  detector->free (state);
}

static void
bad_parameters_are_refused_by_name (void)
{
  static const struct {
    ForgeMonitorParams params;
    const char *word;
  } rows[] = {
    { { .window = 1, .threshold = 0.7, .n_classes = 3 }, "window" },
    { { .window = 0, .threshold = 0.7, .n_classes = 3 }, "window" },
    { { .window = G_MAXUINT, .threshold = 0.7, .n_classes = 3 }, "window" },
    { { .window = 9, .threshold = 1.01, .n_classes = 3 }, "threshold" },
    { { .window = 9, .threshold = -0.1, .n_classes = 3 }, "threshold" },
    { { .window = 9, .threshold = NAN, .n_classes = 3 }, "threshold" },
    { { .window = 9, .hysteresis = INFINITY, .n_classes = 3 }, "hysteresis" },
    { { .window = 9, .baseline = 2, .n_classes = 3 }, "baseline" },
    { { .window = 9, .threshold = 0.7 }, "n-classes" },
    { { .window = 9, .n_classes = 3, .detector = "oracle" }, "oracle" },
  };
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autoptr (GError) error = NULL;
    g_assert_null (forge_monitor_new (&rows[i].params, &error));
    g_assert_error (error, FORGE_ERROR, FORGE_ERROR_ARGUMENT);
    g_assert_nonnull (strstr (error->message, rows[i].word));
  }
}

static void
every_listed_detector_can_be_made (void)
{
  const char *const *names = forge_monitor_list_detectors ();
  g_assert_cmpstr (names[0], ==, "mean-confidence");
  for (; *names; names++) {
    ForgeMonitorParams params = small_params ();
    params.detector = *names;
    Stream stream = stream_new (params);
    feed_confidence (&stream, 3 * WINDOW, 0.9f);
    assert_state (&stream, FORGE_DRIFT_NORMAL);
    forge_monitor_free (stream.monitor);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(test) g_test_add_func ("/monitor/" #test, test)
  ADD (warmup_gives_no_alarm);
  ADD (each_transition_is_reported_once);
  ADD (recovery_lasts_one_window_then_is_normal);
  ADD (relapse_during_recovery_is_drift_again);
  ADD (hysteresis_keeps_it_from_flapping);
  ADD (status_comes_every_interval_while_drifting);
  ADD (status_survives_unknown_and_backward_times);
  ADD (reset_forgets_the_window_and_keeps_the_parameters);
  ADD (broken_probabilities_count_as_no_confidence);
  ADD (severity_follows_the_size_of_the_effect);
  ADD (mean_is_exact_after_ten_million_results);
  ADD (bad_parameters_are_refused_by_name);
  ADD (every_listed_detector_can_be_made);
  return g_test_run ();
}
