/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * One pspec, one case to set and one to get per property. To add a property:
 * a number in the enum, a field, these three, and a row in the table of
 * tests/elements/test-forgeclassify-properties.c. */
#include "classify-settings.h"

#define PLAYING \
  (G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_PLAYING)
#define READY \
  (G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS | GST_PARAM_MUTABLE_READY)
/* Read on NULL -> READY: a change is refused in any other state. */
#define LOADING (G_PARAM_READWRITE | G_PARAM_STATIC_STRINGS)

static void
install_loading (GObjectClass *klass)
{
  g_object_class_install_property (klass, GST_FORGE_PROP_MODEL_FILE,
      g_param_spec_string ("model-file", "Model file",
          "Path of the model (ONNX, Keras, TensorFlow Lite), or a version in "
          "the model registry: registry:NAME@ALIAS, registry:NAME/VERSION, or "
          "registry:NAME for its champion, else its latest version; NULL = the "
          "built-in CIFAR-10 model. Read in NULL -> READY. Can be changed in "
          "state NULL only",
          NULL, LOADING));
  g_object_class_install_property (klass, GST_FORGE_PROP_LABELS_FILE,
      g_param_spec_string ("labels-file", "Labels file",
          "Path of a UTF-8 text file with one label a line, in class order; "
          "NULL = the labels in the model. Can be changed in state NULL only",
          NULL, LOADING));
  g_object_class_install_property (klass, GST_FORGE_PROP_LABELS,
      g_param_spec_string ("labels", "Labels",
          "Comma-separated labels in class order; NULL = the labels in the "
          "model. Excludes labels-file. Can be changed in state NULL only",
          NULL, LOADING));
  g_object_class_install_property (klass, GST_FORGE_PROP_THREADS,
      g_param_spec_int ("threads", "Threads",
          "Number of CPU threads for one inference; 0 = all the process may "
          "use. Can be changed in state NULL only",
          0, 256, 0, LOADING));
}

static void
install_input (GObjectClass *klass)
{
  g_object_class_install_property (klass, GST_FORGE_PROP_INPUT_SCALE,
      g_param_spec_string ("input-scale", "Input scale",
          "Scale in value = (byte * scale - mean) / std: one number, or one "
          "for each channel of the network, separated by commas, up to 1e9, no "
          "unit. NULL = as the model says, or 1/255 where mean or std is "
          "given. Can be changed in state NULL only",
          NULL, LOADING));
  g_object_class_install_property (klass, GST_FORGE_PROP_INPUT_MEAN,
      g_param_spec_string ("input-mean", "Input mean",
          "Mean in value = (byte * scale - mean) / std, written as "
          "input-scale. NULL = as the model says, or 0 where scale or std is "
          "given. Can be changed in state NULL only",
          NULL, LOADING));
  g_object_class_install_property (klass, GST_FORGE_PROP_INPUT_STD,
      g_param_spec_string ("input-std", "Input standard deviation",
          "Standard deviation in value = (byte * scale - mean) / std, written "
          "as input-scale; no number may be 0. NULL = as the model says, or 1 "
          "where scale or mean is given. Can be changed in state NULL only",
          NULL, LOADING));
  g_object_class_install_property (klass, GST_FORGE_PROP_INPUT_ORDER,
      g_param_spec_enum ("input-order", "Input order",
          "Order of the network's colour channels (enum, no unit; 0 = as the "
          "model says). Can be changed in state NULL only",
          GST_TYPE_FORGE_INPUT_ORDER, 0, LOADING));
  g_object_class_install_property (klass, GST_FORGE_PROP_INPUT_LAYOUT,
      g_param_spec_enum ("input-layout", "Input layout",
          "Layout of the network's input, where its shape leaves that open "
          "(enum, no unit; 0 = as the model says). Can be changed in state "
          "NULL only",
          GST_TYPE_FORGE_INPUT_LAYOUT, 0, LOADING));
  g_object_class_install_property (klass, GST_FORGE_PROP_INPUT_SIZE,
      g_param_spec_string ("input-size", "Input size",
          "Size of the network's input in pixels as WIDTHxHEIGHT, where its "
          "shape leaves that open. NULL = as the model says, or 224x224. Can "
          "be changed in state NULL only",
          NULL, LOADING));
  g_object_class_install_property (klass, GST_FORGE_PROP_RESIZE_POLICY,
      g_param_spec_enum ("resize-policy", "Resize policy",
          "Which part of the frame the network sees (enum, no unit; 0 = as "
          "the model says). Can be changed in state NULL only",
          GST_TYPE_FORGE_RESIZE_POLICY, 0, LOADING));
  g_object_class_install_property (klass, GST_FORGE_PROP_RESIZE_FILTER,
      g_param_spec_enum ("resize-filter", "Resize filter",
          "How the frame is resized (enum, no unit; 0 = as the model says). "
          "Can be changed in state NULL only",
          GST_TYPE_FORGE_RESIZE_FILTER, 0, LOADING));
}

