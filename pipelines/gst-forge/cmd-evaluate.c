/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * `gst-forge evaluate MODEL --data SPEC`: accuracy, confusion matrix,
 * calibration, latency and, for each class, precision, recall, F1 and support.
 * A class whose F1 is under the floor is named, and the exit status is 1, so
 * that a script can refuse such a model. On request: accuracy under corrupted
 * pictures, calibration of the model file, pictures of all that. */
#include "calibration-report.h"
#include "command.h"
#include "corruption-report.h"
#include "data-options.h"
#include "evaluation-plots.h"
#include "evaluation-report.h"
#include "forge/registry.h"
#include "progress.h"

/* Pictures that are timed one by one. */
#define N_LATENCY 256

typedef struct {
  DataOptions pictures;
  char *plots, *out;
  double min_f1;
  gboolean calibrate;
  ForgeCorruption kinds[FORGE_N_CORRUPTIONS];
  guint n_kinds;
  const PreprocessOptions *preprocess;
} EvaluateOptions;

/* What one run works on and finds. */
typedef struct {
  const EvaluateOptions *options;
  FILE *out;
  Progress progress;
  const char *activity;
  ForgeCut cut;
  ForgePreprocess preprocess;
  ForgeModel *model;
  ForgeDataset *dataset;
  ForgeEvaluation *evaluation;
  ForgeCorruptedFigures *corruptions;
  ForgeCalibration *calibration;
  char *written;
} Run;

static void
run_clear (Run *run)
{
  forge_model_unref (run->model);
  g_clear_pointer (&run->dataset, forge_dataset_free);
  forge_evaluation_free (run->evaluation);
  g_free (run->corruptions);
  forge_calibration_free (run->calibration);
  g_free (run->written);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Run, run_clear)

static gboolean
show_progress (uint64_t done, uint64_t total, gpointer user_data)
{
  Run *run = user_data;
  g_autofree char *text = g_strdup_printf ("%s%" G_GUINT64_FORMAT
                                           " of %" G_GUINT64_FORMAT " pictures",
      run->activity, done, total);
  progress_draw (&run->progress, total ? (double) done / total : 1, text);
  return !progress_was_interrupted ();
}

/* Names every class with support that is under the floor. */
static int
judge (JsonBuilder *builder, const ForgeEvaluation *evaluation, double min_f1)
{
  int status = COMMAND_OK;
  json_builder_set_member_name (builder, "classes_below_floor");
  json_builder_begin_array (builder);
  for (guint c = 0; c < evaluation->n_classes; c++) {
    const ForgeClassMetrics *metrics = &evaluation->classes[c];
    if (metrics->support == 0 || metrics->f1_score >= min_f1)
      continue;
    const char *label = evaluation->labels[c];
    command_error ("class '%s': F1 %.4f is under the floor of %.4f", label,
        metrics->f1_score, min_f1);
    g_autofree char *text = g_utf8_make_valid (label, -1);
    json_builder_add_string_value (builder, text);
    status = COMMAND_BELOW_FLOOR;
  }
  json_builder_end_array (builder);
  output_add_double (builder, "min_f1", min_f1);
  output_add_bool (builder, "passed", status == COMMAND_OK);
  return status;
}

/* As the validation pictures were cut off when the model was trained; another
 * cut would mix them with those it was trained on. -1 to go on. */
static int
choose_cut (Run *run)
{
  const DataOptions *pictures = &run->options->pictures;
  ForgeCut trained = { .seed = 1 };
  gboolean known = pictures->split != FORGE_SPLIT_TEST &&
                   forge_model_get_training_cut (run->model, &trained);
  run->cut = trained;
  if (pictures->seed != DATA_OPTIONS_NO_SEED)
    run->cut.seed = (uint64_t) pictures->seed;
  if (pictures->validation > 0)
    run->cut.validation = pictures->validation;
  if (!run->options->calibrate || !known)
    return -1;
  if (run->cut.seed != trained.seed)
    return command_usage_error ("evaluate",
        "--seed must be %" G_GUINT64_FORMAT
        ", with which the model was trained: by another cut some of the "
        "pictures were trained on",
        trained.seed);
  if (pictures->validation > 0 && pictures->validation != trained.validation)
    return command_usage_error ("evaluate",
        "--validation-split must be %g, with which the model was trained: by "
        "another cut some of the pictures were trained on",
        trained.validation > 0 ? trained.validation : 0.1);
  return -1;
}

