/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Frame to tensor: geometry, filters and tensor layouts. Frames lie between
 * guard pages (guarded-frame.h), so every case also shows that nothing is
 * read outside. test-imager-formats.c has the pixel formats. */
#include "forge/image.h"

#include <string.h>

#include "base/cpu.h"
#include "forge/error.h"
#include "guarded-frame.h"
#include "image/crop.h"
#include "image/resample.h"

static const ForgeResizePolicy policies[] = { FORGE_RESIZE_STRETCH,
  FORGE_RESIZE_CENTRE_CROP, FORGE_RESIZE_LETTERBOX };
static const ForgeResizeFilter filters[] = { FORGE_FILTER_BILINEAR,
  FORGE_FILTER_ANTIALIAS, FORGE_FILTER_NEAREST };

/* A fresh imager's bytes; (transfer full). */
static uint8_t *
convert (const ForgePreprocess *preprocess, const ForgeFrame *frame)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeImager) imager = forge_imager_new (preprocess);
  size_t count = (size_t) preprocess->width * (size_t) preprocess->height *
                 (size_t) preprocess->channels;
  uint8_t *out =
      g_malloc (count * (preprocess->dtype == FORGE_FLOAT32 ? 4 : 1));
  g_assert_true (forge_imager_convert (imager, frame, out, &error));
  g_assert_no_error (error);
  return out;
}

static void
crop_rectangles_are_as_specified (void)
{
  static const struct {
    ForgeResizePolicy policy;
    int width, height, net_width, net_height;
    ForgeRect source, dest;
  } rows[] = {
    { FORGE_RESIZE_STRETCH, 1920, 1080, 224, 224, { 0, 0, 1920, 1080 },
        { 0, 0, 224, 224 } },
    { FORGE_RESIZE_CENTRE_CROP, 1920, 1080, 224, 224, { 420, 0, 1080, 1080 },
        { 0, 0, 224, 224 } },
    { FORGE_RESIZE_CENTRE_CROP, 1080, 1921, 32, 32, { 0, 420, 1080, 1080 },
        { 0, 0, 32, 32 } },
    { FORGE_RESIZE_CENTRE_CROP, 640, 480, 320, 160, { 0, 80, 640, 320 },
        { 0, 0, 320, 160 } },
    { FORGE_RESIZE_CENTRE_CROP, 32768, 1, 1, 32768, { 16383, 0, 1, 1 },
        { 0, 0, 1, 32768 } },
    { FORGE_RESIZE_LETTERBOX, 1920, 1080, 416, 416, { 0, 0, 1920, 1080 },
        { 0, 91, 416, 234 } },
    { FORGE_RESIZE_LETTERBOX, 3, 4, 9, 9, { 0, 0, 3, 4 }, { 1, 0, 7, 9 } },
    { FORGE_RESIZE_LETTERBOX, 32768, 1, 8, 8, { 0, 0, 32768, 1 },
        { 0, 3, 8, 1 } },
  };
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    ForgeRect source, dest;
    forge_crop (rows[i].policy, rows[i].width, rows[i].height,
        rows[i].net_width, rows[i].net_height, &source, &dest);
    g_assert_cmpmem (
        &source, sizeof source, &rows[i].source, sizeof rows[i].source);
    g_assert_cmpmem (&dest, sizeof dest, &rows[i].dest, sizeof rows[i].dest);
  }
}

static void
names_round_trip (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (policies); i++) {
    ForgeResizePolicy policy;
    g_assert_true (forge_resize_policy_parse (
        forge_resize_policy_name (policies[i]), &policy));
    g_assert_cmpint (policy, ==, policies[i]);
    ForgeResizeFilter filter;
    g_assert_true (forge_resize_filter_parse (
        forge_resize_filter_name (filters[i]), &filter));
    g_assert_cmpint (filter, ==, filters[i]);
  }
  ForgeResizePolicy policy;
  g_assert_false (forge_resize_policy_parse ("squeeze", &policy));
  g_assert_null (forge_resize_policy_name (3));
  g_assert_null (forge_resize_filter_name (-1));
}

static void
taps_sum_to_one_and_stay_inside (void)
{
  static const int sizes[] = { 1, 2, 3, 7, 32, 33, 1000, 32768 };
  for (gsize f = 0; f < G_N_ELEMENTS (filters); f++)
    for (gsize i = 0; i < G_N_ELEMENTS (sizes); i++)
      for (gsize o = 0; o < G_N_ELEMENTS (sizes); o++) {
        ForgeAxis axis = {
          .n_in = sizes[i], .n_out = sizes[o], .extent_q = 4 * sizes[i]
        };
        ForgeTaps taps;
        g_assert_true (forge_taps_init (&taps, filters[f], &axis));
        for (int x = 0; x < taps.n_out; x++) {
          int sum = 0;
          for (int t = 0; t < taps.n_taps; t++) {
            g_assert_cmpint (taps.weights[x * taps.n_taps + t], >=, 0);
            sum += taps.weights[x * taps.n_taps + t];
          }
          g_assert_cmpint (sum, ==, FORGE_WEIGHT_ONE);
          g_assert_cmpint (taps.start[x], >=, x ? taps.start[x - 1] : 0);
          g_assert_cmpint (taps.start[x] + taps.n_taps, <=, sizes[i]);
        }
        forge_taps_clear (&taps);
      }
}

