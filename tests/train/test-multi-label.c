/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Pictures of several classes, or of none: labels.csv in all its forms and
 * with all its faults, the cut, the loader's targets, training, and every
 * figure of an evaluation against scikit-learn's. */
#include <math.h>
#include <string.h>

#include <glib/gstdio.h>

#include "forge/calibrate.h"
#include "forge/data-check.h"
#include "forge/error.h"
#include "run.h"
#include "train/data-source.h"
#include "train/loader.h"
#include "train/loss.h"
#include "train/score.h"

#define SIDE 32

static ForgeDataset *
open_ok (const char *folder, ForgeSplit split)
{
  g_autoptr (GError) error = NULL;
  ForgeDataset *dataset = forge_dataset_open (folder, split, NULL, &error);
  g_assert_no_error (error);
  return dataset;
}

/* "a.png: cat dog/b.png:/": all items and classes, names without folder. */
static char *
describe (const ForgeDataset *dataset)
{
  GString *text = g_string_new (NULL);
  for (guint i = 0; i < forge_dataset_get_n_items (dataset); i++) {
    guint n;
    const uint32_t *classes = forge_dataset_get_classes (dataset, i, &n);
    g_autofree char *path = forge_dataset_describe_item (dataset, i);
    g_autofree char *name = g_path_get_basename (path);
    g_string_append_printf (text, "%s:", name);
    for (guint k = 0; k < n; k++)
      g_string_append_printf (
          text, " %s", forge_dataset_get_labels (dataset)[classes[k]]);
    g_string_append_c (text, '/');
  }
  return g_string_free (text, FALSE);
}

/* Of tables with a column for the part, so that nothing is cut. */
static void
all_forms_are_read (void)
{
  static const struct {
    const char *table, *expected;
    gboolean multi;
  } rows[] = {
    { "file,labels,split\nb.png,dog;cat,train\na.png,,train\nc.png,cat,val\n",
        "a.png:/b.png: cat dog/", TRUE },
    { "filename,split,class\nb.png,train,dog\na.png,train,cat\nc.png,val,cat\n",
        "a.png: cat/b.png: dog/", FALSE },
    { "FILE,Labels,split\nb.png,dog,train\nb.png,cat,train\na.png,cat; dog "
      ";cat,train\nc.png,dog,dev\n",
        "a.png: cat dog/b.png: cat dog/", TRUE },
    { "image,dog,cat,split\nb.png,1,0,train\na.png,1,1,train\nc.png,0,0,val\n",
        "a.png: dog cat/b.png: dog/", TRUE },
    { "path, dog, cat ,split\nb.png, 1 ,0,train\na.png,0,1,train\nc.png,0,1,"
      "val\n",
        "a.png: cat/b.png: dog/", FALSE },
    { "\xef\xbb\xbf"
      "file,tags,split\r\n\"x,1.png\",\"a \"\"b\"\"\",training"
      "\r\nsub/y.png,c,train\r\nz.png,c,valid\r\n",
        "y.png: c/x,1.png: a \"b\"/", FALSE },
    /* several classes in another part make all of the data multi-label */
    { "file,labels,split\na.png,cat,train\nb.png,dog,train\nc.png,cat;dog,"
      "val\n",
        "a.png: cat/b.png: dog/", TRUE },
  };
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    char *folder = fixture_folder ();
    fixture_write (folder, "labels.csv", rows[i].table, strlen (rows[i].table));
    g_autoptr (ForgeDataset) dataset = open_ok (folder, FORGE_SPLIT_TRAIN);
    g_autofree char *found = describe (dataset);
    g_assert_true (forge_dataset_is_multi_label (dataset) == rows[i].multi);
    if (i == 5)
      g_assert_cmpuint (forge_dataset_get_n_items (dataset), ==, 2);
    else
      g_assert_cmpstr (found, ==, rows[i].expected);
    g_autoptr (ForgeDataset) val = open_ok (folder, FORGE_SPLIT_VALIDATION);
    g_autoptr (ForgeDataset) test = open_ok (folder, FORGE_SPLIT_TEST);
    g_assert_cmpuint (forge_dataset_get_n_items (val), ==, 1);
    g_autofree char *a = describe (val);
    g_autofree char *b = describe (test);
    g_assert_cmpstr (a, ==, b);
    g_assert_true (forge_dataset_is_multi_label (val) == rows[i].multi);
    fixture_remove (folder);
  }
}

