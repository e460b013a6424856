/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See run.h. */
#include "run.h"

#include <math.h>
#include <string.h>

#include "forge/error.h"

void
run_init (Run *run, guint n_per_class, guint contrast)
{
  memset (run, 0, sizeof *run);
  run->folder = fixture_folder ();
  run->data = g_build_filename (run->folder, "data", NULL);
  run->out = g_build_filename (run->folder, "model.onnx", NULL);
  run->checkpoint = g_build_filename (run->folder, "state", NULL);
  run->log = g_build_filename (run->folder, "log.jsonl", NULL);
  fixture_write_classes (run->data, n_per_class, contrast, 1);
  run->params = (ForgeTrainParams) FORGE_TRAIN_PARAMS_DEFAULT;
  run->params.data = run->data;
  run->params.out = run->out;
  run->params.epochs = 4;
  run->params.batch = 16;
  run->params.threads = 2;
}

void
run_clear (Run *run)
{
  fixture_remove (run->folder);
  g_free (run->data);
  g_free (run->out);
  g_free (run->checkpoint);
  g_free (run->log);
}

static gboolean
on_progress (const ForgeTrainProgress *progress, gpointer user_data)
{
  Run *run = user_data;
  run->n_calls++;
  g_assert_cmpuint (progress->step, >=, 1);
  g_assert_cmpuint (progress->step, <=, progress->steps);
  g_assert_true (progress->eta_s >= 0 && isfinite (progress->eta_s));
  g_assert_true (progress->images_per_s > 0);
  g_assert_true (
      isnan (progress->val_loss) == (progress->step < progress->steps));
  if (progress->step == progress->steps) {
    g_assert_cmpuint (run->n_epochs, <, RUN_MAX_EPOCHS);
    run->epochs[run->n_epochs++] = *progress;
  }
  return progress->epoch != run->stop_epoch || progress->step != run->stop_step;
}

void
run_ok (Run *run)
{
  g_autoptr (GError) error = NULL;
  gboolean trained =
      forge_train (&run->params, on_progress, run, &run->result, &error);
  g_assert_no_error (error);
  g_assert_true (trained);
}

void
run_refused (Run *run, int code, const char *hint)
{
  g_autoptr (GError) error = NULL;
  g_assert_false (forge_train (&run->params, on_progress, run, NULL, &error));
  g_assert_error (error, FORGE_ERROR, code);
  if (!strstr (error->message, hint))
    g_error ("'%s' does not say '%s'", error->message, hint);
}

GBytes *
run_read_file (const char *path)
{
  char *bytes;
  gsize size_bytes;
  g_assert_true (g_file_get_contents (path, &bytes, &size_bytes, NULL));
  return g_bytes_new_take (bytes, size_bytes);
}

ForgeEvaluation *
run_evaluate (const Run *run, ForgeSplit split)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeModel) model = forge_model_load (run->out, &error);
  g_assert_no_error (error);
  const ForgeCut cut = forge_train_cut (&run->params);
  g_autoptr (ForgeDataset) dataset =
      forge_dataset_open (run->data, split, &cut, &error);
  g_assert_no_error (error);
  ForgeEvaluation *evaluation =
      forge_evaluate (model, dataset, NULL, NULL, NULL, &error);
  g_assert_no_error (error);
  return evaluation;
}

void
run_assert_threads_alike (Run *run)
{
  g_autoptr (GBytes) first = NULL;
  for (int threads = 1; threads <= 3; threads++) {
    run->params.threads = threads;
    run_ok (run);
    g_autoptr (GBytes) bytes = run_read_file (run->out);
    if (first)
      g_assert_true (g_bytes_equal (first, bytes));
    else
      first = g_steal_pointer (&bytes);
  }
}
