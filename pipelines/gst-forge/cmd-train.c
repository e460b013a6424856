/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * `gst-forge train --data SPEC --out MODEL`: trains a network, writes it as
 * an ONNX file and measures it on the test part. An interrupt stops after the
 * step at hand and keeps the checkpoint of the last epoch. */
#include <math.h>
#include <string.h>

#include "cmd-train-options.h"
#include "command.h"
#include "evaluation-plots.h"
#include "evaluation-report.h"
#include "forge/error.h"
#include "plot-training.h"
#include "progress.h"

typedef struct {
  Progress progress;
  FILE *out;
  GArray *epochs;  /* ForgeTrainProgress, of ends of epochs */
  char *diagnosis; /* nullable: what was said last */
} TrainView;

static void
train_view_clear (TrainView *view)
{
  g_clear_pointer (&view->epochs, g_array_unref);
  g_free (view->diagnosis);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (TrainView, train_view_clear)

/* Says what is wrong when it begins to be, not in every epoch. */
static void
diagnose (TrainView *view, const ForgeTrainProgress *state)
{
  g_array_append_val (view->epochs, *state);
  char *text = forge_train_diagnose (
      (const ForgeTrainProgress *) (void *) view->epochs->data,
      view->epochs->len, state->n_classes);
  if (text && !view->diagnosis)
    fprintf (view->out, "note: %s\n", text);
  g_free (view->diagnosis);
  view->diagnosis = text;
}

/* Of easy pictures. */
static void
print_left_out (FILE *out, const ForgeTrainProgress *state)
{
  if (state->n_left_out > 0)
    fprintf (out, "  %u left out", state->n_left_out);
}

static void
print_epoch (TrainView *view, const ForgeTrainProgress *state)
{
  g_autofree char *eta = progress_format_time (state->eta_s);
  progress_clear (&view->progress);
  fprintf (view->out,
      "epoch %u/%u  loss %.4f  accuracy %.4f  val loss %.4f  "
      "val accuracy %.4f  %.0f images/s, %.1f %% waiting for data  ETA %s%s",
      state->epoch, state->epochs, state->loss, state->accuracy,
      state->val_loss, state->val_accuracy, state->images_per_s,
      100 * state->data_wait, eta, state->best ? "  *" : "");
  print_left_out (view->out, state);
  fputc ('\n', view->out);
  diagnose (view, state);
  fflush (view->out);
}

static gboolean
show_progress (const ForgeTrainProgress *state, gpointer user_data)
{
  TrainView *view = user_data;
  if (state->measures_norms) {
    progress_draw (&view->progress, (double) state->step / state->steps,
        "measuring batch normalisation");
  } else if (state->step == state->steps) {
    print_epoch (view, state);
  } else {
    g_autofree char *eta = progress_format_time (state->eta_s);
    g_autofree char *text = g_strdup_printf (
        "epoch %u/%u  loss %.4f  accuracy %.4f  %.0f images/s  ETA %s",
        state->epoch, state->epochs, state->loss, state->accuracy,
        state->images_per_s, eta);
    progress_draw (&view->progress, (double) state->step / state->steps, text);
  }
  return !progress_was_interrupted ();
}

static gboolean
show_evaluation (uint64_t done, uint64_t total, gpointer user_data)
{
  TrainView *view = user_data;
  progress_draw (&view->progress, total ? (double) done / total : 1,
      "evaluating on the test part");
  return !progress_was_interrupted ();
}

static void
report_training (JsonBuilder *builder, const TrainView *view,
    const TrainOptions *options, const ForgeTrainResult *result)
{
  FILE *out = view->out;
  g_autofree char *time = progress_format_time (result->seconds);
  fprintf (out,
      "\n%s: %u epoch%s in %s (%.0f images/s, %.1f %% of the time waiting "
      "for data)%s, best epoch %u with "
      "validation loss %.4f and accuracy %.4f\n\n",
      options->params.out, result->epochs_run,
      result->epochs_run == 1 ? "" : "s", time, result->images_per_s,
      100 * result->data_wait, result->stopped_early ? ", stopped early" : "",
      result->best_epoch, result->val_loss, result->val_accuracy);
  if (result->n_norm_images > 0)
    fprintf (out,
        "The statistics of batch normalisation are those of %u augmented "
        "training pictures\n\n",
        result->n_norm_images);
  guint n_skipped = result->n_train_skipped + result->n_val_skipped;
  if (n_skipped > 0)
    fprintf (out,
        "%u pictures could not be read and were left out: %u of training, %u "
        "of validation\n\n",
        n_skipped, result->n_train_skipped, result->n_val_skipped);
  json_builder_set_member_name (builder, "training");
  json_builder_begin_object (builder);
  const ForgeTrainParams *params = &options->params;
  if (params->backbone)
    output_add_string (builder, "backbone", params->backbone);
  else if (params->init)
    output_add_string (builder, "init", params->init);
  else
    output_add_string (builder, "arch", params->arch);
  output_add_string (builder, "data", options->params.data);
  output_add_int (builder, "epochs_run", result->epochs_run);
  output_add_int (builder, "best_epoch", result->best_epoch);
  output_add_int (builder, "n_train", result->n_train);
  output_add_int (builder, "n_train_skipped", result->n_train_skipped);
  output_add_int (builder, "n_val", result->n_val);
  output_add_int (builder, "n_val_skipped", result->n_val_skipped);
  output_add_int (builder, "n_norm_images", result->n_norm_images);
  output_add_double (builder, "val_loss", result->val_loss);
  output_add_double (builder, "val_accuracy", result->val_accuracy);
  output_add_double (builder, "seconds", result->seconds);
  output_add_double (builder, "images_per_s", result->images_per_s);
  output_add_double (builder, "data_wait", result->data_wait);
  output_add_bool (builder, "stopped_early", result->stopped_early);
  if (view->diagnosis)
    output_add_string (builder, "diagnosis", view->diagnosis);
  json_builder_end_object (builder);
}

static gboolean
draw_plots (const TrainView *view, const TrainOptions *options,
    const ForgeDataset *dataset, const ForgeEvaluation *evaluation,
    GError **error)
{
  const EvaluationPlots plots = {
    .title = options->params.out, .dataset = dataset, .evaluation = evaluation
  };
  g_autofree char *curves =
      g_build_filename (options->plots, "training.png", NULL);
  if (!evaluation_plots_write (&plots, options->plots, error) ||
      !plot_training_write (
          options->params.log, curves, options->params.out, error))
    return FALSE;
  fprintf (view->out, "plots are in %s\n", options->plots);
  return TRUE;
}

/* What was written is read back, so the figures are those of the file. */
static gboolean
evaluate_result (JsonBuilder *builder, TrainView *view,
    const TrainOptions *options, GError **error)
{
  g_autoptr (ForgeModel) model = forge_model_load (options->params.out, error);
  if (!model)
    return FALSE;
  const ForgeCut cut = forge_train_cut (&options->params);
  g_autoptr (ForgeDataset) dataset =
      forge_dataset_open (options->params.data, FORGE_SPLIT_TEST, &cut, error);
  if (!dataset)
    return FALSE;
  const ForgeEvaluateParams params = { .threads = options->params.threads };
  g_autoptr (ForgeEvaluation) evaluation =
      forge_evaluate (model, dataset, &params, show_evaluation, view, error);
  progress_clear (&view->progress);
  if (!evaluation)
    return FALSE;
  evaluation_report_print (view->out, evaluation);
  if (strcmp (options->params.weights, "float32") != 0)
    output_print_weights (view->out, model);
  if (options->plots && !draw_plots (view, options, dataset, evaluation, error))
    return FALSE;
  output_add_model (builder, model);
  output_add_weights (builder, model);
  json_builder_set_member_name (builder, "evaluation");
  json_builder_begin_object (builder);
  evaluation_report_add_json (builder, evaluation);
  json_builder_end_object (builder);
  return TRUE;
}

static int
report_stop (const TrainOptions *options, const GError *error)
{
  if (options->params.checkpoint &&
      g_error_matches (error, FORGE_ERROR, FORGE_ERROR_CANCELLED))
    return command_error ("%s; --resume goes on from %s", error->message,
        options->params.checkpoint);
  return command_error ("%s", error->message);
}

static int
train (const TrainOptions *options)
{
  g_autoptr (GError) error = NULL;
  g_auto (TrainView) view = { .out = output_text_stream (options->json),
    .epochs = g_array_new (FALSE, FALSE, sizeof (ForgeTrainProgress)) };
  progress_init (&view.progress, view.out);
  progress_catch_interrupts ();
  ForgeTrainResult result = { 0 };
  gboolean trained =
      forge_train (&options->params, show_progress, &view, &result, &error);
  progress_clear (&view.progress);
  if (!trained)
    return report_stop (options, error);
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  json_builder_begin_object (builder);
  report_training (builder, &view, options, &result);
  if (!evaluate_result (builder, &view, options, &error) ||
      !output_write_json (builder, options->json, &error))
    return command_error ("%s", error->message);
  return COMMAND_OK;
}

/* As a shell would take it: recorded in the model file. */
static char *
quote_command (char **argv)
{
  GString *text = g_string_new ("gst-forge");
  for (; *argv; argv++) {
    gboolean plain =
        **argv && strspn (*argv, G_CSET_A_2_Z G_CSET_a_2_z G_CSET_DIGITS
                      "-+_./:=,@%") == strlen (*argv);
    g_autofree char *word = plain ? g_strdup (*argv) : g_shell_quote (*argv);
    g_string_append_printf (text, " %s", word);
  }
  return g_string_free (text, FALSE);
}

/* Says what had to be assumed about the network to start from. */
static gboolean
note_assumptions (const TrainOptions *options, const char *file)
{
  ForgePreprocess preprocess;
  g_autoptr (ForgeModel) model =
      command_load_stated_model (file, &options->preprocess, &preprocess);
  return model != NULL;
}

int
cmd_train (int argc, char **argv)
{
  TrainOptions options = { 0 };
  g_autofree char *command = quote_command (argv);
  int status = train_options_parse (argc, argv, &options);
  options.params.command = command;
  const char *file =
      options.params.backbone ? options.params.backbone : options.params.init;
  if (status < 0 && file && !note_assumptions (&options, file))
    status = COMMAND_FAILED;
  if (status < 0)
    status = train (&options);
  train_options_clear (&options);
  return status;
}
