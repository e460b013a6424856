/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The element: properties, states, caps, events and queries. One frame's way
 * is in classify-frame; the other parts: classify-settings and -enums (the
 * properties), classify-model (loading), classify-caps (templates and overlay
 * features), classify-pacing (which frames), frame-adapter (pixels),
 * classify-result, -meta, -messages and -overlay (what comes out). */

/**
 * SECTION:element-forgeclassify
 * @title: forgeclassify
 * @short_description: classifies video with a convolutional network
 *
 * Classifies the pictures of a raw video stream on the CPU, with the built-in
 * CIFAR-10 model or any ONNX image classifier. No videoconvert or videoscale
 * is needed before it: every raw format it takes is resized first and
 * converted at the size of the network.
 *
 * The picture passes through untouched, unless #forgeclassify:draw-labels
 * writes the label into it. Each buffer carries the result as a #GstCustomMeta
 * named `ForgeClassificationMeta`, and element messages tell the application:
 *
 * * `forgeclassify`: `timestamp`, `stream-time`, `running-time`, `duration`
 *   (uint64, ns), `label` (string; "unknown" under the threshold), `class-id`
 *   (int; -1 = unknown), `confidence` (double), `labels`, `class-ids`,
 *   `confidences` (#GstValueArray, the top k, best first), `model-name`,
 *   `model-version` (string), `state` (string, "fresh" or "cached"), `age`
 *   (uint64, ns since the classified frame), `inference-time` (uint64, ns).
 *   The meta has the same fields but the first four.
 * * `forgeclassify-drift`: the confidence of the stream has left or reached
 *   what is expected: `state` and `previous-state` ("warmup", "normal",
 *   "drift", "recovered"), `severity`, `channel`, `recommendation`,
 *   `statistic`, `threshold`, `observed`, `expected`, `mean-confidence`,
 *   `effective-samples` (double), `frames-observed`, `change-estimate`
 *   (uint64), `transition` (boolean; FALSE = status while drifting).
 *
 * A frame that is late skips inference, never the picture: it carries the
 * last result with its age, and a QOS message is posted. The inherited property
 * `qos` is FALSE for that reason: TRUE would let #GstBaseTransform drop late
 * pictures as well.
 *
 * ## Example launch lines
 * |[
 * gst-launch-1.0 -m v4l2src ! forgeclassify draw-labels=true !
 * videoconvert ! autovideosink
 * ]| Labels what the camera sees.
 * |[
 * gst-launch-1.0 -m uridecodebin uri=file:///tmp/clip.mp4 ! forgeclassify
 * updates=every-frame top-k=3 ! fakesink
 * ]| Prints the three best classes of every frame of a file.
 *
 * Since: 0.1
 */
#include "gstforgeclassify.h"

#include <string.h>

#include "classify-caps.h"
#include "classify-frame.h"
#include "classify-model.h"

GST_DEBUG_CATEGORY (gst_forge_classify_debug);
#define GST_CAT_DEFAULT gst_forge_classify_debug

G_DEFINE_TYPE (GstForgeClassify, gst_forge_classify, GST_TYPE_BASE_TRANSFORM)
GST_ELEMENT_REGISTER_DEFINE (
    forgeclassify, "forgeclassify", GST_RANK_NONE, GST_TYPE_FORGE_CLASSIFY)

/* ---- properties ---- */

static GstStructure *
create_stats (GstForgeClassify *self)
{
  g_autofree ForgeLatency *latency = NULL;
  GST_OBJECT_LOCK (self);
  GstStructure *stats = gst_structure_new ("application/x-forgeclassify-stats",
      "frames", G_TYPE_UINT64, self->stats.frames, "inferred", G_TYPE_UINT64,
      self->stats.inferred, "skipped", G_TYPE_UINT64, self->stats.skipped,
      "cached", G_TYPE_UINT64, self->stats.cached, "errors", G_TYPE_UINT64,
      self->stats.errors, NULL);
  latency = g_memdup2 (&self->stats.latency, sizeof *latency);
  GST_OBJECT_UNLOCK (self);
  gst_structure_set (stats, "latency-p50", G_TYPE_UINT64,
      (guint64) forge_latency_quantile (latency, 0.50), "latency-p95",
      G_TYPE_UINT64, (guint64) forge_latency_quantile (latency, 0.95),
      "latency-p99", G_TYPE_UINT64,
      (guint64) forge_latency_quantile (latency, 0.99), NULL);
  return stats;
}