static gboolean
run_evaluation (Run *run, GError **error)
{
  const EvaluateOptions *options = run->options;
  run->dataset = forge_dataset_open (
      options->pictures.data, options->pictures.split, &run->cut, error);
  if (!run->dataset)
    return FALSE;
  const ForgeEvaluateParams params = {
    .threads = options->pictures.threads,
    .preprocess = &run->preprocess,
    .n_most = (guint) options->pictures.limit,
    .n_latency = N_LATENCY,
  };
  run->activity = "";
  run->evaluation = forge_evaluate (
      run->model, run->dataset, &params, show_progress, run, error);
  progress_clear (&run->progress);
  if (run->evaluation)
    evaluation_report_print (run->out, run->evaluation);
  return run->evaluation != NULL;
}

static gboolean
run_corruptions (Run *run, GError **error)
{
  const EvaluateOptions *options = run->options;
  const ForgeEvaluateParams params = {
    .threads = options->pictures.threads,
    .preprocess = &run->preprocess,
    .n_most = (guint) options->pictures.limit,
    .seed = run->cut.seed,
  };
  if (options->n_kinds == 0)
    return TRUE;
  run->activity = "corrupted: ";
  run->corruptions = forge_evaluate_corrupted (run->model, run->dataset,
      &params, options->kinds, options->n_kinds, show_progress, run, error);
  progress_clear (&run->progress);
  if (run->corruptions)
    corruption_report_print (run->out, run->corruptions, options->n_kinds);
  return run->corruptions != NULL;
}

static gboolean
run_calibration (Run *run, GError **error)
{
  const EvaluateOptions *options = run->options;
  ForgeCalibrateParams params = FORGE_CALIBRATE_PARAMS_DEFAULT;
  if (!options->calibrate)
    return TRUE;
  params.threads = options->pictures.threads;
  params.preprocess = &run->preprocess;
  params.n_most = (guint) options->pictures.limit;
  params.seed = run->cut.seed;
  params.data = options->pictures.data;
  params.split = options->pictures.split_name;
  run->activity = "calibrating: ";
  run->calibration = forge_calibrate (
      run->model, run->dataset, &params, show_progress, run, error);
  progress_clear (&run->progress);
  if (!run->calibration ||
      !forge_calibration_save (run->model, run->calibration->baseline,
          options->out, &run->written, error))
    return FALSE;
  calibration_report_print (run->out, run->calibration, run->written);
  return TRUE;
}

static gboolean
draw_plots (const Run *run, GError **error)
{
  const EvaluationPlots plots = { .title = forge_model_get_name (run->model),
    .dataset = run->dataset,
    .evaluation = run->evaluation,
    .min_f1 = run->options->min_f1,
    .calibration = run->calibration,
    .corruptions = run->corruptions,
    .n_kinds = run->options->n_kinds,
    .seed = run->cut.seed };
  if (!run->options->plots)
    return TRUE;
  if (!evaluation_plots_write (&plots, run->options->plots, error))
    return FALSE;
  fprintf (run->out, "plots are in %s\n", run->options->plots);
  return TRUE;
}

/* @builder's object is begun; output_write_json() ends it. */
static void
add_json (JsonBuilder *builder, const Run *run)
{
  const EvaluateOptions *options = run->options;
  evaluation_report_add_json (builder, run->evaluation);
  evaluation_report_add_mistakes (builder, run->evaluation, run->dataset);
  output_add_model (builder, run->model);
  output_add_string (builder, "data", options->pictures.data);
  output_add_string (builder, "split", options->pictures.split_name);
  output_add_int (builder, "seed", (gint64) run->cut.seed);
  output_add_string (
      builder, "data_hash", forge_dataset_get_hash (run->dataset));
  if (run->corruptions)
    corruption_report_add_json (builder, run->corruptions, options->n_kinds);
  if (run->calibration)
    calibration_report_add_json (builder, run->calibration, run->written);
}

static int
evaluate (const char *path, const EvaluateOptions *options)
{
  g_autoptr (GError) error = NULL;
  g_auto (Run) run = { .options = options,
    .out = output_text_stream (options->pictures.json) };
  run.model =
      command_load_stated_model (path, options->preprocess, &run.preprocess);
  if (!run.model)
    return COMMAND_FAILED;
  int status = choose_cut (&run);
  if (status >= 0)
    return status;
  progress_init (&run.progress, run.out);
  progress_catch_interrupts ();
  if (!run_evaluation (&run, &error) || !run_corruptions (&run, &error) ||
      !run_calibration (&run, &error) || !draw_plots (&run, &error))
    return command_error ("%s", error->message);
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  json_builder_begin_object (builder);
  if (options->pictures.json)
    add_json (builder, &run);
  status = judge (builder, run.evaluation, options->min_f1);
  if (!output_write_json (builder, options->pictures.json, &error))
    return command_error ("%s", error->message);
  return status;
}

