/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * `gst-forge train --data SPEC --out MODEL`: trains a network, writes it as
 * an ONNX file and measures it on the test part. An interrupt stops after the
 * step at hand and keeps the checkpoint of the last epoch. */
#include <math.h>
#include <string.h>

#include "command.h"
#include "evaluation-report.h"
#include "forge/error.h"
#include "forge/train.h"
#include "progress.h"

/* GOption knows int, int64 and double; ForgeTrainParams is made of these once
 * their ranges are known to hold. */
typedef struct {
  ForgeTrainParams params;
  int epochs, batch, shift, patience;
  gint64 seed;
  char *json;
} TrainOptions;

typedef struct {
  Progress progress;
  FILE *out;
} TrainView;

static void
print_epoch (TrainView *view, const ForgeTrainProgress *state)
{
  g_autofree char *eta = progress_format_time (state->eta_s);
  progress_clear (&view->progress);
  fprintf (view->out,
      "epoch %u/%u  loss %.4f  accuracy %.4f  val loss %.4f  "
      "val accuracy %.4f  %.0f images/s  ETA %s%s\n",
      state->epoch, state->epochs, state->loss, state->accuracy,
      state->val_loss, state->val_accuracy, state->images_per_s, eta,
      state->best ? "  *" : "");
  fflush (view->out);
}

