/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Loading PNG, JPEG and WebP pictures. The files are encoded here with libpng,
 * libjpeg and libwebp from pixels that a formula gives, then loaded whole, cut
 * short and damaged. */
#include "forge/image.h"

#include <png.h>
#include <stdio.h>
#include <string.h>

#include <glib/gstdio.h>
#include <jpeglib.h>

#include "base/rng.h"
#include "forge/error.h"

#ifdef FORGE_HAVE_WEBP
#include <webp/encode.h>
#endif

enum { W = 24, H = 17 };

typedef struct {
  int type, depth, interlace;
} PngCase;

static const PngCase png_cases[] = {
  { PNG_COLOR_TYPE_GRAY, 1, PNG_INTERLACE_NONE },
  { PNG_COLOR_TYPE_GRAY, 4, PNG_INTERLACE_NONE },
  { PNG_COLOR_TYPE_GRAY, 8, PNG_INTERLACE_NONE },
  { PNG_COLOR_TYPE_GRAY, 16, PNG_INTERLACE_ADAM7 },
  { PNG_COLOR_TYPE_GRAY_ALPHA, 8, PNG_INTERLACE_NONE },
  { PNG_COLOR_TYPE_GRAY_ALPHA, 16, PNG_INTERLACE_NONE },
  { PNG_COLOR_TYPE_PALETTE, 4, PNG_INTERLACE_NONE },
  { PNG_COLOR_TYPE_PALETTE, 8, PNG_INTERLACE_ADAM7 },
  { PNG_COLOR_TYPE_RGB, 8, PNG_INTERLACE_NONE },
  { PNG_COLOR_TYPE_RGB, 8, PNG_INTERLACE_ADAM7 },
  { PNG_COLOR_TYPE_RGB, 16, PNG_INTERLACE_NONE },
  { PNG_COLOR_TYPE_RGB_ALPHA, 8, PNG_INTERLACE_NONE },
  { PNG_COLOR_TYPE_RGB_ALPHA, 16, PNG_INTERLACE_ADAM7 },
};

/* Smooth, so that JPEG keeps it: R, G, B, alpha, grey. */
static int
smooth (int x, int y, int c)
{
  const int values[] = { x * 10, y * 14, 240 - 5 * x - 6 * y, 255 - 9 * x,
    x * 6 + y * 6 };
  return values[c];
}

static png_color
palette_entry (int i)
{
  return (png_color) { (png_byte) (i * 16), (png_byte) (255 - i * 16),
    (png_byte) (i * i) };
}

static int
over_black (int value, int alpha)
{
  return (value * alpha + 127) / 255;
}

static int
expected (const PngCase *format, int x, int y, int c)
{
  int grey = smooth (x, y, 4), alpha = smooth (x, y, 3);
  png_color entry = palette_entry ((x + y) & 15);
  const int entry_rgb[] = { entry.red, entry.green, entry.blue };
  switch (format->type) {
  case PNG_COLOR_TYPE_GRAY:
    return format->depth == 1   ? ((x + y) & 1) * 255
           : format->depth == 4 ? (grey >> 4) * 17
                                : grey;
  case PNG_COLOR_TYPE_GRAY_ALPHA:
    return over_black (grey, alpha);
  case PNG_COLOR_TYPE_PALETTE:
    return over_black (entry_rgb[c], ((x + y) & 15) * 17);
  case PNG_COLOR_TYPE_RGB:
    return smooth (x, y, c);
  default:
    return over_black (smooth (x, y, c), alpha);
  }
}

static void
append_png (png_struct *png, png_byte *bytes, size_t n_bytes)
{
  g_byte_array_append (png_get_io_ptr (png), bytes, (guint) n_bytes);
}

static void
flush_png (png_struct *png)
{
}

