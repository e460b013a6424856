/* SPDX-License-Identifier: LGPL-2.1-or-later
 *
 * A graph written as ONNX and read back is the same graph, and the same graph
 * gives the same bytes. */
#include <glib/gstdio.h>
#include <string.h>

#include "onnx-builder.h"
#include "tensor/tensor.h"

static ForgeGraph *
read_bytes (GBytes *bytes)
{
  ForgeSource source = { .name = "test.onnx" };
  gsize size_bytes;
  const void *data = g_bytes_get_data (bytes, &size_bytes);
  g_autoptr (GError) error = NULL;
  ForgeGraph *graph =
      forge_format_read_bytes (data, size_bytes, &source, &error);
  g_assert_no_error (error);
  return graph;
}

/* Every kind of attribute, a left-out input, an int64 weight, metadata. */
static ForgeGraph *
sample_graph (void)
{
  static const float weights[] = { 1, -2, 3, -4, 0.5f, 6, 7, 8, 9, 10, 11,
    1e-30f, 13, 14, 15, 16, 17, 18 };
  static const int64_t shape[] = { 0, -1 };
  g_autoptr (OnnxBuilder) b = onnx_builder_new ();
  onnx_builder_metadata (b, "forge.version", "2");
  onnx_builder_metadata (b, "forge.name", "löwe");
  onnx_builder_input (b, "x", FORGE_FLOAT32, DIMS (-1, 1, 6, 6));
  ForgeOnnx__Tensor *w =
      onnx_builder_tensor (b, "w", FORGE_FLOAT32, DIMS (2, 1, 3, 3));
  onnx_builder_set_raw (w, weights, sizeof weights);
  onnx_builder_initializer (b, w);
  ForgeOnnx__Tensor *s = onnx_builder_tensor (b, "s", FORGE_INT64, DIMS (2));
  onnx_builder_set_raw (s, shape, sizeof shape);
  onnx_builder_initializer (b, s);
  ForgeOnnx__Tensor *most =
      onnx_builder_tensor (b, "most", FORGE_FLOAT32, SCALAR);
  onnx_builder_set_raw (most, weights + 5, sizeof (float));
  onnx_builder_initializer (b, most);
  ForgeOnnx__Node *conv = onnx_builder_node (b, "Conv", "x,w", "c");
  ForgeOnnx__Attribute *pads =
      onnx_builder_attribute (b, conv, "auto_pad", FORGE_ONNX_STRING);
  pads->has_s = TRUE;
  pads->s.data = (guint8 *) "SAME_UPPER";
  pads->s.len = strlen ("SAME_UPPER");
  ForgeOnnx__Attribute *strides =
      onnx_builder_attribute (b, conv, "strides", FORGE_ONNX_INTS);
  static int64_t twos[] = { 2, 2 };
  strides->n_ints = 2;
  strides->ints = twos;
  onnx_builder_node (b, "Clip", "c,,most", "k");
  ForgeOnnx__Node *leaky = onnx_builder_node (b, "LeakyRelu", "k", "l");
  onnx_builder_attribute (b, leaky, "alpha", FORGE_ONNX_FLOAT)->f = 0.125f;
  onnx_builder_node (b, "Reshape", "l,s", "r");
  ForgeOnnx__Node *softmax = onnx_builder_node (b, "Softmax", "r", "y");
  onnx_builder_attribute (b, softmax, "axis", FORGE_ONNX_INT)->i = -1;
  onnx_builder_output (b, "y");
  g_autoptr (GBytes) bytes = onnx_builder_finish (b);
  return read_bytes (bytes);
}

static void
assert_same_values (const GPtrArray *a, const GPtrArray *b)
{
  g_assert_cmpuint (a->len, ==, b->len);
  for (guint i = 0; i < a->len; i++) {
    const ForgeValue *va = a->pdata[i], *vb = b->pdata[i];
    g_assert_true (!va == !vb);
    if (!va)
      continue;
    g_assert_cmpstr (va->name, ==, vb->name);
    g_assert_cmpint (va->dtype, ==, vb->dtype);
    g_assert_true (forge_shape_equal (&va->shape, &vb->shape));
    g_assert_true (!va->constant == !vb->constant);
    if (va->constant)
      g_assert_cmpmem (va->constant->data, va->constant->size_bytes,
          vb->constant->data, vb->constant->size_bytes);
  }
}

