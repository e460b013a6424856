/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Training on from a model file: all of it, or a backbone with a new last
 * layer, frozen and then fine-tuned; with the backbone's own preprocessing
 * and without changing what must stay as it is. */
#include <math.h>
#include <string.h>

#include <glib/gstdio.h>

#include "base/rng.h"
#include "forge/error.h"
#include "formats/format.h"
#include "run.h"
#include "run/model.h"
#include "train/network.h"

#define SMALL_RESNET "forge-resnet:size=16,width1=24,width2=32,width3=32"

/* A network trained a little on pictures of another kind, as the start. */
static char *
make_start (Run *run, const char *arch)
{
  run_init (run, 30, 40);
  run->params.arch = arch;
  run->params.epochs = 2;
  run_ok (run);
  char *path = g_build_filename (run->folder, "start.onnx", NULL);
  g_assert_cmpint (g_rename (run->out, path), ==, 0);
  run->n_epochs = 0;
  return path;
}

/* Three classes, told apart by their means. */
static char *
write_three_classes (const Run *run)
{
  ForgeRng rng;
  forge_rng_seed (&rng, 4);
  for (guint c = 0; c < 3; c++)
    for (guint i = 0; i < 30; i++) {
      uint8_t pixels[16 * 16 * 3];
      for (gsize k = 0; k < sizeof pixels; k++)
        pixels[k] = (uint8_t) (60 * c + forge_rng_below (&rng, 120));
      g_autofree char *name = g_strdup_printf ("three/%c/%02u.png", 'a' + c, i);
      fixture_write_png (run->folder, name, pixels, 16, 16);
    }
  return g_build_filename (run->folder, "three", NULL);
}

static void
init_transfer (Run *run, const char *backbone, const char *data)
{
  forge_train_params_init_transfer (&run->params);
  run->params.backbone = backbone;
  run->params.data = data;
  run->params.out = run->out;
  run->params.threads = 2;
  run->params.epochs = 12;
  run->params.batch = 16;
  run->params.freeze_backbone = TRUE;
  run->params.shift = 2;
}

static const float *
weights_of (const ForgeGraph *graph, const char *name, gsize *n)
{
  const ForgeValue *value = forge_graph_find (graph, name);
  g_assert_nonnull (value);
  *n = (gsize) forge_shape_count (&value->shape);
  return value->constant->data;
}

static gboolean
same_weights (const char *path_a, const char *path_b, const char *name)
{
  g_autoptr (ForgeGraph) a = forge_format_read_file (path_a, NULL);
  g_autoptr (ForgeGraph) b = forge_format_read_file (path_b, NULL);
  gsize n_a, n_b;
  const float *x = weights_of (a, name, &n_a), *y = weights_of (b, name, &n_b);
  return n_a == n_b && memcmp (x, y, n_a * sizeof *x) == 0;
}

static void
frozen_backbone_learns_new_classes (void)
{
  Run run;
  g_autofree char *start = make_start (&run, SMALL_RESNET);
  g_autofree char *data = write_three_classes (&run);
  init_transfer (&run, start, data);
  run.params.epochs = 30;
  run.params.learning_rate = 0.02;
  run.params.brightness = 0;
  run.params.contrast = 0;
  run_ok (&run);
  g_assert_cmpuint (run.n_epochs, ==, 30);
  g_assert_cmpfloat (run.result.val_accuracy, >, 0.9);
  g_autofree char *head_only = g_build_filename (run.folder, "h.onnx", NULL);
  g_assert_cmpint (g_rename (run.out, head_only), ==, 0);
  g_assert_true (same_weights (start, head_only, "whiten.weight"));
  g_autoptr (ForgeModel) model = forge_model_load (head_only, NULL);
  g_assert_cmpuint (forge_model_get_n_classes (model), ==, 3);
  g_assert_cmpstr (forge_model_get_labels (model)[2], ==, "c");
  g_assert_null (forge_model_get_assumptions (model));
  g_assert_cmpint (forge_model_get_preprocess (model)->width, ==, 16);

  /* Then the last layers too; numbers of epochs go on. */
  run.params.unfreeze = 2;
  run.params.tuning_epochs = 3;
  run.params.rate_scale = 0.3;
  run.n_epochs = 0;
  double head_accuracy = run.result.val_accuracy;
  run_ok (&run);
  g_assert_cmpuint (run.n_epochs, ==, 33);
  g_assert_cmpuint (run.epochs[32].epoch, ==, 33);
  g_assert_cmpuint (run.epochs[32].epochs, ==, 33);
  g_assert_cmpuint (run.result.epochs_run, ==, 33);
  g_assert_cmpfloat (
      run.epochs[30].learning_rate, <=, 0.3 * run.params.learning_rate + 1e-12);
  g_assert_cmpfloat (run.result.val_accuracy, >=, head_accuracy);
  g_assert_true (same_weights (start, run.out, "whiten.weight"));
  run_clear (&run);
}

