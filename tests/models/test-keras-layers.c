/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * Keras files of every layer give what numpy makes of them
 * (keras/make-keras-references.py, which shares nothing with the engine), and
 * so do reduced networks of keras.applications, made by the same script when
 * the test runs; all of them still after they were written as ONNX. */
#include <glib/gstdio.h>
#include <math.h>
#include <string.h>

#include "compare.h"
#include "forge/convert.h"
#include "forge/error.h"
#include "formats/format.h"
#include "formats/keras.h"
#include "ort.h"
#include "tensor/tensor.h"

#define PYTHON "/usr/bin/python3"
#define BATCH 2

static char *folder; /* for what is written */

static char *
source_file (const char *first, const char *second)
{
  return g_build_filename (
      g_getenv ("FORGE_SOURCE_ROOT"), "tests", "models", first, second, NULL);
}

static ForgeTensor *
load_values (const char *model, const char *suffix)
{
  g_autoptr (GError) error = NULL;
  g_autofree char *base =
      g_strndup (model, (gsize) (strrchr (model, '.') - model));
  g_autofree char *path = g_strconcat (base, suffix, NULL);
  ForgeTensor *tensor = forge_tensor_load_npy (path, &error);
  g_assert_no_error (error);
  return tensor;
}

/* All inputs one after another. */
static void
fill_inputs (ForgeModel *model, ForgeSession *session, const ForgeTensor *in)
{
  const float *from = in->data;
  int64_t at = 0, count = forge_tensor_get_count (in);
  for (guint i = 0; i < forge_model_get_n_inputs (model); i++) {
    ForgeTensor *input = forge_session_get_input (session, i);
    int64_t n = forge_tensor_get_count (input);
    g_assert_cmpint (at + n, <=, count);
    memcpy (input->data, from + at, (size_t) n * sizeof *from);
    at += n;
  }
  g_assert_cmpint (at, ==, count);
}

/* All outputs one after another, each against its own largest value. */
static void
compare_outputs (ForgeModel *model, ForgeSession *session,
    const ForgeTensor *out, double tolerance)
{
  const float *want = out->data;
  int64_t at = 0, count = forge_tensor_get_count (out);
  for (guint k = 0; k < forge_model_get_n_outputs (model); k++) {
    const ForgeTensor *found = forge_session_get_output (session, k);
    const float *have = found->data;
    int64_t n = forge_tensor_get_count (found);
    g_assert_cmpint (at + n, <=, count);
    double most = 1e-3;
    for (int64_t i = 0; i < n; i++)
      most = MAX (most, fabs (want[at + i]));
    for (int64_t i = 0; i < n; i++)
      if (!(fabs (have[i] - want[at + i]) <= tolerance * most)) {
        g_autofree char *shape = forge_shape_to_string (&found->shape);
        g_test_message ("output %u %s, element %" G_GINT64_FORMAT
                        ": expected %.9g, found %.9g",
            k, shape, i, want[at + i], have[i]);
        g_test_fail ();
        break;
      }
    at += n;
  }
  g_assert_cmpint (at, ==, count);
}

static void
check_model (ForgeModel *model, const char *path, double tolerance)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeTensor) in = load_values (path, "-in.npy");
  g_autoptr (ForgeTensor) out = load_values (path, "-out.npy");
  ForgeSessionParams params = FORGE_SESSION_PARAMS_DEFAULT;
  params.batch = BATCH;
  g_autoptr (ForgeSession) session = forge_session_new (model, &params, &error);
  g_assert_no_error (error);
  fill_inputs (model, session, in);
  forge_session_run (session);
  compare_outputs (model, session, out, tolerance);
}

/* ONNX Runtime on a written file of one input and one output, where it is
 * installed. */
