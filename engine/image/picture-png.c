/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * PNG to 8-bit R'G'B'. Palettes and grey are expanded, 16 bits scaled to 8,
 * alpha laid over black; gamma and colour profiles are left alone, as every
 * training framework does. libpng reports errors by longjmp, so that all that
 * lives across a call is kept in one struct outside the jumping frame.
 * Source: PNG specification, third edition; libpng manual 1.6. */
#include "image/picture.h"

#include <png.h>
#include <string.h>

#include "base/alloc.h"
#include "base/reader.h"
#include "forge/error.h"
#include "image/exif.h"

/* Deflate cannot do better than this, so a larger claim is a lie. */
#define DEFLATE_MAX_RATIO 1032

typedef struct {
  png_struct *png;
  png_info *info;
  ForgeReader reader;
  const char *name;
  GError **error;
  ForgePicture *picture;
  uint8_t *rgba;   /* uint8 [height, width, 4]; NULL without alpha */
  uint8_t **rows;  /* [height], of rgba or of the picture */
  int type, depth; /* as the file has them */
} Decoder;

static G_NORETURN void
on_error (png_struct *png, const char *message)
{
  Decoder *decoder = png_get_error_ptr (png);
  if (decoder->error && !*decoder->error)
    g_set_error (decoder->error, FORGE_ERROR, FORGE_ERROR_FORMAT,
        "%s: damaged PNG at byte %zu of %zu: %s", decoder->name,
        decoder->reader.pos_bytes, decoder->reader.size_bytes, message);
  png_longjmp (png, 1);
}

static void
on_warning (png_struct *png, const char *message)
{
}

static void
on_read (png_struct *png, uint8_t *to, size_t n_bytes)
{
  Decoder *decoder = png_get_io_ptr (png);
  const uint8_t *from = forge_reader_take (&decoder->reader, n_bytes);
  if (!from)
    png_error (png, "the file ends too early");
  memcpy (to, from, n_bytes);
}

/* Asks libpng for 8 bits, R'G'B' or R'G'B'A whatever the file has. */
static gboolean
ask_for_rgb (const Decoder *decoder)
{
  png_struct *png = decoder->png;
  int type = png_get_color_type (png, decoder->info);
  gboolean has_alpha = (type & PNG_COLOR_MASK_ALPHA) != 0 ||
                       png_get_valid (png, decoder->info, PNG_INFO_tRNS) != 0;
  png_set_expand (png);
  png_set_scale_16 (png);
  if (!(type & PNG_COLOR_MASK_COLOR))
    png_set_gray_to_rgb (png);
  png_set_interlace_handling (png);
  png_read_update_info (png, decoder->info);
  return has_alpha;
}

/* Fills decoder->rows. */
static gboolean
allocate (Decoder *decoder, gboolean has_alpha)
{
  uint32_t width = png_get_image_width (decoder->png, decoder->info);
  uint32_t height = png_get_image_height (decoder->png, decoder->info);
  decoder->picture =
      forge_picture_new (width, height, decoder->name, decoder->error);
  if (!decoder->picture)
    return FALSE;
  size_t row_bytes = (size_t) width * (has_alpha ? 4 : 3);
  if (has_alpha)
    decoder->rgba = forge_aligned_alloc (row_bytes * height);
  decoder->rows = forge_aligned_alloc (height * sizeof (uint8_t *));
  if (!decoder->rows || (has_alpha && !decoder->rgba)) {
    g_set_error (decoder->error, FORGE_ERROR, FORGE_ERROR_MEMORY,
        "%s: no memory for a picture of %u x %u pixels", decoder->name, width,
        height);
    return FALSE;
  }
  uint8_t *first = has_alpha ? decoder->rgba : decoder->picture->data;
  for (size_t y = 0; y < height; y++)
    decoder->rows[y] = first + y * row_bytes;
  return TRUE;
}

static const char *
describe_mode (const Decoder *decoder, gboolean has_alpha)
{
  static const char *const grey[2][2] = { { "PNG grey", "PNG grey, alpha" },
    { "PNG grey, 16 bits", "PNG grey, alpha, 16 bits" } };
  static const char *const colour[2][2] = { { "PNG colour",
                                                "PNG colour, alpha" },
    { "PNG colour, 16 bits", "PNG colour, alpha, 16 bits" } };
  int type = decoder->type, deep = decoder->depth == 16;
  if (type == PNG_COLOR_TYPE_PALETTE)
    return has_alpha ? "PNG palette, alpha" : "PNG palette";
  return type & PNG_COLOR_MASK_COLOR ? colour[deep][has_alpha]
                                     : grey[deep][has_alpha];
}

/* Where the file says how the camera was held. */
static int
get_orientation (Decoder *decoder)
{
  png_byte *exif = NULL;
  png_uint_32 size_bytes = 0;
  if (!png_get_eXIf_1 (decoder->png, decoder->info, &size_bytes, &exif))
    return 1;
  return forge_exif_orientation (exif, size_bytes);
}

static gboolean
finish (Decoder *decoder)
{
  ForgePicture *picture = decoder->picture;
  if (decoder->rgba)
    forge_picture_blend_over_black (decoder->rgba,
        (size_t) picture->width * (size_t) picture->height, picture->data);
  picture->mode = describe_mode (decoder, decoder->rgba != NULL);
  return forge_picture_make_upright (
      picture, get_orientation (decoder), decoder->name, decoder->error);
}

/* FALSE with the error set, by a jump or not. */
static gboolean
decode (Decoder *decoder)
{
  png_struct *png = decoder->png;
  if (setjmp (png_jmpbuf (png)))
    return FALSE;
  png_set_read_fn (png, decoder, on_read);
  png_read_info (png, decoder->info);
  uint32_t width = png_get_image_width (png, decoder->info);
  uint32_t height = png_get_image_height (png, decoder->info);
  if (!forge_picture_check_size (width, height, decoder->name, decoder->error))
    return FALSE;
  decoder->type = png_get_color_type (png, decoder->info);
  decoder->depth = png_get_bit_depth (png, decoder->info);
  uint64_t raw_bytes =
      (uint64_t) png_get_rowbytes (png, decoder->info) * height;
  if (raw_bytes / DEFLATE_MAX_RATIO > decoder->reader.size_bytes)
    png_error (png, "the file is too short for its size in pixels");
  gboolean has_alpha = ask_for_rgb (decoder);
  if (!allocate (decoder, has_alpha))
    return FALSE;
  png_read_image (png, decoder->rows);
  png_read_end (png, NULL);
  return TRUE;
}

ForgePicture *
forge_picture_load_png (
    const uint8_t *bytes, size_t size_bytes, const char *name, GError **error)
{
  Decoder decoder = { .name = name, .error = error };
  forge_reader_init (&decoder.reader, bytes, size_bytes);
  decoder.png = png_create_read_struct (
      PNG_LIBPNG_VER_STRING, &decoder, on_error, on_warning);
  if (decoder.png)
    decoder.info = png_create_info_struct (decoder.png);
  if (!decoder.info) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_MEMORY,
        "%s: no memory for the PNG decoder", name);
    png_destroy_read_struct (&decoder.png, NULL, NULL);
    return NULL;
  }
  if (!decode (&decoder) || !finish (&decoder))
    g_clear_pointer (&decoder.picture, forge_picture_free);
  png_destroy_read_struct (&decoder.png, &decoder.info, NULL);
  forge_aligned_free (decoder.rgba);
  forge_aligned_free (decoder.rows);
  return decoder.picture;
}
