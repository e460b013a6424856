/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Architectures: as large as published, made of the right first weights, and
 * able to learn sixteen pictures of noise by heart, which needs a gradient in
 * every layer. */
#include <math.h>
#include <string.h>

#include "base/rng.h"
#include "forge/error.h"
#include "formats/format.h"
#include "run.h"
#include "train/trainer.h"
#include "train/whiten.h"

#define N_PICTURES 40

/* Smooth noise, so that neighbours go together as in photos. */
static void
fill_pictures (uint8_t *pixels)
{
  ForgeRng rng;
  forge_rng_seed (&rng, 5);
  int last = 128;
  for (gsize i = 0; i < N_PICTURES * 32 * 32 * 3; i++) {
    last = (last * 7 + (int) forge_rng_below (&rng, 256)) / 8;
    pixels[i] = (uint8_t) last;
  }
}

static ForgeGraph *
build (const char *text, const uint8_t *pixels)
{
  g_autoptr (GError) error = NULL;
  ForgeArchChoice choice;
  g_assert_true (forge_arch_choose (text, &choice, &error));
  ForgeArchParams params = { .n_outputs = 10,
    .seed = 1,
    .options = choice.options,
    .pictures = { pixels, N_PICTURES, 32, 32 } };
  ForgeGraph *graph = choice.arch->build (&params, &error);
  g_assert_no_error (error);
  return graph;
}

/* Constants of one or more dimensions; without running averages. */
static int64_t
count_parameters (const ForgeGraph *graph)
{
  int64_t count = 0;
  for (guint i = 0; i < graph->values->len; i++) {
    const ForgeValue *value = g_ptr_array_index (graph->values, i);
    if (value->constant && value->shape.rank > 0 &&
        !g_str_has_suffix (value->name, ".mean") &&
        !g_str_has_suffix (value->name, ".variance") &&
        !g_str_has_prefix (value->name, "rescale"))
      count += forge_shape_count (&value->shape);
  }
  return count;
}

/* MobileNetV2 with ten classes has 2,236,682 parameters in torchvision. */
static void
architectures_have_the_published_sizes (void)
{
  static const struct {
    const char *text;
    int64_t count;
  } cases[] = { { "forge-cnn", 122570 }, { "mobilenet-v2", 2236682 },
    { "mobilenet-v2:size=224", 2236682 }, { "forge-resnet", 1972792 } };
  g_autofree uint8_t *pixels = g_malloc (N_PICTURES * 3072);
  fill_pictures (pixels);
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (ForgeGraph) graph = build (cases[i].text, pixels);
    g_assert_cmpint (count_parameters (graph), ==, cases[i].count);
  }
}

static void
unknown_names_and_options_are_refused (void)
{
  static const struct {
    const char *text, *hint;
  } cases[] = { { "resnet", "forge-cnn, forge-resnet, mobilenet-v2" },
    { "", "unknown architecture ''" }, { "forge-cnn:depth=3", "'depth=3'" },
    { "forge-resnet:width1", "'width1'" },
    { "forge-resnet:width1=1e9", "width1=64 (24 to 2048)" },
    { "forge-resnet:width1=64.5", "'width1=64.5'" },
    { "forge-resnet:width1=64x", "'width1=64x'" },
    { "mobilenet-v2:width=nan", "'width=nan'" },
    { "mobilenet-v2:width=1,,", "found ''" } };
  ForgeArchChoice choice;
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autoptr (GError) error = NULL;
    g_assert_false (forge_arch_choose (cases[i].text, &choice, &error));
    g_assert_error (error, FORGE_ERROR, FORGE_ERROR_ARGUMENT);
    if (!strstr (error->message, cases[i].hint))
      g_error ("'%s' does not say '%s'", error->message, cases[i].hint);
  }
  g_assert_true (
      forge_arch_choose ("mobilenet-v2:width=0.5,size=96", &choice, NULL));
  g_assert_cmpint (forge_arch_size (&choice), ==, 96);
  g_assert_cmpfloat (choice.options[1], ==, 0.5);
  /* Without pictures there is nothing to whiten. */
  g_autoptr (GError) error = NULL;
  ForgeArchParams params = { .n_outputs = 10 };
  g_assert_null (forge_arch_resnet.build (&params, &error));
  g_assert_error (error, FORGE_ERROR, FORGE_ERROR_ARGUMENT);
}

