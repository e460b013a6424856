/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Everything slow about a model happens here, on NULL -> READY: reading,
 * planning, packing weights and a warm-up run. */
#include "classify-model.h"

#include <string.h>

#include "forge/error.h"
#include "forge/preprocess.h"

static gboolean
check_labels (gchar **labels, const gchar *source, GError **error)
{
  if (!labels[0]) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_ARGUMENT,
        "%s: expected labels, found none", source);
    return FALSE;
  }
  for (guint i = 0; labels[i]; i++) {
    if (labels[i][0] && g_utf8_validate (labels[i], -1, NULL))
      continue;
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_ARGUMENT, "%s: label %u is %s",
        source, i + 1, labels[i][0] ? "not valid UTF-8" : "empty");
    return FALSE;
  }
  return TRUE;
}

/* NULL with no error: the model's own. */
static gchar **
find_labels (const GstForgeSettings *settings, gchar **source, GError **error)
{
  if (settings->labels && settings->labels_file) {
    g_set_error_literal (error, FORGE_ERROR, FORGE_ERROR_ARGUMENT,
        "labels and labels-file are both set: expected one of them");
    return NULL;
  }
  gchar **labels = NULL;
  if (settings->labels_file) {
    *source = g_strdup_printf ("labels-file '%s'", settings->labels_file);
    labels = forge_labels_read (settings->labels_file, error);
    if (!labels)
      g_prefix_error (error, "cannot read the labels: ");
  } else if (settings->labels) {
    *source = g_strdup ("labels");
    labels = g_strsplit (settings->labels, ",", -1);
    for (guint i = 0; labels[i]; i++)
      g_strstrip (labels[i]);
  }
  if (labels && !check_labels (labels, *source, error))
    g_clear_pointer (&labels, g_strfreev);
  return labels;
}

static gboolean
state_preprocess (const GstForgeSettings *settings, const ForgeModel *model,
    ForgePreprocess *preprocess, gchar **assumptions, GError **error)
{
  const ForgeStatedPreprocess stated = {
    .scale = settings->input_scale,
    .mean = settings->input_mean,
    .std = settings->input_std,
    .order = gst_forge_enum_stated_nick (
        GST_TYPE_FORGE_INPUT_ORDER, settings->input_order),
    .layout = gst_forge_enum_stated_nick (
        GST_TYPE_FORGE_INPUT_LAYOUT, settings->input_layout),
    .size = settings->input_size,
    .resize = gst_forge_enum_stated_nick (
        GST_TYPE_FORGE_RESIZE_POLICY, settings->resize_policy),
    .filter = gst_forge_enum_stated_nick (
        GST_TYPE_FORGE_RESIZE_FILTER, settings->resize_filter),
  };
  return forge_model_state_preprocess (
      model, &stated, preprocess, assumptions, error);
}

ForgeClassifier *
gst_forge_load_classifier (
    const GstForgeSettings *settings, gchar **assumptions, GError **error)
{
  GError *cause = NULL;
  g_autofree gchar *source = NULL;
  g_auto (GStrv) labels = find_labels (settings, &source, &cause);
  if (cause) {
    g_propagate_error (error, cause);
    return NULL;
  }
  const gchar *path =
      settings->model_file ? settings->model_file : FORGE_MODEL_EMBEDDED;
  g_autoptr (ForgeModel) model = forge_model_load (path, error);
  if (!model)
    return NULL;
  ForgePreprocess preprocess;
  if (!state_preprocess (settings, model, &preprocess, assumptions, error)) {
    g_prefix_error (error, "model '%s': ", path);
    return NULL;
  }
  ForgeClassifierParams params = FORGE_CLASSIFIER_PARAMS_DEFAULT;
  params.preprocess = &preprocess;
  params.threads = settings->threads;
  params.labels = (const char *const *) labels;
  ForgeClassifier *classifier = forge_classifier_new (model, &params, &cause);
  if (cause) {
    if (source && g_error_matches (cause, FORGE_ERROR, FORGE_ERROR_ARGUMENT))
      g_prefix_error (&cause, "%s: ", source);
    if (!strstr (cause->message, path))
      g_prefix_error (&cause, "model '%s': ", path);
    g_propagate_error (error, cause);
  }
  return classifier;
}

GstClockTime
gst_forge_warm_up (ForgeClassifier *classifier)
{
  forge_classifier_run (classifier);
  GstClockTime start = gst_util_get_timestamp ();
  forge_classifier_run (classifier);
  return gst_util_get_timestamp () - start;
}

void
gst_forge_post_load_error (GstElement *element, const GError *error)
{
  switch (error->code) {
  case FORGE_ERROR_NOT_FOUND:
    GST_ELEMENT_ERROR (
        element, RESOURCE, NOT_FOUND, ("%s", error->message), (NULL));
    break;
  case FORGE_ERROR_IO:
    GST_ELEMENT_ERROR (
        element, RESOURCE, OPEN_READ, ("%s", error->message), (NULL));
    break;
  case FORGE_ERROR_ARGUMENT:
    GST_ELEMENT_ERROR (
        element, RESOURCE, SETTINGS, ("%s", error->message), (NULL));
    break;
  case FORGE_ERROR_MEMORY:
    GST_ELEMENT_ERROR (
        element, RESOURCE, NO_SPACE_LEFT, ("%s", error->message), (NULL));
    break;
  default: /* damaged, foreign, or with operators or shapes we lack */
    GST_ELEMENT_ERROR (element, STREAM, FORMAT, ("%s", error->message), (NULL));
    break;
  }
}
