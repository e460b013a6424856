/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * TensorFlow Lite files: integer networks give what the runtime's reference
 * kernels (make-tflite-operators.py) and an independent re-implementation of
 * them (make-tflite-references.py) give, layer by layer and to the last bit;
 * float ones to rounding; damaged ones
 * are refused by name; a photo is classified as its file is named. */
#include <string.h>

#include "base/file.h"
#include "compare.h"
#include "forge/classifier.h"
#include "forge/error.h"
#include "formats/format.h"
#include "run/model.h"
#include "tensor/tensor.h"

static char *
source_path (const char *folder, const char *name, const char *suffix)
{
  g_autofree char *file = g_strconcat (name, suffix, NULL);
  return g_build_filename (
      g_getenv ("FORGE_SOURCE_ROOT"), "tests", folder, file, NULL);
}

/* What a file of tflite-references is held to: @steps of an output's scale
 * where bytes are behind it, else @relative to 1 + its size. */
typedef struct {
  const char *name;
  double steps, relative;
} Reference;

/* The scale of bytes that leave as float32; 0 for what is computed so. */
static double
step_of (const ForgeModel *model, guint output)
{
  const ForgeValue *value =
      forge_model_get_graph (model)->outputs->pdata[output];
  const ForgeNode *node = value->producer;
  if (!node || strcmp (node->op->type, "DequantizeLinear") != 0)
    return 0;
  return *(const float *) forge_node_in (node, 1)->constant->data;
}

/* All outputs one after another against the stored ones. */
static void
compare_outputs (const ForgeModel *model, ForgeSession *session,
    const ForgeTensor *expected, const Reference *reference)
{
  const float *want = expected->data;
  int64_t at = 0, count = forge_tensor_get_count (expected);
  for (guint k = 0; k < forge_model_get_n_outputs (model); k++) {
    const ForgeTensor *found = forge_session_get_output (session, k);
    const float *have = found->data;
    int64_t n = forge_tensor_get_count (found);
    double step = step_of (model, k);
    g_assert_cmpint (found->dtype, ==, FORGE_FLOAT32);
    g_assert_cmpint (at + n, <=, count);
    for (int64_t i = 0; i < n; i++) {
      double tolerance =
          step > 0 ? reference->steps * step * 1.0001
                   : reference->relative * (1 + ABS ((double) want[at + i]));
      if (ABS ((double) have[i] - want[at + i]) <= tolerance)
        continue;
      g_test_message ("output %u of %s, element %" G_GINT64_FORMAT
                      ": expected %.9g, found %.9g (step %g)",
          k, forge_model_get_output (model, k).name, i, want[at + i], have[i],
          step);
      g_test_fail ();
      break;
    }
    at += n;
  }
  g_assert_cmpint (at, ==, count);
}

static void
network_gives_the_reference_kernels_result (gconstpointer user_data)
{
  const Reference *reference = user_data;
  const char *name = reference->name;
  g_autofree char *path = source_path ("fuzz/corpus/tflite", name, ".tflite");
  g_autofree char *in =
      source_path ("models/tflite-references", name, "-in.npy");
  g_autofree char *out =
      source_path ("models/tflite-references", name, "-out.npy");
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeTensor) input = forge_tensor_load_npy (in, &error);
  g_assert_no_error (error);
  g_autoptr (ForgeTensor) expected = forge_tensor_load_npy (out, &error);
  g_assert_no_error (error);
  g_autoptr (ForgeModel) model = forge_model_load (path, &error);
  g_assert_no_error (error);
  g_autoptr (ForgeSession) session = run_model (model, &input, 1, &error);
  g_assert_no_error (error);
  compare_outputs (model, session, expected, reference);
}

/* Several pictures at once, where the file leaves the batch open. */
static void
open_batch_is_an_open_batch (void)
{
  g_autofree char *path =
      source_path ("fuzz/corpus/tflite", "network-float", ".tflite");
  g_autoptr (GError) error = NULL;
  g_autoptr (ForgeModel) model = forge_model_load (path, &error);
  g_assert_no_error (error);
  ForgeSessionParams params = { .threads = 1, .batch = 3 };
  g_autoptr (ForgeSession) session = forge_session_new (model, &params, &error);
  g_assert_no_error (error);
  const ForgeTensor *out = forge_session_get_output (session, 0);
  g_assert_cmpint (out->shape.rank, ==, 2);
  g_assert_cmpint (out->shape.dims[0], ==, 3);
  g_assert_true (forge_model_has_probabilities (model));
}

