/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Keras files give the accuracy that Keras itself measured, on all 10,000
 * test pictures of CIFAR-10; and foreign or damaged ones are refused. The
 * models are not part of the project: without $FORGE_TEST_DATA (or
 * ../shared/data) and CIFAR-10 the accuracy cases are skipped. */
#include <glib/gstdio.h>
#include <hdf5.h>
#include <string.h>
#include <zip.h>

#include "base/file.h"
#include "forge/dataset.h"
#include "forge/error.h"
#include "forge/session.h"

#define BATCH 100

static char *
find_model (const char *name)
{
  const char *root = g_getenv ("FORGE_TEST_DATA");
  char *path = root ? g_build_filename (root, "keras", name, NULL)
                    : g_build_filename (g_getenv ("FORGE_SOURCE_ROOT"), "..",
                          "shared", "data", "keras", name, NULL);
  if (g_file_test (path, G_FILE_TEST_EXISTS))
    return path;
  g_free (path);
  return NULL;
}

typedef struct {
  const char *file;
  float scale;       /* of the byte */
  guint n_correct;   /* of 10,000 */
  guint n_tolerance; /* pictures whose two best classes nearly tie */
} Accuracy;

static guint
count_correct (ForgeSession *session, ForgeDataset *data, float scale)
{
  float *in = forge_tensor_get_data (forge_session_get_input (session, 0));
  const float *out =
      forge_tensor_get_data (forge_session_get_output (session, 0));
  guint n_items = forge_dataset_get_n_items (data), n_correct = 0;
  for (guint first = 0; first < n_items; first += BATCH) {
    for (guint i = 0; i < BATCH; i++) {
      g_autoptr (ForgePicture) picture =
          forge_dataset_load (data, first + i, NULL);
      for (guint k = 0; k < 3072; k++)
        in[i * 3072 + k] = (float) picture->data[k] * scale;
    }
    forge_session_run (session);
    for (guint i = 0; i < BATCH; i++) {
      guint best = 0;
      for (guint c = 1; c < 10; c++)
        if (out[i * 10 + c] > out[i * 10 + best])
          best = c;
      n_correct += best == forge_dataset_get_class (data, first + i);
    }
  }
  return n_correct;
}

static void
accuracy_is_that_of_keras (gconstpointer user_data)
{
  const Accuracy *row = user_data;
  g_autoptr (GError) error = NULL;
  g_autofree char *path = find_model (row->file);
  if (!path) {
    g_test_skip ("no shared model");
    return;
  }
  g_autoptr (ForgeDataset) data =
      forge_dataset_open ("cifar10:cifar10", FORGE_SPLIT_TEST, 1, NULL);
  if (!data) {
    g_test_skip ("no CIFAR-10 below FORGE_DATA");
    return;
  }
  g_autoptr (ForgeModel) model = forge_model_load (path, &error);
  g_assert_no_error (error);
  ForgeSessionParams params = { .threads = 0, .batch = BATCH };
  g_autoptr (ForgeSession) session = forge_session_new (model, &params, &error);
  g_assert_no_error (error);
  guint n_correct = count_correct (session, data, row->scale);
  g_test_message ("%s: %u of 10000", row->file, n_correct);
  g_assert_cmpuint (
      ABS ((int) n_correct - (int) row->n_correct), <=, row->n_tolerance);
}

/* Every prefix of a good file is refused with the file's name. */
static void
truncated_file_is_refused (gconstpointer user_data)
{
  g_autofree char *path = find_model (user_data);
  if (!path) {
    g_test_skip ("no shared model");
    return;
  }
  size_t size_bytes;
  g_autofree char *bytes = forge_file_read (path, 1u << 30, &size_bytes, NULL);
  for (size_t cut = size_bytes - 1; cut > 64; cut -= cut / 3) {
    g_autoptr (GError) error = NULL;
    ForgeModel *model = forge_model_load_bytes (bytes, cut, "cut.h5", &error);
    g_assert_null (model);
    g_assert_nonnull (error);
    g_assert_nonnull (strstr (error->message, "cut.h5"));
  }
}

