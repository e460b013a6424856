/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * `gst-forge doctor MODEL --data SPEC`: which preprocessing was the model
 * trained with, and is it the one it would get? The examination itself is
 * forge/doctor.h; here it is put into a table and plain words. */
#include <string.h>

#include "command.h"
#include "data-options.h"
#include "forge/doctor.h"
#include "output.h"
#include "progress.h"

typedef struct {
  DataOptions pictures;
  const PreprocessOptions *preprocess;
} DoctorOptions;

static const char *const verdict_names[] = { "fits", "misfit", "no-cure" };

static gboolean
show_progress (uint64_t done, uint64_t total, gpointer user_data)
{
  progress_draw (
      user_data, total ? (double) done / total : 1, "trying preprocessings");
  return !progress_was_interrupted ();
}

static void
print_table (FILE *out, const ForgeDiagnosis *diagnosis)
{
  int width = 13;
  for (guint i = 0; i < diagnosis->n_rows; i++)
    width = MAX (width, (int) strlen (diagnosis->rows[i].name));
  fprintf (out, "  %-*s  %9s  %10s\n", width, "Preprocessing", "Accuracy",
      "Confidence");
  for (guint i = 0; i < diagnosis->n_rows; i++) {
    const ForgeDoctorRow *row = &diagnosis->rows[i];
    fprintf (out, "%c %-*s  %7.2f %%  %8.2f %%\n", row->is_current ? '*' : ' ',
        width, row->name, 100 * row->accuracy, 100 * row->mean_confidence);
  }
  fprintf (out,
      "%" G_GUINT64_FORMAT " pictures, %" G_GUINT64_FORMAT
      " skipped; * is what would be used now\n\n",
      diagnosis->n_items, diagnosis->n_skipped);
}

/* Where the current preprocessing comes from. */
static char *
describe_origin (
    const ForgeDiagnosis *diagnosis, const PreprocessOptions *options)
{
  const ForgeStatedPreprocess stated = preprocess_options_get (options);
  gboolean says =
      stated.scale || stated.mean || stated.std || stated.order != NULL;
  const char *origin = says                        ? "as your options say"
                       : diagnosis->values_assumed ? "the file does not say"
                                                   : "as the file says";
  if (!diagnosis->assumptions)
    return g_strdup (origin);
  return g_strdup_printf ("%s; assumed: %s", origin, diagnosis->assumptions);
}

static void
print_verdict (FILE *out, const ForgeDiagnosis *diagnosis,
    const PreprocessOptions *options)
{
  const ForgeDoctorRow *best = &diagnosis->rows[0];
  const ForgeDoctorRow *current = &diagnosis->rows[diagnosis->current];
  g_autofree char *origin = describe_origin (diagnosis, options);
  if (diagnosis->baked_in)
    fputs ("The network takes bytes: its preprocessing is baked into the file,"
           " so only the order\nof the colours was checked.\n",
        out);
  fprintf (out,
      "Fits best:      %s (%" G_GUINT64_FORMAT " of %" G_GUINT64_FORMAT
      " right)\nWould be used:  %s (%s)\n",
      best->name, best->n_hits, diagnosis->n_items, current->name, origin);
  switch (diagnosis->verdict) {
  case FORGE_DOCTOR_NO_CURE:
    fprintf (out,
        "None of these is clearly better than guessing (p = %.2g). Either there"
        " are too few\npictures, or the model's classes are others, or in"
        " another order, than the data's.\n",
        diagnosis->guess_p_value);
    break;
  case FORGE_DOCTOR_MISFIT:
    fprintf (out,
        "They disagree, and what would be used is clearly worse (p = %.2g)."
        " State the right one:\n  %s\n",
        diagnosis->p_value, best->options);
    break;
  case FORGE_DOCTOR_FITS:
    if (current == best)
      fputs ("They agree.\n", out);
    else
      fprintf (out,
          "They differ, but by no more than chance may do (p = %.2g): with"
          " more pictures\n(--limit) it might be told which is right.\n",
          diagnosis->p_value);
    break;
  }
}

