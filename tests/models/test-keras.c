/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Keras files give the accuracy that Keras itself measured, on all 10,000
 * test pictures of CIFAR-10; what cannot run or is damaged is refused. The
 * models are not part of the project: without $FORGE_TEST_DATA (or
 * ../shared/data) and CIFAR-10 the accuracy cases are skipped. */
#include <glib/gstdio.h>
#include <hdf5.h>
#include <string.h>
#include <zip.h>

#include "base/file.h"
#include "base/rng.h"
#include "forge/dataset.h"
#include "forge/error.h"
#include "forge/session.h"

#define BATCH 100
#define SEED 3
#define N_MUTATIONS 60u

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
      forge_dataset_open ("cifar10:cifar10", FORGE_SPLIT_TEST, NULL, NULL);
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

/* A .keras file of two members. */
static void
zip_archive (
    const char *path, const char *h5, const char *config, gsize config_bytes)
{
  zip_t *archive = zip_open (path, ZIP_CREATE | ZIP_TRUNCATE, NULL);
  g_assert_nonnull (archive);
  zip_file_add (archive, "config.json",
      zip_source_buffer (archive, config, config_bytes, 0), 0);
  zip_file_add (
      archive, "model.weights.h5", zip_source_file (archive, h5, 0, -1), 0);
  g_assert_cmpint (zip_close (archive), ==, 0);
}

