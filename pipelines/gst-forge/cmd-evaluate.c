/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * `gst-forge evaluate MODEL --data SPEC`: accuracy, confusion matrix and, for
 * each class, precision, recall, F1 and support. A class whose F1 is under
 * the floor is named, and the exit status is 1, so that a script can refuse
 * such a model. */
#include "command.h"
#include "evaluation-report.h"
#include "progress.h"

typedef struct {
  char *data, *json;
  ForgeSplit split;
  const char *split_name;
  double min_f1;
  int threads;
  gint64 seed;
  const PreprocessOptions *preprocess;
} EvaluateOptions;

static gboolean
show_progress (uint64_t done, uint64_t total, gpointer user_data)
{
  g_autofree char *text = g_strdup_printf (
      "%" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT " pictures", done, total);
  progress_draw (user_data, total ? (double) done / total : 1, text);
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

static int
evaluate (const char *path, const EvaluateOptions *options)
{
  g_autoptr (GError) error = NULL;
  ForgePreprocess preprocess;
  g_autoptr (ForgeModel) model =
      command_load_stated_model (path, options->preprocess, &preprocess);
  if (!model)
    return COMMAND_FAILED;
  g_autoptr (ForgeDataset) dataset =
      forge_dataset_open (options->data, options->split, options->seed, &error);
  if (!dataset)
    return command_error ("%s", error->message);
  FILE *out = output_text_stream (options->json);
  Progress progress;
  progress_init (&progress, out);
  progress_catch_interrupts ();
  const ForgeEvaluateParams params = {
    .threads = options->threads,
    .preprocess = &preprocess,
  };
  g_autoptr (ForgeEvaluation) evaluation = forge_evaluate (
      model, dataset, &params, show_progress, &progress, &error);
  progress_clear (&progress);
  if (!evaluation)
    return command_error ("%s", error->message);

  evaluation_report_print (out, evaluation);
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  json_builder_begin_object (builder);
  evaluation_report_add_json (builder, evaluation);
  output_add_model (builder, model);
  output_add_string (builder, "data", options->data);
  output_add_string (builder, "split", options->split_name);
  output_add_string (builder, "data_hash", forge_dataset_get_hash (dataset));
  int status = judge (builder, evaluation, options->min_f1);
  if (!output_write_json (builder, options->json, &error))
    return command_error ("%s", error->message);
  return status;
}

static int
check_and_evaluate (
    char **arguments, const char *split_name, EvaluateOptions *options)
{
  if (!arguments || g_strv_length (arguments) != 1)
    return command_usage_error ("evaluate", "exactly one MODEL is needed");
  if (!options->data)
    return command_usage_error ("evaluate", "--data is missing");
  options->split_name = split_name ? split_name : "test";
  if (!command_parse_split (options->split_name, &options->split))
    return command_usage_error ("evaluate",
        "--split must be train, validation or test, found '%s'", split_name);
  const CommandRange ranges[] = {
    { "--min-f1", options->min_f1, 0, 1 },
    { "--threads", options->threads, 0, COMMAND_MAX_THREADS },
    { "--seed", options->seed, 0, COMMAND_MAX_SEED },
  };
  int status = command_check_ranges ("evaluate", ranges, G_N_ELEMENTS (ranges));
  return status >= 0 ? status : evaluate (arguments[0], options);
}

int
cmd_evaluate (int argc, char **argv)
{
  g_auto (PreprocessOptions) preprocess = { 0 };
  EvaluateOptions options = {
    .min_f1 = 0.70, .seed = 1, .preprocess = &preprocess
  };
  g_autofree char *data = NULL;
  g_autofree char *json = NULL;
  g_autofree char *split = NULL;
  g_auto (GStrv) rest = NULL;
  const GOptionEntry entries[] = {
    { "data", 'd', 0, G_OPTION_ARG_FILENAME, &data,
        "cifar10:DIR, fashion-mnist:DIR or a folder of class folders", "SPEC" },
    { "split", 0, 0, G_OPTION_ARG_STRING, &split,
        "train, validation or test (test)", "NAME" },
    { "min-f1", 0, 0, G_OPTION_ARG_DOUBLE, &options.min_f1,
        "floor for the F1 of every class, 0 to 1 (0.70)", "F1" },
    { "threads", 't', 0, G_OPTION_ARG_INT, &options.threads,
        "threads; 0 = all the process may use (0)", "N" },
    { "seed", 0, 0, G_OPTION_ARG_INT64, &options.seed,
        "of the cut, where the data has no such part (1)", "N" },
    { "json", 0, 0, G_OPTION_ARG_FILENAME, &json,
        "write a JSON document too; - is standard output", "FILE" },
    { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &rest, NULL,
        "MODEL" },
    { NULL },
  };
  int status = command_parse_with_group ("evaluate",
      "Measure a model on labelled pictures, class by class. The exit status is"
      " 1 when\nthe F1 of a class is under the floor.",
      entries, preprocess_options_group (&preprocess), &argc, &argv);
  if (status >= 0)
    return status;
  options.data = data;
  options.json = json;
  return check_and_evaluate (rest, split, &options);
}