/* -1 to go on. */
static int
check_calibration (const char *model, const EvaluateOptions *options)
{
  if (options->out && !options->calibrate)
    return command_usage_error ("evaluate", "--out goes with --calibrate");
  if (!options->calibrate)
    return -1;
  if (options->pictures.split == FORGE_SPLIT_TRAIN)
    return command_usage_error ("evaluate",
        "--calibrate needs pictures that the model was not trained on, not "
        "--split train");
  if (g_strcmp0 (model, FORGE_MODEL_EMBEDDED) == 0 && !options->out)
    return command_usage_error ("evaluate",
        "the built-in model cannot be written to: --calibrate needs --out");
  if (model && g_str_has_prefix (model, FORGE_REGISTRY_PREFIX) && !options->out)
    return command_usage_error ("evaluate",
        "a version in the registry does not change: --calibrate needs --out, "
        "and 'gst-forge registry register' makes that file a version");
  return -1;
}

static int
check_and_evaluate (EvaluateOptions *options)
{
  DataOptions *pictures = &options->pictures;
  const CommandRange floor = { "--min-f1", options->min_f1, 0, 1 };
  int status = data_options_check (
      "evaluate", pictures, options->calibrate ? "validation" : "test");
  if (status < 0)
    status = command_check_ranges ("evaluate", &floor, 1);
  if (status < 0)
    status = check_calibration (pictures->rest[0], options);
  return status >= 0 ? status : evaluate (pictures->rest[0], options);
}

static gboolean
parse_corruptions (
    const char *option, const char *value, gpointer data, GError **error)
{
  EvaluateOptions *options = data;
  g_autoptr (GError) cause = NULL;
  if (corruption_list_parse (value, options->kinds, &options->n_kinds, &cause))
    return TRUE;
  g_set_error_literal (
      error, G_OPTION_ERROR, G_OPTION_ERROR_BAD_VALUE, cause->message);
  return FALSE;
}

static GOptionGroup *
extra_group (EvaluateOptions *options, char **plots, char **out)
{
  const GOptionEntry entries[] = {
    { "corruptions", 0, G_OPTION_FLAG_OPTIONAL_ARG, G_OPTION_ARG_CALLBACK,
        (gpointer) parse_corruptions,
        "accuracy under corrupted pictures too: all 15 kinds, or those of"
        " =LIST, at 5 severities",
        "KIND,..." },
    { "calibrate", 0, 0, G_OPTION_ARG_NONE, &options->calibrate,
        "fit the temperature on half of the pictures, measure the drift"
        " baseline on the others, and write both into the model file"
        " (--split is then validation)",
        NULL },
    { "out", 'o', 0, G_OPTION_ARG_FILENAME, out,
        "with --calibrate: leave MODEL as it is and write this ONNX file",
        "FILE" },
    { "plots", 0, 0, G_OPTION_ARG_FILENAME, plots,
        "draw confusion matrix, F1 of the classes, reliability, worst mistakes"
        " and corruptions as PNG files there",
        "DIR" },
    { NULL },
  };
  GOptionGroup *group = g_option_group_new (
      "evaluate", "More than the report:", "", options, NULL);
  g_option_group_add_entries (group, entries);
  return group;
}

int
cmd_evaluate (int argc, char **argv)
{
  g_auto (PreprocessOptions) preprocess = { 0 };
  EvaluateOptions options = { .pictures = { .seed = DATA_OPTIONS_NO_SEED },
    .min_f1 = 0.70,
    .preprocess = &preprocess };
  g_autofree char *plots = NULL;
  g_autofree char *out = NULL;
  const GOptionEntry entries[] = {
    { "min-f1", 0, 0, G_OPTION_ARG_DOUBLE, &options.min_f1,
        "floor for the F1 of every class, 0 to 1 (0.70)", "F1" },
    { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY,
        &options.pictures.rest, NULL, "MODEL" },
    { NULL },
  };
  GOptionGroup *groups[] = {
    data_options_group (&options.pictures,
        "pictures, spread evenly over the data; 0 = all (0)",
        "of the cut, where the data has no such part (that of the training, or"
        " 1), and of corruptions"),
    extra_group (&options, &plots, &out),
    preprocess_options_group (&preprocess), NULL
  };
  int status = command_parse_with_groups ("evaluate",
      "Measure a model on labelled pictures, class by class. The exit status is"
      " 1 when\nthe F1 of a class is under the floor.",
      entries, groups, &argc, &argv);
  options.plots = plots;
  options.out = out;
  if (status < 0)
    status = check_and_evaluate (&options);
  data_options_clear (&options.pictures);
  return status;
}