static void
check_with_runtime (Ort *ort, ForgeModel *model, const char *written,
    const char *path, double tolerance)
{
  ForgePort input = forge_model_get_input (model, 0);
  ForgePort output = forge_model_get_output (model, 0);
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeTensor) in = load_values (path, "-in.npy");
  g_autoptr (ForgeTensor) out = load_values (path, "-out.npy");
  input.shape.dims[0] = output.shape.dims[0] = BATCH;
  g_autoptr (ForgeTensor) given =
      forge_tensor_new (FORGE_FLOAT32, &input.shape, &error);
  g_autoptr (ForgeTensor) found =
      forge_tensor_new (FORGE_FLOAT32, &output.shape, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (given->size_bytes, ==, in->size_bytes);
  g_assert_cmpuint (found->size_bytes, ==, out->size_bytes);
  memcpy (given->data, in->data, in->size_bytes);
  ort_run (ort, written, NULL, 0, input.name, given, output.name, found);
  const float *want = out->data;
  double most = 1e-3;
  for (int64_t i = 0; i < forge_tensor_get_count (out); i++)
    most = MAX (most, fabs (want[i]));
  found->shape = out->shape;
  g_assert_cmpfloat (max_difference (found, out), <=, tolerance * most);
}

/* As it is, and as the ONNX file made of it. @ort may be NULL. */
static void
check_file (Ort *ort, const char *path, double tolerance)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeModel) model = forge_model_load (path, &error);
  g_assert_no_error (error);
  check_model (model, path, tolerance);
  g_autofree char *base = g_path_get_basename (path);
  g_autofree char *file = g_strconcat (base, ".onnx", NULL);
  g_autofree char *written = g_build_filename (folder, file, NULL);
  forge_model_save_onnx (model, NULL, FORGE_WEIGHTS_AS_READ, written, &error);
  g_assert_no_error (error);
  g_autoptr (ForgeModel) again = forge_model_load (written, &error);
  g_assert_no_error (error);
  check_model (again, path, tolerance);
  if (ort)
    check_with_runtime (ort, again, written, path, tolerance);
}

static void
layers_compute_what_numpy_does (gconstpointer path)
{
  check_file (NULL, path, 2e-6);
}

static gboolean
is_keras (const char *name)
{
  return g_str_has_suffix (name, ".keras") || g_str_has_suffix (name, ".h5");
}

static GPtrArray *
list_models (const char *where)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (GDir) dir = g_dir_open (where, 0, &error);
  g_assert_no_error (error);
  GPtrArray *paths = g_ptr_array_new_with_free_func (g_free);
  const char *name;
  while ((name = g_dir_read_name (dir)))
    if (is_keras (name))
      g_ptr_array_add (paths, g_build_filename (where, name, NULL));
  return paths;
}

/* Some hundred layers deep: rounding adds up. */
static void
networks_compute_what_numpy_does (void)
{
  g_autofree char *script = source_file ("keras", "make-keras-references.py");
  const char *argv[] = { PYTHON, script, "--networks", folder, NULL };
  g_autofree char *text = NULL;
  int status;
  if (!g_spawn_sync (NULL, (char **) argv, NULL, G_SPAWN_STDOUT_TO_DEV_NULL,
          NULL, NULL, NULL, &text, &status, NULL) ||
      strstr (text, "ModuleNotFoundError")) {
    g_test_skip ("no python3-h5py to make the networks with");
    return;
  }
  if (status != 0)
    g_error ("%s", text);
  g_autoptr (GPtrArray) paths = list_models (folder);
  g_assert_cmpuint (paths->len, >=, 11);
  g_autofree char *problem = NULL;
  OrtParams params = { .optimise = TRUE, .threads = 1 };
  g_autoptr (Ort) ort = ort_open_with (&params, &problem);
  g_test_message ("ONNX Runtime: %s", ort ? ort_version (ort) : problem);
  for (guint i = 0; i < paths->len; i++) {
    g_test_message ("%s", (char *) paths->pdata[i]);
    check_file (ort, paths->pdata[i], 2e-5);
  }
}

