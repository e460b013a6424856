/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The properties of forgeclassify: their pspecs, defaults and storage. The
 * element guards the struct with its object lock. */
#pragma once

#include "classify-enums.h"

G_BEGIN_DECLS

/* What may change while playing: plain data, copied once per frame. */
typedef struct {
  guint top_k;
  gfloat threshold;
  guint inference_interval;
  guint64 max_latency_ns;
  gboolean draw_labels;
  guint labels_color;
  gboolean post_messages;
  GstForgeUpdates updates;
} GstForgeLiveSettings;

typedef struct {
  GstForgeLiveSettings live;
  /* read when the model is loaded */
  gchar *model_file;
  gchar *labels_file;
  gchar *labels;
  gint threads;
  gchar *input_scale;
  gchar *input_mean;
  gchar *input_std;
  GstForgeInputOrder input_order;
  GstForgeInputLayout input_layout;
  gchar *input_size;
  GstForgeResizePolicy resize_policy;
  GstForgeResizeFilter resize_filter;
  /* read when the stream starts */
  guint drift_window;
  gdouble drift_threshold;
  guint64 drift_interval_ns;
} GstForgeSettings;

enum {
  GST_FORGE_PROP_0,
  GST_FORGE_PROP_MODEL_FILE,
  GST_FORGE_PROP_LABELS_FILE,
  GST_FORGE_PROP_LABELS,
  GST_FORGE_PROP_THREADS,
  GST_FORGE_PROP_INPUT_SCALE,
  GST_FORGE_PROP_INPUT_MEAN,
  GST_FORGE_PROP_INPUT_STD,
  GST_FORGE_PROP_INPUT_ORDER,
  GST_FORGE_PROP_INPUT_LAYOUT,
  GST_FORGE_PROP_INPUT_SIZE,
  GST_FORGE_PROP_RESIZE_POLICY,
  GST_FORGE_PROP_RESIZE_FILTER,
  GST_FORGE_PROP_TOP_K,
  GST_FORGE_PROP_THRESHOLD,
  GST_FORGE_PROP_INFERENCE_INTERVAL,
  GST_FORGE_PROP_MAX_LATENCY,
  GST_FORGE_PROP_DRAW_LABELS,
  GST_FORGE_PROP_LABELS_COLOR,
  GST_FORGE_PROP_POST_MESSAGES,
  GST_FORGE_PROP_UPDATES,
  GST_FORGE_PROP_DRIFT_WINDOW,
  GST_FORGE_PROP_DRIFT_THRESHOLD,
  GST_FORGE_PROP_DRIFT_INTERVAL,
  GST_FORGE_PROP_STATS,
};

/* Installs every property above, in gst-inspect's order. */
void gst_forge_settings_install (GObjectClass *klass);
/* The pspecs' defaults. */
void gst_forge_settings_init (GstForgeSettings *settings);
void gst_forge_settings_clear (GstForgeSettings *settings);
/* A copy that owns its strings. */
void gst_forge_settings_copy (
    const GstForgeSettings *settings, GstForgeSettings *copy);
/* TRUE for what is only read on NULL -> READY. */
gboolean gst_forge_settings_is_for_loading (guint prop_id);
/* FALSE for a property that is not stored here. */
gboolean gst_forge_settings_set (
    GstForgeSettings *settings, guint prop_id, const GValue *value);
gboolean gst_forge_settings_get (
    const GstForgeSettings *settings, guint prop_id, GValue *value);

G_END_DECLS
