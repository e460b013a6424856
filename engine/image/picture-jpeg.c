/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * JPEG to 8-bit R'G'B', baseline and progressive, grey, colour or CMYK, turned
 * upright. libjpeg
 * reports errors through a callback that must not return, hence the longjmp;
 * all that lives across a call is kept in one struct outside the jumping
 * frame. Where libjpeg would paint what is missing grey and only warn, this
 * is an error: a half picture must not be classified or trained on. */
#include "image/picture.h"

#include <setjmp.h>
#include <stdio.h>
#include <string.h>

#include <jpeglib.h>
#include <jerror.h>

#include "forge/error.h"
#include "image/exif.h"

/* A progressive file of a few bytes can ask for any number of passes over a
 * huge picture; encoders write about ten. */
#define MAX_SCANS 100
/* A Huffman code of one bit for every block of 8x8 is the least there is. */
#define MAX_PIXELS_PER_BYTE 512
/* Coefficients of a progressive picture within the bounds, and to spare. */
#define MAX_MEMORY_BYTES (1L << 30)

typedef struct {
  struct jpeg_decompress_struct jpeg; /* jpeg.client_data is the decoder */
  struct jpeg_error_mgr errors;
  struct jpeg_progress_mgr progress;
  jmp_buf jump;
  const char *name;
  GError **error;
  ForgePicture *picture;
  uint8_t *cmyk; /* one row; NULL unless the file is CMYK */
} Decoder;

static G_NORETURN void
fail (Decoder *decoder, ForgeErrorCode code, const char *message)
{
  if (decoder->error && !*decoder->error)
    g_set_error (decoder->error, FORGE_ERROR, code, "%s: %s%s", decoder->name,
        code == FORGE_ERROR_FORMAT ? "damaged JPEG: " : "", message);
  longjmp (decoder->jump, 1);
}

static G_NORETURN void
on_error (j_common_ptr jpeg)
{
  char message[JMSG_LENGTH_MAX];
  int code = jpeg->err->msg_code;
  jpeg->err->format_message (jpeg, message);
  fail (jpeg->client_data,
      code == JERR_OUT_OF_MEMORY        ? FORGE_ERROR_MEMORY
      : code == JERR_SOF_UNSUPPORTED    ? FORGE_ERROR_UNSUPPORTED
      : code == JERR_CONVERSION_NOTIMPL ? FORGE_ERROR_UNSUPPORTED
                                        : FORGE_ERROR_FORMAT,
      message);
}

/* @level -1 is a warning: the pixels are no longer those of the encoder,
 * except for stray bytes between segments and odd markers. */
static void
on_message (j_common_ptr jpeg, int level)
{
  int code = jpeg->err->msg_code;
  if (level == -1 && code != JWRN_EXTRANEOUS_DATA && code != JWRN_ADOBE_XFORM)
    on_error (jpeg);
}

static void
on_progress (j_common_ptr jpeg)
{
  Decoder *decoder = jpeg->client_data;
  if (decoder->jpeg.input_scan_number > MAX_SCANS)
    fail (decoder, FORGE_ERROR_UNSUPPORTED, "JPEG with more than 100 scans");
}

static gboolean
is_cmyk (const struct jpeg_decompress_struct *jpeg)
{
  return jpeg->jpeg_color_space == JCS_CMYK ||
         jpeg->jpeg_color_space == JCS_YCCK;
}

/* FALSE, or a jump, with the error set. */
static gboolean
check_header (Decoder *decoder, size_t size_bytes)
{
  const struct jpeg_decompress_struct *jpeg = &decoder->jpeg;
  uint64_t width = jpeg->image_width, height = jpeg->image_height;
  if (!forge_picture_check_size (width, height, decoder->name, decoder->error))
    return FALSE;
  if (jpeg->jpeg_color_space != JCS_GRAYSCALE &&
      jpeg->jpeg_color_space != JCS_YCbCr &&
      jpeg->jpeg_color_space != JCS_RGB && !is_cmyk (jpeg))
    fail (decoder, FORGE_ERROR_UNSUPPORTED,
        "JPEG in an unusual colour space, expected grey, Y'CbCr, R'G'B' or "
        "CMYK");
  if (jpeg->arith_code)
    fail (decoder, FORGE_ERROR_UNSUPPORTED,
        "arithmetic-coded JPEG, expected Huffman codes");
  if (width * height / MAX_PIXELS_PER_BYTE > size_bytes)
    fail (decoder, FORGE_ERROR_FORMAT,
        "the file is too short for its size in pixels");
  return TRUE;
}