static void
faults_are_named_by_line (void)
{
  static const struct {
    const char *table, *says;
  } rows[] = {
    { "", "line 1: the file is empty" },
    { "file,labels\n", "found 0 rows" },
    { "file,labels\na.png,cat\n", "found 1 rows and 1 classes" },
    { "a.png,cat\nb.png,dog\n", "line 1: expected the header 'file,labels'" },
    { "file\na.png\n", "line 1: expected the header" },
    { "file,cat\na.png,1\n", "line 1: expected the header" },
    { "file,cat,cat\na.png,1,1\n", "line 1: two columns are named 'cat'" },
    { "file,cat,\na.png,1,1\n", "line 1: a class has no name" },
    { "file,labels\na.png,cat\nb.png\n", "line 3: expected 2 fields" },
    { "file,labels\na.png,cat\nb.png,dog,x\n", "line 3: expected 2 fields" },
    { "file,labels\na.png,cat;;dog\n", "line 2: a class has no name" },
    { "file,labels\n,cat\n", "line 2: the name of the file is empty" },
    { "file,labels\n../a.png,cat\n", "line 2: expected the name of a file" },
    { "file,labels\nx/../../a.png,c\n", "found 'x/../../a.png'" },
    { "file,labels\nx/..,cat\n", "within the folder" },
    { "file,labels\n/etc/passwd,cat\n", "found '/etc/passwd'" },
    { "file,labels\n..\\a.png,cat\n", "within the folder" },
    { "file,a,b\nx.png,1,2\n", "line 2: expected 0 or 1 for 'b', found '2'" },
    { "file,a,b\nx.png,1,\n", "line 2: expected 0 or 1 for 'b', found ''" },
    { "file,a,b\nx.png,1,0\nx.png,0,1\n", "line 3: 'x.png' has two rows" },
    { "file,label,split\nx.png,a,train\nx.png,b,val\n", "is in two parts" },
    { "file,label,split\nx.png,a,both\n", "expected train, val or test" },
    { "file,labels\na.png,\"cat\nb.png,dog\n", "line 2: a quote is opened" },
    { "file,label,split\na.png,a,train\nb.png,b,val\n",
        "no row to train on shows 'b'" },
  };
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    char *folder = fixture_folder ();
    fixture_write (folder, "labels.csv", rows[i].table, strlen (rows[i].table));
    g_autoptr (GError) error = NULL;
    g_autoptr (ForgeDataset) dataset =
        forge_dataset_open (folder, FORGE_SPLIT_TRAIN, NULL, &error);
    g_assert_null (dataset);
    g_assert_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT);
    g_assert_nonnull (strstr (error->message, "labels.csv"));
    if (!strstr (error->message, rows[i].says))
      g_error ("row %" G_GSIZE_FORMAT ": %s", i, error->message);
    fixture_remove (folder);
  }
}

/* Pictures of dark noise with a red, green or blue band each by chance, and
 * every eighth without; a table of all. */
static void
write_bands (const char *folder, guint n, gboolean with_empty)
{
  g_autoptr (GString) table = g_string_new ("file,labels\n");
  static const char *const names[] = { "red", "green", "blue" };
  ForgeRng rng;
  forge_rng_seed (&rng, 3);
  for (guint i = 0; i < n; i++) {
    uint8_t pixels[SIDE * SIDE * 3];
    guint set = with_empty && i % 8 == 0 ? 0 : 1 + forge_rng_below (&rng, 7);
    g_autofree char *file = g_strdup_printf ("p/%03u.png", i);
    for (gsize k = 0; k < sizeof pixels; k++)
      pixels[k] = (uint8_t) forge_rng_below (&rng, 60);
    for (guint c = 0; c < 3; c++)
      for (guint y = 10 * c; set >> c & 1 && y < 10 * c + 10; y++)
        for (guint x = 0; x < SIDE; x++)
          pixels[(y * SIDE + x) * 3 + c] = 220;
    fixture_write_png (folder, file, pixels, SIDE, SIDE);
    g_string_append_printf (table, "%s,", file);
    for (guint c = 0, k = 0; c < 3; c++)
      if (set >> c & 1)
        g_string_append_printf (table, "%s%s", k++ ? ";" : "", names[c]);
    g_string_append_c (table, '\n');
  }
  fixture_write (folder, "labels.csv", table->str, table->len);
}

