/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Pixel formats and colour: that a picture is the same picture however it
 * lies in memory. Frames lie between guard pages (guarded-frame.h). */
#include "forge/image.h"

#include <string.h>

#include "guarded-frame.h"
#include "image/crop.h"
#include "image/pixel-format.h"

#define N_FORMATS (FORGE_PIXEL_UYVY + 1)

static const ForgeResizeFilter filters[] = { FORGE_FILTER_BILINEAR,
  FORGE_FILTER_ANTIALIAS, FORGE_FILTER_NEAREST };
static const ForgeResizePolicy policies[] = { FORGE_RESIZE_STRETCH,
  FORGE_RESIZE_CENTRE_CROP, FORGE_RESIZE_LETTERBOX };

static const struct {
  double kr, kb;
} matrices[] = {
  [FORGE_MATRIX_BT601] = { 0.299, 0.114 },
  [FORGE_MATRIX_BT709] = { 0.2126, 0.0722 },
  [FORGE_MATRIX_BT2020] = { 0.2627, 0.0593 },
  [FORGE_MATRIX_SMPTE240M] = { 0.212, 0.087 },
  [FORGE_MATRIX_FCC] = { 0.30, 0.11 },
};

static void
convert (
    const ForgePreprocess *preprocess, const ForgeFrame *frame, uint8_t *out)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeImager) imager = forge_imager_new (preprocess);
  g_assert_true (forge_imager_convert (imager, frame, out, &error));
  g_assert_no_error (error);
}

/* The definition, in floating point: R', G', B' in 0..255, not rounded. */
static void
rgb_by_formula (const uint8_t *yuv, ForgeColourMatrix matrix,
    gboolean full_range, double *rgb)
{
  double kr = matrices[matrix].kr, kb = matrices[matrix].kb;
  double kg = 1 - kr - kb;
  double y = full_range ? yuv[0] / 255.0 : (yuv[0] - 16) / 219.0;
  double cb = (yuv[1] - 128) / (full_range ? 255.0 : 224.0);
  double cr = (yuv[2] - 128) / (full_range ? 255.0 : 224.0);
  rgb[0] = y + 2 * (1 - kr) * cr;
  rgb[2] = y + 2 * (1 - kb) * cb;
  rgb[1] = (y - kr * rgb[0] - kb * rgb[2]) / kg;
  for (int c = 0; c < 3; c++)
    rgb[c] = 255 * CLAMP (rgb[c], 0, 1);
}

static void
assert_near (int got, double want)
{
  g_assert_cmpfloat (ABS (got - want), <=, 1);
}

static void
constant_colour_equals_the_matrix_formula (void)
{
  static const uint8_t colours[][3] = { { 16, 128, 128 }, { 235, 128, 128 },
    { 81, 90, 240 }, { 145, 54, 34 }, { 41, 240, 110 }, { 0, 0, 0 },
    { 255, 255, 255 }, { 126, 100, 150 }, { 255, 0, 255 } };
  for (guint matrix = 0; matrix < G_N_ELEMENTS (matrices); matrix++)
    for (int full_range = 0; full_range < 2; full_range++)
      for (gsize i = 0; i < G_N_ELEMENTS (colours); i++) {
        GuardedFrame source;
        guarded_frame_init (
            &source, FORGE_PIXEL_NV12, 6, 4, 0, FALSE, GUARD_BEHIND);
        guarded_frame_fill (&source, colours[i]);
        source.frame.matrix = matrix;
        source.frame.full_range = full_range;
        ForgePreprocess preprocess = FORGE_PREPROCESS_DEFAULT;
        preprocess.width = preprocess.height = 4;
        uint8_t got[4 * 4 * 3];
        double want[3], grey[3];
        convert (&preprocess, &source.frame, got);
        rgb_by_formula (colours[i], matrix, full_range, want);
        for (gsize b = 0; b < sizeof got; b++)
          assert_near (got[b], want[b % 3]);

        preprocess.channels = 1;
        convert (&preprocess, &source.frame, got);
        const uint8_t neutral[3] = { colours[i][0], 128, 128 };
        rgb_by_formula (neutral, matrix, full_range, grey);
        for (int b = 0; b < 16; b++)
          assert_near (got[b], grey[1]);
        guarded_frame_clear (&source);
      }
}