/* Every prefix is refused. */
static void
truncated_file_is_refused (gconstpointer name)
{
  size_t size_bytes;
  g_autofree char *path = source_path ("fuzz/corpus/tflite", name, ".tflite");
  g_autofree char *bytes = forge_file_read (path, 1u << 20, &size_bytes, NULL);
  g_assert_nonnull (bytes);
  /* the last bytes are padding */
  for (size_t cut = 8; cut < size_bytes - 8; cut += 1 + cut / 64) {
    g_autofree char *part = g_memdup2 (bytes, cut);
    g_autoptr (GError) error = NULL;
    ForgeSource source = { .name = "cut.tflite" };
    g_autoptr (ForgeGraph) graph =
        forge_format_read_bytes (part, cut, &source, &error);
    g_assert_null (graph);
    g_assert_nonnull (error);
    g_assert_true (g_str_has_prefix (error->message, "cut.tflite: "));
  }
}

/* Bytes of a corpus file changed at a place that a text marks. */
static const struct {
  const char *what, *file;
  uint8_t from, to; /* the first byte pair "from 0 0 0" of an operator code */
  int code;
  const char *text;
} refusals[] = {
  { "unknown operator", "softmax-int8", 25, 16, FORGE_ERROR_UNSUPPORTED,
      "1 kind of operators not supported: LSTM version 1 (operator 0)" },
  { "operator of another time", "softmax-int8", 25, 127,
      FORGE_ERROR_UNSUPPORTED, "builtin 127 version 1 (operator 0)" },
  { "operator for other inputs", "softmax-int8", 25, 3, FORGE_ERROR_FORMAT,
      "operator 0 (CONV_2D): " },
};

static void
what_is_not_supported_is_named (void)
{
  for (gsize i = 0; i < G_N_ELEMENTS (refusals); i++) {
    size_t size_bytes;
    g_autofree char *path =
        source_path ("fuzz/corpus/tflite", refusals[i].file, ".tflite");
    g_autofree uint8_t *bytes =
        forge_file_read (path, 1u << 20, &size_bytes, NULL);
    guint n_changed = 0;
    for (size_t k = 0; k < size_bytes; k++)
      if (bytes[k] == refusals[i].from) {
        bytes[k] = refusals[i].to;
        n_changed++;
      }
    /* the code stands in both of its fields */
    g_assert_cmpuint (n_changed, ==, 2);
    g_autoptr (GError) error = NULL;
    ForgeSource source = { .name = "made.tflite" };
    g_autoptr (ForgeGraph) graph =
        forge_format_read_bytes (bytes, size_bytes, &source, &error);
    g_test_message ("%s: %s", refusals[i].what, error ? error->message : "-");
    g_assert_null (graph);
    g_assert_error (error, FORGE_ERROR, refusals[i].code);
    g_assert_nonnull (strstr (error->message, refusals[i].text));
  }
}

/* The class of a file named <synset>_<name>; the first class of 1001 is the
 * background. 0 when there is none. */
static guint
class_of (char **synsets, const char *name)
{
  for (guint i = 0; synsets[i]; i++)
    if (strncmp (synsets[i], name, strlen ("n01440764")) == 0)
      return i + 1;
  return 0;
}

static guint
count_agreements (ForgeClassifier *classifier, char **synsets,
    const char *folder, guint most, guint *n_pictures)
{
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const char *name;
  guint n_agreements = 0;
  *n_pictures = 0;
  while (*n_pictures < most && dir && (name = g_dir_read_name (dir))) {
    g_autofree char *path = g_build_filename (folder, name, NULL);
    g_autoptr (GError) error = NULL;
    g_autoptr (ForgePicture) picture = forge_picture_load (path, &error);
    g_assert_no_error (error);
    ForgeFrame frame = forge_picture_frame (picture);
    g_assert_true (forge_classifier_set_frame (classifier, 0, &frame, &error));
    forge_classifier_run (classifier);
    ForgeClass best;
    g_assert_cmpuint (
        forge_classifier_get_top (classifier, 0, 1, &best), ==, 1);
    n_agreements += best.class_id == class_of (synsets, name);
    ++*n_pictures;
  }
  return n_agreements;
}