/* All files that the tests before this one wrote, at one go. */
static void
onnx_checker_accepts_what_was_written (void)
{
  static const char script[] =
      "import glob, sys\n"
      "try:\n"
      "  import onnx\n"
      "except ImportError:\n"
      "  sys.exit(77)\n"
      "paths = glob.glob(sys.argv[1] + '/*.onnx')\n"
      "assert paths\n"
      "for path in paths:\n"
      "  sys.stderr.write(path + '\\n')\n"
      "  onnx.checker.check_model(onnx.load(path), full_check=True)\n";
  const char *argv[] = { PYTHON, "-c", script, folder, NULL };
  g_autofree char *text = NULL;
  int status;
  if (!g_spawn_sync (NULL, (char **) argv, NULL, G_SPAWN_STDOUT_TO_DEV_NULL,
          NULL, NULL, NULL, &text, &status, NULL) ||
      status >> 8 == 77) {
    g_test_skip ("no python3-onnx to ask");
    return;
  }
  if (status != 0)
    g_error ("onnx.checker: %s", text);
}

/* What the references' configurations say, one after another. */
static char *
read_configurations (void)
{
  GString *text = g_string_new (NULL);
  g_autofree char *where = source_file ("keras-references", NULL);
  g_autoptr (GPtrArray) paths = list_models (where);
  for (guint i = 0; i < paths->len; i++) {
    KerasArchive files;
    g_autofree char *bytes = NULL;
    gsize size_bytes;
    if (!g_str_has_suffix (paths->pdata[i], ".keras"))
      continue;
    g_assert_true (
        g_file_get_contents (paths->pdata[i], &bytes, &size_bytes, NULL));
    g_assert_true (
        keras_archive_open (&files, bytes, size_bytes, "reference", NULL));
    g_string_append (text, files.config);
    keras_archive_clear (&files);
  }
  return g_string_free (text, FALSE);
}

/* Every layer of the table stands in a reference, so that the tests above have
 * run it, and in the documentation. */
static void
every_layer_is_tested_and_documented (void)
{
  g_autofree char *configurations = read_configurations ();
  g_autofree char *readme = g_build_filename (
      g_getenv ("FORGE_SOURCE_ROOT"), "engine", "README.md", NULL);
  g_autofree char *text = NULL;
  g_assert_true (g_file_get_contents (readme, &text, NULL, NULL));
  char *table = strstr (text, "## Keras layers");
  g_assert_nonnull (table);
  char *end = strstr (table, "\n## ");
  g_assert_nonnull (end);
  *end = 0;
  g_autofree const char **names = keras_layer_list ();
  for (const char **name = names; *name; name++) {
    g_autofree char *pattern = g_strdup_printf ("\\b%s\\b", *name);
    if (!g_regex_match_simple (pattern, table, 0, 0)) {
      g_test_message ("engine/README.md does not name %s", *name);
      g_test_fail ();
    }
    g_autofree char *use = g_strdup_printf ("\"class_name\": \"%s\"", *name);
    if (!strstr (configurations, use)) {
      g_test_message ("no reference has a %s", *name);
      g_test_fail ();
    }
  }
}

static void
remove_folder (void)
{
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const char *name;
  while (dir && (name = g_dir_read_name (dir))) {
    g_autofree char *path = g_build_filename (folder, name, NULL);
    g_remove (path);
  }
  g_rmdir (folder);
  g_free (folder);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  folder = g_dir_make_tmp ("forge-keras-XXXXXX", NULL);
  g_autofree char *references = source_file ("keras-references", NULL);
  g_autoptr (GPtrArray) paths = list_models (references);
  for (guint i = 0; i < paths->len; i++) {
    g_autofree char *base = g_path_get_basename (paths->pdata[i]);
    g_autofree char *name =
        g_strconcat ("/keras/layers_compute_what_numpy_does/", base, NULL);
    g_test_add_data_func (
        name, paths->pdata[i], layers_compute_what_numpy_does);
  }
  g_test_add_func ("/keras/networks_compute_what_numpy_does",
      networks_compute_what_numpy_does);
  g_test_add_func ("/keras/every_layer_is_tested_and_documented",
      every_layer_is_tested_and_documented);
  g_test_add_func ("/keras/written/onnx_checker_accepts_what_was_written",
      onnx_checker_accepts_what_was_written);
  int status = g_test_run ();
  remove_folder ();
  return status;
}
