/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Training from end to end, on pictures that can be told apart and on pictures
 * that cannot: it learns, repeats, resumes, stops and reports as train.h says,
 * and what it writes is the model it measured. */
#include <math.h>
#include <string.h>

#include <glib/gstdio.h>

#include "base/json.h"
#include "forge/error.h"
#include "run.h"

static void
assert_metadata (const Run *run)
{
  g_autoptr (ForgeModel) model = forge_model_load (run->out, NULL);
  static const char *const keys[] = { "forge.training", "forge.augmentation",
    "forge.evaluation", "forge.drift" };
  g_assert_cmpuint (forge_model_get_n_classes (model), ==, 2);
  g_assert_cmpstr (forge_model_get_labels (model)[1], ==, "light");
  g_assert_true (forge_model_has_probabilities (model));
  g_assert_null (forge_model_get_assumptions (model));
  for (guint i = 0; i < G_N_ELEMENTS (keys); i++) {
    const char *text = forge_model_get_metadata (model, keys[i]);
    g_assert_nonnull (text);
    g_autoptr (GError) error = NULL;
    g_autoptr (JsonNode) node = forge_json_parse (text, -1, keys[i], &error);
    g_assert_no_error (error);
    g_assert_cmpint (
        forge_json_int (json_node_get_object (node), "version", 0), ==, 1);
  }
  g_autoptr (ForgeDataset) train =
      forge_dataset_open (run->data, FORGE_SPLIT_TRAIN, NULL, NULL);
  g_assert_cmpstr (forge_model_get_metadata (model, "forge.data_hash"), ==,
      forge_dataset_get_hash (train));
}

static void
separable_pictures_are_learnt (void)
{
  Run run;
  run_init (&run, 60, 60);
  run.params.log = run.log;
  run.params.final_learning_rate = 0;
  run_ok (&run);
  g_assert_cmpuint (run.n_epochs, ==, 4);
  g_assert_cmpuint (run.n_calls, ==, 4 * 6);
  g_assert_cmpfloat (run.epochs[3].loss, <, run.epochs[0].loss / 2);
  g_assert_cmpfloat (run.epochs[3].accuracy, >, 0.9);
  g_assert_cmpfloat (run.epochs[3].learning_rate, <, 1e-4);
  g_assert_cmpfloat (run.result.val_accuracy, >, 0.9);
  g_autoptr (ForgeEvaluation) test = run_evaluate (&run, FORGE_SPLIT_TEST);
  g_assert_cmpuint (test->n_items, ==, 12);
  g_assert_cmpfloat (test->accuracy, >, 0.9);
  assert_metadata (&run);

  g_autofree char *log = NULL;
  g_assert_true (g_file_get_contents (run.log, &log, NULL, NULL));
  g_auto (GStrv) lines = g_strsplit (log, "\n", -1);
  g_assert_cmpuint (g_strv_length (lines), ==, 5);
  for (guint i = 0; i < 4; i++) {
    g_autoptr (JsonNode) line = forge_json_parse (lines[i], -1, "log", NULL);
    g_assert_nonnull (line);
    JsonObject *object = json_node_get_object (line);
    g_assert_cmpint (forge_json_int (object, "epoch", 0), ==, i + 1);
    g_assert_cmpfloat (
        forge_json_double (object, "val_loss", 0), ==, run.epochs[i].val_loss);
  }
  run_clear (&run);
}

static void
training_repeats_bit_for_bit (void)
{
  static const struct {
    int threads;
    uint64_t seed;
    gboolean same;
  } cases[] = { { 2, 1, TRUE }, { 1, 1, TRUE }, { 3, 1, TRUE },
    { 2, 2, FALSE } };
  Run run;
  run_init (&run, 30, 20);
  run.params.epochs = 2;
  run_ok (&run);
  g_autoptr (GBytes) first = run_read_file (run.out);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    run.params.threads = cases[i].threads;
    run.params.seed = cases[i].seed;
    run_ok (&run);
    g_autoptr (GBytes) again = run_read_file (run.out);
    g_assert_true (g_bytes_equal (first, again) == cases[i].same);
  }
  run_clear (&run);
}

