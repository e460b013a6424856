/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * What `gst-forge evaluate` does beyond the report: corruptions, calibration
 * of model files of several kinds, plots. */
#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

#include "command-run.h"
#include "formats/format.h"
#include "forge/baseline.h"
#include "forge/classifier.h"
#include "toy-models.h"

#define N_EACH 20

static double
number (JsonObject *object, const char *name)
{
  return json_object_get_double_member (object, name);
}

static void
corruptions_are_listed_by_kind_and_severity (void)
{
  g_auto (CommandResult) result = command_run ("evaluate colours.onnx --data "
                                               "data --corruptions=fog,"
                                               "contrast --json - -t 2");
  command_assert_status (&result, 0);
  g_autoptr (JsonParser) parser = command_parse_json (&result);
  JsonObject *root = command_json_root (parser);
  JsonArray *rows = json_object_get_array_member (root, "corruptions");
  g_assert_cmpuint (json_array_get_length (rows), ==, 10);
  double sum = 0;
  for (guint i = 0; i < 10; i++) {
    JsonObject *row = json_array_get_object_element (rows, i);
    g_assert_cmpstr (json_object_get_string_member (row, "kind"), ==,
        i < 5 ? "fog" : "contrast");
    g_assert_cmpint (
        json_object_get_int_member (row, "severity"), ==, i % 5 + 1);
    sum += number (row, "accuracy");
  }
  g_assert_cmpfloat_with_epsilon (
      number (root, "mean_corruption_error"), 1 - sum / 10, 1e-9);
  g_assert_nonnull (strstr (result.err, "mean corruption error"));
  g_auto (CommandResult) again = command_run ("evaluate colours.onnx --data "
                                              "data --corruptions=fog,"
                                              "contrast --json - -t 1");
  g_autoptr (JsonParser) other = command_parse_json (&again);
  g_assert_true (json_node_equal (json_object_get_member (root, "corruptions"),
      json_object_get_member (command_json_root (other), "corruptions")));
}

static void
limit_spreads_over_the_classes (void)
{
  g_auto (CommandResult) result =
      command_run ("evaluate colours.onnx --data data --limit 6 --json -");
  command_assert_status (&result, 0);
  g_autoptr (JsonParser) parser = command_parse_json (&result);
  JsonObject *root = command_json_root (parser);
  g_assert_cmpint (json_object_get_int_member (root, "n_items"), ==, 6);
  JsonObject *red = json_object_get_object_member (root, "red");
  g_assert_cmpint (json_object_get_int_member (red, "support"), ==, 2);
  JsonObject *latency = json_object_get_object_member (root, "latency_ms");
  g_assert_cmpfloat (number (latency, "p50"), <=, number (latency, "p99"));
  g_assert_cmpfloat (number (latency, "p50"), >, 0);
  JsonObject *model = json_object_get_object_member (root, "model");
  g_assert_cmpstr (
      json_object_get_string_member (model, "precision"), ==, "fp32");
}

/* The file before is a part of the file behind: graph and weights keep every
 * bit. */
static void
assert_holds (const char *behind, const char *before)
{
  g_autofree char *old = NULL, *new = NULL;
  gsize old_bytes, new_bytes;
  g_assert_true (g_file_get_contents (before, &old, &old_bytes, NULL));
  g_assert_true (g_file_get_contents (behind, &new, &new_bytes, NULL));
  g_assert_cmpuint (new_bytes, >, old_bytes);
  g_assert_cmpmem (new, old_bytes, old, old_bytes);
}

static ForgeBaseline *
assert_calibrated (const char *path, double temperature)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeModel) model = forge_model_load (path, &error);
  g_assert_no_error (error);
  g_assert_cmpfloat_with_epsilon (
      forge_model_get_temperature (model), temperature, 1e-12);
  const char *text = forge_model_get_metadata (model, "forge.baseline");
  g_assert_nonnull (text);
  ForgeBaseline *baseline = forge_baseline_parse (text, strlen (text), &error);
  g_assert_no_error (error);
  g_assert_cmpfloat (baseline->temperature, ==, temperature);
  g_assert_cmpfloat_with_epsilon (forge_model_get_baseline_confidence (model),
      baseline->mean_confidence, 1e-9);
  return baseline;
}

