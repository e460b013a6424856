/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Frame, tensor, network, probabilities, labels: in this one place, so that
 * the element, the command line and the evaluator cannot differ. After
 * forge_classifier_new nothing is allocated here. */
#include "forge/classifier.h"

#include <math.h>
#include <string.h>

#include "base/alloc.h"
#include "kernels/kernels.h"
#include "run/features.h"
#include "run/model.h"
#include "tensor/tensor.h"

/* The logarithm of less than the least float. */
#define LOG_OF_ZERO -110.0f

struct _ForgeClassifier {
  ForgeSession *session;
  ForgeImager *imager;
  guint batch, n_classes;
  guint capacity; /* pictures of one run: @batch, or more in a fixed input */
  guint n_scores; /* of a picture: n_classes, or 1 for two classes */
  char **labels;  /* [n_classes] */
  uint8_t *input;
  size_t image_bytes;
  const float *scores;  /* [batch][n_scores], the network's own */
  float *probabilities; /* [batch][n_classes] */
  gboolean *finite;     /* [batch] */
  gboolean has_probabilities, is_multi_label;
  float temperature;
  float *logits;               /* [n_classes]; NULL without a temperature */
  const ForgeTensor *features; /* [batch, ...] or NULL */
  const float *true_logits;    /* [batch][n_scores], before Softmax, or NULL */
  gboolean features_channels_last;
  guint n_features;
};

static gboolean is_no_classifier (const ForgeModel *model, GError **error,
    const char *format, ...) G_GNUC_PRINTF (3, 4);

static gboolean
is_no_classifier (
    const ForgeModel *model, GError **error, const char *format, ...)
{
  va_list args;
  va_start (args, format);
  g_autofree char *text = g_strdup_vprintf (format, args);
  va_end (args);
  g_set_error (error, FORGE_ERROR, FORGE_ERROR_SHAPE,
      "%s is no image classifier: %s", forge_model_get_name (model), text);
  return FALSE;
}

/* The names of the inputs that there are, for a message. */
static char *
list_inputs (const ForgeModel *model)
{
  GString *text = g_string_new (NULL);
  for (guint i = 0; i < forge_model_get_n_inputs (model); i++)
    g_string_append_printf (
        text, "%s'%s'", i ? ", " : "", forge_model_get_input (model, i).name);
  return g_string_free (text, FALSE);
}

/* The input takes no pictures at all. */
static gboolean
refuse_input (const ForgeModel *model, const ForgeTensor *input, GError **error)
{
  g_autofree char *names = list_inputs (model);
  g_autofree char *shape = forge_shape_to_string (&input->shape);
  guint n_inputs = forge_model_get_n_inputs (model);
  if (n_inputs > 1)
    return is_no_classifier (
        model, error, "expected one input, found %u: %s", n_inputs, names);
  return is_no_classifier (model, error,
      "its input %s is %s %s, expected pictures: uint8 or float32, 4 extents, "
      "1 or 3 channels",
      names, forge_dtype_name (input->dtype), shape);
}

/* An input that holds @batch pictures as @want describes them, or more where
 * the file fixes how many. */
static gboolean
attach_input (ForgeClassifier *classifier, ForgeModel *model,
    const ForgePreprocess *want, GError **error)
{
  ForgeTensor *input = forge_session_get_input (
      classifier->session, forge_model_get_picture_input (model));
  if (want->channels < 1)
    return refuse_input (model, input, error);
  g_autofree char *shape = forge_shape_to_string (&input->shape);
  int64_t pixels = (int64_t) want->width * want->height * want->channels;
  int64_t count = forge_tensor_get_count (input);
  if (pixels < 1 || input->dtype != want->dtype || input->shape.rank < 3 ||
      count % pixels != 0 || count / pixels < classifier->batch)
    return is_no_classifier (model, error,
        "its input is %s %s, expected %u pictures of %d x %d x %d %s",
        forge_dtype_name (input->dtype), shape, classifier->batch, want->height,
        want->width, want->channels, forge_dtype_name (want->dtype));
  classifier->capacity = (guint) (count / pixels);
  classifier->input = input->data;
  classifier->image_bytes = input->size_bytes / classifier->capacity;
  classifier->imager = forge_imager_new (want);
  return TRUE;
}