/* What a frame filled with @value becomes: R', G', B'. */
static void
expected_constant (
    const GuardedFrame *source, const uint8_t *value, double *rgb)
{
  const ForgePixelLayout *layout = forge_pixel_layout (source->frame.format);
  if (layout->is_yuv)
    rgb_by_formula (value, source->frame.matrix, source->frame.full_range, rgb);
  else
    for (int c = 0; c < 3; c++)
      rgb[c] = layout->n_components == 1 ? value[0] : value[c];
}

static void
resize_keeps_constant_image (void)
{
  static const int sizes[][4] = { { 37, 23, 16, 12 }, { 5, 7, 16, 12 },
    { 200, 3, 5, 5 }, { 16, 12, 16, 12 } };
  static const uint8_t value[3] = { 200, 100, 140 };
  for (int format = 0; format < N_FORMATS; format++)
    for (gsize i = 0; i < G_N_ELEMENTS (sizes); i++)
      for (gsize variant = 0; variant < 9; variant++) {
        GuardedFrame source;
        guarded_frame_init (
            &source, format, sizes[i][0], sizes[i][1], 0, FALSE, GUARD_BEHIND);
        guarded_frame_fill (&source, value);
        ForgePreprocess preprocess = FORGE_PREPROCESS_DEFAULT;
        preprocess.width = sizes[i][2];
        preprocess.height = sizes[i][3];
        preprocess.filter = filters[variant % 3];
        preprocess.policy = policies[variant / 3];
        uint8_t got[16 * 12 * 3];
        convert (&preprocess, &source.frame, got);
        ForgeRect rect, dest;
        forge_crop (preprocess.policy, sizes[i][0], sizes[i][1], sizes[i][2],
            sizes[i][3], &rect, &dest);
        double want[3];
        expected_constant (&source, value, want);
        for (int y = dest.y; y < dest.y + dest.height; y++)
          for (int x = dest.x; x < dest.x + dest.width; x++)
            for (int c = 0; c < 3; c++) {
              int found = got[(y * sizes[i][2] + x) * 3 + c];
              if (forge_pixel_layout (format)->is_yuv)
                assert_near (found, want[c]);
              else
                g_assert_cmpint (found, ==, (int) want[c]);
            }
        guarded_frame_clear (&source);
      }
}

/* The same samples in another format. */
static void
init_like (GuardedFrame *copy, GuardedFrame *original, ForgePixelFormat format)
{
  const ForgeFrame *frame = &original->frame;
  guarded_frame_init (
      copy, format, frame->width, frame->height, 0, FALSE, GUARD_BEHIND);
  copy->frame.matrix = frame->matrix;
  copy->frame.full_range = frame->full_range;
  const ForgePixelLayout *layout = forge_pixel_layout (format);
  for (int c = 0; c < layout->n_components; c++)
    for (int y = 0; y < frame->height; y++)
      for (int x = 0; x < frame->width; x++)
        *guarded_frame_at (copy, c, x, y) =
            *guarded_frame_at (original, c, x, y);
}