static gboolean
show_progress (const ForgeTrainProgress *state, gpointer user_data)
{
  TrainView *view = user_data;
  if (state->step == state->steps) {
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
report_training (JsonBuilder *builder, FILE *out, const TrainOptions *options,
    const ForgeTrainResult *result)
{
  g_autofree char *time = progress_format_time (result->seconds);
  fprintf (out,
      "\n%s: %u epoch%s in %s (%.0f images/s)%s, best epoch %u with "
      "validation loss %.4f and accuracy %.4f\n\n",
      options->params.out, result->epochs_run,
      result->epochs_run == 1 ? "" : "s", time, result->images_per_s,
      result->stopped_early ? ", stopped early" : "", result->best_epoch,
      result->val_loss, result->val_accuracy);
  json_builder_set_member_name (builder, "training");
  json_builder_begin_object (builder);
  output_add_string (builder, "arch", options->params.arch);
  output_add_string (builder, "data", options->params.data);
  output_add_int (builder, "epochs_run", result->epochs_run);
  output_add_int (builder, "best_epoch", result->best_epoch);
  output_add_double (builder, "val_loss", result->val_loss);
  output_add_double (builder, "val_accuracy", result->val_accuracy);
  output_add_double (builder, "seconds", result->seconds);
  output_add_double (builder, "images_per_s", result->images_per_s);
  output_add_bool (builder, "stopped_early", result->stopped_early);
  json_builder_end_object (builder);
}

/* What was written is read back, so the figures are those of the file. */
static gboolean
evaluate_result (JsonBuilder *builder, TrainView *view,
    const TrainOptions *options, GError **error)
{
  g_autoptr (ForgeModel) model = forge_model_load (options->params.out, error);
  if (!model)
    return FALSE;
  g_autoptr (ForgeDataset) dataset = forge_dataset_open (
      options->params.data, FORGE_SPLIT_TEST, options->params.seed, error);
  if (!dataset)
    return FALSE;
  const ForgeEvaluateParams params = { .threads = options->params.threads };
  g_autoptr (ForgeEvaluation) evaluation =
      forge_evaluate (model, dataset, &params, show_evaluation, view, error);
  progress_clear (&view->progress);
  if (!evaluation)
    return FALSE;
  evaluation_report_print (view->out, evaluation);
  output_add_model (builder, model);
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
  TrainView view = { .out = output_text_stream (options->json) };
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
  report_training (builder, view.out, options, &result);
  if (!evaluate_result (builder, &view, options, &error) ||
      !output_write_json (builder, options->json, &error))
    return command_error ("%s", error->message);
  return COMMAND_OK;
}

static int
check_architecture (const char *arch)
{
  const char *const *known = forge_train_list_architectures ();
  if (g_strv_contains (known, arch))
    return -1;
  g_autofree char *list = g_strjoinv (", ", (char **) known);
  return command_usage_error (
      "train", "--arch must be one of: %s; found '%s'", list, arch);
}

static int
check_and_train (TrainOptions *options)
{
  ForgeTrainParams *params = &options->params;
  if (!params->data || !params->out)
    return command_usage_error ("train", "--data and --out are needed");
  if (params->resume && !params->checkpoint)
    return command_usage_error (
        "train", "--resume needs the --checkpoint to resume from");
  const CommandRange ranges[] = {
    { "--epochs", options->epochs, 1, 100000 },
    { "--batch", options->batch, 1, COMMAND_MAX_BATCH },
    { "--lr", params->learning_rate, 1e-12, 10 },
    { "--final-lr", params->final_learning_rate, -1, 10 },
    { "--weight-decay", params->weight_decay, 0, 1 },
    { "--shift", options->shift, 0, 1000 },
    { "--dropout", params->dropout, 0, 0.99 },
    { "--patience", options->patience, 0, 100000 },
    { "--threads", params->threads, 0, COMMAND_MAX_THREADS },
    { "--seed", options->seed, 0, COMMAND_MAX_SEED },
  };
  int status = command_check_ranges ("train", ranges, G_N_ELEMENTS (ranges));
  if (status >= 0)
    return status;
  status = check_architecture (params->arch);
  if (status >= 0)
    return status;
  params->epochs = options->epochs;
  params->batch = options->batch;
  params->shift = options->shift;
  params->patience = options->patience;
  params->seed = options->seed;
  return train (options);
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

/* The strings that the options below point at. */
typedef struct {
  char *data, *arch, *out, *checkpoint, *log, *name, *version, *json;
} TrainStrings;

static void
train_strings_clear (TrainStrings *strings)
{
  char **const all[] = { &strings->data, &strings->arch, &strings->out,
    &strings->checkpoint, &strings->log, &strings->name, &strings->version,
    &strings->json };
  for (gsize i = 0; i < G_N_ELEMENTS (all); i++)
    g_clear_pointer (all[i], g_free);
}

static int
parse_options (int argc, char **argv, TrainOptions *options, TrainStrings *s)
{
  ForgeTrainParams *params = &options->params;
  const GOptionEntry entries[] = {
    { "data", 'd', 0, G_OPTION_ARG_FILENAME, &s->data,
        "cifar10:DIR, fashion-mnist:DIR or a folder of class folders", "SPEC" },
    { "out", 'o', 0, G_OPTION_ARG_FILENAME, &s->out,
        "ONNX file to write when training ends", "FILE" },
    { "arch", 'a', 0, G_OPTION_ARG_STRING, &s->arch, "architecture (forge-cnn)",
        "NAME" },
    { "epochs", 'e', 0, G_OPTION_ARG_INT, &options->epochs, "at most (40)",
        "N" },
    { "batch", 'b', 0, G_OPTION_ARG_INT, &options->batch, "images a step (64)",
        "N" },
    { "lr", 0, 0, G_OPTION_ARG_DOUBLE, &params->learning_rate,
        "learning rate of Adam (0.001)", "X" },
    { "final-lr", 0, 0, G_OPTION_ARG_DOUBLE, &params->final_learning_rate,
        "reached along a cosine at the last epoch; negative = constant (-1)",
        "X" },
    { "weight-decay", 0, 0, G_OPTION_ARG_DOUBLE, &params->weight_decay,
        "0 = none (0)", "X" },
    { "shift", 0, 0, G_OPTION_ARG_INT, &options->shift,
        "random shift, pixels at most (2)", "N" },
    { "no-flip", 0, G_OPTION_FLAG_REVERSE, G_OPTION_ARG_NONE, &params->flip,
        "never mirror the pictures", NULL },
    { "dropout", 0, 0, G_OPTION_ARG_DOUBLE, &params->dropout,
        "rate of the dropout layers (0.3)", "P" },
    { "patience", 0, 0, G_OPTION_ARG_INT, &options->patience,
        "epochs without a better validation loss; 0 = go on (8)", "N" },
    { "threads", 't', 0, G_OPTION_ARG_INT, &params->threads,
        "threads; 0 = all the process may use (0)", "N" },
    { "seed", 0, 0, G_OPTION_ARG_INT64, &options->seed,
        "of everything random (1)", "N" },
    { "checkpoint", 0, 0, G_OPTION_ARG_FILENAME, &s->checkpoint,
        "state to write after every epoch", "FILE" },
    { "resume", 0, 0, G_OPTION_ARG_NONE, &params->resume,
        "go on from --checkpoint where it exists", NULL },
    { "log", 0, 0, G_OPTION_ARG_FILENAME, &s->log,
        "JSON lines, one an epoch, appended", "FILE" },
    { "name", 0, 0, G_OPTION_ARG_STRING, &s->name, "name recorded in the model",
        "TEXT" },
    { "version-label", 0, 0, G_OPTION_ARG_STRING, &s->version,
        "version recorded in the model", "TEXT" },
    { "json", 0, 0, G_OPTION_ARG_FILENAME, &s->json,
        "write a JSON document too; - is standard output", "FILE" },
    { NULL },
  };
  return command_parse ("train",
      "Train a network on labelled pictures, write it as an ONNX file and "
      "evaluate that.\nAn interrupt stops it; --checkpoint and --resume go on "
      "later, bit for bit.",
      entries, &argc, &argv);
}

int
cmd_train (int argc, char **argv)
{
  TrainOptions options = { .params = FORGE_TRAIN_PARAMS_DEFAULT };
  ForgeTrainParams *params = &options.params;
  options.epochs = params->epochs;
  options.batch = params->batch;
  options.shift = params->shift;
  options.patience = params->patience;
  options.seed = params->seed;
  TrainStrings strings = { 0 };
  g_autofree char *command = quote_command (argv);
  int status = parse_options (argc, argv, &options, &strings);
  if (status < 0) {
    params->data = strings.data;
    params->out = strings.out;
    if (strings.arch)
      params->arch = strings.arch;
    params->checkpoint = strings.checkpoint;
    params->log = strings.log;
    params->name = strings.name;
    params->version = strings.version;
    params->command = command;
    options.json = strings.json;
    status = check_and_train (&options);
  }
  train_strings_clear (&strings);
  return status;
}
