/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * ONNX's own test cases (Debian package libonnx-testdata) whose operators we
 * claim: model and tensors in, tensors out, compared with ONNX's tolerance. A
 * case may be refused as not supported, but never give a wrong result, and
 * what onnx-nodes.txt lists must pass. FORGE_ONNX_TESTDATA names the folder of
 * another release, where a listed case may be gone. Of the cases of our
 * operators and types 95 % must pass. */
#include <string.h>

#include "base/file.h"
#include "compare.h"
#include "formats/onnx.h"

#define PACKAGED "/usr/share/libonnx-testdata/data"
#define MAX_PORTS 16

static const char *const suites[] = { "node", "simple", "pytorch-converted",
  "pytorch-operator" };

typedef struct {
  char *name; /* "node/test_relu" */
  gboolean must_pass;
} Case;

/* onnx 1.17 made these without the saturation that its own text, and ONNX
 * Runtime, ask for: values beyond int8 wrap round. */
static const char *const wrong_data[] = {
  "node/test_qlinearmatmul_2D_int8_float32",
  "node/test_qlinearmatmul_3D_int8_float32",
};

static struct {
  const char *root;
  guint n_cases, n_passed, n_foreign;
  GPtrArray *cases;
  GHashTable *expected; /* names in onnx-nodes.txt */
  GString *new_passes;
} all;

static gboolean
is_foreign (const ForgeOnnx__ValueInfo *info)
{
  const ForgeOnnx__TensorType *type =
      info->type ? info->type->tensor_type : NULL;
  return !type || !forge_dtype_size_bytes ((ForgeDtype) type->elem_type);
}

/* @n_unclaimed: operators that are not in our table. @foreign: an input or
 * output is of a type that we do not have (strings, 8-bit floats, 4-bit
 * integers, sequences). */
static void
survey (const char *path, guint *n_unclaimed, gboolean *foreign)
{
  size_t size_bytes;
  ForgeSource source = { .name = path };
  g_autofree void *bytes = forge_file_read (path, 1 << 30, &size_bytes, NULL);
  ForgeOnnx__Model *model =
      bytes ? forge_onnx_unpack_model (bytes, size_bytes, &source, NULL) : NULL;
  *n_unclaimed = model == NULL;
  *foreign = FALSE;
  if (!model)
    return;
  for (size_t i = 0; i < model->graph->n_node; i++) {
    const ForgeOnnx__Node *node = model->graph->node[i];
    *n_unclaimed +=
        !forge_op_find (node->op_type, node->domain ? node->domain : "");
  }
  for (size_t i = 0; i < model->graph->n_input; i++)
    *foreign |= is_foreign (model->graph->input[i]);
  for (size_t i = 0; i < model->graph->n_output; i++)
    *foreign |= is_foreign (model->graph->output[i]);
  forge_onnx__model__free_unpacked (model, NULL);
}

static void
free_tensors (ForgeTensor **tensors)
{
  for (guint i = 0; i < MAX_PORTS; i++)
    g_clear_pointer (&tensors[i], forge_tensor_unref);
}

/* input_0.pb, input_1.pb ... FALSE when one does not parse. */
static gboolean
load_ports (const char *folder, const char *kind, ForgeTensor **tensors,
    guint *n_tensors, GError **error)
{
  for (*n_tensors = 0; *n_tensors < MAX_PORTS; (*n_tensors)++) {
    g_autofree char *name = g_strdup_printf ("%s_%u.pb", kind, *n_tensors);
    g_autofree char *path = g_build_filename (folder, name, NULL);
    if (!g_file_test (path, G_FILE_TEST_EXISTS))
      break;
    tensors[*n_tensors] = load_tensor_pb (path, error);
    if (!tensors[*n_tensors])
      return FALSE;
  }
  return TRUE;
}

/* The shape of a Reshape, the axes of a Squeeze, the scales of a Resize: we
 * want those as constants, ONNX's cases feed them as inputs. */