/* Every filter, colour and grey, at a few sizes. */
static void
assert_formats_agree (const ForgePixelFormat *formats, gsize n_formats)
{
  static const int sizes[][2] = { { 37, 23 }, { 64, 48 }, { 1, 1 }, { 5, 4 },
    { 16, 12 } };
  for (gsize i = 0; i < G_N_ELEMENTS (sizes); i++)
    for (gsize f = 0; f < G_N_ELEMENTS (filters); f++)
      for (int channels = 1; channels <= 3; channels += 2) {
        ForgePreprocess preprocess = FORGE_PREPROCESS_DEFAULT;
        preprocess.width = 16;
        preprocess.height = 12;
        preprocess.filter = filters[f];
        preprocess.channels = channels;
        GuardedFrame first;
        guarded_frame_init (&first, formats[0], sizes[i][0], sizes[i][1], 3,
            FALSE, GUARD_BEHIND);
        guarded_frame_paint (&first);
        uint8_t want[16 * 12 * 3] = { 0 }, got[16 * 12 * 3] = { 0 };
        convert (&preprocess, &first.frame, want);
        for (gsize n = 1; n < n_formats; n++) {
          GuardedFrame other;
          init_like (&other, &first, formats[n]);
          convert (&preprocess, &other.frame, got);
          g_assert_cmpmem (got, sizeof got, want, sizeof want);
          guarded_frame_clear (&other);
        }
        guarded_frame_clear (&first);
      }
}

static void
rgb_formats_give_identical_bytes (void)
{
  static const ForgePixelFormat formats[] = { FORGE_PIXEL_RGB, FORGE_PIXEL_BGR,
    FORGE_PIXEL_RGBX, FORGE_PIXEL_BGRX, FORGE_PIXEL_XRGB, FORGE_PIXEL_XBGR };
  assert_formats_agree (formats, G_N_ELEMENTS (formats));
}

static void
layouts_of_420_and_of_422_give_identical_bytes (void)
{
  static const ForgePixelFormat yuv420[] = { FORGE_PIXEL_I420, FORGE_PIXEL_YV12,
    FORGE_PIXEL_NV12, FORGE_PIXEL_NV21 };
  static const ForgePixelFormat yuv422[] = { FORGE_PIXEL_YUY2,
    FORGE_PIXEL_UYVY };
  assert_formats_agree (yuv420, G_N_ELEMENTS (yuv420));
  assert_formats_agree (yuv422, G_N_ELEMENTS (yuv422));
}

static void
chroma_without_vertical_change_is_alike_in_420_and_422 (void)
{
  for (gsize f = 0; f < G_N_ELEMENTS (filters); f++) {
    GuardedFrame yuv420, yuv422;
    guarded_frame_init (
        &yuv420, FORGE_PIXEL_I420, 50, 34, 0, FALSE, GUARD_BEHIND);
    guarded_frame_paint (&yuv420);
    for (int c = 1; c < 3; c++)
      for (int y = 0; y < 34; y++)
        for (int x = 0; x < 50; x++)
          *guarded_frame_at (&yuv420, c, x, y) = picture_value (x / 2, 0, c);
    init_like (&yuv422, &yuv420, FORGE_PIXEL_UYVY);
    ForgePreprocess preprocess = FORGE_PREPROCESS_DEFAULT;
    preprocess.filter = filters[f];
    uint8_t want[32 * 32 * 3], got[32 * 32 * 3];
    convert (&preprocess, &yuv420.frame, want);
    convert (&preprocess, &yuv422.frame, got);
    g_assert_cmpmem (got, sizeof got, want, sizeof want);
    guarded_frame_clear (&yuv420);
    guarded_frame_clear (&yuv422);
  }
}

/* At the frame's own size a left-sited chroma sample belongs to the even
 * columns as it is, and the odd ones lie half way to the next. */
static void
chroma_siting_is_honoured (void)
{
  for (int centred = 0; centred < 2; centred++) {
    GuardedFrame source;
    guarded_frame_init (
        &source, FORGE_PIXEL_YUY2, 16, 2, 0, FALSE, GUARD_BEHIND);
    for (int y = 0; y < 2; y++)
      for (int x = 0; x < 16; x++) {
        *guarded_frame_at (&source, 0, x, y) = 128;
        *guarded_frame_at (&source, 1, x, y) = 128;
        *guarded_frame_at (&source, 2, x, y) = (uint8_t) (100 + x / 2 * 8);
      }
    source.frame.full_range = TRUE;
    source.frame.chroma_centred = centred;
    ForgePreprocess preprocess = FORGE_PREPROCESS_DEFAULT;
    preprocess.width = 16;
    preprocess.height = 2;
    preprocess.filter = FORGE_FILTER_BILINEAR;
    uint8_t got[16 * 2 * 3];
    convert (&preprocess, &source.frame, got);
    for (int x = 1; x < 14; x++) {
      uint8_t cr = (uint8_t) (100 + 4 * x - (centred ? 2 : 0));
      const uint8_t yuv[3] = { 128, 128, cr };
      double want[3];
      rgb_by_formula (yuv, FORGE_MATRIX_BT601, TRUE, want);
      assert_near (got[3 * x], want[0]);
    }
    guarded_frame_clear (&source);
  }
}

