/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What was measured on a machine, and what was only written as if it were. */
#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

#include "base/cpu.h"
#include "forge/session.h"
#include "forge/tune.h"
#include "forge/version.h"
#include "ops/tuning.h"
#include "run/model.h"
#include "toy-graph.h"

#define SHAPE "c32 6x11 o40 6x11 pad 1,1"

/* A convolution that can be computed in three ways, and one in one way. */
static ForgeModel *
new_model (void)
{
  g_autoptr (GError) error = NULL;
  ForgeGraph *graph = forge_graph_new ("tuned");
  toy_input (graph, "x", 1, 32, 6, 11);
  toy_constant (graph, "w", 1, -1, 2, 40, 32, 3, 3);
  toy_constant (graph, "v", 2, -1, 2, 8, 40, 1, 1);
  toy_onnx_node (
      graph, "Conv", "x, w", "c", toy_attrs_ints (NULL, "pads", 4, 1, 1, 1, 1));
  toy_onnx_node (graph, "Conv", "c, v", "y", NULL);
  toy_output (graph, "y");
  g_assert_true (forge_graph_sort (graph, &error));
  g_assert_true (forge_graph_infer (graph, &error));
  ForgeModel *model = forge_model_new_from_graph (graph, "tuned", &error);
  g_assert_no_error (error);
  return model;
}

/* How the first convolution is computed, and what comes out. (transfer full)
 * @out: a copy of the output. */
static const char *
run_model (float **out)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeModel) model = new_model ();
  const ForgeSessionParams params = { .threads = 1, .batch = 1 };
  g_autoptr (ForgeSession) session = forge_session_new (model, &params, &error);
  g_assert_no_error (error);
  toy_fill (forge_session_get_input (session, 0), 3);
  forge_session_run (session);
  const ForgeTensor *result = forge_session_get_output (session, 0);
  *out = g_memdup2 (result->data, result->size_bytes);
  gsize n_rows;
  g_autofree ForgeNodeProfile *rows =
      forge_session_get_profile (session, &n_rows);
  const char *algorithm = NULL;
  for (gsize n = 0; n < n_rows; n++) {
    if (g_strcmp0 (rows[n].tuned_shape, SHAPE) == 0)
      algorithm = rows[n].algorithm;
    else
      g_assert_null (rows[n].tuned_shape);
  }
  return algorithm;
}

static char *
tuning_text (const char *version, const char *choices)
{
  g_autofree char *cpu = forge_cpu_model_name ();
  return g_strdup_printf ("{ \"cpu\": \"%s\", \"tier\": \"%s\", \"version\": "
                          "\"%s\", \"choices\": %s }",
      cpu, forge_cpu_tier (), version, choices);
}

static void
write_tuning (const char *text)
{
  g_autoptr (GError) error = NULL;
  g_file_set_contents (g_getenv ("FORGE_TUNING"), text, -1, &error);
  g_assert_no_error (error);
  forge_tuning_reload ();
}

static const char *
algorithm_with (const char *text)
{
  g_autofree float *out = NULL;
  write_tuning (text);
  return run_model (&out);
}

static void
sessions_follow_the_file (void)
{
  static const char *const algorithms[] = { "igemm", "winograd2x2",
    "winograd4x4" };
  g_autofree float *first = NULL;
  for (gsize i = 0; i < G_N_ELEMENTS (algorithms); i++) {
    g_autofree char *choices =
        g_strdup_printf ("{ \"" SHAPE "\": \"%s\" }", algorithms[i]);
    g_autofree char *text = tuning_text (FORGE_VERSION, choices);
    g_autofree float *out = NULL;
    write_tuning (text);
    g_assert_cmpstr (run_model (&out), ==, algorithms[i]);
    for (int at = 0; first && at < 8 * 6 * 11; at++)
      g_assert_cmpfloat (fabsf (out[at] - first[at]), <, 1e-4f * 40);
    if (!first)
      first = g_steal_pointer (&out);
  }
}