static void
the_cut_is_stratified_and_repeats (void)
{
  char *folder = fixture_folder ();
  write_bands (folder, 160, TRUE);
  guint n_items[3], counts[3][4] = { { 0 } }, n_all = 0;
  g_autoptr (GHashTable) seen =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  for (int split = 0; split < 3; split++) {
    g_autoptr (ForgeDataset) dataset = open_ok (folder, (ForgeSplit) split);
    g_autoptr (ForgeDataset) again = open_ok (folder, (ForgeSplit) split);
    g_autofree char *a = describe (dataset);
    g_autofree char *b = describe (again);
    g_assert_cmpstr (a, ==, b);
    g_assert_cmpstr (
        forge_dataset_get_hash (dataset), ==, forge_dataset_get_hash (again));
    n_items[split] = forge_dataset_get_n_items (dataset);
    for (guint i = 0; i < n_items[split]; i++) {
      guint n;
      const uint32_t *classes = forge_dataset_get_classes (dataset, i, &n);
      for (guint k = 0; k < n; k++)
        counts[split][classes[k]]++;
      counts[split][3] += n == 0;
      g_assert_true (
          g_hash_table_add (seen, forge_dataset_describe_item (dataset, i)));
      g_assert_cmpuint (
          forge_dataset_get_class (dataset, i), ==, n ? classes[0] : G_MAXUINT);
    }
    n_all += n_items[split];
  }
  g_assert_cmpuint (n_all, ==, 160);
  /* 80/10/10, of each stratum rounded; none of the sets is left out */
  g_assert_cmpuint (n_items[1], >=, 14);
  g_assert_cmpuint (n_items[1], <=, 18);
  g_assert_cmpuint (n_items[2], ==, n_items[1]);
  for (guint split = 1; split < 3; split++) {
    g_assert_cmpuint (counts[split][3], ==, 2);
    for (guint c = 0; c < 3; c++)
      g_assert_cmpuint (counts[split][c], >=, 4);
  }
  fixture_remove (folder);
}

/* The hash of the data follows a label that changes. */
static void
the_hash_follows_the_labels (void)
{
  static const char *const tables[] = {
    "file,labels,split\na.png,cat;dog,train\nb.png,dog,train\nc.png,cat,val\n",
    "file,labels,split\na.png,cat;dog,train\nb.png,,train\nc.png,cat,val\n",
    "file,labels,split\na.png,cat,train\nb.png,dog,train\nc.png,,val\n",
  };
  char *folder = fixture_folder ();
  g_autoptr (GHashTable) seen =
      g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (tables); i++) {
    fixture_write (folder, "labels.csv", tables[i], strlen (tables[i]));
    g_autoptr (ForgeDataset) dataset = open_ok (folder, FORGE_SPLIT_TRAIN);
    g_assert_true (forge_dataset_is_multi_label (dataset));
    g_assert_true (
        g_hash_table_add (seen, g_strdup (forge_dataset_get_hash (dataset))));
  }
  fixture_remove (folder);
}

