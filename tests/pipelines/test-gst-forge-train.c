/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * gst-forge train and evaluate on folders of coloured pictures: figures that
 * are known beforehand, the floor and its exit status, a training that is
 * interrupted and goes on. */
#include <glib/gstdio.h>
#include <signal.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "command-run.h"
#include "formats/format.h"
#include "toy-models.h"

#define N_EACH 6

static void
assert_metrics (JsonObject *object, double precision, double recall,
    double f1_score, gint64 support)
{
  g_assert_cmpfloat_with_epsilon (
      json_object_get_double_member (object, "precision"), precision, 1e-12);
  g_assert_cmpfloat_with_epsilon (
      json_object_get_double_member (object, "recall"), recall, 1e-12);
  g_assert_cmpfloat_with_epsilon (
      json_object_get_double_member (object, "f1-score"), f1_score, 1e-12);
  g_assert_cmpint (json_object_get_int_member (object, "support"), ==, support);
}

static void
evaluate_passes_a_model_without_faults (void)
{
  g_auto (CommandResult) result = command_run (
      "evaluate colours.onnx --data clean --min-f1 1 --json - -t 2");
  command_assert_status (&result, 0);
  g_autoptr (JsonParser) parser = command_parse_json (&result);
  JsonObject *root = command_json_root (parser);
  g_assert_cmpfloat (json_object_get_double_member (root, "accuracy"), ==, 1.0);
  assert_metrics (
      json_object_get_object_member (root, "macro avg"), 1, 1, 1, 3 * N_EACH);
  g_assert_true (json_object_get_boolean_member (root, "passed"));
  g_assert_nonnull (strstr (result.err, "weighted avg"));
}

/* Two of six blue pictures show green: recall of blue 4/6, precision of green
 * 6/8. */
static void
evaluate_reports_what_scikit_learn_would (void)
{
  g_auto (CommandResult) result =
      command_run ("evaluate colours.onnx --data faulty --min-f1 0.5 --json -");
  command_assert_status (&result, 0);
  g_autoptr (JsonParser) parser = command_parse_json (&result);
  JsonObject *root = command_json_root (parser);
  static const char *const names[] = { "blue", "green", "red", "accuracy",
    "macro avg", "weighted avg", "confusion_matrix", "labels", "per_class",
    "top_5_accuracy", "nll", "ece", "n_items", "n_skipped", "images_per_s",
    "model", "data", "split", "data_hash", "min_f1", "passed" };
  command_assert_members (root, names, G_N_ELEMENTS (names));
  double f1_blue = 2 * (4 / 6.0) / (1 + 4 / 6.0);
  double f1_green = 2 * 0.75 / 1.75;
  assert_metrics (json_object_get_object_member (root, "blue"), 1, 4 / 6.0,
      f1_blue, N_EACH);
  assert_metrics (
      json_object_get_object_member (root, "green"), 0.75, 1, f1_green, N_EACH);
  assert_metrics (json_object_get_object_member (root, "red"), 1, 1, 1, N_EACH);
  assert_metrics (json_object_get_object_member (root, "macro avg"), 2.75 / 3,
      (4 / 6.0 + 2) / 3, (f1_blue + f1_green + 1) / 3, 3 * N_EACH);
  g_assert_cmpfloat_with_epsilon (
      json_object_get_double_member (root, "accuracy"), 16 / 18.0, 1e-12);
  static const gint64 expected[3][3] = { { 4, 2, 0 }, { 0, 6, 0 },
    { 0, 0, 6 } };
  JsonArray *matrix = json_object_get_array_member (root, "confusion_matrix");
  for (guint truth = 0; truth < 3; truth++)
    for (guint guess = 0; guess < 3; guess++)
      g_assert_cmpint (json_array_get_int_element (
                           json_array_get_array_element (matrix, truth), guess),
          ==, expected[truth][guess]);
}

static void
a_class_under_the_floor_is_named_with_status_1 (void)
{
  g_auto (CommandResult) result =
      command_run ("evaluate colours.onnx --data faulty --min-f1 0.85");
  command_assert_status (&result, 1);
  g_assert_nonnull (strstr (result.err, "class 'blue'"));
  g_assert_null (strstr (result.err, "class 'green'"));
  g_assert_nonnull (strstr (result.out, "f1-score"));
}