typedef enum { ALL_FED, NUMBERS_CONSTANT, FIRST_FED, NONE_FED, N_WAYS } Way;

static gboolean
is_setting (Way way, guint index, const ForgeTensor *value)
{
  if (way == NONE_FED)
    return TRUE;
  if (index == 0 || way == ALL_FED)
    return FALSE;
  return way == FIRST_FED || value->dtype != FORGE_FLOAT32 ||
         value->shape.rank == 0;
}

/* A length-delimited protocol-buffer field. */
static void
put_field (GByteArray *out, guint8 tag, const void *data, gsize size_bytes)
{
  g_byte_array_append (out, &tag, 1);
  for (gsize rest = size_bytes;; rest >>= 7) {
    guint8 byte = (guint8) ((rest & 0x7f) | (rest > 0x7f ? 0x80 : 0));
    g_byte_array_append (out, &byte, 1);
    if (rest <= 0x7f)
      break;
  }
  g_byte_array_append (out, data, (guint) size_bytes);
}

/* Appends "graph { initializer { ... name } }" to @file for one input. Of two
 * element types in a message the last one counts. */
static void
put_constant (
    GByteArray *file, const char *pb_path, const ForgeOnnx__ValueInfo *input)
{
  static const guint8 is_bfloat16[] = { 0x10, FORGE_BFLOAT16 };
  size_t size_bytes;
  g_autofree void *bytes =
      forge_file_read (pb_path, 1 << 30, &size_bytes, NULL);
  g_autoptr (GByteArray) tensor = g_byte_array_new ();
  g_autoptr (GByteArray) graph = g_byte_array_new ();
  g_byte_array_append (tensor, bytes, (guint) size_bytes);
  put_field (tensor, 0x42, input->name, strlen (input->name));
  if (input->type->tensor_type &&
      input->type->tensor_type->elem_type == FORGE_BFLOAT16)
    g_byte_array_append (tensor, is_bfloat16, sizeof is_bfloat16);
  put_field (graph, 0x2a, tensor->data, tensor->len);
  put_field (file, 0x3a, graph->data, graph->len);
}

/* The model's bytes with its settings turned into initializers: two messages
 * in a row are one message with the fields of both. */
static GByteArray *
add_constants (Way way, const char *path, const char *folder,
    ForgeTensor *const *inputs, guint n_inputs)
{
  size_t size_bytes;
  ForgeSource source = { .name = path };
  g_autofree void *bytes = forge_file_read (path, 1 << 30, &size_bytes, NULL);
  GByteArray *file = g_byte_array_new ();
  g_byte_array_append (file, bytes, (guint) size_bytes);
  ForgeOnnx__Model *model =
      forge_onnx_unpack_model (bytes, size_bytes, &source, NULL);
  for (guint i = 0; i < n_inputs; i++) {
    g_autofree char *name = g_strdup_printf ("input_%u.pb", i);
    g_autofree char *pb_path = g_build_filename (folder, name, NULL);
    if (is_setting (way, i, inputs[i]))
      put_constant (file, pb_path, model->graph->input[i]);
  }
  forge_onnx__model__free_unpacked (model, NULL);
  return file;
}

/* Operators whose result's shape depends on values (Range, NonZero) run where
 * those are constant, which leaves a network without inputs: folded as a part
 * of a larger one would be. */
static char *
fold_case (const char *path, const GByteArray *file, ForgeTensor *const *want,
    guint n_outputs, GError **error)
{
  ForgeSource source = { .name = path };
  char *difference = NULL;
  g_autoptr (ForgeGraph) graph =
      forge_format_read_bytes (file->data, file->len, &source, error);
  if (!graph || !forge_graph_run_pass (
                    graph, "fold_constants", FORGE_PASSES_INFERENCE, error))
    return NULL;
  for (guint i = 0; i < n_outputs && !difference; i++) {
    const ForgeValue *out = graph->outputs->pdata[i];
    if (!out->constant) {
      g_set_error (error, FORGE_ERROR, FORGE_ERROR_UNSUPPORTED,
          "output %u is not constant", i);
      return NULL;
    }
    difference = compare_tensors (out->constant, want[i], ONNX_RTOL, ONNX_ATOL);
  }
  return difference;
}