/* With an HDF5 file that has nothing in it. */
static void
write_archive (
    const char *path, const char *h5, const char *config, gsize config_bytes)
{
  hid_t file = H5Fcreate (h5, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  g_assert_cmpint (file, >=, 0);
  H5Fclose (file);
  zip_archive (path, h5, config, config_bytes);
}

typedef struct {
  char *folder, *path, *h5;
} Files;

static void
files_init (Files *files)
{
  files->folder = g_dir_make_tmp ("forge-keras-XXXXXX", NULL);
  files->path = g_build_filename (files->folder, "m.keras", NULL);
  files->h5 = g_build_filename (files->folder, "m.h5", NULL);
}

static void
files_clear (Files *files)
{
  g_remove (files->path);
  g_remove (files->h5);
  g_rmdir (files->folder);
  g_free (files->folder);
  g_free (files->path);
  g_free (files->h5);
}

#define SEQUENTIAL(layers)                                                 \
  "{\"class_name\":\"Sequential\",\"config\":{\"name\":\"s\",\"layers\":[" \
  "{\"class_name\":\"InputLayer\",\"config\":{\"name\":\"in\","            \
  "\"batch_shape\":[null,4,4,3]}}," layers "]}}"
#define LAYER(class_name, name, config)                             \
  "{\"class_name\":\"" class_name "\",\"config\":{\"name\":\"" name \
  "\"" config "}}"

static void
model_that_rescales_takes_bytes (void)
{
  static const char config[] = SEQUENTIAL (LAYER ("Rescaling", "r",
      ",\"scale\":0.00392156862745098,\"offset\":0") "," LAYER ("GlobalAverageP"
                                                                "ooling2D",
      "g", "") "," LAYER ("Activation", "a", ",\"activation\":\"softmax\""));
  g_autoptr (GError) error = NULL;
  Files files;
  files_init (&files);
  write_archive (files.path, files.h5, config, sizeof config - 1);
  g_autoptr (ForgeModel) model = forge_model_load (files.path, &error);
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
  files_clear (&files);
}

typedef struct {
  const char *name, *config;
  float scale; /* that is stated of the picture's bytes; 0 = none is */
} Stated;

static void
first_layers_state_the_range (gconstpointer user_data)
{
  const Stated *row = user_data;
  g_autoptr (GError) error = NULL;
  Files files;
  files_init (&files);
  write_archive (files.path, files.h5, row->config, strlen (row->config));
  g_autoptr (ForgeModel) model = forge_model_load (files.path, &error);
  g_assert_no_error (error);
  gboolean is_assumed =
      strstr (forge_model_get_assumptions (model), "values") != NULL;
  g_assert_cmpint (is_assumed, ==, row->scale == 0);
  if (row->scale > 0)
    g_assert_cmpfloat_with_epsilon (
        forge_model_get_preprocess (model)->scale[0], row->scale, 1e-7);
  files_clear (&files);
}

static const Stated stated[] = {
  { "rescaling_to_unit",
      SEQUENTIAL (LAYER ("Rescaling", "r", ",\"scale\":0.00392156862745098")),
      1 },
  { "rescaling_around_zero",
      SEQUENTIAL (LAYER ("RandomFlip", "f", "") "," LAYER (
          "Resizing", "z", ",\"height\":8,\"width\":8") "," LAYER ("Rescaling",
          "r", ",\"scale\":0.00784313725490196,\"offset\":-1")),
      1 },
  { "normalisation_of_bytes",
      SEQUENTIAL (LAYER ("Normalization", "n",
          ",\"axis\":-1,\"mean\":[123.7,116.3,103.5],"
          "\"variance\":[3410,3263,3292]")),
      1 },
  { "normalisation_of_unit",
      SEQUENTIAL (LAYER ("Normalization", "n",
          ",\"axis\":-1,\"mean\":[0.48,0.45,0.4],"
          "\"variance\":[0.05,0.05,0.05]")),
      1 / 255.0f },
  { "nothing", SEQUENTIAL (LAYER ("GlobalMaxPooling2D", "g", "")), 0 },
  { "rescaling_by_one", SEQUENTIAL (LAYER ("Rescaling", "r", ",\"scale\":1.0")),
      0 },
};

typedef struct {
  const char *name, *assumed;
  float scale, bias;
  gboolean bgr;
} Convention;

static const Convention conventions[] = {
  { "mobilenetv2_1.00_224", "-1..1, colour order RGB", 1 / 127.5f, -1, FALSE },
  { "resnet50v2", "-1..1, colour order RGB", 1 / 127.5f, -1, FALSE },
  { "resnet50", "Caffe's mean, colour order BGR", 1, -103.939f, TRUE },
  { "densenet121", "ImageNet's mean and deviation, colour order RGB",
      1 / (255 * 0.229f), -0.485f / 0.229f, FALSE },
  { "my_own", "0..1, colour order RGB", 1 / 255.0f, 0, FALSE },
};

/* The names that keras.applications gives, with ImageNet's 1,000 classes. */
static void
named_network_is_fed_as_its_authors_do (gconstpointer user_data)
{
  const Convention *row = user_data;
  g_autoptr (GError) error = NULL;
  g_auto (GStrv) parts = g_strsplit (
      SEQUENTIAL (LAYER ("UpSampling2D", "u", ",\"size\":[250,1]") "," LAYER (
          "Reshape", "r",
          ",\"target_shape\":[12,1000]") "," LAYER ("GlobalAveragePooling1D",
          "g", "")),
      "\"name\":\"s\"", 2);
  g_autofree char *config =
      g_strdup_printf ("%s\"name\":\"%s\"%s", parts[0], row->name, parts[1]);
  Files files;
  files_init (&files);
  write_archive (files.path, files.h5, config, strlen (config));
  g_autoptr (ForgeModel) model = forge_model_load (files.path, &error);
  g_assert_no_error (error);
  const ForgePreprocess *preprocess = forge_model_get_preprocess (model);
  g_assert_cmpfloat_with_epsilon (preprocess->scale[0], row->scale, 1e-6);
  g_assert_cmpfloat_with_epsilon (preprocess->bias[0], row->bias, 1e-4);
  g_assert_cmpint (preprocess->bgr, ==, row->bgr);
  g_assert_nonnull (strstr (forge_model_get_assumptions (model), row->assumed));
  files_clear (&files);
}

typedef struct {
  const char *name, *config;
  int code;
  const char *texts[4]; /* all of them stand in the message */
} Refusal;

#define FUNCTIONAL(layers, outputs)                                        \
  "{\"class_name\":\"Functional\",\"config\":{\"name\":\"f\",\"layers\":[" \
  "{\"class_name\":\"InputLayer\",\"config\":{\"name\":\"in\","            \
  "\"batch_shape\":[null,4,4,3]},\"inbound_nodes\":[]}," layers            \
  "],\"input_layers\":[[\"in\",0,0]],\"output_layers\":[" outputs "]}}"
#define NODE(class_name, name, inbound)                             \
  "{\"class_name\":\"" class_name "\",\"config\":{\"name\":\"" name \
  "\"},\"inbound_nodes\":[" inbound "]}"

static const Refusal refusals[] = {
  { "all_unsupported_layers_at_once",
      SEQUENTIAL (LAYER ("LSTM", "l1", "") "," LAYER ("Lambda", "l2",
          "") "," LAYER ("Activation", "l3", ",\"activation\":\"cosine\"")),
      FORGE_ERROR_UNSUPPORTED,
      { "'l1' (LSTM)", "'l2' (Lambda: its Python code",
          "'l3' (Activation: "
          "activation 'cosine')" } },
  { "unsupported_layers_of_nested_models",
      SEQUENTIAL ("{\"class_name\":\"Sequential\",\"config\":{\"name\":\"in2\","
                  "\"layers\":[" LAYER ("Conv3D", "deep", "") "]}}," LAYER (
                      "GRU", "last", "")),
      FORGE_ERROR_UNSUPPORTED, { "'deep' (Conv3D)", "'last' (GRU)" } },
  { "quantised_weights",
      SEQUENTIAL (LAYER ("Dense", "q",
          ",\"units\":2,\"dtype\":"
          "\"int8_from_float32\"")),
      FORGE_ERROR_UNSUPPORTED, { "'q' (Dense: quantised" } },
  { "missing_weights", SEQUENTIAL (LAYER ("Dense", "d", ",\"units\":5")),
      FORGE_ERROR_FORMAT,
      { "layer 'd' (Dense)", "'kernel'", "[3, 5] is missing", "m.keras" } },
  { "cycle",
      FUNCTIONAL (NODE ("ReLU", "a", "[[\"b\",0,0,{}]]") "," NODE (
                      "ReLU", "b", "[[\"a\",0,0,{}]]"),
          "[\"b\",0,0]"),
      FORGE_ERROR_FORMAT, { "cycle: 'b' needs 'a' needs 'b'" } },
  { "reference_to_nothing",
      FUNCTIONAL (NODE ("ReLU", "a", "[[\"gone\",0,0,{}]]"), "[\"a\",0,0]"),
      FORGE_ERROR_FORMAT, { "'gone'", "does not have" } },
  { "output_that_is_not_there",
      FUNCTIONAL (NODE ("ReLU", "a", "[[\"in\",0,0,{}]]"), "[\"a\",0,3]"),
      FORGE_ERROR_FORMAT, { "'a'", "does not have" } },
  { "two_layers_of_one_name",
      FUNCTIONAL (NODE ("ReLU", "a", "[[\"in\",0,0,{}]]") "," NODE (
                      "ReLU", "a", "[[\"in\",0,0,{}]]"),
          "[\"a\",0,0]"),
      FORGE_ERROR_FORMAT, { "'a'", "two layers" } },
  { "absurd_upsampling",
      SEQUENTIAL (LAYER ("UpSampling2D", "u", ",\"size\":[32768,32768]")),
      FORGE_ERROR_SHAPE, { "'u' (UpSampling2D)" } },
  { "absurd_repetition",
      SEQUENTIAL (LAYER ("Cropping2D", "c", ",\"cropping\":[[3,3],[0,0]]")),
      FORGE_ERROR_FORMAT, { "'c' (Cropping2D)", "smaller than the 4x4" } },
  { "subclassed_model", "{\"class_name\":\"MyModel\",\"config\":{}}",
      FORGE_ERROR_UNSUPPORTED, { "'MyModel'", "export it" } },
  { "configuration_of_another_kind", "[1, 2]", FORGE_ERROR_FORMAT,
      { "not a JSON object" } },
  { "no_configuration", "not JSON", FORGE_ERROR_FORMAT, { "not JSON" } },
};

static void
what_cannot_run_is_named (gconstpointer user_data)
{
  const Refusal *row = user_data;
  g_autoptr (GError) error = NULL;
  Files files;
  files_init (&files);
  write_archive (files.path, files.h5, row->config, strlen (row->config));
  g_assert_null (forge_model_load (files.path, &error));
  g_assert_nonnull (error);
  g_test_message ("%s", error->message);
  g_assert_error (error, FORGE_ERROR, row->code);
  for (guint i = 0; i < G_N_ELEMENTS (row->texts) && row->texts[i]; i++)
    g_assert_nonnull (strstr (error->message, row->texts[i]));
  files_clear (&files);
}

/* Of [3, 4] where the layer wants [3, 5]; and integers. */
static void
weight_of_another_shape_is_named (gconstpointer kind)
{
  static const char config[] =
      SEQUENTIAL (LAYER ("Dense", "d", ",\"units\":5"));
  const hsize_t dims[] = { 3, kind ? 5 : 4 };
  g_autoptr (GError) error = NULL;
  Files files;
  files_init (&files);
  hid_t file = H5Fcreate (files.h5, H5F_ACC_TRUNC, H5P_DEFAULT, H5P_DEFAULT);
  hid_t links = H5Pcreate (H5P_LINK_CREATE);
  H5Pset_create_intermediate_group (links, 1);
  hid_t space = H5Screate_simple (2, dims, NULL);
  hid_t set = H5Dcreate2 (file, "layers/dense/vars/0",
      kind ? H5T_NATIVE_INT : H5T_NATIVE_FLOAT, space, links, H5P_DEFAULT,
      H5P_DEFAULT);
  g_assert_cmpint (set, >=, 0);
  H5Dclose (set);
  H5Sclose (space);
  H5Pclose (links);
  H5Fclose (file);
  zip_archive (files.path, files.h5, config, sizeof config - 1);
  g_assert_null (forge_model_load (files.path, &error));
  g_assert_error (error, FORGE_ERROR, FORGE_ERROR_SHAPE);
  g_assert_nonnull (strstr (error->message, "'d' (Dense)"));
  g_assert_nonnull (strstr (error->message, "'kernel'"));
  g_assert_nonnull (strstr (error->message, "[3, 5], found"));
  g_assert_nonnull (
      strstr (error->message, kind ? "other values" : "found [3, 4]"));
  files_clear (&files);
}

/* Models that call models four times that call models: 4^12 layers in a small
 * file. */
static void
nested_calls_are_counted (void)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *inner =
      g_strdup ("{\"class_name\":\"ReLU\",\"config\":{\"name\":\"m\"}");
  for (int level = 0; level < 12; level++) {
    char *outer = g_strdup_printf (
        "{\"class_name\":\"Functional\",\"config\":{\"name\":\"m\","
        "\"layers\":[{\"class_name\":\"InputLayer\",\"config\":{\"name\":"
        "\"in\",\"batch_shape\":[null,4,4,3]}},%s,\"inbound_nodes\":["
        "[[\"in\",0,0,{}]],[[\"m\",%d,0,{}]],[[\"m\",%d,0,{}]],"
        "[[\"m\",%d,0,{}]]]}],\"input_layers\":[[\"in\",0,0]],"
        "\"output_layers\":[[\"m\",%d,0]]}",
        inner, level > 0, 1 + (level > 0), 2 + (level > 0), 3 + (level > 0));
    g_free (inner);
    inner = outer;
  }
  g_autofree char *config = g_strconcat (inner, "}", NULL);
  Files files;
  files_init (&files);
  write_archive (files.path, files.h5, config, strlen (config));
  g_assert_null (forge_model_load (files.path, &error));
  g_assert_error (error, FORGE_ERROR, FORGE_ERROR_UNSUPPORTED);
  g_assert_nonnull (strstr (error->message, "50000 calls"));
  files_clear (&files);
}