/* The picture that a file's network sees is the same with the front that
 * training puts before it: scaling, order of colours, layout. */
static void
preprocessing_becomes_part_of_the_network (void)
{
  static const ForgeStatedPreprocess ways[] = {
    { .scale = "0.02",
        .mean = "1,2,3",
        .std = "1,2,4",
        .order = "bgr",
        .layout = "nchw" },
    { .scale = "0.0078125", .mean = "1", .layout = "nchw" },
  };
  Run run;
  g_autofree char *start = make_start (&run, SMALL_RESNET);
  g_autoptr (ForgeGraph) graph = forge_format_read_file (start, NULL);
  /* A network that takes floats: without its own front. */
  ForgeValue *floats = forge_graph_find (graph, "to_nchw_out");
  g_assert_nonnull (floats);
  for (ForgeNode *node; (node = floats->producer);) {
    /* Up to the bytes, one after the other. */
    while (forge_node_in (node, 0)->producer)
      node = forge_node_in (node, 0)->producer;
    forge_graph_remove_node (graph, node);
  }
  ForgeShape shape = forge_shape (4, -1, 3, 16, 16);
  g_ptr_array_set_size (graph->inputs, 0);
  floats->shape = shape;
  g_ptr_array_add (graph->inputs, floats);
  g_hash_table_remove_all (graph->metadata);
  g_autoptr (GError) error = NULL;
  forge_graph_run_pass (graph, "drop_identity", FORGE_PASSES_TRAINING, &error);
  g_assert_no_error (error);
  g_autofree char *bare = g_build_filename (run.folder, "bare.onnx", NULL);
  forge_onnx_write (graph, bare, &error);
  g_assert_no_error (error);
  g_autoptr (ForgeDataset) dataset =
      forge_dataset_open (run.data, FORGE_SPLIT_TEST, NULL, &error);
  for (guint i = 0; i < G_N_ELEMENTS (ways); i++) {
    ForgePreprocess before, after;
    g_autoptr (ForgeModel) model = forge_model_load (bare, &error);
    g_assert_no_error (error);
    g_assert_true (
        forge_model_state_preprocess (model, &ways[i], &before, NULL, &error));
    const ForgeEvaluateParams stated = { .preprocess = &before };
    g_autoptr (ForgeEvaluation) want =
        forge_evaluate (model, dataset, &stated, NULL, NULL, &error);
    g_assert_no_error (error);
    ForgeGraph *fronted = forge_network_load (bare, &ways[i], &after, &error);
    g_assert_no_error (error);
    g_assert_cmpint (after.dtype, ==, FORGE_UINT8);
    g_autoptr (ForgeModel) bytes =
        forge_model_new_from_graph (fronted, "fronted", &error);
    g_assert_no_error (error);
    const ForgeEvaluateParams plain = { .preprocess = &after };
    g_autoptr (ForgeEvaluation) got =
        forge_evaluate (bytes, dataset, &plain, NULL, NULL, &error);
    g_assert_no_error (error);
    g_assert_cmpfloat_with_epsilon (got->nll, want->nll, 1e-5);
  }
  run_clear (&run);
}

/* Features computed once and a new layer on top are the network that is
 * written: what was reported is what the file does. */