static void
what_does_not_fit_is_ignored (void)
{
  g_autofree float *out = NULL;
  g_unlink (g_getenv ("FORGE_TUNING"));
  forge_tuning_reload ();
  const char *usual = run_model (&out);
  const char *other = strcmp (usual, "igemm") == 0 ? "winograd2x2" : "igemm";
  g_autofree char *good = g_strdup_printf ("{ \"" SHAPE "\": \"%s\" }", other);
  g_autofree char *of_now = tuning_text (FORGE_VERSION, good);
  g_assert_cmpstr (algorithm_with (of_now), ==, other);
  g_autofree char *of_another = tuning_text ("0.0.0", good);
  g_assert_cmpstr (algorithm_with (of_another), ==, usual);
  g_autofree char *unknown =
      tuning_text (FORGE_VERSION, "{ \"" SHAPE "\": \"magic\" }");
  g_assert_cmpstr (algorithm_with (unknown), ==, usual);
  /* its maps are too small for it */
  g_autofree char *too_large =
      tuning_text (FORGE_VERSION, "{ \"" SHAPE "\": \"winograd6x6\" }");
  g_assert_cmpstr (algorithm_with (too_large), ==, usual);
  g_assert_cmpstr (algorithm_with ("[]"), ==, usual);
  g_assert_cmpstr (algorithm_with ("{ \"choices\": 3 }"), ==, usual);
}

static void
a_broken_file_is_named (void)
{
  g_autofree float *out = NULL;
  write_tuning ("{ \"cpu\":");
  g_test_expect_message (
      G_LOG_DOMAIN, G_LOG_LEVEL_WARNING, "tuning is ignored: *tuning.json*");
  run_model (&out);
  g_test_assert_expected_messages ();
}

static void
tuning_measures_and_keeps (void)
{
  g_autoptr (GError) error = NULL;
  g_unlink (g_getenv ("FORGE_TUNING"));
  forge_tuning_reload ();
  g_autoptr (ForgeModel) model = new_model ();
  g_autoptr (GPtrArray) layers = forge_tune (model, 1, 1, 0, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (layers->len, ==, 1);
  const ForgeTunedLayer *layer = layers->pdata[0];
  g_assert_cmpstr (layer->shape, ==, SHAPE);
  g_assert_cmpfloat (layer->fastest_us, >, 0);
  g_assert_cmpfloat (layer->fastest_us, <=, layer->chosen_us);
  g_autofree float *out = NULL, *again = NULL;
  g_assert_cmpstr (run_model (&out), ==, layer->fastest);
  forge_tuning_reload ();
  g_assert_cmpstr (run_model (&again), ==, layer->fastest);
}

static void
tuning_can_be_off (void)
{
  g_autofree char *path = g_strdup (g_getenv ("FORGE_TUNING"));
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeModel) model = new_model ();
  g_setenv ("FORGE_TUNING", "off", TRUE);
  forge_tuning_reload ();
  g_assert_null (forge_tune (model, 1, 1, 0, &error));
  g_assert_error (error, FORGE_ERROR, FORGE_ERROR_ARGUMENT);
  g_setenv ("FORGE_TUNING", path, TRUE);
  forge_tuning_reload ();
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_autofree char *folder = g_dir_make_tmp ("forge-tuning-XXXXXX", NULL);
  g_autofree char *path = g_build_filename (folder, "tuning.json", NULL);
  g_setenv ("FORGE_TUNING", path, TRUE);
  g_test_add_func (
      "/tuning/sessions_follow_the_file", sessions_follow_the_file);
  g_test_add_func (
      "/tuning/what_does_not_fit_is_ignored", what_does_not_fit_is_ignored);
  g_test_add_func ("/tuning/a_broken_file_is_named", a_broken_file_is_named);
  g_test_add_func (
      "/tuning/tuning_measures_and_keeps", tuning_measures_and_keeps);
  g_test_add_func ("/tuning/tuning_can_be_off", tuning_can_be_off);
  int status = g_test_run ();
  g_unlink (path);
  g_rmdir (folder);
  return status;
}