/* One row of samples, one byte each (16 bits: two), before packing. */
static void
fill_png_row (const PngCase *format, int y, uint8_t *row)
{
  static const int components[][4] = { [PNG_COLOR_TYPE_GRAY] = { 4 },
    [PNG_COLOR_TYPE_GRAY_ALPHA] = { 4, 3 },
    [PNG_COLOR_TYPE_RGB] = { 0, 1, 2 },
    [PNG_COLOR_TYPE_RGB_ALPHA] = { 0, 1, 2, 3 } };
  static const int counts[] = { [PNG_COLOR_TYPE_GRAY] = 1,
    [PNG_COLOR_TYPE_GRAY_ALPHA] = 2,
    [PNG_COLOR_TYPE_RGB] = 3,
    [PNG_COLOR_TYPE_RGB_ALPHA] = 4,
    [PNG_COLOR_TYPE_PALETTE] = 1 };
  for (int x = 0; x < W; x++)
    for (int c = 0; c < counts[format->type]; c++) {
      int value = format->type == PNG_COLOR_TYPE_PALETTE
                      ? (x + y) & 15
                      : smooth (x, y, components[format->type][c]);
      if (format->type == PNG_COLOR_TYPE_GRAY && format->depth < 8)
        value = format->depth == 1 ? (x + y) & 1 : value >> 4;
      *row++ = (uint8_t) value;
      if (format->depth == 16)
        *row++ = (uint8_t) value;
    }
}

static GByteArray *
encode_png (const PngCase *format)
{
  GByteArray *file = g_byte_array_new ();
  png_struct *png =
      png_create_write_struct (PNG_LIBPNG_VER_STRING, NULL, NULL, NULL);
  png_info *info = png_create_info_struct (png);
  png_set_write_fn (png, file, append_png, flush_png);
  png_set_IHDR (png, info, W, H, format->depth, format->type, format->interlace,
      PNG_COMPRESSION_TYPE_BASE, PNG_FILTER_TYPE_BASE);
  if (format->type == PNG_COLOR_TYPE_PALETTE) {
    png_color palette[16];
    png_byte alpha[16];
    for (int i = 0; i < 16; i++) {
      palette[i] = palette_entry (i);
      alpha[i] = (png_byte) (i * 17);
    }
    png_set_PLTE (png, info, palette, 16);
    png_set_tRNS (png, info, alpha, 16, NULL);
  }
  png_write_info (png, info);
  png_set_packing (png);
  uint8_t pixels[H][W * 8];
  png_byte *rows[H];
  for (int y = 0; y < H; y++) {
    fill_png_row (format, y, pixels[y]);
    rows[y] = pixels[y];
  }
  png_write_image (png, rows);
  png_write_end (png, info);
  png_destroy_write_struct (&png, &info);
  return file;
}

typedef struct {
  J_COLOR_SPACE in, in_file;
  int n_components;
  gboolean is_progressive;
} JpegCase;

static const JpegCase jpeg_cases[] = {
  { JCS_GRAYSCALE, JCS_GRAYSCALE, 1, FALSE },
  { JCS_GRAYSCALE, JCS_GRAYSCALE, 1, TRUE },
  { JCS_RGB, JCS_YCbCr, 3, FALSE },
  { JCS_RGB, JCS_YCbCr, 3, TRUE },
  { JCS_RGB, JCS_RGB, 3, FALSE },
  { JCS_CMYK, JCS_CMYK, 4, FALSE },
  { JCS_CMYK, JCS_YCCK, 4, TRUE },
};

/* A TIFF block with a directory of two entries, the orientation last. */
static GByteArray *
make_exif (int orientation, gboolean big_endian)
{
  const struct {
    uint32_t value;
    int n_bytes;
  } numbers[] = { { 42, 2 }, { 8, 4 }, { 2, 2 }, { 0x100, 2 }, { 3, 2 },
    { 1, 4 }, { 7, 2 }, { 0, 2 }, { 0x112, 2 }, { 3, 2 }, { 1, 4 },
    { (uint32_t) orientation, 2 }, { 0, 2 }, { 0, 4 } };
  GByteArray *exif = g_byte_array_new ();
  g_byte_array_append (exif, (const guint8 *) (big_endian ? "MM" : "II"), 2);
  for (gsize i = 0; i < G_N_ELEMENTS (numbers); i++)
    for (int b = 0; b < numbers[i].n_bytes; b++) {
      int place = big_endian ? numbers[i].n_bytes - 1 - b : b;
      guint8 byte = (guint8) (numbers[i].value >> 8 * place);
      g_byte_array_append (exif, &byte, 1);
    }
  return exif;
}

