/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Frames of videos as pictures of a data set. Decoding is done by the reader
 * that the program registered; see forge_dataset_set_video_reader(). */
#pragma once

#include "forge/dataset.h"

/* TRUE where a reader was registered. */
gboolean forge_video_can_read (void);
/* FORGE_VIDEO_SAMPLING as it stands, or "". */
const char *forge_video_sampling (void);
/* By the ending: a container that may hold a video. */
gboolean forge_video_is_name (const char *name);

/* How many frames of a file are used; 0 with the error set when none can be
 * had. Remembered in the cache under the file's @key. */
guint forge_video_count (const char *path, const char *key, GError **error);

/* The frames of the two videos that were used last: items are mostly asked
 * for in order, and a video is decoded as a whole. Any thread. */
typedef struct _ForgeVideoShelf ForgeVideoShelf;

ForgeVideoShelf *forge_video_shelf_new (void);
void forge_video_shelf_free (ForgeVideoShelf *shelf);
/* A copy of a frame. (transfer full) */
ForgePicture *forge_video_shelf_get (
    ForgeVideoShelf *shelf, const char *path, guint frame, GError **error);