static void
zip_bomb_is_refused (void)
{
  g_autoptr (GError) error = NULL;
  Files files;
  files_init (&files);
  gsize size_bytes = ((gsize) 64 << 20) + 1;
  g_autofree char *zeros = g_malloc0 (size_bytes);
  write_archive (files.path, files.h5, zeros, size_bytes);
  g_assert_null (forge_model_load (files.path, &error));
  g_assert_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT);
  g_assert_nonnull (strstr (error->message, "absurd size"));
  files_clear (&files);
}

/* What save_weights writes, and a missing program. */
static void
hdf5_without_structure_is_refused_with_a_hint (void)
{
  g_autoptr (GError) error = NULL;
  Files files;
  files_init (&files);
  write_archive (files.path, files.h5, "{}", 2);
  g_assert_null (forge_model_load (files.h5, &error));
  g_assert_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT);
  g_assert_nonnull (strstr (error->message, "model.save"));
  g_clear_error (&error);
  g_autofree char *before = g_strdup (g_getenv ("FORGE_HDF5_READER"));
  g_setenv ("FORGE_HDF5_READER", "/nowhere/reader", TRUE);
  g_assert_null (forge_model_load (files.h5, &error));
  g_assert_error (error, FORGE_ERROR, FORGE_ERROR_IO);
  g_assert_nonnull (strstr (error->message, "FORGE_HDF5_READER"));
  if (before)
    g_setenv ("FORGE_HDF5_READER", before, TRUE);
  else
    g_unsetenv ("FORGE_HDF5_READER");
  files_clear (&files);
}