static void
photos_are_what_their_names_say (gconstpointer name)
{
  const char *wanted = g_getenv ("FORGE_ACCURACY_PICTURES");
  guint most = wanted ? (guint) g_ascii_strtoull (wanted, NULL, 10) : 12;
  guint n_pictures;
  g_autoptr (GError) error = NULL;
  g_autofree char *path = find_data (name);
  g_autofree char *folder = path ? find_data ("images/imagenet") : NULL;
  g_autofree char *list =
      folder ? find_data ("labels/imagenet_synset_words.txt") : NULL;
  g_autofree char *text = NULL;
  if (!list)
    return;
  g_assert_true (g_file_get_contents (list, &text, NULL, NULL));
  g_auto (GStrv) synsets = g_strsplit (text, "\n", -1);
  g_autoptr (ForgeModel) model = forge_model_load (path, &error);
  g_assert_no_error (error);
  g_assert_true (forge_model_has_probabilities (model));
  ForgeClassifierParams params = FORGE_CLASSIFIER_PARAMS_DEFAULT;
  g_autoptr (ForgeClassifier) classifier =
      forge_classifier_new (model, &params, &error);
  g_assert_no_error (error);
  guint n_agreements =
      count_agreements (classifier, synsets, folder, most, &n_pictures);
  g_test_message (
      "%s: %u of %u", (const char *) name, n_agreements, n_pictures);
  g_assert_cmpuint (n_agreements * 10, >=, n_pictures * 7);
}

int
main (int argc, char **argv)
{
  /* re-implemented in Python, then by the runtime; the last three are not
   * said to be exact: some of their operators go through float32 */
  static const Reference references[] = { { "network-int8", 0, 0 },
    { "network-uint8", 0, 0 }, { "network-float", 0, 1e-6 },
    { "softmax-int8", 0, 0 }, { "softmax-uint8", 0, 0 },
    { "operators-int8-layers", 0, 0 }, { "operators-int8-moves", 0, 0 },
    { "operators-int8-functions", 0, 0 }, { "operators-uint8-layers", 0, 0 },
    { "operators-uint8-moves", 0, 0 }, { "operators-uint8-functions", 0, 0 },
    { "operators-float-layers", 0, 3e-6 }, { "operators-float-moves", 0, 0 },
    { "operators-float-functions", 0, 3e-6 }, { "operators-hybrid", 0, 3e-6 },
    { "operators-int8-near", 1, 0 }, { "operators-uint8-near", 1, 0 } };
  static const char *const photos[] = {
    "tflite/mobilenet_v1_1.0_224_quant.tflite",
    "tflite/tf2_mobilenet_v2_1.0_224_ptq.tflite",
  };
  g_test_init (&argc, &argv, NULL);
  for (gsize i = 0; i < G_N_ELEMENTS (references); i++) {
    const char *name = references[i].name;
    g_autofree char *result = g_strconcat (
        "/tflite/network_gives_the_reference_kernels_result/", name, NULL);
    g_autofree char *cut =
        g_strconcat ("/tflite/truncated_file_is_refused/", name, NULL);
    g_test_add_data_func (
        result, &references[i], network_gives_the_reference_kernels_result);
    if (g_str_has_prefix (name, "network"))
      g_test_add_data_func (cut, name, truncated_file_is_refused);
  }
  g_test_add_func (
      "/tflite/open_batch_is_an_open_batch", open_batch_is_an_open_batch);
  g_test_add_func (
      "/tflite/what_is_not_supported_is_named", what_is_not_supported_is_named);
  for (gsize i = 0; i < G_N_ELEMENTS (photos); i++) {
    g_autofree char *path = g_strconcat (
        "/tflite/photos_are_what_their_names_say/", photos[i], NULL);
    g_test_add_data_func (path, photos[i], photos_are_what_their_names_say);
  }
  return g_test_run ();
}