static void
wrong_usage_exits_with_2 (void)
{
  static const struct {
    const char *line, *word;
  } rows[] = {
    { "evaluate --data clean", "MODEL" },
    { "evaluate colours.onnx", "--data" },
    { "evaluate colours.onnx --data clean --min-f1 1.01", "--min-f1" },
    { "evaluate colours.onnx --data clean --min-f1 -0.1", "--min-f1" },
    { "evaluate colours.onnx --data clean --split all", "--split" },
    { "train", "--data" },
    { "train --data clean", "--out" },
    { "train --data clean --out x.onnx stray", "stray" },
    { "train --data clean --out x.onnx --epochs 0", "--epochs" },
    { "train --data clean --out x.onnx --dropout 1", "--dropout" },
    { "train --data clean --out x.onnx --arch perceptron", "forge-cnn" },
    { "train --data clean --out x.onnx --resume", "--checkpoint" },
    { "train --data clean --out x.onnx -aforge-resnet:depth=9", "width1=64" },
    { "train --data clean --out x.onnx --arch=vgg", "mobilenet-v2" },
    { "train --data clean --out x.onnx --ema 1", "--ema" },
    { "train --data clean --out x.onnx --lookahead -1", "--lookahead" },
    { "train --data clean --out x.onnx --prune-easy 0.99", "--prune-easy" },
    { "train --data clean --out x.onnx --prune-until 2", "--prune-until" },
    { "train --data clean --out x.onnx --precise-bn -1", "--precise-bn" },
    { "train --data clean --out x.onnx --validation-split 0.6",
        "--validation-split" },
    { "evaluate colours.onnx --data clean --validation-split -1",
        "--validation-split" },
    { "data clean --validation-split 0.51", "--validation-split" },
    { "train --data clean --out x.onnx --muon-lr 0", "--muon-lr" },
    { "train --data clean --out x.onnx --muon-momentum 1", "--muon-momentum" },
    { "train --data clean --out x.onnx --muon-steps 0", "--muon-steps" },
    { "train --data clean --out x.onnx --arch forge-cnn --init y.onnx",
        "--init" },
    { "train --data clean --out x.onnx --optimizer sgd", "--optimizer" },
    { "convert colours.onnx x.onnx --weights half",
        "float16, int8 or float32" },
  };
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_auto (CommandResult) result = command_run ("%s", rows[i].line);
    command_assert_status (&result, 2);
    if (!strstr (result.err, rows[i].word))
      g_error ("'%s' does not speak of %s: %s", rows[i].line, rows[i].word,
          result.err);
  }
}

static void
data_that_cannot_be_used_is_named (void)
{
  static const char *const lines[] = {
    "evaluate colours.onnx --data absent-folder",
    "evaluate colours.onnx --data cifar10:absent-folder",
    "train --data absent-folder --out x.onnx",
  };
  for (gsize i = 0; i < G_N_ELEMENTS (lines); i++) {
    g_auto (CommandResult) result = command_run ("%s", lines[i]);
    command_assert_status (&result, 3);
    g_assert_nonnull (strstr (result.err, "absent-folder"));
  }
  g_assert_false (g_file_test ("x.onnx", G_FILE_TEST_EXISTS));
}

static void
train_writes_a_model_and_evaluates_it (void)
{
  g_auto (CommandResult) result =
      command_run ("train --data clean --out toy.onnx --epochs 3 --batch 4"
                   " --lr 0.002 --no-flip --shift 1 --name toy"
                   " --version-label 'two words' --log log.jsonl --json -");
  command_assert_status (&result, 0);
  g_autoptr (JsonParser) parser = command_parse_json (&result);
  JsonObject *root = command_json_root (parser);
  static const char *const names[] = { "training", "evaluation", "model" };
  command_assert_members (root, names, G_N_ELEMENTS (names));
  JsonObject *training = json_object_get_object_member (root, "training");
  g_assert_cmpint (json_object_get_int_member (training, "epochs_run"), ==, 3);
  /* not a terminal: one line an epoch, no bar */
  g_assert_nonnull (strstr (result.err, "epoch 3/3"));
  g_assert_null (strchr (result.err, '\r'));
  g_autofree char *log = NULL;
  g_assert_true (g_file_get_contents ("log.jsonl", &log, NULL, NULL));
  g_auto (GStrv) lines = g_strsplit (g_strchomp (log), "\n", -1);
  g_assert_cmpuint (g_strv_length (lines), >=, 3);

  g_auto (CommandResult) inspect = command_run ("inspect toy.onnx");
  command_assert_status (&inspect, 0);
  g_assert_nonnull (strstr (inspect.out, "toy, version two words"));
  g_assert_nonnull (strstr (inspect.out, "blue, green, red"));
}