/* A picture's targets, also where one before it is broken. */
static void
targets_hold_every_class (void)
{
  char *folder = fixture_folder ();
  write_bands (folder, 40, TRUE);
  fixture_write (folder, "p/002.png", "no", 2);
  g_autofree char *data = g_strdup (folder);
  g_autoptr (ForgeDataset) dataset = open_ok (data, FORGE_SPLIT_TRAIN);
  ForgePreprocess preprocess = FORGE_PREPROCESS_DEFAULT;
  preprocess.width = preprocess.height = 4;
  g_autoptr (GError) error = NULL;
  g_test_expect_message ("forge", G_LOG_LEVEL_MESSAGE, "*1 of*002.png*");
  g_autoptr (ForgeLoader) loader =
      forge_loader_new (dataset, &preprocess, 2, &error);
  g_assert_no_error (error);
  g_test_assert_expected_messages ();
  guint n = loader->n_items;
  g_assert_cmpuint (n, ==, forge_dataset_get_n_items (dataset) - 1);
  g_autofree uint8_t *pixels = g_malloc (n * loader->item_bytes);
  g_autofree float *targets = g_new (float, n * 3);
  g_autofree float *blended = g_new (float, n * 3);
  forge_loader_get (loader, 0, n, NULL, 2, pixels, targets);
  guint item = 0;
  for (guint i = 0; i < n; i++, item++) {
    guint n_true;
    item += item == loader->skipped[0];
    const uint32_t *classes =
        forge_dataset_get_classes (dataset, item, &n_true);
    float expected[3] = { 0 };
    for (guint k = 0; k < n_true; k++)
      expected[classes[k]] = 1;
    g_assert_cmpmem (
        targets + i * 3, sizeof expected, expected, sizeof expected);
  }
  /* mixup: a part of one picture's and the rest of another's */
  const ForgeBatchRule rule = { .mixup = 1, .seed = 1, .mixup_seed = 2 };
  forge_loader_get (loader, 0, n, &rule, 2, pixels, blended);
  guint n_between = 0;
  for (guint i = 0; i < n; i++)
    for (guint c = 0; c < 3; c++) {
      float a = targets[i * 3 + c], b = targets[(i + n / 2) % n * 3 + c];
      float found = blended[i * 3 + c];
      g_assert_cmpfloat ((double) found, >=, (double) MIN (a, b) - 1e-6);
      g_assert_cmpfloat ((double) found, <=, (double) MAX (a, b) + 1e-6);
      n_between += found > 0.01f && found < 0.99f;
    }
  g_assert_cmpuint (n_between, >, n / 4);
  fixture_remove (folder);
}

static void
hits_are_right_in_every_class (void)
{
  const float logits[] = { 2, -1, 3, 2, -1, 3, -1, -2, -3, 5, 1, 1 };
  const float targets[] = { 1, 0, 1, 1, 0, 0, 0, 0, 0, 1, 0, 0 };
  const ForgeLossRule multi = { .kind = FORGE_LOSS_SIGMOID,
    .multi_label = TRUE };
  const ForgeLossRule single = { .kind = FORGE_LOSS_SIGMOID };
  ForgeLoss a = { 0 }, b = { 0 };
  forge_loss (&multi, logits, targets, 4, 3, NULL, &a);
  forge_loss (&single, logits, targets, 4, 3, NULL, &b);
  g_assert_cmpfloat (a.hits, ==, 2);
  g_assert_cmpfloat (a.loss, ==, b.loss);
  g_assert_cmpfloat (b.hits, ==, 2); /* rows 3 and 4, by the largest */
}

static void
init_bands (Run *run)
{
  run_init (run, 1, 0);
  fixture_remove (g_steal_pointer (&run->data));
  run->data = g_build_filename (run->folder, "bands", NULL);
  write_bands (run->data, 160, TRUE);
  run->params.data = run->data;
  run->params.loss = "sigmoid";
  run->params.flip = "random";
  run->params.shift = 0;
  run->params.dropout = 0;
  run->params.learning_rate = 4e-3;
  run->params.batch = 8;
  run->params.epochs = 8;
}

