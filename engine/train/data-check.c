/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * See forge/data-check.h. Every picture is decoded once, on all threads, and
 * leaves a ForgeLook behind; all findings are drawn from these, in the order
 * of the pictures, so that a report does not depend on the threads. */
#include "forge/data-check.h"

#include <math.h>
#include <string.h>

#include "base/pool.h"
#include "train/data-look.h"
#include "train/data-source.h"

#define DEFAULT_EXAMPLES 10
#define TASK_ITEMS 32
/* Tasks between two calls of the progress function, for each thread. */
#define ROUND_TASKS 16
#define FEW_PICTURES 50
#define IMBALANCE 3
#define SHUFFLED_P 0.01

static const char *const split_names[] = { "train", "validation", "test" };

const char *
forge_finding_severity_name (ForgeFindingSeverity severity)
{
  static const char *const names[] = { "info", "warning", "error" };
  return names[severity];
}

void
forge_finding_begin (ForgeFindingDraft *draft, const ForgeLooks *looks,
    const char *kind, ForgeFindingSeverity severity)
{
  *draft = (ForgeFindingDraft) { .looks = looks,
    .kind = kind,
    .severity = severity,
    .examples = g_ptr_array_new () };
}

gboolean
forge_finding_wants_example (const ForgeFindingDraft *draft)
{
  return draft->examples->len < draft->looks->params->n_examples;
}

void
forge_finding_add (ForgeFindingDraft *draft, char *example)
{
  draft->n++;
  if (forge_finding_wants_example (draft))
    g_ptr_array_add (draft->examples, example);
  else
    g_free (example);
}

static const uint32_t *
classes_of (const ForgeLooks *looks, const ForgeLook *look, guint *n)
{
  return forge_dataset_get_classes (looks->parts[look->split], look->index, n);
}

static char *
describe_look (const ForgeLooks *looks, const ForgeLook *look)
{
  const ForgeDataset *part = looks->parts[look->split];
  g_autofree char *name = forge_dataset_describe_item (part, look->index);
  g_autoptr (GString) labels = g_string_new (NULL);
  guint n;
  const uint32_t *classes = classes_of (looks, look, &n);
  for (guint i = 0; i < n; i++)
    g_string_append_printf (
        labels, "%s%s", i ? "; " : "", looks->report->labels[classes[i]]);
  return g_strdup_printf ("%s (%s, %s)", name, n ? labels->str : "no class",
      split_names[look->split]);
}

void
forge_finding_add_look (ForgeFindingDraft *draft, const ForgeLook *look)
{
  forge_finding_add (draft, forge_finding_wants_example (draft)
                                ? describe_look (draft->looks, look)
                                : NULL);
}

void
forge_finding_add_pair (
    ForgeFindingDraft *draft, const ForgeLook *look, const ForgeLook *other)
{
  char *example = NULL;
  if (forge_finding_wants_example (draft)) {
    g_autofree char *one = describe_look (draft->looks, look);
    g_autofree char *two = describe_look (draft->looks, other);
    example = g_strdup_printf ("%s = %s", one, two);
  }
  forge_finding_add (draft, example);
}

void
forge_finding_end (ForgeFindingDraft *draft, const char *text)
{
  g_ptr_array_add (draft->examples, NULL);
  char **examples = (char **) g_ptr_array_free (draft->examples, FALSE);
  if (draft->n == 0) {
    g_strfreev (examples);
    return;
  }
  ForgeDataFinding *finding = g_new (ForgeDataFinding, 1);
  *finding = (ForgeDataFinding) { .kind = draft->kind,
    .severity = draft->severity,
    .n = draft->n,
    .text = g_strdup (text),
    .examples = examples };
  g_ptr_array_add (draft->looks->report->findings, finding);
}

static void
finding_free (gpointer data)
{
  ForgeDataFinding *finding = data;
  g_free (finding->text);
  g_strfreev (finding->examples);
  g_free (finding);
}

static void
count_clear (gpointer data)
{
  g_free (((ForgeDataCount *) data)->name);
}