static void
grey_frame_gives_equal_channels (void)
{
  GuardedFrame source;
  guarded_frame_init (
      &source, FORGE_PIXEL_GRAY8, 31, 30, 2, FALSE, GUARD_BEHIND);
  guarded_frame_paint (&source);
  ForgePreprocess preprocess = FORGE_PREPROCESS_DEFAULT;
  uint8_t colour[32 * 32 * 3], grey[32 * 32];
  convert (&preprocess, &source.frame, colour);
  preprocess.channels = 1;
  convert (&preprocess, &source.frame, grey);
  for (int i = 0; i < 32 * 32 * 3; i++)
    g_assert_cmpint (colour[i], ==, grey[i / 3]);
  guarded_frame_clear (&source);
}

static void
grey_network_sees_bt601_luma (void)
{
  GuardedFrame source;
  guarded_frame_init (
      &source, FORGE_PIXEL_XBGR, 16, 12, 0, FALSE, GUARD_BEHIND);
  guarded_frame_paint (&source);
  ForgePreprocess preprocess = FORGE_PREPROCESS_DEFAULT;
  preprocess.width = 16;
  preprocess.height = 12;
  preprocess.channels = 1;
  uint8_t got[16 * 12];
  convert (&preprocess, &source.frame, got);
  for (int i = 0; i < 16 * 12; i++) {
    int x = i % 16, y = i / 16;
    double want = 0.299 * picture_value (x, y, 0) +
                  0.587 * picture_value (x, y, 1) +
                  0.114 * picture_value (x, y, 2);
    g_assert_cmpfloat (ABS (got[i] - want), <, 0.51);
  }
  guarded_frame_clear (&source);
}

/* The guard pages are the test; and memory order must not matter. */
static void
small_odd_sizes_and_any_stride_stay_inside (void)
{
  uint8_t want[3 * 4 * 3], got[3 * 4 * 3];
  for (int format = 0; format < N_FORMATS; format++)
    for (int size = 0; size < 25; size++)
      for (gsize variant = 0; variant < 9; variant++) {
        ForgePreprocess preprocess = FORGE_PREPROCESS_DEFAULT;
        preprocess.width = 3;
        preprocess.height = 4;
        preprocess.filter = filters[variant % 3];
        preprocess.policy = policies[variant / 3];
        for (int place = 0; place < 8; place++) {
          GuardedFrame source;
          guarded_frame_init (&source, format, 1 + size % 5, 1 + size / 5,
              place & 1 ? 13 : 0, (place & 2) != 0,
              place & 4 ? GUARD_BEFORE : GUARD_BEHIND);
          guarded_frame_paint (&source);
          convert (&preprocess, &source.frame, place ? got : want);
          if (place)
            g_assert_cmpmem (got, sizeof got, want, sizeof want);
          guarded_frame_clear (&source);
        }
      }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name) g_test_add_func ("/imager-formats/" #name, name)
  ADD (constant_colour_equals_the_matrix_formula);
  ADD (resize_keeps_constant_image);
  ADD (rgb_formats_give_identical_bytes);
  ADD (layouts_of_420_and_of_422_give_identical_bytes);
  ADD (chroma_without_vertical_change_is_alike_in_420_and_422);
  ADD (chroma_siting_is_honoured);
  ADD (grey_frame_gives_equal_channels);
  ADD (grey_network_sees_bt601_luma);
  ADD (small_odd_sizes_and_any_stride_stay_inside);
#undef ADD
  return g_test_run ();
}