static void
install_results (GObjectClass *klass)
{
  g_object_class_install_property (klass, GST_FORGE_PROP_TOP_K,
      g_param_spec_uint ("top-k", "Top k",
          "Number of classes to report, best first; more than the model has "
          "means all of them, and 0 is not allowed. Can be changed while "
          "playing",
          1, G_MAXUINT, 5, PLAYING));
  g_object_class_install_property (klass, GST_FORGE_PROP_THRESHOLD,
      g_param_spec_float ("threshold", "Threshold",
          "Confidence, as a fraction of 1, under which the label becomes "
          "\"unknown\" (the result is still reported); 0 = never. Can be "
          "changed while playing",
          0.0f, 1.0f, 0.0f, PLAYING));
  g_object_class_install_property (klass, GST_FORGE_PROP_INFERENCE_INTERVAL,
      g_param_spec_uint ("inference-interval", "Inference interval",
          "Classify every n-th frame; frames between carry the last result "
          "with its age. Unit: frames; 1 = every frame, and 0 is not allowed. "
          "Can be changed while playing",
          1, G_MAXUINT, 1, PLAYING));
  g_object_class_install_property (klass, GST_FORGE_PROP_MAX_LATENCY,
      g_param_spec_uint64 ("max-latency", "Max latency",
          "Longest time in nanoseconds that inference may hold a frame up: "
          "it is skipped while recent ones took longer, but for one frame in "
          "32 to see whether that is still so; 0 = no limit. Can be changed "
          "while playing",
          0, G_MAXUINT64, 0, PLAYING));
  g_object_class_install_property (klass, GST_FORGE_PROP_DRAW_LABELS,
      g_param_spec_boolean ("draw-labels", "Draw labels",
          "Draw the best label into the picture, or attach it as an overlay "
          "where downstream takes one. TRUE or FALSE (= 0, nothing drawn), no "
          "unit. Can be changed while playing",
          FALSE, PLAYING));
  g_object_class_install_property (klass, GST_FORGE_PROP_LABELS_COLOR,
      g_param_spec_uint ("labels-color", "Labels colour",
          "Colour of the drawn text, 0xAARRGGBB; 0 = invisible text. Can be "
          "changed while playing",
          0, G_MAXUINT32, 0xffffffff, PLAYING));
  g_object_class_install_property (klass, GST_FORGE_PROP_POST_MESSAGES,
      g_param_spec_boolean ("post-messages", "Post messages",
          "Post results on the bus as \"forgeclassify\" element messages (see "
          "updates). TRUE or FALSE (= 0, none), no unit. Can be changed while "
          "playing",
          TRUE, PLAYING));
  g_object_class_install_property (klass, GST_FORGE_PROP_UPDATES,
      g_param_spec_enum ("updates", "Updates",
          "Which frames give a result message (enum, no unit; 0 = "
          "every-frame). Can be changed while playing",
          GST_TYPE_FORGE_UPDATES, GST_FORGE_UPDATES_ON_CHANGE, PLAYING));
}

static void
install_drift (GObjectClass *klass)
{
  g_object_class_install_property (klass, GST_FORGE_PROP_DRIFT_WINDOW,
      g_param_spec_uint ("drift-window", "Drift window",
          "Number of inferences whose mean confidence is watched (1 counts "
          "as 2); 0 = drift is not watched. Can be changed in state READY",
          0, 1000000, 60, READY));
  g_object_class_install_property (klass, GST_FORGE_PROP_DRIFT_THRESHOLD,
      g_param_spec_double ("drift-threshold", "Drift threshold",
          "Mean confidence, as a fraction of 1, under which the stream is "
          "said to drift; 0 = never. Can be changed in state READY",
          0.0, 1.0, 0.70, READY));
  g_object_class_install_property (klass, GST_FORGE_PROP_DRIFT_INTERVAL,
      g_param_spec_uint64 ("drift-interval", "Drift interval",
          "Least stream time in nanoseconds between two status messages "
          "while drifting; 0 = only the changes are reported. Can be changed "
          "in state READY",
          0, G_MAXUINT64, 10 * GST_SECOND, READY));
  g_object_class_install_property (klass, GST_FORGE_PROP_STATS,
      g_param_spec_boxed ("stats", "Statistics",
          "Counts since the stream started (frames, inferred, skipped, "
          "cached, errors) and latency-p50, -p95, -p99 of the recent "
          "inferences in nanoseconds; 0 = none yet. Read only, can be read "
          "while playing",
          GST_TYPE_STRUCTURE, G_PARAM_READABLE | G_PARAM_STATIC_STRINGS));
}