/* What differs, or NULL; @error is set when the case is not supported. */
static char *
run_data_set (const char *path, const char *folder, Way way, GError **error)
{
  ForgeTensor *inputs[MAX_PORTS] = { NULL }, *outputs[MAX_PORTS] = { NULL };
  ForgeTensor *fed[MAX_PORTS] = { NULL };
  guint n_inputs, n_outputs, n_fed = 0;
  char *difference = NULL;
  if (load_ports (folder, "input", inputs, &n_inputs, error) &&
      load_ports (folder, "output", outputs, &n_outputs, error)) {
    for (guint i = 0; i < n_inputs; i++)
      if (!is_setting (way, i, inputs[i]))
        fed[n_fed++] = inputs[i];
    g_autoptr (GByteArray) file =
        add_constants (way, path, folder, inputs, n_inputs);
    if (way == NONE_FED)
      difference = fold_case (path, file, outputs, n_outputs, error);
    g_autoptr (ForgeModel) model =
        way == NONE_FED
            ? NULL
            : forge_model_load_bytes (file->data, file->len, path, error);
    g_autoptr (ForgeSession) session =
        model ? run_model (model, fed, n_fed, error) : NULL;
    for (guint i = 0; session && i < n_outputs && !difference; i++)
      difference = compare_tensors (forge_session_get_output (session, i),
          outputs[i], ONNX_RTOL, ONNX_ATOL);
  }
  free_tensors (inputs);
  free_tensors (outputs);
  return difference;
}

static char *
run_case (const char *folder, GError **error)
{
  g_autofree char *path = g_build_filename (folder, "model.onnx", NULL);
  char *difference = NULL;
  for (guint set = 0; !difference && !*error; set++) {
    g_autofree char *name = g_strdup_printf ("test_data_set_%u", set);
    g_autofree char *set_folder = g_build_filename (folder, name, NULL);
    if (!g_file_test (set_folder, G_FILE_TEST_IS_DIR))
      break;
    for (Way way = ALL_FED; way < N_WAYS && !difference; way++) {
      g_autoptr (GError) refused = NULL;
      difference = run_data_set (path, set_folder, way, &refused);
      if (!refused)
        g_clear_error (error);
      else if (!*error) /* the first one says most */
        g_propagate_error (error, g_steal_pointer (&refused));
      if (!*error)
        break;
    }
  }
  return difference;
}

static void
case_gives_onnxs_result (gconstpointer data)
{
  const Case *item = data;
  g_autofree char *folder = g_build_filename (all.root, item->name, NULL);
  g_autoptr (GError) error = NULL;
  for (gsize i = 0; i < G_N_ELEMENTS (wrong_data); i++)
    if (strcmp (item->name, wrong_data[i]) == 0) {
      g_test_skip ("the case's data does not saturate");
      return;
    }
  g_autofree char *difference = run_case (folder, &error);
  if (difference) {
    g_test_message ("%s: %s", item->name, difference);
    g_test_fail ();
  } else if (error && item->must_pass) {
    g_test_message ("passed before: %s", error->message);
    g_test_fail ();
  } else if (error) {
    const char *reason = strstr (error->message, "model.onnx: ");
    g_test_skip (reason ? reason + strlen ("model.onnx: ") : error->message);
  } else {
    all.n_passed++;
    if (!item->must_pass)
      g_string_append_printf (all.new_passes, "\n#   %s", item->name);
  }
}

static void
case_free (gpointer data)
{
  Case *item = data;
  g_free (item->name);
  g_free (item);
}

