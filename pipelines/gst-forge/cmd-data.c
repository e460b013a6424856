/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * `gst-forge data SPEC`: looks at labelled pictures before anything is trained
 * on them. The checks are forge/data-check.h; here the parts are opened, and
 * what was found is printed, written and drawn. */
#include "command.h"
#include "data-report.h"
#include "forge/error.h"
#include "progress.h"

typedef struct {
  char *json, *sheet;
  int n_each, n_examples, threads;
  gint64 seed;
  double validation; /* 0 where not given */
} DataOptions;

typedef struct {
  ForgeDataset *parts[FORGE_N_SPLITS];
} Parts;

static void
parts_clear (Parts *parts)
{
  for (int s = 0; s < FORGE_N_SPLITS; s++)
    forge_dataset_free (parts->parts[s]);
}

G_DEFINE_AUTO_CLEANUP_CLEAR_FUNC (Parts, parts_clear)

/* A part that the data does not have is none. */
static gboolean
open_parts (Parts *parts, const char *spec, const ForgeCut *cut, GError **error)
{
  for (int s = 0; s < FORGE_N_SPLITS; s++) {
    g_autoptr (GError) open_error = NULL;
    parts->parts[s] = forge_dataset_open (spec, s, cut, &open_error);
    if (parts->parts[s] ||
        (s != FORGE_SPLIT_TRAIN &&
            g_error_matches (open_error, FORGE_ERROR, FORGE_ERROR_NOT_FOUND)))
      continue;
    g_propagate_error (error, g_steal_pointer (&open_error));
    return FALSE;
  }
  return TRUE;
}

static gboolean
show_progress (uint64_t done, uint64_t total, gpointer user_data)
{
  progress_draw (user_data, total ? (double) done / (double) total : 1,
      "looking at pictures");
  return !progress_was_interrupted ();
}

static gboolean
write_json (const char *spec, const ForgeDataReport *report,
    const DataOptions *options, GError **error)
{
  g_autoptr (JsonBuilder) builder = json_builder_new ();
  json_builder_begin_object (builder);
  output_add_string (builder, "data", spec);
  output_add_int (builder, "seed", options->seed);
  data_report_add_json (builder, report);
  return output_write_json (builder, options->json, error);
}

static gboolean
has_errors (const ForgeDataReport *report)
{
  for (guint i = 0; i < report->findings->len; i++) {
    const ForgeDataFinding *finding = g_ptr_array_index (report->findings, i);
    if (finding->severity == FORGE_FINDING_ERROR)
      return TRUE;
  }
  return FALSE;
}

static int
look (const char *spec, const DataOptions *options)
{
  g_autoptr (GError) error = NULL;
  g_auto (Parts) parts = { 0 };
  FILE *out = output_text_stream (options->json);
  Progress progress;
  progress_init (&progress, out);
  progress_catch_interrupts ();
  progress_draw (&progress, 0, "listing pictures");
  const ForgeCut cut = { .seed = (uint64_t) options->seed,
    .validation = options->validation };
  if (!open_parts (&parts, spec, &cut, &error)) {
    progress_clear (&progress);
    return command_error ("%s", error->message);
  }
  const ForgeDataCheckParams params = { .threads = options->threads,
    .seed = (uint64_t) options->seed,
    .n_examples = (guint) options->n_examples };
  g_autoptr (ForgeDataReport) report =
      forge_data_check (parts.parts, &params, show_progress, &progress, &error);
  progress_clear (&progress);
  if (!report)
    return command_error ("%s", error->message);
  data_report_print (out, report);
  if (options->sheet &&
      !data_sheet_write (options->sheet, parts.parts[FORGE_SPLIT_TRAIN],
          (guint) options->n_each, (guint32) options->seed, &error))
    return command_error ("%s", error->message);
  if (!write_json (spec, report, options, &error))
    return command_error ("%s", error->message);
  return has_errors (report) ? COMMAND_BAD_DATA : COMMAND_OK;
}

static const char description[] =
    "Look at labelled pictures before training on them: counts, files that"
    " cannot be read,\ndark, white and flat pictures, the same picture twice,"
    " in two parts (leakage) or with\ntwo labels, sizes, colours, brightness,"
    " and whether the labels have anything to do with\nthe pictures. DATA is"
    " cifar10:DIR, fashion-mnist:DIR or a folder of class folders\n(PNG, JPEG,"
    " WebP, and videos, of which 2 frames a second are used, 100 a file at"
    " most,\nor as FORGE_VIDEO_SAMPLING=RATE,MAX says), or a folder with a"
    " labels.csv: 'file,labels'\n('a.jpg,cat;dog') or 'file,cat,dog' ("
    "'a.jpg,1,0'), with a column 'split' or without.\nThe exit status is 1"
    " when there is a finding of severity error.";

int
cmd_data (int argc, char **argv)
{
  DataOptions options = { .n_each = 10, .n_examples = 10, .seed = 1 };
  g_autofree char *json = NULL;
  g_autofree char *sheet = NULL;
  g_auto (GStrv) rest = NULL;
  const GOptionEntry entries[] = {
    { "contact-sheet", 0, 0, G_OPTION_ARG_FILENAME, &sheet,
        "draw random training pictures of each class", "FILE.png" },
    { "per-class", 0, 0, G_OPTION_ARG_INT, &options.n_each,
        "pictures of a class on it (10)", "N" },
    { "examples", 0, 0, G_OPTION_ARG_INT, &options.n_examples,
        "named for each finding (10)", "N" },
    { "seed", 0, 0, G_OPTION_ARG_INT64, &options.seed,
        "of the cut into parts, the shuffles and the sheet (1)", "N" },
    { "validation-split", 0, 0, G_OPTION_ARG_DOUBLE, &options.validation,
        COMMAND_VALIDATION_TEXT " (0.1)", "P" },
    { "threads", 't', 0, G_OPTION_ARG_INT, &options.threads,
        "threads; 0 = all the process may use (0)", "N" },
    { "json", 0, 0, G_OPTION_ARG_FILENAME, &json,
        "write a JSON document too; - is standard output", "FILE" },
    { G_OPTION_REMAINING, 0, 0, G_OPTION_ARG_FILENAME_ARRAY, &rest, NULL,
        "DATA" },
    { NULL },
  };
  int status = command_parse ("data", description, entries, &argc, &argv);
  if (status >= 0)
    return status;
  if (!rest || g_strv_length (rest) != 1)
    return command_usage_error ("data", "exactly one DATA is needed");
  const CommandRange ranges[] = {
    { "--per-class", options.n_each, 1, 100 },
    { "--examples", options.n_examples, 1, 1000000 },
    { "--threads", options.threads, 0, COMMAND_MAX_THREADS },
    { "--seed", (double) options.seed, 0, COMMAND_MAX_SEED },
    { "--validation-split", options.validation, 0, FORGE_MAX_VALIDATION },
  };
  status = command_check_ranges ("data", ranges, G_N_ELEMENTS (ranges));
  if (status >= 0)
    return status;
  options.json = json;
  options.sheet = sheet;
  return look (rest[0], &options);
}