/* @exif is nullable. */
static GByteArray *
encode_jpeg_with (const JpegCase *format, const GByteArray *exif)
{
  struct jpeg_compress_struct jpeg;
  struct jpeg_error_mgr errors;
  unsigned char *bytes = NULL;
  unsigned long size_bytes = 0;
  jpeg.err = jpeg_std_error (&errors);
  jpeg_create_compress (&jpeg);
  jpeg_mem_dest (&jpeg, &bytes, &size_bytes);
  jpeg.image_width = W;
  jpeg.image_height = H;
  jpeg.input_components = format->n_components;
  jpeg.in_color_space = format->in;
  jpeg_set_defaults (&jpeg);
  jpeg_set_colorspace (&jpeg, format->in_file);
  jpeg_set_quality (&jpeg, 98, TRUE);
  if (format->is_progressive)
    jpeg_simple_progression (&jpeg);
  jpeg_start_compress (&jpeg, TRUE);
  if (exif) {
    g_autoptr (GByteArray) body = g_byte_array_new ();
    g_byte_array_append (body, (const guint8 *) "Exif\0", 6);
    g_byte_array_append (body, exif->data, exif->len);
    jpeg_write_marker (&jpeg, JPEG_APP0 + 1, body->data, body->len);
  }
  for (int y = 0; y < H; y++) {
    JSAMPLE pixels[W * 4];
    JSAMPROW row = pixels;
    for (int i = 0; i < W * format->n_components; i++) {
      int c = format->n_components == 1 ? 4 : i % format->n_components;
      pixels[i] = (JSAMPLE) smooth (i / format->n_components, y, c);
    }
    jpeg_write_scanlines (&jpeg, &row, 1);
  }
  jpeg_finish_compress (&jpeg);
  jpeg_destroy_compress (&jpeg);
  GByteArray *file = g_byte_array_new ();
  g_byte_array_append (file, bytes, (guint) size_bytes);
  free (bytes);
  return file;
}

static GByteArray *
encode_jpeg (const JpegCase *format)
{
  return encode_jpeg_with (format, NULL);
}

static void
png_of_every_type_gives_its_pixels (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (png_cases); i++) {
    g_autoptr (GByteArray) file = encode_png (&png_cases[i]);
    g_autoptr (GError) error = NULL;
    g_autoptr (ForgePicture) picture =
        forge_picture_load_bytes (file->data, file->len, "case", &error);
    g_assert_no_error (error);
    g_assert_cmpint (picture->width, ==, W);
    g_assert_cmpint (picture->height, ==, H);
    for (int b = 0; b < W * H * 3; b++)
      g_assert_cmpint (picture->data[b], ==,
          expected (&png_cases[i], b / 3 % W, b / 3 / W, b % 3));
  }
}

static void
jpeg_of_every_type_gives_its_pixels (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (jpeg_cases); i++) {
    g_autoptr (GByteArray) file = encode_jpeg (&jpeg_cases[i]);
    g_autoptr (GError) error = NULL;
    g_autoptr (ForgePicture) picture =
        forge_picture_load_bytes (file->data, file->len, "case", &error);
    g_assert_no_error (error);
    g_assert_cmpint (picture->width, ==, W);
    g_assert_cmpint (picture->height, ==, H);
    for (int b = 0; b < W * H * 3; b++) {
      int c = jpeg_cases[i].n_components == 1 ? 4 : b % 3;
      int x = b / 3 % W, y = b / 3 / W, want = smooth (x, y, c);
      if (jpeg_cases[i].n_components == 4)
        want = over_black (want, smooth (x, y, 3));
      g_assert_cmpint (ABS (picture->data[b] - want), <=, 12);
    }
  }
}

/* Where EXIF says the 0th row and column of the stored picture are seen. */
static void
seen_at (int orientation, int x, int y, int *seen_x, int *seen_y)
{
  gboolean swapped = orientation >= 5;
  gboolean row_is_far = orientation == 3 || orientation == 4 ||
                        orientation == 6 || orientation == 7;
  gboolean column_is_far = orientation == 2 || orientation == 3 ||
                           orientation == 7 || orientation == 8;
  int across = column_is_far ? W - 1 - x : x;
  int down = row_is_far ? H - 1 - y : y;
  *seen_x = swapped ? down : across;
  *seen_y = swapped ? across : down;
}