/* He's rule keeps the variance: uniform in +-sqrt (6 / fan_in). */
static void
first_weights_have_the_right_spread (void)
{
  ForgeArchParams params = { .n_outputs = 10, .seed = 1 };
  const ForgeArch *arch = forge_arch_find ("forge-cnn", NULL);
  g_autoptr (ForgeGraph) graph = arch->build (&params, NULL);
  const ForgeTensor *weight =
      forge_graph_find (graph, "dense1.weight")->constant;
  const float *w = forge_tensor_get_data (weight);
  int64_t n = forge_tensor_get_count (weight);
  double sum = 0, sum_sq = 0, most = 0;
  for (int64_t i = 0; i < n; i++) {
    sum += w[i];
    sum_sq += (double) w[i] * w[i];
    most = MAX (most, fabs (w[i]));
  }
  g_assert_cmpfloat_with_epsilon (sum / (double) n, 0, 1e-3);
  g_assert_cmpfloat_with_epsilon (
      sum_sq / (double) n, 2.0 / 1024, 0.03 * 2.0 / 1024);
  g_assert_cmpfloat_with_epsilon (most, sqrt (6.0 / 1024), 1e-4);
}

static void
eigenvectors_solve_their_equation (void)
{
  enum { N = 12 };
  double matrix[N * N], work[N * N], values[N], vectors[N * N];
  ForgeRng rng;
  forge_rng_seed (&rng, 3);
  for (int p = 0; p < N; p++)
    for (int q = p; q < N; q++)
      matrix[p * N + q] = matrix[q * N + p] = (double) forge_rng_normal (&rng);
  memcpy (work, matrix, sizeof work);
  forge_eigen_symmetric (N, work, values, vectors);
  for (int i = 0; i < N; i++) {
    g_assert_true (i == 0 || values[i] <= values[i - 1]);
    for (int r = 0; r < N; r++) {
      double sum = 0, dot = 0;
      for (int c = 0; c < N; c++) {
        sum += matrix[r * N + c] * vectors[i * N + c];
        dot += vectors[i * N + c] * vectors[r * N + c];
      }
      g_assert_cmpfloat_with_epsilon (
          sum, values[i] * vectors[i * N + r], 1e-12);
      g_assert_cmpfloat_with_epsilon (dot, i == r, 1e-12);
    }
  }
}

/* What the first twelve filters give over the pictures they were made from
 * has the identity as its covariance, but for the epsilon. */
static void
whitening_filters_whiten (void)
{
  enum { N = FORGE_PATCH_ELEMS };
  g_autofree uint8_t *pixels = g_malloc (N_PICTURES * 3072);
  fill_pictures (pixels);
  const ForgeArchPictures pictures = { pixels, N_PICTURES, 32, 32 };
  double mean[3], deviation[3], sums[N][N] = { { 0 } };
  float filters[2 * N][N];
  forge_picture_statistics (&pictures, mean, deviation);
  forge_whitening_filters (&pictures, mean, deviation, 0, filters[0]);
  for (int n = 0; n < N_PICTURES; n++)
    for (int i = 0; i < 31 * 31; i++) {
      double out[N] = { 0 };
      for (int c = 0; c < 3; c++)
        for (int k = 0; k < 4; k++) {
          int at = ((n * 32 + i / 31 + k / 2) * 32 + i % 31 + k % 2) * 3 + c;
          double value = (pixels[at] / 255.0 - mean[c]) / deviation[c];
          for (int o = 0; o < N; o++)
            out[o] += filters[o][c * 4 + k] * value;
        }
      for (int a = 0; a < N; a++)
        for (int b = 0; b < N; b++)
          sums[a][b] += out[a] * out[b];
    }
  for (int a = 0; a < N; a++)
    for (int b = 0; b < N; b++) {
      g_assert_cmpfloat_with_epsilon (
          sums[a][b] / (N_PICTURES * 31 * 31), a == b, 1e-4);
      g_assert_cmpfloat (filters[a + N][b], ==, -filters[a][b]);
    }
}