static void
add_row (JsonBuilder *builder, const ForgeDoctorRow *row)
{
  json_builder_begin_object (builder);
  output_add_string (builder, "name", row->name);
  output_add_string (builder, "options", row->options);
  output_add_bool (builder, "current", row->is_current);
  output_add_int (builder, "n_hits", row->n_hits);
  output_add_double (builder, "accuracy", row->accuracy);
  output_add_double (builder, "mean_confidence", row->mean_confidence);
  json_builder_end_object (builder);
}

static JsonBuilder *
build_json (const ForgeModel *model, const ForgeDiagnosis *diagnosis)
{
  JsonBuilder *builder = json_builder_new ();
  json_builder_begin_object (builder);
  output_add_model (builder, model);
  json_builder_set_member_name (builder, "rows");
  json_builder_begin_array (builder);
  for (guint i = 0; i < diagnosis->n_rows; i++)
    add_row (builder, &diagnosis->rows[i]);
  json_builder_end_array (builder);
  output_add_string (builder, "best", diagnosis->rows[0].name);
  output_add_string (
      builder, "current", diagnosis->rows[diagnosis->current].name);
  output_add_string (builder, "verdict", verdict_names[diagnosis->verdict]);
  output_add_double (builder, "p_value", diagnosis->p_value);
  output_add_double (builder, "guess_p_value", diagnosis->guess_p_value);
  output_add_bool (builder, "baked_in", diagnosis->baked_in);
  output_add_string (builder, "assumptions", diagnosis->assumptions);
  output_add_int (builder, "n_items", diagnosis->n_items);
  output_add_int (builder, "n_skipped", diagnosis->n_skipped);
  return builder;
}

/* Its own note on assumptions would say twice what the verdict says. */
static int
examine (const char *path, const DoctorOptions *options)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeModel) model = forge_model_load (path, &error);
  if (!model)
    return command_error ("%s", error->message);
  const ForgeCut cut = { .seed = (uint64_t) options->pictures.seed,
    .validation = options->pictures.validation };
  g_autoptr (ForgeDataset) dataset = forge_dataset_open (
      options->pictures.data, options->pictures.split, &cut, &error);
  if (!dataset)
    return command_error ("%s", error->message);
  const ForgeStatedPreprocess stated =
      preprocess_options_get (options->preprocess);
  const ForgeDoctorParams params = { .threads = options->pictures.threads,
    .n_most = options->pictures.limit,
    .stated = &stated };
  FILE *out = output_text_stream (options->pictures.json);
  Progress progress;
  progress_init (&progress, out);
  progress_catch_interrupts ();
  g_autoptr (ForgeDiagnosis) diagnosis = forge_doctor_examine (
      model, dataset, &params, show_progress, &progress, &error);
  progress_clear (&progress);
  if (!diagnosis)
    return command_error ("%s", error->message);
  print_table (out, diagnosis);
  print_verdict (out, diagnosis, options->preprocess);
  g_autoptr (JsonBuilder) builder = build_json (model, diagnosis);
  if (!output_write_json (builder, options->pictures.json, &error))
    return command_error ("%s", error->message);
  return diagnosis->verdict == FORGE_DOCTOR_MISFIT ? COMMAND_MISFIT
                                                   : COMMAND_OK;
}

int
cmd_doctor (int argc, char **argv)
{
  g_auto (PreprocessOptions) preprocess = { 0 };
  DoctorOptions options = { .pictures = { .limit = 1000, .seed = 1 },
    .preprocess = &preprocess };
  const GOptionEntry entries[] = {
    { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY,
        &options.pictures.rest, NULL, "MODEL" },
    { NULL },
  };
  GOptionGroup *groups[] = {
    data_options_group (&options.pictures,
        "pictures, spread over the data evenly; 0 = all (1000)",
        "of the cut, where the data has no such part (1)"),
    preprocess_options_group (&preprocess), NULL
  };
  int status = command_parse_with_groups ("doctor",
      "Find out which preprocessing a model was trained with, by labelled"
      " pictures, and\nwhether it is the one that it would get. The exit status"
      " is 1 when that is clearly\nworse than the best (sign test on the"
      " pictures that only one of both gets right,\nunder 1 % over all rows).",
      entries, groups, &argc, &argv);
  if (status < 0)
    status = data_options_check ("doctor", &options.pictures, "test");
  if (status < 0)
    status = examine (options.pictures.rest[0], &options);
  data_options_clear (&options.pictures);
  return status;
}