static void
gst_forge_classify_set_property (
    GObject *object, guint prop_id, const GValue *value, GParamSpec *pspec)
{
  GstForgeClassify *self = GST_FORGE_CLASSIFY (object);
  GST_OBJECT_LOCK (self);
  gboolean refused =
      self->classifier && gst_forge_settings_is_for_loading (prop_id);
  gboolean known =
      refused || gst_forge_settings_set (&self->settings, prop_id, value);
  GST_OBJECT_UNLOCK (self);
  if (!known)
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, prop_id, pspec);
  if (refused)
    GST_ELEMENT_WARNING (self, RESOURCE, SETTINGS,
        ("%s can be changed in state NULL only and stays as it was.",
            pspec->name),
        (NULL));
  /* The label may now go into a meta that downstream has to agree to. */
  if (prop_id == GST_FORGE_PROP_DRAW_LABELS)
    gst_base_transform_reconfigure_src (GST_BASE_TRANSFORM (self));
}

static void
gst_forge_classify_get_property (
    GObject *object, guint prop_id, GValue *value, GParamSpec *pspec)
{
  GstForgeClassify *self = GST_FORGE_CLASSIFY (object);
  if (prop_id == GST_FORGE_PROP_STATS) {
    g_value_take_boxed (value, create_stats (self));
    return;
  }
  GST_OBJECT_LOCK (self);
  gboolean known = gst_forge_settings_get (&self->settings, prop_id, value);
  GST_OBJECT_UNLOCK (self);
  if (!known)
    G_OBJECT_WARN_INVALID_PROPERTY_ID (object, prop_id, pspec);
}

/* ---- states ---- */

static gboolean
load (GstForgeClassify *self)
{
  g_autoptr (GError) error = NULL;
  g_autofree gchar *assumptions = NULL;
  GstForgeSettings settings;
  GST_OBJECT_LOCK (self);
  gst_forge_settings_copy (&self->settings, &settings);
  GST_OBJECT_UNLOCK (self);
  ForgeClassifier *classifier =
      gst_forge_load_classifier (&settings, &assumptions, &error);
  gst_forge_settings_clear (&settings);
  if (!classifier) {
    gst_forge_post_load_error (GST_ELEMENT (self), error);
    return FALSE;
  }
  GstClockTime warm_up = gst_forge_warm_up (classifier);
  ForgeModel *model = forge_classifier_get_model (classifier);
  GST_INFO_OBJECT (self,
      "model %s %s, %u classes, one inference %" GST_TIME_FORMAT,
      forge_model_get_name (model), forge_model_get_version (model),
      forge_classifier_get_n_classes (classifier), GST_TIME_ARGS (warm_up));
  GST_OBJECT_LOCK (self);
  self->classifier = classifier;
  self->warm_up = warm_up;
  GST_OBJECT_UNLOCK (self);
  gst_forge_result_init (
      &self->result, forge_classifier_get_n_classes (classifier));
  if (assumptions)
    GST_ELEMENT_WARNING (self, STREAM, FORMAT,
        ("Model '%s' does not say all about its input, assuming: %s",
            forge_model_get_name (model), assumptions),
        (NULL));
  return TRUE;
}

static void
unload (GstForgeClassify *self)
{
  GST_OBJECT_LOCK (self);
  ForgeClassifier *classifier = g_steal_pointer (&self->classifier);
  GST_OBJECT_UNLOCK (self);
  gst_forge_result_clear (&self->result);
  g_clear_pointer (&classifier, forge_classifier_free);
}

static GstStateChangeReturn
gst_forge_classify_change_state (GstElement *element, GstStateChange transition)
{
  GstForgeClassify *self = GST_FORGE_CLASSIFY (element);
  if (transition == GST_STATE_CHANGE_NULL_TO_READY && !load (self))
    return GST_STATE_CHANGE_FAILURE;
  GstStateChangeReturn ret = GST_ELEMENT_CLASS (gst_forge_classify_parent_class)
                                 ->change_state (element, transition);
  if (transition == GST_STATE_CHANGE_READY_TO_NULL ||
      (transition == GST_STATE_CHANGE_NULL_TO_READY &&
          ret == GST_STATE_CHANGE_FAILURE))
    unload (self);
  return ret;
}

static gboolean
create_monitor (GstForgeClassify *self)
{
  g_autoptr (GError) error = NULL;
  ForgeMonitorParams params = FORGE_MONITOR_PARAMS_DEFAULT;
  params.n_classes = forge_classifier_get_n_classes (self->classifier);
  params.baseline = forge_model_get_baseline_confidence (
      forge_classifier_get_model (self->classifier));
  GST_OBJECT_LOCK (self);
  guint window = self->settings.drift_window;
  params.threshold = self->settings.drift_threshold;
  params.interval_ns = self->settings.drift_interval_ns;
  GST_OBJECT_UNLOCK (self);
  if (window == 0)
    return TRUE;
  params.window = MAX (window, 2);
  self->monitor = forge_monitor_new (&params, &error);
  if (!self->monitor)
    GST_ELEMENT_ERROR (
        self, RESOURCE, SETTINGS, ("%s", error->message), (NULL));
  return self->monitor != NULL;
}

