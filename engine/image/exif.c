/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See exif.h. Only the first directory is looked at, where the field must be.
 * Source: CIPA DC-008 (Exif 2.3), 4.5.2 and 4.6.4 A; TIFF 6.0, section 2. */
#include "image/exif.h"

#include <string.h>

#include "base/alloc.h"
#include "base/reader.h"
#include "forge/error.h"

#define TAG_ORIENTATION 0x112
#define TYPE_SHORT 3

typedef struct {
  ForgeReader reader;
  gboolean big_endian;
} Tiff;

static uint16_t
read_u16 (Tiff *tiff)
{
  uint16_t value = forge_reader_u16le (&tiff->reader);
  return tiff->big_endian ? GUINT16_SWAP_LE_BE (value) : value;
}

static uint32_t
read_u32 (Tiff *tiff)
{
  uint32_t value = forge_reader_u32le (&tiff->reader);
  return tiff->big_endian ? GUINT32_SWAP_LE_BE (value) : value;
}

int
forge_exif_orientation (const uint8_t *bytes, size_t size_bytes)
{
  Tiff tiff = { 0 };
  forge_reader_init (&tiff.reader, bytes, size_bytes);
  const uint8_t *order = forge_reader_take (&tiff.reader, 2);
  if (!order || (memcmp (order, "II", 2) != 0 && memcmp (order, "MM", 2) != 0))
    return 1;
  tiff.big_endian = order[0] == 'M';
  uint16_t magic = read_u16 (&tiff);
  uint32_t directory = read_u32 (&tiff);
  if (magic != 42 || !forge_reader_seek (&tiff.reader, directory))
    return 1;
  int value = 1;
  for (uint16_t left = read_u16 (&tiff); left > 0 && !tiff.reader.failed;
       left--) {
    uint16_t tag = read_u16 (&tiff), type = read_u16 (&tiff);
    uint32_t count = read_u32 (&tiff);
    uint16_t first = read_u16 (&tiff);
    forge_reader_take (&tiff.reader, 2);
    if (tag == TAG_ORIENTATION && type == TYPE_SHORT && count == 1)
      value = first;
  }
  return !tiff.reader.failed && value >= 1 && value <= 8 ? value : 1;
}

/* Where the pixel at @x, @y of the upright picture lies in the stored one of
 * @width x @height. Orientations 5 to 8 swap the axes. */
static size_t
stored_place (int orientation, size_t x, size_t y, size_t width, size_t height)
{
  size_t column = orientation >= 5 ? y : x, row = orientation >= 5 ? x : y;
  if (orientation == 2 || orientation == 3 || orientation == 7 ||
      orientation == 8)
    column = width - 1 - column;
  if (orientation == 3 || orientation == 4 || orientation == 6 ||
      orientation == 7)
    row = height - 1 - row;
  return row * width + column;
}

gboolean
forge_picture_make_upright (
    ForgePicture *picture, int orientation, const char *name, GError **error)
{
  if (orientation <= 1 || orientation > 8)
    return TRUE;
  size_t width = (size_t) picture->width, height = (size_t) picture->height;
  uint8_t *turned = forge_aligned_alloc (width * height * 3);
  if (!turned) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_MEMORY,
        "%s: no memory to turn a picture of %zu x %zu pixels", name, width,
        height);
    return FALSE;
  }
  size_t out_width = orientation >= 5 ? height : width;
  size_t out_height = orientation >= 5 ? width : height;
  uint8_t *out = turned;
  for (size_t y = 0; y < out_height; y++)
    for (size_t x = 0; x < out_width; x++, out += 3)
      memcpy (out,
          picture->data + 3 * stored_place (orientation, x, y, width, height),
          3);
  forge_aligned_free (picture->data);
  picture->data = turned;
  picture->width = (int) out_width;
  picture->height = (int) out_height;
  return TRUE;
}
