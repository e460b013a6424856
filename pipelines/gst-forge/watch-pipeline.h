/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The pipeline behind `gst-forge watch`: sources, played one after the other,
 * through forgeclassify into an annotated clip and a picture. */
#pragma once

#include <gst/gst.h>

#include "preprocess-options.h"

typedef struct {
  char **sources;         /* files, URIs or /dev/videoN; at least one */
  char *model;            /* NULL = embedded */
  char *out_video;        /* WebM; NULL = none */
  char *out_picture;      /* PNG of the most confident frame; NULL = none */
  int width, height;      /* of the clip, pixels */
  double darken_after_s;  /* < 0 = never */
  int drift_window;       /* < 0 = the element's default */
  double drift_threshold; /* < 0 = the element's default */
  PreprocessOptions preprocess;
} WatchOptions;

typedef struct _WatchPipeline WatchPipeline;

/* NULL with a GST_CORE_ERROR_MISSING_PLUGIN or a parse error. */
WatchPipeline *watch_pipeline_new (const WatchOptions *options, GError **error);
void watch_pipeline_free (WatchPipeline *watch);
GstElement *watch_pipeline_get_element (WatchPipeline *watch);
/* Ends the stream where it is, as if the source had ended: EOS follows when
 * all that is under way has come out. */
void watch_pipeline_end (WatchPipeline *watch);
/* The file, URI or camera, as the user wrote it, that @object works on; NULL
 * when it is behind the sources. */
const char *watch_pipeline_find_source (
    WatchPipeline *watch, GstObject *object);
/* Writes out_picture after EOS. FALSE when there was no frame. */
gboolean watch_pipeline_write_picture (WatchPipeline *watch, GError **error);