/* After a flush, another stream or another kind of picture, old results say
 * nothing any more. */
static void
forget_stream (GstForgeClassify *self)
{
  GST_DEBUG_OBJECT (self, "forgetting results and drift of what came before");
  GST_OBJECT_LOCK (self);
  gst_forge_pacing_reset (&self->pacing);
  GST_OBJECT_UNLOCK (self);
  self->result.valid = FALSE;
  self->posted_valid = FALSE;
  if (self->monitor)
    forge_monitor_reset (self->monitor);
}

static gboolean
gst_forge_classify_start (GstBaseTransform *trans)
{
  GstForgeClassify *self = GST_FORGE_CLASSIFY (trans);
  if (!create_monitor (self))
    return FALSE;
  GST_OBJECT_LOCK (self);
  memset (&self->stats, 0, sizeof self->stats);
  gst_forge_pacing_start (&self->pacing, self->warm_up);
  self->reported_latency = 0;
  GST_OBJECT_UNLOCK (self);
  g_atomic_int_set (&self->live, FALSE);
  self->warned = FALSE;
  forget_stream (self);
  return TRUE;
}

static gboolean
gst_forge_classify_stop (GstBaseTransform *trans)
{
  GstForgeClassify *self = GST_FORGE_CLASSIFY (trans);
  g_clear_pointer (&self->monitor, forge_monitor_free);
  gst_forge_overlay_clear (&self->overlay);
  self->result.valid = FALSE;
  return TRUE;
}

/* ---- caps and allocation ---- */

static gboolean
draws_labels (GstForgeClassify *self)
{
  GST_OBJECT_LOCK (self);
  gboolean draws = self->settings.live.draw_labels;
  GST_OBJECT_UNLOCK (self);
  return draws;
}

static GstCaps *
gst_forge_classify_transform_caps (GstBaseTransform *trans,
    GstPadDirection direction, GstCaps *caps, GstCaps *filter)
{
  return gst_forge_transform_caps (
      draws_labels (GST_FORGE_CLASSIFY (trans)), direction, caps, filter);
}

static GstCaps *
gst_forge_classify_fixate_caps (GstBaseTransform *trans,
    GstPadDirection direction, GstCaps *caps, GstCaps *othercaps)
{
  return gst_forge_fixate_caps (
      GST_BASE_TRANSFORM_SRC_PAD (trans), direction, caps, othercaps);
}

static gboolean
gst_forge_classify_set_caps (
    GstBaseTransform *trans, GstCaps *incaps, GstCaps *outcaps)
{
  GstForgeClassify *self = GST_FORGE_CLASSIFY (trans);
  GstVideoInfo info;
  if (!gst_video_info_from_caps (&info, incaps)) {
    GST_ERROR_OBJECT (self, "not raw video: %" GST_PTR_FORMAT, incaps);
    return FALSE;
  }
  GST_DEBUG_OBJECT (self, "caps %" GST_PTR_FORMAT, incaps);
  self->overlay_in_caps = gst_forge_caps_has_overlay (outcaps, 0);
  g_atomic_int_set (&self->overlay_query_due, TRUE);
  if (!gst_video_info_is_equal (&info, &self->info))
    forget_stream (self);
  self->info = info;
  return TRUE;
}

static gboolean
gst_forge_classify_get_unit_size (
    GstBaseTransform *trans, GstCaps *caps, gsize *size)
{
  GstVideoInfo info;
  if (!gst_video_info_from_caps (&info, caps))
    return FALSE;
  *size = GST_VIDEO_INFO_SIZE (&info);
  return TRUE;
}

static gboolean
gst_forge_classify_propose_allocation (
    GstBaseTransform *trans, GstQuery *decide_query, GstQuery *query)
{
  /* In place: downstream's pools and metas are offered upstream as they are.
   * That downstream has none to offer is not a failure. */
  GST_BASE_TRANSFORM_CLASS (gst_forge_classify_parent_class)
      ->propose_allocation (trans, decide_query, query);
  if (!gst_query_find_allocation_meta (query, GST_VIDEO_META_API_TYPE, NULL))
    gst_query_add_allocation_meta (query, GST_VIDEO_META_API_TYPE, NULL);
  return TRUE;
}

/* ---- events and queries ---- */

static gboolean
gst_forge_classify_sink_event (GstBaseTransform *trans, GstEvent *event)
{
  if (GST_EVENT_TYPE (event) == GST_EVENT_FLUSH_STOP ||
      GST_EVENT_TYPE (event) == GST_EVENT_STREAM_START)
    forget_stream (GST_FORGE_CLASSIFY (trans));
  return GST_BASE_TRANSFORM_CLASS (gst_forge_classify_parent_class)
      ->sink_event (trans, event);
}