void
gst_forge_settings_install (GObjectClass *klass)
{
  install_loading (klass);
  install_input (klass);
  install_results (klass);
  install_drift (klass);
  gst_forge_enums_mark_as_api ();
}

void
gst_forge_settings_init (GstForgeSettings *settings)
{
  *settings = (GstForgeSettings) {
    .live = {
      .top_k = 5,
      .inference_interval = 1,
      .labels_color = 0xffffffff,
      .post_messages = TRUE,
      .updates = GST_FORGE_UPDATES_ON_CHANGE,
    },
    .drift_window = 60,
    .drift_threshold = 0.70,
    .drift_interval_ns = 10 * GST_SECOND,
  };
}

void
gst_forge_settings_clear (GstForgeSettings *settings)
{
  g_clear_pointer (&settings->model_file, g_free);
  g_clear_pointer (&settings->labels_file, g_free);
  g_clear_pointer (&settings->labels, g_free);
  g_clear_pointer (&settings->input_scale, g_free);
  g_clear_pointer (&settings->input_mean, g_free);
  g_clear_pointer (&settings->input_size, g_free);
  g_clear_pointer (&settings->input_std, g_free);
}

void
gst_forge_settings_copy (
    const GstForgeSettings *settings, GstForgeSettings *copy)
{
  *copy = *settings;
  copy->model_file = g_strdup (settings->model_file);
  copy->labels_file = g_strdup (settings->labels_file);
  copy->labels = g_strdup (settings->labels);
  copy->input_scale = g_strdup (settings->input_scale);
  copy->input_mean = g_strdup (settings->input_mean);
  copy->input_size = g_strdup (settings->input_size);
  copy->input_std = g_strdup (settings->input_std);
}

gboolean
gst_forge_settings_is_for_loading (guint prop_id)
{
  return prop_id >= GST_FORGE_PROP_MODEL_FILE &&
         prop_id <= GST_FORGE_PROP_RESIZE_FILTER;
}

static void
set_string (gchar **field, const GValue *value)
{
  g_free (*field);
  *field = g_value_dup_string (value);
}

/* The properties of install_input(). */
static gboolean
set_input (GstForgeSettings *settings, guint prop_id, const GValue *value)
{
  switch (prop_id) {
  case GST_FORGE_PROP_INPUT_SCALE:
    set_string (&settings->input_scale, value);
    break;
  case GST_FORGE_PROP_INPUT_MEAN:
    set_string (&settings->input_mean, value);
    break;
  case GST_FORGE_PROP_INPUT_STD:
    set_string (&settings->input_std, value);
    break;
  case GST_FORGE_PROP_INPUT_ORDER:
    settings->input_order = g_value_get_enum (value);
    break;
  case GST_FORGE_PROP_INPUT_LAYOUT:
    settings->input_layout = g_value_get_enum (value);
    break;
  case GST_FORGE_PROP_INPUT_SIZE:
    set_string (&settings->input_size, value);
    break;
  case GST_FORGE_PROP_RESIZE_POLICY:
    settings->resize_policy = g_value_get_enum (value);
    break;
  case GST_FORGE_PROP_RESIZE_FILTER:
    settings->resize_filter = g_value_get_enum (value);
    break;
  default:
    return FALSE;
  }
  return TRUE;
}

static gboolean
get_input (const GstForgeSettings *settings, guint prop_id, GValue *value)
{
  switch (prop_id) {
  case GST_FORGE_PROP_INPUT_SCALE:
    g_value_set_string (value, settings->input_scale);
    break;
  case GST_FORGE_PROP_INPUT_MEAN:
    g_value_set_string (value, settings->input_mean);
    break;
  case GST_FORGE_PROP_INPUT_STD:
    g_value_set_string (value, settings->input_std);
    break;
  case GST_FORGE_PROP_INPUT_ORDER:
    g_value_set_enum (value, settings->input_order);
    break;
  case GST_FORGE_PROP_INPUT_LAYOUT:
    g_value_set_enum (value, settings->input_layout);
    break;
  case GST_FORGE_PROP_INPUT_SIZE:
    g_value_set_string (value, settings->input_size);
    break;
  case GST_FORGE_PROP_RESIZE_POLICY:
    g_value_set_enum (value, settings->resize_policy);
    break;
  case GST_FORGE_PROP_RESIZE_FILTER:
    g_value_set_enum (value, settings->resize_filter);
    break;
  default:
    return FALSE;
  }
  return TRUE;
}