static void
bands_are_learnt_each_for_itself (void)
{
  Run run;
  init_bands (&run);
  run.params.log = run.log;
  run_ok (&run);
  g_autoptr (ForgeModel) model = forge_model_load (run.out, NULL);
  g_assert_true (forge_model_is_multi_label (model));
  g_assert_cmpuint (forge_model_get_n_classes (model), ==, 3);
  g_assert_cmpstr (forge_model_get_labels (model)[0], ==, "blue");
  g_autoptr (ForgeEvaluation) test = run_evaluate (&run, FORGE_SPLIT_TEST);
  g_assert_true (test->is_multi_label);
  g_assert_null (test->confusion);
  g_assert_cmpfloat (test->micro_avg.f1_score, >, 0.9);
  g_assert_cmpfloat (test->hamming_loss, <, 0.1);
  g_assert_cmpuint (test->classes[0].support + test->classes[1].support +
                        test->classes[2].support,
      ==, test->micro_avg.support);
  /* what the file says of itself is what it does */
  g_autoptr (ForgeEvaluation) val = run_evaluate (&run, FORGE_SPLIT_VALIDATION);
  g_assert_cmpfloat (val->accuracy, ==, run.result.val_accuracy);
  g_assert_cmpfloat_with_epsilon (val->nll, run.result.val_loss, 1e-4);
  const char *text = forge_model_get_metadata (model, "forge.evaluation");
  g_assert_nonnull (strstr (text, "\"micro_f1\""));

  /* the same again gives the same file; blending and smoothing go as well */
  g_autoptr (GBytes) first = run_read_file (run.out);
  run.params.log = NULL;
  run.params.threads = 1;
  run_ok (&run);
  g_autoptr (GBytes) again = run_read_file (run.out);
  g_assert_true (g_bytes_equal (first, again));
  run.params.mixup = 0.4;
  run.params.label_smoothing = 0.1;
  run.params.cutout = 4;
  run.params.epochs = 3;
  run_ok (&run);
  g_assert_cmpfloat (run.result.val_loss, <, 3 * G_LN2);

  /* a backbone's new layer, on features of the same pictures */
  g_autofree char *start = g_build_filename (run.folder, "start.onnx", NULL);
  g_assert_true (g_file_set_contents (start, g_bytes_get_data (first, NULL),
      (gssize) g_bytes_get_size (first), NULL));
  run.params.mixup = 0;
  run.params.backbone = start;
  run.params.freeze_backbone = TRUE;
  run_ok (&run);
  g_autoptr (ForgeEvaluation) tuned = run_evaluate (&run, FORGE_SPLIT_TEST);
  g_assert_cmpfloat (tuned->micro_avg.f1_score, >, 0.8);
  run_clear (&run);
}

static void
what_needs_one_class_a_picture_is_refused (void)
{
  Run run;
  init_bands (&run);
  run.params.epochs = 1;
  run.params.loss = "softmax";
  run_refused (&run, FORGE_ERROR_ARGUMENT, "expected the loss 'sigmoid'");
  run.params.loss = "sigmoid";
  run.params.class_weights = "balanced";
  run_refused (&run, FORGE_ERROR_ARGUMENT, "'class_weights': expected none");
  run.params.class_weights = NULL;
  run_ok (&run);
  g_autoptr (ForgeModel) model = forge_model_load (run.out, NULL);
  g_autoptr (ForgeDataset) val = open_ok (run.data, FORGE_SPLIT_VALIDATION);
  g_autoptr (GError) error = NULL;
  ForgeCalibrateParams params = FORGE_CALIBRATE_PARAMS_DEFAULT;
  g_assert_null (forge_calibrate (model, val, &params, NULL, NULL, &error));
  g_assert_error (error, FORGE_ERROR, FORGE_ERROR_UNSUPPORTED);
  g_clear_error (&error);
  const ForgeCorruption kind = 0;
  g_assert_null (forge_evaluate_corrupted (
      model, val, NULL, &kind, 1, NULL, NULL, &error));
  g_assert_error (error, FORGE_ERROR, FORGE_ERROR_UNSUPPORTED);
  g_clear_error (&error);

  /* a softmax over as many classes */
  Run other;
  run_init (&other, 20, 60);
  g_autofree char *one = g_build_filename (other.folder, "one", NULL);
  write_bands (one, 16, FALSE);
  g_autoptr (GString) table = g_string_new ("file,label\n");
  for (guint i = 0; i < 16; i++)
    g_string_append_printf (table, "p/%03u.png,%c\n", i, "abc"[i % 3]);
  fixture_write (one, "labels.csv", table->str, table->len);
  other.params.data = one;
  other.params.epochs = 1;
  other.params.batch = 4;
  run_ok (&other);
  g_autoptr (ForgeModel) softmax = forge_model_load (other.out, NULL);
  g_assert_null (forge_evaluate (softmax, val, NULL, NULL, NULL, &error));
  g_assert_error (error, FORGE_ERROR, FORGE_ERROR_ARGUMENT);
  g_assert_nonnull (strstr (error->message, "sigmoid for each class"));
  run_clear (&other);
  run_clear (&run);
}