void
forge_data_report_free (ForgeDataReport *report)
{
  if (!report)
    return;
  for (int s = 0; s < FORGE_N_SPLITS; s++)
    g_free (report->parts[s].counts);
  g_strfreev (report->labels);
  g_array_unref (report->sizes);
  g_array_unref (report->modes);
  g_ptr_array_unref (report->findings);
  g_free (report);
}

static ForgeDataReport *
report_new (const ForgeDataset *train)
{
  ForgeDataReport *report = g_new0 (ForgeDataReport, 1);
  report->n_classes = forge_dataset_get_n_classes (train);
  report->is_multi_label = forge_dataset_is_multi_label (train);
  report->labels = g_strdupv ((char **) forge_dataset_get_labels (train));
  report->sizes = g_array_new (FALSE, FALSE, sizeof (ForgeDataCount));
  report->modes = g_array_new (FALSE, FALSE, sizeof (ForgeDataCount));
  g_array_set_clear_func (report->sizes, count_clear);
  g_array_set_clear_func (report->modes, count_clear);
  report->findings = g_ptr_array_new_with_free_func (finding_free);
  for (int s = 0; s < FORGE_N_SPLITS; s++)
    report->parts[s].counts = g_new0 (uint64_t, report->n_classes);
  return report;
}

/* Each set of classes gets a number, in the order they are met. */
static uint32_t
number_set (GHashTable *sets, const ForgeDataset *part, guint item)
{
  guint n;
  const uint32_t *classes = forge_dataset_get_classes (part, item, &n);
  GBytes *set = g_bytes_new (classes, n * sizeof *classes);
  guint number = GPOINTER_TO_UINT (g_hash_table_lookup (sets, set));
  if (number > 0) {
    g_bytes_unref (set);
    return number - 1;
  }
  number = g_hash_table_size (sets);
  g_hash_table_insert (sets, set, GUINT_TO_POINTER (number + 1));
  return number;
}

/* Looks without pictures yet: whose they are. */
static void
list_looks (ForgeLooks *looks)
{
  g_autoptr (GHashTable) sets = g_hash_table_new_full (
      g_bytes_hash, g_bytes_equal, (GDestroyNotify) g_bytes_unref, NULL);
  for (int s = 0; s < FORGE_N_SPLITS; s++)
    looks->n += looks->parts[s] ? looks->parts[s]->items->len : 0;
  looks->looks = g_new0 (ForgeLook, looks->n + 1);
  guint n = 0;
  for (uint8_t s = 0; s < FORGE_N_SPLITS; s++) {
    const ForgeDataset *part = looks->parts[s];
    for (guint i = 0; part && i < part->items->len; i++) {
      const ForgeDataItem *item =
          &g_array_index (part->items, ForgeDataItem, i);
      ForgeLook *look = &looks->looks[n++];
      look->split = s;
      look->class_id =
          part->is_multi_label ? number_set (sets, part, i) : item->class_id;
      look->index = i;
      look->video = part->videos->data[item->file] ? item->file + 1 : 0;
    }
  }
}

typedef struct {
  ForgeLooks *looks;
  guint first;    /* of this round */
  char **reasons; /* [n]: of what cannot be read */
} Job;

static void
take_looks (void *user_data, int task)
{
  const Job *job = user_data;
  guint first = job->first + (guint) task * TASK_ITEMS;
  guint end = MIN (first + TASK_ITEMS, job->looks->n);
  g_autoptr (ForgeImager) imager = forge_look_new_imager ();
  for (guint i = first; i < end; i++) {
    ForgeLook *look = &job->looks->looks[i];
    g_autoptr (GError) error = NULL;
    g_autoptr (ForgePicture) picture = forge_dataset_load (
        job->looks->parts[look->split], look->index, &error);
    if (!picture || !forge_look_take (look, picture, imager, &error))
      job->reasons[i] = g_strdup (error->message);
  }
}

