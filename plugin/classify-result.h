/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What one inference found, and the structure fields that meta and messages
 * share. */
#pragma once

#include <gst/gst.h>

#include "forge/classifier.h"

G_BEGIN_DECLS

/* The label given when the best confidence is under the threshold. */
#define GST_FORGE_UNKNOWN "unknown"

typedef struct {
  gboolean valid;
  guint n_top;
  guint max_top;             /* room in top: the model's classes */
  ForgeClass *top;           /* best first; labels borrowed from the model */
  GstClockTime running_time; /* of the classified frame; may be NONE */
  GstClockTime finished;     /* monotonic */
  GstClockTime inference_time;
} GstForgeResult;

/* How a result is presented on one frame. */
typedef struct {
  const gchar *model_name;
  const gchar *model_version;
  gfloat threshold;
  gboolean fresh;   /* this frame was classified */
  GstClockTime age; /* 0 when fresh */
} GstForgePresentation;

void gst_forge_result_init (GstForgeResult *result, guint n_classes);
void gst_forge_result_clear (GstForgeResult *result);
/* Time between the classified frame and one with @running_time; by the
 * monotonic clock where a frame had no time. */
GstClockTime gst_forge_result_age (
    const GstForgeResult *result, GstClockTime running_time);
/* The decision: the best class, or -1 and "unknown" under @threshold. */
const gchar *gst_forge_result_decide (
    const GstForgeResult *result, gfloat threshold, gint *class_id);
/* Adds label, class-id, confidence, labels, class-ids, confidences,
 * model-name, model-version, state, age, inference-time. */
void gst_forge_result_describe (const GstForgeResult *result,
    const GstForgePresentation *how, GstStructure *structure);

G_END_DECLS
