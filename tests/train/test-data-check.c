/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The look at data before training: each kind of finding is made where it was
 * planted, and nowhere in data without it. */
#include <string.h>

#include "base/rng.h"
#include "fixture.h"
#include "forge/data-check.h"
#include "forge/error.h"

#define SIDE 32
#define BYTES (SIDE * SIDE * 3)

/* Patches of random colours, smooth between them; class 0 is light on top,
 * class 1 at the bottom, as far as @contrast goes. */
static void
paint (uint8_t *pixels, guint class_id, int contrast, uint64_t seed)
{
  int grid[6][6][3];
  ForgeRng rng;
  forge_rng_seed (&rng, seed);
  for (int y = 0; y < 6; y++)
    for (int x = 0; x < 6; x++)
      for (int c = 0; c < 3; c++)
        grid[y][x][c] = 40 + (int) forge_rng_below (&rng, 140) +
                        ((class_id == 0) == (y < 3) ? contrast : 0);
  for (int y = 0; y < SIDE; y++)
    for (int x = 0; x < SIDE; x++)
      for (int c = 0; c < 3; c++) {
        int v = y * 5, u = x * 5, dv = v % SIDE, du = u % SIDE;
        const int *a = &grid[v / SIDE][u / SIDE][c];
        int top = a[0] * (SIDE - du) + a[3] * du;
        int bottom = a[18] * (SIDE - du) + a[21] * du;
        pixels[(y * SIDE + x) * 3 + c] =
            (uint8_t) ((top * (SIDE - dv) + bottom * dv) / (SIDE * SIDE));
      }
}

static void
write_painted (const char *folder, const char *name, guint class_id,
    int contrast, uint64_t seed)
{
  uint8_t pixels[BYTES];
  paint (pixels, class_id, contrast, seed);
  fixture_write_png (folder, name, pixels, SIDE, SIDE);
}

/* @n pictures of each class in train/ and a third in val/. Labels are those
 * painted, or drawn at random. */
static char *
make_data (guint n, int contrast, gboolean shuffled)
{
  char *folder = fixture_folder ();
  ForgeRng rng;
  forge_rng_seed (&rng, 5);
  for (guint i = 0; i < 2 * (n + n / 3); i++) {
    const char *part = i < 2 * n ? "train" : "val";
    guint label = shuffled ? forge_rng_below (&rng, 2) : i % 2;
    g_autofree char *name =
        g_strdup_printf ("%s/%s/%03u.png", part, label ? "low" : "high", i);
    write_painted (folder, name, i % 2, contrast, 1000 + i);
  }
  return folder;
}

static ForgeDataReport *
check_with (const char *folder, int threads, guint n_examples)
{
  ForgeDataset *parts[FORGE_N_SPLITS] = { 0 };
  g_autoptr (GError) error = NULL;
  for (int s = 0; s < FORGE_N_SPLITS; s++)
    parts[s] = forge_dataset_open (folder, s, NULL, NULL);
  const ForgeDataCheckParams params = {
    .threads = threads, .seed = 1, .n_examples = n_examples
  };
  ForgeDataReport *report =
      forge_data_check (parts, &params, NULL, NULL, &error);
  g_assert_no_error (error);
  for (int s = 0; s < FORGE_N_SPLITS; s++)
    forge_dataset_free (parts[s]);
  return report;
}

