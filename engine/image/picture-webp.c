/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * WebP to 8-bit R'G'B', lossy or lossless; alpha is laid over black, as in
 * PNG. libwebp is optional: without it a WebP file is refused by name. An
 * animation is no still picture and is refused too.
 * Source: WebP container specification (RFC 9649). */
#include "image/picture.h"

#include "forge/error.h"

#ifdef FORGE_HAVE_WEBP
#include <string.h>
#include <webp/decode.h>

#include "base/alloc.h"
#include "base/reader.h"
#include "image/exif.h"

/* A picture of one colour takes some 60 bytes, whatever its size; what claims
 * still more pixels for its bytes is after memory. */
#define MAX_PIXELS_PER_BYTE ((uint64_t) 1 << 16)

/* The chunks behind the RIFF header: a tag, a length, padded to even. */
static int
find_orientation (const uint8_t *bytes, size_t size_bytes)
{
  ForgeReader reader;
  forge_reader_init (&reader, bytes, size_bytes);
  forge_reader_take (&reader, 12);
  while (forge_reader_left (&reader) >= 8) {
    const uint8_t *tag = forge_reader_take (&reader, 4);
    size_t length = forge_reader_u32le (&reader);
    const uint8_t *body = forge_reader_take (&reader, length);
    if (!body)
      return 1;
    if (memcmp (tag, "EXIF", 4) == 0) {
      gboolean prefixed = length >= 6 && memcmp (body, "Exif\0", 6) == 0;
      return prefixed ? forge_exif_orientation (body + 6, length - 6)
                      : forge_exif_orientation (body, length);
    }
    if (length % 2 == 1)
      forge_reader_take (&reader, 1);
  }
  return 1;
}

static const char *
explain (VP8StatusCode status)
{
  switch (status) {
  case VP8_STATUS_OUT_OF_MEMORY:
    return "no memory";
  case VP8_STATUS_NOT_ENOUGH_DATA:
    return "the file ends too early";
  case VP8_STATUS_UNSUPPORTED_FEATURE:
    return "it uses a feature that libwebp does not know";
  default:
    return "the bit stream is invalid";
  }
}

static gboolean
fail (const char *name, VP8StatusCode status, GError **error)
{
  g_set_error (error, FORGE_ERROR,
      status == VP8_STATUS_OUT_OF_MEMORY ? FORGE_ERROR_MEMORY
                                         : FORGE_ERROR_FORMAT,
      "%s: damaged WebP: %s", name, explain (status));
  return FALSE;
}

/* Decodes to @pixels, of @n_channels. */
static gboolean
decode (const uint8_t *bytes, size_t size_bytes, const char *name,
    uint8_t *pixels, const ForgePicture *picture, int n_channels,
    GError **error)
{
  WebPDecoderConfig config;
  if (!WebPInitDecoderConfig (&config))
    return fail (name, VP8_STATUS_INVALID_PARAM, error);
  config.output.colorspace = n_channels == 4 ? MODE_RGBA : MODE_RGB;
  config.output.is_external_memory = 1;
  config.output.u.RGBA.rgba = pixels;
  config.output.u.RGBA.stride = picture->width * n_channels;
  config.output.u.RGBA.size =
      (size_t) picture->width * (size_t) picture->height * (size_t) n_channels;
  VP8StatusCode status = WebPDecode (bytes, size_bytes, &config);
  WebPFreeDecBuffer (&config.output);
  return status == VP8_STATUS_OK || fail (name, status, error);
}

static gboolean
decode_over_black (const uint8_t *bytes, size_t size_bytes, const char *name,
    ForgePicture *picture, GError **error)
{
  size_t n_pixels = (size_t) picture->width * (size_t) picture->height;
  uint8_t *rgba = forge_aligned_alloc (n_pixels * 4);
  if (!rgba)
    return fail (name, VP8_STATUS_OUT_OF_MEMORY, error);
  gboolean decoded = decode (bytes, size_bytes, name, rgba, picture, 4, error);
  if (decoded)
    forge_picture_blend_over_black (rgba, n_pixels, picture->data);
  forge_aligned_free (rgba);
  return decoded;
}

ForgePicture *
forge_picture_load_webp (
    const uint8_t *bytes, size_t size_bytes, const char *name, GError **error)
{
  WebPBitstreamFeatures features;
  VP8StatusCode status = WebPGetFeatures (bytes, size_bytes, &features);
  if (status != VP8_STATUS_OK) {
    fail (name, status, error);
    return NULL;
  }
  if (features.has_animation) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_UNSUPPORTED,
        "%s: animated WebP, expected a still picture", name);
    return NULL;
  }
  uint64_t width = (uint64_t) MAX (features.width, 0);
  uint64_t height = (uint64_t) MAX (features.height, 0);
  if (!forge_picture_check_size (width, height, name, error))
    return NULL;
  if (width * height / MAX_PIXELS_PER_BYTE > size_bytes) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT,
        "%s: damaged WebP: the file is too short for its size in pixels", name);
    return NULL;
  }
  g_autoptr (ForgePicture) picture =
      forge_picture_new (width, height, name, error);
  if (!picture)
    return NULL;
  gboolean decoded =
      features.has_alpha
          ? decode_over_black (bytes, size_bytes, name, picture, error)
          : decode (bytes, size_bytes, name, picture->data, picture, 3, error);
  if (!decoded || !forge_picture_make_upright (picture,
                      find_orientation (bytes, size_bytes), name, error))
    return NULL;
  picture->mode = features.has_alpha     ? "WebP colour, alpha"
                  : features.format == 2 ? "WebP colour, lossless"
                                         : "WebP colour";
  return g_steal_pointer (&picture);
}

#else

ForgePicture *
forge_picture_load_webp (
    const uint8_t *bytes, size_t size_bytes, const char *name, GError **error)
{
  g_set_error (error, FORGE_ERROR, FORGE_ERROR_UNSUPPORTED,
      "%s: a WebP picture; this build lacks libwebp", name);
  return NULL;
}

#endif
