/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Frames in, ranked labels out: the one path that the element, the command
 * line and the evaluator share. */
#pragma once

#include "forge/image.h"
#include "forge/model.h"
#include "forge/session.h"

G_BEGIN_DECLS

typedef struct _ForgeClassifier ForgeClassifier;

/* Settings of a classifier. */
typedef struct {
  int threads;               /* as ForgeSessionParams */
  int batch;                 /* images per forge_classifier_run(), >= 1 */
  const char *const *labels; /* NULL = the model's */
  gboolean profile;
  const ForgePreprocess *preprocess; /* NULL = the model's; see
                                        forge_model_state_preprocess() */
} ForgeClassifierParams;

#define FORGE_CLASSIFIER_PARAMS_DEFAULT \
  {                                     \
    .threads = 0, .batch = 1            \
  }

typedef struct {
  guint class_id;
  float confidence;  /* 0..1 */
  const char *label; /* borrowed from the classifier; never NULL */
} ForgeClass;

/* Errors: those of forge_session_new(); %FORGE_ERROR_ARGUMENT when the number
 * of labels is not the number of classes; %FORGE_ERROR_SHAPE when the model
 * is not an image classifier (one image input, one score vector). A class
 * without a label is called "class <n>". */
ForgeClassifier *forge_classifier_new (
    ForgeModel *model, const ForgeClassifierParams *params, GError **error);
void forge_classifier_free (ForgeClassifier *classifier);

ForgeModel *forge_classifier_get_model (ForgeClassifier *classifier);
ForgeSession *forge_classifier_get_session (ForgeClassifier *classifier);
guint forge_classifier_get_n_classes (ForgeClassifier *classifier);
const char *forge_classifier_get_label (
    ForgeClassifier *classifier, guint class_id);

/**
 * forge_classifier_set_frame:
 * @classifier: the classifier
 * @slot: which image of the batch, < batch
 * @frame: the picture
 * @error: return location
 *
 * Preprocesses one frame into its place in the input tensor. Fails as
 * forge_imager_convert() does.
 */
gboolean forge_classifier_set_frame (ForgeClassifier *classifier, guint slot,
    const ForgeFrame *frame, GError **error);
/* Runs the network on all slots. */
void forge_classifier_run (ForgeClassifier *classifier);
/* Probabilities of one slot, `float32 [n_classes]`: the graph's own when it
 * ends in Softmax or Sigmoid, else softmax of its logits. Valid until the
 * next run. A non-finite score makes all of them NaN-free zeros and
 * forge_classifier_is_finite() FALSE. */
const float *forge_classifier_get_probabilities (
    ForgeClassifier *classifier, guint slot);
gboolean forge_classifier_is_finite (ForgeClassifier *classifier, guint slot);
/* The best @k classes, best first (ties: lower id first). Writes
 * min (k, n_classes) entries and returns that number. */
guint forge_classifier_get_top (
    ForgeClassifier *classifier, guint slot, guint k, ForgeClass *top);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ForgeClassifier, forge_classifier_free)

G_END_DECLS