static ForgeDataReport *
check (const char *folder)
{
  return check_with (folder, 2, 10);
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

/* There is one, of that severity, that counts @n and names @example. */
static void
assert_found (const ForgeDataReport *report, const char *kind,
    ForgeFindingSeverity severity, uint64_t n, const char *example)
{
  const ForgeDataFinding *finding = find (report, kind);
  if (!finding)
    g_error ("no finding '%s'", kind);
  g_assert_cmpint (finding->severity, ==, severity);
  g_assert_cmpuint (finding->n, ==, n);
  g_autofree char *all = g_strjoinv ("\n", finding->examples);
  if (!strstr (all, example))
    g_error ("'%s' does not name '%s'", all, example);
}

static void
clean_data_is_clean (void)
{
  char *folder = make_data (60, 70, FALSE);
  g_autoptr (ForgeDataReport) report = check (folder);
  for (guint i = 0; i < report->findings->len; i++) {
    const ForgeDataFinding *finding = g_ptr_array_index (report->findings, i);
    g_error ("%s: %s", finding->kind, finding->text);
  }
  g_assert_cmpuint (report->n_items, ==, 160);
  g_assert_cmpuint (report->parts[0].counts[1], ==, 60);
  g_assert_cmpuint (report->parts[1].counts[0], ==, 20);
  /* val/ stands in for the test part: it is not looked at twice. */
  g_assert_false (report->parts[2].present);
  g_assert_cmpuint (report->sizes->len, ==, 1);
  g_assert_cmpstr (
      g_array_index (report->sizes, ForgeDataCount, 0).name, ==, "32x32");
  g_assert_cmpstr (
      g_array_index (report->modes, ForgeDataCount, 0).name, ==, "PNG colour");
  g_assert_cmpuint (report->n_grey, ==, 0);
  uint64_t n = 0;
  for (int b = 0; b < FORGE_BRIGHTNESS_BINS; b++)
    n += report->brightness[b];
  g_assert_cmpuint (n, ==, 160);
  const ForgeLabelCheck *labels = &report->parts[0].label_check;
  g_assert_cmpuint (labels->n_items, ==, 120);
  g_assert_cmpfloat (labels->accuracy, >, 0.9);
  g_assert_cmpfloat_with_epsilon (labels->chance, 0.5, 0.05);
  g_assert_cmpfloat (labels->p_value, ==, 0.001);
  /* Forty pictures are too few to judge. */
  g_assert_cmpuint (report->parts[1].label_check.n_items, ==, 0);
  fixture_remove (folder);
}

/* Pictures of a known mean: half black, half white. */
static void
colours_are_measured (void)
{
  char *folder = fixture_folder ();
  uint8_t pixels[BYTES];
  memset (pixels, 0, BYTES);
  for (int i = 0; i < BYTES / 2; i++)
    pixels[i] = i % 3 == 0 ? 255 : 51;
  fixture_write_png (folder, "train/a/1.png", pixels, SIDE, SIDE);
  fixture_write_png (folder, "train/b/1.png", pixels, SIDE / 2, SIDE);
  fixture_write_png (folder, "val/b/1.png", pixels, SIDE, SIDE);
  g_autoptr (ForgeDataReport) report = check (folder);
  /* The one of half the width has the colours all over. */
  g_assert_cmpfloat_with_epsilon (report->mean[0], 2.0 / 3, 1e-6);
  g_assert_cmpfloat_with_epsilon (report->mean[1], 0.2 * 2 / 3, 1e-6);
  g_assert_cmpfloat_with_epsilon (report->std[0], 0.4714045, 1e-6);
  g_assert_cmpint (report->min_width, ==, 16);
  g_assert_cmpint (report->median_width, ==, 32);
  g_assert_cmpint (report->max_height, ==, 32);
  fixture_remove (folder);
}

static void
shuffled_labels_are_suspected (void)
{
  char *folder = make_data (150, 70, TRUE);
  g_autoptr (ForgeDataReport) report = check (folder);
  assert_found (
      report, "shuffled-labels", FORGE_FINDING_ERROR, 2, "train: neighbours");
  g_assert_cmpfloat (report->parts[0].label_check.p_value, >, 0.01);
  fixture_remove (folder);
}

/* The training part is right, the other has its classes exchanged. */
static void
exchanged_classes_of_a_part_are_suspected (void)
{
  char *folder = make_data (60, 70, FALSE);
  for (guint i = 0; i < 120; i++) {
    g_autofree char *name =
        g_strdup_printf ("test/%s/%03u.png", i % 2 ? "high" : "low", i);
    write_painted (folder, name, i % 2, 70, 5000 + i);
  }
  g_autoptr (ForgeDataReport) report = check (folder);
  assert_found (
      report, "shuffled-labels", FORGE_FINDING_ERROR, 1, "test: neighbours");
  g_assert_cmpfloat (report->parts[2].label_check.accuracy, <, 0.1);
  fixture_remove (folder);
}

static void
same_pictures_are_found_wherever_they_are (void)
{
  char *folder = make_data (60, 70, FALSE);
  write_painted (folder, "train/high/again.png", 0, 70, 1000);
  write_painted (folder, "train/low/wrong.png", 0, 70, 1002);
  write_painted (folder, "val/high/leak.png", 0, 70, 1004);
  uint8_t pixels[BYTES];
  static const struct {
    const char *name;
    guint of;
  } near[] = { { "train/high/near.png", 1006 }, { "train/low/like.png", 1008 },
    { "val/high/seep.png", 1010 } };
  for (guint i = 0; i < G_N_ELEMENTS (near); i++) {
    paint (pixels, 0, 70, near[i].of);
    for (gsize b = 0; b < BYTES; b++)
      pixels[b] = (uint8_t) MIN (pixels[b] + 4 + b % 3, 255);
    fixture_write_png (folder, near[i].name, pixels, SIDE, SIDE);
  }
  g_autoptr (ForgeDataReport) report = check (folder);
  const ForgeFindingSeverity error = FORGE_FINDING_ERROR,
                             warning = FORGE_FINDING_WARNING,
                             info = FORGE_FINDING_INFO;
  assert_found (report, "leakage", error, 1, "leak.png");
  assert_found (report, "leakage", error, 1, "train/high/004.png");
  assert_found (report, "contradiction", error, 1, "wrong.png");
  assert_found (report, "duplicate", warning, 1, "again.png");
  assert_found (report, "near-leakage", warning, 1, "seep.png");
  assert_found (report, "near-contradiction", warning, 1, "like.png");
  assert_found (report, "near-duplicate", info, 1, "near.png");
  /* Worst first. */
  for (guint i = 1; i < report->findings->len; i++) {
    const ForgeDataFinding *a = g_ptr_array_index (report->findings, i - 1);
    const ForgeDataFinding *b = g_ptr_array_index (report->findings, i);
    g_assert_cmpint (a->severity, >=, b->severity);
  }
  fixture_remove (folder);
}

static void
write_flat (
    const char *folder, const char *name, const uint8_t rgb[3], guint n_other)
{
  uint8_t pixels[BYTES];
  for (guint i = 0; i < SIDE * SIDE; i++)
    for (guint c = 0; c < 3; c++)
      pixels[3 * i + c] = i < n_other ? (uint8_t) (rgb[c] ^ 0x80) : rgb[c];
  fixture_write_png (folder, name, pixels, SIDE, SIDE);
}

static void
pictures_without_content_are_found (void)
{
  char *folder = make_data (60, 70, FALSE);
  write_flat (folder, "train/high/night.png", (const uint8_t[]) { 9, 5, 7 },
      SIDE * SIDE / 25);
  write_flat (folder, "train/high/snow.png",
      (const uint8_t[]) { 255, 253, 254 }, SIDE * SIDE / 12);
  write_flat (
      folder, "train/high/blue.png", (const uint8_t[]) { 20, 60, 200 }, 0);
  /* Just not dark, light and flat enough. */
  write_flat (folder, "train/low/dusk.png", (const uint8_t[]) { 9, 5, 7 },
      SIDE * SIDE / 15);
  write_flat (folder, "train/low/fog.png", (const uint8_t[]) { 255, 253, 254 },
      SIDE * SIDE / 8);
  g_autoptr (ForgeDataReport) report = check (folder);
  const ForgeFindingSeverity warning = FORGE_FINDING_WARNING;
  assert_found (report, "near-black", warning, 1, "night.png");
  assert_found (report, "blown-out", warning, 1, "snow.png");
  assert_found (report, "single-colour", warning, 1, "blue.png");
  fixture_remove (folder);
}

static void
counts_and_broken_files_are_reported (void)
{
  char *folder = make_data (60, 70, FALSE);
  for (guint i = 0; i < 15; i++) {
    g_autofree char *name = g_strdup_printf ("train/rare/%02u.png", i);
    write_painted (folder, name, 0, 0, 9000 + i);
  }
  fixture_write (folder, "train/gone/1.png", "no", 2);
  fixture_write (folder, "train/gone/2.jpg", "<html>", 6);
  fixture_write (folder, "train/high/notes.txt", "x", 1);
  fixture_write (folder, "val/high/Thumbs.db", "x", 1);
  g_autoptr (ForgeDataReport) report = check (folder);
  assert_found (
      report, "unreadable", FORGE_FINDING_ERROR, 2, "gone/1.png: expected");
  assert_found (report, "class-unreadable", FORGE_FINDING_ERROR, 1, "gone");
  assert_found (report, "few-pictures", FORGE_FINDING_WARNING, 2, "rare: 15");
  assert_found (
      report, "imbalance", FORGE_FINDING_WARNING, 1, "high: 60, gone: 2");
  assert_found (report, "ignored", FORGE_FINDING_INFO, 2, "Thumbs.db");
  g_assert_cmpuint (report->n_unreadable, ==, 2);
  g_assert_cmpuint (report->parts[0].n_unreadable, ==, 2);
  fixture_remove (folder);
}

static char *
describe (const ForgeDataReport *report)
{
  GString *text = g_string_new (NULL);
  for (guint i = 0; i < report->findings->len; i++) {
    const ForgeDataFinding *finding = g_ptr_array_index (report->findings, i);
    g_autofree char *examples = g_strjoinv ("\n", finding->examples);
    g_string_append_printf (
        text, "%s %s\n%s\n", finding->kind, finding->text, examples);
  }
  for (int s = 0; s < FORGE_N_SPLITS; s++)
    g_string_append_printf (text, "%.17g %.17g\n",
        report->parts[s].label_check.accuracy,
        report->parts[s].label_check.chance_99);
  g_string_append_printf (text, "%.17g %.17g", report->mean[0], report->std[2]);
  return g_string_free (text, FALSE);
}

static void
report_does_not_depend_on_the_threads (void)
{
  char *folder = make_data (70, 30, FALSE);
  for (guint i = 0; i < 9; i++) {
    g_autofree char *copy = g_strdup_printf ("val/high/copy%u.png", i);
    g_autofree char *broken = g_strdup_printf ("train/low/b%u.png", i);
    write_painted (folder, copy, 0, 30, 1000 + 2 * (i % 4));
    fixture_write (folder, broken, "no", 2);
  }
  g_autoptr (ForgeDataReport) one = check_with (folder, 1, 4);
  g_autoptr (ForgeDataReport) three = check_with (folder, 3, 4);
  g_autofree char *a = describe (one);
  g_autofree char *b = describe (three);
  g_assert_cmpstr (a, ==, b);
  const ForgeDataFinding *unreadable = find (one, "unreadable");
  g_assert_cmpuint (unreadable->n, ==, 9);
  g_assert_cmpuint (g_strv_length (unreadable->examples), ==, 4);
  fixture_remove (folder);
}

static gboolean
stop (uint64_t done, uint64_t total, gpointer user_data)
{
  return FALSE;
}

static void
look_can_be_stopped (void)
{
  char *folder = make_data (10, 70, FALSE);
  ForgeDataset *parts[FORGE_N_SPLITS] = { forge_dataset_open (
      folder, FORGE_SPLIT_TRAIN, NULL, NULL) };
  g_autoptr (GError) error = NULL;
  g_assert_null (forge_data_check (parts, NULL, stop, NULL, &error));
  g_assert_error (error, FORGE_ERROR, FORGE_ERROR_CANCELLED);
  forge_dataset_free (parts[0]);
  fixture_remove (folder);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_unsetenv ("FORGE_DATA");
#define ADD(name) g_test_add_func ("/data-check/" #name, name)
  ADD (clean_data_is_clean);
  ADD (colours_are_measured);
  ADD (shuffled_labels_are_suspected);
  ADD (exchanged_classes_of_a_part_are_suspected);
  ADD (same_pictures_are_found_wherever_they_are);
  ADD (pictures_without_content_are_found);
  ADD (counts_and_broken_files_are_reported);
  ADD (report_does_not_depend_on_the_threads);
  ADD (look_can_be_stopped);
  return g_test_run ();
}
