/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * gst-forge classify against the C interface and against gst-forge run: one
 * picture gives the same bits on all three ways. */
#include <string.h>

#include "command-run.h"
#include "forge/classifier.h"
#include "tensor/tensor.h"
#include "toy-models.h"

/* What the C interface says about a picture. */
static void
classify_by_library (const char *path, float probabilities[3])
{
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeModel) model = forge_model_load ("colours.onnx", &error);
  g_assert_no_error (error);
  const ForgeClassifierParams params = FORGE_CLASSIFIER_PARAMS_DEFAULT;
  g_autoptr (ForgeClassifier) classifier =
      forge_classifier_new (model, &params, &error);
  g_assert_no_error (error);
  g_autoptr (ForgePicture) picture = forge_picture_load (path, &error);
  g_assert_no_error (error);
  ForgeFrame frame = forge_picture_frame (picture);
  forge_classifier_set_frame (classifier, 0, &frame, &error);
  g_assert_no_error (error);
  forge_classifier_run (classifier);
  memcpy (probabilities, forge_classifier_get_probabilities (classifier, 0),
      3 * sizeof (float));
}

/* Bit for bit: JSON carries enough digits to give back every float. */
static void
classify_gives_the_probabilities_of_the_library (void)
{
  g_auto (CommandResult) result = command_run (
      "classify colours.onnx red.png green.png --probabilities --json -");
  command_assert_status (&result, 0);
  g_autoptr (JsonParser) parser = command_parse_json (&result);
  JsonArray *results =
      json_object_get_array_member (command_json_root (parser), "results");
  g_assert_cmpuint (json_array_get_length (results), ==, 2);
  static const char *const files[] = { "red.png", "green.png" };
  static const char *const labels[] = { "red", "green" };
  for (guint i = 0; i < 2; i++) {
    JsonObject *entry = json_array_get_object_element (results, i);
    g_assert_cmpstr (
        json_object_get_string_member (entry, "file"), ==, files[i]);
    JsonArray *top = json_object_get_array_member (entry, "top");
    g_assert_cmpuint (json_array_get_length (top), ==, 3);
    JsonObject *best = json_array_get_object_element (top, 0);
    g_assert_cmpstr (
        json_object_get_string_member (best, "label"), ==, labels[i]);
    float expected[3];
    classify_by_library (files[i], expected);
    JsonArray *found = json_object_get_array_member (entry, "probabilities");
    for (guint c = 0; c < 3; c++)
      g_assert_cmpfloat (
          (float) json_array_get_double_element (found, c), ==, expected[c]);
  }
}

static void
classify_goes_on_after_a_bad_file (void)
{
  g_file_set_contents ("broken.png", "\x89PNG\r\n", -1, NULL);
  g_auto (CommandResult) result =
      command_run ("classify colours.onnx absent.png broken.png blue.png -k 1");
  command_assert_status (&result, 3);
  g_assert_nonnull (strstr (result.err, "absent.png"));
  g_assert_nonnull (strstr (result.err, "broken.png"));
  g_assert_nonnull (strstr (result.out, "blue.png"));
  g_assert_nonnull (strstr (result.out, "%  blue"));
  g_assert_null (strstr (result.out, "green"));
}

static void
run_gives_the_bits_that_classify_gives (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeModel) model = forge_model_load ("colours.onnx", &error);
  g_assert_no_error (error);
  g_autoptr (ForgePicture) picture = forge_picture_load ("red.png", &error);
  g_assert_no_error (error);
  ForgeFrame frame = forge_picture_frame (picture);
  ForgeShape shape = forge_shape (4, 2, 8, 8, 3);
  g_autoptr (ForgeTensor) input = forge_tensor_new (FORGE_UINT8, &shape, NULL);
  g_autoptr (ForgeImager) imager =
      forge_imager_new (forge_model_get_preprocess (model));
  guint8 *bytes = forge_tensor_get_data (input);
  forge_imager_convert (imager, &frame, bytes + 8 * 8 * 3, &error);
  g_assert_no_error (error);
  forge_tensor_save_npy (input, "in.npy", &error);
  g_assert_no_error (error);

  g_auto (CommandResult) result =
      command_run ("run colours.onnx -i in.npy -o out.npy -t 1 --json -");
  command_assert_status (&result, 0);
  g_autoptr (JsonParser) parser = command_parse_json (&result);
  static const char *const names[] = { "model", "batch", "elapsed_ms",
    "outputs" };
  JsonObject *root = command_json_root (parser);
  command_assert_members (root, names, G_N_ELEMENTS (names));
  g_assert_cmpint (json_object_get_int_member (root, "batch"), ==, 2);
  g_autoptr (ForgeTensor) output = forge_tensor_load_npy ("out.npy", &error);
  g_assert_no_error (error);
  const float *found = forge_tensor_get_data (output);
  float expected[3];
  classify_by_library ("red.png", expected);
  g_assert_cmpmem (found + 3, sizeof expected, expected, sizeof expected);
  g_assert_cmpfloat (found[0], ==, found[1]); /* black: no preference */
}