static double
next (char **text)
{
  char *end;
  double value = g_ascii_strtod (*text, &end);
  g_assert_true (end != *text);
  *text = end;
  return value;
}

static void
assert_metrics (const ForgeClassMetrics *metrics, char **at)
{
  g_assert_cmpfloat_with_epsilon (metrics->precision, next (at), 1e-12);
  g_assert_cmpfloat_with_epsilon (metrics->recall, next (at), 1e-12);
  g_assert_cmpfloat_with_epsilon (metrics->f1_score, next (at), 1e-12);
  g_assert_cmpuint (metrics->support, ==, (uint64_t) next (at));
}

/* make-multi-label-references.py wrote predictions and answers. */
static void
every_figure_equals_scikit_learn (void)
{
  g_autofree char *path = g_build_filename (g_getenv ("FORGE_SOURCE_ROOT"),
      "tests", "train", "multi-label-references.txt", NULL);
  g_autofree char *text = NULL;
  g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
  char *at = text;
  guint n = (guint) next (&at), k = (guint) next (&at);
  char *folder = fixture_folder ();
  g_autoptr (GString) table = g_string_new ("file");
  g_autofree float *p = g_new (float, (n + 1) * k);
  g_autofree ForgeScore *scores = g_new0 (ForgeScore, n + 1);
  for (guint c = 0; c < k; c++)
    g_string_append_printf (table, ",c%u", c);
  g_string_append (table, ",split\n");
  for (guint i = 0; i < n; i++) {
    g_string_append_printf (table, "%04u.png", i);
    for (guint c = 0; c < k; c++)
      g_string_append_printf (table, ",%d", (int) next (&at));
    g_string_append (table, ",train\n");
    for (guint c = 0; c < k; c++)
      p[i * k + c] = (float) next (&at);
    scores[i] = (ForgeScore) { .item = i, .seen = TRUE };
  }
  g_string_append (table, "v.png,1,0,0,0,0,0,val\n");
  fixture_write (folder, "labels.csv", table->str, table->len);
  g_autoptr (ForgeDataset) dataset = open_ok (folder, FORGE_SPLIT_TRAIN);
  g_assert_cmpuint (forge_dataset_get_n_items (dataset), ==, n);
  /* one more that did not decode */
  g_autoptr (ForgeEvaluation) e =
      forge_evaluation_new_from_sets (dataset, scores, n + 1, p);
  for (guint c = 0; c < k; c++)
    assert_metrics (&e->classes[c], &at);
  assert_metrics (&e->micro_avg, &at);
  assert_metrics (&e->macro_avg, &at);
  assert_metrics (&e->weighted_avg, &at);
  assert_metrics (&e->samples_avg, &at);
  for (guint i = 0; i < 4 * k; i++)
    g_assert_cmpuint (e->multilabel_confusion[i], ==, (uint64_t) next (&at));
  g_assert_cmpfloat_with_epsilon (e->accuracy, next (&at), 1e-12);
  g_assert_cmpfloat_with_epsilon (e->hamming_loss, next (&at), 1e-12);
  g_assert_cmpfloat_with_epsilon (e->nll, next (&at), 1e-9);
  g_assert_cmpfloat_with_epsilon (e->brier, next (&at), 1e-9);
  g_assert_cmpstr (g_strstrip (at), ==, "");
  g_assert_cmpuint (e->n_items, ==, n);
  g_assert_cmpuint (e->n_skipped, ==, 1);
  double gap = 0, n_answers = 0;
  for (guint i = 0; i < FORGE_N_CALIBRATION_BINS; i++) {
    const ForgeReliabilityBin *bin = &e->bins[i];
    n_answers += (double) bin->n_items;
    gap += (double) bin->n_items * fabs (bin->accuracy - bin->confidence);
  }
  g_assert_cmpfloat (n_answers, ==, (double) n * k);
  g_assert_cmpfloat_with_epsilon (e->ece, gap / n_answers, 1e-12);
  fixture_remove (folder);
}

