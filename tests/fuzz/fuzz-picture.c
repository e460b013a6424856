/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Any bytes give a picture within the bounds or an error, and a picture can
 * be converted. A PNG is tried once more with its checksums put right, since
 * no fuzzer would guess them. */
#include "fuzz.h"

#include <string.h>

#include "forge/error.h"
#include "forge/image.h"

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

/* Chunks are length, type, data, checksum; they follow the signature. */
static void
repair_checksums (uint8_t *png, size_t size_bytes)
{
  size_t at = 8;
  while (at + 12 <= size_bytes) {
    uint32_t length;
    memcpy (&length, png + at, 4);
    length = GUINT32_FROM_BE (length);
    if (length > size_bytes - at - 12)
      return;
    uint32_t crc = GUINT32_TO_BE (png_crc (png + at + 4, length + 4));
    memcpy (png + at + 8 + length, &crc, 4);
    at += 12 + (size_t) length;
  }
}

static void
load (const uint8_t *data, size_t size_bytes)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgePicture) picture =
      forge_picture_load_bytes (data, size_bytes, "fuzz", &error);
  if (!picture) {
    g_assert_true (error && error->domain == FORGE_ERROR);
    return;
  }
  g_assert_no_error (error);
  g_assert_cmpint (picture->width, >=, 1);
  g_assert_cmpint (picture->height, >=, 1);

  uint8_t out[8 * 8 * 3];
  ForgePreprocess preprocess = FORGE_PREPROCESS_DEFAULT;
  preprocess.width = preprocess.height = 8;
  g_autoptr (ForgeImager) imager = forge_imager_new (&preprocess);
  ForgeFrame frame = forge_picture_frame (picture);
  g_assert_true (forge_imager_convert (imager, &frame, out, &error));
}

int
LLVMFuzzerTestOneInput (const uint8_t *data, size_t size_bytes)
{
  load (data, size_bytes);
  if (size_bytes > 8 && memcmp (data, "\x89PNG", 4) == 0) {
    g_autofree uint8_t *copy = g_memdup2 (data, size_bytes);
    repair_checksums (copy, size_bytes);
    load (copy, size_bytes);
  }
  return 0;
}
