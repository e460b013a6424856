/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * ForgeClassificationMeta: the result on every buffer, as a GstCustomMeta,
 * which any language reads without our headers:
 * gst_buffer_get_custom_meta (buffer, "ForgeClassificationMeta") and
 * gst_custom_meta_get_structure(). Fields as gst_forge_result_describe()
 * lists them. */
#pragma once

#include "classify-result.h"

G_BEGIN_DECLS

#define GST_FORGE_CLASSIFICATION_META "ForgeClassificationMeta"

/* Once per process; more calls do nothing. */
void gst_forge_classification_meta_register (void);
/* Attaches the result. Several forgeclassify in a row each add theirs;
 * model-name tells them apart. @buffer must be writable. */
void gst_forge_classification_meta_attach (GstBuffer *buffer,
    const GstForgeResult *result, const GstForgePresentation *how);

G_END_DECLS