gboolean
gst_forge_settings_set (
    GstForgeSettings *settings, guint prop_id, const GValue *value)
{
  GstForgeLiveSettings *live = &settings->live;
  switch (prop_id) {
  case GST_FORGE_PROP_MODEL_FILE:
    set_string (&settings->model_file, value);
    break;
  case GST_FORGE_PROP_LABELS_FILE:
    set_string (&settings->labels_file, value);
    break;
  case GST_FORGE_PROP_LABELS:
    set_string (&settings->labels, value);
    break;
  case GST_FORGE_PROP_THREADS:
    settings->threads = g_value_get_int (value);
    break;
  case GST_FORGE_PROP_TOP_K:
    live->top_k = g_value_get_uint (value);
    break;
  case GST_FORGE_PROP_THRESHOLD:
    live->threshold = g_value_get_float (value);
    break;
  case GST_FORGE_PROP_INFERENCE_INTERVAL:
    live->inference_interval = g_value_get_uint (value);
    break;
  case GST_FORGE_PROP_MAX_LATENCY:
    live->max_latency_ns = g_value_get_uint64 (value);
    break;
  case GST_FORGE_PROP_DRAW_LABELS:
    live->draw_labels = g_value_get_boolean (value);
    break;
  case GST_FORGE_PROP_LABELS_COLOR:
    live->labels_color = g_value_get_uint (value);
    break;
  case GST_FORGE_PROP_POST_MESSAGES:
    live->post_messages = g_value_get_boolean (value);
    break;
  case GST_FORGE_PROP_UPDATES:
    live->updates = g_value_get_enum (value);
    break;
  case GST_FORGE_PROP_DRIFT_WINDOW:
    settings->drift_window = g_value_get_uint (value);
    break;
  case GST_FORGE_PROP_DRIFT_THRESHOLD:
    settings->drift_threshold = g_value_get_double (value);
    break;
  case GST_FORGE_PROP_DRIFT_INTERVAL:
    settings->drift_interval_ns = g_value_get_uint64 (value);
    break;
  default:
    return set_input (settings, prop_id, value);
  }
  return TRUE;
}

gboolean
gst_forge_settings_get (
    const GstForgeSettings *settings, guint prop_id, GValue *value)
{
  const GstForgeLiveSettings *live = &settings->live;
  switch (prop_id) {
  case GST_FORGE_PROP_MODEL_FILE:
    g_value_set_string (value, settings->model_file);
    break;
  case GST_FORGE_PROP_LABELS_FILE:
    g_value_set_string (value, settings->labels_file);
    break;
  case GST_FORGE_PROP_LABELS:
    g_value_set_string (value, settings->labels);
    break;
  case GST_FORGE_PROP_THREADS:
    g_value_set_int (value, settings->threads);
    break;
  case GST_FORGE_PROP_TOP_K:
    g_value_set_uint (value, live->top_k);
    break;
  case GST_FORGE_PROP_THRESHOLD:
    g_value_set_float (value, live->threshold);
    break;
  case GST_FORGE_PROP_INFERENCE_INTERVAL:
    g_value_set_uint (value, live->inference_interval);
    break;
  case GST_FORGE_PROP_MAX_LATENCY:
    g_value_set_uint64 (value, live->max_latency_ns);
    break;
  case GST_FORGE_PROP_DRAW_LABELS:
    g_value_set_boolean (value, live->draw_labels);
    break;
  case GST_FORGE_PROP_LABELS_COLOR:
    g_value_set_uint (value, live->labels_color);
    break;
  case GST_FORGE_PROP_POST_MESSAGES:
    g_value_set_boolean (value, live->post_messages);
    break;
  case GST_FORGE_PROP_UPDATES:
    g_value_set_enum (value, live->updates);
    break;
  case GST_FORGE_PROP_DRIFT_WINDOW:
    g_value_set_uint (value, settings->drift_window);
    break;
  case GST_FORGE_PROP_DRIFT_THRESHOLD:
    g_value_set_double (value, settings->drift_threshold);
    break;
  case GST_FORGE_PROP_DRIFT_INTERVAL:
    g_value_set_uint64 (value, settings->drift_interval_ns);
    break;
  default:
    return get_input (settings, prop_id, value);
  }
  return TRUE;
}
