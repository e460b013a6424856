/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The preprocessing check: one evaluation for each plausible preprocessing,
 * on the same pictures, so that two of them are compared picture by picture.
 * Source of the test: McNemar, "Note on the sampling error of the difference
 * between correlated proportions", Psychometrika 12 (1947), in its exact
 * form; Bonferroni's correction for having picked the best of several. */
#include "forge/doctor.h"

#include <string.h>

#include "forge/stats.h"
#include "formats/model-info.h"
#include "run/model.h"
#include "train/score.h"

#define ALPHA 0.01

/* In the order of RGB; grey networks take those with one number. */
typedef struct {
  const char *name, *scale, *mean, *std;
  const char *bgr_mean, *bgr_std; /* NULL = the same as for RGB */
} Candidate;

/* NULL scale: 1/255 */
static const Candidate candidates[] = {
  { "0..1", NULL, "0", "1", NULL, NULL },
  { "-1..1", "1", "127.5", "127.5", NULL, NULL },
  { "0..255", "1", "0", "1", NULL, NULL },
  { "ImageNet mean and deviation", NULL, "0.485,0.456,0.406",
      "0.229,0.224,0.225", "0.406,0.456,0.485", "0.225,0.224,0.229" },
  { "0..255 less ImageNet mean (Caffe)", "1", "123.68,116.779,103.939", "1",
      "103.939,116.779,123.68", NULL },
};

#define N_CANDIDATES G_N_ELEMENTS (candidates)
#define MAX_ROWS (2 * N_CANDIDATES + 1)

typedef struct {
  ForgeModel *model;
  ForgeDataset *dataset;
  ForgeDoctorParams params;
  ForgeStatedPreprocess stated; /* never NULL, unlike that of params */
  ForgeDiagnosis *diagnosis;
  ForgeScore *scores[MAX_ROWS]; /* in the order of the rows made */
  guint n_scores;
  ForgeProgressFunc progress;
  gpointer user_data;
  guint row; /* being evaluated */
} Examination;

static gboolean
is_same_input (const ForgePreprocess *a, const ForgePreprocess *b)
{
  if (a->bgr != b->bgr)
    return FALSE;
  for (int c = 0; c < a->channels && a->dtype == FORGE_FLOAT32; c++) {
    /* a tenth of a grey level over the whole range is no difference */
    double at_0 = (double) a->bias[c] - b->bias[c];
    double at_255 = at_0 + 255 * ((double) a->scale[c] - b->scale[c]);
    double least = 0.1 * ABS ((double) a->scale[c]);
    if (ABS (at_0) > least || ABS (at_255) > least)
      return FALSE;
  }
  return TRUE;
}

static char *
describe_options (const ForgeStatedPreprocess *stated)
{
  const struct {
    const char *option, *value;
  } parts[] = {
    { "--input-scale", stated->scale },
    { "--input-mean", stated->mean },
    { "--input-std", stated->std },
    { "--input-order", stated->order },
  };
  GString *text = g_string_new (NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (parts); i++)
    if (parts[i].value)
      g_string_append_printf (text, "%s%s %s", text->len ? " " : "",
          parts[i].option, parts[i].value);
  return g_string_free (text, FALSE);
}

/* Becomes the current row where it is what would be used anyway. */
static gboolean
add_row (Examination *exam, const char *name,
    const ForgeStatedPreprocess *stated, GError **error)
{
  ForgeDiagnosis *diagnosis = exam->diagnosis;
  const ForgePreprocess *current = &diagnosis->rows[0].preprocess;
  ForgePreprocess preprocess;
  if (!forge_model_state_preprocess (
          exam->model, stated, &preprocess, NULL, error))
    return FALSE;
  gboolean is_current = is_same_input (current, &preprocess);
  ForgeDoctorRow *row = &diagnosis->rows[is_current ? 0 : diagnosis->n_rows++];
  g_free (row->name);
  row->name = g_strdup (name);
  if (!is_current)
    row->preprocess = preprocess;
  g_free (row->options);
  row->options = describe_options (stated);
  return TRUE;
}

