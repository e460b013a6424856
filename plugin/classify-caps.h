/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Which caps forgeclassify takes and gives, with or without the feature that
 * lets labels travel beside the pixels. */
#pragma once

#include <gst/gst.h>

G_BEGIN_DECLS

void gst_forge_add_pad_templates (GstElementClass *klass);
/* TRUE when structure @index has the overlay composition feature. */
gboolean gst_forge_caps_has_overlay (GstCaps *caps, guint index);
/* As GstBaseTransform's transform_caps(): what goes in comes out; where
 * labels are drawn, the output may also say that it carries overlays. */
GstCaps *gst_forge_transform_caps (gboolean draws_labels,
    GstPadDirection direction, GstCaps *caps, GstCaps *filter);
/* As fixate_caps(): (transfer full) @othercaps, prefers overlays where the
 * peer of @srcpad names them. */
GstCaps *gst_forge_fixate_caps (GstPad *srcpad, GstPadDirection direction,
    GstCaps *caps, GstCaps *othercaps);
/* TRUE when the peer of @srcpad says that it shows overlay metas. */
gboolean gst_forge_peer_shows_overlays (GstPad *srcpad);

G_END_DECLS