/* From CMYK as if the inks were ideal. Adobe's files, which are all that one
 * meets, hold 255 minus the ink. */
static void
row_from_cmyk (const uint8_t *cmyk, size_t n, gboolean inverted, uint8_t *rgb)
{
  for (size_t x = 0; x < n; x++, cmyk += 4)
    for (size_t c = 0; c < 3; c++) {
      int light = inverted ? cmyk[c] : 255 - cmyk[c];
      int black = inverted ? cmyk[3] : 255 - cmyk[3];
      *rgb++ = (uint8_t) ((light * black + 127) / 255);
    }
}

static void
read_row (Decoder *decoder, uint8_t *out)
{
  struct jpeg_decompress_struct *jpeg = &decoder->jpeg;
  JSAMPROW row = jpeg->out_color_components == 4 ? decoder->cmyk : out;
  jpeg_read_scanlines (jpeg, &row, 1);
  if (row != out)
    row_from_cmyk (row, jpeg->output_width, jpeg->saw_Adobe_marker, out);
}

static const char *
describe_mode (const struct jpeg_decompress_struct *jpeg)
{
  if (is_cmyk (jpeg))
    return "JPEG CMYK";
  return jpeg->jpeg_color_space == JCS_GRAYSCALE ? "JPEG grey" : "JPEG colour";
}

/* The first EXIF block says how the camera was held. */
static int
find_orientation (const struct jpeg_decompress_struct *jpeg)
{
  for (jpeg_saved_marker_ptr m = jpeg->marker_list; m; m = m->next)
    if (m->marker == JPEG_APP0 + 1 && m->data_length > 6 &&
        memcmp (m->data, "Exif\0", 6) == 0)
      return forge_exif_orientation (m->data + 6, m->data_length - 6);
  return 1;
}

/* FALSE with the error set, by a jump or not. */
static gboolean
decode (Decoder *decoder, const uint8_t *bytes, size_t size_bytes)
{
  struct jpeg_decompress_struct *jpeg = &decoder->jpeg;
  if (setjmp (decoder->jump))
    return FALSE;
  jpeg_create_decompress (jpeg);
  jpeg->client_data = decoder;
  jpeg->progress = &decoder->progress;
  jpeg_mem_src (jpeg, bytes, (unsigned long) size_bytes);
  jpeg->mem->max_memory_to_use = MAX_MEMORY_BYTES;
  jpeg_save_markers (jpeg, JPEG_APP0 + 1, 0xffff);
  jpeg_read_header (jpeg, TRUE);
  if (!check_header (decoder, size_bytes))
    return FALSE;
  jpeg->out_color_space = is_cmyk (jpeg) ? JCS_CMYK : JCS_RGB;
  jpeg->dct_method = JDCT_ISLOW;
  decoder->picture = forge_picture_new (
      jpeg->image_width, jpeg->image_height, decoder->name, decoder->error);
  if (!decoder->picture)
    return FALSE;
  if (is_cmyk (jpeg))
    decoder->cmyk = g_malloc (4 * (size_t) jpeg->image_width);
  jpeg_start_decompress (jpeg);
  while (jpeg->output_scanline < jpeg->output_height)
    read_row (decoder, decoder->picture->data + (size_t) jpeg->output_scanline *
                                                    jpeg->output_width * 3);
  /* Finishing drops the markers. */
  int orientation = find_orientation (jpeg);
  decoder->picture->mode = describe_mode (jpeg);
  jpeg_finish_decompress (jpeg);
  return forge_picture_make_upright (
      decoder->picture, orientation, decoder->name, decoder->error);
}

ForgePicture *
forge_picture_load_jpeg (
    const uint8_t *bytes, size_t size_bytes, const char *name, GError **error)
{
  Decoder decoder = { .name = name, .error = error };
  decoder.jpeg.err = jpeg_std_error (&decoder.errors);
  decoder.jpeg.client_data = &decoder;
  decoder.errors.error_exit = on_error;
  decoder.errors.emit_message = on_message;
  decoder.progress.progress_monitor = on_progress;
  if (!decode (&decoder, bytes, size_bytes))
    g_clear_pointer (&decoder.picture, forge_picture_free);
  jpeg_destroy_decompress (&decoder.jpeg);
  g_free (decoder.cmyk);
  return decoder.picture;
}