/* A reader that dies, writes nothing or writes rubbish is told apart. */
static void
failing_reader_is_an_error (gconstpointer user_data)
{
  const char *const *row = user_data; /* script, text of the error */
  g_autoptr (GError) error = NULL;
  Files files;
  files_init (&files);
  write_archive (files.path, files.h5, "{}", 2);
  g_autofree char *program = g_build_filename (files.folder, "reader", NULL);
  g_autofree char *script = g_strdup_printf ("#!/bin/sh\n%s\n", row[0]);
  g_assert_true (g_file_set_contents (program, script, -1, NULL));
  g_assert_cmpint (g_chmod (program, 0755), ==, 0);
  g_autofree char *before = g_strdup (g_getenv ("FORGE_HDF5_READER"));
  g_setenv ("FORGE_HDF5_READER", program, TRUE);
  g_assert_null (forge_model_load (files.h5, &error));
  g_assert_error (error, FORGE_ERROR, FORGE_ERROR_FORMAT);
  g_test_message ("%s", error->message);
  g_assert_nonnull (strstr (error->message, row[1]));
  if (before)
    g_setenv ("FORGE_HDF5_READER", before, TRUE);
  else
    g_unsetenv ("FORGE_HDF5_READER");
  g_remove (program);
  files_clear (&files);
}

