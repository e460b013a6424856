/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Frames of video files for the engine's data sets, by GStreamer. */
#pragma once

#include "forge/dataset.h"

/* A ForgeVideoReader. Initialises GStreamer when first called. */
gboolean video_frames_read (const char *path,
    const ForgeVideoSampling *sampling, ForgeVideoFrameFunc func,
    gpointer user_data, GError **error);