static gboolean
add_candidate (Examination *exam, const Candidate *candidate, const char *order,
    GError **error)
{
  ForgeStatedPreprocess stated = exam->stated;
  gboolean bgr = order && strcmp (order, "bgr") == 0;
  gboolean swaps = bgr && candidate;
  g_autofree char *name = NULL;
  stated.order = order;
  if (candidate) {
    stated.scale = candidate->scale;
    stated.mean =
        swaps && candidate->bgr_mean ? candidate->bgr_mean : candidate->mean;
    stated.std =
        swaps && candidate->bgr_std ? candidate->bgr_std : candidate->std;
  }
  name = g_strdup_printf ("%s, %s", candidate ? candidate->name : "bytes",
      !order ? "grey"
      : bgr  ? "BGR"
             : "RGB");
  return add_row (exam, name, &stated, error);
}

static gboolean
states_values (const ForgeStatedPreprocess *stated)
{
  return stated->scale || stated->mean || stated->std;
}

/* Row 0 is what would be used; the others follow, the usual ones first. */
static gboolean
make_rows (Examination *exam, GError **error)
{
  static const char *const orders[] = { "rgb", "bgr" };
  ForgeDiagnosis *diagnosis = exam->diagnosis;
  ForgePreprocess current;
  if (!forge_model_state_preprocess (
          exam->model, &exam->stated, &current, &diagnosis->assumptions, error))
    return FALSE;
  guint assumed = forge_model_get_assumed (exam->model) &
                  ~forge_stated_fields (&exam->stated);
  diagnosis->values_assumed = (assumed & FORGE_INFO_VALUES) != 0;
  gboolean grey = current.channels != 3;
  diagnosis->rows = g_new0 (ForgeDoctorRow, MAX_ROWS);
  diagnosis->n_rows = 1;
  diagnosis->baked_in = current.dtype != FORGE_FLOAT32;
  diagnosis->rows[0] = (ForgeDoctorRow) {
    .name = g_strdup_printf ("%s, %s",
        states_values (&exam->stated) ? "as stated" : "as the model says",
        grey          ? "grey"
        : current.bgr ? "BGR"
                      : "RGB"),
    .options = describe_options (&exam->stated),
    .preprocess = current,
    .is_current = TRUE,
  };
  for (guint i = 0; i < (grey ? 1 : G_N_ELEMENTS (orders)); i++)
    for (guint k = 0; k < (diagnosis->baked_in ? 1 : N_CANDIDATES); k++) {
      const Candidate *candidate = diagnosis->baked_in ? NULL : &candidates[k];
      if (grey && (!candidate || strchr (candidate->mean, ',')))
        continue;
      if (!add_candidate (exam, candidate, grey ? NULL : orders[i], error))
        return FALSE;
    }
  return TRUE;
}

static gboolean
count_all (uint64_t done, uint64_t total, gpointer user_data)
{
  Examination *exam = user_data;
  return !exam->progress ||
         exam->progress (exam->row * total + done,
             exam->diagnosis->n_rows * total, exam->user_data);
}

static void
sum_up (ForgeDoctorRow *row, const ForgeScore *scores, guint n_scores)
{
  uint64_t n_seen = 0;
  double confidence = 0;
  for (guint i = 0; i < n_scores; i++) {
    n_seen += scores[i].seen;
    row->n_hits += scores[i].seen && scores[i].rank == 0;
    confidence += scores[i].seen ? (double) scores[i].confidence : 0;
  }
  row->accuracy = (double) row->n_hits / (double) n_seen;
  row->mean_confidence = confidence / (double) n_seen;
}

