/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Frames for tests, every plane in pages of its own between two pages that
 * nobody may touch: a read before the first or behind the last byte kills the
 * test. */
#pragma once

#include "forge/image.h"

/* Which end of a plane touches its guard page. */
typedef enum { GUARD_BEHIND, GUARD_BEFORE } GuardSide;

typedef struct {
  ForgeFrame frame;
  uint8_t *maps[3];
  size_t map_bytes[3];
} GuardedFrame;

/* All bytes are 0xAA. @padding_bytes are added to each stride but not to the
 * last row; @is_flipped stores the rows bottom up, with a negative stride. */
void guarded_frame_init (GuardedFrame *guarded, ForgePixelFormat format,
    int width, int height, size_t padding_bytes, gboolean is_flipped,
    GuardSide side);
void guarded_frame_clear (GuardedFrame *guarded);

/* The byte of component @c (R G B, Y U V) that pixel x, y uses. */
uint8_t *guarded_frame_at (GuardedFrame *guarded, int c, int x, int y);
/* Pixel x, y of component @c becomes picture_value (x >> x_shift, ...). */
void guarded_frame_paint (GuardedFrame *guarded);
void guarded_frame_fill (GuardedFrame *guarded, const uint8_t *value);

/* A picture full of detail: a chirp that wraps around. The same formula
 * stands in make-image-references.py. */
uint8_t picture_value (int x, int y, int c);