static void
assert_turned (
    const GByteArray *file, int orientation, int tolerance, const char *mode)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgePicture) picture =
      forge_picture_load_bytes (file->data, file->len, "turned", &error);
  g_assert_no_error (error);
  g_assert_cmpint (picture->width, ==, orientation >= 5 ? H : W);
  g_assert_cmpint (picture->height, ==, orientation >= 5 ? W : H);
  g_assert_cmpstr (picture->mode, ==, mode);
  for (int b = 0; b < W * H * 3; b++) {
    int x = b / 3 % W, y = b / 3 / W, seen_x, seen_y;
    seen_at (orientation, x, y, &seen_x, &seen_y);
    int found = picture->data[3 * (seen_y * picture->width + seen_x) + b % 3];
    g_assert_cmpint (ABS (found - smooth (x, y, b % 3)), <=, tolerance);
  }
}

static void
exif_orientation_is_honoured (void)
{
  const JpegCase colour = { JCS_RGB, JCS_RGB, 3, FALSE };
  for (int orientation = 0; orientation <= 9; orientation++)
    for (int big_endian = 0; big_endian < 2; big_endian++) {
      g_autoptr (GByteArray) exif = make_exif (orientation, big_endian);
      g_assert_cmpuint (exif->len, ==, 38);
      g_autoptr (GByteArray) file = encode_jpeg_with (&colour, exif);
      int valid = orientation >= 1 && orientation <= 8 ? orientation : 1;
      assert_turned (file, valid, 12, "JPEG colour");
      /* Cut short, the block says nothing, and the picture is still one. */
      for (guint cut = exif->len; cut-- > 0;) {
        g_byte_array_set_size (exif, cut);
        g_autoptr (GByteArray) bare = encode_jpeg_with (&colour, exif);
        assert_turned (bare, cut >= 34 ? valid : 1, 12, "JPEG colour");
      }
    }
}

#ifdef FORGE_HAVE_WEBP
static GByteArray *
encode_webp (gboolean with_alpha)
{
  uint8_t pixels[H * W * 4], *bytes = NULL;
  int n_channels = with_alpha ? 4 : 3;
  for (int b = 0; b < W * H * n_channels; b++)
    pixels[b] = (uint8_t) smooth (
        b / n_channels % W, b / n_channels / W, b % n_channels);
  gsize size_bytes = with_alpha
                         ? WebPEncodeLosslessRGBA (pixels, W, H, W * 4, &bytes)
                         : WebPEncodeLosslessRGB (pixels, W, H, W * 3, &bytes);
  g_assert_cmpuint (size_bytes, >, 0);
  GByteArray *file = g_byte_array_new ();
  g_byte_array_append (file, bytes, (guint) size_bytes);
  WebPFree (bytes);
  return file;
}

static void
append_chunk (GByteArray *file, const char *tag, const guint8 *body, guint n)
{
  guint32 length = GUINT32_TO_LE (n);
  g_byte_array_append (file, (const guint8 *) tag, 4);
  g_byte_array_append (file, (const guint8 *) &length, 4);
  g_byte_array_append (file, body, n);
  if (n % 2)
    g_byte_array_append (file, (const guint8 *) "", 1);
}

/* The extended container: flags, canvas, then the chunks. */
static GByteArray *
encode_extended_webp (guint8 flags, const GByteArray *exif)
{
  g_autoptr (GByteArray) simple = encode_webp (FALSE);
  const guint8 head[10] = { flags, 0, 0, 0, W - 1, 0, 0, H - 1, 0, 0 };
  GByteArray *file = g_byte_array_new ();
  g_byte_array_append (file, (const guint8 *) "RIFF____WEBP", 12);
  append_chunk (file, "VP8X", head, sizeof head);
  g_byte_array_append (file, simple->data + 12, simple->len - 12);
  append_chunk (file, "EXIF", exif->data, exif->len);
  guint32 length = GUINT32_TO_LE (file->len - 8);
  memcpy (file->data + 4, &length, 4);
  return file;
}