static gboolean
look_at_all (Job *job, int threads, ForgeProgressFunc progress,
    gpointer user_data, GError **error)
{
  guint n = job->looks->n;
  guint round = (guint) forge_pool_threads (threads) * ROUND_TASKS * TASK_ITEMS;
  for (job->first = 0; job->first < n; job->first += round) {
    guint n_items = MIN (round, n - job->first);
    forge_pool_run (threads, (int) ((n_items + TASK_ITEMS - 1) / TASK_ITEMS),
        take_looks, job);
    if (progress && !progress (job->first + n_items, n, user_data)) {
      g_set_error (error, FORGE_ERROR, FORGE_ERROR_CANCELLED,
          "stopped after %u of %u pictures", job->first + n_items, n);
      return FALSE;
    }
  }
  return TRUE;
}

static int
compare_counts (gconstpointer a, gconstpointer b)
{
  const ForgeDataCount *x = a, *y = b;
  if (x->n != y->n)
    return x->n > y->n ? -1 : 1;
  return strcmp (x->name, y->name);
}

static void
fill_counts (GHashTable *table, GArray *counts)
{
  GHashTableIter iter;
  gpointer name, n;
  g_hash_table_iter_init (&iter, table);
  while (g_hash_table_iter_next (&iter, &name, &n)) {
    ForgeDataCount count = { g_strdup (name), GPOINTER_TO_SIZE (n) };
    g_array_append_val (counts, count);
  }
  g_array_sort (counts, compare_counts);
}

static void
count_name (GHashTable *table, const char *name)
{
  gsize n = GPOINTER_TO_SIZE (g_hash_table_lookup (table, name));
  g_hash_table_insert (table, g_strdup (name), GSIZE_TO_POINTER (n + 1));
}

static int
compare_ints (gconstpointer a, gconstpointer b)
{
  return *(const int *) a - *(const int *) b;
}

static void
order_sides (int *sides, guint n, int *least, int *median, int *most)
{
  if (n == 0)
    return;
  qsort (sides, n, sizeof *sides, compare_ints);
  *least = sides[0];
  *median = sides[n / 2];
  *most = sides[n - 1];
}

static void
count_class_marks (const ForgeLooks *looks, const ForgeLook *look)
{
  ForgeDataReport *report = looks->report;
  guint n;
  const uint32_t *classes = classes_of (looks, look, &n);
  for (guint i = 0; i < n; i++)
    report->parts[look->split].counts[classes[i]]++;
  report->n_class_marks += n;
  report->n_without_class += n == 0;
}

/* Sizes, modes, brightness and colours of what could be read. */
static void
sum_up (const ForgeLooks *looks)
{
  ForgeDataReport *report = looks->report;
  g_autoptr (GHashTable) sizes =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_autoptr (GHashTable) modes =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  g_autofree int *widths = g_new (int, looks->n + 1);
  g_autofree int *heights = g_new (int, looks->n + 1);
  double mean[3] = { 0 }, square[3] = { 0 };
  guint n = 0;
  for (guint i = 0; i < looks->n; i++) {
    const ForgeLook *look = &looks->looks[i];
    report->parts[look->split].n_items++;
    report->parts[look->split].n_unreadable += !look->readable;
    count_class_marks (looks, look);
    if (!look->readable)
      continue;
    char size[32];
    g_snprintf (size, sizeof size, "%dx%d", look->width, look->height);
    count_name (sizes, size);
    count_name (modes, look->mode);
    widths[n] = look->width;
    heights[n++] = look->height;
    report->n_grey += look->flags & FORGE_LOOK_GREY ? 1 : 0;
    int bin = (int) (look->brightness * FORGE_BRIGHTNESS_BINS / 256);
    report->brightness[MIN (bin, FORGE_BRIGHTNESS_BINS - 1)]++;
    for (int c = 0; c < 3; c++) {
      mean[c] += look->mean[c];
      square[c] += look->square[c];
    }
  }
  report->n_items = looks->n;
  report->n_unreadable = looks->n - n;
  fill_counts (sizes, report->sizes);
  fill_counts (modes, report->modes);
  order_sides (
      widths, n, &report->min_width, &report->median_width, &report->max_width);
  order_sides (heights, n, &report->min_height, &report->median_height,
      &report->max_height);
  for (int c = 0; c < 3 && n > 0; c++) {
    report->mean[c] = mean[c] / n;
    report->std[c] =
        sqrt (MAX (square[c] / n - report->mean[c] * report->mean[c], 0));
  }
}