static void
compare_attribute (const char *name, const ForgeAttr *attr, gpointer data)
{
  const ForgeAttr *other = forge_attrs_get (data, name);
  g_assert_nonnull (other);
  g_assert_cmpint (attr->type, ==, other->type);
  if (attr->type == FORGE_ATTR_INT)
    g_assert_cmpint (attr->i, ==, other->i);
  if (attr->type == FORGE_ATTR_FLOAT)
    g_assert_cmpfloat (attr->f, ==, other->f);
  if (attr->type == FORGE_ATTR_STRING)
    g_assert_cmpstr (attr->s, ==, other->s);
  if (attr->type == FORGE_ATTR_INTS)
    g_assert_cmpmem (attr->ints->data, attr->ints->len * sizeof (int64_t),
        other->ints->data, other->ints->len * sizeof (int64_t));
}

static void
what_is_written_reads_back_the_same (void)
{
  g_autoptr (ForgeGraph) graph = sample_graph ();
  g_autoptr (GError) error = NULL;
  g_autoptr (GBytes) bytes = forge_onnx_serialise (graph, &error);
  g_assert_no_error (error);
  g_autoptr (ForgeGraph) back = read_bytes (bytes);
  g_assert_cmpstr (back->name, ==, graph->name);
  g_assert_cmpint (back->opset, ==, graph->opset);
  assert_same_values (graph->inputs, back->inputs);
  assert_same_values (graph->outputs, back->outputs);
  g_assert_cmpuint (graph->nodes->len, ==, back->nodes->len);
  for (guint i = 0; i < graph->nodes->len; i++) {
    const ForgeNode *a = graph->nodes->pdata[i], *b = back->nodes->pdata[i];
    g_assert_cmpstr (a->name, ==, b->name);
    g_assert_true (a->op == b->op);
    assert_same_values (a->inputs, b->inputs);
    assert_same_values (a->outputs, b->outputs);
    forge_attrs_foreach (a->attrs, compare_attribute, b->attrs);
    forge_attrs_foreach (b->attrs, compare_attribute, a->attrs);
  }
  g_assert_cmpuint (g_hash_table_size (back->metadata), ==, 2);
  g_assert_cmpstr (
      g_hash_table_lookup (back->metadata, "forge.name"), ==, "löwe");
}

static void
the_same_graph_gives_the_same_bytes (void)
{
  g_autoptr (ForgeGraph) graph = sample_graph ();
  g_autoptr (ForgeGraph) copy = forge_graph_copy (graph);
  g_autoptr (GBytes) first = forge_onnx_serialise (graph, NULL);
  g_autoptr (GBytes) second = forge_onnx_serialise (copy, NULL);
  g_assert_true (g_bytes_equal (first, second));
  g_autoptr (ForgeGraph) back = read_bytes (first);
  g_autoptr (GBytes) third = forge_onnx_serialise (back, NULL);
  g_assert_true (g_bytes_equal (first, third));
}

static void
files_are_replaced_whole (void)
{
  g_autoptr (ForgeGraph) graph = sample_graph ();
  g_autofree char *folder = g_dir_make_tmp ("forge-write-XXXXXX", NULL);
  g_autofree char *path = g_build_filename (folder, "m.onnx", NULL);
  g_assert_true (g_file_set_contents (path, "old", 3, NULL));
  g_autoptr (GError) error = NULL;
  g_assert_true (forge_onnx_write (graph, path, &error));
  g_assert_no_error (error);
  g_autoptr (ForgeGraph) back = forge_format_read_file (path, &error);
  g_assert_no_error (error);
  g_assert_cmpuint (back->nodes->len, ==, graph->nodes->len);
  g_autoptr (GDir) dir = g_dir_open (folder, 0, NULL);
  g_assert_cmpstr (g_dir_read_name (dir), ==, "m.onnx");
  g_assert_null (g_dir_read_name (dir));
  g_remove (path);
  g_rmdir (folder);
  g_assert_false (forge_onnx_write (graph, path, &error));
  g_assert_error (error, FORGE_ERROR, FORGE_ERROR_IO);
  g_assert_nonnull (strstr (error->message, path));
}

