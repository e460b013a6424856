/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * From settings to a ready classifier, and from the engine's errors to
 * GStreamer's. */
#pragma once

#include "classify-settings.h"
#include "forge/classifier.h"

G_BEGIN_DECLS

/* Loads model and labels. @assumptions: what neither the model nor a property
 * says about its input, in words, NULL when nothing. The error names the file
 * and the reason. */
ForgeClassifier *gst_forge_load_classifier (
    const GstForgeSettings *settings, gchar **assumptions, GError **error);
/* The time of one inference once code and weights are in the caches. */
GstClockTime gst_forge_warm_up (ForgeClassifier *classifier);
/* Posts @error as the element error users of GStreamer expect:
 * RESOURCE/NOT_FOUND, RESOURCE/OPEN_READ, RESOURCE/SETTINGS,
 * RESOURCE/NO_SPACE_LEFT or STREAM/FORMAT. */
void gst_forge_post_load_error (GstElement *element, const GError *error);

G_END_DECLS
