/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Every raw format, size, stride and crop gives the right answer, and R'G'B'
 * formats give the same one, bit for bit, as forge_classifier. */
#include <string.h>

#include "fixture.h"
#include "forge/classifier.h"
#include "tiny-model.h"

static const GstVideoFormat formats[] = {
  GST_VIDEO_FORMAT_RGB,
  GST_VIDEO_FORMAT_BGR,
  GST_VIDEO_FORMAT_RGBx,
  GST_VIDEO_FORMAT_BGRx,
  GST_VIDEO_FORMAT_xRGB,
  GST_VIDEO_FORMAT_xBGR,
  GST_VIDEO_FORMAT_RGBA,
  GST_VIDEO_FORMAT_BGRA,
  GST_VIDEO_FORMAT_ARGB,
  GST_VIDEO_FORMAT_ABGR,
  GST_VIDEO_FORMAT_GRAY8,
  GST_VIDEO_FORMAT_NV12,
  GST_VIDEO_FORMAT_NV21,
  GST_VIDEO_FORMAT_I420,
  GST_VIDEO_FORMAT_YV12,
  GST_VIDEO_FORMAT_YUY2,
  GST_VIDEO_FORMAT_UYVY,
};
#define N_RGB_FORMATS 10

static const struct {
  int width, height;
} sizes[] = { { 1, 1 }, { 2, 2 }, { 3, 1 }, { 1, 4 }, { 7, 5 }, { 33, 17 },
  { 64, 48 }, { 161, 119 } };

static const struct {
  guint32 rgb;
  const char *label;
} colours[] = { { 0xff0000, "red" }, { 0x00ff00, "green" },
  { 0x0000ff, "blue" } };

static void
template_caps_have_every_format (void)
{
  g_autoptr (GstElement) element = fixture_plain_element ();
  GstPad *pad = gst_element_get_static_pad (element, "sink");
  g_autoptr (GstCaps) caps = gst_pad_get_pad_template_caps (pad);
  for (gsize i = 0; i < G_N_ELEMENTS (formats); i++) {
    g_autoptr (GstCaps) plain = gst_caps_new_simple ("video/x-raw", "format",
        G_TYPE_STRING, gst_video_format_to_string (formats[i]), "width",
        G_TYPE_INT, 1, "height", G_TYPE_INT, 32767, NULL);
    g_autoptr (GstCaps) overlay = gst_caps_copy (plain);
    gst_caps_set_features (overlay, 0,
        gst_caps_features_new (
            "memory:SystemMemory", "meta:GstVideoOverlayComposition", NULL));
    g_assert_true (gst_caps_can_intersect (caps, plain));
    g_assert_true (gst_caps_can_intersect (caps, overlay));
  }
  gst_object_unref (pad);
}

static void
every_format_and_size_gives_the_right_label (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (formats); i++) {
    g_autoptr (Fixture) fixture = fixture_new (fixture_plain_element ());
    g_autoptr (GstBuffer) out = NULL;
    gboolean grey = formats[i] == GST_VIDEO_FORMAT_GRAY8;
    for (gsize s = 0; s < G_N_ELEMENTS (sizes); s++) {
      fixture_set_caps (
          fixture, formats[i], sizes[s].width, sizes[s].height, NULL);
      for (gsize c = 0; c < G_N_ELEMENTS (colours); c++) {
        const GstStructure *result =
            fixture_push_colour (fixture, colours[c].rgb, &out);
        /* Grey is all three alike, and the lowest id wins. */
        g_assert_cmpstr (result_string (result, "label"), ==,
            grey ? "red" : colours[c].label);
        g_assert_cmpfloat_with_epsilon (
            result_double (result, "confidence"), grey ? 1.0 / 3 : 1.0, 1e-3);
      }
    }
  }
}

/* What the engine itself says of the packed RGB picture. */
static void
classify_rgb (int width, int height, Painter painter, double by_class[3])
{
  g_autoptr (ForgeModel) model = forge_model_load (fixture_model (), NULL);
  g_autoptr (ForgeClassifier) classifier =
      forge_classifier_new (model, NULL, NULL);
  g_autofree uint8_t *pixels = g_malloc ((gsize) (width * height * 3));
  ForgeFrame frame = { .format = FORGE_PIXEL_RGB,
    .width = width,
    .height = height,
    .data = { pixels },
    .stride_bytes = { width * 3 } };
  for (int i = 0; i < width * height; i++) {
    guint32 rgb = painter (i % width, i / width, NULL);
    pixels[3 * i] = rgb >> 16 & 0xff;
    pixels[3 * i + 1] = rgb >> 8 & 0xff;
    pixels[3 * i + 2] = rgb & 0xff;
  }
  g_assert_true (forge_classifier_set_frame (classifier, 0, &frame, NULL));
  forge_classifier_run (classifier);
  for (int c = 0; c < 3; c++)
    by_class[c] =
        (double) forge_classifier_get_probabilities (classifier, 0)[c];
}