/* A dirac convolution hands its channels through as they are. */
static void
resnet_begins_as_the_identity (void)
{
  g_autofree uint8_t *pixels = g_malloc (N_PICTURES * 3072);
  fill_pictures (pixels);
  g_autoptr (ForgeGraph) graph = build ("forge-resnet", pixels);
  const float *w = forge_graph_find (graph, "conv1a.weight")->constant->data;
  for (int o = 0; o < 24; o++)
    for (int k = 0; k < 24 * 9; k++)
      g_assert_cmpfloat (w[o * 24 * 9 + k], ==, k == o * 9 + 4);
  double sum_sq = 0;
  for (int k = 24 * 24 * 9; k < 64 * 24 * 9; k++)
    sum_sq += (double) w[k] * w[k];
  g_assert_cmpfloat_with_epsilon (
      sum_sq / (40 * 24 * 9), 1.0 / (3 * 24 * 9), 0.05 / (3 * 24 * 9));
  g_assert_true (forge_graph_find (graph, "whiten.weight")->frozen);
  g_assert_false (forge_graph_find (graph, "whiten.bias")->frozen);
  g_assert_true (forge_graph_find (graph, "norm1a.scale")->frozen);
}

/* Sixteen pictures of noise, eight a class, with which it also validates. */
static void
write_noise (const char *folder)
{
  ForgeRng rng;
  forge_rng_seed (&rng, 11);
  for (guint i = 0; i < 16; i++) {
    uint8_t pixels[3072];
    for (gsize k = 0; k < sizeof pixels; k++)
      pixels[k] = (uint8_t) forge_rng_below (&rng, 256);
    for (guint part = 0; part < 2; part++) {
      g_autofree char *name = g_strdup_printf (
          "%s/%c/%02u.png", part ? "val" : "train", 'a' + i % 2, i);
      fixture_write_png (folder, name, pixels, 32, 32);
    }
  }
}

static void
assert_trained (const Run *run, const char *arch)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeTrainer) first = forge_trainer_new (&run->params, &error);
  g_assert_no_error (error);
  g_autoptr (ForgeGraph) last = forge_format_read_file (run->out, &error);
  g_assert_no_error (error);
  for (guint i = 0; i < first->n_slots; i++) {
    const ForgeSlot *slot = &first->slots[i];
    const ForgeValue *value = forge_graph_find (last, slot->name);
    g_assert_nonnull (value);
    if (memcmp (value->constant->data, slot->value->data,
            slot->n * sizeof (float)) == 0)
      g_error ("%s: %s has not changed", arch, slot->name);
  }
}

static void
every_architecture_learns_sixteen_pictures_by_heart (void)
{
  static const struct {
    const char *arch;
    double rate;
    guint epochs;
  } cases[] = { { "forge-cnn", 1e-3, 40 },
    { "forge-resnet:size=16,width1=24,width2=32,width3=32,train-scale=1", 6,
        60 },
    { "forge-resnet:size=16,width1=24,width2=32,width3=32,residual=1,pad=0", 6,
        60 },
    { "mobilenet-v2:width=0.1", 0, 40 } };
  for (guint i = 0; i < G_N_ELEMENTS (cases); i++) {
    Run run;
    run_init (&run, 1, 0);
    g_autofree char *data = g_build_filename (run.folder, "noise", NULL);
    write_noise (data);
    g_autoptr (GError) error = NULL;
    forge_train_params_init (&run.params, cases[i].arch, &error);
    g_assert_no_error (error);
    run.params.data = data;
    run.params.out = run.out;
    run.params.batch = 16;
    run.params.threads = 2;
    run.params.epochs = cases[i].epochs;
    run.params.flip = "never";
    run.params.shift = 0;
    run.params.dropout = 0;
    run.params.label_smoothing = 0;
    run.params.patience = 0;
    run.params.freeze = NULL;
    if (cases[i].rate > 0)
      run.params.learning_rate = cases[i].rate;
    run_ok (&run);
    const ForgeTrainProgress *last = &run.epochs[run.n_epochs - 1];
    g_test_message ("%s: loss %g", cases[i].arch, last->loss);
    g_assert_cmpfloat (last->accuracy, ==, 1);
    g_assert_cmpfloat (last->loss, <, 0.1);
    g_assert_cmpfloat (run.result.val_accuracy, ==, 1);
    assert_trained (&run, cases[i].arch);
    run_clear (&run);
  }
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_unsetenv ("FORGE_DATA");
#define ADD(name) g_test_add_func ("/arch/" #name, name)
  ADD (architectures_have_the_published_sizes);
  ADD (unknown_names_and_options_are_refused);
  ADD (first_weights_have_the_right_spread);
  ADD (eigenvectors_solve_their_equation);
  ADD (whitening_filters_whiten);
  ADD (resnet_begins_as_the_identity);
  ADD (every_architecture_learns_sixteen_pictures_by_heart);
  return g_test_run ();
}