/* In 0..1, which is what is assumed, red is nearest to the grey of -1..1. */
static void
stated_preprocessing_wins_and_is_not_noted (void)
{
  static const struct {
    const char *options, *top, *noted, *not_noted;
  } rows[] = {
    { "", "class 2", "values scaled to 0..1", "xyz" },
    { "--input-scale 1 --input-mean 127.5 --input-std 127.5,127.5,127.5",
        "class 3", "colour order RGB", "values" },
    { "--input-mean .5 --input-std .5 --input-order bgr", "class 1", "resized",
        "colour" },
    { "--input-mean .5 --input-std .5 --input-order rgb --input-layout nchw"
      " --resize stretch --filter nearest",
        "class 3", "", "note" },
  };
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_auto (CommandResult) result =
        command_run ("classify shades.onnx red.png -k 1 %s", rows[i].options);
    command_assert_status (&result, 0);
    g_assert_nonnull (strstr (result.out, rows[i].top));
    g_assert_nonnull (strstr (result.err, rows[i].noted));
    g_assert_null (strstr (result.err, rows[i].not_noted));
  }
}

static void
convert_keeps_what_is_stated (void)
{
  g_auto (CommandResult) converted = command_run (
      "convert shades.onnx told.onnx --input-mean .5 --input-std .5"
      " --input-order rgb --resize stretch --filter nearest");
  command_assert_status (&converted, 0);
  g_assert_nonnull (strstr (converted.out, "told.onnx: 4 nodes"));
  g_assert_cmpstr (converted.err, ==, "");
  g_auto (CommandResult) result = command_run ("classify told.onnx red.png");
  command_assert_status (&result, 0);
  g_assert_cmpstr (result.err, ==, "");
  g_auto (CommandResult) stated =
      command_run ("classify shades.onnx red.png --input-mean .5 --input-std .5"
                   " --input-order rgb --resize stretch --filter nearest");
  g_assert_cmpstr (result.out, ==, stated.out);
}

static void
wrong_statements_are_refused (void)
{
  static const struct {
    const char *line, *word;
  } rows[] = {
    { "classify shades.onnx red.png --input-mean 1,2", "1,2" },
    { "classify shades.onnx red.png --input-layout nhwc", "nhwc" },
    { "classify colours.onnx red.png --input-scale 1", "uint8" },
    { "evaluate shades.onnx --data . --resize cover", "cover" },
    { "convert absent.onnx out.onnx", "absent.onnx" },
    { "convert shades.onnx absent/out.onnx", "absent/out.onnx" },
    { "watch none.webm --input-order gbr", "gbr" },
  };
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_auto (CommandResult) result = command_run ("%s", rows[i].line);
    command_assert_status (&result, 3);
    g_assert_nonnull (strstr (result.err, rows[i].word));
  }
}

static void
wrong_usage_exits_with_2 (void)
{
  static const struct {
    const char *line, *word;
  } rows[] = {
    { "classify colours.onnx", "FILE" },
    { "convert colours.onnx", "OUT.onnx" },
    { "convert colours.onnx out.keras", "out.keras" },
    { "classify colours.onnx a.png --top-k 0", "--top-k" },
    { "classify colours.onnx a.png --top-k many", "many" },
    { "classify colours.onnx a.png --threads -1", "--threads" },
  };
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_auto (CommandResult) result = command_run ("%s", rows[i].line);
    command_assert_status (&result, 2);
    g_assert_nonnull (strstr (result.err, rows[i].word));
  }
}

static void
models_that_do_not_classify_are_refused (void)
{
  static const char *const models[] = { "absent.onnx", "arithmetic.onnx" };
  for (gsize i = 0; i < G_N_ELEMENTS (models); i++) {
    g_auto (CommandResult) result =
        command_run ("classify %s red.png", models[i]);
    command_assert_status (&result, 3);
    g_assert_true (g_str_has_prefix (result.err, "gst-forge: "));
    g_assert_cmpstr (result.out, ==, "");
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  command_enter_folder ();
  toy_write_colour_model ("colours.onnx");
  toy_write_shade_model ("shades.onnx");
  toy_write_arithmetic_model ("arithmetic.onnx");
  for (int c = 0; c < 3; c++) {
    g_autofree char *path = g_strconcat (toy_colours[c], ".png", NULL);
    toy_write_picture (path, 40, 30, toy_colour_rgb[c], c);
  }
#define ADD(test) g_test_add_func ("/gst-forge/classify/" #test, test)
  ADD (classify_gives_the_probabilities_of_the_library);
  ADD (classify_goes_on_after_a_bad_file);
  ADD (run_gives_the_bits_that_classify_gives);
  ADD (stated_preprocessing_wins_and_is_not_noted);
  ADD (convert_keeps_what_is_stated);
  ADD (wrong_statements_are_refused);
  ADD (wrong_usage_exits_with_2);
  ADD (models_that_do_not_classify_are_refused);
  int status = g_test_run ();
  command_leave_folder ();
  return status;
}