static gint64
count_validation (const char *line)
{
  g_auto (CommandResult) result = command_run (
      "evaluate %s --data clean --split val --min-f1 0 --json -", line);
  command_assert_status (&result, 0);
  g_autoptr (JsonParser) parser = command_parse_json (&result);
  return json_object_get_int_member (command_json_root (parser), "n_items");
}

/* evaluate cuts the validation pictures off as the training did, and
 * calibrates on no others. */
static void
evaluate_knows_how_the_pictures_were_cut (void)
{
  g_auto (CommandResult) train =
      command_run ("train --data clean --out cut.onnx --epochs 1 --batch 4"
                   " --validation-split 0.5 --seed 3");
  command_assert_status (&train, 0);
  g_assert_cmpint (count_validation ("cut.onnx"), ==, 3 * N_EACH / 2);
  g_assert_cmpint (count_validation ("colours.onnx"), ==, 3);
  g_assert_cmpint (
      count_validation ("cut.onnx --validation-split 0.33"), ==, 6);
  static const struct {
    const char *options, *word;
  } rows[] = { { "--validation-split 0.1", "must be 0.5" },
    { "--seed 2", "must be 3" } };
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_auto (CommandResult) other = command_run (
        "evaluate cut.onnx --data clean --calibrate %s", rows[i].options);
    command_assert_status (&other, 2);
    g_assert_nonnull (strstr (other.err, rows[i].word));
  }
}

/* Defaults are those of the architecture, in --help and in the file. */
static void
train_takes_its_defaults_from_the_architecture (void)
{
  static const struct {
    const char *line, *text;
  } rows[] = { { "train --help", "(adam)" }, { "train --help", "0.001)" },
    { "train --help -a forge-resnet", "(alternating)" },
    { "train --arch=forge-resnet --help", "(0.85)" },
    { "train --arch mobilenet-v2 --help", "(0.0005)" },
    { "train --backbone x.onnx --help", "(adamw)" },
    { "train --help", "Augmentation of training pictures" },
    { "train --help", "Transfer" } };
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_auto (CommandResult) result = command_run ("%s", rows[i].line);
    command_assert_status (&result, 0);
    if (!strstr (result.out, rows[i].text))
      g_error ("'%s' does not print %s", rows[i].line, rows[i].text);
  }
}

/* Another classifier's network with a new layer for our classes, with pictures
 * of how it went. */
static void
train_transfers_and_draws (void)
{
  static const char *const plots[] = { "training.png", "confusion-matrix.png",
    "reliability.png", "training.jsonl" };
  g_auto (CommandResult) start = command_run (
      "train --data clean --out start.onnx --epochs 2 --batch 4 --no-flip");
  command_assert_status (&start, 0);
  g_auto (CommandResult) result = command_run (
      "train --data clean --backbone start.onnx --freeze --unfreeze 1"
      " --epochs 4 --tuning-epochs 2 --out tuned.onnx --plots drawn --json -");
  command_assert_status (&result, 0);
  g_autoptr (JsonParser) parser = command_parse_json (&result);
  JsonObject *training =
      json_object_get_object_member (command_json_root (parser), "training");
  g_assert_cmpint (json_object_get_int_member (training, "epochs_run"), ==, 6);
  g_assert_cmpstr (
      json_object_get_string_member (training, "backbone"), ==, "start.onnx");
  for (gsize i = 0; i < G_N_ELEMENTS (plots); i++) {
    g_autofree char *path = g_build_filename ("drawn", plots[i], NULL);
    g_assert_true (g_file_test (path, G_FILE_TEST_EXISTS));
  }
  g_auto (CommandResult) absent = command_run (
      "train --data clean --backbone absent.onnx --freeze --out x.onnx");
  command_assert_status (&absent, 3);
  g_assert_nonnull (strstr (absent.err, "absent.onnx"));
}