static void
an_optimised_graph_is_not_written (void)
{
  g_autoptr (ForgeGraph) graph = sample_graph ();
  ((ForgeNode *) graph->nodes->pdata[0])->nhwc = TRUE;
  g_autoptr (GError) error = NULL;
  g_assert_null (forge_onnx_serialise (graph, &error));
  g_assert_error (error, FORGE_ERROR, FORGE_ERROR_ARGUMENT);
  g_assert_nonnull (strstr (error->message, "Conv_0"));
}

#define CHECK                                                         \
  "import sys\n"                                                      \
  "try:\n import onnx.checker\nexcept ImportError:\n sys.exit (77)\n" \
  "model = onnx.load (sys.argv[1])\n"                                 \
  "onnx.checker.check_model (model, full_check=True)\n"

/* Runs Debian's python3-onnx on the file, when it is there; removes the file
 * and its folder. */
static void
check_file (char *folder, char *path, const char *script)
{
  const char *argv[] = { "/usr/bin/python3", "-c", script, path, NULL };
  g_autofree char *errors = NULL;
  int status = 0;
  gboolean ran = g_spawn_sync (
      NULL, (char **) argv, NULL, 0, NULL, NULL, NULL, &errors, &status, NULL);
  g_remove (path);
  g_rmdir (folder);
  g_autoptr (GError) error = NULL;
  gboolean ok = ran && g_spawn_check_wait_status (status, &error);
  if (!ran || g_error_matches (error, G_SPAWN_EXIT_ERROR, 77)) {
    g_test_skip ("Debian package python3-onnx is not installed");
    return;
  }
  g_test_message ("%s", errors);
  g_assert_true (ok);
}

static void
onnx_checker_accepts_our_files (void)
{
  static const char script[] =
      CHECK "assert model.ir_version == 8\n"
            "assert [o.version for o in model.opset_import] == [13]\n"
            "assert {p.key: p.value for p in model.metadata_props} == "
            "{'forge.name': 'l\\u00f6we', 'forge.version': '2'}\n"
            "assert [n.op_type for n in model.graph.node] == "
            "['Conv', 'Clip', 'LeakyRelu', 'Reshape', 'Softmax']\n"
            "assert list (model.graph.node[1].input) == ['c', '', 'most']\n"
            "d = model.graph.input[0].type.tensor_type.shape.dim\n"
            "assert d[0].dim_param == 'N' and [x.dim_value for x in d[1:]] == "
            "[1, 6, 6]\n";
  g_autoptr (ForgeGraph) graph = sample_graph ();
  g_autofree char *folder = g_dir_make_tmp ("forge-check-XXXXXX", NULL);
  g_autofree char *path = g_build_filename (folder, "m.onnx", NULL);
  g_assert_true (forge_onnx_write (graph, path, NULL));
  check_file (folder, path, script);
}

static void
onnx_checker_accepts_the_built_in_model (void)
{
  static const char script[] = CHECK
      "keys = {p.key for p in model.metadata_props}\n"
      "assert {'forge.format', 'forge.labels', 'forge.preprocess'} <= keys\n"
      "t = model.graph.input[0].type.tensor_type\n"
      "assert t.elem_type == onnx.TensorProto.UINT8\n"
      "assert t.shape.dim[3].dim_value == 3\n";
  const uint8_t *bytes;
  size_t size_bytes;
  forge_embedded_model (&bytes, &size_bytes);
  if (!bytes) {
    g_test_skip ("this build has no built-in model");
    return;
  }
  g_autofree char *folder = g_dir_make_tmp ("forge-check-XXXXXX", NULL);
  g_autofree char *path = g_build_filename (folder, "m.onnx", NULL);
  g_assert_true (g_file_set_contents (
      path, (const char *) bytes, (gssize) size_bytes, NULL));
  check_file (folder, path, script);
}

int
main (int argc, char **argv)
{
  g_test_init (&argc, &argv, NULL);
  g_test_add_func (
      "/onnx/write/round-trip", what_is_written_reads_back_the_same);
  g_test_add_func (
      "/onnx/write/same-bytes", the_same_graph_gives_the_same_bytes);
  g_test_add_func ("/onnx/write/file", files_are_replaced_whole);
  g_test_add_func ("/onnx/write/optimised", an_optimised_graph_is_not_written);
  g_test_add_func ("/onnx/write/checker", onnx_checker_accepts_our_files);
  g_test_add_func (
      "/onnx/write/checker/built-in", onnx_checker_accepts_the_built_in_model);
  return g_test_run ();
}