static void
resumed_run_equals_an_uninterrupted_one (void)
{
  Run run;
  run_init (&run, 30, 20);
  run.params.final_learning_rate = 1e-4;
  run_ok (&run);
  g_autoptr (GBytes) whole = run_read_file (run.out);
  g_assert_cmpint (g_remove (run.out), ==, 0);

  run.params.checkpoint = run.checkpoint;
  run.params.resume = TRUE;
  run.stop_epoch = 3;
  run.stop_step = 2;
  run_refused (&run, FORGE_ERROR_CANCELLED, "epoch 3 of 4");
  g_assert_false (g_file_test (run.out, G_FILE_TEST_EXISTS));
  run.stop_epoch = 0;
  run.n_epochs = 0;
  run_ok (&run);
  g_assert_cmpuint (run.n_epochs, ==, 2);
  g_assert_cmpuint (run.epochs[0].epoch, ==, 3);
  g_autoptr (GBytes) resumed = run_read_file (run.out);
  g_assert_true (g_bytes_equal (whole, resumed));

  /* Nothing is left to do; the model is written again. */
  run.n_epochs = 0;
  run_ok (&run);
  g_assert_cmpuint (run.n_epochs, ==, 0);
  g_autoptr (GBytes) finished = run_read_file (run.out);
  g_assert_true (g_bytes_equal (whole, finished));
  run_clear (&run);
}

/* The narrow file is the one that is measured; the state of the run is the
 * same either way, so that a run of the other kind may be gone on with. */
static void
narrow_weights_are_what_is_measured (gconstpointer word)
{
  Run run;
  run_init (&run, 30, 20);
  run.params.epochs = 2;
  run.params.checkpoint = run.checkpoint;
  run_ok (&run);
  g_autoptr (GBytes) wide = run_read_file (run.out);
  gboolean is_half = g_str_equal (word, "float16");
  run.params.weights = word;
  run.params.resume = TRUE;
  run_ok (&run);
  g_autoptr (GBytes) narrow = run_read_file (run.out);
  g_autoptr (ForgeModel) model = forge_model_load (run.out, NULL);
  g_auto (ForgeWeightsReport) report = { 0 };
  forge_model_report_weights (model, &report);
  g_assert_cmpuint (
      is_half ? report.n_half : report.n_int8, ==, report.n_matrices);
  g_assert_cmpuint (report.n_matrices, >, 4);
  gsize saved = g_bytes_get_size (wide) - g_bytes_get_size (narrow);
  g_assert_cmpuint (
      saved, >, (is_half ? 0.45 : 0.65) * (double) report.computed_bytes);
  g_assert_cmpstr (
      forge_model_get_precision (model), ==, is_half ? "fp16" : "int8-weights");

  g_autoptr (ForgeEvaluation) val = run_evaluate (&run, FORGE_SPLIT_VALIDATION);
  const char *text = forge_model_get_metadata (model, "forge.drift");
  g_autoptr (JsonNode) drift = forge_json_parse (text, -1, "drift", NULL);
  g_assert_cmpfloat (
      forge_json_double (json_node_get_object (drift), "nll", 0), ==, val->nll);
  /* and not that of the float32 weights */
  g_assert_cmpfloat (val->nll, !=, run.result.val_loss);
  g_assert_cmpfloat_with_epsilon (val->nll, run.result.val_loss, 1e-2);
  text = forge_model_get_metadata (model, "forge.training");
  g_autofree char *told =
      g_strdup_printf ("\"weights\":\"%s\"", run.params.weights);
  g_assert_nonnull (strstr (text, told));
  run.params.weights = "float8";
  run_refused (
      &run, FORGE_ERROR_ARGUMENT, "float32, float16, int8, found 'float8'");
  run_clear (&run);
}

/* Who evaluates the file learns how its validation pictures were cut off. */
static void
the_cut_is_recorded (void)
{
  Run run;
  run_init (&run, 60, 60);
  run.params.epochs = 1;
  ForgeCut cut;
  for (guint i = 0; i < 2; i++) {
    run.params.validation_split = i ? 0.25 : 0;
    run_ok (&run);
    g_autoptr (ForgeModel) model = forge_model_load (run.out, NULL);
    g_assert_true (forge_model_get_training_cut (model, &cut));
    g_assert_cmpuint (cut.seed, ==, run.params.seed);
    g_assert_cmpfloat (cut.validation, ==, run.params.validation_split);
    g_autoptr (ForgeDataset) train =
        forge_dataset_open (run.data, FORGE_SPLIT_TRAIN, &cut, NULL);
    g_assert_cmpuint (forge_dataset_get_n_items (train), ==, i ? 78 : 96);
    g_assert_cmpstr (forge_model_get_metadata (model, "forge.data_hash"), ==,
        forge_dataset_get_hash (train));
  }
  run.params.validation_split = 0.7;
  run_refused (&run, FORGE_ERROR_ARGUMENT, "'validation_split'");
  run_clear (&run);
}