/* [N, C], or [N, C, 1, 1] and the like, or [C] for one picture. */
static gboolean
attach_output (ForgeClassifier *classifier, ForgeModel *model, GError **error)
{
  const ForgeTensor *output = forge_session_get_output (
      classifier->session, forge_model_get_score_output (model));
  guint capacity = classifier->capacity;
  const ForgeShape *shape = &output->shape;
  g_autofree char *text = forge_shape_to_string (shape);
  int n_long = 0;
  for (int i = shape->rank > 1; i < shape->rank; i++)
    n_long += shape->dims[i] > 1;
  int64_t count = forge_shape_count (shape);
  if (output->dtype != FORGE_FLOAT32 || shape->rank < 1 || n_long > 1 ||
      count < 1 || count % capacity != 0 ||
      (shape->rank > 1 && shape->dims[0] != capacity))
    return is_no_classifier (model, error,
        "its output is %s %s, expected one row of float32 scores for each of "
        "%u pictures%s",
        forge_dtype_name (output->dtype), text, capacity,
        output->dtype == FORGE_INT64
            ? "; a network that ends in ArgMax has none: export it without"
            : "");
  classifier->scores = output->data;
  classifier->n_scores = (guint) (count / capacity);
  classifier->n_classes = MAX (classifier->n_scores, 2);
  size_t size_bytes =
      (size_t) classifier->batch * classifier->n_classes * sizeof (float);
  classifier->probabilities = forge_aligned_alloc0 (size_bytes);
  if (classifier->probabilities)
    return TRUE;
  g_set_error (error, FORGE_ERROR, FORGE_ERROR_MEMORY,
      "out of memory: %zu bytes of probabilities", size_bytes);
  return FALSE;
}

/* Rows of channels, with or without extents in the picture, one a slot. */
static void
attach_features (ForgeClassifier *classifier, const ForgeModel *model)
{
  ForgeFeatures found;
  const ForgeTensor *tensor = forge_session_get_features (classifier->session);
  if (!tensor ||
      !forge_features_find (forge_model_get_graph (model),
          forge_model_get_score_output (model), &found) ||
      tensor->shape.rank < 2 || tensor->shape.dims[0] != classifier->capacity ||
      (tensor->dtype != FORGE_FLOAT32 && tensor->dtype != FORGE_UINT8 &&
          tensor->dtype != FORGE_INT8))
    return;
  const ForgeTensor *logits = forge_session_get_logits (classifier->session);
  if (logits && logits->dtype == FORGE_FLOAT32 &&
      forge_shape_count (&logits->shape) ==
          (int64_t) classifier->capacity * classifier->n_scores)
    classifier->true_logits = logits->data;
  int axis = found.channels_last ? tensor->shape.rank - 1 : 1;
  classifier->features = tensor;
  classifier->features_channels_last = found.channels_last;
  classifier->n_features = (guint) tensor->shape.dims[axis];
}

/* Logits are written here when there is a temperature to divide them by. */
static gboolean
attach_temperature (
    ForgeClassifier *classifier, const ForgeModel *model, GError **error)
{
  classifier->temperature = (float) forge_model_get_temperature (model);
  if (classifier->temperature == 1)
    return TRUE;
  size_t size_bytes = (size_t) classifier->n_classes * sizeof (float);
  classifier->logits = forge_aligned_alloc0 (size_bytes);
  if (classifier->logits)
    return TRUE;
  g_set_error (error, FORGE_ERROR, FORGE_ERROR_MEMORY,
      "out of memory: %zu bytes of logits", size_bytes);
  return FALSE;
}

static gboolean
attach_labels (
    ForgeClassifier *classifier, const char *const *labels, GError **error)
{
  guint n_labels = g_strv_length ((char **) labels);
  guint n_classes = classifier->n_classes;
  if (n_labels != 0 && n_labels != n_classes) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_ARGUMENT,
        "expected %u labels, one for each class of the model, found %u",
        n_classes, n_labels);
    return FALSE;
  }
  classifier->labels = g_new0 (char *, (gsize) n_classes + 1);
  for (guint i = 0; i < n_classes; i++)
    classifier->labels[i] = n_labels && *labels[i]
                                ? g_strdup (labels[i])
                                : g_strdup_printf ("class %u", i);
  return TRUE;
}