static void
resize_equals_pillow_and_tensorflow (void)
{
  static const struct {
    int width, height, net_width, net_height;
  } rows[] = { { 61, 47, 20, 15 }, { 61, 47, 32, 32 }, { 13, 9, 40, 31 },
    { 320, 180, 32, 18 }, { 17, 64, 17, 5 }, { 1, 7, 3, 3 }, { 500, 3, 2, 3 } };
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++)
    for (gsize f = 0; f < G_N_ELEMENTS (filters); f++) {
      ForgePreprocess preprocess = FORGE_PREPROCESS_DEFAULT;
      preprocess.policy = FORGE_RESIZE_STRETCH;
      preprocess.filter = filters[f];
      preprocess.width = rows[i].net_width;
      preprocess.height = rows[i].net_height;
      g_autofree char *path = g_strdup_printf (
          "%s/tests/unit/image-references/%s-%dx%d-%dx%d.rgb",
          g_getenv ("FORGE_SOURCE_ROOT"), forge_resize_filter_name (filters[f]),
          rows[i].width, rows[i].height, rows[i].net_width, rows[i].net_height);
      g_autofree char *want = NULL;
      gsize want_bytes = 0;
      g_autoptr (GError) error = NULL;
      g_file_get_contents (path, &want, &want_bytes, &error);
      g_assert_no_error (error);
      g_assert_cmpuint (want_bytes, ==,
          (gsize) rows[i].net_width * (gsize) rows[i].net_height * 3);

      GuardedFrame source;
      guarded_frame_init (&source, FORGE_PIXEL_RGB, rows[i].width,
          rows[i].height, 5, FALSE, GUARD_BEHIND);
      guarded_frame_paint (&source);
      g_autofree uint8_t *got = convert (&preprocess, &source.frame);
      int tolerance = filters[f] == FORGE_FILTER_NEAREST ? 0 : 1;
      for (gsize b = 0; b < want_bytes; b++)
        g_assert_cmpint (ABS (got[b] - (int) (uint8_t) want[b]), <=, tolerance);
      guarded_frame_clear (&source);
    }
}

/* A view of a part of a packed frame. */
static ForgeFrame
sub_frame (const ForgeFrame *frame, const ForgeRect *rect)
{
  ForgeFrame part = *frame;
  part.data[0] += rect->y * part.stride_bytes[0] + 3 * rect->x;
  part.width = rect->width;
  part.height = rect->height;
  return part;
}

static void
centre_crop_equals_resize_of_the_cropped_frame (void)
{
  for (gsize f = 0; f < G_N_ELEMENTS (filters); f++) {
    GuardedFrame source;
    guarded_frame_init (
        &source, FORGE_PIXEL_RGB, 81, 46, 0, FALSE, GUARD_BEHIND);
    guarded_frame_paint (&source);
    ForgePreprocess preprocess = FORGE_PREPROCESS_DEFAULT;
    preprocess.filter = filters[f];
    g_autofree uint8_t *got = convert (&preprocess, &source.frame);
    ForgeRect rect, dest;
    forge_crop (FORGE_RESIZE_CENTRE_CROP, 81, 46, 32, 32, &rect, &dest);
    ForgeFrame part = sub_frame (&source.frame, &rect);
    preprocess.policy = FORGE_RESIZE_STRETCH;
    g_autofree uint8_t *want = convert (&preprocess, &part);
    g_assert_cmpmem (got, 32 * 32 * 3, want, 32 * 32 * 3);
    guarded_frame_clear (&source);
  }
}