/* Training goes on from a narrow file, in float32. */
static void
a_narrow_file_is_trained_on (gconstpointer word)
{
  Run run;
  run_init (&run, 30, 20);
  run.params.epochs = 1;
  run.params.weights = word;
  run_ok (&run);
  g_autofree char *init = g_build_filename (run.folder, "init.onnx", NULL);
  g_assert_cmpint (g_rename (run.out, init), ==, 0);
  run.params.init = init;
  run.params.weights = "float32";
  run_ok (&run);
  g_autoptr (ForgeModel) before = forge_model_load (init, NULL);
  g_autoptr (ForgeModel) after = forge_model_load (run.out, NULL);
  g_assert_cmpstr (forge_model_get_precision (after), ==, "fp32");
  g_assert_cmpint (forge_model_count_parameters (after), ==,
      forge_model_count_parameters (before));
  run_clear (&run);
}

static void
unfit_checkpoints_are_refused (void)
{
  Run run;
  run_init (&run, 20, 60);
  run.params.epochs = 1;
  run.params.checkpoint = run.checkpoint;
  run_ok (&run);
  run.params.resume = TRUE;
  run.params.dropout = 0.25;
  run_refused (&run, FORGE_ERROR_ARGUMENT, "other settings");
  run.params.dropout = 0.3;

  g_autoptr (GBytes) state = run_read_file (run.checkpoint);
  gsize size_bytes;
  const char *bytes = g_bytes_get_data (state, &size_bytes);
  const gsize cuts[] = { 0, 7, 11, 40, 200, size_bytes / 2, size_bytes - 1 };
  for (guint i = 0; i < G_N_ELEMENTS (cuts); i++) {
    fixture_write (run.folder, "state", bytes, cuts[i]);
    run_refused (&run, FORGE_ERROR_FORMAT, run.checkpoint);
  }
  g_autofree char *changed = g_memdup2 (bytes, size_bytes);
  changed[size_bytes / 2] ^= 1;
  fixture_write (run.folder, "state", changed, size_bytes);
  run_refused (&run, FORGE_ERROR_FORMAT, "checksum");
  memcpy (changed, bytes, size_bytes);
  changed[8] = 9;
  fixture_write (run.folder, "state", changed, size_bytes);
  run_refused (&run, FORGE_ERROR_UNSUPPORTED, "version 2 to 3, found 9");
  run_clear (&run);
}

/* Noise: the longer it learns the training pictures by heart, the worse it
 * does on others. */
static void
early_stop_restores_the_best_weights (void)
{
  Run run;
  run_init (&run, 60, 0);
  run.params.epochs = 16;
  run.params.patience = 2;
  run.params.flip = "never";
  run.params.shift = 0;
  run.params.dropout = 0;
  run.params.learning_rate = 3e-3;
  run_ok (&run);
  g_assert_true (run.result.stopped_early);
  g_assert_cmpuint (run.result.epochs_run, ==, run.n_epochs);
  g_assert_cmpuint (run.n_epochs, <, 16);
  g_assert_cmpuint (run.result.best_epoch, ==, run.n_epochs - 2);
  double least = INFINITY;
  for (guint i = 0; i < run.n_epochs; i++) {
    g_assert_true (run.epochs[i].best == (run.epochs[i].val_loss < least));
    least = MIN (least, run.epochs[i].val_loss);
  }
  g_assert_cmpfloat (run.result.val_loss, ==, least);
  g_autoptr (ForgeEvaluation) val = run_evaluate (&run, FORGE_SPLIT_VALIDATION);
  g_assert_cmpfloat_with_epsilon (val->nll, least, 1e-4);
  g_assert_cmpfloat (run.epochs[run.n_epochs - 1].val_loss, >, least + 1e-3);
  run_clear (&run);
}

static void
divergence_names_the_layer (void)
{
  Run run;
  run_init (&run, 20, 60);
  run.params.learning_rate = 1e30;
  run_refused (&run, FORGE_ERROR_NUMERIC, "layer 'conv");
  g_assert_false (g_file_test (run.out, G_FILE_TEST_EXISTS));
  run_clear (&run);
}