/* Reasons begin with the file's name. */
static void
find_unreadable (const ForgeLooks *looks, char *const *reasons)
{
  const ForgeDataReport *report = looks->report;
  g_autofree guint *n_good = g_new0 (guint, report->n_classes);
  ForgeFindingDraft draft;
  forge_finding_begin (&draft, looks, "unreadable", FORGE_FINDING_ERROR);
  for (guint i = 0; i < looks->n; i++) {
    const ForgeLook *look = &looks->looks[i];
    guint n;
    const uint32_t *classes = classes_of (looks, look, &n);
    if (reasons[i])
      forge_finding_add (&draft, g_strdup (reasons[i]));
    for (guint k = 0; k < n && !reasons[i]; k++)
      n_good[classes[k]] += look->split == FORGE_SPLIT_TRAIN;
  }
  forge_finding_end (&draft,
      "files or pictures that cannot be read; training leaves them out");
  forge_finding_begin (&draft, looks, "class-unreadable", FORGE_FINDING_ERROR);
  for (guint c = 0; c < report->n_classes; c++)
    if (n_good[c] == 0)
      forge_finding_add (&draft, g_strdup (report->labels[c]));
  forge_finding_end (&draft, "classes without a readable picture to train on");
}

static void
find_sparse_classes (const ForgeLooks *looks)
{
  const ForgeDataReport *report = looks->report;
  const uint64_t *counts = report->parts[FORGE_SPLIT_TRAIN].counts;
  guint least = 0, most = 0;
  ForgeFindingDraft draft;
  forge_finding_begin (&draft, looks, "few-pictures", FORGE_FINDING_WARNING);
  for (guint c = 0; c < report->n_classes; c++) {
    least = counts[c] < counts[least] ? c : least;
    most = counts[c] > counts[most] ? c : most;
    if (counts[c] < FEW_PICTURES)
      forge_finding_add (&draft, g_strdup_printf ("%s: %" G_GUINT64_FORMAT,
                                     report->labels[c], counts[c]));
  }
  forge_finding_end (&draft,
      "classes with under " G_STRINGIFY (FEW_PICTURES) " pictures to train on");
  forge_finding_begin (&draft, looks, "imbalance", FORGE_FINDING_WARNING);
  if (counts[most] > IMBALANCE * counts[least])
    forge_finding_add (&draft,
        g_strdup_printf ("%s: %" G_GUINT64_FORMAT ", %s: %" G_GUINT64_FORMAT,
            report->labels[most], counts[most], report->labels[least],
            counts[least]));
  forge_finding_end (&draft,
      report->is_multi_label
          ? "the largest class has over " G_STRINGIFY (
                IMBALANCE) " times the pictures of the smallest: look at each "
                           "class's F1"
          : "the largest class has over " G_STRINGIFY (
                IMBALANCE) " times the pictures of the smallest: weigh the "
                           "classes, and look at each class's F1");
}

static void
find_flagged (const ForgeLooks *looks, const char *kind, ForgeLookFlags flag,
    const char *text)
{
  ForgeFindingDraft draft;
  forge_finding_begin (&draft, looks, kind, FORGE_FINDING_WARNING);
  for (guint i = 0; i < looks->n; i++)
    if (looks->looks[i].readable && looks->looks[i].flags & flag)
      forge_finding_add_look (&draft, &looks->looks[i]);
  forge_finding_end (&draft, text);
}

