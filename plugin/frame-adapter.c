/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * GstVideoFrame to ForgeFrame: format names, plane pointers moved to the
 * visible corner, strides of the mapped memory, matrix and range of the
 * caps' colorimetry, chroma site. No pixel is touched. */
#include "frame-adapter.h"

static const struct {
  GstVideoFormat video;
  ForgePixelFormat pixel;
} formats[] = {
  { GST_VIDEO_FORMAT_RGB, FORGE_PIXEL_RGB },
  { GST_VIDEO_FORMAT_BGR, FORGE_PIXEL_BGR },
  { GST_VIDEO_FORMAT_RGBx, FORGE_PIXEL_RGBX },
  { GST_VIDEO_FORMAT_BGRx, FORGE_PIXEL_BGRX },
  { GST_VIDEO_FORMAT_xRGB, FORGE_PIXEL_XRGB },
  { GST_VIDEO_FORMAT_xBGR, FORGE_PIXEL_XBGR },
  { GST_VIDEO_FORMAT_RGBA, FORGE_PIXEL_RGBX },
  { GST_VIDEO_FORMAT_BGRA, FORGE_PIXEL_BGRX },
  { GST_VIDEO_FORMAT_ARGB, FORGE_PIXEL_XRGB },
  { GST_VIDEO_FORMAT_ABGR, FORGE_PIXEL_XBGR },
  { GST_VIDEO_FORMAT_GRAY8, FORGE_PIXEL_GRAY8 },
  { GST_VIDEO_FORMAT_NV12, FORGE_PIXEL_NV12 },
  { GST_VIDEO_FORMAT_NV21, FORGE_PIXEL_NV21 },
  { GST_VIDEO_FORMAT_I420, FORGE_PIXEL_I420 },
  { GST_VIDEO_FORMAT_YV12, FORGE_PIXEL_YV12 },
  { GST_VIDEO_FORMAT_YUY2, FORGE_PIXEL_YUY2 },
  { GST_VIDEO_FORMAT_UYVY, FORGE_PIXEL_UYVY },
};

static ForgeColourMatrix
matrix_from_video (GstVideoColorMatrix matrix)
{
  switch (matrix) {
  case GST_VIDEO_COLOR_MATRIX_BT709:
    return FORGE_MATRIX_BT709;
  case GST_VIDEO_COLOR_MATRIX_BT2020:
    return FORGE_MATRIX_BT2020;
  case GST_VIDEO_COLOR_MATRIX_SMPTE240M:
    return FORGE_MATRIX_SMPTE240M;
  case GST_VIDEO_COLOR_MATRIX_FCC:
    return FORGE_MATRIX_FCC;
  default: /* unknown: what GStreamer assumes of small pictures */
    return FORGE_MATRIX_BT601;
  }
}

/* TRUE for JPEG and MPEG-1, webcams for one. What says nothing of it comes
 * from newer codecs, whose chroma lies on the left. */
static gboolean
is_chroma_centred (GstVideoChromaSite site)
{
  return site != GST_VIDEO_CHROMA_SITE_UNKNOWN &&
         !(site & GST_VIDEO_CHROMA_SITE_H_COSITED);
}

/* Pixels that share a chroma sample along each axis: 1 or 2 here. */
static void
chroma_block (const GstVideoFormatInfo *finfo, gint *width, gint *height)
{
  *width = *height = 1;
  for (guint c = 0; c < GST_VIDEO_FORMAT_INFO_N_COMPONENTS (finfo); c++) {
    *width = MAX (*width, 1 << GST_VIDEO_FORMAT_INFO_W_SUB (finfo, c));
    *height = MAX (*height, 1 << GST_VIDEO_FORMAT_INFO_H_SUB (finfo, c));
  }
}

void
gst_forge_visible_rectangle (
    GstBuffer *buffer, const GstVideoInfo *info, GstVideoRectangle *visible)
{
  gint width = GST_VIDEO_INFO_WIDTH (info);
  gint height = GST_VIDEO_INFO_HEIGHT (info);
  *visible = (GstVideoRectangle) { 0, 0, width, height };
  const GstVideoCropMeta *crop = gst_buffer_get_video_crop_meta (buffer);
  if (!crop || crop->x >= (guint) width || crop->y >= (guint) height ||
      crop->width == 0 || crop->height == 0)
    return;

  gint block_w, block_h;
  chroma_block (info->finfo, &block_w, &block_h);
  visible->x = (gint) crop->x - (gint) crop->x % block_w;
  visible->y = (gint) crop->y - (gint) crop->y % block_h;
  visible->w = (gint) MIN (crop->width, (guint) (width - visible->x));
  visible->h = (gint) MIN (crop->height, (guint) (height - visible->y));
}

gboolean
gst_forge_frame_from_video (const GstVideoFrame *video,
    const GstVideoRectangle *visible, ForgeFrame *frame)
{
  const GstVideoInfo *info = &video->info;
  const GstVideoFormatInfo *finfo = info->finfo;
  gsize i = 0;
  while (i < G_N_ELEMENTS (formats) &&
         formats[i].video != GST_VIDEO_INFO_FORMAT (info))
    i++;
  if (i == G_N_ELEMENTS (formats))
    return FALSE;

  *frame = (ForgeFrame) {
    .format = formats[i].pixel,
    .width = visible->w,
    .height = visible->h,
    .matrix = matrix_from_video (info->colorimetry.matrix),
    .full_range = info->colorimetry.range == GST_VIDEO_COLOR_RANGE_0_255,
    .chroma_centred = is_chroma_centred (info->chroma_site),
  };
  for (guint p = 0; p < GST_VIDEO_FRAME_N_PLANES (video); p++) {
    /* The first component found in the plane gives its subsampling. In YUY2
     * and UYVY that is luma, two bytes apart, which fits the even corner. */
    guint c = 0;
    while (GST_VIDEO_FORMAT_INFO_PLANE (finfo, c) != p)
      c++;
    ptrdiff_t stride_bytes = GST_VIDEO_FRAME_PLANE_STRIDE (video, p);
    ptrdiff_t x = visible->x >> GST_VIDEO_FORMAT_INFO_W_SUB (finfo, c);
    ptrdiff_t y = visible->y >> GST_VIDEO_FORMAT_INFO_H_SUB (finfo, c);
    frame->stride_bytes[p] = stride_bytes;
    frame->data[p] = (const uint8_t *) GST_VIDEO_FRAME_PLANE_DATA (video, p) +
                     y * stride_bytes +
                     x * GST_VIDEO_FORMAT_INFO_PSTRIDE (finfo, c);
  }
  return TRUE;
}