static void
assert_same_bits (const double a[3], const double b[3])
{
  for (int c = 0; c < 3; c++)
    g_assert_cmpfloat (a[c], ==, b[c]);
}

static void
rgb_formats_give_the_bits_of_the_engine (void)
{
  for (gsize s = 0; s < G_N_ELEMENTS (sizes); s++) {
    int width = sizes[s].width, height = sizes[s].height;
    double want[3], got[3];
    classify_rgb (width, height, paint_pattern, want);
    for (gsize i = 0; i < N_RGB_FORMATS; i++) {
      g_autoptr (Fixture) fixture = fixture_new (fixture_plain_element ());
      fixture_set_caps (fixture, formats[i], width, height, NULL);
      g_autoptr (GstBuffer) out = fixture_push (
          fixture, frame_new (&fixture->info, paint_pattern, NULL));
      g_assert_cmpuint (result_confidences (result_of (out), got), ==, 3);
      assert_same_bits (got, want);
    }
  }
}

/* The picture with rows padded and planes apart, as decoders make them. */
static void
strides_do_not_matter (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (formats); i++) {
    g_autoptr (Fixture) fixture = fixture_new (fixture_plain_element ());
    fixture_set_caps (fixture, formats[i], 33, 17, NULL);
    GstVideoInfo padded = fixture->info;
    GstVideoAlignment align;
    gst_video_alignment_reset (&align);
    align.padding_right = 22;
    align.padding_bottom = align.padding_top = align.padding_left = 6;
    g_assert_true (gst_video_info_align (&padded, &align));
    g_assert_cmpint (padded.stride[0], >, fixture->info.stride[0]);

    double tight[3], loose[3];
    g_autoptr (GstBuffer) a =
        fixture_push (fixture, frame_new (&fixture->info, paint_pattern, NULL));
    g_autoptr (GstBuffer) b =
        fixture_push (fixture, frame_new (&padded, paint_pattern, NULL));
    result_confidences (result_of (a), tight);
    result_confidences (result_of (b), loose);
    assert_same_bits (tight, loose);
  }
}

#define CROP_X 6
#define CROP_Y 4

static guint32
paint_pattern_from_corner (int x, int y, gpointer data)
{
  return paint_pattern (x + CROP_X, y + CROP_Y, data);
}

static void
crop_meta_is_honoured (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (formats); i++) {
    g_autoptr (Fixture) whole = fixture_new (fixture_plain_element ());
    g_autoptr (Fixture) part = fixture_new (fixture_plain_element ());
    double cropped[3], small[3];
    fixture_set_caps (whole, formats[i], 40, 30, NULL);
    fixture_set_caps (part, formats[i], 11, 9, NULL);
    GstBuffer *frame = frame_new (&whole->info, paint_pattern, NULL);
    GstVideoCropMeta *crop = gst_buffer_add_video_crop_meta (frame);
    crop->x = CROP_X;
    crop->y = CROP_Y;
    crop->width = 11;
    crop->height = 9;
    g_autoptr (GstBuffer) a = fixture_push (whole, frame);
    g_autoptr (GstBuffer) b = fixture_push (
        part, frame_new (&part->info, paint_pattern_from_corner, NULL));
    result_confidences (result_of (a), cropped);
    result_confidences (result_of (b), small);
    assert_same_bits (cropped, small);
  }
}

static void
absurd_crop_stays_inside_the_picture (void)
{
  static const guint rows[][4] = { { 39, 29, 100, 100 }, { 40, 0, 1, 1 },
    { 0, G_MAXUINT, 8, 8 }, { 5, 5, 0, 7 }, { 39, 1, G_MAXUINT, G_MAXUINT } };
  for (gsize i = 0; i < G_N_ELEMENTS (formats); i++) {
    g_autoptr (Fixture) fixture = fixture_new (fixture_plain_element ());
    fixture_set_caps (fixture, formats[i], 40, 30, NULL);
    for (gsize r = 0; r < G_N_ELEMENTS (rows); r++) {
      GstBuffer *frame = frame_new (&fixture->info, paint_pattern, NULL);
      GstVideoCropMeta *crop = gst_buffer_add_video_crop_meta (frame);
      crop->x = rows[r][0];
      crop->y = rows[r][1];
      crop->width = rows[r][2];
      crop->height = rows[r][3];
      g_autoptr (GstBuffer) out = fixture_push (fixture, frame);
      g_assert_nonnull (result_of (out));
    }
    g_assert_cmpuint (fixture_stat (fixture, "errors"), ==, 0);
  }
}