static void
read_until_epoch (int fd)
{
  char text[4096];
  gsize n_chars = 0;
  while (n_chars + 1 < sizeof text) {
    gssize n_read = read (fd, text + n_chars, 1);
    if (n_read <= 0)
      return;
    n_chars += n_read;
    text[n_chars] = 0;
    if (text[n_chars - 1] == '\n' && strstr (text, "epoch 1/"))
      return;
  }
}

/* The interrupt comes after the first epoch, so there is a checkpoint. */
static void
an_interrupt_stops_training_and_keeps_the_checkpoint (void)
{
  const char *argv[] = { command_program (), "train", "--data", "clean",
    "--out", "long.onnx", "--epochs", "100000", "--patience", "0",
    "--checkpoint", "long.ckpt", NULL };
  g_autoptr (GError) error = NULL;
  GPid pid;
  int out_fd;
  g_spawn_async_with_pipes (NULL, (char **) argv, NULL,
      G_SPAWN_DO_NOT_REAP_CHILD | G_SPAWN_STDERR_TO_DEV_NULL, NULL, NULL, &pid,
      NULL, &out_fd, NULL, &error);
  g_assert_no_error (error);
  read_until_epoch (out_fd);
  g_assert_cmpint (kill (pid, SIGINT), ==, 0);
  int status;
  g_assert_cmpint (waitpid (pid, &status, 0), ==, pid);
  close (out_fd);
  g_assert_true (WIFEXITED (status));
  g_assert_cmpint (WEXITSTATUS (status), ==, 3);
  g_assert_false (g_file_test ("long.onnx", G_FILE_TEST_EXISTS));
  g_assert_true (g_file_test ("long.ckpt", G_FILE_TEST_EXISTS));
}

static void
the_embedded_model_goes_by_its_name (void)
{
  const uint8_t *bytes = NULL;
  size_t size_bytes = 0;
  forge_embedded_model (&bytes, &size_bytes);
  if (size_bytes == 0) {
    g_test_skip ("this build has no built-in model");
    return;
  }
  g_auto (CommandResult) text = command_run ("inspect embedded --json -");
  command_assert_status (&text, 0);
  g_autoptr (JsonParser) parser = command_parse_json (&text);
  JsonObject *root = command_json_root (parser);
  g_assert_cmpint (json_object_get_int_member (root, "n_classes"), ==, 10);
  g_assert_cmpint (
      json_object_get_int_member (root, "total_parameters"), >, 100000);
  g_assert_cmpstr (json_array_get_string_element (
                       json_object_get_array_member (root, "labels"), 0),
      ==, "airplane");
  g_auto (CommandResult) top =
      command_run ("classify embedded clean/test/red/000.png -k 10");
  command_assert_status (&top, 0);
  g_assert_nonnull (strstr (top.out, "%  automobile"));
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  command_enter_folder ();
  toy_write_colour_model ("colours.onnx");
  toy_write_colour_folders ("clean", N_EACH, 0);
  toy_write_colour_folders ("faulty", N_EACH, 2);
#define ADD(test) g_test_add_func ("/gst-forge/" #test, test)
  ADD (evaluate_passes_a_model_without_faults);
  ADD (evaluate_reports_what_scikit_learn_would);
  ADD (a_class_under_the_floor_is_named_with_status_1);
  ADD (wrong_usage_exits_with_2);
  ADD (data_that_cannot_be_used_is_named);
  ADD (train_writes_a_model_and_evaluates_it);
  ADD (evaluate_knows_how_the_pictures_were_cut);
  ADD (train_takes_its_defaults_from_the_architecture);
  ADD (train_transfers_and_draws);
  ADD (an_interrupt_stops_training_and_keeps_the_checkpoint);
  ADD (the_embedded_model_goes_by_its_name);
  int status = g_test_run ();
  command_leave_folder ();
  return status;
}
