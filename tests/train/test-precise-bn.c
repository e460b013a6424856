/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Batch normalisation measured anew in the end: that the statistics are those
 * of all pictures, that what is reported is what is written, and that a
 * checkpoint can be finished either way. */
#include <math.h>
#include <string.h>

#include "forge/error.h"
#include "forge/model.h"
#include "run.h"
#include "run/model.h"

#define RESNET "forge-resnet:size=16,width1=24,width2=24,width3=24"
#define N_TRAIN 96
#define BATCH 16

static void
run_init_resnet (Run *run, const char *arch)
{
  run_init (run, 60, 40);
  g_assert_true (forge_train_params_init (&run->params, arch, NULL));
  run->params.data = run->data;
  run->params.out = run->out;
  run->params.epochs = 2;
  run->params.batch = BATCH;
  run->params.threads = 2;
}

/* A constant of the written file. */
static ForgeTensor *
read_constant (const Run *run, const char *name)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeModel) model = forge_model_load (run->out, &error);
  g_assert_no_error (error);
  ForgeValue *value = forge_graph_find (forge_model_get_graph (model), name);
  g_assert_nonnull (value);
  g_assert_nonnull (value->constant);
  return forge_tensor_ref (value->constant);
}

/* The greatest difference, as a part of the greatest number. */
static double
distance (const Run *a, const Run *b, const char *name)
{
  g_autoptr (ForgeTensor) x = read_constant (a, name);
  g_autoptr (ForgeTensor) y = read_constant (b, name);
  size_t n = forge_tensor_get_count (x);
  g_assert_cmpuint (forge_tensor_get_count (y), ==, n);
  double most = 0, size = 0;
  for (size_t i = 0; i < n; i++) {
    float u = ((const float *) x->data)[i], v = ((const float *) y->data)[i];
    most = MAX (most, fabs (u - v));
    size = MAX (size, fabs (u));
  }
  return most / size;
}

/* One step on all pictures whose batch norms forget what was before has their
 * statistics; the weights do not move. */
static void
statistics_are_those_of_all_pictures (void)
{
  static const char *const names[] = { "norm1a.mean", "norm1a.variance" };
  Run whole, running, precise;
  Run *runs[] = { &whole, &running, &precise };
  for (guint i = 0; i < 3; i++) {
    run_init_resnet (runs[i], i == 0 ? RESNET ",momentum=0" : RESNET);
    ForgeTrainParams *params = &runs[i]->params;
    params->learning_rate = params->muon_rate = 1e-9;
    params->muon_normalise = FALSE;
    params->weight_decay = 0;
    params->flip = "never";
    params->shift = params->cutout = 0;
    params->batch = i == 0 ? N_TRAIN : BATCH;
    params->precise_bn = i == 2 ? N_TRAIN : 0;
    run_ok (runs[i]);
  }
  for (guint i = 0; i < G_N_ELEMENTS (names); i++) {
    g_assert_cmpfloat (distance (&whole, &running, names[i]), >, 1e-3);
    g_assert_cmpfloat (distance (&whole, &precise, names[i]), <, 1e-5);
  }
  for (guint i = 0; i < 3; i++)
    run_clear (runs[i]);
}

static void
figures_are_those_of_the_file (void)
{
  Run run;
  run_init_resnet (&run, RESNET);
  run.params.epochs = 4;
  run_ok (&run);
  double before = run.result.val_loss;
  run.n_epochs = 0;
  run.params.precise_bn = N_TRAIN;
  run_ok (&run);
  g_assert_cmpfloat (run.result.val_loss, !=, before);
  g_autoptr (ForgeEvaluation) val = run_evaluate (&run, FORGE_SPLIT_VALIDATION);
  g_assert_cmpfloat_with_epsilon (
      val->nll, run.result.val_loss, 2e-4 * MAX (1, run.result.val_loss));
  g_assert_cmpfloat_with_epsilon (val->accuracy, run.result.val_accuracy, 1e-9);
  g_autoptr (ForgeModel) model = forge_model_load (run.out, NULL);
  const char *training = forge_model_get_metadata (model, "forge.training");
  g_assert_nonnull (strstr (training, "\"precise_bn\""));
  run_clear (&run);
}