static const ForgeDataFinding *
find (const ForgeDataReport *report, const char *kind)
{
  for (guint i = 0; i < report->findings->len; i++) {
    const ForgeDataFinding *finding = g_ptr_array_index (report->findings, i);
    if (strcmp (finding->kind, kind) == 0)
      return finding;
  }
  return NULL;
}

/* Every class is counted where it shows; the same picture under two sets is a
 * contradiction, under the same set a duplicate. */
static void
the_look_at_data_counts_every_class (void)
{
  char *folder = fixture_folder ();
  write_bands (folder, 40, TRUE);
  g_autofree char *table_path = g_build_filename (folder, "labels.csv", NULL);
  g_autofree char *table = NULL;
  g_assert_true (g_file_get_contents (table_path, &table, NULL, NULL));
  g_autofree char *twin_path = g_build_filename (folder, "p/003.png", NULL);
  g_autofree char *bytes = NULL;
  gsize n_bytes;
  g_assert_true (g_file_get_contents (twin_path, &bytes, &n_bytes, NULL));
  fixture_write (folder, "p/same.png", bytes, n_bytes);
  fixture_write (folder, "p/other.png", bytes, n_bytes);
  const char *row = strstr (table, "p/003.png,") + strlen ("p/003.png,");
  g_autofree char *labels = g_strndup (row, strcspn (row, "\n"));
  g_autofree char *longer = g_strdup_printf (
      "%sp/same.png,%s\np/other.png,\np/gone.png,red;blue\n", table, labels);
  fixture_write (folder, "labels.csv", longer, strlen (longer));
  ForgeDataset *parts[3];
  uint64_t expected[3] = { 0 }, n_marks = 0, n_without = 0, n_items = 0;
  for (int s = 0; s < 3; s++) {
    parts[s] = open_ok (folder, (ForgeSplit) s);
    for (guint i = 0; i < forge_dataset_get_n_items (parts[s]); i++) {
      guint n;
      const uint32_t *classes = forge_dataset_get_classes (parts[s], i, &n);
      for (guint k = 0; k < n; k++)
        expected[classes[k]]++;
      n_marks += n;
      n_without += n == 0;
      n_items++;
    }
  }
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeDataReport) report =
      forge_data_check (parts, NULL, NULL, NULL, &error);
  g_assert_no_error (error);
  g_assert_true (report->is_multi_label);
  g_assert_cmpuint (n_items, ==, 43);
  g_assert_cmpuint (report->n_items, ==, 43);
  g_assert_cmpuint (report->n_unreadable, ==, 1);
  g_assert_cmpuint (report->n_class_marks, ==, n_marks);
  g_assert_cmpuint (report->n_without_class, ==, n_without);
  g_assert_cmpuint (n_without, ==, 6);
  for (guint c = 0; c < 3; c++)
    g_assert_cmpuint (report->parts[0].counts[c] + report->parts[1].counts[c] +
                          report->parts[2].counts[c],
        ==, expected[c]);
  const ForgeDataFinding *gone = find (report, "unreadable");
  g_assert_cmpuint (gone->n, ==, 1);
  g_assert_nonnull (strstr (gone->examples[0], "gone.png"));
  const ForgeDataFinding *two = find (report, "contradiction");
  g_assert_nonnull (two);
  g_assert_nonnull (strstr (two->examples[0], "no class"));
  g_assert_null (find (report, "shuffled-labels"));
  for (int s = 0; s < 3; s++)
    forge_dataset_free (parts[s]);
  fixture_remove (folder);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
#define ADD(name) g_test_add_func ("/multi-label/" #name, name)
  ADD (all_forms_are_read);
  ADD (faults_are_named_by_line);
  ADD (the_cut_is_stratified_and_repeats);
  ADD (the_hash_follows_the_labels);
  ADD (targets_hold_every_class);
  ADD (hits_are_right_in_every_class);
  ADD (bands_are_learnt_each_for_itself);
  ADD (what_needs_one_class_a_picture_is_refused);
  ADD (every_figure_equals_scikit_learn);
  ADD (the_look_at_data_counts_every_class);
  return g_test_run ();
}