static const char *const readers[][2] = {
  { "kill -SEGV $$", "signal 11" },
  { "exit 0", "damaged" },
  { "exit 3", "absurd" },
  { "printf 'FORGEH5\\001D\\377\\377\\377\\377' >&4", "damaged" },
};

/* Hundreds of damaged copies: an error or a model, and we are still here. */
static void
damaged_file_never_crashes_us (gconstpointer name)
{
  g_autofree char *path = g_build_filename (g_getenv ("FORGE_SOURCE_ROOT"),
      "tests", "models", "keras-references", name, NULL);
  size_t size_bytes;
  g_autofree uint8_t *bytes =
      forge_file_read (path, 1u << 30, &size_bytes, NULL);
  g_assert_nonnull (bytes);
  ForgeRng rng;
  forge_rng_seed (&rng, SEED);
  g_test_message ("seed %d", SEED);
  guint n_read = 0;
  for (guint i = 0; i < N_MUTATIONS; i++) {
    g_autofree uint8_t *copy = g_memdup2 (bytes, size_bytes);
    for (uint32_t n = 1 + forge_rng_below (&rng, 6); n > 0; n--)
      copy[forge_rng_below (&rng, (uint32_t) size_bytes)] =
          (uint8_t) forge_rng_below (&rng, 256);
    g_autoptr (GError) error = NULL;
    g_autoptr (ForgeModel) model =
        forge_model_load_bytes (copy, size_bytes, "damaged", &error);
    g_assert_true (!model == !!error);
    n_read += model != NULL;
  }
  g_test_message ("%u of %u were read", n_read, N_MUTATIONS);
  g_assert_cmpuint (n_read, <, N_MUTATIONS);
}

static void
add (const char *claim, const char *of, gconstpointer data,
    GTestDataFunc function)
{
  g_autofree char *plain = g_strdelimit (g_strdup (of), "/ ", '-');
  g_autofree char *path = g_strdup_printf ("/keras/%s/%s", claim, plain);
  g_test_add_data_func (path, data, function);
}

int
main (int argc, char **argv)
{
  static const char *const damaged[] = { "sequential.keras",
    "checkpoint-names.keras", "sequential-2.h5", "nested-3.h5" };
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
  for (gsize i = 0; i < G_N_ELEMENTS (stated); i++)
    add ("first_layers_state_the_range", stated[i].name, &stated[i],
        first_layers_state_the_range);
  for (gsize i = 0; i < G_N_ELEMENTS (conventions); i++)
    add ("named_network_is_fed_as_its_authors_do", conventions[i].name,
        &conventions[i], named_network_is_fed_as_its_authors_do);
  for (gsize i = 0; i < G_N_ELEMENTS (refusals); i++)
    add ("what_cannot_run_is_named", refusals[i].name, &refusals[i],
        what_cannot_run_is_named);
  for (gsize i = 0; i < G_N_ELEMENTS (readers); i++)
    add ("failing_reader_is_an_error", readers[i][0], readers[i],
        failing_reader_is_an_error);
  for (gsize i = 0; i < G_N_ELEMENTS (damaged); i++)
    add ("damaged_file_never_crashes_us", damaged[i], damaged[i],
        damaged_file_never_crashes_us);
  g_test_add_data_func ("/keras/weight_of_another_shape_is_named/floats", NULL,
      weight_of_another_shape_is_named);
  g_test_add_data_func ("/keras/weight_of_another_shape_is_named/integers",
      "integers", weight_of_another_shape_is_named);
  g_test_add_func ("/keras/nested_calls_are_counted", nested_calls_are_counted);
  g_test_add_func ("/keras/zip_bomb_is_refused", zip_bomb_is_refused);
  g_test_add_func ("/keras/hdf5_without_structure_is_refused_with_a_hint",
      hdf5_without_structure_is_refused_with_a_hint);
  return g_test_run ();
}