static void
webp_gives_its_pixels (void)
{
  for (int with_alpha = 0; with_alpha < 2; with_alpha++) {
    g_autoptr (GByteArray) file = encode_webp (with_alpha);
    g_autoptr (GError) error = NULL;
    g_autoptr (ForgePicture) picture =
        forge_picture_load_bytes (file->data, file->len, "case", &error);
    g_assert_no_error (error);
    g_assert_cmpint (picture->width, ==, W);
    g_assert_cmpint (picture->height, ==, H);
    for (int b = 0; b < W * H * 3; b++) {
      int x = b / 3 % W, y = b / 3 / W, want = smooth (x, y, b % 3);
      g_assert_cmpint (picture->data[b], ==,
          with_alpha ? over_black (want, smooth (x, y, 3)) : want);
    }
    for (guint left = 12; left < file->len; left++) {
      g_autofree uint8_t *part = g_memdup2 (file->data, left);
      g_autoptr (GError) cut = NULL;
      g_assert_null (forge_picture_load_bytes (part, left, "short", &cut));
      g_assert_error (cut, FORGE_ERROR, FORGE_ERROR_FORMAT);
    }
  }
  for (int orientation = 1; orientation <= 8; orientation++) {
    g_autoptr (GByteArray) exif = make_exif (orientation, TRUE);
    g_autoptr (GByteArray) file = encode_extended_webp (8, exif);
    assert_turned (file, orientation, 0, "WebP colour, lossless");
  }
}

static void
animated_webp_is_refused (void)
{
  g_autoptr (GByteArray) exif = make_exif (1, TRUE);
  g_autoptr (GByteArray) file = encode_extended_webp (2, exif);
  g_autoptr (GError) error = NULL;
  g_assert_null (
      forge_picture_load_bytes (file->data, file->len, "moving.webp", &error));
  g_assert_error (error, FORGE_ERROR, FORGE_ERROR_UNSUPPORTED);
  g_assert_nonnull (strstr (error->message, "moving.webp: animated"));
}
#else
static void
webp_is_refused_by_name (void)
{
  static const char bytes[] = "RIFF\x20\0\0\0WEBPVP8L";
  g_autoptr (GError) error = NULL;
  g_assert_null (
      forge_picture_load_bytes (bytes, sizeof bytes, "a.webp", &error));
  g_assert_error (error, FORGE_ERROR, FORGE_ERROR_UNSUPPORTED);
}
#endif

static void
assert_truncated_is_an_error (const GByteArray *file)
{
  for (guint cut = 1; cut <= file->len; cut += cut < 16 ? 1 : 97) {
    guint left = file->len - cut;
    /* A block of its own size, so that ASan sees a read behind it. */
    g_autofree uint8_t *part = g_memdup2 (file->data, left);
    g_autoptr (GError) error = NULL;
    g_assert_null (forge_picture_load_bytes (part, left, "short.file", &error));
    g_assert_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT);
    g_assert_nonnull (strstr (error->message, "short.file"));
  }
}

static void
truncated_picture_is_an_error (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (png_cases); i++) {
    g_autoptr (GByteArray) file = encode_png (&png_cases[i]);
    assert_truncated_is_an_error (file);
  }
  for (gsize i = 0; i < G_N_ELEMENTS (jpeg_cases); i++) {
    g_autoptr (GByteArray) file = encode_jpeg (&jpeg_cases[i]);
    assert_truncated_is_an_error (file);
  }
}

/* Loads what may be anything: a picture within the bounds or an error. */
static void
load_anything (const uint8_t *bytes, gsize size_bytes)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgePicture) picture =
      forge_picture_load_bytes (bytes, size_bytes, "damaged", &error);
  g_assert_true ((picture != NULL) != (error != NULL));
  if (error)
    g_assert_cmpint (error->domain, ==, FORGE_ERROR);
}

static void
damaged_picture_never_crashes (void)
{
  ForgeRng rng;
  forge_rng_seed (&rng, 1);
  g_test_message ("seed 1");
  for (gsize i = 0; i < G_N_ELEMENTS (png_cases) + G_N_ELEMENTS (jpeg_cases);
       i++) {
    g_autoptr (GByteArray) file =
        i < G_N_ELEMENTS (png_cases)
            ? encode_png (&png_cases[i])
            : encode_jpeg (&jpeg_cases[i - G_N_ELEMENTS (png_cases)]);
    for (int round = 0; round < 200; round++) {
      g_autofree uint8_t *bytes = g_memdup2 (file->data, file->len);
      for (uint32_t n = 1 + forge_rng_below (&rng, 4); n > 0; n--)
        bytes[forge_rng_below (&rng, file->len)] =
            (uint8_t) forge_rng_below (&rng, 256);
      load_anything (bytes, file->len);
    }
    /* The signature, then noise. */
    for (guint b = 8; b < file->len; b++)
      file->data[b] = (uint8_t) forge_rng_below (&rng, 256);
    load_anything (file->data, file->len);
  }
}

