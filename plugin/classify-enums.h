/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The enumerations among the properties of forgeclassify. Where the model
 * itself may have the answer, 0 leaves it to the model, and the other nicks
 * are the engine's words. */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

typedef enum {
  GST_FORGE_UPDATES_EVERY_FRAME,
  GST_FORGE_UPDATES_ON_CHANGE,
  GST_FORGE_UPDATES_NONE,
} GstForgeUpdates;

typedef enum {
  GST_FORGE_INPUT_ORDER_MODEL,
  GST_FORGE_INPUT_ORDER_RGB,
  GST_FORGE_INPUT_ORDER_BGR,
} GstForgeInputOrder;

typedef enum {
  GST_FORGE_INPUT_LAYOUT_MODEL,
  GST_FORGE_INPUT_LAYOUT_NCHW,
  GST_FORGE_INPUT_LAYOUT_NHWC,
} GstForgeInputLayout;

typedef enum {
  GST_FORGE_RESIZE_POLICY_MODEL,
  GST_FORGE_RESIZE_POLICY_STRETCH,
  GST_FORGE_RESIZE_POLICY_CENTRE_CROP,
  GST_FORGE_RESIZE_POLICY_LETTERBOX,
} GstForgeResizePolicy;

typedef enum {
  GST_FORGE_RESIZE_FILTER_MODEL,
  GST_FORGE_RESIZE_FILTER_BILINEAR,
  GST_FORGE_RESIZE_FILTER_ANTIALIAS,
  GST_FORGE_RESIZE_FILTER_NEAREST,
} GstForgeResizeFilter;

#define GST_TYPE_FORGE_UPDATES (gst_forge_updates_get_type ())
#define GST_TYPE_FORGE_INPUT_ORDER (gst_forge_input_order_get_type ())
#define GST_TYPE_FORGE_INPUT_LAYOUT (gst_forge_input_layout_get_type ())
#define GST_TYPE_FORGE_RESIZE_POLICY (gst_forge_resize_policy_get_type ())
#define GST_TYPE_FORGE_RESIZE_FILTER (gst_forge_resize_filter_get_type ())
GType gst_forge_updates_get_type (void);
GType gst_forge_input_order_get_type (void);
GType gst_forge_input_layout_get_type (void);
GType gst_forge_resize_policy_get_type (void);
GType gst_forge_resize_filter_get_type (void);

/* For the documentation of the plugin. */
void gst_forge_enums_mark_as_api (void);
/* The nick of @value, or NULL for 0, the model's own. */
const gchar *gst_forge_enum_stated_nick (GType type, gint value);

G_END_DECLS