static double
calibrate (const char *line)
{
  g_auto (CommandResult) result =
      command_run ("evaluate %s --calibrate --min-f1 0 --json -", line);
  command_assert_status (&result, 0);
  g_autoptr (JsonParser) parser = command_parse_json (&result);
  JsonObject *calibration =
      json_object_get_object_member (command_json_root (parser), "calibration");
  /* halves of few pictures differ */
  g_assert_cmpfloat (number (calibration, "nll_after"), <,
      number (calibration, "nll_before") + 0.05);
  return number (calibration, "temperature");
}

static void
calibration_adds_to_the_file_and_keeps_its_graph (void)
{
  double temperature = calibrate (
      "colours.onnx --data faulty --split test --out calibrated.onnx");
  g_assert_cmpfloat (temperature, !=, 1);
  assert_holds ("calibrated.onnx", "colours.onnx");
  g_autoptr (ForgeBaseline) baseline =
      assert_calibrated ("calibrated.onnx", temperature);
  g_assert_cmpuint (baseline->n_val, ==, 3 * N_EACH / 2);
  g_assert_cmpuint (baseline->n_fit, ==, 3 * N_EACH / 2);
  g_assert_cmpuint (baseline->n_conditions, ==, 75);
  g_assert_cmpfloat (baseline->accuracy_margin, >=, 0);
  g_assert_cmpstr (baseline->split, ==, "test");
  g_assert_cmpstr (baseline->precision_name, ==, "fp32");
  g_assert_cmpuint (baseline->embedding.n_features, ==, 192);
  g_assert_true (baseline->has_energy);
  /* Once more, in place: the keys are replaced, not added again, and the
   * temperature that is there already is not counted twice. */
  g_assert_cmpint (g_rename ("calibrated.onnx", "twice.onnx"), ==, 0);
  double again = calibrate ("twice.onnx --data faulty --split test");
  g_assert_cmpfloat_with_epsilon (again, temperature, 1e-9);
  g_autofree char *bytes = NULL;
  gsize size_bytes;
  g_assert_true (g_file_get_contents ("twice.onnx", &bytes, &size_bytes, NULL));
  const char *first = memmem (bytes, size_bytes, "forge.baseline", 14);
  g_assert_nonnull (first);
  g_assert_null (memmem (first + 1, size_bytes - (gsize) (first + 1 - bytes),
      "forge.baseline", 14));
}

/* softmax (log p / T), by the command that a user sees. */
static void
classify_applies_the_temperature (void)
{
  double temperature =
      calibrate ("colours.onnx --data faulty --split test --out warm.onnx");
  static const char *const models[] = { "colours.onnx", "warm.onnx" };
  double p[2][3], sum = 0;
  for (guint m = 0; m < 2; m++) {
    g_auto (CommandResult) result = command_run (
        "classify %s data/test/red/000.png -k 3 --json -", models[m]);
    command_assert_status (&result, 0);
    g_autoptr (JsonParser) parser = command_parse_json (&result);
    JsonArray *results =
        json_object_get_array_member (command_json_root (parser), "results");
    JsonArray *top = json_object_get_array_member (
        json_array_get_object_element (results, 0), "top");
    for (guint i = 0; i < 3; i++)
      p[m][i] = number (json_array_get_object_element (top, i), "confidence");
  }
  for (guint i = 0; i < 3; i++)
    sum += pow (p[0][i], 1 / temperature);
  for (guint i = 0; i < 3; i++)
    g_assert_cmpfloat_with_epsilon (
        p[1][i], pow (p[0][i], 1 / temperature) / sum, 2e-6);
}