/* With and without: the file is that of a run that was asked for it at once. */
static void
checkpoint_is_finished_either_way (void)
{
  Run run;
  run_init_resnet (&run, RESNET);
  GBytes *files[2];
  for (int precise = 0; precise < 2; precise++) {
    run.params.precise_bn = precise ? 40 : 0;
    run_ok (&run);
    files[precise] = run_read_file (run.out);
  }
  g_assert_false (g_bytes_equal (files[0], files[1]));
  run.params.checkpoint = run.checkpoint;
  run.params.resume = TRUE;
  for (int i = 0; i < 4; i++) {
    run.params.precise_bn = i % 2 ? 40 : 0;
    run_ok (&run);
    g_autoptr (GBytes) file = run_read_file (run.out);
    g_assert_true (g_bytes_equal (file, files[i % 2]));
  }
  g_bytes_unref (files[0]);
  g_bytes_unref (files[1]);
  run_clear (&run);
}

static void
threads_do_not_change_the_bits (void)
{
  Run run;
  run_init_resnet (&run, RESNET);
  run.params.precise_bn = N_TRAIN;
  run_assert_threads_alike (&run);
  run_clear (&run);
}

/* Whole batches, an epoch's at most, even where epochs leave pictures out and
 * patience ends one of them. */
static void
pictures_are_counted_in_batches (void)
{
  static const guint asked[] = { 0, 1, 16, 17, 95, 96, 97, 1000000000 };
  static const guint used[] = { 0, 16, 16, 32, 96, 96, 96, 96 };
  Run run;
  run_init_resnet (&run, RESNET);
  run.params.checkpoint = run.checkpoint;
  run.params.resume = TRUE;
  run.params.epochs = 30;
  run.params.patience = 2;
  run.params.prune_easy = 0.9;
  run.params.prune_until = 1;
  for (guint i = 0; i < G_N_ELEMENTS (asked); i++) {
    run.params.precise_bn = asked[i];
    run_ok (&run);
    g_assert_cmpuint (run.result.n_norm_images, ==, used[i]);
    g_assert_true (run.result.stopped_early);
  }
  run.params.precise_bn = 1000000001;
  run_refused (&run, FORGE_ERROR_ARGUMENT, "'precise_bn'");
  run_clear (&run);
}

/* By the function of a run whose epochs are over already. */
static gboolean
stop_at_second_batch (const ForgeTrainProgress *progress, gpointer user_data)
{
  guint *n_calls = user_data;
  g_assert_true (progress->measures_norms);
  g_assert_cmpuint (progress->step, ==, ++*n_calls);
  g_assert_cmpuint (progress->steps, ==, N_TRAIN / BATCH);
  g_assert_true (isnan (progress->val_loss));
  g_assert_true (progress->images_per_s > 0 && progress->eta_s > 0);
  return progress->step < 2;
}

static void
it_can_be_stopped_and_done_later (void)
{
  Run run;
  run_init_resnet (&run, RESNET);
  run.params.precise_bn = N_TRAIN;
  run_ok (&run);
  g_autoptr (GBytes) whole = run_read_file (run.out);
  run.params.checkpoint = run.checkpoint;
  run.params.precise_bn = 0;
  run_ok (&run);
  run.params.resume = TRUE;
  run.params.precise_bn = N_TRAIN;
  guint n_calls = 0;
  g_autoptr (GError) error = NULL;
  g_assert_false (
      forge_train (&run.params, stop_at_second_batch, &n_calls, NULL, &error));
  g_assert_error (error, FORGE_ERROR, FORGE_ERROR_CANCELLED);
  g_assert_cmpuint (n_calls, ==, 2);
  run_ok (&run);
  g_autoptr (GBytes) file = run_read_file (run.out);
  g_assert_true (g_bytes_equal (file, whole));
  run_clear (&run);
}

/* forge-cnn has no batch norms. */
static void
nothing_is_measured_without_batch_norms (void)
{
  Run run;
  run_init (&run, 30, 60);
  run.params.epochs = 1;
  run.params.precise_bn = 1000;
  run_ok (&run);
  g_assert_cmpuint (run.result.n_norm_images, ==, 0);
  g_assert_cmpfloat (run.result.val_loss, ==, run.epochs[0].val_loss);
  run_clear (&run);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_unsetenv ("FORGE_DATA");
#define ADD(name) g_test_add_func ("/precise-bn/" #name, name)
  ADD (statistics_are_those_of_all_pictures);
  ADD (figures_are_those_of_the_file);
  ADD (checkpoint_is_finished_either_way);
  ADD (threads_do_not_change_the_bits);
  ADD (pictures_are_counted_in_batches);
  ADD (it_can_be_stopped_and_done_later);
  ADD (nothing_is_measured_without_batch_norms);
  return g_test_run ();
}