static gboolean
evaluate_rows (Examination *exam, GError **error)
{
  ForgeDiagnosis *diagnosis = exam->diagnosis;
  for (exam->row = 0; exam->row < diagnosis->n_rows; exam->row++) {
    ForgeDoctorRow *row = &diagnosis->rows[exam->row];
    const ForgeEvaluateParams params = {
      .threads = exam->params.threads,
      .n_most = exam->params.n_most,
      .preprocess = &row->preprocess,
    };
    ForgeScore *scores = forge_evaluate_scores (exam->model, exam->dataset,
        &params, &exam->n_scores, count_all, exam, error);
    if (!scores)
      return FALSE;
    exam->scores[exam->row] = scores;
    sum_up (row, scores, exam->n_scores);
  }
  for (guint i = 0; i < exam->n_scores; i++)
    diagnosis->n_items += exam->scores[0][i].seen;
  diagnosis->n_skipped = exam->n_scores - diagnosis->n_items;
  return TRUE;
}

/* The sign test of row @best against row 0, the current one. */
static double
compare_to_current (const Examination *exam, guint best)
{
  const ForgeScore *a = exam->scores[best], *b = exam->scores[0];
  uint64_t only_best = 0, only_current = 0;
  for (guint i = 0; i < exam->n_scores; i++) {
    if (!a[i].seen || !b[i].seen)
      continue;
    only_best += a[i].rank == 0 && b[i].rank != 0;
    only_current += a[i].rank != 0 && b[i].rank == 0;
  }
  return forge_binomial_tail (only_best + only_current, only_best, 0.5);
}

static int
by_hits (gconstpointer a, gconstpointer b, gpointer user_data)
{
  const ForgeDoctorRow *x = a, *y = b;
  return (x->n_hits < y->n_hits) - (x->n_hits > y->n_hits);
}

static void
judge (const Examination *exam)
{
  ForgeDiagnosis *diagnosis = exam->diagnosis;
  ForgeDoctorRow *rows = diagnosis->rows;
  guint best = 0;
  for (guint i = 1; i < diagnosis->n_rows; i++)
    if (rows[i].n_hits > rows[best].n_hits)
      best = i;
  diagnosis->p_value = best ? compare_to_current (exam, best) : 1;
  diagnosis->guess_p_value = forge_binomial_tail (diagnosis->n_items,
      rows[best].n_hits, 1.0 / forge_dataset_get_n_classes (exam->dataset));
  double alpha = ALPHA / MAX (diagnosis->n_rows - 1, 1u);
  diagnosis->verdict = diagnosis->guess_p_value >= alpha ? FORGE_DOCTOR_NO_CURE
                       : diagnosis->p_value < alpha      ? FORGE_DOCTOR_MISFIT
                                                         : FORGE_DOCTOR_FITS;
  /* stable: what is equal stays in the order it was made in */
  g_qsort_with_data (
      rows, (gint) diagnosis->n_rows, sizeof *rows, by_hits, NULL);
  while (!rows[diagnosis->current].is_current)
    diagnosis->current++;
}

ForgeDiagnosis *
forge_doctor_examine (ForgeModel *model, ForgeDataset *dataset,
    const ForgeDoctorParams *params, ForgeProgressFunc progress,
    gpointer user_data, GError **error)
{
  g_return_val_if_fail (model && dataset, NULL);
  g_autoptr (ForgeDiagnosis) diagnosis = g_new0 (ForgeDiagnosis, 1);
  Examination exam = { .model = model,
    .dataset = dataset,
    .params = params ? *params : (ForgeDoctorParams) { 0 },
    .diagnosis = diagnosis,
    .progress = progress,
    .user_data = user_data };
  if (exam.params.stated)
    exam.stated = *exam.params.stated;
  gboolean done = make_rows (&exam, error) && evaluate_rows (&exam, error);
  if (done)
    judge (&exam);
  for (guint i = 0; i < MAX_ROWS; i++)
    g_free (exam.scores[i]);
  return done ? g_steal_pointer (&diagnosis) : NULL;
}

void
forge_diagnosis_free (ForgeDiagnosis *diagnosis)
{
  if (!diagnosis)
    return;
  for (guint i = 0; i < diagnosis->n_rows; i++) {
    g_free (diagnosis->rows[i].name);
    g_free (diagnosis->rows[i].options);
  }
  g_free (diagnosis->rows);
  g_free (diagnosis->assumptions);
  g_free (diagnosis);
}