static uint32_t
png_crc (const uint8_t *bytes, size_t n_bytes)
{
  uint32_t crc = 0xffffffff;
  for (size_t i = 0; i < n_bytes; i++) {
    crc ^= bytes[i];
    for (int bit = 0; bit < 8; bit++)
      crc = crc & 1 ? crc >> 1 ^ 0xedb88320 : crc >> 1;
  }
  return ~crc;
}

static void
size_in_header_is_bounded (void)
{
  /* IHDR of 40000 x 1, and of 32768 x 8192, without the pixels. */
  static const struct {
    uint8_t size[8];
    ForgeErrorCode code;
  } rows[] = {
    { { 0, 0, 0x9c, 0x40, 0, 0, 0, 1 }, FORGE_ERROR_UNSUPPORTED },
    { { 0, 0, 0x80, 0, 0, 0, 0x20, 0 }, FORGE_ERROR_FORMAT },
  };
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autoptr (GByteArray) file = encode_png (&png_cases[8]);
    memcpy (file->data + 16, rows[i].size, 8);
    uint32_t crc = png_crc (file->data + 12, 17);
    for (int b = 0; b < 4; b++)
      file->data[29 + b] = (uint8_t) (crc >> (24 - 8 * b));
    g_autoptr (GError) error = NULL;
    g_assert_null (
        forge_picture_load_bytes (file->data, file->len, "huge.png", &error));
    g_assert_error (error, FORGE_ERROR, (int) rows[i].code);
  }

  g_autoptr (GByteArray) file = encode_jpeg (&jpeg_cases[2]);
  for (guint b = 0; b + 9 < file->len; b++)
    if (file->data[b] == 0xff && file->data[b + 1] == 0xc0) {
      memcpy (file->data + b + 5, "\x40\x00\x40\x00", 4); /* 16384 square */
      break;
    }
  g_autoptr (GError) error = NULL;
  g_assert_null (
      forge_picture_load_bytes (file->data, file->len, "huge.jpg", &error));
  g_assert_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT);
}

static void
files_are_told_apart_by_content (void)
{
  g_autofree char *folder = g_dir_make_tmp ("forge-picture-XXXXXX", NULL);
  g_autofree char *path = g_build_filename (folder, "wrong-name.jpg", NULL);
  g_autoptr (GByteArray) png = encode_png (&png_cases[8]);
  g_autoptr (GError) error = NULL;
  g_assert_true (g_file_set_contents (
      path, (char *) png->data, (gssize) png->len, &error));
  g_autoptr (ForgePicture) picture = forge_picture_load (path, &error);
  g_assert_no_error (error);
  ForgeFrame frame = forge_picture_frame (picture);
  g_assert_cmpint (frame.width, ==, W);
  g_assert_cmpint (frame.stride_bytes[0], ==, W * 3);
  g_assert_true (frame.data[0] == picture->data);

  g_assert_true (g_file_set_contents (path, "GIF89a..", -1, &error));
  g_assert_null (forge_picture_load (path, &error));
  g_assert_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT);
  g_clear_error (&error);
  g_assert_null (forge_picture_load (folder, &error));
  g_assert_error (error, FORGE_ERROR, FORGE_ERROR_IO);
  g_clear_error (&error);
  g_unlink (path);
  g_assert_null (forge_picture_load (path, &error));
  g_assert_error (error, FORGE_ERROR, FORGE_ERROR_NOT_FOUND);
  g_rmdir (folder);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name) g_test_add_func ("/picture/" #name, name)
  ADD (png_of_every_type_gives_its_pixels);
  ADD (jpeg_of_every_type_gives_its_pixels);
  ADD (exif_orientation_is_honoured);
#ifdef FORGE_HAVE_WEBP
  ADD (webp_gives_its_pixels);
  ADD (animated_webp_is_refused);
#else
  ADD (webp_is_refused_by_name);
#endif
  ADD (truncated_picture_is_an_error);
  ADD (damaged_picture_never_crashes);
  ADD (size_in_header_is_bounded);
  ADD (files_are_told_apart_by_content);
#undef ADD
  return g_test_run ();
}
