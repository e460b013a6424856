/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * How a camera was held: the one EXIF field that changes what a picture
 * shows. */
#pragma once

#include "image/picture.h"

/* The orientation in a TIFF block (without the "Exif" and two zeros before
 * it in a JPEG file): 1 to 8; 1, upright, where the block says nothing or
 * nonsense. */
int forge_exif_orientation (const uint8_t *bytes, size_t size_bytes);
/* Turns and mirrors a picture so that it stands upright, in place of what it
 * was. FALSE with FORGE_ERROR_MEMORY, and the picture is as it was. */
gboolean forge_picture_make_upright (
    ForgePicture *picture, int orientation, const char *name, GError **error);