/* Where the input leaves the size open, it is that of the preprocessing. */
static ForgeSession *
open_session (ForgeModel *model, const ForgeClassifierParams *params,
    const ForgePreprocess *preprocess, GError **error)
{
  guint n_inputs = forge_model_get_n_inputs (model);
  g_autofree ForgeShape *shapes = g_new0 (ForgeShape, n_inputs);
  for (guint i = 0; i < n_inputs; i++)
    shapes[i] = forge_model_get_input (model, i).shape;
  shapes[forge_model_get_picture_input (model)] =
      forge_model_picture_shape (model, preprocess, params->batch);
  ForgeSessionParams settings = { .threads = params->threads,
    .batch = params->batch,
    .profile = params->profile,
    .features = params->features,
    .shapes = shapes };
  return forge_session_new (model, &settings, error);
}

ForgeClassifier *
forge_classifier_new (
    ForgeModel *model, const ForgeClassifierParams *params, GError **error)
{
  g_return_val_if_fail (model, NULL);
  const ForgeClassifierParams defaults = FORGE_CLASSIFIER_PARAMS_DEFAULT;
  if (!params)
    params = &defaults;
  const ForgePreprocess *preprocess = params->preprocess
                                          ? params->preprocess
                                          : forge_model_get_preprocess (model);
  ForgeSession *session = open_session (model, params, preprocess, error);
  if (!session)
    return NULL;
  g_autoptr (ForgeClassifier) classifier = g_new0 (ForgeClassifier, 1);
  classifier->session = session;
  classifier->batch = (guint) params->batch;
  classifier->has_probabilities = forge_model_has_probabilities (model);
  classifier->is_multi_label = forge_model_is_multi_label (model);
  classifier->finite = g_new0 (gboolean, classifier->batch);
  const char *const *labels =
      params->labels ? params->labels : forge_model_get_labels (model);
  if (!attach_input (classifier, model, preprocess, error) ||
      !attach_output (classifier, model, error) ||
      !attach_labels (classifier, labels, error) ||
      !attach_temperature (classifier, model, error))
    return NULL;
  attach_features (classifier, model);
  return g_steal_pointer (&classifier);
}

void
forge_classifier_free (ForgeClassifier *classifier)
{
  if (!classifier)
    return;
  g_clear_pointer (&classifier->imager, forge_imager_free);
  forge_session_free (classifier->session);
  forge_aligned_free (classifier->probabilities);
  forge_aligned_free (classifier->logits);
  g_strfreev (classifier->labels);
  g_free (classifier->finite);
  g_free (classifier);
}

ForgeModel *
forge_classifier_get_model (ForgeClassifier *classifier)
{
  return forge_session_get_model (classifier->session);
}

ForgeSession *
forge_classifier_get_session (ForgeClassifier *classifier)
{
  return classifier->session;
}

guint
forge_classifier_get_n_classes (ForgeClassifier *classifier)
{
  return classifier->n_classes;
}

const char *
forge_classifier_get_label (ForgeClassifier *classifier, guint class_id)
{
  g_return_val_if_fail (class_id < classifier->n_classes, NULL);
  return classifier->labels[class_id];
}

gboolean
forge_classifier_set_frame (ForgeClassifier *classifier, guint slot,
    const ForgeFrame *frame, GError **error)
{
  g_return_val_if_fail (slot < classifier->batch, FALSE);
  return forge_imager_convert (classifier->imager, frame,
      classifier->input + slot * classifier->image_bytes, error);
}

static gboolean
all_finite (const float *values, guint n_values)
{
  for (guint i = 0; i < n_values; i++)
    if (!isfinite (values[i]))
      return FALSE;
  return TRUE;
}

/* One score for two classes is for the second: softmax of one number would
 * always be 1. */
static void
write_two (float score, gboolean is_probability, float *out)
{
  out[1] = is_probability ? score : 1 / (1 + expf (-score));
  out[0] = 1 - out[1];
}

static float
log_or_least (float probability)
{
  return probability > 0 ? logf (probability) : LOG_OF_ZERO;
}

static void
write_logits (const ForgeClassifier *classifier, guint slot, float *logits)
{
  size_t n_scores = classifier->n_scores;
  const float *scores = classifier->scores + slot * n_scores;
  gboolean odds = n_scores == 1 || classifier->is_multi_label;
  float *to = logits + (n_scores == 1);
  logits[0] = 0;
  for (size_t c = 0; c < n_scores; c++)
    to[c] = !classifier->has_probabilities ? scores[c]
            : odds ? log_or_least (scores[c]) - log_or_least (1 - scores[c])
                   : log_or_least (scores[c]);
}