static void
senseless_parameters_are_refused (void)
{
  Run run;
  run_init (&run, 20, 60);
  const ForgeTrainParams good = run.params;
#define REFUSED(field, value)                                 \
  do {                                                        \
    run.params = good;                                        \
    run.params.field = value;                                 \
    run_refused (&run, FORGE_ERROR_ARGUMENT, "'" #field "'"); \
  } while (0)
  REFUSED (epochs, 0);
  REFUSED (batch, 0);
  REFUSED (learning_rate, 0);
  REFUSED (learning_rate, NAN);
  REFUSED (final_learning_rate, NAN);
  REFUSED (weight_decay, -1);
  REFUSED (dropout, 1);
  REFUSED (threads, -1);
  REFUSED (resume, TRUE);
  REFUSED (data, NULL);
  REFUSED (out, NULL);
  REFUSED (shift, 1000);
  run.params = good;
  run.params.arch = "vgg";
  run_refused (&run, FORGE_ERROR_ARGUMENT, "unknown architecture 'vgg'");
  run.params = good;
  run.params.out = "/nonexistent/model.onnx";
  run_refused (&run, FORGE_ERROR_IO, "/nonexistent/model.onnx");
  g_assert_cmpuint (run.n_calls, ==, 0);
  run_clear (&run);
}

static void
assert_recorded (JsonObject *object, const char *name, gint64 expected)
{
  if (forge_json_int (object, name, -1) != expected)
    g_error ("'%s' is %" G_GINT64_FORMAT ", not %" G_GINT64_FORMAT, name,
        forge_json_int (object, name, -1), expected);
}

/* In the result, in every line of the log and in the file; and in all phases
 * of a transfer. */
static void
pictures_left_out_are_on_record (void)
{
  Run run;
  run_init (&run, 20, 60);
  g_autofree char *data = g_build_filename (run.folder, "parts", NULL);
  g_autofree char *train = g_build_filename (data, "train", NULL);
  g_autofree char *val = g_build_filename (data, "val", NULL);
  fixture_write_classes (train, 20, 60, 2);
  fixture_write_classes (val, 8, 60, 3);
  fixture_write (data, "train/dark/broken.png", "no", 2);
  fixture_write (data, "train/light/broken.png", "no", 2);
  fixture_write (data, "val/light/broken.jpg", "no", 2);
  run.params.data = data;
  run.params.epochs = 1;
  run.params.log = run.log;
  g_autofree char *start = g_build_filename (run.folder, "start.onnx", NULL);
  for (guint round = 0; round < 2; round++) {
    if (round == 1) {
      g_assert_cmpint (g_rename (run.out, start), ==, 0);
      run.params.backbone = start;
      run.params.freeze_backbone = TRUE;
      run.params.unfreeze = 1;
      run.params.tuning_epochs = 1;
    }
    g_test_expect_message ("forge", G_LOG_LEVEL_MESSAGE, "*2 of 42 pictures*");
    g_test_expect_message ("forge", G_LOG_LEVEL_MESSAGE, "*1 of 17 pictures*");
    run_ok (&run);
    g_test_assert_expected_messages ();
    g_assert_cmpuint (run.result.n_train, ==, 40);
    g_assert_cmpuint (run.result.n_train_skipped, ==, 2);
    g_assert_cmpuint (run.result.n_val, ==, 16);
    g_assert_cmpuint (run.result.n_val_skipped, ==, 1);
    g_autoptr (ForgeModel) model = forge_model_load (run.out, NULL);
    const char *text = forge_model_get_metadata (model, "forge.training");
    g_autoptr (JsonNode) training = forge_json_parse (text, -1, "t", NULL);
    JsonObject *object = json_node_get_object (training);
    assert_recorded (object, "n_train", 40);
    assert_recorded (object, "n_train_skipped", 2);
    assert_recorded (object, "n_val", 16);
    assert_recorded (object, "n_val_skipped", 1);
    /* val/ is the test part too */
    text = forge_model_get_metadata (model, "forge.evaluation");
    g_autoptr (JsonNode) evaluation = forge_json_parse (text, -1, "e", NULL);
    assert_recorded (json_node_get_object (evaluation), "n_skipped", 1);
  }
  g_autofree char *log = NULL;
  g_assert_true (g_file_get_contents (run.log, &log, NULL, NULL));
  g_auto (GStrv) lines = g_strsplit (g_strchomp (log), "\n", -1);
  g_assert_cmpuint (g_strv_length (lines), ==, 3);
  for (guint i = 0; lines[i]; i++) {
    g_autoptr (JsonNode) line = forge_json_parse (lines[i], -1, "log", NULL);
    assert_recorded (json_node_get_object (line), "n_skipped", 3);
  }
  run_clear (&run);
}

static gboolean
stop (uint64_t done, uint64_t total, gpointer user_data)
{
  g_assert_cmpuint (total, ==, 32);
  return FALSE;
}

/* Pictures that do not decode are counted and left out; when none does, the
 * reason is given. */
static void
evaluation_skips_damaged_pictures (void)
{
  Run run;
  run_init (&run, 20, 60);
  run.params.epochs = 1;
  run_ok (&run);
  g_autoptr (ForgeModel) model = forge_model_load (run.out, NULL);
  uint8_t pixels[3072] = { 0 };
  g_autofree char *test = g_build_filename (run.folder, "set", NULL);
  fixture_write_png (test, "train/dark/1.png", pixels, 32, 32);
  fixture_write_png (test, "train/light/1.png", pixels, 32, 32);
  fixture_write (test, "test/dark/1.png", "no", 2);
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeDataset) broken =
      forge_dataset_open (test, FORGE_SPLIT_TEST, NULL, NULL);
  g_assert_null (forge_evaluate (model, broken, NULL, NULL, NULL, &error));
  g_assert_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT);
  g_assert_nonnull (strstr (error->message, "1.png"));
  fixture_write_png (test, "test/dark/2.png", pixels, 40, 20);
  g_autoptr (ForgeDataset) half =
      forge_dataset_open (test, FORGE_SPLIT_TEST, NULL, NULL);
  g_autoptr (ForgeEvaluation) evaluation =
      forge_evaluate (model, half, NULL, NULL, NULL, NULL);
  g_assert_nonnull (evaluation);
  g_assert_cmpuint (evaluation->n_items, ==, 1);
  g_assert_cmpuint (evaluation->n_skipped, ==, 1);
  run_clear (&run);
}

