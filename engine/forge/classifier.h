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

/**
 * ForgeClassifierParams:
 * @threads: for one run; 0 = all the process may use
 * @batch: images per forge_classifier_run(), >= 1
 * @labels: (nullable): in class order, copied; %NULL = the model's
 * @profile: time every node, as #ForgeSessionParams
 * @preprocess: (nullable): used in place of the model's own; see
 *   forge_model_state_preprocess()
 * @features: keep the penultimate activations, see
 *   forge_classifier_get_features()
 *
 * Settings of a classifier.
 *
 * Since: 0.1
 */
typedef struct {
  int threads;
  int batch;
  const char *const *labels;
  gboolean profile;
  const ForgePreprocess *preprocess;
  gboolean features;
} ForgeClassifierParams;

#define FORGE_CLASSIFIER_PARAMS_DEFAULT \
  {                                     \
    .threads = 0, .batch = 1            \
  }

/**
 * ForgeClass:
 * @class_id: index of the class
 * @confidence: its probability, 0..1
 * @label: borrowed from the classifier; never %NULL
 *
 * One row of a ranking.
 *
 * Since: 0.1
 */
typedef struct {
  guint class_id;
  float confidence;
  const char *label;
} ForgeClass;

/**
 * forge_classifier_new:
 * @model: the model; a reference is kept
 * @params: (nullable): %NULL = defaults
 * @error: return location
 *
 * Makes a session and a converter for a model that takes one picture and gives
 * one vector of scores. A class without a label is called "class <n>".
 *
 * Errors: those of forge_session_new(); %FORGE_ERROR_ARGUMENT when the number
 * of labels is not the number of classes; %FORGE_ERROR_SHAPE when the model is
 * not an image classifier.
 *
 * Thread safety: any thread. Plans and packs: milliseconds to seconds.
 * Returns: (transfer full) (nullable): the classifier
 * Since: 0.1
 */
ForgeClassifier *forge_classifier_new (
    ForgeModel *model, const ForgeClassifierParams *params, GError **error);

/**
 * forge_classifier_free:
 * @classifier: (transfer full) (nullable): the classifier
 *
 * Frees it and drops its reference of the model.
 *
 * Since: 0.1
 */
void forge_classifier_free (ForgeClassifier *classifier);

/**
 * forge_classifier_get_model:
 * @classifier: the classifier
 *
 * What it runs.
 *
 * Returns: (transfer none): the model
 * Since: 0.1
 */
ForgeModel *forge_classifier_get_model (ForgeClassifier *classifier);

/**
 * forge_classifier_get_session:
 * @classifier: the classifier
 *
 * Where its tensors and the profile are.
 *
 * Returns: (transfer none): the session
 * Since: 0.1
 */
ForgeSession *forge_classifier_get_session (ForgeClassifier *classifier);

/**
 * forge_classifier_get_n_classes:
 * @classifier: the classifier
 *
 * The length of the vectors of probabilities.
 *
 * Returns: number of classes, >= 1
 * Since: 0.1
 */
guint forge_classifier_get_n_classes (ForgeClassifier *classifier);

/**
 * forge_classifier_get_label:
 * @classifier: the classifier
 * @class_id: < the number of classes
 *
 * What a class is called.
 *
 * Returns: (transfer none): the label
 * Since: 0.1
 */
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

/**
 * forge_classifier_run:
 * @classifier: the classifier
 *
 * Runs the network on all slots of the batch. The result does not depend on
 * the number of threads.
 *
 * Thread safety: one thread at a time per classifier. Allocates nothing.
 * Since: 0.1
 */
void forge_classifier_run (ForgeClassifier *classifier);

/**
 * forge_classifier_get_probabilities:
 * @classifier: the classifier
 * @slot: which image of the batch, < batch
 *
 * Probabilities as `float32 [n_classes]`: the graph's own when it ends in
 * Softmax or Sigmoid, else softmax of its logits; all 0 when a score is not
 * finite. A single score p is that of the second of two classes: {1 - p, p},
 * p = 1 / (1 + exp (-logit)).
 *
 * Where the model has a temperature T (forge_model_get_temperature()), they are
 * softmax (logits / T), or 1 / (1 + exp (-logit / T)), the logits of a graph
 * that ends in probabilities being log (p), or log (p / (1 - p)). The order of
 * the classes does not change.
 *
 * Thread safety: one thread at a time per classifier.
 * Returns: (transfer none): valid until the next run
 * Since: 0.1
 */
const float *forge_classifier_get_probabilities (
    ForgeClassifier *classifier, guint slot);

/**
 * forge_classifier_get_logits:
 * @classifier: the classifier
 * @slot: which image of the batch, < batch
 * @logits: (out caller-allocates): `float32 [n_classes]`
 *
 * The scores before softmax and temperature, up to a number that is the same
 * for all classes: the network's own; what its Softmax reads when the params
 * asked for features, else log (p) (of 0: -110); {0, logit} for a single
 * score; log (p / (1 - p)) of several Sigmoids.
 *
 * Thread safety: one thread at a time per classifier. Allocates nothing.
 * Since: 0.1
 */
void forge_classifier_get_logits (
    ForgeClassifier *classifier, guint slot, float *logits);

/**
 * forge_classifier_get_n_features:
 * @classifier: the classifier
 *
 * The length of the vectors of forge_classifier_get_features().
 *
 * Returns: the number; 0 unless the params asked for features and the network
 * has them
 * Since: 0.1
 */
guint forge_classifier_get_n_features (ForgeClassifier *classifier);

/**
 * forge_classifier_get_features:
 * @classifier: the classifier
 * @slot: which image of the batch, < batch
 * @features: (out caller-allocates): `float32 [n_features]`
 *
 * What the last layer with weights reads, as one vector: its channels, each
 * the mean over the picture where it has an extent there. Bytes of a quantised
 * network are taken as the numbers they are.
 *
 * Thread safety: one thread at a time per classifier. Allocates nothing.
 * Since: 0.1
 */
void forge_classifier_get_features (
    ForgeClassifier *classifier, guint slot, float *features);

/**
 * forge_classifier_is_finite:
 * @classifier: the classifier
 * @slot: which image of the batch, < batch
 *
 * Whether the last run gave numbers.
 *
 * Thread safety: one thread at a time per classifier.
 * Returns: %FALSE when a score is NaN or infinite
 * Since: 0.1
 */
gboolean forge_classifier_is_finite (ForgeClassifier *classifier, guint slot);

/**
 * forge_classifier_get_top:
 * @classifier: the classifier
 * @slot: which image of the batch, < batch
 * @k: how many are wanted
 * @top: (out caller-allocates): room for min (k, n_classes) rows
 *
 * Ranks the classes, best first; of equals the lower id first.
 *
 * Thread safety: one thread at a time per classifier. Allocates nothing.
 * Returns: the number of rows written, min (k, n_classes)
 * Since: 0.1
 */
guint forge_classifier_get_top (
    ForgeClassifier *classifier, guint slot, guint k, ForgeClass *top);

G_DEFINE_AUTOPTR_CLEANUP_FUNC (ForgeClassifier, forge_classifier_free)

G_END_DECLS