/* The one place where confidence is made less, or more, than the network's. */
static void
write_tempered (const ForgeClassifier *classifier, guint slot, float *out)
{
  float *logits = classifier->logits;
  guint n = classifier->n_classes;
  write_logits (classifier, slot, logits);
  for (guint c = 0; c < n; c++)
    logits[c] /= classifier->temperature;
  if (!classifier->is_multi_label) {
    forge_kernels ()->softmax_f32 (n, logits, out);
    return;
  }
  for (guint c = 0; c < n; c++)
    out[c] = 1 / (1 + expf (-logits[c]));
}

void
forge_classifier_run (ForgeClassifier *classifier)
{
  forge_session_run (classifier->session);
  size_t n = classifier->n_classes, n_scores = classifier->n_scores;
  for (guint slot = 0; slot < classifier->batch; slot++) {
    const float *scores = classifier->scores + slot * n_scores;
    float *out = classifier->probabilities + slot * n;
    classifier->finite[slot] = all_finite (scores, (guint) n_scores);
    if (!classifier->finite[slot])
      memset (out, 0, n * sizeof *out);
    else if (classifier->logits)
      write_tempered (classifier, slot, out);
    else if (n_scores == 1)
      write_two (scores[0], classifier->has_probabilities, out);
    else if (classifier->has_probabilities)
      memcpy (out, scores, n * sizeof *out);
    else
      forge_kernels ()->softmax_f32 (n, scores, out);
  }
}

const float *
forge_classifier_get_probabilities (ForgeClassifier *classifier, guint slot)
{
  g_return_val_if_fail (slot < classifier->batch, NULL);
  return classifier->probabilities + (size_t) slot * classifier->n_classes;
}

void
forge_classifier_get_logits (
    ForgeClassifier *classifier, guint slot, float *logits)
{
  g_return_if_fail (slot < classifier->batch && logits);
  size_t n = classifier->n_scores;
  if (classifier->true_logits && n == classifier->n_classes)
    memcpy (logits, classifier->true_logits + slot * n, n * sizeof *logits);
  else
    write_logits (classifier, slot, logits);
}

guint
forge_classifier_get_n_features (ForgeClassifier *classifier)
{
  return classifier->n_features;
}

static float
number_at (const ForgeTensor *tensor, size_t index)
{
  if (tensor->dtype == FORGE_FLOAT32)
    return ((const float *) tensor->data)[index];
  return tensor->dtype == FORGE_UINT8 ? ((const uint8_t *) tensor->data)[index]
                                      : ((const int8_t *) tensor->data)[index];
}

void
forge_classifier_get_features (
    ForgeClassifier *classifier, guint slot, float *features)
{
  g_return_if_fail (slot < classifier->batch && features);
  size_t n = classifier->n_features;
  if (n == 0)
    return;
  const ForgeTensor *tensor = classifier->features;
  size_t n_values =
      (size_t) forge_shape_count (&tensor->shape) / classifier->batch;
  size_t n_places = n_values / n;
  size_t channel = classifier->features_channels_last ? 1 : n_places;
  size_t place = classifier->features_channels_last ? n : 1;
  for (size_t c = 0; c < n; c++) {
    double sum = 0;
    for (size_t p = 0; p < n_places; p++)
      sum += (double) number_at (
          tensor, slot * n_values + c * channel + p * place);
    features[c] = (float) (sum / (double) n_places);
  }
}

gboolean
forge_classifier_is_finite (ForgeClassifier *classifier, guint slot)
{
  g_return_val_if_fail (slot < classifier->batch, FALSE);
  return classifier->finite[slot];
}

/* Insertion into a short sorted list: k is small, and nothing is allocated. */
guint
forge_classifier_get_top (
    ForgeClassifier *classifier, guint slot, guint k, ForgeClass *top)
{
  const float *p = forge_classifier_get_probabilities (classifier, slot);
  g_return_val_if_fail (p, 0);
  guint n_top = 0;
  k = MIN (k, classifier->n_classes);
  for (guint c = 0; c < classifier->n_classes && k > 0; c++) {
    if (n_top == k && p[c] <= top[k - 1].confidence)
      continue;
    guint at = n_top < k ? n_top++ : k - 1;
    for (; at > 0 && top[at - 1].confidence < p[c]; at--)
      top[at] = top[at - 1];
    top[at] = (ForgeClass) {
      .class_id = c, .confidence = p[c], .label = classifier->labels[c]
    };
  }
  return n_top;
}
