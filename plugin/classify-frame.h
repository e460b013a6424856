/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What forgeclassify does with each buffer. */
#pragma once

#include "gstforgeclassify.h"

G_BEGIN_DECLS

/* Classifies or skips the frame, attaches and posts the result, draws the
 * label. @buffer must be writable; its pixels change only for a label. */
void gst_forge_classify_frame (GstForgeClassify *self, GstBuffer *buffer);

G_END_DECLS
