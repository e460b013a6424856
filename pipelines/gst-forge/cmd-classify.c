/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * `gst-forge classify MODEL FILE...`: the best classes of PNG, JPEG
 * and WebP pictures, through the same path from pixels to scores as the
 * element. A file that cannot be read is named, and the others go on. */
#include "command.h"
#include "forge/classifier.h"
#include "forge/error.h"
#include "output.h"

typedef struct {
  int top_k;
  int threads;
  gboolean probabilities;
  char *json;
  const PreprocessOptions *preprocess;
  const char *labels; /* file, or NULL */
} ClassifyOptions;

static void
print_top (FILE *out, const char *path, const ForgeClass *top, guint n_top)
{
  fprintf (out, "%s\n", path);
  for (guint i = 0; i < n_top; i++)
    fprintf (out, "  %6.2f %%  %s\n", 100 * top[i].confidence, top[i].label);
}

static void
add_top (JsonBuilder *builder, const ForgeClass *top, guint n_top)
{
  json_builder_set_member_name (builder, "top");
  json_builder_begin_array (builder);
  for (guint i = 0; i < n_top; i++) {
    json_builder_begin_object (builder);
    output_add_int (builder, "class_id", top[i].class_id);
    output_add_string (builder, "label", top[i].label);
    output_add_double (builder, "confidence", top[i].confidence);
    json_builder_end_object (builder);
  }
  json_builder_end_array (builder);
}

static void
add_probabilities (JsonBuilder *builder, ForgeClassifier *classifier)
{
  const float *probabilities =
      forge_classifier_get_probabilities (classifier, 0);
  json_builder_set_member_name (builder, "probabilities");
  json_builder_begin_array (builder);
  for (guint c = 0; c < forge_classifier_get_n_classes (classifier); c++)
    json_builder_add_double_value (builder, probabilities[c]);
  json_builder_end_array (builder);
}

static gboolean
classify_picture (ForgeClassifier *classifier, const char *path,
    const ClassifyOptions *options, JsonBuilder *builder, GError **error)
{
  g_autoptr (ForgePicture) picture = forge_picture_load (path, error);
  if (!picture)
    return FALSE;
  ForgeFrame frame = forge_picture_frame (picture);
  if (!forge_classifier_set_frame (classifier, 0, &frame, error))
    return FALSE;
  forge_classifier_run (classifier);
  if (!forge_classifier_is_finite (classifier, 0)) {
    g_set_error (error, FORGE_ERROR, FORGE_ERROR_NUMERIC,
        "%s: the model's scores are not finite numbers", path);
    return FALSE;
  }
  g_autofree ForgeClass *top = g_new (ForgeClass, options->top_k);
  guint n_top = forge_classifier_get_top (classifier, 0, options->top_k, top);
  print_top (output_text_stream (options->json), path, top, n_top);
  output_add_int (builder, "width", picture->width);
  output_add_int (builder, "height", picture->height);
  add_top (builder, top, n_top);
  if (options->probabilities)
    add_probabilities (builder, classifier);
  return TRUE;
}

static int
classify_all (ForgeClassifier *classifier, char **paths,
    const ClassifyOptions *options, JsonBuilder *builder)
{
  int status = COMMAND_OK;
  json_builder_set_member_name (builder, "results");
  json_builder_begin_array (builder);
  for (; *paths; paths++) {
    g_autoptr (GError) error = NULL;
    json_builder_begin_object (builder);
    output_add_string (builder, "file", *paths);
    if (!classify_picture (classifier, *paths, options, builder, &error)) {
      status = command_error ("%s", error->message);
      output_add_string (builder, "error", error->message);
    }
    json_builder_end_object (builder);
  }
  json_builder_end_array (builder);
  return status;
}

static int
classify (char **arguments, const ClassifyOptions *options)
{
  g_autoptr (GError) error = NULL;
  ForgePreprocess preprocess;
  g_autoptr (ForgeModel) model = command_load_stated_model (
      arguments[0], options->preprocess, &preprocess);
  if (!model)
    return COMMAND_FAILED;
  ForgeClassifierParams params = FORGE_CLASSIFIER_PARAMS_DEFAULT;
  params.threads = options->threads;
  params.preprocess = &preprocess;
  g_auto (GStrv) labels = NULL;
  if (options->labels) {
    labels = forge_labels_read (options->labels, &error);
    if (!labels)
      return command_error ("%s", error->message);
    params.labels = (const char *const *) labels;
  }
  g_autoptr (ForgeClassifier) classifier =
      forge_classifier_new (model, &params, &error);
  if (!classifier)
    return command_error ("%s%s%s", options->labels ? options->labels : "",
        options->labels ? ": " : "", error->message);
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  json_builder_begin_object (builder);
  output_add_model (builder, model);
  int status = classify_all (classifier, arguments + 1, options, builder);
  if (!output_write_json (builder, options->json, &error))
    return command_error ("%s", error->message);
  return status;
}

int
cmd_classify (int argc, char **argv)
{
  g_auto (PreprocessOptions) preprocess = { 0 };
  ClassifyOptions options = { .top_k = 5, .preprocess = &preprocess };
  g_autofree char *json = NULL;
  g_autofree char *labels = NULL;
  g_auto (GStrv) rest = NULL;
  const GOptionEntry entries[] = {
    { "top-k", 'k', 0, G_OPTION_ARG_INT, &options.top_k,
        "classes to show, best first (5)", "N" },
    { "labels", 0, 0, G_OPTION_ARG_FILENAME, &labels,
        "names of the classes, one a line, where the model has none", "FILE" },
    { "probabilities", 0, 0, G_OPTION_ARG_NONE, &options.probabilities,
        "all of them, in class order, in the JSON document", NULL },
    { "threads", 't', 0, G_OPTION_ARG_INT, &options.threads,
        "threads; 0 = all the process may use (0)", "N" },
    { "json", 0, 0, G_OPTION_ARG_FILENAME, &json,
        "write a JSON document too; - is standard output", "FILE" },
    { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &rest, NULL,
        "MODEL FILE…" },
    { NULL },
  };
  int status = command_parse_with_group ("classify",
      "Show the best classes of PNG, JPEG and WebP pictures. A file that "
      "cannot be"
      " read is\nreported and the others go on; the exit status is then 3.",
      entries, preprocess_options_group (&preprocess), &argc, &argv);
  if (status >= 0)
    return status;
  if (!rest || g_strv_length (rest) < 2)
    return command_usage_error (
        "classify", "a MODEL and at least one FILE are needed");
  const CommandRange ranges[] = {
    { "--top-k", options.top_k, 1, 100000 },
    { "--threads", options.threads, 0, COMMAND_MAX_THREADS },
  };
  status = command_check_ranges ("classify", ranges, G_N_ELEMENTS (ranges));
  if (status >= 0)
    return status;
  options.json = json;
  options.labels = labels;
  return classify (rest, &options);
}