static void
evaluation_can_be_stopped_and_checks_the_classes (void)
{
  Run run;
  run_init (&run, 20, 60);
  run.params.epochs = 1;
  run_ok (&run);
  g_autoptr (ForgeModel) model = forge_model_load (run.out, NULL);
  uint8_t pixels[3072] = { 0 };
  fixture_write_png (run.folder, "three/a/1.png", pixels, 32, 32);
  fixture_write_png (run.folder, "three/b/1.png", pixels, 32, 32);
  fixture_write_png (run.folder, "three/c/1.png", pixels, 32, 32);
  g_autofree char *three = g_build_filename (run.folder, "three", NULL);
  g_autoptr (ForgeDataset) other =
      forge_dataset_open (three, FORGE_SPLIT_TRAIN, NULL, NULL);
  g_autoptr (GError) error = NULL;
  g_assert_null (forge_evaluate (model, other, NULL, NULL, NULL, &error));
  g_assert_error (error, FORGE_ERROR, FORGE_ERROR_ARGUMENT);
  g_clear_error (&error);
  g_autoptr (ForgeDataset) train =
      forge_dataset_open (run.data, FORGE_SPLIT_TRAIN, NULL, NULL);
  g_assert_null (forge_evaluate (model, train, NULL, stop, NULL, &error));
  g_assert_error (error, FORGE_ERROR, FORGE_ERROR_CANCELLED);
  run_clear (&run);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_unsetenv ("FORGE_DATA");
#define ADD(name) g_test_add_func ("/train/" #name, name)
  ADD (separable_pictures_are_learnt);
  ADD (training_repeats_bit_for_bit);
  ADD (resumed_run_equals_an_uninterrupted_one);
  g_test_add_data_func ("/train/half_weights_are_what_is_measured", "float16",
      narrow_weights_are_what_is_measured);
  g_test_add_data_func ("/train/int8_weights_are_what_is_measured", "int8",
      narrow_weights_are_what_is_measured);
  ADD (the_cut_is_recorded);
  g_test_add_data_func ("/train/a_file_in_halves_is_trained_on", "float16",
      a_narrow_file_is_trained_on);
  g_test_add_data_func ("/train/a_file_in_int8_is_trained_on", "int8",
      a_narrow_file_is_trained_on);
  ADD (unfit_checkpoints_are_refused);
  ADD (early_stop_restores_the_best_weights);
  ADD (divergence_names_the_layer);
  ADD (senseless_parameters_are_refused);
  ADD (pictures_left_out_are_on_record);
  ADD (evaluation_skips_damaged_pictures);
  ADD (evaluation_can_be_stopped_and_checks_the_classes);
  return g_test_run ();
}