/* The same bytes mean other colours under another matrix and range. */
static void
colorimetry_of_the_caps_is_used (void)
{
  static const struct {
    const char *colorimetry;
    ForgeColourMatrix matrix;
    gboolean full_range;
  } rows[] = { { "2:4:0:0", FORGE_MATRIX_BT601, FALSE },
    { "2:3:0:0", FORGE_MATRIX_BT709, FALSE },
    { "1:4:0:0", FORGE_MATRIX_BT601, TRUE },
    { "2:6:0:0", FORGE_MATRIX_BT2020, FALSE },
    { "1:5:0:0", FORGE_MATRIX_SMPTE240M, TRUE },
    { "2:2:0:0", FORGE_MATRIX_FCC, FALSE } };
  g_autoptr (ForgeModel) model = forge_model_load (fixture_model (), NULL);
  g_autoptr (ForgeClassifier) classifier =
      forge_classifier_new (model, NULL, NULL);
  for (gsize r = 0; r < G_N_ELEMENTS (rows); r++) {
    g_autoptr (Fixture) fixture = fixture_new (fixture_plain_element ());
    GstVideoFrame video;
    double got[3];
    fixture_set_caps (
        fixture, GST_VIDEO_FORMAT_I420, 18, 10, rows[r].colorimetry);
    g_autoptr (GstBuffer) out =
        fixture_push (fixture, frame_new (&fixture->info, COLOUR (0xb04060)));
    result_confidences (result_of (out), got);
    g_assert_true (
        gst_video_frame_map (&video, &fixture->info, out, GST_MAP_READ));
    ForgeFrame frame = { .format = FORGE_PIXEL_I420,
      .width = 18,
      .height = 10,
      .matrix = rows[r].matrix,
      .full_range = rows[r].full_range };
    for (int p = 0; p < 3; p++) {
      frame.data[p] = video.data[p];
      frame.stride_bytes[p] = video.info.stride[p];
    }
    g_assert_true (forge_classifier_set_frame (classifier, 0, &frame, NULL));
    gst_video_frame_unmap (&video);
    forge_classifier_run (classifier);
    for (int c = 0; c < 3; c++)
      g_assert_cmpfloat (got[c], ==,
          (double) forge_classifier_get_probabilities (classifier, 0)[c]);
  }
}

/* The same samples mean other colours where chroma lies elsewhere. */
static void
classify_striped_chroma (GstVideoChromaSite site, double by_class[3])
{
  g_autoptr (Fixture) fixture = fixture_new (fixture_plain_element ());
  fixture_set_caps (fixture, GST_VIDEO_FORMAT_I420, 12, 8, NULL);
  fixture->info.chroma_site = site;
  g_autoptr (GstCaps) caps = gst_video_info_to_caps (&fixture->info);
  if (site == GST_VIDEO_CHROMA_SITE_UNKNOWN)
    gst_structure_remove_field (
        gst_caps_get_structure (caps, 0), "chroma-site");
  gst_harness_set_src_caps (fixture->harness, gst_caps_ref (caps));
  g_autoptr (GstBuffer) out =
      fixture_push (fixture, frame_new (&fixture->info, paint_pattern, NULL));
  g_assert_cmpuint (result_confidences (result_of (out), by_class), ==, 3);
}

static void
chroma_site_of_the_caps_is_used (void)
{
  double left[3], centred[3], jpeg[3], unknown[3];
  classify_striped_chroma (GST_VIDEO_CHROMA_SITE_MPEG2, left);
  classify_striped_chroma (GST_VIDEO_CHROMA_SITE_NONE, centred);
  classify_striped_chroma (GST_VIDEO_CHROMA_SITE_JPEG, jpeg);
  classify_striped_chroma (GST_VIDEO_CHROMA_SITE_UNKNOWN, unknown);
  g_assert_cmpmem (centred, sizeof centred, jpeg, sizeof jpeg);
  g_assert_cmpmem (left, sizeof left, unknown, sizeof unknown);
  g_assert_true (memcmp (left, centred, sizeof left) != 0);
}

int
main (int argc, char **argv)
{
  fixture_init (&argc, &argv);
  g_test_add_func ("/forgeclassify/template_caps_have_every_format",
      template_caps_have_every_format);
  g_test_add_func ("/forgeclassify/every_format_and_size_gives_the_right_label",
      every_format_and_size_gives_the_right_label);
  g_test_add_func ("/forgeclassify/rgb_formats_give_the_bits_of_the_engine",
      rgb_formats_give_the_bits_of_the_engine);
  g_test_add_func (
      "/forgeclassify/strides_do_not_matter", strides_do_not_matter);
  g_test_add_func (
      "/forgeclassify/crop_meta_is_honoured", crop_meta_is_honoured);
  g_test_add_func ("/forgeclassify/absurd_crop_stays_inside_the_picture",
      absurd_crop_stays_inside_the_picture);
  g_test_add_func ("/forgeclassify/colorimetry_of_the_caps_is_used",
      colorimetry_of_the_caps_is_used);
  g_test_add_func ("/forgeclassify/chroma_site_of_the_caps_is_used",
      chroma_site_of_the_caps_is_used);
  return fixture_run ();
}
