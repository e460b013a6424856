/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The meta has no tags: what the picture shows does not change with its size,
 * format or memory, so the meta survives copies, videoscale, videoconvert,
 * encoders and decoders alike. GStreamer's own transform copies the
 * structure. */
#include "classify-meta.h"

void
gst_forge_classification_meta_register (void)
{
  static gsize once;
  static const gchar *no_tags[] = { NULL };
  if (!g_once_init_enter (&once))
    return;
  if (!gst_meta_get_info (GST_FORGE_CLASSIFICATION_META))
    gst_meta_register_custom (
        GST_FORGE_CLASSIFICATION_META, no_tags, NULL, NULL, NULL);
  g_once_init_leave (&once, 1);
}

void
gst_forge_classification_meta_attach (GstBuffer *buffer,
    const GstForgeResult *result, const GstForgePresentation *how)
{
  GstCustomMeta *meta =
      gst_buffer_add_custom_meta (buffer, GST_FORGE_CLASSIFICATION_META);
  gst_forge_result_describe (result, how, gst_custom_meta_get_structure (meta));
}