static int
compare_names (gconstpointer a, gconstpointer b)
{
  return strcmp ((*(Case *const *) a)->name, (*(Case *const *) b)->name);
}

static void
collect (const char *suite)
{
  g_autofree char *folder = g_build_filename (all.root, suite, NULL);
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  const char *entry;
  while (dir && (entry = g_dir_read_name (dir))) {
    g_autofree char *path =
        g_build_filename (folder, entry, "model.onnx", NULL);
    guint n_unclaimed;
    gboolean foreign;
    all.n_cases++;
    survey (path, &n_unclaimed, &foreign);
    if (n_unclaimed > 0)
      continue;
    all.n_foreign += foreign;
    Case *item = g_new0 (Case, 1);
    item->name = g_strdup_printf ("%s/%s", suite, entry);
    item->must_pass = g_hash_table_contains (all.expected, item->name);
    g_ptr_array_add (all.cases, item);
  }
}

static void
load_expected (void)
{
  g_autofree char *path = g_build_filename (g_getenv ("FORGE_SOURCE_ROOT"),
      "tests", "models", "onnx-nodes.txt", NULL);
  g_autofree char *text = NULL;
  g_assert_true (g_file_get_contents (path, &text, NULL, NULL));
  g_auto (GStrv) lines = g_strsplit (text, "\n", -1);
  for (char **line = lines; *line; line++)
    if (**line && **line != '#')
      g_hash_table_add (all.expected, g_strdup (*line));
}

static void
every_expected_case_exists (void)
{
  guint n_found = 0;
  for (guint i = 0; i < all.cases->len; i++)
    n_found += ((Case *) all.cases->pdata[i])->must_pass;
  g_assert_cmpuint (n_found, ==, g_hash_table_size (all.expected));
}

static void
nearly_all_claimed_cases_pass (void)
{
  guint n_claimed = all.cases->len - all.n_foreign;
  g_test_message ("%u of %u", all.n_passed, n_claimed);
  g_assert_cmpuint (all.n_passed * 100, >=, n_claimed * 95);
}

static void
package_is_missing (void)
{
  g_test_skip ("Debian package libonnx-testdata is not installed");
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  const char *given = g_getenv ("FORGE_ONNX_TESTDATA");
  all.root = given ? given : PACKAGED;
  if (!g_file_test (all.root, G_FILE_TEST_IS_DIR)) {
    g_test_add_func ("/onnx-nodes", package_is_missing);
    return g_test_run ();
  }
  all.cases = g_ptr_array_new_with_free_func (case_free);
  all.expected = g_hash_table_new_full (g_str_hash, g_str_equal, g_free, NULL);
  all.new_passes = g_string_new (NULL);
  load_expected ();
  for (gsize i = 0; i < G_N_ELEMENTS (suites); i++)
    collect (suites[i]);
  g_ptr_array_sort (all.cases, compare_names);
  if (!given)
    g_test_add_func ("/onnx-nodes/list", every_expected_case_exists);
  for (guint i = 0; i < all.cases->len; i++) {
    Case *item = all.cases->pdata[i];
    g_autofree char *path = g_strdup_printf ("/onnx-nodes/%s", item->name);
    g_test_add_data_func (path, item, case_gives_onnxs_result);
  }
  /* a suite of its own, which runs after the others */
  g_test_add_func ("/onnx-nodes/share/claimed", nearly_all_claimed_cases_pass);
  int status = g_test_run ();
  g_print ("# %u of %u cases use only our operators, %u of them on types that "
           "we do not have; %u passed, the rest is skipped with the reason\n",
      all.cases->len, all.n_cases, all.n_foreign, all.n_passed);
  if (all.new_passes->len > 0)
    g_print ("# new passes, to be added to onnx-nodes.txt:%s\n",
        all.new_passes->str);
  g_ptr_array_unref (all.cases);
  g_hash_table_unref (all.expected);
  g_string_free (all.new_passes, TRUE);
  return status;
}