static void
letterbox_is_the_resized_frame_between_grey_bars (void)
{
  static const int sizes[][2] = { { 81, 46 }, { 46, 81 }, { 5, 64 } };
  for (gsize i = 0; i < G_N_ELEMENTS (sizes); i++) {
    GuardedFrame source;
    guarded_frame_init (&source, FORGE_PIXEL_RGB, sizes[i][0], sizes[i][1], 0,
        FALSE, GUARD_BEHIND);
    guarded_frame_paint (&source);
    ForgePreprocess preprocess = FORGE_PREPROCESS_DEFAULT;
    preprocess.policy = FORGE_RESIZE_LETTERBOX;
    g_autofree uint8_t *got = convert (&preprocess, &source.frame);
    ForgeRect rect, dest;
    forge_crop (
        FORGE_RESIZE_LETTERBOX, sizes[i][0], sizes[i][1], 32, 32, &rect, &dest);
    preprocess.policy = FORGE_RESIZE_STRETCH;
    preprocess.width = dest.width;
    preprocess.height = dest.height;
    g_autofree uint8_t *inside = convert (&preprocess, &source.frame);
    for (int y = 0; y < 32; y++)
      for (int x = 0; x < 32 * 3; x++) {
        int dx = x - 3 * dest.x, dy = y - dest.y;
        gboolean is_bar =
            dx < 0 || dx >= 3 * dest.width || dy < 0 || dy >= dest.height;
        g_assert_cmpint (got[y * 96 + x], ==,
            is_bar ? 114 : inside[dy * 3 * dest.width + dx]);
      }
    guarded_frame_clear (&source);
  }
}

static void
same_size_is_copied_by_every_filter (void)
{
  GuardedFrame source;
  guarded_frame_init (&source, FORGE_PIXEL_RGB, 19, 11, 7, TRUE, GUARD_BEFORE);
  guarded_frame_paint (&source);
  for (gsize f = 0; f < G_N_ELEMENTS (filters); f++) {
    ForgePreprocess preprocess = FORGE_PREPROCESS_DEFAULT;
    preprocess.width = 19;
    preprocess.height = 11;
    preprocess.filter = filters[f];
    for (int bgr = 0; bgr < 2; bgr++) {
      preprocess.bgr = bgr;
      g_autofree uint8_t *got = convert (&preprocess, &source.frame);
      for (int i = 0; i < 19 * 11 * 3; i++) {
        int c = bgr ? 2 - i % 3 : i % 3;
        g_assert_cmpint (
            got[i], ==, *guarded_frame_at (&source, c, i / 3 % 19, i / 57));
      }
    }
  }
  guarded_frame_clear (&source);
}

static void
tensor_layouts_hold_the_same_pixels (void)
{
  enum { W = 12, H = 9 };
  GuardedFrame source;
  guarded_frame_init (
      &source, FORGE_PIXEL_BGRX, 40, 25, 0, FALSE, GUARD_BEHIND);
  guarded_frame_paint (&source);
  ForgePreprocess plain = FORGE_PREPROCESS_DEFAULT;
  plain.width = W;
  plain.height = H;
  plain.policy = FORGE_RESIZE_LETTERBOX;
  g_autofree uint8_t *bytes = convert (&plain, &source.frame);
  for (int variant = 0; variant < 8; variant++) {
    ForgePreprocess preprocess = plain;
    preprocess.bgr = variant & 1;
    preprocess.nchw = (variant & 2) != 0;
    if (variant & 4)
      preprocess.dtype = FORGE_FLOAT32;
    for (int c = 0; c < 3; c++) {
      preprocess.scale[c] = 1 / (float) (50 + c);
      preprocess.bias[c] = (float) -c;
    }
    g_autofree uint8_t *got = convert (&preprocess, &source.frame);
    for (int i = 0; i < W * H * 3; i++) {
      int c = i % 3, pixel = i / 3;
      int at = preprocess.nchw ? c * W * H + pixel : i;
      int byte = bytes[pixel * 3 + (preprocess.bgr ? 2 - c : c)];
      if (variant & 4) {
        float product = (float) byte * preprocess.scale[c];
        float want = product + preprocess.bias[c];
        float found;
        memcpy (&found, got + 4 * at, 4);
        g_assert_cmpfloat (found, ==, want);
      } else {
        g_assert_cmpint (got[at], ==, byte);
      }
    }
  }
  guarded_frame_clear (&source);
}