static gboolean
gst_forge_classify_src_event (GstBaseTransform *trans, GstEvent *event)
{
  GstForgeClassify *self = GST_FORGE_CLASSIFY (trans);
  if (GST_EVENT_TYPE (event) == GST_EVENT_QOS) {
    gdouble proportion;
    GstClockTimeDiff diff;
    GstClockTime timestamp;
    gst_event_parse_qos (event, NULL, &proportion, &diff, &timestamp);
    GST_OBJECT_LOCK (self);
    gst_forge_pacing_update_qos (&self->pacing, proportion, diff, timestamp);
    GST_OBJECT_UNLOCK (self);
  } else if (GST_EVENT_TYPE (event) == GST_EVENT_RECONFIGURE) {
    g_atomic_int_set (&self->overlay_query_due, TRUE);
  }
  return GST_BASE_TRANSFORM_CLASS (gst_forge_classify_parent_class)
      ->src_event (trans, event);
}

/* In a live pipeline inference delays the picture, so its time is latency
 * like a decoder's. */
static gboolean
gst_forge_classify_query (
    GstBaseTransform *trans, GstPadDirection direction, GstQuery *query)
{
  GstForgeClassify *self = GST_FORGE_CLASSIFY (trans);
  gboolean answered = GST_BASE_TRANSFORM_CLASS (gst_forge_classify_parent_class)
                          ->query (trans, direction, query);
  if (!answered || GST_QUERY_TYPE (query) != GST_QUERY_LATENCY)
    return answered;
  gboolean live;
  GstClockTime min, max;
  gst_query_parse_latency (query, &live, &min, &max);
  g_atomic_int_set (&self->live, live);
  if (!live)
    return TRUE;
  GST_OBJECT_LOCK (self);
  GstClockTime ours = gst_forge_pacing_latency (&self->pacing);
  self->reported_latency = ours;
  GST_OBJECT_UNLOCK (self);
  min += ours;
  if (GST_CLOCK_TIME_IS_VALID (max))
    max += ours;
  gst_query_set_latency (query, live, min, max);
  return TRUE;
}

/* ---- the class ---- */

static GstFlowReturn
gst_forge_classify_transform_ip (GstBaseTransform *trans, GstBuffer *buffer)
{
  gst_forge_classify_frame (GST_FORGE_CLASSIFY (trans), buffer);
  return GST_FLOW_OK;
}

static void
gst_forge_classify_finalize (GObject *object)
{
  GstForgeClassify *self = GST_FORGE_CLASSIFY (object);
  gst_forge_settings_clear (&self->settings);
  G_OBJECT_CLASS (gst_forge_classify_parent_class)->finalize (object);
}

static void
gst_forge_classify_class_init (GstForgeClassifyClass *klass)
{
  GObjectClass *object_class = G_OBJECT_CLASS (klass);
  GstElementClass *element_class = GST_ELEMENT_CLASS (klass);
  GstBaseTransformClass *trans_class = GST_BASE_TRANSFORM_CLASS (klass);

  GST_DEBUG_CATEGORY_INIT (
      gst_forge_classify_debug, "forgeclassify", 0, "video classification");
  object_class->set_property = gst_forge_classify_set_property;
  object_class->get_property = gst_forge_classify_get_property;
  object_class->finalize = gst_forge_classify_finalize;
  gst_forge_settings_install (object_class);

  gst_element_class_set_static_metadata (element_class, "Video classifier",
      "Filter/Analyzer/Video",
      "Classifies raw video with a convolutional network on the CPU, attaches "
      "and posts the labels, and watches their confidence for drift",
      "gst-forge");
  gst_forge_add_pad_templates (element_class);
  element_class->change_state = gst_forge_classify_change_state;

  trans_class->start = gst_forge_classify_start;
  trans_class->stop = gst_forge_classify_stop;
  trans_class->transform_caps = gst_forge_classify_transform_caps;
  trans_class->fixate_caps = gst_forge_classify_fixate_caps;
  trans_class->set_caps = gst_forge_classify_set_caps;
  trans_class->get_unit_size = gst_forge_classify_get_unit_size;
  trans_class->propose_allocation = gst_forge_classify_propose_allocation;
  trans_class->sink_event = gst_forge_classify_sink_event;
  trans_class->src_event = gst_forge_classify_src_event;
  trans_class->query = gst_forge_classify_query;
  trans_class->transform_ip = gst_forge_classify_transform_ip;
}

static void
gst_forge_classify_init (GstForgeClassify *self)
{
  GstBaseTransform *trans = GST_BASE_TRANSFORM (self);
  /* GstBaseTransform's own QoS would drop late video. */
  gst_base_transform_set_qos_enabled (trans, FALSE);
  gst_base_transform_set_gap_aware (trans, TRUE);
  gst_forge_settings_init (&self->settings);
  gst_video_info_init (&self->info);
}