static void
written_network_is_the_one_that_was_judged (void)
{
  static const char *const archs[] = { SMALL_RESNET, "forge-cnn:size=24",
    "mobilenet-v2:width=0.25" };
  for (guint i = 0; i < G_N_ELEMENTS (archs); i++) {
    Run run;
    g_autofree char *start = make_start (&run, archs[i]);
    init_transfer (&run, start, run.data);
    run.params.epochs = 3;
    run.params.unfreeze = i;
    run.params.tuning_epochs = 2;
    run_ok (&run);
    g_autoptr (ForgeEvaluation) val =
        run_evaluate (&run, FORGE_SPLIT_VALIDATION);
    g_assert_cmpfloat_with_epsilon (val->nll, run.result.val_loss, 1e-4);
    run_clear (&run);
  }
}

static void
transfer_resumes_and_repeats_bit_for_bit (void)
{
  Run run;
  g_autofree char *start = make_start (&run, SMALL_RESNET);
  init_transfer (&run, start, run.data);
  run.params.epochs = 4;
  run.params.unfreeze = 3;
  run.params.tuning_epochs = 3;
  run_ok (&run);
  g_autoptr (GBytes) whole = run_read_file (run.out);
  run.params.checkpoint = run.checkpoint;
  run.params.resume = TRUE;
  run.stop_epoch = 6;
  run.stop_step = 1;
  run_refused (&run, FORGE_ERROR_CANCELLED, "training stopped");
  run.stop_epoch = 0;
  run_ok (&run);
  g_autoptr (GBytes) resumed = run_read_file (run.out);
  g_assert_true (g_bytes_equal (whole, resumed));
  run_clear (&run);
}

/* All of a network goes on: the first epoch is as good as its last was. */
static void
init_goes_on_where_the_file_was (void)
{
  Run run;
  g_autofree char *start = make_start (&run, "forge-cnn");
  double before = run.result.val_loss;
  forge_train_params_init_transfer (&run.params);
  run.params.init = start;
  run.params.data = run.data;
  run.params.out = run.out;
  run.params.epochs = 1;
  run.params.learning_rate = 1e-9;
  run.params.final_learning_rate = -1;
  run_ok (&run);
  g_assert_cmpfloat_with_epsilon (run.result.val_loss, before, 1e-4);
  g_autofree char *data = write_three_classes (&run);
  run.params.data = data;
  run_refused (&run, FORGE_ERROR_ARGUMENT, "the data needs 3");
  run_clear (&run);
}

static void
unfit_files_and_settings_are_refused (void)
{
  Run run;
  run_init (&run, 20, 60);
  fixture_write (run.folder, "bad.onnx", "no", 2);
  g_autofree char *bad = g_build_filename (run.folder, "bad.onnx", NULL);
  init_transfer (&run, bad, run.data);
  run_refused (&run, FORGE_ERROR_FORMAT, "bad.onnx");
  run.params.backbone = "/nonexistent.onnx";
  run_refused (&run, FORGE_ERROR_NOT_FOUND, "/nonexistent.onnx");
  run.params.init = bad;
  run_refused (&run, FORGE_ERROR_ARGUMENT, "'init'");
  run.params.init = NULL;
  run.params.mixup = 0.2;
  run_refused (&run, FORGE_ERROR_ARGUMENT, "'mixup'");
  run.params.mixup = 0;
  run.params.freeze_backbone = FALSE;
  run.params.unfreeze = 1;
  run_refused (&run, FORGE_ERROR_ARGUMENT, "'unfreeze'");
  run.params.unfreeze = 0;
  run.params.backbone = NULL;
  run.params.freeze_backbone = TRUE;
  run_refused (&run, FORGE_ERROR_ARGUMENT, "'freeze_backbone'");
  run_clear (&run);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_unsetenv ("FORGE_DATA");
#define ADD(name) g_test_add_func ("/transfer/" #name, name)
  ADD (frozen_backbone_learns_new_classes);
  ADD (preprocessing_becomes_part_of_the_network);
  ADD (written_network_is_the_one_that_was_judged);
  ADD (transfer_resumes_and_repeats_bit_for_bit);
  ADD (init_goes_on_where_the_file_was);
  ADD (unfit_files_and_settings_are_refused);
  return g_test_run ();
}
