/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The negotiation of overlays follows GStreamer's text overlays: caps permit
 * the meta, the ALLOCATION query says whether downstream would show it. */
#include "classify-caps.h"

#include <gst/video/video.h>

#include "frame-adapter.h"

#define OVERLAY_FEATURE GST_CAPS_FEATURE_META_GST_VIDEO_OVERLAY_COMPOSITION
#define CAPS_STRING                                                            \
  GST_VIDEO_CAPS_MAKE (GST_FORGE_VIDEO_FORMATS)                                \
  ";" GST_VIDEO_CAPS_MAKE_WITH_FEATURES (GST_CAPS_FEATURE_MEMORY_SYSTEM_MEMORY \
      ", " OVERLAY_FEATURE,                                                    \
      GST_FORGE_VIDEO_FORMATS)

static GstStaticPadTemplate sink_template = GST_STATIC_PAD_TEMPLATE (
    "sink", GST_PAD_SINK, GST_PAD_ALWAYS, GST_STATIC_CAPS (CAPS_STRING));
static GstStaticPadTemplate src_template = GST_STATIC_PAD_TEMPLATE (
    "src", GST_PAD_SRC, GST_PAD_ALWAYS, GST_STATIC_CAPS (CAPS_STRING));

void
gst_forge_add_pad_templates (GstElementClass *klass)
{
  gst_element_class_add_static_pad_template (klass, &sink_template);
  gst_element_class_add_static_pad_template (klass, &src_template);
}

gboolean
gst_forge_caps_has_overlay (GstCaps *caps, guint index)
{
  return gst_caps_features_contains (
      gst_caps_get_features (caps, index), OVERLAY_FEATURE);
}

/* The same caps, every structure with or without the overlay feature. */
static GstCaps *
caps_with_overlay (GstCaps *caps, gboolean overlay)
{
  GstCaps *copy = gst_caps_copy (caps);
  for (guint i = 0; i < gst_caps_get_size (copy); i++) {
    GstCapsFeatures *features = gst_caps_get_features (copy, i);
    if (gst_caps_features_is_any (features) ||
        gst_forge_caps_has_overlay (copy, i) == overlay)
      continue;
    if (overlay)
      gst_caps_features_add (features, OVERLAY_FEATURE);
    else
      gst_caps_features_remove (features, OVERLAY_FEATURE);
  }
  return copy;
}

GstCaps *
gst_forge_transform_caps (gboolean draws_labels, GstPadDirection direction,
    GstCaps *caps, GstCaps *filter)
{
  GstCaps *result;
  if (!draws_labels)
    result = gst_caps_ref (caps);
  else if (direction == GST_PAD_SINK)
    result =
        gst_caps_merge (caps_with_overlay (caps, TRUE), gst_caps_ref (caps));
  else
    result =
        gst_caps_merge (gst_caps_ref (caps), caps_with_overlay (caps, FALSE));
  if (filter) {
    GstCaps *all = result;
    result = gst_caps_intersect_full (filter, all, GST_CAPS_INTERSECT_FIRST);
    gst_caps_unref (all);
  }
  return result;
}

/* A peer that takes anything (a fakesink, an appsink) does not mean to show
 * overlays: plain caps there. */
GstCaps *
gst_forge_fixate_caps (GstPad *srcpad, GstPadDirection direction, GstCaps *caps,
    GstCaps *othercaps)
{
  if (direction == GST_PAD_SINK && !gst_forge_caps_has_overlay (caps, 0) &&
      gst_caps_get_size (othercaps) > 1 &&
      gst_forge_caps_has_overlay (othercaps, 0)) {
    g_autoptr (GstCaps) peer = gst_pad_peer_query_caps (srcpad, NULL);
    if (gst_caps_is_any (peer)) {
      gst_caps_unref (othercaps);
      return gst_caps_ref (caps);
    }
  }
  return gst_caps_fixate (othercaps);
}

/* An in-place GstBaseTransform does not ask downstream, so we do. */
gboolean
gst_forge_peer_shows_overlays (GstPad *srcpad)
{
  g_autoptr (GstCaps) caps = gst_pad_get_current_caps (srcpad);
  if (!caps)
    return FALSE;
  GstQuery *query = gst_query_new_allocation (caps, FALSE);
  gboolean shows = gst_pad_peer_query (srcpad, query) &&
                   gst_query_find_allocation_meta (query,
                       GST_VIDEO_OVERLAY_COMPOSITION_META_API_TYPE, NULL);
  gst_query_unref (query);
  return shows;
}