/* A .keras file without weights: rescale, average over the picture, softmax. */
static void
write_rescaling_model (const char *path, const char *h5)
{
  static const char config[] =
      "{\"class_name\":\"Sequential\",\"config\":{\"name\":\"s\",\"layers\":["
      "{\"class_name\":\"InputLayer\",\"config\":{\"name\":\"in\","
      "\"batch_shape\":[null,4,4,3]}},"
      "{\"class_name\":\"Rescaling\",\"config\":{\"name\":\"r\","
      "\"scale\":0.00392156862745098,\"offset\":0}},"
      "{\"class_name\":\"GlobalAveragePooling2D\",\"config\":{\"name\":\"g\"}},"
      "{\"class_name\":\"Activation\",\"config\":{\"name\":\"a\","
      "\"activation\":\"softmax\"}}]}}";
  hid_t file = H5Fcreate (h5, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  g_assert_cmpint (file, >=, 0);
  H5Fclose (file);
  zip_t *archive = zip_open (path, ZIP_CREATE | ZIP_TRUNCATE, NULL);
  g_assert_nonnull (archive);
  zip_file_add (archive, "config.json",
      zip_source_buffer (archive, config, sizeof config - 1, 0), 0);
  zip_file_add (
      archive, "model.weights.h5", zip_source_file (archive, h5, 0, -1), 0);
  g_assert_cmpint (zip_close (archive), ==, 0);
}

static void
model_that_rescales_takes_bytes (void)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *folder = g_dir_make_tmp ("forge-keras-XXXXXX", NULL);
  g_autofree char *path = g_build_filename (folder, "m.keras", NULL);
  g_autofree char *h5 = g_build_filename (folder, "m.h5", NULL);
  write_rescaling_model (path, h5);
  g_autoptr (ForgeModel) model = forge_model_load (path, &error);
  g_assert_no_error (error);
  const ForgePreprocess *preprocess = forge_model_get_preprocess (model);
  g_assert_cmpfloat (preprocess->scale[0], ==, 1);
  g_assert_cmpfloat (preprocess->bias[0], ==, 0);
  g_assert_null (strstr (forge_model_get_assumptions (model), "values"));
  g_autoptr (ForgeSession) session = forge_session_new (model, NULL, &error);
  g_assert_no_error (error);
  float *in = forge_tensor_get_data (forge_session_get_input (session, 0));
  for (int i = 0; i < 48; i++)
    in[i] = i % 3 == 1 ? 255 : 0;
  forge_session_run (session);
  const float *out =
      forge_tensor_get_data (forge_session_get_output (session, 0));
  g_assert_cmpfloat_with_epsilon (out[1], 0.5761169, 1e-6); /* e / (e + 2) */
  g_remove (path);
  g_remove (h5);
  g_rmdir (folder);
}

int
main (int argc, char **argv)
{
  static const Accuracy rows[] = {
    { "cifar10_cnn_bn.keras", 1 / 255.0f, 6684, 0 },
    { "cifar10_cnn_same.keras", 1 / 255.0f, 7326, 0 },
    { "mlperf_resnet8_cifar10.h5", 1, 8719, 0 },
  };
  g_test_init (&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (rows); i++) {
    g_autofree char *name =
        g_strdup_printf ("/keras/accuracy_is_that_of_keras/%s", rows[i].file);
    g_test_add_data_func (name, &rows[i], accuracy_is_that_of_keras);
    g_autofree char *cut =
        g_strdup_printf ("/keras/truncated_file_is_refused/%s", rows[i].file);
    g_test_add_data_func (cut, rows[i].file, truncated_file_is_refused);
  }
  g_test_add_func ("/keras/model_that_rescales_takes_bytes",
      model_that_rescales_takes_bytes);
  return g_test_run ();
}