static void
every_cpu_tier_gives_the_same_bits (void)
{
  static const int sizes[][4] = { { 67, 45, 33, 17 }, { 9, 5, 31, 40 },
    { 640, 30, 64, 8 }, { 3, 3, 1, 1 } };
  uint32_t flags = forge_cpu_flags ();
  ForgeKernels ref, tier;
  forge_kernels_select (FORGE_CPU_REF, &ref);
  for (gsize i = 0; i < G_N_ELEMENTS (sizes); i++)
    for (gsize f = 0; f < G_N_ELEMENTS (filters); f++) {
      const int *size = sizes[i];
      GuardedFrame source;
      guarded_frame_init (
          &source, FORGE_PIXEL_YUY2, size[0], size[1], 0, FALSE, GUARD_BEHIND);
      guarded_frame_paint (&source);
      ForgeResampler resampler;
      ForgeRect rect = { 0, 0, size[0], size[1] };
      g_assert_true (forge_resampler_init (&resampler,
          forge_pixel_layout (FORGE_PIXEL_YUY2), 3, &rect, size[2], size[3],
          filters[f], FALSE));
      uint8_t want[3][64], got[3][64];
      uint8_t *want_rows[3] = { want[0], want[1], want[2] };
      uint8_t *got_rows[3] = { got[0], got[1], got[2] };
      for (uint32_t bit = 1; bit <= flags; bit <<= 1) {
        if (!(flags & bit))
          continue;
        forge_kernels_select (FORGE_CPU_REF | bit, &tier);
        for (int y = 0; y < size[3]; y++) {
          forge_resampler_row (
              &resampler, &ref, &source.frame, y, want_rows, 1);
          forge_resampler_row (
              &resampler, &tier, &source.frame, y, got_rows, 1);
          for (int c = 0; c < 3; c++)
            g_assert_cmpmem (got[c], (gsize) size[2], want[c], (gsize) size[2]);
        }
      }
      forge_resampler_clear (&resampler);
      guarded_frame_clear (&source);
    }
}

static void
one_imager_follows_changing_frames (void)
{
  static const int sizes[][2] = { { 40, 30 }, { 32, 32 }, { 40, 30 },
    { 1, 9 } };
  ForgePreprocess preprocess = FORGE_PREPROCESS_DEFAULT;
  g_autoptr (ForgeImager) imager = forge_imager_new (&preprocess);
  uint8_t got[32 * 32 * 3];
  for (gsize i = 0; i < G_N_ELEMENTS (sizes); i++)
    for (int format = 0; format <= FORGE_PIXEL_UYVY; format++) {
      GuardedFrame source;
      guarded_frame_init (
          &source, format, sizes[i][0], sizes[i][1], 0, FALSE, GUARD_BEHIND);
      guarded_frame_paint (&source);
      g_autoptr (GError) error = NULL;
      g_assert_true (forge_imager_convert (imager, &source.frame, got, &error));
      g_autofree uint8_t *want = convert (&preprocess, &source.frame);
      g_assert_cmpmem (got, sizeof got, want, sizeof got);
      guarded_frame_clear (&source);
    }
}

static void
values_out_of_range_are_errors (void)
{
  uint8_t byte = 0, out[64 * 64 * 3];
  const ForgeFrame good = {
    .format = FORGE_PIXEL_RGB, .width = 1, .height = 1, .data = { &byte }
  };
  ForgeFrame frames[] = { good, good, good, good, good, good };
  frames[0].width = 0;
  frames[1].height = -1;
  frames[2].width = 32769;
  frames[3].format = FORGE_PIXEL_UYVY + 1;
  frames[4].format = FORGE_PIXEL_NV12; /* without a second plane */
  frames[5].data[0] = NULL;
  ForgePreprocess preprocess = FORGE_PREPROCESS_DEFAULT;
  g_autoptr (ForgeImager) imager = forge_imager_new (&preprocess);
  for (gsize i = 0; i < G_N_ELEMENTS (frames); i++) {
    g_autoptr (GError) error = NULL;
    g_assert_false (forge_imager_convert (imager, &frames[i], out, &error));
    g_assert_error (error, FORGE_ERROR, FORGE_ERROR_ARGUMENT);
  }

  ForgePreprocess networks[] = { preprocess, preprocess, preprocess, preprocess,
    preprocess, preprocess };
  networks[0].width = 0;
  networks[1].height = 32769;
  networks[2].channels = 2;
  networks[3].dtype = FORGE_INT8;
  networks[4].policy = 3;
  networks[5].filter = 3;
  for (gsize i = 0; i < G_N_ELEMENTS (networks); i++) {
    g_autoptr (GError) error = NULL;
    g_autoptr (ForgeImager) bad = forge_imager_new (&networks[i]);
    g_assert_false (forge_imager_convert (bad, &good, out, &error));
    g_assert_error (error, FORGE_ERROR, FORGE_ERROR_ARGUMENT);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name) g_test_add_func ("/imager/" #name, name)
  ADD (crop_rectangles_are_as_specified);
  ADD (names_round_trip);
  ADD (taps_sum_to_one_and_stay_inside);
  ADD (resize_equals_pillow_and_tensorflow);
  ADD (centre_crop_equals_resize_of_the_cropped_frame);
  ADD (letterbox_is_the_resized_frame_between_grey_bars);
  ADD (same_size_is_copied_by_every_filter);
  ADD (tensor_layouts_hold_the_same_pixels);
  ADD (every_cpu_tier_gives_the_same_bits);
  ADD (one_imager_follows_changing_frames);
  ADD (values_out_of_range_are_errors);
#undef ADD
  return g_test_run ();
}