static void
calibration_refuses_what_it_must (void)
{
  static const struct {
    const char *line, *word;
    int status;
  } rows[] = {
    { "--data data --calibrate --split train", "train", 2 },
    { "--data data --out x.onnx", "--calibrate", 2 },
    { "--data data --corruptions=rain", "rain", 2 },
    { "--data data --corruptions=fog,fog", "fog", 2 },
    { "--data data --limit -1", "--limit", 2 },
    { "--data data --calibrate --split test --limit 30", "40", 3 },
    { "--data data --calibrate --split test --out absent/x.onnx", "absent", 3 },
  };
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_auto (CommandResult) result =
        command_run ("evaluate colours.onnx --min-f1 0 %s", rows[i].line);
    command_assert_status (&result, rows[i].status);
    if (!strstr (result.err, rows[i].word))
      g_error ("'%s' does not speak of %s: %s", rows[i].line, rows[i].word,
          result.err);
  }
  g_auto (CommandResult) embedded =
      command_run ("evaluate embedded --data data --calibrate");
  command_assert_status (&embedded, 2);
  g_assert_nonnull (strstr (embedded.err, "--out"));
}

/* Any format can be written to beside the file; the reader sees it there. */
static void
temperature_is_read_beside_a_file (void)
{
  static const char *const names[] = { "calibration", NULL };
  static const char *const values[] = { "{\"version\":1,\"temperature\":2.5}",
    NULL };
  g_autofree char *written = NULL;
  g_autoptr (GError) error = NULL;
  toy_write_shade_model ("beside.onnx");
  g_assert_true (g_file_set_contents ("beside.onnx.modelinfo",
      "# kept\n[modelinfo]\nversion=1.0\n[image]\nranges=-1,1\n", -1, NULL));
  forge_model_info_write_beside (
      "beside.onnx", names, values, &written, &error);
  g_assert_no_error (error);
  g_assert_cmpstr (written, ==, "beside.onnx.modelinfo");
  g_autoptr (ForgeModel) model = forge_model_load ("beside.onnx", &error);
  g_assert_no_error (error);
  g_assert_cmpfloat (forge_model_get_temperature (model), ==, 2.5);
  g_assert_cmpfloat_with_epsilon (
      forge_model_get_preprocess (model)->bias[0], -1, 1e-6);
  g_assert_cmpstr (
      forge_model_get_metadata (model, "forge.calibration"), ==, values[0]);
  g_autofree char *text = NULL;
  g_assert_true (g_file_get_contents (written, &text, NULL, NULL));
  g_assert_nonnull (strstr (text, "# kept"));
}

static void
plots_are_pictures (void)
{
  static const char *const names[] = { "confusion-matrix.png", "class-f1.png",
    "reliability.png", "mistakes.png", "corruptions.png",
    "corruption-sheet.png" };
  g_auto (CommandResult) result = command_run (
      "evaluate colours.onnx --data faulty --split test --min-f1 0 "
      "--corruptions=snow --plots made/here");
  command_assert_status (&result, 0);
  for (gsize i = 0; i < G_N_ELEMENTS (names); i++) {
    g_autofree char *path = g_build_filename ("made", "here", names[i], NULL);
    g_autoptr (GError) error = NULL;
    g_autoptr (ForgePicture) picture = forge_picture_load (path, &error);
    g_assert_no_error (error);
    gsize n = (gsize) picture->width * (gsize) picture->height * 3, n_dark = 0;
    for (gsize p = 0; p < n; p++)
      n_dark += picture->data[p] < 128;
    g_assert_cmpuint (n_dark, >, n / 500);
    g_assert_cmpuint (n_dark, <, n * 3 / 4);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  command_enter_folder ();
  toy_write_colour_model ("colours.onnx");
  toy_write_colour_folders ("data", N_EACH, 0);
  toy_write_colour_folders ("faulty", N_EACH, N_EACH / 2);
#define ADD(name) g_test_add_func ("/gst-forge-evaluate/" #name, name)
  ADD (corruptions_are_listed_by_kind_and_severity);
  ADD (limit_spreads_over_the_classes);
  ADD (calibration_adds_to_the_file_and_keeps_its_graph);
  ADD (classify_applies_the_temperature);
  ADD (calibration_refuses_what_it_must);
  ADD (temperature_is_read_beside_a_file);
  ADD (plots_are_pictures);
  int status = g_test_run ();
  command_leave_folder ();
  return status;
}
