/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Still pictures: reads the file, looks at the first bytes and hands it to
 * the decoder. The file's name has no say in what it is. */
#include "image/picture.h"

#include <errno.h>
#include <string.h>

#include <glib/gstdio.h>

#include "base/alloc.h"
#include "forge/error.h"

/* More than any picture within the bounds takes in practice, and little
 * enough for memory. */
#define MAX_FILE_BYTES ((int64_t) 1 << 30)

gboolean
forge_picture_check_size (
    uint64_t width, uint64_t height, const char *name, GError **error)
{
  if (width < 1 || width > FORGE_PICTURE_MAX_SIDE || height < 1 ||
      height > FORGE_PICTURE_MAX_SIDE ||
      width * height > FORGE_PICTURE_MAX_PIXELS) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_UNSUPPORTED,
        "%s: picture is %" G_GUINT64_FORMAT " x %" G_GUINT64_FORMAT
        " pixels, expected sides of 1 to %d and at most %" G_GUINT64_FORMAT
        " pixels",
        name, width, height, FORGE_PICTURE_MAX_SIDE, FORGE_PICTURE_MAX_PIXELS);
    return FALSE;
  }
  return TRUE;
}

ForgePicture *
forge_picture_new (
    uint64_t width, uint64_t height, const char *name, GError **error)
{
  uint8_t *data = forge_aligned_alloc ((size_t) (width * height * 3));
  if (!data) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_MEMORY,
        "%s: no memory for a picture of %" G_GUINT64_FORMAT
        " x %" G_GUINT64_FORMAT " pixels",
        name, width, height);
    return NULL;
  }
  ForgePicture *picture = g_new (ForgePicture, 1);
  *picture = (ForgePicture) {
    .width = (int) width, .height = (int) height, .data = data, .mode = "raw"
  };
  return picture;
}

void
forge_picture_free (ForgePicture *picture)
{
  if (!picture)
    return;
  forge_aligned_free (picture->data);
  g_free (picture);
}

void
forge_picture_blend_over_black (
    const uint8_t *rgba, size_t n_pixels, uint8_t *rgb)
{
  for (size_t i = 0; i < n_pixels; i++)
    for (size_t c = 0; c < 3; c++)
      rgb[3 * i + c] =
          (uint8_t) ((rgba[4 * i + c] * rgba[4 * i + 3] + 127) / 255);
}

ForgeFrame
forge_picture_frame (const ForgePicture *picture)
{
  return (ForgeFrame) {
    .format = FORGE_PIXEL_RGB,
    .width = picture->width,
    .height = picture->height,
    .data = { picture->data },
    .stride_bytes = { 3 * (ptrdiff_t) picture->width },
  };
}

static gboolean
starts_with (const void *bytes, gsize size_bytes, const char *signature,
    gsize signature_bytes)
{
  return size_bytes >= signature_bytes &&
         memcmp (bytes, signature, signature_bytes) == 0;
}

/* What people and web servers most often put in a picture's place. */
static const char *
describe (const char *bytes, gsize size_bytes)
{
  gsize at = 0;
  while (at < size_bytes && g_ascii_isspace (bytes[at]))
    at++;
  if (size_bytes == 0)
    return "an empty file";
  if (size_bytes < 8)
    return "a file of a few bytes";
  if (starts_with (bytes, size_bytes, "GIF8", 4))
    return "a GIF";
  if (at < size_bytes && bytes[at] == '<')
    return "a web page or other markup";
  return "another kind of file";
}

ForgePicture *
forge_picture_load_bytes (
    const void *bytes, gsize size_bytes, const char *name, GError **error)
{
  g_return_val_if_fail (bytes || size_bytes == 0, NULL);
  g_return_val_if_fail (name, NULL);
  if (starts_with (bytes, size_bytes, "\x89PNG\r\n\x1a\n", 8))
    return forge_picture_load_png (bytes, size_bytes, name, error);
  if (starts_with (bytes, size_bytes, "\xff\xd8\xff", 3))
    return forge_picture_load_jpeg (bytes, size_bytes, name, error);
  if (size_bytes >= 12 && starts_with (bytes, size_bytes, "RIFF", 4) &&
      memcmp ((const char *) bytes + 8, "WEBP", 4) == 0)
    return forge_picture_load_webp (bytes, size_bytes, name, error);
  g_set_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT,
      "%s: expected a PNG, JPEG or WebP picture, found %s", name,
      describe (bytes, size_bytes));
  return NULL;
}

ForgePicture *
forge_picture_load (const char *path, GError **error)
{
  g_return_val_if_fail (path, NULL);
  GStatBuf info;
  if (g_stat (path, &info) != 0) {
    int code = errno == ENOENT || errno == ENOTDIR ? FORGE_ERROR_NOT_FOUND
                                                   : FORGE_ERROR_IO;
    g_set_error (error, FORGE_ERROR, code, "%s: %s", path, g_strerror (errno));
    return NULL;
  }
  /* A device or a pipe could go on for ever. */
  if (!S_ISREG (info.st_mode)) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_IO,
        "%s: expected a picture, found %s", path,
        S_ISDIR (info.st_mode) ? "a folder" : "no regular file");
    return NULL;
  }
  if (info.st_size > MAX_FILE_BYTES) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_UNSUPPORTED,
        "%s: file has %" G_GINT64_FORMAT
        " bytes, expected at most %" G_GINT64_FORMAT,
        path, (gint64) info.st_size, (gint64) MAX_FILE_BYTES);
    return NULL;
  }
  g_autofree char *bytes = NULL;
  gsize size_bytes = 0;
  g_autoptr (GError) io_error = NULL;
  if (!g_file_get_contents (path, &bytes, &size_bytes, &io_error)) {
    g_set_error (
        error, FORGE_ERROR, FORGE_ERROR_IO, "%s: %s", path, io_error->message);
    return NULL;
  }
  return forge_picture_load_bytes (bytes, size_bytes, path, error);
}