static void
find_ignored (const ForgeLooks *looks)
{
  ForgeFindingDraft draft;
  forge_finding_begin (&draft, looks, "ignored", FORGE_FINDING_INFO);
  for (int s = 0; s < FORGE_N_SPLITS; s++) {
    const ForgeDataset *part = looks->parts[s];
    /* Each part of a folder that is cut lists the same files. */
    if (!part || (s > 0 && part->cut != FORGE_CUT_NONE))
      continue;
    for (guint i = 0; i < part->ignored->len; i++)
      forge_finding_add (
          &draft, g_strdup (g_ptr_array_index (part->ignored, i)));
    draft.n += part->n_ignored - part->ignored->len;
  }
  forge_finding_end (&draft,
      "files that are passed over, for their names are not of pictures");
}

static void
find_shuffled (const ForgeLooks *looks)
{
  ForgeFindingDraft draft;
  forge_finding_begin (&draft, looks, "shuffled-labels", FORGE_FINDING_ERROR);
  for (int s = 0; s < FORGE_N_SPLITS; s++) {
    const ForgeLabelCheck *check = &looks->report->parts[s].label_check;
    if (check->n_items > 0 && check->p_value > SHUFFLED_P)
      forge_finding_add (&draft,
          g_strdup_printf ("%s: neighbours are right in %.1f %%, with shuffled "
                           "labels in %.1f %% (p = %.3f)",
              split_names[s], 100 * check->accuracy, 100 * check->chance,
              check->p_value));
  }
  forge_finding_end (&draft,
      "parts whose labels might as well be shuffled: pictures that look alike "
      "share them no more often than by chance");
}

static int
compare_findings (gconstpointer a, gconstpointer b)
{
  const ForgeDataFinding *x = *(ForgeDataFinding *const *) a;
  const ForgeDataFinding *y = *(ForgeDataFinding *const *) b;
  return (int) y->severity - (int) x->severity;
}

static void
find_all (const ForgeLooks *looks, char *const *reasons)
{
  sum_up (looks);
  find_unreadable (looks, reasons);
  if (!looks->report->is_multi_label)
    forge_looks_check_labels (looks);
  find_shuffled (looks);
  forge_looks_find_twins (looks);
  find_sparse_classes (looks);
  find_flagged (
      looks, "near-black", FORGE_LOOK_BLACK, "pictures that are almost black");
  find_flagged (looks, "blown-out", FORGE_LOOK_BLOWN_OUT,
      "pictures that are almost white");
  find_flagged (
      looks, "single-colour", FORGE_LOOK_FLAT, "pictures of a single colour");
  find_ignored (looks);
  /* A stable sort: the order above within one severity. */
  g_ptr_array_sort (looks->report->findings, compare_findings);
}

ForgeDataReport *
forge_data_check (ForgeDataset *const *parts,
    const ForgeDataCheckParams *params, ForgeProgressFunc progress,
    gpointer user_data, GError **error)
{
  g_return_val_if_fail (parts && parts[FORGE_SPLIT_TRAIN], NULL);
  gint64 start_us = g_get_monotonic_time ();
  ForgeDataCheckParams stated = params ? *params : (ForgeDataCheckParams) { 0 };
  if (stated.n_examples == 0)
    stated.n_examples = DEFAULT_EXAMPLES;
  ForgeDataset *present[FORGE_N_SPLITS];
  g_autoptr (ForgeDataReport) report = report_new (parts[FORGE_SPLIT_TRAIN]);
  for (int s = 0; s < FORGE_N_SPLITS; s++) {
    present[s] = parts[s] && !parts[s]->stands_in ? parts[s] : NULL;
    report->parts[s].present = present[s] != NULL;
  }
  ForgeLooks looks = { .parts = present,
    .n_classes = report->n_classes,
    .params = &stated,
    .report = report };
  list_looks (&looks);
  g_autofree char **reasons = g_new0 (char *, looks.n + 1);
  Job job = { .looks = &looks, .reasons = reasons };
  gboolean done =
      look_at_all (&job, stated.threads, progress, user_data, error);
  if (done)
    find_all (&looks, reasons);
  for (guint i = 0; i < looks.n; i++)
    g_free (reasons[i]);
  g_free (looks.looks);
  if (!done)
    return NULL;
  report->seconds = (double) (g_get_monotonic_time () - start_us) / 1e6;
  return g_steal_pointer (&report);
}
